package detect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// windows is the kube-proxy of Windows nodes.
var windows = program{
	name:   "windows",
	planes: []cluster.DataplaneName{cluster.Windows},
	plane: func(_ *detector, n *corev1.Node) (cluster.Dataplane, bool) {
		if NodeOS(n) != "windows" {
			return cluster.Dataplane{}, false
		}
		return cluster.Dataplane{Name: cluster.Windows, Source: "node label " + corev1.LabelOSStable, Confidence: cluster.Inferred}, true
	},
}
