package remedy

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// local plans externalTrafficPolicy Local. With AntiAffinity or Spread it plans that first, because the nodes that lose traffic are those without a pod after it.
func (p *planner) local(with []Mode) {
	if !p.applies() {
		return
	}
	for _, mode := range with {
		if mode == Spread {
			p.place(spread)
		} else {
			p.place(antiAffinity)
		}
	}
	fields := p.policy(cluster.PolicyLocal)
	if len(fields) == 0 {
		return
	}
	p.someReady()
	wanted := p.providers(p.Provider.ToLocal(p.providerFacts()))
	p.change(append(fields, wanted...))
	if len(p.ByHand) > 0 {
		p.Changes, p.effects = nil, nil
	}
	p.stopReceiving()
	p.insideAfter()
	p.showsClientIP()
	p.gain("a connection from outside takes no extra hop")
	p.flipCosts()
	if p.Facts.Service.Type == cluster.TypeLoadBalancer {
		p.cost("the API server allocates a health check node port, which the load balancer must be able to reach on every node")
	}
}

// showsClientIP says whether pods see the client IP with policy Local.
func (p *planner) showsClientIP() {
	back := finding.ClientIPAfter(p.Snapshot, p.Facts.Service, p.Provider, dataplane.New(p.Snapshot, p.after()).Path, dataplane.New(p.Snapshot, p.Facts.Service).Path)
	switch back.Effect {
	case finding.ClientIPLost:
		p.gain("pods see the client IP")
	case finding.ClientIPMayBeLost:
		p.gain("pods may see the client IP; this is not known for certain")
	case finding.ClientIPKept:
		p.cost("policy Local does not change the client IP: pods see the same address with policy Cluster")
	case finding.ClientIPHidden:
	}
}

// someReady checks that a node has a ready endpoint: otherwise no node would get traffic.
func (p *planner) someReady() {
	s := p.Facts.Service
	need := Precondition{Name: "ready-endpoint", Evidence: []finding.Evidence{{Source: "endpointslices of " + s.Namespace + "/" + s.Name}}}
	nodes := map[string]bool{}
	for i := range s.Endpoints {
		if e := &s.Endpoints[i]; e.Ready && p.Snapshot.NodeIndex(e.Node) >= 0 {
			nodes[e.Node] = true
		}
	}
	need.Evidence[0].Fact = fmt.Sprintf("%s on %s", english.Count(s.ReadyBackends(), "ready endpoint", ""), english.Count(len(nodes), "node", ""))
	switch {
	case !s.EndpointsKnown:
		need.Risk, need.Message = "no-endpoint", "it is not known whether any node has a ready endpoint: the EndpointSlices could not be read"
		need.Evidence[0].Fact = "no EndpointSlice was read"
	case len(nodes) == 0:
		need.Holds, need.Risk, need.Message = cluster.No, "no-endpoint", "no node has a ready endpoint, so with policy Local no node would get traffic"
	default:
		need.Holds, need.Message = cluster.Yes, need.Evidence[0].Fact
	}
	p.need(need)
	if len(nodes) == 1 {
		p.cost("all traffic from outside then depends on one node")
	}
}

// stopReceiving says which nodes get no more connections from outside.
func (p *planner) stopReceiving() {
	if p.Provider.Backends == provider.Pods {
		return
	}
	counts, _ := dataplane.Counts(p.Snapshot, p.after())
	var names []string
	of := 0
	for i := range p.Snapshot.Nodes {
		n := &p.Snapshot.Nodes[i]
		if n.IsVirtual() {
			continue
		}
		of++
		if counts[i].Ready == 0 {
			names = append(names, n.Name)
		}
	}
	switch {
	case !p.Facts.Service.EndpointsKnown:
	case len(names) > 0:
		p.cost(fmt.Sprintf("%d of %d nodes get no more connections from outside, because they have no ready endpoint: %s", len(names), of, english.Some(names)))
	case of > 0:
		p.gain("every node has a ready endpoint, so every node still gets traffic")
	}
}

