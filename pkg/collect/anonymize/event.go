package anonymize

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// knownReasons are event reasons of the Kubernetes service controller and of MetalLB, which say nothing of a cluster.
var knownReasons = []string{
	"EnsuringLoadBalancer", "EnsuredLoadBalancer", "UpdatedLoadBalancer", "DeletingLoadBalancer", "DeletedLoadBalancer", "SyncLoadBalancerFailed",
	"UpdateLoadBalancerFailed", "UnAvailableLoadBalancer", "Type", "ExternalTrafficPolicy", "LoadbalancerIP", "LoadBalancerSourceRanges",
	"AllocationFailed", "IPAllocated", "nodeAssigned",
}

// event leaves out what a controller says, which may name anything.
func (a *anonymizer) event(e *corev1.Event) corev1.Event {
	out := replaced(a, "Event", e.DeepCopy())
	out.Message, out.Type, out.Reason = "message removed by --anonymize", "", "Other"
	if slices.Contains([]string{corev1.EventTypeNormal, corev1.EventTypeWarning}, e.Type) {
		out.Type = e.Type
	}
	if slices.Contains(knownReasons, e.Reason) {
		out.Reason = e.Reason
	}
	return out
}
