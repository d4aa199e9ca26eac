package provider

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const octaviaMonitor = "loadbalancer.openstack.org/enable-health-monitor"

// openstack recognises load balancers of OpenStack Octavia. At OVHcloud another load balancer may stand before nodes with the same providerID; there the Service must
// name Octavia.
//
// All nodes are members. A health monitor, which under policy Local asks the health check node port, is there only where the annotation or the controller's
// create-monitor says so, which is off by default and not in the API (kubernetes/cloud-provider-openstack pkg/openstack/loadbalancer.go, openstack.go). Octavia's amphora,
// the default driver, opens connections of its own; the driver OVN keeps the client's address: the API does not show which it is.
func openstack(c candidate) (LoadBalancer, bool) {
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
	Reason: "without a health monitor Octavia sends to every node; whether there is one is not in the API unless annotation " + octaviaMonitor + " says so",
}
