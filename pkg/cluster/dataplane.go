package cluster

import "net/netip"

// DataplaneName says which program puts Services into effect on a node.
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
	// Observed: read from the program's own configuration, or said by the user.
	Observed Confidence = "Observed"
	// Inferred: concluded from something else that was read.
	Inferred Confidence = "Inferred"
	// Assumed: nothing contradicts it.
	Assumed Confidence = "Assumed"
	// UnknownConfidence: not known at all.
	UnknownConfidence Confidence = "Unknown"
)

// PodDetection is how kube-proxy tells pods of its node (or of the cluster) from everybody else.
type PodDetection string

const (
	ClusterCIDR         PodDetection = "ClusterCIDR"
	NodeCIDR            PodDetection = "NodeCIDR"
	BridgeInterface     PodDetection = "BridgeInterface"
	InterfaceNamePrefix PodDetection = "InterfaceNamePrefix"
	// NoDetection: kube-proxy runs in ClusterCIDR mode without a cluster CIDR, and takes every pod for a stranger.
	NoDetection PodDetection = "None"
	// UnknownDetection: not known, or the data plane has no such setting.
	UnknownDetection PodDetection = "Unknown"
)

// Dataplane is what answers for Services on a node, with the settings that decide what a connection meets.
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
	Antrea    *AntreaSettings    // nil unless the data plane is antrea
	// PodMasquerade says whether the CNI rewrites a pod's address on its way to other nodes' addresses. The API rarely shows it.
	PodMasquerade Tristate
}

// KubeProxySettings are the parts of KubeProxyConfiguration that decide what a connection meets. Defaults are settled, except where a field says otherwise.
type KubeProxySettings struct {
	PodDetection    PodDetection
	ClusterCIDRs    []netip.Prefix
	BridgeInterface string
	InterfacePrefix string
	MasqueradeAll   bool
	// NodePortAddresses are the ranges of --nodeport-addresses, "all" and "localhost" (v1.37) spelled out. PrimaryOnly is "primary", which adds the node's primary
	// addresses to them. Both empty: the mode's default (all local addresses, in nftables mode the primary ones).
	NodePortAddresses []netip.Prefix
	PrimaryOnly       bool
	// NoLocalhostNodePorts is iptables.localhostNodePorts: false.
	NoLocalhostNodePorts bool
	HostnameOverride     string
	FeatureGates         map[string]bool
}

// CiliumSettings are the parts of cilium-config that decide what a connection meets.
type CiliumSettings struct {
	Version Version
	// ReplacesKubeProxy is kube-proxy-replacement true or strict.
	ReplacesKubeProxy bool
	// Mode is bpf-lb-mode: snat, dsr or hybrid.
	Mode string
	// DropsWithoutBackend is service-no-backend-response: drop.
	DropsWithoutBackend bool
	// HostSocketsOnly is bpf-lb-sock-hostns-only: pods are served packet by packet.
	HostSocketsOnly bool
	// InClusterLoadBalance is Terway's in_cluster_loadbalance.
	InClusterLoadBalance Tristate
}

// CalicoSettings are the parts of FelixConfiguration that decide what a connection meets.
type CalicoSettings struct {
	// DSR is bpfExternalServiceMode: DSR.
	DSR bool
}

// AntreaSettings are the parts of antrea-agent.conf that decide what a connection meets.
type AntreaSettings struct {
	// NoLoadBalancerIPs is antreaProxy.proxyLoadBalancerIPs: false: a node does not answer for load balancer addresses.
	NoLoadBalancerIPs bool
	// DSR is antreaProxy.defaultLoadBalancerMode: dsr.
	DSR bool
}

// PodDetection is kube-proxy's, and Unknown where its configuration was not read or the data plane has no such setting.
func (d *Dataplane) PodDetection() PodDetection {
	if d.KubeProxy == nil || d.KubeProxy.PodDetection == "" {
		return UnknownDetection
	}
	return d.KubeProxy.PodDetection
}
