package detect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const kubeRouterName programName = "kube-router"

// kubeRouter serves Services unless --run-service-proxy=false.
var kubeRouter = program{
	name:      kubeRouterName,
	planes:    []cluster.DataplaneName{cluster.KubeRouter},
	recognise: named("kube-router"),
	plane:     func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) { return d.kubeRouterPlane() },
}

func (d *detector) kubeRouterPlane() (cluster.Dataplane, bool) {
	for _, set := range d.sets[kubeRouterName] {
		for i := range set.Spec.Template.Spec.Containers {
			container := &set.Spec.Template.Spec.Containers[i]
			if ImageName(container.Image) != "kube-router" && container.Name != "kube-router" {
				continue
			}
			given := Flags(Words(container))
			if value, ok := given["run-service-proxy"]; ok && !isTrue(value) {
				return cluster.Dataplane{}, false
			}
			if len(d.proxies) > 0 {
				return unknown("%s handles Services, but kube-proxy runs beside it", sourceOf(set)), true
			}
			value, ok := given["run-router"]
			out := cluster.Dataplane{
				Name: cluster.KubeRouter, Confidence: cluster.Observed, Source: sourceOf(set),
				KubeRouter: &cluster.KubeRouterSettings{NoRouter: ok && !isTrue(value)},
			}
			setVersion(&out, container.Image, sourceOf(set))
			return out, true
		}
	}
	return cluster.Dataplane{}, false
}
