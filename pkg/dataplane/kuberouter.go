package dataplane

import (
	"net/netip"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// kubeRouter: ipvs, but a node without local endpoints does not set up a Service with policy Local at all. Its address
// is not bound there, and packets to it leave the node by the routing table.
func kubeRouter(c *connection) verdict {
	as := *c
	as.heedKubeRouterAnnotations()
	as.useTerminating()
	v := as.kubeRouterList()
	switch {
	case v.endpoints == AllEndpoints && c.total.ready > 0 && c.total.terminating > 0,
		v.endpoints == LocalEndpoints && c.takenAsLocal.ready > 0 && c.takenAsLocal.terminating > 0:
		// Those that terminate are among them, which none of the words says.
		v.endpoints = EndpointsUnknown
	}
	return v
}

// kubeRouterList is the decision list, for the policies and endpoints as kube-router sees them.
func (c *connection) kubeRouterList() verdict {
	here := c.local().n > 0
	s := c.dataplane.KubeRouter
	masqueradesAll := s != nil && s.MasqueradeAll
	switch {
	case c.advertised() && c.isServedByKubeRouter() != cluster.Yes:
		return c.notServedByKubeRouter()
	case c.advertised() && c.returnsDirectly:
		return unknown(kr13, Reachable, Refused, TimedOut, Partial)
	case c.to == NodePort && !c.servesKubeRouterNodePort():
		if s == nil || s.NodePortsEverywhere {
			return unknown(kr11, Reachable, Refused, TimedOut, Partial)
		}
		return refused(kr11)
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal && !here:
		return unknown(kr04, Refused, TimedOut, Unreachable)
	case c.isEndpoint && c.endpointOnNode && !masqueradesAll && !c.returnsToItself():
		return c.ownKubeRouterConnection()
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal && !masqueradesAll:
		return c.reachesLocal(keeps, kr08)
	case c.localOnly() && !here && c.to == NodePort:
		return refused(kr01)
	case c.localOnly() && !here && c.from == External:
		return unknown(kr02, Reachable, Refused, TimedOut)
	case c.localOnly() && !here:
		return c.leaves(kr02)
	case !c.any():
		return refused(kr03)
	case masqueradesAll && c.localOnly():
		return c.reachesLocal(masquerades, kr14)
	case masqueradesAll:
		return c.reachesAll(masquerades, kr14)
	case c.localOnly():
		return c.reachesLocal(keeps, kr05)
	case c.from == Pod && !c.elsewhere:
		return c.reachesAll(keeps, kr07)
	case c.withoutRouter() && c.from == Node && !c.elsewhere:
		return c.reachesAll(keeps, kr06)
	case c.withoutRouter():
		return c.forwardedWithoutSNAT(keeps, kr10)
	default:
		return c.reachesAll(masqueradesRemote, kr06)
	}
}

// heedKubeRouterAnnotations replaces the policies by those that kube-router.io/service.local asks for.
func (c *connection) heedKubeRouterAnnotations() {
	if !c.asksLocal {
		return
	}
	c.externalPolicy, c.internalPolicy = cluster.PolicyLocal, cluster.PolicyCluster
	if c.version.Less(version("2.4")) {
		c.internalPolicy = cluster.PolicyLocal
	}
}

// useTerminating counts serving, terminating endpoints as ready: kube-router uses both alike
// (network_services_controller.go buildEndpointSliceInfo).
func (c *connection) useTerminating() {
	for _, t := range []*tally{&c.total, &c.onNode, &c.takenAsLocal, &c.withoutNode, &c.onClientNode, &c.unnamed} {
		t.ready, t.readyHost = t.ready+t.terminating, t.readyHost+t.terminatingHost
		t.terminating, t.terminatingHost = 0, 0
	}
}

// isServedByKubeRouter: kube-router puts the dialled load balancer address or external IP on nodes.
func (c *connection) isServedByKubeRouter() cluster.Tristate {
	switch {
	case c.to == LoadBalancerIP && c.skipsLoadBalancerIPs:
		return cluster.No
	case c.version.Less(version("2.8")):
		return cluster.Yes
	default:
		return c.isServed
	}
}

func (c *connection) notServedByKubeRouter() verdict {
	rule := kr12
	if c.skipsLoadBalancerIPs && c.to == LoadBalancerIP {
		rule = kr15
	}
	switch {
	case rule == kr12 && c.isServed == cluster.Undetermined:
		return c.anything(rule)
	case c.from == External:
		return unknown(rule, Reachable, Refused, TimedOut)
	default:
		return c.leaves(rule)
	}
}

// servesKubeRouterNodePort: kube-router serves node ports at the first address of the node, since v2.11 at the first one
// of each family. What it does with --nodeport-bindon-all-ip at others has not been measured.
func (c *connection) servesKubeRouterNodePort() bool {
	return c.isFirst || c.isFirstInFamily && !c.version.Less(version("2.11"))
}

// returnsToItself: in hairpin mode a pod gets an answer from itself.
func (c *connection) returnsToItself() bool {
	s := c.dataplane.KubeRouter
	isOn := s != nil && s.Hairpin || c.asksHairpin
	return isOn && (c.to != ExternalIP && c.to != LoadBalancerIP || c.to == ExternalIP && c.asksExternalHairpin)
}

// ownKubeRouterConnection is the verdict for a pod of the node that is an endpoint of the Service, without hairpin mode.
func (c *connection) ownKubeRouterConnection() verdict {
	among := c.all()
	if c.policy() == cluster.PolicyLocal {
		among = c.local()
	}
	switch {
	case c.dataplane.KubeRouter == nil:
		return unknown(kr09, Reachable, TimedOut, Partial)
	case among.n == 1:
		return timedOut(kr09)
	default:
		return verdict{outcome: Partial, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, rule: kr09}
	}
}

// kubeRouterFacts are those about a Service and a dialled address.
func kubeRouterFacts(svc *cluster.Service, k *cluster.KubeRouterSettings, to To, dialled netip.Addr) kubeRouted {
	has := func(key string) bool { _, ok := svc.Annotations[key]; return ok }
	out := kubeRouted{
		asksLocal:            svc.Annotations["kube-router.io/service.local"] == "true",
		asksHairpin:          has("kube-router.io/service.hairpin"),
		asksExternalHairpin:  has("kube-router.io/service.hairpin.externalips"),
		skipsLoadBalancerIPs: has("kube-router.io/service.skiplbips"),
		returnsDirectly:      svc.Annotations["kube-router.io/service.dsr"] == "tunnel",
	}
	switch {
	case k == nil:
	case k.AnyAddress:
		out.isServed = cluster.Yes
	case to == ExternalIP:
		out.isServed = cluster.Is(inAny(k.ExternalIPRanges, dialled))
	default:
		out.isServed = cluster.Is(inAny(k.LoadBalancerRanges, dialled))
	}
	return out
}

func (c *connection) withoutRouter() bool {
	s := c.dataplane.KubeRouter
	return s != nil && s.NoRouter
}

var kubeRouterPlane = &plane{
	name: cluster.KubeRouter, letters: "KR",
	table: kubeRouter, since: version("2.1"), until: version("2.12"), unread: unreadKubeRouter, needsVersion: true,
	rules:   []*Rule{kr01, kr02, kr03, kr04, kr05, kr06, kr07, kr08, kr09, kr10, kr11, kr12, kr13, kr14, kr15},
	changes: []cluster.Version{version("2.4"), version("2.8"), version("2.9"), version("2.11")},
	// Read in network_services_controller.go of v2.1.0, v2.8.1, v2.9.0 and v2.11.0. No release has code for
	// loadBalancerSourceRanges or topology hints.
	heedsIPMode:     func(c *connection) cluster.Tristate { return cluster.Is(!c.version.Less(version("2.9"))) },
	usesTerminating: func(*connection) cluster.Tristate { return cluster.Yes },
	settlesHints:    always, settlesRanges: true,
}

var unreadKubeRouter = &Rule{
	ID: "UNK-36", Source: "cloudnativelabs/kube-router pkg/controllers/proxy, v2.1.0 and v2.11.0",
	Reason: "kubectl etp has rules for kube-router v2.1 to v2.11 only. This release is another one, or is not known",
}

const (
	kubeRouterSource  = "cloudnativelabs/kube-router pkg/controllers/proxy/service_endpoints_sync.go (v2.1.0, v2.11.0)"
	kubeRouterMasking = "cloudnativelabs/kube-router pkg/controllers/proxy/network_services_controller.go (v2.1.0, v2.11.0)"
)

var (
	kr01 = &Rule{
		ID: "KR-01", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "policy is Local and the node has no local endpoint, so kube-router does not set up the node port " +
			"on it",
	}
	kr02 = &Rule{
		ID: "KR-02", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "policy is Local and the node has no local endpoint. kube-router does not set up the address on it, " +
			"so the packet leaves by the node's routes",
	}
	kr03 = &Rule{
		ID: "KR-03", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "the Service has no usable endpoint: the ipvs virtual server has no real server, so the kernel " +
			"refuses the connection",
	}
	kr04 = &Rule{
		ID: "KR-04", Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "internalTrafficPolicy is Local and the node has no local endpoint. kube-router does not set up the " +
			"ClusterIP on it, and what answers the packet depends on the node's routes",
	}
	kr05 = &Rule{
		ID: "KR-05", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "policy is Local, so the connection goes to an endpoint on the node and keeps the client IP",
	}
	kr06 = &Rule{
		ID: "KR-06", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking,
		Reason: "the connection goes to any endpoint. If that is on another node, the node's address replaces the " +
			"client IP (SNAT)",
	}
	kr07 = &Rule{
		ID: "KR-07", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking,
		Reason: "the connection goes to any endpoint, and the node's own pods keep their address (no SNAT)",
	}
	kr08 = &Rule{
		ID: "KR-08", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource,
		Reason: "internalTrafficPolicy is Local, so the connection goes to an endpoint on the node",
	}
	kr09 = &Rule{
		ID: "KR-09", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking + ", hairpin mode",
		Reason: "the pod can get its own connection back, and then there is no answer: kube-router's hairpin mode is " +
			"not on for it (--hairpin-mode, annotation kube-router.io/service.hairpin)",
	}
	kr10 = &Rule{
		ID: "KR-10", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking,
		Reason: "with --run-router=false kube-router does not masquerade (no SNAT), so endpoints on other nodes " +
			"answer the client past this node",
	}
	kr11 = &Rule{
		ID: "KR-11", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource + " setupNodePortServices",
		Reason: "without --nodeport-bindon-all-ip kube-router serves node ports at one address of the node only " +
			"(since v2.11 one of each address family), and this is another one",
	}
	kr12 = &Rule{
		ID: "KR-12", Basis: Source, Since: "2.8", Until: "2.12", Source: "cloudnativelabs/kube-router pkg/svcip/validator.go (v2.8.0, v2.11.0)",
		Reason: "since v2.8 kube-router only serves load balancer addresses within --loadbalancer-ip-range and " +
			"external IPs within --service-external-ip-range, unless --strict-external-ip-validation=false",
	}
	kr13 = &Rule{
		ID: "KR-13", Since: "2.1", Until: "2.12", Source: kubeRouterSource + " setupExternalIPForDSRService",
		Reason: "the annotation kube-router.io/service.dsr lets endpoints answer clients directly, for which " +
			"kubectl etp has no rules",
	}
	kr14 = &Rule{
		ID: "KR-14", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterMasking + " ensureMasqueradeIptablesRule",
		Reason: "with --masquerade-all kube-router replaces the client IP by the node's address on every connection " +
			"(SNAT)",
	}
	kr15 = &Rule{
		ID: "KR-15", Basis: Source, Since: "2.1", Until: "2.12", Source: kubeRouterSource + " setupExternalIPServices",
		Reason: "the annotation kube-router.io/service.skiplbips tells kube-router not to serve load balancer " +
			"addresses, so the packet leaves by the node's routes",
	}
)
