package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// Preview is a change that has not been made.
type Preview struct {
	// Title and About say what it is: fix shop/web, and mode cluster with what that does.
	Title, About string
	// Plan is what the change comes from, nil for one that takes a fix back.
	Plan *remedy.Plan
	// Accepted are the risks that the user takes.
	Accepted []string
	// Before is the Service as it is, After as it would be; nil where that was not simulated.
	Before, After *report.Report
	Changes       []Change
}

// Change is what is done to one object.
type Change struct {
	// Object is its name, Starts what the change sets off, "" for nothing.
	Object, Starts string
	// Diff is a unified diff, Command the line of a shell that does the same.
	Diff, Command   string
	Warnings, Notes []string
}

// PreviewScreen shows what would be done, and what would be true then.
func PreviewScreen(v *Preview, o Options) []byte {
	p := &screen{Style: o.Style, o: o, r: v.After}
	p.put(span{p.clean(v.Title), strong})
	p.say(span{"  ", plain}, v.About)
	if v.Plan != nil {
		p.conditions(v.Plan, v.Accepted)
	}
	if v.After != nil {
		p.WriteByte('\n')
		p.put(span{"expected after the change:", strong})
		if v.Plan != nil {
			for _, a := range v.Plan.Assumes {
				p.say(span{p.glyphs[unsure] + " ", doubtful}, "assuming that "+a)
			}
		}
		if v.After.Unsupported != "" {
			p.say(span{}, "no map: "+v.After.Unsupported)
		} else {
			p.nodes()
			p.inside()
		}
		p.WriteByte('\n')
		compared := report.Compare(v.Before, v.After)
		if v.Plan != nil {
			compared = compared.With(v.Before, v.Plan.Effects)
		}
		p.comparison(compared, len(v.After.Nodes), "would")
	}
	for i := range v.Changes {
		p.change(&v.Changes[i])
	}
	return []byte(p.String())
}

// PatchScreen shows the changes alone: the diff and the commands.
func PatchScreen(changes []Change, o Options) []byte {
	p := &screen{Style: o.Style, o: o}
	for i := range changes {
		p.change(&changes[i])
	}
	return []byte(p.String())
}

// Outcome shows what a change that was made has fixed and introduced.
func Outcome(before, after *report.Report, o Options) []byte {
	p := &screen{Style: o.Style, o: o, r: after}
	mood := ""
	if o.Assumed {
		p.put(span{"expected, not confirmed:", doubtful})
		mood = "would"
	}
	p.comparison(report.Compare(before, after), len(after.Nodes), mood)
	return []byte(p.String())
}

// Unconfirmed is the headline of a change that was written and whose effect was not seen, with the reasons.
func Unconfirmed(why []string, o Options) []byte {
	p := &screen{Style: o.Style, o: o}
	p.put(span{p.glyphs[unsure] + " written, not confirmed", doubtful})
	for _, reason := range why {
		p.say(span{"  ", plain}, reason)
	}
	p.WriteByte('\n')
	return []byte(p.String())
}

// Ask is what a person is asked about, before a change is written.
type Ask struct {
	// Context is the kubeconfig's, Cluster its cluster and where that is.
	Context, Cluster string
	// Changes, Fixes and Risks are one line each; none where nothing is known.
	Changes, Fixes, Risks []string
}

// Question shows what a change is about, in a few lines above the question itself.
func Question(a *Ask, o Options) []byte {
	p := &screen{Style: o.Style, o: o}
	for _, row := range []struct {
		label string
		lines []string
		tone  tone
	}{
		{"context", []string{a.Context}, plain},
		{"cluster", []string{a.Cluster}, plain},
		{"change", a.Changes, strong},
		{"fixes", a.Fixes, good},
		{"risks", a.Risks, doubtful},
	} {
		lines := row.lines
		if len(lines) == 0 {
			lines, row.tone = []string{"nothing known"}, faint
		}
		for i, line := range lines {
			lead := row.label + strings.Repeat(" ", len("context")-len(row.label)+2)
			if i > 0 {
				lead = strings.Repeat(" ", len(lead))
			}
			for n, part := range p.wrap(p.clean(line), p.proseColumns()-len(lead)) {
				if n > 0 {
					lead = strings.Repeat(" ", len(lead))
				}
				p.put(span{lead, faint}, span{part, row.tone})
			}
		}
	}
	return []byte(p.String())
}

