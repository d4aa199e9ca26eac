package render

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// markOf is the mark and tone of a finding.
func markOf(f *finding.Finding) (mark, tone) {
	switch f.Result {
	case finding.Pass:
		return ok, good
	case finding.NotChecked:
		return nothing, faint
	case finding.Unknown:
		return unsure, doubtful
	case finding.Fail:
	}
	switch f.Severity {
	case finding.Error:
		return fails, bad
	case finding.Warning:
		return warns, doubtful
	case finding.Info:
	}
	return informs, informing
}

// findings lists what was found, in the order of the report.
func (p *screen) findings() {
	found := slices.ContainsFunc(p.r.Findings, func(f finding.Finding) bool { return f.Result.Found() })
	concluded := !found && len(p.r.Gaps) == 0 && p.r.Unsupported == "" && !p.r.Service.Pending()
	if len(p.r.Findings) > 0 || concluded {
		p.WriteByte('\n')
	}
	if concluded {
		c := cell{informs, "no findings", plain}
		switch verdict := summary(p.r); {
		case p.o.Assumed:
			c = cell{unsure, "no findings expected", doubtful}
		case verdict.mark == ok:
			c = cell{ok, "no findings", good}
		case verdict.mark == unsure:
			c = cell{unsure, "no failure found, but not everything is known", doubtful}
		}
		p.marked(c)
	}
	shown := map[string]bool{}
	for i := range p.r.Findings {
		f := &p.r.Findings[i]
		if sharesReason(p.r.Findings[:i], f) {
			continue
		}
		m, tone := markOf(f)
		lead := p.glyphs[m] + " " + p.clean(f.Code) + "  "
		for n, l := range p.wrap(message(f), p.proseColumns()-p.cells(lead)) {
			if n == 0 {
				p.put(span{lead, tone}, span{l, strong})
			} else {
				p.put(span{strings.Repeat(" ", p.cells(lead)), plain}, span{l, strong})
			}
		}
		for paragraph := range strings.SplitSeq(f.Detail, "\n") {
			for _, l := range p.wrap(p.clean(paragraph), p.proseColumns()-4) {
				p.put(span{"    " + l, plain})
			}
		}
		if codes := p.sharing(p.r.Findings[i+1:], f); codes != "" {
			p.put(span{"    the same holds for " + codes, plain})
		}
		if p.o.Wide {
			for _, e := range f.Evidence {
				p.beside(span{"    " + e.Fact, plain}, "   ", span{"from " + e.Source, faint})
			}
		}
		if f.Confirm != "" {
			p.put(span{"    to confirm: " + p.clean(f.Confirm), faint})
		}
		p.remedies(f.Remedies, shown)
	}
}

// beside writes a note behind a text, or below it where the terminal is too narrow for both.
func (p *screen) beside(text span, gap string, note span) {
	if p.columns > 0 && p.cells(text.text)+len(gap)+p.cells(note.text) > p.columns {
		p.put(text)
		p.put(span{"      ", plain}, note)
		return
	}
	p.put(text, span{gap, plain}, note)
}

// sharesReason says whether an earlier finding is undecided for the same reason.
func sharesReason(earlier []finding.Finding, f *finding.Finding) bool {
	return slices.ContainsFunc(earlier, func(o finding.Finding) bool { return sameLack(&o, f) })
}

// sameLack says whether two checks are undecided for the same reason.
func sameLack(a, b *finding.Finding) bool {
	return a.Result == finding.Unknown && b.Result == finding.Unknown && a.Message == b.Message && a.Detail == b.Detail && a.Subject == b.Subject
}

// sharing lists the codes of later findings that are undecided for the same reason.
func (p *screen) sharing(later []finding.Finding, f *finding.Finding) string {
	var codes []string
	for i := range later {
		if sameLack(&later[i], f) {
			codes = append(codes, p.clean(later[i].Code))
		}
	}
	return strings.Join(codes, " ")
}

// remedies writes one remedy a line, with its gain or loss in a second column, or below it where the terminal is too
// narrow. Commands are never wrapped, so that they can be copied. Modes that an earlier finding has shown are only named.
func (p *screen) remedies(all []finding.Remedy, shown map[string]bool) {
	var list []finding.Remedy
	var again []string
	for _, r := range all {
		switch {
		case r.Text == "":
		case shown[r.Mode]:
			again = append(again, "--mode="+p.clean(r.Mode))
		default:
			list = append(list, r)
			shown[r.Mode] = r.Mode != ""
		}
	}
	if len(again) > 0 {
		p.put(span{"    also fixed by " + strings.Join(again, ", ") + " above", plain})
	}
	longest := 0
	for _, r := range list {
		if r.Gain != "" {
			longest = max(longest, p.cells(r.Text))
		}
	}
	for _, r := range list {
		if r.Gain == "" && !strings.HasPrefix(r.Text, "kubectl ") {
			for _, l := range p.wrap(p.clean(r.Text), p.proseColumns()-4) {
				p.put(span{"    " + l, plain})
			}
			continue
		}
		gap := strings.Repeat(" ", longest-p.cells(r.Text)+3)
		p.beside(span{"    " + r.Text, informing}, gap, span{r.Gain, faint})
	}
}
