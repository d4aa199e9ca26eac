package remedy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// spread asks the scheduler to spread the pods evenly over nodes: a topologySpreadConstraint with maxSkew 1 on kubernetes.io/hostname that never prevents scheduling. It
// keeps existing constraints, and adds none if one of them requires the same or more.
func spread(w *cluster.Workload, selector map[string]string) (Field, bool, error) {
	const always = "ScheduleAnyway"
	for _, c := range w.TopologySpread {
		one := object(c)
		if one["topologyKey"] != hostnameKey {
			continue
		}
		covers := selects(one["labelSelector"], w.Labels) == cluster.Yes
		if covers && fmt.Sprint(one["maxSkew"]) == "1" {
			return Field{}, false, nil
		}
		// The API server allows one constraint for each pair of topologyKey and whenUnsatisfiable (ValidateTopologySpreadConstraints in pkg/apis/core/validation).
		if one["whenUnsatisfiable"] == always {
			return Field{}, false, errors.New("it already has a topologySpreadConstraint on kubernetes.io/hostname with ScheduleAnyway and another selector or maxSkew, and only one is allowed: " +
				"change that one by hand")
		}
	}
	constraint := map[string]any{
		"maxSkew": int64(1), "topologyKey": hostnameKey, "whenUnsatisfiable": always, "labelSelector": matchLabels(selector),
	}
	f := Field{Path: []string{"spec", "template", "spec", "topologySpreadConstraints"}, Now: append(slices.Clone(w.TopologySpread), constraint)}
	if w.TopologySpread != nil {
		f.Was = w.TopologySpread
	}
	return f, true, nil
}
