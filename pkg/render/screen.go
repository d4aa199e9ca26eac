package render

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// Options say how much a screen shows. The zero value, but for Style, is the usual screen.
type Options struct {
	Style *Style
	// All lists every node, also where many are alike.
	All bool
	// Wide adds addresses, versions, readiness, every other kind of path, the rules that decided and the evidence of findings.
	Wide bool
	// Namespaces adds a column for the namespace to a list of Services.
	Namespaces bool
	// Assumed: the Service is shown as it is expected to be after a change whose effect was not seen.
	Assumed bool
	// Grant is the command that prints the rights that reading needs, "" where there is no cluster to grant them in.
	Grant string
	// Closes gives the right that closes a gap, as text of one or more lines, "" where no right would. It may be nil.
	Closes func(cluster.Gap) string
	// Collect is the command that writes a file with everything that a gap of files asks for.
	Collect string
	// Files are the flags that name the files that were read, with a space before each, for commands to copy; "" where a cluster was read.
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
	}
	p.findings()
	p.gaps()
	return []byte(p.String())
}

// put writes one line.
func (p *screen) put(parts ...span) {
	for _, part := range parts {
		p.WriteString(p.paint(part))
	}
	p.WriteByte('\n')
}
