package provider

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Receives says whether a load balancer sends to a node, and what share of the connections from outside.
type Receives struct {
	// Receives is Undetermined where nothing that is known of the load balancer decides it.
	Receives cluster.Tristate
	// Reason is "" where the node receives, NotKnown where that is not known, else one word, such as NoLocalEndpoint,
	// ExcludedByLabel, BeingRemoved, NotAnnouncing, NoLoadBalancer, NoAddress, SendsToPods, RunsNoProxy, HealthCheckNotServed or
	// HealthCheckFails.
	Reason string
	// Rule decided; nil where the node receives.
	Rule *Rule
	// Share is the node's share of all connections, 0 to 1; PodShare that of each ready endpoint on the node. Both are
	// 0 where they are not known.
	Share, PodShare float64
}

// Passes is a health check that succeeds.
func Passes() Receives { return Receives{Receives: cluster.Yes} }

// Fails is a health check that fails.
func Fails(reason string, rule *Rule) Receives {
	return Receives{Receives: cluster.No, Reason: reason, Rule: rule}
}

// NotSettled is a health check of which it is not known whether it succeeds.
func NotSettled(rule *Rule) Receives { return Receives{Reason: "NotKnown", Rule: rule} }

// FollowsEndpoints says whether, under policy Local, nodes without an endpoint surely get nothing from the load
// balancer, whatever else is not known of it.
func (lb LoadBalancer) FollowsEndpoints() bool {
	return !lb.SharedWithOthers && lb.controller().leavesOut(0, 0) != nil
}

// Backend is one node as a load balancer may have it for a backend.
type Backend struct {
	Node *cluster.Node
	// Ready and ServingTerminating count the Service's endpoints on the node.
	Ready, ServingTerminating int
	// Asked: the node itself was asked for its health check, so its Ready condition does not matter.
	Asked bool
}

// Balance says of each node whether the load balancer sends to it and, where that is known of all nodes and so is how
// it divides connections, what share each gets. answer is the node's half: what a node, by its index, answers to a
// health check of one kind. It is asked only where the answer matters, and never for NoHealthCheck.
func (lb LoadBalancer) Balance(s *cluster.Snapshot, svc *cluster.Service, nodes []Backend, answer func(node int, check HealthCheck) Receives) []Receives {
	b := balance{
		LoadBalancer: lb, known: lb.controller(), service: svc, nodes: nodes, answer: answer, local: svc.ExternalTrafficPolicy == cluster.PolicyLocal,
	}
	if lb.SendsToNodes() {
		b.member = b.known.members(s, svc)
		b.subset = b.onlySome()
	}
	all := make([]Receives, len(nodes))
	for i := range nodes {
		all[i] = b.receives(i)
	}
	b.share(all)
	return all
}

// balance is what is asked of each node.
type balance struct {
	LoadBalancer
	known   controller
	service *cluster.Service
	nodes   []Backend
	answer  func(int, HealthCheck) Receives
	member  func(*cluster.Node) Member
	local   bool
	// subset is the rule of a load balancer that takes only some of its members, which nobody knows; nil where it takes
	// all.
	subset *Rule
}

// onlySome is the rule where there are more members than the load balancer surely takes.
func (b *balance) onlySome() *Rule {
	limit, rule := b.known.subset(b.service)
	if limit == 0 {
		return nil
	}
	members := 0
	for i := range b.nodes {
		if n := &b.nodes[i]; (!b.local || n.Ready > 0) && b.member(n.Node).Is != cluster.No {
			members++
		}
	}
	if members <= limit {
		return nil
	}
	return rule
}

