package dataplane

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// connection fills c with every fact about a connection. It must not use kube-proxy's version or mode, which may not be
// known yet.
func (p *Predictor) connection(c *connection, client Client, t Target, f family, dialled netip.Addr) {
	judging := client.Node
	if t.To == NodePort {
		judging = t.Node
	}
	node, s := &p.snapshot.Nodes[judging], p.service
	arriving := f
	if (t.To == LoadBalancerIP || t.To == LoadBalancerHostname) && !p.hasFamily(f) {
		// A load balancer may use one address family for clients and another for nodes: the Service's own.
		arriving = 1 - f
	}
	g := p.group(t.Port, arriving)
	d := p.snapshot.DataplaneOf(node)
	*c = connection{dataplane: d}
	c.origin = origin{from: client.From, elsewhere: t.To == NodePort && client.From != External && t.Node != client.Node, staysWithEndpoint: s.ClientIPAffinity && client.Address.IsValid()}
	c.destination = destination{
		dialled: t.To, to: t.To, protocol: s.Ports[t.Port].Protocol, noNodePort: s.Ports[t.Port].NodePort == 0, ipModeProxy: t.IPMode == cluster.Proxy,
		noClusterIP: !p.hasFamily(f), ipv6: f == v6, nodePrefersOtherFamily: prefersOther(d, node, f), nodeHasBothFamilies: hasBoth(node),
		conflicts: p.conflicts,
	}
	c.hasStrays = c.noClusterIP && p.group(t.Port, f).total != (tally{})
	c.handler = handler{name: d.Name, mode: d.Mode, version: d.Version, isVirtual: node.IsVirtual(), leftToOtherProxy: s.ProxyName != ""}
	c.policies = policies{internalPolicy: s.InternalTrafficPolicy, externalPolicy: s.ExternalTrafficPolicy, clusterIPType: s.Type == cluster.TypeClusterIP}
	c.backends = backends{
		endpointsUnread: !s.EndpointsKnown, total: g.total, onNode: g.on[judging], takenAsLocal: g.on[judging], onClientNode: g.on[client.Node], withoutNode: g.nowhere, unnamed: g.unnamed,
	}
	c.masqueradedByCNI, c.mayHideClients, c.allowsClient, c.servesNodePort = d.PodMasquerade, d.MayMasqueradeClients, cluster.Yes, cluster.Yes
	if _, known := p.own[dialled]; d.Cilium != nil && t.To == NodePort && dialled.IsValid() && !known {
		// Cilium exempts the addresses of Node objects only.
		c.masqueradedByCNI = cluster.Undetermined
	}
	c.isOnNode = slices.Contains(node.InternalIPs, dialled) || slices.Contains(node.ExternalIPs, dialled)
	_, c.isOnSomeNode = p.own[dialled]
	c.settings(d)
	if c.name == cluster.KubeRouter {
		c.kubeRouted = kubeRouterFacts(s, d.KubeRouter, t.To, dialled)
	}
	c.annotations, c.servedByEnvoy = annotationsForCilium(s, &p.snapshot.Nodes[client.Node], node), s.ServedByCiliumEnvoy()
	if node.ProxyMode != "" && c.name == cluster.KubeProxy {
		c.mode = cluster.ProxyMode(node.ProxyMode)
	}
	if c.plane = planeOf(c.name, c.mode); c.plane == nil && (c.name != cluster.KubeProxy || c.mode != "") {
		// A mode without a table: userspace, which ended with v1.25, or a newer one.
		c.name, c.mode = cluster.UnknownDataplane, ""
	}
	c.endpointOnNode, c.endpointTakenAsLocal = client.Node == judging, client.Node == judging
	if name := d.ProxyNodeName(node); name != node.Name {
		c.takenAsLocal, c.endpointTakenAsLocal = g.named[name], false
		zone := ""
		if other := p.snapshot.NodeIndex(name); other >= 0 {
			zone, c.runsAsOtherNode = p.snapshot.Nodes[other].Zone, c.takenAsLocal.usable(true).n > 0
		}
		p.hint(c, g, zone, name)
	} else if p.countNone != nil && p.countNone[judging] {
		c.takenAsLocal, c.endpointTakenAsLocal = tally{}, false
		p.hint(c, g, "", "")
	} else {
		c.countDiffers = p.countOther != nil && p.countOther[judging]
		p.hint(c, g, node.Zone, node.Name)
	}
	c.reachableFromOutside, c.reachableIfIPModeIgnored = p.accessible(t.Port, arriving)
	c.isEndpoint = client.From == Pod && client.Address.IsValid() && slices.Contains(g.addresses, client.Address)
	c.arrivesAtNodePort = t.To == NodePort || (client.From == External && t.Arrival != AtAddress && t.To != ExternalIP && !c.noNodePort)
	if c.mayBeKubeProxy() {
		c.detectsPods = detects(d, node, f)
		if client.From == Pod {
			c.takenAsPod = p.isPod(c, client, node, f)
		}
		c.takenForPod = client.From == External && TakenForPod(d, client.Address)
	}
	if c.arrivesAtNodePort {
		c.to = NodePort
		at := dialled
		if t.To != NodePort {
			at, _ = first(node.InternalIPs, arriving)
		}
		c.isLoopback = at.IsLoopback()
		c.isFirst = !at.IsValid() || len(node.InternalIPs) == 0 || at == node.InternalIPs[0]
		inFamily, _ := first(node.InternalIPs, familyOf(at))
		c.isFirstInFamily = c.isFirst || at == inFamily
		c.outsideCiliumRange = d.Cilium != nil && !d.Cilium.IsNodePort(s.Ports[t.Port].NodePort)
		c.isOnNode = !at.IsValid() || slices.Contains(node.InternalIPs, at) || slices.Contains(node.ExternalIPs, at)
		if c.name == cluster.Cilium {
			p.guard(c, client, at, arriving)
		}
		c.serve(d, node, at, arriving)
		return
	}
	c.alsoClaimed = p.shared[claim{t.Address, s.Ports[t.Port].Port, s.Ports[t.Port].Protocol}]
	if t.To == LoadBalancerIP {
		c.mayBeOnNode = p.held && !c.isOnNode
		p.guard(c, client, t.Address, f)
	} else if t.To == ExternalIP && c.plane != nil && (c.plane.rangesOfExternalIPs || c.name == cluster.Cilium || c.cilium != nil) {
		p.guard(c, client, t.Address, f)
	}
}

