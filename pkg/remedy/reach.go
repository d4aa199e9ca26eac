package remedy

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// reached are the nodes on which a connection to a published address fails, on which all work, and on which it is not known whether all work.
type reached struct {
	fails, works, unknown []string
	// back are the nodes whose connections go to a load balancer that may send them back to the same node, and for which it is not known that this works.
	back []string
	of   int
	// rules are the rules that decided, by node name.
	rules map[string]*dataplane.Rule
}

func (r *reached) add(node string, works cluster.Tristate, why *dataplane.Rule) {
	switch works {
	case cluster.No:
		r.fails, r.rules[node] = append(r.fails, node), why
	case cluster.Undetermined:
		r.unknown, r.rules[node] = append(r.unknown, node), why
	case cluster.Yes:
		r.works = append(r.works, node)
	}
}

// reach predicts connections to every published address at every port that a ready endpoint serves: from the host network and from pods to the addresses, from outside as
// the load balancer sends them to a node, or to the node port if there is no load balancer.
func (p *planner) reach(svc *cluster.Service) map[dataplane.From]*reached {
	out := map[dataplane.From]*reached{}
	for _, from := range []dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
		out[from] = &reached{rules: map[string]*dataplane.Rule{}}
	}
	predictor := dataplane.New(p.Snapshot, svc)
	published := dataplane.PublishedAndServed(svc)
	sendsBack := p.sendsBack(svc)
	// Clients inside use the addresses; only without any address do they use the node port.
	addressed := slices.ContainsFunc(published, func(t dataplane.Target) bool { return t.To != dataplane.NodePort })
	for i := range p.Snapshot.Nodes {
		n := &p.Snapshot.Nodes[i]
		if n.IsVirtual() {
			continue
		}
		for from, r := range out {
			works, tried, leaves := cluster.Yes, false, false
			var why *dataplane.Rule
			for _, t := range published {
				if t.To == dataplane.NodePort && addressed && from != dataplane.External || !t.At(n) {
					continue
				}
				t.Node, tried = i, true
				if from == dataplane.External {
					t.Arrival = route.Arrival(p.Provider, svc, t)
				}
				path := predictor.Path(dataplane.Client{From: from, Node: i}, t)
				if w := path.Works(); w == cluster.No || w == cluster.Undetermined && works == cluster.Yes {
					works, why = w, path.Rule
				}
				leaves = leaves || path.Outcome == dataplane.ViaLoadBalancer && from != dataplane.External && t.To != dataplane.ExternalIP
			}
			if !tried {
				continue
			}
			r.of++
			if works == cluster.Yes && leaves && sendsBack(i) {
				r.back = append(r.back, n.Name)
			}
			r.add(n.Name, works, why)
		}
	}
	return out
}

// providerOf is the load balancer for one state of the Service.
func (p *planner) providerOf(svc *cluster.Service) provider.LoadBalancer {
	if svc == p.Facts.Service {
		return p.Provider
	}
	return provider.Of(p.Snapshot, svc)
}

// sendsBack says of a node whether the load balancer may send a connection back to the node that it came from, without it being known that this works. That is any node
// with policy Cluster; with policy Local, or if the load balancer sends to pods, only nodes with a ready endpoint.
func (p *planner) sendsBack(svc *cluster.Service) func(node int) bool {
	lb := p.providerOf(svc)
	if holds, _ := lb.Hairpins(); holds == cluster.Yes || svc.Type != cluster.TypeLoadBalancer {
		return func(int) bool { return false }
	}
	if svc.ExternalTrafficPolicy != cluster.PolicyLocal && lb.Backends != provider.Pods {
		return func(int) bool { return true }
	}
	counts, _ := dataplane.Counts(p.Snapshot, svc)
	return func(node int) bool { return counts[node].Ready > 0 }
}

// reachedNow are the outcomes of connections before the change.
func (p *planner) reachedNow() map[dataplane.From]*reached {
	if p.now.reached == nil {
		p.now.reached = p.reach(p.Facts.Service)
	}
	return p.now.reached
}

// reachedLater are the outcomes of connections after the effects planned so far.
func (p *planner) reachedLater() map[dataplane.From]*reached {
	if p.later.reached == nil || p.later.effects != len(p.effects) {
		p.later.effects, p.later.reached = len(p.effects), p.reach(p.after())
	}
	return p.later.reached
}

// after is the Service after the effects planned so far.
func (p *planner) after() *cluster.Service {
	// The Service of the facts may not be one of the snapshot.
	s := p.Simulate(&cluster.Snapshot{Services: []cluster.Service{*p.Facts.Service}, Nodes: p.Snapshot.Nodes})
	return &s.Services[0]
}

// fixes are those of the codes that failed and that the change is expected to fix.
func (p *planner) fixes(codes ...string) (fixed []string) {
	fewer := func(from dataplane.From) bool {
		return len(p.reachedLater()[from].fails) < len(p.reachedNow()[from].fails)
	}
	for _, code := range codes {
		if !p.failed(code) || slices.Contains(fixed, code) {
			continue
		}
		switch code {
		case finding.FailsFromPods:
			if !fewer(dataplane.Pod) {
				continue
			}
		case finding.FailsFromHost:
			if !fewer(dataplane.Node) {
				continue
			}
		case finding.NodePortOnSomeNodes:
			if !fewer(dataplane.External) {
				continue
			}
		case finding.BypassesLoadBalancer:
			if p.answersItself(p.after()) {
				continue
			}
		case finding.HealthAgainstPolicy:
			after := p.after()
			if _, still := p.providerOf(after).HealthConflict(after); still {
				continue
			}
		case finding.LocalHidesClientIP:
			if p.after().ExternalTrafficPolicy == cluster.PolicyLocal {
				continue
			}
		}
		fixed = append(fixed, code)
	}
	return fixed
}

// failed says whether the check of a code failed.
func (p *planner) failed(code string) bool {
	return slices.ContainsFunc(p.Findings, func(f finding.Finding) bool { return f.Code == code && f.Result == finding.Fail })
}

// answersItself says whether some node may handle a load balancer address of the Service itself, for clients inside the cluster.
func (p *planner) answersItself(svc *cluster.Service) bool {
	predictor := dataplane.New(p.Snapshot, svc)
	for _, t := range dataplane.PublishedAndServed(svc) {
		for i := range p.Snapshot.Nodes {
			if t.To != dataplane.LoadBalancerIP || p.Snapshot.Nodes[i].IsVirtual() {
				continue
			}
			t.Node = i
			for _, from := range []dataplane.From{dataplane.Pod, dataplane.Node} {
				if path := predictor.Path(dataplane.Client{From: from, Node: i}, t); path.Outcome != dataplane.ViaLoadBalancer {
					return true
				}
			}
		}
	}
	return false
}

func lower(s string) string { return strings.ToLower(s) }
