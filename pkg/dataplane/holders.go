package dataplane

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// holder is a program that may put a load balancer address on an interface or into the local routes of a node, where
// kube-proxy does not expect it.
type holder struct {
	// providerIDs of nodes on which it may run start with one of these.
	providerIDs []string
	// annotations and class are those of Services whose addresses it holds; an annotation that ends with a slash
	// matches every annotation that starts with it.
	annotations []string
	class       string
}

// holders are the programs that are known to do so. MetalLB and Cilium answer ARP for an address without putting it on
// the node.
var holders = []holder{
	{providerIDs: []string{"gce://"}},
	{providerIDs: []string{"ibm://"}},
	{annotations: []string{"kube-vip.io/"}, class: "kube-vip.io/kube-vip-class"},
	{annotations: []string{"purelb.io/"}, class: "purelb.io/purelb"},
}

// announcedWithout are annotations of load balancers in the cluster that put their addresses on no node, whatever cloud
// the nodes run in.
var announcedWithout = []string{"metallb.io/", "metallb.universe.tf/"}

// mayBeHeld: a program that the API does not show may have put the Service's load balancer addresses on nodes.
func mayBeHeld(s *cluster.Snapshot, svc *cluster.Service) bool {
	if len(svc.Ingress) == 0 || svc.Type != cluster.TypeLoadBalancer || annotatedWith(svc, announcedWithout) {
		return false
	}
	id := ""
	for i := 0; i < len(s.Nodes) && id == ""; i++ {
		if !s.Nodes[i].IsVirtual() {
			id = s.Nodes[i].ProviderID
		}
	}
	for _, h := range holders {
		if annotatedWith(svc, h.annotations) || h.class != "" && svc.LoadBalancerClass == h.class {
			return true
		}
		for _, prefix := range h.providerIDs {
			if strings.HasPrefix(id, prefix) {
				return true
			}
		}
	}
	return false
}

func annotatedWith(svc *cluster.Service, prefixes []string) bool {
	for key := range svc.Annotations {
		for _, prefix := range prefixes {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
	}
	return false
}
