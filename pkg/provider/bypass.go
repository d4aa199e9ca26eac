package provider

import (
	"cmp"
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Bypassed is what the load balancer does to each connection on the way, and what a connection lacks that a node
// handles itself. The zero value is a load balancer that changes nothing.
type Bypassed struct {
	// Key is the annotation that asks for it.
	Key string
	// TLS: the load balancer ends TLS. Otherwise it puts a PROXY protocol header before each connection.
	TLS bool
	// Instead is the release of the load balancer's controller that lets nodes leave the address to it, in one
	// sentence; "" where none is known.
	Instead string
}

// Bypass is what connections lack that do not pass the Service's load balancer. Annotations of another cloud than the
// recognised one mean nothing.
func (lb LoadBalancer) Bypass(svc *cluster.Service) (Bypassed, bool) {
	candidates := registry
	if lb.Name != "" {
		candidates = []controller{lb.controller()}
	}
	for _, known := range candidates {
		if key := known.proxyProtocol(svc); key != "" {
			return Bypassed{Key: key, Instead: known.publishesProxy()}, true
		}
	}
	for _, known := range candidates {
		if key := known.endsTLS(svc); key != "" {
			return Bypassed{Key: key, TLS: true}, true
		}
	}
	return Bypassed{}, false
}

// CrossZone is the annotation that turns cross-zone load balancing on; an empty Setting where none is known.
func (lb LoadBalancer) CrossZone(svc *cluster.Service) Setting { return lb.controller().crossZone(svc) }

// ShowsClientIP is the annotation that lets backends learn the client IP although the load balancer opens its own
// connections, and in a few words what that takes; an empty Setting where none is known.
func (lb LoadBalancer) ShowsClientIP(svc *cluster.Service) (s Setting, takes string) {
	const header = "only if the backends read the PROXY protocol: they must be changed at the same time"
	if s, takes := lb.controller().showsClientIP(lb, svc); s.Key != "" {
		return s, cmp.Or(takes, header)
	}
	return Setting{}, ""
}

// ClientIPDepends says in one sentence what decides whether pods see the client IP, where the Kubernetes API does not
// show it although the load balancer's default is known; "" elsewhere.
func (lb LoadBalancer) ClientIPDepends() string {
	if lb.ClientIP != UnknownClientIP {
		return ""
	}
	return lb.controller().clientIPDepends()
}

// Conflict is a health check that does not do what the traffic policy needs.
type Conflict struct {
	// Certain: nothing decides it that the Kubernetes API does not show.
	Certain bool
	// WithoutPod: it matters for nodes without a ready endpoint only, which get connections that they drop. Otherwise
	// any node may be taken for unhealthy.
	WithoutPod bool
	// Message is a clause about the health check, Detail one or two sentences that explain it.
	Message, Detail string
	// Setting mends it; its Key is "" where Remedy says in one sentence what does.
	Setting Setting
	Remedy  string
	// Fact and Source are the evidence, Confirm a command that shows the health check; "" where there is none.
	Fact, Source, Confirm string
}

// HealthConflict finds a health check that does not do what the Service's traffic policy needs.
func (lb LoadBalancer) HealthConflict(svc *cluster.Service) (Conflict, bool) {
	if !lb.SendsToNodes() {
		return Conflict{}, false
	}
	c, ok := lb.controller().conflict(lb, svc)
	return c, ok
}

// about fills in the evidence of an annotation that is there, or is not.
func (c *Conflict) about(svc *cluster.Service, key string) {
	c.Source = annotationSource(svc, key)
	c.Fact = fmt.Sprintf("%s is %q", key, svc.Annotations[key])
	if !annotated(svc, key) {
		c.Fact = key + " is not set"
	}
}
