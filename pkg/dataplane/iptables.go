package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// iptables: chains of nat catch an address where it enters or leaves the node; pods and processes of the node are let past externalTrafficPolicy ("short-circuit"),
// everybody else is held to it. What no chain of nat catches meets the filter table, which looks at what arrives and what is forwarded, not at what starts here.
func iptables(c *connection) verdict {
	switch {
	case c.to == NodePort && c.served == cluster.No && c.localOnly() && c.local().n == 0 && c.any() && !c.before(25, 0):
		return timedOut(ipt02)
	case c.to == NodePort && c.served == cluster.No:
		return refused(ipt01)
	case !c.any() && c.before(20, 0) && c.to == LoadBalancerIP:
		return refused(c.none(ipt04))
	case !c.any() && c.before(20, 0) && c.to == ExternalIP && !c.startsOnHost() && !c.bound:
		return c.passesOn(ipt21)
	case !c.any() && c.startsOnHost() && c.advertised() && !c.bound:
		return c.leaves(c.none(ipt03))
	case !c.any():
		return refused(c.none(ipt04))
	case c.to == ClusterIP:
		return c.clusterIP(ipt05, ipt06, ipt07)
	case c.guarded() && c.admitted == cluster.No && c.escapes():
		return c.passesOn(ipt19)
	case c.guarded() && c.admitted == cluster.No:
		return timedOut(ipt08)
	case c.to == ExternalIP && c.before(21, 0) && c.from == Node && !c.bound:
		return c.leaves(ipt09)
	case c.to == ExternalIP && c.before(21, 0) && c.from == Pod && !c.bound:
		return unknown(ipt10, Reachable, TimedOut, ViaLoadBalancer)
	case !c.localOnly() && c.to == ExternalIP && !c.before(21, 0) && c.before(24, 0) && c.detected():
		return c.reachesAll(keeps, ipt11)
	case !c.localOnly():
		return c.reachesAll(masquerades, ipt12)
	case c.startsOnHost():
		return c.reachesAll(masquerades, ipt14)
	case c.detected() && c.elsewhere:
		return c.bypassed(keeps, ipt16)
	case c.detected():
		return c.reachesAll(keeps, ipt15)
	case c.local().n > 0:
		return c.reachesLocal(keeps, ipt17)
	case c.escapes():
		return c.passesOn(ipt19)
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
		Reason: "nodePortAddresses leave out the node address that is dialled, and nothing listens there",
	}
	ipt02 = &Rule{
		ID: "IPT-02", Basis: Source, Since: "1.25", Source: iptablesSource,
		Reason: "the node has no endpoint of its own, and the rule that drops such connections does not ask which of the node's addresses is dialled",
	}
	ipt03 = &Rule{
		ID: "IPT-03", Basis: Source, Source: iptablesSource + ", iptablesJumpChains",
		Reason: "without any endpoint the address is not caught, and the rejecting chain does not look at what a process on the node sends: the packet leaves for the real load balancer",
	}
	ipt04 = &Rule{ID: "IPT-04", Basis: Source, Source: iptablesSource, Reason: "the Service has no usable endpoint, and kube-proxy rejects connections to it"}
	ipt05 = &Rule{
		ID: "IPT-05", Basis: Source, Since: "1.24", Source: iptablesSource,
		Reason: "internalTrafficPolicy is Local and the node has no endpoint of its own, so the packet is dropped",
	}
	ipt06 = &Rule{ID: "IPT-06", Basis: Source, Since: "1.24", Source: iptablesSource, Reason: "internalTrafficPolicy Local hands it to an endpoint on the node"}
	ipt07 = &Rule{ID: "IPT-07", Basis: Source, Source: iptablesSource, Reason: "a ClusterIP is handed to any endpoint"}
	ipt08 = &Rule{
		ID: "IPT-08", Basis: Source, Source: iptablesSource,
		Reason: "the node answers for the address itself, and loadBalancerSourceRanges do not admit the client, so the packet is dropped",
	}
	ipt09 = &Rule{
		ID: "IPT-09", Basis: Source, Until: "1.21", Source: iptablesSource,
		Reason: "before v1.21 external IPs are caught only for packets from off the machine",
	}
	ipt10 = &Rule{
		ID: "IPT-10", Basis: Source, Until: "1.21", Source: iptablesSource,
		Reason: "before v1.21 external IPs are not caught for pods behind a Linux bridge, and the API does not show how pods are attached",
	}
	ipt11 = &Rule{
		ID: "IPT-11", Basis: Source, Since: "1.21", Until: "1.24", Source: iptablesSource,
		Reason: "from v1.21 to v1.23 an external IP with policy Cluster keeps the address of a pod that kube-proxy knows as a pod",
	}
	ipt12 = &Rule{ID: "IPT-12", Basis: Source, Source: iptablesSource, Reason: "policy Cluster hands it to any endpoint and puts the node's address on it"}
	ipt14 = &Rule{
		ID: "IPT-14", Basis: Source, Since: "1.15", Source: iptablesSource,
		Reason: "the node answers for the address itself, and lets its own processes past policy Local to any endpoint",
	}
	ipt15 = &Rule{
		ID: "IPT-15", Basis: Source, Source: iptablesSource,
		Reason: "the node answers for the address itself, and lets pods past policy Local to any endpoint",
	}
	ipt16 = &Rule{
		ID: "IPT-16", Basis: Source, Source: iptablesSource + "; kubernetes/kubernetes#74383",
		Reason: "the node takes another node's pod for one to let past policy Local, and does not rewrite its address: only endpoints on this node can answer back",
	}
	ipt17 = &Rule{ID: "IPT-17", Basis: Source, Source: iptablesSource, Reason: "policy Local hands it to an endpoint on the node, with the client's address"}
	ipt21 = &Rule{
		ID: "IPT-21", Basis: Source, Until: "1.20", Source: iptablesSource + ", iptablesJumpChains",
		Reason: "the Service has no usable endpoint, and before v1.20 the rejecting chain does not look at what a node forwards: the packet goes on as it came",
	}
	ipt20 = &Rule{
		ID: "IPT-20", Basis: Source, Source: iptablesSource + "; pkg/proxy/util/localdetector.go",
		Reason: "the node answers for the address itself; kube-proxy does not take the pod for one (clusterCIDR, detectLocalMode) and holds it to policy Local, and the node has no endpoint",
	}
	ipt19 = &Rule{
		ID: "IPT-19", Basis: Source, Until: "1.25", Source: iptablesSource + "; kubernetes/kubernetes pkg/kubelet/kubelet_network_linux.go",
		Reason: "before v1.25 the packet is only marked to be dropped, and nothing drops what a node forwards: it goes on to the real load balancer",
	}
	ipt18 = &Rule{ID: "IPT-18", Basis: Source, Source: iptablesSource, Reason: "policy Local, and the node has no endpoint of its own: the packet is dropped"}
)
