package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// fewest is the smallest number of nodes, beside the one that is shown, for which one line stands.
const fewest = 3

// nodes writes the map.
func (p *screen) nodes() {
	if len(p.r.Nodes) == 0 {
		text := "no nodes are known"
		if p.r.Others > 0 {
			text = "none of the requested nodes exist"
		}
		p.WriteByte('\n')
		p.put(span{text, doubtful})
		return
	}
	parts := route.Parts(p.r.Service, p.r.Nodes)
	if len(parts) == 0 {
		parts = []route.Part{{Rows: slices.Repeat([]route.Cells{route.NoCells()}, len(p.r.Nodes))}}
	}
	for i := range parts {
		hint := ""
		if i == 0 {
			hint = " (kubectl etp explain columns)"
		}
		p.heading(p.clean(title(&parts[i], parts)), hint)
		p.block(&parts[i], p.counts(&parts[i], len(parts) > 1))
	}
	if !p.o.Wide {
		return
	}
	if len(parts[0].Targets) == 0 || parts[0].Targets[0].To != dataplane.NodePort {
		p.others(route.NodePortParts(p.r.Service, p.r.Nodes))
	}
	p.others(route.ClusterIPParts(p.r.Service, p.r.Nodes))
	p.machines()
}

// heading writes what the columns of a part of the map mean.
func (p *screen) heading(where, hint string) {
	text := "what connections do, by where they start"
	if where != "" {
		text = "what connections to " + where + " do, by where they start"
	}
	p.WriteByte('\n')
	for _, l := range p.wrap(text+hint, p.proseColumns()) {
		p.put(span{l, plain})
	}
}

// others writes the parts of the wide map about node ports and ClusterIPs.
func (p *screen) others(parts []route.Part) {
	for i := range parts {
		where := p.clean(title(&parts[i], parts))
		if parts[i].Targets[0].To == dataplane.ClusterIP {
			where = "cluster IP " + where
		}
		p.heading(where, "")
		t := table{columns: []column{{title: "NODE", give: inMiddle}, {title: "FROM OUTSIDE"}, {title: "FROM NODE"}, {title: "FROM POD"}}}
		for n := range p.r.Nodes {
			v := parts[i].Rows[n]
			from := p.verdict(v.External)
			if v.External.None {
				from = cell{}
			}
			t.lines = append(t.lines, line{cells: []cell{{text: p.clean(p.r.Nodes[n].Node.Name)}, from, p.verdict(v.Node), p.verdict(v.Pod)}})
		}
		t.lines = p.fold(t.lines, 1)
		p.table(&p.Builder, t)
	}
}

// counts are the backends of each row for a part of the map. Where there are several parts, only backends that serve
// one of its ports in its address family count.
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
	from := "FROM OUTSIDE"
	if b.Balanced {
		from = "FROM LB"
	}
	t.columns = append(t.columns, column{title: "BACKENDS"}, column{title: from}, column{title: "FROM NODE"}, column{title: "FROM POD"})
	shared := b.Balanced && slices.ContainsFunc(p.r.Nodes, func(r report.Row) bool { return r.LoadBalancer.Share > 0 || r.LoadBalancer.PodShare > 0 })
	if shared {
		t.columns = append(t.columns, column{title: "SHARE", spare: 2}, column{title: "PER POD", spare: 3})
	}
	t.columns = append(t.columns, column{title: "LIVE"}, column{title: "NOTE"})

	lives := slices.ContainsFunc(p.r.Nodes, func(r report.Row) bool { return r.Live != nil })
	unread := !slices.ContainsFunc(p.r.Nodes, func(r report.Row) bool { return r.Node.Known })
	zones := p.zones()
	for i := range p.r.Nodes {
		row := &p.r.Nodes[i]
		v := b.Rows[i]
		cells := []cell{{text: p.clean(row.Node.Name)}, {text: zones[i]}}
		arriving := p.verdict(v.External)
		if b.Balanced {
			arriving = p.arriving(row, v.External)
		}
		cells = append(cells, backends(counts[i], p.r.Service.EndpointsKnown), arriving, p.verdict(v.Node), p.verdict(v.Pod))
		if shared {
			cells = append(cells, share(&row.LoadBalancer), perPod(row))
		}
		check := cell{}
		if lives {
			check = live(row, p.r.Service.EndpointsKnown)
		}
		cells = append(cells, check, cell{text: p.note(row.Node, unread), tone: doubtful})
		t.lines = append(t.lines, line{cells: cells, below: p.possible(row.Node, v)})
	}
	t.lines = p.fold(t.lines, 2)
	p.table(&p.Builder, t)
	if p.r.Others > 0 {
		p.put(span{"  " + strconv.Itoa(p.r.Others) + " more not shown", faint})
	}
}

// arriving is the cell for connections that come through the load balancer.
func (p *screen) arriving(row *report.Row, v route.Cell) cell {
	c := received(&row.LoadBalancer, v)
	if row.LoadBalancer.Receives != cluster.No {
		c = p.ruled(c, v)
	}
	if rule := row.LoadBalancer.Rule; p.o.Wide && rule != nil {
		c.text += " " + rule.ID
	}
	return c
}

// possible lists the outcomes that remain possible where none is predicted, for a line below the row of the wide map.
func (p *screen) possible(n *cluster.Node, v route.Cells) string {
	if !p.o.Wide || n.IsVirtual() {
		return ""
	}
	var starts []string
	for _, from := range []struct {
		name string
		route.Cell
	}{{"outside", v.External}, {"the node", v.Node}, {"pods", v.Pod}} {
		var could []string
		if !from.None && from.Outcome == dataplane.Unknown {
			for _, o := range from.Could.All() {
				could = append(could, verdict(route.Cell{Outcome: o}).text)
			}
		}
		if len(could) > 0 {
			starts = append(starts, "from "+from.name+" "+strings.Join(could, " or "))
		}
	}
	if len(starts) == 0 {
		return ""
	}
	return "possible: " + strings.Join(starts, "; ")
}

