package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// besideCilium: a Cilium beside kube-proxy sees the connection: what pods send, except to node ports, with socket load
// balancing what processes of the node send, and with eBPF masquerading what arrives at the node.
func (c *connection) besideCilium() bool {
	s := c.cilium
	switch {
	case s == nil, c.to == NodePort, c.inTerway():
		return false
	case c.from == External && (c.to == ClusterIP || s.Read() && !s.BPFMasquerade || s.InClusterLoadBalance != cluster.Undetermined):
		return false
	case c.from == Node && !s.SocketLoadBalancing && (s.Read() || s.InClusterLoadBalance != cluster.Undetermined):
		return false
	default:
		return c.protocol != cluster.SCTP || s.SCTP
	}
}

// ciliumBeside: kube-proxy runs, and Cilium connects pods. It answers pods for ClusterIPs, from v1.19 on for external
// IPs, and from v1.19.0 until before v1.19.7 for load balancer addresses too. The verdict has no rule where kube-proxy
// decides.
func ciliumBeside(c *connection) verdict {
	c = c.asCilium()
	if c.advertised() && c.noClusterIP {
		c.total, c.onNode, c.takenAsLocal, c.onClientNode = tally{}, tally{}, tally{}, tally{}
	}
	s, v := c.cilium, c.version
	sockets := s.SocketLoadBalancing && !(c.from == Pod && s.HostSocketsOnly) && c.protocol != cluster.SCTP
	inside := sockets || s.BPFMasquerade
	c.isEndpoint = c.isEndpoint && !sockets
	policy, rule := c.externalPolicy, cil13
	switch {
	case c.to != ClusterIP && v.Before(1, 19, 0), c.to == LoadBalancerIP && !v.Before(1, 19, 7):
		return verdict{}
	case c.advertised() && c.noClusterIP && c.lacksFamily():
		return verdict{}
	case c.from == Node && !sockets, c.from == External && !s.BPFMasquerade:
		return verdict{}
	case c.ciliumConflict():
		return c.anything(cil45)
	case c.annotations.other, c.annotations.global, c.servedAt(c.annotations.here) == cluster.Undetermined:
		return c.anything(cil18)
	case c.servedAt(c.annotations.here) == cluster.No:
		return verdict{}
	case c.advertised() && c.noClusterIP && c.hasStrays:
		return c.anything(cil36)
	case c.from == External:
		return c.ciliumArrivesBeside()
	case c.to == ClusterIP:
		policy, rule = c.internalPolicy, cil25
	case c.to == LoadBalancerIP && inside:
		policy, rule = c.internalPolicy, cil26
	case c.to == LoadBalancerIP && c.externalPolicy != cluster.PolicyLocal:
		rule = cil15
	case c.to == ExternalIP && inside && (c.externalPolicy == cluster.PolicyLocal) != (c.internalPolicy == cluster.PolicyLocal):
		return verdict{}
	case c.to == ExternalIP:
		rule = cil32
	}
	switch local := policy == cluster.PolicyLocal; {
	case (!c.any() || local && c.local().n == 0) && sockets:
		return verdict{outcome: Unreachable, endpoints: NoEndpoints, rule: rule}
	case !c.any(), local && c.local().n == 0:
		return c.ciliumNoBackend(v, cil33, rule, cil34)
	case c.to == ExternalIP && sockets && !c.isOnNode && (s.PerPacket && c.from == Pod || s.OpenExternalIPs):
		return unknown(rule, Reachable, Refused, TimedOut)
	case c.to == ExternalIP && sockets && !c.isOnNode:
		return verdict{}
	case local:
		return c.reachesTakenAsLocal(rule)
	default:
		return c.withinHints(c.reachesAll(keeps, rule))
	}
}

// ciliumArrivesBeside is for packets that arrive at a node whose Cilium masquerades in eBPF: the program that does so
// looks up Services too (ENABLE_NODEPORT), and finds the addresses that Cilium answers pods for.
func (c *connection) ciliumArrivesBeside() verdict {
	switch {
	case c.ciliumAllows() != cluster.Yes:
		return timedOut(cil39)
	case !c.any(), c.localOnly() && c.local().n == 0:
		return c.ciliumNoBackendOutside(cil39, cil39)
	case c.localOnly():
		return c.reachesTakenAsLocal(cil39)
	case c.all().n > c.near().n:
		// v1.20.2 with eBPF masquerading loses what it sends to another node (packets); other settings were not tried.
		return unknown(cil39, Reachable, Partial, TimedOut)
	default:
		return c.reachesAll(keeps, cil39)
	}
}

