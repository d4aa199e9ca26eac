package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// antrea with proxyAll: Open vSwitch flows with kube-proxy's meaning; from v1.12 on pods and processes of the node are let past policy Local, and from v1.11 on what
// finds no endpoint is rejected, not dropped.
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
	case c.to == ClusterIP && c.internal == cluster.PolicyLocal && v.Before(1, 11, 0):
		return unknown(ant13, Reachable, Refused, TimedOut)
	case c.to == ClusterIP && c.internal == cluster.PolicyLocal && c.local().n == 0:
		return refused(ant02)
	case c.to == ClusterIP && c.internal == cluster.PolicyLocal:
		return c.reachesLocal(keeps, ant03)
	case c.to == ClusterIP:
		return c.reachesAll(keeps, ant03)
	case !c.localOnly() && c.from == Pod && !c.elsewhere:
		return c.reachesAll(keeps, ant08)
	case !c.localOnly() && s.DSR && !v.Before(1, 13, 0) && c.to != NodePort:
		return c.reachesAll(keeps, ant04)
	case !c.localOnly() && v.Before(1, 7, 0):
		return c.anybodyAs(c.reachesAll(masquerades, ant14))
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
func (c *connection) antreaFallsBack() bool { return !c.version.Before(1, 11, 0) }

// antreaHeedsIPMode since v2.0 (antrea-io/antrea#6102).
func (c *connection) antreaHeedsIPMode() cluster.Tristate {
	if c.version.Before(2, 0, 0) {
		return cluster.Undetermined
	}
	return cluster.Yes
}

// besideAntrea: without proxyAll Antrea answers pods, for ClusterIPs and, unless told otherwise, for load balancer addresses.
func (c *connection) besideAntrea() bool {
	return c.antrea != nil && c.from == Pod && (c.to == ClusterIP || c.to == LoadBalancerIP && !c.antrea.NoLoadBalancerIPs)
}

// antreaBeside is Antrea without proxyAll beside kube-proxy: the same flows, for pods. Before v1.12 there was no group of endpoints for policy Local then.
func antreaBeside(c *connection) verdict {
	if c.to == LoadBalancerIP && c.localOnly() && c.version.Before(1, 12, 0) {
		return unknown(ant18, Reachable, Refused, TimedOut)
	}
	return c.withinHints(antrea(c))
}

var antreaPlane = &plane{
	name: cluster.Antrea, title: "Antrea with AntreaProxy", letters: "ANT",
	table: antrea, since: version("1.6"), until: version("2.8"), unread: unreadAntrea, needsVersion: true,
	changes: []cluster.Version{version("1.13")}, // DSR (antrea-io/antrea#5202)
	rules: []*Rule{
		ant01, ant02, ant03, ant04, ant05, ant06, ant07, ant08, ant09, ant10, ant11, ant12, ant13, ant14, ant15, ant16, ant17,
	},
	usesTerminating: (*connection).antreaFallsBack, heedsIPMode: (*connection).antreaHeedsIPMode, settlesRanges: true,
	beside: antreaBesidePlane,
}

var unreadAntrea = &Rule{
	ID: "UNK-34", Source: "antrea-io/antrea pkg/agent/openflow/pipeline.go, pkg/agent/proxy/proxier.go and CHANGELOG, v1.6 to v2.7",
	Reason: "this release of Antrea has not been read, or is not known; known are v1.6 to v2.7",
}

var antreaBesidePlane = &plane{
	name: cluster.Antrea, takes: (*connection).besideAntrea, table: antreaBeside, since: version("1.6"), until: version("2.8"), unread: unreadAntrea, needsVersion: true,
	rules: []*Rule{ant02, ant03, ant05, ant08, ant12, ant13, ant15, ant18},
}

const antreaSource = "antrea-io/antrea pkg/agent/openflow/pipeline.go (v1.6.1, v1.11.0, v1.12.0, v1.15.0, v2.0.0, v2.7.0)"

