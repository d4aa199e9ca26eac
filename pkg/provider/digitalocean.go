package provider

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// digitalOcean is DigitalOcean's load balancer. Those of type REGIONAL open connections of their own to the node port;
// those of type REGIONAL_NETWORK keep the client's address and deliver to their own. Which one is the default depends
// on the controller's release (digitalocean/digitalocean-cloud-controller-manager
// cloud-controller-manager/do/loadbalancers.go).
type digitalOcean struct{ unknown }

func (digitalOcean) about() (name, title string) { return "digitalocean", "DigitalOcean" }

func (digitalOcean) recognise(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("digitalocean://"))
	lb := LoadBalancer{Name: "digitalocean", Title: "DigitalOcean", Backends: Nodes, Source: source, Weights: EqualWeights, Checks: []HealthCheck{ChecksKubeProxy}}
	if c.local() {
		lb.Checks = []HealthCheck{HealthCheckNodePort}
	}
	for key := range c.service.Annotations {
		if strings.HasPrefix(key, "service.beta.kubernetes.io/do-loadbalancer-healthcheck-") || key == "service.beta.kubernetes.io/do-loadbalancer-override-health-check" {
			lb.Checks = []HealthCheck{UnknownCheck}
		}
	}
	switch c.service.Annotations["service.beta.kubernetes.io/do-loadbalancer-type"] {
	case "REGIONAL":
		lb.Delivery, lb.ClientIP = ToNodePort, Rewritten
	case "REGIONAL_NETWORK":
		lb.Delivery, lb.ClientIP = ToAddress, Preserved
	}
	return lb, ok
}

func (digitalOcean) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol")
}

// endsTLS: a certificate is for ports at which the load balancer ends TLS
// (digitalocean/digitalocean-cloud-controller-manager cloud-controller-manager/do/lb_annotations.go).
func (digitalOcean) endsTLS(svc *cluster.Service) string {
	if svc.Annotations["service.beta.kubernetes.io/do-loadbalancer-tls-passthrough"] == "true" {
		return ""
	}
	return turnedOn(svc, "service.beta.kubernetes.io/do-loadbalancer-certificate-id", "service.beta.kubernetes.io/do-loadbalancer-certificate-name")
}

func (digitalOcean) showsClientIP(_ LoadBalancer, _ *cluster.Service) (s Setting, takes string) {
	return Setting{Key: "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol", Value: "true"}, ""
}

func (digitalOcean) toName(LoadBalancer) (p Published, instead string) {
	return Published{Key: "service.beta.kubernetes.io/do-loadbalancer-hostname", Source: "digitalocean/digitalocean-cloud-controller-manager cloud-controller-manager/do/loadbalancers.go"}, ""
}
