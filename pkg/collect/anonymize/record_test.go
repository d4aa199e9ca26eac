package anonymize

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

const twoRecords = `[{"mode":"cluster","service":"shop/web","time":"2026-11-24T03:00:00Z","fields":[{"path":["spec","externalTrafficPolicy"],"was":"Local","now":"Cluster","there":2}]},` +
	`{"mode":"eni","service":"shop/web","time":"2026-11-25T03:00:00.123456789Z","fields":[{"path":["metadata","annotations","a"],"was":"secret","now":"eni","there":2}]}]`

// An anonymised dump shows the same last fix, and neither former values nor names.
func TestAnonymousRecords(t *testing.T) {
	anonymous := func(text string) string {
		o := &objects.Objects{Services: []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{objects.UndoAnnotation: text}}}}}
		return Objects(o).Services[0].Annotations[objects.UndoAnnotation]
	}
	got := anonymous(twoRecords)
	if want := `[{"mode":"cluster","time":"2026-11-24T03:00:00Z"},{"mode":"eni","time":"2026-11-25T03:00:00.123456789Z"}]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	fix := func(text string) *cluster.Fix {
		o := &objects.Objects{Services: []corev1.Service{{
			ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{objects.UndoAnnotation: text}}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort},
		}}}
		return collecttest.Snapshot(t, o, objects.Query{}).Services[0].LastFix
	}
	if diff := cmp.Diff(fix(twoRecords), fix(got)); diff != "" || fix(got) == nil {
		t.Errorf("the last fix: %s", diff)
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