var (
	ant01 = &Rule{
		ID: "ANT-01", Basis: Source, Since: "1.6", Until: "2.8", Source: "antrea-io/antrea antreaProxy.proxyLoadBalancerIPs",
		Reason: "proxyLoadBalancerIPs is false, so no node answers for the address and the connection goes to the real load balancer",
	}
	ant02 = &Rule{
		ID: "ANT-02", Basis: Source, Since: "1.11", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#4656",
		Reason: "there is no usable endpoint, and Antrea rejects the connection",
	}
	ant03 = &Rule{
		ID: "ANT-03", Basis: Source, Since: "1.6", Until: "2.8", Source: antreaSource,
		Reason: "a ClusterIP is handed to the endpoints that internalTrafficPolicy allows",
	}
	ant04 = &Rule{
		ID: "ANT-04", Basis: Source, Since: "1.7", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#3604",
		Reason: "policy Cluster hands it to any endpoint, with the node's address where the endpoint is on another node",
	}
	ant05 = &Rule{
		ID: "ANT-05", Basis: Source, Since: "1.12", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#4815",
		Reason: "the node answers for the address itself, and lets its own pods and processes past policy Local to any endpoint",
	}
	ant06 = &Rule{
		ID: "ANT-06", Basis: Source, Since: "1.6", Until: "2.8", Source: antreaSource,
		Reason: "policy Local hands it to an endpoint on the node, with the client's address",
	}
	ant07 = &Rule{
		ID: "ANT-07", Basis: Source, Since: "1.11", Until: "2.8", Source: antreaSource + "; antrea-io/antrea#4656",
		Reason: "policy Local, and the node has no endpoint of its own: Antrea rejects the connection",
	}
	ant08 = &Rule{
		ID: "ANT-08", Basis: Source, Since: "1.6", Until: "2.8", Source: antreaSource,
		Reason: "policy Cluster hands it to any endpoint, and what comes from the node's own pods is not rewritten",
	}
	ant09 = &Rule{
		ID: "ANT-09", Since: "1.6", Until: "2.1", Source: "antrea-io/antrea#6308",
		Reason: "proxyAll is on and kube-proxy runs as well: before v2.1 it may be kube-proxy that answers processes of the node and clients from outside",
	}
	ant10 = &Rule{
		ID: "ANT-10", Since: "1.6", Until: "1.12", Source: "antrea-io/antrea#4866",
		Reason: "before v1.12 Antrea does not answer for external IPs: what becomes of the packet depends on the network",
	}
	ant11 = &Rule{
		ID: "ANT-11", Since: "1.12", Until: "1.15", Source: "antrea-io/antrea#5795",
		Reason: "whether external IPs are held to policy Local depends on the patch release before v1.15",
	}
	ant12 = &Rule{
		ID: "ANT-12", Since: "1.6", Until: "1.11", Source: antreaSource + "; antrea-io/antrea#4656",
		Reason: "there is no usable endpoint, and before v1.11 Antrea sets up nothing that rejects the connection",
	}
	ant13 = &Rule{
		ID: "ANT-13", Since: "1.6", Until: "1.11", Source: "antrea-io/antrea#2792, antrea-io/antrea#4656",
		Reason: "internalTrafficPolicy is heeded from v1.7 on, and what finds no endpoint is rejected from v1.11 on: what happens before has not been established",
	}
	ant14 = &Rule{
		ID: "ANT-14", Basis: Source, Since: "1.6", Until: "1.7", Source: "antrea-io/antrea#3604",
		Reason: "policy Cluster hands it to any endpoint; whose address that sees has not been established before v1.7",
	}
	ant15 = &Rule{
		ID: "ANT-15", Since: "1.6", Until: "1.15.2", Source: "antrea-io/antrea#6251",
		Reason: "with trafficEncapMode networkPolicyOnly Antrea does not recognise clients of its own node before v1.15.2, and may hold them to policy Local",
	}
	ant16 = &Rule{
		ID: "ANT-16", Basis: Source, Since: "1.6", Until: "1.12", Source: antreaSource + "; antrea-io/antrea#4815",
		Reason: "before v1.12 Antrea holds clients on the node to policy Local like anybody else, and hands it to an endpoint on the node",
	}
	ant17 = &Rule{
		ID: "ANT-17", Since: "1.6", Until: "1.11", Source: antreaSource + "; antrea-io/antrea#3785",
		Reason: "policy Local, and the node has no endpoint of its own: before v1.11 Antrea has nothing that rejects the connection, users report refusals",
	}
	ant18 = &Rule{
		ID: "ANT-18", Since: "1.6", Until: "1.12", Source: "antrea-io/antrea pkg/agent/proxy/proxier.go installServices (v1.6.1)",
		Reason: "without proxyAll, and before v1.12, which endpoints Antrea has for pods under policy Local has not been established",
	}
)
