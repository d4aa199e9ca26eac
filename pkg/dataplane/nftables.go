package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// nftables: as iptables, but the filter also looks at what starts on the node; source ranges are judged first of all; and a node port is served on the node's primary
// address only, unless nodePortAddresses say otherwise.
func nftables(c *connection) verdict {
	switch {
	case c.dataplane.PodDetection() == cluster.InterfaceNamePrefix && c.mistakesInterfaces():
		return unknown(nft11, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.guarded() && c.before(30, 0) && c.admitted == cluster.No:
		return unknown(nft02, Reachable, Refused, TimedOut)
	case c.startsOnHost() && !c.any() && c.before(33, 6):
		// Until then what starts on the node met this check before the source ranges.
		return refused(nft04)
	case c.guarded() && c.admitted == cluster.No:
		return timedOut(nft01)
	case c.to == NodePort && c.served == cluster.No:
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
	case c.detected() && c.elsewhere:
		return c.bypassed(keeps, nft13)
	case c.detected():
		return c.reachesAll(keeps, nft12)
	case c.local().n > 0:
		return c.reachesLocal(keeps, nft14)
	case c.from == Pod && !c.elsewhere:
		return timedOut(nft16)
	default:
		return timedOut(nft15)
	}
}

// mistakesInterfaces: the rules say iif, which wants one interface that is there, where they mean iifname, which takes a prefix
// (kubernetes/kubernetes#134024, picked for v1.33.6 and v1.34.2).
func (c *connection) mistakesInterfaces() bool {
	return c.before(33, 6) || (!c.before(34, 0) && c.before(34, 2))
}

var nftablesPlane = kubeProxy(cluster.NFTables, "NFT", "1.29", nftables,
	nft01, nft02, nft03, nft04, nft05, nft06, nft07, nft08, nft09, nft10, nft11, nft12, nft13, nft14, nft15, nft16)

const nftablesSource = "kubernetes/kubernetes pkg/proxy/nftables/proxier.go"

var (
	nft01 = &Rule{
		ID: "NFT-01", Basis: Source, Since: "1.30", Source: nftablesSource,
		Reason: "the node answers for the address itself, and loadBalancerSourceRanges do not admit the client, so the packet is dropped before anything else is asked",
	}
	nft02 = &Rule{
		ID: "NFT-02", Basis: Source, Until: "1.30", Source: nftablesSource,
		Reason: "in v1.29 (alpha) loadBalancerSourceRanges were judged in hooks that not every packet passes before its address is changed",
	}
	nft03 = &Rule{
		ID: "NFT-03", Basis: Source, Source: nftablesSource,
		Reason: "nodePortAddresses (by default the node's primary address) leave out the address that is dialled, and nothing listens there",
	}
	nft04 = &Rule{
		ID: "NFT-04", Basis: Source, Source: nftablesSource,
		Reason: "the Service has no usable endpoint, and kube-proxy rejects connections to it, those of the node's own processes too",
	}
	nft05 = &Rule{
		ID: "NFT-05", Basis: Source, Source: nftablesSource,
		Reason: "internalTrafficPolicy is Local and the node has no endpoint of its own, so the packet is dropped",
	}
	nft06 = &Rule{ID: "NFT-06", Basis: Source, Source: nftablesSource, Reason: "internalTrafficPolicy Local hands it to an endpoint on the node"}
	nft07 = &Rule{ID: "NFT-07", Basis: Source, Source: nftablesSource, Reason: "a ClusterIP is handed to any endpoint"}
	nft08 = &Rule{ID: "NFT-08", Basis: Source, Source: nftablesSource, Reason: "policy Cluster hands it to any endpoint and puts the node's address on it"}
	nft09 = &Rule{
		ID: "NFT-09", Basis: Source, Until: "1.33.6", Source: "kubernetes/kubernetes#132456, picked for v1.33.6",
		Reason: "before v1.33.6 the filter drops what a process on a node without endpoints of its own sends, before the short-circuit can take it",
	}
	nft10 = &Rule{
		ID: "NFT-10", Basis: Source, Source: nftablesSource,
		Reason: "the node answers for the address itself, and lets its own processes past policy Local to any endpoint",
	}
	nft11 = &Rule{
		ID: "NFT-11", Until: "1.34.2", Source: "kubernetes/kubernetes#134024, picked for v1.33.6 and v1.34.2",
		Reason: "kube-proxy tells pods by an interface name prefix, and this release writes that as the name of one interface: its rules may not load at all",
	}
	nft12 = &Rule{
		ID: "NFT-12", Basis: Source, Source: nftablesSource,
		Reason: "the node answers for the address itself, and lets pods past policy Local to any endpoint",
	}
	nft13 = &Rule{
		ID: "NFT-13", Basis: Source, Source: nftablesSource + "; kubernetes/kubernetes#74383",
		Reason: "the node takes another node's pod for one to let past policy Local, and does not rewrite its address: only endpoints on this node can answer back",
	}
	nft14 = &Rule{ID: "NFT-14", Basis: Source, Source: nftablesSource, Reason: "policy Local hands it to an endpoint on the node, with the client's address"}
	nft16 = &Rule{
		ID: "NFT-16", Basis: Source, Source: nftablesSource + "; pkg/proxy/util/localdetector.go",
		Reason: "the node answers for the address itself; kube-proxy does not take the pod for one (clusterCIDR, detectLocalMode) and holds it to policy Local, and the node has no endpoint",
	}
	nft15 = &Rule{ID: "NFT-15", Basis: Source, Source: nftablesSource, Reason: "policy Local, and the node has no endpoint of its own: the packet is dropped"}
)