// settings fills in those of a network plugin that serves Services on the node, alone or beside kube-proxy.
func (c *connection) settings(d *cluster.Dataplane) {
	c.cilium, c.antrea = d.Cilium, d.Antrea
	switch {
	case d.Cilium != nil:
		c.pluginVersion = d.Cilium.Version
	case d.Antrea != nil:
		c.pluginVersion = d.Antrea.Version
	}
}

// hint fills in the topology hints for a kube-proxy that runs under the name of a node in a zone.
func (p *Predictor) hint(c *connection, g *group, zone, node string) {
	c.hints = hints{
		annotated: p.annotated[1], annotatedBefore: p.annotated[0], everyZone: g.everyZone, everyNode: g.everyNode,
		node: g.nodes[node], nodeNowhere: g.nodesNowhere[node],
	}
	if zone != "" {
		c.hints.zone, c.hints.zoneNowhere = g.zones[zone], g.zonesNowhere[zone]
	}
}

const hintsAnnotation = "service.kubernetes.io/topology-aware-hints"

// annotation is the Service's setting for topology aware routing, in the two spellings that Kubernetes has had: "",
// auto or other.
func annotation(svc *cluster.Service, keys ...string) string {
	for _, key := range keys {
		switch svc.Annotations[key] {
		case "":
		case "Auto", "auto":
			return "auto"
		case "Disabled", "disabled":
			return ""
		default:
			return "other"
		}
	}
	return ""
}

