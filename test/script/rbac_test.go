//go:build unix

package script_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

// grantee is the user that is given what `kubectl etp rbac` prints.
const grantee = "grantee"

const operated = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: calico-system}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  template:
    metadata: {labels: {k8s-app: calico-node}}
    spec: {containers: [{name: calico-node, image: docker.io/calico/node:v3.29.1}]}
`

// probe is a command line whose every read must be allowed by the level's ClusterRole.
type probe struct {
	args []string
	// narrowed changes the query of requests to the path that ends so: it shows the program a cluster that the server does not hold.
	path, narrowed string
}

var statusProbes = []probe{
	{args: []string{"status", "svc/nginx-ingress-lb", "-n", "kube-system"}},
	{args: []string{"status", "-A"}},
	{args: []string{"dump", "svc/web", "-n", "shop"}},
	// As on a cluster of more nodes than are read in one go.
	{args: []string{"status", "svc/nginx-ingress-lb", "-n", "kube-system"}, path: "/api/v1/nodes", narrowed: "limit=1"},
	// As on a cluster whose kube-proxy is run by no DaemonSet.
	{args: []string{"status", "svc/nginx-ingress-lb", "-n", "kube-system"}, path: "/apis/apps/v1/daemonsets", narrowed: "fieldSelector=metadata.name%3Dnone"},
	// It has no load balancer address.
	{args: []string{"status", "svc/waiting", "-n", "waiting"}},
	// Nodes announce their addresses: a Lease of one Service, and of all, and what MetalLB says.
	{args: []string{"status", "svc/by-cilium", "-n", "announced"}},
	{args: []string{"status", "-n", "announced"}},
	{args: []string{"status", "svc/by-metallb", "-n", "announced"}},
	// Neither is there: with the right to look, that is what is said.
	{args: []string{"status", "ing/nonesuch", "-n", "shop"}},
	{args: []string{"status", "gateway/nonesuch", "-n", "shop"}},
	{args: []string{"trace", "svc/web", "-n", "shop", "--from", "pod/nonesuch"}},
}

// waiting is a Service without a load balancer address.
const waiting = `
---
apiVersion: v1
kind: Namespace
metadata: {name: waiting}
---
apiVersion: v1
kind: Service
metadata: {name: waiting, namespace: waiting}
spec: {type: LoadBalancer, selector: {app: waiting}, ports: [{port: 80}]}
`

// announced are Services whose addresses Cilium and MetalLB may announce from nodes.
const announced = `
---
apiVersion: v1
kind: Namespace
metadata: {name: announced}
---
apiVersion: v1
kind: Service
metadata: {name: by-cilium, namespace: announced}
spec: {type: LoadBalancer, loadBalancerClass: io.cilium/l2-announcer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.71}]}}
---
apiVersion: v1
kind: Service
metadata: {name: by-cilium-too, namespace: announced}
spec: {type: LoadBalancer, loadBalancerClass: io.cilium/l2-announcer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.72}]}}
---
apiVersion: v1
kind: Service
metadata: {name: by-metallb, namespace: announced, annotations: {metallb.io/ip-allocated-from-pool: first}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.73}]}}
`

// What rbac prints is enough: nothing is forbidden. It is also the least: without any verb of any of its rules, something is.
func TestRBACIsTheLeast(t *testing.T) {
	server := shared.Get(t)
	manifests, err := os.ReadFile("testdata/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), append(append(manifests, waiting...), announced...)); err != nil {
		t.Fatal(err)
	}
	// As on a cluster with Calico of Tigera's operator.
	t.Cleanup(func() {
		if err := server.Delete(context.Background(), []byte(operated)); err != nil {
			t.Error(err)
		}
	})
	if err := server.Apply(t.Context(), []byte(operated)); err != nil {
		t.Fatal(err)
	}
	proxy := faults.Start(t, server)
	kubeconfig := server.Kubeconfig(t, apiserver.Context{Name: "proxied", User: grantee, Server: proxy.URL})
	g := &granted{server: server, proxy: proxy, kubeconfig: kubeconfig}
	for _, level := range []struct {
		name string
		// forbidden runs what the level is for, and says whether anything was forbidden.
		forbidden func(*testing.T) bool
		// least is how many verbs of how many rules are the level's own.
		least int
	}{
		{"status", func(t *testing.T) bool { return g.any(t, statusProbes) }, 11},
		{"live", func(t *testing.T) bool {
			return g.any(t, []probe{{args: []string{"status", "svc/nginx-ingress-lb", "-n", "kube-system", "--live"}}})
		}, 1},
		{"watch", g.watch, 3},
	} {
		t.Run(level.name, func(t *testing.T) {
			rules := clusterRole(t, level.name)
			g.grant(t, rules)
			if level.forbidden(t) {
				t.Fatal("the role is not enough")
			}
			base := clusterRole(t, "status")
			tried := 0
			for i, rule := range rules {
				for _, verb := range rule.Verbs {
					// What every level has is tried once.
					if level.name != "status" && slices.ContainsFunc(base, func(b rbacv1.PolicyRule) bool {
						return slices.Equal(b.Resources, rule.Resources) && slices.Contains(b.Verbs, verb)
					}) {
						continue
					}
					tried++
					less := slices.Clone(rules)
					less[i].Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(v string) bool { return v == verb })
					less = slices.DeleteFunc(less, func(r rbacv1.PolicyRule) bool { return len(r.Verbs) == 0 })
					g.grant(t, less)
					if !level.forbidden(t) {
						t.Errorf("nobody misses the right to %s %s", verb, rule.Resources[0])
					}
				}
			}
			if tried < level.least {
				t.Errorf("only %d rights were taken away", tried)
			}
		})
	}
}

// clusterRole is what rbac prints, as the server reads it.
func clusterRole(t *testing.T, level string) []rbacv1.PolicyRule {
	t.Helper()
	out, err := exec.Command(filepath.Join(os.Getenv(binEnv), "kubectl-etp"), "rbac", "--for", level).Output()
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(out, &role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

type granted struct {
	server     *apiserver.Server
	proxy      *faults.Proxy
	kubeconfig string
}

func (g *granted) grant(t *testing.T, rules []rbacv1.PolicyRule) {
	t.Helper()
	if err := g.server.Grant(t.Context(), grantee, rules...); err != nil {
		t.Fatal(err)
	}
}

func (g *granted) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(os.Getenv(binEnv), "kubectl-etp"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+g.kubeconfig, "LC_ALL=C.UTF-8")
	return cmd
}

// any runs probes until something is forbidden, which each of them says on the screen or as an error.
func (g *granted) any(t *testing.T, probes []probe) bool {
	t.Helper()
	for _, p := range probes {
		g.proxy.Reset()
		if p.path != "" {
			g.proxy.On("^GET "+p.path+`(\?|$)|^GET .*`+p.path+`(\?|$)`, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				name, _, _ := strings.Cut(p.narrowed, "=")
				if q := r.URL.Query(); name != "limit" || q.Has(name) {
					q.Del(name)
					r.URL.RawQuery = strings.Trim(q.Encode()+"&"+p.narrowed, "&")
				}
				next.ServeHTTP(w, r)
			})
		}
		// A dump says what is missing on standard error.
		out, err := g.command(t.Context(), p.args...).CombinedOutput()
		if len(out) == 0 {
			t.Fatalf("%v says nothing: %v", p.args, err)
		}
		if namesRefusal(out) {
			return true
		}
	}
	return false
}

// namesRefusal: the screen sums up every refused read in one line; other output and errors have the API server's word.
func namesRefusal(out []byte) bool {
	out = bytes.ToLower(out)
	return bytes.Contains(out, []byte("not allowed to ")) || bytes.Contains(out, []byte("forbidden"))
}

// watch runs status --watch until it follows everything, or says that it may not.
func (g *granted) watch(t *testing.T) bool {
	t.Helper()
	g.proxy.Reset()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := g.command(ctx, "status", "svc/web", "-n", "shop", "--watch")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	said := func() bool {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return namesRefusal(text)
	}
	following := func() bool {
		var kinds []string
		for _, r := range g.proxy.Requests() {
			if r.Query.Get("watch") != "" && r.Status == http.StatusOK && !slices.Contains(kinds, r.Path) {
				kinds = append(kinds, r.Path)
			}
		}
		return len(kinds) >= 3
	}
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-ended:
			return said()
		case <-tick.C:
		}
		forbidden := said()
		if forbidden || following() {
			tick.Stop()
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil || ctx.Err() != nil {
				t.Fatal(fmt.Errorf("interrupted, it ended with %w", err))
			}
			return forbidden
		}
	}
}

// fixable is a Service each in front of a Deployment, a StatefulSet and a DaemonSet, and a CoreDNS.
func fixable() string {
	const service = `---
{apiVersion: v1, kind: Service, metadata: {name: %[1]s, namespace: fixable}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: %[1]s}, ports: [{port: 80}]},
  status: {loadBalancer: {ingress: [{ip: 203.0.113.%[2]d}]}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: %[1]s-0, namespace: fixable, labels: {app: %[1]s}, ownerReferences: [{apiVersion: apps/v1, kind: %[3]s, name: %[1]s, uid: %[1]s, controller: true}]},
  spec: {nodeName: cn-hangzhou.10.0.1.11, containers: [{name: a, image: a}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %[1]s, namespace: fixable, labels: {kubernetes.io/service-name: %[1]s}}, addressType: IPv4, ports: [{port: 80}],
  endpoints: [{addresses: [10.244.9.%[2]d], nodeName: cn-hangzhou.10.0.1.11, conditions: {ready: true}, targetRef: {kind: Pod, name: %[1]s-0, namespace: fixable}}]}
