//go:build unix

package fix_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

var shared apiserver.Shared

// No controllers run: what they would do the tests do, at a poll of their choice.
func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

const (
	// service has an endpoint on node-a only; connections to its address from pods on node-b are refused (kube-proxy
	// 1.20 in ipvs mode).
	service = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: NS, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: "", port: 80, protocol: TCP}]
endpoints: [{addresses: [10.244.1.9], nodeName: node-a, conditions: {ready: true}}]
`
	nodes = `
apiVersion: v1
kind: Node
metadata: {name: node-a}
spec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24]}
status: {addresses: [{type: InternalIP, address: 10.0.1.11}], conditions: [{type: Ready, status: "True"}], nodeInfo: NODEINFO}
---
apiVersion: v1
kind: Node
metadata: {name: node-b}
spec: {podCIDR: 10.244.2.0/24, podCIDRs: [10.244.2.0/24]}
status: {addresses: [{type: InternalIP, address: 10.0.1.12}], conditions: [{type: Ready, status: "True"}], nodeInfo: NODEINFO}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-proxy, namespace: kube-system, labels: {app: kube-proxy}}
data:
  config.conf: |
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: ipvs
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy, namespace: kube-system, labels: {k8s-app: kube-proxy}}
spec:
  selector: {matchLabels: {k8s-app: kube-proxy}}
  template: {metadata: {labels: {k8s-app: kube-proxy}}, spec: {containers: [{name: kube-proxy, image: "registry.k8s.io/kube-proxy:v1.20.15"}]}}
`
	nodeInfo = `{kubeletVersion: v1.20.15, kubeProxyVersion: v1.20.15, operatingSystem: linux, architecture: amd64, bootID: "", containerRuntimeVersion: "", kernelVersion: "", machineID: "", osImage: "", systemUUID: ""}`

	deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}
`
)

// world is a namespace of its own, with a Helper whose clock moves only when something waits for it.
type world struct {
	t         *testing.T
	server    *apiserver.Server
	namespace string
	direct    dynamic.Interface
	helper    *fix.Helper
	query     collect.Query
	now       time.Time
	// waits is how often the clock was waited for; atWait is called each time, before time goes on.
	waits  int
	atWait func(n int)
	// steps are what the Observer was told.
	steps []string
}

func newWorld(t *testing.T, manifests ...string) *world {
	t.Helper()
	server := shared.Get(t)
	w := &world{t: t, server: server, namespace: strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())), now: time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)}
	var err error
	if w.direct, err = dynamic.NewForConfig(server.Config(apiserver.Admin)); err != nil {
		t.Fatal(err)
	}
	w.load(strings.ReplaceAll(nodes, "NODEINFO", nodeInfo))
	w.load(manifests...)
	proxy := faults.Start(t, server)
	flags := genericclioptions.NewConfigFlags(false)
	*flags.KubeConfig = server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL, Namespace: w.namespace})
	reader, err := collect.NewClient(flags)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := apply.NewClient(flags, w.after)
	if err != nil {
		t.Fatal(err)
	}
	w.query = collect.Query{Args: []string{"svc/web"}, Namespace: w.namespace}
	w.helper = &fix.Helper{Reader: reader, Writer: writer, Now: func() time.Time { return w.now }, After: w.after, Timeout: 5 * time.Minute}
	note := func(step string) { w.steps = append(w.steps, strings.ReplaceAll(step, w.namespace, "NS")) }
	w.helper.Observer = fix.Observer{
		Retrying:  func(object string) error { note("retrying: " + object); return nil },
		Previewed: func(*fix.Preview) error { note("previewed"); return nil },
		Confirm:   func(context.Context, *fix.Preview) error { note("asked"); return nil },
		Applied: func(objects []cluster.Object) error {
			for _, o := range objects {
				note("applied: " + apply.Name(o))
			}
			return nil
		},
		Progress: func(line string) error { note(line); return nil },
	}
	return w
}

// after lets the time pass at once.
func (w *world) after(d time.Duration) <-chan time.Time {
	if w.waits++; w.atWait != nil {
		w.atWait(w.waits)
	}
	w.now = w.now.Add(d)
	c := make(chan time.Time, 1)
	c <- w.now
	return c
}

