package detect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const ovnKubernetesName programName = "ovn-kubernetes"

// ovnKubernetes replaces kube-proxy.
var ovnKubernetes = program{
	name:      ovnKubernetesName,
	planes:    []cluster.DataplaneName{cluster.OVNKubernetes},
	recognise: named("ovnkube-node"),
	plane: func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) {
		set := d.first(ovnKubernetesName)
		if set == nil || len(d.proxies) > 0 {
			return cluster.Dataplane{}, false
		}
		return cluster.Dataplane{Name: cluster.OVNKubernetes, Confidence: cluster.Observed, Source: sourceOf(set)}, true
	},
}
