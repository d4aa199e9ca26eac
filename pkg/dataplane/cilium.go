package dataplane

// Over 500 lines: one file has everything that Cilium decides in place of kube-proxy, with the rules beside it.

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// cilium in place of kube-proxy: each address exists twice, once for packets from outside the cluster and, where the
// two traffic policies differ, once for clients inside. Clients inside are translated on their own node, most of them
// at connect(): internalTrafficPolicy applies to them, not externalTrafficPolicy.
func cilium(c *connection) verdict {
	c = c.asCilium()
	switch {
	case c.ciliumConflict():
		return c.anything(cil45)
	case c.servedByEnvoy:
		return verdict{outcome: Reachable, endpoints: LocalEndpoints, clientIP: Preserved, rule: cil16}
	case c.protocol == cluster.SCTP:
		return c.anything(cil17)
	case c.annotations.other, c.annotations.global:
		return c.anything(cil18)
	case c.advertised() && c.noClusterIP:
		return c.ciliumOtherFamily()
	case c.dialled == NodePort && c.noClusterIP && c.version.Before(1, 18, 0):
		return unknown(cil46, Reachable, Refused, TimedOut, Unreachable)
	case c.dialled == NodePort && c.noClusterIP:
		return refused(cil47)
	case c.to == NodePort && !c.isOnNode && !c.isLoopback:
		return unknown(cil41, Reachable, Refused, TimedOut, Unreachable)
	case c.to == NodePort && c.servesNodePort != cluster.Yes:
		return unknown(cil43, Reachable, Refused, TimedOut, Partial, Unreachable)
	case c.from == External:
		return c.ciliumFromOutside()
	case c.to == NodePort && c.outsideCiliumRange && (c.elsewhere || c.isLoopback):
		return unknown(cil44, Reachable, Refused, TimedOut, Partial, Unreachable)
	case c.servedAt(c.annotations.home) == cluster.Undetermined:
		return c.anything(cil18)
	case c.servedAt(c.annotations.home) == cluster.No && c.elsewhere:
		return c.ciliumFromOutside()
	case c.servedAt(c.annotations.home) == cluster.No:
		return c.ciliumNotServed()
	case c.leavesHome() == cluster.Undetermined:
		return unknown(cil24, Reachable, Refused, TimedOut)
	case c.leavesHome() == cluster.Yes:
		return c.ciliumFromOutside()
	case c.to == ExternalIP:
		return c.ciliumExternalIP()
	default:
		return c.ciliumAtHome()
	}
}

// ciliumConflict: of two Services with one address and port, Cilium serves the one that it saw first, and the other with
// none of its addresses.
func (c *connection) ciliumConflict() bool { return c.conflicts && !c.version.Before(1, 18, 0) }

// ciliumAtHome is for clients inside whose own node translates the address.
func (c *connection) ciliumAtHome() verdict {
	home, local := c.atHome(), c.internalPolicy == cluster.PolicyLocal
	switch {
	case local && home.local().n == 0:
		return c.ciliumNoBackendInside(cil06)
	case !home.any():
		return c.ciliumNoBackendInside(cil04)
	case local:
		return c.seenFromDialled(home.reachesTakenAsLocal(cil06))
	default:
		return c.seenFromDialled(home.reachesAll(keeps, cil05))
	}
}

