package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// linode is Akamai's NodeBalancer, which opens connections of its own, knows no traffic policy and checks the node port
// of each node unless an annotation says otherwise (linode/linode-cloud-controller-manager
// cloud/linode/loadbalancers.go).
type linode struct{ unknown }

func (linode) about() (name, title string) { return "linode", "Akamai Linode NodeBalancer" }

func (linode) recognise(c candidate) (LoadBalancer, bool) {
	lb, ok := c.cloud(linode{}, "linode://")
	lb.proxies()
	if c.annotatedBelow("service.beta.kubernetes.io/linode-loadbalancer-check-") {
		lb.Checks = []HealthCheck{UnknownCheck}
	}
	if c.annotated("service.beta.kubernetes.io/linode-loadbalancer-default-algorithm", "service.beta.kubernetes.io/linode-loadbalancer-default-stickiness") != "" {
		lb.Weights = UnknownWeights
	}
	return lb, ok
}

func (linode) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/linode-loadbalancer-proxy-protocol", "service.beta.kubernetes.io/linode-loadbalancer-default-proxy-protocol")
}

func (linode) showsClientIP(_ LoadBalancer, _ *cluster.Service) (s Setting, takes string) {
	return Setting{Key: "service.beta.kubernetes.io/linode-loadbalancer-default-proxy-protocol", Value: "v2"}, ""
}

func (linode) toName(LoadBalancer) (p Published, instead string) {
	return Published{Key: "service.beta.kubernetes.io/linode-loadbalancer-hostname-only-ingress", Value: "true", Source: "linode/linode-cloud-controller-manager cloud/annotations/annotations.go"}, ""
}
