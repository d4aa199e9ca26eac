package remedy

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
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
	p.gain("every node accepts connections, also nodes without a pod of the Service")
	p.losesClientIP()
	if p.Provider.Backends != provider.Pods {
		p.cost("a connection may take an extra hop to another node")
	}
	p.flipCosts()
	if port := p.Facts.Service.HealthCheckNodePort; port != 0 {
		p.cost(fmt.Sprintf("health check node port %d is released; undo requests the same one, and gets another if it is in use by then", port))
	}
	p.change(append(fields, wanted...))
	p.insideAfter()
	p.outsideAfter()
	p.Fixes = p.fixes(finding.FailsFromPods, finding.FailsFromHost, finding.UnevenLoad, finding.SingleNode, finding.SendsToNoEndpoint, finding.NodePortOnSomeNodes,
		finding.HealthAgainstPolicy, finding.LocalHidesClientIP, finding.AnnouncerWithoutEndpoint, finding.AnnouncedByAnyNode)
}

// outsideAfter predicts whether connections from outside work on every node: with policy Cluster the load balancer may send to any of them.
func (p *planner) outsideAfter() {
	if p.Provider.Backends == provider.Pods {
		return
	}
	r := p.reachedLater()[dataplane.External]
	if len(r.fails) == 0 {
		return
	}
	p.need(Precondition{
		Name: "outside-clients", Holds: cluster.No, Risk: "breaks-outside-clients",
		Message:  fmt.Sprintf("with policy Cluster the load balancer may send to any node, and connections from outside would fail on %d of %d: %s", len(r.fails), r.of, english.Some(r.fails)),
		Evidence: p.ruleEvidence(r.rules[r.fails[0]]),
	})
}

// flipCosts are the costs of any change of the policy.
func (p *planner) flipCosts() {
	if slices.ContainsFunc(p.Facts.Service.Ports, func(port cluster.Port) bool { return port.Protocol == cluster.UDP }) {
		p.cost("UDP clients that keep their source port may reach the old endpoint until the connection tracking entry on the node expires")
	}
}

func (p *planner) providerFacts() provider.Facts {
	return provider.Facts{Snapshot: p.Snapshot, Service: p.Facts.Service, Surroundings: p.Surroundings}
}

// losesClientIP says what policy Cluster does to the client IP, and what depends on it.
func (p *planner) losesClientIP() {
	effect := p.clientIPWithCluster()
	p.ClientIP = effect
	switch effect.Effect {
	case finding.ClientIPKept:
		p.gain("client IP kept: " + effect.Reason)
		return
	case finding.ClientIPHidden:
		p.gain("client IP already hidden, so nothing is lost: " + effect.Reason)
		return
	case finding.ClientIPLost:
		p.cost("client IP lost: " + effect.Reason)
	case finding.ClientIPMayBeLost:
		p.cost("client IP may be lost: " + effect.Reason)
	}
	s := p.Facts.Service
	if len(s.SourceRanges) > 0 {
		p.cost("loadBalancerSourceRanges still works: it is checked before SNAT")
	}
	need := Precondition{Name: "client-ip-unused", Holds: cluster.Yes, Message: "nothing that depends on the client IP was found"}
	found := dependents(p.Surroundings)
	if len(found) > 0 {
		need.Holds, need.Risk, need.Evidence = cluster.No, LosesClientIP, found
		facts := make([]string, len(found))
		for i, e := range found {
			facts[i] = e.Source
		}
		need.Message = fmt.Sprintf("%s on the client IP: %s", english.Count(len(found), "object depends", "objects depend"), english.Some(facts))
	} else if gap := p.dependentsGap(); gap != nil {
		need.Holds, need.Risk = cluster.Undetermined, LosesClientIP
		need.Message = fmt.Sprintf("it is not known whether anything depends on the client IP: %s could not be read", gap.Resource)
		need.Evidence = gapEvidence(gap)
	}
	if need.Holds != cluster.Yes && effect.Effect == finding.ClientIPMayBeLost {
		need.Message += "; it may be lost"
	}
	if need.Holds != cluster.Yes && effect.Rule != nil {
		need.Evidence = append(need.Evidence, p.ruleEvidence(effect.Rule)...)
	}
	p.need(need)
}

// clientIPWithCluster is what externalTrafficPolicy Cluster does to the client IP.
func (p *planner) clientIPWithCluster() finding.ClientIP {
	flipped := *p.Facts.Service
	flipped.ExternalTrafficPolicy, flipped.HealthCheckNodePort = cluster.PolicyCluster, 0
	return finding.ClientIPAfter(p.Snapshot, p.Facts.Service, p.Provider,
		dataplane.New(p.Snapshot, p.Facts.Service).Path, dataplane.New(p.Snapshot, &flipped).Path)
}

func (p *planner) dependentsGap() *cluster.Gap {
	resources := []string{networkPolicies, ciliumPolicies}
	if len(p.Facts.Service.Ingress) > 0 {
		resources = append(resources, ingresses)
	}
	if len(p.Surroundings.Pods) == 0 {
		// Without the pods it is not known which policies select them.
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
