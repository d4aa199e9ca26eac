package render

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// look is the mark and tone of a finding.
func look(f *finding.Finding) (mark, tone) {
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

func (p *screen) findings() {
	nothingFound := !slices.ContainsFunc(p.r.Findings, func(f finding.Finding) bool { return f.Result.Found() })
	concluded := nothingFound && len(p.r.Gaps) == 0 && p.r.Unsupported == ""
	if len(p.r.Findings) > 0 || concluded {
		p.WriteByte('\n')
	}
	if concluded {
		c := conclusion(p.r.Doubt)
		if p.o.Assumed {
			c = cell{unsure, "no findings expected", doubtful}
		}
		for n, l := range p.wrap(c.text, p.proseColumns()-2) {
			lead := p.glyphs[c.mark] + " "
			if n > 0 {
				lead = "  "
			}
			p.put(span{lead + l, c.tone})
		}
	}
	shown := map[string]bool{}
	for i := range p.r.Findings {
		f := &p.r.Findings[i]
		if sharesReason(p.r.Findings[:i], f) {
			continue
		}
		m, tone := look(f)
		message := f.Message
		if message == "" {
			message = f.Title
		}
		lead := p.glyphs[m] + " " + p.clean(f.Code) + "  "
		for n, l := range p.wrap(p.clean(message), p.proseColumns()-p.cells(lead)) {
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
			p.put(span{"    also not known for this reason: " + codes, plain})
		}
		if p.o.Wide {
			for _, e := range f.Evidence {
				p.put(span{"    " + p.clean(e.Fact), plain}, span{"   from " + p.clean(e.Source), faint})
			}
		}
		if f.Confirm != "" {
			p.put(span{"    to confirm: " + p.clean(f.Confirm), faint})
		}
		p.remedies(f.Remedies, shown)
	}
}

// sharesReason says whether what a finding lacks has been said of an earlier one.
func sharesReason(earlier []finding.Finding, f *finding.Finding) bool {
	return slices.ContainsFunc(earlier, func(o finding.Finding) bool { return sameLack(&o, f) })
}

// sameLack says whether two checks are undecided for the same reason.
func sameLack(a, b *finding.Finding) bool {
	return a.Result == finding.Unknown && b.Result == finding.Unknown && a.Message == b.Message && a.Detail == b.Detail && a.Subject == b.Subject
}

// sharing are the codes of later findings that are undecided for the same reason.
func (p *screen) sharing(later []finding.Finding, f *finding.Finding) string {
	var codes []string
	for i := range later {
		if sameLack(&later[i], f) {
			codes = append(codes, p.clean(later[i].Code))
		}
	}
	return strings.Join(codes, " ")
}

// remedies stand one below the other, with what each keeps or costs in a column of its own; below each where that would be too wide. They are never wrapped:
// most are lines to copy. Modes that an earlier finding has shown are only named.
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
	longest, widest := 0, 0
	for _, r := range list {
		if r.Gain == "" {
			continue
		}
		longest, widest = max(longest, p.cells(p.clean(r.Text))), max(widest, p.cells(p.clean(r.Gain)))
	}
	beside := p.columns == 0 || 4+longest+3+widest <= p.columns
	for _, r := range list {
		text, gain := p.clean(r.Text), p.clean(r.Gain)
		switch {
		case gain == "":
			p.put(span{"    " + text, plain})
		case beside:
			p.put(span{"    " + text, informing}, span{strings.Repeat(" ", longest-p.cells(text)+3), plain}, span{gain, faint})
		default:
			p.put(span{"    " + text, informing})
			p.put(span{"      " + gain, faint})
		}
	}
}
