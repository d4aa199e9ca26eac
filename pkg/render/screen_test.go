package render

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

var update = flag.Bool("update", false, "write the screens in testdata anew")

// wide100 is the terminal of most goldens.
var wide100 = Terminal{Interactive: true, Columns: 100, UTF8: true}

func plainStyle(t Terminal) *Style { return NewStyle(ColorNever, false, t) }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func version(s string) cluster.Version {
	v, ok := cluster.ParseVersion(s)
	if !ok {
		panic(s)
	}
	return v
}

// outcomes of a row: what a connection from outside, from the node and from a pod meets, and which endpoints it reaches.
type outcomes struct {
	external, node, pod dataplane.Outcome
	reach               dataplane.Endpoints
}

var (
	reachable = outcomes{dataplane.Reachable, dataplane.Reachable, dataplane.Reachable, dataplane.LocalEndpoints}
	refused   = outcomes{dataplane.Refused, dataplane.Refused, dataplane.Refused, dataplane.NoEndpoints}
)

var (
	ruleLocal   = &dataplane.Rule{ID: "IPVS-03", Reason: "Endpoints on the node serve every connection that the node judges."}
	ruleRefused = &dataplane.Rule{ID: "IPVS-04", Reason: "A virtual server without real servers refuses."}
)

// paths of one row for every address and port of the Service, all with the same outcomes.
func paths(s *cluster.Service, n *cluster.Node, o outcomes) []dataplane.Path {
	var list []dataplane.Path
	add := func(to dataplane.To, a netip.Addr, host string, port uint16, protocol cluster.Protocol) {
		for _, from := range []dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
			outcome := [...]dataplane.Outcome{o.node, o.pod, o.external}[from]
			if from == dataplane.External && to == dataplane.LoadBalancerHostname || from == dataplane.External && to == dataplane.ClusterIP {
				continue
			}
			p := dataplane.Path{From: from, To: to, Address: a, Hostname: host, Port: port, Protocol: protocol, Outcome: outcome, Endpoints: o.reach, Rule: ruleLocal}
			if outcome == dataplane.Refused || outcome == dataplane.TimedOut {
				p.Endpoints, p.Rule = dataplane.NoEndpoints, ruleRefused
			}
			if to == dataplane.ClusterIP {
				p.Outcome, p.Endpoints, p.Rule = dataplane.Reachable, dataplane.AllEndpoints, ruleLocal
			}
			list = append(list, p)
		}
	}
	for _, port := range s.Ports {
		for _, in := range s.Ingress {
			if in.IP.IsValid() {
				add(dataplane.LoadBalancerIP, in.IP, "", port.Port, port.Protocol)
			} else {
				add(dataplane.LoadBalancerHostname, netip.Addr{}, in.Hostname, port.Port, port.Protocol)
			}
		}
		for _, a := range s.ExternalIPs {
			add(dataplane.ExternalIP, a, "", port.Port, port.Protocol)
		}
		if port.NodePort != 0 {
			for _, a := range n.InternalIPs {
				add(dataplane.NodePort, a, "", port.NodePort, port.Protocol)
			}
		}
		for _, a := range s.ClusterIPs {
			add(dataplane.ClusterIP, a, "", port.Port, port.Protocol)
		}
	}
	return list
}

