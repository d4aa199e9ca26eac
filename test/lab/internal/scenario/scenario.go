// Package scenario knows what the lab tries: the clusters, and the pods and Services in each of them.
package scenario

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// Namespace holds all pods and Services of the lab.
const Namespace = "lab"

// Nodes is the number of nodes, n1 and up.
const Nodes = 3

// State is how a pod fares.
type State int

// The states of a pod.
const (
	Ready              State = iota
	Unready                  // running, not ready
	TerminatingServing       // being deleted, still ready
	Terminating              // being deleted, not ready any more
)

// Pod is a pod. It answers on port 8080, TCP and UDP; one on the host network on 18080.
type Pod struct {
	Second      bool // it answers on port 8081 too, or 18081
	Name        string
	Node        int
	Sets        []string // which Services choose it, by Service.Backends
	HostNetwork bool
	State       State
	Dials       bool // it is a source of connections
}

// Pods are the pods of every cluster that is not drawn. Node 3 has a backend only for Services of the set all.
func Pods() []Pod {
	return []Pod{
		{Name: "client-1", Node: 1, Dials: true},
		{Name: "client-2", Node: 2, Dials: true},
		{Name: "client-3", Node: 3, Dials: true},
		{Name: "backend-1a", Node: 1, Sets: []string{"some", "many", "all", "one"}, Dials: true},
		{Name: "backend-1b", Node: 1, Sets: []string{"many"}},
		{Name: "backend-2", Node: 2, Sets: []string{"some", "many", "all", "mixed", "leaving", "gone"}, Dials: true},
		{Name: "backend-3", Node: 3, Sets: []string{"all"}},
		{Name: "host-1", Node: 1, Sets: []string{"host", "mixed"}, HostNetwork: true},
		{Name: "leaving-1", Node: 1, Sets: []string{"leaving", "leaving-alone"}, State: TerminatingServing},
		{Name: "gone-1", Node: 1, Sets: []string{"gone"}, State: Terminating},
		{Name: "unready-1", Node: 1, Sets: []string{"unready"}, State: Unready},
	}
}

// Service is a Service of type LoadBalancer with one port 80, unless a field says otherwise.
type Service struct {
	Name     string
	Type     corev1.ServiceType
	Policy   corev1.ServiceExternalTrafficPolicy
	Internal corev1.ServiceInternalTrafficPolicy
	Backends string // the set of pods that it chooses; "" chooses none
	// HandMade: it chooses no pods; its one slice is written by hand, with the addresses of the set's pods and without node names.
	HandMade string
	// Ingress are its load balancer addresses; nil is one address, captured by the nodes.
	Ingress         []Ingress
	ExternalIPs     int // number of external IP addresses
	SourceRanges    []string
	Affinity        bool
	NoNodePorts     bool
	Protocol        corev1.Protocol
	More            []Port            // after the first
	Families        []corev1.IPFamily // nil is IPv4
	ReplacesClient  bool              // the load balancer puts its own address in place of the client's
	OtherProxy      bool              // labelled as another proxy's to serve
	EveryAddress    bool              // nodePorts are dialled at the node's second and loopback addresses too
	Breadth         Breadth           // the narrowest clusters in which it is tried
	FlipToOther     bool              // its policy is changed while connections are open
	PublishNotReady bool
	// SharesWith is another Service, whose load balancer addresses this one has too, on port 81.
	SharesWith string
	// OwnAddressOf is a node whose own addresses are external IPs of the Service; 0 is none.
	OwnAddressOf int
	// Annotations are those of a data plane.
	Annotations map[string]string
	// Distribution is spec.trafficDistribution. Where it is set, releases that do not know it find the annotation of their time.
	Distribution string
}

// Port is a further port of a Service.
type Port struct {
	Name     string
	Number   int32
	Protocol corev1.Protocol
	Second   bool // it leads to the pods' second port
}

// Breadth is how many of the Services a cluster has.
type Breadth int

