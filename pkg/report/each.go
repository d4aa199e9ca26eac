package report

import (
	"iter"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// Each yields the reports of Diagnose one by one, for callers that keep only a part of each: with thousands of nodes a
// report takes megabytes.
func Each(s *cluster.Snapshot) iter.Seq[Report] {
	return func(yield func(Report) bool) {
		order := route.Order(s.Nodes)
		for i := range s.Services {
			if !yield(diagnose(s, &s.Services[i], order)) {
				return
			}
		}
	}
}
