package report

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// Comparison is what a change does to one Service, each list in the order of the reports.
type Comparison struct {
	// Fixed failed before and does not any more; Introduced fails now and did not before; Unchanged fails before and
	// after, as it is after. What is not known on one side, or is hidden afterwards by a finding that is its cause, is
	// in Unclear and in no other list.
	Fixed, Introduced, Unchanged, Unclear []finding.Finding
	// FixedNodes are the nodes where connections failed and none does any more; BrokenNodes those where one fails now
	// and none did. Nodes of both reports only.
	FixedNodes, BrokenNodes []string
	// Effects are what a plan does to clients inside the cluster that the reports do not show.
	Effects []remedy.Effect
	// Failing is how many nodes fail after; Unsure of how many it is not known whether they failed before, or fail
	// after. A node that fails after may be in both.
	Failing, Unsure int
}

// Compare says what differs between two reports of the same Service.
func Compare(before, after *Report) Comparison {
	var c Comparison
	same := func(list []finding.Finding, f *finding.Finding) *finding.Finding {
		if i := slices.IndexFunc(list, func(o finding.Finding) bool {
			return o.Result.Found() && o.Code == f.Code && o.Subject == f.Subject
		}); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for i := range after.Findings {
		f := &after.Findings[i]
		old := same(before.Findings, f)
		switch {
		case !f.Result.Found():
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
	was := make(map[string]cluster.Tristate, len(before.Nodes))
	for i := range before.Nodes {
		was[before.Nodes[i].Node.Name] = failing(before, &before.Nodes[i])
	}
	for i := range after.Nodes {
		name := after.Nodes[i].Node.Name
		fails := failing(after, &after.Nodes[i])
		if fails == cluster.Yes {
			c.Failing++
		}
		switch failed, known := was[name]; {
		case known && failed == cluster.Yes && fails == cluster.No:
			c.FixedNodes = append(c.FixedNodes, name)
		case known && failed == cluster.No && fails == cluster.Yes:
			c.BrokenNodes = append(c.BrokenNodes, name)
		case fails == cluster.Undetermined, known && failed == cluster.Undetermined:
			c.Unsure++
		}
	}
	return c
}

// With adds the effects of a plan to its comparison of the Service as it is with the Service as it would be: nodes
// whose clients would fail by them are not fixed.
func (c Comparison) With(before *Report, effects []remedy.Effect) Comparison {
	c.Effects = effects
	for _, e := range effects {
		if e.Kind == remedy.FixesByName {
			continue
		}
		for i := range before.Nodes {
			name := before.Nodes[i].Node.Name
			if !slices.Contains(e.Nodes, name) {
				continue
			}
			fixed := slices.Contains(c.FixedNodes, name)
			c.FixedNodes = slices.DeleteFunc(c.FixedNodes, func(o string) bool { return o == name })
			switch {
			case e.Kind == remedy.MayBreak:
				c.Unsure++
			case !fixed && failing(before, &before.Nodes[i]) == cluster.No:
				c.BrokenNodes = append(c.BrokenNodes, name)
				c.Failing++
			default:
				c.Failing++
			}
		}
	}
	return c
}

// failing says whether a connection to a published address fails at a node: from inside, from a load balancer that
// sends to it, or, of a Service of type NodePort, from outside to the node port. It is Undetermined where none is known
// to fail and the outcome of some is not known.
func failing(r *Report, row *Row) cluster.Tristate {
	worst := cluster.No
	for i := range row.Paths {
		p := &row.Paths[i]
		counts := p.From != dataplane.External || row.LoadBalancer.Receives == cluster.Yes
		switch p.To {
		case dataplane.ClusterIP:
			counts = false
		case dataplane.NodePort:
			counts = p.From == dataplane.External && (r.Service.Type == cluster.TypeNodePort || row.LoadBalancer.Receives == cluster.Yes)
		case dataplane.LoadBalancerIP, dataplane.LoadBalancerHostname, dataplane.ExternalIP:
		}
		if !counts {
			continue
		}
		switch p.Works() {
		case cluster.No:
			return cluster.Yes
		case cluster.Undetermined:
			worst = cluster.Undetermined
		case cluster.Yes:
		}
	}
	return worst
}
