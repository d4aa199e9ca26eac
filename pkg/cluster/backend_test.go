package cluster_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

type state string

const (
	ready       state = "ready"
	terminating state = "terminating"
	notReady    state = "not ready"
)

func at(address, node, pod string, s state) cluster.Endpoint {
	return cluster.Endpoint{
		Address: netip.MustParseAddr(address), Node: node, Target: pod, Ready: s == ready, Serving: s != notReady, Terminating: s == terminating,
	}
}

func TestBackends(t *testing.T) {
	for name, c := range map[string]struct {
		endpoints []cluster.Endpoint
		want      []string
	}{
		"a pod has an address of each family": {
			[]cluster.Endpoint{at("10.0.0.1", "a", "shop/x", ready), at("10.0.1.1", "b", "shop/y", ready), at("fd00::1", "a", "shop/x", ready), at("fd00::2", "b", "shop/y", ready)},
			[]string{"a ready", "b ready"},
		},
		"one family of a pod is not ready": {
			[]cluster.Endpoint{at("10.0.0.1", "a", "shop/x", notReady), at("10.0.1.1", "b", "shop/y", terminating), at("fd00::1", "a", "shop/x", ready), at("fd00::2", "b", "shop/y", notReady)},
			[]string{"a ready", "b terminating"},
		},
		"no pod is named": {
			[]cluster.Endpoint{at("10.0.0.1", "a", "", ready), at("fd00::1", "a", "", ready)},
			[]string{"a ready", "a ready"},
		},
		"an address in two states": {
			[]cluster.Endpoint{at("10.0.0.1", "a", "shop/old", terminating), at("10.0.0.1", "a", "shop/new", ready), at("fd00::1", "a", "shop/new", ready)},
			[]string{"a ready"},
		},
		"two pods of one name, before and after a move": {
			[]cluster.Endpoint{at("10.0.0.1", "a", "shop/db-0", terminating), at("10.0.1.1", "b", "shop/db-0", ready)},
			[]string{"a terminating", "b ready"},
		},
		"pods with two addresses of a family": {
			[]cluster.Endpoint{at("10.0.0.1", "a", "shop/x", ready), at("10.0.0.2", "a", "shop/x", ready)},
			[]string{"a ready"},
		},
		"none": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := cluster.Service{Endpoints: c.endpoints}
			var got []string
			readies := 0
			for _, b := range s.Backends(nil) {
				is := notReady
				switch {
				case b.Ready:
					is = ready
					readies++
				case b.Serving && b.Terminating:
					is = terminating
				}
				got = append(got, fmt.Sprintf("%s %s", b.Node, is))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if n := s.ReadyBackends(); n != readies {
				t.Errorf("%d are said to be ready, and %d are", n, readies)
			}
		})
	}
}

// What serves one family is as ready as its addresses of that family.
func TestBackendsOfOneFamily(t *testing.T) {
	s := cluster.Service{Endpoints: []cluster.Endpoint{
		at("10.0.0.1", "a", "shop/x", ready), at("10.0.0.2", "a", "shop/y", ready), at("fd00::1", "a", "shop/x", notReady),
	}}
	six := s.Backends(func(e *cluster.Endpoint) bool { return e.Address.Is6() })
	if len(six) != 1 || six[0].Ready || six[0].Endpoint.Target != "shop/x" {
		t.Errorf("got %+v", six)
	}
}

// Where the slices of a dual-stack Service name no pods, an address of each family on a node is one backend.
func TestBackendsOfUnnamedDualStackPods(t *testing.T) {
	s := cluster.Service{
		ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd00:96::1")},
		Endpoints: []cluster.Endpoint{
			at("10.0.0.1", "a", "", ready), at("10.0.0.2", "a", "", ready), at("10.0.1.1", "b", "", ready),
			at("fd00::1", "a", "", ready), at("fd00::2", "a", "", ready), at("fd00::3", "b", "", ready), at("fd00::4", "b", "", notReady),
		},
	}
	if n := len(s.Backends(nil)); n != 4 || s.ReadyBackends() != 3 {
		t.Errorf("%d backends, %d of them ready, want 4 and 3", n, s.ReadyBackends())
	}
	s.ClusterIPs = s.ClusterIPs[:1]
	if n := len(s.Backends(nil)); n != 7 {
		t.Errorf("a single-stack Service has %d backends, want each address", n)
	}
}
