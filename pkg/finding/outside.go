package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

const excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

var sendsToNoEndpoint = Kind{
	Code: SendsToNoEndpoint, Severity: Error, Title: "The load balancer sends to no node that has a ready endpoint",
	Explain: "The Service has ready endpoints, but the load balancer leaves out every node that has one: because of the label " + excludeLabel + ", because the node is about to be " +
		"removed, or because its health check fails or cannot be reached. With policy Local the other nodes have nothing to send to.",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "the load balancer sends to ready endpoints",
	applies:  every(needsLoadBalancerOfNodes, needsLocalPolicy),
	reads:    []fact{endpointsFact, nodesFact, receiverFact},
	check: func(f *Facts) []Finding {
		r := f.finding(Error)
		var out *Row
		for i := range f.Rows {
			row := &f.Rows[i]
			if row.LoadBalancer.Receives != cluster.No || row.PodsReceive() {
				return nil
			}
			if row.Endpoints.Ready == 0 {
				continue
			}
			if out == nil {
				out = row
			}
			if len(r.Evidence) < evidenced {
				r.Evidence = append(r.Evidence, Evidence{Fact: fmt.Sprintf("node %s has a ready endpoint and gets nothing: %s", row.Node.Name, row.LoadBalancer.Rule.Reason), Source: f.slices(row.Node)})
			}
		}
		if out == nil {
			return nil // the endpoints have no node at all, and that has a finding of its own
		}
		r.Message = "no connection from outside arrives: the load balancer sends to no node that has a ready endpoint"
		r.Detail = fmt.Sprintf("Reason, on %s: %s.", out.Node.Name, out.LoadBalancer.Rule.Reason)
		r.Remedies = []Remedy{letIn(out)}
		return []Finding{r}
	},
}

// letIn is how the load balancer comes to send to a node that has a ready endpoint.
func letIn(row *Row) Remedy {
	name := row.Node.Name
	switch row.LoadBalancer.Reason {
	case "ExcludedByLabel":
		if plain(name) {
			return Remedy{Text: "kubectl label node " + name + " " + excludeLabel + "-", Gain: "the load balancer sends to the node again"}
		}
	case "BeingRemoved":
		return Remedy{Text: "Run a pod on a node that is not about to be removed"}
	case "HealthCheckFails", "HealthCheckNotServed":
		return Remedy{Text: fmt.Sprintf("Make the health check of node %s pass, or run a pod on a node that the load balancer sends to", name)}
	}
	return Remedy{Text: fmt.Sprintf("Run a pod on a node that the load balancer sends to, or make it send to %s", name)}
}

var nodePortOnSomeNodes = Kind{
	Code: NodePortOnSomeNodes, Severity: Warning, Title: "The node port works on some nodes only",
	Explain: "With externalTrafficPolicy Local a Service of type NodePort answers clients outside the cluster only on nodes that have a ready endpoint. It has no health check node " +
		"port from which a load balancer could learn which nodes these are. Confirm from outside with: " + fromOutside("NODE:NODEPORT"),
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "the node port works on every node",
	applies:  needsNodePortType,
	reads:    []fact{endpointsFact, nodesFact, nodePortPathsFact},
	check: func(f *Facts) []Finding {
		failing, of := f.failing(fromOutsideToNodePort)
		if len(failing) == 0 {
			return nil
		}
		r := f.finding(Warning)
		path := failing[0].path
		r.Message = fmt.Sprintf("%s: connections from outside to node port %d %s", onNodes(len(failing), of), path.Port, verb(path.Outcome))
		r.Detail = "Reason" + f.onDataplane(failing[0].row.Node) + ": " + path.Rule.Reason + "."
		r.Evidence = f.evidence(failing)
		r.Confirm = f.confirm(dataplane.External, failing[0])
		text := "Send clients to nodes that have a ready endpoint"
		switch with := f.nodesWithEndpoints(failing); {
		case len(failing) == of:
			text = "Connect to another address of the Service: no node answers at this one (kubectl etp explain " + path.Rule.ID + ")"
		case len(with) > 0:
			text = "Send clients to a node where it works: " + english.Some(with)
		}
		r.Remedies = []Remedy{{Text: text}}
		return []Finding{r}
	},
}

// nodesWithEndpoints are the nodes that have a ready endpoint and are not among the hits.
func (f *Facts) nodesWithEndpoints(hits []hit) (names []string) {
	for i := range f.Rows {
		row := &f.Rows[i]
		if row.Endpoints.Ready > 0 && !row.Node.IsVirtual() && !slices.ContainsFunc(hits, func(h hit) bool { return h.row == row }) {
			names = append(names, row.Node.Name)
		}
	}
	return names
}

