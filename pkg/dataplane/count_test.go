package dataplane_test

import (
	"net/netip"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

func TestDisagrees(t *testing.T) {
	const both, four = "10.96.0.1 fd00:96::1", "10.96.0.1"
	for _, c := range []struct {
		name      string
		dataplane cluster.DataplaneName
		families  string
		// ready are addresses of one pod each where they stand at the same place in both lists.
		ready4, ready6, nowhere int
		// agree are the counts that do not contradict the EndpointSlices; all others up to 9 do.
		agree []int
	}{
		{"single-stack", cluster.KubeProxy, four, 2, 0, 0, []int{2}},
		{"dual-stack", cluster.KubeProxy, both, 2, 2, 0, []int{2}},
		{"one family lags behind", cluster.KubeProxy, both, 2, 1, 0, []int{2, 1}},
		{"pods without IPv6", cluster.KubeProxy, both, 2, 0, 0, []int{2, 0}},
		{"no proxier of the other family serves", cluster.KubeProxy, four, 2, 1, 0, []int{2}},
		{"none here", cluster.KubeProxy, both, 0, 0, 0, []int{0}},
		{"an endpoint without a node is nobody's own", cluster.KubeProxy, four, 0, 0, 1, []int{0}},
		// Cilium counts every address and port.
		{"Cilium", cluster.Cilium, both, 2, 2, 0, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"Cilium, none here", cluster.Cilium, both, 0, 0, 0, []int{0}},
		{"Cilium, and an endpoint without a node", cluster.Cilium, both, 0, 0, 1, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"not known", cluster.UnknownDataplane, both, 1, 1, 0, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &cluster.Snapshot{Nodes: []cluster.Node{{Name: "a"}}, Dataplane: cluster.Dataplane{Name: c.dataplane}}
			svc := &cluster.Service{ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")}}
			if c.families == both {
				svc.ClusterIPs = append(svc.ClusterIPs, netip.MustParseAddr("fd00:96::1"))
			}
			add := func(address, node string, n int) {
				a := netip.MustParseAddr(address)
				for i := range n {
					a = a.Next()
					svc.Endpoints = append(svc.Endpoints, cluster.Endpoint{Address: a, Node: node, Ready: true, Serving: true, Target: "shop/" + node + string(rune('0'+i))})
				}
			}
			add("10.1.0.0", "a", c.ready4)
			add("10.2.0.0", "", c.nowhere)
			add("fd00::", "a", c.ready6)
			on, nowhere := dataplane.Counts(s, svc)
			if want := max(c.ready4, c.ready6); on[0].Ready != want || nowhere.Ready != c.nowhere {
				t.Errorf("counted %+v on the node and %+v elsewhere, want %d and %d pods", on[0], nowhere, want, c.nowhere)
			}
			agrees := map[int]bool{}
			for _, n := range c.agree {
				agrees[n] = true
			}
			for n := range 10 {
				if got := dataplane.Disagrees(&s.Dataplane, svc, on[0], nowhere, n); got == agrees[n] {
					t.Errorf("that a count of %d contradicts the slices is said to be %v", n, got)
				}
			}
		})
	}
}
