package finding_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// results are those of every check for the one Service of a cluster, by code.
func results(t *testing.T, s *cluster.Snapshot) map[string]finding.Finding {
	t.Helper()
	reports := report.Diagnose(s)
	if len(reports) != 1 {
		t.Fatalf("%d Services", len(reports))
	}
	return byCode(t, &reports[0])
}

// byCode holds a report to one kind of result a check: whatever is found of a check, it is not said to have passed as well.
func byCode(t *testing.T, r *report.Report) map[string]finding.Finding {
	t.Helper()
	all := map[string]finding.Finding{}
	for _, f := range slices.Concat(r.Findings, r.Silent) {
		if before, ok := all[f.Code]; ok && before.Result.Found() != f.Result.Found() {
			t.Errorf("%s is %s and %s", f.Code, before.Result, f.Result)
		}
		if _, ok := all[f.Code]; !ok {
			all[f.Code] = f
		}
	}
	return all
}

const (
	kubeProxy = `dataplane kube-proxy/iptables@v1.36.3 pods=ClusterCIDR:10.244.0.0/16 source="configmap kube-system/kube-proxy"` + "\n"
	ipvs      = `dataplane kube-proxy/ipvs@v1.20.15 pods=ClusterCIDR:10.244.0.0/16 source="configmap kube-system/kube-proxy"` + "\n"
	unknown   = "dataplane unknown\n"
	nodes     = "node a,b,c zone=h podcidr=auto provider-id=ocid1.instance.x\n"
	local     = "svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080\n"
	spreadOut = "svc shop/web LoadBalancer etp=Cluster ingress=203.0.113.7 port=http:80:30080\n"
	waiting   = "svc shop/web LoadBalancer etp=Local hc=32000 port=http:80:30080\n"
	nodePort  = "svc shop/web NodePort etp=Local port=http:80:30080\n"
	byName    = "svc shop/web LoadBalancer etp=Local hc=32000 ingress=lb.example.com port=http:80:30080\n"
	backends  = "ep 10.244.1.10 node=a\nep 10.244.2.10 node=b\n"
	answers   = "live a pass 1\nlive b pass 1\nlive c fail 0\n"
)

