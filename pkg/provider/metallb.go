package provider

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// metalLB is MetalLB: addresses that it allocates and announces from nodes.
type metalLB struct{ unknown }

func (metalLB) about() (name, title string) { return "metallb", "MetalLB" }

func (metalLB) recognise(c candidate) (LoadBalancer, bool) {
	key := c.annotated("metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool")
	return announced("metallb", "MetalLB", "annotation "+key), key != ""
}

// leavesOut: MetalLB announces from no node without an endpoint.
func (metalLB) leavesOut(ready, servingTerminating int) *Rule {
	if ready+servingTerminating == 0 {
		return lb19
	}
	return nil
}

// announcers: a ServiceL2Status names a node that announces by layer 2. It stays where the node's speaker is gone, and
// in v0.15.2 also where the node announces no longer (packets, v0.15.2 and v0.16.2). Whether other nodes announce by BGP
// is in other objects, which are not read.
func (metalLB) announcers(svc *cluster.Service) (nodes []cluster.Announcer, old bool) {
	return announcing(svc, "metallb"), true
}

func (metalLB) announcerShown(svc *cluster.Service) (command, sentence string) {
	return "kubectl get servicel2statuses.metallb.io -A -l metallb.io/service-name=" + svc.Name + ",metallb.io/service-namespace=" + svc.Namespace,
		"A ServiceL2Status names it, where MetalLB announces by layer 2"
}

// metalLBShare are the annotations by which Services share an address.
var metalLBShare = []string{"metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"}

var metalLBSigns = []Sign{
	{Reason: "ClearAssignment", Means: "MetalLB removed the address", Bad: true},
	{Reason: "nodeAssigned", Means: "a node announces the address"},
}

func (metalLB) signs() []Sign { return metalLBSigns }

func (metalLB) toCluster(_ LoadBalancer, f Facts) Change { return metalLBFlip(f) }

func (metalLB) toLocal(_ LoadBalancer, f Facts) Change {
	c := metalLBFlip(f)
	c.Costs = append(c.Costs, announcedToLocal().Costs...)
	return c
}

// metalLBFlip refuses for an address that is shared: the policy is part of what sharers must have in common, and where
// they differ the controller takes the Service's address away (metallb/metallb internal/k8s/k8salloc,
// internal/allocator/allocator.go).
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
			c.Message = fmt.Sprintf("service %s/%s has the same address: MetalLB would remove it from one of them, because Services that share an address must have the same "+
				"policy; give one of them an address of its own", other.Namespace, other.Name)
		case f.Surroundings.Gap("services", "") != nil:
			c.Message = "it is not known whether another Service has the same address: the Services of all namespaces could not be listed"
			c.Risk = "loses-address"
		default:
			c.Holds, c.Message = cluster.Yes, "the address may be shared, but no other Service has it"
		}
		return Change{Checks: []Check{c}}
	}
	return Change{}
}
