package provider

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// cilium is Cilium: addresses that it gave, known by its classes (cilium/cilium v1.20.2
// pkg/k8s/apis/cilium.io/v2alpha1) or by LB-IPAM's condition. Nodes announce them by L2 or BGP, or have them themselves
// (node IPAM).
type cilium struct{ unknown }

func (cilium) about() (name, title string) { return "cilium", "Cilium" }

const ciliumL2 = "io.cilium/l2-announcer"

// ciliumAddress is the condition that Cilium's LB-IPAM sets on a Service to which it has given an address
// (cilium/cilium v1.20.2 operator/pkg/lbipam/lbipam.go).
const ciliumAddress = "cilium.io/IPAMRequestSatisfied"

func (cilium) recognise(c candidate) (LoadBalancer, bool) {
	switch class := c.service.LoadBalancerClass; {
	case class == ciliumL2, class == "io.cilium/bgp-control-plane", class == "io.cilium/node":
		return announced("cilium", "Cilium", "loadBalancerClass "+class), true
	case slices.Contains(c.service.Conditions, ciliumAddress):
		return announced("cilium", "Cilium LB-IPAM", "condition "+ciliumAddress), true
	}
	return LoadBalancer{}, false
}

func (cilium) toCluster(_ LoadBalancer, f Facts) Change {
	if f.Service.LoadBalancerClass != ciliumL2 {
		return Change{}
	}
	return Change{Gains: []string{"Cilium's documentation says that L2 announcements do not work with externalTrafficPolicy Local; with Cluster they do"}}
}

func (cilium) toLocal(_ LoadBalancer, f Facts) Change {
	if f.Service.LoadBalancerClass != ciliumL2 {
		return announcedToLocal()
	}
	return Change{Checks: []Check{{
		Name: "policy-supported", Holds: cluster.No, Message: "Cilium's L2 announcements do not work with externalTrafficPolicy Local: the announcing node may have no endpoint",
		Fact: "loadBalancerClass " + ciliumL2, Source: "cilium Documentation/network/l2-announcements.rst",
	}}}
}
