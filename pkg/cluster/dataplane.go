package cluster

import "net/netip"

// DataplaneName names the program that implements Services on a node.
type DataplaneName string

const (
	KubeProxy        DataplaneName = "kube-proxy"
	Cilium           DataplaneName = "cilium"
	CalicoEBPF       DataplaneName = "calico-ebpf"
	Antrea           DataplaneName = "antrea"
	OVNKubernetes    DataplaneName = "ovn-kubernetes"
	KubeRouter       DataplaneName = "kube-router"
	Windows          DataplaneName = "windows"
	UnknownDataplane DataplaneName = "unknown"
)

// ProxyMode is kube-proxy's mode; "" for every other data plane, and for kube-proxy where it is not known.
type ProxyMode string

const (
	IPTables ProxyMode = "iptables"
	IPVS     ProxyMode = "ipvs"
	NFTables ProxyMode = "nftables"
)

// Confidence says how a data plane is known.
type Confidence string

const (
	// Observed: read from the program's own configuration, or given by the user.
	Observed Confidence = "Observed"
	// Inferred: concluded from something else that was read.
	Inferred Confidence = "Inferred"
	// Assumed: nothing contradicts it.
	Assumed Confidence = "Assumed"
	// UnknownConfidence: not known at all.
	UnknownConfidence Confidence = "Unknown"
)

// PodDetection is how kube-proxy recognises pods of its node (or of the cluster).
type PodDetection string

const (
	ClusterCIDR         PodDetection = "ClusterCIDR"
	NodeCIDR            PodDetection = "NodeCIDR"
	BridgeInterface     PodDetection = "BridgeInterface"
	InterfaceNamePrefix PodDetection = "InterfaceNamePrefix"
	// NoDetection: kube-proxy runs in ClusterCIDR mode without a cluster CIDR, and recognises no pod.
	NoDetection PodDetection = "None"
	// UnknownDetection: not known, or the data plane has no such setting.
	UnknownDetection PodDetection = "Unknown"
)

// Dataplane is what implements Services on a node, with the settings that decide what happens to a connection.
type Dataplane struct {
	Name    DataplaneName
	Mode    ProxyMode
	Version Version
	// Source says where the name, mode and settings were read, as "configmap kube-system/kube-proxy".
	Source     string
	Confidence Confidence
	// VersionSource says where the version was read; VersionConfidence is Inferred for a kubelet's version.
	VersionSource     string
	VersionConfidence Confidence

	KubeProxy *KubeProxySettings // nil unless kube-proxy runs here and its configuration was read
	Cilium    *CiliumSettings    // nil unless Cilium runs here, instead of kube-proxy or beside it
	Calico    *CalicoSettings    // nil unless the data plane is calico-ebpf
	Antrea    *AntreaSettings    // nil unless Antrea serves Services here, instead of kube-proxy or, for pods, beside it
	// KubeRouter is nil unless the data plane is kube-router.
	KubeRouter *KubeRouterSettings
	// PodMasquerade says whether the CNI masquerades (SNAT) traffic from pods to addresses of other nodes. The API
	// rarely shows it.
	PodMasquerade Tristate
	// MayMasqueradeClients: the CNI masquerades connections to pods from addresses that are no pod's, or may do so.
	MayMasqueradeClients bool
}

// KubeProxySettings are the parts of KubeProxyConfiguration that decide what happens to a connection. Defaults are
// settled, except where a field says otherwise.
type KubeProxySettings struct {
	PodDetection    PodDetection
	ClusterCIDRs    []netip.Prefix
	BridgeInterface string
	InterfacePrefix string
	MasqueradeAll   bool
	// NodePortAddresses are the ranges of --nodeport-addresses, "all" and "localhost" (v1.37) spelled out. PrimaryOnly
	// is "primary", which adds the node's primary addresses to them. Both empty: the mode's default (all local
	// addresses, in nftables mode the primary ones).
	NodePortAddresses []netip.Prefix
	PrimaryOnly       bool
	// NoLocalhostNodePorts is iptables.localhostNodePorts: false.
	NoLocalhostNodePorts bool
	HostnameOverride     string
	// BindAddress is what kube-proxy takes as the address of its node; the zero Addr where it is unspecified, as by
	// default. BindAddressUnknown: it is a variable that each node replaces, or could not be read.
	BindAddress        netip.Addr
	BindAddressUnknown bool
	FeatureGates       map[string]bool
}