// say writes prose behind a mark, wrapped.
func (p *screen) say(lead span, text string) {
	width := p.cells(lead.text)
	for n, l := range p.wrap(p.clean(text), p.proseColumns()-width) {
		if n == 0 {
			p.put(lead, span{l, plain})
		} else {
			p.put(span{strings.Repeat(" ", width) + l, plain})
		}
	}
}

// conditions are what must hold, who else writes the object, and what it costs.
func (p *screen) conditions(plan *remedy.Plan, accepted []string) {
	switch {
	case len(plan.Fixes) > 0:
		p.say(span{"  fixes  ", faint}, strings.Join(plan.Fixes, " "))
	case len(plan.ByName) > 0:
		p.say(span{"  fixes  ", faint}, strings.Join(plan.ByName, " ")+" for clients that connect by name; connections to the address stay as they are")
	case len(plan.May) > 0:
		p.say(span{"  fixes  ", faint}, "perhaps "+strings.Join(plan.May, " ")+": what comes of it cannot be predicted")
	default:
		p.say(span{"  fixes  ", faint}, "none of the findings")
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
		p.say2(span{mark, look.tone}, span{name + strings.Repeat(" ", longest-p.cells(name)+2), strong}, message)
		if c.Holds == cluster.Yes && !p.o.Wide {
			continue
		}
		for _, e := range c.Evidence {
			p.say(span{strings.Repeat(" ", p.cells(mark)+longest+2), plain}, e.Fact+"   from "+e.Source)
		}
	}
	if plan.Owner != nil {
		p.WriteByte('\n')
		p.say(span{p.glyphs[warns] + " ", doubtful}, plan.Owner.Name+" also writes this object (from "+plan.Owner.Source+") and would take the change back")
		if plan.Owner.Instead != "" {
			p.say(span{"  ", plain}, "change it there: "+plan.Owner.Instead)
		}
	}
	if len(plan.Gains)+len(plan.Costs) > 0 {
		p.WriteByte('\n')
	}
	for _, g := range plan.Gains {
		p.say(span{"+ ", good}, g)
	}
	for _, c := range plan.Costs {
		p.say(span{p.glyphs[warns] + " ", doubtful}, c)
	}
	if len(plan.ByHand) > 0 {
		p.WriteByte('\n')
		p.put(span{"to be changed by hand:", strong})
		for _, l := range plan.ByHand {
			p.put(span{"  " + p.clean(l), plain})
		}
	}
}

// say2 is say with two spans before the prose.
func (p *screen) say2(mark, lead span, text string) {
	indent := p.cells(mark.text) + p.cells(lead.text)
	for n, l := range p.wrap(p.clean(text), max(narrowest, p.proseColumns()-indent)) {
		if n == 0 {
			p.put(mark, lead, span{l, plain})
		} else {
			p.put(span{strings.Repeat(" ", indent) + l, plain})
		}
	}
}

