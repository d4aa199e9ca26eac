package route

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// Target is an address and a port of the Service that clients can dial, or, for NodePort, a port of every node's own
// address of one family.
type Target struct {
	To       dataplane.To
	Address  netip.Addr
	Hostname string
	// IPv6 is the family of what has no Address.
	IPv6 bool
	Port cluster.Port
}

// Cells are a node's cells for a target, by where the connection starts.
type Cells struct {
	// External is what a client outside gets whose packet has been sent to the node.
	External, Node, Pod Cell
}

// NoCells are the cells of a row without paths.
func NoCells() Cells { return Cells{Cell{None: true}, Cell{None: true}, Cell{None: true}} }

// And combines two rows of cells.
func (c Cells) And(d Cells) Cells {
	return Cells{c.External.And(d.External), c.Node.And(d.Node), c.Pod.And(d.Pod)}
}

// Seen is what a reader of the map can tell apart.
func (c Cells) Seen() Cells { return Cells{c.External.Seen(), c.Node.Seen(), c.Pod.Seen()} }

// Part is a part of the map: targets with the same cells on every node.
type Part struct {
	Targets []Target
	// Balanced: a load balancer is in front of these targets and chooses the node.
	Balanced bool
	// Rows has the cells of each row, in the order of the rows.
	Rows []Cells
}

// Parts divides the targets that are published for clients into parts that differ in at least one cell, in the order of
// the Service's addresses and ports.
func Parts(s *cluster.Service, rows []Row) []Part {
	return divide(rows, targets(s, rows, func(to dataplane.To) bool { return dataplane.Publishes(s, to) }))
}

// ClusterIPParts divides the ClusterIPs of the Service into parts that differ in at least one cell.
func ClusterIPParts(s *cluster.Service, rows []Row) []Part { return divide(rows, ClusterIPs(s)) }

// NodePortParts divides the node ports of the Service into parts that differ in at least one cell.
func NodePortParts(s *cluster.Service, rows []Row) []Part { return divide(rows, NodePorts(s, rows)) }

// NodePorts are the node ports of the Service.
func NodePorts(s *cluster.Service, rows []Row) []Target {
	return targets(s, rows, func(to dataplane.To) bool { return to == dataplane.NodePort })
}

// ClusterIPs are the targets inside the cluster.
func ClusterIPs(s *cluster.Service) []Target {
	return targets(s, nil, func(to dataplane.To) bool { return to == dataplane.ClusterIP })
}

// targets are those of the Service of a wanted kind. A node port is one only in an address family in which some row has
// a path.
func targets(s *cluster.Service, rows []Row, wanted func(dataplane.To) bool) []Target {
	var all []Target
	for _, d := range dataplane.Targets(s) {
		t := Target{To: d.To, Address: d.Address, Hostname: d.Hostname, IPv6: d.IPv6, Port: s.Ports[d.Port]}
		if wanted(d.To) && (d.To != dataplane.NodePort || slices.ContainsFunc(rows, func(row Row) bool {
			return slices.ContainsFunc(row.Paths, func(p dataplane.Path) bool { return t.dialledBy(&p) })
		})) {
			all = append(all, t)
		}
	}
	return all
}

// Cells are those of the target on one node. Where nothing is predicted for the load balancer's own address or name,
// External is what its connections get at the node port of the same Service port.
func (t *Target) Cells(row *Row) Cells {
	c := NoCells()
	arriving := Cell{None: true}
	for i := range row.Paths {
		p := &row.Paths[i]
		switch dialled := t.dialledBy(p); {
		case p.From == dataplane.External && dialled:
			c.External = c.External.And(CellOf(p))
		case p.From == dataplane.External && t.arrivesBy(p):
			arriving = arriving.And(CellOf(p))
		case p.From == dataplane.Node && dialled:
			c.Node = c.Node.And(CellOf(p))
		case p.From == dataplane.Pod && dialled:
			c.Pod = c.Pod.And(CellOf(p))
		}
	}
	if c.External.None {
		c.External = arriving
	}
	return c
}

// ServedBy says whether an endpoint can answer connections to the target.
func (t *Target) ServedBy(e *cluster.Endpoint) bool {
	ipv6 := t.IPv6
	if t.To != dataplane.NodePort {
		ipv6 = t.Address.Is6()
	}
	if t.To != dataplane.LoadBalancerHostname && e.Address.Is6() != ipv6 {
		return false
	}
	return e.Serves(&t.Port)
}

// dialledBy says whether a path is one of connections to the target.
func (t *Target) dialledBy(p *dataplane.Path) bool {
	if p.To != t.To || p.Protocol != t.Port.Protocol {
		return false
	}
	switch t.To {
	case dataplane.NodePort:
		return p.Port == t.Port.NodePort && p.Address.Is6() == t.IPv6
	case dataplane.LoadBalancerHostname:
		return p.Port == t.Port.Port && p.Hostname == t.Hostname
	case dataplane.LoadBalancerIP, dataplane.ExternalIP, dataplane.ClusterIP:
	}
	return p.Port == t.Port.Port && p.Address == t.Address
}

// arrivesBy says whether a load balancer sends connections to the target on by this path: to the node port of the same
// Service port, in the target's address family.
func (t *Target) arrivesBy(p *dataplane.Path) bool {
	if p.To != dataplane.NodePort || t.Port.NodePort == 0 || p.Port != t.Port.NodePort || p.Protocol != t.Port.Protocol {
		return false
	}
	switch t.To {
	case dataplane.LoadBalancerHostname:
		return true
	case dataplane.LoadBalancerIP:
		return p.Address.Is6() == t.Address.Is6()
	case dataplane.ExternalIP, dataplane.NodePort, dataplane.ClusterIP:
	}
	return false
}

// divide puts targets whose cells read the same on every node into one part.
func divide(rows []Row, targets []Target) []Part {
	var parts []Part
next:
	for _, t := range targets {
		cells := make([]Cells, len(rows))
		for i := range rows {
			cells[i] = t.Cells(&rows[i])
		}
		balanced := t.To == dataplane.LoadBalancerIP || t.To == dataplane.LoadBalancerHostname
		for i := range parts {
			if parts[i].Balanced == balanced && slices.EqualFunc(parts[i].Rows, cells, func(a, b Cells) bool { return a.Seen() == b.Seen() }) {
				for n := range cells {
					parts[i].Rows[n] = parts[i].Rows[n].And(cells[n])
				}
				parts[i].Targets = append(parts[i].Targets, t)
				continue next
			}
		}
		parts = append(parts, Part{Targets: []Target{t}, Balanced: balanced, Rows: cells})
	}
	return parts
}
