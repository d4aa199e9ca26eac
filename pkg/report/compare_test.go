package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

func TestCompareFindings(t *testing.T) {
	f := func(code string, r finding.Result) finding.Finding { return finding.Finding{Code: code, Result: r} }
	codes := func(list []finding.Finding) (out string) {
		for i := range list {
			out += list[i].Code + " "
		}
		return out
	}
	for _, c := range []struct {
		name                                  string
		before, after                         []finding.Finding
		fixed, introduced, unchanged, unclear string
	}{
		{"each of its kind", []finding.Finding{f("ETP002", finding.Fail), f("ETP008", finding.Fail)}, []finding.Finding{f("ETP008", finding.Fail), f("ETP051", finding.Fail)}, "ETP002 ", "ETP051 ", "ETP008 ", ""},
		{"not known any more", []finding.Finding{f("ETP002", finding.Fail)}, []finding.Finding{f("ETP002", finding.Unknown)}, "", "", "", "ETP002 "},
		{"not known before", []finding.Finding{f("ETP002", finding.Unknown)}, []finding.Finding{f("ETP002", finding.Fail)}, "", "", "", "ETP002 "},
		{"what passed or was not checked is nothing", []finding.Finding{f("ETP003", finding.Pass), f("ETP048", finding.NotChecked)}, []finding.Finding{f("ETP003", finding.NotChecked), f("ETP048", finding.Pass)}, "", "", "", ""},
		{"what passed before and fails now is introduced", []finding.Finding{f("ETP003", finding.Pass)}, []finding.Finding{f("ETP003", finding.Fail)}, "", "ETP003 ", "", ""},
		{"known now, and well", []finding.Finding{f("ETP002", finding.Unknown)}, nil, "", "", "", ""},
		{"no endpoint at all is no cure", []finding.Finding{f("ETP002", finding.Fail)}, []finding.Finding{f("ETP001", finding.Fail)}, "", "ETP001 ", "", "ETP002 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := web(), web()
			before.Findings, after.Findings = c.before, c.after
			got := Compare(&before, &after)
			want := [4]string{c.fixed, c.introduced, c.unchanged, c.unclear}
			if diff := cmp.Diff(want, [4]string{codes(got.Fixed), codes(got.Introduced), codes(got.Unchanged), codes(got.Unclear)}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompareNodes(t *testing.T) {
	path := func(from dataplane.From, to dataplane.To, o dataplane.Outcome, e dataplane.Endpoints) []dataplane.Path {
		return []dataplane.Path{{From: from, To: to, Outcome: o, Endpoints: e}}
	}
	fine := path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Reachable, dataplane.AllEndpoints)
	for _, c := range []struct {
		name     string
		paths    []dataplane.Path
		receives bool
		kind     cluster.ServiceType
		fails    bool
	}{
		{"refused", path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Refused, dataplane.NoEndpoints), false, cluster.TypeLoadBalancer, true},
		{"times out on the host", path(dataplane.Node, dataplane.ExternalIP, dataplane.TimedOut, dataplane.NoEndpoints), false, cluster.TypeLoadBalancer, true},
		{"sometimes", path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Partial, dataplane.EndpointsUnknown), false, cluster.TypeLoadBalancer, true},
		{"not known", path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Unknown, dataplane.EndpointsUnknown), false, cluster.TypeLoadBalancer, false},
		{"out to a load balancer without backends", path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.ViaLoadBalancer, dataplane.NoEndpoints), false, cluster.TypeLoadBalancer, true},
		{"out to a load balancer", path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.ViaLoadBalancer, dataplane.AllEndpoints), false, cluster.TypeLoadBalancer, false},
		{"from a load balancer that does not send there", path(dataplane.External, dataplane.LoadBalancerIP, dataplane.Refused, dataplane.NoEndpoints), false, cluster.TypeLoadBalancer, false},
		{"from a load balancer that does", path(dataplane.External, dataplane.LoadBalancerIP, dataplane.Refused, dataplane.NoEndpoints), true, cluster.TypeLoadBalancer, true},
		{"the node port of a NodePort Service", path(dataplane.External, dataplane.NodePort, dataplane.TimedOut, dataplane.NoEndpoints), false, cluster.TypeNodePort, true},
		{"the node port behind a load balancer that sends elsewhere", path(dataplane.External, dataplane.NodePort, dataplane.TimedOut, dataplane.NoEndpoints), false, cluster.TypeLoadBalancer, false},
		{"the cluster IP is no published address", path(dataplane.Pod, dataplane.ClusterIP, dataplane.Refused, dataplane.NoEndpoints), false, cluster.TypeLoadBalancer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad, good := web(), web()
			for i := range bad.Nodes {
				bad.Nodes[i].Paths, good.Nodes[i].Paths = fine, fine
			}
			bad.Service.Type = c.kind
			bad.Nodes[1].Paths, bad.Nodes[1].LoadBalancer.Receives = c.paths, cluster.Is(c.receives)
			var names []string
			failing, unsure := 0, 0
			switch {
			case c.fails:
				names, failing = []string{"b"}, 1
			case c.paths[0].Outcome == dataplane.Unknown:
				unsure = 1
			}
			if diff := cmp.Diff(Comparison{FixedNodes: names, Unsure: unsure}, Compare(&bad, &good)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(Comparison{BrokenNodes: names, Failing: failing, Unsure: unsure}, Compare(&good, &bad)); diff != "" {
				t.Error(diff)
			}
		})
	}
	// What failed and is not known any more has not been cured, and what was not known and fails has not been broken.
	failed, unknown := web(), web()
	for i := range failed.Nodes {
		failed.Nodes[i].Paths = path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Refused, dataplane.NoEndpoints)
		unknown.Nodes[i].Paths = path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Unknown, dataplane.EndpointsUnknown)
	}
	n := len(failed.Nodes)
	if diff := cmp.Diff(Comparison{Unsure: n}, Compare(&failed, &unknown)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Comparison{Failing: n, Unsure: n}, Compare(&unknown, &failed)); diff != "" {
		t.Error(diff)
	}
	// A node that comes or goes has neither been cured nor broken.
	before, after := web(), web()
	before.Nodes, after.Nodes = before.Nodes[:2], after.Nodes[1:]
	before.Nodes[0].Paths = path(dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Refused, dataplane.NoEndpoints)
	after.Nodes[1].Paths = before.Nodes[0].Paths
	if diff := cmp.Diff(Comparison{Failing: 1}, Compare(&before, &after)); diff != "" {
		t.Error(diff)
	}
}
