package dataplane

// Over 500 lines: one file has everything that Cilium decides: its decision lists for packets and for sockets, with the rules of both beside them.

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// cilium in place of kube-proxy: each address exists twice, once for packets from outside the cluster and, where the
// two traffic policies differ, once for clients inside. Clients inside are translated on their own node, most of them
// at connect(): internalTrafficPolicy applies to them, not externalTrafficPolicy.
func cilium(c *connection) verdict {
	switch {
	case c.servedByEnvoy:
		return verdict{outcome: Reachable, endpoints: LocalEndpoints, clientIP: Preserved, rule: cil16}
	case c.protocol == cluster.SCTP:
		return c.anything(cil17)
	case c.annotations.exposure, c.annotations.global:
		return c.anything(cil18)
	case c.from == External, c.from == Pod && c.elsewhere && c.cilium.HostSocketsOnly && c.version.Before(1, 20, 0):
		return c.ciliumFromOutside()
	case c.to == ExternalIP:
		return c.ciliumExternalIP()
	case c.internalPolicy == cluster.PolicyLocal && c.usableOnClientNode() == 0:
		return c.ciliumNoBackendInside(cil06)
	case !c.any():
		return c.ciliumNoBackendInside(cil04)
	case c.internalPolicy == cluster.PolicyLocal && c.elsewhere:
		// No packet reaches the node whose node port is dialled.
		return verdict{outcome: Reachable, endpoints: EndpointsUnknown, clientIP: Preserved, extraHop: Always, rule: cil06}
	case c.internalPolicy == cluster.PolicyLocal:
		return c.translated().reachesLocal(keeps, cil06)
	default:
		return c.translated().reachesAll(keeps, cil05)
	}
}

// ciliumFromOutside: externalTrafficPolicy applies to what arrives at a node. Until v1.20 that includes what a pod
// without socket load balancing sends to another node's node port.
func (c *connection) ciliumFromOutside() verdict {
	s, v := c.cilium, c.version
	switch {
	case c.elsewhere && !v.Before(1, 19, 1) && s.Mode != "snat":
		return unknown(cil24, Reachable, Refused, TimedOut)
	case c.to == LoadBalancerIP && c.hasActiveRanges() && c.annotations.deny:
		return c.anything(cil18)
	case c.to == LoadBalancerIP && c.hasActiveRanges() && c.allowsClient == cluster.No:
		return timedOut(cil19)
	case !c.any(), c.localOnly() && c.local().n == 0:
		return c.ciliumNoBackendOutside()
	case c.elsewhere && c.localOnly():
		return c.withUnknownClientIP(c.reachesLocal(keeps, cil23))
	case c.elsewhere:
		return c.withUnknownClientIP(c.reachesAll(keeps, cil23))
	case c.localOnly():
		return c.reachesLocal(keeps, cil09)
	case s.ModeAnnotation && c.annotations.mode:
		return c.withUnknownClientIP(c.reachesAll(masqueradesRemote, cil07))
	case s.Mode == "dsr", s.Mode == "hybrid" && c.protocol == cluster.TCP:
		return c.reachesAll(keeps, cil08)
	default:
		return c.reachesAll(masqueradesRemote, cil07)
	}
}

func (c *connection) ciliumNoBackendOutside() verdict {
	s, local := c.cilium, c.any()
	switch {
	case c.version.Before(1, 15, 0):
		return timedOut(cil20)
	case s.RoutesWithoutBackend && !c.version.Before(1, 19, 0):
		return unknown(cil21, Refused, TimedOut)
	case s.DropsWithoutBackend && local:
		return timedOut(cil10)
	case s.DropsWithoutBackend:
		return timedOut(cil02)
	case local:
		return refused(cil11)
	default:
		return refused(cil03)
	}
}

// ciliumExternalIP is for clients inside: external IPs exist for packets from outside only, and are marked as existing
// twice where the policies differ. Clients that are translated when they connect are translated for addresses of their
// own node only.
func (c *connection) ciliumExternalIP() verdict {
	perPacket := c.from == Pod && (c.cilium.HostSocketsOnly || c.cilium.PerPacket)
	both := c.externalPolicy == cluster.PolicyLocal
	switch {
	case (c.externalPolicy == cluster.PolicyLocal) != (c.internalPolicy == cluster.PolicyLocal):
		return c.untranslated(cil01)
	case !c.any(), both && c.local().n == 0:
		return c.ciliumNoBackendInside(cil04)
	case !c.isOnNode && !perPacket && c.cilium.OpenExternalIPs:
		return c.anything(cil22)
	case !c.isOnNode && !perPacket:
		return c.untranslated(cil22)
	case both:
		return c.translated().reachesLocal(keeps, cil27)
	default:
		return c.translated().reachesAll(keeps, cil27)
	}
}

