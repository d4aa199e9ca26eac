//go:build unix

package fix_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

// thinking is somebody who does something before each answer.
type thinking struct {
	do      func()
	answers io.Reader
}

func (r *thinking) Read(p []byte) (int, error) {
	r.do()
	return r.answers.Read(p[:1])
}

// The real patch, not the dry run before it.
const realPatch = `^PATCH [^?]*\?fieldManager=`

// untouched gives a check that nothing has touched the Service.
func untouched(w *world) (check func()) {
	w.t.Helper()
	before := w.essence("Service", "web")
	return func() {
		w.t.Helper()
		if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
			w.t.Errorf("it was changed:\n%s", diff)
		}
	}
}

// Nothing but yes is yes, and nothing is sent that would change anything before it.
func TestNoIsNo(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	same := untouched(w)
	for _, c := range []struct {
		answers string
		says    string
	}{
		{"n\n", "declined; nothing was changed"}, {"\n", "declined; nothing was changed"}, {"", "error: no answer; nothing was changed"}, {"perhaps\n", "error: no answer; nothing was changed"},
	} {
		w.wants(w.typed(c.answers, "fix", "svc/web", "--mode=cluster"), 5, c.says)
	}
	w.wants(w.etp("fix", "svc/web", "--mode=cluster"), 2, "cannot ask for confirmation", "--yes")
	w.wants(w.etp("fix", "svc/web"), 2, "cluster", "cannot ask which", "--mode")
	w.wants(w.etp("fix"), 2, w.namespace+"/web", "ETP002", "cannot ask which")
	w.wants(w.etp("undo", "svc/web"), 2, "cannot ask for confirmation", "--yes")
	for _, request := range w.proxy.Requests() {
		if request.Method != http.MethodGet && !strings.Contains(request.String(), "dryRun=All") {
			t.Errorf("it sent %s", request)
		}
	}
	same()
}

func TestDryRuns(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	same := untouched(w)
	w.wants(w.etp("fix", "svc/web", "--mode=cluster", "--dry-run=server"), 0, "+++ service "+w.namespace+"/web, as the server would store it", "nothing was changed (--dry-run=server)")
	w.proxy.Reset()
	w.wants(w.etp("fix", "svc/web", "--mode=cluster", "--dry-run=client"), 0, "+++ service "+w.namespace+"/web, as patched", "nothing was changed (--dry-run=client)")
	for _, request := range w.proxy.Requests() {
		if request.Method != http.MethodGet {
			t.Errorf("with --dry-run=client it sent %s", request)
		}
	}
	r := w.etp("fix", "svc/web", "--mode=cluster", "--dry-run=client", "-o", "json")
	w.wants(r, 0, "as patched")
	var got any
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("standard output is no JSON: %v\n%s", err, r.out)
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "web", "namespace": w.namespace}, "spec": map[string]any{"externalTrafficPolicy": "Cluster"},
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Error(diff)
	}
	r = w.etp("fix", "svc/web", "--mode=cluster", "--dry-run=server", "-o", "yaml")
	if want := "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: " + w.namespace + "\nspec:\n  externalTrafficPolicy: Cluster\n"; r.out != want {
		t.Errorf("standard output is\n%s\nwant\n%s", r.out, want)
	}
	same()
}

// The menus, from no name and no mode to the fix: the second Service, its first mode.
func TestMenus(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice, strings.NewReplacer("name: web", "name: other", "203.0.113.7", "203.0.113.8").Replace(service), strings.NewReplacer("web-1", "other-1", "name: web}", "name: other}", "service-name: web", "service-name: other").Replace(slice))
	w.wants(w.typed("9\nhuh\n2\ncluster\ny\n", "fix"), 0, "Services that need attention:", "  1  "+w.namespace+"/other  ✗ 3 of 4 nodes fail inside   ETP002", "  2  "+w.namespace+"/web    ✗ 3 of 4 nodes fail inside   ETP002",
		"Modes that fix "+w.namespace+"/web, best first:", "fixes ETP002", "Make this change? [y/N]", "patched service "+w.namespace+"/web")
	w.wants(w.typed("\n", "fix"), 5, "declined; nothing was changed")
	w.wants(w.typed("", "fix"), 5, "no answer; nothing was changed")
	w.wants(w.typed("q\n", "fix", "svc/other"), 5, "declined")
	w.wants(w.typed("1\ny\n", "fix", "--mode=cluster"), 0, "patched service "+w.namespace+"/other")
	w.wants(w.etp("fix"), 0, "nothing to fix: none of the 2 Services in namespace "+w.namespace+" that can be reached from outside needs attention, "+
		"but not everything could be checked for 2 of them (kubectl etp status shows what); -A looks in all namespaces")
}

