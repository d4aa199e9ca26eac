package remedy

import (
	"reflect"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const (
	preferredTerms = "preferredDuringSchedulingIgnoredDuringExecution"
	requiredTerms  = "requiredDuringSchedulingIgnoredDuringExecution"
)

// antiAffinity asks the scheduler to put each pod on a node without another pod of the Service: preferred podAntiAffinity, weight 100, on kubernetes.io/hostname. It keeps
// existing terms, and adds none if there is one with the same selector, or a required one that applies to the pods.
func antiAffinity(w *cluster.Workload, selector map[string]string) (Field, bool, error) {
	term := map[string]any{
		"weight":          int64(100),
		"podAffinityTerm": map[string]any{"labelSelector": matchLabels(selector), "topologyKey": hostnameKey},
	}
	apart := object(w.Affinity["podAntiAffinity"])
	terms, _ := apart[preferredTerms].([]any)
	if requiredApart(w) || slices.ContainsFunc(terms, func(t any) bool {
		one := object(object(t)["podAffinityTerm"])
		return one["topologyKey"] == hostnameKey && reflect.DeepEqual(one["labelSelector"], matchLabels(selector)) && ownNamespace(one)
	}) {
		return Field{}, false, nil
	}
	path := []string{"spec", "template", "spec", "affinity"}
	switch {
	case w.Affinity == nil:
		return Field{Path: path, Now: map[string]any{"podAntiAffinity": map[string]any{preferredTerms: []any{term}}}}, true, nil
	case w.Affinity["podAntiAffinity"] == nil:
		return Field{Path: append(path, "podAntiAffinity"), Now: map[string]any{preferredTerms: []any{term}}}, true, nil
	case apart[preferredTerms] == nil:
		return Field{Path: append(path, "podAntiAffinity", preferredTerms), Now: []any{term}}, true, nil
	}
	return Field{Path: append(path, "podAntiAffinity", preferredTerms), Was: terms, Now: append(slices.Clone(terms), term)}, true, nil
}

func matchLabels(selector map[string]string) map[string]any {
	labels := map[string]any{}
	for key, value := range selector {
		labels[key] = value
	}
	return map[string]any{"matchLabels": labels}
}

// ownNamespace says whether a term applies to the namespace of the pod.
func ownNamespace(term map[string]any) bool {
	return term["namespaces"] == nil && term["namespaceSelector"] == nil
}

// requiredApart says whether a required term forbids two pods of the workload on one node.
func requiredApart(w *cluster.Workload) bool {
	terms, _ := object(w.Affinity["podAntiAffinity"])[requiredTerms].([]any)
	return slices.ContainsFunc(terms, func(t any) bool {
		one := object(t)
		return one["topologyKey"] == hostnameKey && ownNamespace(one) && selects(one["labelSelector"], w.Labels) == cluster.Yes
	})
}
