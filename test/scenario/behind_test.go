package scenario_test

import (
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/explain"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// decidedBehind are the rules that decide what becomes of connections from inside that go to the load balancer, from some
// of the nodes.
func decidedBehind(s *cluster.Snapshot, r *report.Report) (ids []string) {
	const most = 8
	if r.Service.Type != cluster.TypeLoadBalancer || r.Unsupported != "" {
		return nil
	}
	tracer := route.NewTracer(s, r.Service)
	for _, target := range dataplane.Targets(r.Service) {
		if target.To != dataplane.LoadBalancerIP && target.To != dataplane.LoadBalancerHostname {
			continue
		}
		for node := range min(most, len(s.Nodes)) {
			for _, from := range []dataplane.From{dataplane.Node, dataplane.Pod} {
				for _, h := range tracer.Of(route.Client{Client: dataplane.Client{From: from, Node: node}}, target).Hops {
					ids = append(ids, h.Why.ID, h.Choice.ID)
				}
			}
		}
	}
	return ids
}

// Every rule that decides on a connection behind the load balancer does so in a case, and every rule of a hop has a page.
func TestEveryRuleBehindTheLoadBalancerHasACase(t *testing.T) {
	decided := map[string]bool{}
	for _, file := range files(t) {
		_, snapshot := read(t, file)
		for _, r := range report.Diagnose(snapshot) {
			for _, id := range decidedBehind(snapshot, &r) {
				decided[id] = true
			}
		}
	}
	for _, r := range provider.RouteRules() {
		if !decided[r.ID] {
			t.Errorf("rule %s (%s) decided in no case", r.ID, r.Reason)
		}
	}
	for id := range decided {
		if page, ok := explain.Find(id); id != "" && (!ok || page.Group != explain.Rules) {
			t.Errorf("rule %s has no page", id)
		}
	}
}
