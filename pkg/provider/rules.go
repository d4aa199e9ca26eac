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

// Rule is one line of what is known of a load balancer.
type Rule struct {
	// ID is for ever: LB-03.
	ID string
	// Reason is one sentence about the node, without the Service's name.
	Reason string
	// Origin is where the fact was read: a file of the controller's code with its release, or a page of the vendor's documentation.
	Origin string
	Basis  Basis
}

// ExcludeLabel keeps a node out of load balancers; what counts as "false" differs by controller.
const ExcludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

const upstreamSource = "kubernetes/cloud-provider v0.37.2 controllers/service/controller.go"

// Rules that the report of a node's part names, whoever keeps the load balancer.
var (
	Unrecognised    = &Rule{ID: "LB-01", Basis: NotKnown, Reason: "no rule is known for this load balancer: which nodes it sends to is not known"}
	NoLocalEndpoint = &Rule{
		ID: "LB-02", Basis: Source, Origin: "kubernetes/kubernetes v1.36.3 pkg/proxy/healthcheck/service_health.go",
		Reason: "policy Local, and the node has no ready endpoint, so it fails the health check of the load balancer",
	}
	lb03 = &Rule{
		ID: "LB-03", Basis: Source, Origin: upstreamSource + " nodeIncludedPredicate",
		Reason: "the label " + ExcludeLabel + " keeps the node out of load balancers",
	}
	lb04 = &Rule{
		ID: "LB-04", Basis: Source, Origin: upstreamSource + " nodeUnTaintedPredicate, nodeNotDeletedPredicate",
		Reason: "the node is about to be removed (taint ToBeDeletedByClusterAutoscaler, or it is being deleted)",
	}
	lb05 = &Rule{
		ID: "LB-05", Basis: Source, Origin: "label type=virtual-kubelet",
		Reason: "the node is a virtual kubelet: it has no network of its own that a load balancer could send to",
	}
	lb06             = &Rule{ID: "LB-06", Basis: Source, Origin: upstreamSource + " nodeHasProviderID", Reason: "the node has no providerID, so its cloud's controller cannot find its instance"}
	NoAddress        = &Rule{ID: "LB-07", Basis: Source, Origin: "status.loadBalancer", Reason: "the Service has no load balancer address yet, so no load balancer sends anything"}
	NotLoadBalancer  = &Rule{ID: "LB-08", Basis: Source, Origin: "spec.type", Reason: "the Service is not of type LoadBalancer"}
	SendsToPods      = &Rule{ID: "LB-09", Basis: Source, Reason: "the load balancer sends to pods, and no node is on the way"}
	EndpointsNotRead = &Rule{ID: "LB-10", Basis: NotKnown, Reason: "the EndpointSlices could not be read, so which nodes pass the health check is not known"}
	FailsOwnCheck    = &Rule{ID: "LB-11", Basis: Source, Origin: "the node's own health check node port", Reason: "the node itself answers its health check with a failure"}
	CheckNotServed   = &Rule{
		ID: "LB-12", Basis: Source, Origin: "kubernetes/kubernetes v1.36.3 pkg/proxy/healthcheck/service_health.go",
		Reason: "nodePortAddresses leave out the address at which the load balancer checks the node's health",
	}
	HealthNotKnown    = &Rule{ID: "LB-13", Basis: NotKnown, Reason: "whether the node passes the health check of the load balancer is not known"}
	NodePortSilent    = &Rule{ID: "LB-14", Basis: Source, Reason: "the load balancer checks the node port, and the node does not answer there"}
	AnnouncerNotKnown = &Rule{ID: "LB-15", Basis: NotKnown, Reason: "nodes announce the address, and which of them does is not known"}
	BackendsNotKnown  = &Rule{ID: "LB-16", Basis: NotKnown, Reason: "whether the load balancer sends to nodes or to pods is not known"}
	lb17              = &Rule{ID: "LB-17", Basis: Source, Reason: "an annotation of the Service selects other nodes"}
	lb18              = &Rule{ID: "LB-18", Basis: NotKnown, Reason: "the node is not ready, and releases of the load balancer's controller differ in whether they leave it out"}
	SharedWithOthers  = &Rule{ID: "LB-22", Basis: NotKnown, Reason: "the load balancer, or its group of backends, is somebody else's: the controller leaves its listeners as they are, and where they send is not in the API"}
	NodeNotRead       = &Rule{ID: "LB-21", Basis: NotKnown, Reason: "the node could not be read, so whether the load balancer leaves it out is not known"}
	NotReady          = &Rule{ID: "LB-20", Basis: NotKnown, Reason: "the node is not ready, so whether it answers the health check of the load balancer is not known"}
	lb19              = &Rule{
		ID: "LB-19", Basis: Source, Origin: "metallb/metallb v0.15.2 speaker/layer2_controller.go ShouldAnnounce, speaker/bgp_controller.go ShouldAnnounce",
		Reason: "policy Local, and MetalLB announces the address from no node without an endpoint",
	}
)

// commonRules are those that name no load balancer.
func commonRules() []*Rule {
	return []*Rule{
		Unrecognised, NoLocalEndpoint, lb03, lb04, lb05, lb06, NoAddress, NotLoadBalancer, SendsToPods, EndpointsNotRead, FailsOwnCheck, CheckNotServed, HealthNotKnown,
		NodePortSilent, AnnouncerNotKnown, BackendsNotKnown, lb17, lb18, lb19, NotReady, NodeNotRead, SharedWithOthers,
	}
}
