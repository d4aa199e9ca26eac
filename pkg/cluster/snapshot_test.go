package cluster_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

func TestNodeIndex(t *testing.T) {
	names := []string{"a", "node-10", "node-9", "z"}
	s := cluster.Snapshot{}
	for _, name := range names {
		s.Nodes = append(s.Nodes, cluster.Node{Name: name})
	}
	for i, name := range names {
		if got := s.NodeIndex(name); got != i {
			t.Errorf("%s is at %d, want %d", name, got, i)
		}
	}
	for _, name := range []string{"", "A", "node-1", "node-100", "zz"} {
		if got := s.NodeIndex(name); got != -1 {
			t.Errorf("%q is no node, and is at %d", name, got)
		}
	}
	if got := (&cluster.Snapshot{}).NodeIndex("a"); got != -1 {
		t.Errorf("there are no nodes, and a is at %d", got)
	}
}

func TestDataplaneOf(t *testing.T) {
	own := cluster.Dataplane{Name: cluster.Cilium}
	s := cluster.Snapshot{Dataplane: cluster.Dataplane{Name: cluster.KubeProxy}, Nodes: []cluster.Node{{Name: "a"}, {Name: "b", Dataplane: &own}}}
	if got := s.DataplaneOf(&s.Nodes[0]); got != &s.Dataplane {
		t.Errorf("a node without a data plane of its own has %+v", got)
	}
	if got := s.DataplaneOf(&s.Nodes[1]); got != &own {
		t.Errorf("a node with a data plane of its own has %+v", got)
	}
}

func TestProxyNodeName(t *testing.T) {
	node := &cluster.Node{Name: "a"}
	for _, c := range []struct {
		settings *cluster.KubeProxySettings
		want     string
	}{
		{nil, "a"},
		{&cluster.KubeProxySettings{}, "a"},
		{&cluster.KubeProxySettings{HostnameOverride: "a"}, "a"},
		{&cluster.KubeProxySettings{HostnameOverride: "b"}, "b"},
	} {
		if got := (&cluster.Dataplane{KubeProxy: c.settings}).ProxyNodeName(node); got != c.want {
			t.Errorf("%+v: kube-proxy runs as %q, want %q", c.settings, got, c.want)
		}
	}
}

func TestPodDetectionOfDataplane(t *testing.T) {
	for _, c := range []struct {
		settings *cluster.KubeProxySettings
		want     cluster.PodDetection
	}{
		{nil, cluster.UnknownDetection},
		{&cluster.KubeProxySettings{}, cluster.UnknownDetection},
		{&cluster.KubeProxySettings{PodDetection: cluster.NoDetection}, cluster.NoDetection},
	} {
		if got := (&cluster.Dataplane{KubeProxy: c.settings}).PodDetection(); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.settings, got, c.want)
		}
	}
}

// Of several states of an address, data planes use the best; an address that is left out in its best state may still
// count in another.
func TestAddresses(t *testing.T) {
	s := cluster.Service{Endpoints: []cluster.Endpoint{
		at("10.0.0.1", "a", "shop/x", notReady), at("10.0.0.1", "a", "shop/x", ready), at("10.0.0.1", "a", "shop/x", terminating),
		at("10.0.0.2", "a", "shop/y", terminating), at("10.0.0.2", "a", "shop/y", notReady),
		at("10.0.0.3", "b", "shop/z", notReady),
	}}
	if got := slices.Collect(s.Addresses(nil)); !slices.Equal(got, []int{1, 3, 5}) {
		t.Errorf("the best of each address are %v", got)
	}
	if got := slices.Collect(s.Addresses(func(e *cluster.Endpoint) bool { return !e.Ready })); !slices.Equal(got, []int{2, 3, 5}) {
		t.Errorf("without ready ones they are %v", got)
	}
	for i := range s.Addresses(nil) {
		if i != 1 {
			t.Errorf("the first is %d", i)
		}
		break
	}
}

