package render

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// gaps says what could not be read, and which permission would change that.
func (p *screen) gaps() {
	if len(p.r.Gaps) > 0 {
		p.WriteByte('\n')
	}
	for _, g := range p.r.Gaps {
		text := "could not " + g.Verb + " " + g.Resource
		if g.Reason == cluster.NotInFiles {
			text = "the files do not hold " + g.Resource
		}
		switch {
		case g.Namespace != "" && g.Name != "":
			text += " " + g.Namespace + "/" + g.Name
		case g.Name != "":
			text += " " + g.Name
		case g.Namespace != "":
			text += " in namespace " + g.Namespace
		}
		switch g.Reason {
		case cluster.Forbidden:
			text += ": forbidden"
		case cluster.NotFound:
			text += ": not found"
		case cluster.TimedOut:
			text += ": timed out"
		case cluster.Failed:
			text += ": " + g.Message
		case cluster.NotInFiles:
		}
		for n, l := range p.wrap(p.clean(text), p.proseColumns()-2) {
			if n == 0 {
				p.put(span{p.glyphs[unsure] + " ", doubtful}, span{l, plain})
			} else {
				p.put(span{"  " + l, plain})
			}
		}
		if p.o.Closes == nil {
			continue
		}
		if rule := p.o.Closes(g); rule != "" {
			p.put(span{"    this permission closes the gap:", faint})
			for l := range strings.SplitSeq(strings.TrimRight(rule, "\n"), "\n") {
				p.put(span{"      " + p.clean(l), plain})
			}
		}
	}
	if p.o.Collect != "" && slices.ContainsFunc(p.r.Gaps, func(g cluster.Gap) bool { return g.Reason == cluster.NotInFiles }) {
		p.put(span{"    this command collects all that is read; with Calico, add felixconfigurations to its list:", faint})
		p.put(span{"      " + p.o.Collect, plain})
	}
}
