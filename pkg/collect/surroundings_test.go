//go:build unix

package collect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/surroundings"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

var web = Query{Args: []string{"svc/web"}, Namespace: "around"}

// surrounded loads what testdata/surroundings.yaml holds, and takes it away with the test.
func surrounded(t *testing.T) *apiserver.Server {
	t.Helper()
	server := shared.Get(t)
	text, err := os.ReadFile("testdata/surroundings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Delete(context.Background(), text); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestSurroundings(t *testing.T) {
	server := surrounded(t)
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	_, s := readCluster(t, c, web)
	before := len(proxy.Requests())
	got, err := c.Surroundings(t.Context(), s, &s.Services[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := len(proxy.Requests()) - before; n > 20 {
		t.Errorf("%d requests: %v", n, proxy.Requests()[before:])
	}
	if len(got.Gaps) != 0 {
		t.Errorf("gaps: %+v", got.Gaps)
	}
	if got.Service.APIVersion != "v1" || got.Service.Kind != "Service" || got.Service.Name != "web" || got.Service.ResourceVersion == "" {
		t.Errorf("service: %+v", got.Service)
	}
	if got.Metadata.Annotations["meta.helm.sh/release-name"] != "web" || got.Metadata.Annotations["kubectl.kubernetes.io/last-applied-configuration"] != "" {
		t.Errorf("annotations: %v", got.Metadata.Annotations)
	}
	if diff := cmp.Diff(map[string]any{"spec": map[string]any{"externalTrafficPolicy": "Local"}}, got.Metadata.LastApplied); diff != "" {
		t.Errorf("last applied: %s", diff)
	}
	policy := []string{"spec", "externalTrafficPolicy"}
	if !slices.ContainsFunc(got.Metadata.Managers, func(m cluster.Manager) bool {
		return m.Apply && m.Owns(policy) && !m.Owns([]string{"spec", "loadBalancerIP"})
	}) {
		t.Errorf("nobody owns %v: %+v", policy, got.Metadata.Managers)
	}
	if got.Server.Major != 1 || got.Server.Minor < 20 || got.Born.IsZero() {
		t.Errorf("server %v, born %v", got.Server, got.Born)
	}
	rs := cluster.Object{APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: "around", Name: "web-5d"}
	sts := cluster.Object{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "around", Name: "old"}
	canary := cluster.Object{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Namespace: "around", Name: "canary"}
	zone := func(extra map[string]any) map[string]any {
		extra["topologyKey"], extra["labelSelector"] = "zone", map[string]any{"matchLabels": map[string]any{"app": "web"}}
		return extra
	}
	want := &cluster.Surroundings{
		Selector:     map[string]string{"app": "web"},
		AppProtocols: map[string]string{"http": "http"},
		Pods: []cluster.Pod{
			{
				Namespace: "around", Name: "web-1", Node: "around-1", HostNetwork: true, Owner: &rs, ReadinessGates: []string{"example.com/ready"},
				Annotations: map[string]string{"tke.cloud.tencent.com/networks": "tke-route-eni"},
			},
			{Namespace: "around", Name: "web-2", Owner: &sts},
			{Namespace: "around", Name: "web-3", Owner: &canary},
		},
		Workloads: []cluster.Workload{
			{
				Object: cluster.Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "around", Name: "web"}, Known: true, Replicas: 4, Strategy: "RollingUpdate", Surge: 2, Unavailable: 1,
				Settled: cluster.No, HostPorts: true, Labels: map[string]string{"app": "web", "tier": "front"}, NodeSelector: map[string]string{"disk": "ssd"},
				Tolerations: []cluster.Toleration{{Key: "only", Operator: "Equal", Value: "web", Effect: "NoSchedule"}},
				Affinity: map[string]any{"podAntiAffinity": map[string]any{"preferredDuringSchedulingIgnoredDuringExecution": []any{
					map[string]any{"weight": int64(3), "podAffinityTerm": zone(map[string]any{})},
				}}},
				TopologySpread: []any{zone(map[string]any{"maxSkew": int64(2), "whenUnsatisfiable": "DoNotSchedule"})},
			},
			{Object: canary},
			{
				Object: sts, Known: true, Replicas: 1, Strategy: "OnDelete", Unavailable: 1, Settled: cluster.No, Claims: true, Labels: map[string]string{"app": "web", "run": "old"},
			},
		},
		Budgets:    []cluster.Budget{{Namespace: "around", Name: "web"}},
		Policies:   []cluster.NetworkPolicy{{Kind: "NetworkPolicy", Namespace: "around", Name: "office", Blocks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}},
		Ingresses:  []cluster.IngressObject{{Namespace: "elsewhere", Name: "shop", Hosts: []string{"www.example.com", "api.example.com"}, Annotations: map[string]string{"nginx.ingress.kubernetes.io/whitelist-source-range": "198.51.100.0/24"}}},
		Sharers:    []cluster.Sharer{{Namespace: "elsewhere", Name: "sharer", ExternalTrafficPolicy: cluster.PolicyCluster}},
		ConfigMaps: []cluster.ConfigMap{{Object: cluster.Object{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "coredns"}, Data: map[string]string{"Corefile": ".:53 {\n    kubernetes cluster.local\n}\n"}}},
	}
	diff := cmp.Diff(want, got,
		cmpopts.IgnoreFields(cluster.Surroundings{}, "Service", "Metadata", "Server", "Born", "Events", "DaemonSets"), cmpopts.IgnoreFields(cluster.Object{}, "ResourceVersion"),
		cmpopts.IgnoreTypes(cluster.Metadata{}), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }))
	if diff != "" {
		t.Error(diff)
	}
	terway := cluster.DaemonSet{Namespace: "kube-system", Name: "terway-eniip", Wanted: 3, Ready: 2, On: map[string]bool{"around-1": true, "around-2": false}}
	if !slices.ContainsFunc(got.DaemonSets, func(d cluster.DaemonSet) bool { return cmp.Equal(d, terway) }) {
		t.Errorf("daemon sets: %+v", got.DaemonSets)
	}
	// The server may add one of its own: it repairs what it finds unallocated.
	events := slices.DeleteFunc(slices.Clone(got.Events), func(e cluster.Event) bool { return e.Reason == "ClusterIPNotAllocated" })
	if len(events) != 1 || events[0].Reason != "SyncLoadBalancerFailed" || events[0].Last.Year() != 2026 {
		t.Errorf("events: %+v", got.Events)
	}
}

