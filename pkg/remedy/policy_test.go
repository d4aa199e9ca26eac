package remedy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// story is a cluster in which connections from inside fail on the node without a pod.
const story = `
dataplane kube-proxy/ipvs@v1.20.15 pods=ClusterCIDR:172.20.0.0/16 source="configmap kube-system/kube-proxy"
node a zone=h ip=10.0.1.11 podcidr=172.20.0.0/25 provider-id=cn-hangzhou.i-a
node b zone=h ip=10.0.1.12 podcidr=172.20.0.128/25 provider-id=cn-hangzhou.i-b
svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.10 port=http:80:30080
ep 10.0.1.105 node=a target=shop/web-1
`

// facts of a cluster in clustertest's lines, with findings of these codes.
func facts(t *testing.T, text string, codes ...string) *Facts {
	t.Helper()
	s, err := clustertest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	f := &Facts{Snapshot: s, Service: &s.Services[0], Surroundings: &cluster.Surroundings{}}
	f.Provider = provider.Of(s, f.Service)
	for _, code := range codes {
		f.Findings = append(f.Findings, finding.Finding{Code: code, Result: finding.Fail})
	}
	return f
}

func plan(t *testing.T, mode Mode, f *Facts, o Options) *Plan {
	t.Helper()
	p, err := Make(mode, f, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClusterFlipsPolicyAndKeepsTheHealthCheckPort(t *testing.T) {
	f := facts(t, story, "ETP002", "ETP003", "ETP008")
	p := plan(t, Cluster, f, Options{})
	want := []Change{{Object: p.Service, Fields: []Field{
		{Path: []string{"spec", "externalTrafficPolicy"}, Was: "Local", Now: "Cluster"},
		{Path: []string{"spec", "healthCheckNodePort"}, Was: int64(32000), Follows: true},
	}}}
	if diff := cmp.Diff(want, p.Changes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ETP002", "ETP003", "ETP008"}, p.Fixes); diff != "" {
		t.Error(diff)
	}
	after := p.Simulate(f.Snapshot)
	if after.Services[0].ExternalTrafficPolicy != cluster.PolicyCluster || after.Services[0].HealthCheckNodePort != 0 {
		t.Errorf("after: %+v", after.Services[0])
	}
	if f.Service.ExternalTrafficPolicy != cluster.PolicyLocal || f.Service.HealthCheckNodePort != 32000 {
		t.Errorf("the snapshot was changed: %+v", f.Service)
	}
}
