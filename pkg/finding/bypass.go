package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

var bypassesLoadBalancer = Kind{
	Code: BypassesLoadBalancer, Severity: Error, Title: "Connections from inside the cluster bypass what the load balancer does",
	Explain: "Most data planes handle a load balancer address on the node itself, so connections from inside the cluster never pass the load balancer. If that puts a PROXY protocol " +
		"header before each connection, they lack the header, and a backend that expects it closes them (\"broken header\"): cert-manager's self check of an HTTP challenge " +
		"fails, although everything works from outside. If the load balancer ends TLS, clients inside speak TLS to a port that does not. The traffic policy does not matter, and " +
		"neither a name in CoreDNS nor the cluster IP adds the header. Confirm with: " + fromHost("NODE", "ADDRESS:PORT"),
	Sources: []string{"https://github.com/kubernetes/kubernetes/issues/66607", "kubernetes/enhancements KEP-1860 (ipMode)"},
	// Without an endpoint nothing is reached, with the header or without it.
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "no connection from inside the cluster bypasses what the load balancer does",
	applies: every(needsLoadBalancer, needsAssignedAddress, unless(func(f *Facts) bool {
		_, ok := f.Provider.Bypass(f.Service)
		return ok
	}, "its load balancer is not known to add a PROXY protocol header or to end TLS")),
	reads: []fact{endpointsFact, nodesFact, podPathsFact},
	check: func(f *Facts) []Finding {
		lacks, ok := f.Provider.Bypass(f.Service)
		if !ok {
			return nil
		}
		var hits []hit
		of := 0
		for i := range f.Rows {
			row := &f.Rows[i]
			if row.Node.IsVirtual() {
				continue
			}
			of++
			for j := range row.Paths {
				p := &row.Paths[j]
				if p.From != dataplane.External && p.To == dataplane.LoadBalancerIP && (p.Outcome == dataplane.Reachable || p.Outcome == dataplane.Partial) {
					hits = append(hits, hit{row, p})
					break
				}
			}
		}
		if len(hits) == 0 {
			return nil
		}
		first := hits[0]
		r := f.finding(Error)
		r.Message = fmt.Sprintf("%s: connections to %s from inside the cluster have no PROXY protocol header, which the load balancer adds", onNodes(len(hits), of), host(first.path))
		r.Detail = "The node handles the address itself, so they do not pass the load balancer. Backends that expect the header close them."
		if lacks.TLS {
			r.Severity = Warning
			r.Message = fmt.Sprintf("%s: connections to %s from inside the cluster bypass the load balancer, which ends TLS", onNodes(len(hits), of), host(first.path))
			r.Detail = "The node handles the address itself. Clients that speak TLS reach the pods, which get no TLS from the load balancer."
		}
		r.Evidence = append(r.Evidence, Evidence{Fact: "annotation " + lacks.Key + " is " + f.Service.Annotations[lacks.Key], Source: "service " + f.Service.Namespace + "/" + f.Service.Name})
		r.Evidence = append(r.Evidence, f.evidence(hits[:1])...)
		r.Confirm = f.confirm(dataplane.Node, first)
		if lacks.Instead != "" {
			r.Remedies = append(r.Remedies, Remedy{Text: "Upgrade the cloud's controller: " + lacks.Instead + ", and nodes of Kubernetes v1.30 and later then leave the address to the load balancer"})
		}
		if _, instead := f.Provider.ToName(); instead != "" && len(r.Remedies) == 0 {
			r.Remedies = append(r.Remedies, Remedy{Text: "Let clients inside the cluster use a Service of their own, to backends that need neither the header nor the load balancer's TLS"})
		}
		return []Finding{r}
	},
}
