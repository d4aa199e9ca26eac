package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

var nodePortSomewhere = Kind{
	Code: NodePortOnSomeNodes, Severity: Warning, Title: "The node port answers on some nodes only",
	Explain: "A Service of type NodePort with externalTrafficPolicy Local answers clients outside the cluster only at nodes that have a ready endpoint, and there is no " +
		"health check node port that would tell a load balancer which they are.",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "the node port answers on every node",
	applies:  needsNodePortType,
	reads:    []fact{endpointsFact, nodesFact, nodePortPathsFact},
	check: func(f *Facts) []Finding {
		failing, of := f.failing(fromOutsideToNodePort)
		if len(failing) == 0 {
			return nil
		}
		r := f.finding(Warning)
		path := failing[0].path
		r.Message = fmt.Sprintf("%d of %d nodes %s connections from outside to port %d", len(failing), of, did(path.Outcome, len(failing)), path.Port)
		r.Detail = "Why: " + path.Rule.Reason + "."
		r.Evidence = f.evidence(failing)
		return []Finding{r}
	},
}

var nowhereToSend = Kind{
	Code: SendsToNoEndpoint, Severity: Error, Title: "The load balancer sends to no node that has an endpoint",
	Explain: "Ready endpoints are there, but every node that has one is left out by the load balancer: by the label node.kubernetes.io/exclude-from-external-load-balancers, " +
		"because it is about to be removed, or because its health check cannot be reached or fails.",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "the load balancer sends to ready endpoints",
	applies:  every(needsLoadBalancerOfNodes, needsLocalPolicy),
	reads:    []fact{endpointsFact, nodesFact, receiverFact},
	check: func(f *Facts) []Finding {
		r := f.finding(Error)
		for i := range f.Rows {
			row := &f.Rows[i]
			if row.LoadBalancer.Receives != cluster.No || row.podsReceive() {
				return nil
			}
			if row.Endpoints.Ready > 0 && len(r.Evidence) < evidenced {
				r.Evidence = append(r.Evidence, Evidence{Fact: fmt.Sprintf("node %s has a ready endpoint and receives nothing: %s", row.Node.Name, row.LoadBalancer.Rule.Reason), Source: f.slices(row.Node)})
			}
		}
		if len(r.Evidence) == 0 {
			return nil // the endpoints name no node at all, and that has a finding of its own
		}
		r.Message = "nothing from outside arrives: no node with a ready endpoint is one that the load balancer sends to"
		return []Finding{r}
	},
}

var sentInVain = Kind{
	Code: SendsToFailingNodes, Severity: Error, Title: "The load balancer sends to nodes where connections fail",
	Explain: "A node passes the load balancer's health check, and what is then sent to it fails: the check counts the Service's endpoints whatever their port, and does not " +
		"look at the node port itself.",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "no node that the load balancer sends to refuses or drops all its connections",
	applies:  needsLoadBalancerOfNodes,
	reads:    []fact{endpointsFact, nodesFact, sentPathsFact},
	check: func(f *Facts) []Finding {
		sent := map[cluster.Tristate]int{}
		for i := range f.Rows {
			sent[f.Rows[i].LoadBalancer.Receives]++
		}
		failing := func(receives cluster.Tristate) []group {
			return f.alike(dataplane.External, func(h hit) bool {
				return h.row.LoadBalancer.Receives == receives && h.path.To != dataplane.ExternalIP && h.path.Fails()
			})
		}
		var found []Finding
		for _, g := range failing(cluster.Yes) {
			r := f.finding(Error)
			r.Message = fmt.Sprintf("connections from outside to %s fail on %d of the %d nodes that the load balancer sends to", f.name(g.dialled), len(g.hits), sent[cluster.Yes])
			r.Detail = fmt.Sprintf("Why, on %s: %s.", g.hits[0].row.Node.Name, g.hits[0].path.Rule.Reason)
			r.Evidence = f.evidence(g.hits)
			found = append(found, r)
		}
		if len(found) > 0 {
			return found
		}
		for _, g := range failing(cluster.Undetermined) {
			r := f.finding(Error)
			r.Result = Unknown
			r.Message = fmt.Sprintf("connections from outside to %s fail on %s if the load balancer sends to %s: whether it does is not known", f.name(g.dialled),
				english.Count(len(g.hits), "node", ""), map[bool]string{true: "it", false: "them"}[len(g.hits) == 1])
			r.Detail = fmt.Sprintf("Why it is not known, of %s: %s. Why they fail there: %s.", g.hits[0].row.Node.Name, g.hits[0].row.LoadBalancer.Rule.Reason, g.hits[0].path.Rule.Reason)
			r.Evidence = f.evidence(g.hits)
			found = append(found, r)
		}
		return found
	},
}
