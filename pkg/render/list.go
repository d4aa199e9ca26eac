package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// List is a list of Services, one a line. It keeps only what a line shows, not the reports.
type List struct {
	o     Options
	lines []listed
	gaps  []cluster.Gap
}

// listed is one line of a list.
type listed struct {
	namespace, name string
	mark            mark
	cells           []cell
}

// NewList makes an empty list.
func NewList(o Options) *List { return &List{o: o} }

// Add a Service.
func (l *List) Add(r *report.Report) {
	p, s := l.o.Style, r.Service
	namespace := cell{}
	if l.o.Namespaces {
		namespace.text = p.clean(s.Namespace)
	}
	policy := string(s.ExternalTrafficPolicy)
	if policy == "" {
		policy = "<none>"
	}
	var ports []string
	for i := range s.Ports {
		if l.o.Wide {
			ports = append(ports, portText(&s.Ports[i], true))
		}
	}
	verdict := brief(r)
	verdict.text = p.clean(verdict.text)
	l.lines = append(l.lines, listed{s.Namespace, s.Name, verdict.mark, []cell{
		namespace,
		{text: p.clean(s.Name)},
		verdict,
		{text: p.clean(address(s, l.o.Wide))},
		{text: strings.Join(ports, " ")},
		{text: policy},
		{text: string(s.Type)},
		spread(r),
		{text: p.clean(strings.Join(codes(r), " "))},
	}})
	for _, g := range r.Gaps {
		if !slices.Contains(l.gaps, g) {
			l.gaps = append(l.gaps, g)
		}
	}
}

// codes are those of the failed checks of a report, each once.
func codes(r *report.Report) []string {
	var list []string
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Result == finding.Fail && !slices.Contains(list, f.Code) {
			list = append(list, f.Code)
		}
	}
	return list
}

// Bytes is the list, worst first, then by namespace and name. A footer counts the verdicts and names the next command;
// what could not be read follows, each once.
func (l *List) Bytes() []byte {
	slices.SortStableFunc(l.lines, func(a, b listed) int {
		return cmp.Or(badness(b.mark)-badness(a.mark), strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
	t := table{columns: []column{
		{title: "NAMESPACE", give: inMiddle},
		{title: "NAME", give: inMiddle},
		{title: "VERDICT", give: atEnd},
		{title: "ADDRESS", spare: 5, give: inMiddle},
		{title: "PORTS", spare: 2},
		{title: "POLICY", spare: 4},
		{title: "TYPE", spare: 1},
		{title: "BACKENDS", spare: 3},
		{title: "FINDINGS", spare: 6},
	}}
	for _, service := range l.lines {
		t.lines = append(t.lines, line{cells: service.cells})
	}
	p := &screen{Style: l.o.Style, o: l.o, r: &report.Report{Gaps: l.gaps}}
	if len(t.lines) > 0 {
		p.table(&p.Builder, t)
		l.footer(p)
	}
	p.gaps()
	return []byte(p.String())
}

// footer writes how many Services have which verdict, and the command that shows the worst.
func (l *List) footer(p *screen) {
	var parts []string
	for _, kind := range []struct {
		mark mark
		word func(n int) string
	}{
		{fails, func(n int) string { return english.Word(n, "fails", "fail") }},
		{warns, func(n int) string { return english.Word(n, "has warnings", "have warnings") }},
		{unsure, func(int) string { return "not fully known" }},
		{ok, func(n int) string { return english.Word(n, "works", "work") }},
		{nothing, func(int) string { return "with nothing to check" }},
	} {
		n := 0
		for i := range l.lines {
			if l.lines[i].mark == kind.mark {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+kind.word(n))
		}
	}
	text := english.Count(len(l.lines), "Service", "")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	p.WriteByte('\n')
	p.put(span{text, strong})
	if worst := &l.lines[0]; badness(worst.mark) > badness(ok) {
		command := "kubectl etp status svc/" + worst.name + " -n " + worst.namespace + l.o.Files
		p.beside(span{command, informing}, "   ", span{"shows the first one node by node", faint})
	}
}

// spread is the number of ready endpoints, and of the nodes that have one.
func spread(r *report.Report) cell {
	if !r.Service.EndpointsKnown {
		return cell{unsure, "unknown", doubtful}
	}
	endpoints, with := r.Nowhere.Ready, 0
	for i := range r.Nodes {
		if n := r.Nodes[i].Endpoints.Ready; n > 0 {
			with++
			endpoints += n
		}
	}
	if endpoints == 0 {
		return cell{text: "none"}
	}
	return cell{text: strconv.Itoa(endpoints) + " on " + strconv.Itoa(with) + " of " + english.Count(len(r.Nodes), "node", "")}
}

// address is the first address of a Service and the number of the others, or every address.
func address(s *cluster.Service, every bool) string {
	var list []string
	for t := range dataplane.Addresses(s) {
		if dataplane.Publishes(s, t.To) {
			list = append(list, t.Host())
		}
	}
	switch {
	case len(list) == 0 && s.Type == cluster.TypeLoadBalancer:
		return "<pending>"
	case len(list) == 0:
		return "<none>"
	case len(list) == 1 || every:
		return strings.Join(list, " ")
	}
	return list[0] + " +" + strconv.Itoa(len(list)-1)
}
