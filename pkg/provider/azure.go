package provider

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// azure recognises Azure Load Balancer, which sends to nodes.
func azure(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes("azure://")
	return LoadBalancer{Name: "azure", Title: "Azure Load Balancer", Product: "Load Balancer", Backends: Nodes, Source: source}, ok
}

const azureProbePath = "service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path"

// azureToCluster: with policy Local the probe asks the health check node port; with Cluster it asks the node port, and for a port whose appProtocol is http or https
// it asks for "/" and wants a 200, which an ingress controller does not give (kubernetes-sigs/cloud-provider-azure pkg/provider/azure_loadbalancer.go; AKS #3210).
func azureToCluster(f Facts) Change {
	var c Change
	for i := range f.Service.Ports {
		p := &f.Service.Ports[i]
		protocol := strings.ToLower(f.Surroundings.AppProtocols[p.Name])
		if protocol != "http" && protocol != "https" {
			continue
		}
		own := fmt.Sprintf("service.beta.kubernetes.io/port_%d_health-probe_request-path", p.Port)
		check := Check{
			Name: "probe-path", Holds: cluster.Yes, Message: "the health probe has a path of its own",
			Fact: fmt.Sprintf("port %d has appProtocol %s", p.Port, protocol), Source: "service " + f.Service.Namespace + "/" + f.Service.Name,
		}
		switch {
		case f.Service.Annotations[azureProbePath] != "" || f.Service.Annotations[own] != "":
		case f.Service.Labels["app.kubernetes.io/name"] == "ingress-nginx":
			// ingress-nginx answers this path with 200, as its own manifest for AKS has it.
			check.Message = "the health probe would ask ingress-nginx for / and take its 404 for a failure; the same patch makes it ask for /healthz"
			c.Settings = []Setting{{Key: azureProbePath, Value: "/healthz"}}
		default:
			check.Holds, check.Risk = cluster.No, "probe-may-fail"
			check.Message = fmt.Sprintf("port %d has appProtocol %s, so the health probe would ask for /, and all nodes get no traffic where that is not answered with 200; set annotation %s "+
				"to a path that is", p.Port, protocol, azureProbePath)
		}
		c.Checks = append(c.Checks, check)
		return c
	}
	return c
}
