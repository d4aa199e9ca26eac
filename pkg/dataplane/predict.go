package dataplane

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Predictor predicts what connections to one Service meet. Making one costs time proportional to nodes and endpoints; each question costs a constant.
//
// It is not safe for concurrent use.
type Predictor struct {
	snapshot *cluster.Snapshot
	service  *cluster.Service
	// groups of endpoints: for each Service port one for IPv4 and one for IPv6.
	groups []group
	// own says which node has an address, by its index, to tell endpoints on the host network from pods.
	own map[netip.Addr]int
	// shared says of addresses and ports of the Service whether another Service of the snapshot claims them too.
	shared map[claim]others
	// captured says whether Services of the snapshot claim a node's own address; nil as long as nobody has asked.
	captured *others
	// strayed: pods have addresses outside their node's podCIDRs, which then say nothing of any pod; by family.
	strayed [2]bool
	// pods are the addresses of endpoints that are pods, by family.
	pods [2][]netip.Addr
	// held: a program on the nodes may hold the Service's load balancer addresses.
	held bool
	// annotated is the wish for topology aware routing as releases before v1.27 read it, and as later ones do.
	annotated [2]string
	// disowned and doubted are nodes that themselves count none, or another number, of the endpoints that EndpointSlices place there; nil where nobody told.
	disowned, doubted []bool
	// judged remembers connections that had to be judged under several assumptions.
	judged map[connection]verdict
	// current is the connection that is asked about, and latest the one before it of the same kind: in a large cluster most nodes are alike.
	current connection
	latest  [External + 1][ClusterIP + 1]struct {
		connection
		verdict
	}
}

