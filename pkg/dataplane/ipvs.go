package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// ipvs: every ClusterIP, load balancer address and external IP is on kube-ipvs0 of every node, so a node always handles
// it itself. All clients are treated alike: with policy Local the virtual server has only the node's own endpoints.
func ipvs(c *connection) verdict {
	switch {
	case c.advertised() && c.version.Vendor() == cluster.Tencent:
		return unknown(patchedByTencent, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.to == ExternalIP && c.localOnly() && !c.startsOnHost() && c.rejectsLocalExternalIPs():
		return refused(ipvs01)
	case c.isLoopback && c.any() && c.before(21, 0):
		// Until then kube-proxy held node ports open with a socket that takes connections and never answers.
		return unknown(ipvs03, Refused, TimedOut)
	case c.startsOnHost() && (!c.any() || (c.outside() && c.localOnly() && c.local().n == 0 && c.before(24, 0))) && c.servesNodePort != cluster.No:
		// The kernel decides about what starts on the node before any filter does.
		return refused(c.noRealServer())
	case c.hasActiveRanges() && c.ipvsAllows() == cluster.No:
		return timedOut(ipvs02)
	case c.to == NodePort && c.servesNodePort == cluster.No:
		return refused(ipvs03)
	case !c.any():
		return refused(c.none(ipvs04))
	case c.to == ClusterIP:
		return c.ipvsClusterIP()
	case !c.localOnly():
		return c.reachesAll(masquerades, ipvs08)
	case c.local().n > 0 && c.startsOnHost() && c.advertised() && !c.isOnNode:
		return c.reachesLocal(dials, ipvs09)
	case c.local().n > 0:
		return c.reachesLocal(keeps, ipvs10)
	case c.before(24, 0):
		return refused(ipvs11)
	case c.from == Pod && !c.elsewhere:
		return c.reachesAll(keeps, ipvs12)
	case c.startsOnHost() && (c.to == NodePort || c.isOnNode):
		return c.reachesAll(keeps, ipvs12)
	case c.startsOnHost():
		return c.forwardedWithoutSNAT(dials, ipvs13)
	default:
		return c.forwardedWithoutSNAT(keeps, ipvs14)
	}
}

// ipvsClusterIP: since v1.24 a node without endpoints falls back to all even for internalTrafficPolicy Local, if the
// Service can be reached from outside too.
func (c *connection) ipvsClusterIP() verdict {
	w := keeps
	if k := c.dataplane.KubeProxy; (k != nil && k.MasqueradeAll) || (c.detectsPods == cluster.Yes && c.from == Pod && c.takenAsPod == cluster.No) {
		w = masquerades
	}
	switch {
	case c.internalPolicy != cluster.PolicyLocal || !c.knowsInternalPolicy():
		return c.reachesAll(w, ipvs07)
	case c.local().n > 0:
		return c.reachesLocal(w, ipvs06)
	case c.before(24, 0) || !c.isAccessible():
		return refused(ipvs05)
	default:
		return c.reachesAll(w, ipvs15)
	}
}

// speaksFromAddress: ipvs has put the dialled address on the node, and a process there connects from that address.
func (c *connection) speaksFromAddress() bool { return c.mode == cluster.IPVS && c.startsOnHost() }

// ipvsAllows says whether loadBalancerSourceRanges allow the client. Others than processes on the node connect from
// their own address. For those, releases differ (pkg/proxy/ipvs/proxier.go allowFromNode, writeIptablesRules):
//   - until v1.24 (read: v1.20.15 to v1.24.17) rules of nat OUTPUT compare the load balancer address, from which the
//     process connects, with the ranges, and let it pass too where they include the address that kube-proxy takes as
//     the node's. With both address families that is the bind address, even if unspecified (nodeIPTuple in
//     cmd/kube-proxy/app), else the one of the Node object (detectNodeIP).
//   - from v1.25 to v1.28 (read: v1.25.16 to v1.28.15) the ranges are enforced for what arrives and what is forwarded
//     only, so no process is refused (kubernetes/kubernetes#119791).
//   - since v1.29 (read: v1.29.6 to v1.37.2) KUBE-IPVS-OUT-FILTER drops what a process sends, unless the ranges include
//     the address that kube-proxy takes as the node's: the bind address or that of the Node object, for each family
//     (detectNodeIPs).
func (c *connection) ipvsAllows() cluster.Tristate {
	switch {
	case !c.startsOnHost():
		return c.allowsClient
	case !c.before(29, 0):
		return c.allowsNodeAddress
	case !c.before(25, 0), c.allowsDialled == cluster.Yes:
		return cluster.Yes
	case c.allowsNodeAddress == c.allowsBindAddress:
		return c.allowsNodeAddress
	}
	switch c.dualStack() {
	case cluster.Yes:
		return c.allowsBindAddress
	case cluster.No:
		return c.allowsNodeAddress
	default:
		return cluster.Undetermined
	}
}

// dualStack: kube-proxy does both address families. It does since v1.21 (gate IPv6DualStack, alpha in v1.20, fixed in
// v1.23), if it finds iptables for both of them on the node. The API shows that only by a Node with addresses of both.
func (c *connection) dualStack() cluster.Tristate {
	switch {
	case c.before(23, 0) && !c.gate("IPv6DualStack", !c.before(21, 0)):
		return cluster.No
	case c.before(21, 0) || c.nodeHasBothFamilies:
		return cluster.Yes
	default:
		return cluster.Undetermined
	}
}

func (c *connection) isAccessible() bool {
	return c.reachableFromOutside || c.reachableIfIPModeIgnored && c.heedsIPMode() != cluster.Yes
}

// noRealServer is the rule for a virtual server without real servers: there are none, or policy Local leaves none.
func (c *connection) noRealServer() *Rule {
	if c.any() {
		return ipvs11
	}
	return c.none(ipvs04)
}

// rejectsLocalExternalIPs: the chain that protects the node's own ports behind kube-ipvs0 rejects external IPs with
// policy Local (kubernetes/kubernetes#121909; fixed in v1.28.6, v1.29.1 and v1.30.0, read in those releases).
func (c *connection) rejectsLocalExternalIPs() bool {
	if c.isOnNode && !c.before(27, 0) {
		return false // the node's own address is not put on kube-ipvs0
	}
	return !c.before(26, 0) && (c.before(28, 6) || (!c.before(29, 0) && c.before(29, 1)))
}

var ipvsPlane = kubeProxy(cluster.IPVS, "IPVS", "1.15", ipvs,
	ipvs01, ipvs02, ipvs03, ipvs04, ipvs05, ipvs06, ipvs07, ipvs08, ipvs09, ipvs10, ipvs11, ipvs12, ipvs13, ipvs14, ipvs15)

const ipvsSource = "kubernetes/kubernetes pkg/proxy/ipvs/proxier.go"

var (
	ipvs01 = &Rule{
		ID: "IPVS-01", Basis: Source, Since: "1.26", Until: "1.29.1", Source: "kubernetes/kubernetes#121909",
		Reason: "from v1.26 until v1.28.6 and v1.29.1 kube-proxy rejects external IPs with policy Local together " +
			"with the node's own ports",
	}
	ipvs02 = &Rule{
		ID: "IPVS-02", Basis: Source, Source: ipvsSource + "; for processes on the node kubernetes/kubernetes#119791 (v1.29)",
		Reason: "the node handles the address itself. loadBalancerSourceRanges do not allow the client, so the " +
			"packet is dropped",
	}
	ipvs03 = &Rule{
		ID: "IPVS-03", Basis: Source, Source: ipvsSource,
		Reason: "nodePortAddresses do not include this address of the node, so nothing listens on it",
	}
	ipvs04 = &Rule{
		ID: "IPVS-04", Basis: Source, Source: ipvsSource + "; Linux net/netfilter/ipvs/ip_vs_core.c ip_vs_leave",
		Reason: "the Service has no usable endpoint: the ipvs virtual server has no real server, so the kernel " +
			"refuses the connection",
	}
	ipvs05 = &Rule{
		ID: "IPVS-05", Basis: Source, Source: ipvsSource,
		Reason: "internalTrafficPolicy is Local and the node has no local endpoint: the ipvs virtual server has no " +
			"real server, so the kernel refuses the connection",
	}
	ipvs06 = &Rule{
		ID: "IPVS-06", Basis: Source, Since: "1.22", Source: ipvsSource,
		Reason: "internalTrafficPolicy is Local, so the connection goes to an endpoint on the node",
	}
	ipvs07 = &Rule{
		ID: "IPVS-07", Basis: Source, Source: ipvsSource,
		Reason: "connections to a ClusterIP go to any endpoint",
	}
	ipvs08 = &Rule{
		ID: "IPVS-08", Basis: Source, Source: ipvsSource,
		Reason: "policy is Cluster, so the connection goes to any endpoint and the node's address replaces the " +
			"client IP (SNAT)",
	}
	ipvs09 = &Rule{
		ID: "IPVS-09", Basis: Source, Source: ipvsSource + "; kubernetes/kubernetes#75262",
		Reason: "policy is Local, so the connection goes to an endpoint on the node. The address is bound on the " +
			"node, so the process connects from that same address",
	}
	ipvs10 = &Rule{
		ID: "IPVS-10", Basis: Source, Source: ipvsSource,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP. " +
			"Clients inside the cluster are limited to local endpoints too",
	}
	ipvs11 = &Rule{
		ID: "IPVS-11", Basis: Source, Until: "1.24", Source: ipvsSource + "; kubernetes/kubernetes#92857",
		Reason: "kube-proxy handles this address on every node. With policy Local it only uses endpoints on the " +
			"same node; this node has none, so the kernel refuses the connection (ipvs before v1.24)",
	}
	ipvs12 = &Rule{
		ID: "IPVS-12", Basis: Source, Since: "1.24", Source: ipvsSource + "; kubernetes/kubernetes#97081",
		Reason: "policy is Local and the node has no local endpoint. Since v1.24 kube-proxy then uses any endpoint, " +
			"and answers to the node's own clients come back through the node",
	}
	ipvs13 = &Rule{
		ID: "IPVS-13", Basis: Source, Since: "1.24", Source: ipvsSource + "; kubernetes/kubernetes#93456",
		Reason: "kube-proxy handles this address on every node. With policy Local this node has no local endpoint " +
			"and uses endpoints on other nodes; but the process connects from the address itself, which every node " +
			"takes as its own, so no answer comes back",
	}
	ipvs14 = &Rule{
		ID: "IPVS-14", Basis: Source, Since: "1.24", Source: ipvsSource + "; kubernetes/kubernetes#97081",
		Reason: "policy is Local and the node has no local endpoint. The packet goes on to another node with the " +
			"client IP, and the answer does not come back through this node",
	}
	ipvs15 = &Rule{
		ID: "IPVS-15", Basis: Source, Since: "1.24", Source: ipvsSource,
		Reason: "internalTrafficPolicy is Local and the node has no local endpoint. Since v1.24 kube-proxy uses any " +
			"endpoint all the same",
	}
)
