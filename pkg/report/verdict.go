package report

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// Verdict is a diagnosis in a few numbers, for the line that comes first on a screen. It counts every node, also those that Only leaves out of the map. Ports that no
// ready endpoint serves are in Unserved and nowhere else. The zero Verdict belongs to a Service without a map.
type Verdict struct {
	// Balanced: the load balancer has an address, and a ready endpoint serves one of its ports. Outside is what connections from outside to it get, at the worst port
	// that is served.
	Balanced bool
	Outside  Outside
	// Failing are the ports of the load balancer at which connections from outside are known to fail, all or some of them.
	Failing []cluster.Port
	// NodePorts and ExternalIPs are connections from outside that arrive at a node, at its node port or at an external IP. NodePorts is for Services of type NodePort.
	NodePorts, ExternalIPs Reach
	// Pods and Hosts are connections from pods and from the host network to the addresses that are published for clients. Alike: both fail on the same nodes, with the
	// same outcomes.
	Pods, Hosts Reach
	Alike       bool
	// ClusterIP is connections to the ClusterIPs, from pods and from the host network together.
	ClusterIP Reach
	// Unserved are the ports that no ready endpoint serves.
	Unserved []cluster.Port
}

// Reach counts nodes by the worst that their connections get: of the connections that start there or, from outside, arrive there.
type Reach struct {
	// Of is the number of nodes that have such connections. On those that no count below has, every connection works.
	Of int
	// Failing: every connection to some target fails. Partly: some fail, by the endpoint chosen. Unknown: it is not known whether they work. HandedOn: the node leaves
	// them to the load balancer, and no node shows what that does with them.
	Failing, Partly, Unknown, HandedOn int
	// Outcomes are those of Failing.
	Outcomes dataplane.Outcomes
	// Targets are where connections do not all work, on the nodes of the worst of the counts.
	Targets []dataplane.Target
}

// Works says whether there are such connections and all of them work.
func (r Reach) Works() bool {
	return r.Of > 0 && r.Failing+r.Partly+r.Unknown+r.HandedOn == 0
}

// condition of a node's connections, worst last.
type condition uint8

const (
	works condition = iota
	handedOn
	notKnown
	failsPartly
	fails
)

func conditionOf(p *dataplane.Path) condition {
	switch p.Outcome {
	case dataplane.Reachable:
		return works
	case dataplane.Partial:
		return failsPartly
	case dataplane.Unknown:
		return notKnown
	case dataplane.ViaLoadBalancer:
		if p.Endpoints != dataplane.NoEndpoints {
			return handedOn
		}
	case dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable:
	}
	return fails
}

func verdict(r *Report) Verdict {
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
			case p.To == dataplane.ExternalIP:
				externalIPs.add(p, t)
			}
		}
		v.Alike = v.Alike && pods.node == hosts.node
		for _, c := range []*counter{&nodePorts, &externalIPs, &pods, &hosts, &clusterIP} {
			c.next()
		}
	}
	v.NodePorts, v.ExternalIPs, v.Pods, v.Hosts, v.ClusterIP = nodePorts.Reach, externalIPs.Reach, pods.Reach, hosts.Reach, clusterIP.Reach
	return v
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
	Reach
	worst condition
	node  result
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
	if is > c.worst {
		c.worst, c.Targets = is, nil
	}
	if is == c.worst && is > works && !slices.Contains(c.Targets, t) {
		c.Targets = append(c.Targets, t)
	}
}

// next ends a node.
func (c *counter) next() {
	if c.node.any {
		c.Of++
	}
	c.Outcomes |= c.node.outcomes
	switch c.node.condition {
	case fails:
		c.Failing++
	case failsPartly:
		c.Partly++
	case notKnown:
		c.Unknown++
	case handedOn:
		c.HandedOn++
	case works:
	}
	c.node = result{}
}
