package provider

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// podsReachable checks that the load balancer can send to the endpoints. An address in a node's podCIDR belongs to an
// overlay, or only the nodes have a route to it.
func podsReachable(f Facts) Check {
	c := Check{Name: "pods-in-vpc", Source: "endpointslices of " + f.Service.Namespace + "/" + f.Service.Name}
	if !f.Service.EndpointsKnown {
		c.Message, c.Risk = "it is not known whether its pods have addresses of the VPC: the EndpointSlices could not be read", "pod-network-unknown"
		return c
	}
	unread := ""
	for i := range f.Service.Endpoints {
		e := &f.Service.Endpoints[i]
		if !e.Ready {
			continue
		}
		for j := range f.Snapshot.Nodes {
			n := &f.Snapshot.Nodes[j]
			if containsAddr(n.PodCIDRs, e.Address) {
				c.Holds = cluster.No
				c.Message = fmt.Sprintf("endpoint %s is in the podCIDR of node %s, so the load balancer cannot send to it", e.Address, n.Name)
				c.Fact = fmt.Sprintf("endpoint %s, podCIDRs of node %s %v", e.Address, n.Name, n.PodCIDRs)
				return c
			}
		}
		// A pod can only be in the podCIDR of its own node: where that node was read, the others do not matter.
		if own := f.Snapshot.NodeIndex(e.Node); own < 0 || !f.Snapshot.Nodes[own].Known || f.Snapshot.Nodes[own].Partial {
			unread = e.Node
		}
	}
	ready := f.Service.ReadyBackends()
	switch {
	case ready == 0:
		c.Message, c.Risk = "it is not known whether its pods have addresses of the VPC: it has no ready endpoint", "pod-network-unknown"
	case unread != "":
		c.Message, c.Risk = fmt.Sprintf("it is not known whether its pods have addresses of the VPC: the podCIDR of node %s was not read", unread), "pod-network-unknown"
	default:
		c.Holds = cluster.Yes
		c.Message = "no ready endpoint is in the podCIDR of its node, so the pods have addresses of the VPC"
		c.Fact = fmt.Sprintf("%d ready endpoints, none in a podCIDR", ready)
	}
	return c
}

// hostNetworkBackends finds endpoints on the host network; message says what that means for this provider.
func hostNetworkBackends(f Facts, message, risk string, holds cluster.Tristate) (Check, bool) {
	for i := range f.Service.Endpoints {
		e := &f.Service.Endpoints[i]
		own := f.Snapshot.NodeIndex(e.Node)
		if !e.Ready || own < 0 {
			continue
		}
		if slices.Contains(f.Snapshot.Nodes[own].InternalIPs, e.Address) {
			return Check{
				Name: "no-host-network", Holds: holds, Message: fmt.Sprintf("endpoint %s is on the host network: %s", e.Address, message), Risk: risk,
				Fact: fmt.Sprintf("endpoint %s is an address of node %s", e.Address, e.Node), Source: "endpointslice " + f.Service.Namespace + "/" + e.Slice,
			}, true
		}
	}
	return Check{}, false
}

// quota checks that a load balancer may have so many backends.
func quota(n, most int, what string) Check {
	c := Check{
		Name: "within-quota", Holds: cluster.Is(n <= most), Risk: "over-quota",
		Message: fmt.Sprintf("%d %s; the load balancer takes at most %d, unless its quota was raised", n, what, most),
		Fact:    fmt.Sprintf("%d %s", n, what), Source: "the provider's documented quota",
	}
	if n <= most {
		c.Risk = ""
	}
	return c
}

func healthCheckByHand(svc *cluster.Service, key string) Check {
	return Check{
		Name: "health-check-follows", Holds: cluster.No, Risk: "drops-connections",
		Message: "annotation " + key + " overrides the health check: the load balancer would not learn which nodes have a pod, and connections to the others would be dropped",
		Fact:    key + " is " + svc.Annotations[key], Source: annotationSource(svc, key),
	}
}
