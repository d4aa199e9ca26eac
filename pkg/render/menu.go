package render

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// Ask is what the question before a change names.
type Ask struct {
	// Context is the kubeconfig context, Cluster the name and address of its cluster.
	Context, Cluster string
	// Changes, Fixes and Risks have one entry a line; empty where none is known.
	Changes, Fixes, Risks []string
}

// Question writes the lines above the question itself: where, what, what for, at what risk.
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
			lines, row.tone = []string{"none known"}, faint
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

// Attention are the lines of a menu of Services in which something was found: the name, the verdict and
// the findings of each.
func Attention(reports []report.Report, o Options) []string {
	p := o.Style
	longest := 0
	for i := range reports {
		longest = max(longest, p.cells(p.clean(reports[i].Title())))
	}
	lines := make([]string, 0, len(reports))
	for i := range reports {
		name, verdict := p.clean(reports[i].Title()), brief(&reports[i])
		text := p.clean(strings.TrimSpace(p.cellText(verdict) + "   " + strings.Join(codes(&reports[i]), " ")))
		if p.columns > 0 {
			text = p.cut(text, max(narrowest, p.columns-longest-numbered))
		}
		lines = append(lines, name+strings.Repeat(" ", longest-p.cells(name)+gutter)+p.paint(span{text, verdict.tone}))
	}
	return lines
}

// numbered is the width of what a menu writes before a line, and of the gutter.
const numbered = 10

// Offers are the lines of a menu of modes.
func Offers(offers []remedy.Offer, o Options) []string {
	p := o.Style
	longest := 0
	for _, offer := range offers {
		longest = max(longest, len(offer.Mode))
	}
	lines := make([]string, 0, len(offers))
	for _, offer := range offers {
		gain, fixes := p.clean(offer.Gain), "fixes "+p.clean(strings.Join(offer.Fixes, " "))
		if offer.Against != "" {
			gain, fixes = "not possible here: "+p.clean(offer.Against), "would fix "+p.clean(strings.Join(offer.Fixes, " "))
		}
		if offer.ByName {
			fixes += " by name"
		}
		text := gain + p.paint(span{"   " + fixes, faint})
		// Where the terminal is too narrow, what the mode fixes is written below.
		indent := ordinal + longest + 2
		if room := max(narrowest, p.columns-indent); p.columns > 0 && p.cells(gain)+3+p.cells(fixes) > room {
			text = ""
			for _, line := range p.wrap(gain, room) {
				text += line + "\n" + strings.Repeat(" ", indent)
			}
			text += p.paint(span{fixes, faint})
		}
		lines = append(lines, p.paint(span{string(offer.Mode), strong})+strings.Repeat(" ", longest-len(offer.Mode)+2)+text)
	}
	return lines
}

// ordinal is the width of what a menu of less than ten lines writes before each.
const ordinal = 5

// Hosts says why a host name is needed, and lists those that were found.
func Hosts(h *remedy.HostNeeded, o Options) string {
	p := o.Style
	text := strings.Join(p.wrap(p.clean("a host name is needed: "+h.Why), p.proseColumns()), "\n") + "\n"
	if len(h.Suggested) > 0 {
		text += p.clean("host names found: "+strings.Join(h.Suggested, ", ")) + "\n"
	}
	return text
}
