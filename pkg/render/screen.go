package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
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
	// Closes gives the permission that closes a gap, as text of one or more lines, "" where no permission would. It may be nil.
	Closes func(cluster.Gap) string
	// Collect is the command that writes a file with everything that a gap of files asks for.
	Collect string
}

// screen is one screen on its way.
type screen struct {
	strings.Builder
	*Style
	o Options
	r *report.Report
}

// fewest is the smallest number of like nodes that one line stands for.
const fewest = 3

// Screen shows one Service.
func Screen(r *report.Report, o Options) []byte {
	p := &screen{Style: o.Style, o: o, r: r}
	p.head()
	if r.Unsupported != "" {
		p.WriteByte('\n')
		for _, l := range p.wrap("no map: "+p.clean(r.Unsupported), p.proseColumns()) {
			p.put(span{l, plain})
		}
	} else {
		if o.Assumed {
			p.WriteByte('\n')
			p.put(span{"expected, not confirmed:", doubtful})
		}
		p.nodes()
		p.inside()
		if o.Wide {
			p.rules()
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

// head says what was looked at.
func (p *screen) head() {
	s := p.r.Service
	parts := []span{{p.clean(s.Namespace + "/" + s.Name), strong}, {string(s.Type), plain}}
	if text := addresses(s); text != "" {
		parts = append(parts, span{p.clean(text), plain})
	}
	var ports []string
	for i := range s.Ports {
		ports = append(ports, portText(&s.Ports[i], s.Type == cluster.TypeNodePort || p.o.Wide))
	}
	if len(ports) > 0 {
		parts = append(parts, span{strings.Join(ports, " "), plain})
	}
	used := 0
	for i, part := range parts {
		if i > 0 && p.columns > 0 && used+3+p.cells(part.text) > p.columns {
			p.WriteString("\n  ")
			used = 2
		} else if i > 0 {
			p.WriteString("   ")
			used += 3
		}
		p.WriteString(p.paint(part))
		used += p.cells(part.text)
	}
	p.WriteByte('\n')

	rows := p.about()
	longest := 0
	for _, r := range rows {
		longest = max(longest, len(r.label))
	}
	for _, r := range rows {
		indent := "\n" + strings.Repeat(" ", longest+4)
		value := []string{r.value}
		if p.columns > 0 {
			value = p.wrap(r.value, p.columns-longest-4)
		}
		for i := range value {
			value[i] = p.paint(span{value[i], plain})
		}
		p.WriteString("  " + r.label + strings.Repeat(" ", longest-len(r.label)+2) + strings.Join(value, indent))
		if r.note != "" {
			note := p.clean(r.note)
			switch w := p.cells(note); {
			case p.columns == 0 || len(value) == 1 && longest+4+p.cells(r.value)+3+w <= p.columns:
				p.WriteString("   ")
			case longest+4+w <= p.columns:
				p.WriteString(indent)
			default:
				p.WriteString("\n    ")
			}
			p.WriteString(p.paint(span{note, faint}))
		}
		p.WriteByte('\n')
	}
}

func addresses(s *cluster.Service) string {
	var list []string
	for _, in := range s.Ingress {
		text := in.Hostname
		if in.IP.IsValid() {
			text = in.IP.String()
			if in.IPMode == cluster.Proxy {
				text += " (ipMode Proxy)"
			}
		}
		list = append(list, text)
	}
	if len(list) == 0 && s.Type == cluster.TypeLoadBalancer {
		return "<pending>"
	}
	return strings.Join(list, " ")
}

// fact is one labelled line of the head.
type fact struct{ label, value, note string }

func (p *screen) about() []fact {
	s := p.r.Service
	var facts []fact
	if s.ExternalTrafficPolicy != cluster.PolicyUnset {
		f := fact{label: "externalTrafficPolicy", value: string(s.ExternalTrafficPolicy)}
		if s.HealthCheckNodePort != 0 {
			f.note = "(health check node port " + strconv.Itoa(int(s.HealthCheckNodePort)) + ")"
		}
		facts = append(facts, f)
	}
	if s.InternalTrafficPolicy == cluster.PolicyLocal || p.o.Wide && s.InternalTrafficPolicy != cluster.PolicyUnset {
		facts = append(facts, fact{label: "internalTrafficPolicy", value: string(s.InternalTrafficPolicy)})
	}
	if len(s.ExternalIPs) > 0 {
		facts = append(facts, fact{label: "external IPs", value: joined(s.ExternalIPs)})
	}
	if p.o.Wide && len(s.ClusterIPs) > 0 {
		facts = append(facts, fact{label: "cluster IP", value: joined(s.ClusterIPs)})
	}
	if len(s.SourceRanges) > 0 {
		facts = append(facts, fact{label: "source ranges", value: joined(s.SourceRanges)})
	}
	if p.r.Unsupported != "" {
		return facts
	}
	if p.r.Dataplane != nil {
		f := fact{"data plane", dataplaneText(p.r.Dataplane), sourced(p.r.Dataplane.Confidence, p.r.Dataplane.Source)}
		if build := buildText(p.r.Dataplane); p.o.Wide && build != "" {
			f.value += ", " + build
		}
		if p.r.Dataplane.Name == cluster.UnknownDataplane && f.note == "" {
			f.note = "(--dataplane NAME[/MODE][@VERSION] says which)"
		}
		facts = append(facts, f)
	}
	if lb := p.r.Provider; lb.Name != "" {
		f := fact{label: "load balancer", value: lb.Title}
		if f.value == "" {
			f.value = strings.TrimSpace(lb.Name + " " + lb.Product)
		}
		switch lb.Backends {
		case provider.Nodes:
			f.value += ", sends to nodes"
		case provider.Pods:
			f.value += ", sends to pods"
		case provider.MixedBackends:
			f.value += ", sends to nodes and pods"
		case provider.UnknownBackends:
		}
		if lb.Source != "" {
			f.note = "from " + lb.Source
		}
		facts = append(facts, f)
	}
	return facts
}

func joined[T interface{ String() string }](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return strings.Join(texts, " ")
}

// unknown stands for what could not be found out.
const unknown = "<unknown>"

// dataplaneText is name, mode and version.
func dataplaneText(d *cluster.Dataplane) string {
	if d.Name == cluster.UnknownDataplane || d.Name == "" {
		return unknown
	}
	text := string(d.Name)
	switch {
	case d.Mode != "":
		text += " " + string(d.Mode)
	case d.Name == cluster.KubeProxy:
		text += ", mode " + unknown
	}
	if !d.Version.Known() {
		return text + ", version " + unknown
	}
	text += " " + d.Version.String()
	if d.VersionConfidence == cluster.Inferred || d.VersionConfidence == cluster.Assumed {
		from := d.VersionSource
		if from == "" {
			from = "the kubelets"
		}
		text += " (" + strings.ToLower(string(d.VersionConfidence)) + " from " + from + ")"
	}
	return text
}

// buildText says of a kube-proxy that is not built by Kubernetes itself who built it, and whether its predictions are those of the upstream release; "" for all others.
func buildText(d *cluster.Dataplane) string {
	if d.Name != cluster.KubeProxy || !d.Version.Known() {
		return ""
	}
	switch vendor := d.Version.Vendor(); {
	case vendor == cluster.Upstream:
		return ""
	case vendor == cluster.UnknownVendor:
		return "build " + d.Version.Suffix() + " of an unknown vendor treated as upstream"
	case vendor == cluster.Tencent && d.Mode != cluster.IPTables:
		return string(vendor) + " build known to differ in ipvs mode"
	default:
		return string(vendor) + " build treated as upstream"
	}
}

func sourced(c cluster.Confidence, source string) string {
	switch c {
	case cluster.Inferred:
		return strings.TrimSpace("inferred from " + source)
	case cluster.Assumed:
		return strings.TrimSuffix("assumed: "+source, ": ")
	case cluster.UnknownConfidence:
		return strings.TrimSuffix("because "+source, "because ")
	case cluster.Observed:
	}
	if source == "" {
		return ""
	}
	return "from " + source
}

// nodes is the map.
func (p *screen) nodes() {
	if len(p.r.Nodes) == 0 {
		text := "no nodes are known"
		if p.r.Others > 0 {
			text = "of the nodes asked for, none is there any more"
		}
		p.WriteByte('\n')
		p.put(span{text, doubtful})
		return
	}
	parts := route.Outside(p.r.Service, p.r.Nodes)
	if len(parts) == 0 {
		parts = []route.Part{{Rows: slices.Repeat([]route.Cells{route.NoCells()}, len(p.r.Nodes))}}
	}
	for i := range parts {
		p.WriteByte('\n')
		if len(parts) > 1 {
			p.put(span{"to " + p.clean(title(&parts[i], parts)), strong})
		}
		p.block(&parts[i], p.counts(&parts[i], len(parts) > 1))
	}
}

// counts are the backends that each row has for a block: where it is one of several, those that serve one of its ports in the address family that is dialled.
func (p *screen) counts(b *route.Part, several bool) []report.Counts {
	counts := make([]report.Counts, len(p.r.Nodes))
	if !several {
		for i := range p.r.Nodes {
			counts[i] = p.r.Nodes[i].Endpoints
		}
		return counts
	}
	on := make(map[string]*report.Counts, len(counts))
	for i := range p.r.Nodes {
		on[p.r.Nodes[i].Node.Name] = &counts[i]
	}
	serving := p.r.Service.Backends(func(e *cluster.Endpoint) bool {
		return slices.ContainsFunc(b.Targets, func(t route.Target) bool { return t.ServedBy(e) })
	})
	for i := range serving {
		if c := on[serving[i].Node]; c != nil {
			c.Add(&serving[i])
		}
	}
	return counts
}

func (p *screen) block(b *route.Part, counts []report.Counts) {
	t := table{columns: []column{{title: "NODE", give: inMiddle}, {title: "ZONE", spare: 1}}}
	if p.o.Wide {
		t.columns = append(t.columns, column{title: "ADDRESSES"}, column{title: "READY"}, column{title: "KUBELET"}, column{title: "DATA PLANE"})
	}
	from := "FROM OUTSIDE"
	if b.Balanced {
		from = "FROM LB"
	}
	t.columns = append(t.columns, column{title: "BACKENDS"}, column{title: from}, column{title: "FROM NODE"}, column{title: "FROM POD"})
	if p.o.Wide {
		t.columns = append(t.columns, column{title: "NODEPORT NODE"}, column{title: "NODEPORT POD"}, column{title: "CLUSTERIP NODE"}, column{title: "CLUSTERIP POD"})
	}
	shared := b.Balanced && slices.ContainsFunc(p.r.Nodes, func(r report.Row) bool { return r.LoadBalancer.Share > 0 || r.LoadBalancer.PodShare > 0 })
	if shared {
		t.columns = append(t.columns, column{title: "SHARE", spare: 2})
	}
	t.columns = append(t.columns, column{title: "LIVE"}, column{title: "NOTE"})

	lives := slices.ContainsFunc(p.r.Nodes, func(r report.Row) bool { return r.Live != nil })
	unread := !slices.ContainsFunc(p.r.Nodes, func(r report.Row) bool { return r.Node.Known })
	zones := p.zones()
	var wideNode, wideCluster []route.Target
	if p.o.Wide {
		wideNode, wideCluster = route.NodePorts(p.r.Service, p.r.Nodes), route.ClusterIPs(p.r.Service)
	}

	type group struct{ first, others, line int }
	groups := map[string]*group{}
	var order []*group
	for i := range p.r.Nodes {
		row := &p.r.Nodes[i]
		v := b.Rows[i]
		cells := []cell{{text: p.clean(row.Node.Name)}, {text: zones[i]}}
		if p.o.Wide {
			cells = append(cells, p.node(row.Node, p.r.Dataplane)...)
		}
		arriving := p.verdict(v.External)
		if b.Balanced {
			arriving = received(&row.LoadBalancer, v.External)
			if row.LoadBalancer.Receives != cluster.No {
				arriving = p.ruled(arriving, v.External)
			} else if p.o.Wide && row.LoadBalancer.Reason != "" {
				arriving.text += " (" + row.LoadBalancer.Reason + ")"
			}
		}
		cells = append(cells, backends(counts[i], p.r.Service.EndpointsKnown), arriving, p.verdict(v.Node), p.verdict(v.Pod))
		if p.o.Wide {
			np, ci := route.Together(wideNode, row), route.Together(wideCluster, row)
			cells = append(cells, p.verdict(np.Node), p.verdict(np.Pod), p.verdict(ci.Node), p.verdict(ci.Pod))
		}
		if shared {
			cells = append(cells, share(&row.LoadBalancer))
		}
		check := cell{}
		if lives {
			check = live(row, p.r.Service.EndpointsKnown)
		}
		cells = append(cells, check, cell{text: p.note(row.Node, unread), tone: doubtful})

		if p.interactive && !p.o.All && !p.o.Wide {
			key := likeness(cells[2:])
			if g := groups[key]; g != nil {
				g.others++
				t.lines = append(t.lines, line{cells: cells})
				continue
			}
			g := &group{first: i, line: len(t.lines)}
			groups[key] = g
			order = append(order, g)
		}
		t.lines = append(t.lines, line{cells: cells})
	}
	if len(order) > 0 {
		var kept []line
		for i, l := range t.lines {
			g := groups[likeness(l.cells[2:])]
			if g.others < fewest || g.line == i {
				kept = append(kept, l)
			}
			if g.others >= fewest && g.line == i {
				name := p.shorten(p.clean(p.r.Nodes[g.first].Node.Name), p.nameRoom())
				kept = append(kept, line{across: "  and " + strconv.Itoa(g.others) + " nodes like " + name + "   (--all lists them)"})
			}
		}
		t.lines = kept
	}
	p.table(&p.Builder, t, p.o.Wide)
	if p.r.Others > 0 {
		p.put(span{"  " + strconv.Itoa(p.r.Others) + " more not shown", faint})
	}
}

// nameRoom is how long a name may be in the line that stands for others.
func (p *screen) nameRoom() int {
	if p.columns == 0 {
		return 1 << 16
	}
	return max(narrowest, p.columns-len("  and 10000 nodes like    (--all lists them)"))
}

func likeness(cells []cell) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteByte(byte(c.mark))
		b.WriteString(c.text)
		b.WriteByte(0)
	}
	return b.String()
}

// verdict is the cell of a verdict; the wide screen names the rules that decided.
func (p *screen) verdict(c route.Cell) cell { return p.ruled(verdict(c), c) }

func (p *screen) ruled(c cell, of route.Cell) cell {
	if !p.o.Wide || of.None {
		return c
	}
	if of.Rules != "" {
		c.text += " " + p.clean(of.Rules)
	}
	if of.Outcome == dataplane.Unknown {
		var could []string
		for _, o := range of.Could.All() {
			could = append(could, verdict(route.Cell{Outcome: o}).text)
		}
		if len(could) > 0 {
			c.text += " (" + strings.Join(could, " or ") + ")"
		}
	}
	return c
}

// zones of the nodes, without what all of them have in common before their last hyphen: cn-hangzhou-h and cn-hangzhou-i are h and i.
func (p *screen) zones() []string {
	zones := make([]string, len(p.r.Nodes))
	region, common := "", true
	for i := range p.r.Nodes {
		z := p.r.Nodes[i].Node.Zone
		zones[i] = p.clean(z)
		if z == "" {
			continue
		}
		cut := strings.LastIndexByte(z, '-') + 1
		if cut == 0 || cut == len(z) || region != "" && region != z[:cut] {
			common = false
			continue
		}
		region = z[:cut]
	}
	if common && region != "" && !p.o.Wide && p.interactive {
		for i := range zones {
			zones[i] = p.clean(strings.TrimPrefix(p.r.Nodes[i].Node.Zone, region))
		}
	}
	return zones
}

// node is what the wide screen says of a node itself.
func (p *screen) node(n *cluster.Node, common *cluster.Dataplane) []cell {
	ready := map[cluster.Tristate]string{cluster.Yes: "yes", cluster.No: "no", cluster.Undetermined: unknown}[n.Ready]
	kubelet := unknown
	if n.KubeletVersion.Known() {
		kubelet = n.KubeletVersion.String()
	}
	d := n.Dataplane
	if d == nil {
		d = common
	}
	plane := unknown
	if d != nil {
		plane = dataplaneText(d)
	}
	if n.ProxyMode != "" {
		plane += " (says " + n.ProxyMode + ")"
	}
	addresses := joined(append(slices.Clone(n.InternalIPs), n.ExternalIPs...))
	if addresses == "" {
		addresses = unknown
	}
	return []cell{{text: addresses}, {text: ready}, {text: p.clean(kubelet)}, {text: p.clean(plane)}}
}

// note is what sets a node apart.
func (p *screen) note(n *cluster.Node, unread bool) string {
	var notes []string
	if n.VirtualKubelet {
		notes = append(notes, "virtual node")
	}
	if n.Deleting {
		notes = append(notes, "being deleted")
	}
	switch {
	case !n.Known && !unread:
		notes = append(notes, "node not read")
	case n.Known && n.Ready == cluster.No:
		notes = append(notes, "not ready")
	case n.Known && n.Ready == cluster.Undetermined:
		notes = append(notes, "readiness unknown")
	}
	if n.Unschedulable {
		notes = append(notes, "cordoned")
	}
	if n.Dataplane != nil && !n.VirtualKubelet && !p.o.Wide {
		text := dataplaneText(n.Dataplane)
		if text == unknown {
			text = "data plane " + text
		}
		notes = append(notes, text)
	}
	if n.ProxyMode != "" && !p.o.Wide {
		d := n.Dataplane
		if d == nil {
			d = p.r.Dataplane
		}
		if d != nil && d.Name == cluster.KubeProxy && string(d.Mode) != n.ProxyMode {
			notes = append(notes, "says mode "+n.ProxyMode)
		}
	}
	return p.clean(strings.Join(notes, ", "))
}

// inside has a line for every kind of connection to the cluster IP that may fail.
func (p *screen) inside() {
	type count struct {
		cell cell
		n    int
	}
	first := true
	for _, b := range route.Inside(p.r.Service, p.r.Nodes) {
		tally := func(pick func(route.Cells) route.Cell) []count {
			var counts []count
			for _, row := range b.Rows {
				v := pick(row)
				if v.None || v.Outcome == dataplane.Reachable {
					continue
				}
				c := verdict(v)
				if i := slices.IndexFunc(counts, func(k count) bool { return k.cell == c }); i >= 0 {
					counts[i].n++
				} else {
					counts = append(counts, count{c, 1})
				}
			}
			return counts
		}
		pods, processes := tally(func(c route.Cells) route.Cell { return c.Pod }), tally(func(c route.Cells) route.Cell { return c.Node })
		say := func(who string, counts []count) {
			for _, c := range counts {
				if first {
					p.WriteByte('\n')
					first = false
				}
				places, ports := named(b.Targets)
				p.put(span{"cluster IP " + strings.Join(places, " ") + " " + strings.Join(ports, " ") + "   ", plain}, span{p.cellText(c.cell), c.cell.tone},
					span{" from " + who + " on " + strconv.Itoa(c.n) + " of " + strconv.Itoa(len(p.r.Nodes)) + " nodes", plain})
			}
		}
		if slices.Equal(pods, processes) {
			say("pods and processes", pods)
		} else {
			say("pods", pods)
			say("processes", processes)
		}
	}
}

// rules explains the rules named in the wide map.
func (p *screen) rules() {
	var seen []*dataplane.Rule
	for i := range p.r.Nodes {
		for j := range p.r.Nodes[i].Paths {
			if r := p.r.Nodes[i].Paths[j].Rule; r != nil && !slices.Contains(seen, r) {
				seen = append(seen, r)
			}
		}
	}
	slices.SortFunc(seen, func(a, b *dataplane.Rule) int { return strings.Compare(a.ID, b.ID) })
	t := table{columns: []column{{title: "RULE"}, {title: "REASON"}}}
	for _, r := range seen {
		t.lines = append(t.lines, line{cells: []cell{{text: p.clean(r.ID)}, {text: p.clean(r.Reason)}}})
	}
	if len(t.lines) > 0 {
		p.WriteByte('\n')
		p.table(&p.Builder, t, p.o.Wide)
	}
}

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
		p.remedies(f.Remedies)
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
// most are lines to copy. One without text has nothing to show here.
func (p *screen) remedies(list []finding.Remedy) {
	list = slices.DeleteFunc(slices.Clone(list), func(r finding.Remedy) bool { return r.Text == "" })
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
