package provider

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// candidate is a Service and the facts by which its load balancer is recognised.
type candidate struct {
	service  *cluster.Service
	snapshot *cluster.Snapshot
	// ids are providerIDs of nodes, one for each scheme or region.
	ids []string
	// onNodeAddresses: all addresses of the Service are node addresses. foreignAddress: all are private, and nothing
	// shows that a cloud assigned them.
	onNodeAddresses, foreignAddress bool
}

// finalizer is the first finalizer of the Service with this prefix, "" where there is none.
func (c candidate) finalizer(prefix string) string {
	for _, f := range c.service.Finalizers {
		if strings.HasPrefix(f, prefix) {
			return f
		}
	}
	return ""
}

// annotated is the first of the keys that the Service has as an annotation, "" where it has none.
func (c candidate) annotated(keys ...string) string {
	for _, key := range keys {
		if _, ok := c.service.Annotations[key]; ok {
			return key
		}
	}
	return ""
}

// fromNodes says whether a node has such a providerID and the cloud's own controller serves the Service: it has no
// class, and its addresses do not contradict that. A cloud does not assign addresses of nodes. It assigns a private
// address only to an internal load balancer, which something on the Service must show: otherwise an announcer such as
// MetalLB may have assigned it.
func (c candidate) fromNodes(is func(providerID string) bool) (source string, ok bool) {
	if c.service.LoadBalancerClass != "" || c.onNodeAddresses || c.foreignAddress {
		return "", false
	}
	if slices.ContainsFunc(c.ids, is) {
		return "providerID of the nodes", true
	}
	return "", false
}

// cloud recognises a load balancer by the providerIDs of the nodes alone.
func (c candidate) cloud(known controller, prefixes ...string) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts(prefixes...))
	name, title := known.about()
	return LoadBalancer{Name: name, Title: title, Source: source}, ok
}

// identify collects one providerID for each scheme. Those of Alibaba Cloud have no scheme; of them it collects one for
// each region.
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

// controlled says whether the Service shows that a cloud's controller serves it: the finalizer of the service
// controller of Kubernetes, or an annotation that asks for an internal load balancer.
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

// starts matches a providerID by its prefix.
func starts(prefixes ...string) func(string) bool {
	return func(id string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
	}
}

// allAddresses says whether the Service publishes addresses and the condition holds for each.
func (c *candidate) allAddresses(is func(netip.Addr) bool) bool {
	for _, in := range c.service.Ingress {
		if !in.IP.IsValid() || !is(in.IP) {
			return false
		}
	}
	return len(c.service.Ingress) > 0
}

// isNodes says whether the address belongs to a node.
func (c *candidate) isNodes(a netip.Addr) bool {
	for i := range c.snapshot.Nodes {
		if n := &c.snapshot.Nodes[i]; slices.Contains(n.InternalIPs, a) || slices.Contains(n.ExternalIPs, a) {
			return true
		}
	}
	return false
}

func (c candidate) local() bool { return c.service.ExternalTrafficPolicy == cluster.PolicyLocal }

// annotatedBelow says whether the Service has an annotation whose key has this prefix.
func (c candidate) annotatedBelow(prefix string) bool {
	for key := range c.service.Annotations {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}
