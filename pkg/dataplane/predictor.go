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
	return p.captured.outright || p.captured.proxied && c.heedsIPMode() != cluster.Yes
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