// The breadths. Each includes those after it.
const (
	Complete Breadth = iota // all Services
	Core                    // those that show what a setting or a version changed
	Symptom                 // those that show what users report: refused from nodes and pods without a backend
)

// Ingress is one entry of status.loadBalancer.ingress.
type Ingress struct {
	IPMode   corev1.LoadBalancerIPMode // empty leaves it to the API server
	Hostname bool                      // the entry gives a host name in place of the address
}

const (
	local   = corev1.ServiceExternalTrafficPolicyLocal
	cluster = corev1.ServiceExternalTrafficPolicyCluster
	v4      = corev1.IPv4Protocol
	v6      = corev1.IPv6Protocol
)

// Services are the Services of a complete cluster.
func Services() []Service {
	var all []Service
	add := func(s Service) {
		for _, p := range []corev1.ServiceExternalTrafficPolicy{local, cluster} {
			c := s
			c.Policy = p
			c.Name = map[corev1.ServiceExternalTrafficPolicy]string{local: "local-", cluster: "cluster-"}[p] + s.Name
			all = append(all, c)
		}
	}
	// Where the endpoints are.
	add(Service{Name: "some", Backends: "some", Breadth: Symptom, EveryAddress: true})
	add(Service{Name: "many", Backends: "many"})
	add(Service{Name: "all", Backends: "all"})
	add(Service{Name: "one", Backends: "one", Breadth: Symptom})
	add(Service{Name: "none", Breadth: Symptom, EveryAddress: true})
	add(Service{Name: "host", Backends: "host", Breadth: Core})
	add(Service{Name: "mixed", Backends: "mixed"})
	add(Service{Name: "leaving", Backends: "leaving"})
	add(Service{Name: "leaving-alone", Backends: "leaving-alone"})
	add(Service{Name: "gone", Backends: "gone"})
	add(Service{Name: "unready", Backends: "unready"})
	add(Service{Name: "published", Backends: "unready", PublishNotReady: true})
	add(Service{Name: "nodeless", HandMade: "some", Breadth: Core})
	// Which addresses it has.
	add(Service{Name: "proxy", Backends: "some", Ingress: []Ingress{{IPMode: corev1.LoadBalancerIPModeProxy}}, Breadth: Core})
	add(Service{Name: "proxy-none", Ingress: []Ingress{{IPMode: corev1.LoadBalancerIPModeProxy}}})
	add(Service{Name: "vip", Backends: "one", Ingress: []Ingress{{IPMode: corev1.LoadBalancerIPModeVIP}}})
	add(Service{Name: "hostname", Backends: "some", Ingress: []Ingress{{Hostname: true}}})
	add(Service{Name: "two", Backends: "some", Ingress: []Ingress{{}, {}}})
	add(Service{Name: "vip-and-proxy", Backends: "some", Ingress: []Ingress{{}, {IPMode: corev1.LoadBalancerIPModeProxy}}})
	add(Service{Name: "external-ip", Backends: "some", ExternalIPs: 1, Breadth: Core})
	add(Service{Name: "external-ip-none", ExternalIPs: 1, Type: corev1.ServiceTypeNodePort})
	add(Service{Name: "clusterip", Backends: "some", ExternalIPs: 1, Type: corev1.ServiceTypeClusterIP})
	add(Service{Name: "nodeport", Backends: "some", Type: corev1.ServiceTypeNodePort, Breadth: Core})
	add(Service{Name: "no-nodeports", Backends: "some", NoNodePorts: true})
	// What else decides.
	add(Service{Name: "ranges-pods", Backends: "some", SourceRanges: []string{"10.244.0.0/16"}, Breadth: Core})
	add(Service{Name: "ranges-nodes", Backends: "some", SourceRanges: []string{"172.30.0.0/24"}})
	add(Service{Name: "ranges-outside", Backends: "some", SourceRanges: []string{"198.51.100.0/24", "192.0.2.0/24"}})
	add(Service{Name: "ranges-anywhere", Backends: "one", SourceRanges: []string{"198.51.100.0/24", "0.0.0.0/0"}})
	add(Service{Name: "ranges-none", SourceRanges: []string{"198.51.100.0/24"}})
	add(Service{Name: "internal-local", Backends: "some", Internal: corev1.ServiceInternalTrafficPolicyLocal, Breadth: Core})
	add(Service{Name: "affinity", Backends: "some", Affinity: true})
	add(Service{Name: "replaced", Backends: "some", ReplacesClient: true})
	add(Service{Name: "other-proxy", Backends: "some", OtherProxy: true})
	add(Service{Name: "udp", Backends: "some", Protocol: corev1.ProtocolUDP})
	add(Service{Name: "v6", Backends: "some", Families: []corev1.IPFamily{v6}})
	add(Service{Name: "v6-none", Families: []corev1.IPFamily{v6}})
	add(Service{Name: "dual", Backends: "some", Families: []corev1.IPFamily{v4, v6}, Ingress: []Ingress{{}, {}}})
	add(Service{Name: "flip", Backends: "some", FlipToOther: true})
	return all
}

