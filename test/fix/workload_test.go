//go:build unix

package fix_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
	"github.com/kubectl-etp/kubectl-etp/test/kube/kubelet"
)

// together waits until the three pods of the workload are on one node, and the Service has them.
func (w *world) together() {
	w.t.Helper()
	w.until("three ready pods on one node", func() bool {
		on := w.spread()
		for _, n := range on {
			return len(on) == 1 && n == 3
		}
		return false
	})
	w.until("the Service has them", func() bool { return strings.Contains(w.etp("status", "svc/web").out, "3 ready") })
	w.until("the workload's status says so", w.reported)
}

// reported says whether the status of the workload counts three pods that are up to date and ready: its controller
// writes that some time after they are.
func (w *world) reported() bool {
	w.t.Helper()
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		o, err := w.direct.Resource(resources[kind]).Namespace(w.namespace).Get(context.Background(), "web", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		seen, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
		updated, _, _ := unstructured.NestedInt64(o.Object, "status", "updatedReplicas")
		ready, _, _ := unstructured.NestedInt64(o.Object, "status", "readyReplicas")
		return seen == o.GetGeneration() && updated == 3 && ready == 3
	}
	w.t.Fatal("there is no workload web")
	return false
}

// apart says whether the three pods are on three nodes.
func (w *world) apart() bool { return len(w.spread()) == 3 }

// The real controllers roll it out and the real scheduler, which packs nodes full if nobody says otherwise, moves the
// pods apart; taken back, it packs them again.
func TestPodsReallyMoveApart(t *testing.T) {
	for _, c := range []struct{ mode, kind string }{{"anti-affinity", "Deployment"}, {"spread", "Deployment"}, {"anti-affinity", "StatefulSet"}} {
		t.Run(c.mode+"-"+c.kind, func(t *testing.T) {
			w := newWorld(t)
			w.load(service, workload(c.kind))
			w.together()
			before := w.essence(c.kind, "web")
			name := strings.ToLower(c.kind) + " " + w.namespace + "/web"

			// A rollout alone moves nothing.
			w.patch(c.kind, "web", `{"spec":{"template":{"metadata":{"annotations":{"round":"2"}}}}}`)
			w.until("the rollout is over", func() bool { return w.rolled("2") })
			w.together()
			w.patch(c.kind, "web", `{"spec":{"template":{"metadata":{"annotations":null}}}}`)
			w.until("the rollout is over", func() bool { return w.rolled("") })
			w.together()
			w.wants(w.etp("status", "svc/web"), 0, "ETP008")

			r := w.typed("y\n", "fix", "svc/web", "--mode="+c.mode)
			w.wants(r, 0, "kubectl patch "+strings.ToLower(c.kind)+" web -n "+w.namespace, "patched "+name, "rollout of "+name+": 3 of 3 pods updated, 3 available", "fixed       ✓ ETP008")
			if !w.apart() {
				t.Fatalf("pods are on %v; it said\n%s%s", w.spread(), r.out, r.err)
			}
			w.wants(w.etp("status", "svc/web", "--fail-on=info"), 3, "1 ready") // ETP002 is still there: one node of four has no pod.
			w.wants(w.etp("fix", "svc/web", "--mode="+c.mode, "--yes"), 0, "nothing to change")

			w.wants(w.etp("undo"), 0, "mode "+c.mode, "  "+name+": ", "  kubectl etp undo svc/web -n "+w.namespace+"\n")
			w.wants(w.typed("y\n", "undo", "svc/web"), 0, "restores what mode "+c.mode, "rollout of "+name, "the fix is undone")
			if diff := cmp.Diff(before, w.essence(c.kind, "web")); diff != "" {
				t.Error(diff)
			}
			w.wants(w.etp("undo", "svc/web", "--yes"), 1, "nothing to undo")
		})
	}
}

// rolled says whether all pods are of the template whose annotation round has that value, and no others are left.
func (w *world) rolled(round string) bool {
	w.t.Helper()
	list := w.pods()
	for _, p := range list {
		if p.GetAnnotations()["round"] != round || p.GetDeletionTimestamp() != nil {
			return false
		}
	}
	return len(list) == 3 && len(w.spread()) > 0
}

