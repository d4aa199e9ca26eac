package route

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// branch is one node that the load balancer may pick, and what it does then.
type branch struct {
	row  *Row
	to   provider.Receives
	path dataplane.Path
	why  Why
	// back: the connection started on this node.
	back bool
	// local is how many endpoints the node has, where it uses those alone.
	local int
}

// alike says whether two branches read the same, so that one hop stands for both.
func (b *branch) alike(o *branch) bool {
	p, q := &b.path, &o.path
	return b.to == o.to && b.why == o.why && b.back == o.back && b.local == o.local && p.Outcome == q.Outcome && p.Could == q.Could &&
		p.Endpoints == q.Endpoints && p.ClientIP == q.ClientIP && p.ExtraHop == q.ExtraHop && p.Topology == q.Topology
}

// balance adds the load balancer, everything that it may pick, and what happens there. The connection comes to it from
// the hop at an index: the client outside, or the client's node.
func (t *Tracer) balance(r *Route, after int) {
	at := len(r.Hops)
	lb := Hop{Kind: LoadBalancerHop, After: after, Taken: cluster.Yes, Odds: 1, ClientIP: t.passed(r)}
	switch {
	case t.provider.Name == "":
		lb.Why = chosen(provider.Unrecognised)
	case t.provider.SharedWithOthers:
		lb.Why = chosen(provider.SharedWithOthers)
	case t.provider.Announced:
		lb.Why = chosen(provider.AnnouncerNotKnown)
	case t.provider.Backends == provider.UnknownBackends:
		lb.Why = chosen(provider.BackendsNotKnown)
	}
	r.Hops, r.Decided = append(r.Hops, lb), at
	if t.provider.Backends == provider.Pods {
		t.pods(r, at)
		return
	}
	c := choice{basis: dataplane.Measured}
	var branches []branch
	for i := range t.rows {
		b := t.branch(r, &t.rows[i])
		if b.to.Receives == cluster.No {
			c.leaveOut(b.row)
		} else {
			c.take(&b.to, &b.path)
			r.Could |= could(&b.path)
		}
		branches = append(branches, b)
	}
	t.attach(r, at, branches)
	o := unknownOutside()
	if t.provider.Name != "" && !t.provider.SharedWithOthers {
		o = c.result(t.provider)
	}
	r.Outcome, r.Failing, r.FailingKnown, r.Basis = o.Outcome, o.Failing, o.FailingKnown, o.Basis
	if o.Outcome != dataplane.Unknown {
		r.Could = 0
	} else {
		r.Failing, r.FailingKnown = 0, false
		r.Could |= partly(r.Could)
	}
	r.ClientIP = Seen(o.ClientIP)
	switch {
	case o.Mixed:
		r.ClientIP = SeenMixed
	case o.Outcome != dataplane.Unknown && o.Outcome != dataplane.Reachable && o.Outcome != dataplane.Partial:
		r.ClientIP = ""
	case r.Client.From != dataplane.External && o.ClientIP == provider.Preserved:
		// It keeps the address that the connection has when it arrives, and the CNI or the network may have replaced it.
		r.ClientIP = Seen(provider.UnknownClientIP)
	}
	if o.Outcome == dataplane.Reachable || o.Outcome == dataplane.Partial {
		r.Hops = append(r.Hops, t.answer(r, at, dataplane.Sometimes))
	}
}

// passed is the client IP behind the load balancer.
func (t *Tracer) passed(r *Route) Seen {
	if r.Client.From != dataplane.External && t.provider.ClientIP == provider.Preserved {
		return Seen(provider.UnknownClientIP)
	}
	return Seen(t.provider.ClientIP)
}

// branch is what happens where the load balancer sends the connection to a node.
func (t *Tracer) branch(r *Route, row *Row) branch {
	b := branch{row: row, to: row.LoadBalancer}
	if b.to.Receives == cluster.No {
		return b
	}
	target := r.Target
	target.Arrival = Arrival(t.provider, t.service, target)
	for i, source := range t.sources(r, row) {
		p := t.predictor.Path(dataplane.Client{From: dataplane.External, Node: row.Index, Address: source}, target)
		if i == 0 {
			b.path, b.why = p, decided(&p)
			continue
		}
		b.either(&p, "it is not known which client IP the node sees, and the result depends on it")
	}
	times := dataplane.Path{Outcome: dataplane.TimedOut, Endpoints: dataplane.NoEndpoints, Rule: b.path.Rule}
	if c := r.Client; c.From == dataplane.External && c.Address.IsValid() && !allows(t.service, c.Address) && !b.path.Fails() {
		b.either(&times, "loadBalancerSourceRanges do not allow the client. A load balancer that supports the field drops its connections; whether this one does is not known")
	}
	if b.path.Endpoints == dataplane.LocalEndpoints {
		b.local = len(t.usable(r, []int{row.Index}))
	}
	if r.Client.From == dataplane.External || row.Index != r.Client.Node || b.path.Fails() {
		return b
	}
	b.back = true
	switch holds, rule := t.provider.Hairpin(); holds {
	case cluster.No:
		b.path, b.why = times, chosen(rule)
		b.path.Basis = b.why.Basis
	case cluster.Undetermined:
		b.either(&times, "")
		b.why = chosen(rule)
	case cluster.Yes:
	}
	return b
}

