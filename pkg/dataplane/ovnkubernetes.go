package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// ovnKubernetes: the node's gateway router holds what comes from outside to policy Local; its switch lets pods past it, and its processes go by policy Cluster.
func ovnKubernetes(c *connection) verdict {
	inside := c.from != External && !c.elsewhere
	switch {
	case !c.any():
		return refused(ovn01)
	case c.to == ClusterIP && c.internal == cluster.PolicyLocal:
		return unknown(ovn02, Reachable, Refused)
	case c.to == ClusterIP:
		return c.reachesAll(keeps, ovn03)
	case inside:
		return c.anybodyAs(c.reachesAll(keeps, ovn04))
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
	name: cluster.OVNKubernetes, title: "OVN-Kubernetes", letters: "OVN",
	table: ovnKubernetes, since: version("1.0"), until: version("1.2"), unread: unreadOVN, needsVersion: true,
	rules: []*Rule{ovn01, ovn02, ovn03, ovn04, ovn05, ovn06, ovn07, ovn08},
}

var unreadOVN = &Rule{
	ID: "UNK-35", Source: "ovn-kubernetes/ovn-kubernetes docs/design/service-traffic-policy.md",
	Reason: "this release of OVN-Kubernetes has not been read, or is not known; known are v1.0 and v1.1",
}

const ovnSource = "ovn-kubernetes/ovn-kubernetes docs/design/service-traffic-policy.md (commit 6c366bb49)"

var (
	ovn01 = &Rule{
		ID: "OVN-01", Basis: Source, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "the Service has no usable endpoint, and OVN rejects connections to it",
	}
	ovn02 = &Rule{
		ID: "OVN-02", Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "what OVN-Kubernetes does with internalTrafficPolicy Local on this node has not been established",
	}
	ovn03 = &Rule{
		ID: "OVN-03", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource, Reason: "a ClusterIP is handed to any endpoint",
	}
	ovn04 = &Rule{
		ID: "OVN-04", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "the node answers for the address itself, and clients on it go by policy Cluster whatever externalTrafficPolicy says",
	}
	ovn05 = &Rule{
		ID: "OVN-05", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "policy Cluster hands it to any endpoint and puts an address of the node on it",
	}
	ovn06 = &Rule{
		ID: "OVN-06", Basis: Documented, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "policy Local hands it to an endpoint on the node, with the client's address",
	}
	ovn07 = &Rule{
		ID: "OVN-07", Basis: Source, Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "policy Local, and the node has no endpoint of its own: OVN rejects the connection",
	}
	ovn08 = &Rule{
		ID: "OVN-08", Since: "1.0", Until: "1.2", Source: ovnSource,
		Reason: "whether a pod's connection to another node's node port is held to policy Local has not been established",
	}
)
