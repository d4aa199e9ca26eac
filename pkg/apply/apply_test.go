//go:build unix

package apply_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
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
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

var shared apiserver.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m, apiserver.Users("reader"))) }

var start = time.Date(2026, 11, 25, 3, 0, 0, 123456789, time.UTC)

// world is a namespace of its own on the real server, with a proxy before it.
type world struct {
	t         *testing.T
	server    *apiserver.Server
	proxy     *faults.Proxy
	namespace string
	client    *apply.Client
	direct    dynamic.Interface
	fixes     int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := shared.Get(t)
	proxy := faults.Start(t, server)
	namespace := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	direct, err := dynamic.NewForConfig(server.Config(apiserver.Admin))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: server, proxy: proxy, namespace: namespace, direct: direct}
	w.client = w.as(apiserver.Admin)
	return w
}

// as is a client of another user, through the proxy.
func (w *world) as(user string) *apply.Client {
	w.t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	*flags.KubeConfig = w.server.Kubeconfig(w.t, apiserver.Context{Name: "x", User: user, Server: w.proxy.URL, Namespace: w.namespace})
	client, err := apply.NewClient(flags, at0)
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

// at0 does not wait.
func at0(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Time{}
	return c
}

func (w *world) load(manifests string) {
	w.t.Helper()
	if err := w.server.Apply(w.t.Context(), []byte(strings.ReplaceAll(manifests, "NS", w.namespace))); err != nil {
		w.t.Fatal(err)
	}
}

var resources = map[string]schema.GroupVersionResource{
	"Service":    {Version: "v1", Resource: "services"},
	"ConfigMap":  {Version: "v1", Resource: "configmaps"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
}

func (w *world) get(kind, name string) map[string]any {
	w.t.Helper()
	o, err := w.direct.Resource(resources[kind]).Namespace(w.namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return o.Object
}

// essence is an object without what a server counts and notes by itself.
func (w *world) essence(kind, name string) map[string]any {
	w.t.Helper()
	o := w.get(kind, name)
	for _, field := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(o, "metadata", field)
	}
	return o
}

func (w *world) object(kind, name string) cluster.Object {
	w.t.Helper()
	o := &unstructured.Unstructured{Object: w.get(kind, name)}
	return cluster.Object{APIVersion: o.GetAPIVersion(), Kind: kind, Namespace: w.namespace, Name: name, ResourceVersion: o.GetResourceVersion()}
}

// fix is one more fix of the Service web.
func (w *world) fix(mode remedy.Mode, changes ...remedy.Change) *apply.Fix {
	w.fixes++
	return &apply.Fix{Mode: mode, Service: w.namespace + "/web", Time: start.Add(time.Duration(w.fixes) * time.Second), Changes: changes}
}

var (
	policy = []string{"spec", "externalTrafficPolicy"}
	check  = []string{"spec", "healthCheckNodePort"}
)

// toCluster is what mode cluster does to a Service of policy Local.
func (w *world) toCluster(name string) remedy.Change {
	w.t.Helper()
	port, _, _ := unstructured.NestedFieldNoCopy(w.get("Service", name), check...)
	return remedy.Change{Object: w.object("Service", name), Fields: []remedy.Field{
		{Path: policy, Was: "Local", Now: "Cluster"}, {Path: check, Was: port, Follows: true},
	}}
}

func (w *world) toLocal(name string) remedy.Change {
	w.t.Helper()
	return remedy.Change{Object: w.object("Service", name), Fields: []remedy.Field{
		{Path: policy, Was: "Cluster", Now: "Local"}, {Path: check, Follows: true},
	}}
}

func (w *world) prepare(f *apply.Fix) []apply.Prepared {
	w.t.Helper()
	p, err := w.client.Prepare(w.t.Context(), f)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) do(f *apply.Fix) {
	w.t.Helper()
	if err := w.client.Apply(w.t.Context(), w.prepare(f)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) undo() *apply.Fix {
	w.t.Helper()
	f, err := w.client.Undo(w.t.Context(), w.namespace, "web")
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

const service = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: NS}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80}]}}
---
`

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
---
`

