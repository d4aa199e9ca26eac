// Package report knows the order of a diagnosis: what the facts say a connection meets, what is wrong with it, and what every output prints.
package report

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Report is the diagnosis of one Service, complete and ordered before anything is printed.
type Report struct {
	Service   *cluster.Service
	Dataplane *cluster.Dataplane
	Provider  provider.LoadBalancer
	// Unsupported says, in one sentence, why there is no map for this Service (type ClusterIP without external addresses, ExternalName); "" otherwise.
	Unsupported string
	// Nodes are ordered by name as people read it (node-9 before node-10).
	Nodes    []Row
	Findings []finding.Finding
	Gaps     []cluster.Gap
}

// Row is one node of the map. Node.Dataplane is set only where the node differs from the cluster.
type Row struct {
	Node      *cluster.Node
	Endpoints Counts
	// LoadBalancer says whether the load balancer sends to this node, and why not.
	LoadBalancer Receives
	// Live is nil unless asked for.
	Live  *cluster.Live
	Paths []dataplane.Path
}

// Counts of the Service's endpoints on a node, each address once.
type Counts struct {
	Ready, ServingTerminating, NotReady int
}

// Receives says what part of the external connections a load balancer that balances evenly over nodes sends to a node.
type Receives struct {
	Receives bool
	// Reason is "" where it receives, else one of NoLocalEndpoint, NoEndpoint, ExcludedByLabel, BeingRemoved, NoLoadBalancer, NoNodePort, SendsToPods,
	// RunsNoProxy, NotKnown.
	Reason string
	// Share is 0 to 1; PodShare is what each ready endpoint on the node gets of all connections, 0 where none does or it depends.
	Share, PodShare float64
}

// Diagnose makes one Report for each Service of the snapshot, in the snapshot's order.
func Diagnose(s *cluster.Snapshot) []Report { return nil }