// ciliumFromOutside: externalTrafficPolicy applies to what arrives at a node. That includes what a client inside sends
// to another node's node port, where its own node does not translate it.
func (c *connection) ciliumFromOutside() verdict {
	mode, known := c.ciliumMode()
	reason := func(own *Rule) *Rule {
		switch {
		case !c.elsewhere:
			return own
		case c.servedAt(c.annotations.home) == cluster.No:
			return cil38
		default:
			return cil23
		}
	}
	switch allowed, served := c.ciliumAllows(), c.servedAt(c.annotations.here); {
	case served == cluster.Undetermined:
		return c.anything(cil18)
	case served == cluster.No && c.to == NodePort:
		return refused(cil37)
	case served == cluster.No:
		return c.forwarded(cil37)
	case allowed == cluster.Undetermined:
		return unknown(cil40, Reachable, Refused, TimedOut)
	case allowed == cluster.No && c.to == LoadBalancerIP:
		return timedOut(cil19)
	case allowed == cluster.No:
		return timedOut(cil35)
	case !c.any():
		return c.ciliumNoBackendOutside(cil02, cil03)
	case c.localOnly() && c.local().n == 0:
		return c.ciliumNoBackendOutside(cil10, cil11)
	case c.localOnly():
		return c.reachesTakenAsLocal(reason(cil09))
	case !known:
		return c.withUnknownClientIP(c.reachesAll(masqueradesRemote, reason(cil07)))
	case mode == "dsr":
		return c.reachesAll(keeps, reason(cil08))
	default:
		return c.reachesAll(masqueradesRemote, reason(cil07))
	}
}

// ciliumNoBackendOutside is for packets that arrive at a node without an endpoint for them: drops is the rule where
// service-no-backend-response is drop, rejects the one where it is not.
func (c *connection) ciliumNoBackendOutside(drops, rejects *Rule) verdict {
	switch s := c.cilium; {
	case c.version.Before(1, 15, 0):
		return timedOut(cil20)
	case s.RoutesWithoutBackend && !c.version.Before(1, 19, 0):
		return unknown(cil21, Refused, TimedOut)
	case s.DropsWithoutBackend:
		return timedOut(drops)
	case c.from == Pod && s.Tunnel && c.masqueradedByCNI != cluster.Yes:
		// In v1.20.2 it was lost (packets, external IP that is a node's address).
		return unknown(cil50, Refused, TimedOut)
	default:
		return refused(rejects)
	}
}

// ciliumLosesRefusal: over IPv6 Cilium's eBPF masquerading translates no "port unreachable" back (bpf/lib/nat.h
// snat_v6_rev_nat, v1.13.18 to v1.20.2), so a pod waits in vain for the refusal of another node.
func (c *connection) ciliumLosesRefusal(v verdict) bool {
	return c.from == Pod && c.elsewhere && c.ipv6 && c.masqueradedByCNI == cluster.Yes && c.cilium.BPFMasquerade && v.outcome == Refused
}

// lacksFamily: the address family that is dialled is switched off in Cilium.
func (c *connection) lacksFamily() bool {
	return c.ipv6 && c.cilium.NoIPv6 || !c.ipv6 && c.cilium.NoIPv4
}

// ciliumOtherFamily is for a load balancer address or external IP of a family in which the Service has no ClusterIP:
// Cilium sets up the address, and has no endpoint for it.
func (c *connection) ciliumOtherFamily() verdict {
	switch {
	case c.hasStrays:
		return c.anything(cil36)
	case c.from == External:
		return c.ciliumNoBackendOutside(cil36, cil36)
	default:
		return c.ciliumNoBackendInside(cil36)
	}
}

// ciliumNotServed is for clients inside whose own node does not serve the Service at this address: annotations limit
// it to other nodes or to another type.
func (c *connection) ciliumNotServed() verdict {
	switch {
	case c.to == NodePort, c.isOnNode && c.near().host == 0:
		return refused(cil37)
	case c.to == ClusterIP:
		return unknown(cil37, Refused, TimedOut, Unreachable)
	case c.isOnNode, c.mayBeOnNode:
		return c.anything(cil37)
	default:
		return c.leaves(cil37)
	}
}

