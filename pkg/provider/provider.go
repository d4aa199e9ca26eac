// Package provider knows the load balancer's half of a connection: whose load balancer serves a Service, which nodes or
// pods it sends to, and how it divides connections among them. There is one file for each load balancer; registry.go
// lists them.
package provider

import (
	"cmp"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Backends says what a load balancer sends to.
type Backends string

const (
	Nodes           Backends = "Nodes"
	Pods            Backends = "Pods"
	MixedBackends   Backends = "Mixed"
	UnknownBackends Backends = "Unknown"
)

// HealthCheck says what decides whether a backend gets traffic.
type HealthCheck string

const (
	// HealthCheckNodePort: the Service's health check node port, which a node without a ready endpoint fails.
	HealthCheckNodePort HealthCheck = "HealthCheckNodePort"
	// ChecksNodePort: whether the node port answers.
	ChecksNodePort HealthCheck = "NodePort"
	// ChecksKubeProxy: kube-proxy's own health, at port 10256.
	ChecksKubeProxy HealthCheck = "KubeProxy"
	ChecksPods      HealthCheck = "Pod"
	NoHealthCheck   HealthCheck = "None"
	UnknownCheck    HealthCheck = "Unknown"
)

// Delivery says where the load balancer's packets arrive.
type Delivery string

const (
	ToNodePort Delivery = "NodePort"
	// ToAddress: the load balancer address is still the destination.
	ToAddress       Delivery = "Address"
	ToPod           Delivery = "Pod"
	UnknownDelivery Delivery = "Unknown"
)

// Weights says how the load balancer divides connections among its backends.
type Weights string

const (
	EqualWeights Weights = "Equal"
	// ByEndpoints: each node by the number of its ready endpoints.
	ByEndpoints Weights = "ByEndpoints"
	// ByZone: each zone first, then each backend of the zone.
	ByZone Weights = "ByZone"
	// OneNode: one node announces the address and gets everything.
	OneNode        Weights = "OneNode"
	UnknownWeights Weights = "Unknown"
)

// ClientIP says what the load balancer itself does with the client IP.
type ClientIP string

const (
	Preserved       ClientIP = "Preserved"
	Rewritten       ClientIP = "Rewritten"
	ByProxyProtocol ClientIP = "ProxyProtocol"
	UnknownClientIP ClientIP = "Unknown"
)

// LoadBalancer is the load balancer of one Service, and what is known of it under the Service's traffic policy. What is
// not established is Unknown.
type LoadBalancer struct {
	// Name is a short lower-case word: alibaba, aws, gke, azure. It is "" where the load balancer is not known.
	Name string
	// Title is for people: Alibaba Cloud CLB.
	Title    string
	Product  string
	Backends Backends
	// Checks is what its health check may ask: one entry where that is known, several where it depends on something
	// that the API does not show, none where nothing is known.
	Checks   []HealthCheck
	Delivery Delivery
	Weights  Weights
	ClientIP ClientIP
	// Announced: the address is announced from nodes, and one node may get everything; the Service does not say which.
	Announced bool
	// Announcers are the nodes that announce the address, as far as an object of the cluster names them. OneAnnouncer: no
	// other node does. AnnouncersMayBeOld: the object is not always kept up to date.
	Announcers         []cluster.Announcer
	OneAnnouncer       bool
	AnnouncersMayBeOld bool
	// SharedWithOthers: the load balancer, or its group of backends, is not managed by the cluster's controller, and
	// may have other backends.
	SharedWithOthers bool
	// Source is what it was recognised by: finalizer service.k8s.alibaba/resources.
	Source string
	// noHairpin is the rule by which a connection cannot come back to the node where it started, as long as the client
	// IP is kept; nil where that is not known.
	noHairpin *Rule
}

// SendsToNodes says whether nodes are backends, if perhaps not the only ones.
func (lb LoadBalancer) SendsToNodes() bool {
	return lb.Backends == Nodes || lb.Backends == MixedBackends
}

// HealthCheck is what the health check asks; Unknown where it may ask more than one thing.
func (lb LoadBalancer) HealthCheck() HealthCheck {
	if len(lb.Checks) == 1 {
		return lb.Checks[0]
	}
	return UnknownCheck
}

// unrecognised is a load balancer of which nothing is known.
func unrecognised() LoadBalancer {
	return LoadBalancer{Backends: UnknownBackends, Delivery: UnknownDelivery, Weights: UnknownWeights, ClientIP: UnknownClientIP}
}

// Of recognises the load balancer of a Service: by what its controller wrote on the Service, else by its class, else by
// where the nodes run. Several controllers may run in one cluster, so each Service is recognised on its own. Everything
// is Unknown for a Service that is not of type LoadBalancer.
func Of(s *cluster.Snapshot, svc *cluster.Service) LoadBalancer {
	if svc.Type != cluster.TypeLoadBalancer {
		return unrecognised()
	}
	c := candidate{service: svc, snapshot: s}
	c.identify()
	for _, known := range registry {
		if lb, ok := known.recognise(c); ok {
			if lb.Announced {
				nodes, old := known.announcers(svc)
				lb.announce(s, nodes, old)
				lb.OneAnnouncer = len(lb.Announcers) == 1 && !lb.AnnouncersMayBeOld && known.announcesAlone(s, svc)
			}
			return lb.settled(svc)
		}
	}
	return unrecognised()
}

// settled fills in what the controller left open, and what is true of every load balancer.
func (lb LoadBalancer) settled(svc *cluster.Service) LoadBalancer {
	lb.Backends = cmp.Or(lb.Backends, UnknownBackends)
	lb.Delivery = cmp.Or(lb.Delivery, UnknownDelivery)
	lb.Weights = cmp.Or(lb.Weights, UnknownWeights)
	lb.ClientIP = cmp.Or(lb.ClientIP, UnknownClientIP)
	if lb.OneAnnouncer {
		lb.Weights = OneNode
	}
	switch lb.Backends {
	case Pods:
		lb.Checks, lb.Delivery = []HealthCheck{ChecksPods}, ToPod
	case UnknownBackends:
		lb.Checks, lb.Delivery, lb.Weights = nil, UnknownDelivery, UnknownWeights
	case Nodes, MixedBackends:
	}
	if ProxyProtocol(svc) != "" {
		lb.ClientIP = ByProxyProtocol
	}
	lb.noHairpin = lb.controller().noHairpin(lb, svc)
	return lb
}

// ProxyProtocol is the annotation that makes the load balancer put a PROXY protocol header before each connection; ""
// where the Service has none. Connections that do not pass the load balancer lack the header.
func ProxyProtocol(svc *cluster.Service) string {
	for _, known := range registry {
		if key := known.proxyProtocol(svc); key != "" {
			return key
		}
	}
	return ""
}

// turnedOn is the first of the annotations that is set and not off; "" where there is none.
func turnedOn(svc *cluster.Service, keys ...string) string {
	for _, key := range keys {
		switch strings.ToLower(svc.Annotations[key]) {
		case "", "false", "off", "none":
		default:
			return key
		}
	}
	return ""
}

// replacesAddress says why pods do not see the client IP under either policy: the load balancer opens its own
// connections. It is "" where it does not, where that is not known, and where the PROXY protocol carries the client IP.
func replacesAddress(lb LoadBalancer) string {
	if lb.ClientIP != Rewritten {
		return ""
	}
	return lb.Title + " opens its own connections, so pods see its address, unless the PROXY protocol is on"
}

// PassesClientIP says whether connections arrive at nodes and pods with the client IP as their source. It is No, with
// the reason in one sentence, where the load balancer opens its own connections, even if a PROXY protocol header
// carries the client IP; Undetermined where that is not known.
func (lb LoadBalancer) PassesClientIP() (holds cluster.Tristate, reason string) {
	switch lb.ClientIP {
	case Rewritten, ByProxyProtocol:
		return cluster.No, lb.Title + " opens its own connections, so pods see its address"
	case Preserved:
		return cluster.Yes, ""
	case UnknownClientIP:
	}
	return cluster.Undetermined, ""
}

// proxies fills in what is true of a load balancer that opens its own connections to the node ports of all nodes, in
// equal shares, and health-checks these ports.
func (lb *LoadBalancer) proxies() {
	lb.Backends, lb.Delivery, lb.ClientIP, lb.Weights, lb.Checks = Nodes, ToNodePort, Rewritten, EqualWeights, []HealthCheck{ChecksNodePort}
}
