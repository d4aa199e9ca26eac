package route

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// Cell is the result of one path of a node, or of several together. The zero Cell is one path whose outcome is Unknown.
type Cell struct {
	Outcome   dataplane.Outcome
	Endpoints dataplane.Endpoints
	// None: there is no such path. Mixed: the paths differ; Outcome is Partial or, where all of them fail or all of
	// them work, that of one of them.
	None, Mixed bool
	// Topology is Zone or Node where topology hints restrict the choice of endpoints, "" elsewhere.
	Topology string
	// Rules are the IDs of the rules that decided, with spaces between them.
	Rules string
	// Could are the outcomes that remain possible where Outcome is Unknown.
	Could dataplane.Outcomes
}

// CellOf is the cell of one path.
func CellOf(p *dataplane.Path) Cell {
	c := Cell{Outcome: p.Outcome, Endpoints: p.Endpoints, Topology: p.Topology, Could: p.Could}
	if p.Rule != nil {
		c.Rules = p.Rule.ID
	}
	return c
}

// Fails says whether no connection of this cell reaches an endpoint.
func (c Cell) Fails() bool {
	return (&dataplane.Path{Outcome: c.Outcome, Endpoints: c.Endpoints}).Fails()
}

// And combines two cells. The result is never better than the worse of the two.
func (c Cell) And(d Cell) Cell {
	switch {
	case c.None:
		return d
	case d.None:
		return c
	}
	both := c
	if !strings.Contains(" "+c.Rules+" ", " "+d.Rules+" ") {
		both.Rules = strings.TrimSpace(c.Rules + " " + d.Rules)
	}
	both.Could |= d.Could
	if c.Topology != d.Topology {
		both.Topology = ""
	}
	if c.Outcome == d.Outcome && c.Endpoints == d.Endpoints && c.Mixed == d.Mixed {
		return both
	}
	both.Mixed = true
	if c.Endpoints != d.Endpoints {
		both.Endpoints = dataplane.EndpointsUnknown
	}
	switch {
	case c.Outcome == d.Outcome && c.Fails() == d.Fails():
	case c.Fails() && d.Fails():
		// Both fail, each with another symptom.
		both.Outcome, both.Endpoints = dataplane.Refused, dataplane.NoEndpoints
	case c.Fails() || d.Fails() || c.Outcome == dataplane.Partial || d.Outcome == dataplane.Partial:
		both.Outcome = dataplane.Partial
	case c.Outcome == dataplane.Unknown || d.Outcome == dataplane.Unknown:
		both.Outcome = dataplane.Unknown
	default:
		both.Outcome = dataplane.Reachable
	}
	return both
}

// Seen is what a reader of the map can tell apart: two cells with the same Seen are written the same way, whatever
// rules decided them.
func (c Cell) Seen() Cell {
	if c.None {
		return Cell{None: true}
	}
	seen := Cell{Outcome: c.Outcome}
	switch c.Outcome {
	case dataplane.Reachable:
		if c.Endpoints == dataplane.AllEndpoints || c.Endpoints == dataplane.LocalEndpoints {
			seen.Endpoints = c.Endpoints
		}
		if c.Endpoints == dataplane.AllEndpoints {
			seen.Topology = c.Topology
		}
	case dataplane.Refused:
		// Several paths that fail with different symptoms.
		seen.Mixed = c.Mixed && c.Endpoints == dataplane.NoEndpoints
	case dataplane.ViaLoadBalancer:
		if c.Endpoints == dataplane.NoEndpoints {
			seen.Endpoints = c.Endpoints
		}
	case dataplane.TimedOut, dataplane.Unreachable, dataplane.Partial, dataplane.Unknown:
	}
	return seen
}
