//go:build unix

package fix_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// From broken to fixed and back, as a person goes it: look, fix, look, take back.
func TestClusterAndBack(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	before := w.essence("Service", "web")
	w.wants(w.etp("status", "svc/web"), 0, "ETP002", "kubectl etp fix svc/web -n "+w.namespace+" --mode=cluster")

	r := w.typed("y\n", "fix", "svc/web", "--mode=cluster")
	w.wants(r, 0, "fix "+w.namespace+"/web", "fixed       ✓ ETP002", "-  externalTrafficPolicy: Local", "+  externalTrafficPolicy: Cluster",
		"kubectl patch svc web -n "+w.namespace+` --type=merge -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'`,
		"externalTrafficPolicy  Cluster", "context  x\n", "cluster  x (https://127.0.0.1:", "change   service "+w.namespace+"/web: spec.externalTrafficPolicy from Local to Cluster\n", "fixes    ETP002", "risks    may lose the client IP: ", "Make this change? [y/N]", "patched service "+w.namespace+"/web", "kubectl etp undo svc/web -n "+w.namespace+" takes it back")
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 0, "externalTrafficPolicy  Cluster")
	w.wants(w.etp("fix", "svc/web", "--mode=cluster", "--yes"), 0, "nothing to change")
	w.wants(w.etp("fix", "svc/web"), 0, "nothing to fix")

	w.wants(w.typed("y\n", "undo", "svc/web"), 0, "restores what mode cluster changed at", "introduced  ✗ ETP002", "+  externalTrafficPolicy: Local", "Undo this fix? [y/N]", "the fix is undone")
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
	w.wants(w.etp("undo", "svc/web", "--yes"), 1, "nothing to undo")
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 3, "ETP002")
}
