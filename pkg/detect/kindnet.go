package detect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// kindnet is kind's network. It masquerades what leaves the pods' ranges, nodes' addresses included.
var kindnet = program{
	name:      "kindnet",
	recognise: named("kindnet"),
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		return cluster.Yes, f.has("kindnet")
	},
}
