package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Facts are what a provider reads to plan its side of a change. It changes none of them.
type Facts struct {
	Snapshot     *cluster.Snapshot
	Service      *cluster.Service
	Surroundings *cluster.Surroundings
}

// Change is the provider's side of a change: the annotations that its controller needs besides the traffic policy, what
// must hold first, and what it gains and costs.
type Change struct {
	Settings     []Setting
	Checks       []Check
	Gains, Costs []string
	// ClientIP is what the load balancer does with the client IP once the change is made; only ToPods sets it.
	ClientIP ClientIP
	// Instead says what to do where the provider has no such setting; "" where it has.
	Instead string
}

// Setting is one annotation of the Service and its new value; Remove deletes it.
type Setting struct {
	Key, Value string
	Remove     bool
}

// Check is one precondition of a change, and what was read about it.
type Check struct {
	// Name is a short word with hyphens.
	Name string
	// Holds is Undetermined where it could not be read.
	Holds   cluster.Tristate
	Message string
	// Fact and Source are the evidence.
	Fact, Source string
	// Risk is the word that --accept-risk takes to continue anyway; "" where the change would have no effect.
	Risk string
}

// Sign is an event by which a controller reports the result of a change.
type Sign struct {
	Reason string
	// Contains is a part of the event's message; "" for any.
	Contains string
	// Means is what the event says about the change, as a clause; Bad says that the change failed.
	Means string
	Bad   bool
}

// ToCluster is the provider's side of setting externalTrafficPolicy to Cluster.
func (lb LoadBalancer) ToCluster(f Facts) Change { return lb.controller().toCluster(lb, f) }

// ToLocal is the provider's side of setting externalTrafficPolicy to Local.
func (lb LoadBalancer) ToLocal(f Facts) Change {
	c := lb.controller().toLocal(lb, f)
	if reason := replacesAddress(lb); reason != "" {
		c.Costs = append(c.Costs, reason+"; policy Local alone does not show them the client IP")
	}
	return c
}

// ToPods is what makes the load balancer send to pods directly; Instead says what to use where it cannot. policy says
// whether externalTrafficPolicy must become Cluster too. It must wherever nodes handle the address themselves, because
// kube-proxy still applies the policy to connections from inside the cluster.
func (lb LoadBalancer) ToPods(f Facts) (c Change, policy bool) { return lb.controller().toPods(lb, f) }

// Signs are the events to wait for after a change; nil where the provider's controller is not known to send any.
func (lb LoadBalancer) Signs() []Sign { return lb.controller().signs() }

// Weighs says which annotation divides traffic by the number of pods on each node, under policy Local; "" where there
// is none, or it is set.
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
