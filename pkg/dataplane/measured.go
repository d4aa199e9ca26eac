package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// span is the oldest and the newest release in which recorded packets agreed with a rule.
type span struct{ from, to cluster.Version }

// measured is by rule. It is held against the recordings of test/truth by a test.
var measured = map[string]span{}
