package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// antrea with proxyAll: Open vSwitch flows that do what kube-proxy does. From v1.12 on, pods and processes of the node
// are exempt from policy Local. From v1.11 on, connections without an endpoint are rejected, not dropped.
func antrea(c *connection) verdict {
	inside := c.from != External && !c.elsewhere
	s, v := c.settingsOfAntrea(), c.version
	switch {
	case c.to == LoadBalancerIP && s.NoLoadBalancerIPs:
		return c.leaves(ant01)
	case s.BesideKubeProxy && v.Before(2, 1, 0) && (c.from != Pod || c.to == NodePort):
		return c.anything(ant09)
	case c.to == ExternalIP && v.Before(1, 12, 0):
		return c.anything(ant10)
	case c.to == ExternalIP && c.localOnly() && v.Before(1, 15, 0):
		return unknown(ant11, Reachable, Refused, TimedOut)
	case !c.any() && v.Before(1, 11, 0):
		return c.anything(ant12)
	case !c.any():
		return refused(ant02)
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal && v.Before(1, 11, 0):
		return unknown(ant13, Reachable, Refused, TimedOut)
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal && c.local().n == 0:
		return refused(ant02)
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal:
		return c.reachesLocal(keeps, ant03)
	case c.to == ClusterIP:
		return c.reachesAll(keeps, ant03)
	case !c.localOnly() && c.from == Pod && !c.elsewhere:
		return c.reachesAll(keeps, ant08)
	case !c.localOnly() && s.DSR && !v.Before(1, 13, 0) && c.to != NodePort:
		return c.reachesAll(keeps, ant04)
	case !c.localOnly() && v.Before(1, 7, 0):
		return c.withUnknownClientIP(c.reachesAll(masquerades, ant14))
	case !c.localOnly():
		return c.reachesAll(masqueradesRemote, ant04)
	case inside && s.PolicyOnly && v.Before(1, 15, 2):
		return unknown(ant15, Reachable, Refused, TimedOut)
	case inside && !v.Before(1, 12, 0):
		return c.reachesAll(keeps, ant05)
	case c.local().n > 0 && inside:
		return c.reachesLocal(keeps, ant16)
	case c.local().n > 0:
		return c.reachesLocal(keeps, ant06)
	case v.Before(1, 11, 0):
		return unknown(ant17, Refused, TimedOut)
	default:
		return refused(ant07)
	}
}

func (c *connection) settingsOfAntrea() cluster.AntreaSettings {
	if c.antrea == nil {
		return cluster.AntreaSettings{}
	}
	return *c.antrea
}

// antreaFallsBack to terminating endpoints since v1.11 (CHANGELOG-1.11, antrea-io/antrea#4607).
func (c *connection) antreaFallsBack() cluster.Tristate {
	return cluster.Is(!c.version.Before(1, 11, 0))
}

// besideAntrea: without proxyAll Antrea handles ClusterIPs for pods and, unless proxyLoadBalancerIPs is false, load
// balancer addresses.
func (c *connection) besideAntrea() bool {
	return c.antrea != nil && c.from == Pod && (c.to == ClusterIP || c.to == LoadBalancerIP && !c.antrea.NoLoadBalancerIPs)
}

// antreaBeside is Antrea without proxyAll beside kube-proxy: the same flows, for pods. Before v1.12 it has no group of
// endpoints for policy Local.
func antreaBeside(c *connection) verdict {
	if c.to == LoadBalancerIP && c.localOnly() && c.version.Before(1, 12, 0) {
		return unknown(ant18, Reachable, Refused, TimedOut)
	}
	return c.withinHints(antrea(c))
}

var antreaPlane = &plane{
	name: cluster.Antrea, letters: "ANT",
	table: antrea, since: version("1.6"), until: version("2.8"), unread: unreadAntrea, needsVersion: true,
	changes: []cluster.Version{version("1.13")}, // DSR (antrea-io/antrea#5202)
	rules: []*Rule{
		ant01, ant02, ant03, ant04, ant05, ant06, ant07, ant08, ant09, ant10, ant11, ant12, ant13, ant14, ant15, ant16, ant17,
	},
	usesTerminating: (*connection).antreaFallsBack,
	heedsIPMode:     heedsIPModeSince("2.0"), // antrea-io/antrea#6102
	settlesRanges:   true,
	beside:          antreaBesidePlane,
}

var unreadAntrea = &Rule{
	ID: "UNK-34", Source: "antrea-io/antrea pkg/agent/openflow/pipeline.go, pkg/agent/proxy/proxier.go and CHANGELOG, v1.6 to v2.7",
	Reason: "kubectl etp has rules for Antrea v1.6 to v2.7 only. This release is another one, or is not known",
}

var antreaBesidePlane = &plane{
	name: cluster.Antrea, takes: (*connection).besideAntrea, table: antreaBeside, since: version("1.6"), until: version("2.8"), unread: unreadAntrea, needsVersion: true,
	rules: []*Rule{ant02, ant03, ant05, ant08, ant12, ant13, ant15, ant18},
}

