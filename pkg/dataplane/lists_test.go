package dataplane_test

import (
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// A data plane that is predicted and never detected, or detected and without a table, is a line that was forgotten.
func TestDetectedAndPredictedDataPlanes(t *testing.T) {
	isKnownPod, predicted := detect.Planes(), dataplane.Names()
	slices.Sort(isKnownPod)
	slices.Sort(predicted)
	if !slices.Equal(isKnownPod, predicted) {
		t.Errorf("pkg/detect knows %q, pkg/dataplane %q", isKnownPod, predicted)
	}
}
