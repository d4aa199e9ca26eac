package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

var disagrees = Kind{
	Code: CountsDiffer, Severity: Error, Title: "A node counts other endpoints than the EndpointSlices do",
	Explain: "kube-proxy takes an endpoint for its own where the slice's nodeName is the node name it was started with. Where --hostname-override (or the machine's host " +
		"name) differs from the Node object's name, the node fails its health check and drops what it should serve. Confirm with: curl NODE:HEALTHCHECKNODEPORT/healthz",
	passed: "each node counts the endpoints that the EndpointSlices have for it",
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
		r.Message = fmt.Sprintf("%s itself counts %s of its own, and the EndpointSlices %d", row.Node.Name, english.Count(row.Live.LocalEndpoints, "ready endpoint", ""), row.Endpoints.Ready)
		if len(wrong) > 1 {
			r.Message += "; " + english.Count(len(wrong)-1, "more node disagrees", "more nodes disagree")
		}
		r.Detail = "What the node counts is what packets meet there. If it stays so, kube-proxy may run under another node name: look at --hostname-override."
		for _, row := range wrong[:min(len(wrong), evidenced)] {
			r.Evidence = append(r.Evidence,
				Evidence{
					Fact:   fmt.Sprintf("node %s answers %s with %d local endpoints", row.Node.Name, row.Live.HealthCheck, row.Live.LocalEndpoints),
					Source: fmt.Sprintf("health check node port %d of node %s", f.Service.HealthCheckNodePort, row.Node.Name),
				},
				Evidence{Fact: fmt.Sprintf("node %s has %s", row.Node.Name, english.Count(row.Endpoints.Ready, "ready endpoint", "")), Source: f.slices(row.Node)})
		}
		return []Finding{r}
	},
}

// misnamed: the configuration itself says that kube-proxy runs under another name than its node's.
func (f *Facts) misnamed() []Finding {
	for i := range f.Rows {
		row := &f.Rows[i]
		d := f.Snapshot.DataplaneOf(row.Node)
		name := d.ProxyNodeName(row.Node)
		if name == row.Node.Name || row.Endpoints.Ready == 0 {
			continue
		}
		r := f.finding(Error)
		r.Message = fmt.Sprintf("kube-proxy on %s runs under the name %s, and takes none of the %s there for its own", row.Node.Name, name,
			english.Count(row.Endpoints.Ready, "ready endpoint", ""))
		r.Evidence = []Evidence{
			{Fact: "hostnameOverride is " + name, Source: d.Source},
			{Fact: fmt.Sprintf("node %s has %s", row.Node.Name, english.Count(row.Endpoints.Ready, "ready endpoint", "")), Source: f.slices(row.Node)},
		}
		return []Finding{r}
	}
	return nil
}

var otherMode = Kind{
	Code: OtherProxyMode, Severity: Warning, Title: "kube-proxy runs in another mode than its configuration says",
	Explain: "kube-proxy reads its configuration when it starts. A node whose kube-proxy has not been restarted since the mode was changed still does what the old one did; " +
		"or another configuration is in force there. What the node itself says is what packets meet. Confirm with: curl NODE:10249/proxyMode",
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
		d := f.Snapshot.DataplaneOf(wrong[0].Node)
		r.Message = fmt.Sprintf("kube-proxy on %s says that its mode is %s, its configuration says %s", wrong[0].Node.Name, wrong[0].Node.ProxyMode, d.Mode)
		if len(wrong) > 1 {
			r.Message += fmt.Sprintf("; so on %s", english.Count(len(wrong)-1, "more node", ""))
		}
		r.Evidence = []Evidence{
			{Fact: "mode is " + wrong[0].Node.ProxyMode, Source: fmt.Sprintf("port 10249 of node %s", wrong[0].Node.Name)},
			{Fact: "mode is " + string(d.Mode), Source: d.Source},
		}
		return []Finding{r}
	},
}
