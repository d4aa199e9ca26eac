package route

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Rows are the nodes of a snapshot, in an order of their indexes (Order), each with the paths of the Service's
// connections and with what the load balancer sends to it. nowhere are the backends that are on none of them.
func Rows(s *cluster.Snapshot, svc *cluster.Service, lb provider.LoadBalancer, order []int) (rows []Row, nowhere dataplane.Count) {
	predictor := dataplane.New(s, svc)
	counts, nowhere := dataplane.Counts(s, svc)
	rows = make([]Row, len(order))
	dialled := dataplane.Targets(svc)
	backing := make([]dataplane.Path, 0, 3*len(dialled)*len(order))
	for i, node := range order {
		row := &rows[i]
		row.Node, row.Index, row.Endpoints = &s.Nodes[node], node, counts[node]
		if live, ok := svc.Live[row.Node.Name]; ok {
			row.Live = &live
			row.Disagrees = svc.EndpointsKnown && live.LocalEndpoints >= 0 &&
				dataplane.Disagrees(s.DataplaneOf(row.Node), svc, row.Endpoints, nowhere, live.LocalEndpoints)
		}
		start := len(backing)
		backing = paths(backing, predictor, dialled, svc, lb, row)
		row.Paths = backing[start:len(backing):len(backing)]
	}
	Balance(s, svc, lb, rows)
	return rows, nowhere
}

// paths appends the paths of connections from a process on the node, from a pod on it, and from a client outside whose
// packet was sent to the node.
func paths(list []dataplane.Path, p *dataplane.Predictor, dialled []dataplane.Target, svc *cluster.Service, lb provider.LoadBalancer, row *Row) []dataplane.Path {
	for _, t := range dialled {
		t.Node = row.Index
		if !t.At(row.Node) {
			continue
		}
		for _, from := range [...]dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
			if from == dataplane.External && t.To == dataplane.ClusterIP {
				continue
			}
			t.Arrival = Arrival(lb, svc, t)
			list = append(list, p.Path(dataplane.Client{From: from, Node: row.Index}, t))
		}
	}
	return list
}

// Order is the nodes' indexes in the order in which people read their names: node-9 before node-10.
func Order(nodes []cluster.Node) []int {
	order := make([]int, len(nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareNames(nodes[a].Name, nodes[b].Name) })
	return order
}

// compareNames compares runs of digits by their value, everything else byte by byte.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		digitsA, digitsB := leadingDigits(a), leadingDigits(b)
		if digitsA > 0 && digitsB > 0 {
			x, y := strings.TrimLeft(a[:digitsA], "0"), strings.TrimLeft(b[:digitsB], "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[digitsA:], b[digitsB:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
