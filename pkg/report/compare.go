package report

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// Comparison is what a change does to one Service, each list in the order of the reports.
type Comparison struct {
	// Fixed failed before and does not any more; Introduced fails now and did not before; Unchanged fails before and after, as it is after. What is not known on
	// one side, or hidden after by a finding that is its cause, is in Unclear and in no other list.
	Fixed, Introduced, Unchanged, Unclear []finding.Finding
	// Cured are the nodes where connections failed and none does any more; Broken those where one fails now and none did. Nodes of both reports only.
	Cured, Broken []string
	// Failing is how many nodes fail after.
	Failing int
}

// Compare says what differs between two reports of the same Service.
func Compare(before, after *Report) Comparison {
	var c Comparison
	same := func(list []finding.Finding, f *finding.Finding) *finding.Finding {
		if i := slices.IndexFunc(list, func(o finding.Finding) bool { return o.Code == f.Code && o.Subject == f.Subject }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for i := range after.Findings {
		f := &after.Findings[i]
		old := same(before.Findings, f)
		switch {
		case f.Result == finding.Unknown, old != nil && old.Result == finding.Unknown:
			c.Unclear = append(c.Unclear, *f)
		case old == nil:
			c.Introduced = append(c.Introduced, *f)
		default:
			c.Unchanged = append(c.Unchanged, *f)
		}
	}
	for i := range before.Findings {
		switch f := &before.Findings[i]; {
		case f.Result != finding.Fail || same(after.Findings, f) != nil:
		case slices.ContainsFunc(after.Findings, func(o finding.Finding) bool { return o.Result == finding.Fail && finding.Hides(o.Code, f.Code) }):
			c.Unclear = append(c.Unclear, *f)
		default:
			c.Fixed = append(c.Fixed, *f)
		}
	}
	was := make(map[string]bool, len(before.Nodes))
	for i := range before.Nodes {
		was[before.Nodes[i].Node.Name] = failing(before, &before.Nodes[i])
	}
	for i := range after.Nodes {
		fails := failing(after, &after.Nodes[i])
		if fails {
			c.Failing++
		}
		failed, known := was[after.Nodes[i].Node.Name]
		switch name := after.Nodes[i].Node.Name; {
		case known && failed && !fails:
			c.Cured = append(c.Cured, name)
		case known && !failed && fails:
			c.Broken = append(c.Broken, name)
		}
	}
	return c
}

// failing says whether a connection to a published address fails at a node: from inside, from a load balancer that sends to it, or, of a Service of type NodePort,
// from outside to the node port. What is not known does not fail.
func failing(r *Report, row *Row) bool {
	return slices.ContainsFunc(row.Paths, func(p dataplane.Path) bool {
		switch p.Outcome {
		case dataplane.Refused, dataplane.TimedOut, dataplane.Partial:
		case dataplane.ViaLoadBalancer:
			return p.Endpoints == dataplane.NoEndpoints && p.From != dataplane.External
		case dataplane.Reachable, dataplane.Unknown:
			return false
		}
		switch {
		case p.To == dataplane.ClusterIP:
			return false
		case p.To == dataplane.NodePort:
			return p.From == dataplane.External && (r.Service.Type == cluster.TypeNodePort || row.LoadBalancer.Receives)
		case p.From == dataplane.External:
			return row.LoadBalancer.Receives
		}
		return true
	})
}