// ipvsLocal is forty nodes with kube-proxy ipvs of v1.20, a Local Service and backends on two of them.
func ipvsLocal() *report.Report {
	service := &cluster.Service{
		Namespace: "kube-system", Name: "nginx-ingress-lb", Type: cluster.TypeLoadBalancer,
		ExternalTrafficPolicy: cluster.PolicyLocal, InternalTrafficPolicy: cluster.PolicyCluster, HealthCheckNodePort: 32000,
		ClusterIPs: []netip.Addr{addr("172.21.3.9")},
		Ingress:    []cluster.Ingress{{IP: addr("203.0.113.10"), IPMode: cluster.VIP}},
		Ports: []cluster.Port{
			{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080, TargetPort: "8080"},
			{Name: "https", Protocol: cluster.TCP, Port: 443, NodePort: 30443, TargetPort: "8443"},
		},
		EndpointsKnown: true,
	}
	r := &report.Report{
		Service: service,
		Dataplane: &cluster.Dataplane{
			Name: cluster.KubeProxy, Mode: cluster.IPVS, Version: version("v1.20.15"),
			Source: "configmap kube-system/kube-proxy", Confidence: cluster.Observed, VersionConfidence: cluster.Observed,
		},
		Provider: provider.LoadBalancer{
			Name: "alibaba", Title: "Alibaba Cloud CLB", Product: "CLB", Backends: provider.Nodes, Source: "finalizer service.k8s.alibaba/resources",
		},
	}
	for i := range 40 {
		n := &cluster.Node{
			Name: fmt.Sprintf("cn-hangzhou.10.0.1.%d", 11+i), Zone: "cn-hangzhou-" + string("hij"[i%3]), Known: true, Ready: cluster.Yes,
			InternalIPs: []netip.Addr{addr(fmt.Sprintf("10.0.1.%d", 11+i))}, KubeletVersion: version("v1.20.15"),
		}
		row := report.Row{Node: n, LoadBalancer: report.Receives{Reason: "NoLocalEndpoint"}}
		switch i {
		case 0:
			row.Endpoints.Ready = 2
			row.LoadBalancer = report.Receives{Receives: true, Share: 0.5, PodShare: 0.25}
			row.Paths = paths(service, n, reachable)
		case 1:
			row.Endpoints.Ready = 1
			row.LoadBalancer = report.Receives{Receives: true, Share: 0.5, PodShare: 0.5}
			row.Paths = paths(service, n, reachable)
		default:
			row.Paths = paths(service, n, refused)
		}
		r.Nodes = append(r.Nodes, row)
	}
	r.Findings = []finding.Finding{
		{
			Code: "ETP002", Severity: finding.Error, Result: finding.Fail,
			Title:   "In-cluster clients cannot use the load balancer address on some nodes",
			Message: "38 of 40 nodes cannot reach 203.0.113.10 from inside the cluster",
			Detail: `Pods and processes there get "connection refused": kube-proxy (ipvs, before v1.24) answers for the address on the node itself ` +
				`and has no local backend to hand the connection to.`,
			Subject:  finding.Subject{Kind: "Service", Namespace: "kube-system", Name: "nginx-ingress-lb"},
			Evidence: []finding.Evidence{{Fact: "node cn-hangzhou.10.0.1.13 has no ready endpoint", Source: "endpointslice kube-system/nginx-ingress-lb-x7k2p"}},
			Remedies: []finding.Remedy{
				{Text: "call nginx-ingress-lb.kube-system from inside, or"},
				{Mode: "eni", Text: "kubectl etp fix svc/nginx-ingress-lb -n kube-system --mode=eni", Gain: "keeps the client IP"},
				{Mode: "cluster", Text: "kubectl etp fix svc/nginx-ingress-lb -n kube-system --mode=cluster", Gain: "loses the client IP"},
			},
		},
		{
			Code: "ETP007", Severity: finding.Warning, Result: finding.Fail, Title: "Uneven share",
			Message: "uneven: a pod on cn-hangzhou.10.0.1.12 gets twice the traffic of one on cn-hangzhou.10.0.1.11",
		},
	}
	return r
}

func TestTheStory(t *testing.T) {
	golden(t, "story", Screen(ipvsLocal(), Options{Style: plainStyle(wide100)}))
}

func TestPrint(t *testing.T) {
	if !testing.Verbose() {
		t.Skip()
	}
	fmt.Println(strings.Repeat("=", 100))
	fmt.Print(string(Screen(ipvsLocal(), Options{Style: plainStyle(wide100)})))
	fmt.Print(string(Screen(ipvsLocal(), Options{Style: NewStyle(ColorAlways, true, Terminal{Interactive: true, Columns: 60})})))
	fmt.Print(string(List([]report.Report{*ipvsLocal()}, Options{Style: plainStyle(wide100), Namespaces: true})))
	r := ipvsLocal()
	r.Nodes = r.Nodes[:4]
	fmt.Print(string(Screen(r, Options{Style: plainStyle(wide100), Wide: true})))
}