// group is the endpoints of one Service port in one address family.
type group struct {
	total tally
	// on counts by node, in the snapshot's order; named by the name that endpoints carry.
	on                   []tally
	named                map[string]tally
	everyZone, everyNode bool
	zones, nodes         map[string]int
	// nowhere counts endpoints that name no node of the snapshot, zonesNowhere and nodesNowhere those of them that are hinted for it.
	nowhere                    tally
	zonesNowhere, nodesNowhere map[string]int
	addresses                  []netip.Addr
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

// New prepares predictions for a Service of the snapshot.
func New(s *cluster.Snapshot, svc *cluster.Service) *Predictor {
	p := &Predictor{
		snapshot: s, service: svc, held: mayBeHeld(s, svc), own: make(map[netip.Addr]int, 2*len(s.Nodes)),
		annotated: [...]string{annotation(svc, hintsAnnotation), annotation(svc, hintsAnnotation, "service.kubernetes.io/topology-mode")},
	}
	for i := range s.Nodes {
		for _, a := range s.Nodes[i].InternalIPs {
			p.own[a] = i
		}
		for _, a := range s.Nodes[i].ExternalIPs {
			p.own[a] = i
		}
	}
	p.groups = make([]group, 2*len(svc.Ports))
	for i := range svc.Ports {
		for f := v4; f <= v6; f++ {
			p.fill(p.group(i, f), i, f)
		}
	}
	for i := range svc.Endpoints {
		p.learn(&svc.Endpoints[i])
	}
	p.believe()
	p.share()
	return p
}

// claim is an address from outside that nodes answer for on behalf of a Service.
type claim struct {
	address  netip.Addr
	port     uint16
	protocol cluster.Protocol
}

// others claim an address as well: outright, or with ipMode Proxy, which not every release of every data plane heeds.
type others struct{ outright, proxied bool }

// claims are all of a Service, each with whether it is made with ipMode Proxy.
func claims(s *cluster.Service) iter.Seq2[claim, bool] {
	return func(yield func(claim, bool) bool) {
		for t := range Addresses(s) {
			if t.To != LoadBalancerIP && t.To != ExternalIP {
				continue
			}
			for _, port := range s.Ports {
				if !yield(claim{t.Address, port.Port, port.Protocol}, t.IPMode == cluster.Proxy) {
					return
				}
			}
		}
	}
}

// share finds out which addresses the Service has together with others.
func (p *Predictor) share() {
	own := map[claim]others{}
	for c := range claims(p.service) {
		own[c] = others{}
	}
	if len(own) == 0 {
		return
	}
	for i := range p.snapshot.Services {
		other := &p.snapshot.Services[i]
		if other.Namespace == p.service.Namespace && other.Name == p.service.Name {
			continue
		}
		for c, proxied := range claims(other) {
			if o, ok := own[c]; ok {
				own[c] = others{o.outright || !proxied, o.proxied || proxied}
			}
		}
	}
	p.shared = own
}

// doubt names what keeps a verdict from being certain, whatever table it is from; nil where nothing does.
func (p *Predictor) doubt(c *connection, v verdict) *Rule {
	switch {
	case v.outcome == ViaLoadBalancer:
		return nil
	case (c.elsewhere || v.extraHop != Never) && p.nodesCutOff(c):
		return capturedAddress
	case c.borrowed && (v.outcome != Reachable || v.endpoints != AllEndpoints || v.topology != ""):
		return borrowedName
	default:
		return nil
	}
}

// nodesCutOff: ipvs puts every address of a Service on every node, and one that is a node's own too reaches that node from no other. What else fails there depends
// on the network: tunnels between nodes end at such addresses, and so do masqueraded connections.
func (p *Predictor) nodesCutOff(c *connection) bool {
	if c.name != cluster.KubeProxy || c.mode != cluster.IPVS {
		return false
	}
	if p.captured == nil {
		p.captured = p.capture()
	}
	return p.captured.outright || p.captured.proxied && !c.honoursIPMode()
}

// capture finds out whether a Service claims a node's own address.
func (p *Predictor) capture() *others {
	found := others{}
	for i := range p.snapshot.Services {
		for c, proxied := range claims(&p.snapshot.Services[i]) {
			if node, ok := p.own[c.address]; ok && slices.Contains(p.snapshot.Nodes[node].InternalIPs, c.address) {
				found = others{found.outright || !proxied, found.proxied || proxied}
			}
		}
	}
	return &found
}

// believe takes the nodes' own counts of endpoints over those of the EndpointSlices. A kube-proxy that counts none where slices place some runs under another node's
// name, or has not heard of them: it knows none of any Service. Where this Service has no health check, others tell.
func (p *Predictor) believe() {
	switch s := p.service; {
	case s.Live != nil:
		p.disowned, p.doubted = make([]bool, len(p.snapshot.Nodes)), make([]bool, len(p.snapshot.Nodes))
		p.eachCount(s, func(node int, _ Count, counted int, disagrees bool) {
			p.disowned[node], p.doubted[node] = disagrees && counted == 0, disagrees && counted > 0
		})
	case s.ExternalTrafficPolicy == cluster.PolicyLocal || s.InternalTrafficPolicy == cluster.PolicyLocal:
		// Every Service tells the same, so that one for each node is enough.
		untold := len(p.snapshot.Nodes)
		told := make([]bool, untold)
		for i := 0; i < len(p.snapshot.Services) && untold > 0; i++ {
			p.eachCount(&p.snapshot.Services[i], func(node int, here Count, counted int, disagrees bool) {
				// A count of none that the EndpointSlices explain says nothing of other Services.
				if here.Ready == 0 || counted == 0 && !disagrees || told[node] {
					return
				}
				if p.disowned == nil {
					p.disowned = make([]bool, len(p.snapshot.Nodes))
				}
				p.disowned[node], told[node] = counted == 0, true
				untold--
			})
		}
	}
}

// eachCount calls f for each node that has counted the endpoints of a Service, with what EndpointSlices place there, what it counted, and whether the two disagree.
func (p *Predictor) eachCount(s *cluster.Service, f func(node int, here Count, counted int, disagrees bool)) {
	if s.Live == nil {
		return
	}
	on, nowhere := Counts(p.snapshot, s)
	for i := range p.snapshot.Nodes {
		n := &p.snapshot.Nodes[i]
		if live, ok := s.Live[n.Name]; ok && live.LocalEndpoints >= 0 {
			f(i, on[i], live.LocalEndpoints, Disagrees(p.snapshot.DataplaneOf(n), s, on[i], nowhere, live.LocalEndpoints))
		}
	}
}

func (p *Predictor) group(port int, f family) *group { return &p.groups[2*port+int(f)] }

const hintsAnnotation = "service.kubernetes.io/topology-aware-hints"

// annotation is the Service's wish for topology aware routing, in the two spellings that Kubernetes has had for it.
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

func (p *Predictor) fill(g *group, port int, f family) {
	*g = group{
		on: make([]tally, len(p.snapshot.Nodes)), named: map[string]tally{}, everyZone: true, everyNode: true,
		zones: map[string]int{}, nodes: map[string]int{}, zonesNowhere: map[string]int{}, nodesNowhere: map[string]int{},
	}
	for i := range p.service.Endpoints {
		e := &p.service.Endpoints[i]
		if familyOf(e.Address) != f || !e.Serves(&p.service.Ports[port]) || e.IsPlaceholder() {
			continue
		}
		one := tally{}
		host := 0
		if _, own := p.own[e.Address]; own {
			host = 1
		}
		node := p.snapshot.NodeIndex(e.Node)
		switch {
		case e.Ready:
			one.ready, one.readyHost = 1, host
			g.everyZone = g.everyZone && len(e.ForZones) > 0
			g.everyNode = g.everyNode && len(e.ForNodes) > 0
			for _, z := range e.ForZones {
				g.zones[z]++
				if node < 0 {
					g.zonesNowhere[z]++
				}
			}
			for _, n := range e.ForNodes {
				g.nodes[n]++
				if node < 0 {
					g.nodesNowhere[n]++
				}
			}
			if node >= 0 && slices.Contains(e.ForZones, p.snapshot.Nodes[node].Zone) {
				one.zoneHinted = 1
			}
			if slices.Contains(e.ForNodes, e.Node) {
				one.nodeHinted = 1
			}
		case e.Serving && e.Terminating:
			one.terminating, one.terminatingHost = 1, host
		default:
			continue
		}
		g.addresses = append(g.addresses, e.Address)
		g.total.add(one)
		if node >= 0 {
			g.on[node].add(one)
		} else {
			g.nowhere.add(one)
		}
		if e.Node != "" {
			t := g.named[e.Node]
			t.add(one)
			g.named[e.Node] = t
		}
	}
}

func (t *tally) add(o tally) {
	t.ready += o.ready
	t.terminating += o.terminating
	t.readyHost += o.readyHost
	t.terminatingHost += o.terminatingHost
	t.zoneHinted += o.zoneHinted
	t.nodeHinted += o.nodeHinted
}

// learn takes an endpoint as a witness of which addresses pods have.
func (p *Predictor) learn(e *cluster.Endpoint) {
	if _, own := p.own[e.Address]; own || e.Target == "" {
		return
	}
	f := familyOf(e.Address)
	p.pods[f] = append(p.pods[f], e.Address)
	if node := p.snapshot.NodeIndex(e.Node); node >= 0 {
		if cidr, ok := firstPrefix(p.snapshot.Nodes[node].PodCIDRs, f); ok && !cidr.Contains(e.Address) {
			p.strayed[f] = true
		}
	}
}

func firstPrefix(prefixes []netip.Prefix, f family) (netip.Prefix, bool) {
	for _, x := range prefixes {
		if familyOf(x.Addr()) == f {
			return x, true
		}
	}
	return netip.Prefix{}, false
}

func first(addresses []netip.Addr, f family) (netip.Addr, bool) {
	for _, a := range addresses {
		if familyOf(a) == f {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// Client is where a connection starts.
type Client struct {
	From From
	// Node is the index in the snapshot of the node where it starts, or for External of the node that the packet has been sent to.
	Node int
	// Address is the zero Addr for any process or pod of the node; a pod's own where one pod is meant, such as a backend that dials itself.
	Address netip.Addr
}

// Target is what a connection dials.
type Target struct {
	To To
	// Address may be left out for LoadBalancerHostname, and for NodePort, where the node's own InternalIP is dialled.
	Address  netip.Addr
	Hostname string
	// IPMode is that of a load balancer address; "" is VIP.
	IPMode cluster.IPMode
	// Port is the index of the Service port.
	Port int
	// Node is the node whose node port is dialled; it counts for NodePort only.
	Node int
	// IPv6 tells the family where there is no Address.
	IPv6 bool
	// Arrival is where an External packet to a load balancer address arrives; it counts for nothing else.
	Arrival Arrival
}

// Arrival says what an External packet to a load balancer address is addressed to when it comes to the node.
type Arrival uint8

const (
	// AtNodePort: the load balancer has put the node's address and node port in the place of its own.
	AtNodePort Arrival = iota
	// AtAddress: the load balancer address is the destination still (announced by MetalLB, forwarded by GCP).
	AtAddress
	// AtEither: it is not known which.
	AtEither
)

// Path predicts what a connection meets.
func (p *Predictor) Path(client Client, t Target) Path {
	if t.Arrival != AtEither || client.From != External || t.To != LoadBalancerIP {
		return p.path(client, t)
	}
	t.Arrival = AtAddress
	atAddress := p.path(client, t)
	t.Arrival = AtNodePort
	both := p.path(client, t)
	rule := unknownArrival
	if both.Outcome == atAddress.Outcome {
		rule = both.Rule
	}
	both.settle(merge(both.verdict(), atAddress.verdict(), rule))
	return both
}

func (p *Predictor) path(client Client, t Target) Path {
	port := &p.service.Ports[t.Port]
	f := v4
	if t.IPv6 || (t.Address.IsValid() && familyOf(t.Address) == v6) {
		f = v6
	}
	path := Path{From: client.From, To: t.To, Address: t.Address, Hostname: t.Hostname, Port: port.Port, Protocol: port.Protocol}
	if t.To == NodePort {
		path.Port = port.NodePort
		if !t.Address.IsValid() {
			path.Address, _ = first(p.snapshot.Nodes[t.Node].InternalIPs, f)
		}
	}
	c := &p.current
	p.connection(c, client, t, f, path.Address)
	v := p.judgedBefore(c)
	if owner, ok := p.own[path.Address]; ok && (v.could | known(v.outcome)).Has(ViaLoadBalancer) && t.To == ExternalIP && owner != client.Node {
		// There is no load balancer behind an address of another node: the packet gets there. A refusal is for everybody; whatever else that node does may depend on
		// what it takes the source for.
		there := p.Path(Client{From: External, Node: owner}, t)
		switch {
		case there.Outcome == Refused && v.outcome == ViaLoadBalancer:
			there.From, there.Basis = client.From, there.Rule.Basis
			return there
		case there.Outcome == Refused:
			v.could |= either(Refused)
		case there.Could.Has(Refused):
			v = merge(v, refused(there.Rule), there.Rule)
		}
	}
	path.settle(v)
	return path
}

// settle takes over a verdict.
func (p *Path) settle(v verdict) {
	p.Outcome, p.Endpoints, p.ClientIP, p.ExtraHop = v.outcome, v.endpoints, v.clientIP, v.extraHop
	p.Could, p.Topology, p.Rule, p.Basis = v.could, v.topology, v.rule, NoBasis
	if v.outcome != Unknown {
		p.Basis = v.basis
	}
}

func (p *Path) verdict() verdict {
	return verdict{
		outcome: p.Outcome, endpoints: p.Endpoints, clientIP: p.ClientIP, extraHop: p.ExtraHop, topology: p.Topology, could: p.Could, rule: p.Rule, basis: p.Basis,
	}
}

// connection gathers what decides about a connection into c. It must not look at the version of kube-proxy, nor at its mode, but for what c keeps by mode: those may
// not be known yet.
func (p *Predictor) connection(c *connection, client Client, t Target, f family, dialled netip.Addr) {
	judging := client.Node
	if t.To == NodePort {
		judging = t.Node
	}
	node, s := &p.snapshot.Nodes[judging], p.service
	arriving := f
	if (t.To == LoadBalancerIP || t.To == LoadBalancerHostname) && !p.hasFamily(f) {
		// A load balancer may speak one family to its clients and another to nodes: what it can hand on is the Service's own.
		arriving = 1 - f
	}
	g := p.group(t.Port, arriving)
	d := p.snapshot.DataplaneOf(node)
	*c = connection{
		from: client.From, to: t.To, asked: t.To, protocol: s.Ports[t.Port].Protocol, elsewhere: t.To == NodePort && client.From != External && t.Node != client.Node,
		internal: s.InternalTrafficPolicy, external: s.ExternalTrafficPolicy, clusterIPType: s.Type == cluster.TypeClusterIP,
		dataplane: d, name: d.Name, mode: d.Mode, version: d.Version,
		total: g.total, nowhere: g.nowhere, beside: g.on[judging], here: g.on[judging],
		masqueraded: d.PodMasquerade, admitted: cluster.Yes, served: cluster.Yes,
		bound:           slices.Contains(node.InternalIPs, dialled) || slices.Contains(node.ExternalIPs, dialled),
		endpointsUnread: !s.EndpointsKnown, virtual: node.VirtualKubelet, otherProxy: s.ProxyName != "",
		otherFamilyFirst: len(node.InternalIPs) > 0 && familyOf(node.InternalIPs[0]) != f,
		noNodePort:       s.Ports[t.Port].NodePort == 0, proxied: t.IPMode == cluster.Proxy, noFamily: !p.hasFamily(f),
		sticky: s.ClientIPAffinity && client.Address.IsValid(),
		home:   g.on[client.Node],
	}
	_, c.owned = p.own[dialled]
	c.settings(d)
	c.annotated, c.envoy = annotationsForCilium(s), s.ServedByCiliumEnvoy()
	if node.ProxyMode != "" && c.name == cluster.KubeProxy {
		c.mode = cluster.ProxyMode(node.ProxyMode)
	}
	switch c.mode {
	case "", cluster.IPTables, cluster.IPVS, cluster.NFTables:
	default: // userspace, gone since v1.26, or one of a time to come: no table here is its
		c.name, c.mode = cluster.UnknownDataplane, ""
	}
	c.besideJudge, c.ownPod = client.Node == judging, client.Node == judging
	if name := d.ProxyNodeName(node); name != node.Name {
		c.here, c.ownPod = g.named[name], false
		zone := ""
		if other := p.snapshot.NodeIndex(name); other >= 0 {
			zone, c.borrowed = p.snapshot.Nodes[other].Zone, c.here.usable(true).n > 0
		}
		p.hint(c, g, zone, name)
	} else if p.disowned != nil && p.disowned[judging] {
		c.here, c.ownPod = tally{}, false
		p.hint(c, g, "", "")
	} else {
		c.doubted = p.doubted != nil && p.doubted[judging]
		p.hint(c, g, node.Zone, node.Name)
	}
	c.accessible, c.accessibleAsProxied = p.accessible(t.Port, arriving)
	c.itself = client.From == Pod && client.Address.IsValid() && slices.Contains(g.addresses, client.Address)
	c.throughNodePort = t.To == NodePort || (client.From == External && t.Arrival != AtAddress && t.To != ExternalIP && !c.noNodePort)
	if c.name == cluster.KubeProxy || c.name == cluster.UnknownDataplane || c.name == "" {
		c.detects = detects(d, node, f)
		if client.From == Pod {
			c.isPod = p.isPod(c, client, node, f)
		}
	}
	if c.throughNodePort {
		c.to = NodePort
		at := dialled
		if t.To != NodePort {
			at, _ = first(node.InternalIPs, arriving)
		}
		c.loopback = at.IsLoopback()
		c.serve(d, node, at, arriving)
		return
	}
	c.shared = p.shared[claim{t.Address, s.Ports[t.Port].Port, s.Ports[t.Port].Protocol}]
	if t.To == LoadBalancerIP {
		c.mayBeBound = p.held && !c.bound
		p.guard(c, client, t.Address, f)
	} else if t.To == ExternalIP && c.name == cluster.CalicoEBPF {
		// Calico guards external IPs as well (felix/bpf/proxy/syncer.go writeLBSrcRangeSvcNATKeys).
		p.guard(c, client, t.Address, f)
	}
}

// serve fills in whether nodePortAddresses include the address of the node that is dialled, for the node's mode or, where that is not known, for each.
func (c *connection) serve(d *cluster.Dataplane, node *cluster.Node, at netip.Addr, f family) {
	if c.mode != "" || c.name != cluster.KubeProxy && c.name != cluster.UnknownDataplane && c.name != "" {
		c.served = nodePortServed(d, c.mode, node, at, f)
		return
	}
	for i, mode := range proxyModes {
		c.servedBy[i] = nodePortServed(d, mode, node, at, f)
	}
}

// settings are those of the network plugin that serves Services on the node, alone or beside kube-proxy.
func (c *connection) settings(d *cluster.Dataplane) {
	c.cilium, c.antrea = d.Cilium, d.Antrea
	switch {
	case d.Cilium != nil:
		c.pluginVersion = d.Cilium.Version
	case d.Antrea != nil:
		c.pluginVersion = d.Antrea.Version
	}
}

// hint fills in the topology hints for a kube-proxy that takes itself for that node.
func (p *Predictor) hint(c *connection, g *group, zone, node string) {
	c.hints = hints{
		annotated: p.annotated[1], annotatedBefore: p.annotated[0], everyZone: g.everyZone, everyNode: g.everyNode,
		node: g.nodes[node], nodeNowhere: g.nodesNowhere[node],
	}
	if zone != "" {
		c.hints.zone, c.hints.zoneNowhere = g.zones[zone], g.zonesNowhere[zone]
	}
}

// accessible is ExternallyAccessible of kubernetes/kubernetes pkg/proxy/serviceport.go: outright, or by an address with ipMode Proxy for those who do not heed that.
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

// beforehand is what is true of every data plane: what no node answers for, and what could not be read. The verdict has no rule where the tables decide.
func beforehand(c *connection) verdict {
	switch {
	case c.endpointsUnread:
		return unknown(endpointsNotRead, Reachable, Refused, TimedOut)
	case c.virtual:
		return unknown(virtualNode, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.otherProxy && c.from != External && c.advertised():
		return unknown(otherProxy, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.otherProxy:
		return unknown(otherProxy, Reachable, Refused, TimedOut)
	case c.name == cluster.KubeProxy && c.otherFamilyFirst && c.before(21, 0) && !c.gate("IPv6DualStack", false):
		return unknown(singleStack, Refused, TimedOut, ViaLoadBalancer)
	case c.asked == NodePort && c.noNodePort:
		return refused(noNodePort)
	case c.throughNodePort:
		return verdict{}
	case c.shared.outright, c.shared.proxied && (!c.honoursIPMode() || c.doubtsIPMode()):
		return unknown(sharedAddress, Reachable, Refused, TimedOut, Partial, ViaLoadBalancer)
	case c.from == External && c.to != ExternalIP && (c.to == LoadBalancerHostname || c.proxied):
		return unknown(noWayToNode, Reachable, Refused, TimedOut)
	case c.to == LoadBalancerHostname:
		return c.leaves(hostnameOnly)
	case c.to == LoadBalancerIP && c.proxied && c.doubtsIPMode():
		return unknown(unknownIPMode, Reachable, Refused, TimedOut, Unreachable, ViaLoadBalancer)
	case c.to == LoadBalancerIP && c.proxied && c.honoursIPMode():
		return c.leaves(proxyMode)
	case c.to != ClusterIP && c.noFamily:
		return c.leaves(otherFamily)
	case c.to == ExternalIP && c.name == cluster.KubeProxy && !c.before(36, 0) && !c.gate("AllowServiceExternalIPs", true):
		return c.leaves(ignoredExternalIP)
	default:
		return verdict{}
	}
}

// hasFamily: the Service has a ClusterIP of that family; without one, kube-proxy and its kin know nothing of the Service in that family.
func (p *Predictor) hasFamily(f family) bool {
	_, ok := first(p.service.ClusterIPs, f)
	return ok
}

// detects says whether kube-proxy on a node can tell pods from others in a family at all.
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

// isPod says whether kube-proxy on the judging node takes the pods of the source's node for pods, if it can tell pods at all.
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
		// Without any podCIDR kube-proxy does not even start, and where it runs all the same nothing is known of it.
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

// podsWithin says whether the pods of a node have addresses in one of the ranges: Yes if all, No if none, as far as the API tells where pods' addresses come from.
func (p *Predictor) podsWithin(ranges []netip.Prefix, pod netip.Addr, node *cluster.Node, f family) cluster.Tristate {
	if pod.IsValid() {
		return cluster.Is(inAny(ranges, pod))
	}
	if cidr, ok := firstPrefix(node.PodCIDRs, f); ok && !p.strayed[f] {
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

// guard fills in whether loadBalancerSourceRanges guard the Service in a family, and whom they admit.
func (p *Predictor) guard(c *connection, client Client, dialled netip.Addr, f family) {
	ranges := make([]netip.Prefix, 0, len(p.service.SourceRanges))
	for _, r := range p.service.SourceRanges {
		if familyOf(r.Addr()) == f {
			ranges = append(ranges, r)
		}
	}
	if len(ranges) == 0 {
		return
	}
	c.ranged = true
	narrow := slices.DeleteFunc(slices.Clone(ranges), func(r netip.Prefix) bool { return r.Bits() == 0 })
	c.anywhere = len(narrow) < len(ranges)
	ranges = narrow
	node := &p.snapshot.Nodes[client.Node]
	switch client.From {
	case Pod:
		c.admitted = p.podsWithin(ranges, client.Address, node, f)
	case Node:
		c.admitted = cluster.Undetermined
		if a, ok := first(node.InternalIPs, f); ok {
			c.admitted = cluster.Is(inAny(ranges, a))
		}
		c.admittedSelf = p.takenForItself(c, node, ranges, f)
		c.admittedUnspecified = cluster.Is(inAny(ranges, unspecified[f]))
		c.admittedDialled = cluster.Is(inAny(ranges, dialled))
	default:
		// A client outside without an address stands for those that the ranges admit.
		c.admitted = cluster.Is(!client.Address.IsValid() || inAny(ranges, client.Address))
	}
}

var (
	unspecified = [...]netip.Addr{v4: netip.IPv4Unspecified(), v6: netip.IPv6Unspecified()}
	loopback    = [...]netip.Addr{v4: netip.MustParseAddr("127.0.0.1"), v6: netip.IPv6Loopback()}
)

// takenForItself says whether ranges have the address that kube-proxy on a node reads from the Node object of the name that it runs under; where it finds none, that
// of the loopback interface.
func (p *Predictor) takenForItself(c *connection, node *cluster.Node, ranges []netip.Prefix, f family) cluster.Tristate {
	if name := c.dataplane.ProxyNodeName(node); name != node.Name {
		i := p.snapshot.NodeIndex(name)
		if i < 0 {
			return cluster.Is(inAny(ranges, loopback[f]))
		}
		node = &p.snapshot.Nodes[i]
	}
	if !node.Known || len(node.InternalIPs) == 0 {
		return cluster.Undetermined
	}
	if a, ok := first(node.InternalIPs, f); ok {
		return cluster.Is(inAny(ranges, a))
	}
	return cluster.Is(inAny(ranges, loopback[f]))
}

// ServesNodePorts says whether kube-proxy answers for node ports, and for health check node ports, at the node's first InternalIP of a family.
func ServesNodePorts(d *cluster.Dataplane, node *cluster.Node, ipv6 bool) cluster.Tristate {
	f := v4
	if ipv6 {
		f = v6
	}
	at, _ := first(node.InternalIPs, f)
	mode := d.Mode
	if node.ProxyMode != "" {
		mode = cluster.ProxyMode(node.ProxyMode)
	}
	if mode != "" || d.Name != cluster.KubeProxy {
		return nodePortServed(d, mode, node, at, f)
	}
	served := nodePortServed(d, proxyModes[0], node, at, f)
	for _, mode := range proxyModes[1:] {
		if nodePortServed(d, mode, node, at, f) != served {
			return cluster.Undetermined
		}
	}
	return served
}

// nodePortServed says whether kube-proxy in a mode answers for node ports at one of the node's addresses.
func nodePortServed(d *cluster.Dataplane, mode cluster.ProxyMode, node *cluster.Node, at netip.Addr, f family) cluster.Tristate {
	k := d.KubeProxy
	switch {
	case mode == "": // another data plane
		return cluster.Yes
	case at.IsLoopback() && (mode != cluster.IPTables || f == v6 || (k != nil && k.NoLocalhostNodePorts)):
		return cluster.No
	case k != nil && len(k.NodePortAddresses) > 0 && !k.PrimaryOnly && !slices.ContainsFunc(k.NodePortAddresses, func(r netip.Prefix) bool { return familyOf(r.Addr()) == f }):
		return cluster.Yes // ranges of one family leave the other as it is
	case k == nil || (len(k.NodePortAddresses) == 0 && !k.PrimaryOnly && mode != cluster.NFTables):
		return cluster.Yes
	case !at.IsValid():
		return cluster.Undetermined
	case len(k.NodePortAddresses) > 0 && (inAny(k.NodePortAddresses, at) || !k.PrimaryOnly):
		return cluster.Is(inAny(k.NodePortAddresses, at))
	case d.ProxyNodeName(node) != node.Name:
		// Without a Node object of that name kube-proxy knows no primary address, and serves them all.
		return cluster.Yes
	default:
		primary, ok := first(node.InternalIPs, f)
		return cluster.Is(ok && primary == at)
	}
}
