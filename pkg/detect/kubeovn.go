package detect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const kubeOVNName programName = "kube-ovn"

// kubeOVN serves Services of pods beside kube-proxy. How the two share them is not known here.
var kubeOVN = program{
	name:      kubeOVNName,
	recognise: named("kube-ovn-cni"),
	plane: func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) {
		set := d.first(kubeOVNName)
		if set == nil {
			return cluster.Dataplane{}, false
		}
		return unknown("%s handles pods' connections to Services beside kube-proxy; how the two share the work is not known", sourceOf(set)), true
	},
}
