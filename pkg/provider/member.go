package provider

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Member says whether the load balancer's controller gives it a node as a backend.
type Member struct {
	Is cluster.Tristate
	// Reason is one word, "" where Is is Yes.
	Reason string
	// Rule decided; nil where Is is Yes.
	Rule *Rule
}

func in() Member { return Member{Is: cluster.Yes} }

func out(reason string, r *Rule) Member { return Member{Is: cluster.No, Reason: reason, Rule: r} }

func perhaps(r *Rule) Member { return Member{Is: cluster.Undetermined, Reason: "NotKnown", Rule: r} }

// anyOut asks each in order and returns the first answer that is not Yes.
func anyOut(deciders ...func(*cluster.Node) Member) func(*cluster.Node) Member {
	return func(n *cluster.Node) Member {
		for _, decide := range deciders {
			if m := decide(n); m.Is != cluster.Yes {
				return m
			}
		}
		return in()
	}
}

func selects(svc *cluster.Service, key string) func(*cluster.Node) Member {
	return func(n *cluster.Node) Member { return selected(svc, n, key) }
}

// upstream is which nodes the service controller of Kubernetes passes to a cloud's load balancer. Since v1.27 a node's
// readiness does not count (KEP-3458).
func upstream(s *cluster.Snapshot) func(*cluster.Node) Member {
	identified := slices.ContainsFunc(s.Nodes, func(n cluster.Node) bool { return n.ProviderID != "" })
	return func(n *cluster.Node) Member {
		switch {
		case n.VirtualKubelet:
			return out("RunsNoProxy", lb05)
		case excludedByValue(n):
			return out("ExcludedByLabel", lb03)
		case removed(n):
			return out("BeingRemoved", lb04)
		case identified && n.Known && !n.Partial && n.ProviderID == "":
			return out("NoProviderID", lb06)
		}
		return in()
	}
}

// excludedByValue says whether the label excludes the node, as it does unless strconv.ParseBool reads its value as
// false.
func excludedByValue(n *cluster.Node) bool {
	value, ok := n.Labels[ExcludeLabel]
	if !ok {
		return false
	}
	off, err := strconv.ParseBool(value)
	return err != nil || off
}

func labelled(n *cluster.Node, key string) bool {
	_, ok := n.Labels[key]
	return ok
}

func removed(n *cluster.Node) bool { return n.Deleting || tainted(n, "ToBeDeletedByClusterAutoscaler") }

// tainted says whether the node has such a taint, whatever its value and effect.
func tainted(n *cluster.Node, taint string) bool {
	return slices.ContainsFunc(n.Taints, func(t string) bool {
		return strings.HasPrefix(t, taint+"=") || strings.HasPrefix(t, taint+":")
	})
}

// selected excludes the nodes that an annotation does not select. It reads comma-separated label=value pairs; for any
// other selector the answer is unknown.
func selected(svc *cluster.Service, n *cluster.Node, key string) Member {
	selector := svc.Annotations[key]
	if selector == "" {
		return in()
	}
	for pair := range strings.SplitSeq(selector, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.TrimPrefix(value, "=")
		if !ok || name == "" || strings.ContainsAny(pair, "!() ") {
			return perhaps(lb17)
		}
		if n.Labels[name] != value {
			return out("NotSelected", lb17)
		}
	}
	return in()
}
