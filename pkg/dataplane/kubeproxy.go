package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// mayBeKubeProxy: kube-proxy judges the connection, or the data plane is not known.
func (c *connection) mayBeKubeProxy() bool {
	return c.name == cluster.KubeProxy || c.plane == nil
}

// confinedByInternalPolicy: from v1.21 to v1.23 internalTrafficPolicy Local took away remote endpoints for every address, unless externalTrafficPolicy was Local
// (pkg/proxy/topology.go FilterEndpoints; mended by kubernetes/kubernetes#106497).
func (c *connection) confinedByInternalPolicy() bool {
	return c.name == cluster.KubeProxy && c.internal == cluster.PolicyLocal && !c.localToOutside() &&
		c.before(24, 0) && c.knowsInternalPolicy()
}

// localToOutside is NodeLocalExternal of kubernetes/kubernetes pkg/proxy before v1.24: Services of type ClusterIP had no externalTrafficPolicy yet.
func (c *connection) localToOutside() bool {
	return c.external == cluster.PolicyLocal && !c.clusterIPType
}

// guarded: source ranges are in force. A range that is the whole family lifts them, except in ipvs mode before v1.34, which gives it to an ipset that does not take it
// and goes on guarding against all but processes on the node (kubernetes/kubernetes#132722; pkg/proxy/serviceport.go).
func (c *connection) guarded() bool {
	return c.ranged && (!c.anywhere || (c.mode == cluster.IPVS && c.before(34, 0) && !c.startsOnHost()))
}

// knowsInternalPolicy: kube-proxy does since v1.22 (gate ServiceInternalTrafficPolicy, alpha in v1.21, fixed in v1.26).
func (c *connection) knowsInternalPolicy() bool {
	return !c.before(26, 0) || (!c.before(21, 0) && c.gate("ServiceInternalTrafficPolicy", !c.before(22, 0)))
}

// gate is a feature gate of kube-proxy, or its default in the release where it is not set.
func (c *connection) gate(name string, otherwise bool) bool {
	if c.dataplane.KubeProxy == nil {
		return otherwise
	}
	if on, set := c.dataplane.KubeProxy.FeatureGates[name]; set {
		return on
	}
	return otherwise
}

// detected: kube-proxy sees a pod's own address and takes it for a pod's.
func (c *connection) detected() bool {
	return c.from == Pod && c.isPod == cluster.Yes && !(c.elsewhere && c.masqueraded == cluster.Yes)
}

// escapes: before v1.25 kube-proxy only marks a packet to be dropped, and the kubelet's rule that drops marked packets looks at what arrives for the node itself and
// at what it sends, not at what it forwards.
func (c *connection) escapes() bool {
	return c.before(25, 0) && !c.startsOnHost() && c.advertised() && !c.bound
}

// clusterIP is what iptables and nftables share: dropped where internalTrafficPolicy is Local and the node has no endpoint, masqueraded for all or for strangers.
func (c *connection) clusterIP(none, local, all *Rule) verdict {
	w := keeps
	if k := c.dataplane.KubeProxy; (k != nil && k.MasqueradeAll) || (c.detects == cluster.Yes && c.from == Pod && c.isPod == cluster.No) {
		w = masquerades
	}
	switch {
	case c.internal != cluster.PolicyLocal || c.before(24, 0) || !c.knowsInternalPolicy():
		return c.reachesAll(w, all)
	case c.local().n == 0:
		return timedOut(none)
	default:
		return c.reachesLocal(w, local)
	}
}

// confinement is what topology hints leave of the ready endpoints: n of them, here of them on the judging node and nowhere of them on none; by is "" where hints are
// not followed.
type confinement struct {
	by               string
	n, here, nowhere int
}

// hinted is the confinement of a connection.
//
// Versions and conditions: kubernetes/kubernetes pkg/proxy/topology.go, canUseTopology until v1.32, topologyModeFromHints from v1.33.
func (c *connection) hinted() confinement {
	if c.name != cluster.KubeProxy || c.total.ready == 0 {
		return confinement{}
	}
	h := c.hints
	sameNode := !c.before(35, 0) || (!c.before(33, 0) && c.gate("PreferSameTrafficDistribution", !c.before(34, 0)))
	if h.everyNode && h.node > 0 && sameNode {
		return confinement{"Node", h.node, c.here.nodeHinted, h.nodeNowhere}
	}
	byAnnotation := c.gate("TopologyAwareHints", !c.before(24, 0))
	byDistribution := !c.before(33, 0) || (!c.before(30, 0) && c.gate("ServiceTrafficDistribution", !c.before(31, 0)))
	var follows bool
	switch {
	case c.before(21, 0):
	case c.before(27, 0):
		follows = byAnnotation && h.annotatedBefore == "auto" && !(c.before(24, 0) && c.localToOutside())
	default:
		follows = byDistribution || (byAnnotation && h.annotated != "")
	}
	if follows && h.everyZone && h.zone > 0 {
		return confinement{"Zone", h.zone, c.here.zoneHinted, h.zoneNowhere}
	}
	return confinement{}
}

// losesItself: a pod that is handed its own connection drops it unless the node puts an address of its own on it. iptables does so for every endpoint; ipvs, and
// nftables since v1.36, only for endpoints that kube-proxy takes for the node's own.
func (c *connection) losesItself() bool {
	onlyOwn := c.mode == cluster.IPVS || (c.mode == cluster.NFTables && !c.before(36, 0))
	return c.name == cluster.KubeProxy && onlyOwn && !c.ownPod
}

// proxyHeedsIPMode: kube-proxy does since v1.30, in v1.29 behind the gate LoadBalancerIPMode.
func (c *connection) proxyHeedsIPMode() cluster.Tristate {
	return cluster.Is(!c.before(32, 0) || (!c.before(29, 0) && c.gate("LoadBalancerIPMode", !c.before(30, 0))))
}

// proxyUsesTerminating: kube-proxy does since v1.26 (gate ProxyTerminatingEndpoints, alpha in v1.24, fixed in v1.28; in v1.22 and v1.23 it is another, partial thing).
func (c *connection) proxyUsesTerminating() bool {
	return !c.before(28, 0) || !c.before(24, 0) && c.gate("ProxyTerminatingEndpoints", !c.before(26, 0))
}

// always is for planes of which something holds in every release.
func always(*connection) bool { return true }

var unreadKubeProxy = &Rule{
	ID: "UNK-38", Source: "kubernetes/kubernetes pkg/proxy",
	Reason: "kubectl etp has no rules for this release of kube-proxy, only for v1.15 to v1.37 (nftables mode: v1.29 " +
		"to v1.37)",
}

// kubeProxy is what its modes share.
func kubeProxy(mode cluster.ProxyMode, letters, since string, table func(*connection) verdict, rules ...*Rule) *plane {
	return &plane{
		name: cluster.KubeProxy, mode: mode, title: "kube-proxy in " + string(mode) + " mode", letters: letters, table: table, rules: rules,
		since: version(since), until: version("1.38"), unread: unreadKubeProxy, versionOfKubernetes: true,
		usesTerminating: (*connection).proxyUsesTerminating, heedsIPMode: (*connection).proxyHeedsIPMode, settlesHints: always, settlesRanges: true,
	}
}
