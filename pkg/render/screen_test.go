package render

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
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

// outcomes of a row: what a connection from outside, from the node and from a pod gets, and which endpoints it
// reaches.
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
			p := dataplane.Path{From: from, To: to, Address: a, Hostname: host, Port: port, Protocol: protocol, Outcome: outcome, Endpoints: o.reach, Rule: ruleLocal, ClientIP: dataplane.Preserved}
			if s.ExternalTrafficPolicy == cluster.PolicyCluster {
				p.ClientIP = dataplane.Rewritten
			}
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

// endpoints on the first two nodes, two and one, of every family that the nodes have, each with both ports.
func endpoints(r *report.Report) []cluster.Endpoint {
	var list []cluster.Endpoint
	for i, n := range []int{0, 0, 1} {
		for _, a := range r.Nodes[n].Node.InternalIPs {
			pod := netip.AddrFrom4([4]byte{172, 20, byte(n), byte(i)})
			if a.Is6() {
				pod = addr(fmt.Sprintf("2001:db8:2:%d::%d", n, i))
			}
			list = append(list, cluster.Endpoint{
				Address: pod, Node: r.Nodes[n].Node.Name, Ready: true, Serving: true,
				Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}, {Name: "https", Protocol: cluster.TCP, Port: 8443}},
			})
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
			Name: "alibaba", Title: "Alibaba Cloud CLB", Product: "CLB", Backends: provider.Nodes, ClientIP: provider.Preserved,
			Checks: []provider.HealthCheck{provider.HealthCheckNodePort}, Source: "finalizer service.k8s.alibaba/resources",
		},
	}
	for i := range 40 {
		n := &cluster.Node{
			Name: fmt.Sprintf("cn-hangzhou.10.0.1.%d", 11+i), Zone: "cn-hangzhou-" + string("hij"[i%3]), Known: true, Ready: cluster.Yes,
			InternalIPs: []netip.Addr{addr(fmt.Sprintf("10.0.1.%d", 11+i))}, KubeletVersion: version("v1.20.15"),
		}
		row := report.Row{Node: n, LoadBalancer: report.Receives{Receives: cluster.No, Reason: "NoLocalEndpoint"}}
		switch i {
		case 0:
			row.Endpoints.Ready = 2
			row.LoadBalancer = report.Receives{Receives: cluster.Yes, Share: 0.5, PodShare: 0.25}
			row.Paths = paths(service, n, reachable)
		case 1:
			row.Endpoints.Ready = 1
			row.LoadBalancer = report.Receives{Receives: cluster.Yes, Share: 0.5, PodShare: 0.5}
			row.Paths = paths(service, n, reachable)
		default:
			row.Paths = paths(service, n, refused)
		}
		r.Nodes = append(r.Nodes, row)
	}
	service.Endpoints = endpoints(r)
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
			Message: "uneven load: a pod on cn-hangzhou.10.0.1.12 gets 2.0x the traffic of a pod on cn-hangzhou.10.0.1.11",
		},
	}
	return r
}

