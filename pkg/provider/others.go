package provider

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// digitalOcean recognises DigitalOcean's load balancers. Those of type REGIONAL open connections of their own to the node port; those of type REGIONAL_NETWORK keep the
// client's address and deliver to their own. Which one is the default depends on the controller's release
// (digitalocean/digitalocean-cloud-controller-manager cloud-controller-manager/do/loadbalancers.go).
func digitalOcean(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("digitalocean://"))
	lb := LoadBalancer{Name: "digitalocean", Title: "DigitalOcean", Backends: Nodes, Source: source, Weights: EqualWeights, Checks: []HealthCheck{ChecksKubeProxy}}
	if c.local() {
		lb.Checks = []HealthCheck{HealthCheckNodePort}
	}
	for key := range c.service.Annotations {
		if strings.HasPrefix(key, "service.beta.kubernetes.io/do-loadbalancer-healthcheck-") || key == "service.beta.kubernetes.io/do-loadbalancer-override-health-check" {
			lb.Checks = []HealthCheck{UnknownCheck}
		}
	}
	switch c.service.Annotations["service.beta.kubernetes.io/do-loadbalancer-type"] {
	case "REGIONAL":
		lb.Delivery, lb.ClientIP = ToNodePort, Rewritten
	case "REGIONAL_NETWORK":
		lb.Delivery, lb.ClientIP = ToAddress, Preserved
	}
	return lb, ok
}

// oci recognises load balancers of Oracle Cloud, whose nodes may have a bare OCID as providerID (oracle/oci-cloud-controller-manager
// pkg/cloudprovider/providers/oci/util.go MapProviderIDToResourceID). A network load balancer keeps the client's address under policy Local, unless an annotation takes
// it; the flexible one, the default, opens connections of its own (load_balancer_spec.go).
func oci(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("oci://", "ocid1.instance."))
	lb := LoadBalancer{
		Name: "oci", Title: "Oracle Cloud", Backends: Nodes, Delivery: ToNodePort, ClientIP: Rewritten, Source: source, Weights: EqualWeights, Checks: []HealthCheck{ChecksKubeProxy},
	}
	if c.local() {
		lb.Checks = []HealthCheck{HealthCheckNodePort}
	}
	if policy := c.service.Annotations["oci.oraclecloud.com/loadbalancer-policy"]; policy != "" && policy != "ROUND_ROBIN" {
		lb.Weights = UnknownWeights
	}
	if c.service.Annotations["oci.oraclecloud.com/load-balancer-type"] == "nlb" {
		lb.Title, lb.Product = "Oracle Cloud network load balancer", "network load balancer"
		if c.local() && c.service.Annotations[ociPreserveSource] != "false" {
			lb.ClientIP = Preserved
		}
	}
	return lb, ok
}

// proxies recognises clouds whose load balancers open connections of their own, know no traffic policy and check the node port of each node unless an annotation
// says otherwise (scaleway/scaleway-cloud-controller-manager scaleway/loadbalancers.go; linode/linode-cloud-controller-manager cloud/linode/loadbalancers.go).
func proxies(c candidate) (LoadBalancer, bool) {
	for _, cloud := range []struct{ prefix, name, title, checks string }{
		{"scaleway://", "scaleway", "Scaleway", "service.beta.kubernetes.io/scw-loadbalancer-health-check-"},
		{"linode://", "linode", "Akamai Linode NodeBalancer", "service.beta.kubernetes.io/linode-loadbalancer-check-"},
	} {
		source, ok := c.fromNodes(starts(cloud.prefix))
		if !ok {
			continue
		}
		lb := LoadBalancer{
			Name: cloud.name, Title: cloud.title, Backends: Nodes, Delivery: ToNodePort, ClientIP: Rewritten, Source: source, Weights: EqualWeights,
			Checks: []HealthCheck{ChecksNodePort},
		}
		for key := range c.service.Annotations {
			if strings.HasPrefix(key, cloud.checks) {
				lb.Checks = []HealthCheck{UnknownCheck}
			}
		}
		if c.local() && c.service.Annotations["service.beta.kubernetes.io/scw-loadbalancer-health-check-from-service"] == "*" {
			lb.Checks = []HealthCheck{HealthCheckNodePort}
		}
		if c.annotated("service.beta.kubernetes.io/scw-loadbalancer-forward-port-algorithm", "service.beta.kubernetes.io/linode-loadbalancer-default-algorithm",
			"service.beta.kubernetes.io/linode-loadbalancer-default-stickiness") != "" {
			lb.Weights = UnknownWeights
		}
		return lb, true
	}
	return LoadBalancer{}, false
}

