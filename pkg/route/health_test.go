package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// answers are what the nodes of a cluster answer to the health check of its Service's load balancer, each "yes" or the
// reason and the rule.
func answers(t *testing.T, text string) string {
	t.Helper()
	s, err := clustertest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	svc := &s.Services[0]
	predictor := dataplane.New(s, svc)
	counts, _ := dataplane.Counts(s, svc)
	rows := make([]Row, len(s.Nodes))
	for i := range rows {
		rows[i] = Row{Node: &s.Nodes[i], Index: i, Endpoints: counts[i]}
		if live, ok := svc.Live[s.Nodes[i].Name]; ok {
			rows[i].Live = &live
		}
		for _, target := range dataplane.Targets(svc) {
			target.Node = i
			if target.To == dataplane.NodePort {
				rows[i].Paths = append(rows[i].Paths, predictor.Path(dataplane.Client{From: dataplane.External, Node: i}, target))
			}
		}
	}
	Balance(s, svc, provider.Of(s, svc), rows)
	var got []string
	for i := range rows {
		word := "yes"
		if r := rows[i].LoadBalancer; r.Receives != cluster.Yes {
			word = fmt.Sprintf("%s %s", r.Reason, r.Rule.ID)
		}
		got = append(got, word)
	}
	return strings.Join(got, "; ")
}

// What a node answers to the health check of a load balancer, by data plane and release, as their sources have it. Node
// a has the only endpoint.
func TestAnswers(t *testing.T) {
	const (
		plane  = "dataplane kube-proxy/iptables@v1.36.3 pods=ClusterCIDR:10.244.0.0/16\n"
		do     = "node a,b podcidr=auto ip=192.0.2.1 provider-id=digitalocean://1\n"
		hz     = "node a,b podcidr=auto ip=192.0.2.1 provider-id=hcloud://1\n"
		local  = "svc shop/web LoadBalancer etp=Local hc=32000 cluster-ip=10.96.0.9 ingress=203.0.113.7 port=http:80:30080\n"
		spread = "svc shop/web LoadBalancer etp=Cluster cluster-ip=10.96.0.9 ingress=203.0.113.7 port=http:80:30080\n"
		ready  = "ep 10.244.1.10 node=a\n"
	)
	for _, c := range []struct{ name, cluster, want string }{
		// pkg/proxy/healthcheck/service_health.go: 200 where the node has a ready endpoint, 503 where it has none;
		// terminating ones do not count.
		{"health check node port", plane + do + local + ready, "yes; NoLocalEndpoint LB-02"},
		{"health check node port, terminating", plane + do + local + "ep 10.244.1.10 node=a conditions=serving+terminating\n", "NoLocalEndpoint LB-02; NoLocalEndpoint LB-02"},
		{"the node itself fails", plane + do + local + ready + "live a fail 0\nlive b fail 0\n", "HealthCheckFails LB-11; HealthCheckFails LB-11"},
		{"the node itself passes, whatever the slices say", plane + do + local + ready + "live b pass 1\n", "yes; yes"},
		// kube-router serves health check node ports since v2.1.
		{"kube-router v2.0", "dataplane kube-router@v2.0.1\n" + do + local + ready, "NotKnown LB-13; NoLocalEndpoint LB-02"},
		{"kube-router v2.1", "dataplane kube-router@v2.1.0\n" + do + local + ready, "yes; NoLocalEndpoint LB-02"},
		{"a data plane that is not known", "dataplane unknown\n" + do + local + ready, "NotKnown LB-13; NoLocalEndpoint LB-02"},
		// nodePortAddresses hold for health check node ports since v1.23 (kubernetes/kubernetes pull 104742).
		{"nodePortAddresses elsewhere", strings.Replace(plane, "\n", " node-port-addresses=198.51.100.0/24\n", 1) + do + local + ready, "HealthCheckNotServed LB-12; NoLocalEndpoint LB-02"},
		{"nodePortAddresses elsewhere, v1.22", strings.Replace(strings.Replace(plane, "\n", " node-port-addresses=198.51.100.0/24\n", 1), "v1.36.3", "v1.22.17", 1) + do + local + ready, "yes; NoLocalEndpoint LB-02"},
		{"nodePortAddresses of the node", strings.Replace(plane, "\n", " node-port-addresses=192.0.2.0/24\n", 1) + do + local + ready, "yes; NoLocalEndpoint LB-02"},
		// Hetzner asks the node port: under Local a node without an endpoint drops the packet.
		{"node port, Local", plane + hz + local + ready, "yes; NoLocalEndpoint LB-14"},
		{"node port, Cluster", plane + hz + spread + ready, "yes; yes"},
		{"node port, Cluster without an endpoint", plane + hz + spread, "HealthCheckFails LB-14; HealthCheckFails LB-14"},
		{"node port of UDP alone", plane + hz + strings.Replace(spread, "http:80:30080", "dns:53:30053/UDP", 1) + "ep 10.244.1.10 node=a port=dns:53/UDP\n", "NotKnown LB-13; NotKnown LB-13"},
		// kube-proxy's own health at port 10256, under Cluster.
		{"kube-proxy's health", plane + do + spread + ready, "yes; yes"},
		{"another data plane need not serve it", "dataplane cilium@v1.18.0 replaces-kube-proxy=true\n" + do + spread + ready, "NotKnown LB-13; NotKnown LB-13"},
		{"k3s serves it on the loopback address only", strings.Replace(plane, "v1.36.3", "v1.36.3+k3s1", 1) + do + spread + ready, "NotKnown LB-13; NotKnown LB-13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := answers(t, c.cluster); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
