package dataplane

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Client is where a connection starts.
type Client struct {
	From From
	// Node is the index in the snapshot of the node where it starts, or for External of the node that the packet has
	// been sent to.
	Node int
	// Address is the zero Addr for any process or pod of the node; a pod's own where one pod is meant, such as a
	// backend that dials itself.
	Address netip.Addr
}

// Target is what a connection is addressed to.
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
	// IPv6 is the address family where Address is not set.
	IPv6 bool
	// Arrival is where an External packet to a load balancer address arrives; it counts for nothing else.
	Arrival Arrival
}

// Arrival is the destination of an External packet to a load balancer address when it arrives at the node.
type Arrival uint8

const (
	// AtNodePort: the load balancer has replaced its own address by the node's address and node port.
	AtNodePort Arrival = iota
	// AtAddress: the load balancer address is still the destination (announced by MetalLB, forwarded by GCP).
	AtAddress
	// AtEither: it is not known which.
	AtEither
)

// Predictor predicts what happens to connections to one Service. New takes time proportional to nodes and endpoints,
// Path constant time.
//
// It is not safe for concurrent use.
type Predictor struct {
	snapshot *cluster.Snapshot
	service  *cluster.Service
	// groups of endpoints: for each Service port one for IPv4 and one for IPv6.
	groups []group
	// own is the index of the node that has an address, to tell endpoints on the host network from pods.
	own map[netip.Addr]int
	// shared are the addresses and ports of the Service, with whether another Service of the snapshot has them too.
	shared map[claim]others
	// conflicts: another Service has one of them, and neither with ipMode Proxy.
	conflicts bool
	// nodeAddressClaims says whether Services of the snapshot have a node's own address; nil until it is needed.
	nodeAddressClaims *others
	// outsidePodCIDR, by family: a pod IP lies outside its node's podCIDR, so podCIDRs cannot be used to recognise
	// pods.
	outsidePodCIDR [2]bool
	// pods are the addresses of endpoints that are pods, by family.
	pods [2][]netip.Addr
	// held: a program may have put the Service's load balancer addresses on nodes.
	held bool
	// annotated is the setting for topology aware routing as releases before v1.27 read it, and as later ones do.
	annotated [2]string
	// countNone and countOther are nodes that report no local endpoint, or another number, where EndpointSlices place
	// some; nil where no node was asked.
	countNone, countOther []bool
	// judged are verdicts that needed several assumptions.
	judged map[connection]verdict
	// current is the connection in question, latest the one before it of the same kind.
	current connection
	latest  [External + 1][ClusterIP + 1]struct {
		connection
		verdict
	}
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
		p.addPodAddress(&svc.Endpoints[i])
	}
	p.trustNodeCounts()
	p.share()
	return p
}

// Path predicts what happens to a connection.
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
	v := p.cachedVerdict(c)
	if owner, ok := p.own[path.Address]; ok && (v.could | known(v.outcome)).Has(ViaLoadBalancer) && t.To == ExternalIP && owner != client.Node {
		if v.outcome == ViaLoadBalancer && p.treatsAllAlike(owner) {
			return p.arriving(client, t, owner)
		}
		// There is no load balancer behind an address of another node: the packet reaches that node. If it refuses, it
		// refuses every client; anything else may depend on whether it recognises the client as a pod.
		there := p.Path(Client{From: External, Node: owner}, t)
		switch {
		case there.Outcome == Refused && v.outcome == ViaLoadBalancer:
			return p.refusedBy(client, there)
		case there.Outcome == Refused:
			v.could |= either(Refused)
		case there.Could.Has(Refused):
			v = merge(v, refused(there.Rule), there.Rule)
		}
	}
	path.settle(v)
	return path
}

// treatsAllAlike: what arrives at the node is handled in one way, whatever client it is from.
func (p *Predictor) treatsAllAlike(node int) bool {
	return p.snapshot.DataplaneOf(&p.snapshot.Nodes[node]).Name == cluster.Cilium && len(p.service.SourceRanges) == 0
}