func TestResults(t *testing.T) {
	const (
		pass, fail, open, skip = finding.Pass, finding.Fail, finding.Unknown, finding.NotChecked
	)
	type want map[string]finding.Result
	for name, c := range map[string]struct {
		cluster string
		want    want
	}{
		"all is there and well": {kubeProxy + nodes + local + backends, want{
			"ETP001": pass, "ETP002": pass, "ETP003": pass, "ETP008": pass, "ETP025": skip, "ETP027": pass, "ETP047": pass, "ETP048": skip, "ETP049": pass, "ETP050": skip,
			"ETP051": pass,
		}},
		"what fails stays failed": {ipvs + nodes + local + backends, want{"ETP002": fail, "ETP003": skip, "ETP048": skip, "ETP050": skip}},
		"nothing is ready":        {kubeProxy + nodes + local, want{"ETP001": fail, "ETP002": skip, "ETP003": skip, "ETP007": skip, "ETP049": skip, "ETP051": skip}},
		"the data plane is not known": {unknown + nodes + local + backends, want{
			"ETP001": pass, "ETP002": open, "ETP003": open, "ETP048": skip, "ETP049": pass, "ETP050": skip, "ETP051": open,
		}},
		"the data plane is not known, policy Cluster": {unknown + nodes + spreadOut + backends, want{
			"ETP002": open, "ETP003": open, "ETP007": skip, "ETP008": skip, "ETP011": skip, "ETP051": open,
		}},
		"the data plane of one node is not known": {kubeProxy + nodes + "dataplane unknown on=b\n" + local + backends, want{"ETP002": open, "ETP003": open, "ETP051": open}},
		"the data plane is not known, node port":  {unknown + nodes + nodePort + backends, want{"ETP002": skip, "ETP003": skip, "ETP025": open, "ETP047": skip, "ETP051": skip}},
		"the data plane is not known, no address": {unknown + nodes + waiting + backends, want{"ETP002": skip, "ETP003": skip, "ETP047": fail, "ETP051": skip}},
		"only a name is published":                {kubeProxy + nodes + byName + backends, want{"ETP002": skip, "ETP003": skip, "ETP047": pass, "ETP051": pass}},
		"no address":                              {kubeProxy + nodes + waiting + backends, want{"ETP002": skip, "ETP003": skip, "ETP011": skip, "ETP047": fail, "ETP051": skip}},
		"the slices were not read": {
			kubeProxy + nodes + strings.Replace(local, "\n", " endpoints-known=false\n", 1) + "gap list endpointslices.discovery.k8s.io Forbidden namespace=shop\n",
			want{
				"ETP001": open, "ETP002": open, "ETP003": open, "ETP007": open, "ETP008": open, "ETP011": open, "ETP027": open, "ETP047": pass, "ETP048": skip, "ETP049": open,
				"ETP050": skip, "ETP051": open,
			},
		},
		"the nodes were not read": {
			kubeProxy + "node a,b known=false\n" + local + backends + "gap list nodes Forbidden\n",
			want{"ETP001": pass, "ETP002": open, "ETP003": open, "ETP008": pass, "ETP027": open, "ETP047": pass, "ETP048": skip, "ETP049": pass, "ETP051": open},
		},
		"the nodes were not read, one has all endpoints": {
			kubeProxy + "node a known=false\n" + local + "ep 10.244.1.10 node=a\ngap list nodes Forbidden\n", want{"ETP008": open},
		},
		"the nodes were not read, policy Cluster": {
			kubeProxy + "node a,b known=false\n" + spreadOut + backends + "gap list nodes Forbidden\n", want{"ETP002": open, "ETP003": open, "ETP051": open},
		},
		"asked, and all agree":       {kubeProxy + "node a,b,c zone=h podcidr=auto proxy-mode=iptables\n" + local + backends + answers, want{"ETP048": pass, "ETP050": pass}},
		"asked, and one counts more": {kubeProxy + nodes + local + backends + "live a pass 2\nlive b pass 1\nlive c fail 0\n", want{"ETP048": fail, "ETP050": open}},
		"asked, and one is silent":   {kubeProxy + nodes + local + backends + "live a pass 1\nlive b pass 1\nlive c unreachable\n", want{"ETP048": open, "ETP050": open}},
		"asked, and all are silent":  {kubeProxy + nodes + local + backends + "asked\n", want{"ETP048": open, "ETP050": open}},
		"asked, and not allowed to":  {kubeProxy + nodes + local + backends + "gap get nodes/proxy Forbidden\n", want{"ETP048": open, "ETP050": open}},
		"asked, and there is nothing to ask": {
			"dataplane cilium@v1.18.0 cilium=v1.18.0 replaces-kube-proxy\n" + nodes + spreadOut + backends + "asked\n", want{"ETP048": skip, "ETP050": skip},
		},
		"asked, and the configured mode is not known": {
			"dataplane kube-proxy@v1.36.3\nnode a,b,c zone=h podcidr=auto proxy-mode=iptables\n" + local + backends, want{"ETP050": open},
		},
		"another mode than configured": {kubeProxy + "node a zone=h proxy-mode=ipvs\n" + local + "ep 10.244.1.10 node=a\n", want{"ETP050": fail}},
		"misnamed, and not asked": {
			strings.Replace(kubeProxy, "\n", " hostname-override=x\n", 1) + nodes + local + backends, want{"ETP048": fail, "ETP050": skip},
		},
		"the load balancer sends to pods": {
			kubeProxy + nodes + strings.Replace(local, "\n", " annotations=service.beta.kubernetes.io/backend-type=eni finalizers=service.k8s.alibaba/resources\n", 1) + backends,
			want{"ETP007": skip, "ETP011": skip, "ETP051": skip},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := clustertest.Parse(c.cluster)
			if err != nil {
				t.Fatal(err)
			}
			got := results(t, s)
			for code, result := range c.want {
				if got[code].Result != result {
					t.Errorf("%s is %s (%s), want %s", code, got[code].Result, got[code].Message, result)
				}
			}
			if len(got) != len(finding.Catalogue()) {
				t.Errorf("%d of %d checks have a result", len(got), len(finding.Catalogue()))
			}
		})
	}
}

