package route

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Client is where a route starts. Node is -1 for a client outside.
type Client struct {
	dataplane.Client
	// Pod is namespace/name where one certain pod is meant, "" otherwise.
	Pod string
	// Taken says in a clause why the client is not what was asked for: an IP address of a node, a pod on the host
	// network. It is "" where it is.
	Taken string
}

// Route is one connection from end to end: what each hop does with it, and how it ends.
type Route struct {
	Client Client
	Target dataplane.Target
	// Hops are in order: each comes after the hop that hands it the connection. The first is the client.
	Hops []Hop
	// Outcome is that of all connections of the client to the target together; never ViaLoadBalancer.
	Outcome dataplane.Outcome
	// Could are the outcomes that remain possible where Outcome is Unknown; 0 where nothing is known.
	Could dataplane.Outcomes
	// Failing is the share of connections that fail, 0 to 1; FailingKnown is false where it is not known.
	Failing      float64
	FailingKnown bool
	// ClientIP is what the endpoint sees in the end.
	ClientIP Seen
	Basis    dataplane.Basis
	// Decided is the index of the hop that decided the outcome.
	Decided int
	// NoHeader is what makes the load balancer put a PROXY protocol header before connections, where this connection
	// reaches an endpoint without passing the load balancer; "" otherwise. A server that requires the header closes it.
	NoHeader string
}

// HopKind says what a hop is.
type HopKind string

const (
	ClientHop HopKind = "Client"
	// NodeHop is a node that decides about the connection, or several nodes that decide alike.
	NodeHop         HopKind = "Node"
	LoadBalancerHop HopKind = "LoadBalancer"
	// NetworkHop is the network outside of Kubernetes, which delivers the connection to some node or to none.
	NetworkHop   HopKind = "Network"
	EndpointsHop HopKind = "Endpoints"
	// AnswerHop is the way back.
	AnswerHop HopKind = "Answer"
)

// Seen says which client IP is seen after a hop: the words of provider.ClientIP, and Mixed. It is "" where no connection
// gets further.
type Seen string

// SeenMixed: kept for some connections and replaced for others.
const SeenMixed = Seen("Mixed")

// Hop is one step of a route.
type Hop struct {
	Kind HopKind
	// After is the index of the hop before it, -1 for the client.
	After int
	// Nodes are those that the hop is about, as indexes of the snapshot.
	Nodes []int
	// Endpoints may get the connection, as indexes of the Service's; nil where it is not known which.
	Endpoints []int
	// Taken is No for a backend that the load balancer does not send to, Undetermined where it may.
	Taken cluster.Tristate
	// Odds is the share of all connections of the route that take this hop, 0 to 1; 0 where it is not known.
	Odds float64
	// Outcome and Could are what a node does with the connection; Reaches and Topology say which endpoints it uses.
	Outcome  dataplane.Outcome
	Could    dataplane.Outcomes
	Reaches  dataplane.Endpoints
	Topology string
	ClientIP Seen
	// Back: the load balancer sends the connection back to the node where it started.
	Back bool
	// Why is what decided about the connection here, Choice whether the load balancer sends to this node; zero where
	// nothing was to be decided.
	Why, Choice Why
}

// Why is what decided at a hop. ID is that of a rule of a data plane or of a load balancer, "" where no rule did; Reason
// is one thought a sentence, without a full stop at the end.
type Why struct {
	ID, Reason, Source string
	Basis              dataplane.Basis
}

func decided(p *dataplane.Path) Why {
	return Why{ID: p.Rule.ID, Reason: p.Rule.Reason, Source: p.Rule.Source, Basis: p.Basis}
}

func chosen(r *provider.Rule) Why {
	if r == nil {
		return Why{}
	}
	w := Why{ID: r.ID, Reason: r.Reason, Source: r.Origin}
	switch r.Basis {
	case provider.Source:
		w.Basis = dataplane.Source
	case provider.Documented:
		w.Basis = dataplane.Documented
	case provider.NotKnown:
	}
	return w
}

// Of is the route of connections of a client to a target of a Service. Target.Node counts for a node port only.
func Of(s *cluster.Snapshot, svc *cluster.Service, client Client, target dataplane.Target) Route {
	return NewTracer(s, svc).Of(client, target)
}

// Tracer gives routes to one Service.
type Tracer struct {
	snapshot  *cluster.Snapshot
	service   *cluster.Service
	provider  provider.LoadBalancer
	rows      []Row
	predictor *dataplane.Predictor
}