// comparison says what a change fixes and introduces. Mood is would, or "" for what has happened.
func (p *screen) comparison(c report.Comparison, nodes int, mood string) {
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
			message := f.Message
			if message == "" {
				message = f.Title
			}
			m, tone := look(f)
			if t != plain {
				tone = t
				if t == good {
					m = ok
				}
			}
			p.say2(span{lead, plain}, span{p.glyphs[m] + " " + p.clean(f.Code) + "  ", tone}, message)
			lead = strings.Repeat(" ", len(lead))
		}
		for _, e := range effects {
			look := effectLook(e.Kind)
			p.say2(span{lead, plain}, span{p.glyphs[look.mark] + " ", look.tone}, e.Message)
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
	go1, gone := "go", "goes"
	if mood == "" {
		go1, gone = "went", "went"
	}
	part := func(n int, way string) string {
		if n == 1 {
			return "1 of " + strconv.Itoa(nodes) + " " + gone + " " + way
		}
		return strconv.Itoa(n) + " of " + strconv.Itoa(nodes) + " " + go1 + " " + way
	}
	lead := "nodes       "
	same := len(c.Cured) == 0 && len(c.Broken) == 0
	switch {
	case same && c.Failing == 0 && c.Unsure == 0:
		p.put(span{lead, plain}, span{"none fails, before or after", faint})
	case same && c.Failing == 0:
	case same && c.Unsure == 0:
		p.put(span{lead, plain}, span{"the same " + strconv.Itoa(c.Failing) + " of " + strconv.Itoa(nodes) + " fail", doubtful})
		lead = strings.Repeat(" ", len(lead))
	case same:
		p.put(span{lead, plain}, span{strconv.Itoa(c.Failing) + " of " + strconv.Itoa(nodes) + " fail after it", doubtful})
		lead = strings.Repeat(" ", len(lead))
	default:
		if n := len(c.Cured); n > 0 {
			p.put(span{lead, plain}, span{p.glyphs[ok] + " " + part(n, "from failing to fine"), good})
			lead = strings.Repeat(" ", len(lead))
		}
		if n := len(c.Broken); n > 0 {
			p.put(span{lead, plain}, span{p.glyphs[fails] + " " + part(n, "from fine to failing"), bad})
			lead = strings.Repeat(" ", len(lead))
			for _, name := range c.Broken[:min(len(c.Broken), fewest)] {
				p.put(span{strings.Repeat(" ", len(lead)+2) + p.clean(name), plain})
			}
			if more := len(c.Broken) - fewest; more > 0 {
				p.put(span{strings.Repeat(" ", len(lead)+2) + "and " + strconv.Itoa(more) + " more", faint})
			}
		}
	}
	if c.Unsure > 0 {
		p.put(span{lead, plain}, span{p.glyphs[unsure] + " " + strconv.Itoa(c.Unsure) + " of " + strconv.Itoa(nodes) + " are not known, before or after", doubtful})
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

// change shows the diff of one object, and the line that does the same by hand.
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
		p.say(span{p.glyphs[warns] + " ", doubtful}, "the server warns: "+w)
	}
	for _, n := range c.Notes {
		p.say(span{p.glyphs[warns] + " ", doubtful}, n)
	}
	if c.Starts != "" {
		p.say(span{p.glyphs[warns] + " ", doubtful}, "starts: "+c.Starts)
	}
	if c.Command != "" {
		p.put(span{"the same by hand:", faint})
		// Never wrapped: it is to be copied.
		p.put(span{"  " + p.clean(c.Command), informing})
	}
}

// Attention are lines of a menu, one a Service that something is wrong with: its name, and its worst finding.
func Attention(reports []report.Report, o Options) []string {
	p := o.Style
	longest := 0
	for i := range reports {
		longest = max(longest, p.cells(p.clean(reports[i].Title())))
	}
	lines := make([]string, 0, len(reports))
	for i := range reports {
		name, worst := p.clean(reports[i].Title()), p.worst(&reports[i])
		text := p.cellText(worst)
		if p.columns > 0 {
			text = p.cut(text, max(narrowest, p.columns-longest-numbered))
		}
		lines = append(lines, name+strings.Repeat(" ", longest-p.cells(name)+gutter)+p.paint(span{text, worst.tone}))
	}
	return lines
}

// numbered is what a menu puts before a line, and the gutter.
const numbered = 10

// Offers are lines of a menu, one a mode.
func Offers(offers []remedy.Offer, o Options) []string {
	p := o.Style
	longest := 0
	for _, offer := range offers {
		longest = max(longest, len(offer.Mode))
	}
	lines := make([]string, 0, len(offers))
	for _, offer := range offers {
		gain, cures := p.clean(offer.Gain), "fixes "+p.clean(strings.Join(offer.Fixes, " "))
		if offer.Against != "" {
			gain, cures = "not possible here: "+p.clean(offer.Against), "would fix "+p.clean(strings.Join(offer.Fixes, " "))
		}
		if offer.ByName {
			cures += " by name"
		}
		text := gain + p.paint(span{"   " + cures, faint})
		// Where that is too long for the terminal, what the mode fixes stands below.
		indent := ordinal + longest + 2
		if room := max(narrowest, p.columns-indent); p.columns > 0 && p.cells(gain)+3+p.cells(cures) > room {
			text = ""
			for _, line := range p.wrap(gain, room) {
				text += line + "\n" + strings.Repeat(" ", indent)
			}
			text += p.paint(span{cures, faint})
		}
		lines = append(lines, p.paint(span{string(offer.Mode), strong})+strings.Repeat(" ", longest-len(offer.Mode)+2)+text)
	}
	return lines
}

// ordinal is what a menu of less than ten lines puts before each.
const ordinal = 5

// Hosts says what a name is needed for, and which ones were found.
func Hosts(h *remedy.HostNeeded, o Options) string {
	p := o.Style
	text := strings.Join(p.wrap(p.clean("a host name is needed: "+h.Why), p.proseColumns()), "\n") + "\n"
	if len(h.Suggested) > 0 {
		text += p.clean("found: "+strings.Join(h.Suggested, ", ")) + "\n"
	}
	return text
}