// around are all rights that Surroundings uses, beside those of status.
var around = map[string]rbacv1.PolicyRule{
	cluster.ResourcePods:                 apiserver.Rule("list", "pods"),
	cluster.ResourceReplicaSets:          apiserver.Rule("get", "replicasets.apps"),
	"deployments.apps":                   apiserver.Rule("get", "deployments.apps"),
	"statefulsets.apps":                  apiserver.Rule("get", "statefulsets.apps"),
	cluster.ResourceNetworkPolicies:      apiserver.Rule("list", "networkpolicies.networking.k8s.io"),
	cluster.ResourcePodDisruptionBudgets: apiserver.Rule("list", "poddisruptionbudgets.policy"),
	cluster.ResourceIngresses:            apiserver.Rule("list", "ingresses.networking.k8s.io"),
	cluster.ResourceEvents:               apiserver.Rule("list", "events"),
	cluster.ResourceNamespaces:           apiserver.Rule("get", "namespaces"),
}

func TestEachRightMissingAround(t *testing.T) {
	server := surrounded(t)
	_, s := readCluster(t, client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin})), web)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: "reader"}))
	all := map[string]rbacv1.PolicyRule{cluster.ResourceServices: rights[cluster.ResourceServices], cluster.ResourceDaemonSets: rights[cluster.ResourceDaemonSets], cluster.ResourceConfigMaps: rights[cluster.ResourceConfigMaps]}
	maps.Copy(all, around)
	for missing := range all {
		t.Run(missing, func(t *testing.T) {
			var granted []rbacv1.PolicyRule
			for resource, rule := range all {
				if resource != missing {
					granted = append(granted, rule)
				}
			}
			if missing == cluster.ResourceServices {
				// The Service itself is indispensable; those of other namespaces are not.
				granted = append(granted, apiserver.Rule("get", "services"))
			}
			if err := server.Grant(t.Context(), "reader", granted...); err != nil {
				t.Fatal(err)
			}
			got, err := c.Surroundings(t.Context(), s, &s.Services[0])
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Gaps) == 0 || got.Gap(missing, "") == nil {
				t.Fatalf("gaps: %+v", got.Gaps)
			}
			for _, gap := range got.Gaps {
				if gap.Resource != missing || gap.Reason != cluster.Forbidden || gap.Message == "" || RBACRule(gap) == "" {
					t.Errorf("gap: %+v", gap)
				}
			}
			for _, d := range got.DaemonSets {
				if d.Name == "terway-eniip" && ((d.Gap != nil) != (missing == cluster.ResourcePods) || (d.On == nil) != (missing == cluster.ResourcePods)) {
					t.Errorf("Terway by node: %+v", d)
				}
			}
			unread := slices.ContainsFunc(got.Workloads, func(w cluster.Workload) bool { return w.Kind != "Rollout" && !w.Known })
			if workload := missing == cluster.ResourceReplicaSets || missing == "deployments.apps" || missing == "statefulsets.apps"; unread != workload {
				t.Errorf("workloads: %+v", got.Workloads)
			}
			if (len(got.Pods) == 0) != (missing == cluster.ResourcePods) {
				t.Errorf("pods: %+v", got.Pods)
			}
		})
	}
	t.Run("the Service itself", func(t *testing.T) {
		if err := server.Grant(t.Context(), "reader"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Surroundings(t.Context(), s, &s.Services[0]); err == nil || !strings.Contains(err.Error(), "get service around/web: forbidden") {
			t.Errorf("error: %v", err)
		}
	})
}