// fold replaces nodes that have the same cells, apart from the first own cells, by one line where there are several of
// them and All is not set.
func (p *screen) fold(lines []line, own int) []line {
	if p.o.All {
		return lines
	}
	type group struct{ first, others int }
	groups := map[string]*group{}
	keys := make([]string, len(lines))
	for i := range lines {
		keys[i] = likeness(lines[i].cells[own:]) + lines[i].below
		if g := groups[keys[i]]; g != nil {
			g.others++
		} else {
			groups[keys[i]] = &group{first: i}
		}
	}
	var kept []line
	for i, l := range lines {
		g := groups[keys[i]]
		if g.others < fewest || g.first == i {
			kept = append(kept, l)
		}
		if g.others >= fewest && g.first == i {
			name := p.shorten(l.cells[0].text, p.nameRoom())
			kept = append(kept, line{across: "  and " + strconv.Itoa(g.others) + " nodes like " + name + "   (--all lists them)"})
		}
	}
	return kept
}

// nameRoom is the width of a node name in the line that stands for others.
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

// verdict is a cell of the map. The wide map names the rules that decided.
func (p *screen) verdict(c route.Cell) cell { return p.ruled(verdict(c), c) }

func (p *screen) ruled(c cell, of route.Cell) cell {
	if p.o.Wide && !of.None && of.Rules != "" {
		c.text += " " + p.clean(of.Rules)
	}
	return c
}

// zones are the zones of the nodes. On a terminal, what all have in common up to their last hyphen is left out:
// cn-hangzhou-h and cn-hangzhou-i are h and i.
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
	if common && region != "" && !p.o.Wide && p.columns > 0 {
		for i := range zones {
			zones[i] = p.clean(strings.TrimPrefix(p.r.Nodes[i].Node.Zone, region))
		}
	}
	return zones
}

// machines writes a table about the nodes themselves.
func (p *screen) machines() {
	t := table{columns: []column{
		{title: "NODE", give: inMiddle}, {title: "ADDRESSES", give: atEnd}, {title: "ZONE", spare: 1}, {title: "READY"}, {title: "KUBELET"}, {title: "DATA PLANE", give: atEnd},
	}}
	for i := range p.r.Nodes {
		t.lines = append(t.lines, line{cells: p.machine(p.r.Nodes[i].Node)})
	}
	p.WriteByte('\n')
	p.put(span{"the nodes", plain})
	t.lines = p.fold(t.lines, 2)
	p.table(&p.Builder, t)
}

func (p *screen) machine(n *cluster.Node) []cell {
	ready := map[cluster.Tristate]string{cluster.Yes: "yes", cluster.No: "no", cluster.Undetermined: unknown}[n.Ready]
	kubelet := unknown
	if n.KubeletVersion.Known() {
		kubelet = n.KubeletVersion.String()
	}
	d := n.Dataplane
	if d == nil {
		d = p.r.Dataplane
	}
	plane := unknown
	if d != nil {
		plane = dataplaneText(d)
	}
	if n.ProxyMode != "" {
		plane += " (reports " + n.ProxyMode + ")"
	}
	addresses := joined(append(slices.Clone(n.InternalIPs), n.ExternalIPs...))
	if addresses == "" {
		addresses = unknown
	}
	return []cell{{text: p.clean(n.Name)}, {text: addresses}, {text: p.clean(n.Zone)}, {text: ready}, {text: p.clean(kubelet)}, {text: p.clean(plane)}}
}

// note is what is unusual about a node, "" where nothing is.
func (p *screen) note(n *cluster.Node, unread bool) string {
	var notes []string
	if n.IsVirtual() {
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
	if n.Dataplane != nil && !n.IsVirtual() && !p.o.Wide {
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
			notes = append(notes, "reports mode "+n.ProxyMode)
		}
	}
	return p.clean(strings.Join(notes, ", "))
}

// inside writes a line for every kind of connection to the cluster IP that does not work.
func (p *screen) inside() {
	type count struct {
		cell cell
		n    int
	}
	first := true
	for _, b := range route.ClusterIPParts(p.r.Service, p.r.Nodes) {
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
		pods, hosts := tally(func(c route.Cells) route.Cell { return c.Pod }), tally(func(c route.Cells) route.Cell { return c.Node })
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
		if slices.Equal(pods, hosts) {
			say("pods and the host network", pods)
		} else {
			say("pods", pods)
			say("the host network", hosts)
		}
	}
}

// rules writes the reasons of the rules that the wide map names.
func (p *screen) rules() {
	reasons := map[string]string{}
	for i := range p.r.Nodes {
		for j := range p.r.Nodes[i].Paths {
			if r := p.r.Nodes[i].Paths[j].Rule; r != nil {
				reasons[r.ID] = r.Reason
			}
		}
		if r := p.r.Nodes[i].LoadBalancer.Rule; r != nil {
			reasons[r.ID] = r.Reason
		}
	}
	if len(reasons) == 0 {
		return
	}
	p.WriteByte('\n')
	p.put(span{"why (kubectl etp explain RULE)", plain})
	longest := 0
	for id := range reasons {
		longest = max(longest, p.cells(id))
	}
	for _, id := range slices.Sorted(maps.Keys(reasons)) {
		p.labelled(span{"  ", plain}, span{id + strings.Repeat(" ", longest-p.cells(id)+2), strong}, reasons[id])
	}
}
