package report

import (
	"math/bits"
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// Verdict is a diagnosis in a few numbers, for the line that comes first on a screen. It counts every node but virtual
// ones, also those that Only leaves out of the map. Ports that no ready endpoint serves are in Unserved and nowhere
// else. The zero Verdict belongs to a Service without a map.
type Verdict struct {
	// Balanced: the load balancer has an address, and a ready endpoint serves one of its ports. Outside is what
	// connections from outside to it get, at the worst port that is served.
	Balanced bool
	Outside  Outside
	// Failing are the ports of the load balancer at which connections from outside are known to fail, all or some of
	// them.
	Failing []cluster.Port
	// NodePorts and ExternalIPs are connections from outside that arrive at a node, at its node port or at an external
	// IP. NodePorts is for Services of type NodePort.
	NodePorts, ExternalIPs Reach
	// ClientIP is what endpoints see of the connections of NodePorts and ExternalIPs, NoClientIP where none of them
	// reaches an endpoint.
	ClientIP dataplane.ClientIP
	// Pods and Hosts are connections from pods and from the host network to the addresses that are published for
	// clients. Alike: both fail on the same nodes, with the same outcomes.
	Pods, Hosts Reach
	Alike       bool
	// ClusterIP is connections to the ClusterIPs, from pods and from the host network together.
	ClusterIP Reach
	// Unserved are the ports that no ready endpoint serves.
	Unserved []cluster.Port
}

// Reach counts nodes by the worst that their connections get: of the connections that start there or, from outside,
// arrive there.
type Reach struct {
	// Of is the number of nodes that have such connections. On nodes that are in no count below, every connection
	// works.
	Of int
	// Failing: every connection to some target fails. Partly: some fail, by the endpoint chosen. Unknown: it is not
	// known whether they work. HandedOn: the node leaves them to the load balancer, and no node shows what that does
	// with them.
	Failing, Partly, Unknown, HandedOn Count
	// Outcomes are those of Failing.
	Outcomes dataplane.Outcomes
}

// Count is a number of nodes, and the targets at which connections from any node get the same. Each: they do at every
// one of the targets on each of these nodes.
type Count struct {
	Nodes   int
	Targets []dataplane.Target
	Each    bool
}

// Works says whether there are such connections and all of them work.
func (r *Reach) Works() bool {
	return r.Of > 0 && r.Failing.Nodes+r.Partly.Nodes+r.Unknown.Nodes+r.HandedOn.Nodes == 0
}

// condition of a node's connections, worst last.
type condition uint8

const (
	works condition = iota
	handedOn
	notKnown
	failsPartly
	fails
	conditions
)

func conditionOf(p *dataplane.Path) condition {
	switch {
	case p.Outcome == dataplane.ViaLoadBalancer:
		// Also where no node would forward to the endpoints: a load balancer may have another way to them.
		return handedOn
	case p.Fails():
		return fails
	case p.Outcome == dataplane.Partial:
		return failsPartly
	case p.Outcome == dataplane.Unknown:
		return notKnown
	}
	return works
}

// Judge gives the verdict on a report whose rows are complete.
func Judge(r *Report) Verdict {
	svc := r.Service
	v := Verdict{Alike: true}
	served := make([]bool, len(svc.Ports))
	for i := range svc.Ports {
		served[i] = dataplane.Served(svc, i) || svc.ServedByCiliumEnvoy()
		if !served[i] {
			v.Unserved = append(v.Unserved, svc.Ports[i])
		}
	}
	if svc.Type == cluster.TypeLoadBalancer && len(svc.Ingress) > 0 {
		v.balanced(r, served)
	}
	var nodePorts, externalIPs, pods, hosts, clusterIP counter
	for i := range r.Nodes {
		if r.Nodes[i].Node.IsVirtual() {
			continue
		}
		for j := range r.Nodes[i].Paths {
			p := &r.Nodes[i].Paths[j]
			t := targetOf(svc, p)
			switch {
			case t.Port < 0 || !served[t.Port] || p.To == dataplane.NodePort && svc.Type != cluster.TypeNodePort:
			case p.To == dataplane.ClusterIP:
				clusterIP.add(p, t)
			case p.From == dataplane.Pod:
				pods.add(p, t)
			case p.From == dataplane.Node:
				hosts.add(p, t)
			case p.To == dataplane.NodePort:
				nodePorts.add(p, t)
				v.sees(p)
			case p.To == dataplane.ExternalIP:
				externalIPs.add(p, t)
				v.sees(p)
			}
		}
		v.Alike = v.Alike && pods.node == hosts.node
		for _, c := range []*counter{&nodePorts, &externalIPs, &pods, &hosts, &clusterIP} {
			c.next()
		}
	}
	v.NodePorts, v.ExternalIPs = nodePorts.reach(), externalIPs.reach()
	v.Pods, v.Hosts, v.ClusterIP = pods.reach(), hosts.reach(), clusterIP.reach()
	return v
}

// sees adds what the endpoint sees of a connection from outside.
func (v *Verdict) sees(p *dataplane.Path) {
	switch {
	case p.ClientIP == dataplane.NoClientIP, p.ClientIP == v.ClientIP, v.ClientIP == dataplane.ClientIPUnknown:
	case v.ClientIP == dataplane.NoClientIP, p.ClientIP == dataplane.ClientIPUnknown:
		v.ClientIP = p.ClientIP
	default:
		v.ClientIP = dataplane.Mixed
	}
}

// targetOf is what a path dials; its Port is -1 where the Service has no such port.
func targetOf(svc *cluster.Service, p *dataplane.Path) dataplane.Target {
	t := dataplane.Target{To: p.To, Address: p.Address, Hostname: p.Hostname}
	if p.To == dataplane.NodePort {
		t.Address, t.IPv6 = netip.Addr{}, p.Address.Is6()
	}
	t.Port = slices.IndexFunc(svc.Ports, func(o cluster.Port) bool {
		number := o.Port
		if p.To == dataplane.NodePort {
			number = o.NodePort
		}
		return number == p.Port && o.Protocol == p.Protocol
	})
	return t
}

// balanced judges the ports of the load balancer that are served.
func (v *Verdict) balanced(r *Report, served []bool) {
	for i := range served {
		if !served[i] {
			continue
		}
		o := route.FromOutsideTo(r.Service, r.Provider, r.Nodes, i)
		if !v.Balanced || o.Outcome.Badness() > v.Outside.Outcome.Badness() || o.Outcome == v.Outside.Outcome && o.Failing > v.Outside.Failing {
			v.Balanced, v.Outside = true, o
		}
		if o.Outcome.Badness() > dataplane.Unknown.Badness() {
			v.Failing = append(v.Failing, r.Service.Ports[i])
		}
	}
}

// counter counts nodes, one after the other.
type counter struct {
	of       int
	outcomes dataplane.Outcomes
	node     result
	// hit are the targets of the node, by their place in targets.
	hit     [conditions]uint64
	nodes   [conditions]int
	hits    [conditions]int
	targets [conditions][]dataplane.Target
}

// result is what the connections of one node get; the zero result is that of a node without such a connection.
type result struct {
	any       bool
	condition condition
	outcomes  dataplane.Outcomes
}

func (c *counter) add(p *dataplane.Path, t dataplane.Target) {
	is := conditionOf(p)
	c.node.any, c.node.condition = true, max(c.node.condition, is)
	if is == fails {
		c.node.outcomes |= 1 << p.Outcome
	}
	if is == works {
		return
	}
	i := slices.Index(c.targets[is], t)
	if i < 0 {
		i = len(c.targets[is])
		c.targets[is] = append(c.targets[is], t)
	}
	c.hit[is] |= 1 << i
}

// next ends a node.
func (c *counter) next() {
	if c.node.any {
		c.of++
		c.nodes[c.node.condition]++
		c.hits[c.node.condition] += bits.OnesCount64(c.hit[c.node.condition])
	}
	c.outcomes |= c.node.outcomes
	c.node, c.hit = result{}, [conditions]uint64{}
}

func (c *counter) reach() Reach {
	count := func(is condition) Count {
		return Count{c.nodes[is], c.targets[is], c.hits[is] == c.nodes[is]*len(c.targets[is])}
	}
	return Reach{c.of, count(fails), count(failsPartly), count(notKnown), count(handedOn), c.outcomes}
}
