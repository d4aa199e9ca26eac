package dataplane_test

import (
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// A data plane that is predicted and never detected, or detected and without a table, is a line that was forgotten.
func TestDetectedAndPredictedDataPlanes(t *testing.T) {
	detected, predicted := detect.Planes(), dataplane.Names()
	slices.Sort(detected)
	slices.Sort(predicted)
	if !slices.Equal(detected, predicted) {
		t.Errorf("pkg/detect knows %q, pkg/dataplane %q", detected, predicted)
	}
}
