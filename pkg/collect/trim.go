package collect

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// The functions here leave of an object what a Snapshot can come from, so that large clusters fit into little memory and a dump gives nothing else away.
// They are false for an object that no Snapshot would look at.

func trimMeta(m *metav1.ObjectMeta) {
	*m = metav1.ObjectMeta{
		Name:              m.Name,
		Namespace:         m.Namespace,
		Labels:            m.Labels,
		Annotations:       m.Annotations,
		Finalizers:        m.Finalizers,
		DeletionTimestamp: m.DeletionTimestamp,
	}
}

func keepAnnotations(m *metav1.ObjectMeta, keep func(key string) bool) {
	var kept map[string]string
	for key, value := range m.Annotations {
		if keep(key) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	m.Annotations = kept
}

func none(string) bool { return false }

func trimService(s *corev1.Service) bool {
	created := s.CreationTimestamp
	trimMeta(&s.ObjectMeta)
	if waits(s) {
		s.CreationTimestamp = created
	}
	keepAnnotations(&s.ObjectMeta, func(key string) bool { return key != corev1.LastAppliedConfigAnnotation })
	s.Status.Conditions = nil
	return true
}

func trimSlice(s *discoveryv1.EndpointSlice) bool {
	trimMeta(&s.ObjectMeta)
	keepAnnotations(&s.ObjectMeta, none)
	return s.Labels[discoveryv1.LabelServiceName] != ""
}

func trimNode(n *corev1.Node) bool {
	trimMeta(&n.ObjectMeta)
	n.Finalizers = nil
	keepAnnotations(&n.ObjectMeta, func(key string) bool { return detect.ReadsAnnotation(key) || key == partialAnnotation })
	var ready []corev1.NodeCondition
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			ready = append(ready, corev1.NodeCondition{Type: condition.Type, Status: condition.Status})
		}
	}
	n.Spec = corev1.NodeSpec{
		PodCIDR: n.Spec.PodCIDR, PodCIDRs: n.Spec.PodCIDRs, ProviderID: n.Spec.ProviderID, Unschedulable: n.Spec.Unschedulable, Taints: n.Spec.Taints,
	}
	for i := range n.Spec.Taints {
		n.Spec.Taints[i].TimeAdded = nil
	}
	n.Status = corev1.NodeStatus{
		Conditions: ready,
		Addresses:  n.Status.Addresses,
		NodeInfo:   corev1.NodeSystemInfo{KubeletVersion: n.Status.NodeInfo.KubeletVersion, OperatingSystem: n.Status.NodeInfo.OperatingSystem},
	}
	return true
}

func trimIngress(i *networkingv1.Ingress) bool {
	trimMeta(&i.ObjectMeta)
	i.Labels, i.Annotations, i.Finalizers = nil, nil, nil
	i.Spec = networkingv1.IngressSpec{IngressClassName: i.Spec.IngressClassName}
	return true
}

func trimOther(u *unstructured.Unstructured) bool {
	kept := map[string]any{"apiVersion": u.GetAPIVersion(), "kind": u.GetKind()}
	meta := map[string]any{"name": u.GetName()}
	if namespace := u.GetNamespace(); namespace != "" {
		meta["namespace"] = namespace
	}
	kept["metadata"] = meta
	fields := [][]string{{"status", "addresses"}}
	if read := detect.Fields(u.GetKind()); read != nil {
		fields = read
	}
	for _, field := range fields {
		if value, ok, err := unstructured.NestedFieldCopy(u.Object, field...); ok && err == nil {
			// The fields of a kept object are maps of this function's own making.
			_ = unstructured.SetNestedField(kept, value, field...)
		}
	}
	u.Object = kept
	return true
}
