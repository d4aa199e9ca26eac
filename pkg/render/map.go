package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// fewest is the smallest number of like nodes that one line stands for.
const fewest = 3

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
	parts := route.Parts(p.r.Service, p.r.Nodes)
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
