package provider

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// Receives says whether a load balancer sends to a node, and what share of the connections from outside.
type Receives struct {
	// Receives is Undetermined where nothing that is known of the load balancer decides it.
	Receives cluster.Tristate
	// Reason is "" where the node receives, NotKnown where that is not known, else one word, such as NoLocalEndpoint, ExcludedByLabel, BeingRemoved, NoLoadBalancer,
	// NoAddress, SendsToPods, RunsNoProxy, HealthCheckNotServed or HealthCheckFails.
	Reason string
	// Rule decided; nil where the node receives.
	Rule *Rule
	// Share is the node's share of all connections, 0 to 1; PodShare that of each ready endpoint on the node. Both are 0 where they are not known.
	Share, PodShare float64
}