// untranslated: the packet goes to the address as it is dialled. On a node that has the address nothing listens, except
// perhaps a pod on the host network.
func (c *connection) untranslated(r *Rule) verdict {
	switch {
	case c.isOnNode && c.near().host > 0:
		return unknown(r, Reachable, Refused)
	case c.isOnNode:
		return refused(r)
	case c.isOnSomeNode:
		return c.leaves(r)
	default:
		// The API does not show every address that a node has.
		return unknown(cil28, Reachable, Refused, TimedOut, ViaLoadBalancer)
	}
}

// ciliumNoBackendInside is for clients inside the cluster without an endpoint.
func (c *connection) ciliumNoBackendInside(r *Rule) verdict {
	if c.from == Node || !c.cilium.HostSocketsOnly {
		return verdict{outcome: Unreachable, endpoints: NoEndpoints, rule: r}
	}
	return c.ciliumNoBackend(c.version, cil29, cil30, cil31)
}

// ciliumNoBackend is for pods that are served packet by packet: before v1.15 the packet is dropped, later rejected
// unless service-no-backend-response is drop. The rejection holds the packet's checksum; from v1.20 on the pod does not
// recognise it where its interface leaves checksums to the hardware.
func (c *connection) ciliumNoBackend(v cluster.Version, drops, rejects, mayReject *Rule) verdict {
	switch {
	case v.Before(1, 15, 0), c.cilium.DropsWithoutBackend:
		return timedOut(drops)
	case c.cilium.RoutesWithoutBackend && !v.Before(1, 19, 0):
		return unknown(cil21, Refused, TimedOut, Unreachable)
	case v.Before(1, 20, 0):
		return refused(rejects)
	default:
		return unknown(mayReject, Refused, TimedOut)
	}
}

// usableOnClientNode is the number of usable endpoints on the client's node.
func (c *connection) usableOnClientNode() int { return c.onClientNode.usable(c.fallsBack()).n }

// translated: a pod that connects to itself and is translated when it connects sees its own address, and nothing of a
// connection to another node's node port passes that node.
func (c *connection) translated() *connection {
	as := *c
	as.elsewhere = false
	as.isEndpoint = c.isEndpoint && c.cilium.HostSocketsOnly
	return &as
}

// ciliumFallsBack to terminating endpoints since v1.14 (cilium/cilium pkg/service/service.go segregateBackends, later
// pkg/loadbalancer/reconciler).
func (c *connection) ciliumFallsBack() bool { return !c.version.Before(1, 14, 0) }

// ciliumHeedsIPMode in v1.17 (pkg/k8s/service.go) and from v1.18.2 on (pkg/loadbalancer/reflectors/conversions.go); not
// in v1.18.0, and v1.18.1 was not read.
func (c *connection) ciliumHeedsIPMode() cluster.Tristate {
	if v := c.version; v.Before(1, 17, 0) || !v.Before(1, 18, 0) && v.Before(1, 18, 2) {
		return cluster.Undetermined
	}
	return cluster.Yes
}

