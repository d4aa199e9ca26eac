package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// vultr is Vultr's load balancer, which opens connections of its own; no more is known of it here.
type vultr struct{ unknown }

func (vultr) about() (name, title string) { return "vultr", "Vultr" }

func (vultr) recognise(c candidate) (LoadBalancer, bool) {
	lb, ok := c.cloud(vultr{}, "vultr://")
	lb.ClientIP = Rewritten
	return lb, ok
}

func (vultr) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/vultr-loadbalancer-proxy-protocol")
}

// endsTLS: the annotation names the Secret of a certificate (vultr/vultr-cloud-controller-manager
// vultr/loadbalancers.go annoVultrLBSSL).
func (vultr) endsTLS(svc *cluster.Service) string {
	if svc.Annotations["service.beta.kubernetes.io/vultr-loadbalancer-ssl-pass-through"] == "true" {
		return ""
	}
	return turnedOn(svc, "service.beta.kubernetes.io/vultr-loadbalancer-ssl")
}

func (vultr) showsClientIP(_ LoadBalancer, _ *cluster.Service) (s Setting, takes string) {
	return Setting{Key: "service.beta.kubernetes.io/vultr-loadbalancer-proxy-protocol", Value: "true"}, ""
}

func (vultr) toName(LoadBalancer) (p Published, instead string) {
	return Published{Key: "service.beta.kubernetes.io/vultr-loadbalancer-hostname", Source: "vultr/vultr-cloud-controller-manager vultr/loadbalancers.go"}, ""
}
