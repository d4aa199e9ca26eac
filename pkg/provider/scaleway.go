package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// scaleway is Scaleway's load balancer, which opens connections of its own, knows no traffic policy and checks the node
// port of each node unless an annotation says otherwise (scaleway/scaleway-cloud-controller-manager
// scaleway/loadbalancers.go).
type scaleway struct{ unknown }

func (scaleway) about() (name, title string) { return "scaleway", "Scaleway" }

func (scaleway) recognise(c candidate) (LoadBalancer, bool) {
	lb, ok := c.cloud(scaleway{}, "scaleway://")
	lb.proxies()
	if c.annotatedBelow("service.beta.kubernetes.io/scw-loadbalancer-health-check-") {
		lb.Checks = []HealthCheck{UnknownCheck}
	}
	if c.local() && c.service.Annotations["service.beta.kubernetes.io/scw-loadbalancer-health-check-from-service"] == "*" {
		lb.Checks = []HealthCheck{HealthCheckNodePort}
	}
	if c.annotated("service.beta.kubernetes.io/scw-loadbalancer-forward-port-algorithm") != "" {
		lb.Weights = UnknownWeights
	}
	return lb, ok
}

func (scaleway) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v1", "service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v2")
}

// endsTLS: certificates are for frontends that end TLS (scaleway/scaleway-cloud-controller-manager
// docs/loadbalancer-annotations.md).
func (scaleway) endsTLS(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/scw-loadbalancer-certificate-ids")
}

func (scaleway) showsClientIP(_ LoadBalancer, _ *cluster.Service) (s Setting, takes string) {
	return Setting{Key: "service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v2", Value: "true"}, ""
}

func (scaleway) toName(LoadBalancer) (p Published, instead string) {
	return Published{Key: "service.beta.kubernetes.io/scw-loadbalancer-use-hostname", Value: "true", Source: "scaleway/scaleway-cloud-controller-manager scaleway/loadbalancers.go"}, ""
}