// arriving is what happens to a connection from inside to an external IP that another node has, in words that are about
// the client's node.
func (p *Predictor) arriving(client Client, t Target, owner int) Path {
	there := p.Path(Client{From: External, Node: owner}, t)
	if there.Outcome == Refused {
		return p.refusedBy(client, there)
	}
	there.From, there.Basis = client.From, there.Rule.Basis
	switch {
	case there.Outcome != Reachable:
		return there
	case there.Endpoints == AllEndpoints:
		of := p.group(t.Port, familyOf(t.Address))
		there.ExtraHop = hops(of.total.usable(true).n, of.on[client.Node].usable(true).n, of.nowhere != (tally{}))
	default:
		there.Endpoints, there.ExtraHop = EndpointsUnknown, Always
	}
	masquerade := p.snapshot.DataplaneOf(&p.snapshot.Nodes[client.Node]).PodMasquerade
	switch {
	case client.From == Pod && masquerade == cluster.Yes:
		there.ClientIP = Rewritten
	case client.From == Pod && masquerade == cluster.Undetermined && there.ClientIP != Rewritten:
		there.ClientIP = ClientIPUnknown
	}
	return there
}

// refusedBy is the path of a client inside whose connection another node refuses; there is the path of a client outside
// at that node. Where only a tunnel leads back to the pod, the refusal may be lost.
func (p *Predictor) refusedBy(client Client, there Path) Path {
	there.From, there.Basis = client.From, there.Rule.Basis
	d := p.snapshot.DataplaneOf(&p.snapshot.Nodes[client.Node])
	mayTunnel := d.Name == cluster.Cilium && (d.Cilium == nil || d.Cilium.Tunnel || !d.Cilium.Read())
	if client.From == Pod && mayTunnel && d.PodMasquerade != cluster.Yes {
		there.settle(unknown(cil50, Refused, TimedOut))
	}
	return there
}

// settle copies a verdict into the path.
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

// doubt is the rule that makes a verdict uncertain whatever table it is from; nil where there is none.
func (p *Predictor) doubt(c *connection, v verdict) *Rule {
	switch {
	case v.outcome == ViaLoadBalancer:
		return nil
	case (c.elsewhere || v.extraHop != Never) && p.breaksNodeAddresses(c):
		return claimedNodeAddress
	case c.runsAsOtherNode && (v.outcome != Reachable || v.endpoints != AllEndpoints || v.topology != ""):
		return otherNodesName
	default:
		return nil
	}
}

// breaksNodeAddresses: ipvs puts every address of a Service on every node. If that is a node's own address, no other
// node can reach that node at it. What else fails depends on the network: tunnels between nodes end at such addresses,
// and so do masqueraded connections.
func (p *Predictor) breaksNodeAddresses(c *connection) bool {
	if c.name != cluster.KubeProxy || c.mode != cluster.IPVS {
		return false
	}
	if p.nodeAddressClaims == nil {
		p.nodeAddressClaims = p.findNodeAddressClaims()
	}
	return p.nodeAddressClaims.outright || p.nodeAddressClaims.proxied && c.heedsIPMode() != cluster.Yes
}

// claim is a load balancer address or external IP with a port, which nodes handle for a Service.
type claim struct {
	address  netip.Addr
	port     uint16
	protocol cluster.Protocol
}

// others says whether other Services have the same claim: outright, or with ipMode Proxy, which some releases ignore.
type others struct{ outright, proxied bool }

// claims are those of a Service, each with whether it has ipMode Proxy.
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

// share fills in which claims of the Service other Services have too.
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
	for c, proxied := range claims(p.service) {
		p.conflicts = p.conflicts || !proxied && own[c].outright
	}
	p.shared = own
}

// findNodeAddressClaims says whether Services have a node's own address.
func (p *Predictor) findNodeAddressClaims() *others {
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
