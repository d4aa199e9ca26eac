package render

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// box is a hop as it is drawn.
type box struct {
	// lines are what stands in it; arrow is what stands at the arrow to it, "" for nothing.
	lines []string
	arrow string
	tone  tone
	// skipped: the load balancer does not send there.
	skipped bool
}

func boxes(t *report.Trace) []box {
	list := make([]box, len(t.Route.Hops))
	for i := range t.Route.Hops {
		h := &t.Route.Hops[i]
		b := box{lines: []string{hopLabel(h.Kind), hopSubject(t, i)}, skipped: h.Taken == cluster.No}
		if c := hopVerdict(t, i); c.mark != noMark {
			b.tone = c.tone
			b.lines = append(b.lines, c.text)
		}
		if h.Why.ID != "" {
			b.lines = append(b.lines, h.Why.ID)
		} else if h.Choice.ID != "" {
			b.lines = append(b.lines, h.Choice.ID)
		}
		if h.After >= 0 {
			b.arrow = strings.TrimSuffix(strings.TrimRight(odds(t, h), ": "), " to")
		}
		list[i] = b
	}
	return list
}

// arrow leads from one hop to another; back is the way back.
type arrow struct {
	from, to int
	back     bool
}

// arrows are those of the drawing. The way back begins at every endpoint that is reached, and ends at the client.
func arrows(t *report.Trace) []arrow {
	var list []arrow
	hops := t.Route.Hops
	for i := range hops {
		switch {
		case hops[i].After < 0:
		case hops[i].Kind != route.AnswerHop:
			list = append(list, arrow{hops[i].After, i, false})
		default:
			for n := range hops {
				if hops[n].Kind == route.EndpointsHop && hops[n].Outcome == dataplane.Reachable {
					list = append(list, arrow{n, i, true})
				}
			}
			list = append(list, arrow{i, 0, true})
		}
	}
	return list
}

// hopSubject is the title of a hop without what is written at the arrow to it.
func hopSubject(t *report.Trace, i int) string {
	h := &t.Route.Hops[i]
	if h.After < 0 {
		return hopTitle(t, i)
	}
	return strings.TrimPrefix(hopTitle(t, i), odds(t, h))
}

// Mermaid draws a trace as a flowchart of Mermaid.
func Mermaid(t *report.Trace) []byte {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	list := boxes(t)
	for i := range list {
		lines := make([]string, len(list[i].lines))
		for n, l := range list[i].lines {
			lines[n] = mermaidText(l)
		}
		fmt.Fprintf(&b, "  h%d[\"%s\"]\n", i, strings.Join(lines, "<br/>"))
	}
	for _, a := range arrows(t) {
		line := "-->"
		switch {
		case list[a.to].skipped:
			line = "-.-x"
		case a.back:
			line = "-.->"
		}
		if text := list[a.to].arrow; text != "" && !a.back {
			line += `|"` + mermaidText(text) + `"|`
		}
		fmt.Fprintf(&b, "  h%d %s h%d\n", a.from, line, a.to)
	}
	for _, class := range []struct {
		tone        tone
		name, color string
	}{{good, "works", "#2da44e"}, {bad, "fails", "#cf222e"}, {doubtful, "unsure", "#bf8700"}} {
		var members []string
		for i := range list {
			if list[i].tone == class.tone {
				members = append(members, fmt.Sprintf("h%d", i))
			}
		}
		if len(members) > 0 {
			fmt.Fprintf(&b, "  classDef %s stroke:%s,stroke-width:2px\n  class %s %s\n", class.name, class.color, strings.Join(members, ","), class.name)
		}
	}
	return []byte(b.String())
}

// mermaidText is text inside a quoted label of Mermaid, where everything but letters, digits and a few signs is written
// as an entity: quotation marks end a label, and what looks like HTML or Markdown is taken for it.
func mermaidText(text string) string {
	var b strings.Builder
	for _, r := range printable.Line(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" .,:/()-%?", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}

// DOT draws a trace as a graph of Graphviz.
func DOT(t *report.Trace) []byte {
	var b strings.Builder
	b.WriteString("digraph trace {\n  node [shape=box, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\"];\n")
	list := boxes(t)
	for i := range list {
		lines := make([]string, len(list[i].lines))
		for n, l := range list[i].lines {
			lines[n] = dotText(l)
		}
		color := ""
		switch list[i].tone {
		case good:
			color = ", color=\"#2da44e\""
		case bad:
			color = ", color=\"#cf222e\""
		case doubtful:
			color = ", color=\"#bf8700\""
		case plain, faint, strong, informing, toneCount:
		}
		fmt.Fprintf(&b, "  h%d [label=\"%s\"%s];\n", i, strings.Join(lines, `\n`), color)
	}
	for _, a := range arrows(t) {
		style := ""
		switch {
		case list[a.to].skipped:
			style = ", style=dashed, arrowhead=none"
		case a.back:
			style = ", style=dashed"
		}
		fmt.Fprintf(&b, "  h%d -> h%d [label=\"%s\"%s];\n", a.from, a.to, dotText(list[a.to].arrow), style)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

// dotText is text inside a quoted label of Graphviz, where a backslash begins an escape and & an entity.
func dotText(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(printable.Line(text))
}