// insideAfter predicts whether connections from inside the cluster that work now fail after the change. With policy Local they often do, so an outcome that is not known
// after the change counts against it, even if it is not known now either. With policy Cluster they rarely do (internalTrafficPolicy Local is one reason), so only outcomes
// that are known now count.
func (p *planner) insideAfter() {
	changed := p.after()
	before, after := p.reachedNow(), p.reachedLater()
	local := changed.ExternalTrafficPolicy == cluster.PolicyLocal
	need := Precondition{Name: "in-cluster-clients", Holds: cluster.Yes, Message: "no client inside the cluster that works now is expected to stop working"}
	places := []struct {
		from dataplane.From
		who  string
	}{{dataplane.Pod, "pods"}, {dataplane.Node, "processes on the host network"}}
	for _, place := range places {
		was, now := before[place.from], after[place.from]
		unknown := now.unknown
		if !local || p.Mode == Hostname {
			unknown = newly(now.unknown, was.unknown)
		}
		switch fails := newly(now.fails, was.fails); {
		case len(fails) > 0:
			need.Holds = cluster.No
			need.Message = fmt.Sprintf("%s on %d of %d nodes could no longer reach the address: %s", place.who, len(fails), now.of, english.Some(fails))
			need.Evidence = p.ruleEvidence(now.rules[fails[0]])
		case len(unknown) > 0 && need.Holds == cluster.Yes:
			need.Holds = cluster.Undetermined
			need.Message = fmt.Sprintf("cannot tell whether %s on %d of %d nodes could reach the address: %s", place.who, len(unknown), now.of, english.Some(unknown))
			need.Evidence = p.ruleEvidence(now.rules[unknown[0]])
		}
		if need.Holds == cluster.No {
			break
		}
	}
	if n := max(len(after[dataplane.Pod].unknown), len(after[dataplane.Node].unknown)); n > 0 && need.Holds == cluster.Yes {
		need.Message += fmt.Sprintf("; for clients on %d of %d nodes this is not known, neither before nor after the change", n, after[dataplane.Pod].of)
	}
	if gap := nodesGap(p.Snapshot); gap != nil && need.Holds == cluster.Yes && local {
		need.Holds, need.Evidence = cluster.Undetermined, gapEvidence(gap)
		need.Message = "cannot tell whether clients inside the cluster would fail: the nodes could not be listed, so the nodes without endpoints are not known"
	}
	p.sentBack(&need, before[dataplane.Pod], after[dataplane.Pod])
	if need.Holds != cluster.Yes {
		need.Risk = BreaksInside
	}
	p.need(need)
}

// sentBack adds to a precondition what happens to clients whose connections the load balancer may send back to their own node after the change, but not before it.
func (p *planner) sentBack(need *Precondition, before, after *reached) {
	back := newly(after.back, before.back)
	if len(back) == 0 {
		return
	}
	changed := p.after()
	holds, reason := p.providerOf(changed).Hairpins()
	effect := Effect{Kind: Breaks, Nodes: back, Message: fmt.Sprintf("clients on %d of %d nodes fail whenever the load balancer picks a backend on their own node: %s", len(back), after.of, english.Some(back))}
	if holds == cluster.Undetermined {
		effect.Kind = MayBreak
		effect.Message = fmt.Sprintf("clients on %d of %d nodes may fail whenever the load balancer picks a backend on their own node: %s", len(back), after.of, english.Some(back))
	}
	p.Effects = append(p.Effects, effect)
	// If it is not known, it counts against mode hostname, which sends clients inside to the load balancer. For other modes it is only shown.
	if need.Holds == cluster.No || holds == cluster.Undetermined && p.Mode != Hostname {
		return
	}
	need.Holds, need.Message = worse(need.Holds, holds), effect.Message
	need.Evidence = []finding.Evidence{{Fact: reason, Source: "load balancer: " + p.Provider.Title}}
}

// newly are the names in now that are not in was.
func newly(now, was []string) []string {
	known := make(map[string]bool, len(was))
	for _, name := range was {
		known[name] = true
	}
	var list []string
	for _, name := range now {
		if !known[name] {
			list = append(list, name)
		}
	}
	return list
}

// ruleEvidence is a rule of the data plane, and how the data plane was detected.
func (p *planner) ruleEvidence(r *dataplane.Rule) []finding.Evidence {
	list := []finding.Evidence{{Fact: r.Reason, Source: r.Source}}
	if d := &p.Snapshot.Dataplane; d.Source != "" {
		words := strings.Fields(fmt.Sprintf("data plane is %s %s %s", d.Name, d.Mode, d.Version))
		list = append(list, finding.Evidence{Fact: strings.Join(words, " "), Source: d.Source})
	}
	return list
}
