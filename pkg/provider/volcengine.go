package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// volcengine is the CLB of Volcengine, of which no more is known here than how its nodes' providerIDs begin and what
// Volcengine documents.
type volcengine struct{ unknown }

func (volcengine) about() (name, title string) { return "volcengine", "Volcengine CLB" }

const volcengineHealthCheck = "service.beta.kubernetes.io/volcengine-loadbalancer-health-check-flag"

const volcenginePassThrough = "service.beta.kubernetes.io/volcengine-loadbalancer-pass-through"

func (volcengine) recognise(c candidate) (LoadBalancer, bool) {
	lb, ok := c.cloud(volcengine{}, "volcengine://")
	if c.service.Annotations[volcenginePassThrough] == "true" {
		lb.Backends, lb.ClientIP = Pods, Preserved
	}
	return lb, ok
}

func (volcengine) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/volcengine-loadbalancer-proxy-protocol")
}

// toLocal: the health check is off by default (Volcengine, VKE documentation).
func (volcengine) toLocal(_ LoadBalancer, f Facts) Change {
	value := f.Service.Annotations[volcengineHealthCheck]
	c := Check{
		Name: "health-check-on", Holds: cluster.Is(value == "on"), Message: "the load balancer health-checks its backends, so it knows which nodes have a pod",
		Fact: "it is " + value, Source: annotationSource(f.Service, volcengineHealthCheck),
	}
	if value != "on" {
		c.Risk = "drops-connections"
		c.Message = "the health check is off unless annotation " + volcengineHealthCheck + " is on: the load balancer would also send to nodes without a pod"
		if value == "" {
			c.Fact = "it is not there"
		}
	}
	return Change{Checks: []Check{c}}
}

// toPods sets the annotation that Volcengine documents, off by default and open to change.
func (volcengine) toPods(_ LoadBalancer, f Facts) (c Change, policy bool) {
	c = Change{Gains: []string{"the load balancer sends to pods directly: they see the client IP"}, Checks: []Check{podsReachable(f)}}
	if f.Service.Annotations[volcenginePassThrough] != "true" {
		c.Settings = []Setting{{Key: volcenginePassThrough, Value: "true"}}
	}
	return c, true
}