// accessible is ExternallyAccessible of kubernetes/kubernetes pkg/proxy/serviceport.go: asProxied is only by an address
// with ipMode Proxy, which counts where that is ignored.
func (p *Predictor) accessible(port int, f family) (outright, asProxied bool) {
	if _, ok := first(p.service.ExternalIPs, f); ok || p.service.Ports[port].NodePort != 0 {
		return true, false
	}
	for _, in := range p.service.Ingress {
		if in.IP.IsValid() && familyOf(in.IP) == f {
			outright, asProxied = outright || in.IPMode != cluster.Proxy, asProxied || in.IPMode == cluster.Proxy
		}
	}
	return outright, asProxied
}

// hasFamily: the Service has a ClusterIP of that family. Without one, data planes do not serve the Service in that
// family.
func (p *Predictor) hasFamily(f family) bool {
	_, ok := first(p.service.ClusterIPs, f)
	return ok
}

// detects says whether kube-proxy on a node can tell pods from other clients in an address family.
func detects(d *cluster.Dataplane, node *cluster.Node, f family) cluster.Tristate {
	switch d.PodDetection() {
	case cluster.NoDetection:
		return cluster.No
	case cluster.BridgeInterface, cluster.InterfaceNamePrefix:
		return cluster.Yes
	case cluster.ClusterCIDR:
		_, ok := firstPrefix(d.KubeProxy.ClusterCIDRs, f)
		return cluster.Is(ok)
	case cluster.NodeCIDR:
		if _, ok := firstPrefix(node.PodCIDRs, f); ok || node.Known && len(node.PodCIDRs) > 0 {
			return cluster.Is(ok)
		}
		return cluster.Undetermined
	default:
		return cluster.Undetermined
	}
}

// TakenForPod says whether a node takes every client with this address for a pod of the cluster, wherever it is:
// kube-proxy that recognises pods by clusterCIDR does so (kubernetes/kubernetes pkg/proxy/util/localdetector.go). It is
// false for the zero Addr.
func TakenForPod(d *cluster.Dataplane, client netip.Addr) bool {
	if d.Name != cluster.KubeProxy || d.PodDetection() != cluster.ClusterCIDR || !client.IsValid() {
		return false
	}
	cidr, ok := firstPrefix(d.KubeProxy.ClusterCIDRs, familyOf(client))
	return ok && cidr.Contains(client)
}

// isPod says whether kube-proxy on the judging node recognises pods of the client's node as pods.
func (p *Predictor) isPod(c *connection, client Client, node *cluster.Node, f family) cluster.Tristate {
	switch c.dataplane.PodDetection() {
	case cluster.ClusterCIDR:
		if cidr, ok := firstPrefix(c.dataplane.KubeProxy.ClusterCIDRs, f); ok {
			return p.podsWithin([]netip.Prefix{cidr}, client.Address, &p.snapshot.Nodes[client.Node], f)
		}
		return cluster.No
	case cluster.NodeCIDR:
		if cidr, ok := firstPrefix(node.PodCIDRs, f); ok {
			return p.podsWithin([]netip.Prefix{cidr}, client.Address, &p.snapshot.Nodes[client.Node], f)
		}
		// Without any podCIDR kube-proxy does not start. Where it runs, nothing is known about it.
		return detects(c.dataplane, node, f)
	case cluster.BridgeInterface, cluster.InterfaceNamePrefix:
		// A pod's interface is on its own node only.
		return cluster.Is(!c.elsewhere)
	case cluster.NoDetection:
		return cluster.No
	default:
		return cluster.Undetermined
	}
}

// addPodAddress notes the address of an endpoint that is a pod. An address outside the podCIDR of its node shows that
// podCIDRs cannot be used to recognise pods.
func (p *Predictor) addPodAddress(e *cluster.Endpoint) {
	if _, own := p.own[e.Address]; own || e.Target == "" {
		return
	}
	f := familyOf(e.Address)
	p.pods[f] = append(p.pods[f], e.Address)
	if node := p.snapshot.NodeIndex(e.Node); node >= 0 {
		if cidr, ok := firstPrefix(p.snapshot.Nodes[node].PodCIDRs, f); ok && !cidr.Contains(e.Address) {
			p.outsidePodCIDR[f] = true
		}
	}
}

