package render

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/explain"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// Every word that a cell of the map can show is explained by kubectl etp explain.
func TestCellWordsAreExplained(t *testing.T) {
	seen := map[string]bool{}
	word := func(c cell) {
		text, _, _ := strings.Cut(c.text, ", if sent")
		if text == "" || seen[text] {
			return
		}
		seen[text] = true
		if _, ok := explain.Find(text); !ok {
			t.Errorf("the map shows %q, and kubectl etp explain has no page of that name", text)
		}
	}
	var all []route.Cell
	for _, outcome := range []dataplane.Outcome{
		dataplane.Reachable, dataplane.Partial, dataplane.Unknown, dataplane.ViaLoadBalancer, dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable,
	} {
		for _, endpoints := range []dataplane.Endpoints{dataplane.AllEndpoints, dataplane.LocalEndpoints, dataplane.NoEndpoints, dataplane.EndpointsUnknown} {
			for _, topology := range []string{"", "Zone", "Node"} {
				for _, mixed := range []bool{false, true} {
					all = append(all, route.Cell{Outcome: outcome, Endpoints: endpoints, Topology: topology, Mixed: mixed})
				}
			}
		}
	}
	for _, v := range all {
		word(verdict(v))
		for _, receives := range []cluster.Tristate{cluster.Yes, cluster.No, cluster.Undetermined} {
			for _, reason := range []string{"", "SendsToPods", "NoLoadBalancer", "NoAddress", "NoLocalEndpoint"} {
				word(received(&report.Receives{Receives: receives, Reason: reason}, v))
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d words seen: %v", len(seen), seen)
	}
	for _, counts := range []report.Counts{{}, {Ready: 1}, {ServingTerminating: 1}, {NotReady: 1}} {
		c := backends(counts, true)
		word(cell{text: strings.TrimLeft(c.text, "1 ")})
	}
	for _, check := range []cluster.HealthCheck{cluster.Pass, cluster.Fail, cluster.Unreachable} {
		word(live(&report.Row{Live: &cluster.Live{HealthCheck: check, LocalEndpoints: -1}}, false))
	}
}

// Every column that a screen or a list in testdata has is explained.
func TestColumnsAreExplained(t *testing.T) {
	gap := regexp.MustCompile(` {2,}`)
	seen := map[string]bool{}
	screens := os.DirFS("testdata")
	names, err := fs.Glob(screens, "*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(screens, name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "NODE ") && !strings.HasPrefix(line, "NAME ") && !strings.HasPrefix(line, "NAMESPACE ") && !strings.HasPrefix(line, "RULE ") {
				continue
			}
			for _, title := range gap.Split(strings.TrimSpace(line), -1) {
				seen[title] = true
				if _, ok := explain.Find(title); !ok {
					t.Errorf("%s has the column %q, and kubectl etp explain has no page of that name", name, title)
				}
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d columns seen: %v", len(seen), seen)
	}
}
