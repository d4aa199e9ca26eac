package route

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// drawn is a cluster with one Service: its nodes, data plane, load balancer, policy and endpoints are drawn.
func drawn(r *rand.Rand) (*cluster.Snapshot, *cluster.Service) {
	s := &cluster.Snapshot{}
	switch r.IntN(5) {
	case 0:
		s.Dataplane = cluster.Dataplane{Name: cluster.KubeProxy}
	case 1:
		s.Dataplane = cluster.Dataplane{Name: cluster.CalicoEBPF}
		s.Dataplane.Version, _ = cluster.ParseVersion("v3.30.2")
	case 2:
		s.Dataplane = cluster.Dataplane{Name: cluster.Cilium, Cilium: &cluster.CiliumSettings{ReplacesKubeProxy: true}}
		s.Dataplane.Version, _ = cluster.ParseVersion("v1.18.4")
		s.Dataplane.Cilium.Version = s.Dataplane.Version
	default:
		modes := []cluster.ProxyMode{cluster.IPTables, cluster.IPVS, cluster.NFTables}
		s.Dataplane = cluster.Dataplane{Name: cluster.KubeProxy, Mode: modes[r.IntN(3)], KubeProxy: &cluster.KubeProxySettings{
			PodDetection: cluster.ClusterCIDR, ClusterCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")},
		}}
		s.Dataplane.Version, _ = cluster.ParseVersion([]string{"v1.20.15", "v1.28.15", "v1.36.3"}[r.IntN(3)])
		if s.Dataplane.Mode == cluster.NFTables {
			s.Dataplane.Version, _ = cluster.ParseVersion("v1.36.3")
		}
	}
	ids := []string{"", "hcloud://%d", "gce://p/z/n%d", "cn-hangzhou.i-%d", "aws:///a/i-%d"}
	id := ids[r.IntN(len(ids))]
	nodes := 1 + r.IntN(5)
	for i := range nodes {
		n := cluster.Node{
			Name: fmt.Sprintf("node-%d", i), Known: true, Ready: cluster.Yes, InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})},
			PodCIDRs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 0}), 24)},
		}
		if id != "" {
			n.ProviderID = fmt.Sprintf(id, i)
		}
		if r.IntN(6) == 0 {
			n.Ready = cluster.No
		}
		s.Nodes = append(s.Nodes, n)
	}
	svc := cluster.Service{
		Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, ExternalTrafficPolicy: []cluster.Policy{cluster.PolicyLocal, cluster.PolicyCluster}[r.IntN(2)],
		InternalTrafficPolicy: cluster.PolicyCluster, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.9")}, EndpointsKnown: true, HasSelector: true,
		Ports: []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080, TargetPort: "8080"}},
	}
	switch r.IntN(3) {
	case 0:
		svc.Ingress = []cluster.Ingress{{IP: address, IPMode: cluster.VIP}}
	case 1:
		svc.Ingress = []cluster.Ingress{{IP: address, IPMode: cluster.Proxy}}
	case 2:
		svc.Ingress = []cluster.Ingress{{Hostname: "lb.example"}}
	}
	if r.IntN(4) == 0 {
		svc.ExternalIPs = []netip.Addr{netip.MustParseAddr("198.51.100.9")}
	}
	if r.IntN(4) == 0 {
		svc.SourceRanges = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	}
	if svc.ExternalTrafficPolicy == cluster.PolicyLocal {
		svc.HealthCheckNodePort = 32000
	}
	for i := range r.IntN(5) {
		at := r.IntN(nodes)
		svc.Endpoints = append(svc.Endpoints, cluster.Endpoint{
			Address: netip.AddrFrom4([4]byte{10, 244, byte(at), byte(10 + i)}), Node: s.Nodes[at].Name, Ready: r.IntN(4) > 0, Serving: true, Target: fmt.Sprintf("shop/web-%d", i),
			Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}}, Slice: "web-x",
		})
		e := &svc.Endpoints[len(svc.Endpoints)-1]
		e.Terminating = !e.Ready
	}
	slices.SortFunc(svc.Endpoints, func(a, b cluster.Endpoint) int { return a.Address.Compare(b.Address) })
	s.Services = []cluster.Service{svc}
	return s, &s.Services[0]
}

// traced is a route in a drawn cluster.
type traced struct {
	s      *cluster.Snapshot
	svc    *cluster.Service
	tracer *Tracer
	Route
}