// either makes the branch one of which it is not known whether its path or another one is taken.
func (b *branch) either(o *dataplane.Path, reason string) {
	p := &b.path
	switch {
	case p.Outcome != o.Outcome:
		b.why = Why{Reason: reason}
		p.Could = could(p) | could(o)
		p.Outcome, p.Endpoints, p.ClientIP, p.ExtraHop, p.Topology, p.Basis = dataplane.Unknown, dataplane.EndpointsUnknown, dataplane.ClientIPUnknown, dataplane.Sometimes, "", dataplane.NoBasis
		return
	case p.Rule != o.Rule:
		b.why = Why{Reason: reason, Basis: min(p.Basis, o.Basis)}
	}
	p.Could |= o.Could
	p.Basis = min(p.Basis, o.Basis)
	if p.Endpoints != o.Endpoints || p.Topology != o.Topology {
		p.Endpoints, p.Topology = dataplane.EndpointsUnknown, ""
	}
	if p.ClientIP != o.ClientIP {
		p.ClientIP = dataplane.ClientIPUnknown
	}
	if p.ExtraHop != o.ExtraHop {
		p.ExtraHop = dataplane.Sometimes
	}
}

// sources are the addresses from which a node may see the connection come; the zero Addr is some address that is not
// known, and no pod's.
func (t *Tracer) sources(r *Route, row *Row) []netip.Addr {
	d := t.snapshot.DataplaneOf(row.Node)
	kept := []netip.Addr{r.Client.Address}
	if r.Client.From != dataplane.External {
		kept = t.insideSources(r, d)
	}
	kept = slices.DeleteFunc(kept, func(a netip.Addr) bool { return a.IsValid() && a.Is6() != t.ipv6(r) })
	switch t.provider.ClientIP {
	case provider.Preserved:
		if len(kept) > 0 {
			return kept
		}
	case provider.UnknownClientIP:
		// Where no address makes a difference, one stands for all.
		if len(t.service.SourceRanges) > 0 || slices.ContainsFunc(kept, func(a netip.Addr) bool { return dataplane.TakenForPod(d, a) }) {
			return append(kept, netip.Addr{})
		}
	case provider.Rewritten, provider.ByProxyProtocol:
	}
	return []netip.Addr{{}}
}

// insideSources are the addresses that a connection from inside may have when it comes to the load balancer: the CNI
// may have replaced a pod's by its node's, and the network either by another one.
func (t *Tracer) insideSources(r *Route, d *cluster.Dataplane) []netip.Addr {
	var list []netip.Addr
	switch {
	case r.Client.From == dataplane.Node:
	case r.Client.Address.IsValid():
		list = append(list, r.Client.Address)
	case d.PodDetection() == cluster.ClusterCIDR:
		for _, cidr := range d.KubeProxy.ClusterCIDRs {
			list = append(list, cidr.Addr())
		}
	}
	return append(append(list, t.snapshot.Nodes[r.Client.Node].InternalIPs...), netip.Addr{})
}

// attach adds a hop for the branches that read the same, in the order of the rows: first what the load balancer sends
// to, then what it may send to, then what it does not send to. Endpoints follow their node.
func (t *Tracer) attach(r *Route, after int, branches []branch) {
	for _, taken := range []cluster.Tristate{cluster.Yes, cluster.Undetermined, cluster.No} {
		var classes [][]branch
	next:
		for i := range branches {
			if branches[i].to.Receives != taken {
				continue
			}
			for n := range classes {
				if classes[n][0].alike(&branches[i]) {
					classes[n] = append(classes[n], branches[i])
					continue next
				}
			}
			classes = append(classes, []branch{branches[i]})
		}
		for _, class := range classes {
			t.attachClass(r, after, class)
		}
	}
}

