package render

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// target is one thing of the Service that can be dialled: an address and a port, or, for NodePort, a port of every node's own address of one family.
type target struct {
	to       dataplane.To
	address  netip.Addr
	hostname string
	ipv6     bool // for NodePort only
	port     cluster.Port
}

// place is the target without its port, as people write it.
func (t *target) place() string {
	switch t.to {
	case dataplane.LoadBalancerHostname:
		return t.hostname
	case dataplane.NodePort:
		if t.ipv6 {
			return "node ports over IPv6"
		}
		return "node ports"
	case dataplane.LoadBalancerIP, dataplane.ExternalIP, dataplane.ClusterIP:
	}
	return t.address.String()
}

func portText(p *cluster.Port, nodePort bool) string {
	text := strconv.Itoa(int(p.Port))
	if nodePort && p.NodePort != 0 {
		text += ":" + strconv.Itoa(int(p.NodePort))
	}
	return text + "/" + string(p.Protocol)
}

// about says whether a path dials the target.
func (t *target) about(p *dataplane.Path) bool {
	if p.To != t.to || p.Protocol != t.port.Protocol {
		return false
	}
	switch t.to {
	case dataplane.NodePort:
		return p.Port == t.port.NodePort && p.Address.Is6() == t.ipv6
	case dataplane.LoadBalancerHostname:
		return p.Port == t.port.Port && p.Hostname == t.hostname
	case dataplane.LoadBalancerIP, dataplane.ExternalIP, dataplane.ClusterIP:
	}
	return p.Port == t.port.Port && p.Address == t.address
}

// servedBy says whether an endpoint can answer for the target.
func (t *target) servedBy(e *cluster.Endpoint) bool {
	ipv6 := t.ipv6
	if t.to != dataplane.NodePort {
		ipv6 = t.address.Is6()
	}
	if t.to != dataplane.LoadBalancerHostname && e.Address.Is6() != ipv6 {
		return false
	}
	return e.Serves(&t.port)
}

// verdicts of one row for one target.
type verdicts struct {
	external, node, pod verdict
}

func (t *target) verdicts(row *report.Row) verdicts {
	v := verdicts{verdict{none: true}, verdict{none: true}, verdict{none: true}}
	arriving := verdict{none: true}
	for i := range row.Paths {
		p := &row.Paths[i]
		if p.From == dataplane.External {
			switch {
			case t.about(p):
				v.external = v.external.and(of(p))
			case t.byNodePort(p):
				arriving = arriving.and(of(p))
			}
			continue
		}
		if !t.about(p) {
			continue
		}
		if p.From == dataplane.Node {
			v.node = v.node.and(of(p))
		} else {
			v.pod = v.pod.and(of(p))
		}
	}
	if v.external.none {
		v.external = arriving
	}
	return v
}

// byNodePort says whether p is what a load balancer does with a connection to the target: it hands it to the node port of the same Service port, in the
// address family of the target.
func (t *target) byNodePort(p *dataplane.Path) bool {
	if p.To != dataplane.NodePort || t.port.NodePort == 0 || p.Port != t.port.NodePort || p.Protocol != t.port.Protocol {
		return false
	}
	switch t.to {
	case dataplane.LoadBalancerHostname:
		return true
	case dataplane.LoadBalancerIP:
		return p.Address.Is6() == t.address.Is6()
	case dataplane.ExternalIP, dataplane.NodePort, dataplane.ClusterIP:
	}
	return false
}

// block is a part of the map: targets of which the same is true on every node.
type block struct {
	targets []target
	// balanced: a load balancer stands before these targets, and decides which nodes are met.
	balanced bool
	// rows has the verdicts of each row of the report.
	rows []verdicts
}

// blocks divides what can be dialled from outside into parts that differ in at least one cell, in the order of the Service's addresses and ports.
func blocks(r *report.Report) []block {
	return divide(r, targets(r, func(to dataplane.To) bool { return dataplane.Publishes(r.Service, to) }))
}

func nodePorts(r *report.Report) []target {
	return targets(r, func(to dataplane.To) bool { return to == dataplane.NodePort })
}

func clusterIPs(r *report.Report) []target {
	return targets(r, func(to dataplane.To) bool { return to == dataplane.ClusterIP })
}

// targets are those of the Service that are of a wanted kind. A node port is one only in an address family that some node has.
func targets(r *report.Report, wanted func(dataplane.To) bool) []target {
	var all []target
	for _, d := range dataplane.Targets(r.Service) {
		t := target{to: d.To, address: d.Address, hostname: d.Hostname, ipv6: d.IPv6, port: r.Service.Ports[d.Port]}
		if wanted(d.To) && (d.To != dataplane.NodePort || slices.ContainsFunc(r.Nodes, func(row report.Row) bool {
			return slices.ContainsFunc(row.Paths, func(p dataplane.Path) bool { return t.about(&p) })
		})) {
			all = append(all, t)
		}
	}
	return all
}

func divide(r *report.Report, targets []target) []block {
	var parts []block
next:
	for _, t := range targets {
		rows := make([]verdicts, len(r.Nodes))
		for i := range r.Nodes {
			rows[i] = t.verdicts(&r.Nodes[i])
		}
		balanced := t.to == dataplane.LoadBalancerIP || t.to == dataplane.LoadBalancerHostname
		for i := range parts {
			if parts[i].balanced == balanced && slices.EqualFunc(parts[i].rows, rows, alike) {
				for n := range rows {
					mine := &parts[i].rows[n]
					mine.external, mine.node, mine.pod = mine.external.and(rows[n].external), mine.node.and(rows[n].node), mine.pod.and(rows[n].pod)
				}
				parts[i].targets = append(parts[i].targets, t)
				continue next
			}
		}
		parts = append(parts, block{targets: []target{t}, balanced: balanced, rows: rows})
	}
	return parts
}

// alike says whether two sets of verdicts look the same in the map.
func alike(a, b verdicts) bool {
	return a.external.cell() == b.external.cell() && a.node.cell() == b.node.cell() && a.pod.cell() == b.pod.cell()
}

// title names the targets of a block among all targets: by place, by port, or one by one.
func title(b *block, all []block) string {
	places, ports := named(b.targets)
	var every []target
	for _, other := range all {
		every = append(every, other.targets...)
	}
	allPlaces, allPorts := named(every)
	if len(places)*len(ports) == len(b.targets) {
		switch {
		case len(ports) == len(allPorts):
			return strings.Join(places, " ")
		case len(places) == len(allPlaces):
			return strings.Join(ports, " ")
		}
		return strings.Join(places, " ") + "   " + strings.Join(ports, " ")
	}
	singles := make([]string, len(b.targets))
	for i := range b.targets {
		singles[i] = b.targets[i].place() + " " + portText(&b.targets[i].port, false)
	}
	return strings.Join(singles, ", ")
}

// named lists the distinct places and ports of targets, in their order.
func named(targets []target) (places, ports []string) {
	for i := range targets {
		if p := targets[i].place(); !slices.Contains(places, p) {
			places = append(places, p)
		}
		if p := portText(&targets[i].port, targets[i].to == dataplane.NodePort); !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	return places, ports
}
