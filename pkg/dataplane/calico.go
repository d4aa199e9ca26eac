package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// calico in eBPF mode: it depends on where a packet comes from. What starts on a node or in a pod is translated there,
// by internalTrafficPolicy; externalTrafficPolicy applies to what comes from outside. Neither policy applies to
// external IPs.
func calico(c *connection) verdict {
	inside, local := c.from != External, c.internalPolicy == cluster.PolicyLocal && c.to != ExternalIP
	switch {
	case inside && c.hasActiveRanges() && c.allowsClient != cluster.Yes:
		return unknown(cal08, Reachable, Refused, TimedOut, Unreachable)
	case !c.any() && inside:
		return c.calicoNoBackend(cal01)
	case !c.any():
		return refused(cal07)
	case inside && local && c.elsewhere:
		return unknown(cal03, Reachable, Refused, Unreachable)
	case inside && local && c.local().n == 0:
		return c.calicoNoBackend(cal03)
	case inside && local:
		return c.reachesLocal(keeps, cal03)
	case inside:
		// Of an endpoint atHome asks Cilium's settings.
		other := *c
		other.isEndpoint = false
		home := other.atHome()
		home.isEndpoint = c.isEndpoint
		return c.seenFromDialled(home.reachesAll(keeps, cal02))
	case !c.localOnly() || c.to == ExternalIP:
		return c.reachesAll(keeps, cal04)
	case c.local().n > 0:
		return c.reachesLocal(keeps, cal05)
	default:
		return refused(cal06)
	}
}

// calicoNoBackend is for clients inside the cluster without an endpoint. Where connections are translated at connect(),
// that fails; elsewhere the packet is rejected.
func (c *connection) calicoNoBackend(r *Rule) verdict {
	at := "TCP"
	if s := c.dataplane.Calico; s != nil && s.ConnectTime != "" {
		at = s.ConnectTime
	}
	if c.protocol != cluster.SCTP && (at == "Enabled" || at == "TCP" && c.protocol == cluster.TCP) {
		return verdict{outcome: Unreachable, endpoints: NoEndpoints, rule: r}
	}
	return refused(r)
}

var calicoPlane = &plane{
	name: cluster.CalicoEBPF, letters: "CAL",
	table: calico, since: version("3.28"), until: version("3.33"), unread: unreadCalico, needsVersion: true,
	rules:         []*Rule{cal01, cal02, cal03, cal04, cal05, cal06, cal07, cal08},
	heedsIPMode:   heedsIPModeSince("3.30"),        // felix/bpf/proxy/syncer.go LoadBalancerVIPs
	settlesRanges: true, rangesOfExternalIPs: true, // felix/bpf/proxy/syncer.go writeLBSrcRangeSvcNATKeys
}

var unreadCalico = &Rule{
	ID: "UNK-33", Source: "projectcalico/calico felix/bpf-gpl and felix/bpf/proxy, v3.28.0 to v3.32.0",
	Reason: "kubectl etp has rules for Calico v3.28 to v3.32 only. This release is another one, or is not known",
}

var (
	cal08 = &Rule{
		ID: "CAL-08", Since: "3.28", Until: "3.33", Source: "projectcalico/calico felix/bpf/proxy/syncer.go writeLBSrcRangeSvcNATKeys, felix/bpf-gpl/tc.c NAT_FE_LOOKUP_DROP",
		Reason: "Calico applies loadBalancerSourceRanges to clients inside the cluster too, and they do not allow " +
			"this one",
	}
	cal01 = &Rule{
		ID: "CAL-01", Basis: Source, Since: "3.28", Until: "3.33", Source: "projectcalico/calico felix/bpf-gpl/connect.h, tc.c (v3.28.0, v3.32.0)",
		Reason: "the Service has no usable endpoint, so connect fails at once, with \"operation not permitted\" " +
			"where bpfConnectTimeLoadBalancing applies",
	}
	cal02 = &Rule{
		ID: "CAL-02", Basis: Source, Since: "3.28", Until: "3.33", Source: "projectcalico/calico felix/bpf-gpl/nat_lookup.h (v3.28.0, v3.32.0)",
		Reason: "Calico on the client's node translates the address to any endpoint, whatever externalTrafficPolicy is",
	}
	cal03 = &Rule{
		ID: "CAL-03", Basis: Source, Since: "3.28", Until: "3.33", Source: "projectcalico/calico felix/bpf-gpl/nat_lookup.h (v3.28.0, v3.32.0)",
		Reason: "with internalTrafficPolicy Local, clients inside the cluster reach only endpoints on their own node",
	}
	cal04 = &Rule{
		ID: "CAL-04", Basis: Documented, Since: "3.28", Until: "3.33",
		Source: "projectcalico/calico BPFExternalServiceMode; felix/bpf/proxy/syncer.go for external IPs (v3.28.0, v3.32.0)",
		Reason: "the connection goes to any endpoint, through a tunnel that keeps the client IP",
	}
	cal05 = &Rule{
		ID: "CAL-05", Basis: Source, Since: "3.28", Until: "3.33", Source: "projectcalico/calico felix/bpf-gpl/nat_lookup.h (v3.28.0, v3.32.0)",
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	cal06 = &Rule{
		ID: "CAL-06", Basis: Source, Since: "3.28", Until: "3.33", Source: "projectcalico/calico felix/bpf-gpl/tc.c NAT_NO_BACKEND (v3.28.0, v3.32.0)",
		Reason: "policy is Local and the node has no local endpoint, so the node answers that the port is unreachable",
	}
	cal07 = &Rule{
		ID: "CAL-07", Basis: Source, Since: "3.28", Until: "3.33", Source: "projectcalico/calico felix/bpf-gpl/tc.c NAT_NO_BACKEND (v3.28.0, v3.32.0)",
		Reason: "the Service has no usable endpoint, so the node answers that the port is unreachable",
	}
)
