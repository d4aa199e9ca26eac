package route

import (
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// everyCell lists each outcome with each choice of endpoints.
func everyCell() []Cell {
	var all []Cell
	for o := dataplane.Unknown; o <= dataplane.Unreachable; o++ {
		for e := dataplane.EndpointsUnknown; e <= dataplane.NoEndpoints; e++ {
			all = append(all, Cell{Outcome: o, Endpoints: e, Rules: o.String()})
		}
	}
	return all
}

// Clients that dial either of two targets fail for certain only where they fail at both, and work for certain only
// where they work at both.
func TestAndIsNeverBetterThanTheWorse(t *testing.T) {
	works := func(c Cell) bool {
		return c.Outcome == dataplane.Reachable || c.Outcome == dataplane.ViaLoadBalancer && !c.Fails()
	}
	for _, a := range everyCell() {
		for _, b := range everyCell() {
			both := a.And(b)
			if both.Fails() != (a.Fails() && b.Fails()) {
				t.Errorf("%+v and %+v: fails is %v", a, b, both.Fails())
			}
			if works(both) != (works(a) && works(b)) {
				t.Errorf("%+v and %+v: %+v", a, b, both)
			}
			if both.Seen() != b.And(a).Seen() {
				t.Errorf("%+v and %+v: the order matters", a, b)
			}
			if got := both.And(a).Outcome; got != both.Outcome {
				t.Errorf("%+v and %+v and the first again: %v, want %v", a, b, got, both.Outcome)
			}
		}
		if a.And(Cell{None: true}) != a || (Cell{None: true}).And(a) != a {
			t.Errorf("%+v and no path: not the same", a)
		}
	}
}

// The rules of both are named, each once, whatever their names have in common.
func TestAndNamesBothRules(t *testing.T) {
	a := Cell{Rules: "IPVS-01"}.And(Cell{Rules: "IPVS-010"}).And(Cell{Rules: "IPVS-01"})
	if a.Rules != "IPVS-01 IPVS-010" {
		t.Errorf("rules %q", a.Rules)
	}
}
