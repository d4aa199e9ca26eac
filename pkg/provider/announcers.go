package provider

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// metalLB recognises addresses that MetalLB allocated and announces from nodes.
func metalLB(c candidate) (LoadBalancer, bool) {
	key := c.annotated("metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool")
	return LoadBalancer{Name: "metallb", Title: "MetalLB", Product: "MetalLB", Backends: Nodes, KeepsDestination: true, Announced: true, Source: "annotation " + key}, key != ""
}

// kubeVIP recognises addresses that kube-vip announces from nodes.
func kubeVIP(c candidate) (LoadBalancer, bool) {
	key := c.annotated("kube-vip.io/vipHost")
	lb := LoadBalancer{Name: "kube-vip", Title: "kube-vip", Product: "kube-vip", Backends: Nodes, KeepsDestination: true, Announced: true, Source: "annotation " + key}
	if key == "" && c.service.LoadBalancerClass == "kube-vip.io/kube-vip-class" {
		lb.Source = "loadBalancerClass kube-vip.io/kube-vip-class"
		return lb, true
	}
	return lb, key != ""
}

const ciliumL2 = "io.cilium/l2-announcer"

// metalLBShare are the annotations by which Services share an address.
var metalLBShare = []string{"metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"}

var metalLBSigns = []Sign{
	{Reason: "ClearAssignment", Means: "MetalLB took the address away", Bad: true},
	{Reason: "nodeAssigned", Means: "a node announces the address"},
}

// metalLBFlip refuses for an address that is shared: the policy is part of what sharers must have in common, and where they differ the controller takes the
// Service's address away (metallb/metallb internal/k8s/k8salloc, internal/allocator/allocator.go).
func metalLBFlip(f Facts) Change {
	for _, key := range metalLBShare {
		if !annotated(f.Service, key) {
			continue
		}
		c := Check{Name: "address-not-shared", Source: annotationSource(f.Service, key), Fact: "allow-shared-ip is set"}
		switch {
		case len(f.Surroundings.Sharers) > 0:
			other := f.Surroundings.Sharers[0]
			c.Holds = cluster.No
			c.Message = fmt.Sprintf("service %s/%s has the same address: MetalLB would take it from one of them, since Services that share one must agree in their policy; give one of them "+
				"an address of its own", other.Namespace, other.Name)
		case f.Surroundings.Gap("services", "") != nil:
			c.Message = "whether another Service has the same address is not known: the Services of all namespaces could not be listed"
			c.Risk = "loses-address"
		default:
			c.Holds, c.Message = cluster.Yes, "its address may be shared, and no other Service has it"
		}
		return Change{Checks: []Check{c}}
	}
	return Change{}
}

// announcersToLocal is what is known of addresses that nodes announce, with policy Local.
func announcersToLocal(lb LoadBalancer, f Facts) Change {
	var c Change
	switch {
	case f.Service.LoadBalancerClass == ciliumL2:
		c.Checks = append(c.Checks, Check{
			Name: "policy-supported", Holds: cluster.No, Message: "Cilium's L2 announcements do not work with externalTrafficPolicy Local: the announcing node may have no endpoint",
			Fact: "loadBalancerClass " + ciliumL2, Source: "cilium Documentation/network/l2-announcements.rst",
		})
	case lb.Name == "kube-vip" && annotated(f.Service, "kube-vip.io/leaseName"):
		c.Checks = append(c.Checks, Check{
			Name: "policy-supported", Holds: cluster.No, Message: "kube-vip refuses externalTrafficPolicy Local together with annotation kube-vip.io/leaseName",
			Fact: "kube-vip.io/leaseName is set", Source: "kube-vip/kube-vip pkg/services/processor.go",
		})
	case lb.Announced:
		c.Costs = append(c.Costs, "where one node announces the address, only the pods on that node get traffic")
	}
	return c
}
