package detect

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The Keep functions leave of an object what detection reads, so that large clusters fit into little memory and a dump says nothing else. They return false for an
// object that detection does not read.

func bare(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Namespace: m.Namespace, DeletionTimestamp: m.DeletionTimestamp}
}

// KeepDaemonSet trims a DaemonSet of a data plane, or of kube-vip.
func KeepDaemonSet(d *appsv1.DaemonSet) bool {
	if keepKubeVIP(d) {
		return true
	}
	p := runBy(registry, d)
	if p == nil {
		return false
	}
	d.ObjectMeta = bare(&d.ObjectMeta)
	pod := d.Spec.Template.Spec
	if p.dropsCommand {
		for i := range pod.Containers {
			pod.Containers[i].Command, pod.Containers[i].Args = nil, nil
		}
	}
	d.Spec = appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers:   keepContainers(pod.Containers),
		Volumes:      keepVolumes(pod.Volumes),
		NodeSelector: pod.NodeSelector,
		Affinity:     keepAffinity(pod.Affinity),
	}}}
	d.Status = appsv1.DaemonSetStatus{
		DesiredNumberScheduled: d.Status.DesiredNumberScheduled,
		CurrentNumberScheduled: d.Status.CurrentNumberScheduled,
		NumberReady:            d.Status.NumberReady,
		ObservedGeneration:     d.Status.ObservedGeneration,
	}
	return true
}

// KeepPod trims a pod of kube-proxy.
func KeepPod(p *corev1.Pod) bool {
	if kubeProxyContainer(p.Spec.Containers) == nil {
		return false
	}
	p.ObjectMeta = bare(&p.ObjectMeta)
	p.Spec = corev1.PodSpec{NodeName: p.Spec.NodeName, Containers: keepContainers(p.Spec.Containers), Volumes: keepVolumes(p.Spec.Volumes)}
	p.Status = corev1.PodStatus{}
	return true
}

// KeepConfigMap trims a ConfigMap to the settings of data planes: others may be credentials (old Terway keeps an access key in eni-config).
func KeepConfigMap(c *corev1.ConfigMap) bool {
	for i := range registry {
		if registry[i].keep == nil {
			continue
		}
		if data, ok := registry[i].keep(c); ok {
			*c = corev1.ConfigMap{TypeMeta: c.TypeMeta, ObjectMeta: bare(&c.ObjectMeta), Data: data}
			return true
		}
	}
	return false
}

// only are the named keys of a ConfigMap's data, as far as it has them.
func only(data map[string]string, keys ...string) map[string]string {
	out := map[string]string{}
	for _, key := range keys {
		if value, ok := data[key]; ok {
			out[key] = value
		}
	}
	return out
}

// Fields are those that detection reads of a kind that is not part of Kubernetes; nil where it reads no object of that kind.
func Fields(kind string) [][]string {
	for i := range registry {
		if fields, ok := registry[i].fields[kind]; ok {
			return fields
		}
	}
	return nil
}

// ReadsAnnotation says whether detection reads an annotation of a node.
func ReadsAnnotation(key string) bool {
	return slices.ContainsFunc(registry, func(p program) bool { return slices.Contains(p.annotations, key) })
}

func keepContainers(containers []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, len(containers))
	for _, container := range containers {
		kept := corev1.Container{Name: container.Name, Image: container.Image, Command: container.Command, Args: container.Args}
		for _, mount := range container.VolumeMounts {
			kept.VolumeMounts = append(kept.VolumeMounts, corev1.VolumeMount{Name: mount.Name, MountPath: mount.MountPath})
		}
		for _, env := range container.Env {
			if slices.ContainsFunc(registry, func(p program) bool { return slices.Contains(p.environment, env.Name) }) {
				kept.Env = append(kept.Env, corev1.EnvVar{Name: env.Name, Value: env.Value})
			}
		}
		out = append(out, kept)
	}
	return out
}

func keepVolumes(volumes []corev1.Volume) []corev1.Volume {
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

// keepAffinity keeps what decides on which nodes a DaemonSet runs.
func keepAffinity(a *corev1.Affinity) *corev1.Affinity {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
	}}
}
