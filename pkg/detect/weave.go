package detect

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const weaveName programName = "weave"

// weaveKeepsClients is the variable of Weave Net's container that decides whether clients that are not pods keep their addresses towards the pods of a node.
const weaveKeepsClients = "NO_MASQ_LOCAL"

// weave is Weave Net, a network. It masquerades what leaves the pods' range, and what enters it (weaveworks/weave v2.8.1 net/expose.go exposeNAT).
var weave = program{
	name:        weaveName,
	recognise:   named("weave-net"),
	environment: []string{weaveKeepsClients},
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		return cluster.Yes, f.has(weaveName)
	},
	mayMasqueradeClients: func(f *facts) bool {
		return slices.ContainsFunc(f.sets[weaveName], func(set *appsv1.DaemonSet) bool { return !weaveKeepsAddresses(set) })
	},
}

// weaveKeepsAddresses says whether Weave Net surely does not masquerade what enters the pods of a node: from v2.7.0 on unless the variable is 0, before that where it has
// a value (weaveworks/weave v2.5.2 to v2.8.1 prog/weave-kube/launch.sh, net/bridge.go).
func weaveKeepsAddresses(set *appsv1.DaemonSet) bool {
	variable := ""
	for _, container := range set.Spec.Template.Spec.Containers {
		for _, env := range container.Env {
			if env.Name == weaveKeepsClients {
				variable = env.Value
			}
		}
	}
	version := imageVersion(agentImage(set, "weave"))
	if variable == "" {
		return version.Known() && !version.Before(2, 7, 0)
	}
	return variable != "0" || version.Known() && version.Before(2, 7, 0)
}
