package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// nftables: as iptables, but the filter also sees what starts on the node, source ranges are checked first, and a node
// port is served on the node's primary address only unless nodePortAddresses are set.
func nftables(c *connection) verdict {
	switch {
	case c.dataplane.PodDetection() == cluster.InterfaceNamePrefix && c.writesPrefixAsInterface():
		return unknown(nft11, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.hasActiveRanges() && c.before(30, 0) && c.allowsClient == cluster.No:
		return unknown(nft02, Reachable, Refused, TimedOut)
	case c.startsOnHost() && !c.any() && c.before(33, 6):
		// Until then this check came before the source ranges for what starts on the node.
		return refused(nft04)
	case c.hasActiveRanges() && c.allowsClient == cluster.No:
		return timedOut(nft01)
	case c.to == NodePort && c.servesNodePort == cluster.No:
		return refused(nft03)
	case !c.any():
		return refused(nft04)
	case c.to == ClusterIP:
		return c.clusterIP(nft05, nft06, nft07)
	case !c.localOnly():
		return c.reachesAll(masquerades, nft08)
	case c.startsOnHost() && c.local().n == 0 && c.to == NodePort && c.before(30, 0):
		return timedOut(nft09)
	case c.startsOnHost() && c.local().n == 0 && c.to != NodePort && c.before(33, 6):
		return timedOut(nft09)
	case c.startsOnHost():
		return c.reachesAll(masquerades, nft10)
	case c.isKnownPod() && c.elsewhere, c.takenForPod:
		return c.forwardedWithoutSNAT(keeps, nft13)
	case c.isKnownPod():
		return c.reachesAll(keeps, nft12)
	case c.local().n > 0:
		return c.reachesLocal(keeps, nft14)
	case c.from == Pod && !c.elsewhere:
		return timedOut(nft16)
	default:
		return timedOut(nft15)
	}
}

// writesPrefixAsInterface: the rules say iif, which needs one existing interface, in place of iifname, which takes a
// prefix (kubernetes/kubernetes#134024, picked for v1.33.6 and v1.34.2).
func (c *connection) writesPrefixAsInterface() bool {
	return c.before(33, 6) || (!c.before(34, 0) && c.before(34, 2))
}

var nftablesPlane = kubeProxy(cluster.NFTables, "NFT", "1.29", nftables,
	nft01, nft02, nft03, nft04, nft05, nft06, nft07, nft08, nft09, nft10, nft11, nft12, nft13, nft14, nft15, nft16)

const nftablesSource = "kubernetes/kubernetes pkg/proxy/nftables/proxier.go"

var (
	nft01 = &Rule{
		ID: "NFT-01", Basis: Source, Since: "1.30", Source: nftablesSource,
		Reason: "the node handles the address itself. loadBalancerSourceRanges do not allow the client, so the " +
			"packet is dropped before any other rule applies",
	}
	nft02 = &Rule{
		ID: "NFT-02", Basis: Source, Until: "1.30", Source: nftablesSource,
		Reason: "in v1.29 (alpha) loadBalancerSourceRanges are checked in hooks that not every packet passes before " +
			"its address is changed",
	}
	nft03 = &Rule{
		ID: "NFT-03", Basis: Source, Source: nftablesSource,
		Reason: "nodePortAddresses (default: the node's primary address) do not include this address of the node, " +
			"so nothing listens on it",
	}
	nft04 = &Rule{
		ID: "NFT-04", Basis: Source, Source: nftablesSource,
		Reason: "the Service has no usable endpoint, so kube-proxy rejects the connection, also from processes on " +
			"the node",
	}
	nft05 = &Rule{
		ID: "NFT-05", Basis: Source, Source: nftablesSource,
		Reason: "internalTrafficPolicy is Local and the node has no local endpoint, so the packet is dropped",
	}
	nft06 = &Rule{
		ID: "NFT-06", Basis: Source, Source: nftablesSource,
		Reason: "internalTrafficPolicy is Local, so the connection goes to an endpoint on the node",
	}
	nft07 = &Rule{
		ID: "NFT-07", Basis: Source, Source: nftablesSource,
		Reason: "connections to a ClusterIP go to any endpoint",
	}
	nft08 = &Rule{
		ID: "NFT-08", Basis: Source, Source: nftablesSource,
		Reason: "policy is Cluster, so the connection goes to any endpoint and the node's address replaces the " +
			"client IP (SNAT)",
	}
	nft09 = &Rule{
		ID: "NFT-09", Basis: Source, Until: "1.33.6", Source: "kubernetes/kubernetes#132456, picked for v1.33.6",
		Reason: "before v1.33.6 the filter drops what a process sends on a node without local endpoints, before the " +
			"rule that exempts local clients can apply",
	}
	nft10 = &Rule{
		ID: "NFT-10", Basis: Source, Source: nftablesSource,
		Reason: "the node handles the address itself. Processes on the node are exempt from policy Local and reach " +
			"any endpoint",
	}
	nft11 = &Rule{
		ID: "NFT-11", Until: "1.34.2", Source: "kubernetes/kubernetes#134024, picked for v1.33.6 and v1.34.2",
		Reason: "kube-proxy recognises pods by an interface name prefix, and this release writes the prefix as the " +
			"name of one interface. Its rules may not load at all",
	}
	nft12 = &Rule{
		ID: "NFT-12", Basis: Source, Source: nftablesSource,
		Reason: "the node handles the address itself. Pods are exempt from policy Local and reach any endpoint",
	}
	nft13 = &Rule{
		ID: "NFT-13", Basis: Source, Source: nftablesSource + "; kubernetes/kubernetes#74383",
		Reason: "the client's address is in kube-proxy's clusterCIDR, so the node exempts it from policy Local and does " +
			"not replace its address (no SNAT). The client is on another node or outside: only endpoints on this node " +
			"can answer it",
	}
	nft14 = &Rule{
		ID: "NFT-14", Basis: Source, Source: nftablesSource,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	nft16 = &Rule{
		ID: "NFT-16", Basis: Source, Source: nftablesSource + "; pkg/proxy/util/localdetector.go",
		Reason: "the node handles the address itself. kube-proxy does not recognise the pod as a pod (clusterCIDR, " +
			"detectLocalMode), so policy Local applies to it, and the node has no local endpoint",
	}
	nft15 = &Rule{
		ID: "NFT-15", Basis: Source, Source: nftablesSource,
		Reason: "policy is Local and the node has no local endpoint, so the packet is dropped",
	}
)
