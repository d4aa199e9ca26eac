package provider

// Basis says how a rule is known.
type Basis string

const (
	// Source: read in the controller's code.
	Source Basis = "Source"
	// Documented by the vendor.
	Documented Basis = "Documented"
	// NotKnown: the rule says what is not known, and why.
	NotKnown Basis = "Unknown"
)

// Rule is one fact about a load balancer: why a node gets no connections from it, or why that is not known.
type Rule struct {
	// ID never changes and is never used for another rule: LB-03.
	ID string
	// Reason is one sentence about the node, without the Service's name.
	Reason string
	// Origin is where the fact was read: a file of the controller's code with its release, or a page of the vendor's
	// documentation.
	Origin string
	Basis  Basis
}

// ExcludeLabel excludes a node from load balancers. Some controllers include the node where the value is false, others
// do not read the value.
const ExcludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

const upstreamSource = "kubernetes/cloud-provider v0.37.2 controllers/service/controller.go"

// Rules that hold for any load balancer. Those that pkg/route names too are exported.
var (
	Unrecognised    = &Rule{ID: "LB-01", Basis: NotKnown, Reason: "this load balancer is not recognised, so it is not known which nodes it sends to"}
	NoLocalEndpoint = &Rule{
		ID: "LB-02", Basis: Source, Origin: "kubernetes/kubernetes v1.36.3 pkg/proxy/healthcheck/service_health.go",
		Reason: "with policy Local a node without a ready endpoint fails the load balancer's health check",
	}
	lb03 = &Rule{
		ID: "LB-03", Basis: Source, Origin: upstreamSource + " nodeIncludedPredicate",
		Reason: "label " + ExcludeLabel + " excludes the node from load balancers",
	}
	lb04 = &Rule{
		ID: "LB-04", Basis: Source, Origin: upstreamSource + " nodeUnTaintedPredicate, nodeNotDeletedPredicate",
		Reason: "the node is being removed (it is being deleted, or has taint ToBeDeletedByClusterAutoscaler)",
	}
	lb05 = &Rule{
		ID: "LB-05", Basis: Source, Origin: "label type=virtual-kubelet",
		Reason: "the node is a virtual kubelet: it has no network of its own, so a load balancer cannot send to it",
	}
	lb06             = &Rule{ID: "LB-06", Basis: Source, Origin: upstreamSource + " nodeHasProviderID", Reason: "the node has no providerID, so the cloud's controller cannot find its instance"}
	NoAddress        = &Rule{ID: "LB-07", Basis: Source, Origin: "status.loadBalancer", Reason: "the Service has no load balancer address yet, so no load balancer sends to it"}
	NotLoadBalancer  = &Rule{ID: "LB-08", Basis: Source, Origin: "spec.type", Reason: "the Service is not of type LoadBalancer"}
	SendsToPods      = &Rule{ID: "LB-09", Basis: Source, Reason: "the load balancer sends to pods directly, not through nodes"}
	EndpointsNotRead = &Rule{ID: "LB-10", Basis: NotKnown, Reason: "the EndpointSlices could not be read, so it is not known which nodes pass the health check"}
	FailsOwnCheck    = &Rule{ID: "LB-11", Basis: Source, Origin: "the node's own health check node port", Reason: "the node's own health check fails"}
	CheckNotServed   = &Rule{
		ID: "LB-12", Basis: Source, Origin: "kubernetes/kubernetes v1.36.3 pkg/proxy/healthcheck/service_health.go",
		Reason: "the node does not serve the health check node port at its own address (nodePortAddresses excludes it)",
	}
	HealthNotKnown    = &Rule{ID: "LB-13", Basis: NotKnown, Reason: "it is not known whether the node passes the load balancer's health check"}
	NodePortSilent    = &Rule{ID: "LB-14", Basis: Source, Reason: "the load balancer health-checks the node port, and the node does not answer there"}
	AnnouncerNotKnown = &Rule{ID: "LB-15", Basis: NotKnown, Reason: "nodes announce the address, and it is not known which node does"}
	BackendsNotKnown  = &Rule{ID: "LB-16", Basis: NotKnown, Reason: "it is not known whether the load balancer sends to nodes or to pods"}
	lb17              = &Rule{ID: "LB-17", Basis: Source, Reason: "an annotation of the Service selects other nodes"}
	lb18              = &Rule{ID: "LB-18", Basis: NotKnown, Reason: "the node is not ready, and some releases of the load balancer's controller exclude such nodes while others do not"}
	SharedWithOthers  = &Rule{ID: "LB-22", Basis: NotKnown, Reason: "the load balancer, or its backend group, is not managed by this cluster's controller, and the Kubernetes API does not show where its listeners send"}
	NodeNotRead       = &Rule{ID: "LB-21", Basis: NotKnown, Reason: "the node could not be read, so it is not known whether the load balancer excludes it"}
	lb29              = &Rule{
		ID: "LB-29", Basis: Source, Origin: "kube-vip/kube-vip v1.2.3 pkg/services/services.go updateStatus; cilium/cilium v1.20.2 pkg/l2announcer/l2announcer.go",
		Reason: "another node announces the address and gets all connections from outside",
	}
	NotReady = &Rule{ID: "LB-20", Basis: NotKnown, Reason: "the node is not ready, so it is not known whether it answers the load balancer's health check"}
	lb19     = &Rule{
		ID: "LB-19", Basis: Source, Origin: "metallb/metallb v0.15.2 speaker/layer2_controller.go ShouldAnnounce, speaker/bgp_controller.go ShouldAnnounce",
		Reason: "with policy Local MetalLB does not announce the address from a node without an endpoint",
	}
)

// commonRules are the rules that hold for any load balancer.
func commonRules() []*Rule {
	return []*Rule{
		Unrecognised, NoLocalEndpoint, lb03, lb04, lb05, lb06, NoAddress, NotLoadBalancer, SendsToPods, EndpointsNotRead, FailsOwnCheck, CheckNotServed, HealthNotKnown,
		NodePortSilent, AnnouncerNotKnown, BackendsNotKnown, lb17, lb18, lb19, NotReady, NodeNotRead, SharedWithOthers, lb29,
	}
}
