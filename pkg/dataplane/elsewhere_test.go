package dataplane_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// TestConnectionsThatNoReportAsksAbout holds what scenarios cannot: a pod that dials another node's node port or is its
// own endpoint, and a certain client outside. Endpoints are on a and b, one each.
func TestConnectionsThatNoReportAsksAbout(t *testing.T) {
	cilium := func(version, settings string) string {
		return "dataplane cilium@" + version + " cilium=" + version + " replaces-kube-proxy " + settings
	}
	local := "svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080"
	bothLocal := "svc shop/web LoadBalancer etp=Local itp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080"
	const a, b, c = 0, 1, 2
	pod := func(on int) dataplane.Client { return dataplane.Client{From: dataplane.Pod, Node: on} }
	port := func(of int) dataplane.Target { return dataplane.Target{To: dataplane.NodePort, Node: of} }
	address := dataplane.Target{To: dataplane.LoadBalancerIP, Address: netip.MustParseAddr("203.0.113.7"), Arrival: dataplane.AtAddress}
	for _, tt := range []struct {
		name, dataplane, service string
		client                   dataplane.Client
		target                   dataplane.Target
		outcome                  dataplane.Outcome
		endpoints                dataplane.Endpoints
		clientIP                 dataplane.ClientIP
	}{
		{"cilium translates another node's node port at home", cilium("v1.18.0", "lb-mode=snat"), local, pod(a), port(c), dataplane.Reachable, dataplane.AllEndpoints, dataplane.Preserved},
		{"held to its own node by internalTrafficPolicy", cilium("v1.18.0", "lb-mode=snat"), bothLocal, pod(a), port(c), dataplane.Reachable, dataplane.EndpointsUnknown, dataplane.Preserved},
		{"no endpoint at home", cilium("v1.18.0", "lb-mode=snat"), bothLocal, pod(c), port(a), dataplane.Unreachable, dataplane.NoEndpoints, dataplane.NoClientIP},
		{"without sockets the other node judges", cilium("v1.17.0", "lb-mode=snat host-sockets-only"), local, pod(a), port(c), dataplane.Refused, dataplane.NoEndpoints, dataplane.NoClientIP},
		{"and hands it to its own endpoints", cilium("v1.17.0", "lb-mode=snat host-sockets-only"), local, pod(a), port(b), dataplane.Reachable, dataplane.LocalEndpoints, dataplane.ClientIPUnknown},
		{"processes of the node have sockets", cilium("v1.17.0", "lb-mode=snat host-sockets-only"), local, dataplane.Client{From: dataplane.Node, Node: a}, port(c), dataplane.Reachable, dataplane.AllEndpoints, dataplane.Preserved},
		{"v1.19.0 with dsr", cilium("v1.19.0", "lb-mode=dsr host-sockets-only"), local, pod(a), port(c), dataplane.Refused, dataplane.NoEndpoints, dataplane.NoClientIP},
		{"v1.19.1 with dsr", cilium("v1.19.1", "lb-mode=dsr host-sockets-only"), local, pod(a), port(c), dataplane.Refused, dataplane.NoEndpoints, dataplane.NoClientIP},
		{"v1.19.2 with dsr", cilium("v1.19.2", "lb-mode=dsr host-sockets-only"), local, pod(a), port(c), dataplane.Unknown, dataplane.EndpointsUnknown, dataplane.ClientIPUnknown},
		{"v1.19.3 with dsr is at home", cilium("v1.19.3", "lb-mode=dsr host-sockets-only"), local, pod(a), port(c), dataplane.Reachable, dataplane.AllEndpoints, dataplane.Preserved},
		{"v1.19.7 with snat", cilium("v1.19.7", "lb-mode=snat host-sockets-only"), local, pod(a), port(c), dataplane.Refused, dataplane.NoEndpoints, dataplane.NoClientIP},
		{"v1.20 is at home again", cilium("v1.20.0", "lb-mode=snat host-sockets-only"), local, pod(a), port(c), dataplane.Reachable, dataplane.AllEndpoints, dataplane.Preserved},
		{
			"a pod that connects to itself sees its own address", cilium("v1.20.0", "lb-mode=snat"), local,
			dataplane.Client{From: dataplane.Pod, Node: a, Address: netip.MustParseAddr("10.244.1.10")},
			address, dataplane.Reachable, dataplane.AllEndpoints, dataplane.Preserved,
		},
		{
			"packet by packet it does not", cilium("v1.20.0", "lb-mode=snat host-sockets-only"), local,
			dataplane.Client{From: dataplane.Pod, Node: a, Address: netip.MustParseAddr("10.244.1.10")},
			address, dataplane.Reachable, dataplane.AllEndpoints, dataplane.Mixed,
		},
		{
			"source ranges keep a client outside out", cilium("v1.20.0", "lb-mode=snat"), local + " source-ranges=198.51.100.0/24",
			dataplane.Client{From: dataplane.External, Node: a, Address: netip.MustParseAddr("192.0.2.1")},
			address, dataplane.TimedOut, dataplane.NoEndpoints, dataplane.NoClientIP,
		},
		{
			"and nobody inside", cilium("v1.20.0", "lb-mode=snat"), local + " source-ranges=198.51.100.0/24", pod(c), address,
			dataplane.Reachable, dataplane.AllEndpoints, dataplane.Preserved,
		},
		{
			"a backend of kube-router may not reach itself", "dataplane kube-router@v2.1.0", local,
			dataplane.Client{From: dataplane.Pod, Node: a, Address: netip.MustParseAddr("10.244.1.10")},
			address, dataplane.Unknown, dataplane.EndpointsUnknown, dataplane.ClientIPUnknown,
		},
		{"calico translates another node's node port at home", "dataplane calico-ebpf@v3.30.0 calico-dsr=false", local, pod(a), port(c), dataplane.Reachable, dataplane.AllEndpoints, dataplane.Preserved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			snapshot, err := clustertest.Parse(strings.Join([]string{
				tt.dataplane, "node a,b,c zone=h podcidr=auto", tt.service, "ep 10.244.1.10 node=a", "ep 10.244.2.10 node=b",
			}, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := dataplane.New(snapshot, &snapshot.Services[0]).Path(tt.client, tt.target)
			if got.Outcome != tt.outcome || got.Endpoints != tt.endpoints || got.ClientIP != tt.clientIP {
				t.Errorf("%s %s %s by %s, want %s %s %s", got.Outcome, got.Endpoints, got.ClientIP, got.Rule.ID, tt.outcome, tt.endpoints, tt.clientIP)
			}
		})
	}
}
