package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

// evidenced is how many nodes a finding names as evidence. The map has all of them.
const evidenced = 3

// nodesUnread says whether the nodes could not be listed. The rows are then only the nodes that endpoints name.
func (f *Facts) nodesUnread() bool {
	return slices.ContainsFunc(f.Snapshot.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes" && g.Verb == "list" })
}

// evidence names the first nodes with what they have, and what their data plane is.
func (f *Facts) evidence(hits []hit) []Evidence {
	list := make([]Evidence, 0, evidenced+1)
	for _, h := range hits[:min(len(hits), evidenced)] {
		fact := fmt.Sprintf("node %s has %s", h.row.Node.Name, english.Count(h.row.Endpoints.Ready, "ready endpoint", ""))
		if h.row.Endpoints.Ready == 0 {
			fact = fmt.Sprintf("node %s has no ready endpoint", h.row.Node.Name)
		}
		list = append(list, Evidence{Fact: fact, Source: f.slices(h.row.Node)})
	}
	if d := f.Snapshot.DataplaneOf(hits[0].row.Node); d.Source != "" {
		list = append(list, Evidence{Fact: "data plane is " + f.dataplane(hits[0].row.Node), Source: d.Source})
	}
	return list
}

// onDataplane names the data plane of a node in brackets where it is not the cluster's.
func (f *Facts) onDataplane(node *cluster.Node) string {
	if node.Dataplane == nil && node.ProxyMode == "" || f.Snapshot.DataplaneOf(node).Name == cluster.UnknownDataplane {
		return ""
	}
	return " (" + f.dataplane(node) + ")"
}

// dataplane names what runs on a node: kube-proxy ipvs v1.20.15.
func (f *Facts) dataplane(node *cluster.Node) string {
	d := f.Snapshot.DataplaneOf(node)
	mode := string(d.Mode)
	if node.ProxyMode != "" {
		mode = node.ProxyMode
	}
	words := []string{string(d.Name), mode, d.Version.String()}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// slices names the EndpointSlices with endpoints on a node; all of the Service's for nil, or if none has.
func (f *Facts) slices(node *cluster.Node) string {
	var all, here []string
	for i := range f.Service.Endpoints {
		e := &f.Service.Endpoints[i]
		if !slices.Contains(all, e.Slice) {
			all = append(all, e.Slice)
		}
		if node != nil && e.Node == node.Name && !slices.Contains(here, e.Slice) {
			here = append(here, e.Slice)
		}
	}
	if len(here) == 0 {
		here = all
	}
	if len(here) == 0 {
		return "endpointslices of " + f.Service.Namespace + "/" + f.Service.Name
	}
	slices.Sort(here)
	return "endpointslice " + f.Service.Namespace + "/" + strings.Join(here, ", ")
}

func (f *Facts) total() dataplane.Count {
	total := f.Nowhere
	for i := range f.Rows {
		total.Ready += f.Rows[i].Endpoints.Ready
		total.ServingTerminating += f.Rows[i].Endpoints.ServingTerminating
		total.NotReady += f.Rows[i].Endpoints.NotReady
	}
	return total
}

// clients are those who connect from a place.
func clients(from dataplane.From) string {
	return [...]string{"processes on the host network", "pods", "clients outside"}[from]
}

// place is where connections start.
func place(from dataplane.From) string {
	return [...]string{"the host network", "pods", "outside"}[from]
}

// symptom is the error that the client of a failed connection sees.
func symptom(o dataplane.Outcome) string {
	switch o {
	case dataplane.Refused:
		return `"connection refused"`
	case dataplane.Unreachable:
		return `"no route to host" or "operation not permitted" at once`
	default:
		return "a timeout"
	}
}

// verb is what connections that fail do.
func verb(o dataplane.Outcome) string {
	switch o {
	case dataplane.Refused:
		return "are refused"
	case dataplane.Unreachable:
		return "fail at once"
	default:
		return "time out"
	}
}