// A dry run changes nothing, the change is one patch with its record, and taking it back restores all of it: the health
// check node port, too.
func TestThereAndBack(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	before := w.essence("Service", "web")
	version := w.object("Service", "web").ResourceVersion

	prepared := w.prepare(w.fix(remedy.Cluster, w.toCluster("web")))
	if w.object("Service", "web").ResourceVersion != version {
		t.Fatal("the dry run was none")
	}
	p := prepared[0]
	if got := string(p.Patch); got != `{"spec":{"externalTrafficPolicy":"Cluster"}}` {
		t.Errorf("patch %s", got)
	}
	if want := "kubectl patch svc web -n " + w.namespace + ` --type=merge -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'`; p.Command != want {
		t.Errorf("command %s, want %s", p.Command, want)
	}
	for _, want := range []string{"\n-  externalTrafficPolicy: Local\n", "\n+  externalTrafficPolicy: Cluster\n", "\n-  healthCheckNodePort: ", "kubectl-etp.github.io/undo: (what kubectl etp undo needs)"} {
		if !strings.Contains(p.Diff, want) {
			t.Errorf("the diff lacks %q:\n%s", want, p.Diff)
		}
	}
	for _, not := range []string{"managedFields", "resourceVersion", "status"} {
		if strings.Contains(p.Diff, not) {
			t.Errorf("the diff has %q:\n%s", not, p.Diff)
		}
	}
	w.proxy.Reset()
	if err := w.client.Apply(t.Context(), prepared); err != nil {
		t.Fatal(err)
	}
	if requests := w.proxy.Requests(); len(requests) != 1 || requests[0].Method != http.MethodPatch {
		t.Errorf("it took %v, want one patch", requests)
	}
	after := w.get("Service", "web")
	if got, _, _ := unstructured.NestedString(after, policy...); got != "Cluster" {
		t.Errorf("policy %s", got)
	}
	text, _, _ := unstructured.NestedString(after, "metadata", "annotations", apply.UndoAnnotation)
	var records []apply.Record
	if err := json.Unmarshal([]byte(text), &records); err != nil {
		t.Fatalf("record %q: %v", text, err)
	}
	was, _, _ := unstructured.NestedFieldNoCopy(before, check...)
	want := []apply.Record{{Mode: "cluster", Service: w.namespace + "/web", Time: start.Add(time.Second), Fields: []apply.Recorded{
		{Path: policy, Was: "Local", Now: "Cluster", There: 2},
		{Path: check, Was: float64(was.(int64)), There: 2, Follows: true},
	}}}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Error(diff)
	}
	if got := managers(after); !strings.Contains(got, apply.Manager) {
		t.Errorf("field managers %s", got)
	}

	back := w.undo()
	if back.Undoes() == nil || back.Mode != remedy.Cluster {
		t.Errorf("undo is %+v", back)
	}
	w.do(back)
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Errorf("after undo it is not what it was:\n%s", diff)
	}
	var nothing *apply.NothingError
	if _, err := w.client.Undo(t.Context(), w.namespace, "web"); !errors.As(err, &nothing) {
		t.Errorf("a second undo finds %v", err)
	}
}

func managers(o map[string]any) string {
	list, _, _ := unstructured.NestedSlice(o, "metadata", "managedFields")
	var names []string
	for _, m := range list {
		names = append(names, fmt.Sprint(m.(map[string]any)["manager"]))
	}
	return strings.Join(names, " ")
}

