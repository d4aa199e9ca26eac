package remedy

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// eni plans that the load balancer sends to pods directly, by the provider's own annotation, and sets the policy too if nodes handle the address themselves.
func (p *planner) eni() {
	if !p.applies() {
		return
	}
	c, policy := p.Provider.ToPods(p.providerFacts())
	if c.Instead != "" {
		p.need(p.without("provider-sends-to-pods", c.Instead))
		return
	}
	var fields []Field
	if policy {
		fields = p.policy(cluster.PolicyCluster)
	}
	if len(fields)+len(c.Settings) == 0 {
		return
	}
	fields = append(fields, p.providers(c)...)
	flips := len(fields) > len(c.Settings)
	if flips {
		p.gain("for connections from inside the cluster every node uses all pods, also a node without one")
		p.flipCosts()
	}
	p.ToPods = c.ClientIP
	p.change(fields)
	if flips {
		p.insideAfter()
	}
	p.Fixes = p.fixes(finding.FailsFromPods, finding.FailsFromHost, finding.UnevenLoad, finding.SingleNode, finding.SendsToNoEndpoint, finding.HealthAgainstPolicy)
}

// without is the precondition that fails because the provider has no such setting, with what to use instead.
func (p *planner) without(name, instead string) Precondition {
	evidence := finding.Evidence{Fact: "load balancer: " + p.Provider.Title, Source: p.Provider.Source}
	if p.Provider.Name == "" {
		evidence = finding.Evidence{Fact: "no known load balancer", Source: p.serviceSource()}
	}
	return Precondition{Name: name, Holds: cluster.No, Message: instead, Evidence: []finding.Evidence{evidence}}
}