// attachClass adds the hop of branches that read the same.
func (t *Tracer) attachClass(r *Route, after int, class []branch) {
	b := &class[0]
	h := Hop{Kind: NodeHop, After: after, Taken: b.to.Receives, Back: b.back, Choice: chosen(b.to.Rule), Odds: b.to.Share * float64(len(class))}
	for i := range class {
		h.Nodes = append(h.Nodes, class[i].row.Index)
	}
	if b.to.Receives == cluster.No {
		if b.to.Reason == "SendsToPods" && b.row.Node.VirtualKubelet {
			// The pods on it are backends themselves.
			h.Kind, h.Taken, h.Outcome, h.ClientIP = EndpointsHop, cluster.Yes, dataplane.Reachable, t.passed(r)
			h.Endpoints = t.usable(r, h.Nodes)
			h.Odds = b.to.PodShare * float64(len(h.Endpoints))
		}
		r.Hops = append(r.Hops, h)
		return
	}
	p := &b.path
	h.Outcome, h.Could, h.Reaches, h.Topology, h.Why = p.Outcome, p.Could, p.Endpoints, p.Topology, b.why
	h.ClientIP = both(r.Hops[after].ClientIP, p.ClientIP)
	at := len(r.Hops)
	r.Hops = append(r.Hops, h)
	if p.Outcome == dataplane.Reachable || p.Outcome == dataplane.Partial {
		r.Hops = append(r.Hops, t.endpoints(r, at))
	}
}

// both is the client IP behind a node, where it is known what it is before it.
func both(before Seen, c dataplane.ClientIP) Seen {
	switch {
	case c == dataplane.NoClientIP:
		return ""
	case before == Seen(provider.Preserved):
		return seen(c)
	case before == Seen(provider.UnknownClientIP) && c == dataplane.Rewritten:
		return Seen(provider.Rewritten)
	}
	return before
}

// pods adds the endpoints that a load balancer sends to directly.
func (t *Tracer) pods(r *Route, at int) {
	usable := slices.DeleteFunc(t.usable(r, nil), func(i int) bool { return !t.service.Endpoints[i].Ready })
	if !t.service.EndpointsKnown || len(usable) == 0 {
		return
	}
	var own, others []int
	for _, i := range usable {
		if node := t.snapshot.NodeIndex(t.service.Endpoints[i].Node); r.Client.From != dataplane.External && node == r.Client.Node {
			own = append(own, i)
		} else {
			others = append(others, i)
		}
	}
	odds := 0.0
	if t.provider.Weights == provider.EqualWeights && !t.provider.SharedWithOthers {
		odds = 1 / float64(len(usable))
	}
	why := Why{ID: provider.SendsToPods.ID, Reason: provider.SendsToPods.Reason, Source: provider.SendsToPods.Origin, Basis: dataplane.Documented}
	refuses := r.Client.From == dataplane.External && r.Client.Address.IsValid() && !allows(t.service, r.Client.Address)
	r.Outcome, r.FailingKnown, r.Basis, r.ClientIP = dataplane.Reachable, true, dataplane.Documented, t.passed(r)
	open := t.provider.SharedWithOthers || refuses
	if len(others) > 0 {
		h := Hop{Kind: EndpointsHop, After: at, Endpoints: others, Taken: cluster.Yes, Odds: odds * float64(len(others)), Outcome: dataplane.Reachable, ClientIP: t.passed(r), Choice: why}
		r.Hops = append(r.Hops, h)
	}
	if len(own) > 0 {
		h := Hop{
			Kind: EndpointsHop, After: at, Endpoints: own, Taken: cluster.Yes, Odds: odds * float64(len(own)), Outcome: dataplane.Reachable, ClientIP: t.passed(r), Choice: why, Back: true,
		}
		switch holds, rule := t.provider.Hairpin(); holds {
		case cluster.No:
			h.Outcome, h.ClientIP, h.Why = dataplane.TimedOut, "", chosen(rule)
			r.Outcome, r.Failing, r.FailingKnown = dataplane.Partial, h.Odds, h.Odds > 0
			if len(others) == 0 {
				r.Outcome, r.Failing, r.FailingKnown, r.ClientIP = dataplane.TimedOut, 1, true, ""
			}
		case cluster.Undetermined:
			h.Outcome, h.Could, h.Why, open = dataplane.Unknown, outcomes(dataplane.Reachable, dataplane.TimedOut), chosen(rule), true
		case cluster.Yes:
		}
		r.Hops = append(r.Hops, h)
	}
	if open {
		r.Outcome, r.Failing, r.FailingKnown, r.Basis, r.ClientIP = dataplane.Unknown, 0, false, dataplane.NoBasis, Seen(provider.UnknownClientIP)
		r.Could = outcomes(dataplane.Reachable, dataplane.TimedOut)
		if len(others) > 0 && len(own) > 0 {
			r.Could |= partly(r.Could)
		}
	}
	if refuses {
		r.Hops[at].Why = Why{Reason: "loadBalancerSourceRanges do not allow the client. A load balancer that supports the field drops its connections; whether this one does is not known"}
	}
	if !open && !r.fails() {
		r.Hops = append(r.Hops, t.answer(r, at, dataplane.Never))
	}
}