// ibm recognises load balancers of IBM Cloud (IBM-Cloud/cloud-provider-vpc-controller pkg/vpcctl/vpc_config.go).
func ibm(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("ibm://"))
	return LoadBalancer{Name: "ibm", Title: "IBM Cloud", Backends: Nodes, Source: source}, ok
}

const ibmSource = "IBM-Cloud/cloud-provider-vpc-controller pkg/vpcctl/vpc_config.go filterNodesByEdgeLabel"

var (
	ibm01 = &Rule{ID: "IBM-01", Basis: Source, Origin: ibmSource, Reason: "some nodes have the label dedicated=edge, and then only those are members; this one has not"}
	ibm02 = &Rule{ID: "IBM-02", Basis: NotKnown, Origin: ibmSource, Reason: "what the load balancer checks, and whether an annotation selects other nodes, is not known"}
)

// ibmEdge: as soon as one node is labelled dedicated=edge, only such nodes are members.
func ibmEdge(s *cluster.Snapshot) func(*cluster.Node) Member {
	isEdge := func(n cluster.Node) bool { return n.Labels["dedicated"] == "edge" }
	some := slices.ContainsFunc(s.Nodes, isEdge)
	return func(n *cluster.Node) Member {
		if some && !isEdge(*n) {
			return out("NotSelected", ibm01)
		}
		return in()
	}
}

const ociPreserveSource = "oci-network-load-balancer.oraclecloud.com/is-preserve-source"

// ociToCluster: a network load balancer refuses policy Cluster as long as that annotation is there at all
// (oracle/oci-cloud-controller-manager pkg/cloudprovider/providers/oci/load_balancer_spec.go).
func ociToCluster(f Facts) Change {
	if !annotated(f.Service, ociPreserveSource) {
		return Change{}
	}
	return Change{
		Settings: []Setting{{Key: ociPreserveSource, Remove: true}},
		Checks: []Check{{
			Name: "annotation-allowed", Holds: cluster.Yes, Message: "the controller refuses policy Cluster with annotation " + ociPreserveSource + "; the same patch takes it away",
			Fact: "it is " + f.Service.Annotations[ociPreserveSource], Source: annotationSource(f.Service, ociPreserveSource),
		}},
	}
}

// Annotations of IBM Cloud (IBM-Cloud/cloud-provider-ibm ibm/ibm_loadbalancer.go; IBM Cloud documentation, VPC load balancers).
const (
	ibmFeatures    = "service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features"
	ibmHealthCheck = "service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-health-check-protocol"
)

// ibmIPVS: the load balancer is the classic one of version 2.0. The annotation lists features with commas between them.
func ibmIPVS(svc *cluster.Service) bool {
	return slices.Contains(strings.Split(strings.ReplaceAll(svc.Annotations[ibmFeatures], " ", ""), ","), "ipvs")
}

// ibmToCluster: version 2.0 of the classic network load balancer (ipvs) needs policy Local (IBM Cloud documentation).
func ibmToCluster(f Facts) Change {
	if !ibmIPVS(f.Service) {
		return Change{}
	}
	return Change{Checks: []Check{{
		Name: "policy-supported", Holds: cluster.No, Message: "a classic network load balancer of version 2.0 (ipvs) needs externalTrafficPolicy Local; use --mode=dns",
		Fact: "it has the feature ipvs", Source: annotationSource(f.Service, ibmFeatures),
	}}}
}

// ibmToLocal: the health check of a VPC load balancer follows the policy, unless this annotation sets it.
func ibmToLocal(f Facts) Change {
	if !annotated(f.Service, ibmHealthCheck) {
		return Change{}
	}
	return Change{Checks: []Check{healthCheckByHand(f.Service, ibmHealthCheck)}}
}