// Cluster is one cluster: a data plane of one version with its settings.
type Cluster struct {
	Mode    string // iptables, ipvs, nftables: kube-proxy in that mode; or Cilium, KubeRouter
	Version string // of the data plane
	Variant string // empty: the default settings
	Changed string // what the variant has different, in one sentence
	// Settings are what differs from the lab's defaults: fields of KubeProxyConfiguration, keys of cilium-config, or flags of kube-router; nil removes one.
	Settings map[string]any
	// Beside is the mode of the kube-proxy that runs beside the data plane; empty: none does.
	Beside string
	// NoMasquerade: the CNI leaves pod addresses as they are towards nodes and the world outside.
	NoMasquerade bool
	// NodeLabels are labels of nodes, beside those that every node has.
	NodeLabels map[string]map[string]string
	// Hostnames are the node names that kube-proxies are told where it is not the real one.
	Hostnames map[string]string
	Breadth   Breadth
	IPv4      bool // kube-proxy serves this one family
	// Announcer is what announces load balancer addresses from nodes, such as metallb-l2, in a version. Where it is set, the cluster has other Services.
	Announcer, AnnouncerVersion string
	// Seed is what pods and Services are drawn from; 0 leaves them to Pods and Services.
	Seed uint64
	// Own are the Services of a cluster that does not have those of Services.
	Own []Service
}

// Cilium is the mode of clusters whose data plane is Cilium.
const Cilium = "cilium"

// KubeRouter is the mode of clusters whose data plane is kube-router.
const KubeRouter = "kube-router"

// ProxyMode is the mode of the kube-proxy that runs; empty: none does.
func (c Cluster) ProxyMode() string {
	if c.OwnVersion() != "" {
		return c.Beside
	}
	return c.Mode
}

// KubeProxy is the version of the kube-proxy that runs; empty: none does.
func (c Cluster) KubeProxy() string {
	switch {
	case c.ProxyMode() == "":
		return ""
	case c.OwnVersion() != "":
		return Newest
	}
	return c.Version
}

// OwnVersion is the version of a data plane that is not kube-proxy; empty for kube-proxy.
func (c Cluster) OwnVersion() string {
	if c.Mode == Cilium || c.Mode == KubeRouter {
		return c.Version
	}
	return ""
}

// Kubelet is the version that nodes report.
func (c Cluster) Kubelet() string {
	if v := c.KubeProxy(); v != "" {
		return v
	}
	return Newest
}

// OnEveryAddress says that nodes serve node ports at their second addresses too. Cilium is told the device with the first ones, and kube-router
// serves them at one address of the node.
func (c Cluster) OnEveryAddress() bool { return c.OwnVersion() == "" }