// routes are those of every kind of client to every target of drawn clusters.
var routes = sync.OnceValue(func() (all []traced) {
	for seed := range 120 {
		s, svc := drawn(rand.New(rand.NewPCG(uint64(seed), 1)))
		tracer := NewTracer(s, svc)
		at := seed % len(s.Nodes)
		clients := []Client{
			{Client: dataplane.Client{From: dataplane.External, Node: -1}},
			{Client: dataplane.Client{From: dataplane.External, Node: -1, Address: netip.MustParseAddr("192.0.2.77")}},
			{Client: dataplane.Client{From: dataplane.External, Node: -1, Address: netip.MustParseAddr("10.244.200.1")}},
			{Client: dataplane.Client{From: dataplane.Node, Node: at}},
			{Client: dataplane.Client{From: dataplane.Pod, Node: at}},
			{Client: dataplane.Client{From: dataplane.Pod, Node: at, Address: netip.AddrFrom4([4]byte{10, 244, byte(at), 200})}},
		}
		for _, target := range dataplane.Targets(svc) {
			if target.To == dataplane.NodePort {
				target.Address = s.Nodes[target.Node].InternalIPs[0]
			}
			for _, client := range clients {
				all = append(all, traced{s, svc, tracer, tracer.Of(client, target)})
			}
		}
	}
	return all
})

// eachRoute calls f with each of them; what it fails with says which one it is.
func eachRoute(t *testing.T, f func(t *testing.T, s *cluster.Snapshot, svc *cluster.Service, tracer *Tracer, r Route)) {
	t.Helper()
	for _, r := range routes() {
		f(t, r.s, r.svc, r.tracer, r.Route)
		if t.Failed() {
			t.Fatalf("%v to %v, %+v, %+v", r.Client, r.Target, r.s.Dataplane, r.svc)
		}
	}
}

// For a client inside, the route ends as its node's path does, unless the connection leaves for the load balancer.
func TestRouteEndsAsThePath(t *testing.T) {
	handled, left := 0, 0
	eachRoute(t, func(t *testing.T, s *cluster.Snapshot, svc *cluster.Service, _ *Tracer, r Route) {
		if r.Client.From == dataplane.External {
			return
		}
		p := dataplane.New(s, svc).Path(r.Client.Client, r.Target)
		if p.Outcome == dataplane.ViaLoadBalancer {
			left++
			if r.Outcome == dataplane.ViaLoadBalancer {
				t.Error("the load balancer is no end of a route")
			}
			if p.Endpoints == dataplane.NoEndpoints && (r.Outcome == dataplane.Reachable || r.Could.Has(dataplane.Reachable)) {
				t.Error("it may work, and no endpoint is usable")
			}
			return
		}
		handled++
		if r.Outcome != p.Outcome || r.Could != p.Could || string(r.ClientIP) != p.ClientIP.String() || r.Basis != p.Basis {
			t.Errorf("%v %v %s %v, and the path says %v %v %v %v", r.Outcome, r.Could.All(), r.ClientIP, r.Basis, p.Outcome, p.Could.All(), p.ClientIP, p.Basis)
		}
		if r.Hops[r.Decided].Why.ID != p.Rule.ID {
			t.Errorf("rule %s, and the path has %s", r.Hops[r.Decided].Why.ID, p.Rule.ID)
		}
	})
	if handled < 50 || left < 50 {
		t.Errorf("%d paths ended at the node, %d left it", handled, left)
	}
}

// A client outside of which nothing is known gets what the report says of all connections from outside.
func TestRouteFromOutsideIsTheReports(t *testing.T) {
	known := 0
	eachRoute(t, func(t *testing.T, _ *cluster.Snapshot, svc *cluster.Service, tracer *Tracer, r Route) {
		if r.Client.From != dataplane.External || r.Client.Address.IsValid() || r.Target.To != dataplane.LoadBalancerIP && r.Target.To != dataplane.LoadBalancerHostname {
			return
		}
		o := FromOutsideTo(svc, tracer.provider, tracer.rows, 0)
		if o.Outcome != dataplane.Unknown {
			known++
		}
		ip := Seen(o.ClientIP)
		if o.Mixed {
			ip = SeenMixed
		}
		if r.fails() {
			ip = ""
		}
		if r.Outcome != o.Outcome || o.Outcome != dataplane.Unknown && (r.Failing != o.Failing || r.FailingKnown != o.FailingKnown || r.ClientIP != ip) {
			t.Errorf("%v, %v failing, %s; the report: %v, %v failing, %s", r.Outcome, r.Failing, r.ClientIP, o.Outcome, o.Failing, ip)
		}
	})
	if known < 10 {
		t.Errorf("the outcome was known %d times", known)
	}
}