func TestScreens(t *testing.T) {
	narrow := func(columns int) Options {
		return Options{Style: plainStyle(Terminal{Interactive: true, Columns: columns, UTF8: true})}
	}
	usual := narrow(100)
	piped := Options{Style: plainStyle(Terminal{UTF8: true})}
	closes := func(g cluster.Gap) string {
		if g.Reason != cluster.Forbidden {
			return ""
		}
		return `{apiGroups: [""], resources: ["` + g.Resource + `"], verbs: ["get", "list"]}`
	}
	for _, c := range []struct {
		name string
		r    *report.Report
		o    Options
	}{
		{"story", ipvsLocal(), usual},
		{"story-80", ipvsLocal(), narrow(80)},
		{"story-60", ipvsLocal(), narrow(60)},
		{"story-unknown-width", ipvsLocal(), narrow(0)},
		{"story-color", ipvsLocal(), Options{Style: NewStyle(ColorAlways, false, wide100)}},
		{"story-ascii", ipvsLocal(), Options{Style: NewStyle(ColorNever, true, wide100)}},
		{"story-c-locale-piped", few(ipvsLocal(), 4), Options{Style: plainStyle(Terminal{})}},
		{"story-piped", ipvsLocal(), piped},
		{"story-all", few(ipvsLocal(), 8), Options{Style: plainStyle(wide100), All: true}},
		{"story-wide", few(ipvsLocal(), 4), Options{Style: plainStyle(wide100), Wide: true}},
		{"chinese-names", chinese(), usual},
		{"hostile-names", hostile(), usual},
		{"hostile-names-ascii", hostile(), Options{Style: NewStyle(ColorNever, true, wide100)}},
		{"one-port-fails", onePortFails(), usual},
		{"dual-stack-proxy", dualStack(), usual},
		{"node-port", nodePort(), usual},
		{"live", asked(), usual},
		{"nothing-read", unread(), Options{Style: plainStyle(wide100), Closes: closes, Grant: "kubectl etp rbac"}},
		{"unsupported", unsupported(), usual},
		{"pending", pending(), usual},
		{"external-ips", external(), usual},
		{"cluster-ip-fails", clusterIPFails(), usual},
		{"mixed-nodes", mixed(), usual},
		{"no-nodes", few(ipvsLocal(), 0), usual},
		{"left-open", leftOpen(), usual},
		{"not-in-files", notInFiles(), Options{Style: plainStyle(wide100), Collect: "kubectl get everything -o yaml > cluster.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, Screen(judged(c.r), c.o)) })
	}
}

// leftOpen: nothing is known to fail, and what some connections meet is not known.
func leftOpen() *report.Report {
	r := few(ipvsLocal(), 2)
	r.Findings = []finding.Finding{{Code: "ETP048", Severity: finding.Error, Result: finding.NotChecked, Message: "not checked: --live was not given, so no node was asked"}}
	for i := range r.Nodes {
		r.Nodes[i].Paths = paths(r.Service, r.Nodes[i].Node, outcomes{dataplane.Unknown, dataplane.ViaLoadBalancer, dataplane.Unknown, dataplane.AllEndpoints})
	}
	return r
}

// notInFiles: a file has the Service alone, and several checks lack the same.
func notInFiles() *report.Report {
	r := few(ipvsLocal(), 0)
	r.Service.EndpointsKnown = false
	const message = "the files do not hold its EndpointSlices"
	r.Findings = []finding.Finding{
		{Code: "ETP001", Severity: finding.Error, Result: finding.Unknown, Message: message},
		{Code: "ETP002", Severity: finding.Error, Result: finding.Unknown, Message: message},
		{Code: "ETP007", Severity: finding.Warning, Result: finding.Unknown, Message: "cannot tell"},
		{Code: "ETP049", Severity: finding.Error, Result: finding.Unknown, Message: message},
	}
	r.Gaps = []cluster.Gap{
		{Resource: "endpointslices.discovery.k8s.io", Verb: "list", Namespace: "kube-system", Reason: cluster.NotInFiles},
		{Resource: "nodes", Verb: "list", Reason: cluster.NotInFiles},
	}
	return r
}

// judged is a report with the verdict on it.
func judged(r *report.Report) *report.Report {
	if r.Unsupported == "" {
		r.Verdict = report.Judge(r)
	}
	return r
}

func few(r *report.Report, n int) *report.Report {
	r.Nodes = r.Nodes[:n]
	return r
}

// chinese has names and zones of wide characters.
func chinese() *report.Report {
	r := few(ipvsLocal(), 4)
	r.Findings = nil
	for i, name := range []string{"节点-一", "节点-二十二", "node-3", "ノード-4"} {
		r.Nodes[i].Node.Name = name
		r.Nodes[i].Node.Zone = []string{"杭州-可用区甲", "杭州-可用区乙", "", "杭州-c"}[i]
	}
	return r
}

// hostile has everything that an object's author can put where a terminal might obey it.
func hostile() *report.Report {
	r := few(ipvsLocal(), 3)
	r.Nodes[0].Node.Name = "red\x1b[31mnode\x1b[0m"
	r.Nodes[1].Node.Name = "title\x1b]0;owned\x07"
	r.Nodes[2].Node.Name = "\u202egnp.exe\u2066\u009b2J\r\n"
	r.Nodes[2].Node.Zone = "tab\there\x00\xff"
	r.Service.Name = "web\x1b[2J"
	r.Provider.Source = "annotation x\u200b\u2028y"
	r.Dataplane.Source = "configmap\x08\x08"
	r.Findings[0].Message = "38\x1b[1A nodes"
	r.Findings[0].Detail = "first \x1b[5mblink\nsecond é"
	r.Findings[0].Remedies = []finding.Remedy{{Text: "kubectl patch \x1b]52;c;cm0gLXJm\x07", Gain: "\x1b[8m"}}
	r.Gaps = []cluster.Gap{{Resource: "nodes", Verb: "list", Reason: cluster.Failed, Message: "boom\x1b[2J"}}
	return r
}

// onePortFails: nothing serves port 443, and no cell of the other port may hide it.
func onePortFails() *report.Report {
	r := few(ipvsLocal(), 7)
	r.Findings = nil
	r.Service.Endpoints = endpoints(r)
	for i := range r.Service.Endpoints {
		r.Service.Endpoints[i].Ports = r.Service.Endpoints[i].Ports[:1]
	}
	for i := range r.Nodes {
		for j := range r.Nodes[i].Paths {
			p := &r.Nodes[i].Paths[j]
			if p.Port == 443 || p.Port == 30443 {
				p.Outcome, p.Endpoints, p.Rule = dataplane.Refused, dataplane.NoEndpoints, ruleRefused
			}
		}
	}
	return r
}

// dualStack has two addresses of the load balancer, one of them with ipMode Proxy, and a name.
func dualStack() *report.Report {
	r := few(ipvsLocal(), 3)
	r.Findings = nil
	s := r.Service
	s.Ingress = []cluster.Ingress{{IP: addr("203.0.113.10"), IPMode: cluster.VIP}, {IP: addr("2001:db8::10"), IPMode: cluster.Proxy}, {Hostname: "lb.example.com", IPMode: cluster.VIP}}
	for i := range r.Nodes {
		n := r.Nodes[i].Node
		n.InternalIPs = append(n.InternalIPs, addr(fmt.Sprintf("2001:db8:1::%d", i)))
		o := reachable
		if i == 2 {
			o = refused
		}
		r.Nodes[i].Paths = paths(s, n, o)
		for j := range r.Nodes[i].Paths {
			p := &r.Nodes[i].Paths[j]
			if p.From != dataplane.External && (p.To == dataplane.LoadBalancerHostname || p.To == dataplane.LoadBalancerIP && p.Address.Is6()) {
				p.Outcome, p.Endpoints = dataplane.ViaLoadBalancer, dataplane.AllEndpoints
			}
		}
	}
	s.Endpoints = endpoints(r)
	return r
}

func nodePort() *report.Report {
	r := few(ipvsLocal(), 4)
	r.Service.Type, r.Service.Ingress, r.Service.HealthCheckNodePort = cluster.TypeNodePort, nil, 0
	r.Provider = provider.LoadBalancer{}
	for i := range r.Nodes {
		o := reachable
		if i > 1 {
			o = outcomes{dataplane.TimedOut, dataplane.Reachable, dataplane.Partial, dataplane.AllEndpoints}
		}
		r.Nodes[i].Paths = paths(r.Service, r.Nodes[i].Node, o)
		r.Nodes[i].LoadBalancer = report.Receives{Receives: cluster.No, Reason: "NoLoadBalancer"}
	}
	r.Findings = []finding.Finding{
		{Code: "ETP006", Severity: finding.Info, Result: finding.Fail, Message: "node ports answer outside on 2 of 4 nodes"},
		{Code: "ETP008", Severity: finding.Error, Result: finding.Unknown, Message: "whether pods reach other nodes' ports depends on the CNI"},
		{Code: "ETP001", Severity: finding.Error, Result: finding.Pass, Message: "at least one endpoint is ready"},
		{Code: "ETP048", Severity: finding.Error, Result: finding.NotChecked, Message: "not checked: --live was not given, so no node was asked"},
	}
	return r
}

func asked() *report.Report {
	r := few(ipvsLocal(), 6)
	for i, l := range []*cluster.Live{
		{HealthCheck: cluster.Pass, LocalEndpoints: 2},
		{HealthCheck: cluster.Fail, LocalEndpoints: 0},
		{HealthCheck: cluster.Fail, LocalEndpoints: 0},
		{HealthCheck: cluster.Unreachable, LocalEndpoints: -1, Reason: "timed out"},
		{HealthCheck: cluster.Pass, LocalEndpoints: -1},
		nil,
	} {
		r.Nodes[i].Live = l
	}
	r.Nodes[1].Disagrees = true
	r.Nodes[0].Node.ProxyMode = "ipvs"
	r.Nodes[1].Node.ProxyMode = "iptables"
	r.Findings = nil
	return r
}

// unread: neither nodes nor EndpointSlices could be listed, and the data plane is a guess about versions.
func unread() *report.Report {
	r := few(ipvsLocal(), 2)
	r.Service.EndpointsKnown = false
	r.Provider = provider.LoadBalancer{}
	r.Dataplane = &cluster.Dataplane{Name: cluster.UnknownDataplane, Confidence: cluster.UnknownConfidence}
	for i := range r.Nodes {
		n := r.Nodes[i].Node
		n.Known, n.Zone, n.Ready = false, "", cluster.Undetermined
		r.Nodes[i].Endpoints = report.Counts{}
		r.Nodes[i].LoadBalancer = report.Receives{Reason: "NotKnown"}
		r.Nodes[i].Paths = paths(r.Service, n, outcomes{})
	}
	r.Findings = []finding.Finding{{Code: "ETP002", Severity: finding.Error, Result: finding.Unknown, Message: "which nodes answer is not known"}}
	r.Gaps = []cluster.Gap{
		{Resource: "nodes", Verb: "list", Reason: cluster.Forbidden, Message: "nodes is forbidden"},
		{Resource: "configmaps", Verb: "get", Namespace: "kube-system", Name: "kube-proxy", Reason: cluster.TimedOut},
		{Resource: "daemonsets.apps", Verb: "list", Namespace: "kube-system", Reason: cluster.NotFound},
		{Resource: "endpointslices.discovery.k8s.io", Verb: "list", Namespace: "kube-system", Reason: cluster.Failed, Message: "the connection was cut"},
	}
	return r
}

func unsupported() *report.Report {
	return &report.Report{
		Service:     &cluster.Service{Namespace: "shop", Name: "mail", Type: cluster.TypeExternalName},
		Unsupported: "it is of type ExternalName, a DNS name for something else: nodes do not handle it, and no traffic policy applies",
	}
}

// pending has no address yet: what there is to dial are the node ports.
func pending() *report.Report {
	r := few(ipvsLocal(), 3)
	r.Service.Ingress = nil
	r.Findings = nil
	for i := range r.Nodes {
		r.Nodes[i].Paths = paths(r.Service, r.Nodes[i].Node, refused)
		r.Nodes[i].LoadBalancer = report.Receives{Receives: cluster.No, Reason: "NoAddress"}
	}
	r.Service.EventsKnown = true
	r.Service.NewestEvent = &cluster.Event{Type: "Warning", Reason: "SyncLoadBalancerFailed", Message: "the quota of load balancers\nis exhausted"}
	return r
}

// external has a load balancer address and external IPs, which no load balancer stands before.
func external() *report.Report {
	r := few(ipvsLocal(), 3)
	r.Findings = nil
	r.Service.Endpoints = endpoints(r)
	r.Service.ExternalIPs = []netip.Addr{addr("198.51.100.7"), addr("198.51.100.8")}
	r.Service.SourceRanges = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")}
	r.Service.InternalTrafficPolicy = cluster.PolicyLocal
	for i := range r.Nodes {
		o := reachable
		if i == 2 {
			o = refused
		}
		r.Nodes[i].Paths = paths(r.Service, r.Nodes[i].Node, o)
	}
	return r
}

func clusterIPFails() *report.Report {
	r := few(ipvsLocal(), 5)
	r.Findings = nil
	for i := range r.Nodes {
		for j := range r.Nodes[i].Paths {
			p := &r.Nodes[i].Paths[j]
			if p.To == dataplane.ClusterIP && i > 1 {
				p.Outcome, p.Endpoints = dataplane.TimedOut, dataplane.NoEndpoints
				if p.From == dataplane.Pod && i == 4 {
					p.Outcome = dataplane.Unknown
				}
			}
		}
	}
	return r
}

// mixed has nodes of every kind, and shares that are not round.
func mixed() *report.Report {
	r := few(ipvsLocal(), 9)
	r.Findings = nil
	r.Dataplane.VersionSource, r.Dataplane.VersionConfidence = "the kubelets", cluster.Inferred
	r.Dataplane.Confidence = cluster.Assumed
	windows := cluster.Dataplane{Name: cluster.Windows, Confidence: cluster.Inferred}
	n := func(i int) *cluster.Node { return r.Nodes[i].Node }
	n(1).Ready = cluster.No
	n(2).Ready, n(2).Deleting = cluster.Undetermined, true
	n(3).Unschedulable = true
	n(4).Known = false
	n(5).VirtualKubelet = true
	n(6).Dataplane = &windows
	n(8).Dataplane = &cluster.Dataplane{Name: cluster.UnknownDataplane}
	n(7).Dataplane = &cluster.Dataplane{Name: cluster.KubeProxy, Mode: cluster.IPTables, Version: version("v1.30.2")}
	r.Nodes[5].Paths = nil
	r.Nodes[5].LoadBalancer.Reason = "RunsNoProxy"
	r.Nodes[6].LoadBalancer.Reason = "SendsToPods"
	r.Nodes[7].Paths = paths(r.Service, n(7), outcomes{dataplane.Reachable, dataplane.Reachable, dataplane.Reachable, dataplane.AllEndpoints})
	for i := range r.Nodes[7].Paths {
		if p := &r.Nodes[7].Paths[i]; p.From == dataplane.Pod {
			p.Topology = "Zone"
		}
	}
	r.Nodes[7].LoadBalancer = report.Receives{Receives: cluster.Yes, Share: 1. / 3}
	r.Nodes[7].Endpoints = report.Counts{Ready: 1, ServingTerminating: 2, NotReady: 1}
	r.Nodes[8].Endpoints = report.Counts{NotReady: 1}
	return r
}

func TestLists(t *testing.T) {
	healthy, undecided, info := ipvsLocal(), ipvsLocal(), nodePort()
	healthy.Service.Name, healthy.Findings, healthy.Nodes = "a-healthy", nil, healthy.Nodes[:2]
	undecided.Service.Name, undecided.Service.Namespace = "undecided", "shop"
	undecided.Findings = []finding.Finding{{Code: "ETP002", Severity: finding.Error, Result: finding.Unknown, Message: "which nodes answer is not known"}}
	undecided.Service.EndpointsKnown = false
	undecided.Service.Ingress, undecided.Nodes = nil, nil
	undecided.Gaps = []cluster.Gap{{Resource: "nodes", Verb: "list", Reason: cluster.Forbidden}}
	info.Service.Name = "node-port"
	info.Findings = info.Findings[:1]
	info.Gaps = undecided.Gaps
	bad := external()
	bad.Findings = ipvsLocal().Findings
	open := ipvsLocal()
	open.Service.Name, open.Findings, open.Nodes = "b-open", nil, leftOpen().Nodes
	reports := []report.Report{*healthy, *open, *info, *undecided, *bad}
	for name, o := range map[string]Options{
		"list":       {Style: plainStyle(wide100)},
		"list-all":   {Style: plainStyle(wide100), Namespaces: true},
		"list-70":    {Style: plainStyle(Terminal{Interactive: true, Columns: 70, UTF8: true}), Namespaces: true},
		"list-piped": {Style: plainStyle(Terminal{}), Namespaces: true},
		"list-wide":  {Style: plainStyle(wide100), Wide: true, Namespaces: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewList(o)
			for i := range reports {
				l.Add(judged(&reports[i]))
			}
			golden(t, name, l.Bytes())
		})
	}
}

// Every table fits the terminal, whatever its width, down to what cannot be made narrower.
func TestTablesFitTheTerminal(t *testing.T) {
	for columns := 58; columns <= 130; columns++ {
		style := plainStyle(Terminal{Interactive: true, Columns: columns, UTF8: true})
		for _, r := range []*report.Report{ipvsLocal(), chinese(), hostile()} {
			r.Findings = nil
			for l := range strings.Lines(string(Screen(judged(r), Options{Style: style}))) {
				l = strings.TrimSuffix(l, "\n")
				if strings.HasPrefix(l, "  ") && !strings.HasPrefix(l, "  and ") {
					continue // the head holds things to copy, and does not cut them
				}
				if w := style.cells(l); w > columns {
					t.Errorf("%d columns: %d cells in %q", columns, w, l)
				}
			}
		}
	}
}

// Colour is laid over a screen, and never moves it.
func TestColorChangesNoText(t *testing.T) {
	escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, r := range []*report.Report{ipvsLocal(), chinese(), mixed(), asked(), unread()} {
		want := string(Screen(judged(r), Options{Style: plainStyle(wide100)}))
		colored := string(Screen(judged(r), Options{Style: NewStyle(ColorAlways, false, wide100)}))
		if diff := cmp.Diff(want, escapes.ReplaceAllString(colored, "")); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(colored, "\x1b[") {
			t.Error("no colour at all")
		}
	}
}

func TestWhenColorIsUsed(t *testing.T) {
	on := Terminal{Interactive: true, UTF8: true}
	for _, c := range []struct {
		name string
		mode ColorMode
		t    Terminal
		want bool
	}{
		{"a terminal has colour", ColorAuto, on, true},
		{"a pipe has none", ColorAuto, Terminal{UTF8: true}, false},
		{"NO_COLOR", ColorAuto, Terminal{Interactive: true, NoColor: true}, false},
		{"TERM=dumb", ColorAuto, Terminal{Interactive: true, Term: "dumb"}, false},
		{"--color=never", ColorNever, on, false},
		{"--color=always into a pipe", ColorAlways, Terminal{}, true},
		{"--color=always in spite of NO_COLOR", ColorAlways, Terminal{NoColor: true, Term: "dumb"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewStyle(c.mode, false, c.t)
			if got := s.paint(span{"x", bad}) != "x"; got != c.want {
				t.Errorf("coloured %v, want %v", got, c.want)
			}
		})
	}
}

// Nothing that a terminal obeys, and in ASCII nothing else either, passes into a screen.
func FuzzNothingHarmfulPasses(f *testing.F) {
	f.Add("red\x1b[31m\u202e\x9b2J\xff")
	f.Fuzz(func(t *testing.T, text string) {
		r := hostile()
		r.Nodes[0].Node.Name, r.Service.Name, r.Findings[0].Detail, r.Gaps[0].Message = text, text, text, text
		for _, ascii := range []bool{false, true} {
			out := string(Screen(judged(r), Options{Style: NewStyle(ColorNever, ascii, wide100)})) + Escape(text)
			for _, c := range strings.ReplaceAll(out, "\n", "") {
				if !unicode.IsPrint(c) {
					t.Fatalf("%q in the screen of %q", c, text)
				}
			}
			if ascii && strings.ContainsFunc(strings.TrimSuffix(out, Escape(text)), func(c rune) bool { return c >= 0x80 }) {
				t.Fatalf("not ASCII:\n%s", out)
			}
		}
	})
}

// Cells that a reader cannot tell apart are written the same way, and others are not.
func TestVerdictIsWhatIsSeen(t *testing.T) {
	var all []route.Cell
	for o := dataplane.Unknown; o <= dataplane.Unreachable; o++ {
		for e := dataplane.EndpointsUnknown; e <= dataplane.NoEndpoints; e++ {
			for _, mixed := range []bool{false, true} {
				for _, topology := range []string{"", "Zone", "Node"} {
					all = append(all, route.Cell{Outcome: o, Endpoints: e, Mixed: mixed, Topology: topology})
				}
			}
		}
	}
	all = append(all, route.Cell{None: true}, route.Cell{None: true, Outcome: dataplane.Refused})
	for _, a := range all {
		for _, b := range all {
			if (a.Seen() == b.Seen()) != (verdict(a) == verdict(b)) {
				t.Errorf("%+v and %+v are written %q and %q", a, b, verdict(a).text, verdict(b).text)
			}
		}
	}
}

// A combination never looks better than the worse of the two.
func TestWorseOfTwoVerdictsWins(t *testing.T) {
	fine := func(c route.Cell) bool { m := verdict(c).mark; return m == ok || m == via }
	var all []route.Cell
	for o := dataplane.Unknown; o <= dataplane.Unreachable; o++ {
		all = append(all, route.Cell{Outcome: o, Endpoints: dataplane.AllEndpoints}, route.Cell{Outcome: o, Endpoints: dataplane.NoEndpoints})
	}
	for _, a := range all {
		for _, b := range all {
			if fine(a.And(b)) != (fine(a) && fine(b)) {
				t.Errorf("%q and %q look like %q", verdict(a).text, verdict(b).text, verdict(a.And(b)).text)
			}
		}
	}
}

func TestPercent(t *testing.T) {
	for f, want := range map[float64]string{1: "100%", 0.5: "50%", 1. / 3: "33%", 0.0994: "9.9%", 0.0996: "10%", 0.025: "2.5%", 0.02: "2%", 0.0002: "0.02%", 1. / 7000: "0.014%"} {
		if got := percent(f); got != want {
			t.Errorf("percent(%v) = %s, want %s", f, got, want)
		}
	}
}

func TestRedrawStartsOver(t *testing.T) {
	o := Options{Style: plainStyle(Terminal{Interactive: true, Columns: 60, UTF8: true})}
	changes := []string{"ETP002 now: 39 of 40 nodes cannot reach 203.0.113.10 from inside the cluster", "node \x1b[2J is gone"}
	golden(t, "redraw", Redraw([]byte("screen\n"), changes, "", o))
	for i := range 9 {
		changes = append(changes, fmt.Sprintf("node %d appeared", i))
	}
	golden(t, "redraw-many", Redraw([]byte("screen\n"), changes, "", o))
	golden(t, "redraw-nothing", Redraw([]byte("screen\n"), nil, "", o))
	golden(t, "redraw-stale", Redraw([]byte("screen\n"), changes[:1], "not updated since 03:04:05 (connection \x1b[2J refused), retrying", o))
}