// Somebody writes between the preview and the answer: it is diagnosed anew and asked again, three times at most.
func TestSecondWriter(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	n := 0
	someone := func(times int, answers string) io.Reader {
		n = 0
		return &thinking{func() {
			if n++; n <= times {
				w.patch("Service", "web", fmt.Sprintf(`{"metadata":{"labels":{"n":"%d"}}}`, n))
			}
		}, strings.NewReader(answers)}
	}
	r := w.run(command{answers: someone(1, "y\ny\n")}, "fix", "svc/web", "--mode=cluster")
	w.wants(r, 0, "something else changed service "+w.namespace+"/web in the meantime; nothing was changed here, trying again", "patched")
	if got := strings.Count(r.err, "Make this change?"); got != 2 {
		t.Errorf("asked %d times, want twice", got)
	}
	w.wants(w.etp("undo", "svc/web", "-y"), 0)
	same := func() func() { w.patch("Service", "web", `{"metadata":{"labels":{"n":null}}}`); return untouched(w) }()
	r = w.run(command{answers: someone(1000, "y\ny\ny\ny\n")}, "fix", "svc/web", "--mode=cluster")
	w.wants(r, 1, "gave up after 3 attempts, and changed nothing: something else keeps changing service "+w.namespace+"/web")
	if got := strings.Count(r.err, "Make this change?"); got != 3 {
		t.Errorf("asked %d times, want three times", got)
	}
	w.patch("Service", "web", `{"metadata":{"labels":{"n":null}}}`)
	same()
	// What somebody else did may be the change itself.
	first := true
	w.wants(w.run(command{answers: &thinking{func() {
		if first {
			w.patch("Service", "web", `{"spec":{"externalTrafficPolicy":"Cluster"}}`)
		}
		first = false
	}, strings.NewReader("y\n")}}, "fix", "svc/web", "--mode=cluster"), 0, "nothing to change")
}

// Of two at once, one makes the change and the other finds it made.
func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	var both sync.WaitGroup
	results := make([]result, 2)
	for i := range results {
		both.Go(func() { results[i] = w.etp("fix", "svc/web", "--mode=cluster", "--yes") })
	}
	both.Wait()
	made := 0
	for _, r := range results {
		if strings.Contains(r.err, "patched service") {
			made++
		}
		if r.code != 0 {
			t.Errorf("one ended with %d:\n%s%s", r.code, r.out, r.err)
		}
	}
	if made != 1 {
		t.Errorf("%d made the change, want one", made)
	}
	w.wants(w.etp("undo", "svc/web", "--yes"), 0)
	w.wants(w.etp("undo", "svc/web", "--yes"), 1, "nothing to undo")
}

func TestUndoAfterSomebodyElse(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	w.wants(w.etp("fix", "svc/web", "--mode=cluster", "--yes"), 0)
	w.patch("Service", "web", `{"spec":{"externalTrafficPolicy":"Local"}}`)
	same := untouched(w)
	w.wants(w.etp("undo", "svc/web", "--yes"), 1, "refused, and nothing was changed: spec.externalTrafficPolicy of service "+w.namespace+"/web was changed after the fix: it is Local now, and the fix set it to Cluster")
	same()
}