func TestEndpointServes(t *testing.T) {
	e := cluster.Endpoint{Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}, {Name: "dns", Protocol: cluster.UDP}}}
	for _, c := range []struct {
		port cluster.Port
		want bool
	}{
		{cluster.Port{Name: "http", Protocol: cluster.TCP, Port: 80}, true},
		{cluster.Port{Name: "http", Protocol: cluster.UDP, Port: 80}, false},
		{cluster.Port{Name: "https", Protocol: cluster.TCP, Port: 8080}, false},
		{cluster.Port{Name: "dns", Protocol: cluster.UDP, Port: 53}, false},
	} {
		if got := e.Serves(&c.port); got != c.want {
			t.Errorf("%+v: %t", c.port, got)
		}
	}
}

func TestServedByCiliumEnvoy(t *testing.T) {
	placeholder := at("192.192.192.192", "", "", ready)
	placeholder.Ports = []cluster.EndpointPort{{Protocol: cluster.TCP, Port: 9999}}
	pod := at("192.192.192.192", "a", "shop/x", ready)
	pod.Ports = []cluster.EndpointPort{{Protocol: cluster.TCP, Port: 8080}}
	for _, c := range []struct {
		name      string
		endpoints []cluster.Endpoint
		want      bool
	}{
		{"none", nil, false},
		{"the placeholder", []cluster.Endpoint{placeholder}, true},
		{"the placeholder and a pod", []cluster.Endpoint{placeholder, at("10.0.0.1", "a", "shop/y", ready)}, false},
		{"a pod that has its address", []cluster.Endpoint{pod}, false},
	} {
		if got := (&cluster.Service{Endpoints: c.endpoints}).ServedByCiliumEnvoy(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestPending(t *testing.T) {
	ingress := []cluster.Ingress{{IP: netip.MustParseAddr("203.0.113.10")}}
	for _, c := range []struct {
		service cluster.Service
		want    bool
	}{
		{cluster.Service{Type: cluster.TypeLoadBalancer}, true},
		{cluster.Service{Type: cluster.TypeLoadBalancer, Ingress: ingress}, false},
		{cluster.Service{Type: cluster.TypeNodePort}, false},
	} {
		if got := c.service.Pending(); got != c.want {
			t.Errorf("%s with %d addresses: %t", c.service.Type, len(c.service.Ingress), got)
		}
	}
}

// A gap of a list covers every object of it, a gap of one object that object.
func TestGapOfSurroundings(t *testing.T) {
	s := cluster.Surroundings{Gaps: []cluster.Gap{
		{Resource: "configmaps", Verb: "get", Name: "coredns", Reason: cluster.Forbidden},
		{Resource: "pods", Verb: "list", Reason: cluster.TimedOut},
	}}
	for _, c := range []struct {
		resource, name string
		want           cluster.GapReason
	}{
		{"configmaps", "coredns", cluster.Forbidden},
		{"configmaps", "", cluster.Forbidden},
		{"configmaps", "other", ""},
		{"pods", "x", cluster.TimedOut},
		{"pods", "", cluster.TimedOut},
		{"nodes", "", ""},
	} {
		got := cluster.GapReason("")
		if gap := s.Gap(c.resource, c.name); gap != nil {
			got = gap.Reason
		}
		if got != c.want {
			t.Errorf("%s %q: %q, want %q", c.resource, c.name, got, c.want)
		}
	}
}

// A manager owns a field where it wrote the field, something in it, or an atomic value around it.
func TestManagerOwns(t *testing.T) {
	leaf := map[string]any{}
	m := cluster.Manager{Fields: map[string]any{"f:spec": map[string]any{
		"f:externalTrafficPolicy": leaf, "f:selector": leaf, "f:template": map[string]any{"f:spec": map[string]any{"f:affinity": leaf}},
	}}}
	for _, c := range []struct {
		path []string
		want bool
	}{
		{[]string{"spec", "externalTrafficPolicy"}, true},
		{[]string{"spec"}, true},
		{[]string{"spec", "selector", "app"}, true},
		{[]string{"spec", "template", "spec"}, true},
		{[]string{"spec", "template", "spec", "containers"}, false},
		{[]string{"spec", "ports"}, false},
		{[]string{"status"}, false},
	} {
		if got := m.Owns(c.path); got != c.want {
			t.Errorf("%v: %t", c.path, got)
		}
	}
}
