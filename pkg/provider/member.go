package provider

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

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

// Member says whether the load balancer's controller gives it a node as a backend.
type Member struct {
	Is cluster.Tristate
	// Reason is one word, "" where Is is Yes.
	Reason string
	// Rule decided; nil where Is is Yes.
	Rule *Rule
}

func in() Member                        { return Member{Is: cluster.Yes} }
func out(reason string, r *Rule) Member { return Member{Is: cluster.No, Reason: reason, Rule: r} }
func perhaps(r *Rule) Member            { return Member{Is: cluster.Undetermined, Reason: "NotKnown", Rule: r} }

// Members gives what decides for each node of the snapshot. The load balancer must send to nodes.
func (lb LoadBalancer) Members(s *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member {
	switch lb.Name {
	case "alibaba":
		return func(n *cluster.Node) Member { return alibabaMember(svc, n) }
	case "aws":
		if awsController(svc) {
			return func(n *cluster.Node) Member { return awsControllerMember(svc, n) }
		}
		return both(awsFargate, upstream(s))
	case "gke":
		own := gkeOwn(svc)
		return func(n *cluster.Node) Member { return gkeMember(own, n) }
	case "azure":
		return azureMember
	}
	byController := upstream(s)
	switch lb.Name {
	case "openstack":
		return both(selects(svc, "loadbalancer.openstack.org/node-selector"), byController)
	case "hetzner":
		return both(both(selects(svc, "load-balancer.hetzner.cloud/node-selector"), byController), hetznerRobot)
	case "ibm":
		return both(both(ibmEdge(s), byController), func(*cluster.Node) Member { return perhaps(ibm02) })
	case "oci":
		return both(selects(svc, "oci.oraclecloud.com/node-label-selector"), byController)
	}
	return byController
}

// both asks the second where the first leaves a node in.
func both(first, second func(*cluster.Node) Member) func(*cluster.Node) Member {
	return func(n *cluster.Node) Member {
		if m := first(n); m.Is != cluster.Yes {
			return m
		}
		return second(n)
	}
}

func selects(svc *cluster.Service, key string) func(*cluster.Node) Member {
	return func(n *cluster.Node) Member { return selected(svc, n, key) }
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

// Rules lists every rule of this package.
func Rules() []*Rule {
	return []*Rule{
		Unrecognised, NoLocalEndpoint, lb03, lb04, lb05, lb06, NoAddress, NotLoadBalancer, SendsToPods, EndpointsNotRead, FailsOwnCheck, CheckNotServed, HealthNotKnown, NodePortSilent, AnnouncerNotKnown, BackendsNotKnown, lb17, lb18, lb19, NotReady, NodeNotRead, SharedWithOthers,
		ali01, ali02, ali03, ali04, ali05, ali06, ali07, ali08, ali09,
		aws01, aws02, aws03, aws04, aws05, aws06,
		azure01, azure02, gke01, gke02, gke03, gke04, hetzner01, ibm01, ibm02, octavia01,
	}
}

// upstream is what the service controller of Kubernetes gives to a cloud's load balancer. Since v1.27 a node's readiness does not count (KEP-3458).
func upstream(s *cluster.Snapshot) func(*cluster.Node) Member {
	identified := slices.ContainsFunc(s.Nodes, func(n cluster.Node) bool { return n.ProviderID != "" })
	return func(n *cluster.Node) Member {
		switch {
		case n.VirtualKubelet:
			return out("RunsNoProxy", lb05)
		case excludedByValue(n):
			return out("ExcludedByLabel", lb03)
		case removed(n):
			return out("BeingRemoved", lb04)
		case identified && n.Known && !n.Partial && n.ProviderID == "":
			return out("NoProviderID", lb06)
		}
		return in()
	}
}

// excludedByValue: the label keeps a node out unless its value is one that strconv.ParseBool takes for false.
func excludedByValue(n *cluster.Node) bool {
	value, ok := n.Labels[ExcludeLabel]
	if !ok {
		return false
	}
	off, err := strconv.ParseBool(value)
	return err != nil || off
}

func labelled(n *cluster.Node, key string) bool {
	_, ok := n.Labels[key]
	return ok
}

func removed(n *cluster.Node) bool { return n.Deleting || tainted(n, "ToBeDeletedByClusterAutoscaler") }

// tainted: the node has such a taint, whatever its value and effect.
func tainted(n *cluster.Node, taint string) bool {
	return slices.ContainsFunc(n.Taints, func(t string) bool {
		return strings.HasPrefix(t, taint+"=") || strings.HasPrefix(t, taint+":")
	})
}

// selected leaves out the nodes that an annotation of label pairs with commas between them does not select. Anything but plain pairs is not judged.
func selected(svc *cluster.Service, n *cluster.Node, key string) Member {
	selector := svc.Annotations[key]
	if selector == "" {
		return in()
	}
	for pair := range strings.SplitSeq(selector, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.TrimPrefix(value, "=")
		if !ok || name == "" || strings.ContainsAny(pair, "!() ") {
			return perhaps(lb17)
		}
		if n.Labels[name] != value {
			return out("NotSelected", lb17)
		}
	}
	return in()
}

// LeavesOut is the rule by which, under policy Local, a node with so many ready and so many serving, terminating endpoints surely gets nothing, whatever else is not
// known; nil where no rule says so. Alibaba's controller drops terminating pods, and where it sends to pods the node gets nothing all the same.
func (lb LoadBalancer) LeavesOut(ready, servingTerminating int) *Rule {
	switch {
	case lb.SharedWithOthers:
		return nil
	case lb.Name == "alibaba" && ready == 0:
		return ali01
	case lb.Name == "metallb" && ready+servingTerminating == 0:
		return lb19
	}
	return nil
}

// Subset is how many nodes the load balancer surely takes all of; with more it takes some, and the API does not show which. It is 0 where there is no such limit.
func (lb LoadBalancer) Subset(svc *cluster.Service) int {
	if lb.Name == "gke" {
		return gkeSubset(svc)
	}
	return 0
}

// Undecided is the rule that says what the health check depends on, where it may ask several things.
func (lb LoadBalancer) Undecided() *Rule {
	if lb.Name == "openstack" {
		return octavia01
	}
	return HealthNotKnown
}

// SubsetNotKnown is the rule of nodes among more than Subset.
var SubsetNotKnown = gke03
