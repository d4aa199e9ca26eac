package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// List is a list of Services, a line each. It keeps of each report only what its line shows.
type List struct {
	o     Options
	lines []listed
	gaps  []cluster.Gap
}

// listed is one line of a list.
type listed struct {
	namespace, name string
	badness         int
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
	ready, nodes := spread(r)
	l.lines = append(l.lines, listed{s.Namespace, s.Name, badness(r), []cell{
		namespace,
		{text: p.clean(s.Name)},
		{text: string(s.Type)},
		{text: policy},
		{text: p.clean(address(s, l.o.Wide))},
		{text: strings.Join(ports, " ")},
		ready,
		nodes,
		p.worst(r),
	}})
	for _, g := range r.Gaps {
		if !slices.Contains(l.gaps, g) {
			l.gaps = append(l.gaps, g)
		}
	}
}

// Bytes is the list, worst first: by the severity of the worst finding, then those with missing evidence, then by namespace and name. Gaps stand below it, each once.
func (l *List) Bytes() []byte {
	slices.SortStableFunc(l.lines, func(a, b listed) int {
		return cmp.Or(b.badness-a.badness, strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
	t := table{columns: []column{
		{title: "NAMESPACE", give: inMiddle},
		{title: "NAME", give: inMiddle},
		{title: "TYPE", spare: 1},
		{title: "POLICY"},
		{title: "ADDRESS", spare: 2, give: inMiddle},
		{title: "PORTS"},
		{title: "BACKENDS"},
		{title: "NODES"},
		{title: "FINDING", give: atEnd},
	}}
	for _, service := range l.lines {
		t.lines = append(t.lines, line{cells: service.cells})
	}
	p := &screen{Style: l.o.Style, o: l.o, r: &report.Report{Gaps: l.gaps}}
	if len(t.lines) > 0 {
		p.table(&p.Builder, t, l.o.Wide)
	}
	p.gaps()
	return []byte(p.String())
}

// badness orders reports: an Error is worse than a Warning, that worse than evidence that is missing, that worse than an Info.
func badness(r *report.Report) int {
	worst := 0
	for i := range r.Findings {
		worst = max(worst, weight(&r.Findings[i]))
	}
	return worst
}

func weight(f *finding.Finding) int {
	switch {
	case !f.Result.Found():
		return 0
	case f.Result == finding.Unknown:
		return 2
	case f.Severity == finding.Error:
		return 4
	case f.Severity == finding.Warning:
		return 3
	}
	return 1
}

// worst is the worst finding of a report, and how many more there are.
func (p *Style) worst(r *report.Report) cell {
	var worst *finding.Finding
	count := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		if !f.Result.Found() {
			continue
		}
		count++
		if worst == nil || weight(f) > weight(worst) {
			worst = f
		}
	}
	switch {
	case worst == nil && len(r.Gaps) > 0:
		return cell{unsure, "no findings, evidence is missing", doubtful}
	case worst == nil && r.Unsupported == "" && r.Doubt.Any():
		d := r.Doubt
		if d == (report.Doubt{NoHeader: true}) {
			return cell{unsure, "not known: from pods and nodes, without the PROXY protocol header", doubtful}
		}
		return cell{unsure, "not known: from " + starts(d.Outside, d.Pods || d.PodsHandedOn, d.Hosts || d.HostsHandedOn), doubtful}
	case worst == nil:
		return cell{mark: nothing, tone: faint}
	}
	m, tone := look(worst)
	text := p.clean(worst.Code) + "  "
	if count > 1 {
		text += "(+" + strconv.Itoa(count-1) + ") "
	}
	if worst.Message != "" {
		return cell{m, text + p.clean(worst.Message), tone}
	}
	return cell{m, text + p.clean(worst.Title), tone}
}

// spread is how many endpoints of a Service are ready, and on how many nodes of all.
func spread(r *report.Report) (ready, nodes cell) {
	if !r.Service.EndpointsKnown {
		return cell{unsure, "unknown", doubtful}, cell{unsure, "unknown", doubtful}
	}
	endpoints, with := r.Nowhere.Ready, 0
	for i := range r.Nodes {
		if n := r.Nodes[i].Endpoints.Ready; n > 0 {
			with++
			endpoints += n
		}
	}
	return cell{text: strconv.Itoa(endpoints)}, cell{text: strconv.Itoa(with) + " of " + strconv.Itoa(len(r.Nodes))}
}

// address is the first address of a Service, and how many more there are; all of them where there is room.
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