// The port that the health check had may be somebody else's when it is wanted back: then the server assigns another
// one, and that is said.
func TestFormerPortIsTaken(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	w.do(w.fix(remedy.Cluster, w.toCluster("web")))
	back := w.undo()
	port, ok := back.Changes[0].Fields[0].Now.(float64)
	if !ok {
		t.Fatalf("undo does not ask for the former port: %+v", back.Changes)
	}
	w.load(fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: squatter, namespace: NS}, spec: {type: NodePort, ports: [{port: 80, nodePort: %v}]}}`, port))
	prepared := w.prepare(back)
	if len(prepared[0].Notes) != 1 || !strings.Contains(prepared[0].Notes[0], fmt.Sprintf("node port %v is in use", port)) {
		t.Errorf("notes %q", prepared[0].Notes)
	}
	if !strings.Contains(prepared[0].Diff, "+  healthCheckNodePort: (the server assigns one)") {
		t.Errorf("the diff shows a port that is not the one that will be:\n%s", prepared[0].Diff)
	}
	if err := w.client.Apply(t.Context(), prepared); err != nil {
		t.Fatal(err)
	}
	after := w.get("Service", "web")
	if got, _, _ := unstructured.NestedInt64(after, check...); got == 0 || got == int64(port) {
		t.Errorf("health check node port %d", got)
	}
	if got, _, _ := unstructured.NestedString(after, policy...); got != "Local" {
		t.Errorf("policy %s", got)
	}
}

// What a change had to make above its field goes with it: the pod template becomes what it was, and with it the
// ReplicaSet that is there already.
func TestWhatWasMadeAboveGoesToo(t *testing.T) {
	w := newWorld(t)
	w.load(service + deployment)
	before := w.essence("Deployment", "web")
	path := []string{"spec", "template", "spec", "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"}
	term := map[string]any{"weight": 100, "podAffinityTerm": map[string]any{
		"topologyKey": "kubernetes.io/hostname", "labelSelector": map[string]any{"matchLabels": map[string]string{"app": "web"}},
	}}
	w.do(w.fix(remedy.AntiAffinity, remedy.Change{Object: w.object("Deployment", "web"), Fields: []remedy.Field{{Path: path, Now: []any{term}}}}))
	got, found, _ := unstructured.NestedSlice(w.get("Deployment", "web"), path...)
	if !found || len(got) != 1 {
		t.Fatalf("terms %v", got)
	}
	w.do(w.undo())
	if diff := cmp.Diff(before, w.essence("Deployment", "web")); diff != "" {
		t.Errorf("after undo it is not what it was:\n%s", diff)
	}
}

// Several fixes of one object are undone in the inverse order.
func TestLastFixIsTakenBackFirst(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	before := w.essence("Service", "web")
	w.do(w.fix(remedy.Cluster, w.toCluster("web")))
	w.do(w.fix(remedy.Local, w.toLocal("web")))
	for _, want := range []remedy.Mode{remedy.Local, remedy.Cluster} {
		back := w.undo()
		if back.Mode != want {
			t.Fatalf("undo restores %s, want %s", back.Mode, want)
		}
		w.do(back)
	}
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
}

// A field that somebody else has changed since is not taken back, and neither is anything that belongs with it; what
// else they changed does not matter.
func TestSomebodyElseChangedIt(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	w.do(w.fix(remedy.Cluster, w.toCluster("web")))
	w.patch("Service", "web", `{"metadata":{"labels":{"by":"somebody"}}}`)
	w.do(w.undo())
	w.do(w.fix(remedy.Cluster, w.toCluster("web")))
	w.patch("Service", "web", `{"spec":{"externalTrafficPolicy":"Local"}}`)
	_, err := w.client.Undo(t.Context(), w.namespace, "web")
	var changed *apply.ChangedError
	if !errors.As(err, &changed) || !strings.Contains(err.Error(), "spec.externalTrafficPolicy of service "+w.namespace+"/web was changed after the fix: it is Local now, and the fix set it to Cluster") {
		t.Errorf("undo says %v", err)
	}
}

func (w *world) patch(kind, name, patch string) {
	w.t.Helper()
	if err := w.server.Patch(w.t.Context(), kind, w.namespace, name, patch); err != nil {
		w.t.Fatal(err)
	}
}

// A second writer between the reading and the trying, or between the trying and the patch, is a conflict, and nothing
// is written over what they wrote.
func TestConflict(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	fix := w.fix(remedy.Cluster, w.toCluster("web"))
	prepared := w.prepare(fix)
	w.patch("Service", "web", `{"metadata":{"labels":{"by":"somebody"}}}`)
	before := w.essence("Service", "web")
	var conflict *apply.ConflictError
	if err := w.client.Apply(t.Context(), prepared); !errors.As(err, &conflict) || conflict.Object.Name != "web" {
		t.Errorf("the patch ends with %v", err)
	}
	if _, err := w.client.Prepare(t.Context(), fix); !errors.As(err, &conflict) {
		t.Errorf("a new trial of the old plan ends with %v", err)
	}
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
}

// Where a later change fails, the earlier ones are restored.
func TestAllOrNothing(t *testing.T) {
	w := newWorld(t)
	w.load(service + deployment)
	service, deployment := w.essence("Service", "web"), w.essence("Deployment", "web")
	both := func() *apply.Fix {
		return w.fix(remedy.Local, w.toCluster("web"), remedy.Change{Object: w.object("Deployment", "web"), Fields: []remedy.Field{
			{Path: []string{"spec", "template", "spec", "priorityClassName"}, Now: "system-node-critical"},
		}})
	}
	prepared := w.prepare(both())
	w.patch("Deployment", "web", `{"spec":{"paused":true}}`)
	err := w.client.Apply(t.Context(), prepared)
	var back *apply.RestoredError
	var conflict *apply.ConflictError
	if !errors.As(err, &back) || !errors.As(err, &conflict) || len(back.Restored) != 1 || len(back.Left) != 0 ||
		!strings.Contains(err.Error(), "service "+w.namespace+"/web has its former values again") {
		t.Fatalf("it ends with %v", err)
	}
	if diff := cmp.Diff(service, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
	w.patch("Deployment", "web", `{"spec":{"paused":null}}`)

	// An interruption between two changes takes the first one back, too.
	ctx, cancel := context.WithCancel(t.Context())
	prepared = w.prepare(both())
	w.proxy.On("^PATCH .*/services/web", faults.Notify(cancel))
	if err := w.client.Apply(ctx, prepared); !errors.As(err, &back) || !errors.Is(err, context.Canceled) || len(back.Restored) != 1 {
		t.Errorf("interrupted, it ends with %v", err)
	}
	w.proxy.Reset()
	if diff := cmp.Diff(service, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(deployment, w.essence("Deployment", "web")); diff != "" {
		t.Error(diff)
	}

	// Made whole, it is taken back whole, the last change first.
	w.do(both())
	undo := w.undo()
	if len(undo.Changes) != 2 || undo.Changes[0].Object.Kind != "Deployment" || undo.Changes[1].Object.Kind != "Service" {
		t.Fatalf("undo does %+v", undo.Changes)
	}
	w.do(undo)
	if diff := cmp.Diff(service, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(deployment, w.essence("Deployment", "web")); diff != "" {
		t.Error(diff)
	}
}

// What a workload's controller reports meanwhile is no conflict; whatever else is written is, the status of a Service
// too.
func TestReportsAreNoConflict(t *testing.T) {
	w := newWorld(t)
	w.load(service + deployment)
	apart := func() []apply.Prepared {
		return w.prepare(w.fix(remedy.AntiAffinity, remedy.Change{Object: w.object("Deployment", "web"), Fields: []remedy.Field{
			{Path: []string{"spec", "template", "spec", "priorityClassName"}, Now: "system-node-critical"},
		}}))
	}
	report := func(kind, patch string) {
		t.Helper()
		if err := w.server.Patch(t.Context(), kind, w.namespace, "web", patch, "status"); err != nil {
			t.Fatal(err)
		}
	}
	before := w.essence("Deployment", "web")
	prepared := apart()
	report("Deployment", `{"status":{"replicas":2,"updatedReplicas":1}}`)
	w.patch("Deployment", "web", `{"metadata":{"annotations":{"deployment.kubernetes.io/revision":"2"}}}`)
	if err := w.client.Apply(t.Context(), prepared); err != nil {
		t.Fatal(err)
	}
	w.patch("Deployment", "web", `{"metadata":{"annotations":{"deployment.kubernetes.io/revision":null}}}`)
	w.do(w.undo())
	report("Deployment", `{"status":{"replicas":null,"updatedReplicas":null}}`)
	if diff := cmp.Diff(before["spec"], w.essence("Deployment", "web")["spec"]); diff != "" {
		t.Error(diff)
	}
	var conflict *apply.ConflictError
	prepared = apart()
	w.patch("Deployment", "web", `{"metadata":{"labels":{"whose":"mine"}}}`)
	if err := w.client.Apply(t.Context(), prepared); !errors.As(err, &conflict) {
		t.Errorf("after somebody's label it ends with %v", err)
	}
	prepared = w.prepare(w.fix(remedy.Cluster, w.toCluster("web")))
	report("Service", `{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.99"}]}}}`)
	if err := w.client.Apply(t.Context(), prepared); !errors.As(err, &conflict) {
		t.Errorf("after another address it ends with %v", err)
	}
}