// afterCilium is kube-proxy's verdict v on what Cilium beside it leaves alone. A pod that kube-proxy connects to a pod
// of its own node has the node's address there, as long as Cilium masquerades with iptables
// (pkg/datapath/iptables/iptables.go "hairpin traffic that originated from a local pod", v1.13.0 to v1.20.2). Without
// that rule the answer goes from pod to pod, past kube-proxy's translation, and v1.20.2 lost such connections (packets).
// So it did, without the rule, with the answers of pods of other nodes that arrived through a tunnel.
// Whether the rule recognises what ipvs translates was not tried.
func (c *connection) afterCilium(v verdict) verdict {
	s, near, all := c.cilium, c.near(), c.all()
	off := s.NoMasquerade
	if c.ipv6 {
		off = s.NoIPv6Masquerade
	}
	byIPTables := !s.BPFMasquerade && !off
	pods := func(of usable) int { return of.n - of.host }
	onNode, onOthers := pods(near) > 0 || c.unplaced(), pods(all) > pods(near) || c.unplaced()
	switch {
	case c.from != Pod, c.elsewhere, v.clientIP != Preserved && v.clientIP != Mixed, !onNode && !s.Tunnel, !onNode && !onOthers:
		return v
	case s.Tunnel && onOthers && !byIPTables && v.endpoints != LocalEndpoints:
		return unknown(cil48, Reachable, Partial, TimedOut)
	case s.BPFMasquerade, off && !s.EndpointRoutes:
		return unknown(cil42, Reachable, Partial, TimedOut)
	case s.EndpointRoutes && s.Tunnel:
		v.clientIP = ClientIPUnknown
	case s.EndpointRoutes:
	case !s.Read(), c.mode == cluster.IPVS, c.unplaced(), v.outcome != Reachable:
		v.clientIP = ClientIPUnknown
	case s.Tunnel && v.endpoints == AllEndpoints && c.masqueradedByCNI == cluster.Yes:
		// The rule translates what goes to cilium_host, and packets to other nodes' pods do.
		v.clientIP = share(near.host, all.n)
	case all.host > 0:
		v.clientIP = ClientIPUnknown
	case v.endpoints == LocalEndpoints:
		v.clientIP = Rewritten
	case v.endpoints == AllEndpoints:
		v.clientIP = share(all.n-near.n, all.n)
	default:
		v.clientIP = ClientIPUnknown
	}
	return v
}

// inTerway: Terway's own Cilium handles the connection before kube-proxy does.
func (c *connection) inTerway() bool {
	return c.name == cluster.KubeProxy && c.cilium != nil && c.cilium.InClusterLoadBalance == cluster.Yes && c.to == LoadBalancerIP && c.from == Pod
}

// terway is Terway's own Cilium beside kube-proxy, with in_cluster_loadbalance.
func (c *connection) terway() verdict {
	switch {
	case !c.any():
		return unknown(cil12, Refused, TimedOut)
	case c.internalPolicy == cluster.PolicyLocal:
		return unknown(cil12, Reachable, Refused, TimedOut)
	default:
		return c.reachesAll(keeps, cil12)
	}
}

// besideVariants are settings in which Ciliums beside kube-proxy differ.
var besideVariants = []cluster.CiliumSettings{
	{Mode: "snat"},
	{Mode: "snat", SocketLoadBalancing: true},
	{Mode: "snat", SocketLoadBalancing: true, HostSocketsOnly: true},
	{Mode: "snat", BPFMasquerade: true},
	{Mode: "snat", BPFMasquerade: true, Tunnel: true},
	{Mode: "snat", DropsWithoutBackend: true},
	{Mode: "snat", BPFMasquerade: true, DropsWithoutBackend: true},
}

var ciliumBesidePlane = &plane{
	name: cluster.Cilium, takes: (*connection).besideCilium,
	settings: func(c *connection) []connection {
		if c.cilium.Read() || c.cilium.InClusterLoadBalance != cluster.Undetermined {
			return nil
		}
		return c.withEach(besideVariants)
	},
	table: ciliumBeside, since: version("1.13"), until: version("1.21"), unread: unreadCilium, changes: ciliumChanges,
	rules: []*Rule{cil13, cil15, cil18, cil21, cil25, cil26, cil32, cil33, cil34, cil36, cil39, cil45},
}

