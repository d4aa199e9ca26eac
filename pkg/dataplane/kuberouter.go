package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// kubeRouter: ipvs, but a node without endpoints of its own does not set up a Service with policy Local at all: its address is not bound there, and packets to it
// leave the node by the routing table.
func kubeRouter(c *connection) verdict {
	switch {
	case c.localOnly() && c.local().n == 0 && c.any() && c.to == NodePort:
		return refused(kr01)
	case c.localOnly() && c.local().n == 0 && c.any() && c.to != ClusterIP && c.from == External:
		return unknown(kr02, Reachable, Refused, TimedOut)
	case c.localOnly() && c.local().n == 0 && c.any() && c.to != ClusterIP:
		return c.leaves(kr02)
	case !c.any():
		return refused(kr03)
	case c.to == ClusterIP && c.internal == cluster.PolicyLocal:
		return unknown(kr04, Reachable, Refused)
	case c.localOnly():
		return c.reachesLocal(keeps, kr05)
	case c.from == Pod && !c.elsewhere:
		return c.reachesAll(keeps, kr07)
	default:
		return c.reachesAll(masqueradesRemote, kr06)
	}
}

const kubeRouterSource = "cloudnativelabs/kube-router pkg/controllers/proxy/service_endpoints_sync.go"

var (
	kr01 = &Rule{ID: "KR-01", Basis: Source, Source: kubeRouterSource, Reason: "policy Local, and the node has no endpoint of its own: its node port is not set up"}
	kr02 = &Rule{
		ID: "KR-02", Basis: Source, Source: kubeRouterSource,
		Reason: "policy Local, and the node has no endpoint of its own: the address is not set up there, and the packet leaves by the node's routes",
	}
	kr03 = &Rule{ID: "KR-03", Basis: Source, Source: kubeRouterSource, Reason: "the Service has no usable endpoint: a virtual server without real servers, and the kernel refuses"}
	kr04 = &Rule{ID: "KR-04", Source: kubeRouterSource, Reason: "what kube-router does with internalTrafficPolicy Local has not been established"}
	kr05 = &Rule{ID: "KR-05", Basis: Source, Source: kubeRouterSource, Reason: "policy Local hands it to an endpoint on the node, with the client's address"}
	kr07 = &Rule{
		ID: "KR-07", Basis: Source, Source: "cloudnativelabs/kube-router pkg/controllers/proxy/network_services_controller.go",
		Reason: "it goes to any endpoint, and what comes from the node's own pods is not rewritten",
	}
	kr06 = &Rule{
		ID: "KR-06", Basis: Source, Source: "cloudnativelabs/kube-router pkg/controllers/proxy/network_services_controller.go",
		Reason: "it goes to any endpoint, with the node's address where the endpoint is on another node",
	}
)
