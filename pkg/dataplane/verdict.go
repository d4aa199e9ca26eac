package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// verdict is a Path without its target.
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

// none is r, or confined where ready endpoints exist and internalTrafficPolicy keeps this node from using them.
func (c *connection) none(r *Rule) *Rule {
	if c.confinedByInternalPolicy() && c.total.ready > 0 {
		return confined
	}
	return r
}

func refused(r *Rule) verdict { return verdict{outcome: Refused, endpoints: NoEndpoints, rule: r} }

func timedOut(r *Rule) verdict { return verdict{outcome: TimedOut, endpoints: NoEndpoints, rule: r} }

// unknown is the verdict where it is not known which of the outcomes happens.
func unknown(r *Rule, could ...Outcome) verdict {
	return verdict{outcome: Unknown, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, could: either(could...), rule: r}
}

// anything is the verdict where any outcome is possible.
func (c *connection) anything(r *Rule) verdict {
	v := unknown(r, Reachable, Refused, TimedOut, Unreachable, Partial)
	if c.from != External && c.advertised() {
		v.could |= either(ViaLoadBalancer)
	}
	return v
}

// leaves: the node does not handle the address, so the packet leaves the node unchanged.
func (c *connection) leaves(r *Rule) verdict {
	if c.total.usable(c.fallsBack()).n == 0 {
		return verdict{outcome: ViaLoadBalancer, endpoints: NoEndpoints, rule: r}
	}
	return verdict{outcome: ViaLoadBalancer, endpoints: AllEndpoints, clientIP: ClientIPUnknown, extraHop: Sometimes, rule: r}
}

// rewriting is what the node does to the source address of a packet to an endpoint.
type rewriting uint8

const (
	keeps rewriting = iota
	// masquerades: the node puts an address of its own in the POSTROUTING hook, which packets to an endpoint on its own
	// host network never pass.
	masquerades
	// masqueradesRemote: the node does so only where the endpoint is on another node.
	masqueradesRemote
	// dials: the source is the dialled address itself.
	dials
)

// reachesAll: the connection goes to any usable endpoint of the cluster that topology hints allow.
func (c *connection) reachesAll(w rewriting, r *Rule) verdict {
	if c.confinedByInternalPolicy() {
		return c.reachesLocal(w, r)
	}
	all, local := c.all(), c.local()
	v := verdict{outcome: Reachable, endpoints: AllEndpoints, clientIP: c.client(all, w, c.isEndpoint), extraHop: hops(all.n, c.near().n, c.unplaced()), rule: r}
	if c.isEndpoint && w == keeps && c.dropsOwnConnection() {
		return c.withoutOwnConnection(v, all.n)
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

// reachesLocal: the connection goes to a usable endpoint on the judging node.
func (c *connection) reachesLocal(w rewriting, r *Rule) verdict {
	return verdict{outcome: Reachable, endpoints: LocalEndpoints, clientIP: c.client(c.local(), w, c.isEndpoint && c.endpointOnNode), rule: r}
}

// forwardedWithoutSNAT: the client is not on this node, and the node sends the connection to any endpoint without
// replacing its address. Only endpoints on this node answer through it. Answers of the others reach the client from an
// address that it did not dial, or do not arrive.
func (c *connection) forwardedWithoutSNAT(w rewriting, r *Rule) verdict {
	all, answering := c.all(), c.near()
	unplaced := c.unplaced()
	h := c.hinted()
	if h.by != "" && h.n != all.n {
		all.n, answering.n, unplaced = h.n, h.here, h.nowhere > 0
	}
	own := c.isEndpoint && !c.endpointOnNode && w == keeps && !c.dropsOwnConnection()
	switch {
	case unplaced, own && all.n != c.all().n:
		return unknown(r, Reachable, TimedOut, Partial)
	case own:
		// The pod gets its own connection with this node's address as the source, so that its answer passes this node.
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

// forwarded: the node forwards the packet unchanged. A pod's goes to the load balancer; what happens to one from
// outside depends on the network.
func (c *connection) forwarded(r *Rule) verdict {
	if c.from == External {
		return unknown(r, Reachable, Refused, TimedOut, ViaLoadBalancer)
	}
	return c.leaves(r)
}

// withUnknownClientIP is v where it is not known which client IP the endpoints see.
func (c *connection) withUnknownClientIP(v verdict) verdict {
	v.clientIP = ClientIPUnknown
	return v
}

// withoutOwnConnection is v where one of n endpoints is the client itself and cannot answer.
func (c *connection) withoutOwnConnection(v verdict, n int) verdict {
	if n == 1 {
		return timedOut(ownConnection)
	}
	v.outcome, v.endpoints, v.clientIP, v.rule = Partial, EndpointsUnknown, ClientIPUnknown, ownConnection
	return v
}

// withinHints is v with unknown endpoints where the Service has topology hints and nobody has read when this data plane
// follows them (plane.settlesHints).
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

// client is the client IP that the endpoints of a set see; itself: the client is one of them.
//
// Four things happen outside the tables. Packets to an endpoint on the judging node's host network do not pass
// POSTROUTING and keep their source. A CNI that masquerades traffic from pods to addresses of other nodes also does so
// where such an address is an endpoint. A CNI may masquerade what enters the pods' range. A pod that gets its own
// connection sees an address of the node.
func (c *connection) client(set usable, w rewriting, itself bool) ClientIP {
	hereOnHost := min(c.near().host, set.host)
	thereOnHost := set.host - hereOnHost
	keeping := set.n
	switch {
	case w == dials, c.from == Pod && c.elsewhere && c.masqueradedByCNI == cluster.Yes:
		return Rewritten
	case c.from == Node && !c.elsewhere:
		return Preserved
	case w == masquerades:
		return share(hereOnHost, set.n)
	case c.from == Pod && c.elsewhere && c.masqueradedByCNI == cluster.Undetermined, w == masqueradesRemote && c.unplaced(),
		c.from != Pod && c.mayHideClients && set.n > hereOnHost:
		return ClientIPUnknown
	case w == masqueradesRemote:
		return share(min(c.near().n, set.n), set.n)
	case c.from == Pod && thereOnHost > 0 && c.masqueradedByCNI == cluster.Undetermined:
		return ClientIPUnknown
	case c.from == Pod && thereOnHost > 0 && c.masqueradedByCNI == cluster.Yes:
		keeping -= thereOnHost
	}
	if itself {
		keeping--
	}
	return share(keeping, set.n)
}

// share is the client IP where keeping of n endpoints see the one of the client.
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

// hops is whether connections cross to another node, if n endpoints can be chosen and local of them are on this node.
// unplaced: the nodes of some are not known.
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

// merge is the verdict where either a or b is true and r says why that is not known.
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