var (
	cil12 = &Rule{
		ID: "CIL-12", Basis: Source, Source: "AliyunContainerService/terway policy/cilium/0002-lb-enable-in-cluster-load-balancer.patch (commit 89aadf8b)",
		Reason: "with Terway's in_cluster_loadbalance, pods are exempt from policy Local and reach any endpoint",
	}
	cil13 = &Rule{
		ID: "CIL-13", Basis: Source, Since: "1.19", Until: "1.19.7", Source: ciliumPod + "; cilium/cilium#45252, cilium/cilium#47204",
		Reason: "Cilium from v1.19.0 until before v1.19.7 handles load balancer addresses for pods before " +
			"kube-proxy does, and applies policy Local to them",
	}
	cil15 = &Rule{
		ID: "CIL-15", Basis: Source, Since: "1.19", Until: "1.19.7", Source: ciliumPod + "; cilium/cilium#45252, cilium/cilium#47204",
		Reason: "Cilium from v1.19.0 until before v1.19.7 handles load balancer addresses for pods before " +
			"kube-proxy does, and uses any endpoint",
	}
	cil25 = &Rule{
		ID: "CIL-25", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumPod,
		Reason: "Cilium beside kube-proxy handles ClusterIPs for pods itself, with the endpoints that " +
			"internalTrafficPolicy allows",
	}
	cil26 = &Rule{
		ID: "CIL-26", Basis: Source, Since: "1.19", Until: "1.19.7", Source: ciliumPod + ", bpf/bpf_sock.c, pkg/datapath/linux/config/config.go ENABLE_NODEPORT; cilium/cilium#45252",
		Reason: "Cilium from v1.19.0 until before v1.19.7 handles load balancer addresses before kube-proxy does. " +
			"With enable-bpf-masquerade or bpf-lb-sock it follows internalTrafficPolicy",
	}
	cil32 = &Rule{
		ID: "CIL-32", Basis: Source, Since: "1.19", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reconciler/bpf_reconciler.go isDatapathCandidate (v1.19.7); " + ciliumPod,
		Reason: "Cilium from v1.19 on handles external IPs for pods before kube-proxy does, and applies " +
			"externalTrafficPolicy to them",
	}
	cil33 = &Rule{
		ID: "CIL-33", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumPod + ", SERVICE_NO_BACKEND_RESPONSE",
		Reason: "Cilium beside kube-proxy has no endpoint left for the pod, and (before v1.15, or with " +
			"service-no-backend-response drop) drops its packet",
	}
	cil34 = &Rule{
		ID: "CIL-34", Since: "1.20", Until: "1.21", Source: ciliumPod + ", SERVICE_NO_BACKEND_RESPONSE",
		Reason: "Cilium beside kube-proxy has no endpoint left for the pod. Whether its answer reaches the pod " +
			"depends on checksum offloading of the pod's interface",
	}
	cil39 = &Rule{
		ID: "CIL-39", Basis: Source, Since: "1.19", Until: "1.21", Source: "cilium/cilium pkg/datapath/linux/config/config.go ENABLE_NODEPORT, bpf/bpf_host.c (v1.19.0 to v1.20.2), pkg/loadbalancer/reconciler/bpf_reconciler.go isDatapathCandidate (v1.19.7)",
		Reason: "with enable-bpf-masquerade Cilium beside kube-proxy handles what arrives at the node before " +
			"kube-proxy does: external IPs from v1.19 on, load balancer addresses from v1.19.0 until before v1.19.7",
	}
	cil42 = &Rule{
		ID: "CIL-42", Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/datapath/iptables/iptables.go, hairpin traffic (v1.20.2)",
		Reason: "kube-proxy may send the pod to a pod of its own node, and Cilium does not masquerade that with iptables. The " +
			"answer of that pod may not pass kube-proxy, and is then lost",
	}
	cil48 = &Rule{
		ID: "CIL-48", Since: "1.13", Until: "1.21", Source: "cilium/cilium bpf/bpf_overlay.c (v1.20.2)",
		Reason: "kube-proxy may send the pod to a pod of another node, through a tunnel, and Cilium does not masquerade with " +
			"iptables. The answer of that pod may not pass kube-proxy, and is then lost",
	}
)
