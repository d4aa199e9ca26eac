package cluster

// Resources as Gap.Resource names them: plural.group, the group left out for the core group.
const (
	ResourceNodes                = "nodes"
	ResourceNodesProxy           = "nodes/proxy"
	ResourceServices             = "services"
	ResourceEndpointSlices       = "endpointslices.discovery.k8s.io"
	ResourceDaemonSets           = "daemonsets.apps"
	ResourceConfigMaps           = "configmaps"
	ResourcePods                 = "pods"
	ResourceEvents               = "events"
	ResourceNamespaces           = "namespaces"
	ResourceIngresses            = "ingresses.networking.k8s.io"
	ResourceGateways             = "gateways.gateway.networking.k8s.io"
	ResourceFelixConfigurations  = "felixconfigurations.crd.projectcalico.org"
	ResourceInstallations        = "installations.operator.tigera.io"
	ResourceNetworks             = "networks.config.openshift.io"
	ResourceReplicaSets          = "replicasets.apps"
	ResourceNetworkPolicies      = "networkpolicies.networking.k8s.io"
	ResourceCiliumPolicies       = "ciliumnetworkpolicies.cilium.io"
	ResourceLeases               = "leases.coordination.k8s.io"
	ResourceServiceL2Statuses    = "servicel2statuses.metallb.io"
	ResourcePodDisruptionBudgets = "poddisruptionbudgets.policy"
)
