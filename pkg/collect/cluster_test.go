//go:build unix

package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/read"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

var shared apiserver.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m, apiserver.Users("reader", "nobody"))) }

// modern is the v1.20 cluster as a current API server takes it: slices in v1, and addresses of its own choice.
func modern(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/kubeadm-ipvs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("discovery.k8s.io/v1beta1"), []byte("discovery.k8s.io/v1"))
	text = regexp.MustCompile(`topology:\n +kubernetes.io/hostname: (.*)\n +topology.kubernetes.io/zone: (.*)\n`).ReplaceAll(text, []byte("nodeName: $1\n    zone: $2\n"))
	return regexp.MustCompile(`    clusterIPs?:( .*)?\n(    - 172.21.4.20\n)?`).ReplaceAll(text, nil)
}

func start(t *testing.T) *apiserver.Server {
	t.Helper()
	server := shared.Get(t)
	if err := server.Apply(t.Context(), modern(t)); err != nil {
		t.Fatal(err)
	}
	return server
}

func client(t *testing.T, kubeconfig string, change ...func(*genericclioptions.ConfigFlags)) *Client {
	t.Helper()
	getter := genericclioptions.NewConfigFlags(false)
	getter.KubeConfig = &kubeconfig
	for _, f := range change {
		f(getter)
	}
	c, err := NewClient(getter)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readCluster(t *testing.T, c *Client, q Query) (*Objects, *cluster.Snapshot) {
	t.Helper()
	objects, err := c.Read(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return objects, collecttest.Snapshot(t, objects, q)
}

var story = Query{Args: []string{"svc/nginx-ingress-lb"}, Namespace: "kube-system"}

func TestReadCluster(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	objects, got := readCluster(t, c, story)
	if n := len(proxy.Requests()); n > read.Budget {
		t.Errorf("%d requests: %v", n, proxy.Requests())
	}
	if len(got.Nodes) != 40 || len(got.Services) != 1 || len(got.Services[0].Endpoints) != 3 || len(got.Gaps) != 0 {
		t.Fatalf("%d nodes, %d services, gaps %v", len(got.Nodes), len(got.Services), got.Gaps)
	}
	want := collecttest.Snapshot(t, collecttest.Offline(t, "collect/testdata/kubeadm-ipvs.yaml"), story)
	want.Services[0].ClusterIPs = got.Services[0].ClusterIPs
	collecttest.SameFacts(t, got, want)

	var dump bytes.Buffer
	if err := Dump(&dump, objects); err != nil {
		t.Fatal(err)
	}
	collecttest.SameFacts(t, collecttest.Snapshot(t, collecttest.FromText(t, dump.String()), story), got)
}

// Everything that status reads, right by right.
var rights = map[string]rbacv1.PolicyRule{
	cluster.ResourceServices:            apiserver.Rule("get list", "services"),
	cluster.ResourceEndpointSlices:      apiserver.Rule("list", "endpointslices.discovery.k8s.io"),
	cluster.ResourceNodes:               apiserver.Rule("get list", "nodes"),
	cluster.ResourceDaemonSets:          apiserver.Rule("list", "daemonsets.apps"),
	cluster.ResourceConfigMaps:          apiserver.Rule("get", "configmaps"),
	cluster.ResourceFelixConfigurations: apiserver.Rule("get", "felixconfigurations.crd.projectcalico.org"),
}

func TestEachRightMissing(t *testing.T) {
	server := start(t)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: "reader"}))
	for missing := range rights {
		t.Run(missing, func(t *testing.T) {
			var granted []rbacv1.PolicyRule
			for resource, rule := range rights {
				if resource != missing {
					granted = append(granted, rule)
				}
			}
			if err := server.Grant(t.Context(), "reader", granted...); err != nil {
				t.Fatal(err)
			}
			objects, err := c.Read(t.Context(), story)
			if missing == cluster.ResourceServices {
				if err == nil || !strings.Contains(err.Error(), "get service kube-system/nginx-ingress-lb: forbidden") || !strings.Contains(err.Error(), "kubectl auth can-i get services -n kube-system") {
					t.Errorf("error: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := collecttest.Snapshot(t, objects, story)
			if len(s.Gaps) == 0 {
				t.Fatal("no gap")
			}
			for _, gap := range s.Gaps {
				if gap.Resource != missing || gap.Reason != cluster.Forbidden || gap.Message == "" {
					t.Errorf("gap: %+v", gap)
				}
				if rule := RBACRule(gap); !strings.Contains(rule, strings.Split(missing, ".")[0]) {
					t.Errorf("rule: %s", rule)
				}
			}
			switch missing {
			case cluster.ResourceEndpointSlices:
				if s.Services[0].EndpointsKnown {
					t.Error("endpoints count as known")
				}
			case cluster.ResourceNodes:
				if len(s.Nodes) != 2 || s.Nodes[0].Known || s.Nodes[0].Zone != "cn-hangzhou-h" {
					t.Errorf("nodes: %+v", s.Nodes)
				}
			case cluster.ResourceConfigMaps:
				if s.Dataplane.Name != cluster.KubeProxy || s.Dataplane.Mode != "" || s.Dataplane.Confidence == cluster.Observed {
					t.Errorf("data plane: %+v", s.Dataplane)
				}
			case cluster.ResourceDaemonSets, cluster.ResourceFelixConfigurations:
				if s.Dataplane.Mode != cluster.IPVS || s.Dataplane.Confidence != cluster.Inferred {
					t.Errorf("data plane: %+v", s.Dataplane)
				}
			}
		})
	}
	t.Run("services and slices alone", func(t *testing.T) {
		if err := server.Grant(t.Context(), "reader", rights[cluster.ResourceServices], rights[cluster.ResourceEndpointSlices]); err != nil {
			t.Fatal(err)
		}
		_, s := readCluster(t, c, story)
		if len(s.Nodes) != 2 || len(s.Services[0].Endpoints) != 3 || s.Dataplane.Name != cluster.UnknownDataplane {
			t.Errorf("nodes %+v, data plane %+v", s.Nodes, s.Dataplane)
		}
	})
}

func TestReadErrors(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	kubeconfig := server.Kubeconfig(t,
		apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL},
		apiserver.Context{Name: "expired", User: apiserver.Admin, Token: "expired"},
		apiserver.Context{Name: "away", User: apiserver.Admin, Server: "https://127.0.0.1:1"},
		apiserver.Context{Name: "nobody", User: "nobody"},
	)
	in := func(name string) func(*genericclioptions.ConfigFlags) {
		return func(f *genericclioptions.ConfigFlags) { f.Context = &name }
	}
	short := "1s"
	cases := []struct {
		name   string
		change func(*genericclioptions.ConfigFlags)
		query  Query
		want   []string
	}{
		{"another namespace", in("x"), Query{Args: []string{"svc/nginx-ingress-lb"}, Namespace: "default"}, []string{"get service default/nginx-ingress-lb: not found in namespace default", "add -n kube-system"}},
		{"near names", in("x"), Query{Args: []string{"svc/nginx-lb"}, Namespace: "kube-system"}, []string{"not found in namespace kube-system", "kube-system/nginx-ingress-lb"}},
		{"forbidden", in("nobody"), story, []string{"get service kube-system/nginx-ingress-lb: forbidden", "kubectl auth can-i get services -n kube-system"}},
		{"expired", in("expired"), story, []string{"rejects the credentials"}},
		{"away", in("away"), story, []string{"https://127.0.0.1:1 cannot be reached", "connection refused"}},
		{"hangs", func(f *genericclioptions.ConfigFlags) { in("x")(f); f.Timeout = &short }, story, []string{"did not answer in time", "--request-timeout"}},
		{"cut", in("x"), story, []string{"get service kube-system/nginx-ingress-lb", "closed the connection in the middle of its answer"}},
		{"broken", in("x"), story, []string{"get service kube-system/nginx-ingress-lb", "etcd is away"}},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			switch test.name {
			case "hangs":
				defer proxy.On(`/services/`, faults.Hang())()
			case "cut":
				defer proxy.On(`/services/`, faults.Cut(20))()
			case "broken":
				defer proxy.On(`/services/`, faults.Status(500, "etcd is away"))()
			}
			_, err := client(t, kubeconfig, test.change).Read(t.Context(), test.query)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

// What is refused beside the Service is a gap, and the rest is still told.
func TestSlicesAreBroken(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	proxy.On(`endpointslices`, faults.Status(500, "etcd is away"))
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	_, s := readCluster(t, c, story)
	want := cluster.Gap{Resource: cluster.ResourceEndpointSlices, Verb: "list", Namespace: "kube-system", Reason: cluster.Failed, Message: "etcd is away"}
	if len(s.Gaps) != 1 || s.Gaps[0] != want || len(s.Nodes) != 40 || s.Services[0].EndpointsKnown {
		t.Errorf("gaps: %+v, %d nodes", s.Gaps, len(s.Nodes))
	}
}

// All reads share a connection: when it is cut in the middle of a list, they are asked once more.
func TestOneCutIsSurvived(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	proxy.On(`GET /api/v1/nodes`, faults.Times(1, faults.Cut(30)))
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	_, s := readCluster(t, c, story)
	if len(s.Gaps) != 0 || len(s.Nodes) != 40 || len(s.Services[0].Endpoints) != 3 {
		t.Errorf("gaps: %+v, %d nodes", s.Gaps, len(s.Nodes))
	}
}

// A large cluster is read by cheap lists, and within the budget.
func TestLargeCluster(t *testing.T) {
	server := start(t)
	var manifests strings.Builder
	const more = 300
	for i := range more {
		fmt.Fprintf(&manifests, "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: worker-%03d\n  labels: {kubernetes.io/os: linux, topology.kubernetes.io/zone: cn-hangzhou-k}\nspec:\n  podCIDR: 172.20.%d.0/24\n  unschedulable: %t\nstatus:\n  addresses: [{type: InternalIP, address: 10.0.9.%d}]\n  conditions: [{type: Ready, status: %q}]\n  nodeInfo: {kubeletVersion: v1.20.15, architecture: amd64, bootID: a, containerRuntimeVersion: a, kernelVersion: a, kubeProxyVersion: '', machineID: a, operatingSystem: linux, osImage: a, systemUUID: a}\n",
			i, i%256, i%2 == 1, i%256, map[bool]string{true: "True", false: "Unknown"}[i%3 > 0])
	}
	if err := server.Apply(t.Context(), []byte(manifests.String())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Delete(context.Background(), []byte(manifests.String())); err != nil {
			t.Error(err)
		}
	})
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	query := story
	query.Nodes = []string{"worker-298", "worker-299"}
	objects, s := readCluster(t, c, query)
	if n := len(proxy.Requests()); n > read.Budget {
		t.Errorf("%d requests: %v", n, proxy.Requests())
	}
	if len(s.Nodes) != 40+more || len(s.Gaps) != 0 {
		t.Fatalf("%d nodes, gaps %v", len(s.Nodes), s.Gaps)
	}
	partial := 0
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if !strings.HasPrefix(n.Name, "worker-") {
			continue
		}
		var number int
		if _, err := fmt.Sscanf(n.Name, "worker-%d", &number); err != nil {
			t.Fatal(err)
		}
		ready := cluster.Yes
		if number%3 == 0 {
			ready = cluster.Undetermined
			if n.Partial {
				ready = cluster.No
			}
		}
		if n.Partial {
			partial++
			if slices.Contains(query.Nodes, n.Name) {
				t.Errorf("%s is asked about, and was not read in full", n.Name)
			}
		}
		if n.Ready != ready || n.Unschedulable != (number%2 == 1) || n.Zone != "cn-hangzhou-k" || n.KubeletVersion.String() != "v1.20.15" || len(n.InternalIPs) != 1 || n.Dataplane != nil {
			t.Errorf("node: %+v", *n)
		}
	}
	if partial == 0 || partial > more {
		t.Errorf("%d nodes were read in part", partial)
	}
	var dump bytes.Buffer
	if err := Dump(&dump, objects); err != nil {
		t.Fatal(err)
	}
	collecttest.SameFacts(t, collecttest.Snapshot(t, collecttest.FromText(t, dump.String()), story), s)
}

func TestReadIsInterrupted(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	defer proxy.On(`/nodes`, faults.Hang())()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	if _, err := c.Read(ctx, story); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

// A Service without an address is read with what was said of it last, in one request; one with an address is not asked about.
func TestReadPendingService(t *testing.T) {
	server := start(t)
	for _, text := range []string{
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: waiting}\n",
		"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: waiting}\nspec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}\n",
		"apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: waiting}\nspec: {type: LoadBalancer, selector: {app: api}, ports: [{port: 80}]}\n",
		strings.ReplaceAll(collecttest.EventText("e1", "Service", "web", "Old", `lastTimestamp: "2026-03-02T08:01:00Z"`), "shop", "waiting"),
		strings.ReplaceAll(collecttest.EventText("e2", "Service", "web", "New", `lastTimestamp: "2026-03-02T08:05:00Z"`), "shop", "waiting"),
		strings.ReplaceAll(collecttest.EventText("e3", "Pod", "web", "Pod", `lastTimestamp: "2026-03-02T08:09:00Z"`), "shop", "waiting"),
	} {
		if err := server.Apply(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	asked := func() (n int) {
		for _, r := range proxy.Requests() {
			if strings.Contains(r.Path, "/events") {
				n++
			}
		}
		return n
	}
	want := cluster.Event{Type: "Warning", Reason: "New", Message: "New of web", Last: time.Date(2026, time.March, 2, 8, 5, 0, 0, time.UTC)}
	for i, q := range []Query{{Args: []string{"svc/web"}, Namespace: "waiting"}, {Namespace: "waiting"}, {AllNamespaces: true}} {
		objects, s := readCluster(t, c, q)
		if n := asked(); n != i+1 {
			t.Errorf("%+v: %d requests for events in all", q, n)
		}
		for _, svc := range s.Services {
			switch {
			case svc.Namespace != "waiting":
			case !svc.EventsKnown || svc.Created.IsZero():
				t.Errorf("%+v: %s: events are known: %t, created %s", q, svc.Name, svc.EventsKnown, svc.Created)
			case svc.Name == "web" && (svc.NewestEvent == nil || *svc.NewestEvent != want), svc.Name == "api" && svc.NewestEvent != nil:
				t.Errorf("%+v: %s: newest event %+v", q, svc.Name, svc.NewestEvent)
			}
		}
		collecttest.SameFacts(t, collecttest.Snapshot(t, collecttest.FromText(t, collecttest.Dumped(t, objects)), q), s)
	}
	before := asked()
	readCluster(t, c, story)
	if asked() != before {
		t.Error("events of a Service that has an address were asked for")
	}

	var granted []rbacv1.PolicyRule
	for _, rule := range rights {
		granted = append(granted, rule)
	}
	if err := server.Grant(t.Context(), "reader", granted...); err != nil {
		t.Fatal(err)
	}
	c = client(t, server.Kubeconfig(t, apiserver.Context{Name: "reader", User: "reader"}))
	_, s := readCluster(t, c, Query{Args: []string{"svc/web"}, Namespace: "waiting"})
	if len(s.Gaps) != 1 || s.Gaps[0].Resource != cluster.ResourceEvents || s.Services[0].EventsKnown || s.Services[0].NewestEvent != nil {
		t.Errorf("without the right to list events: %+v, %+v", s.Gaps, s.Services[0])
	}
}