// podsWithin says whether the pods of a node have addresses in one of the ranges: Yes if all have, No if none has,
// Undetermined where the API does not show which addresses pods get.
func (p *Predictor) podsWithin(ranges []netip.Prefix, pod netip.Addr, node *cluster.Node, f family) cluster.Tristate {
	if pod.IsValid() {
		return cluster.Is(inAny(ranges, pod))
	}
	if cidr, ok := firstPrefix(node.PodCIDRs, f); ok && !p.outsidePodCIDR[f] {
		return covers(ranges, cidr)
	}
	if len(p.pods[f]) == 0 {
		return cluster.Undetermined
	}
	in := 0
	for _, a := range p.pods[f] {
		if inAny(ranges, a) {
			in++
		}
	}
	switch in {
	case len(p.pods[f]):
		return cluster.Yes
	case 0:
		return cluster.No
	default:
		return cluster.Undetermined
	}
}

// guard fills in the loadBalancerSourceRanges of an address family, and whether they allow the client.
func (p *Predictor) guard(c *connection, client Client, dialled netip.Addr, f family) {
	ranges := make([]netip.Prefix, 0, len(p.service.SourceRanges))
	for _, r := range p.service.SourceRanges {
		if familyOf(r.Addr()) == f {
			ranges = append(ranges, r)
		}
	}
	c.ranged = len(p.service.SourceRanges) > 0
	c.anyClient = client.From == External && !client.Address.IsValid()
	if len(ranges) == 0 {
		return
	}
	c.hasRanges = true
	narrow := slices.DeleteFunc(slices.Clone(ranges), func(r netip.Prefix) bool { return r.Bits() == 0 })
	c.allowsAll = len(narrow) < len(ranges)
	ranges = narrow
	node := &p.snapshot.Nodes[client.Node]
	switch client.From {
	case Pod:
		c.allowsClient = p.podsWithin(ranges, client.Address, node, f)
	case Node:
		c.allowsClient = cluster.Undetermined
		if a, ok := first(node.InternalIPs, f); ok {
			c.allowsClient = cluster.Is(inAny(ranges, a))
		}
		c.allowsDialled = cluster.Is(inAny(ranges, dialled))
		c.allowsNodeAddress = includes(ranges, p.proxyAddress(c.dataplane, node, f))
		c.allowsBindAddress = includes(ranges, bindAddress(c.dataplane, f))
	default:
		// A client outside without an address is any client that the ranges allow.
		c.allowsClient = cluster.Is(!client.Address.IsValid() || inAny(ranges, client.Address))
	}
}

type family uint8

const (
	v4 family = iota
	v6
)

func familyOf(a netip.Addr) family {
	if a.Is6() && !a.Is4In6() {
		return v6
	}
	return v4
}

func first(addresses []netip.Addr, f family) (netip.Addr, bool) {
	for _, a := range addresses {
		if familyOf(a) == f {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func firstPrefix(prefixes []netip.Prefix, f family) (netip.Prefix, bool) {
	for _, x := range prefixes {
		if familyOf(x.Addr()) == f {
			return x, true
		}
	}
	return netip.Prefix{}, false
}

func inAny(ranges []netip.Prefix, a netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(a) {
			return true
		}
	}
	return false
}

// covers: Yes if one of the ranges holds all of x, No if none holds any of it.
func covers(ranges []netip.Prefix, x netip.Prefix) cluster.Tristate {
	result := cluster.No
	for _, r := range ranges {
		if r.Bits() <= x.Bits() && r.Contains(x.Addr()) {
			return cluster.Yes
		}
		if r.Overlaps(x) {
			result = cluster.Undetermined
		}
	}
	return result
}
