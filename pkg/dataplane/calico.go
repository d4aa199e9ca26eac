package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// calico in eBPF mode: packets are told apart by where they come from. What starts on a node or a pod is translated there, with internalTrafficPolicy; what comes
// from outside is held to externalTrafficPolicy, except for external IPs.
func calico(c *connection) verdict {
	switch {
	case !c.any():
		// Processes and pods meet "operation not permitted" where connect() itself is refused.
		return refused(cal01)
	case c.from != External && c.internal == cluster.PolicyLocal && c.elsewhere:
		return unknown(cal03, Reachable, Refused)
	case c.from != External && c.internal == cluster.PolicyLocal && c.local().n == 0:
		return refused(cal03)
	case c.from != External && c.internal == cluster.PolicyLocal:
		return c.reachesLocal(keeps, cal03)
	case c.from != External:
		return c.reachesAll(keeps, cal02)
	case !c.localOnly() || c.to == ExternalIP:
		return c.reachesAll(keeps, cal04)
	case c.local().n > 0:
		return c.reachesLocal(keeps, cal05)
	default:
		return refused(cal06)
	}
}

var (
	cal01 = &Rule{
		ID: "CAL-01", Basis: Source, Source: "projectcalico/calico felix/bpf-gpl/tc.c, connect.h",
		Reason: "the Service has no usable endpoint: connecting fails at once",
	}
	cal02 = &Rule{
		ID: "CAL-02", Basis: Source, Source: "projectcalico/calico felix/bpf-gpl/nat_lookup.h",
		Reason: "the client's own node translates the address to any endpoint, whatever externalTrafficPolicy says",
	}
	cal03 = &Rule{
		ID: "CAL-03", Basis: Source, Source: "projectcalico/calico felix/bpf-gpl/nat_lookup.h",
		Reason: "for clients inside the cluster internalTrafficPolicy Local leaves only endpoints on their own node",
	}
	cal04 = &Rule{
		ID: "CAL-04", Basis: Documented, Source: "projectcalico/calico BPFExternalServiceMode; felix/bpf/proxy/syncer.go for external IPs",
		Reason: "it goes to any endpoint, through a tunnel that keeps the client's address",
	}
	cal05 = &Rule{
		ID: "CAL-05", Basis: Source, Source: "projectcalico/calico felix/bpf-gpl/nat_lookup.h",
		Reason: "policy Local hands it to an endpoint on the node, with the client's address",
	}
	cal06 = &Rule{
		ID: "CAL-06", Basis: Source, Source: "projectcalico/calico felix/bpf-gpl/tc.c",
		Reason: "policy Local, and the node has no endpoint of its own: the node answers that the port is unreachable",
	}
)
