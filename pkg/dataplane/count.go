package dataplane

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Count of backends by what they can do. A backend is one pod, in however many address families.
type Count struct {
	Ready, ServingTerminating, NotReady int
	// ReadyAddresses counts the addresses that are ready, IPv4 and IPv6 each for itself.
	ReadyAddresses [2]int
}

// Add counts a backend; its addresses are counted by Counts.
func (c *Count) Add(b *cluster.Backend) {
	switch {
	case b.Ready:
		c.Ready++
	case b.Serving && b.Terminating:
		c.ServingTerminating++
	default:
		c.NotReady++
	}
}

// Counts are the Service's backends by node, in the snapshot's order, each by the best that it can do for any port;
// nowhere are those that name no node of the snapshot. Endpoints must be ordered by address.
func Counts(s *cluster.Snapshot, svc *cluster.Service) (on []Count, nowhere Count) {
	on = make([]Count, len(s.Nodes))
	at := func(node string) *Count {
		if i := s.NodeIndex(node); i >= 0 {
			return &on[i]
		}
		return &nowhere
	}
	backends := svc.Backends(nil)
	for i := range backends {
		at(backends[i].Node).Add(&backends[i])
	}
	for i := range svc.Addresses(nil) {
		if e := &svc.Endpoints[i]; e.Ready {
			at(e.Node).ReadyAddresses[familyOf(e.Address)]++
		}
	}
	return on, nowhere
}

// Disagrees says whether the number of local endpoints that a node reports at its health check node port contradicts
// the EndpointSlices. here are the backends that they place on the node, nowhere those on no node of the cluster.
//
// kube-proxy counts the ready addresses of one family (kubernetes/kubernetes pkg/proxy/endpointschangetracker.go
// LocalReadyEndpoints). It has a proxier for each family, each with a health check server of its own, and either may be
// the one that answers: before v1.36 both want the same socket, and one fails to get it (kubernetes/kubernetes#114702,
// #137370; pkg/proxy/healthcheck/service_health.go). Other data planes count differently: Cilium counts each address
// and port of both families, counts an endpoint without a node on every node, and answers 1 where its own proxy serves
// (cilium/cilium pkg/loadbalancer/healthserver/healthserver.go). Of theirs only zero or not zero is compared.
func Disagrees(d *cluster.Dataplane, svc *cluster.Service, here, nowhere Count, counted int) bool {
	if d.Name != cluster.KubeProxy {
		return (counted > 0) != (here.Ready > 0) && (counted == 0 || nowhere.Ready == 0)
	}
	for f := v4; f <= v6; f++ {
		// A proxier skips a Service without a ClusterIP of its family.
		_, knows := first(svc.ClusterIPs, f)
		if (knows || len(svc.ClusterIPs) == 0) && counted == here.ReadyAddresses[f] {
			return false
		}
	}
	return true
}

// trustNodeCounts prefers the nodes' own counts of endpoints to the EndpointSlices. A kube-proxy that reports none
// where slices place some runs under another node's name or has not received them, which is then so for every Service.
// Where this Service has no health check, those of other Services are used.
func (p *Predictor) trustNodeCounts() {
	switch s := p.service; {
	case s.Live != nil:
		p.countNone, p.countOther = make([]bool, len(p.snapshot.Nodes)), make([]bool, len(p.snapshot.Nodes))
		p.eachCount(s, func(node int, _ Count, counted int, disagrees bool) {
			p.countNone[node], p.countOther[node] = disagrees && counted == 0, disagrees && counted > 0
		})
	case s.ExternalTrafficPolicy == cluster.PolicyLocal || s.InternalTrafficPolicy == cluster.PolicyLocal:
		// Every Service gives the same answer, so one for each node is enough.
		untold := len(p.snapshot.Nodes)
		told := make([]bool, untold)
		for i := 0; i < len(p.snapshot.Services) && untold > 0; i++ {
			p.eachCount(&p.snapshot.Services[i], func(node int, here Count, counted int, disagrees bool) {
				// A node without endpoints of that Service shows nothing about this one.
				if here.Ready == 0 || counted == 0 && !disagrees || told[node] {
					return
				}
				if p.countNone == nil {
					p.countNone = make([]bool, len(p.snapshot.Nodes))
				}
				p.countNone[node], told[node] = counted == 0, true
				untold--
			})
		}
	}
}

// eachCount calls f for each node that has counted the endpoints of a Service, with what EndpointSlices place there,
// what it counted, and whether the two disagree.
func (p *Predictor) eachCount(s *cluster.Service, f func(node int, here Count, counted int, disagrees bool)) {
	if s.Live == nil {
		return
	}
	on, nowhere := Counts(p.snapshot, s)
	for i := range p.snapshot.Nodes {
		n := &p.snapshot.Nodes[i]
		if live, ok := s.Live[n.Name]; ok && live.LocalEndpoints >= 0 {
			f(i, on[i], live.LocalEndpoints, Disagrees(p.snapshot.DataplaneOf(n), s, on[i], nowhere, live.LocalEndpoints))
		}
	}
}

// group is the endpoints of one Service port in one address family.
type group struct {
	total tally
	// on counts by node, in the snapshot's order; named by the name that endpoints carry.
	on                   []tally
	named                map[string]tally
	everyZone, everyNode bool
	zones, nodes         map[string]int
	// nowhere counts endpoints that name no node of the snapshot, zonesNowhere and nodesNowhere those of them that are
	// hinted for it.
	nowhere tally
	// unnamed counts endpoints that name no node at all.
	unnamed                    tally
	zonesNowhere, nodesNowhere map[string]int
	addresses                  []netip.Addr
}

func (p *Predictor) group(port int, f family) *group { return &p.groups[2*port+int(f)] }

func (p *Predictor) fill(g *group, port int, f family) {
	*g = group{
		on: make([]tally, len(p.snapshot.Nodes)), named: map[string]tally{}, everyZone: true, everyNode: true,
		zones: map[string]int{}, nodes: map[string]int{}, zonesNowhere: map[string]int{}, nodesNowhere: map[string]int{},
	}
	for i := range p.service.Endpoints {
		e := &p.service.Endpoints[i]
		if familyOf(e.Address) != f || !e.Serves(&p.service.Ports[port]) || e.IsPlaceholder() {
			continue
		}
		one := tally{}
		host := 0
		if _, own := p.own[e.Address]; own {
			host = 1
		}
		node := p.snapshot.NodeIndex(e.Node)
		switch {
		case e.Ready:
			one.ready, one.readyHost = 1, host
			g.everyZone = g.everyZone && len(e.ForZones) > 0
			g.everyNode = g.everyNode && len(e.ForNodes) > 0
			for _, z := range e.ForZones {
				g.zones[z]++
				if node < 0 {
					g.zonesNowhere[z]++
				}
			}
			for _, n := range e.ForNodes {
				g.nodes[n]++
				if node < 0 {
					g.nodesNowhere[n]++
				}
			}
			if node >= 0 && slices.Contains(e.ForZones, p.snapshot.Nodes[node].Zone) {
				one.zoneHinted = 1
			}
			if slices.Contains(e.ForNodes, e.Node) {
				one.nodeHinted = 1
			}
		case e.Serving && e.Terminating:
			one.terminating, one.terminatingHost = 1, host
		default:
			continue
		}
		g.addresses = append(g.addresses, e.Address)
		g.total.add(one)
		if node >= 0 {
			g.on[node].add(one)
		} else {
			g.nowhere.add(one)
		}
		if e.Node == "" {
			g.unnamed.add(one)
			continue
		}
		t := g.named[e.Node]
		t.add(one)
		g.named[e.Node] = t
	}
}