// MasqueradesPods says that connections from pods to nodes have a node's address. Cilium leaves the pod's, but where packets between nodes go through a tunnel, and so does
// kube-router, where its router runs.
func (c Cluster) MasqueradesPods() bool {
	switch c.Mode {
	case Cilium:
		return !c.NoMasquerade && c.Settings["routing-mode"] == "tunnel"
	case KubeRouter:
		return !c.NoMasquerade && c.Settings["run-router"] == "false"
	}
	return !c.NoMasquerade
}

// PodBridge is the name of the bridge to which the pods of a node are connected. kube-router knows its own by the name.
func (c Cluster) PodBridge() string {
	if c.Mode == KubeRouter {
		return "kube-bridge"
	}
	return "cni0"
}

// TakesTurns says that the data plane deals endpoints out in turn, not at random.
func (c Cluster) TakesTurns() bool { return c.Mode == "ipvs" || c.Mode == KubeRouter }

// Name is the name by which a cluster is selected: iptables@v1.36.3, or iptables@v1.36.3/bridge.
func (c Cluster) Name() string {
	if c.Announcer != "" {
		return c.Announcer + "@" + c.AnnouncerVersion
	}
	n := c.Mode + "@" + c.Version
	if c.Variant != "" {
		n += "/" + c.Variant
	}
	return n
}

// File is the name of the cluster's recording.
func (c Cluster) File() string {
	if c.Announcer != "" {
		return recordings.AnnouncersFolder + "/" + c.Announcer + "-" + c.AnnouncerVersion + ".json"
	}
	n := c.Mode + "-" + c.Version
	if c.Variant != "" {
		n += "-" + c.Variant
	}
	return n + ".json"
}

// Pods are the pods of this cluster.
func (c Cluster) Pods() []Pod {
	if c.Seed != 0 {
		pods, _ := draw(c.Seed, c.drawnServices())
		return pods
	}
	return Pods()
}

// all are the Services of which those of this cluster are chosen.
func (c Cluster) all() []Service {
	if c.Own != nil {
		return slices.Clone(c.Own)
	}
	if c.Seed == 0 {
		return Services()
	}
	_, services := draw(c.Seed, c.drawnServices())
	if c.Mode == "ipvs" && c.Seed >= mixing {
		// ipvs would put the address on every other node, and nothing there reaches the node any more: the cluster never settles.
		for i := range services {
			services[i].OwnAddressOf = 0
		}
	}
	return services
}

// Nameless says whether a kube-proxy runs under a name that no node has, and so knows none of its node's endpoints. Under another node's name it may know as many.
func (c Cluster) Nameless() bool {
	for _, name := range c.Hostnames {
		if !slices.Contains([]string{"n1", "n2", "n3"}, name) {
			return true
		}
	}
	return false
}

// Number gives each Service a number, from 1, that does not depend on which of them this cluster has; 0 for one that there is not.
func (c Cluster) Number(name string) int {
	return slices.IndexFunc(c.all(), func(s Service) bool { return s.Name == name }) + 1
}

// Services are the Services tried in this cluster.
func (c Cluster) Services() []Service {
	if c.Announcer != "" {
		return nil
	}
	return slices.DeleteFunc(c.all(), func(s Service) bool { return s.Breadth < c.Breadth || c.IPv4 && slices.Contains(s.Families, v6) })
}

// Newest is the version at which variants are tried.
const Newest = "v1.36.3"

// Versions of kube-proxy tried with the default settings, by mode.
func versions() map[string][]string {
	return map[string][]string{
		"iptables": {"v1.20.15", "v1.22.17", "v1.24.17", "v1.28.15", "v1.30.4", "v1.32.2", "v1.34.2", "v1.36.3", "v1.37.2"},
		"nftables": {"v1.31.0", "v1.32.2", "v1.33.4", "v1.33.13", "v1.34.2", "v1.36.3", "v1.37.2"},
		"ipvs":     {"v1.20.15", "v1.22.17", "v1.24.17", "v1.28.15", "v1.30.4", "v1.32.2", "v1.34.2", "v1.36.3", "v1.37.2"},
	}
}

