//go:build unix

// Package fix_test knows how fix and undo go against a real API server, with the real controllers and scheduler behind
// it: what they say, and what is true then.
package fix_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-etp/kubectl-etp/pkg/cli"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
	"github.com/kubectl-etp/kubectl-etp/test/kube/kubelet"
)

var shared apiserver.Shared

// packing is a scheduler that fills one node before it takes the next, and does not spread by itself: what spreads pods
// here is what the test is about.
const packing = `profiles:
- pluginConfig:
  - name: PodTopologySpread
    args: {defaultingType: List}
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}
  plugins: {score: {disabled: [{name: NodeResourcesBalancedAllocation}]}}
`

func TestMain(m *testing.M) {
	os.Exit(shared.Run(m, apiserver.Users("reader", "fixer"), apiserver.Scheduler(packing),
		apiserver.Controllers("deployment-controller", "replicaset-controller", "statefulset-controller", "endpointslice-controller", "disruption-controller")))
}

// prepared loads the nodes, once, and plays their kubelets until the process ends.
var prepared sync.Once

// world is a namespace of its own.
type world struct {
	t         *testing.T
	server    *apiserver.Server
	proxy     *faults.Proxy
	direct    dynamic.Interface
	namespace string
	// config is the kubeconfig that commands use.
	config string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := shared.Get(t)
	prepared.Do(func() {
		manifests, err := os.ReadFile("testdata/cluster.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Apply(t.Context(), manifests); err != nil {
			t.Fatal(err)
		}
		if _, err := kubelet.Play(server.Config(apiserver.Admin)); err != nil {
			t.Fatal(err)
		}
	})
	direct, err := dynamic.NewForConfig(server.Config(apiserver.Admin))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: server, proxy: faults.Start(t, server), direct: direct, namespace: strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))}
	w.as(apiserver.Admin)
	return w
}

// as makes the commands those of another user.
func (w *world) as(user string) {
	w.t.Helper()
	w.config = w.server.Kubeconfig(w.t, apiserver.Context{Name: "x", User: user, Server: w.proxy.URL, Namespace: w.namespace})
}

// load applies manifests, in which NS is the namespace, until the test ends.
func (w *world) load(manifests ...string) {
	w.t.Helper()
	w.exactly(strings.ReplaceAll(strings.Join(manifests, "\n---\n"), "NS", w.namespace))
}

// exactly applies manifests as they are, until the test ends.
func (w *world) exactly(manifests string) {
	w.t.Helper()
	if err := w.server.Apply(w.t.Context(), []byte(manifests)); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := w.server.Delete(context.Background(), []byte(manifests)); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) patch(kind, name, patch string) {
	w.t.Helper()
	if err := w.server.Patch(w.t.Context(), kind, w.namespace, name, patch); err != nil {
		w.t.Fatal(err)
	}
}

var resources = map[string]schema.GroupVersionResource{
	"Service":     {Version: "v1", Resource: "services"},
	"Pod":         {Version: "v1", Resource: "pods"},
	"ConfigMap":   {Version: "v1", Resource: "configmaps"},
	"Deployment":  {Group: "apps", Version: "v1", Resource: "deployments"},
	"StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
}

// essence is an object without what a server and its controllers note by themselves.
func (w *world) essence(kind, name string) map[string]any {
	w.t.Helper()
	o, err := w.direct.Resource(resources[kind]).Namespace(w.namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range [][]string{
		{"status"}, {"metadata", "managedFields"}, {"metadata", "resourceVersion"}, {"metadata", "generation"}, {"metadata", "annotations", "deployment.kubernetes.io/revision"},
	} {
		unstructured.RemoveNestedField(o.Object, path...)
	}
	return o.Object
}

// until polls until something is true; what is said where it is not in time.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not in a minute: %s", what)
		}
	}
}