// CiliumSettings are the parts of cilium-config that decide what happens to a connection.
type CiliumSettings struct {
	Version Version
	// ReplacesKubeProxy is kube-proxy-replacement true or strict.
	ReplacesKubeProxy bool
	// Mode is bpf-lb-mode: snat, dsr or hybrid. "" means that cilium-config was not read: then none of the fields below
	// is known, but InClusterLoadBalance.
	Mode string
	// ModeAnnotation is bpf-lb-mode-annotation: a Service may have a mode of its own.
	ModeAnnotation bool
	// DropsWithoutBackend is service-no-backend-response: drop.
	DropsWithoutBackend bool
	// RoutesWithoutBackend is enable-no-service-endpoints-routable: false.
	RoutesWithoutBackend bool
	// SocketLoadBalancing is bpf-lb-sock; a Cilium that replaces kube-proxy always balances at the socket.
	SocketLoadBalancing bool
	// HostSocketsOnly is bpf-lb-sock-hostns-only: pods are served packet by packet.
	HostSocketsOnly bool
	// PerPacket: pods' packets are looked up too where sockets are balanced (enable-envoy-config,
	// enable-ingress-controller, enable-gateway-api or enable-sctp).
	PerPacket bool
	// SCTP is enable-sctp.
	SCTP bool
	// BPFMasquerade is enable-bpf-masquerade, NoMasquerade enable-ipv4-masquerade: false, NoIPv6Masquerade
	// enable-ipv6-masquerade: false, EndpointRoutes enable-endpoint-routes.
	BPFMasquerade, NoMasquerade, NoIPv6Masquerade, EndpointRoutes bool
	// Tunnel: packets between pods of different nodes go through a tunnel (routing-mode, before v1.14 tunnel).
	Tunnel bool
	// NoIPv4 is enable-ipv4: false, NoIPv6 enable-ipv6: false.
	NoIPv4, NoIPv6 bool
	// RangesOfAllTypes is bpf-lb-source-range-all-types: loadBalancerSourceRanges hold for every address.
	RangesOfAllTypes bool
	// ServiceTopology is enable-service-topology.
	ServiceTopology bool
	// OpenExternalIPs is bpf-lb-external-ip-mitigation switched off: clients inside are translated for external IPs
	// that no node owns.
	OpenExternalIPs bool
	// FirstNodePort and LastNodePort are node-port-range; both 0 for the default, 30000 to 32767.
	FirstNodePort, LastNodePort uint16
	// NodePortAddresses is nodeport-addresses; empty for the default, one address of each device.
	NodePortAddresses []netip.Prefix
	// NoSourceRanges is enable-svc-source-range-check: false, which v1.19 no longer has.
	NoSourceRanges bool
	// InClusterLoadBalance is Terway's in_cluster_loadbalance.
	InClusterLoadBalance Tristate
}

// IsNodePort says whether a port is in Cilium's range of node ports (pkg/loadbalancer/config.go in cilium/cilium
// v1.20.2).
func (s *CiliumSettings) IsNodePort(port uint16) bool {
	first, last := s.FirstNodePort, s.LastNodePort
	if last == 0 {
		first, last = 30000, 32767
	}
	return first <= port && port <= last
}

// Read is false where cilium-config was not read.
func (s *CiliumSettings) Read() bool { return s.Mode != "" }

// CalicoSettings are the parts of FelixConfiguration that decide what happens to a connection.
type CalicoSettings struct {
	// DSR is bpfExternalServiceMode: DSR.
	DSR bool
	// ConnectTime is bpfConnectTimeLoadBalancing: TCP (also where it is not set), Enabled (UDP too) or Disabled.
	ConnectTime string
}

// AntreaSettings are the parts of antrea-agent.conf that decide what happens to a connection.
type AntreaSettings struct {
	// Version is Antrea's where it runs beside kube-proxy; the zero Version where it is the data plane itself, or not
	// known.
	Version Version
	// NoLoadBalancerIPs is antreaProxy.proxyLoadBalancerIPs: false: a node does not answer for load balancer addresses.
	NoLoadBalancerIPs bool
	// DSR is antreaProxy.defaultLoadBalancerMode: dsr.
	DSR bool
	// PolicyOnly is trafficEncapMode: networkPolicyOnly.
	PolicyOnly bool
	// BesideKubeProxy: proxyAll is on, and a kube-proxy runs on the nodes all the same.
	BesideKubeProxy bool
}

// KubeRouterSettings are the parts of kube-router's command line that decide what happens to a connection. The zero
// value is its defaults.
type KubeRouterSettings struct {
	// NoRouter is --run-router=false: unless MasqueradeAll, kube-router then masquerades nothing.
	NoRouter bool
	// MasqueradeAll is --masquerade-all, Hairpin --hairpin-mode, NodePortsEverywhere --nodeport-bindon-all-ip.
	MasqueradeAll, Hairpin, NodePortsEverywhere bool
	// AnyAddress is --strict-external-ip-validation=false, which exists since v2.8. Otherwise kube-router since then
	// serves only external IPs within ExternalIPRanges (--service-external-ip-range) and load balancer addresses within
	// LoadBalancerRanges (--loadbalancer-ip-range), none where there are no ranges.
	AnyAddress                           bool
	ExternalIPRanges, LoadBalancerRanges []netip.Prefix
}

// ProxyNodeName is the node name that kube-proxy uses on a node: its hostnameOverride where one is set, else the node's
// own name. kube-proxy takes the endpoints of that node for local ones.
func (d *Dataplane) ProxyNodeName(n *Node) string {
	if d.KubeProxy == nil || d.KubeProxy.HostnameOverride == "" {
		return n.Name
	}
	return d.KubeProxy.HostnameOverride
}

// PodDetection is kube-proxy's, and Unknown where its configuration was not read or the data plane has no such setting.
func (d *Dataplane) PodDetection() PodDetection {
	if d.KubeProxy == nil || d.KubeProxy.PodDetection == "" {
		return UnknownDetection
	}
	return d.KubeProxy.PodDetection
}
