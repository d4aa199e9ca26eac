package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// ovnKubernetes: the node's gateway router applies policy Local to what comes from outside. Its switch exempts pods,
// and policy Cluster applies to its processes.
func ovnKubernetes(c *connection) verdict {
	inside := c.from != External && !c.elsewhere
	switch {
	case !c.any():
		return refused(ovn01)
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal:
		return unknown(ovn02, Reachable, Refused)
	case c.to == ClusterIP:
		return c.reachesAll(keeps, ovn03)
	case inside:
		return c.withUnknownClientIP(c.reachesAll(keeps, ovn04))
	case !c.localOnly():
		return c.reachesAll(masquerades, ovn05)
	case c.elsewhere && c.from == Pod:
		return unknown(ovn08, Reachable, Refused)
	case c.local().n > 0:
		return c.reachesLocal(keeps, ovn06)
	default:
		return refused(ovn07)
	}
}

var ovnPlane = &plane{
	name: cluster.OVNKubernetes, letters: "OVN",
	table: ovnKubernetes, since: version("1.0"), until: version("1.2"), unread: unreadOVN, needsVersion: true,
	rules: []*Rule{ovn01, ovn02, ovn03, ovn04, ovn05, ovn06, ovn07, ovn08},
}

var unreadOVN = &Rule{
	ID: "UNK-35", Source: "ovn-kubernetes/ovn-kubernetes docs/design/service-traffic-policy.md",
	Reason: "kubectl etp has rules for OVN-Kubernetes v1.0 and v1.1 only. This release is another one, or is not known",
}

const ovnSource = "ovn-kubernetes/ovn-kubernetes docs/design/service-traffic-policy.md (commit 6c366bb49)"

var (
	ovn01 = &Rule{
		ID: "OVN-01", Basis: Source, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "the Service has no usable endpoint, so OVN rejects the connection",
	}
	ovn02 = &Rule{
		ID: "OVN-02", Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "what OVN-Kubernetes does with internalTrafficPolicy Local on this node is not known",
	}
	ovn03 = &Rule{
		ID: "OVN-03", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "connections to a ClusterIP go to any endpoint",
	}
	ovn04 = &Rule{
		ID: "OVN-04", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "the node handles the address itself. Policy Cluster applies to clients on the node, whatever " +
			"externalTrafficPolicy is",
	}
	ovn05 = &Rule{
		ID: "OVN-05", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "policy is Cluster, so the connection goes to any endpoint and an address of the node replaces the " +
			"client IP (SNAT)",
	}
	ovn06 = &Rule{
		ID: "OVN-06", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	ovn07 = &Rule{
		ID: "OVN-07", Basis: Source, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "policy is Local and the node has no local endpoint, so OVN rejects the connection",
	}
	ovn08 = &Rule{
		ID: "OVN-08", Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "whether policy Local applies when a pod connects to a node port of another node is not known",
	}
)
