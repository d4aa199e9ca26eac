package oracle_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/proxy"
	"pgregory.net/rapid"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// world is a small cluster with one Service, from which both sides get what they read.
type world struct {
	mode               cluster.ProxyMode
	nodes              []node
	endpoints          []endpoint
	external, internal cluster.Policy
}

type node struct{ name, zone string }

// endpoint is as the API has it: conditions may be absent.
type endpoint struct {
	address                     netip.Addr
	node                        string // "" is absent
	ready, serving, terminating *bool
	zones, nodes                []string
}

func balancerIP() netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, 7}) }
func serviceIP() netip.Addr  { return netip.AddrFrom4([4]byte{10, 96, 0, 7}) }

func worlds() *rapid.Generator[*world] {
	return rapid.Custom(func(t *rapid.T) *world {
		w := &world{mode: rapid.SampledFrom([]cluster.ProxyMode{cluster.IPTables, cluster.NFTables}).Draw(t, "mode")}
		policies := rapid.SampledFrom([]cluster.Policy{cluster.PolicyCluster, cluster.PolicyLocal})
		w.external, w.internal = policies.Draw(t, "external policy"), policies.Draw(t, "internal policy")
		zones := []string{"z1", "z2"}
		names := make([]string, rapid.IntRange(1, 3).Draw(t, "nodes"))
		for i := range names {
			names[i] = string(rune('a' + i))
			w.nodes = append(w.nodes, node{names[i], rapid.SampledFrom(append([]string{""}, zones...)).Draw(t, "zone of "+names[i])})
		}
		condition := rapid.SampledFrom([]*bool{new(true), new(false), nil})
		// With hints on some endpoints only they are not followed at all, so whether there are any is drawn once.
		hintsNodes, hintsZones := rapid.Bool().Draw(t, "hints for nodes"), rapid.Bool().Draw(t, "hints for zones")
		for i := range rapid.IntRange(0, 5).Draw(t, "endpoints") {
			label := fmt.Sprintf("endpoint %d: ", i)
			e := endpoint{
				address:     netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}),
				node:        rapid.SampledFrom(append([]string{""}, names...)).Draw(t, label+"node"),
				ready:       condition.Draw(t, label+"ready"),
				serving:     condition.Draw(t, label+"serving"),
				terminating: condition.Draw(t, label+"terminating"),
			}
			if hintsNodes {
				e.nodes = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, len(names), rapid.ID).Draw(t, label+"for nodes")
			}
			if hintsZones {
				e.zones = rapid.SliceOfNDistinct(rapid.SampledFrom(zones), 0, len(zones), rapid.ID).Draw(t, label+"for zones")
			}
			w.endpoints = append(w.endpoints, e)
		}
		return w
	})
}

// isReady, isServing and isTerminating settle absent conditions as the API documents them (discovery/v1 EndpointConditions).
func (e endpoint) isReady() bool       { return e.ready == nil || *e.ready }
func (e endpoint) isServing() bool     { return e.serving == nil || *e.serving }
func (e endpoint) isTerminating() bool { return e.terminating != nil && *e.terminating }

// at is the index of the endpoint with that address.
func (w *world) at(a netip.Addr) int {
	return slices.IndexFunc(w.endpoints, func(e endpoint) bool { return e.address == a })
}

// usable are the addresses of the ready endpoints among some, or of those that serve while they terminate where none is ready, in order.
func (w *world) usable(among func(endpoint) bool) []netip.Addr {
	var ready, terminating []netip.Addr
	for _, e := range w.endpoints {
		switch {
		case !among(e):
		case e.isReady():
			ready = append(ready, e.address)
		case e.isServing() && e.isTerminating():
			terminating = append(terminating, e.address)
		}
	}
	if len(ready) > 0 {
		return ready
	}
	return terminating
}

// snapshot is the world as the engine reads it, under kube-proxy at the version of go.mod.
func (w *world) snapshot() *cluster.Snapshot {
	version, _ := cluster.ParseVersion(kubernetesVersion)
	s := &cluster.Snapshot{Dataplane: cluster.Dataplane{
		Name: cluster.KubeProxy, Mode: w.mode, Version: version, PodMasquerade: cluster.No,
		KubeProxy: &cluster.KubeProxySettings{
			PodDetection: cluster.ClusterCIDR, ClusterCIDRs: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, 0, 0}), 16)},
		},
	}}
	for i, n := range w.nodes {
		s.Nodes = append(s.Nodes, cluster.Node{
			Name: n.name, Zone: n.zone, Known: true, Ready: cluster.Yes,
			InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})},
			PodCIDRs:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, 0, 0}), 24)},
		})
	}
	service := cluster.Service{
		Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, ExternalTrafficPolicy: w.external, InternalTrafficPolicy: w.internal,
		ClusterIPs: []netip.Addr{serviceIP()}, Ingress: []cluster.Ingress{{IP: balancerIP(), IPMode: cluster.VIP}}, EndpointsKnown: true,
		Ports: []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080}},
	}
	for _, e := range w.endpoints {
		service.Endpoints = append(service.Endpoints, cluster.Endpoint{
			Address: e.address, Node: e.node, Ready: e.isReady(), Serving: e.isServing(), Terminating: e.isTerminating(),
			Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}}, ForZones: e.zones, ForNodes: e.nodes, Slice: "web-1",
		})
	}
	s.Services = []cluster.Service{service}
	return s
}