// Whatever happens to the connection, what is returned is what is true.
func TestCutOff(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*world) faults.Fault
		made  bool
		says  string
	}{
		{"before the server saw it", func(*world) faults.Fault { return faults.Drop() }, false, ""},
		{"after it was made", func(*world) faults.Fault { return faults.Cut(0) }, true, ""},
		{"in the middle of the answer", func(*world) faults.Fault { return faults.Cut(200) }, true, ""},
		{"refused in the server's own words", func(*world) faults.Fault { return faults.Status(500, "etcdserver: request timed out") }, false, "etcdserver: request timed out"},
		{"throttled", func(*world) faults.Fault { return faults.TooManyRequests(1) }, false, "overloaded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.namespace = "cut-" + strings.ReplaceAll(strings.ToLower(strings.NewReplacer("'", "", " ", "-").Replace(c.name)), "--", "-")
			w.load(service)
			before := w.essence("Service", "web")
			prepared := w.prepare(w.fix(remedy.Cluster, w.toCluster("web")))
			w.proxy.On("^PATCH ", c.fault(w))
			err := w.client.Apply(t.Context(), prepared)
			if (err == nil) != c.made || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("it ends with %v", err)
			}
			w.proxy.Reset()
			if got := cmp.Diff(before, w.essence("Service", "web")) != ""; got != c.made {
				t.Errorf("changed: %v, and it said %v", got, err)
			}
			if c.made {
				w.do(w.undo())
			}
			if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A server that is gone for good leaves it open, and that is said.
func TestUncertain(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	prepared := w.prepare(w.fix(remedy.Cluster, w.toCluster("web")))
	w.proxy.On("^PATCH ", faults.Cut(0))
	w.proxy.On("^GET ", faults.Drop())
	var uncertain *apply.UncertainError
	if err := w.client.Apply(t.Context(), prepared); !errors.As(err, &uncertain) || !strings.Contains(err.Error(), "cannot tell whether the change was made") {
		t.Errorf("it ends with %v", err)
	}
	w.proxy.Reset()
	w.do(w.undo())
}

// Interrupted while the patch is under way, it waits for the answer: the change is whole, with its record.
func TestInterruptedInThePatch(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	prepared := w.prepare(w.fix(remedy.Cluster, w.toCluster("web")))
	ctx, cancel := context.WithCancel(t.Context())
	w.proxy.On("^PATCH ", faults.Notify(cancel))
	if err := w.client.Apply(ctx, prepared); err != nil {
		t.Errorf("it ends with %v", err)
	}
	w.do(w.undo())
	if err := w.client.Apply(ctx, prepared); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end it ends with %v", err)
	}
}

