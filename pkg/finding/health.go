package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

var healthAgainstPolicy = Kind{
	Code: HealthAgainstPolicy, Severity: Error, Title: "The load balancer's health check does not fit the traffic policy",
	Explain: "Under externalTrafficPolicy Local a load balancer has to learn which nodes have a ready endpoint: it asks the health check node port over HTTP (/healthz). If it asks " +
		"something else, or nothing, it also sends to nodes without an endpoint, which drop what arrives. Under Cluster every node can serve, but a health check that requests a path " +
		"that the pods do not answer with 200 takes all nodes out. Annotations of the Service decide, and settings of the cloud's controller that the Kubernetes API does not show. " +
		"Confirm what a node answers with: " + fromOutside("NODE:HEALTHCHECKNODEPORT/healthz"),
	Sources: []string{
		"kubernetes/kubernetes v1.36.3 pkg/proxy/healthcheck/service_health.go", "kubernetes/cloud-provider-openstack pkg/openstack/loadbalancer.go",
		"kubernetes-sigs/cloud-provider-azure pkg/provider/azure_loadbalancer_healthprobe.go", "kubernetes-sigs/aws-load-balancer-controller v3.5.0 pkg/service/model_build_target_group.go",
		"kubernetes/cloud-provider-aws pkg/providers/v1/aws.go, aws_loadbalancer.go",
	},
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "the load balancer's health check is not known to contradict the traffic policy",
	applies:  needsLoadBalancerOfNodes,
	reads:    []fact{endpointsFact, nodesFact},
	check: func(f *Facts) []Finding {
		c, nodes := f.healthConflict()
		if c == nil {
			return nil
		}
		r := f.finding(Warning)
		if c.Certain {
			r.Severity = Error
		}
		r.Message = map[bool]string{true: "every node is unhealthy for the load balancer: ", false: "every node may be unhealthy for the load balancer: "}[c.Certain] + c.Message
		if c.WithoutPod {
			verb := english.Word(len(nodes), "may get connections from outside that it drops", "may get connections from outside that they drop")
			if c.Certain {
				verb = english.Word(len(nodes), "gets connections from outside that it drops", "get connections from outside that they drop")
			}
			r.Message = fmt.Sprintf("%s without a ready endpoint %s: %s", english.Count(len(nodes), "node", ""), verb, c.Message)
		}
		r.Detail = c.Detail
		r.Evidence = []Evidence{{Fact: c.Fact, Source: c.Source}}
		for _, row := range nodes[:min(len(nodes), evidenced)] {
			r.Evidence = append(r.Evidence, Evidence{Fact: fmt.Sprintf("node %s has no ready endpoint", row.Node.Name), Source: f.slices(row.Node)})
		}
		r.Confirm = c.Confirm
		if r.Confirm == "" && f.Service.ExternalTrafficPolicy == cluster.PolicyLocal {
			for i := range f.Rows {
				if r.Confirm = confirmAtNode(f.Rows[i].Node, f.Service.HealthCheckNodePort, "/healthz"); r.Confirm != "" {
					break
				}
			}
		}
		if c.Remedy != "" {
			r.Remedies = append(r.Remedies, Remedy{Text: c.Remedy})
		}
		if c.Setting.Key != "" {
			r.Remedies = append(r.Remedies, Remedy{Text: f.annotate(c.Setting), Gain: "the health check then fits the policy"})
		}
		return []Finding{r}
	},
}

// healthConflict is the health check that does not fit the policy, and, under policy Local, the nodes without a ready endpoint that the load balancer may send to because
// of it; nil where there is no such check, or it matters only for such nodes and there is none.
func (f *Facts) healthConflict() (c *provider.Conflict, nodes []*Row) {
	found, ok := f.Provider.HealthConflict(f.Service)
	if !ok || !f.Service.EndpointsKnown {
		return nil, nil
	}
	for i := range f.Rows {
		row := &f.Rows[i]
		if f.Service.ExternalTrafficPolicy == cluster.PolicyLocal && row.Node.Known && row.Endpoints.Ready == 0 && row.LoadBalancer.Receives != cluster.No && !row.Node.IsVirtual() {
			nodes = append(nodes, row)
		}
	}
	if found.WithoutPod && len(nodes) == 0 {
		return nil, nil
	}
	return &found, nodes
}

// annotate is the command that sets or removes an annotation of the Service.
func (f *Facts) annotate(s provider.Setting) string {
	value := s.Key + "=" + s.Value
	if s.Value == "*" {
		value = "'" + value + "'"
	}
	if s.Remove {
		value = s.Key + "-"
	}
	if !plain(f.Service.Namespace) || !plain(f.Service.Name) {
		return "Set annotation " + value
	}
	text := fmt.Sprintf("kubectl annotate service %s -n %s %s", f.Service.Name, f.Service.Namespace, value)
	if !s.Remove {
		text += " --overwrite"
	}
	return text
}

var unhealthyIsExpected = Kind{
	Code: UnhealthyIsExpected, Severity: Info, degrades: true, Title: "Nodes without an endpoint are unhealthy for the load balancer, as they should be",
	Explain: "Under externalTrafficPolicy Local the health check node port answers 503 on a node without a ready endpoint, so that the load balancer leaves it out. The cloud's console " +
		"shows such nodes as unhealthy or out of service. That is how the policy works and no fault. Confirm with: " + fromOutside("NODE:HEALTHCHECKNODEPORT/healthz"),
	Sources:  []string{"kubernetes/kubernetes v1.36.3 pkg/proxy/healthcheck/service_health.go", "https://kubernetes.io/docs/tutorials/services/source-ip/"},
	hiddenBy: []string{NoReadyEndpoint, SendsToNoEndpoint, HealthAgainstPolicy},
	passed:   "no node is unhealthy for the load balancer because it has no endpoint",
	applies:  every(needsLoadBalancerOfNodes, needsLocalPolicy),
	reads:    []fact{endpointsFact, nodesFact, receivesFact},
	check: func(f *Facts) []Finding {
		var nodes []*Row
		for i := range f.Rows {
			if rule := f.Rows[i].LoadBalancer.Rule; f.Service.EndpointsKnown && (rule == provider.NoLocalEndpoint || rule == provider.NodePortSilent) && f.Rows[i].Endpoints.Ready == 0 {
				nodes = append(nodes, &f.Rows[i])
			}
		}
		if len(nodes) == 0 {
			return nil
		}
		r := f.finding(Info)
		r.Message = fmt.Sprintf("%s unhealthy for the load balancer, as expected: %s no ready endpoint", onNodes(len(nodes), len(f.Rows))+english.Word(len(nodes), " is", " are"),
			english.Word(len(nodes), "it has", "they have"))
		for _, row := range nodes[:min(len(nodes), evidenced)] {
			r.Evidence = append(r.Evidence, Evidence{Fact: fmt.Sprintf("node %s gets nothing: %s", row.Node.Name, row.LoadBalancer.Rule.Reason), Source: f.slices(row.Node)})
		}
		r.Confirm = confirmAtNode(nodes[0].Node, f.Service.HealthCheckNodePort, "/healthz")
		r.Remedies = []Remedy{{Text: "No change needed: with policy Local the load balancer leaves out nodes without a ready endpoint"}}
		return []Finding{r}
	},
}
