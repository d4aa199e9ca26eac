package objects

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"

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

// KeepService trims a Service to what is read of it. It reports whether to keep the object, as all of these functions do.
func KeepService(s *corev1.Service) bool {
	created := s.CreationTimestamp
	trimMeta(&s.ObjectMeta)
	if IsPending(s) {
		s.CreationTimestamp = created
	}
	keepAnnotations(&s.ObjectMeta, func(key string) bool { return key != corev1.LastAppliedConfigAnnotation })
	var is []metav1.Condition
	for _, c := range s.Status.Conditions {
		if c.Status == metav1.ConditionTrue {
			is = append(is, metav1.Condition{Type: c.Type, Status: c.Status})
		}
	}
	s.Status.Conditions = is
	return true
}

// KeepSlice trims an EndpointSlice; one that belongs to no Service is not kept.
func KeepSlice(s *discoveryv1.EndpointSlice) bool {
	trimMeta(&s.ObjectMeta)
	keepAnnotations(&s.ObjectMeta, none)
	return s.Labels[discoveryv1.LabelServiceName] != ""
}

// KeepNode trims a Node to its name, labels, addresses, readiness, versions and what its spec says of scheduling.
func KeepNode(n *corev1.Node) bool {
	trimMeta(&n.ObjectMeta)
	n.Finalizers = nil
	keepAnnotations(&n.ObjectMeta, func(key string) bool { return detect.ReadsAnnotation(key) || key == PartialAnnotation })
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

// KeepIngress trims an Ingress to its class and status.
func KeepIngress(i *networkingv1.Ingress) bool {
	trimMeta(&i.ObjectMeta)
	i.Labels, i.Annotations, i.Finalizers = nil, nil, nil
	i.Spec = networkingv1.IngressSpec{IngressClassName: i.Spec.IngressClassName}
	return true
}

// KeepOther trims an object of a custom resource to the fields that are read of its kind.
func KeepOther(u *unstructured.Unstructured) bool {
	kept := map[string]any{"apiVersion": u.GetAPIVersion(), "kind": u.GetKind()}
	meta := map[string]any{"name": u.GetName()}
	if namespace := u.GetNamespace(); namespace != "" {
		meta["namespace"] = namespace
	}
	kept["metadata"] = meta
	fields := [][]string{{"status", "addresses"}}
	if read := detect.AnnouncerFields[u.GetKind()]; read != nil {
		fields = read
	} else if read := detect.Fields(u.GetKind()); read != nil {
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

// KeepLease keeps a Lease by which Cilium announces a Service.
func KeepLease(u *unstructured.Unstructured) bool {
	return detect.IsAnnouncersLease(u.GetName()) && KeepOther(u)
}

// FromV1beta1 converts a slice of a cluster before v1.21, whose endpoints may say their node and zone in their topology only.
func FromV1beta1(old *discoveryv1beta1.EndpointSlice) discoveryv1.EndpointSlice {
	out := discoveryv1.EndpointSlice{ObjectMeta: old.ObjectMeta, AddressType: discoveryv1.AddressType(old.AddressType)}
	for i := range old.Endpoints {
		from := &old.Endpoints[i]
		to := discoveryv1.Endpoint{
			Addresses:  from.Addresses,
			Conditions: discoveryv1.EndpointConditions(from.Conditions),
			Hostname:   from.Hostname,
			TargetRef:  from.TargetRef,
			NodeName:   from.NodeName,
		}
		if name := from.Topology[corev1.LabelHostname]; to.NodeName == nil && name != "" {
			to.NodeName = &name
		}
		if zone := from.Topology[corev1.LabelTopologyZone]; zone != "" {
			to.Zone = &zone
		}
		if from.Hints != nil {
			to.Hints = &discoveryv1.EndpointHints{}
			for _, zone := range from.Hints.ForZones {
				to.Hints.ForZones = append(to.Hints.ForZones, discoveryv1.ForZone(zone))
			}
			for _, node := range from.Hints.ForNodes {
				to.Hints.ForNodes = append(to.Hints.ForNodes, discoveryv1.ForNode(node))
			}
		}
		out.Endpoints = append(out.Endpoints, to)
	}
	for i := range old.Ports {
		out.Ports = append(out.Ports, discoveryv1.EndpointPort(old.Ports[i]))
	}
	return out
}
