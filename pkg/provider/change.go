package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Facts are all that a provider's side of a change may look at. It changes none of them.
type Facts struct {
	Snapshot     *cluster.Snapshot
	Service      *cluster.Service
	Surroundings *cluster.Surroundings
}

// Change is the provider's side of a change: what its controller wants beside the traffic policy, what must hold, and what to know first.
type Change struct {
	Settings     []Setting
	Checks       []Check
	Gains, Costs []string
	// Instead says what to do where the provider has nothing of the kind; "" where it has.
	Instead string
}

// Setting is one annotation of the Service and the value that it gets; Remove takes it away.
type Setting struct {
	Key, Value string
	Remove     bool
}

// Check is one thing that must hold before a change, and what was read of it.
type Check struct {
	// Name is a short word with hyphens.
	Name string
	// Holds is Undetermined where it could not be read.
	Holds   cluster.Tristate
	Message string
	// Fact and Source are the evidence.
	Fact, Source string
	// Risk is the word by which somebody may go on all the same; "" where the change would be in vain.
	Risk string
}

// Sign is an event by which a controller says what became of a change.
type Sign struct {
	Reason string
	// Contains is a part of the event's message; "" for any.
	Contains string
	// Means is what it says of the change, a sentence; Bad where the change failed by it.
	Means string
	Bad   bool
}

// ToCluster is what to look at where externalTrafficPolicy becomes Cluster.
func (lb LoadBalancer) ToCluster(f Facts) Change { return lb.controller().toCluster(lb, f) }

// ToLocal is what to look at where externalTrafficPolicy becomes Local.
func (lb LoadBalancer) ToLocal(f Facts) Change {
	c := lb.controller().toLocal(lb, f)
	if reason := replacesAddress(lb); reason != "" {
		c.Costs = append(c.Costs, reason+"; policy Local alone does not show them the client IP")
	}
	return c
}

// ToPods is what makes the load balancer send to pods directly; Instead says what to use where nothing does. Policy says whether externalTrafficPolicy must become
// Cluster too: it does wherever nodes answer for the address themselves, since kube-proxy goes on obeying it for connections from inside.
func (lb LoadBalancer) ToPods(f Facts) (c Change, policy bool) { return lb.controller().toPods(lb, f) }

// Signs are the events to wait for after a change; nil where the provider's controller is not known to say anything.
func (lb LoadBalancer) Signs() []Sign { return lb.controller().signs() }

// Weighs says how the load balancer could give a node traffic by the number of its pods, where policy is Local; "" where it cannot, or does.
func (lb LoadBalancer) Weighs(svc *cluster.Service) string {
	if svc.ExternalTrafficPolicy != cluster.PolicyLocal || lb.Backends == Pods {
		return ""
	}
	set, hint := lb.controller().weighs(lb, svc)
	if set.Key == "" || svc.Annotations[set.Key] == set.Value {
		return ""
	}
	return "annotation " + set.Key + ": " + set.Value + " divides traffic by the number of pods on each node" + hint
}

// annotated says that an annotation is there.
func annotated(svc *cluster.Service, key string) bool {
	_, ok := svc.Annotations[key]
	return ok
}

func annotationSource(svc *cluster.Service, key string) string {
	return "annotation " + key + " of service " + svc.Namespace + "/" + svc.Name
}