// NewTracer prepares routes to a Service of the snapshot, in time proportional to nodes and endpoints.
func NewTracer(s *cluster.Snapshot, svc *cluster.Service) *Tracer {
	lb := provider.Of(s, svc)
	rows, _ := Rows(s, svc, lb, Order(s.Nodes))
	return &Tracer{snapshot: s, service: svc, provider: lb, rows: rows, predictor: dataplane.New(s, svc)}
}

// Of is the route of connections of a client to a target.
func (t *Tracer) Of(client Client, target dataplane.Target) Route {
	r := &Route{Client: client, Target: target}
	first := Hop{Kind: ClientHop, After: -1, Taken: cluster.Yes, Odds: 1, ClientIP: Seen(provider.Preserved)}
	if client.From != dataplane.External {
		first.Nodes = []int{client.Node}
	}
	r.Hops = append(r.Hops, first)
	switch {
	case client.From != dataplane.External:
		t.inside(r)
	case target.To == dataplane.LoadBalancerIP, target.To == dataplane.LoadBalancerHostname:
		t.balance(r, 0)
	case target.To == dataplane.NodePort:
		t.handled(r, target.Node, dataplane.Client{From: dataplane.External, Node: target.Node, Address: client.Address})
	default:
		t.outside(r)
	}
	return *r
}

// inside traces a client on a node: that node decides, or for the node port of another node that one does.
func (t *Tracer) inside(r *Route) {
	node := r.Client.Node
	if r.Target.To == dataplane.NodePort {
		node = r.Target.Node
	}
	p := t.handled(r, node, r.Client.Client)
	at := r.Decided
	switch {
	case p.Outcome != dataplane.ViaLoadBalancer:
		if r.Target.To == dataplane.LoadBalancerIP && len(r.Hops) > at+1 {
			r.NoHeader = t.header()
		}
	case p.Endpoints == dataplane.NoEndpoints:
		// No endpoint is usable anywhere, so the connection fails wherever it arrives.
		r.Could = outcomes(dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable)
		r.Hops = append(r.Hops, beyond(at))
	case r.Target.To == dataplane.ExternalIP:
		r.Hops = append(r.Hops, Hop{Kind: NetworkHop, After: at, Taken: cluster.Yes, Why: Why{
			Reason: "the address is no node's own, and no load balancer is behind an external IP: what happens depends on where the network routes the address",
		}})
	default:
		t.balance(r, at)
	}
}

// beyond is the load balancer behind a node that leaves the connection to it, where nothing serves it.
func beyond(after int) Hop {
	return Hop{Kind: LoadBalancerHop, After: after, Taken: cluster.Yes, Why: Why{Reason: "the Service has no usable endpoint, so the load balancer has nowhere to send the connection"}}
}

// header is what makes the load balancer add a PROXY protocol header, "" where nothing does.
func (t *Tracer) header() string {
	if key := provider.ProxyProtocol(t.service); key != "" {
		return "annotation " + key
	}
	if t.provider.ClientIP == provider.ByProxyProtocol {
		return "the load balancer"
	}
	return ""
}

// handled adds the node that decides about the connection, and what follows from its path; the route ends there unless
// the path leaves the node.
func (t *Tracer) handled(r *Route, node int, client dataplane.Client) dataplane.Path {
	p := t.predictor.Path(client, r.Target)
	h := Hop{
		Kind: NodeHop, After: len(r.Hops) - 1, Nodes: []int{node}, Taken: cluster.Yes, Odds: 1, Outcome: p.Outcome, Could: p.Could, Reaches: p.Endpoints,
		Topology: p.Topology, ClientIP: seen(p.ClientIP), Why: decided(&p),
	}
	at := len(r.Hops)
	r.Hops, r.Decided = append(r.Hops, h), at
	if p.Outcome == dataplane.ViaLoadBalancer {
		return p
	}
	r.Outcome, r.Could, r.ClientIP, r.Basis = p.Outcome, p.Could, h.ClientIP, p.Basis
	switch {
	case p.Fails():
		r.Failing, r.FailingKnown = 1, true
	case p.Outcome == dataplane.Reachable:
		r.FailingKnown = true
		r.Hops = append(r.Hops, t.endpoints(r, at), t.answer(r, at+1, p.ExtraHop))
	case p.Outcome == dataplane.Partial:
		h := t.endpoints(r, at)
		r.Hops = append(r.Hops, h, t.answer(r, at+1, p.ExtraHop))
		if h.Endpoints != nil && h.Reaches == dataplane.LocalEndpoints {
			r.Failing, r.FailingKnown = 1-h.Odds, true
		}
	}
	return p
}