// fails says whether no connection of the route reaches an endpoint.
func (r *Route) fails() bool {
	return (&dataplane.Path{Outcome: r.Outcome}).Fails()
}

// endpoints is the hop behind a node that reaches some: those that it may use, where that is known.
func (t *Tracer) endpoints(r *Route, after int) Hop {
	from := &r.Hops[after]
	h := Hop{Kind: EndpointsHop, After: after, Taken: from.Taken, Odds: from.Odds, Outcome: dataplane.Reachable, ClientIP: from.ClientIP, Reaches: from.Reaches, Topology: from.Topology}
	if t.service.ServedByCiliumEnvoy() || from.Topology != "" {
		return h
	}
	switch from.Reaches {
	case dataplane.AllEndpoints:
		h.Endpoints = t.usable(r, nil)
	case dataplane.LocalEndpoints:
		h.Endpoints = t.usable(r, from.Nodes)
		if all := len(t.usable(r, nil)); from.Outcome == dataplane.Partial && all > 0 {
			h.Odds *= float64(len(h.Endpoints)) / float64(all)
		}
	case dataplane.EndpointsUnknown, dataplane.NoEndpoints:
	}
	return h
}

// usable are the endpoints of the target's port and family that data planes use: ready ones, and where none is ready
// those that are serving and terminating. If nodes is not nil, only those on these nodes, each node for itself.
func (t *Tracer) usable(r *Route, nodes []int) []int {
	if nodes == nil {
		return t.best(r, func(*cluster.Endpoint) bool { return true })
	}
	var all []int
	for _, node := range nodes {
		n := &t.snapshot.Nodes[node]
		d := t.snapshot.DataplaneOf(n)
		name := d.ProxyNodeName(n)
		all = append(all, t.best(r, func(e *cluster.Endpoint) bool {
			return e.Node == name || e.Node == "" && d.Name == cluster.Cilium
		})...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (t *Tracer) best(r *Route, keep func(*cluster.Endpoint) bool) (ready []int) {
	port, ipv6 := &t.service.Ports[r.Target.Port], t.ipv6(r)
	var terminating []int
	for i := range t.service.Endpoints {
		e := &t.service.Endpoints[i]
		switch {
		case e.Address.Is6() != ipv6, !e.Serves(port), e.IsPlaceholder(), !keep(e):
		case e.Ready:
			ready = append(ready, i)
		case e.Serving && e.Terminating:
			terminating = append(terminating, i)
		}
	}
	if len(ready) > 0 {
		return ready
	}
	return terminating
}

// ipv6 is the family of the endpoints that answer the target: its own, or that of the Service where a load balancer
// translates.
func (t *Tracer) ipv6(r *Route) bool {
	ipv6 := r.Target.IPv6
	if r.Target.Address.IsValid() {
		ipv6 = r.Target.Address.Is6()
	}
	if families := dataplane.Families(t.service.ClusterIPs); r.Target.To == dataplane.LoadBalancerIP && !slices.Contains(families, ipv6) {
		return !ipv6
	}
	return ipv6
}

// answer is the way back behind a hop.
func (t *Tracer) answer(r *Route, after int, hop dataplane.ExtraHop) Hop {
	h := Hop{Kind: AnswerHop, After: after, Taken: cluster.Yes}
	direct := r.Hops[r.Decided].Kind == NodeHop
	switch {
	case direct && r.Client.From != dataplane.External && r.ClientIP == Seen(provider.Rewritten):
		h.Why.Reason = "the endpoint answers the address that it sees, and the node that handled the connection passes the answer to the client"
	case direct && r.Client.From != dataplane.External:
		h.Why.Reason = "the endpoint answers the client, and on the way the answer gets the dialled address as its source again"
	case direct && r.ClientIP == Seen(provider.Rewritten):
		h.Why.Reason = "the endpoint answers the node, which passes the answer to the client"
	case direct && hop == dataplane.Never:
		h.Why.Reason = "the node passes the endpoint's answer to the client"
	case direct:
		h.Why.Reason = "the endpoint answers the client IP. Whether its answer passes the node first depends on the data plane"
	case t.provider.ClientIP == provider.Rewritten, t.provider.ClientIP == provider.ByProxyProtocol:
		h.Why.Reason = "the answer goes to the load balancer, which passes it to the client on a connection of its own"
	case t.provider.Announced:
		h.Why.Reason = "the answer leaves from the node that the connection arrived at, or from the endpoint's own node"
	default:
		h.Why.Reason = "the answer reaches the client directly or through the load balancer, which depends on the load balancer"
	}
	return h
}
