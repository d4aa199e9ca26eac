package dataplane

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// plane is one data plane's table, and the releases for which it was read or measured. Of any other release nothing is said.
type plane struct {
	table func(*connection) verdict
	// since is the first release for which the table holds, until the first for which nobody has read it.
	since, until cluster.Version
	// rules are those that the table can give, each with the releases in which it holds, and turns the releases in which something else changes. Between two releases
	// that neither names the table is the same.
	rules []*Rule
	turns []cluster.Version
	// unread is given for releases outside since and until, and where so little was read that a release which is not known may well be outside, also for that.
	unread *Rule
	narrow bool
}

func (p *plane) covers(v cluster.Version) bool { return !v.Less(p.since) && v.Less(p.until) }

// stretches are the first releases of each stretch in which the table is the same, in order.
func (p *plane) stretches() []cluster.Version {
	firsts := append([]cluster.Version{p.since}, p.turns...)
	for _, r := range p.rules {
		for _, text := range [...]string{r.Since, r.Until} {
			if v, ok := cluster.ParseVersion(text); ok && p.covers(v) {
				firsts = append(firsts, v)
			}
		}
	}
	slices.SortFunc(firsts, cluster.Version.Compare)
	return slices.CompactFunc(firsts, func(a, b cluster.Version) bool { return a.Compare(b) == 0 })
}

func version(text string) cluster.Version {
	v, ok := cluster.ParseVersion(text)
	if !ok {
		panic("not a release: " + text)
	}
	return v
}

// planes are the data planes that have one table for all their modes.
var planes = map[cluster.DataplaneName]*plane{
	cluster.Cilium:        ciliumPlane,
	cluster.CalicoEBPF:    calicoPlane,
	cluster.Antrea:        antreaPlane,
	cluster.OVNKubernetes: ovnPlane,
	cluster.KubeRouter:    kubeRouterPlane,
	cluster.Windows:       windowsPlane,
}

// kubeProxies are kube-proxy's modes; their turning points are in judge.go.
var kubeProxies = map[cluster.ProxyMode]*plane{
	cluster.IPTables: {table: iptables, since: version("1.15"), until: version("1.38"), unread: unreadKubeProxy},
	cluster.IPVS:     {table: ipvs, since: version("1.15"), until: version("1.38"), unread: unreadKubeProxy},
	cluster.NFTables: {table: nftables, since: version("1.29"), until: version("1.38"), unread: unreadKubeProxy},
}

// plane is the one that judges the connection; nil as long as the data plane, or kube-proxy's mode, is not known.
func (c *connection) plane() *plane {
	if c.name == cluster.KubeProxy {
		return kubeProxies[c.mode]
	}
	return planes[c.name]
}

// plugin is the network plugin beside kube-proxy that may answer the connection before kube-proxy does; nil where there is none.
func (c *connection) plugin() *plane {
	switch {
	case c.name != cluster.KubeProxy:
		return nil
	case c.cilium != nil && c.passesCilium():
		return ciliumBesidePlane
	case c.antrea != nil && c.meetsAntrea():
		return antreaBesidePlane
	default:
		return nil
	}
}

// unread is the rule of a release that nobody has read; nil for all others, and where the release is not known.
func (c *connection) unread() *Rule {
	if p := c.plane(); p != nil && (c.version.Known() && !p.covers(c.version) || !c.version.Known() && p.narrow) {
		return p.unread
	}
	if p := c.plugin(); p != nil && c.pluginVersion.Known() && !p.covers(c.pluginVersion) {
		return p.unread
	}
	return nil
}

// releaseless: what is said beforehand is the same in every release of every data plane.
func (c *connection) releaseless() bool {
	return c.endpointsUnread || c.virtual || c.otherProxy || c.asked == NodePort && c.noNodePort || c.asked == LoadBalancerHostname && !c.throughNodePort
}

// withinHints: under which conditions data planes other than kube-proxy follow topology hints has not been read, and where there are hints, which endpoints they choose
// is not known. Cilium does with enable-service-topology only; kube-router has no code for hints.
func (c *connection) withinHints(v verdict) verdict {
	h := c.hints
	divided := h.everyZone && h.zone > 0 && h.zone < c.total.ready || h.everyNode && h.node > 0 && h.node < c.total.ready
	switch {
	case !divided, v.outcome != Reachable, v.endpoints != AllEndpoints:
		return v
	case c.name == cluster.KubeProxy, c.name == cluster.KubeRouter, c.name == cluster.Cilium && !c.cilium.ServiceTopology:
		return v
	}
	v.endpoints = EndpointsUnknown
	if v.clientIP == Mixed {
		v.clientIP = ClientIPUnknown
	}
	return v
}
