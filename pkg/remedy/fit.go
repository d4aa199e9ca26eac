package remedy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// takes says whether a pod of a workload can be scheduled on a node, by those filters of the scheduler for which there are facts.
func takes(n *cluster.Node, w *cluster.Workload) cluster.Tristate {
	if n.Unschedulable && !tolerated(w.Tolerations, "node.kubernetes.io/unschedulable", "", "NoSchedule") || n.Deleting || n.IsVirtual() || n.Ready == cluster.No {
		return cluster.No
	}
	for key, value := range w.NodeSelector {
		if n.Labels[key] != value {
			return cluster.No
		}
	}
	for _, taint := range n.Taints {
		name, effect, _ := cutLast(taint, ":")
		key, value, _ := strings.Cut(name, "=")
		// Cordon and readiness were checked above, by the fields that these taints come from.
		if key == "node.kubernetes.io/unschedulable" || key == "node.kubernetes.io/not-ready" {
			continue
		}
		if effect != "PreferNoSchedule" && !tolerated(w.Tolerations, key, value, effect) {
			return cluster.No
		}
	}
	affinity := nodeAffinity(w.Affinity, n)
	if affinity == cluster.No {
		return cluster.No
	}
	if !n.Known || n.Partial || n.Ready == cluster.Undetermined {
		return cluster.Undetermined
	}
	return affinity
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// tolerated says whether a toleration matches a taint (ToleratesTaint in k8s.io/component-helpers). Operators Lt and Gt never match here.
func tolerated(list []cluster.Toleration, key, value, effect string) bool {
	return slices.ContainsFunc(list, func(t cluster.Toleration) bool {
		switch {
		case t.Effect != "" && t.Effect != effect, t.Key != "" && t.Key != key:
			return false
		case t.Operator == "Exists":
			return true
		default:
			return t.Operator == "Equal" && t.Key == key && t.Value == value
		}
	})
}

// nodeAffinity evaluates requiredDuringSchedulingIgnoredDuringExecution of a pod template's node affinity: one term must match, with all its requirements.
func nodeAffinity(affinity map[string]any, n *cluster.Node) cluster.Tristate {
	required, ok := object(affinity["nodeAffinity"])["requiredDuringSchedulingIgnoredDuringExecution"]
	if !ok {
		return cluster.Yes
	}
	terms, _ := object(required)["nodeSelectorTerms"].([]any)
	best := cluster.No
	for _, term := range terms {
		all := cluster.Yes
		expressions, _ := object(term)["matchExpressions"].([]any)
		fields, _ := object(term)["matchFields"].([]any)
		if len(expressions)+len(fields) == 0 {
			continue
		}
		for _, e := range expressions {
			all = worse(all, expression(object(e), n.Labels))
		}
		for _, e := range fields {
			all = worse(all, expression(object(e), map[string]string{"metadata.name": n.Name}))
		}
		if all == cluster.Yes {
			return cluster.Yes
		}
		if all == cluster.Undetermined {
			best = cluster.Undetermined
		}
	}
	return best
}

func worse(a, b cluster.Tristate) cluster.Tristate {
	switch {
	case a == cluster.No || b == cluster.No:
		return cluster.No
	case a == cluster.Undetermined || b == cluster.Undetermined:
		return cluster.Undetermined
	}
	return cluster.Yes
}

// expression evaluates one requirement of a label selector or node selector.
func expression(e map[string]any, labels map[string]string) cluster.Tristate {
	key, _ := e["key"].(string)
	value, has := labels[key]
	list, _ := e["values"].([]any)
	among := slices.ContainsFunc(list, func(v any) bool { return v == value })
	switch e["operator"] {
	case "In":
		return cluster.Is(has && among)
	case "NotIn":
		return cluster.Is(!has || !among)
	case "Exists":
		return cluster.Is(has)
	case "DoesNotExist":
		return cluster.Is(!has)
	case "Gt", "Lt":
		if len(list) != 1 {
			return cluster.No
		}
		text, _ := list[0].(string)
		bound, err1 := strconv.ParseInt(text, 10, 64)
		number, err2 := strconv.ParseInt(value, 10, 64)
		if err1 != nil || err2 != nil {
			return cluster.No
		}
		return cluster.Is(e["operator"] == "Gt" && number > bound || e["operator"] == "Lt" && number < bound)
	}
	return cluster.Undetermined
}

// selects evaluates a label selector in its JSON form; nil selects nothing, an empty one everything.
func selects(selector any, labels map[string]string) cluster.Tristate {
	s, ok := selector.(map[string]any)
	if !ok {
		return cluster.No
	}
	result := cluster.Yes
	for key, value := range object(s["matchLabels"]) {
		has, there := labels[key]
		result = worse(result, cluster.Is(there && has == value))
	}
	expressions, _ := s["matchExpressions"].([]any)
	for _, e := range expressions {
		result = worse(result, expression(object(e), labels))
	}
	return result
}

// object is a JSON object; an empty one for any other value.
func object(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

// neighbour is an address for a pod that moves to another node: the same one if it is not in the podCIDR of its node, else a free one of the other node's podCIDR.
func neighbour(svc *cluster.Service, a netip.Addr, from, to *cluster.Node) netip.Addr {
	inside := func(n *cluster.Node) (netip.Prefix, bool) {
		for _, r := range n.PodCIDRs {
			if r.Addr().Is4() == a.Is4() {
				return r, true
			}
		}
		return netip.Prefix{}, false
	}
	old, ok := inside(from)
	if !ok || !old.Contains(a) {
		return a
	}
	free, ok := inside(to)
	if !ok {
		return a
	}
	for next := free.Masked().Addr().Next().Next(); free.Contains(next); next = next.Next() {
		if !slices.ContainsFunc(svc.Endpoints, func(e cluster.Endpoint) bool { return e.Address == next }) {
			return next
		}
	}
	return a
}
