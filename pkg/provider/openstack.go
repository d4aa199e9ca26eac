package provider

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// openstack is OpenStack Octavia. At OVHcloud another load balancer may stand before nodes with the same providerID;
// there the Service must name Octavia.
//
// All nodes are members. A health monitor, which under policy Local asks the health check node port, is there only
// where the annotation or the controller's create-monitor says so, which is off by default and not in the API
// (kubernetes/cloud-provider-openstack pkg/openstack/loadbalancer.go, openstack.go). Octavia's amphora, the default
// driver, opens connections of its own; the driver OVN keeps the client's address: the API does not show which it is.
type openstack struct{ unknown }

func (openstack) about() (name, title string) { return "openstack", "OpenStack Octavia" }

func (openstack) rules() []*Rule { return []*Rule{octavia01} }

const octaviaMonitor = "loadbalancer.openstack.org/enable-health-monitor"

func (openstack) recognise(c candidate) (LoadBalancer, bool) {
	key := c.annotated("loadbalancer.openstack.org/load-balancer-id")
	source, ok := c.fromNodes(starts("openstack://"))
	if key != "" {
		source, ok = "annotation "+key, true
	}
	if !ok || key == "" && c.service.Annotations["loadbalancer.ovhcloud.com/class"] != "octavia" && onOVHcloud(c.snapshot) {
		return LoadBalancer{}, false
	}
	lb := LoadBalancer{
		Name: "openstack", Title: "OpenStack Octavia", Backends: Nodes, Delivery: ToNodePort, Source: source,
		Checks: []HealthCheck{ChecksNodePort, NoHealthCheck},
	}
	if c.local() {
		lb.Checks = []HealthCheck{HealthCheckNodePort, NoHealthCheck}
	}
	switch c.service.Annotations[octaviaMonitor] {
	case "":
	case "true":
		lb.Checks = lb.Checks[:1]
	default:
		lb.Checks = lb.Checks[1:]
	}
	if method := c.service.Annotations["loadbalancer.openstack.org/lb-method"]; method == "" || method == "ROUND_ROBIN" {
		lb.Weights = EqualWeights
	}
	if c.service.Annotations["loadbalancer.openstack.org/x-forwarded-for"] == "true" {
		lb.ClientIP = Rewritten // an HTTP listener opens a connection of its own
	}
	return lb, true
}

// onOVHcloud: OVHcloud labels the nodes of its Kubernetes.
func onOVHcloud(s *cluster.Snapshot) bool {
	return slices.ContainsFunc(s.Nodes, func(n cluster.Node) bool {
		for key := range n.Labels {
			if strings.HasPrefix(key, "node.k8s.ovh/") || strings.HasPrefix(key, "k8s.ovh.net/") {
				return true
			}
		}
		return false
	})
}

var octavia01 = &Rule{
	ID: "OCT-01", Basis: NotKnown, Origin: "kubernetes/cloud-provider-openstack pkg/openstack/openstack.go CreateMonitor",
	Reason: "without a health monitor Octavia sends to every node, and the Kubernetes API does not show whether there is one unless annotation " + octaviaMonitor + " is set",
}

func (openstack) members(s *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member {
	return anyOut(selects(svc, "loadbalancer.openstack.org/node-selector"), upstream(s))
}

func (openstack) unsureCheck() *Rule { return octavia01 }

func (openstack) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "loadbalancer.openstack.org/proxy-protocol")
}

func (openstack) endsTLS(svc *cluster.Service) string {
	return turnedOn(svc, "loadbalancer.openstack.org/default-tls-container-ref")
}

// publishesProxy: kubernetes/cloud-provider-openstack pull request 2587, pkg/openstack/loadbalancer.go
// createLoadBalancerStatus.
func (openstack) publishesProxy() string {
	return "openstack-cloud-controller-manager v1.30.0 and later publish ipMode Proxy where the PROXY protocol is on"
}

func (openstack) showsClientIP(_ LoadBalancer, _ *cluster.Service) (s Setting, takes string) {
	return Setting{Key: "loadbalancer.openstack.org/proxy-protocol", Value: "true"}, ""
}

func (openstack) clientIPDepends() string {
	return "Octavia's default driver, amphora, opens its own connections, so pods see its address under any policy; its driver OVN keeps the client IP"
}

// conflict: pkg/openstack/loadbalancer.go makes a health monitor only where the annotation, or the controller's
// create-monitor, says so; healthCheckNodePort is used in it alone.
func (openstack) conflict(_ LoadBalancer, svc *cluster.Service) (Conflict, bool) {
	value := svc.Annotations[octaviaMonitor]
	if svc.ExternalTrafficPolicy != cluster.PolicyLocal || value == "true" {
		return Conflict{}, false
	}
	c := Conflict{
		WithoutPod: true, Certain: value != "", Message: "the load balancer has no health monitor, unless create-monitor is on in the controller's configuration",
		Detail:  "create-monitor is off by default, and the Kubernetes API does not show it. Without a health monitor Octavia sends to every node.",
		Setting: Setting{Key: octaviaMonitor, Value: "true"}, Confirm: "openstack loadbalancer healthmonitor list",
	}
	if c.Certain {
		c.Message, c.Detail = "an annotation turns the load balancer's health monitor off", "Without a health monitor Octavia sends to every node."
	}
	c.about(svc, octaviaMonitor)
	return c, true
}

// toLocal: without a health monitor Octavia sends to every node, and those without a pod drop it; the monitor is off
// unless the annotation, or the controller's create-monitor, turns it on (kubernetes/cloud-provider-openstack
// pkg/openstack/loadbalancer.go).
func (openstack) toLocal(_ LoadBalancer, f Facts) Change {
	c := Check{Name: "health-monitor", Source: annotationSource(f.Service, octaviaMonitor)}
	switch f.Service.Annotations[octaviaMonitor] {
	case "true":
		c.Holds, c.Message, c.Fact = cluster.Yes, "the load balancer has a health monitor, so it knows which nodes have a pod", "it is true"
	case "":
		c.Risk, c.Fact = "drops-connections", "it is not there"
		c.Message = "it is not known whether the load balancer has a health monitor: the controller's default is off unless its configuration says otherwise; without one it also sends " +
			"to nodes without a pod. Annotation " + octaviaMonitor + ": true turns it on"
	default:
		c.Holds, c.Risk, c.Fact = cluster.No, "drops-connections", "it is "+f.Service.Annotations[octaviaMonitor]
		c.Message = "the load balancer has no health monitor and would send to nodes without a pod; annotation " + octaviaMonitor + ": true turns it on"
	}
	return Change{Checks: []Check{c}}
}

func (openstack) toName(LoadBalancer) (p Published, instead string) {
	return Published{Key: "loadbalancer.openstack.org/hostname", Source: "kubernetes/cloud-provider-openstack pkg/openstack/loadbalancer.go"}, ""
}
