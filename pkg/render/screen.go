package render

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// Options choose what a screen shows. Style is required; the zero value of everything else is the usual screen.
type Options struct {
	Style *Style
	// All lists every node; otherwise one line stands for many that are alike.
	All bool
	// Wide adds node ports, ClusterIPs and the nodes themselves, the rules that decided, the evidence of findings, and
	// each read that failed.
	Wide bool
	// Namespaces adds a column for the namespace to a list of Services.
	Namespaces bool
	// Assumed: the report is what is expected after a change, not what was read.
	Assumed bool
	// Grant is the command that prints a ClusterRole with the rights that reading needs, "" where no cluster is read.
	Grant string
	// Closes gives the RBAC rule that allows a read that failed, as text of one or more lines, "" where none would. It
	// may be nil.
	Closes func(cluster.Gap) string
	// Collect is the command that writes a file with everything that is read, "" to show none.
	Collect string
	// Files are the flags that name the files that were read, each with a space before it, for commands to copy; ""
	// where a cluster is read.
	Files string
}

// screen is one screen that is being written.
type screen struct {
	strings.Builder
	*Style
	o Options
	r *report.Report
}

// Screen shows one Service.
func Screen(r *report.Report, o Options) []byte {
	p := &screen{Style: o.Style, o: o, r: r}
	p.head()
	if r.Unsupported == "" {
		if o.Assumed {
			p.WriteByte('\n')
			p.put(span{"expected, not confirmed:", doubtful})
		}
		p.nodes()
		if o.Wide {
			p.rules()
		} else {
			p.inside()
		}
		p.limits()
	}
	p.findings()
	p.gaps()
	return []byte(p.String())
}

// limits names the clients to which the results do not apply.
func (p *screen) limits() {
	if len(p.r.Limits) > 0 {
		p.WriteByte('\n')
	}
	for _, l := range p.r.Limits {
		p.labelled(span{}, span{"not covered: ", doubtful}, l.Title+" ("+l.Source+"). "+l.Reason)
	}
}

// put writes one line.
func (p *screen) put(parts ...span) {
	for _, part := range parts {
		p.WriteString(p.paint(part))
	}
	p.WriteByte('\n')
}

// prose writes text behind a lead, wrapped.
func (p *screen) prose(lead span, text string) {
	width := p.cells(lead.text)
	for n, l := range p.wrap(p.clean(text), p.proseColumns()-width) {
		if n == 0 {
			p.put(lead, span{l, plain})
		} else {
			p.put(span{strings.Repeat(" ", width) + l, plain})
		}
	}
}

// labelled is prose behind a mark and a label.
func (p *screen) labelled(mark, lead span, text string) {
	indent := p.cells(mark.text) + p.cells(lead.text)
	for n, l := range p.wrap(p.clean(text), max(narrowest, p.proseColumns()-indent)) {
		if n == 0 {
			p.put(mark, lead, span{l, plain})
		} else {
			p.put(span{strings.Repeat(" ", indent) + l, plain})
		}
	}
}
