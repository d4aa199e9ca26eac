package scenario_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/report/v1alpha1"
)

// everyDiagnosis calls f for each Service of every case here and of every example.
func everyDiagnosis(t *testing.T, f func(name string, snapshot *cluster.Snapshot, r *report.Report)) {
	t.Helper()
	diagnose := func(name string, snapshot *cluster.Snapshot) {
		for _, r := range report.Diagnose(snapshot) {
			f(name+": "+r.Title(), snapshot, &r)
		}
	}
	for _, file := range files(t) {
		_, snapshot := read(t, file)
		diagnose(file, snapshot)
	}
	examples, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatal("no examples", err)
	}
	for _, example := range examples {
		read, err := file.Read(context.Background(), file.Input{Paths: []string{example}, Open: func(name string) (fs.File, error) { return os.Open(name) }})
		if err != nil {
			t.Fatal(err)
		}
		snapshot, err := read.Snapshot(objects.Query{AllNamespaces: true})
		if err != nil {
			t.Fatal(err)
		}
		diagnose(filepath.Base(example), snapshot)
	}
}

var modeOfLine = regexp.MustCompile(`--mode=([a-z-]+)`)

// TestStatusAndFixOfferTheSame: the menu of fix, which reads what surrounds the Service too, the screen and the report have the same modes in the same order for each
// finding.
func TestStatusAndFixOfferTheSame(t *testing.T) {
	offered := 0
	everyDiagnosis(t, func(name string, snapshot *cluster.Snapshot, r *report.Report) {
		menu := remedy.Offers(&remedy.Facts{Snapshot: snapshot, Service: r.Service, Provider: r.Provider, Findings: r.Findings, Surroundings: &cluster.Surroundings{}})
		published := v1alpha1.Of(r)
		shown := modesOnScreen(r)
		for i := range r.Findings {
			f := &r.Findings[i]
			var want []string
			for _, o := range menu {
				if f.Result == finding.Fail && slices.Contains(o.Fixes, f.Code) {
					want = append(want, string(o.Mode))
				}
			}
			offered += len(want)
			if got := published.Findings[i].Remedies; !slices.Equal(got, want) {
				t.Errorf("%s: %s: the report offers %v, the menu %v", name, f.Code, got, want)
			}
			slices.Sort(want)
			if got := shown[i]; !slices.Equal(got, want) {
				t.Errorf("%s: %s: the screen offers %v, the menu %v", name, f.Code, got, want)
			}
		}
	})
	if offered == 0 {
		t.Error("no mode was offered anywhere")
	}
}

// modesOnScreen are the modes below each finding of the screen, sorted: those that an earlier finding has already are named before the others.
func modesOnScreen(r *report.Report) map[int][]string {
	text := string(render.Screen(r, render.Options{Style: render.NewStyle(render.ColorNever, false, render.Terminal{Interactive: true, Columns: 1000, UTF8: true})}))
	shown := map[int][]string{}
	at := -1
	for line := range strings.SplitSeq(text, "\n") {
		if _, code, ok := strings.Cut(line, " "); ok && strings.HasPrefix(code, "ETP") {
			for next := at + 1; next < len(r.Findings); next++ {
				if strings.HasPrefix(code, r.Findings[next].Code+" ") {
					at = next
					break
				}
			}
		}
		for _, mode := range modeOfLine.FindAllStringSubmatch(line, -1) {
			shown[at] = append(shown[at], mode[1])
		}
	}
	for i := range shown {
		slices.Sort(shown[i])
	}
	return shown
}

// TestEveryFindingSaysWhatToDo: what failed has a next step, and the commands below it are about this case and can be pasted.
func TestEveryFindingSaysWhatToDo(t *testing.T) {
	confirmed := map[string]bool{}
	everyDiagnosis(t, func(name string, _ *cluster.Snapshot, r *report.Report) {
		for i := range r.Findings {
			f := &r.Findings[i]
			if f.Result == finding.Fail && !slices.ContainsFunc(f.Remedies, func(m finding.Remedy) bool { return m.Text != "" }) {
				t.Errorf("%s: %s (%s) does not say what to do", name, f.Code, f.Message)
			}
			if f.Confirm == "" {
				continue
			}
			confirmed[f.Code] = true
			if strings.ContainsAny(f.Confirm, "\n`$;&|<>") || strings.Contains(f.Confirm, "NODE") || strings.Contains(f.Confirm, "ADDRESS") {
				t.Errorf("%s: %s is confirmed by %q", name, f.Code, f.Confirm)
			}
		}
	})
	for _, code := range []string{
		finding.NoReadyEndpoint, finding.FailsFromPods, finding.FailsFromHost, finding.NodePortOnSomeNodes, finding.EndpointWithoutNode, finding.CountsDiffer, finding.UnservedPort,
		finding.OtherProxyMode, finding.SendsToFailingNodes,
	} {
		if !confirmed[code] {
			t.Errorf("%s has no command that confirms it in any case", code)
		}
	}
}
