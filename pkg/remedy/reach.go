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

// reached is on which nodes some connection to a published address fails, or is not known to work.
type reached struct {
	fails, works, unknown []string
	// back are the nodes whose connections leave for the load balancer, which may send them back to the same node and is not known to be able to.
	back []string
	of   int
	// rules decided, by the node's name.
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

// reach predicts connections to every published address and every port that is served, from each place: from nodes and pods to the addresses; from outside as the load
// balancer hands them to a node, or to the node port where there is none.
func (p *planner) reach(svc *cluster.Service) map[dataplane.From]*reached {
	out := map[dataplane.From]*reached{}
	for _, from := range []dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
		out[from] = &reached{rules: map[string]*dataplane.Rule{}}
	}
	predictor := dataplane.New(p.Snapshot, svc)
	published := dataplane.PublishedAndServed(svc)
	sendsBack := p.sendsBack(svc)
	// Where there is an address, clients inside use that; else the node port is all that there is.
	addressed := slices.ContainsFunc(published, func(t dataplane.Target) bool { return t.To != dataplane.NodePort })
	for i := range p.Snapshot.Nodes {
		n := &p.Snapshot.Nodes[i]
		if n.VirtualKubelet {
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

// providerOf is the load balancer before one state of the Service.
func (p *planner) providerOf(svc *cluster.Service) provider.LoadBalancer {
	if svc == p.Facts.Service {
		return p.Provider
	}
	return provider.Of(p.Snapshot, svc)
}

// sendsBack tells of a node whether the load balancer may send a connection from there back to the same node, and is not known to be able to: any node with policy
// Cluster, and one with a ready endpoint with Local or where the load balancer sends to pods.
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

// reachedNow is what connections come to as things are.
func (p *planner) reachedNow() map[dataplane.From]*reached {
	if p.now.reached == nil {
		p.now.reached = p.reach(p.Facts.Service)
	}
	return p.now.reached
}

// reachedLater is what connections come to after the change as far as it is planned.
func (p *planner) reachedLater() map[dataplane.From]*reached {
	if p.later.reached == nil || p.later.effects != len(p.effects) {
		p.later.effects, p.later.reached = len(p.effects), p.reach(p.after())
	}
	return p.later.reached
}

// after is the Service as it would be.
func (p *planner) after() *cluster.Service {
	// The Service of the facts need not be one of the snapshot's own.
	s := p.Simulate(&cluster.Snapshot{Services: []cluster.Service{*p.Facts.Service}, Nodes: p.Snapshot.Nodes})
	return &s.Services[0]
}

// fixes are those of the codes that were found, and that the change takes away as far as can be predicted.
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
		}
		fixed = append(fixed, code)
	}
	return fixed
}

// failed says whether a finding of that code was made.
func (p *planner) failed(code string) bool {
	return slices.ContainsFunc(p.Findings, func(f finding.Finding) bool { return f.Code == code && f.Result == finding.Fail })
}

func lower(s string) string { return strings.ToLower(s) }