// huaweiFlip is what Huawei Cloud documents of a change in place (CCE user guide, externalTrafficPolicy).
func huaweiFlip(Facts) Change {
	return Change{Costs: []string{"Huawei Cloud documents that connections already tracked on the nodes are not cleared, and advises to make the Service anew instead"}}
}

// huaweiToLocal: a dedicated load balancer before CCE Turbo sends to pods and needs Cluster. Whether a cluster is Turbo is not in the API.
func huaweiToLocal(f Facts) Change {
	const class = "kubernetes.io/elb.class"
	if f.Service.Annotations[class] != "performance" {
		return Change{}
	}
	return Change{Checks: []Check{{
		Name: "policy-supported", Message: "in a CCE Turbo cluster a dedicated load balancer needs externalTrafficPolicy Cluster; whether this is one is not known", Risk: "policy-may-be-refused",
		Fact: class + " is performance", Source: annotationSource(f.Service, class),
	}}}
}

// openstackToLocal: without a health monitor Octavia sends to every node, and those without a pod drop it; the monitor is off unless the annotation, or the
// controller's create-monitor, turns it on (kubernetes/cloud-provider-openstack pkg/openstack/loadbalancer.go).
func openstackToLocal(f Facts) Change {
	c := Check{Name: "health-monitor", Source: annotationSource(f.Service, octaviaMonitor)}
	switch f.Service.Annotations[octaviaMonitor] {
	case "true":
		c.Holds, c.Message, c.Fact = cluster.Yes, "the load balancer has a health monitor, so it knows which nodes have a pod", "it is true"
	case "":
		c.Risk, c.Fact = "drops-connections", "it is not there"
		c.Message = "whether the load balancer has a health monitor is not known: the controller's own default is not in the API, and is off unless somebody set it; without one it sends to " +
			"nodes that have no pod. Annotation " + octaviaMonitor + " turns it on"
	default:
		c.Holds, c.Risk, c.Fact = cluster.No, "drops-connections", "it is "+f.Service.Annotations[octaviaMonitor]
		c.Message = "the load balancer has no health monitor and would send to nodes that have no pod; annotation " + octaviaMonitor + " turns it on"
	}
	return Change{Checks: []Check{c}}
}

const volcengineHealthCheck = "service.beta.kubernetes.io/volcengine-loadbalancer-health-check-flag"

// volcengineToLocal: the health check is off by default (Volcengine, VKE documentation).
func volcengineToLocal(f Facts) Change {
	value := f.Service.Annotations[volcengineHealthCheck]
	c := Check{
		Name: "health-check-on", Holds: cluster.Is(value == "on"), Message: "the load balancer checks its backends, so it knows which nodes have a pod",
		Fact: "it is " + value, Source: annotationSource(f.Service, volcengineHealthCheck),
	}
	if value != "on" {
		c.Risk = "drops-connections"
		c.Message = "the load balancer's health check is off unless annotation " + volcengineHealthCheck + " is on: it would send to nodes that have no pod"
		if value == "" {
			c.Fact = "it is not there"
		}
	}
	return Change{Checks: []Check{c}}
}

const volcenginePassThrough = "service.beta.kubernetes.io/volcengine-loadbalancer-pass-through"

// volcengineToPods sets the annotation that Volcengine documents, off by default and open to change.
func volcengineToPods(f Facts) Change {
	c := Change{Gains: []string{"the load balancer sends to pods directly, so they see the client's address"}, Checks: []Check{podsReachable(f)}}
	if f.Service.Annotations[volcenginePassThrough] != "true" {
		c.Settings = []Setting{{Key: volcenginePassThrough, Value: "true"}}
	}
	return c
}

const baiduBackendType = "service.beta.kubernetes.io/cce-load-balancer-backend-type"

// baiduToPods sets the annotation that Baidu documents. Its documentation does not say what becomes of a Service that is there already.
func baiduToPods(f Facts) Change {
	c := Change{Gains: []string{"the load balancer sends to pods directly, so they see the client's address"}, Checks: []Check{podsReachable(f)}}
	if f.Service.Annotations[baiduBackendType] != "eni" {
		c.Settings = []Setting{{Key: baiduBackendType, Value: "eni"}}
		c.Checks = append(c.Checks, Check{
			Name: "change-in-place", Message: "whether the controller changes the backends of a Service that is there already is not known", Risk: "unconfirmed-in-place",
			Fact: "it is not eni now", Source: annotationSource(f.Service, baiduBackendType),
		})
	}
	c.Costs = append(c.Costs, "Baidu documents it for VPC-ENI networks, and for VPC-route networks with its ttm module; an IPVLAN network needs masqOutBound off")
	return c
}

