package report

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// wide is a cluster of n nodes, with 500 endpoints of one Service spread over some of them.
func wide(n int) *cluster.Snapshot {
	version, _ := cluster.ParseVersion("v1.36.3")
	s := &cluster.Snapshot{Dataplane: cluster.Dataplane{
		Name: cluster.KubeProxy, Mode: cluster.IPTables, Version: version,
		KubeProxy: &cluster.KubeProxySettings{PodDetection: cluster.ClusterCIDR, ClusterCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	}}
	svc := cluster.Service{
		Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, ExternalTrafficPolicy: cluster.PolicyLocal, InternalTrafficPolicy: cluster.PolicyCluster,
		HealthCheckNodePort: 32000, HasSelector: true, EndpointsKnown: true,
		ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")},
		Ingress:    []cluster.Ingress{{IP: netip.MustParseAddr("203.0.113.10"), IPMode: cluster.VIP}},
		Ports:      []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080}},
	}
	for i := range n {
		s.Nodes = append(s.Nodes, cluster.Node{
			Name: fmt.Sprintf("node-%05d", i), Known: true, ProviderID: fmt.Sprintf("digitalocean://%d", i), Ready: cluster.Yes, Zone: "a",
			InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})},
			PodCIDRs:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)},
		})
	}
	for i := range 500 {
		node := i % (n / 4)
		svc.Endpoints = append(svc.Endpoints, cluster.Endpoint{
			Address: netip.AddrFrom4([4]byte{10, byte(node >> 8), byte(node), byte(2 + i/250)}), Node: s.Nodes[node].Name, Ready: true, Serving: true,
			Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}}, Target: fmt.Sprintf("shop/web-%d", i), Slice: "web-1",
		})
	}
	s.Services = []cluster.Service{svc}
	return s
}

func BenchmarkDiagnose(b *testing.B) {
	for _, n := range []int{500, 5000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			s := wide(n)
			b.ReportAllocs()
			for b.Loop() {
				reports := Diagnose(s)
				if len(reports[0].Nodes) != n || len(reports[0].Findings) == 0 && len(reports[0].Silent) == 0 {
					b.Fatal("nothing was diagnosed")
				}
			}
		})
	}
}

// BenchmarkPredict is the engine alone: every path of every node, without findings.
func BenchmarkPredict(b *testing.B) {
	s := wide(5000)
	svc := &s.Services[0]
	dialled := dataplane.Targets(svc)
	list := make([]dataplane.Path, 0, 10*len(s.Nodes))
	b.ReportAllocs()
	for b.Loop() {
		list = list[:0]
		p := dataplane.New(s, svc)
		for i := range s.Nodes {
			for _, t := range dialled {
				t.Node = i
				for _, from := range [...]dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
					if from != dataplane.External || t.To != dataplane.ClusterIP {
						list = append(list, p.Path(dataplane.Client{From: from, Node: i}, t))
					}
				}
			}
		}
		if len(list) != 8*len(s.Nodes) {
			b.Fatalf("%d paths for %d nodes", len(list), len(s.Nodes))
		}
	}
}
