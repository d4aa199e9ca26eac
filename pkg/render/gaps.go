package render

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

// gaps say what could not be read, and what to do about it: one line for everything that was refused, and one for
// everything that the files do not hold. The wide screen lists each.
func (p *screen) gaps() {
	if len(p.r.Gaps) == 0 {
		return
	}
	p.WriteByte('\n')
	var refused, missing []cluster.Gap
	for _, g := range p.r.Gaps {
		switch g.Reason {
		case cluster.Forbidden:
			refused = append(refused, g)
		case cluster.NotInFiles:
			missing = append(missing, g)
		case cluster.NotFound:
			p.unread("could not " + g.Verb + " " + object(g) + ": not found")
		case cluster.TimedOut:
			p.unread("could not " + g.Verb + " " + object(g) + ": timed out")
		case cluster.Failed:
			p.unread("could not " + g.Verb + " " + object(g) + ": " + g.Message)
		}
	}
	if len(refused) > 0 {
		p.refused(refused)
	}
	if len(missing) > 0 {
		p.missing(missing)
	}
}

// unread writes what could not be read.
func (p *screen) unread(text string) { p.marked(cell{unsure, text, doubtful}) }

// refused are reads that the API server refused. One ClusterRole grants all of them.
func (p *screen) refused(gaps []cluster.Gap) {
	what := "read " + english.And(resources(gaps))
	if len(gaps) == 1 {
		what = gaps[0].Verb + " " + object(gaps[0])
	}
	p.unread("not allowed to " + what)
	if p.o.Wide {
		for _, g := range gaps {
			p.put(span{"    " + g.Verb + " " + object(g) + ": forbidden", plain})
			if p.o.Closes == nil {
				continue
			}
			for l := range strings.Lines(p.o.Closes(g)) {
				p.put(span{"      " + strings.TrimSuffix(l, "\n"), faint})
			}
		}
	}
	if p.o.Grant != "" {
		p.beside(span{"    " + p.o.Grant + " | kubectl apply -f -", informing}, "   ", span{"creates the ClusterRole that allows it; bind it to the user", faint})
	}
}

// missing is what the files do not hold.
func (p *screen) missing(gaps []cluster.Gap) {
	p.unread("the files do not contain " + english.And(resources(gaps)))
	if p.o.Wide {
		for _, g := range gaps {
			p.put(span{"    " + object(g), plain})
		}
	}
	if p.o.Collect != "" {
		p.put(span{"    collect everything that is read with this command; with Calico, add felixconfigurations to its list:", faint})
		p.put(span{"      " + p.o.Collect, informing})
	}
}

// resources of gaps, each once and without its group.
func resources(gaps []cluster.Gap) []string {
	var list []string
	for _, g := range gaps {
		if name, _, _ := strings.Cut(g.Resource, "."); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// object is what was not read, as precisely as the read was.
func object(g cluster.Gap) string {
	switch {
	case g.Namespace != "" && g.Name != "":
		return g.Resource + " " + g.Namespace + "/" + g.Name
	case g.Name != "":
		return g.Resource + " " + g.Name
	case g.Namespace != "":
		return g.Resource + " in namespace " + g.Namespace
	}
	return g.Resource
}
