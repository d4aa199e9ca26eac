package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// verdict is a Path without what was dialled.
type verdict struct {
	outcome   Outcome
	endpoints Endpoints
	clientIP  ClientIP
	extraHop  ExtraHop
	topology  string
	could     Outcomes
	rule      *Rule
	basis     Basis
}

// none is r, or the rule that says that endpoints there are, and a policy keeps them from this node.
func (c *connection) none(r *Rule) *Rule {
	if c.confinedByInternalPolicy() && c.total.ready > 0 {
		return confined
	}
	return r
}

func refused(r *Rule) verdict { return verdict{outcome: Refused, endpoints: NoEndpoints, rule: r} }

func timedOut(r *Rule) verdict { return verdict{outcome: TimedOut, endpoints: NoEndpoints, rule: r} }

// unknown is the answer where nobody has established which of the outcomes it is.
func unknown(r *Rule, could ...Outcome) verdict {
	return verdict{outcome: Unknown, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, could: either(could...), rule: r}
}

// anything is the answer where nothing is known but the address.
func (c *connection) anything(r *Rule) verdict {
	v := unknown(r, Reachable, Refused, TimedOut, Unreachable, Partial)
	if c.from != External && c.advertised() {
		v.could |= either(ViaLoadBalancer)
	}
	return v
}

// leaves: the node does not answer for the address, and the packet goes where the network sends it.
func (c *connection) leaves(r *Rule) verdict {
	if c.total.usable(c.fallsBack()).n == 0 {
		return verdict{outcome: ViaLoadBalancer, endpoints: NoEndpoints, rule: r}
	}
	return verdict{outcome: ViaLoadBalancer, endpoints: AllEndpoints, clientIP: ClientIPUnknown, extraHop: Sometimes, rule: r}
}

// rewriting says what the node does to the client's address on the way to an endpoint.
type rewriting uint8

const (
	keeps rewriting = iota
	// masquerades: the node puts an address of its own in the POSTROUTING hook, which packets to an endpoint on its own host network never pass.
	masquerades
	// masqueradesRemote: the node does so only where the endpoint is on another node.
	masqueradesRemote
	// dials: the source is the dialled address itself, and stays so.
	dials
)

// reachesAll: any usable endpoint of the cluster, within topology hints.
func (c *connection) reachesAll(w rewriting, r *Rule) verdict {
	if c.confinedByInternalPolicy() {
		return c.reachesLocal(w, r)
	}
	all, local := c.all(), c.local()
	v := verdict{outcome: Reachable, endpoints: AllEndpoints, clientIP: c.client(all, w, c.itself), extraHop: hops(all.n, c.near().n, c.unplaced()), rule: r}
	if c.itself && w == keeps && c.losesItself() {
		return c.withoutItself(v, all.n)
	}
	h := c.hinted()
	if h.by == "" || h.n == all.n {
		return v
	}
	v.topology, v.extraHop = h.by, hops(h.n, h.here, h.nowhere > 0)
	if h.n == h.here && h.here == local.n {
		v.endpoints = LocalEndpoints
	} else {
		v.endpoints = EndpointsUnknown
	}
	if all.host > 0 || w == masqueradesRemote {
		v.clientIP = ClientIPUnknown
	}
	return v
}

// reachesLocal: the usable endpoints on the node that judges.
func (c *connection) reachesLocal(w rewriting, r *Rule) verdict {
	return verdict{outcome: Reachable, endpoints: LocalEndpoints, clientIP: c.client(c.local(), w, c.itself && c.besideJudge), rule: r}
}

// bypassed: the node sends a client that is not its own on to any endpoint without putting its own address on it. Only endpoints on this node answer back through
// it; answers of the others reach the client from an address that it never dialled, or nobody at all.
func (c *connection) bypassed(w rewriting, r *Rule) verdict {
	all, answering := c.all(), c.near()
	unplaced := c.unplaced()
	h := c.hinted()
	if h.by != "" && h.n != all.n {
		all.n, answering.n, unplaced = h.n, h.here, h.nowhere > 0
	}
	own := c.itself && !c.besideJudge && w == keeps && !c.losesItself()
	switch {
	case unplaced, own && all.n != c.all().n:
		return unknown(r, Reachable, TimedOut, Partial)
	case own:
		// Its own connection comes back to it with this node's address on it, and its answer through this node.
		answering.n++
	}
	v := verdict{outcome: Partial, endpoints: LocalEndpoints, clientIP: c.client(answering, w, own), topology: h.by, rule: r}
	switch {
	case answering.n == 0:
		return timedOut(r)
	case answering.n >= all.n:
		return c.reachesAll(w, r)
	case own:
		v.endpoints, v.extraHop = EndpointsUnknown, hops(answering.n, answering.n-1, false)
	case answering.n != c.local().n || answering.n != c.near().n:
		v.endpoints = EndpointsUnknown
	}
	return v
}