// lacks take something away from a cluster, as if it had not been read or not been asked for.
var lacks = map[string]struct {
	take func(*cluster.Snapshot)
	// facts are those that are not what they were.
	facts []string
	// never are checks that cannot pass without it.
	never []string
	// results are the only ones that these checks may have then.
	results []finding.Result
}{
	"endpoints": {
		take: func(s *cluster.Snapshot) {
			for i := range s.Services {
				s.Services[i].Endpoints, s.Services[i].EndpointsKnown = nil, false
			}
		},
		facts:   []string{"endpoints"},
		never:   []string{"ETP001", "ETP002", "ETP003", "ETP007", "ETP008", "ETP011", "ETP025", "ETP027", "ETP049", "ETP051"},
		results: []finding.Result{finding.Unknown, finding.NotChecked},
	},
	"nodes": {
		take: func(s *cluster.Snapshot) {
			named := map[string]bool{}
			for i := range s.Services {
				for _, e := range s.Services[i].Endpoints {
					named[e.Node] = true
				}
			}
			s.Nodes = slices.DeleteFunc(s.Nodes, func(n cluster.Node) bool { return !named[n.Name] })
			for i := range s.Nodes {
				s.Nodes[i] = cluster.Node{Name: s.Nodes[i].Name, Zone: s.Nodes[i].Zone}
			}
			s.Gaps = append(s.Gaps, cluster.Gap{Resource: "nodes", Verb: "list", Reason: cluster.Forbidden})
		},
		facts:   []string{"nodes"},
		never:   []string{"ETP002", "ETP003", "ETP007", "ETP011", "ETP025", "ETP027", "ETP048", "ETP050", "ETP051"},
		results: []finding.Result{finding.Fail, finding.Unknown, finding.NotChecked},
	},
	"data plane": {
		take: func(s *cluster.Snapshot) {
			s.Dataplane = cluster.Dataplane{Name: cluster.UnknownDataplane, Confidence: cluster.UnknownConfidence}
			for i := range s.Nodes {
				s.Nodes[i].Dataplane = nil
			}
		},
		facts: []string{
			"paths from pods", "paths from the host network", "paths from outside", "paths to node ports", "load balancer", "live health checks", "live proxy modes",
		},
		never:   []string{"ETP002", "ETP003", "ETP025", "ETP050", "ETP051"},
		results: []finding.Result{finding.Unknown, finding.NotChecked},
	},
	"live": {
		take: func(s *cluster.Snapshot) {
			s.NodesAsked = false
			for i := range s.Services {
				s.Services[i].Live = nil
			}
			for i := range s.Nodes {
				s.Nodes[i].ProxyMode = ""
			}
			s.Gaps = slices.DeleteFunc(s.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes/proxy" })
		},
		facts: []string{
			"live health checks", "live proxy modes", "paths from pods", "paths from the host network", "paths from outside", "paths to node ports", "load balancer",
		},
		never:   []string{"ETP048", "ETP050"},
		results: []finding.Result{finding.Fail, finding.NotChecked},
	},
}

// TestChecksDeclareWhatTheyRead takes facts away from every case: a check that declares none of them says what it said before, and one that cannot do without them
// does not pass.
func TestChecksDeclareWhatTheyRead(t *testing.T) {
	files, err := filepath.Glob("../../test/scenario/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for what, lack := range lacks {
		t.Run(what, func(t *testing.T) {
			moved := map[string]bool{}
			for _, file := range files {
				archive, err := txtar.ParseFile(file)
				if err != nil {
					t.Fatal(err)
				}
				read := func() *cluster.Snapshot {
					s, err := clustertest.Parse(string(archive.Files[0].Data))
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				poor := read()
				lack.take(poor)
				full, less := report.Diagnose(read()), report.Diagnose(poor)
				for i := range full {
					if full[i].Unsupported != "" {
						continue
					}
					before, after := byCode(t, &full[i]), byCode(t, &less[i])
					for _, kind := range finding.Catalogue() {
						b, a := before[kind.Code], after[kind.Code]
						reads := slices.ContainsFunc(kind.Reads(), func(name string) bool { return slices.Contains(lack.facts, name) })
						if !reads && !hidden(b) && !hidden(a) && (a.Result != b.Result || a.Message != b.Message) {
							t.Errorf("%s: %s declares none of %q, and without them it is %s (%s), was %s (%s)", file, kind.Code, lack.facts, a.Result, a.Message, b.Result, b.Message)
						}
						if slices.Contains(lack.never, kind.Code) && !slices.Contains(lack.results, a.Result) {
							t.Errorf("%s: %s is %s (%s)", file, kind.Code, a.Result, a.Message)
						}
						if b.Result == finding.Pass && a.Result != finding.Pass {
							moved[kind.Code] = true
						}
					}
				}
			}
			for _, code := range lack.never {
				if !moved[code] {
					t.Errorf("%s passes in no case that has it", code)
				}
			}
		})
	}
}

// hidden says whether a check did not run because its cause was found.
func hidden(f finding.Finding) bool { return strings.HasSuffix(f.Message, " comes first") }

func TestEveryResultIsSaid(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range finding.Catalogue() {
		if kind.Passed() == "" || seen[kind.Passed()] || strings.HasSuffix(kind.Passed(), ".") {
			t.Errorf("%s: what is true where it passes: %q", kind.Code, kind.Passed())
		}
		seen[kind.Passed()] = true
	}
	words := map[finding.Result]string{finding.Pass: "Pass", finding.Fail: "Fail", finding.Unknown: "Unknown", finding.NotChecked: "NotChecked"}
	for _, result := range slices.Sorted(maps.Keys(words)) {
		if result.String() != words[result] {
			t.Errorf("%q, want %q", result, words[result])
		}
		if result.Found() != (result == finding.Fail || result == finding.Unknown) {
			t.Errorf("%s is found: %t", result, result.Found())
		}
	}
}