const antreaSource = "antrea-io/antrea pkg/agent/openflow/pipeline.go (v1.6.1, v1.11.0, v1.12.0, v1.15.0, v2.0.0, v2.7.0)"

var (
	ant01 = &Rule{
		ID: "ANT-01", Basis: Source, Since: "1.6", Until: "2.8", Source: "antrea-io/antrea antreaProxy.proxyLoadBalancerIPs",
		Reason: "proxyLoadBalancerIPs is false. No node handles the address, so the connection goes to the load " +
			"balancer",
	}
	ant02 = &Rule{
		ID: "ANT-02", Basis: Source, Since: "1.11", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#4656",
		Reason: "there is no usable endpoint, so Antrea rejects the connection",
	}
	ant03 = &Rule{
		ID: "ANT-03", Basis: Source, Since: "1.6", Until: "2.8", Source: antreaSource,
		Reason: "connections to a ClusterIP go to the endpoints that internalTrafficPolicy allows",
	}
	ant04 = &Rule{
		ID: "ANT-04", Basis: Source, Since: "1.7", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#3604",
		Reason: "policy is Cluster, so the connection goes to any endpoint. If that is on another node, the node's " +
			"address replaces the client IP (SNAT)",
	}
	ant05 = &Rule{
		ID: "ANT-05", Basis: Source, Since: "1.12", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#4815",
		Reason: "the node handles the address itself. Its own pods and processes are exempt from policy Local and " +
			"reach any endpoint",
	}
	ant06 = &Rule{
		ID: "ANT-06", Basis: Source, Since: "1.6", Until: "2.8", Source: antreaSource,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	ant07 = &Rule{
		ID: "ANT-07", Basis: Source, Since: "1.11", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#4656",
		Reason: "policy is Local and the node has no local endpoint, so Antrea rejects the connection",
	}
	ant08 = &Rule{
		ID: "ANT-08", Basis: Source, Since: "1.6", Until: "2.8", Source: antreaSource,
		Reason: "policy is Cluster, so the connection goes to any endpoint. The node's own pods keep their address " +
			"(no SNAT)",
	}
	ant09 = &Rule{
		ID: "ANT-09", Since: "1.6", Until: "2.1", Source: "antrea-io/antrea#6308",
		Reason: "proxyAll is on and kube-proxy runs as well. Before v2.1 kube-proxy may be what handles connections " +
			"from processes on the node and from outside",
	}
	ant10 = &Rule{
		ID: "ANT-10", Since: "1.6", Until: "1.12", Source: "antrea-io/antrea#4866",
		Reason: "before v1.12 Antrea does not handle external IPs. What happens to the packet depends on the network",
	}
	ant11 = &Rule{
		ID: "ANT-11", Since: "1.12", Until: "1.15", Source: "antrea-io/antrea#5795",
		Reason: "before v1.15 it depends on the patch release whether policy Local applies to external IPs",
	}
	ant12 = &Rule{
		ID: "ANT-12", Since: "1.6", Until: "1.11", Source: antreaSource + "; antrea-io/antrea#4656",
		Reason: "there is no usable endpoint, and before v1.11 Antrea sets up nothing that rejects the connection",
	}
	ant13 = &Rule{
		ID: "ANT-13", Since: "1.6", Until: "1.11", Source: "antrea-io/antrea#2792, antrea-io/antrea#4656",
		Reason: "Antrea follows internalTrafficPolicy since v1.7, and rejects connections without an endpoint since " +
			"v1.11. What older releases do is not known",
	}
	ant14 = &Rule{
		ID: "ANT-14", Basis: Source, Since: "1.6", Until: "1.7", Source: "antrea-io/antrea#3604",
		Reason: "policy is Cluster, so the connection goes to any endpoint. Whether that sees the client IP is not " +
			"known before v1.7",
	}
	ant15 = &Rule{
		ID: "ANT-15", Since: "1.6", Until: "1.15.2", Source: "antrea-io/antrea#6251",
		Reason: "with trafficEncapMode networkPolicyOnly, Antrea before v1.15.2 does not recognise clients on its " +
			"own node, and may apply policy Local to them",
	}
	ant16 = &Rule{
		ID: "ANT-16", Basis: Source, Since: "1.6", Until: "1.12", Source: antreaSource + "; antrea-io/antrea#4815",
		Reason: "before v1.12 Antrea applies policy Local to clients on the node too, so the connection goes to an " +
			"endpoint on the node",
	}
	ant17 = &Rule{
		ID: "ANT-17", Since: "1.6", Until: "1.11", Source: antreaSource + "; antrea-io/antrea#3785",
		Reason: "policy is Local and the node has no local endpoint. Before v1.11 Antrea has nothing that rejects " +
			"the connection; users report that it is refused",
	}
	ant18 = &Rule{
		ID: "ANT-18", Since: "1.6", Until: "1.12", Source: "antrea-io/antrea pkg/agent/proxy/proxier.go installServices (v1.6.1)",
		Reason: "which endpoints Antrea before v1.12 has for pods with policy Local is not known, where proxyAll is " +
			"off",
	}
)