func (w *world) load(manifests ...string) {
	w.t.Helper()
	for _, m := range manifests {
		if err := w.server.Apply(context.Background(), []byte(strings.ReplaceAll(m, "NS", w.namespace))); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) patch(kind, patch string, subresource ...string) {
	w.t.Helper()
	if err := w.server.Patch(context.Background(), kind, w.namespace, "web", patch, subresource...); err != nil {
		w.t.Fatal(err)
	}
}

var kinds = map[string]schema.GroupVersionResource{
	"Service":    {Version: "v1", Resource: "services"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
}

func (w *world) get(kind string) *unstructured.Unstructured {
	w.t.Helper()
	o, err := w.direct.Resource(kinds[kind]).Namespace(w.namespace).Get(context.Background(), "web", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) policy() string {
	w.t.Helper()
	policy, _, _ := unstructured.NestedString(w.get("Service").Object, "spec", "externalTrafficPolicy")
	return policy
}

// wantSteps fails unless the Observer was told exactly this since the last call.
func (w *world) wantSteps(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.steps); diff != "" {
		w.t.Errorf("steps (-want +got):\n%s", diff)
	}
	w.steps = nil
}

func doubts(o *fix.Outcome) []string {
	var list []string
	for _, d := range o.Doubts {
		list = append(list, d.Why)
	}
	return list
}

// toCluster plans mode cluster and accepts what it risks.
func (w *world) toCluster(_ context.Context, before *fix.State) (*fix.Change, error) {
	plan, err := remedy.Make(remedy.Cluster, before.Facts(), remedy.Options{})
	if err != nil {
		return nil, err
	}
	if len(plan.Changes) == 0 {
		return nil, nil //nolint:nilnil // nil is that there is nothing to change
	}
	return fix.NewChange(plan, before, w.now), nil
}

func (w *world) undo(ctx context.Context, before *fix.State) (*fix.Change, error) {
	return w.helper.Undo(ctx, before)
}

// given plans one change that no mode makes.
func (w *world) given(object *unstructured.Unstructured, starts string, fields ...remedy.Field) fix.Planner {
	return func(_ context.Context, before *fix.State) (*fix.Change, error) {
		change := remedy.Change{
			Object: cluster.Object{APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: w.namespace, Name: "web"}, Fields: fields, Starts: starts,
		}
		return fix.NewChange(remedy.Given("given", before.Facts(), []remedy.Change{change}), before, w.now), nil
	}
}

func annotated(key string) remedy.Field {
	return remedy.Field{Path: []string{"metadata", "annotations", key}, Now: "yes"}
}

const noSign = "not checked: whether the load balancer has applied the new policy (no event or status is known that shows it)"

func TestFixAndUndo(t *testing.T) {
	w := newWorld(t, service)
	outcome, err := w.helper.Run(t.Context(), w.query, w.toCluster)
	if err != nil {
		t.Fatal(err)
	}
	w.wantSteps("previewed", "asked", "applied: service NS/web", noSign)
	if len(outcome.Doubts) > 0 || outcome.Before.Report.Service.ExternalTrafficPolicy == outcome.After.Service.ExternalTrafficPolicy {
		t.Errorf("doubts %q, policy %s and then %s", doubts(outcome), outcome.Before.Report.Service.ExternalTrafficPolicy, outcome.After.Service.ExternalTrafficPolicy)
	}
	if got := w.policy(); got != "Cluster" {
		t.Errorf("the policy is %s after the fix", got)
	}
	if outcome, err := w.helper.Run(t.Context(), w.query, w.toCluster); outcome != nil || err != nil {
		t.Errorf("a second fix ends with %v, %v", outcome, err)
	}
	w.wantSteps()
	undone, err := w.helper.Run(t.Context(), w.query, w.undo)
	if err != nil {
		t.Fatal(err)
	}
	w.wantSteps("previewed", "asked", "applied: service NS/web", noSign)
	if record := undone.Change.Undoes(); record == nil || record.Mode != "cluster" || w.policy() != "Local" {
		t.Errorf("it undoes %+v, and the policy is %s", record, w.policy())
	}
	if _, err := w.helper.Run(t.Context(), w.query, w.undo); !errors.As(err, new(*apply.NothingError)) {
		t.Errorf("a second undo ends with %v", err)
	}
	if w.waits > 0 {
		t.Errorf("it waited %d times, and there was nothing to wait for", w.waits)
	}
}

func TestDryRun(t *testing.T) {
	w := newWorld(t, service)
	version := w.get("Service").GetResourceVersion()
	for _, dry := range []fix.DryRun{fix.DryRunClient, fix.DryRunServer} {
		w.helper.DryRun = dry
		var preview *fix.Preview
		w.helper.Observer.Previewed = func(p *fix.Preview) error { preview = p; return nil }
		if outcome, err := w.helper.Run(t.Context(), w.query, w.toCluster); outcome != nil || err != nil {
			t.Fatalf("--dry-run=%s ends with %v, %v", dry, outcome, err)
		}
		if len(preview.Prepared) != 1 || !strings.Contains(preview.Prepared[0].Diff, "+  externalTrafficPolicy: Cluster") {
			t.Errorf("--dry-run=%s shows %+v", dry, preview.Prepared)
		}
		w.wantSteps()
	}
	if got := w.get("Service").GetResourceVersion(); got != version {
		t.Error("a dry run wrote to the Service")
	}
}

// What is not met ends the run before a question, and a client-side dry run still shows the patch.
func TestRefused(t *testing.T) {
	w := newWorld(t, service)
	refused := func(_ context.Context, before *fix.State) (*fix.Change, error) {
		change, err := w.toCluster(t.Context(), before)
		change.Plan.Preconditions = append(change.Plan.Preconditions, remedy.Precondition{Name: "allowed", Risk: "some-risk"})
		return change, err
	}
	var preview *fix.Preview
	w.helper.Observer.Previewed = func(p *fix.Preview) error { preview = p; return nil }
	for _, c := range []struct {
		dry      fix.DryRun
		prepared int
	}{{fix.DryRunNone, 0}, {fix.DryRunServer, 0}, {fix.DryRunClient, 1}} {
		w.helper.DryRun = c.dry
		_, err := w.helper.Run(t.Context(), w.query, refused)
		if e, ok := errors.AsType[*fix.RefusedError](err); !ok || !slices.Equal(e.Risks, []string{"some-risk"}) || len(preview.Prepared) != c.prepared {
			t.Errorf("--dry-run=%s ends with %v and %d patches", c.dry, err, len(preview.Prepared))
		}
	}
	w.wantSteps()
	w.helper.DryRun, w.helper.AcceptedRisks = fix.DryRunNone, []string{"some-risk"}
	if _, err := w.helper.Run(t.Context(), w.query, refused); err != nil || w.policy() != "Cluster" {
		t.Errorf("with the risk accepted it ends with %v, and the policy is %s", err, w.policy())
	}
}

// Somebody else writes between the preview and the write.
func TestRetry(t *testing.T) {
	w := newWorld(t, service)
	asked := 0
	contest := func(times int) {
		asked = 0
		w.helper.Observer.Confirm = func(context.Context, *fix.Preview) error {
			if asked++; asked <= times {
				w.patch("Service", fmt.Sprintf(`{"metadata":{"labels":{"n":"%d-%d"}}}`, times, asked))
			}
			return nil
		}
	}
	contest(3)
	_, err := w.helper.Run(t.Context(), w.query, w.toCluster)
	if e, ok := errors.AsType[*fix.ContestedError](err); !ok || e.Object != "service "+w.namespace+"/web" || e.Attempts != 3 || w.policy() != "Local" {
		t.Errorf("it ends with %v, and the policy is %s", err, w.policy())
	}
	w.wantSteps("previewed", "retrying: service NS/web", "previewed", "retrying: service NS/web", "previewed")
	contest(1)
	if _, err := w.helper.Run(t.Context(), w.query, w.toCluster); err != nil {
		t.Fatal(err)
	}
	w.wantSteps("previewed", "retrying: service NS/web", "previewed", "applied: service NS/web", noSign)
}

// An error of the Observer before the write leaves everything as it is, one after it says that the change was written.
func TestObserverEndsTheRun(t *testing.T) {
	w := newWorld(t, service)
	boom := errors.New("boom")
	observer := w.helper.Observer
	for name, broken := range map[string]func(*fix.Observer){
		"previewed": func(o *fix.Observer) { o.Previewed = func(*fix.Preview) error { return boom } },
		"confirm":   func(o *fix.Observer) { o.Confirm = func(context.Context, *fix.Preview) error { return boom } },
	} {
		w.helper.Observer = observer
		broken(&w.helper.Observer)
		_, err := w.helper.Run(t.Context(), w.query, w.toCluster)
		if !errors.Is(err, boom) || errors.As(err, new(*fix.IncompleteError)) || w.policy() != "Local" {
			t.Errorf("%s: %v, and the policy is %s", name, err, w.policy())
		}
	}
	w.helper.Observer = observer
	w.helper.Observer.Applied = func([]cluster.Object) error { return boom }
	_, err := w.helper.Run(t.Context(), w.query, w.toCluster)
	if e, ok := errors.AsType[*fix.IncompleteError](err); !ok || !errors.Is(err, boom) || !e.Written() || e.Undo || e.Service.Name != "web" || w.policy() != "Cluster" {
		t.Errorf("applied: %v, and the policy is %s", err, w.policy())
	}
}

func TestInterrupted(t *testing.T) {
	w := newWorld(t, service)
	ctx, cancel := context.WithCancel(t.Context())
	w.helper.Observer.Confirm = func(context.Context, *fix.Preview) error { cancel(); return nil }
	_, err := w.helper.Run(ctx, w.query, w.toCluster)
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*fix.IncompleteError)) || w.policy() != "Local" {
		t.Errorf("before the write it ends with %v, and the policy is %s", err, w.policy())
	}
	ctx, cancel = context.WithCancel(t.Context())
	w.helper.Observer.Confirm = nil
	w.helper.Observer.Applied = func([]cluster.Object) error { cancel(); return nil }
	_, err = w.helper.Run(ctx, w.query, w.toCluster)
	if e, ok := errors.AsType[*fix.IncompleteError](err); !ok || !e.Written() || w.policy() != "Cluster" {
		t.Errorf("after the write it ends with %v, and the policy is %s", err, w.policy())
	}
}

