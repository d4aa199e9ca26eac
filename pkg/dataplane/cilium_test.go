package dataplane_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// TestCilium holds what was read in Cilium's code, release by release, and what no scenario can ask about. Nodes are a,
// b and c; where a case names no endpoints, there is one on a and one on b.
func TestCilium(t *testing.T) {
	const a, b, c = 0, 1, 2
	kpr := func(version, settings string) string {
		return "dataplane cilium@" + version + " cilium=" + version + " replaces-kube-proxy lb-mode=snat pod-masquerade=no " + settings
	}
	beside := func(version, settings string) string {
		return "dataplane kube-proxy/iptables@v1.33.0 cilium=" + version + " lb-mode=snat pod-masquerade=no pods=ClusterCIDR:10.244.0.0/16 " + settings
	}
	const (
		local       = "svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 external-ip=198.51.100.20 port=http:80:30080 "
		onB         = "svc shop/web LoadBalancer etp=Local itp=Local hc=32000 ingress=203.0.113.7 external-ip=192.168.0.2 port=http:80:30080 "
		cluster     = "svc shop/web LoadBalancer etp=Cluster ingress=203.0.113.7 external-ip=192.168.0.2 port=http:80:30080 "
		dualAddress = "svc shop/web LoadBalancer etp=Cluster ingress=203.0.113.7,2001:db8::7 port=http:80:30080 "
		low         = "svc shop/web NodePort port=http:80:20080 "
		unnamed     = "ep 10.244.1.10 node=a\nep 10.244.9.9"
		allUnnamed  = "ep 10.244.9.8\nep 10.244.9.9"
	)
	node := func(on int) dataplane.Client { return dataplane.Client{From: dataplane.Node, Node: on} }
	pod := func(on int) dataplane.Client { return dataplane.Client{From: dataplane.Pod, Node: on} }
	outside := func(at int) dataplane.Client {
		return dataplane.Client{From: dataplane.External, Node: at, Address: netip.MustParseAddr("192.0.2.1")}
	}
	port := func(of int) dataplane.Target { return dataplane.Target{To: dataplane.NodePort, Node: of} }
	balancer := dataplane.Target{To: dataplane.LoadBalancerIP, Address: netip.MustParseAddr("203.0.113.7"), Arrival: dataplane.AtAddress}
	balancer6 := dataplane.Target{To: dataplane.LoadBalancerIP, Address: netip.MustParseAddr("2001:db8::7"), Arrival: dataplane.AtAddress}
	external := dataplane.Target{To: dataplane.ExternalIP, Address: netip.MustParseAddr("198.51.100.20")}
	external2 := dataplane.Target{To: dataplane.ExternalIP, Address: netip.MustParseAddr("192.168.0.2")}
	for _, tt := range []struct {
		name, dataplane, service, endpoints string
		client                              dataplane.Client
		target                              dataplane.Target
		want                                string
	}{
		{"an endpoint without a node is local to every node", kpr("v1.20.2", ""), local, unnamed, outside(c), port(c), "Reachable Unknown Unknown"},
		{"as in the oldest release", kpr("v1.13.0", ""), local, unnamed, outside(c), balancer, "Reachable Unknown Unknown"},
		{"all of them", kpr("v1.20.2", ""), local, allUnnamed, outside(c), port(c), "Reachable All Unknown"},
		{"and to internalTrafficPolicy", kpr("v1.20.2", ""), onB, allUnnamed, pod(c), balancer, "Reachable All Preserved"},
		{"beside kube-proxy too", beside("v1.19.0", ""), local, unnamed, pod(c), balancer, "Reachable Unknown Preserved"},
		{"kube-proxy itself has none", beside("v1.20.2", ""), local, unnamed, outside(c), balancer, "TimedOut None "},

		{"v1.18.0 applies source ranges to node ports", kpr("v1.18.0", ""), local + "source-ranges=198.51.100.0/24", "", outside(a), port(a), "TimedOut None "},
		{"another node's port outside the range of node ports", kpr("v1.20.2", ""), low, "", pod(a), port(b), "Unknown Unknown Unknown"},
		{"at the socket of a process too", kpr("v1.19.7", ""), low, "", node(a), port(b), "Unknown Unknown Unknown"},
		{"the node's own is looked up by its address", kpr("v1.20.2", ""), low, "", pod(a), port(a), "Reachable All Preserved"},
		{"what arrives is looked up by its address", kpr("v1.20.2", ""), low, "", outside(a), port(a), "Reachable All Mixed"},
		{"a range that has the port", kpr("v1.20.2", "first-node-port=20000 last-node-port=22767"), low, "", pod(a), port(b), "Reachable All Preserved"},
		{"a range that does not", kpr("v1.20.2", "first-node-port=20000 last-node-port=22767"), cluster, "", pod(a), port(b), "Unknown Unknown Unknown"},
		{"unless they are switched off", kpr("v1.18.0", "no-source-ranges"), local + "source-ranges=198.51.100.0/24", "", outside(a), balancer, "Reachable Local Preserved"},
		{"which v1.19 ignores", kpr("v1.19.0", "no-source-ranges"), local + "source-ranges=198.51.100.0/24", "", outside(a), balancer, "TimedOut None "},
		{"v1.18.6 does not", kpr("v1.18.6", ""), local + "source-ranges=198.51.100.0/24", "", outside(a), port(a), "Reachable Local Preserved"},
		{"nor v1.17.0", kpr("v1.17.0", ""), local + "source-ranges=198.51.100.0/24", "", outside(a), port(a), "Reachable Local Preserved"},
		{"unless all types are asked for", kpr("v1.20.2", "ranges-of-all-types"), local + "source-ranges=198.51.100.0/24", "", outside(a), port(a), "TimedOut None "},
		{"external IPs since v1.20", kpr("v1.20.0", ""), local + "source-ranges=198.51.100.0/24", "", outside(a), external, "TimedOut None "},
		{"not in v1.19.7", kpr("v1.19.7", ""), local + "source-ranges=198.51.100.0/24", "", outside(a), external, "Reachable Local Preserved"},
		{"ranges that deny", kpr("v1.20.2", ""), local + "source-ranges=192.0.2.0/24 annotations=service.cilium.io/src-ranges-policy=deny", "", outside(a), balancer, "TimedOut None "},
		{"and admit all others", kpr("v1.20.2", ""), local + "source-ranges=198.51.100.0/24 annotations=service.cilium.io/src-ranges-policy=deny", "", outside(a), balancer, "Reachable Local Preserved"},
		{"ranges of the other family admit nobody", kpr("v1.20.2", ""), local + "source-ranges=2001:db8::/32", "", outside(a), balancer, "TimedOut None "},

		{"no ClusterIP of the family: no endpoint", kpr("v1.20.2", ""), dualAddress, "", pod(a), balancer6, "Unreachable None "},
		{"outside refused", kpr("v1.20.2", ""), dualAddress, "", dataplane.Client{From: dataplane.External, Node: a}, balancer6, "Refused None "},
		{"unless Cilium has no IPv6", kpr("v1.20.2", "no-ipv6"), dualAddress, "", pod(a), balancer6, "ViaLoadBalancer All Unknown"},

		{"an external IP that another node has: that node judges", kpr("v1.20.2", ""), cluster, "", node(c), external2, "Reachable All Mixed"},
		{"the owner itself translates", kpr("v1.20.2", ""), cluster, "", node(b), external2, "Reachable All Preserved"},
		{"the owner's endpoints under Local", kpr("v1.20.2", ""), onB, "", pod(a), external2, "Reachable Unknown Preserved"},
		{"no endpoint at home fails first", kpr("v1.20.2", ""), onB, "", pod(c), external2, "Unreachable None "},

		{"served as LoadBalancer only: no node port", kpr("v1.20.2", ""), cluster + "annotations=service.cilium.io/type=LoadBalancer", "", outside(a), port(a), "Refused None "},
		{"nor from inside", kpr("v1.20.2", ""), cluster + "annotations=service.cilium.io/type=LoadBalancer", "", node(a), port(b), "Refused None "},
		{"the address works", kpr("v1.20.2", ""), cluster + "annotations=service.cilium.io/type=LoadBalancer", "", node(a), balancer, "Reachable All Preserved"},
		{"v1.16 does not know the annotation", kpr("v1.16.0", ""), cluster + "annotations=service.cilium.io/type=LoadBalancer", "", outside(a), port(a), "Reachable All Mixed"},
		{"served on b only", kpr("v1.20.2", ""), cluster + "annotations=service.cilium.io/node=edge", "", outside(a), port(a), "Refused None "},
		{"which serves", kpr("v1.20.2", ""), cluster + "annotations=service.cilium.io/node=edge", "", outside(b), port(b), "Reachable All Mixed"},
		{"clients on a go to b", kpr("v1.20.2", ""), cluster + "annotations=service.cilium.io/node=edge", "", pod(a), port(b), "Reachable All Mixed"},
		{"their node leaves the address", kpr("v1.20.2", ""), cluster + "annotations=service.cilium.io/node=edge", "", pod(a), balancer, "ViaLoadBalancer All Unknown"},
		{"a selector goes first", kpr("v1.18.0", ""), cluster + "annotations=service.cilium.io/node=edge,service.cilium.io/node-selector=!tier", "", outside(a), port(a), "Reachable All Mixed"},

		{"masquerading in eBPF sees what arrives", beside("v1.19.0", "bpf-masquerade"), local, "", outside(c), balancer, "Refused None "},
		{"no longer", beside("v1.19.7", "bpf-masquerade"), local, "", outside(c), balancer, "TimedOut None "},
		{"but external IPs", beside("v1.20.2", "bpf-masquerade"), local, "", outside(c), external, "Refused None "},
		{"with iptables kube-proxy does", beside("v1.20.2", ""), local, "", outside(c), external, "TimedOut None "},

		{"packet by packet, judged by the node that is dialled", kpr("v1.19.0", "host-sockets-only"), cluster, "", pod(c), port(a), "Reachable All Mixed"},
		{"v1.13.0 does not use terminating endpoints", kpr("v1.13.0", ""), cluster, "ep 10.244.1.10 terminating node=a", node(a), balancer, "Unreachable None "},
		{"v1.13.18 does", kpr("v1.13.18", ""), cluster, "ep 10.244.1.10 terminating node=a", node(a), balancer, "Reachable All Preserved"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			endpoints := tt.endpoints
			if endpoints == "" {
				endpoints = "ep 10.244.1.10 node=a\nep 10.244.2.10 node=b"
			}
			snapshot, err := clustertest.Parse(strings.Join([]string{
				tt.dataplane, "node a zone=h podcidr=auto", "node b zone=h podcidr=auto labels=service.cilium.io/node=edge,tier=edge", "node c zone=h podcidr=auto",
				tt.service, endpoints,
			}, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := dataplane.New(snapshot, &snapshot.Services[0]).Path(tt.client, tt.target)
			if text := got.Outcome.String() + " " + got.Endpoints.String() + " " + got.ClientIP.String(); text != tt.want {
				t.Errorf("%s by %s, want %s", text, got.Rule.ID, tt.want)
			}
		})
	}
}
