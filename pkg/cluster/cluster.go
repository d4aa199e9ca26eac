// Package cluster has the facts that were read from a Kubernetes cluster: Services, endpoints, nodes, the data plane on
// them, and what could not be read.
//
// It holds values only. Whoever fills a Snapshot settles every nil rule of the API once (an endpoint whose ready
// condition is absent is ready, and so on); a Snapshot has no pointer whose absence means a default.
package cluster

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Snapshot is everything a diagnosis may look at.
//
// Nodes are ordered by name; Services in the order in which they were asked for, else by namespace and name.
type Snapshot struct {
	Services []Service
	Nodes    []Node
	// Dataplane is the one most nodes run. A node that differs carries its own.
	Dataplane Dataplane
	// Corefile is CoreDNS's configuration, of configmap kube-system/coredns; "" where it was not read.
	Corefile string
	// Gaps lists what could not be read. A fact that a gap covers is unknown, not absent.
	Gaps []Gap
	// NodesAsked: the nodes themselves were asked (--live), whether or not they answered. Live and ProxyMode are only
	// set then.
	NodesAsked bool
}

// Tristate is a yes or no that may not be known. The zero value is not known.
type Tristate uint8

const (
	Undetermined Tristate = iota
	No
	Yes
)

// Is is Yes or No for a fact that is known.
func Is(b bool) Tristate {
	if b {
		return Yes
	}
	return No
}

// ServiceType is spec.type of a Service.
type ServiceType string

const (
	TypeClusterIP    ServiceType = "ClusterIP"
	TypeNodePort     ServiceType = "NodePort"
	TypeLoadBalancer ServiceType = "LoadBalancer"
	TypeExternalName ServiceType = "ExternalName"
)

// Policy is an external or internal traffic policy. PolicyUnset means that the Service's type has none.
type Policy string

const (
	PolicyUnset   Policy = ""
	PolicyCluster Policy = "Cluster"
	PolicyLocal   Policy = "Local"
)

// Service is one Service with its endpoints.
type Service struct {
	Namespace, Name       string
	Type                  ServiceType
	ExternalTrafficPolicy Policy
	InternalTrafficPolicy Policy
	// HealthCheckNodePort is 0 where there is none.
	HealthCheckNodePort uint16
	// ClusterIPs is empty for a headless Service and for one that has not been given an address.
	ClusterIPs  []netip.Addr
	Headless    bool
	ExternalIPs []netip.Addr
	// Ingress is status.loadBalancer.ingress, in its order.
	Ingress           []Ingress
	LoadBalancerClass string
	SourceRanges      []netip.Prefix
	// NoNodePorts is spec.allocateLoadBalancerNodePorts: false.
	NoNodePorts         bool
	ClientIPAffinity    bool
	TrafficDistribution string
	// ProxyName is the label service.kubernetes.io/service-proxy-name: kube-proxy leaves such a Service to another
	// proxy.
	ProxyName   string
	HasSelector bool
	Ports       []Port
	Labels      map[string]string
	Annotations map[string]string
	Finalizers  []string
	// Conditions are the types of status.conditions that are True.
	Conditions []string
	// Endpoints has every endpoint of every EndpointSlice, ordered by address, each with the ports that its slice gives
	// it: once for each state in which slices have it, as it may be ready for one port and not for another.
	Endpoints []Endpoint
	// EndpointsKnown is false where the EndpointSlices could not be read.
	EndpointsKnown bool
	// Created is when a Service that waits for a load balancer address was made; the zero Time for others, and where
	// that was not read.
	Created time.Time
	// EventsKnown: the events of a Service that waits for a load balancer address were read. NewestEvent is the newest
	// of them, nil where there is none.
	EventsKnown bool
	NewestEvent *Event
	// Announcers are the nodes of which an object of the cluster says that they announce load balancer addresses of the
	// Service; nil where none was read.
	Announcers []Announcer
	// LastFix is the newest fix that is recorded on the Service itself and not undone; nil where none is.
	LastFix *Fix
	// Live are the answers of the nodes' own health checks, by node name; nil unless asked for.
	Live map[string]Live
}

