package objects

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const twoRecords = `[{"mode":"cluster","service":"shop/web","time":"2026-11-24T03:00:00Z","fields":[{"path":["spec","externalTrafficPolicy"],"was":"Local","now":"Cluster","there":2}]},` +
	`{"mode":"eni","service":"shop/web","time":"2026-11-25T03:00:00.123456789Z","fields":[{"path":["metadata","annotations","a"],"was":"secret","now":"eni","there":2}]}]`

func TestLastFix(t *testing.T) {
	for _, c := range []struct {
		name, annotation string
		want             *cluster.Fix
	}{
		{"no annotation", "", nil},
		{"two fixes", twoRecords, &cluster.Fix{Mode: "eni", Time: time.Date(2026, 11, 25, 3, 0, 0, 123456789, time.UTC)}},
		{"an empty list", "[]", nil},
		{"written by something else", "yes", nil},
	} {
		if diff := cmp.Diff(c.want, lastFix(c.annotation)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
