package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// azure is Azure Load Balancer, which sends to nodes and keeps the client's address. With floating IP, the default, it
// keeps the destination too (kubernetes-sigs/cloud-provider-azure pkg/provider/azure_loadbalancer.go,
// consts.ServiceAnnotationDisableLoadBalancerFloatingIP); for an internal IPv6 frontend there is none.
//
// Under policy Local the probe asks the health check node port. Under Cluster it asks the node port, or kube-proxy in
// the shared probe mode, which is a setting of the cluster and not in the API.
type azure struct{ unknown }

func (azure) about() (name, title string) { return "azure", "Azure Load Balancer" }

func (azure) rules() []*Rule { return []*Rule{azure01, azure02} }

func (azure) recognise(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("azure://"))
	lb := LoadBalancer{
		Name: "azure", Title: "Azure Load Balancer", Product: "Load Balancer", Backends: Nodes, Source: source,
		Delivery: ToAddress, ClientIP: Preserved, Weights: EqualWeights, Checks: []HealthCheck{ChecksNodePort, ChecksKubeProxy},
	}
	switch {
	case c.service.Annotations["service.beta.kubernetes.io/azure-disable-load-balancer-floating-ip"] == "true":
		lb.Delivery = ToNodePort
	case c.service.Annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true" && slices.ContainsFunc(c.service.Ingress, func(in cluster.Ingress) bool { return in.IP.Is6() }):
		lb.Delivery = UnknownDelivery
	}
	switch {
	case c.local():
		lb.Checks = []HealthCheck{HealthCheckNodePort}
	case azureProbesByHand(c.service):
		lb.Checks = []HealthCheck{UnknownCheck}
	}
	return lb, ok
}

// azureProbesByHand: the probe asks over HTTP, or something that an annotation names, and what is answered there is not
// in the API.
func azureProbesByHand(svc *cluster.Service) bool {
	if slices.ContainsFunc(svc.Ports, func(p cluster.Port) bool {
		return strings.EqualFold(p.AppProtocol, "http") || strings.EqualFold(p.AppProtocol, "https")
	}) {
		return true
	}
	for key := range svc.Annotations {
		if strings.HasPrefix(key, "service.beta.kubernetes.io/azure-load-balancer-health-probe-") ||
			strings.HasPrefix(key, "service.beta.kubernetes.io/port_") && (strings.Contains(key, "_health-probe") || strings.HasSuffix(key, "_no_probe_rule")) {
			return true
		}
	}
	return false
}

var (
	azure01 = &Rule{
		ID: "AZ-01", Basis: Source, Origin: "kubernetes-sigs/cloud-provider-azure pkg/provider/azure.go ShouldNodeExcludedFromLoadBalancer",
		Reason: "label " + ExcludeLabel + " excludes the node from the load balancer, whatever its value",
	}
	azure02 = &Rule{
		ID: "AZ-02", Basis: Source, Origin: "kubernetes-sigs/cloud-provider-azure pkg/provider/azure.go ShouldNodeExcludedFromLoadBalancer",
		Reason: "label kubernetes.azure.com/managed=false excludes the node from the load balancer",
	}
)

func (azure) members(*cluster.Snapshot, *cluster.Service) func(*cluster.Node) Member {
	return azureMember
}

func azureMember(n *cluster.Node) Member {
	switch {
	case n.VirtualKubelet:
		return out("RunsNoProxy", lb05)
	case labelled(n, ExcludeLabel):
		return out("ExcludedByLabel", azure01)
	case n.Labels["kubernetes.azure.com/managed"] == "false":
		return out("NotManaged", azure02)
	case removed(n):
		return out("BeingRemoved", lb04)
	}
	return in()
}

const azureProbePath = "service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path"

// toCluster: with policy Local the probe asks the health check node port; with Cluster it asks the node port, and for a
// port whose appProtocol is http or https it asks for "/" and wants a 200, which an ingress controller does not give
// (kubernetes-sigs/cloud-provider-azure pkg/provider/azure_loadbalancer.go; AKS #3210).
func (azure) toCluster(_ LoadBalancer, f Facts) Change {
	var c Change
	for i := range f.Service.Ports {
		p := &f.Service.Ports[i]
		protocol := strings.ToLower(f.Surroundings.AppProtocols[p.Name])
		if protocol != "http" && protocol != "https" {
			continue
		}
		own := fmt.Sprintf("service.beta.kubernetes.io/port_%d_health-probe_request-path", p.Port)
		check := Check{
			Name: "probe-path", Holds: cluster.Yes, Message: "an annotation sets the path of the health probe",
			Fact: fmt.Sprintf("port %d has appProtocol %s", p.Port, protocol), Source: "service " + f.Service.Namespace + "/" + f.Service.Name,
		}
		switch {
		case f.Service.Annotations[azureProbePath] != "" || f.Service.Annotations[own] != "":
		case f.Service.Labels["app.kubernetes.io/name"] == "ingress-nginx":
			// ingress-nginx answers this path with 200, as its own manifest for AKS has it.
			check.Message = "the health probe would request / from ingress-nginx, whose 404 counts as a failure; the same patch sets the path /healthz"
			c.Settings = []Setting{{Key: azureProbePath, Value: "/healthz"}}
		default:
			check.Holds, check.Risk = cluster.No, "probe-may-fail"
			check.Message = fmt.Sprintf("port %d has appProtocol %s, so the health probe would request /; unless the pods answer 200, no node gets traffic. Set annotation %s "+
				"to a path that they answer with 200", p.Port, protocol, azureProbePath)
		}
		c.Checks = append(c.Checks, check)
		return c
	}
	return c
}
