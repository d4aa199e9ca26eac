package render

import (
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// tracing is one trace that is being written.
type tracing struct {
	screen
	t *report.Trace
}

// Trace shows one connection hop by hop.
func Trace(t *report.Trace, style *Style) []byte {
	p := &tracing{screen: screen{Style: style}, t: t}
	p.apart(span{t.Service.Namespace + "/" + t.Service.Name, strong}, span{targetName(t), plain}, span{"from " + clientName(t), plain})
	p.marked(outcomeOf(t))
	p.WriteByte('\n')
	for i := range t.Route.Hops {
		p.hop(i)
	}
	if len(t.Choices) > 1 {
		p.WriteByte('\n')
		p.prose(span{}, "--to chooses another address or port: "+choices(t))
	}
	return []byte(p.String())
}

// depth is how many hops with branches are above a hop.
func (p *tracing) depth(i int) int {
	depth := 0
	for at := i; p.t.Route.Hops[at].After >= 0; at = p.t.Route.Hops[at].After {
		if k := p.t.Route.Hops[p.t.Route.Hops[at].After].Kind; k == route.LoadBalancerHop || k == route.NetworkHop {
			depth++
		}
	}
	if p.t.Route.Hops[i].Kind == route.AnswerHop {
		return 0
	}
	return depth
}

// labelColumns is the width of the column with the number and the kind of a hop. On a terminal narrower than
// narrowTrace the lines below a hop begin further left.
const (
	labelColumns = 20
	narrowTrace  = 60
)

// hop writes one hop: its kind and what it is, then what it does and why, and the client IP behind it.
func (p *tracing) hop(i int) {
	h := &p.t.Route.Hops[i]
	number := strconv.Itoa(i + 1)
	lead := strings.Repeat(" ", max(0, 2-len(number))) + number + "  " + strings.Repeat("  ", p.depth(i)) + hopLabel(h.Kind)
	lead += strings.Repeat(" ", max(2, labelColumns-len(lead)))
	if below := len(lead); p.columns == 0 || p.columns >= narrowTrace {
		p.labelled(span{}, span{lead, strong}, hopTitle(p.t, i))
		p.behind(i, strings.Repeat(" ", below))
		return
	}
	p.put(span{strings.TrimRight(lead, " "), strong})
	p.behindText(hopTitle(p.t, i), "    ", plain)
	p.behind(i, "    ")
}

// behind writes the lines below a hop.
func (p *tracing) behind(i int, indent string) {
	h := &p.t.Route.Hops[i]
	if c := hopVerdict(p.t, i); c.mark != noMark {
		text := c.text
		if h.Why.Reason != "" {
			text += ": " + h.Why.Reason
		}
		mark := p.glyphs[c.mark] + " "
		for n, l := range p.wrap(text, max(narrowest, p.proseColumns()-p.cells(indent+mark))) {
			if n > 0 {
				mark = strings.Repeat(" ", p.cells(mark))
			}
			p.put(span{indent, plain}, span{mark + l, c.tone})
		}
	}
	for _, line := range hopLines(p.t, i) {
		p.behindText(line, indent, faint)
	}
}

func (p *tracing) behindText(text, indent string, tone tone) {
	for _, l := range p.wrap(text, max(narrowest, p.proseColumns()-len(indent))) {
		p.put(span{indent, plain}, span{l, tone})
	}
}
