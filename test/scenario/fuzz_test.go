package scenario_test

import (
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// FuzzDiagnose: whatever the facts are, a diagnosis ends, and does not contradict itself.
func FuzzDiagnose(f *testing.F) {
	for _, file := range files(f) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, s string) {
		snapshot, err := clustertest.Parse(s)
		if err != nil || len(snapshot.Nodes) > 100 {
			return
		}
		for _, r := range report.Diagnose(snapshot) {
			total := 0.0
			for _, row := range r.Nodes {
				total += row.LoadBalancer.Share
				for _, p := range row.Paths {
					if contradiction := contradicts(p); contradiction != "" {
						t.Errorf("%s/%s, %s: %s: %+v by %+v\n%s", r.Service.Namespace, r.Service.Name, row.Node.Name, contradiction, p, p.Rule, s)
					}
				}
			}
			if total > 1.001 {
				t.Errorf("%s/%s: the nodes receive %v of all connections\n%s", r.Service.Namespace, r.Service.Name, total, s)
			}
			for _, found := range r.Findings {
				if found.Code == "" || found.Message == "" || found.Result == finding.Fail && len(found.Evidence) == 0 {
					t.Errorf("a finding without a code, a message or evidence: %+v\n%s", found, s)
				}
			}
		}
	})
}

// contradicts says in what a prediction cannot be true, "" where it can.
func contradicts(p dataplane.Path) string {
	reached := p.Outcome == dataplane.Reachable || p.Outcome == dataplane.Partial
	switch {
	case p.Rule == nil:
		return "no rule"
	case (p.Outcome == dataplane.Unknown) != (p.Could != 0):
		return "what remains possible is for what is not known"
	case p.Outcome == dataplane.Unknown && p.Basis != dataplane.NoBasis:
		return "there is no basis for what is not known"
	case p.Outcome != dataplane.Unknown && p.Basis == dataplane.NoBasis:
		return "no basis"
	case reached && p.Endpoints == dataplane.NoEndpoints:
		return "reached without an endpoint"
	case (p.Outcome == dataplane.Refused || p.Outcome == dataplane.TimedOut) && (p.Endpoints != dataplane.NoEndpoints || p.ClientIP != dataplane.NoClientIP):
		return "an endpoint saw a connection that failed"
	case p.Outcome == dataplane.Partial && p.ExtraHop == dataplane.Always && p.Endpoints == dataplane.LocalEndpoints,
		p.Outcome == dataplane.Reachable && p.Endpoints == dataplane.LocalEndpoints && p.ExtraHop != dataplane.Never:
		return "endpoints of the node itself, reached over another"
	default:
		return ""
	}
}