// The server's reasons are given in its own words, before anything is asked or changed.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	if err := w.server.Grant(t.Context(), "reader", apiserver.Rule("get list", "services")); err != nil {
		t.Fatal(err)
	}
	_, err := w.as("reader").Prepare(t.Context(), w.fix(remedy.Cluster, w.toCluster("web")))
	if err == nil || !strings.Contains(err.Error(), `server-side dry run of the patch of service `+w.namespace+`/web: forbidden: `) ||
		!strings.Contains(err.Error(), "`kubectl auth can-i patch services -n "+w.namespace+"`") {
		t.Errorf("without the right to patch: %v", err)
	}
	nonsense := w.fix(remedy.Cluster, remedy.Change{Object: w.object("Service", "web"), Fields: []remedy.Field{{Path: policy, Was: "Local", Now: "Nearest"}}})
	if _, err := w.client.Prepare(t.Context(), nonsense); err == nil || !strings.Contains(err.Error(), `Unsupported value: "Nearest"`) {
		t.Errorf("with a value that there is not: %v", err)
	}
	gone := w.fix(remedy.Cluster, w.toCluster("web"))
	if err := w.server.Delete(t.Context(), []byte(strings.ReplaceAll(service, "NS", w.namespace))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Prepare(t.Context(), gone); err == nil || !strings.Contains(err.Error(), `get service `+w.namespace+`/web: services "web" not found`) {
		t.Errorf("of a Service that is gone: %v", err)
	}
}

// An annotation that is not ours to read is left alone.
func TestForeignRecord(t *testing.T) {
	w := newWorld(t)
	w.load(service)
	w.patch("Service", "web", `{"metadata":{"annotations":{"`+apply.UndoAnnotation+`":"{"}}}`)
	if _, err := w.client.Prepare(t.Context(), w.fix(remedy.Cluster, w.toCluster("web"))); err == nil || !strings.Contains(err.Error(), "was not written by `kubectl etp fix`") {
		t.Errorf("it ends with %v", err)
	}
	if _, err := w.client.Undo(t.Context(), w.namespace, "web"); err == nil || !strings.Contains(err.Error(), "was not written by") {
		t.Errorf("undo ends with %v", err)
	}
}
