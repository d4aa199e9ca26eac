package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// iptables: chains of the nat table match an address where it enters or leaves the node. Pods and processes of the node
// are exempt from externalTrafficPolicy ("short-circuit"); it applies to all other clients. What no nat chain matches
// reaches the filter table, which sees what arrives and what is forwarded, not what starts on the node.
func iptables(c *connection) verdict {
	switch {
	case c.to == NodePort && c.servesNodePort == cluster.No && c.localOnly() && c.local().n == 0 && c.any() && !c.before(25, 0):
		return timedOut(ipt02)
	case c.to == NodePort && c.servesNodePort == cluster.No:
		return refused(ipt01)
	case !c.any() && c.before(20, 0) && c.to == LoadBalancerIP:
		return refused(c.none(ipt04))
	case !c.any() && c.before(20, 0) && c.to == ExternalIP && !c.startsOnHost() && !c.isOnNode:
		return c.forwarded(ipt21)
	case !c.any() && c.startsOnHost() && c.advertised() && !c.isOnNode:
		return c.leaves(c.none(ipt03))
	case !c.any():
		return refused(c.none(ipt04))
	case c.to == ClusterIP:
		return c.clusterIP(ipt05, ipt06, ipt07)
	case c.hasActiveRanges() && c.allowsClient == cluster.No && c.isForwardedNotDropped():
		return c.forwarded(ipt19)
	case c.hasActiveRanges() && c.allowsClient == cluster.No:
		return timedOut(ipt08)
	case c.to == ExternalIP && c.before(21, 0) && c.from == Node && !c.isOnNode:
		return c.leaves(ipt09)
	case c.to == ExternalIP && c.before(21, 0) && c.from == Pod && !c.isOnNode:
		return unknown(ipt10, Reachable, TimedOut, ViaLoadBalancer)
	case !c.localOnly() && c.to == ExternalIP && !c.before(21, 0) && c.before(24, 0) && c.isKnownPod():
		return c.reachesAll(keeps, ipt11)
	case !c.localOnly() && c.to == ExternalIP && !c.before(21, 0) && c.before(24, 0) && c.takenForPod:
		return c.forwardedWithoutSNAT(keeps, ipt11)
	case !c.localOnly():
		return c.reachesAll(masquerades, ipt12)
	case c.startsOnHost():
		return c.reachesAll(masquerades, ipt14)
	case c.isKnownPod() && c.elsewhere, c.takenForPod:
		return c.forwardedWithoutSNAT(keeps, ipt16)
	case c.isKnownPod():
		return c.reachesAll(keeps, ipt15)
	case c.local().n > 0:
		return c.reachesLocal(keeps, ipt17)
	case c.isForwardedNotDropped():
		return c.forwarded(ipt19)
	case c.from == Pod && !c.elsewhere:
		return timedOut(ipt20)
	default:
		return timedOut(ipt18)
	}
}

var iptablesPlane = kubeProxy(cluster.IPTables, "IPT", "1.15", iptables,
	ipt01, ipt02, ipt03, ipt04, ipt05, ipt06, ipt07, ipt08, ipt09, ipt10, ipt11, ipt12, ipt14, ipt15, ipt16, ipt17, ipt18, ipt19, ipt20, ipt21)

const iptablesSource = "kubernetes/kubernetes pkg/proxy/iptables/proxier.go"