// The odds of what comes after a load balancer sum to 1 where they are known, and no hop has better odds than the one
// before it. Each hop comes after one that was there before, and what is unknown has a reason.
func TestHops(t *testing.T) {
	summed := 0
	eachRoute(t, func(t *testing.T, s *cluster.Snapshot, svc *cluster.Service, _ *Tracer, r Route) {
		sums := map[int]float64{}
		unknown := map[int]bool{}
		for i, h := range r.Hops {
			switch {
			case h.After >= i || h.After < 0 && i > 0:
				t.Errorf("hop %d comes after %d", i, h.After)
			case h.Kind == NodeHop && h.Taken != cluster.No && h.Why.Reason == "":
				t.Errorf("hop %d: a node decides without a reason", i)
			case h.Kind == NodeHop && h.Taken != cluster.Yes && h.Choice.Reason == "" && r.Hops[h.After].Kind == LoadBalancerHop:
				t.Errorf("hop %d: the load balancer does not surely send there, without a reason", i)
			}
			for _, n := range h.Nodes {
				if n < 0 || n >= len(s.Nodes) {
					t.Errorf("hop %d is about node %d", i, n)
				}
			}
			for _, e := range h.Endpoints {
				if !svc.Endpoints[e].Ready && !svc.Endpoints[e].Terminating {
					t.Errorf("hop %d has endpoint %d, which nothing uses", i, e)
				}
			}
			if i == 0 || h.Kind == AnswerHop {
				continue
			}
			if before := r.Hops[h.After].Odds; before > 0 && h.Odds > before+1e-9 {
				t.Errorf("hop %d: odds %v behind %v", i, h.Odds, before)
			}
			if r.Hops[h.After].Kind == LoadBalancerHop && h.Taken != cluster.No {
				sums[h.After] += h.Odds
				unknown[h.After] = unknown[h.After] || h.Odds == 0
			}
		}
		for at, sum := range sums {
			if !unknown[at] {
				summed++
				if math.Abs(sum-1) > 1e-9 {
					t.Errorf("the odds behind hop %d sum to %v", at, sum)
				}
			}
		}
	})
	if summed < 10 {
		t.Errorf("the odds were known %d times", summed)
	}
}

// behind is a cluster of three nodes with a Service that is published by name only, behind a load balancer that is
// recognised by providerIDs and annotations.
func behind(id string, annotations map[string]string) (*cluster.Snapshot, *cluster.Service) {
	s := &cluster.Snapshot{Dataplane: cluster.Dataplane{Name: cluster.KubeProxy, Mode: cluster.IPTables}}
	s.Dataplane.Version, _ = cluster.ParseVersion("v1.36.3")
	for i := range 3 {
		s.Nodes = append(s.Nodes, cluster.Node{
			Name: fmt.Sprintf("node-%d", i), Known: true, Ready: cluster.Yes, InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}, ProviderID: fmt.Sprintf(id, i),
		})
	}
	svc := published()
	svc.ExternalTrafficPolicy, svc.Annotations = cluster.PolicyCluster, annotations
	svc.ClusterIPs = []netip.Addr{netip.MustParseAddr("10.96.0.9")}
	svc.Ingress = []cluster.Ingress{{Hostname: "lb.example"}}
	svc.Endpoints = []cluster.Endpoint{{
		Address: netip.MustParseAddr("10.244.0.5"), Node: "node-0", Ready: true, Serving: true, Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}},
	}}
	s.Services = []cluster.Service{*svc}
	return s, &s.Services[0]
}

// One of the nodes that the load balancer may choose is the client's own. Whether that connection comes back depends on
// whether the load balancer keeps the client IP.
func TestHairpin(t *testing.T) {
	const aws = "service.beta.kubernetes.io/aws-load-balancer-"
	for _, c := range []struct {
		name, id    string
		annotations map[string]string
		outcome     dataplane.Outcome
		could       []dataplane.Outcome
		rule        string
	}{
		{
			"an internal NLB, whose documentation says that it does not", "aws:///a/i-%d",
			map[string]string{aws + "type": "nlb", aws + "internal": "true"},
			dataplane.Partial, nil, "AWS-07",
		},
		{
			"a public one: it depends on the NAT", "aws:///a/i-%d",
			map[string]string{aws + "type": "nlb"},
			dataplane.Unknown,
			[]dataplane.Outcome{dataplane.Reachable, dataplane.TimedOut, dataplane.Partial},
			"LB-23",
		},
		{"one that opens connections of its own", "hcloud://%d", nil, dataplane.Reachable, nil, ""},
		{
			"the PROXY protocol, on a connection of its own", "hcloud://%d",
			map[string]string{"load-balancer.hetzner.cloud/uses-proxyprotocol": "true"},
			dataplane.Reachable, nil, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, svc := behind(c.id, c.annotations)
			for _, from := range []dataplane.From{dataplane.Node, dataplane.Pod} {
				r := Of(s, svc, Client{Client: dataplane.Client{From: from, Node: 1}}, dataplane.Targets(svc)[0])
				if r.Outcome != c.outcome || !slices.Equal(r.Could.All(), c.could) {
					t.Errorf("%v: %v %v, want %v %v", from, r.Outcome, r.Could.All(), c.outcome, c.could)
				}
				back := slices.IndexFunc(r.Hops, func(h Hop) bool { return h.Back })
				if back < 0 || !slices.Equal(r.Hops[back].Nodes, []int{1}) || c.rule != "" && r.Hops[back].Why.ID != c.rule {
					t.Errorf("%v: no hop leads back to node 1 by rule %q: %+v", from, c.rule, r.Hops)
				}
			}
		})
	}
}

