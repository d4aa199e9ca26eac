package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

var countsDiffer = Kind{
	Code: CountsDiffer, Severity: Error, Title: "A node counts other endpoints than its EndpointSlices list",
	Explain: "kube-proxy treats an endpoint as local if the slice's nodeName equals the node name that kube-proxy was started with. If --hostname-override (or the host name of the " +
		"machine) differs from the name of the Node object, the node fails its health check and drops what it should serve. Confirm with: curl http://NODE:HEALTHCHECKNODEPORT/healthz",
	passed: "every node counts the endpoints that the EndpointSlices list for it",
	reads:  []fact{countsFact, endpointsFact, nodesFact},
	check: func(f *Facts) []Finding {
		if !f.Service.EndpointsKnown {
			return nil
		}
		var wrong []*Row
		for i := range f.Rows {
			if f.Rows[i].Disagrees {
				wrong = append(wrong, &f.Rows[i])
			}
		}
		if len(wrong) == 0 {
			return f.misnamed()
		}
		r := f.finding(Error)
		row := wrong[0]
		r.Message = fmt.Sprintf("node %s counts %s of its own, but its EndpointSlices list %d", row.Node.Name, english.Count(row.Live.LocalEndpoints, "ready endpoint", ""), row.Endpoints.Ready)
		if len(wrong) > 1 {
			r.Message += "; " + english.Count(len(wrong)-1, "more node differs", "more nodes differ")
		}
		r.Detail = "Packets follow what the node counts. If the difference stays, kube-proxy may run under another node name."
		for _, row := range wrong[:min(len(wrong), evidenced)] {
			r.Evidence = append(r.Evidence,
				Evidence{
					Fact:   fmt.Sprintf("node %s answers %s with %s", row.Node.Name, row.Live.HealthCheck, english.Count(row.Live.LocalEndpoints, "local endpoint", "")),
					Source: fmt.Sprintf("health check node port %d of node %s", f.Service.HealthCheckNodePort, row.Node.Name),
				},
				Evidence{Fact: fmt.Sprintf("node %s has %s", row.Node.Name, english.Count(row.Endpoints.Ready, "ready endpoint", "")), Source: f.slices(row.Node)})
		}
		r.Confirm = confirmAtNode(row.Node, f.Service.HealthCheckNodePort, "/healthz")
		r.Remedies = []Remedy{renameKubeProxy(row)}
		return []Finding{r}
	},
}

// misnamed finds a node whose kube-proxy is configured to run under another name than the node's.
func (f *Facts) misnamed() []Finding {
	for i := range f.Rows {
		row := &f.Rows[i]
		d := f.Snapshot.DataplaneOf(row.Node)
		name := d.ProxyNodeName(row.Node)
		if name == row.Node.Name || row.Endpoints.Ready == 0 {
			continue
		}
		r := f.finding(Error)
		r.Message = fmt.Sprintf("kube-proxy on %s runs under the name %s, so it treats none of the %s there as local", row.Node.Name, name,
			english.Count(row.Endpoints.Ready, "ready endpoint", ""))
		r.Evidence = []Evidence{
			{Fact: "hostnameOverride is " + name, Source: d.Source},
			{Fact: fmt.Sprintf("node %s has %s", row.Node.Name, english.Count(row.Endpoints.Ready, "ready endpoint", "")), Source: f.slices(row.Node)},
		}
		r.Remedies = []Remedy{renameKubeProxy(row)}
		return []Finding{r}
	}
	return nil
}

func renameKubeProxy(row *Row) Remedy {
	return Remedy{Text: fmt.Sprintf("Check --hostname-override of kube-proxy on %s: leave it out, or set it to the name of the Node", row.Node.Name)}
}

var otherProxyMode = Kind{
	Code: OtherProxyMode, Severity: Warning, degrades: true, Title: "kube-proxy runs in another mode than configured",
	Explain: "kube-proxy reads its configuration when it starts. A node whose kube-proxy has not been restarted since the mode was changed still runs in the old mode, or another " +
		"configuration is in force there. Packets follow the mode in which kube-proxy runs. Confirm on the node with: curl localhost:10249/proxyMode",
	passed: "kube-proxy runs in its configured mode on every node",
	reads:  []fact{modesFact, nodesFact},
	check: func(f *Facts) []Finding {
		var wrong []*Row
		for i := range f.Rows {
			row := &f.Rows[i]
			if d := f.Snapshot.DataplaneOf(row.Node); row.Node.ProxyMode != "" && d.Mode != "" && string(d.Mode) != row.Node.ProxyMode {
				wrong = append(wrong, row)
			}
		}
		if len(wrong) == 0 {
			return nil
		}
		r := f.finding(Warning)
		node := wrong[0].Node
		d := f.Snapshot.DataplaneOf(node)
		r.Message = fmt.Sprintf("kube-proxy on %s runs in mode %s, but its configuration says %s", node.Name, node.ProxyMode, d.Mode)
		if len(wrong) > 1 {
			r.Message += fmt.Sprintf("; %s too", english.Count(len(wrong)-1, "more node", ""))
		}
		r.Evidence = []Evidence{
			{Fact: "mode is " + node.ProxyMode, Source: fmt.Sprintf("port 10249 of node %s", node.Name)},
			{Fact: "mode is " + string(d.Mode), Source: d.Source},
		}
		if plain(node.Name) {
			r.Confirm = "kubectl get --raw /api/v1/nodes/" + node.Name + ":10249/proxy/proxyMode"
		}
		r.Remedies = []Remedy{{Text: fmt.Sprintf("Restart kube-proxy on %s: it reads its configuration only when it starts", node.Name)}}
		return []Finding{r}
	},
}
