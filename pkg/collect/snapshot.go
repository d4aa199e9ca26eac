package collect

import (
	"errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Snapshot turns what was read into facts: the Services that the query means, their endpoints, every node and the data plane.
func (o *Objects) Snapshot(q Query) (*cluster.Snapshot, error) {
	return nil, errors.New("not built yet")
}