// pods are those of the namespace.
func (w *world) pods() []unstructured.Unstructured {
	w.t.Helper()
	list, err := w.direct.Resource(resources["Pod"]).Namespace(w.namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// spread is how many pods of the namespace are ready on each node.
func (w *world) spread() map[string]int {
	w.t.Helper()
	on := map[string]int{}
	for _, pod := range w.pods() {
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		node, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName")
		if phase == "Running" && pod.GetDeletionTimestamp() == nil {
			on[node]++
		}
	}
	return on
}

// result is how a command ended.
type result struct {
	code     int
	out, err string
}

// command is one run of the program: with nobody to ask unless answers is set.
type command struct {
	answers io.Reader
	ctx     context.Context
	// err is where standard error goes beside the result.
	err io.Writer
}

func (w *world) run(c command, args ...string) result {
	w.t.Helper()
	if c.ctx == nil {
		c.ctx = w.t.Context()
	}
	_, environment := cli.System()
	environment.Getenv = func(name string) string {
		return map[string]string{"LC_ALL": "C.UTF-8"}[name]
	}
	// The pauses of a person's patience are shorter here.
	environment.After = func(d time.Duration) <-chan time.Time { return time.After(min(d, 100*time.Millisecond)) }
	environment.Columns = func(io.Writer) (int, bool) { return 0, false }
	environment.Asks = func(io.Reader, io.Writer) bool { return c.answers != nil }
	var out, err bytes.Buffer
	streams := cli.Streams{In: c.answers, Out: &out, Err: &err}
	if c.answers == nil {
		streams.In = strings.NewReader("")
	}
	if c.err != nil {
		streams.Err = io.MultiWriter(&err, c.err)
	}
	code := cli.Main(c.ctx, append(args, "--kubeconfig", w.config), streams, environment)
	return result{code, out.String(), err.String()}
}

// etp runs the program with nobody to ask.
func (w *world) etp(args ...string) result {
	w.t.Helper()
	return w.run(command{}, args...)
}

// typed runs it for somebody who types these answers.
func (w *world) typed(answers string, args ...string) result {
	w.t.Helper()
	return w.run(command{answers: strings.NewReader(answers)}, args...)
}

// interruptedAt runs it with nobody to ask and presses Ctrl-C once standard error has a text.
func (w *world) interruptedAt(text string, args ...string) result {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	return w.run(command{ctx: ctx, err: &watcher{text: text, do: cancel}}, args...)
}

// wants fails unless a command ended so and said all of that, in this order, on either stream.
func (w *world) wants(r result, code int, says ...string) {
	w.t.Helper()
	rest := r.out + "\x00" + r.err
	for _, s := range says {
		if _, _, found := strings.Cut(rest, s); !found {
			w.t.Errorf("it does not say %q", s)
		}
	}
	if r.code != code {
		w.t.Errorf("it ended with %d, want %d", r.code, code)
	}
	if w.t.Failed() {
		w.t.Fatalf("it said\n%s\n-- and on standard error --\n%s", r.out, r.err)
	}
}

// service is one of type LoadBalancer with policy Local, whose pods have the label app: web.
const service = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: NS},
  spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80}]}, status: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}}`

// slice gives it an endpoint on node-a without any pod.
const slice = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, namespace: NS, labels: {kubernetes.io/service-name: web}}, addressType: IPv4,
  ports: [{name: "", port: 80, protocol: TCP}], endpoints: [{addresses: [10.240.99.1], nodeName: node-a, conditions: {ready: true}}]}`

// workload keeps three pods, which the scheduler packs onto one node.
func workload(kind string) string {
	more := ""
	if kind == "StatefulSet" {
		more = "serviceName: web, podManagementPolicy: Parallel, "
	}
	return fmt.Sprintf(`{apiVersion: apps/v1, kind: %s, metadata: {name: web, namespace: NS}, spec: {%sreplicas: 3, selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web, resources: {requests: {cpu: 100m}}}]}}}}`, kind, more)
}
