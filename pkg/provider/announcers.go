package provider

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// announced is a load balancer that is nothing but nodes that announce the address: packets come to them with the
// client's address and that of the Service.
func announced(name, title, source string) LoadBalancer {
	return LoadBalancer{Name: name, Title: title, Product: title, Backends: Nodes, Delivery: ToAddress, ClientIP: Preserved, Announced: true, Source: source}
}

// announcedToLocal is what is known of an address that nodes announce, with policy Local.
func announcedToLocal() Change {
	return Change{Costs: []string{"if one node announces the address, only the pods on that node get traffic"}}
}

// announcing are the nodes that announce the Service's address by what the program of this name says.
func announcing(svc *cluster.Service, by string) []cluster.Announcer {
	var out []cluster.Announcer
	for _, a := range svc.Announcers {
		if a.By == by && !slices.ContainsFunc(out, func(o cluster.Announcer) bool { return o.Node == a.Node }) {
			out = append(out, a)
		}
	}
	return out
}

// announce keeps the announcers whose node is known to be ready: a node that has lost its network still holds what it
// held, and nobody announces the address (packets, Cilium v1.20.2).
func (lb *LoadBalancer) announce(s *cluster.Snapshot, nodes []cluster.Announcer, old bool) {
	for _, a := range nodes {
		if i := s.NodeIndex(a.Node); i >= 0 && (!s.Nodes[i].Known || s.Nodes[i].Ready == cluster.Yes) {
			lb.Announcers = append(lb.Announcers, a)
		}
	}
	lb.AnnouncersMayBeOld = old && len(lb.Announcers) > 0
}

// AnnouncerShown is a command that shows which node announces the address, and a sentence that says what it reads; both
// "" where none is known.
func (lb LoadBalancer) AnnouncerShown(svc *cluster.Service) (command, sentence string) {
	return lb.controller().announcerShown(svc)
}

// ElectsEndpoints says in one sentence how to make a program that announces addresses prefer nodes with an endpoint; ""
// where it does, or no way is known.
func (lb LoadBalancer) ElectsEndpoints() string { return lb.controller().electsEndpoints() }

// ElectsAnyNode says whether the program that announces the Service's address from one node may choose one without an
// endpoint although the policy is Local, and why, in one sentence; Undetermined where that is not known.
func (lb LoadBalancer) ElectsAnyNode(s *cluster.Snapshot, svc *cluster.Service) (holds cluster.Tristate, reason string) {
	if !lb.Announced || svc.ExternalTrafficPolicy != cluster.PolicyLocal || lb.FollowsEndpoints() {
		return cluster.No, ""
	}
	return lb.controller().electsAnyNode(s, svc)
}