// A client in kube-proxy's clusterCIDR is taken for a pod wherever its packets arrive with its own address: under policy
// Local it is sent to endpoints of other nodes too, whose answers do not come back.
func TestClientInClusterCIDR(t *testing.T) {
	s, svc := behind("gce://p/z/n%d", nil)
	s.Dataplane.KubeProxy = &cluster.KubeProxySettings{PodDetection: cluster.ClusterCIDR, ClusterCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	svc.ExternalTrafficPolicy, svc.HealthCheckNodePort = cluster.PolicyLocal, 32000
	svc.Ingress = []cluster.Ingress{{IP: address}}
	svc.Endpoints = append(svc.Endpoints, svc.Endpoints[0])
	svc.Endpoints[1].Address, svc.Endpoints[1].Node = netip.MustParseAddr("10.244.1.5"), "node-1"
	of := func(a string) Route {
		return Of(s, svc, ClientAt(s, netip.MustParseAddr(a)), dataplane.Targets(svc)[0])
	}
	if r := of("192.0.2.7"); r.Outcome != dataplane.Reachable || r.ClientIP != Seen(provider.Preserved) {
		t.Errorf("outside: %v, client IP %s", r.Outcome, r.ClientIP)
	}
	r := of("10.77.0.7")
	if r.Client.From != dataplane.External || r.Client.Taken == "" || r.Outcome == dataplane.Reachable {
		t.Errorf("inside clusterCIDR: %v from %v, %q", r.Outcome, r.Client.From, r.Client.Taken)
	}
	if h := r.Hops[2]; h.Why.ID != "IPT-16" || h.Outcome != dataplane.Partial {
		t.Errorf("%s %v", h.Why.ID, h.Outcome)
	}
}

// What an address is, by what the cluster shows of it.
func TestClientAt(t *testing.T) {
	s, svc := behind("gce://p/z/n%d", nil)
	svc.Endpoints[0].Target = "shop/web-0"
	s.Nodes[2].PodCIDRs = []netip.Prefix{netip.MustParsePrefix("10.244.2.0/24")}
	s.Nodes[1].ExternalIPs = []netip.Addr{netip.MustParseAddr("198.51.100.4")}
	for _, c := range []struct {
		address string
		from    dataplane.From
		node    int
		pod     string
	}{
		{"10.0.0.2", dataplane.Node, 1, ""},
		{"198.51.100.4", dataplane.Node, 1, ""},
		{"10.244.0.5", dataplane.Pod, 0, "shop/web-0"},
		{"10.244.2.9", dataplane.Pod, 2, ""},
		{"10.244.3.9", dataplane.External, -1, ""},
		{"2001:db8::1", dataplane.External, -1, ""},
	} {
		got := ClientAt(s, netip.MustParseAddr(c.address))
		if got.From != c.from || got.Node != c.node || got.Pod != c.pod || (got.Taken == "") != (c.from == dataplane.External) {
			t.Errorf("%s: %v on %d, pod %q, %q", c.address, got.From, got.Node, got.Pod, got.Taken)
		}
	}
	// A pod outside its node's podCIDR: pods do not get their addresses from there.
	s.Nodes[0].PodCIDRs = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}
	if got := ClientAt(s, netip.MustParseAddr("10.244.2.9")); got.From != dataplane.External {
		t.Errorf("podCIDRs are not used, and %s is on node %d", "10.244.2.9", got.Node)
	}
}

// loadBalancerSourceRanges that do not allow the client: the node drops what comes with the client IP. Where the load
// balancer opens connections of its own, only it could.
func TestSourceRanges(t *testing.T) {
	for _, c := range []struct {
		id      string
		outcome dataplane.Outcome
	}{{"gce://p/z/n%d", dataplane.TimedOut}, {"hcloud://%d", dataplane.Unknown}} {
		s, svc := behind(c.id, nil)
		svc.SourceRanges = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		svc.Ingress = []cluster.Ingress{{IP: address}}
		target := dataplane.Targets(svc)[0]
		if r := Of(s, svc, ClientAt(s, netip.MustParseAddr("203.0.113.9")), target); r.Outcome != dataplane.Reachable {
			t.Errorf("%s: allowed: %v", c.id, r.Outcome)
		}
		if r := Of(s, svc, ClientAt(s, netip.MustParseAddr("192.0.2.9")), target); r.Outcome != c.outcome {
			t.Errorf("%s: not allowed: %v", c.id, r.Outcome)
		}
	}
}