func TestRollout(t *testing.T) {
	const started = "rollout of deployment NS/web: waiting for the controller to observe the change (waited 0s of at most "
	const old, done = `{"status":{"observedGeneration":100,"replicas":2,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1}}`, `{"status":{"observedGeneration":100,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1}}`
	const stuck = `{"status":{"observedGeneration":100,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"no room"}]}}`
	const twoReady = `{"endpoints":[{"addresses":["10.244.1.9"],"nodeName":"node-a","conditions":{"ready":true}},{"addresses":["10.244.2.9"],"nodeName":"node-b","conditions":{"ready":true}}]}`
	for _, c := range []struct {
		name    string
		timeout time.Duration
		// at is what the controllers write at the wait of that number.
		at    map[int]func(*world)
		steps []string
		// waits is how many seconds it takes.
		waits  int
		doubts []string
	}{
		{
			name: "ends", timeout: time.Minute,
			at: map[int]func(*world){
				2: func(w *world) { w.patch("Deployment", old, "status") },
				5: func(w *world) { w.patch("Deployment", done, "status") },
			},
			steps: []string{
				started + "1m0s)", "rollout of deployment NS/web: 1 of 1 pods updated, 1 available, old pods left: 1 (waited 2s of at most 1m0s)",
				"rollout of deployment NS/web: 1 of 1 pods updated, 1 available (waited 5s of at most 1m0s)",
			},
			waits: 5,
		},
		{
			name: "endpoints follow later", timeout: time.Minute,
			at: map[int]func(*world){
				1: func(w *world) { w.slice(twoReady); w.patch("Deployment", done, "status") },
				4: func(w *world) { w.load(service) },
			},
			steps: []string{started + "1m0s)", "rollout of deployment NS/web: 1 of 1 pods updated, 1 available (waited 1s of at most 1m0s)"},
			waits: 4,
		},
		{
			name: "endpoints never follow", timeout: time.Minute,
			at:    map[int]func(*world){1: func(w *world) { w.slice(twoReady); w.patch("Deployment", done, "status") }},
			steps: []string{started + "1m0s)", "rollout of deployment NS/web: 1 of 1 pods updated, 1 available (waited 1s of at most 1m0s)"},
			waits: 15, doubts: []string{"the endpoints do not match the rollout yet: ready endpoints: 2, available pods: 1"},
		},
		{
			name: "is stuck", timeout: time.Minute, at: map[int]func(*world){3: func(w *world) { w.patch("Deployment", stuck, "status") }},
			steps: []string{started + "1m0s)"}, waits: 17, doubts: []string{"the rollout of deployment NS/web cannot finish: no room", "the endpoints do not match the rollout yet: ready endpoints: 1, available pods: 0"},
		},
		{
			name: "takes too long", timeout: 7 * time.Second, steps: []string{started + "7s)"}, waits: 21,
			doubts: []string{
				"the rollout of deployment NS/web has not finished in 7s: waiting for the controller to observe the change", "the endpoints do not match the rollout yet: ready endpoints: 1, available pods: 0",
			},
		},
		{name: "is not waited for", doubts: []string{"did not wait for the rollout of deployment NS/web (--timeout=0)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, service, deployment)
			w.helper.Timeout = c.timeout
			w.atWait = func(n int) {
				if do := c.at[n]; do != nil {
					do(w)
				}
			}
			outcome, err := w.helper.Run(t.Context(), w.query, w.given(w.get("Deployment"), "a rollout", annotated("example.com/a")))
			if err != nil {
				t.Fatal(err)
			}
			w.wantSteps(append([]string{"previewed", "asked", "applied: deployment NS/web"}, c.steps...)...)
			got := doubts(outcome)
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], w.namespace, "NS")
			}
			if diff := cmp.Diff(c.doubts, got); diff != "" {
				t.Error(diff)
			}
			if w.waits != c.waits {
				t.Errorf("it waited %d times, want %d", w.waits, c.waits)
			}
		})
	}
}

