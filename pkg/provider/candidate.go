package provider

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// candidate is what a load balancer is recognised by.
type candidate struct {
	service  *cluster.Service
	snapshot *cluster.Snapshot
	// ids are providerIDs of nodes, one of each form.
	ids []string
	// onNodeAddresses: all addresses of the Service are nodes' own. foreignAddress: they are private, and nothing says that a cloud gave them.
	onNodeAddresses, foreignAddress bool
}

// finalizer is the first of the Service's finalizers that starts so, "" where none does.
func (c candidate) finalizer(prefix string) string {
	for _, f := range c.service.Finalizers {
		if strings.HasPrefix(f, prefix) {
			return f
		}
	}
	return ""
}

// annotated is the first of the keys that the Service carries, "" where it carries none.
func (c candidate) annotated(keys ...string) string {
	for _, key := range keys {
		if _, ok := c.service.Annotations[key]; ok {
			return key
		}
	}
	return ""
}

// fromNodes says whether a node runs there and the Service is left to the cloud's own controller: it has no class, and its addresses do not contradict that. The
// addresses of nodes are no cloud's, and a private one is the cloud's only where something says that its load balancer is an internal one: else an announcer may have
// given it.
func (c candidate) fromNodes(is func(providerID string) bool) (source string, ok bool) {
	if c.service.LoadBalancerClass != "" || c.onNodeAddresses || c.foreignAddress {
		return "", false
	}
	if slices.ContainsFunc(c.ids, is) {
		return "providerID of the nodes", true
	}
	return "", false
}

// cloud is a load balancer that is recognised by its nodes' providerIDs alone.
func (c candidate) cloud(known controller, prefixes ...string) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts(prefixes...))
	name, title := known.about()
	return LoadBalancer{Name: name, Title: title, Source: source}, ok
}

// identify gathers of the nodes' providerIDs one of each form: those with the same scheme, and Alibaba Cloud's, which have none, by their region.
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

// controlled says whether a cloud's controller has left a mark on the Service: the finalizer of the service controller of Kubernetes, or an annotation that asks for
// an internal load balancer.
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

// starts recognises a providerID by its beginning.
func starts(prefixes ...string) func(string) bool {
	return func(id string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
	}
}

// allAddresses: the Service publishes addresses, and what is asked is true of each.
func (c *candidate) allAddresses(is func(netip.Addr) bool) bool {
	for _, in := range c.service.Ingress {
		if !in.IP.IsValid() || !is(in.IP) {
			return false
		}
	}
	return len(c.service.Ingress) > 0
}

// isNodes: the address is one of a node's own.
func (c *candidate) isNodes(a netip.Addr) bool {
	for i := range c.snapshot.Nodes {
		if n := &c.snapshot.Nodes[i]; slices.Contains(n.InternalIPs, a) || slices.Contains(n.ExternalIPs, a) {
			return true
		}
	}
	return false
}

func (c candidate) local() bool { return c.service.ExternalTrafficPolicy == cluster.PolicyLocal }

// annotatedBelow says whether the Service has an annotation whose key starts so.
func (c candidate) annotatedBelow(prefix string) bool {
	for key := range c.service.Annotations {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}
