package provider

import (
	"cmp"
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
		lb.Checks = []HealthCheck{azureLocalCheck(c.service)}
	case azureProbesByHand(c.service):
		lb.Checks = []HealthCheck{UnknownCheck}
	}
	return lb, ok
}

// azureLocalCheck is what the probes ask under policy Local: the health check node port. A port may have a probe port
// of its own, or no probe; with a private link service that adds the PROXY protocol there is no such probe either
// (kubernetes-sigs/cloud-provider-azure pkg/provider/azure_loadbalancer.go getExpectedLBRules).
func azureLocalCheck(svc *cluster.Service) HealthCheck {
	without := 0
	for i := range svc.Ports {
		ofPort := fmt.Sprintf("service.beta.kubernetes.io/port_%d_", svc.Ports[i].Port)
		switch {
		case svc.Annotations[ofPort+"no_probe_rule"] == "true":
			without++
		case svc.Annotations[ofPort+"health-probe_port"] != "":
			return UnknownCheck
		}
	}
	switch {
	case svc.Annotations["service.beta.kubernetes.io/azure-pls-create"] == "true" && svc.Annotations["service.beta.kubernetes.io/azure-pls-proxy-protocol"] == "true":
		return UnknownCheck
	case without == 0:
		return HealthCheckNodePort
	case without == len(svc.Ports):
		return NoHealthCheck
	}
	return UnknownCheck
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

// conflict: buildHealthProbeRulesForPort in pkg/provider/azure_loadbalancer_healthprobe.go, and
// getExpectedLBRules in azure_loadbalancer.go: under policy Local a port has the health check node port's probe, unless
// annotations give it another port, or no probe. Under Cluster a port with appProtocol http or https is asked for a
// path over that protocol.
func (azure) conflict(_ LoadBalancer, svc *cluster.Service) (Conflict, bool) {
	for i := range svc.Ports {
		p := &svc.Ports[i]
		if p.Protocol != cluster.TCP {
			continue
		}
		ofPort := fmt.Sprintf("service.beta.kubernetes.io/port_%d_", p.Port)
		local := svc.ExternalTrafficPolicy == cluster.PolicyLocal
		switch key := ofPort + "no_probe_rule"; {
		case local && svc.Annotations[key] == "true":
			c := Conflict{
				Certain: true, WithoutPod: true, Message: fmt.Sprintf("an annotation turns the health probe of port %d off", p.Port),
				Detail: "Without a probe the load balancer sends to every node.", Setting: Setting{Key: key, Remove: true},
			}
			c.about(svc, key)
			return c, true
		case !local && svc.Annotations[key] != "true":
			if c, ok := azureAsksForPath(svc, p, ofPort); ok {
				return c, true
			}
		}
	}
	return Conflict{}, false
}

// azureAsksForPath: the health probe of a port asks for / over HTTP, for want of a path, and wants a 200.
func azureAsksForPath(svc *cluster.Service, p *cluster.Port, ofPort string) (Conflict, bool) {
	protocol := cmp.Or(svc.Annotations[ofPort+"health-probe_protocol"], p.AppProtocol, svc.Annotations["service.beta.kubernetes.io/azure-load-balancer-health-probe-protocol"])
	protocol = strings.ToLower(strings.TrimSpace(protocol))
	if protocol != "http" && protocol != "https" || svc.Annotations[azureProbePath] != "" || svc.Annotations[ofPort+"health-probe_request-path"] != "" {
		return Conflict{}, false
	}
	c := Conflict{
		Message: fmt.Sprintf("the health probe of port %d requests / over %s, and any answer but 200 counts as a failure", p.Port, strings.ToUpper(protocol)),
		Detail:  "An ingress controller answers / with 404 where no rule matches. A cluster in shared health probe mode asks kube-proxy instead, and the Kubernetes API does not show the mode.",
		Remedy:  "Set annotation " + azureProbePath + " to a path that the pods answer with 200; ingress-nginx: /healthz",
		Fact:    fmt.Sprintf("port %d has appProtocol %q, and no annotation sets the path of its probe", p.Port, p.AppProtocol), Source: "service " + svc.Namespace + "/" + svc.Name,
	}
	if p.AppProtocol == "" {
		c.Fact = fmt.Sprintf("annotations set the probe of port %d to %s, and none sets its path", p.Port, protocol)
	}
	if svc.Labels["app.kubernetes.io/name"] == "ingress-nginx" {
		c.Setting = Setting{Key: azureProbePath, Value: "/healthz"}
	}
	return c, true
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