// passesOn: the packet is forwarded with the address that was dialled. A pod's goes to the real load balancer; what becomes of one from outside is the network's affair.
func (c *connection) passesOn(r *Rule) verdict {
	if c.from == External {
		return unknown(r, Reachable, Refused, TimedOut, ViaLoadBalancer)
	}
	return c.leaves(r)
}

// anybodyAs is v where it is not known whose address the endpoints see.
func (c *connection) anybodyAs(v verdict) verdict {
	v.clientIP = ClientIPUnknown
	return v
}

// withoutItself is v where one of n endpoints cannot answer, being the client.
func (c *connection) withoutItself(v verdict, n int) verdict {
	if n == 1 {
		return timedOut(ownConnection)
	}
	v.outcome, v.endpoints, v.clientIP, v.rule = Partial, EndpointsUnknown, ClientIPUnknown, ownConnection
	return v
}

// withinHints: under which conditions data planes other than kube-proxy follow topology hints has not been read, and where there are hints, which endpoints they choose
// is not known. Cilium does with enable-service-topology only; kube-router has no code for hints.
func (c *connection) withinHints(v verdict) verdict {
	h := c.hints
	divided := h.everyZone && h.zone > 0 && h.zone < c.total.ready || h.everyNode && h.node > 0 && h.node < c.total.ready
	switch {
	case !divided, v.outcome != Reachable, v.endpoints != AllEndpoints, c.plane.settlesHints != nil && c.plane.settlesHints(c):
		return v
	}
	v.endpoints = EndpointsUnknown
	if v.clientIP == Mixed {
		v.clientIP = ClientIPUnknown
	}
	return v
}

// client says whose address the endpoints of a set see; itself: the client is one of them.
//
// Three things happen outside the tables: what is sent to an endpoint on the judging node's own host network never passes POSTROUTING and keeps its source; a CNI
// that masquerades pods towards other nodes' addresses also does so where such an address is an endpoint; and a pod that is handed its own connection sees an
// address of the node.
func (c *connection) client(set usable, w rewriting, itself bool) ClientIP {
	hereOnHost := min(c.near().host, set.host)
	thereOnHost := set.host - hereOnHost
	keeping := set.n
	switch {
	case w == dials, c.from == Pod && c.elsewhere && c.masqueraded == cluster.Yes:
		return Rewritten
	case c.from == Node && !c.elsewhere:
		return Preserved
	case w == masquerades:
		return share(hereOnHost, set.n)
	case w == masqueradesRemote:
		return share(min(c.near().n, set.n), set.n)
	case c.from == Pod && thereOnHost > 0 && c.masqueraded == cluster.Undetermined:
		return ClientIPUnknown
	case c.from == Pod && thereOnHost > 0 && c.masqueraded == cluster.Yes:
		keeping -= thereOnHost
	}
	if itself {
		keeping--
	}
	return share(keeping, set.n)
}

// share is what clients meet where keeping of n endpoints see their own address.
func share(keeping, n int) ClientIP {
	switch {
	case keeping <= 0:
		return Rewritten
	case keeping >= n:
		return Preserved
	default:
		return Mixed
	}
}

// hops says whether connections cross to another node, where n endpoints can be chosen and local of them are on this one; unplaced: some may be anywhere.
func hops(n, local int, unplaced bool) ExtraHop {
	switch {
	case unplaced:
		return Sometimes
	case local >= n:
		return Never
	case local == 0:
		return Always
	default:
		return Sometimes
	}
}

// merge is what can be said where either a or b holds, as r says.
func merge(a, b verdict, r *Rule) verdict {
	if a.outcome != b.outcome {
		return verdict{
			outcome: Unknown, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, rule: r,
			could: a.could | b.could | known(a.outcome) | known(b.outcome),
		}
	}
	a.could |= b.could
	if a.topology != b.topology {
		a.topology = ""
	}
	a.basis = min(a.basis, b.basis)
	if a.rule != b.rule {
		a.rule = r
	}
	if a.endpoints != b.endpoints {
		a.endpoints = EndpointsUnknown
	}
	if a.clientIP != b.clientIP {
		a.clientIP = ClientIPUnknown
	}
	if a.extraHop != b.extraHop {
		a.extraHop = Sometimes
	}
	return a
}

func known(o Outcome) Outcomes {
	if o == Unknown {
		return 0
	}
	return either(o)
}