// outside traces a client outside to an address for which no load balancer answers: some node does, if any.
func (t *Tracer) outside(r *Route) {
	if r.Target.To == dataplane.ExternalIP {
		for i := range t.snapshot.Nodes {
			if n := &t.snapshot.Nodes[i]; slices.Contains(n.InternalIPs, r.Target.Address) || slices.Contains(n.ExternalIPs, r.Target.Address) {
				t.handled(r, i, dataplane.Client{From: dataplane.External, Node: i, Address: r.Client.Address})
				return
			}
		}
	}
	reason := "no load balancer answers for an external IP: the network delivers its connections to some node, and the Kubernetes API does not show which"
	if r.Target.To == dataplane.ClusterIP {
		reason = "networks outside the cluster have no route to a ClusterIP, unless something announces it"
	}
	r.Decided = len(r.Hops)
	r.Hops = append(r.Hops, Hop{Kind: NetworkHop, After: 0, Taken: cluster.Yes, Odds: 1, ClientIP: Seen(provider.Preserved), Why: Why{Reason: reason}})
	if r.Target.To == dataplane.ClusterIP {
		return
	}
	to := provider.Receives{Receives: cluster.Undetermined}
	var branches []branch
	for i := range t.rows {
		row := &t.rows[i]
		p := t.predictor.Path(dataplane.Client{From: dataplane.External, Node: row.Index, Address: r.Client.Address}, r.Target)
		r.Could |= could(&p)
		b := branch{row: row, to: to, path: p, why: decided(&p)}
		if p.Endpoints == dataplane.LocalEndpoints {
			b.local = len(t.usable(r, []int{row.Index}))
		}
		branches = append(branches, b)
	}
	t.attach(r, r.Decided, branches)
	if all, ok := agreed(branches); ok {
		r.Outcome, r.Could, r.Basis, r.ClientIP = all.Outcome, 0, weakest(branches), seenOf(branches)
		r.FailingKnown = true
		if all.Fails() {
			r.Failing = 1
		}
	}
}

// agreed is a path that stands for all, where every branch has the same outcome and that is known.
func agreed(branches []branch) (*dataplane.Path, bool) {
	if len(branches) == 0 {
		return nil, false
	}
	first := &branches[0].path
	for i := range branches {
		if p := &branches[i].path; p.Outcome != first.Outcome || p.Outcome != dataplane.Reachable && !p.Fails() {
			return nil, false
		}
	}
	return first, true
}

func weakest(branches []branch) dataplane.Basis {
	b := dataplane.Measured
	for i := range branches {
		b = min(b, branches[i].path.Basis)
	}
	return b
}

// seenOf is the client IP over branches that all reach an endpoint.
func seenOf(branches []branch) Seen {
	s := seen(branches[0].path.ClientIP)
	for i := range branches {
		if seen(branches[i].path.ClientIP) != s {
			return Seen(provider.UnknownClientIP)
		}
	}
	return s
}

func seen(c dataplane.ClientIP) Seen { return Seen(c.String()) }

// could are the outcomes that are possible on a path.
func could(p *dataplane.Path) dataplane.Outcomes {
	if p.Outcome == dataplane.Unknown {
		return p.Could
	}
	return outcomes(p.Outcome)
}

// partly is Partial where some connections may work and others may fail.
func partly(could dataplane.Outcomes) dataplane.Outcomes {
	fails := could &^ outcomes(dataplane.Reachable, dataplane.ViaLoadBalancer)
	if could.Has(dataplane.Reachable) && fails != 0 {
		return outcomes(dataplane.Partial)
	}
	return 0
}

func outcomes(list ...dataplane.Outcome) dataplane.Outcomes {
	var s dataplane.Outcomes
	for _, o := range list {
		s |= 1 << o
	}
	return s
}

// allows says whether loadBalancerSourceRanges allow an address: they do where none is of its family.
func allows(svc *cluster.Service, a netip.Addr) bool {
	limited := false
	for _, r := range svc.SourceRanges {
		if r.Addr().Is6() != a.Is6() {
			continue
		}
		if limited = true; r.Contains(a) {
			return true
		}
	}
	return !limited
}

// Decides says whether something is decided at the hop: what a node does with the connection, or what becomes of one that
// the load balancer sends to a pod.
func (h *Hop) Decides() bool {
	return h.Taken != cluster.No && (h.Kind == NodeHop || h.Kind == EndpointsHop)
}