// Announcer is a node that announces load balancer addresses. By is the program that says so: cilium, metallb or
// kube-vip. Source is what it was read from: lease kube-system/cilium-l2announce-shop-web.
type Announcer struct {
	Node, By, Source string
}

// Fix is a change that `kubectl etp fix` made: its mode, and when.
type Fix struct {
	Mode string
	Time time.Time
}

// Pending says whether the Service still waits for a load balancer address.
func (s *Service) Pending() bool { return s.Type == TypeLoadBalancer && len(s.Ingress) == 0 }

// ciliumPlaceholder: pkg/loadbalancer/reflectors/conversions.go isIngressDummyEndpoint in cilium/cilium v1.20.2,
// operator/pkg/model/translation since v1.13.0.
var ciliumPlaceholder = netip.AddrFrom4([4]byte{192, 192, 192, 192})

const ciliumPlaceholderPort = 9999

// IsPlaceholder says whether the endpoint is the one that Cilium puts into the EndpointSlice of a Service that its
// Envoy serves on every node (Ingress, Gateway API). Nothing listens there.
func (e *Endpoint) IsPlaceholder() bool {
	return e.Address == ciliumPlaceholder && slices.ContainsFunc(e.Ports, func(p EndpointPort) bool { return p.Port == ciliumPlaceholderPort })
}

// ServedByCiliumEnvoy says whether the only endpoint is Cilium's placeholder. Where Cilium replaces kube-proxy, Envoy
// on every node serves such a Service.
func (s *Service) ServedByCiliumEnvoy() bool {
	return len(s.Endpoints) > 0 && !slices.ContainsFunc(s.Endpoints, func(e Endpoint) bool { return !e.IsPlaceholder() })
}

// Serves says whether the endpoint serves a Service port: its EndpointSlice has a port of that name and protocol, with
// a number.
func (e *Endpoint) Serves(port *Port) bool {
	return slices.ContainsFunc(e.Ports, func(p EndpointPort) bool { return p.Name == port.Name && p.Protocol == port.Protocol && p.Port != 0 })
}

// IPMode says whether nodes may handle a load balancer address themselves.
type IPMode string

const (
	VIP   IPMode = "VIP"
	Proxy IPMode = "Proxy"
)

// Ingress is one entry of status.loadBalancer.ingress. IP is the zero Addr where only a hostname is published; IPMode
// is VIP where the API leaves it out.
type Ingress struct {
	IP       netip.Addr
	Hostname string
	IPMode   IPMode
}

// Protocol is TCP, UDP or SCTP.
type Protocol string

const (
	TCP  Protocol = "TCP"
	UDP  Protocol = "UDP"
	SCTP Protocol = "SCTP"
)

// Port is one entry of spec.ports. NodePort is 0 where none is allocated.
type Port struct {
	Name       string
	Protocol   Protocol
	Port       uint16
	NodePort   uint16
	TargetPort string
	// AppProtocol is "" where the API leaves it out.
	AppProtocol string
}

// Endpoint is one address of an EndpointSlice. A pod of a dual-stack Service has two; Service.Backends counts it once.
type Endpoint struct {
	Address netip.Addr
	// Node is "" where the slice does not say.
	Node string
	Zone string
	// Ready, Serving and Terminating have the defaults of the API settled: absent ready and serving mean true, absent
	// terminating false.
	Ready, Serving, Terminating bool
	// Ports are the slice's, by the Service port's name; an endpoint serves only the Service ports it names.
	Ports []EndpointPort
	// ForZones and ForNodes are topology hints; nil where there are none.
	ForZones, ForNodes []string
	// Target is the Pod behind the address as namespace/name, "" where the slice does not say.
	Target string
	// Slice is the EndpointSlice's name.
	Slice string
}

// EndpointPort is where an endpoint serves the Service port of that name and protocol.
type EndpointPort struct {
	Name     string
	Protocol Protocol
	Port     uint16
}

