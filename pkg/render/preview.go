package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// Preview is a change that has not been made.
type Preview struct {
	// Title is the command and the Service: fix shop/web. About is the mode and what it does.
	Title, About string
	// Plan is nil for undo.
	Plan *remedy.Plan
	// Accepted are the risks that the user has accepted.
	Accepted []string
	// Before is the Service as it is. After is the Service as it is expected to be, nil where that was not simulated.
	Before, After *report.Report
	Changes       []Change
}

// Change is a change of one object.
type Change struct {
	// Object is the kind and name. Starts is what the change starts, such as a rollout; "" for nothing.
	Object, Starts string
	// Diff is a unified diff. Command is a shell command that makes the same change.
	Diff, Command   string
	Warnings, Notes []string
}

// PreviewScreen shows what a change would do, and the map that is expected after it.
func PreviewScreen(v *Preview, o Options) []byte {
	p := &screen{Style: o.Style, o: o, r: v.After}
	p.put(span{p.clean(v.Title), strong})
	p.prose(span{"  ", plain}, v.About)
	if v.Plan != nil {
		p.conditions(v.Plan, v.Accepted)
	}
	if v.After != nil {
		p.WriteByte('\n')
		p.put(span{"expected after the change:", strong})
		if v.Plan != nil {
			for _, a := range v.Plan.Assumes {
				p.prose(span{p.glyphs[unsure] + " ", doubtful}, "assuming that "+a)
			}
		}
		p.summary()
		if v.After.Unsupported == "" {
			p.nodes()
			p.inside()
		}
		p.WriteByte('\n')
		compared := report.Compare(v.Before, v.After)
		if v.Plan != nil {
			compared = compared.With(v.Before, v.Plan.Effects)
		}
		p.comparison(compared, len(v.After.Nodes))
	}
	for i := range v.Changes {
		p.change(&v.Changes[i])
	}
	return []byte(p.String())
}

// PatchScreen shows only the changes: diffs and commands.
func PatchScreen(changes []Change, o Options) []byte {
	p := &screen{Style: o.Style, o: o}
	for i := range changes {
		p.change(&changes[i])
	}
	return []byte(p.String())
}

// Outcome shows what a change has fixed and introduced.
func Outcome(before, after *report.Report, o Options) []byte {
	p := &screen{Style: o.Style, o: o, r: after}
	if o.Assumed {
		p.put(span{"expected, not confirmed:", doubtful})
	}
	p.comparison(report.Compare(before, after), len(after.Nodes))
	return []byte(p.String())
}

// Unconfirmed is the headline of a change that was written but whose effect is not confirmed, with the reasons.
func Unconfirmed(why []string, o Options) []byte {
	p := &screen{Style: o.Style, o: o}
	p.put(span{p.glyphs[unsure] + " written, not confirmed", doubtful})
	for _, reason := range why {
		p.prose(span{"  ", plain}, reason)
	}
	p.WriteByte('\n')
	return []byte(p.String())
}

// conditions writes the preconditions of a plan, who else manages the object, and what the change gains and costs.
func (p *screen) conditions(plan *remedy.Plan, accepted []string) {
	switch {
	case len(plan.Fixes) > 0:
		p.prose(span{"  fixes  ", faint}, strings.Join(plan.Fixes, " "))
	case len(plan.ByName) > 0:
		p.prose(span{"  fixes  ", faint}, strings.Join(plan.ByName, " ")+" for clients that connect by name; connections to the address do not change")
	case len(plan.May) > 0:
		p.prose(span{"  fixes  ", faint}, "perhaps "+strings.Join(plan.May, " ")+": the effect cannot be predicted")
	default:
		p.prose(span{"  fixes  ", faint}, "none of the findings")
	}
	longest := 0
	for _, c := range plan.Preconditions {
		longest = max(longest, p.cells(p.clean(c.Name)))
	}
	if len(plan.Preconditions) > 0 {
		p.WriteByte('\n')
	}
	for _, c := range plan.Preconditions {
		look := cell{ok, "", good}
		switch c.Holds {
		case cluster.No:
			look = cell{fails, "", bad}
		case cluster.Undetermined:
			look = cell{unsure, "", doubtful}
		case cluster.Yes:
		}
		name := p.clean(c.Name)
		message := c.Message
		if c.Holds != cluster.Yes && c.Risk != "" && slices.Contains(accepted, c.Risk) {
			message += " (accepted: " + c.Risk + ")"
		}
		mark := p.glyphs[look.mark] + strings.Repeat(" ", p.cells(p.glyphs[ok])-p.cells(p.glyphs[look.mark])+1)
		p.labelled(span{mark, look.tone}, span{name + strings.Repeat(" ", longest-p.cells(name)+2), strong}, message)
		if c.Holds == cluster.Yes && !p.o.Wide {
			continue
		}
		for _, e := range c.Evidence {
			p.prose(span{strings.Repeat(" ", p.cells(mark)+longest+2), plain}, e.Fact+"   from "+e.Source)
		}
	}
	if plan.Owner != nil {
		p.WriteByte('\n')
		p.prose(span{p.glyphs[warns] + " ", doubtful}, plan.Owner.Name+" also manages this object (from "+plan.Owner.Source+") and would revert the change")
		if plan.Owner.Instead != "" {
			p.prose(span{"  ", plain}, "change it there: "+plan.Owner.Instead)
		}
	}
	if len(plan.Gains)+len(plan.Costs) > 0 {
		p.WriteByte('\n')
	}
	for _, g := range plan.Gains {
		p.prose(span{"+ ", good}, g)
	}
	for _, c := range plan.Costs {
		p.prose(span{p.glyphs[warns] + " ", doubtful}, c)
	}
	if len(plan.ByHand) > 0 {
		p.WriteByte('\n')
		p.put(span{"change by hand:", strong})
		for _, l := range plan.ByHand {
			p.put(span{"  " + p.clean(l), plain})
		}
	}
}

