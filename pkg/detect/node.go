package detect

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// IsVirtualKubelet says whether a node is a virtual one, whose pods run elsewhere.
func IsVirtualKubelet(n *corev1.Node) bool { return n.Labels["type"] == "virtual-kubelet" }

// isVirtual says of a Node object what cluster.Node.IsVirtual says of what is kept of it.
func isVirtual(n *corev1.Node) bool {
	kept := cluster.Node{Labels: n.Labels, VirtualKubelet: IsVirtualKubelet(n)}
	for i := range n.Spec.Taints {
		kept.Taints = append(kept.Taints, n.Spec.Taints[i].Key)
	}
	return kept.IsVirtual()
}

// NodeOS is a node's operating system, "" where neither a label nor the kubelet names it.
func NodeOS(n *corev1.Node) string {
	return cmp.Or(n.Labels[corev1.LabelOSStable], n.Labels["beta.kubernetes.io/os"], n.Status.NodeInfo.OperatingSystem)
}

// PodCIDRs are the ranges of a node's pods.
func PodCIDRs(n *corev1.Node) []netip.Prefix {
	if len(n.Spec.PodCIDRs) > 0 {
		return cluster.ParsePrefixes(n.Spec.PodCIDRs...)
	}
	return cluster.ParsePrefixes(n.Spec.PodCIDR)
}

// runsOn says whether a DaemonSet's controller puts a pod of this spec on a node, by the node's labels and name. Taints are left aside: data planes tolerate them.
func runsOn(spec *corev1.PodSpec, n *corev1.Node) bool {
	if !labels.SelectorFromSet(spec.NodeSelector).Matches(labels.Set(n.Labels)) {
		return false
	}
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil || spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	terms := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	return slices.ContainsFunc(terms, func(term corev1.NodeSelectorTerm) bool {
		// A term without a requirement selects no node (k8s.io/component-helpers/scheduling/corev1/nodeaffinity).
		if len(term.MatchExpressions)+len(term.MatchFields) == 0 {
			return false
		}
		name := labels.Set{"metadata.name": n.Name}
		return matchAll(term.MatchExpressions, labels.Set(n.Labels)) && matchAll(term.MatchFields, name)
	})
}

var nodeOperators = map[corev1.NodeSelectorOperator]selection.Operator{
	corev1.NodeSelectorOpIn:           selection.In,
	corev1.NodeSelectorOpNotIn:        selection.NotIn,
	corev1.NodeSelectorOpExists:       selection.Exists,
	corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
	corev1.NodeSelectorOpGt:           selection.GreaterThan,
	corev1.NodeSelectorOpLt:           selection.LessThan,
}

// matchAll says whether every requirement holds. A malformed one does not, as for the scheduler.
func matchAll(requirements []corev1.NodeSelectorRequirement, of labels.Set) bool {
	for _, r := range requirements {
		requirement, err := labels.NewRequirement(r.Key, nodeOperators[r.Operator], r.Values)
		if err != nil || !requirement.Matches(of) {
			return false
		}
	}
	return true
}