// sets are what kube-proxy on a node makes of the endpoints.
type sets struct {
	cluster, local []netip.Addr
	any            bool
	topology       string
}

// categorize gives kube-proxy on a node the API objects, by the same way as its informers do, and asks it for its sets.
func (w *world) categorize(judge int) sets {
	services, endpoints := proxy.ServicePortMap{}, proxy.EndpointsMap{}
	serviceChanges := proxy.NewServiceChangeTracker(corev1.IPv4Protocol, nil, nil)
	serviceChanges.Update(nil, w.service())
	services.Update(serviceChanges)
	sliceChanges := proxy.NewEndpointsChangeTracker(corev1.IPv4Protocol, w.nodes[judge].name, nil, nil)
	sliceChanges.EndpointSliceUpdate(w.slice(), false)
	endpoints.Update(sliceChanges)
	name := proxy.ServicePortName{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "web"}, Port: "http", Protocol: corev1.ProtocolTCP}
	labels := map[string]string{}
	if zone := w.nodes[judge].zone; zone != "" {
		labels[corev1.LabelTopologyZone] = zone
	}
	all, local, _, some := proxy.CategorizeEndpoints(endpoints[name], services[name], w.nodes[judge].name, labels)
	s := sets{cluster: addresses(all), local: addresses(local), any: some}
	s.topology = w.topology(judge, s.cluster)
	return s
}

// topology is which of the hints explains a set that is not all usable endpoints; kube-proxy asks hints for nodes first.
func (w *world) topology(judge int, set []netip.Addr) string {
	if slices.Equal(set, w.usable(func(endpoint) bool { return true })) {
		return ""
	}
	for _, a := range set {
		if !slices.Contains(w.endpoints[w.at(a)].nodes, w.nodes[judge].name) {
			return "Zone"
		}
	}
	for _, e := range w.endpoints {
		if e.isReady() && len(e.nodes) == 0 {
			return "Zone"
		}
	}
	return "Node"
}

func addresses(endpoints []proxy.Endpoint) []netip.Addr {
	var all []netip.Addr
	for _, e := range endpoints {
		all = append(all, netip.MustParseAddr(e.IP()))
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

func (w *world) service() *corev1.Service {
	policy := corev1.ServiceInternalTrafficPolicy(w.internal)
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ClusterIP: serviceIP().String(), ClusterIPs: []string{serviceIP().String()},
			IPFamilies:            []corev1.IPFamily{corev1.IPv4Protocol},
			ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicy(w.external), InternalTrafficPolicy: &policy, HealthCheckNodePort: 32000,
			Ports: []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, NodePort: 30080}},
		},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{
			{IP: balancerIP().String(), IPMode: new(corev1.LoadBalancerIPModeVIP)},
		}}},
	}
}

func (w *world) slice() *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(8080))}},
	}
	for _, e := range w.endpoints {
		a := discoveryv1.Endpoint{
			Addresses:  []string{e.address.String()},
			Conditions: discoveryv1.EndpointConditions{Ready: e.ready, Serving: e.serving, Terminating: e.terminating},
		}
		if e.node != "" {
			a.NodeName = new(e.node)
		}
		if len(e.nodes)+len(e.zones) > 0 {
			a.Hints = &discoveryv1.EndpointHints{}
			for _, n := range e.nodes {
				a.Hints.ForNodes = append(a.Hints.ForNodes, discoveryv1.ForNode{Name: n})
			}
			for _, z := range e.zones {
				a.Hints.ForZones = append(a.Hints.ForZones, discoveryv1.ForZone{Name: z})
			}
		}
		s.Endpoints = append(s.Endpoints, a)
	}
	return s
}

// GoString is how rapid prints the case that it has shrunk to.
func (w *world) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, external %s, internal %s", w.mode, w.external, w.internal)
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "; node %s zone %q", n.name, n.zone)
	}
	for _, e := range w.endpoints {
		fmt.Fprintf(&b, "; endpoint %s node %q ready %t serving %t terminating %t for nodes %v zones %v",
			e.address, e.node, e.isReady(), e.isServing(), e.isTerminating(), e.nodes, e.zones)
	}
	return b.String()
}