`
	const workload = `---
{apiVersion: apps/v1, kind: %[2]s, metadata: {name: %[1]s, namespace: fixable%[3]s}, spec: {%[4]s selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}},
  spec: {containers: [{name: a, image: a}]}}}, status: {observedGeneration: 1, %[5]s}}
`
	const up = "replicas: 2, readyReplicas: 2, updatedReplicas: 2, availableReplicas: 2"
	text := fmt.Sprintf(service, "deployed", 81, "ReplicaSet") + fmt.Sprintf(service, "stateful", 82, "StatefulSet") + fmt.Sprintf(service, "daemon", 83, "DaemonSet")
	text += fmt.Sprintf(workload, "deployed", "Deployment", "", "replicas: 2,", up) + fmt.Sprintf(workload, "stateful", "StatefulSet", "", "replicas: 2, serviceName: stateful,", up+", currentRevision: a, updateRevision: a")
	text += fmt.Sprintf(workload, "deployed", "ReplicaSet", ", ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: deployed, uid: deployed, controller: true}]", "replicas: 2,", "replicas: 2")
	text += fmt.Sprintf(workload, "daemon", "DaemonSet", "", "", "currentNumberScheduled: 1, desiredNumberScheduled: 1, numberMisscheduled: 0, numberReady: 1")
	return text + `---
{apiVersion: v1, kind: ConfigMap, metadata: {name: coredns, namespace: kube-system}, data: {Corefile: ".:53 {\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n}\n"}}
`
}

// refused runs what fix and undo do, but for the last step, until the server forbids a request, and lists what it forbids.
func (g *granted) refused(t *testing.T) (refused []string, said string) {
	t.Helper()
	g.proxy.Reset()
	for _, args := range [][]string{
		{"fix", "deployed", "--mode=cluster"},
		{"fix", "deployed", "--mode=anti-affinity"},
		{"fix", "stateful", "--mode=spread"},
		{"fix", "daemon", "--mode=cluster"},
		{"fix", "deployed", "--mode=dns", "--host=www.example.com"},
		// The policies of Cilium are read where it is the data plane.
		{"fix", "deployed", "--mode=cluster", "--dataplane=cilium"},
		{"undo", "deployed"},
	} {
		// How it ends is told by the requests.
		out, _ := g.command(t.Context(), append([]string{args[0], "-n", "fixable", "--dry-run=server", "svc/" + args[1]}, args[2:]...)...).CombinedOutput()
		said += strings.Join(args, " ") + "\n" + string(out)
		for _, r := range g.proxy.Requests() {
			if r.Status == http.StatusForbidden {
				refused = append(refused, r.String())
			}
		}
		if len(refused) > 0 {
			break
		}
	}
	return refused, said
}

// What rbac prints for fix is enough for every mode up to the server's dry run, and the least: without any verb of any rule that status does not have, something is
// forbidden.
func TestRBACOfFixIsTheLeast(t *testing.T) {
	server := shared.Get(t)
	manifests, err := os.ReadFile("testdata/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(manifests), fixable()} {
		if err := server.Apply(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := server.Delete(context.Background(), []byte(fixable())); err != nil {
			t.Error(err)
		}
	})
	proxy := faults.Start(t, server)
	g := &granted{server: server, proxy: proxy, kubeconfig: server.Kubeconfig(t, apiserver.Context{Name: "proxied", User: grantee, Server: proxy.URL})}
	base, rules := clusterRole(t, "status"), clusterRole(t, "fix")
	g.grant(t, rules)
	if refused, said := g.refused(t); len(refused) > 0 {
		t.Fatalf("the role is not enough: %v\n%s", refused, said)
	}
	patched := map[string]bool{}
	for _, r := range proxy.Requests() {
		if r.Method == http.MethodPatch && r.Status == http.StatusOK {
			patched[strings.Split(r.Path, "/")[len(strings.Split(r.Path, "/"))-2]] = true
		}
	}
	if want := []string{"configmaps", "deployments", "services", "statefulsets"}; !slices.Equal(slices.Sorted(maps.Keys(patched)), want) {
		t.Errorf("tried to patch %v, want %v", slices.Sorted(maps.Keys(patched)), want)
	}
	tried := 0
	for i, rule := range rules {
		for _, verb := range rule.Verbs {
			if slices.ContainsFunc(base, func(b rbacv1.PolicyRule) bool {
				return slices.Equal(b.Resources, rule.Resources) && slices.Contains(b.Verbs, verb)
			}) {
				continue
			}
			tried++
			less := slices.Clone(rules)
			less[i].Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(v string) bool { return v == verb })
			less = slices.DeleteFunc(less, func(r rbacv1.PolicyRule) bool { return len(r.Verbs) == 0 })
			g.grant(t, less)
			if refused, said := g.refused(t); len(refused) == 0 {
				t.Errorf("nobody misses the right to %s %s:\n%s", verb, rule.Resources[0], said)
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d rights were taken away", tried)
	}
}