// A user who may get and not patch is told so before the prompt.
func TestWithoutTheRightToPatch(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	same := untouched(w)
	if err := w.server.Grant(t.Context(), "reader", apiserver.Rule("get list watch", "services", "nodes", "endpointslices.discovery.k8s.io", "daemonsets.apps", "configmaps", "pods")); err != nil {
		t.Fatal(err)
	}
	w.as("reader")
	r := w.typed("y\n", "fix", "svc/web", "--mode=cluster", "--accept-risk=loses-client-ip")
	w.wants(r, 1, "fixed       ✓ ETP002", `cannot patch resource "services"`, "`kubectl auth can-i patch services -n "+w.namespace+"`", "nothing was changed")
	if strings.Contains(r.err, "[y/N]") {
		t.Error("it asked all the same")
	}
	same()
}

// An admission webhook that denies speaks before the question, and one that lets the dry run pass speaks after it.
func TestWebhook(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	same := untouched(w)
	denies := "always"
	var lock sync.Mutex
	address := serve(t, w.server, func(review map[string]any) map[string]any {
		lock.Lock()
		defer lock.Unlock()
		request := review["request"].(map[string]any)
		deny := denies == "always" || denies == "for real" && request["dryRun"] != true
		return map[string]any{"uid": request["uid"], "allowed": !deny, "status": map[string]any{"message": "Services of team shop change on Tuesdays only"}}
	})
	w.exactly(fmt.Sprintf(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: %[1]s}, webhooks: [{
  name: tuesdays.example.com, admissionReviewVersions: [v1], sideEffects: None, clientConfig: {url: "https://%[2]s/", caBundle: "%[3]s"},
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}, rules: [{apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [services]}]}]}`,
		w.namespace, address, base64.StdEncoding.EncodeToString(w.server.Authority().Certificate)))
	// The API server follows its webhooks with a delay.
	w.until("the webhook is asked", func() bool {
		return w.server.Patch(t.Context(), "Service", w.namespace, "web", `{"metadata":{"labels":{"asked":null}}}`) != nil
	})
	r := w.typed("y\n", "fix", "svc/web", "--mode=cluster")
	w.wants(r, 1, "server-side dry run of the patch of service "+w.namespace+`/web: admission webhook "tuesdays.example.com" denied the request: Services of team shop change on Tuesdays only`, "nothing was changed")
	if strings.Contains(r.err, "[y/N]") || strings.Contains(r.err, "can-i") {
		t.Errorf("it said\n%s", r.err)
	}
	lock.Lock()
	denies = "for real"
	lock.Unlock()
	w.wants(w.typed("y\n", "fix", "svc/web", "--mode=cluster"), 1, "patch service "+w.namespace+`/web: admission webhook "tuesdays.example.com" denied`, "nothing was changed")
	lock.Lock()
	denies = "never"
	lock.Unlock()
	same()
	w.wants(w.typed("y\n", "fix", "svc/web", "--mode=cluster"), 0, "patched")
}

// serve plays an admission webhook until the test ends.
func serve(t *testing.T, server *apiserver.Server, answer func(map[string]any) map[string]any) string {
	t.Helper()
	certificate, key, err := server.Authority().Issue()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	webhook := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review map[string]any
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review["response"] = answer(review)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	})}
	go func() { _ = webhook.Serve(listener) }()
	t.Cleanup(func() { webhook.Close() })
	return listener.Addr().(*net.TCPAddr).String()
}

// Whatever happens to the server, the message is true.
func TestServerIsKilled(t *testing.T) {
	for _, c := range []struct {
		name string
		when func(w *world)
		code int
		made bool
		says string
	}{
		{"before the patch", func(w *world) { w.proxy.On(realPatch, faults.Drop()) }, 1, false, "nothing was changed"},
		{"before the patch and for good", func(w *world) {
			w.proxy.On(realPatch, faults.Drop())
			w.proxy.On("^GET ", w.proxy.Once(realPatch, faults.Drop()))
		}, 1, false, "cannot tell whether the change was made"},
		{"during the patch", func(w *world) { w.proxy.On(realPatch, faults.Cut(0)) }, 0, true, "patched service"},
		{"during the patch and for good", func(w *world) {
			w.proxy.On(realPatch, faults.Cut(0))
			w.proxy.On("^GET ", w.proxy.Once(realPatch, faults.Drop()))
		}, 1, true, "cannot tell whether the change was made"},
		{"after the patch", func(w *world) { w.proxy.On("^GET ", w.proxy.Once(realPatch, faults.Drop())) }, 6, true, "the change is made; to undo it: kubectl etp undo svc/web -n"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			w := newWorld(t)
			w.load(service, slice)
			before := w.essence("Service", "web")
			c.when(w)
			r := w.typed("y\n", "fix", "svc/web", "--mode=cluster")
			w.proxy.Reset()
			w.wants(r, c.code, c.says)
			annotations, _ := w.essence("Service", "web")["metadata"].(map[string]any)["annotations"].(map[string]any)
			if _, recorded := annotations[apply.UndoAnnotation]; recorded != c.made {
				t.Errorf("with a record: %v, want %v", recorded, c.made)
			}
			if c.made {
				w.wants(w.etp("undo", "svc/web", "--yes"), 0)
			}
			if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// watcher calls do once what is written to it has a text in it.
type watcher struct {
	text string
	do   func()
	seen bytes.Buffer
}

func (c *watcher) Write(p []byte) (int, error) {
	c.seen.Write(p)
	if c.do != nil && strings.Contains(c.seen.String(), c.text) {
		c.do()
		c.do = nil
	}
	return len(p), nil
}

// Ctrl-C leaves nothing, or a complete change with its record, and says which.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	same := untouched(w)
	interrupted := func(text string, prepare func(cancel func())) result {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := command{ctx: ctx, answers: strings.NewReader("y\n")}
		if text != "" {
			c.err = &watcher{text: text, do: cancel}
		} else {
			prepare(cancel)
		}
		defer w.proxy.Reset()
		return w.run(c, "fix", "svc/web", "--mode=cluster")
	}
	w.wants(interrupted("", func(cancel func()) { w.proxy.On("^GET .*/services/web", faults.Notify(cancel)) }), 130, "interrupted; nothing was changed")
	w.wants(interrupted("", func(cancel func()) { w.proxy.On("^PATCH .*dryRun=All", faults.Notify(cancel)) }), 130, "interrupted; nothing was changed")
	w.wants(interrupted("Make this change?", nil), 130, "interrupted; nothing was changed")
	same()
	w.wants(interrupted("", func(cancel func()) { w.proxy.On(realPatch, faults.Notify(cancel)) }), 130, "patched service", "the change is made; to undo it: kubectl etp undo svc/web")
	w.wants(w.etp("undo", "svc/web", "--yes"), 0)
	same()
	w.wants(interrupted("patched", nil), 130, "patched service", "the change is made; to undo it: kubectl etp undo svc/web")
	w.wants(w.etp("undo", "svc/web", "--yes"), 0)
	same()
}

// Who would take the change back is named, with the object and the field that are to be changed in place of it; and it
// takes a word to go on.
func TestOwner(t *testing.T) {
	for _, c := range []struct {
		name, metadata string
		// manager writes the policy by server-side apply.
		manager string
		says    []string
	}{
		{
			name: "Helm", metadata: "labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: NS}",
			says: []string{"Helm release NS/shop also manages this object (from annotation meta.helm.sh/release-name)", "spec.externalTrafficPolicy to Cluster in the values of release shop"},
		},
		{
			name: "Argo CD", metadata: `annotations: {argocd.argoproj.io/tracking-id: "shop:/Service:NS/web"}`,
			says: []string{"Argo CD application shop also manages this object (from annotation argocd.argoproj.io/tracking-id)", "spec.externalTrafficPolicy to Cluster in the source of application shop"},
		},
		{
			name: "Flux", metadata: "labels: {kustomize.toolkit.fluxcd.io/name: apps, kustomize.toolkit.fluxcd.io/namespace: flux-system}",
			says: []string{"Flux Kustomization flux-system/apps also manages this object (from label kustomize.toolkit.fluxcd.io/name)", "let Flux reconcile it"},
		},
		{
			name: "operator by owner reference", metadata: "ownerReferences: [{apiVersion: ops.example.com/v1, kind: Shop, name: main, uid: 6ba7b810, controller: true}]",
			says: []string{"the controller of shop NS/main also manages this object (from ownerReferences: ops.example.com/v1 Shop main)", "spec.externalTrafficPolicy to Cluster through shop NS/main"},
		},
		{
			name: "operator by managed field", manager: "shop-operator",
			says: []string{"shop-operator also manages this object (from managedFields: shop-operator wrote spec.externalTrafficPolicy)", "spec.externalTrafficPolicy to Cluster where shop-operator reads it"},
		},
		{
			name: "Envoy Gateway", metadata: "labels: {gateway.envoyproxy.io/owning-gateway-name: edge, gateway.envoyproxy.io/owning-gateway-namespace: infra}",
			says: []string{"Envoy Gateway, for gateway infra/edge also manages this object", "spec.externalTrafficPolicy to Cluster in the EnvoyProxy that gateway infra/edge or its class refers to, in spec.provider.kubernetes"},
		},
		{
			name: "Istio's Gateway", metadata: "labels: {gateway.networking.k8s.io/gateway-name: edge, gateway.istio.io/managed: istio.io-gateway-controller}",
			says: []string{"Istio, for gateway NS/edge also manages this object", "the ConfigMap that spec.infrastructure.parametersRef of gateway NS/edge names"},
		},
		{
			name: "Istio's operator", metadata: "labels: {install.operator.istio.io/owning-resource: main, install.operator.istio.io/owning-resource-namespace: istio-system}",
			says: []string{"Istio's operator, for istiooperator istio-system/main also manages this object", "istiooperator istio-system/main, in spec.components.ingressGateways[].k8s"},
		},
	} {
		t.Run(strings.NewReplacer(" ", "-", "'", "").Replace(c.name), func(t *testing.T) {
			w := newWorld(t)
			w.load(strings.Replace(service, "namespace: NS}", "namespace: NS, "+c.metadata+"}", 1), slice)
			if c.manager != "" {
				force := true
				_, err := w.direct.Resource(resources["Service"]).Namespace(w.namespace).Patch(t.Context(), "web", types.ApplyPatchType,
					[]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"externalTrafficPolicy":"Local"}}`), metav1.PatchOptions{FieldManager: c.manager, Force: &force})
				if err != nil {
					t.Fatal(err)
				}
			}
			same := untouched(w)
			r := w.etp("fix", "svc/web", "--mode=cluster", "--yes")
			// What is said is wrapped.
			r.out = strings.Join(strings.Fields(r.out), " ")
			for i := range c.says {
				c.says[i] = strings.ReplaceAll(c.says[i], "NS", w.namespace)
			}
			w.wants(r, 1, append(c.says, "refused, and nothing was changed", "--accept-risk=will-be-reverted")...)
			same()
			w.wants(w.etp("fix", "svc/web", "--mode=cluster", "--yes", "--accept-risk=will-be-reverted"), 0, "patched")
			w.wants(w.etp("undo", "svc/web", "--yes"), 0)
			same()
		})
	}
}

// A precondition that fails refuses, with its evidence.
func TestPrecondition(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	same := untouched(w)
	w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 1, "✗ ", "refused, and nothing was changed")
	w.wants(w.etp("fix", "svc/web", "--mode=eni", "--dry-run=server"), 1, "refused, and nothing was changed")
	same()
}

// What came from the cluster cannot draw on the terminal.
func TestHostileTexts(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	w.patch("Service", "web", `{"metadata":{"annotations":{"note":"\u001b]52;c;cm0gLXJm\u0007\u202egnp"}}}`)
	r := w.typed("n\n", "fix", "svc/web", "--mode=cluster", "--dry-run=server")
	w.wants(r, 0)
	if strings.ContainsAny(r.out+r.err, "\x1b\u202e\x07") {
		t.Errorf("it wrote control characters: %q", r.out)
	}
}
