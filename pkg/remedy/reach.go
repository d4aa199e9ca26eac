package remedy

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// reached is on which nodes some connection to a published address fails, or is not known to work.
type reached struct {
	fails, unknown []string
	of             int
	// rules decided, by the node's name.
	rules map[string]*dataplane.Rule
}

// reach predicts connections to every published address and every port that is served, from each place: from nodes and pods to the addresses; from outside as the load
// balancer hands them to a node, or to the node port where there is none.
func (p *planner) reach(svc *cluster.Service) map[dataplane.From]*reached {
	out := map[dataplane.From]*reached{}
	for _, from := range []dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
		out[from] = &reached{rules: map[string]*dataplane.Rule{}}
	}
	predictor := dataplane.New(p.Snapshot, svc)
	published := targets(svc)
	for i := range p.Snapshot.Nodes {
		n := &p.Snapshot.Nodes[i]
		if n.VirtualKubelet {
			continue
		}
		for from, r := range out {
			worst, tried := dataplane.Reachable, false
			var why *dataplane.Rule
			for _, t := range published {
				if t.To == dataplane.NodePort && (from != dataplane.External || svc.Type == cluster.TypeLoadBalancer) {
					continue
				}
				t.Node, tried = i, true
				t.Arrives = from == dataplane.External && t.To == dataplane.LoadBalancerIP && (p.Provider.KeepsDestination || svc.Ports[t.Port].NodePort == 0)
				path := predictor.Path(dataplane.Client{From: from, Node: i}, t)
				switch path.Outcome {
				case dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable, dataplane.Partial:
					worst, why = dataplane.Refused, path.Rule
				case dataplane.Unknown:
					if worst == dataplane.Reachable {
						worst, why = dataplane.Unknown, path.Rule
					}
				case dataplane.Reachable, dataplane.ViaLoadBalancer:
				}
			}
			if tried {
				r.of++
			}
			switch worst {
			case dataplane.Refused:
				r.fails, r.rules[n.Name] = append(r.fails, n.Name), why
			case dataplane.Unknown:
				r.unknown, r.rules[n.Name] = append(r.unknown, n.Name), why
			default:
			}
		}
	}
	return out
}

// targets are the addresses that are published for clients, and the node port, at every port that some ready endpoint serves.
func targets(svc *cluster.Service) (all []dataplane.Target) {
	for i := range svc.Ports {
		port := &svc.Ports[i]
		if svc.EndpointsKnown && !slices.ContainsFunc(svc.Endpoints, func(e cluster.Endpoint) bool {
			return e.Ready && slices.ContainsFunc(e.Ports, func(s cluster.EndpointPort) bool { return s.Name == port.Name && s.Protocol == port.Protocol })
		}) {
			continue
		}
		for _, in := range svc.Ingress {
			if in.IP.IsValid() {
				all = append(all, dataplane.Target{To: dataplane.LoadBalancerIP, Address: in.IP, IPMode: in.IPMode, Port: i})
			} else {
				all = append(all, dataplane.Target{To: dataplane.LoadBalancerHostname, Hostname: in.Hostname, Port: i})
			}
		}
		for _, a := range svc.ExternalIPs {
			all = append(all, dataplane.Target{To: dataplane.ExternalIP, Address: a, Port: i})
		}
		if port.NodePort != 0 {
			all = append(all, dataplane.Target{To: dataplane.NodePort, Port: i})
		}
	}
	return all
}

// after is the Service as it would be.
func (p *planner) after() *cluster.Service {
	// The Service of the facts need not be one of the snapshot's own.
	s := p.Simulate(&cluster.Snapshot{Services: []cluster.Service{*p.Facts.Service}, Nodes: p.Snapshot.Nodes})
	return &s.Services[0]
}

// cures are those of the codes that were found, and that the change takes away as far as can be predicted.
func (p *planner) cures(codes ...string) (cured []string) {
	var before, after map[dataplane.From]*reached
	fewer := func(from dataplane.From) bool {
		if before == nil {
			before, after = p.reach(p.Facts.Service), p.reach(p.after())
		}
		return len(after[from].fails) < len(before[from].fails)
	}
	for _, code := range codes {
		if !p.failed(code) || slices.Contains(cured, code) {
			continue
		}
		switch code {
		case "ETP002":
			if !fewer(dataplane.Pod) {
				continue
			}
		case "ETP003":
			if !fewer(dataplane.Node) {
				continue
			}
		case "ETP025":
			if !fewer(dataplane.External) {
				continue
			}
		}
		cured = append(cured, code)
	}
	return cured
}

// failed says whether a finding of that code was made.
func (p *planner) failed(code string) bool {
	return slices.ContainsFunc(p.Findings, func(f finding.Finding) bool { return f.Code == code && f.Result == finding.Fail })
}

func lower(s string) string { return strings.ToLower(s) }