// Clusters are all clusters, in the order in which they are tried.
func Clusters() []Cluster {
	out := ciliumClusters()
	for _, mode := range []string{"iptables", "nftables", "ipvs"} {
		for _, v := range versions()[mode] {
			c := Cluster{Mode: mode, Version: v, IPv4: Before(v, 21)}
			if mode == "ipvs" { // it may run where every rule takes long to program
				c.Breadth = Core
			}
			if c.IPv4 {
				c.Settings = endpointsOnly()
			}
			out = append(out, c)
			if v == Newest && mode != "ipvs" {
				out = append(out, variants(mode, v)...)
			}
		}
	}
	// Before and after v1.33.6 mended how nftables tells pods by their interface. Before it, a prefix makes nft refuse every rule, and there is no cluster.
	for _, version := range []string{"v1.33.4", "v1.33.13"} {
		for _, v := range variants("nftables", version) {
			if v.Variant == "bridge" || v.Variant == "prefix" && version != "v1.33.4" {
				out = append(out, v)
			}
		}
	}
	out = append(out, ipvsVariants()...)
	out = append(out, kubeRouterClusters()...)
	out = append(out, announced()...)
	return append(out,
		Drawn("iptables", "v1.20.15", 13), Drawn("iptables", "v1.22.17", 22), Drawn("iptables", "v1.24.17", 15), Drawn("iptables", "v1.28.15", 21),
		Drawn("iptables", "v1.30.4", 16), Drawn("iptables", "v1.32.2", 23), Drawn("iptables", "v1.34.2", 20), Drawn("iptables", "v1.37.2", 18),
		Drawn("iptables", "v1.23.17", 103), Drawn("iptables", "v1.27.16", 109), Drawn("iptables", "v1.36.3", 101), Drawn("nftables", "v1.36.3", 102),
		Drawn("nftables", "v1.32.2", 14), Drawn("nftables", "v1.34.2", 17), Drawn("nftables", "v1.36.3", 12), Drawn("nftables", "v1.37.2", 19),
		Drawn("ipvs", "v1.20.15", 106), Drawn("ipvs", "v1.22.17", 42), Drawn("ipvs", "v1.23.17", 104), Drawn("ipvs", "v1.27.16", 108),
		Drawn("ipvs", "v1.36.3", 41), Drawn("ipvs", "v1.36.3", 107),
	)
}

// announced are the clusters whose addresses nodes announce.
func announced() []Cluster {
	var out []Cluster
	// The API server of today refuses the BGPPeers of v0.15.2: their CustomResourceDefinition has AS numbers that do not fit their format.
	for _, a := range []struct{ name, version string }{{"metallb-l2", "v0.15.2"}, {"metallb-l2", "v0.16.2"}, {"metallb-bgp", "v0.16.2"}} {
		out = append(out, Cluster{Mode: "iptables", Version: Newest, Announcer: a.name, AnnouncerVersion: a.version, Changed: announcedByNodes})
	}
	return append(out, ciliumAnnounced()...)
}

const announcedByNodes = "nodes announce the addresses; see internal/announcer"

// endpointsOnly makes a kube-proxy that is too old for the EndpointSlices of today's API server watch Endpoints.
func endpointsOnly() map[string]any {
	return map[string]any{"featureGates": map[string]any{"EndpointSliceProxying": false}}
}

// rulesOf is the field of KubeProxyConfiguration for the rules that a mode writes: ipvs writes some for iptables, and reads its settings of them.
func rulesOf(mode string) string {
	if mode == "ipvs" {
		return "iptables"
	}
	return mode
}

