package report

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// web has three nodes, a, b and c, with 2, 1 and no ready endpoints.
func web() Report {
	r := Report{Service: &cluster.Service{
		Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, ExternalTrafficPolicy: cluster.PolicyLocal, EndpointsKnown: true,
		Ingress: []cluster.Ingress{{IP: netip.MustParseAddr("203.0.113.7")}},
		Ports:   []cluster.Port{{Protocol: cluster.TCP, Port: 80, NodePort: 30080}},
	}}
	for i, name := range []string{"a", "b", "c"} {
		r.Nodes = append(r.Nodes, Row{Node: &cluster.Node{Name: name, Known: true, Ready: cluster.Yes}, Endpoints: Counts{Ready: 2 - i}})
	}
	return r
}

func TestChanges(t *testing.T) {
	with := func(change func(*Report)) []Report {
		r := web()
		change(&r)
		return []Report{r}
	}
	same := func(*Report) {}
	found := func(code string, result finding.Result, severity finding.Severity, message string) func(*Report) {
		return func(r *Report) {
			r.Findings = append(r.Findings, finding.Finding{Code: code, Result: result, Severity: severity, Message: message})
		}
	}
	failing := func(code, message string) func(*Report) { return found(code, finding.Fail, finding.Error, message) }
	other := web()
	other.Service.Name = "other"
	for _, c := range []struct {
		name          string
		before, after []Report
		want          []string
	}{
		{"nothing", with(same), with(same), nil},
		{"the last endpoint of a node", with(same), with(func(r *Report) { r.Nodes[1].Endpoints.Ready = 0 }), []string{"node b lost its last ready endpoint"}},
		{"the first endpoint of a node", with(same), with(func(r *Report) { r.Nodes[2].Endpoints.Ready = 1 }), []string{"node c now has 1 ready endpoint, had none"}},
		{"fewer and more", with(same), with(func(r *Report) { r.Nodes[0].Endpoints.Ready, r.Nodes[1].Endpoints.Ready = 1, 3 }), []string{
			"node a has 1 ready endpoint, had 2", "node b has 3 ready endpoints, had 1",
		}},
		{"endpoints that could not be read are not lost", with(same), with(func(r *Report) {
			r.Service.EndpointsKnown = false
			r.Nodes[0].Endpoints.Ready = 0
		}), nil},
		{"readiness", with(same), with(func(r *Report) { r.Nodes[0].Node.Ready, r.Nodes[1].Node.Ready = cluster.No, cluster.Undetermined }), []string{
			"node a is not ready", "node b has an unknown Ready condition",
		}},
		{"a node that could not be read has not become unready", with(same), with(func(r *Report) {
			r.Nodes[0].Node.Known, r.Nodes[0].Node.Ready = false, cluster.Undetermined
		}), nil},
		{"a node goes", with(same), with(func(r *Report) { r.Nodes = r.Nodes[1:] }), []string{"node a is gone with 2 ready endpoints"}},
		{"a node comes", with(func(r *Report) { r.Nodes = r.Nodes[:2] }), with(same), []string{"node c appeared"}},
		{"a node is being deleted", with(same), with(func(r *Report) { r.Nodes[2].Node.Deleting = true }), []string{"node c is being deleted"}},
		{"the Service", with(same), with(func(r *Report) {
			r.Service.ExternalTrafficPolicy, r.Service.Ingress = cluster.PolicyCluster, nil
			r.Service.Ports[0].NodePort = 30081
		}), []string{
			"externalTrafficPolicy: Cluster, was Local", "load balancer address: <none>, was 203.0.113.7", "ports: 80:30081/TCP, was 80:30080/TCP",
		}},
		{"ipMode", with(same), with(func(r *Report) { r.Service.Ingress[0].IPMode = cluster.Proxy }), []string{
			"load balancer address: 203.0.113.7 (ipMode Proxy), was 203.0.113.7",
		}},
		{"findings come and go, and come first", with(failing("ETP008", "one node")), with(func(r *Report) {
			failing("ETP001", "no endpoints")(r)
			r.Nodes[1].Endpoints.Ready = 0
		}), []string{"ETP001 now: no endpoints", "ETP008 no longer: one node", "node b lost its last ready endpoint"}},
		{"a finding with another number", with(failing("ETP002", "1 of 3 nodes")), with(failing("ETP002", "2 of 3 nodes")), []string{
			"ETP002 now: 2 of 3 nodes (was: 1 of 3 nodes)",
		}},
		{"the same finding", with(failing("ETP002", "1 of 3 nodes")), with(failing("ETP002", "1 of 3 nodes")), nil},
		{"a finding becomes certain", with(found("ETP002", finding.Unknown, finding.Error, "cannot tell")), with(failing("ETP002", "2 of 3 nodes")), []string{
			"ETP002 now: 2 of 3 nodes",
		}},
		{"a finding becomes uncertain, which is not its end", with(failing("ETP002", "2 of 3 nodes")), with(found("ETP002", finding.Unknown, finding.Error, "cannot tell")), []string{
			"ETP002 now unknown: cannot tell",
		}},
		{"what passed becomes uncertain", with(found("ETP002", finding.Pass, finding.Error, "")), with(found("ETP002", finding.Unknown, finding.Error, "cannot tell")), []string{
			"ETP002 now unknown: cannot tell",
		}},
		{"what was uncertain is decided", with(found("ETP002", finding.Unknown, finding.Error, "cannot tell")), with(same), []string{
			"ETP002 no longer unknown: cannot tell",
		}},
		{"still unknown, in other words", with(found("ETP002", finding.Unknown, finding.Error, "1 node")), with(found("ETP002", finding.Unknown, finding.Error, "2 nodes")), nil},
		{"a finding gets worse", with(found("ETP027", finding.Fail, finding.Info, "1 endpoint")), with(found("ETP027", finding.Fail, finding.Error, "1 endpoint")), []string{
			"ETP027 now error, was info: 1 endpoint",
		}},
		{"one of two with the same code", with(func(r *Report) { failing("ETP049", "port a")(r); failing("ETP049", "port b")(r) }), with(failing("ETP049", "port a")), []string{
			"ETP049 no longer: port b",
		}},
		{"several Services are named", []Report{web(), other}, []Report{with(func(r *Report) { r.Nodes[1].Endpoints.Ready = 0 })[0], other}, []string{
			"shop/web: node b lost its last ready endpoint",
		}},
		{"a Service comes and another goes", []Report{web()}, []Report{other}, []string{"shop/other appeared", "shop/web is gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Changes(c.before, c.after)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
