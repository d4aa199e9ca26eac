package collect

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

const endpointSlicesResource = "endpointslices.discovery.k8s.io"

// RBACRule is the rule of a Role or ClusterRole that would close a gap, "" where no rule would.
func RBACRule(g cluster.Gap) string { return "" }
