package provider

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// serviceLB is k3s ServiceLB, recognised on k3s nodes, and the addresses are those of nodes (k3s-io/k3s
// pkg/cloudprovider/servicelb.go). Clients choose the node that they dial, so there are no shares; its pods put an
// address of their own on the packets, which depends on the release.
type serviceLB struct{ unknown }

func (serviceLB) about() (name, title string) { return "k3s", "k3s ServiceLB" }

func (serviceLB) recognise(c candidate) (LoadBalancer, bool) {
	runs := slices.ContainsFunc(c.snapshot.Nodes, func(n cluster.Node) bool { return strings.HasPrefix(n.ProviderID, "k3s://") })
	return LoadBalancer{
		Name: "k3s", Title: "k3s ServiceLB", Product: "ServiceLB", Backends: Nodes, Delivery: ToNodePort, Source: "the Service's addresses, which are those of nodes",
	}, runs && c.service.LoadBalancerClass == "" && c.onNodeAddresses
}