// Node is one node. Known is false for a node that is only named by an EndpointSlice (the Node object could not be
// read).
type Node struct {
	Name  string
	Zone  string
	Known bool
	// Partial is true for a node of a large cluster of which only the name, labels, readiness, cordon, kubelet version
	// and first addresses were read: its PodCIDRs, ProviderID and Taints are not known, and Ready is No also where the
	// condition is Unknown.
	Partial bool
	// Ready is the condition of that name; Undetermined where it is Unknown or absent.
	Ready         Tristate
	Unschedulable bool
	// Deleting is true between the deletion of the Node object and its end.
	Deleting    bool
	InternalIPs []netip.Addr
	ExternalIPs []netip.Addr
	PodCIDRs    []netip.Prefix
	OS          string
	// KubeletVersion is the zero Version where not known.
	KubeletVersion Version
	ProviderID     string
	Labels         map[string]string
	// Taints are as key[=value]:effect.
	Taints []string
	// VirtualKubelet is true for a node that runs no kube-proxy and takes no packets (label type=virtual-kubelet).
	VirtualKubelet bool
	// Dataplane is nil where the node runs what the cluster runs.
	Dataplane *Dataplane
	// ProxyMode is the answer of kube-proxy on the node at :10249/proxyMode; "" unless asked and answered.
	ProxyMode string
}

const (
	computeLabel     = "eks.amazonaws.com/compute-type"
	virtualNodeTaint = "virtual-kubelet.io/provider"
)

// IsFargate says whether the node is one pod on AWS Fargate (docs.aws.amazon.com/eks/latest/userguide/fargate.html).
func (n *Node) IsFargate() bool { return n.Labels[computeLabel] == "fargate" }

// IsVirtual says whether the node stands for pods that run elsewhere: a virtual kubelet, by its label or its taint
// (DefaultTaintKey in virtual-kubelet/virtual-kubelet), or AWS Fargate. The cluster's data plane does not run there.
func (n *Node) IsVirtual() bool {
	return n.VirtualKubelet || n.IsFargate() || slices.ContainsFunc(n.Taints, func(taint string) bool {
		key, _, _ := strings.Cut(taint, ":")
		key, _, _ = strings.Cut(key, "=")
		return key == virtualNodeTaint
	})
}

// HealthCheck is the answer of a node's health check node port.
type HealthCheck string

const (
	Pass        HealthCheck = "Pass"
	Fail        HealthCheck = "Fail"
	Unreachable HealthCheck = "Unreachable"
)

// Live is the answer of a node's health check for one Service. LocalEndpoints is the node's own count of ready
// endpoints, -1 where it gave none. What is counted differs between data planes; kube-proxy counts those of one address
// family.
type Live struct {
	HealthCheck    HealthCheck
	LocalEndpoints int
	// Reason says why the check is Unreachable; "" otherwise.
	Reason string
}

// Gap is something that could not be read.
type Gap struct {
	// Resource is plural and lower case, with its group where it has one: nodes, endpointslices.discovery.k8s.io,
	// nodes/proxy.
	Resource string
	// Verb is get or list.
	Verb string
	// Namespace and Name are "" where the read was not confined to one.
	Namespace, Name string
	Reason          GapReason
	// Message is the API server's own sentence, or the transport's.
	Message string
}

// GapReason says why something could not be read.
type GapReason string

const (
	Forbidden GapReason = "Forbidden"
	NotFound  GapReason = "NotFound"
	TimedOut  GapReason = "TimedOut"
	Failed    GapReason = "Failed"
	// NotInFiles: files were read instead of a cluster, and they do not hold it.
	NotInFiles GapReason = "NotInFiles"
)

// NodeIndex finds the node of that name, or -1. Nodes must be ordered by name.
func (s *Snapshot) NodeIndex(name string) int {
	low, high := 0, len(s.Nodes)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if s.Nodes[middle].Name < name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(s.Nodes) && s.Nodes[low].Name == name {
		return low
	}
	return -1
}

// DataplaneOf is the data plane that runs on a node: its own, or the cluster's.
func (s *Snapshot) DataplaneOf(n *Node) *Dataplane {
	if n.Dataplane != nil {
		return n.Dataplane
	}
	return &s.Dataplane
}
