package report

import (
	"reflect"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// The verdict counts nodes by the worst that their connections get, for served ports only, and keeps what is not known
// apart from what fails.
func TestVerdict(t *testing.T) {
	const nodes = `
dataplane kube-proxy/ipvs@v1.20.15 pods=ClusterCIDR:10.244.0.0/16
node a podcidr=10.244.1.0/24
node b podcidr=10.244.2.0/24
`
	const unknown = "node a podcidr=10.244.1.0/24\nnode b podcidr=10.244.2.0/24\n"
	type numbers struct{ Of, Failing, Partly, Unknown, HandedOn int }
	for _, c := range []struct {
		name, text                    string
		pods, hosts, nodePorts, extIP numbers
		alike, balanced               bool
		unserved, targets             int
	}{
		{
			"Local, ipvs", nodes + "svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080\nep 10.244.1.10 node=a target=shop/web-1\n",
			numbers{2, 1, 0, 0, 0},
			numbers{2, 1, 0, 0, 0},
			numbers{},
			numbers{},
			true, true, 0, 1,
		},
		{
			"a port that nothing serves", nodes + "svc shop/web LoadBalancer etp=Cluster ingress=203.0.113.7 port=http:80:30080,https:443:30443\nep 10.244.1.10 node=a target=shop/web-1 port=http:8080\n",
			numbers{Of: 2},
			numbers{Of: 2},
			numbers{},
			numbers{},
			true, true, 1, 0,
		},
		{
			"node ports", nodes + "svc shop/web NodePort etp=Local port=http:80:30080\nep 10.244.1.10 node=a target=shop/web-1\n",
			numbers{Of: 2, Failing: 1},
			numbers{Of: 2, Failing: 1},
			numbers{Of: 2, Failing: 1},
			numbers{},
			true, false, 0, 1,
		},
		{
			"external IP", nodes + "svc shop/web ClusterIP etp=Cluster external-ip=198.51.100.7 port=http:80\nep 10.244.1.10 node=a target=shop/web-1\n",
			numbers{Of: 2},
			numbers{Of: 2},
			numbers{},
			numbers{Of: 2},
			true, false, 0, 0,
		},
		{
			"data plane unknown", unknown + "svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080\nep 10.244.1.10 node=a target=shop/web-1\n",
			numbers{Of: 2, Unknown: 2},
			numbers{Of: 2, Unknown: 2},
			numbers{},
			numbers{},
			true, true, 0, 1,
		},
		{
			"no address yet", nodes + "svc shop/web LoadBalancer etp=Local hc=32000 port=http:80:30080\nep 10.244.1.10 node=a target=shop/web-1\n",
			numbers{},
			numbers{},
			numbers{},
			numbers{},
			true, false, 0, 0,
		},
		{
			"left to the load balancer", nodes + "svc shop/web LoadBalancer etp=Local hc=32000 ingress=lb.example.com port=http:80:30080\nep 10.244.1.10 node=a target=shop/web-1\n",
			numbers{Of: 2, HandedOn: 2},
			numbers{Of: 2, HandedOn: 2},
			numbers{},
			numbers{},
			true, true, 0, 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := clustertest.Parse(c.text)
			if err != nil {
				t.Fatal(err)
			}
			r := Diagnose(s)[0]
			v := r.Verdict
			count := func(to Reach) numbers {
				return numbers{to.Of, to.Failing.Nodes, to.Partly.Nodes, to.Unknown.Nodes, to.HandedOn.Nodes}
			}
			for _, part := range []struct {
				name      string
				got, want numbers
			}{{"pods", count(v.Pods), c.pods}, {"hosts", count(v.Hosts), c.hosts}, {"node ports", count(v.NodePorts), c.nodePorts}, {"external IPs", count(v.ExternalIPs), c.extIP}} {
				if part.got != part.want {
					t.Errorf("%s: %+v, want %+v", part.name, part.got, part.want)
				}
			}
			targets := len(v.Pods.Failing.Targets) + len(v.Pods.Unknown.Targets) + len(v.Pods.HandedOn.Targets)
			if v.Alike != c.alike || v.Balanced != c.balanced || len(v.Unserved) != c.unserved || targets != c.targets {
				t.Errorf("alike %v, balanced %v, unserved %v, targets %v", v.Alike, v.Balanced, v.Unserved, v.Pods)
			}
			// A part of the map changes nothing of it.
			r.Only([]string{"b"})
			if !reflect.DeepEqual(v, r.Verdict) {
				t.Errorf("of one node: %+v, of all: %+v", r.Verdict, v)
			}
		})
	}
}

// The share of connections that fail from outside is that of the worst port that something serves.
func TestVerdictOutside(t *testing.T) {
	s, err := clustertest.Parse(`
dataplane kube-proxy/ipvs@v1.36.3 pods=ClusterCIDR:10.244.0.0/16
node a podcidr=10.244.1.0/24 provider-id=gce://p/z/a
node b podcidr=10.244.2.0/24 provider-id=gce://p/z/b
svc shop/web LoadBalancer etp=Cluster ingress=203.0.113.7 port=http:80:30080,https:443:30443
ep 10.244.1.10 node=a target=shop/web-1 port=http:8080
`)
	if err != nil {
		t.Fatal(err)
	}
	r := Diagnose(s)[0]
	if v := r.Verdict; !v.Balanced || v.Outside.Outcome != dataplane.Reachable || len(v.Failing) > 0 || r.Outside.Outcome == dataplane.Reachable {
		t.Errorf("of the port that is served: %+v, failing %v; of all ports: %+v", v.Outside, v.Failing, r.Outside)
	}
	if got := r.Verdict.Unserved; len(got) != 1 || got[0].Port != 443 {
		t.Errorf("unserved: %+v", got)
	}
}
