package dataplane_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

func TestPublished(t *testing.T) {
	ip := netip.MustParseAddr
	service := cluster.Service{
		Type:           cluster.TypeLoadBalancer,
		ClusterIPs:     []netip.Addr{ip("10.96.0.1"), ip("fd00::1")},
		ExternalIPs:    []netip.Addr{ip("198.51.100.7"), ip("198.51.100.7")},
		Ingress:        []cluster.Ingress{{IP: ip("203.0.113.10")}, {Hostname: "lb.example.com"}},
		Ports:          []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080}, {Name: "dns", Protocol: cluster.UDP, Port: 53, NodePort: 30053}},
		EndpointsKnown: true,
		Endpoints:      []cluster.Endpoint{{Ready: true, Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}}}},
	}
	pending, nodePort := service, service
	pending.Ingress = nil
	nodePort.Type, nodePort.Ingress, nodePort.ExternalIPs = cluster.TypeNodePort, nil, nil
	for _, c := range []struct {
		name    string
		targets []dataplane.Target
		want    []string
	}{
		{"every target", dataplane.Targets(&service), []string{
			"LoadBalancerIP 203.0.113.10 http", "LoadBalancerIP 203.0.113.10 dns", "LoadBalancerHostname lb.example.com http", "LoadBalancerHostname lb.example.com dns",
			"ExternalIP 198.51.100.7 http", "ExternalIP 198.51.100.7 dns", "NodePort  http", "NodePort IPv6 http", "NodePort  dns", "NodePort IPv6 dns",
			"ClusterIP 10.96.0.1 http", "ClusterIP 10.96.0.1 dns", "ClusterIP fd00::1 http", "ClusterIP fd00::1 dns",
		}},
		{"with a load balancer address", dataplane.Published(&service), []string{
			"LoadBalancerIP 203.0.113.10 http", "LoadBalancerIP 203.0.113.10 dns", "LoadBalancerHostname lb.example.com http", "LoadBalancerHostname lb.example.com dns",
			"ExternalIP 198.51.100.7 http", "ExternalIP 198.51.100.7 dns",
		}},
		{"at ports that are served", dataplane.PublishedAndServed(&service), []string{
			"LoadBalancerIP 203.0.113.10 http", "LoadBalancerHostname lb.example.com http", "ExternalIP 198.51.100.7 http",
		}},
		{"without an address yet", dataplane.PublishedAndServed(&pending), []string{"ExternalIP 198.51.100.7 http", "NodePort  http", "NodePort IPv6 http"}},
		{"of type NodePort", dataplane.PublishedAndServed(&nodePort), []string{"NodePort  http", "NodePort IPv6 http"}},
	} {
		var got []string
		for _, target := range c.targets {
			host := target.Host()
			if target.To == dataplane.NodePort && target.IPv6 {
				host = "IPv6"
			}
			got = append(got, fmt.Sprintf("%s %s %s", target.To, host, service.Ports[target.Port].Name))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}