// comparison writes what a change fixes and introduces.
func (p *screen) comparison(c report.Comparison, nodes int) {
	list := func(word string, t tone, findings []finding.Finding, effects []remedy.Effect, none string) {
		lead := word + strings.Repeat(" ", len("introduced")-len(word)+2)
		if len(findings)+len(effects) == 0 {
			if none != "" {
				p.put(span{lead, plain}, span{none, faint})
			}
			return
		}
		for i := range findings {
			f := &findings[i]
			m, tone := markOf(f)
			if t != plain {
				tone = t
				if t == good {
					m = ok
				}
			}
			p.labelled(span{lead, plain}, span{p.glyphs[m] + " " + p.clean(f.Code) + "  ", tone}, message(f))
			lead = strings.Repeat(" ", len(lead))
		}
		for _, e := range effects {
			look := effectLook(e.Kind)
			p.labelled(span{lead, plain}, span{p.glyphs[look.mark] + " ", look.tone}, e.Message)
			lead = strings.Repeat(" ", len(lead))
		}
	}
	of := func(kind remedy.EffectKind) []remedy.Effect {
		return slices.DeleteFunc(slices.Clone(c.Effects), func(e remedy.Effect) bool { return e.Kind != kind })
	}
	none := "nothing"
	if len(of(remedy.MayBreak)) > 0 {
		none = ""
	}
	list("fixed", good, c.Fixed, of(remedy.FixesByName), "nothing")
	list("introduced", plain, c.Introduced, of(remedy.Breaks), none)
	list("unchanged", plain, c.Unchanged, nil, "")
	list("unclear", plain, c.Unclear, of(remedy.MayBreak), "")
	p.nodeChanges(c, nodes)
}

// nodeChanges counts the nodes whose connections change, those that still fail, and those that are unknown.
func (p *screen) nodeChanges(c report.Comparison, nodes int) {
	lead := "nodes       "
	put := func(text string, t tone) {
		p.put(span{lead, plain}, span{text, t})
		lead = strings.Repeat(" ", len(lead))
	}
	of := func(n int) string { return strconv.Itoa(n) + " of " + english.Count(nodes, "node", "") }
	switch same := len(c.FixedNodes) == 0 && len(c.BrokenNodes) == 0; {
	case same && c.Failing == 0 && c.Unsure == 0:
		put("connections fail on no node, before or after", faint)
	case same && c.Failing == 0:
	case same && c.Unsure == 0:
		put("connections fail on "+of(c.Failing)+", before and after", doubtful)
	case same:
		put("connections fail on "+of(c.Failing)+" after it", doubtful)
	}
	if n := len(c.FixedNodes); n > 0 {
		put(p.glyphs[ok]+" fixed on "+of(n), good)
	}
	if n := len(c.BrokenNodes); n > 0 {
		put(p.glyphs[fails]+" broken on "+of(n), bad)
		for _, name := range c.BrokenNodes[:min(n, fewest)] {
			put("  "+name, plain)
		}
		if n > fewest {
			put("  and "+strconv.Itoa(n-fewest)+" more", faint)
		}
	}
	if c.Unsure > 0 {
		put(p.glyphs[unsure]+" unknown on "+of(c.Unsure), doubtful)
	}
}

func effectLook(k remedy.EffectKind) cell {
	switch k {
	case remedy.Breaks:
		return cell{fails, "", bad}
	case remedy.MayBreak:
		return cell{unsure, "", doubtful}
	case remedy.FixesByName:
	}
	return cell{ok, "", good}
}

// change writes the diff of one object, and the command that makes the same change.
func (p *screen) change(c *Change) {
	p.WriteByte('\n')
	for l := range strings.Lines(c.Diff) {
		l = strings.TrimSuffix(l, "\n")
		tone := plain
		switch {
		case strings.HasPrefix(l, "---"), strings.HasPrefix(l, "+++"):
			tone = strong
		case strings.HasPrefix(l, "@@"):
			tone = informing
		case strings.HasPrefix(l, "-"):
			tone = bad
		case strings.HasPrefix(l, "+"):
			tone = good
		}
		p.put(span{p.clean(l), tone})
	}
	for _, w := range c.Warnings {
		p.prose(span{p.glyphs[warns] + " ", doubtful}, "warning from the API server: "+w)
	}
	for _, n := range c.Notes {
		p.prose(span{p.glyphs[warns] + " ", doubtful}, n)
	}
	if c.Starts != "" {
		p.prose(span{p.glyphs[warns] + " ", doubtful}, "this starts "+c.Starts)
	}
	if c.Command != "" {
		p.put(span{"the same by hand:", faint})
		// Not wrapped: people copy it.
		p.put(span{"  " + p.clean(c.Command), informing})
	}
}
