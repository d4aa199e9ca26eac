package cluster

import "fmt"

// Backend is one pod of a Service with all its addresses, or one address where its EndpointSlice names no pod. A
// Service that has two address families lists each pod twice, in an EndpointSlice for each family; where the slices of
// such a Service name no pods, the first addresses of each family on a node are taken for one backend, the second ones
// for another, and so on.
type Backend struct {
	// Node is "" where the EndpointSlices do not say.
	Node string
	// Ready, Serving and Terminating are those of its best address: ready before serving and terminating, and those
	// before all others.
	Ready, Serving, Terminating bool
	// Endpoint is that best address, as the EndpointSlices have it.
	Endpoint *Endpoint
}

// Backends are the Service's, in the order of their first addresses. Where keep is not nil, only endpoints that it
// keeps count. Endpoints must be ordered by address.
func (s *Service) Backends(keep func(*Endpoint) bool) []Backend {
	// A pod is on one node: endpoints that name the same pod on two are of two pods of that name, one after the other.
	type pod struct{ name, node string }
	var of map[pod]int
	all := make([]Backend, 0, len(s.Endpoints))
	dual := s.dualStack()
	unnamed := map[unnamedOn]int{}
	for i := range s.Addresses(keep) {
		e := &s.Endpoints[i]
		name := e.Target
		if name == "" && dual && e.Node != "" {
			on := unnamedOn{e.Node, e.Address.Is6()}
			unnamed[on]++
			name = fmt.Sprintf("#%d", unnamed[on])
		}
		if name != "" {
			if of == nil {
				of = make(map[pod]int, len(s.Endpoints))
			}
			at, again := of[pod{name, e.Node}]
			if again {
				if e.ability() > all[at].Endpoint.ability() {
					all[at] = backend(e)
				}
				continue
			}
			of[pod{name, e.Node}] = len(all)
		}
		all = append(all, backend(e))
	}
	return all
}

// unnamedOn is a node and an address family, true for IPv6, of endpoints that name no pod.
type unnamedOn struct {
	node string
	six  bool
}

// dualStack says whether the Service has ClusterIPs of both families.
func (s *Service) dualStack() bool {
	return len(s.ClusterIPs) == 2 && s.ClusterIPs[0].Is6() != s.ClusterIPs[1].Is6()
}

func backend(e *Endpoint) Backend {
	return Backend{Node: e.Node, Ready: e.Ready, Serving: e.Serving, Terminating: e.Terminating, Endpoint: e}
}

// ReadyBackends is how many backends are ready.
func (s *Service) ReadyBackends() int {
	return len(s.Backends(func(e *Endpoint) bool { return e.Ready }))
}

// Addresses yields the index of the best endpoint of each address: a Service has an address more than once where
// EndpointSlices give it several states. Where keep is not nil, only endpoints that it keeps count. Endpoints must be
// ordered by address.
func (s *Service) Addresses(keep func(*Endpoint) bool) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < len(s.Endpoints); {
			best, address := -1, s.Endpoints[i].Address
			for ; i < len(s.Endpoints) && s.Endpoints[i].Address == address; i++ {
				e := &s.Endpoints[i]
				if (keep == nil || keep(e)) && (best < 0 || e.ability() > s.Endpoints[best].ability()) {
					best = i
				}
			}
			if best >= 0 && !yield(best) {
				return
			}
		}
	}
}

// ability orders endpoints by what data planes use first: ready ones, then those that are serving and terminating; the
// others are not used.
func (e *Endpoint) ability() int {
	switch {
	case e.Ready:
		return 2
	case e.Serving && e.Terminating:
		return 1
	default:
		return 0
	}
}
