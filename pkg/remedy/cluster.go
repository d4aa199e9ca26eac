package remedy

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// cluster plans externalTrafficPolicy Cluster.
func (p *planner) cluster() {
	if !p.applies() {
		return
	}
	fields := p.policy(cluster.PolicyCluster)
	if len(fields) == 0 {
		return
	}
	wanted := p.providers(p.Provider.ToCluster(p.providerFacts()))
	p.gain("every node takes connections, also one without a pod of the Service")
	p.losesAddress()
	if p.Provider.Backends != provider.Pods {
		p.cost("a connection may cross to another node: one hop more")
	}
	p.flipCosts()
	if port := p.Facts.Service.HealthCheckNodePort; port != 0 {
		p.cost(fmt.Sprintf("health check node port %d is given up; going back asks for the same one, and gets another where it has been taken since", port))
	}
	p.change(append(fields, wanted...))
	p.insideAfter()
	p.outsideAfter()
	p.Cures = p.cures("ETP002", "ETP003", "ETP007", "ETP008", "ETP011", "ETP025")
}

// outsideAfter predicts whether nodes that the load balancer begins to send to serve it: with policy Cluster it sends to all of them.
func (p *planner) outsideAfter() {
	if p.Provider.Backends == provider.Pods {
		return
	}
	r := p.reach(p.after())[dataplane.External]
	if len(r.fails) == 0 {
		return
	}
	p.need(Precondition{
		Name: "outside-clients", Holds: cluster.No, Risk: "breaks-outside-clients",
		Message:  fmt.Sprintf("connections from outside would fail on %d of %d nodes, which all get them with policy Cluster: %s", len(r.fails), r.of, named(r.fails)),
		Evidence: p.ruleEvidence(r.rules[r.fails[0]]),
	})
}

// flipCosts are those of any change of the policy.
func (p *planner) flipCosts() {
	if slices.ContainsFunc(p.Facts.Service.Ports, func(port cluster.Port) bool { return port.Protocol == cluster.UDP }) {
		p.cost("UDP clients that keep their port may go on to where they were sent before, until the node forgets them")
	}
}

func (p *planner) providerFacts() provider.Facts {
	return provider.Facts{Snapshot: p.Snapshot, Service: p.Facts.Service, Surroundings: p.Surroundings}
}

// losesAddress says what happens to the client's address when the policy becomes Cluster, and who depends on it.
func (p *planner) losesAddress() {
	s := p.Facts.Service
	switch p.Provider.KeepsAddress(s) {
	case cluster.Yes:
		p.gain("the pods go on to learn the client's address")
		return
	case cluster.No:
		p.gain("the pods do not see the client's address now either: the load balancer puts its own in its place")
		return
	case cluster.Undetermined:
	}
	p.cost("the pods no longer see the client's address, but a node's")
	if len(s.SourceRanges) > 0 {
		p.cost("loadBalancerSourceRanges still holds: it is judged before the address is changed")
	}
	need := Precondition{Name: "client-ip-unused", Holds: cluster.Yes, Message: "nothing was found that depends on the client's address"}
	found := dependents(p.Surroundings)
	if len(found) > 0 {
		need.Holds, need.Risk, need.Evidence = cluster.No, LosesClientIP, found
		facts := make([]string, len(found))
		for i, e := range found {
			facts[i] = e.Source
		}
		need.Message = fmt.Sprintf("%s on the client's address: %s", plural(len(found), "object depends", "objects depend"), named(facts))
	} else if gap := p.dependentsGap(); gap != nil {
		need.Holds, need.Risk = cluster.Undetermined, LosesClientIP
		need.Message = fmt.Sprintf("who depends on the client's address is not known: %s could not be read", gap.Resource)
		need.Evidence = gapEvidence(gap)
	}
	p.need(need)
}

func (p *planner) dependentsGap() *cluster.Gap {
	resources := []string{networkPolicies, ciliumPolicies}
	if len(p.Facts.Service.Ingress) > 0 {
		resources = append(resources, ingresses)
	}
	if len(p.Surroundings.Pods) == 0 {
		// Which policies select the pods cannot be told without them.
		resources = append(resources, pods)
	}
	for _, resource := range resources {
		if gap := p.Surroundings.Gap(resource, ""); gap != nil {
			return gap
		}
	}
	return nil
}

func gapEvidence(g *cluster.Gap) []finding.Evidence {
	source := g.Verb + " " + g.Resource
	if g.Namespace != "" {
		source += " in namespace " + g.Namespace
	}
	return []finding.Evidence{{Fact: g.Message, Source: source}}
}
