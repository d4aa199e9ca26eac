package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// What a finding advises about names depends on what names do: nothing is offered that is there already, or that would
// not help.
func TestRemediesByName(t *testing.T) {
	const text = `
dataplane kube-proxy/ipvs@v1.20.15 pods=ClusterCIDR:10.244.0.0/16
node a podcidr=10.244.1.0/24
node b podcidr=10.244.2.0/24
svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080
ep 10.244.1.10 node=a target=shop/web-1
`
	const rewritten = ".:53 {\n    rewrite name exact www.example.com web.shop.svc.cluster.local.\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n}\n"
	const proxied = "annotations=load-balancer.hetzner.cloud/uses-proxyprotocol=true etp=Local"
	for _, c := range []struct {
		name, text, corefile string
		modes                []string
		says, silent         string
	}{
		{"no rewrite", text, "", []string{"", "cluster", "dns"}, "clients inside the cluster can use web.shop", "CoreDNS"},
		{"a rewrite of another Service", text, strings.Replace(rewritten, "web.shop", "api.shop", 1), []string{"", "cluster", "dns"}, "clients inside the cluster can use web.shop", "CoreDNS"},
		{"a rewrite that is in place", text, rewritten, []string{"", "", "cluster"}, "CoreDNS already answers www.example.com with this Service", "--mode=dns"},
		{"backends that wait for a PROXY protocol header", strings.Replace(text, "etp=Local", proxied, 1), rewritten, []string{"cluster"}, "keeps the client IP", "No change needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := clustertest.Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			s.Corefile = c.corefile
			r := Diagnose(s)[0]
			i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Code == "ETP002" && f.Result == finding.Fail })
			if i < 0 {
				t.Fatalf("findings: %+v", r.Findings)
			}
			var modes []string
			said := ""
			for _, m := range r.Findings[i].Remedies {
				modes = append(modes, m.Mode)
				said += m.Text + "   " + m.Gain + "\n"
			}
			if !slices.Equal(modes, c.modes) {
				t.Errorf("modes %q, want %q", modes, c.modes)
			}
			if !strings.Contains(said, c.says) || strings.Contains(said, c.silent) {
				t.Errorf("it says\n%s\nwant %q, and not %q", said, c.says, c.silent)
			}
		})
	}
}

// The nodes whose clients an effect concerns are counted with it, and not as fixed.
func TestComparisonWithEffects(t *testing.T) {
	s, err := clustertest.Parse("dataplane kube-proxy/ipvs@v1.20.15 pods=ClusterCIDR:10.244.0.0/16\nnode a podcidr=10.244.1.0/24 provider-id=cn-hangzhou.i-a\nnode b podcidr=10.244.2.0/24 provider-id=cn-hangzhou.i-b\n" +
		"svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080\nep 10.244.1.10 node=a target=shop/web-1\n")
	if err != nil {
		t.Fatal(err)
	}
	before := Diagnose(s)[0]
	plan, err := remedy.Make(remedy.Hostname, &remedy.Facts{
		Snapshot: s, Service: before.Service, Provider: before.Provider, Findings: before.Findings, Surroundings: &cluster.Surroundings{},
	}, remedy.Options{Hosts: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	after := Diagnose(plan.Simulate(s))[0]
	c := Compare(&before, &after).With(&before, plan.Effects)
	if !slices.Equal(c.FixedNodes, []string{"b"}) || !slices.Equal(c.BrokenNodes, []string{"a"}) || c.Failing != 1 {
		t.Errorf("fixed %v, broken %v, failing %d", c.FixedNodes, c.BrokenNodes, c.Failing)
	}
}
