package detect

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const dataplaneV2Name programName = "gke-dataplane-v2"

// dataplaneV2 is Google's build of Cilium, which replaces kube-proxy. Its decision is made with Cilium's (cilium.go).
var dataplaneV2 = program{
	name:      dataplaneV2Name,
	recognise: named("anetd"),
	configMaps: func(d *appsv1.DaemonSet) []Reference {
		return configMapIn(d.Namespace, ciliumConfig)
	},
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		return cluster.Undetermined, f.has(dataplaneV2Name)
	},
}

// noteGoogleBuild says why the version of Dataplane V2's Cilium is unknown: the image is Google's own build, which changes what a release of Cilium does
// (cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2).
func (f *facts) noteGoogleBuild(out *cluster.Dataplane) {
	if f.has(dataplaneV2Name) && !f.has(ciliumName) {
		out.VersionSource = sourceOf(f.first(dataplaneV2Name)) + " runs Google's own build of Cilium, which is not known to match any release"
	}
}

// classicGKE runs kube-proxy in static pods, with the mode left to its default. Dataplane V2 would show the DaemonSet anetd.
var classicGKE = program{
	name:   "gke",
	planes: []cluster.DataplaneName{cluster.KubeProxy},
	plane: func(d *detector, n *corev1.Node) (cluster.Dataplane, bool) {
		return cluster.Dataplane{
			Name: cluster.KubeProxy, Mode: cluster.IPTables, Confidence: cluster.Assumed,
			Source: "GKE without DaemonSet anetd; kube-proxy's static pods were not read",
		}, len(d.proxies) == 0 && strings.Contains(n.Status.NodeInfo.KubeletVersion, "-gke.") && d.knowsDaemonSets()
	},
}
