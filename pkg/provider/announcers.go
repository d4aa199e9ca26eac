package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// metalLB recognises addresses that MetalLB allocated and announces from nodes.
func metalLB(c candidate) (LoadBalancer, bool) {
	key := c.annotated("metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool")
	return announced("metallb", "MetalLB", "annotation "+key), key != ""
}

// kubeVIP recognises addresses that kube-vip announces from nodes.
func kubeVIP(c candidate) (LoadBalancer, bool) {
	key := c.annotated("kube-vip.io/vipHost")
	lb := announced("kube-vip", "kube-vip", "annotation "+key)
	if key == "" && c.service.LoadBalancerClass == "kube-vip.io/kube-vip-class" {
		lb.Source = "loadBalancerClass kube-vip.io/kube-vip-class"
		return lb, true
	}
	return lb, key != ""
}

// announced is a load balancer that is nothing but nodes that announce the address: packets come to them with the client's address and that of the Service.
func announced(name, title, source string) LoadBalancer {
	return LoadBalancer{Name: name, Title: title, Product: title, Backends: Nodes, Delivery: ToAddress, ClientIP: Preserved, Announced: true, Source: source}
}

const ciliumL2 = "io.cilium/l2-announcer"

// ciliumAddress is the condition that Cilium's LB-IPAM sets on a Service to which it has given an address (cilium/cilium v1.20.2 operator/pkg/lbipam/lbipam.go).
const ciliumAddress = "cilium.io/IPAMRequestSatisfied"

// cilium recognises addresses that Cilium gave: by its classes (cilium/cilium v1.20.2 pkg/k8s/apis/cilium.io/v2alpha1), or by LB-IPAM's condition. Nodes announce
// them by L2 or BGP, or have them themselves (node IPAM).
func cilium(c candidate) (LoadBalancer, bool) {
	switch class := c.service.LoadBalancerClass; {
	case class == ciliumL2, class == "io.cilium/bgp-control-plane", class == "io.cilium/node":
		return announced("cilium", "Cilium", "loadBalancerClass "+class), true
	case slices.Contains(c.service.Conditions, ciliumAddress):
		return announced("cilium", "Cilium LB-IPAM", "condition "+ciliumAddress), true
	}
	return LoadBalancer{}, false
}

// pureLB recognises addresses that PureLB gave (purelb/purelb v0.17 internal/allocator).
func pureLB(c candidate) (LoadBalancer, bool) {
	key := c.annotated("purelb.io/allocated-by")
	return announced("purelb", "PureLB", "annotation "+key), key != ""
}

// serviceLB recognises k3s ServiceLB: on k3s nodes, and the addresses are those of nodes (k3s-io/k3s pkg/cloudprovider/servicelb.go). Clients choose the node that they
// dial, so there are no shares; its pods put an address of their own on the packets, which depends on the release.
func serviceLB(c candidate) (LoadBalancer, bool) {
	runs := slices.ContainsFunc(c.snapshot.Nodes, func(n cluster.Node) bool { return strings.HasPrefix(n.ProviderID, "k3s://") })
	return LoadBalancer{
		Name: "k3s", Title: "k3s ServiceLB", Product: "ServiceLB", Backends: Nodes, Delivery: ToNodePort, Source: "the Service's addresses, which are those of nodes",
	}, runs && c.service.LoadBalancerClass == "" && c.onNodeAddresses
}

// kind recognises cloud-provider-kind: it publishes ipMode Proxy, which nobody else does there, and an Envoy opens a connection of its own to the nodes whose health check
// passes (kubernetes-sigs/cloud-provider-kind pkg/loadbalancer/server.go, proxy.go).
func kind(c candidate) (LoadBalancer, bool) {
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
