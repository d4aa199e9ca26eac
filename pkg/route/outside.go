package route

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Outside is the result of connections from outside the cluster to the load balancer's addresses, over all backends
// that the load balancer may choose.
type Outside struct {
	// Outcome is Unknown where it is not known which nodes the load balancer sends to, and that matters.
	Outcome dataplane.Outcome
	// Failing is the share of connections that fail, 0 to 1; FailingKnown is false where it is not known.
	Failing      float64
	FailingKnown bool
	// ClientIP is what the endpoint sees in the end, both halves together.
	ClientIP provider.ClientIP
	// Mixed: the client IP is kept on some nodes only; ClientIP is Unknown then.
	Mixed bool
	Basis dataplane.Basis
}

func unknownOutside() Outside { return Outside{ClientIP: provider.UnknownClientIP} }

// FromOutside is the result at the Service's worst port.
func FromOutside(svc *cluster.Service, lb provider.LoadBalancer, rows []Row) Outside {
	worst := unknownOutside()
	for i := range svc.Ports {
		o := FromOutsideTo(svc, lb, rows, i)
		if i == 0 || o.Outcome.Badness() > worst.Outcome.Badness() || o.Outcome == worst.Outcome && o.Failing > worst.Failing {
			worst = o
		}
	}
	return worst
}

// FromOutsideTo is the result at one port of the Service, by its index: the load balancer's choice, and what each node
// then does.
func FromOutsideTo(svc *cluster.Service, lb provider.LoadBalancer, rows []Row, port int) Outside {
	switch {
	case svc.Type != cluster.TypeLoadBalancer, len(svc.Ingress) == 0, lb.Name == "", lb.SharedWithOthers:
	case lb.Backends != provider.Pods:
		c := choice{basis: dataplane.Measured}
		for i := range rows {
			c.add(&rows[i], &svc.Ports[port])
		}
		return c.result(lb)
	case svc.EndpointsKnown && dataplane.Served(svc, port):
		return Outside{Outcome: dataplane.Reachable, FailingKnown: true, ClientIP: lb.ClientIP, Basis: dataplane.Documented}
	}
	return unknownOutside()
}

// choice gathers, over all nodes that a load balancer may choose, what happens to its connections to one port. It
// starts with the basis Measured, over no node.
type choice struct {
	// works and fails are the nodes that surely are chosen where a connection works, and where it fails; unsettled: on
	// some such node it is not known, or it depends.
	works, fails bool
	unsettled    bool
	// mayWork and mayNotWork are the same of nodes that may be chosen or not.
	mayWork, mayNotWork bool
	// failure is how connections fail, TimedOut where the nodes differ: the worse for a client.
	failure dataplane.Outcome
	failing float64
	// failingUnknown: the share of connections that fail is not known.
	failingUnknown bool
	// keeps and rewrites are what nodes do with the client IP that surely are chosen, mayKeep and mayRewrite what
	// others may do.
	keeps, rewrites, mayKeep, mayRewrite bool
	// basis is the weakest basis of the paths added so far.
	basis dataplane.Basis
}

// add takes a node into the choice, with its paths to the load balancer's addresses.
func (c *choice) add(row *Row, port *cluster.Port) {
	to := &row.LoadBalancer
	if to.Receives == cluster.No {
		c.leaveOut(row)
		return
	}
	for i := range row.Paths {
		p := &row.Paths[i]
		switch {
		case p.From != dataplane.External, p.Port != port.Port, p.Protocol != port.Protocol:
		case p.To == dataplane.LoadBalancerIP, p.To == dataplane.LoadBalancerHostname:
			c.take(to, p)
		}
	}
}

// leaveOut takes a node into the choice that the load balancer does not send to.
func (c *choice) leaveOut(row *Row) {
	if row.LoadBalancer.PodShare > 0 && row.Node.VirtualKubelet {
		// Its pods are backends themselves.
		c.works, c.keeps = true, true
		c.basis = min(c.basis, dataplane.Source)
	}
}

// take takes a path into the choice on which the load balancer sends connections, or may send them.
func (c *choice) take(to *provider.Receives, p *dataplane.Path) {
	if to.Receives == cluster.Undetermined {
		c.perhaps(p)
		return
	}
	c.surely(p, to.Share)
}

// perhaps takes a path into the choice on which the load balancer may send connections, or none.
func (c *choice) perhaps(p *dataplane.Path) {
	reached := p.Outcome == dataplane.Reachable
	c.mayNotWork = c.mayNotWork || !reached
	c.mayWork = c.mayWork || !p.Fails()
	c.mayKeep = c.mayKeep || reached && p.ClientIP != dataplane.Rewritten
	c.mayRewrite = c.mayRewrite || reached && p.ClientIP != dataplane.Preserved
	c.failingUnknown = c.failingUnknown || !reached
}

// surely takes a path into the choice on which the load balancer sends this share of its connections, 0 where that is
// not known.
func (c *choice) surely(p *dataplane.Path, share float64) {
	c.basis = min(c.basis, p.Basis)
	switch {
	case p.Outcome == dataplane.Reachable:
		c.works = true
		c.keeps = c.keeps || p.ClientIP != dataplane.Rewritten
		c.rewrites = c.rewrites || p.ClientIP != dataplane.Preserved
	case p.Fails():
		if c.fails && c.failure != p.Outcome {
			c.failure = dataplane.TimedOut
		} else {
			c.failure = p.Outcome
		}
		c.fails = true
		c.failing += share
		c.failingUnknown = c.failingUnknown || share == 0
	default:
		c.unsettled, c.failingUnknown = true, true
	}
}

// result is what connections come to.
func (c *choice) result(lb provider.LoadBalancer) Outside {
	o := Outside{ClientIP: provider.UnknownClientIP, Basis: c.basis, Failing: c.failing, FailingKnown: !c.failingUnknown}
	open := c.unsettled || c.mayNotWork
	switch {
	case !c.works && (!c.fails || c.mayWork || open):
		return unknownOutside()
	case !c.works:
		o.Outcome, o.Failing, o.FailingKnown = c.failure, 1, true
		return o
	case c.fails:
		o.Outcome = dataplane.Partial
	case open:
		return unknownOutside()
	default:
		o.Outcome = dataplane.Reachable
	}
	o.ClientIP = lb.ClientIP
	if o.ClientIP == provider.Preserved {
		switch {
		case c.keeps && c.rewrites:
			o.ClientIP, o.Mixed = provider.UnknownClientIP, true
		case c.keeps && c.mayRewrite, c.rewrites && c.mayKeep:
			o.ClientIP = provider.UnknownClientIP
		case c.rewrites:
			o.ClientIP = provider.Rewritten
		}
	}
	return o
}
