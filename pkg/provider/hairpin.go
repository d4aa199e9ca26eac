package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Hairpin says whether a node, or a pod on it, can connect through the load balancer to a backend on the same node, and
// the rule by which it cannot, or by which that is not known. A load balancer that keeps the client IP sends such a node
// a packet whose source is an address of that node.
func (lb LoadBalancer) Hairpin() (holds cluster.Tristate, why *Rule) {
	switch holds, _ := lb.PassesClientIP(); {
	case holds == cluster.No:
		return cluster.Yes, nil
	case holds == cluster.Undetermined:
		return cluster.Undetermined, hairpinNotKnown
	case lb.noHairpin != nil:
		return cluster.No, lb.noHairpin
	}
	return cluster.Undetermined, mayNotHairpin
}

// RouteRules lists the rules that decide on one connection, and not on a node.
func RouteRules() []*Rule { return []*Rule{mayNotHairpin, hairpinNotKnown, ali10, aws07} }

// Hairpins is Hairpin with the rule's reason, one sentence; "" where it can.
func (lb LoadBalancer) Hairpins() (holds cluster.Tristate, reason string) {
	holds, why := lb.Hairpin()
	if why != nil {
		reason = why.Reason
	}
	return holds, reason
}

// noHairpin: an internal NLB that keeps the client IP sends the client's own node a packet from that node, whose kernel
// drops it; where the source is a pod's address, the answer does not leave the node, and gets the load balancer's address
// back nowhere. With a public one it depends on the address that a NAT gateway gives the connection.
func (aws) noHairpin(lb LoadBalancer, svc *cluster.Service) *Rule {
	const prefix = "service.beta.kubernetes.io/aws-load-balancer-"
	internal := svc.Annotations[prefix+"internal"]
	if lb.Product != "NLB" || svc.Annotations[prefix+"scheme"] != "internal" && (internal == "" || internal == "false") {
		return nil
	}
	return aws07
}

var aws07 = &Rule{
	ID: "AWS-07", Basis: Documented,
	Origin: "docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html#loopback-timeout (2026)",
	Reason: "an internal NLB that keeps the client IP cannot send a connection back to the node where it started",
}

var (
	mayNotHairpin = &Rule{
		ID: "LB-23", Basis: NotKnown, Origin: "Linux net/ipv4/fib_frontend.c fib_validate_source",
		Reason: "the load balancer keeps the client IP, so a connection that it sends back to the node where it started may fail",
	}
	hairpinNotKnown = &Rule{
		ID: "LB-24", Basis: NotKnown,
		Reason: "it is not known whether the load balancer can send a connection back to the node where it started",
	}
)
