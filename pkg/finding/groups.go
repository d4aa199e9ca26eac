package finding

import (
	"fmt"
	"net"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// hit is a path on a node.
type hit struct {
	row  *Row
	path *dataplane.Path
}

// worstHits is, of each row, the worst of the wanted paths, unless all of them work; of counts the rows that have a wanted path.
func (f *Facts) worstHits(want func(*dataplane.Path) bool) (hits []hit, of int) {
	for i := range f.Rows {
		row := &f.Rows[i]
		if row.Node.IsVirtual() {
			continue
		}
		var bad *dataplane.Path
		wanted := false
		for j := range row.Paths {
			path := &row.Paths[j]
			if !want(path) {
				continue
			}
			wanted = true
			if bad == nil || path.Outcome.Badness() > bad.Outcome.Badness() {
				bad = path
			}
		}
		if wanted {
			of++
		}
		if bad != nil && bad.Outcome.Badness() > 0 {
			hits = append(hits, hit{row, bad})
		}
	}
	return hits, of
}

// failing are the rows on which a wanted path fails for certain.
func (f *Facts) failing(want func(*dataplane.Path) bool) (hits []hit, of int) {
	hits, of = f.worstHits(want)
	hits = slices.DeleteFunc(hits, func(h hit) bool { return !h.path.Fails() })
	return hits, of
}

// group is a set of addresses and ports to which connections have the same outcomes, and the rows where they do not all work. of counts the rows that have such paths.
type group struct {
	dialled []*dataplane.Path
	hits    []hit
	of      int
}

// alike groups the published addresses and ports by the outcomes of connections on the rows that matter.
func (f *Facts) alike(from dataplane.From, matters func(hit) bool) (groups []group) {
	if len(f.Rows) == 0 {
		return nil
	}
	for _, target := range f.published(from) {
		hits, of := f.worstHits(func(p *dataplane.Path) bool { return p.From == from && route.SameTarget(p, target) })
		hits = slices.DeleteFunc(hits, func(h hit) bool { return !matters(h) })
		if len(hits) == 0 {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.of == of && slices.EqualFunc(g.hits, hits, sameOutcome) })
		if i < 0 {
			groups = append(groups, group{hits: hits, of: of})
			i = len(groups) - 1
		}
		groups[i].dialled = append(groups[i].dialled, target)
	}
	return groups
}

func sameOutcome(a, b hit) bool {
	return a.row == b.row && a.path.Outcome == b.path.Outcome && a.path.Rule == b.path.Rule
}

// published are the paths of the first row to the addresses that clients use, at ports that a ready endpoint serves. Every row has the same ones.
func (f *Facts) published(from dataplane.From) (paths []*dataplane.Path) {
	for i := range f.Rows[0].Paths {
		p := &f.Rows[0].Paths[i]
		if p.From == from && p.To != dataplane.NodePort && dataplane.Publishes(f.Service, p.To) && dataplane.Served(f.Service, f.portIndex(p)) {
			paths = append(paths, p)
		}
	}
	return paths
}

// name lists the targets: an address alone if it stands for all its ports, else each address with its port.
func (f *Facts) name(dialled []*dataplane.Path) string {
	ports := map[string]int{}
	for _, p := range dialled {
		ports[host(p)]++
	}
	var names []string
	for _, p := range dialled {
		name := host(p)
		if ports[name] < len(f.Service.Ports) {
			name = net.JoinHostPort(name, fmt.Sprint(p.Port))
			if p.Protocol != cluster.TCP {
				name += "/" + string(p.Protocol)
			}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return english.And(names)
}

func host(p *dataplane.Path) string {
	if p.Hostname != "" {
		return p.Hostname
	}
	return p.Address.String()
}

func (f *Facts) portIndex(path *dataplane.Path) int {
	return max(0, slices.IndexFunc(f.Service.Ports, func(p cluster.Port) bool { return p.Port == path.Port && p.Protocol == path.Protocol }))
}
