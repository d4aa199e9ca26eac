// Package provider knows whose load balancer stands before a Service and where it sends connections.
package provider

import (
	"cmp"
	"net/netip"
	"slices"
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

// ClientIP says what the load balancer itself does to the client's address.
type ClientIP string

const (
	Preserved       ClientIP = "Preserved"
	Rewritten       ClientIP = "Rewritten"
	ByProxyProtocol ClientIP = "ProxyProtocol"
	UnknownClientIP ClientIP = "Unknown"
)

// LoadBalancer is the load balancer before one Service, and what is known of it under the Service's traffic policy. What nobody has established is Unknown.
type LoadBalancer struct {
	// Name is a short lower-case word: alibaba, aws, gke, azure. It is "" where the load balancer is not known.
	Name string
	// Title is for people: Alibaba Cloud CLB.
	Title    string
	Product  string
	Backends Backends
	// Checks is what its health check may ask: one entry where that is known, several where it depends on something that the API does not show, none where nothing
	// is known.
	Checks   []HealthCheck
	Delivery Delivery
	Weights  Weights
	ClientIP ClientIP
	// Announced: the address is announced from nodes, and one node may get everything; the Service does not say which.
	Announced bool
	// SharedWithOthers: the load balancer, or its group of backends, is somebody else's, who may send to other backends than the controller's.
	SharedWithOthers bool
	// Source says what it was recognised by: finalizer service.k8s.alibaba/resources.
	Source string
}

// SendsToNodes says whether nodes are backends, if perhaps not the only ones.
func (lb LoadBalancer) SendsToNodes() bool {
	return lb.Backends == Nodes || lb.Backends == MixedBackends
}

// HealthCheck is what the health check asks, Unknown where that is not one thing for certain.
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

// Of recognises the load balancer of a Service: by what its controller wrote on the Service, else by its class, else by where the nodes run. Several controllers may
// serve one cluster, so each Service is judged by itself. Everything is Unknown for a Service that is not of type LoadBalancer.
func Of(s *cluster.Snapshot, svc *cluster.Service) LoadBalancer {
	if svc.Type != cluster.TypeLoadBalancer {
		return unrecognised()
	}
	c := candidate{service: svc, snapshot: s}
	c.identify()
	for _, recognise := range []func(candidate) (LoadBalancer, bool){
		metalLB, kubeVIP, cilium, pureLB, alibaba, aws, gke, azure, openstack, hetzner, digitalOcean, oci, ibm, serviceLB, kind, proxies, elsewhere,
	} {
		if lb, ok := recognise(c); ok {
			return lb.settled(svc)
		}
	}
	return unrecognised()
}

// settled fills in what the recogniser left open, and what is true of every load balancer alike.
func (lb LoadBalancer) settled(svc *cluster.Service) LoadBalancer {
	lb.Backends = cmp.Or(lb.Backends, UnknownBackends)
	lb.Delivery = cmp.Or(lb.Delivery, UnknownDelivery)
	lb.Weights = cmp.Or(lb.Weights, UnknownWeights)
	lb.ClientIP = cmp.Or(lb.ClientIP, UnknownClientIP)
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
	return lb
}

// candidate is what a load balancer is recognised by.
type candidate struct {
	service  *cluster.Service
	snapshot *cluster.Snapshot
	// ids are providerIDs of nodes, one of each form.
	ids []string
	// onNodeAddresses: all addresses of the Service are nodes' own. foreignAddress: they are private, and nothing says that a cloud gave them.
	onNodeAddresses, foreignAddress bool
}

// finalizer is the first of the Service's finalizers that starts so, "" where none does.
func (c candidate) finalizer(prefix string) string {
	for _, f := range c.service.Finalizers {
		if strings.HasPrefix(f, prefix) {
			return f
		}
	}
	return ""
}

// annotated is the first of the keys that the Service carries, "" where it carries none.
func (c candidate) annotated(keys ...string) string {
	for _, key := range keys {
		if _, ok := c.service.Annotations[key]; ok {
			return key
		}
	}
	return ""
}

// fromNodes says whether a node runs there and the Service is left to the cloud's own controller: it has no class, and its addresses do not contradict that. The
// addresses of nodes are no cloud's, and a private one is the cloud's only where something says that its load balancer is an internal one: else an announcer may have
// given it.
func (c candidate) fromNodes(is func(providerID string) bool) (source string, ok bool) {
	if c.service.LoadBalancerClass != "" || c.onNodeAddresses || c.foreignAddress {
		return "", false
	}
	if slices.ContainsFunc(c.ids, is) {
		return "providerID of the nodes", true
	}
	return "", false
}

// identify gathers of the nodes' providerIDs one of each form: those with the same scheme, and Alibaba Cloud's, which have none, by their region.
func (c *candidate) identify() {
	seen := map[string]bool{}
	for i := range c.snapshot.Nodes {
		n := &c.snapshot.Nodes[i]
		if n.ProviderID == "" || n.VirtualKubelet {
			continue
		}
		form, _, hasScheme := strings.Cut(n.ProviderID, "://")
		if !hasScheme {
			form, _, _ = strings.Cut(n.ProviderID, ".i-")
		}
		if !seen[form] {
			seen[form] = true
			c.ids = append(c.ids, n.ProviderID)
		}
	}
	c.onNodeAddresses = c.allAddresses(c.isNodes)
	c.foreignAddress = !c.controlled() && c.allAddresses(netip.Addr.IsPrivate)
}

// controlled says whether a cloud's controller has left a mark on the Service: the finalizer of the service controller of Kubernetes, or an annotation that asks for
// an internal load balancer.
func (c *candidate) controlled() bool {
	if slices.Contains(c.service.Finalizers, "service.kubernetes.io/load-balancer-cleanup") {
		return true
	}
	for key, value := range c.service.Annotations {
		for _, word := range []string{"internal", "intranet", "private", "subnet", "scheme", "load-balancer-id", "loadbalancer-id", "loadbalance-id"} {
			if strings.Contains(strings.ToLower(key), word) || strings.ToLower(value) == word {
				return true
			}
		}
	}
	return false
}

// starts recognises a providerID by its beginning.
func starts(prefixes ...string) func(string) bool {
	return func(id string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
	}
}

// allAddresses: the Service publishes addresses, and what is asked is true of each.
func (c *candidate) allAddresses(is func(netip.Addr) bool) bool {
	for _, in := range c.service.Ingress {
		if !in.IP.IsValid() || !is(in.IP) {
			return false
		}
	}
	return len(c.service.Ingress) > 0
}

// isNodes: the address is one of a node's own.
func (c *candidate) isNodes(a netip.Addr) bool {
	for i := range c.snapshot.Nodes {
		if n := &c.snapshot.Nodes[i]; slices.Contains(n.InternalIPs, a) || slices.Contains(n.ExternalIPs, a) {
			return true
		}
	}
	return false
}

func (c candidate) local() bool { return c.service.ExternalTrafficPolicy == cluster.PolicyLocal }

// elsewhere names clouds of which no more is known here than how their nodes' providerID looks.
func elsewhere(c candidate) (LoadBalancer, bool) {
	for _, cloud := range []struct{ prefix, name, title string }{
		{"qcloud://", "tencent", "Tencent Cloud CLB"},
		{"tencentcloud://", "tencent", "Tencent Cloud CLB"},
		{"huaweicloud://", "huawei", "Huawei Cloud ELB"},
		{"volcengine://", "volcengine", "Volcengine CLB"},
		{"cce://", "baidu", "Baidu AI Cloud BLB"},
		{"vultr://", "vultr", "Vultr"},
		{"exoscale://", "exoscale", "Exoscale NLB"},
	} {
		source, ok := c.fromNodes(starts(cloud.prefix))
		if !ok {
			continue
		}
		lb := LoadBalancer{Name: cloud.name, Title: cloud.title, Source: source}
		if directly(cloud.name, c.service) {
			lb.Backends, lb.ClientIP = Pods, Preserved
		}
		if cloud.name == "vultr" {
			lb.ClientIP = Rewritten
		}
		return lb, true
	}
	return LoadBalancer{}, false
}

// directly: the annotation by which a cloud's load balancer sends to pods is set.
func directly(name string, svc *cluster.Service) bool {
	switch name {
	case "tencent":
		return svc.Annotations[tencentDirect] == "true"
	case "baidu":
		return svc.Annotations[baiduBackendType] == "eni"
	case "volcengine":
		return svc.Annotations[volcenginePassThrough] == "true"
	}
	return false
}
