package collect

import (
	"encoding/json"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// nodeArgs is where k3s tells how a node was started.
const nodeArgs = "k3s.io/node-args"

func trimNode(n *corev1.Node) bool {
	trimMeta(&n.ObjectMeta)
	n.Finalizers = nil
	keepAnnotations(&n.ObjectMeta, func(key string) bool { return key == nodeArgs || key == partialAnnotation })
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

// trimConfigMap keeps the settings of data planes and no others: a ConfigMap may hold credentials (old Terway keeps an access key in eni-config).
func trimConfigMap(c *corev1.ConfigMap) bool {
	trimMeta(&c.ObjectMeta)
	c.Labels, c.Annotations, c.Finalizers = nil, nil, nil
	c.BinaryData, c.Immutable = nil, nil
	data := map[string]string{}
	switch {
	case c.Name == ciliumConfig:
		for _, key := range ciliumKeys {
			if value, ok := c.Data[key]; ok {
				data[key] = value
			}
		}
	case c.Name == terwayConfig:
		if value, ok := c.Data[terwayInCluster]; ok {
			data[terwayInCluster] = value
		}
		var settings map[string]any
		if json.Unmarshal([]byte(c.Data[terwayConfKey]), &settings) == nil {
			if kind, ok := settings[terwayDatapath].(string); ok {
				text, err := json.Marshal(map[string]string{terwayDatapath: kind})
				if err == nil {
					data[terwayConfKey] = string(text)
				}
			}
		}
	case strings.HasPrefix(c.Name, antreaConfigPrefix):
		if value, ok := c.Data[antreaConfKey]; ok {
			data[antreaConfKey] = value
		}
	default:
		for key, value := range c.Data {
			if isKubeProxyConfiguration(value) {
				data[key] = value
			}
		}
		if len(data) == 0 {
			return false
		}
	}
	c.Data = data
	return true
}

func trimContainers(containers []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, len(containers))
	for _, container := range containers {
		kept := corev1.Container{Name: container.Name, Image: container.Image, Command: container.Command, Args: container.Args}
		for _, mount := range container.VolumeMounts {
			kept.VolumeMounts = append(kept.VolumeMounts, corev1.VolumeMount{Name: mount.Name, MountPath: mount.MountPath})
		}
		for _, env := range container.Env {
			if env.Name == felixBPFEnv {
				kept.Env = append(kept.Env, corev1.EnvVar{Name: env.Name, Value: env.Value})
			}
		}
		out = append(out, kept)
	}
	return out
}

func trimVolumes(volumes []corev1.Volume) []corev1.Volume {
	var out []corev1.Volume
	for _, volume := range volumes {
		if volume.ConfigMap != nil {
			out = append(out, corev1.Volume{Name: volume.Name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: volume.ConfigMap.LocalObjectReference,
				Items:                volume.ConfigMap.Items,
			}}})
		}
	}
	return out
}

// trimAffinity keeps what decides on which nodes a DaemonSet runs.
func trimAffinity(a *corev1.Affinity) *corev1.Affinity {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
	}}
}

func trimDaemonSet(d *appsv1.DaemonSet) bool {
	if dataplaneRole(d) == noRole {
		return false
	}
	trimMeta(&d.ObjectMeta)
	d.Labels, d.Annotations, d.Finalizers = nil, nil, nil
	pod := d.Spec.Template.Spec
	if dataplaneRole(d) == sdnRole {
		// Its command is a script of hundreds of lines that says nothing of the settings.
		for i := range pod.Containers {
			pod.Containers[i].Command, pod.Containers[i].Args = nil, nil
		}
	}
	d.Spec = appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers:   trimContainers(pod.Containers),
		Volumes:      trimVolumes(pod.Volumes),
		NodeSelector: pod.NodeSelector,
		Affinity:     trimAffinity(pod.Affinity),
	}}}
	d.Status = appsv1.DaemonSetStatus{
		DesiredNumberScheduled: d.Status.DesiredNumberScheduled,
		CurrentNumberScheduled: d.Status.CurrentNumberScheduled,
		NumberReady:            d.Status.NumberReady,
		ObservedGeneration:     d.Status.ObservedGeneration,
	}
	return true
}

// trimPod keeps the pods of kube-proxy alone.
func trimPod(p *corev1.Pod) bool {
	if !runsKubeProxy(p.Spec.Containers) {
		return false
	}
	trimMeta(&p.ObjectMeta)
	p.Labels, p.Annotations, p.Finalizers = nil, nil, nil
	p.Spec = corev1.PodSpec{NodeName: p.Spec.NodeName, Containers: trimContainers(p.Spec.Containers), Volumes: trimVolumes(p.Spec.Volumes)}
	p.Status = corev1.PodStatus{}
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
	switch u.GetKind() {
	case "FelixConfiguration":
		fields = [][]string{{"spec", "bpfEnabled"}, {"spec", "bpfExternalServiceMode"}, {"spec", felixConnectTime}, {"spec", felixConnectTimeEnabled}}
	case "Installation":
		fields = [][]string{{"spec", "calicoNetwork", "linuxDataplane"}}
	case "Network":
		fields = [][]string{{"spec", "networkType"}, {"status", "networkType"}}
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
