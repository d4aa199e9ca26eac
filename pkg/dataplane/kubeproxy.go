package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// mayBeKubeProxy: kube-proxy judges the connection, or the data plane is not known.
func (c *connection) mayBeKubeProxy() bool {
	return c.name == cluster.KubeProxy || c.plane == nil
}

// confinedByInternalPolicy: from v1.21 to v1.23 internalTrafficPolicy Local removed remote endpoints for every address,
// unless externalTrafficPolicy was Local (pkg/proxy/topology.go FilterEndpoints; fixed by
// kubernetes/kubernetes#106497).
func (c *connection) confinedByInternalPolicy() bool {
	return c.name == cluster.KubeProxy && c.internalPolicy == cluster.PolicyLocal && !c.externalPolicyLocal() &&
		c.before(24, 0) && c.knowsInternalPolicy()
}

// externalPolicyLocal is NodeLocalExternal of kubernetes/kubernetes pkg/proxy before v1.24: Services of type ClusterIP
// had no externalTrafficPolicy yet.
func (c *connection) externalPolicyLocal() bool {
	return c.externalPolicy == cluster.PolicyLocal && !c.clusterIPType
}

// hasActiveRanges: loadBalancerSourceRanges limit the clients. A range that is the whole family lifts them, except in
// ipvs mode before v1.34: an ipset rejects that range, and all clients but processes on the node stay limited
// (kubernetes/kubernetes#132722; pkg/proxy/serviceport.go). External IPs have no ranges; where a Cilium beside kube-proxy
// may answer for them, they are filled in for that.
func (c *connection) hasActiveRanges() bool {
	if c.to == ExternalIP && (c.plane == nil || !c.plane.rangesOfExternalIPs) {
		return false
	}
	return c.hasRanges && (!c.allowsAll || (c.mode == cluster.IPVS && c.before(34, 0) && !c.startsOnHost()))
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

// isKnownPod: kube-proxy sees the pod's own address and recognises it as a pod's.
func (c *connection) isKnownPod() bool {
	return c.from == Pod && c.takenAsPod == cluster.Yes && !(c.elsewhere && c.masqueradedByCNI == cluster.Yes)
}

// isForwardedNotDropped: before v1.25 kube-proxy only marks a packet to be dropped, and the kubelet's rule that drops
// marked packets sees what the node itself receives and sends, not what it forwards.
func (c *connection) isForwardedNotDropped() bool {
	return c.before(25, 0) && !c.startsOnHost() && c.advertised() && !c.isOnNode
}

// clusterIP is the verdict on ClusterIPs in iptables and nftables mode: dropped where internalTrafficPolicy is Local
// and the node has no endpoint, masqueraded with masqueradeAll and for clients that are not recognised as pods.
func (c *connection) clusterIP(none, local, all *Rule) verdict {
	w := keeps
	if k := c.dataplane.KubeProxy; (k != nil && k.MasqueradeAll) || (c.detectsPods == cluster.Yes && c.from == Pod && c.takenAsPod == cluster.No) {
		w = masquerades
	}
	switch {
	case c.internalPolicy != cluster.PolicyLocal || c.before(24, 0) || !c.knowsInternalPolicy():
		return c.reachesAll(w, all)
	case c.local().n == 0:
		return timedOut(none)
	default:
		return c.reachesLocal(w, local)
	}
}

// confinement is the number of ready endpoints that topology hints allow: n in all, here on the judging node, nowhere
// without a node. by is Zone or Node, "" where hints are not followed.
type confinement struct {
	by               string
	n, here, nowhere int
}

// hinted is what topology hints allow for the connection.
//
// Versions and conditions: kubernetes/kubernetes pkg/proxy/topology.go, canUseTopology until v1.32,
// topologyModeFromHints from v1.33.
func (c *connection) hinted() confinement {
	if c.name != cluster.KubeProxy || c.total.ready == 0 {
		return confinement{}
	}
	h := c.hints
	sameNode := !c.before(35, 0) || (!c.before(33, 0) && c.gate("PreferSameTrafficDistribution", !c.before(34, 0)))
	if h.everyNode && h.node > 0 && sameNode {
		return confinement{"Node", h.node, c.takenAsLocal.nodeHinted, h.nodeNowhere}
	}
	byAnnotation := c.gate("TopologyAwareHints", !c.before(24, 0))
	byDistribution := !c.before(33, 0) || (!c.before(30, 0) && c.gate("ServiceTrafficDistribution", !c.before(31, 0)))
	var follows bool
	switch {
	case c.before(21, 0):
	case c.before(27, 0):
		follows = byAnnotation && h.annotatedBefore == "auto" && !(c.before(24, 0) && c.externalPolicyLocal())
	default:
		follows = byDistribution || (byAnnotation && h.annotated != "")
	}
	if follows && h.everyZone && h.zone > 0 {
		return confinement{"Zone", h.zone, c.takenAsLocal.zoneHinted, h.zoneNowhere}
	}
	return confinement{}
}

// dropsOwnConnection: a pod that gets its own connection drops it unless the node replaces the source address. iptables
// does so for every endpoint; ipvs, and nftables since v1.36, only for endpoints that kube-proxy takes as local.
func (c *connection) dropsOwnConnection() bool {
	onlyOwn := c.mode == cluster.IPVS || (c.mode == cluster.NFTables && !c.before(36, 0))
	return c.name == cluster.KubeProxy && onlyOwn && !c.endpointTakenAsLocal
}

// proxyHeedsIPMode: kube-proxy does since v1.30, in v1.29 behind the gate LoadBalancerIPMode.
func (c *connection) proxyHeedsIPMode() cluster.Tristate {
	return cluster.Is(!c.before(32, 0) || (!c.before(29, 0) && c.gate("LoadBalancerIPMode", !c.before(30, 0))))
}

// proxyUsesTerminating: kube-proxy does since v1.26 (gate ProxyTerminatingEndpoints, alpha in v1.24, fixed in v1.28; in
// v1.22 and v1.23 it is another, partial thing).
func (c *connection) proxyUsesTerminating() cluster.Tristate {
	return cluster.Is(!c.before(28, 0) || !c.before(24, 0) && c.gate("ProxyTerminatingEndpoints", !c.before(26, 0)))
}

// always is a fact that is true in every release.
func always(*connection) bool { return true }

var unreadKubeProxy = &Rule{
	ID: "UNK-38", Source: "kubernetes/kubernetes pkg/proxy",
	Reason: "kubectl etp has no rules for this release of kube-proxy, only for v1.15 to v1.37 (nftables mode: v1.29 " +
		"to v1.37)",
}

// kubeProxy is the plane of one mode of kube-proxy, with what all modes share.
func kubeProxy(mode cluster.ProxyMode, letters, since string, table func(*connection) verdict, rules ...*Rule) *plane {
	return &plane{
		name: cluster.KubeProxy, mode: mode, letters: letters, table: table, rules: rules,
		since: version(since), until: version("1.38"), unread: unreadKubeProxy, versionOfKubernetes: true,
		usesTerminating: (*connection).proxyUsesTerminating, heedsIPMode: (*connection).proxyHeedsIPMode, settlesHints: always, settlesRanges: true,
	}
}
