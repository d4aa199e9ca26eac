package collect

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const twoRecords = `[{"mode":"cluster","service":"shop/web","time":"2026-11-24T03:00:00Z","fields":[{"path":["spec","externalTrafficPolicy"],"was":"Local","now":"Cluster","there":2}]},` +
	`{"mode":"eni","service":"shop/web","time":"2026-11-25T03:00:00.123456789Z","fields":[{"path":["metadata","annotations","a"],"was":"secret","now":"eni","there":2}]}]`

func TestLastFix(t *testing.T) {
	for _, c := range []struct {
		name, annotation string
		want             *cluster.Fix
	}{
		{"no annotation", "", nil},
		{"two fixes", twoRecords, &cluster.Fix{Mode: "eni", Time: time.Date(2026, 11, 25, 3, 0, 0, 123456789, time.UTC)}},
		{"an empty list", "[]", nil},
		{"written by something else", "yes", nil},
	} {
		if diff := cmp.Diff(c.want, lastFix(c.annotation)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// An anonymised dump shows the same last fix, and neither former values nor names.
func TestAnonymousRecords(t *testing.T) {
	anonymous := func(text string) string {
		o := &Objects{Services: []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{UndoAnnotation: text}}}}}
		return Anonymize(o).Services[0].Annotations[UndoAnnotation]
	}
	got := anonymous(twoRecords)
	if want := `[{"mode":"cluster","time":"2026-11-24T03:00:00Z"},{"mode":"eni","time":"2026-11-25T03:00:00.123456789Z"}]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if diff := cmp.Diff(lastFix(twoRecords), lastFix(got)); diff != "" {
		t.Error(diff)
	}
	for _, mode := range []string{"cluster", "local", "eni", "anti-affinity", "spread", "hostname", "dns"} {
		text := `[{"mode":"` + mode + `","time":"2026-11-24T03:00:00Z"}]`
		if got := anonymous(text); got != text {
			t.Errorf("mode %s becomes %s", mode, got)
		}
	}
	for _, text := range []string{`{"mode": "shop"}`, `[{"mode": "shop", "time": "2026-11-24T03:00:00Z"}]`, "shop"} {
		if got := anonymous(text); strings.Contains(got, "shop") {
			t.Errorf("%s becomes %s", text, got)
		}
	}
}
