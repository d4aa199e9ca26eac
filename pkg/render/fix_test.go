package render

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// The head says which fix is in effect and how it is undone.
func TestLastFix(t *testing.T) {
	r := few(ipvsLocal(), 1)
	r.Service.LastFix = &cluster.Fix{Mode: "cluster\x1b", Time: time.Date(2026, 11, 25, 4, 0, 0, 0, time.FixedZone("CET", 3600))}
	const want = "  last fix               mode cluster\\x1b, 2026-11-25 03:00 UTC   undo: kubectl etp undo svc/nginx-ingress-lb -n kube-system\n"
	if got := string(Screen(r, Options{Style: plainStyle(Terminal{UTF8: true})})); !strings.Contains(got, want) {
		t.Errorf("the screen lacks %q:\n%s", want, got)
	}
	r.Service.LastFix = nil
	if got := string(Screen(r, Options{Style: plainStyle(Terminal{UTF8: true})})); strings.Contains(got, "last fix") {
		t.Errorf("a Service without a fix has one:\n%s", got)
	}
}
