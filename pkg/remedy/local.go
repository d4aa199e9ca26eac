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

// local plans externalTrafficPolicy Local, and before it what keeps the pods apart where that is wanted too: the nodes that lose traffic are those without a pod then.
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
	p.gain("a connection from outside stays on the node that it comes to")
	p.flipCosts()
	if p.Facts.Service.Type == cluster.TypeLoadBalancer {
		p.cost("the API server gives the Service a health check node port, which the load balancer must be able to ask on every node")
	}
}

// showsClientIP says whether pods see the client IP with policy Local, as the data plane's rules have it for nodes that reach a pod.
func (p *planner) showsClientIP() {
	back := finding.ClientIPAfter(p.Snapshot, p.Facts.Service, p.Provider, dataplane.New(p.Snapshot, p.after()).Path, dataplane.New(p.Snapshot, p.Facts.Service).Path)
	switch back.Effect {
	case finding.ClientIPLost:
		p.gain("pods see the client IP")
	case finding.ClientIPMayBeLost:
		p.gain("pods may see the client IP; that is not certain")
	case finding.ClientIPKept:
		p.cost("Local gains no client IP: pods see the same address with policy Cluster")
	case finding.ClientIPHidden:
	}
}

// someReady: with no ready endpoint no node would receive anything.
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
		need.Risk, need.Message = "no-endpoint", "whether any node has a ready endpoint is not known: the EndpointSlices could not be read"
		need.Evidence[0].Fact = "no EndpointSlice was read"
	case len(nodes) == 0:
		need.Holds, need.Risk, need.Message = cluster.No, "no-endpoint", "no node has a ready endpoint, so with Local none would receive anything"
	default:
		need.Holds, need.Message = cluster.Yes, need.Evidence[0].Fact
	}
	p.need(need)
	if len(nodes) == 1 {
		p.cost("all connections from outside then depend on one node")
	}
}

// stopReceiving says which nodes take no more connections from outside.
func (p *planner) stopReceiving() {
	if p.Provider.Backends == provider.Pods {
		return
	}
	counts, _ := dataplane.Counts(p.Snapshot, p.after())
	var names []string
	of := 0
	for i := range p.Snapshot.Nodes {
		n := &p.Snapshot.Nodes[i]
		if n.VirtualKubelet {
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
		p.cost(fmt.Sprintf("%d of %d nodes stop receiving connections from outside, since they have no ready endpoint: %s", len(names), of, english.Some(names)))
	case of > 0:
		p.gain("every node has a ready endpoint, so none stops receiving")
	}
}

// insideAfter predicts whether connections from inside the cluster fail afterwards that do not fail now. With Local, what is not known afterwards counts whatever is
// known now: sending to some nodes only is what makes them fail. With Cluster they rarely do (an internalTrafficPolicy of Local is one way), and what was not known
// before is no reason against it.
func (p *planner) insideAfter() {
	changed := p.after()
	before, after := p.reachedNow(), p.reachedLater()
	local := changed.ExternalTrafficPolicy == cluster.PolicyLocal
	need := Precondition{Name: "in-cluster-clients", Holds: cluster.Yes, Message: "no client inside the cluster that works now is expected to fail"}
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
			need.Message = fmt.Sprintf("%s on %d of %d nodes would no longer reach the address: %s", place.who, len(fails), now.of, english.Some(fails))
			need.Evidence = p.ruleEvidence(now.rules[fails[0]])
		case len(unknown) > 0 && need.Holds == cluster.Yes:
			need.Holds = cluster.Undetermined
			need.Message = fmt.Sprintf("it is not known whether %s on %d of %d nodes would reach the address: %s", place.who, len(unknown), now.of, english.Some(unknown))
			need.Evidence = p.ruleEvidence(now.rules[unknown[0]])
		}
		if need.Holds == cluster.No {
			break
		}
	}
	if n := max(len(after[dataplane.Pod].unknown), len(after[dataplane.Node].unknown)); n > 0 && need.Holds == cluster.Yes {
		need.Message += fmt.Sprintf("; on %d of %d nodes it is not known whether they reach the address, neither now nor then", n, after[dataplane.Pod].of)
	}
	if gap := nodesGap(p.Snapshot); gap != nil && need.Holds == cluster.Yes && local {
		need.Holds, need.Evidence = cluster.Undetermined, gapEvidence(gap)
		need.Message = "it is not known whether clients inside the cluster would fail: the nodes could not be listed, and those without endpoints are the ones that matter"
	}
	p.sentBack(&need, before[dataplane.Pod], after[dataplane.Pod])
	if need.Holds != cluster.Yes {
		need.Risk = BreaksInside
	}
	p.need(need)
}

// sentBack adds to a check what becomes of clients whose connections the load balancer may send back to their own node, where that is not so before the change.
func (p *planner) sentBack(need *Precondition, before, after *reached) {
	back := newly(after.back, before.back)
	if len(back) == 0 {
		return
	}
	changed := p.after()
	holds, reason := p.providerOf(changed).Hairpins()
	effect := Effect{Kind: Breaks, Nodes: back, Message: fmt.Sprintf("clients on %d of %d nodes fail where the load balancer chooses a backend on their own node: %s", len(back), after.of, english.Some(back))}
	if holds == cluster.Undetermined {
		effect.Kind = MayBreak
		effect.Message = fmt.Sprintf("clients on %d of %d nodes may fail where the load balancer chooses a backend on their own node: %s", len(back), after.of, english.Some(back))
	}
	p.Effects = append(p.Effects, effect)
	// A mode that sends clients to the load balancer has to know what becomes of them there. To the others it is a thing to know.
	if need.Holds == cluster.No || holds == cluster.Undetermined && p.Mode != Hostname {
		return
	}
	need.Holds, need.Message = worse(need.Holds, holds), effect.Message
	need.Evidence = []finding.Evidence{{Fact: reason, Source: "load balancer: " + p.Provider.Title}}
}

// newly are the names of a list that are not in an earlier one.
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

// ruleEvidence is a rule of a data plane, and what the data plane was concluded from.
func (p *planner) ruleEvidence(r *dataplane.Rule) []finding.Evidence {
	list := []finding.Evidence{{Fact: r.Reason, Source: r.Source}}
	if d := &p.Snapshot.Dataplane; d.Source != "" {
		words := strings.Fields(fmt.Sprintf("data plane is %s %s %s", d.Name, d.Mode, d.Version))
		list = append(list, finding.Evidence{Fact: strings.Join(words, " "), Source: d.Source})
	}
	return list
}