var sendsToFailingNodes = Kind{
	Code: SendsToFailingNodes, Severity: Error, Title: "The load balancer sends to nodes where connections fail",
	Explain: "The load balancer sends to a node that then refuses or drops the connection. Its health check does not notice: it may not exist, or it counts the endpoints of the " +
		"Service, whatever port they serve, and does not look at the node port itself. Confirm from outside with: " + fromOutside("NODE:NODEPORT"),
	hiddenBy: []string{NoReadyEndpoint, AnnouncerWithoutEndpoint},
	passed:   "connections work on every node that the load balancer sends to",
	applies:  needsLoadBalancerOfNodes,
	reads:    []fact{endpointsFact, nodesFact, sentPathsFact},
	check: func(f *Facts) []Finding {
		sent := map[cluster.Tristate]int{}
		for i := range f.Rows {
			sent[f.Rows[i].LoadBalancer.Receives]++
		}
		explained := map[*Row]bool{}
		if _, nodes := f.healthConflict(); len(nodes) > 0 {
			for _, row := range nodes {
				explained[row] = true
			}
		}
		failing := func(receives cluster.Tristate) []group {
			return f.alike(dataplane.External, func(h hit) bool {
				return !explained[h.row] && h.row.LoadBalancer.Receives == receives && h.path.To != dataplane.ExternalIP && h.path.Fails()
			})
		}
		var found []Finding
		for _, g := range failing(cluster.Yes) {
			r, first := f.finding(Error), g.hits[0]
			r.Message = fmt.Sprintf("%d of the %s that the load balancer sends to: connections from outside to %s %s", len(g.hits), english.Count(sent[cluster.Yes], "node", ""),
				f.name(g.dialled), f.verbs(g.hits))
			r.Detail = fmt.Sprintf("Reason, on %s: %s.", first.row.Node.Name, first.path.Rule.Reason)
			r.Evidence = f.evidence(g.hits)
			r.Confirm = confirmAtNode(first.row.Node, f.Service.Ports[f.portIndex(first.path)].NodePort, "")
			r.Remedies = []Remedy{f.stopSending(first)}
			found = append(found, r)
		}
		if len(found) > 0 {
			return found
		}
		for _, g := range failing(cluster.Undetermined) {
			r, first := f.finding(Error), g.hits[0]
			r.Result = Unknown
			r.Message = fmt.Sprintf("%s: connections from outside to %s %s if the load balancer sends to %s, which is not known", english.Count(len(g.hits), "node", ""), f.name(g.dialled),
				f.verbs(g.hits), english.Word(len(g.hits), "it", "them"))
			r.Detail = fmt.Sprintf("Why this is not known, on %s: %s. Why they fail there: %s.", first.row.Node.Name, first.row.LoadBalancer.Rule.Reason, first.path.Rule.Reason)
			r.Evidence = f.evidence(g.hits)
			found = append(found, r)
		}
		if len(found) == 0 && len(explained) > 0 {
			r := f.finding(Error)
			r.Result, r.Message = NotChecked, comesFirst(HealthAgainstPolicy)
			return []Finding{r}
		}
		return found
	},
}

// verbs are what connections of the hits do, in the order of the outcomes.
func (f *Facts) verbs(hits []hit) string {
	var outcomes dataplane.Outcomes
	for _, h := range hits {
		outcomes |= 1 << h.path.Outcome
	}
	var verbs []string
	for _, o := range outcomes.All() {
		verbs = append(verbs, verb(o))
	}
	return strings.Join(verbs, " or ")
}

// stopSending is how connections come to no node where they fail.
func (f *Facts) stopSending(h hit) Remedy {
	name := h.row.Node.Name
	switch {
	case h.row.Endpoints.Ready > 0:
		return Remedy{Text: fmt.Sprintf("Make the pods on %s serve every port of the Service, or publish the ports by Services of their own", name)}
	case f.Service.HealthCheckNodePort != 0:
		return Remedy{Text: fmt.Sprintf("Make the load balancer check port %d on every node, which tells it to leave out %s, or run a pod there", f.Service.HealthCheckNodePort, name)}
	}
	return Remedy{Text: fmt.Sprintf("Run a pod on %s, or remove the node from the load balancer's backends", name)}
}