func variants(mode, version string) []Cluster {
	v := []Cluster{
		{Variant: "nomasquerade", Changed: "the CNI leaves pod addresses as they are", NoMasquerade: true},
		{Variant: "nodetection", Changed: "clusterCIDR is empty: pods are not told from other clients", Settings: map[string]any{"clusterCIDR": nil}},
		{Variant: "nodecidr", Changed: "pods are told by the node's podCIDRs", Settings: map[string]any{"detectLocalMode": "NodeCIDR", "clusterCIDR": nil}},
		{
			Variant: "hostname", Changed: "kube-proxy of n1 was told a node name that is not n1's", Hostnames: map[string]string{"n1": "n1.example.internal"},
		},
		{
			Variant: "masqueradeall", Changed: "masqueradeAll is on",
			Settings: map[string]any{rulesOf(mode): map[string]any{"masqueradeAll": true}},
		},
		{
			Variant: "nodeportaddresses", Changed: "nodePorts are served on the second network of the nodes only",
			Settings: map[string]any{"nodePortAddresses": []any{"172.31.0.0/24"}},
		},
		{
			Variant: "bridge", Changed: "pods are told by the bridge they come from",
			Settings: map[string]any{"detectLocalMode": "BridgeInterface", "detectLocal": map[string]any{"bridgeInterface": "cni0"}, "clusterCIDR": nil},
		},
		{
			Variant: "prefix", Changed: "pods are told by the prefix of the interface they come from",
			Settings: map[string]any{"detectLocalMode": "InterfaceNamePrefix", "detectLocal": map[string]any{"interfaceNamePrefix": "cni"}, "clusterCIDR": nil},
		},
		{
			Variant: "nomasquerade-nodecidr", Changed: "the CNI leaves pod addresses as they are, and pods are told by the node's podCIDRs", NoMasquerade: true,
			Settings: map[string]any{"detectLocalMode": "NodeCIDR", "clusterCIDR": nil},
		},
	}
	if mode == "ipvs" { // how it tells pods from others decides about ClusterIPs only
		v = slices.DeleteFunc(v, func(c Cluster) bool { return c.Settings["detectLocalMode"] != nil })
	}
	for i := range v {
		v[i].Mode, v[i].Version, v[i].Breadth = mode, version, Core
	}
	return v
}

// Addresses of the lab's networks. Nodes, pods and Services are numbered from 1.

// NodeIP are the addresses of node n on the network on which nodes talk to each other: IPv4, IPv6.
func NodeIP(n int) [2]string {
	return [2]string{fmt.Sprintf("172.30.0.%d", 10+n), fmt.Sprintf("fd00:30::%x", 0x10+n)}
}

// SecondIP is the address of node n on a second network.
func SecondIP(n int) string { return fmt.Sprintf("172.31.0.%d", 10+n) }

// PodCIDRs are the ranges of node n's pods: IPv4, IPv6.
func PodCIDRs(n int) [2]string {
	return [2]string{fmt.Sprintf("10.244.%d.0/24", n), fmt.Sprintf("fd00:244:0:%x::/64", n)}
}

// BridgeIP are the addresses of node n on its pods' bridge.
func BridgeIP(n int) [2]string {
	return [2]string{fmt.Sprintf("10.244.%d.1", n), fmt.Sprintf("fd00:244:0:%x::1", n)}
}

// PodIP are the addresses of the i-th pod of all, on node n.
func PodIP(n, i int) [2]string {
	return [2]string{fmt.Sprintf("10.244.%d.%d", n, 10+i), fmt.Sprintf("fd00:244:0:%x::%x", n, 0x10+i)}
}

// VIP are the k-th load balancer addresses of Service i.
func VIP(i, k int) [2]string {
	return [2]string{fmt.Sprintf("203.0.113.%d", 128*k+i), fmt.Sprintf("2001:db8:203::%x", 0x100*(k+1)+i)}
}

// ClusterIP are the cluster addresses of Service i.
func ClusterIP(i int) [2]string {
	return [2]string{fmt.Sprintf("10.96.1.%d", i), fmt.Sprintf("fd00:96::%x", 0x100+i)}
}
