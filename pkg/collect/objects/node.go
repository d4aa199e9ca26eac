package objects

import (
	"cmp"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

func decimal(n int32) string { return strconv.FormatInt(int64(n), 10) }

func convertNode(n *corev1.Node) cluster.Node {
	out := cluster.Node{
		Name:           n.Name,
		Zone:           cmp.Or(n.Labels[corev1.LabelTopologyZone], n.Labels[corev1.LabelFailureDomainBetaZone]),
		Known:          true,
		Partial:        n.Annotations[PartialAnnotation] != "",
		Unschedulable:  n.Spec.Unschedulable,
		Deleting:       n.DeletionTimestamp != nil,
		PodCIDRs:       detect.PodCIDRs(n),
		OS:             detect.NodeOS(n),
		ProviderID:     n.Spec.ProviderID,
		Labels:         maps.Clone(n.Labels),
		VirtualKubelet: detect.IsVirtualKubelet(n),
	}
	out.KubeletVersion, _ = cluster.ParseVersion(n.Status.NodeInfo.KubeletVersion)
	for _, condition := range n.Status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		switch condition.Status {
		case corev1.ConditionTrue:
			out.Ready = cluster.Yes
		case corev1.ConditionFalse:
			out.Ready = cluster.No
		}
	}
	for _, address := range n.Status.Addresses {
		ip, ok := cluster.ParseAddress(address.Address)
		if !ok {
			continue
		}
		switch address.Type {
		case corev1.NodeInternalIP:
			out.InternalIPs = append(out.InternalIPs, ip)
		case corev1.NodeExternalIP:
			out.ExternalIPs = append(out.ExternalIPs, ip)
		}
	}
	for _, taint := range n.Spec.Taints {
		text := taint.Key
		if taint.Value != "" {
			text += "=" + taint.Value
		}
		out.Taints = append(out.Taints, text+":"+string(taint.Effect))
	}
	return out
}