func TestSurroundingsOfAnotherService(t *testing.T) {
	server := surrounded(t)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin}))
	_, s := readCluster(t, c, web)
	if err := server.Patch(t.Context(), "Service", "around", "web", `{"spec":{"externalTrafficPolicy":"Cluster"}}`); err != nil {
		t.Fatal(err)
	}
	_, err := c.Surroundings(t.Context(), s, &s.Services[0])
	if changed, ok := errors.AsType[*ChangedError](err); !ok || changed.Name != "web" {
		t.Errorf("error: %v", err)
	}
}

func TestSurroundingsAreInterrupted(t *testing.T) {
	server := surrounded(t)
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	_, s := readCluster(t, c, web)
	ctx, cancel := context.WithCancel(t.Context())
	defer proxy.On(`/pods`, faults.Hang())()
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := c.Surroundings(ctx, s, &s.Services[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

// With endpoints on many nodes, the pods of Terway are listed at once.
func TestTerwayOfManyNodes(t *testing.T) {
	server := surrounded(t)
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	_, s := readCluster(t, c, web)
	for i := range surroundings.MaxSingleNodes {
		s.Services[0].Endpoints = append(s.Services[0].Endpoints, cluster.Endpoint{Node: fmt.Sprintf("many-%d", i), Ready: true})
	}
	proxy.Reset()
	got, err := c.Surroundings(t.Context(), s, &s.Services[0])
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, request := range proxy.Requests() {
		if strings.Contains(request.String(), "terway-eniip") {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	want := map[string]bool{"around-1": true, "around-2": false, "around-3": false}
	if !slices.ContainsFunc(got.DaemonSets, func(d cluster.DaemonSet) bool { return d.Name == "terway-eniip" && cmp.Equal(d.On, want) }) {
		t.Errorf("daemon sets: %+v", got.DaemonSets)
	}
}

// Lists end: what lies behind the last page that is read is a gap, and what was read stays.
func TestSurroundingsAreBounded(t *testing.T) {
	server := surrounded(t)
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	_, s := readCluster(t, c, web)
	const endless = `{"kind":"EventList","apiVersion":"v1","metadata":{"continue":"more"},"items":[{"metadata":{"name":"a"},"involvedObject":{},"reason":"Again"}]}`
	defer proxy.On(`/events`, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(endless))
	})()
	got, err := c.Surroundings(t.Context(), s, &s.Services[0])
	if err != nil {
		t.Fatal(err)
	}
	if gap := got.Gap(cluster.ResourceEvents, ""); gap == nil || !strings.Contains(gap.Message, "more than 5000") || len(got.Events) != api.MaxPages {
		t.Errorf("gap %+v, %d events", gap, len(got.Events))
	}
}
