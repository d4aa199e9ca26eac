//go:build unix

package fix_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// From broken to fixed and back, as a person does it: status, fix, status, undo.
func TestClusterAndBack(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	before := w.essence("Service", "web")
	w.wants(w.etp("status", "svc/web"), 0, "ETP002", "kubectl etp fix svc/web -n "+w.namespace+" --mode=cluster")

	r := w.typed("y\n", "fix", "svc/web", "--mode=cluster")
	w.wants(r, 0, "fix "+w.namespace+"/web", "fixed       ✓ ETP002", "-  externalTrafficPolicy: Local", "+  externalTrafficPolicy: Cluster",
		"kubectl patch svc web -n "+w.namespace+` --type=merge -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'`,
		"externalTrafficPolicy  Cluster", "context  x\n", "cluster  x (https://127.0.0.1:", "change   service "+w.namespace+"/web: spec.externalTrafficPolicy from Local to Cluster\n", "fixes    ETP002", "risks    may lose the client IP: ", "Make this change? [y/N]", "patched service "+w.namespace+"/web", "the change is made; to undo it: kubectl etp undo svc/web -n "+w.namespace)
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 0, "externalTrafficPolicy  Cluster", "last fix", "mode cluster, ", "undo: kubectl etp undo svc/web -n "+w.namespace+"\n")
	list := w.etp("undo")
	w.wants(list, 0, w.namespace+"/web   mode cluster   ", "  service "+w.namespace+"/web: spec.externalTrafficPolicy from Local to Cluster\n  kubectl etp undo svc/web -n "+w.namespace+"\n")
	if all := w.etp("undo", "-A"); !strings.Contains(all.out, list.out) {
		t.Errorf("undo -A lacks what undo lists:\n%s", all.out)
	}
	w.wants(w.etp("fix", "svc/web", "--mode=cluster", "--yes"), 0, "nothing to change")
	w.wants(w.etp("fix", "svc/web"), 0, "nothing to fix")

	w.wants(w.typed("y\n", "undo", "svc/web"), 0, "restores what mode cluster changed at", "introduced  ✗ ETP002", "+  externalTrafficPolicy: Local", "Undo this fix? [y/N]", "the fix is undone")
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
	w.wants(w.etp("undo", "svc/web", "--yes"), 1, "nothing to undo")
	w.wants(w.etp("undo"), 0, "no fix is recorded in namespace "+w.namespace+"; -A looks in all namespaces")
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 3, "ETP002")
}