// ciliumExternalIP is for clients inside: external IPs exist for packets from outside only, and are marked as existing
// twice where the policies differ. Clients that are translated when they connect are translated for addresses of their
// own node only.
func (c *connection) ciliumExternalIP() verdict {
	perPacket := c.from == Pod && (c.cilium.HostSocketsOnly || c.cilium.PerPacket)
	both := c.externalPolicy == cluster.PolicyLocal
	home := c.atHome()
	home.isEndpoint = c.isEndpoint && (c.cilium.HostSocketsOnly || !c.isOnNode)
	switch {
	case (c.externalPolicy == cluster.PolicyLocal) != (c.internalPolicy == cluster.PolicyLocal):
		return c.untranslated(cil01)
	case !c.any(), both && c.local().n == 0:
		return c.ciliumNoBackendInside(cil04)
	case !c.isOnNode && !perPacket && c.cilium.OpenExternalIPs && !c.version.Before(1, 16, 0):
		return c.anything(cil22)
	case !c.isOnNode && !perPacket:
		return c.untranslated(cil22)
	case both:
		return home.reachesTakenAsLocal(cil27)
	default:
		return home.reachesAll(keeps, cil27)
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

// leavesHome is Yes where a pod's own node does not translate another node's node port: its packets are balanced one by
// one, and before v1.20 such a node port is not among the addresses that are looked up. From v1.19.3 on it is where the
// endpoint answers the client directly (dsr); v1.19.2 was not read.
func (c *connection) leavesHome() cluster.Tristate {
	v := c.version
	if c.from != Pod || !c.elsewhere || !c.cilium.HostSocketsOnly || !v.Before(1, 20, 0) {
		return cluster.No
	}
	if mode, known := c.ciliumMode(); v.Before(1, 19, 2) || known && mode != "dsr" {
		return cluster.Yes
	} else if !known || v.Before(1, 19, 3) {
		return cluster.Undetermined
	}
	return cluster.No
}

// asCilium is the connection with the endpoints that Cilium takes as local.
func (c *connection) asCilium() *connection {
	as := *c
	as.takenAsLocal.add(c.unnamed)
	return &as
}

// atHome is the connection as the client's own node judges it. A pod that connects to itself and is translated when it
// connects sees its own address.
func (c *connection) atHome() *connection {
	as := *c
	as.elsewhere, as.endpointOnNode = false, true
	as.onNode, as.takenAsLocal = c.onClientNode, c.onClientNode
	as.takenAsLocal.add(c.unnamed)
	as.isEndpoint = c.isEndpoint && c.cilium.HostSocketsOnly
	return &as
}

// seenFromDialled is the verdict of the client's own node in words that are about the node whose node port is dialled.
// No packet reaches that node.
func (c *connection) seenFromDialled(v verdict) verdict {
	switch {
	case !c.elsewhere:
		return v
	case v.endpoints == LocalEndpoints:
		v.endpoints, v.extraHop = EndpointsUnknown, Always
	default:
		v.extraHop = hops(c.all().n, c.near().n, c.unplaced())
	}
	return v
}

// reachesTakenAsLocal: the connection goes to an endpoint that Cilium takes as local: one of the node, or one without a
// node (cilium/cilium pkg/loadbalancer/writer/writer.go DefaultSelectBackends, v1.18.0 to v1.20.2;
// pkg/service/service.go, v1.13.0 to v1.17.0).
func (c *connection) reachesTakenAsLocal(r *Rule) verdict {
	v := c.reachesLocal(keeps, r)
	unnamed := c.unnamed.ready
	if c.takenAsLocal.ready == 0 && c.fallsBack() {
		unnamed = c.unnamed.terminating
	}
	if unnamed == 0 {
		return v
	}
	v.endpoints, v.extraHop = EndpointsUnknown, Sometimes
	if local := c.local(); local.n == c.all().n {
		v.endpoints = AllEndpoints
	}
	if mode, known := c.ciliumMode(); c.from == External && (!known || mode != "dsr") {
		v.clientIP = ClientIPUnknown
	}
	return v
}

// ciliumFallsBack to terminating endpoints since v1.13.18 (cilium/cilium pkg/service/service.go segregateBackends, later
// pkg/loadbalancer/reconciler); not in v1.13.0, and those between were not read.
func (c *connection) ciliumFallsBack() cluster.Tristate {
	switch v := c.version; {
	case v.Before(1, 13, 1):
		return cluster.No
	case v.Before(1, 13, 18):
		return cluster.Undetermined
	default:
		return cluster.Yes
	}
}

// ciliumHeedsIPMode in v1.17.0 (pkg/k8s/service.go) and from v1.18.2 on (pkg/loadbalancer/reflectors/conversions.go);
// not in v1.13.0 to v1.16.19 and in v1.18.0. v1.18.1 was not read.
func (c *connection) ciliumHeedsIPMode() cluster.Tristate {
	switch v := c.version; {
	case v.Before(1, 17, 0), !v.Before(1, 18, 0) && v.Before(1, 18, 1):
		return cluster.No
	case !v.Before(1, 18, 1) && v.Before(1, 18, 2):
		return cluster.Undetermined
	default:
		return cluster.Yes
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

// ciliumVariants are settings in which Cilium's replacements of kube-proxy differ.
var ciliumVariants = []cluster.CiliumSettings{
	{ReplacesKubeProxy: true, Mode: "snat"},
	{ReplacesKubeProxy: true, Mode: "dsr"},
	{ReplacesKubeProxy: true, Mode: "snat", DropsWithoutBackend: true},
	{ReplacesKubeProxy: true, Mode: "snat", HostSocketsOnly: true},
	{ReplacesKubeProxy: true, Mode: "dsr", HostSocketsOnly: true},
	{ReplacesKubeProxy: true, Mode: "snat", HostSocketsOnly: true, DropsWithoutBackend: true},
	{ReplacesKubeProxy: true, Mode: "snat", PerPacket: true},
	{ReplacesKubeProxy: true, Mode: "snat", RangesOfAllTypes: true},
	{ReplacesKubeProxy: true, Mode: "snat", NoIPv4: true, NoIPv6: true},
}

// ciliumChanges are releases in which tables change without a rule that begins or ends there: v1.13.18 falls back to
// terminating endpoints, v1.15 answers where no endpoint is left, v1.17 and v1.18 read further annotations, v1.18.2
// heeds ipMode, v1.18.6 limits source ranges to load balancer addresses.
var ciliumChanges = []cluster.Version{
	version("1.13.1"), version("1.13.18"), version("1.15"), version("1.16"), version("1.17"), version("1.18"), version("1.18.1"), version("1.18.2"),
	version("1.18.6"), version("1.19"), version("1.19.2"), version("1.19.3"), version("1.19.7"), version("1.20"),
}

const ciliumLetters = "CIL"

var ciliumPlane = &plane{
	name: cluster.Cilium, letters: ciliumLetters,
	table: cilium, since: version("1.13"), until: version("1.21"), unread: unreadCilium, changes: ciliumChanges,
	rules: []*Rule{
		cil01, cil02, cil03, cil04, cil05, cil06, cil07, cil08, cil09, cil10, cil11, cil16, cil17, cil18, cil19, cil20, cil21, cil22, cil23, cil24, cil27, cil28, cil29,
		cil30, cil31, cil35, cil36, cil37, cil38, cil40, cil41, cil43, cil44, cil45, cil46, cil47, cil50,
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
		ID: "CIL-24", Since: "1.13", Until: "1.20", Source: "cilium/cilium bpf/bpf_lxc.c lb4_lookup_wildcard_nodeport_service (v1.19.3; not in v1.19.1)",
		Reason: "sockets are load balanced in the host network only. With bpf-lb-mode dsr or hybrid, v1.19.3 " +
			"translates node ports of other nodes on the pod's own node, v1.19.1 does not",
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
	cil35 = &Rule{
		ID: "CIL-35", Basis: Source, Since: "1.17", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reconciler/bpf_reconciler.go CheckSourceRange (v1.18.0 to v1.18.5), pkg/loadbalancer/service.go GetSourceRangesEnabled (v1.18.6 to v1.20.2), pkg/k8s/watchers/service.go configureWithSourceRanges (v1.17.0)",
		Reason: "loadBalancerSourceRanges do not allow the client, and Cilium applies them here too: to every " +
			"address with bpf-lb-source-range-all-types and from v1.18.0 until before v1.18.6, to external IPs from " +
			"v1.20 on",
	}
	cil36 = &Rule{
		ID: "CIL-36", Basis: Source, Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go convertService (v1.20.2), pkg/k8s/watchers/watcher.go genCartesianProduct (v1.13.0)",
		Reason: "the Service has no ClusterIP of this address family. Cilium sets up the address all the same, and " +
			"has no endpoint for it",
	}
	cil37 = &Rule{
		ID: "CIL-37", Basis: Source, Since: "1.17", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go CheckServiceNodeExposure, NewSvcExposureType (v1.20.2), pkg/k8s/service.go newSvcExposureType (v1.17.0)",
		Reason: "an annotation of the Service (service.cilium.io/type, node or node-selector) keeps Cilium from " +
			"serving this address on the node",
	}
	cil38 = &Rule{
		ID: "CIL-38", Basis: Source, Since: "1.17", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go CheckServiceNodeExposure (v1.20.2)",
		Reason: "an annotation of the Service (service.cilium.io/node or node-selector) keeps Cilium from serving it " +
			"on the client's node, so the node whose node port is used handles the connection",
	}
	cil40 = &Rule{
		ID: "CIL-40", Since: "1.13", Until: "1.21", Source: ciliumNode + " lb4_src_range_ok",
		Reason: "loadBalancerSourceRanges may or may not allow the client: its address is not known, or is replaced " +
			"on the way (SNAT)",
	}
	cil41 = &Rule{
		ID: "CIL-41", Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/datapath/tables/node_address.go (v1.20.2), bpf/bpf_sock.c sock4_wildcard_lookup_full",
		Reason: "the node port is dialled at an address that the Node object does not have. Whether Cilium serves " +
			"node ports there depends on its settings devices and nodeport-addresses",
	}
	cil43 = &Rule{
		ID: "CIL-43", Since: "1.13", Until: "1.21", Source: "cilium/cilium pkg/datapath/tables/node_address.go (v1.20.2), bpf/bpf_sock.c sock4_wildcard_lookup_full",
		Reason: "nodeport-addresses of Cilium do not include the address, or it is not known. Cilium then only serves " +
			"the node port for some clients inside the cluster",
	}
	cil44 = &Rule{
		ID: "CIL-44", Since: "1.13", Until: "1.21", Source: "cilium/cilium bpf/bpf_sock.c sock4_wildcard_lookup (v1.13.18, v1.16.0, v1.19.7), sock4_wildcard_lookup_full (v1.20.2)",
		Reason: "the port is outside node-port-range of Cilium (30000 to 32767 by default). Cilium on the client's " +
			"node does not recognise it as a node port of another node or of localhost",
	}
	cil45 = &Rule{
		ID: "CIL-45", Since: "1.18", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/writer/writer.go validateFrontends (v1.18.0 to v1.20.2)",
		Reason: "another Service has an address and port of this one. Cilium serves only one of the two, and the " +
			"other not even at its ClusterIP. The API does not show which",
	}
	cil46 = &Rule{
		ID: "CIL-46", Since: "1.13", Until: "1.18", Source: "cilium/cilium pkg/k8s/service.go ParseService (v1.13.18, v1.17.0)",
		Reason: "the Service has no ClusterIP of this address family. Whether Cilium serves its node port there is " +
			"not known before v1.18",
	}
	cil47 = &Rule{
		ID: "CIL-47", Basis: Source, Since: "1.18", Until: "1.21", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go convertService (v1.20.2)",
		Reason: "the Service is not of this address family, so Cilium does not serve its node port there and the " +
			"node refuses",
	}
	cil49 = &Rule{
		ID: "CIL-49", Basis: Source, Since: "1.13", Until: "1.21", Source: "cilium/cilium bpf/lib/nat.h snat_v6_rev_nat (v1.13.18 to v1.20.2)",
		Reason: "the other node refuses, but over IPv6 Cilium's eBPF masquerading does not let the refusal back to the pod",
	}
	cil50 = &Rule{
		ID: "CIL-50", Since: "1.15", Until: "1.21", Source: "cilium/cilium bpf/lib/lb.h tail_no_service_ipv4 (v1.20.2)",
		Reason: "the other node refuses, and only a tunnel leads from there to the pod, whose address is not masqueraded. Whether " +
			"the refusal takes it is not known",
	}
)