func (w *world) slice(patch string) {
	w.t.Helper()
	if err := w.server.Patch(context.Background(), "EndpointSlice", w.namespace, "web-1", patch); err != nil {
		w.t.Fatal(err)
	}
}

func TestController(t *testing.T) {
	alibaba := strings.Replace(service, "namespace: NS}\nspec: {type", "namespace: NS, finalizers: [service.k8s.alibaba/resources]}\nspec: {type", 1)
	event := func(kind, reason, message string) func(*world) {
		return func(w *world) {
			w.load(strings.NewReplacer("LOWER", strings.ToLower(reason), "REASON", reason, "KIND", kind, "MESSAGE", message).Replace(`{apiVersion: v1, kind: Event,
  metadata: {name: web.LOWER, namespace: NS}, involvedObject: {apiVersion: v1, kind: Service, name: web, namespace: NS}, type: KIND, reason: REASON, message: "MESSAGE"}`))
		}
	}
	const waiting = "waiting for the load balancer's controller, at most 20s without an event"
	for _, c := range []struct {
		name, service string
		timeout       time.Duration
		before        func(*world)
		at            map[int]func(*world)
		steps         []string
		waits         int
		doubt         string
	}{
		{
			name: "confirms", service: alibaba, timeout: time.Minute,
			at: map[int]func(*world){2: event("Normal", "Other", "nothing"), 21: event("Normal", "EnsuredLoadBalancer", "lb-1")},
			// The first event extends the wait.
			steps: []string{
				waiting, "event Normal Other: nothing", "event Normal EnsuredLoadBalancer: lb-1", "the load balancer's controller confirmed the change: the controller has applied the change",
			},
			waits: 21,
		},
		{
			name: "fails", service: alibaba, timeout: time.Minute, at: map[int]func(*world){1: event("Warning", "SyncLoadBalancerFailed", "no quota")},
			steps: []string{waiting, "event Warning SyncLoadBalancerFailed: no quota"}, waits: 1,
			doubt: "the load balancer's controller reported a failure: the controller could not apply the change",
		},
		{
			name: "is silent", service: alibaba, timeout: time.Minute, before: event("Normal", "EnsuredLoadBalancer", "before the change"),
			steps: []string{waiting}, waits: 20, doubt: "no event from the load balancer's controller in 20s",
		},
		{name: "is silent until the timeout", service: alibaba, timeout: 3 * time.Second, steps: []string{"waiting for the load balancer's controller, at most 3s without an event"}, waits: 3, doubt: "no event from the load balancer's controller in 3s"},
		{name: "is not waited for", service: alibaba, doubt: "did not wait for the load balancer's controller (--timeout=0)"},
		{name: "is not known", service: service, timeout: time.Minute, doubt: "cannot tell whether the load balancer has applied the change: no event or status is known that shows it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.service)
			w.helper.Timeout = c.timeout
			if c.before != nil {
				c.before(w)
			}
			w.atWait = func(n int) {
				if do := c.at[n]; do != nil {
					do(w)
				}
			}
			outcome, err := w.helper.Run(t.Context(), w.query, w.given(w.get("Service"), "", annotated("example.com/a")))
			if err != nil {
				t.Fatal(err)
			}
			w.wantSteps(append([]string{"previewed", "asked", "applied: service NS/web"}, c.steps...)...)
			var want []fix.Doubt
			if c.doubt != "" {
				want = []fix.Doubt{{Why: c.doubt, Assumed: true}}
			}
			if diff := cmp.Diff(want, outcome.Doubts); diff != "" {
				t.Error(diff)
			}
			if w.waits != c.waits {
				t.Errorf("it waited %d times, want %d", w.waits, c.waits)
			}
		})
	}
}

// A change is made to one Service.
func TestSeveralServices(t *testing.T) {
	w := newWorld(t, service, strings.NewReplacer("name: web,", "name: other,", "203.0.113.7", "203.0.113.8").Replace(strings.Split(service, "---")[0]))
	w.query.Args = nil
	_, err := w.helper.Run(t.Context(), w.query, w.toCluster)
	if e, ok := errors.AsType[*fix.SeveralError](err); !ok || len(e.Services) != 2 {
		t.Errorf("it ends with %v", err)
	}
}