const (
	tencentDirect = "service.cloud.tencent.com/direct-access"
	tencentRoute  = "tke.cloud.tencent.com/networks"
	// tencentQuota is the lower of the numbers that Tencent Cloud documents for backends of one listener.
	tencentQuota = 100
)

// tencentToPods sets the annotation that Tencent Cloud documents (cloud.tencent.com/document/product/457/41897), with what it says must hold.
func tencentToPods(f Facts) Change {
	c := Change{Gains: []string{"the load balancer sends to pods directly, so they see the client's address"}}
	if f.Service.Annotations[tencentDirect] != "true" {
		c.Settings = []Setting{{Key: tencentDirect, Value: "true"}}
	}
	d := &f.Snapshot.Dataplane
	if d.Name == cluster.Cilium || d.Cilium != nil {
		c.Checks = append(c.Checks, Check{
			Name: "network-supported", Holds: cluster.No, Risk: "network-may-not-support",
			Message: "Tencent Cloud documents that clusters with the Cilium-Overlay network cannot do this, and Cilium runs here", Fact: "Cilium runs here", Source: d.Source,
		})
	}
	if check, found := hostNetworkBackends(f, "Tencent Cloud documents that such pods cannot be backends", "", cluster.No); found {
		c.Checks = append(c.Checks, check)
	}
	c.Checks = append(c.Checks, tencentNetwork(f))
	for _, w := range f.Surroundings.Workloads {
		if w.Settled == cluster.No {
			c.Checks = append(c.Checks, Check{
				Name: "no-rollout", Holds: cluster.No, Message: "a rollout of " + strings.ToLower(w.Kind) + " " + w.Namespace + "/" + w.Name + " is under way, and Tencent Cloud documents that the change must wait for its end",
				Fact: "not all of its pods are up to date", Source: strings.ToLower(w.Kind) + " " + w.Namespace + "/" + w.Name,
			})
		}
	}
	c.Checks = append(c.Checks, quota(f.Service.ReadyBackends(), tencentQuota, "ready endpoints become backends"))
	return c
}

// tencentNetwork: the pods have routed addresses of the VPC, or the cluster's GlobalRouter network was allowed to be reached.
func tencentNetwork(f Facts) Check {
	c := Check{Name: "pods-in-vpc", Source: "annotations of the pods"}
	routed := 0
	for i := range f.Surroundings.Pods {
		if strings.Contains(f.Surroundings.Pods[i].Annotations[tencentRoute], "tke-route-eni") {
			routed++
		}
	}
	if n := len(f.Surroundings.Pods); n > 0 && routed == n {
		c.Holds, c.Message, c.Fact = cluster.Yes, "its pods have addresses of the VPC", tencentRoute+" is tke-route-eni"
		return c
	}
	for i := range f.Surroundings.ConfigMaps {
		if m := &f.Surroundings.ConfigMaps[i]; m.Name == "tke-service-controller-config" && m.Data["GlobalRouteDirectAccess"] == "true" {
			c.Holds, c.Message = cluster.Yes, "the cluster's own network may be reached by load balancers"
			c.Fact, c.Source = "GlobalRouteDirectAccess is true", "configmap kube-system/tke-service-controller-config"
			return c
		}
	}
	if f.Surroundings.Gap("pods", "") != nil || f.Surroundings.Gap("configmaps", "tke-service-controller-config") != nil {
		c.Message, c.Risk = "whether its pods have addresses of the VPC is not known: the pods, or configmap kube-system/tke-service-controller-config, could not be read", "pod-network-unknown"
		return c
	}
	c.Holds = cluster.No
	c.Message = "its pods have no addresses of the VPC (tke-route-eni), and configmap kube-system/tke-service-controller-config does not allow the cluster's own network (GlobalRouteDirectAccess)"
	c.Fact = "not all of the pods have " + tencentRoute + " tke-route-eni"
	return c
}