// receives says whether the load balancer sends to a node: whether its controller makes the node a backend, and whether
// the node passes the health check.
func (b *balance) receives(i int) Receives {
	n := &b.nodes[i]
	switch {
	case b.service.Type != cluster.TypeLoadBalancer:
		return Fails("NoLoadBalancer", NotLoadBalancer)
	case len(b.service.Ingress) == 0:
		return Fails("NoAddress", NoAddress)
	case b.Name == "":
		return NotSettled(Unrecognised)
	case !n.Node.Known && b.SendsToNodes():
		return NotSettled(NodeNotRead)
	case b.Backends == Pods:
		return Fails("SendsToPods", SendsToPods)
	case b.SharedWithOthers:
		return NotSettled(SharedWithOthers)
	}
	if b.local && b.service.EndpointsKnown && !n.Node.VirtualKubelet && !b.service.ServedByCiliumEnvoy() {
		if rule := b.known.leavesOut(n.Ready, n.ServingTerminating); rule != nil {
			return Fails("NoLocalEndpoint", rule)
		}
	}
	switch {
	case b.Announced && !b.AnnouncersMayBeOld && slices.ContainsFunc(b.Announcers, func(a cluster.Announcer) bool { return a.Node == n.Node.Name }):
		return Passes()
	case b.Announced && b.OneAnnouncer:
		return Fails("NotAnnouncing", lb29)
	case b.Announced:
		return NotSettled(AnnouncerNotKnown)
	case !b.SendsToNodes():
		return NotSettled(BackendsNotKnown)
	}
	switch m := b.member(n.Node); {
	case m.Is != cluster.Yes:
		return Receives{Receives: m.Is, Reason: m.Reason, Rule: m.Rule}
	case b.local && !b.service.EndpointsKnown:
		return NotSettled(EndpointsNotRead)
	}
	to := b.checked(i)
	if to.Receives == cluster.Yes && b.subset != nil {
		return NotSettled(b.subset)
	}
	return to
}

// checked says whether a member passes the health check, by everything that the check may ask.
func (b *balance) checked(i int) Receives {
	if len(b.Checks) == 0 {
		return NotSettled(HealthNotKnown)
	}
	result := b.check(i, b.Checks[0])
	for _, kind := range b.Checks[1:] {
		if b.check(i, kind).Receives != result.Receives {
			return NotSettled(b.known.unsureCheck())
		}
	}
	if n := &b.nodes[i]; result.Receives == cluster.Yes && n.Node.Known && n.Node.Ready != cluster.Yes && !n.Asked {
		return NotSettled(NotReady)
	}
	return result
}

func (b *balance) check(i int, kind HealthCheck) Receives {
	if kind == NoHealthCheck {
		return Passes()
	}
	return b.answer(i, kind)
}

// share fills in what part of the connections each node gets.
func (b *balance) share(all []Receives) {
	byEndpoints := b.Weights == ByEndpoints && b.local
	undecided := func(r Receives) bool { return r.Receives == cluster.Undetermined }
	if slices.ContainsFunc(all, undecided) || !byEndpoints && b.Weights != EqualWeights && b.Weights != OneNode {
		return
	}
	// entries are the backends: nodes, and pods on virtual nodes beside them.
	entries, ready, podsBeside := 0, 0, false
	for i := range all {
		switch {
		case all[i].Receives == cluster.Yes:
			entries++
			ready += b.nodes[i].Ready
		case b.podsAreBackends(i, all[i]):
			entries += b.nodes[i].Ready
			ready += b.nodes[i].Ready
			podsBeside = podsBeside || b.nodes[i].Ready > 0
		}
	}
	for i := range all {
		n := float64(b.nodes[i].Ready)
		to := &all[i]
		switch {
		case to.Receives == cluster.Yes && !byEndpoints:
			to.Share = 1 / float64(entries)
			if b.local && n > 0 {
				to.PodShare = to.Share / n
			}
		case n == 0:
		case to.Receives == cluster.Yes:
			to.Share, to.PodShare = n/float64(ready), 1/float64(ready)
		case b.podsAreBackends(i, *to) && byEndpoints:
			to.PodShare = 1 / float64(ready)
		case b.podsAreBackends(i, *to) && b.local:
			to.PodShare = 1 / float64(entries)
		}
	}
	if !b.local && !podsBeside {
		b.shareAmongAll(all)
	}
}

// shareAmongAll: under policy Cluster each node hands its part to all endpoints alike. Where pods on virtual nodes get
// a part of their own besides, nothing is said of single pods.
func (b *balance) shareAmongAll(all []Receives) {
	total := 0
	for i := range b.nodes {
		total += b.nodes[i].Ready
	}
	for i := range all {
		if b.nodes[i].Ready > 0 && (all[i].Receives == cluster.Yes || b.podsAreBackends(i, all[i])) {
			all[i].PodShare = 1 / float64(total)
		}
	}
}

// podsAreBackends: the pods on a virtual node are backends beside the other nodes.
func (b *balance) podsAreBackends(i int, r Receives) bool {
	return b.Backends == MixedBackends && b.nodes[i].Node.VirtualKubelet && r.Reason == "SendsToPods"
}
