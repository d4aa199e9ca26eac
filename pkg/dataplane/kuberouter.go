package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// kubeRouter: ipvs, but a node without local endpoints does not set up a Service with policy Local at all. Its address
// is not bound there, and packets to it leave the node by the routing table.
func kubeRouter(c *connection) verdict {
	here := c.local().n > 0
	switch {
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal && !here:
		return unknown(kr04, Refused, TimedOut, Unreachable)
	case c.isEndpoint && c.endpointOnNode:
		return unknown(kr09, Reachable, TimedOut, Partial)
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal:
		return c.reachesLocal(keeps, kr08)
	case c.localOnly() && !here && c.to == NodePort:
		return refused(kr01)
	case c.localOnly() && !here && c.from == External:
		return unknown(kr02, Reachable, Refused, TimedOut)
	case c.localOnly() && !here:
		return c.leaves(kr02)
	case !c.any():
		return refused(kr03)
	case c.localOnly():
		return c.reachesLocal(keeps, kr05)
	case c.from == Pod && !c.elsewhere:
		return c.reachesAll(keeps, kr07)
	case c.withoutRouter() && c.from == Node && !c.elsewhere:
		return c.withUnknownClientIP(c.reachesAll(keeps, kr06))
	case c.withoutRouter():
		return c.forwardedWithoutSNAT(keeps, kr10)
	default:
		return c.reachesAll(masqueradesRemote, kr06)
	}
}

func (c *connection) withoutRouter() bool {
	s := c.dataplane.KubeRouter
	return s != nil && s.NoRouter
}

var kubeRouterPlane = &plane{
	name: cluster.KubeRouter, letters: "KR",
	table: kubeRouter, since: version("2.1"), until: version("2.12"), unread: unreadKubeRouter, needsVersion: true,
	rules:        []*Rule{kr01, kr02, kr03, kr04, kr05, kr06, kr07, kr08, kr09, kr10},
	heedsIPMode:  heedsIPModeSince("2.11"), // service_endpoints_sync.go, read in v2.11.0
	settlesHints: always,
}

var unreadKubeRouter = &Rule{
	ID: "UNK-36", Source: "cloudnativelabs/kube-router pkg/controllers/proxy, v2.1.0 and v2.11.0",
	Reason: "kubectl etp has rules for kube-router v2.1 to v2.11 only. This release is another one, or is not known",
}

const (
	kubeRouterSource  = "cloudnativelabs/kube-router pkg/controllers/proxy/service_endpoints_sync.go (v2.1.0, v2.11.0)"
	kubeRouterMasking = "cloudnativelabs/kube-router pkg/controllers/proxy/network_services_controller.go (v2.1.0, v2.11.0)"
)

var (
	kr01 = &Rule{
		ID: "KR-01", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "policy is Local and the node has no local endpoint, so kube-router does not set up the node port " +
			"on it",
	}
	kr02 = &Rule{
		ID: "KR-02", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "policy is Local and the node has no local endpoint. kube-router does not set up the address on it, " +
			"so the packet leaves by the node's routes",
	}
	kr03 = &Rule{
		ID: "KR-03", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "the Service has no usable endpoint: the ipvs virtual server has no real server, so the kernel " +
			"refuses the connection",
	}
	kr04 = &Rule{
		ID: "KR-04", Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "internalTrafficPolicy is Local and the node has no local endpoint. kube-router does not set up the " +
			"ClusterIP on it, and what answers the packet depends on the node's routes",
	}
	kr05 = &Rule{
		ID: "KR-05", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	kr06 = &Rule{
		ID: "KR-06", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking,
		Reason: "the connection goes to any endpoint. If that is on another node, the node's address replaces the " +
			"client IP (SNAT)",
	}
	kr07 = &Rule{
		ID: "KR-07", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking,
		Reason: "the connection goes to any endpoint, and the node's own pods keep their address (no SNAT)",
	}
	kr08 = &Rule{
		ID: "KR-08", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "internalTrafficPolicy is Local, so the connection goes to an endpoint on the node",
	}
	kr09 = &Rule{
		ID: "KR-09", Since: "2.1", Until: "2.12", Source: kubeRouterMasking + ", hairpin mode",
		Reason: "the pod can get its own connection back, which fails without kube-router's hairpin mode. The API " +
			"does not show that setting",
	}
	kr10 = &Rule{
		ID: "KR-10", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking,
		Reason: "with --run-router=false kube-router does not masquerade (no SNAT), so endpoints on other nodes " +
			"answer the client past this node",
	}
)
