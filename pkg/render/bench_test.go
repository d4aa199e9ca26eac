package render

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// large has 5,000 nodes, every tenth with a backend.
func large() *report.Report {
	r := ipvsLocal()
	r.Nodes = nil
	for i := range 5000 {
		n := &cluster.Node{
			Name: fmt.Sprintf("node-%d", i), Zone: "cn-hangzhou-" + string("hij"[i%3]), Known: true, Ready: cluster.Yes,
			InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})},
		}
		row := report.Row{Node: n, LoadBalancer: report.Receives{Receives: cluster.No, Reason: "NoLocalEndpoint"}, Paths: paths(r.Service, n, refused)}
		if i%10 == 0 {
			row.Endpoints.Ready, row.Paths = 1, paths(r.Service, n, reachable)
			row.LoadBalancer = report.Receives{Receives: cluster.Yes, Share: 0.002, PodShare: 0.002}
		}
		r.Nodes = append(r.Nodes, row)
	}
	return r
}

func BenchmarkScreen5000Nodes(b *testing.B) {
	r := large()
	for name, o := range map[string]Options{
		"terminal": {Style: NewStyle(ColorAlways, false, wide100)},
		"piped":    {Style: plainStyle(Terminal{UTF8: true})},
		"wide":     {Style: plainStyle(Terminal{UTF8: true}), Wide: true},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Screen(r, o)
			}
		})
	}
}
