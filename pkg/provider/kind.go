package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// cloudProviderKind is cloud-provider-kind: it publishes ipMode Proxy, which nobody else does there, and an Envoy opens
// a connection of its own to the nodes whose health check passes (kubernetes-sigs/cloud-provider-kind
// pkg/loadbalancer/server.go, proxy.go).
type cloudProviderKind struct{ unknown }

func (cloudProviderKind) about() (name, title string) { return "kind", "cloud-provider-kind" }

func (cloudProviderKind) recognise(c candidate) (LoadBalancer, bool) {
	_, ok := c.fromNodes(starts("kind://"))
	proxied := len(c.service.Ingress) > 0 && c.service.Ingress[0].IPMode == cluster.Proxy
	lb := LoadBalancer{
		Name: "kind", Title: "cloud-provider-kind", Backends: Nodes, Delivery: ToNodePort, Weights: EqualWeights, ClientIP: Rewritten, Checks: []HealthCheck{ChecksKubeProxy},
		Source: "providerID of the nodes and ipMode Proxy",
	}
	if c.local() {
		lb.Checks = []HealthCheck{HealthCheckNodePort}
	}
	return lb, ok && proxied
}