var (
	ipt01 = &Rule{
		ID: "IPT-01", Basis: Source, Source: iptablesSource,
		Reason: "nodePortAddresses do not include this address of the node, so nothing listens on it",
	}
	ipt02 = &Rule{
		ID: "IPT-02", Basis: Source, Since: "1.25", Source: iptablesSource,
		Reason: "the node has no local endpoint. The rule that drops such connections applies to every address of " +
			"the node, also to those that nodePortAddresses do not include",
	}
	ipt03 = &Rule{
		ID: "IPT-03", Basis: Source, Source: iptablesSource + ", iptablesJumpChains",
		Reason: "without an endpoint kube-proxy has no DNAT rule for the address, and its reject rule does not see " +
			"what processes on the node send: the packet leaves for the load balancer",
	}
	ipt04 = &Rule{
		ID: "IPT-04", Basis: Source, Source: iptablesSource,
		Reason: "the Service has no usable endpoint, so kube-proxy rejects the connection",
	}
	ipt05 = &Rule{
		ID: "IPT-05", Basis: Source, Since: "1.24", Source: iptablesSource,
		Reason: "internalTrafficPolicy is Local and the node has no local endpoint, so the packet is dropped",
	}
	ipt06 = &Rule{
		ID: "IPT-06", Basis: Source, Since: "1.24", Source: iptablesSource,
		Reason: "internalTrafficPolicy is Local, so the connection goes to an endpoint on the node",
	}
	ipt07 = &Rule{
		ID: "IPT-07", Basis: Source, Source: iptablesSource,
		Reason: "connections to a ClusterIP go to any endpoint",
	}
	ipt08 = &Rule{
		ID: "IPT-08", Basis: Source, Source: iptablesSource,
		Reason: "the node handles the address itself. loadBalancerSourceRanges do not allow the client, so the " +
			"packet is dropped",
	}
	ipt09 = &Rule{
		ID: "IPT-09", Basis: Source, Until: "1.21", Source: iptablesSource,
		Reason: "before v1.21 kube-proxy handles external IPs only for packets that come from outside the node",
	}
	ipt10 = &Rule{
		ID: "IPT-10", Basis: Source, Until: "1.21", Source: iptablesSource,
		Reason: "before v1.21 kube-proxy does not handle external IPs for pods behind a Linux bridge, and the API " +
			"does not show how pods are attached",
	}
	ipt11 = &Rule{
		ID: "IPT-11", Basis: Source, Since: "1.21", Until: "1.24", Source: iptablesSource,
		Reason: "from v1.21 to v1.23 a connection to an external IP with policy Cluster keeps the pod's address, if " +
			"kube-proxy recognises the pod as a pod",
	}
	ipt12 = &Rule{
		ID: "IPT-12", Basis: Source, Source: iptablesSource,
		Reason: "policy is Cluster, so the connection goes to any endpoint and the node's address replaces the " +
			"client IP (SNAT)",
	}
	ipt14 = &Rule{
		ID: "IPT-14", Basis: Source, Since: "1.15", Source: iptablesSource,
		Reason: "the node handles the address itself. Processes on the node are exempt from policy Local and reach " +
			"any endpoint",
	}
	ipt15 = &Rule{
		ID: "IPT-15", Basis: Source, Source: iptablesSource,
		Reason: "the node handles the address itself. Pods are exempt from policy Local and reach any endpoint",
	}
	ipt16 = &Rule{
		ID: "IPT-16", Basis: Source, Source: iptablesSource + "; kubernetes/kubernetes#74383",
		Reason: "the client's address is in kube-proxy's clusterCIDR, so the node exempts it from policy Local and does " +
			"not replace its address (no SNAT). The client is on another node or outside: only endpoints on this node " +
			"can answer it",
	}
	ipt17 = &Rule{
		ID: "IPT-17", Basis: Source, Source: iptablesSource,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	ipt21 = &Rule{
		ID: "IPT-21", Basis: Source, Until: "1.20", Source: iptablesSource + ", iptablesJumpChains",
		Reason: "the Service has no usable endpoint. Before v1.20 the reject rule does not see what a node " +
			"forwards, so the packet goes on unchanged",
	}
	ipt20 = &Rule{
		ID: "IPT-20", Basis: Source, Source: iptablesSource + "; pkg/proxy/util/localdetector.go",
		Reason: "the node handles the address itself. kube-proxy does not recognise the pod as a pod (clusterCIDR, " +
			"detectLocalMode), so policy Local applies to it, and the node has no local endpoint",
	}
	ipt19 = &Rule{
		ID: "IPT-19", Basis: Source, Until: "1.25", Source: iptablesSource + "; kubernetes/kubernetes pkg/kubelet/kubelet_network_linux.go",
		Reason: "before v1.25 kube-proxy only marks the packet to be dropped, and nothing drops marked packets that " +
			"a node forwards: the packet goes on to the load balancer",
	}
	ipt18 = &Rule{
		ID: "IPT-18", Basis: Source, Source: iptablesSource,
		Reason: "policy is Local and the node has no local endpoint, so the packet is dropped",
	}
)
