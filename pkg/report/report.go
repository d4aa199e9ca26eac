// Package report runs a diagnosis in order: paths, routes, findings, and what to do. Every output prints a Report.
package report

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// Report is the diagnosis of one Service, complete and ordered before anything is printed.
type Report struct {
	Service   *cluster.Service
	Dataplane *cluster.Dataplane
	Provider  provider.LoadBalancer
	// Unsupported says in one sentence why there is no map for this Service (type ClusterIP without external IPs,
	// ExternalName); "" otherwise.
	Unsupported string
	// Nodes are ordered by name as people read it (node-9 before node-10).
	Nodes []Row
	// Outside is the result of connections from outside.
	Outside Outside
	// Nowhere counts the backends whose EndpointSlices name no node, or one that the cluster does not have.
	Nowhere Counts
	// Others is how many nodes Only has left out of Nodes.
	Others int
	// Limits are the kinds of clients to which the results do not apply.
	Limits []Limit
	// Findings failed or are not known, worst first. Silent are the checks that passed or did not run, by code.
	Findings, Silent []finding.Finding
	// Verdict is the diagnosis in a few numbers.
	Verdict Verdict
	// Doubt is what is not known, over all nodes.
	Doubt Doubt
	Gaps  []cluster.Gap
}

// Only removes all nodes but these from the map. The findings are still those of all nodes.
func (r *Report) Only(names []string) {
	all := len(r.Nodes)
	r.Nodes = slices.DeleteFunc(r.Nodes, func(row Row) bool { return !slices.Contains(names, row.Node.Name) })
	r.Others = all - len(r.Nodes)
}

// Row is one node of the map.
type Row = route.Row

// Receives says whether a node gets connections from the load balancer, and what share.
type Receives = provider.Receives

// Outside is the result of connections from outside.
type Outside = route.Outside

// Counts are a node's backends.
type Counts = dataplane.Count
