package anonymize

import (
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// What an anonymised dump may contain: the names and words that the diagnosis depends on. Each is defined by Kubernetes, a provider or a data plane, and identifies no
// user. TestAllowed checks that every string that the code compares facts with is here.

func set(lists ...[]string) map[string]bool {
	out := map[string]bool{}
	for _, text := range slices.Concat(lists...) {
		out[text] = true
	}
	return out
}

// allowedKeys are those of labels, annotations and taints.
var allowedKeys = set([]string{
	"type", "k3s.io/node-args", objects.PartialAnnotation, objects.UndoAnnotation, "k8s.aliyun.com/no-kube-proxy", objects.GatewayNameLabel,
	"app.kubernetes.io/name", "beta.kubernetes.io/os", "kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/hostname", "kubernetes.io/service-name", "metadata.name",
	"topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
	"endpointslice.kubernetes.io/managed-by",
	"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master", "node-role.kubernetes.io/worker",
	"node.kubernetes.io/exclude-from-external-load-balancers", "alpha.service-controller.kubernetes.io/exclude-balancer",
	"node.kubernetes.io/unschedulable", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.cloudprovider.kubernetes.io/uninitialized",
	"node.cloudprovider.kubernetes.io/shutdown", "ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler", "karpenter.sh/disrupted", "operation.gke.io/type",
	"virtual-kubelet.io/provider",
	"service.cilium.io/type", "service.cilium.io/node", "service.cilium.io/node-selector", "service.cilium.io/proxy-delegation", "service.cilium.io/lb-l7",
	"kube-router.io/service.local", "kube-router.io/service.hairpin", "kube-router.io/service.hairpin.externalips", "kube-router.io/service.skiplbips",
	"kube-router.io/service.dsr",
	"service.cilium.io/forwarding-mode", "service.cilium.io/global", "io.cilium/global-service", "service.cilium.io/src-ranges-policy",
	"service.kubernetes.io/service-proxy-name", "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode", "service.kubernetes.io/headless",
	"k8s.aliyun.com/ignore-by-terway", "service.alibabacloud.com/exclude-node", "service.beta.kubernetes.io/exclude-node", "service.beta.kubernetes.io/backend-type",
	"service.beta.kubernetes.io/class",
	"service.beta.kubernetes.io/aws-load-balancer-type", "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type",
	"service.beta.kubernetes.io/aws-load-balancer-target-group-attributes", "service.beta.kubernetes.io/aws-load-balancer-attributes",
	"service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled", "service.beta.kubernetes.io/aws-load-balancer-target-node-labels",
	"service.beta.kubernetes.io/aws-load-balancer-healthcheck-port", "service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol",
	"service.beta.kubernetes.io/aws-load-balancer-healthcheck-path", "service.beta.kubernetes.io/aws-load-balancer-proxy-protocol",
	"service.beta.kubernetes.io/aws-load-balancer-scheme", "service.beta.kubernetes.io/aws-load-balancer-internal",
	"service.beta.kubernetes.io/load-balancer-source-ranges",
	"service.beta.kubernetes.io/azure-load-balancer-internal", "service.beta.kubernetes.io/azure-disable-load-balancer-floating-ip",
	"service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path", "kubernetes.azure.com/managed",
	"networking.gke.io/weighted-load-balancing", "networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type", "cloud.google.com/l4-rbs",
	"eks.amazonaws.com/compute-type", "microk8s.io/cluster", "node.openshift.io/os_id",
	"kubevirt.io/schedulable", "katacontainers.io/kata-runtime", "sandbox.gke.io/runtime", "alibabacloud.com/container-runtime",
	"kubernetes.azure.com/kata-mshv-vm-isolation", "kubernetes.azure.com/kata-vm-isolation",
	"kubernetes.io/elb.class", "kubernetes.io/elb.pass-through",
	"load-balancer.hetzner.cloud/hostname", "load-balancer.hetzner.cloud/uses-proxyprotocol", "load-balancer.hetzner.cloud/algorithm-type",
	"load-balancer.hetzner.cloud/node-selector", "dedicated",
	"loadbalancer.openstack.org/enable-health-monitor", "loadbalancer.openstack.org/hostname", "loadbalancer.openstack.org/proxy-protocol",
	"loadbalancer.openstack.org/lb-method", "loadbalancer.openstack.org/x-forwarded-for", "loadbalancer.openstack.org/node-selector", "loadbalancer.openstack.org/load-balancer-id", "loadbalancer.ovhcloud.com/class",
	"metallb.io/allow-shared-ip", "metallb.io/ip-allocated-from-pool", "metallb.universe.tf/allow-shared-ip", "metallb.universe.tf/ip-allocated-from-pool",
	"kube-vip.io/leaseName", "kube-vip.io/vipHost", "kube-vip.io/loadbalancerIPs", "purelb.io/allocated-by", "cilium.io/IPAMRequestSatisfied",
	"oci-network-load-balancer.oraclecloud.com/is-preserve-source", "oci.oraclecloud.com/ingress-ip-mode", "oci.oraclecloud.com/load-balancer-type",
	"oci.oraclecloud.com/node-label-selector", "oci.oraclecloud.com/loadbalancer-policy",
	"service.beta.kubernetes.io/cce-load-balancer-backend-type",
	"service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol", "service.beta.kubernetes.io/do-loadbalancer-hostname", "service.beta.kubernetes.io/do-loadbalancer-type",
	"service.beta.kubernetes.io/do-loadbalancer-override-health-check",
	"service.beta.kubernetes.io/linode-loadbalancer-default-proxy-protocol", "service.beta.kubernetes.io/linode-loadbalancer-hostname-only-ingress",
	"service.beta.kubernetes.io/linode-loadbalancer-proxy-protocol", "service.beta.kubernetes.io/linode-loadbalancer-default-algorithm",
	"service.beta.kubernetes.io/linode-loadbalancer-default-stickiness",
	"service.beta.kubernetes.io/oci-load-balancer-connection-proxy-protocol-version", "oci-network-load-balancer.oraclecloud.com/is-ppv2-enabled",
	"service.beta.kubernetes.io/aws-load-balancer-proxy-protocol-per-target-group",
	"service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v1", "service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v2",
	"service.beta.kubernetes.io/scw-loadbalancer-use-hostname", "service.beta.kubernetes.io/scw-loadbalancer-forward-port-algorithm", "service.beta.kubernetes.io/scw-loadbalancer-health-check-from-service",
	"service.beta.kubernetes.io/volcengine-loadbalancer-health-check-flag", "service.beta.kubernetes.io/volcengine-loadbalancer-pass-through",
	"service.beta.kubernetes.io/volcengine-loadbalancer-proxy-protocol",
	"service.beta.kubernetes.io/vultr-loadbalancer-hostname", "service.beta.kubernetes.io/vultr-loadbalancer-proxy-protocol",
	"service.cloud.tencent.com/direct-access", "service.cloud.tencent.com/local-svc-weighted-balance", "service.kubernetes.io/local-svc-only-bind-node-with-pod",
	"tke.cloud.tencent.com/networks",
	"service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features", "service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-health-check-protocol",
}, alibabaKeys("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-"), alibabaKeys("service.beta.kubernetes.io/alicloud-loadbalancer-"))

// alibabaKeys are the settings of Alibaba's cloud controller manager that are read, by either of its prefixes.
func alibabaKeys(prefix string) []string {
	out := []string{
		"address-type", "backend-label", "backend-type", "connection-drain", "force-override-listeners", "hostname", "id", "ignore-weight-update", "network-type", "preserve-client-ip", "protocol-port",
		"proxy-protocol", "remove-unscheduled-backend", "scheduler", "spec", "health-check-flag", "health-check-type", "health-check-switch", "weight", "vgroup-port",
	}
	for i, name := range out {
		out[i] = prefix + name
	}
	return out
}

// allowedKeyPrefixes are the beginnings by which several keys are read at once: the rest of such a key is replaced.
var allowedKeyPrefixes = set([]string{
	"service.beta.kubernetes.io/azure-load-balancer-health-probe-", "load-balancer.hetzner.cloud/health-check-", "service.beta.kubernetes.io/do-loadbalancer-healthcheck-",
	"service.beta.kubernetes.io/linode-loadbalancer-check-", "service.beta.kubernetes.io/scw-loadbalancer-health-check-", "k8s.ovh.net/", "node.k8s.ovh/",
})

// azurePort is a key of Azure's controller for one port (pkg/consts/consts.go in kubernetes-sigs/cloud-provider-azure).
var azurePort = regexp.MustCompile(`^service\.beta\.kubernetes\.io/port_[0-9]{1,5}_(no_lb_rule|no_probe_rule|health-probe_(port|protocol|interval|num-of-probe|request-path))$`)

// allowedClasses are values of spec.loadBalancerClass.
var allowedClasses = set([]string{
	"service.k8s.aws/nlb", "eks.amazonaws.com/nlb", "alibabacloud.com/nlb", "alibabacloud.com/elb", "io.cilium/l2-announcer", "io.cilium/bgp-control-plane", "io.cilium/node",
	"kube-vip.io/kube-vip-class", "networking.gke.io/l4-regional-external", "networking.gke.io/l4-regional-internal", "tailscale", "purelb.io/purelb",
})

var allowedFinalizers = set([]string{
	"service.kubernetes.io/load-balancer-cleanup", "service.k8s.alibaba/resources", "service.k8s.alibaba/nlb", "service.k8s.aws/resources",
	"gke.networking.io/l4-ilb-v1", "gke.networking.io/l4-ilb-v2", "gke.networking.io/l4-netlb-v1", "gke.networking.io/l4-netlb-v2", "gke.networking.io/l4-netlb-v3",
})

// allowedFinalizerPrefixes are the prefixes by which finalizers are recognised.
var allowedFinalizerPrefixes = set([]string{"service.k8s.alibaba/", "service.k8s.aws/", "gke.networking.io/", "k8s.ovh.net/"})

// allowedNamespaces exist in many clusters.
var allowedNamespaces = set([]string{
	corev1.NamespaceDefault, detect.KubeSystem, "kube-public", "kube-node-lease", "calico-system", "cilium", "ovn-kubernetes", "openshift-ovn-kubernetes", "openshift-sdn",
	"metallb-system", "tigera-operator",
})

// allowedComponents are names of DaemonSets, ConfigMaps, containers and images, and beginnings of such names.
var allowedComponents = set([]string{
	"kube-proxy", "kube-proxy-config", "kube-proxy-worker", "kube-proxy-windows", "cilium-config", "cilium", "cilium-agent", "cilium-envoy", "anetd", "cilium-node-init",
	"calico-node", "node", "antrea-agent", "antrea-config", "antrea-ovs", "antrea-agent-ubuntu", "kube-router", "ovnkube-node", "ovnkube-controller", "ovn-controller",
	"terway", "terway-eniip", "terway-eni", "eni-config", "aws-node", "kindnet", "kindnet-cni", "kindnetd", "kube-flannel", "kube-flannel-ds", "flannel", "weave-net", "weave", "weave-kube",
	"sdn", "sdn-config", "kube-ovn-cni", "coredns", "default", "cluster",
})

// allowedSegments are parts of paths, and names of files in ConfigMaps.
var allowedSegments = set([]string{
	"etc", "var", "lib", "usr", "local", "bin", "run", "opt", "kube-proxy", "kube-proxy-config", "kubernetes", "cilium", "antrea", "config", "config.conf", "config.yaml",
	"kubeconfig.conf", "kube-proxy-config.yaml", "Corefile", detect.AntreaConfKey, detect.TerwayConfKey, "in_cluster_loadbalance",
}, detect.CiliumKeys())

// allowedEnvironment are variables of containers.
var allowedEnvironment = set([]string{"FELIX_BPFENABLED", "NO_MASQ_LOCAL"})

// allowedInterfaces are names, and beginnings of names, that CNIs give to the network interfaces of pods.
var allowedInterfaces = set([]string{"cali", "veth", "cni0", "cbr0", "lxc", "azv", "eni", "gke", "flannel.1", "vethwe", "podman"})

// allowedGates are feature gates.
var allowedGates = set([]string{
	"AllowServiceExternalIPs", "AntreaProxy", "IPv6DualStack", "LoadBalancerIPMode", "PreferSameTrafficDistribution", "ProxyTerminatingEndpoints", "ServiceInternalTrafficPolicy",
	"ServiceTrafficDistribution", "TopologyAwareHints", "NFTablesProxyMode",
})

// allowedFlags are those of kube-proxy, k3s, flannel and kube-router, each with what becomes of its value.
var allowedFlags = map[string]func(*anonymizer, string) string{
	"cluster-cidr": (*anonymizer).ranges, "nodeport-addresses": (*anonymizer).ranges,
	"config": (*anonymizer).path, "hostname-override": (*anonymizer).hostnameOverride,
	"bind-address": (*anonymizer).bindAddress, "feature-gates": (*anonymizer).gates,
	"pod-bridge-interface": (*anonymizer).networkInterface, "pod-interface-name-prefix": (*anonymizer).networkInterface,
	"detect-local-mode": (*anonymizer).value, "disable-kube-proxy": (*anonymizer).value, "flannel-backend": (*anonymizer).value, "ip-masq": (*anonymizer).value,
	"iptables-localhost-nodeports": (*anonymizer).value, "masquerade-all": (*anonymizer).value, "proxy-mode": (*anonymizer).value, "run-service-proxy": (*anonymizer).value,
	"run-router": (*anonymizer).value, "hairpin-mode": (*anonymizer).value, "nodeport-bindon-all-ip": (*anonymizer).value,
	"strict-external-ip-validation": (*anonymizer).value, "service-external-ip-range": (*anonymizer).ranges, "loadbalancer-ip-range": (*anonymizer).ranges,
}

// allowedFields are those of objects that are not part of Kubernetes.
var allowedFields = set([]string{
	"apiVersion", "kind", "metadata", "name", "namespace", "spec", "status", "addresses", "type", "value", "bpfEnabled", "bpfExternalServiceMode", "calicoNetwork",
	"linuxDataplane", "networkType", "bpfConnectTimeLoadBalancing", "bpfConnectTimeLoadBalancingEnabled",
})

// allowedResources are what a gap may be of.
var allowedResources = set([]string{
	cluster.ResourceNodes, cluster.ResourceEndpointSlices, cluster.ResourceDaemonSets, cluster.ResourceConfigMaps, cluster.ResourcePods, cluster.ResourceFelixConfigurations, cluster.ResourceNodesProxy, cluster.ResourceServices, cluster.ResourceIngresses,
	cluster.ResourceGateways, "installations.operator.tigera.io", "networks.config.openshift.io",
})

// allowedSchemes are those of provider IDs.
var allowedSchemes = set([]string{
	"ack-hybrid", "alicloud", "aws", "azure", "cce", "digitalocean", "exoscale", "gce", "hcloud", "hrobot", "huaweicloud", "ibm", "k3s", "kind", "linode", "oci", "openstack", "qcloud",
	"scaleway", "tencentcloud", "volcengine", "vultr",
})

// allowedIDParts are parts of a provider ID that are its form.
var allowedIDParts = set([]string{
	"", "subscriptions", "resourceGroups", "providers", "Microsoft.Compute", "virtualMachines", "virtualMachineScaleSets", "instance", "instances", "ocid1", "bm-server-", "docker",
})

// allowedDomains are those in which clouds name load balancers.
var allowedDomains = []string{
	"amazonaws.com", "amazonaws.com.cn", "aliyuncs.com", "aliyuncsslb.com", "azure.com", "oraclecloud.com", "tencentclb.com", "myqcloud.com", "appdomain.cloud",
}

// allowedRanges say what kind of network an address is of; the defaults of k3s and of MicroK8s are among them, for they are what tells their cluster CIDR, and so is
// Cilium's placeholder of an endpoint.
var allowedRanges = [...]string{
	"0.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", "10.42.0.0/16", "10.43.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
	"192.168.0.0/16", "192.192.192.192/32", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
	"::/127", "64:ff9b::/96", "2000::/3", "2001:db8::/32", "fc00::/7", "fe80::/10", "ff00::/8",
}

// allowedWords are values, in lower case: the words of Kubernetes' fields, and those of providers' and data planes' settings.
var allowedWords = lowered(
	objects.FieldWords(),
	[]string{
		string(corev1.NodeSelectorOpIn), string(corev1.NodeSelectorOpNotIn), string(corev1.NodeSelectorOpExists), string(corev1.NodeSelectorOpDoesNotExist),
		string(appsv1.RollingUpdateDaemonSetStrategyType), string(appsv1.OnDeleteDaemonSetStrategyType), string(corev1.NodeReady),
	},
	[]string{
		"Pod", "Service", "EndpointSlice", "Node", "DaemonSet", "ConfigMap", "Ingress", "Gateway", "FelixConfiguration", "Installation", "Network", "KubeProxyConfiguration",
		"v1", "apps/v1", "discovery.k8s.io/v1", "networking.k8s.io/v1", "gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1",
		"crd.projectcalico.org/v1", "projectcalico.org/v3", "operator.tigera.io/v1", "config.openshift.io/v1",
		"IPAddress", "Hostname", "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io",
		"true", "false", "on", "off", "yes", "no", "auto", "none", "enable", "enabled", "disable", "disabled", "strict", "partial", "probe", "drop", "reject", "primary", "all",
		"localhost", "server", "agent", "snat", "dsr", "hybrid", "tunnel", "native", "deny", "nat", "bpf", "iptables", "ipvs", "nftables", "userspace", "kernelspace", "unidling+iptables",
		"ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix", "vxlan", "host-gw", "wireguard-native", "datapathv2", "ipvlan", "veth", "IPVlan",
		"OpenShiftSDN", "OVNKubernetes", "networkPolicyOnly",
		"eni", "ecs", "eip", "ip", "ips", "instance", "instances", "nlb", "nlb-ip", "clb", "alb", "elb", "external", "internal", "internet-facing", "internet", "intranet", "public",
		"private", "regional", "regional_network", "wrr", "rr", "wlc", "sch", "tch", "proxy", "lb", "performance", "union", "shared", "pods-per-node", "round_robin",
		"least_connections", "http", "https", "ssl", "tls", "http2", "grpc", "kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss", "v2", "octavia", "purelb", "healthy",
		"linux", "windows", "arm64", "amd64", "virtual-kubelet", "cloud-provider-managed", "dualstack", "tke-route-eni", "ingress-nginx", "kubelet", "hybrid", "rhcos", "gvisor", "Sandboxed-Container.runv",
		"preserve_client_ip.enabled", "load_balancing.cross_zone.enabled", "proxy_protocol_v2.enabled", "use_load_balancer_configuration", "*", "fargate", "traffic-port", "drain", "edge", "source_ip", "source_ip_port", "ip_hash", "proxy-protocol",
	})

func lowered(lists ...[]string) map[string]bool {
	out := map[string]bool{}
	for _, word := range slices.Concat(lists...) {
		out[strings.ToLower(word)] = true
	}
	return out
}

// vendorSuffixes are what vendors append to the release in the versions of their builds, the hyphen or plus sign included. They identify the build, not the customer.
var vendorSuffixes = regexp.MustCompile(`^(` + strings.Join([]string{
	`-(alpha|beta|rc)\.[0-9]+`, `-aliyun(edge)?\.[0-9]+`, `-tke\.[0-9]+`, `-eks-[0-9a-f]{7}`, `-(minimal-)?eksbuild\.[0-9]+`, `-gke\.[0-9]+(\.[0-9]+)?`, `\+k3s[0-9]+`, `\+rke2r[0-9]+`,
	`[+-]vmware\.[0-9]+(-fips(\.[0-9]+)?)?`, `-r[0-9]+(-[0-9]+)?(\.[0-9]+)*`, `-rancher[0-9]+(-[0-9]+)?`, `\+k0s(\.[0-9]+)?`, `-mirantis-[0-9]+`, `-vke\.[0-9]+`, `\+IKS`, `\+[0-9a-f]{7}`, `-(k3s|rke2r)[0-9]+(-build[0-9]+)?`, `-(ubuntu|ubi|alpine|debian|distroless)`,
}, "|") + `)$`)