// A rollout that does not end in time is not called a cure, and Ctrl-C while waiting says that the change is made.
func TestRolloutThatDoesNotEnd(t *testing.T) {
	w := newWorld(t)
	w.load(service, workload("Deployment"))
	w.together()
	w.patch("Deployment", "web", fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{%q:"yes"}}}}}`, kubelet.Never))
	r := w.etp("fix", "svc/web", "--mode=anti-affinity", "--yes", "--timeout=2s", "--accept-risk=interrupts-rollout")
	w.wants(r, 6, "? written, not confirmed\n  the rollout of deployment ", "patched deployment", "error: written, not confirmed: the rollout of deployment "+w.namespace+"/web has not finished in 2s: ", "the change is made; to undo it: kubectl etp undo svc/web")

	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=0"), 6, "did not wait for the rollout of ", "the fix is undone")
	r = w.interruptedAt("rollout of", "fix", "svc/web", "--mode=anti-affinity", "--yes", "--accept-risk=interrupts-rollout")
	w.wants(r, 130, "patched deployment", "interrupted while reading the Service again; the change is made; to undo it: kubectl etp undo svc/web")
}

// Local with pods kept apart: two objects, one fix, one undo.
func TestLocalWithAntiAffinity(t *testing.T) {
	w := newWorld(t)
	w.load(strings.Replace(service, "externalTrafficPolicy: Local", "externalTrafficPolicy: Cluster", 1), workload("Deployment"))
	w.together()
	service, deployment := w.essence("Service", "web"), w.essence("Deployment", "web")
	r := w.etp("fix", "svc/web", "--mode=local", "--with=anti-affinity", "--yes", "--accept-risk=breaks-in-cluster-clients")
	w.wants(r, 0, "introduced  ✗ ETP002", "+  externalTrafficPolicy: Local", "+  healthCheckNodePort: (the server assigns one)", "patched ", "service "+w.namespace+"/web", "deployment "+w.namespace+"/web")
	if !w.apart() {
		t.Errorf("pods are on %v", w.spread())
	}
	w.wants(w.etp("undo", "svc/web", "--yes"), 0, "the fix is undone")
	if diff := cmp.Diff(service, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(deployment, w.essence("Deployment", "web")); diff != "" {
		t.Error(diff)
	}
}

// canary is a second Deployment behind the Service.
var canary = strings.NewReplacer("name: web, namespace", "name: web-canary, namespace", "replicas: 3", "replicas: 2", "app: web}", "app: web, track: canary}").Replace(workload("Deployment"))

// Two Deployments behind one Service: each gets the change, in an order that is said, and the pods of both are kept
// apart from each other. If the second cannot be changed, or somebody presses Ctrl-C before it, the first is as it was.
func TestTwoWorkloads(t *testing.T) {
	w := newWorld(t)
	stable := strings.ReplaceAll(workload("Deployment"), "app: web}", "app: web, track: stable}")
	w.load(service, stable, canary)
	w.until("five ready pods on one node", func() bool {
		on := w.spread()
		for _, n := range on {
			return len(on) == 1 && n == 5
		}
		return false
	})
	w.until("the Service has them", func() bool { return strings.Contains(w.etp("status", "svc/web").out, "5 ready") })
	before := [2]map[string]any{w.essence("Deployment", "web"), w.essence("Deployment", "web-canary")}
	same := func() {
		t.Helper()
		if diff := cmp.Diff(before, [2]map[string]any{w.essence("Deployment", "web"), w.essence("Deployment", "web-canary")}); diff != "" {
			t.Errorf("it was changed:\n%s", diff)
		}
	}
	first, second := "deployment "+w.namespace+"/web", "deployment "+w.namespace+"/web-canary"

	w.proxy.On(`^PATCH .*/deployments/web-canary\?fieldManager=`, faults.Status(403, "no changes on Fridays"))
	r := w.typed("y\ny\ny\n", "fix", "svc/web", "--mode=anti-affinity", "--accept-risk=interrupts-rollout")
	w.wants(r, 1, "fixes  ETP008", "Make this change?", "error: patch "+second+": no changes on Fridays; "+first+" has its former values again", "nothing is left of the change")
	w.proxy.Reset()
	same()
	w.wants(w.etp("undo", "svc/web", "--yes"), 1, "nothing to undo")

	ctx, cancel := context.WithCancel(t.Context())
	w.proxy.On(`^PATCH .*/deployments/web\?fieldManager=`, faults.Notify(cancel))
	r = w.run(command{ctx: ctx, answers: strings.NewReader("y\ny\ny\n")}, "fix", "svc/web", "--mode=anti-affinity", "--accept-risk=interrupts-rollout")
	w.proxy.Reset()
	w.wants(r, 130, "interrupted; "+first+" has its former values again; nothing is left of the change")
	same()

	// Sent already, the last one is waited for.
	ctx, cancel = context.WithCancel(t.Context())
	w.proxy.On(`^PATCH .*/deployments/web-canary\?fieldManager=`, faults.Notify(cancel))
	r = w.run(command{ctx: ctx, answers: strings.NewReader("y\ny\ny\n")}, "fix", "svc/web", "--mode=anti-affinity", "--accept-risk=interrupts-rollout")
	w.proxy.Reset()
	w.wants(r, 130, "patched "+first+", "+second, "the change is made; to undo it: kubectl etp undo svc/web")
	// Rollouts of several rounds may be under way now, which is a conflict for an undo that looks while their
	// controller writes.
	w.until("the fix is undone", func() bool {
		return strings.Contains(w.etp("undo", "svc/web", "--yes", "--timeout=0").err, "the fix is undone")
	})
	same()

	w.until("both are changed", func() bool {
		r = w.typed("y\ny\ny\n", "fix", "svc/web", "--mode=anti-affinity", "--accept-risk=interrupts-rollout")
		return r.code == 0
	})
	r.out = strings.Join(strings.Fields(r.out), " ")
	w.wants(r, 0, "2 workloads are behind the Service: "+first+", "+second+"; they are changed in this order: "+first+", "+second,
		"patched "+first+", "+second, "rollout of "+first+": 3 of 3", "rollout of "+second+": 2 of 2", "the change is made")
	// The node that all have left may stay empty: while it was full each new pod went elsewhere.
	w.until("both are kept apart", func() bool { on := w.spread(); return len(on) >= 3 && len(w.pods()) == 5 })
	w.until("it is taken back", func() bool { return w.etp("undo", "svc/web", "--yes").code == 0 })
	same()
}
