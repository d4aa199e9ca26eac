package detect

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const flannelName programName = "flannel"

// flannel is a network that masquerades what leaves the pods' ranges, nodes' addresses included, with --ip-masq.
var flannel = program{
	name: flannelName,
	recognise: func(d *appsv1.DaemonSet) match {
		if strings.HasPrefix(d.Name, "kube-flannel") {
			return byName
		}
		return noMatch
	},
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		for _, set := range f.sets[flannelName] {
			for i := range set.Spec.Template.Spec.Containers {
				if value, ok := Flags(Words(&set.Spec.Template.Spec.Containers[i]))["ip-masq"]; ok {
					return cluster.Is(isTrue(value)), true
				}
			}
		}
		return cluster.Undetermined, f.has(flannelName)
	},
}
