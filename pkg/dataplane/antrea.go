package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// antrea with proxyAll: Open vSwitch flows with kube-proxy's meaning; pods and processes of the node are let past policy Local, and what finds no endpoint is
// rejected, not dropped.
func antrea(c *connection) verdict {
	inside := c.from != External && !c.elsewhere
	switch {
	case c.to == LoadBalancerIP && c.dataplane.Antrea != nil && c.dataplane.Antrea.NoLoadBalancerIPs:
		return c.leaves(ant01)
	case !c.any():
		return refused(ant02)
	case c.to == ClusterIP && c.internal == cluster.PolicyLocal && c.local().n == 0:
		return refused(ant02)
	case c.to == ClusterIP && c.internal == cluster.PolicyLocal:
		return c.reachesLocal(keeps, ant03)
	case c.to == ClusterIP:
		return c.reachesAll(keeps, ant03)
	case !c.localOnly() && c.dataplane.Antrea != nil && c.dataplane.Antrea.DSR:
		return c.reachesAll(keeps, ant04)
	case !c.localOnly() && c.from == Pod && !c.elsewhere:
		return c.reachesAll(keeps, ant08)
	case !c.localOnly():
		return c.reachesAll(masqueradesRemote, ant04)
	case inside:
		return c.reachesAll(keeps, ant05)
	case c.local().n > 0:
		return c.reachesLocal(keeps, ant06)
	default:
		return refused(ant07)
	}
}

const antreaSource = "antrea-io/antrea pkg/agent/openflow/pipeline.go"

var (
	ant01 = &Rule{
		ID: "ANT-01", Basis: Source, Source: "antrea-io/antrea antreaProxy.proxyLoadBalancerIPs",
		Reason: "proxyLoadBalancerIPs is false, so no node answers for the address and the connection goes to the real load balancer",
	}
	ant02 = &Rule{ID: "ANT-02", Basis: Source, Source: antreaSource, Reason: "there is no usable endpoint, and Antrea rejects the connection"}
	ant03 = &Rule{ID: "ANT-03", Basis: Source, Source: antreaSource, Reason: "a ClusterIP is handed to the endpoints that internalTrafficPolicy allows"}
	ant04 = &Rule{
		ID: "ANT-04", Basis: Source, Source: antreaSource,
		Reason: "policy Cluster hands it to any endpoint, with the node's address where the endpoint is on another node",
	}
	ant08 = &Rule{
		ID: "ANT-08", Basis: Source, Source: antreaSource,
		Reason: "policy Cluster hands it to any endpoint, and what comes from the node's own pods is not rewritten",
	}
	ant05 = &Rule{
		ID: "ANT-05", Basis: Source, Source: antreaSource,
		Reason: "the node answers for the address itself, and lets its own pods and processes past policy Local to any endpoint",
	}
	ant06 = &Rule{ID: "ANT-06", Basis: Source, Source: antreaSource, Reason: "policy Local hands it to an endpoint on the node, with the client's address"}
	ant07 = &Rule{ID: "ANT-07", Basis: Source, Source: antreaSource, Reason: "policy Local, and the node has no endpoint of its own: Antrea rejects the connection"}
)