// besideCilium: a Cilium beside kube-proxy sees the connection: what pods send, except to node ports, and with socket
// load balancing what processes of the node send.
func (c *connection) besideCilium() bool {
	s := c.cilium
	switch {
	case s == nil:
		return false
	case c.from == External, c.to == NodePort, c.inTerway():
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
	s, v := c.cilium, c.version
	sockets := s.SocketLoadBalancing && !(c.from == Pod && s.HostSocketsOnly) && c.protocol != cluster.SCTP
	inside := sockets || s.BPFMasquerade
	c.isEndpoint = c.isEndpoint && !sockets
	policy, rule := c.externalPolicy, cil13
	switch {
	case c.to != ClusterIP && v.Before(1, 19, 0), c.to == LoadBalancerIP && !v.Before(1, 19, 7):
		return verdict{}
	case c.annotations.exposure, c.annotations.global:
		return c.anything(cil18)
	case c.from == Node && !sockets:
		return verdict{}
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
		return c.reachesLocal(keeps, rule)
	default:
		return c.withinHints(c.reachesAll(keeps, rule))
	}
}

// afterCilium is kube-proxy's verdict v on what Cilium beside it leaves alone. A pod that kube-proxy connects to a pod
// of its own node has the node's address there, as long as Cilium masquerades with iptables
// (pkg/datapath/iptables/iptables.go "hairpin traffic that originated from a local pod", v1.13.0 to v1.20.2).
func (c *connection) afterCilium(v verdict) verdict {
	s, near, all := c.cilium, c.near(), c.all()
	if c.from != Pod || c.elsewhere || v.clientIP != Preserved && v.clientIP != Mixed || near.n == near.host || s.BPFMasquerade || s.NoMasquerade || s.EndpointRoutes {
		return v
	}
	switch {
	case !s.Read(), all.host > 0, v.outcome != Reachable:
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

// withEach is the connection once for each of the settings.
func (c *connection) withEach(settings []cluster.CiliumSettings) []connection {
	cases := make([]connection, len(settings))
	for i := range settings {
		cases[i] = *c
		cases[i].cilium = &settings[i]
	}
	return cases
}

// ciliumVariants are settings in which Cilium's replacements of kube-proxy differ, besideVariants those of a Cilium
// beside kube-proxy.
var (
	besideVariants = []cluster.CiliumSettings{
		{Mode: "snat"},
		{Mode: "snat", SocketLoadBalancing: true},
		{Mode: "snat", SocketLoadBalancing: true, HostSocketsOnly: true},
		{Mode: "snat", BPFMasquerade: true},
		{Mode: "snat", DropsWithoutBackend: true},
	}
	ciliumVariants = []cluster.CiliumSettings{
		{ReplacesKubeProxy: true, Mode: "snat"},
		{ReplacesKubeProxy: true, Mode: "dsr"},
		{ReplacesKubeProxy: true, Mode: "snat", DropsWithoutBackend: true},
		{ReplacesKubeProxy: true, Mode: "snat", HostSocketsOnly: true},
		{ReplacesKubeProxy: true, Mode: "snat", HostSocketsOnly: true, DropsWithoutBackend: true},
		{ReplacesKubeProxy: true, Mode: "snat", PerPacket: true},
	}
)

// ciliumAnnotations are what a Service's annotations change for Cilium: exposure is where and as what it is served,
// mode how replies go back, global that other clusters have endpoints of it, deny that loadBalancerSourceRanges name
// those that are kept out.
type ciliumAnnotations struct{ exposure, mode, global, deny bool }

// annotationsForCilium reads the annotations of pkg/annotation/k8s.go in cilium/cilium v1.20.2.
func annotationsForCilium(s *cluster.Service) ciliumAnnotations {
	has := func(keys ...string) bool {
		for _, key := range keys {
			if s.Annotations[key] != "" && s.Annotations[key] != "false" {
				return true
			}
		}
		return false
	}
	return ciliumAnnotations{
		exposure: has("service.cilium.io/type", "service.cilium.io/node", "service.cilium.io/node-selector", "service.cilium.io/proxy-delegation", "service.cilium.io/lb-l7"),
		mode:     has("service.cilium.io/forwarding-mode"),
		global:   has("service.cilium.io/global", "io.cilium/global-service"),
		deny:     has("service.cilium.io/src-ranges-policy"),
	}
}

// ciliumChanges: v1.14 began to fall back to terminating endpoints, v1.15 to answer where no endpoint is left.
var ciliumChanges = []cluster.Version{version("1.14"), version("1.15")}

const ciliumLetters = "CIL"

var ciliumPlane = &plane{
	name: cluster.Cilium, letters: ciliumLetters,
	table: cilium, since: version("1.13"), until: version("1.21"), unread: unreadCilium, changes: ciliumChanges,
	rules: []*Rule{
		cil01, cil02, cil03, cil04, cil05, cil06, cil07, cil08, cil09, cil10, cil11, cil16, cil17, cil18, cil19, cil20, cil21, cil22, cil23, cil24, cil27, cil28, cil29,
		cil30, cil31,
	},
	usesTerminating: (*connection).ciliumFallsBack, heedsIPMode: (*connection).ciliumHeedsIPMode, settlesRanges: true,
	settlesHints: func(c *connection) bool { return !c.cilium.ServiceTopology },
	settings: func(c *connection) []connection {
		if c.cilium != nil && c.cilium.Read() {
			return nil
		}
		return c.withEach(ciliumVariants)
	},
	beside: ciliumBesidePlane,
}

var unreadCilium = &Rule{
	ID: "UNK-32", Source: "cilium/cilium bpf, pkg/loadbalancer and before v1.18 pkg/service and pkg/k8s, v1.13.0 to v1.20.2",
	Reason: "kubectl etp has no rules for this release of Cilium, only for v1.13 to v1.20",
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
	rules: []*Rule{cil13, cil15, cil18, cil21, cil25, cil26, cil32, cil33, cil34},
}

const (
	ciliumLookup = "cilium/cilium bpf/lib/lb.h lb4_lookup_service, pkg/loadbalancer/writer/writer.go shouldUseLocalBackends (v1.20.2), pkg/k8s/watchers/watcher.go (v1.13.0)"
	ciliumPod    = "cilium/cilium bpf/bpf_lxc.c __per_packet_lb_svc_xlate_4 (v1.14.0 to v1.20.2)"
	ciliumNode   = "cilium/cilium bpf/lib/nodeport.h nodeport_lb4 (v1.13.0 to v1.20.2)"
	ciliumSocket = "cilium/cilium bpf/bpf_sock.c __sock4_xlate_fwd (v1.13.0 to v1.20.2)"
)

var (
	cil01 = &Rule{
		ID: "CIL-01", Basis: Source, Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go (v1.20.2); cilium/cilium#42245",
		Reason: "the two traffic policies differ. Cilium then handles external IPs only for packets from outside, " +
			"and leaves packets of clients inside the cluster unchanged",
	}
	cil02 = &Rule{
		ID: "CIL-02", Basis: Source, Since: "1.15", Until: "1.21", Source: ciliumNode + ", service-no-backend-response",
		Reason: "the Service has no usable endpoint and service-no-backend-response is drop, so Cilium drops the " +
			"packet",
	}
	cil03 = &Rule{
		ID: "CIL-03", Basis: Source, Since: "1.15", Until: "1.21", Source: ciliumNode + ", service-no-backend-response",
		Reason: "the Service has no usable endpoint, so Cilium answers that the port is unreachable",
	}
	cil04 = &Rule{
		ID: "CIL-04", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumSocket,
		Reason: "the Service has no usable endpoint, so connect fails at once, with \"no route to host\" or " +
			"\"operation not permitted\"",
	}
	cil05 = &Rule{
		ID: "CIL-05", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumLookup,
		Reason: "Cilium on the client's node translates the address to any endpoint, whatever externalTrafficPolicy is",
	}
	cil06 = &Rule{
		ID: "CIL-06", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumLookup + "; Documentation/network/kubernetes/kubeproxy-free.rst",
		Reason: "with internalTrafficPolicy Local, clients inside the cluster reach only endpoints on their own node",
	}
	cil07 = &Rule{
		ID: "CIL-07", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumNode,
		Reason: "policy is Cluster, so the connection goes to any endpoint. If that is on another node, the node's " +
			"address replaces the client IP (SNAT)",
	}
	cil08 = &Rule{
		ID: "CIL-08", Basis: Documented, Since: "1.13", Until: "1.21", Source: "cilium/cilium Documentation/network/kubernetes/kubeproxy-free.rst, DSR mode",
		Reason: "policy is Cluster, so the connection goes to any endpoint, which answers the client directly (DSR)",
	}
	cil09 = &Rule{
		ID: "CIL-09", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumLookup,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	cil10 = &Rule{
		ID: "CIL-10", Basis: Source, Since: "1.15", Until: "1.21", Source: ciliumNode + ", service-no-backend-response",
		Reason: "policy is Local, the node has no local endpoint and service-no-backend-response is drop, so Cilium " +
			"drops the packet",
	}
	cil11 = &Rule{
		ID: "CIL-11", Basis: Source, Since: "1.15", Until: "1.21", Source: ciliumNode + ", service-no-backend-response",
		Reason: "policy is Local and the node has no local endpoint, so Cilium answers that the port is unreachable",
	}
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
	cil16 = &Rule{
		ID: "CIL-16", Basis: Source, Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go isIngressDummyEndpoint; bpf/lib/nodeport.h lb4_svc_is_l7_loadbalancer",
		Reason: "the Service belongs to Cilium's Ingress or Gateway API. With both policies the node sends the " +
			"connection to its own Envoy, which sees the client IP",
	}
	cil17 = &Rule{
		ID: "CIL-17", Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/option/config.go EnableSCTP",
		Reason: "what Cilium does with SCTP depends on enable-sctp and is not known",
	}
	cil18 = &Rule{
		ID: "CIL-18", Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/annotation/k8s.go (v1.20.2)",
		Reason: "an annotation of the Service (service.cilium.io) changes where Cilium serves it, or adds endpoints " +
			"of other clusters",
	}
	cil19 = &Rule{
		ID: "CIL-19", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumNode + " lb4_src_range_ok",
		Reason: "loadBalancerSourceRanges do not allow the client, so the packet is dropped",
	}
	cil20 = &Rule{
		ID: "CIL-20", Basis: Source, Since: "1.13", Until: "1.15", Source: "cilium/cilium bpf/lib/nodeport.h nodeport_lb4 (v1.13.0, v1.14.0); cilium/cilium#27800",
		Reason: "no endpoint is left for this node, and before v1.15 Cilium drops the packet without an answer",
	}
	cil21 = &Rule{
		ID: "CIL-21", Since: "1.19", Until: "1.21", Source: "cilium/cilium bpf/lib/lb.h handle_nonroutable_endpoints_v4 (v1.20.2)",
		Reason: "no endpoint is left and enable-no-service-endpoints-routable is false, so Cilium drops the packet " +
			"or leaves it to the node",
	}
	cil22 = &Rule{
		ID: "CIL-22", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumSocket + ", sock4_skip_xlate",
		Reason: "Cilium does not translate external IPs for clients inside the cluster, unless the client's own " +
			"node has the address",
	}
	cil23 = &Rule{
		ID: "CIL-23", Basis: Source, Since: "1.13", Until: "1.20", Source: ciliumNode + "; cilium/cilium#34777",
		Reason: "sockets are load balanced in the host network only. Before v1.20 the node whose node port is used " +
			"handles the connection, as if the pod were outside the cluster",
	}
	cil24 = &Rule{
		ID: "CIL-24", Since: "1.19.1", Until: "1.20", Source: "cilium/cilium bpf/bpf_lxc.c lb4_lookup_wildcard_nodeport_service (v1.19.3; not in v1.19.0)",
		Reason: "sockets are load balanced in the host network only. v1.19 began to translate node ports of other " +
			"nodes on the pod's own node, if bpf-lb-mode is dsr or hybrid",
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
	cil27 = &Rule{
		ID: "CIL-27", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumSocket + ", sock4_skip_xlate; " + ciliumPod,
		Reason: "both traffic policies are the same, so Cilium on the client's node translates the external IP",
	}
	cil28 = &Rule{
		ID: "CIL-28", Since: "1.13", Until: "1.21", Source: ciliumSocket + ", sock4_skip_xlate",
		Reason: "for clients inside the cluster, Cilium translates external IPs of their own node at most. The API " +
			"does not show whether the node has this one; if not, the packet leaves the node",
	}
	cil29 = &Rule{
		ID: "CIL-29", Basis: Source, Since: "1.13", Until: "1.21", Source: ciliumPod + ", SERVICE_NO_BACKEND_RESPONSE",
		Reason: "no endpoint is left for the pod. Cilium (before v1.15, or with service-no-backend-response drop) " +
			"drops its packet",
	}
	cil30 = &Rule{
		ID: "CIL-30", Basis: Source, Since: "1.15", Until: "1.20", Source: ciliumPod + ", SERVICE_NO_BACKEND_RESPONSE",
		Reason: "no endpoint is left for the pod, so Cilium answers that the port is unreachable",
	}
	cil31 = &Rule{
		ID: "CIL-31", Since: "1.20", Until: "1.21", Source: ciliumPod + ", SERVICE_NO_BACKEND_RESPONSE",
		Reason: "no endpoint is left for the pod. Whether Cilium's answer reaches it depends on checksum offloading " +
			"of its interface",
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
)
