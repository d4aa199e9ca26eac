package detect

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const microK8sLabel = "microk8s.io/cluster"

// microK8sPods is --cluster-cidr of MicroK8s (microk8s-resources/default-args/kube-proxy in canonical/microk8s, v1.18 to v1.36, the same in each).
const microK8sPods = "10.1.0.0/16"

// microK8s runs kube-proxy inside kubelite (build-scripts/components/kubernetes/patches in canonical/microk8s). Its arguments are in a file of each node, which
// the API server does not show; the file that the snap brings names no mode, so that it is kube-proxy's default.
var microK8s = program{
	name:   "microk8s",
	planes: []cluster.DataplaneName{cluster.KubeProxy},
	labels: []string{microK8sLabel},
	plane: func(d *detector, n *corev1.Node) (cluster.Dataplane, bool) {
		if n.Labels[microK8sLabel] != "true" {
			return cluster.Dataplane{}, false
		}
		out := cluster.Dataplane{
			Name: cluster.KubeProxy, Mode: cluster.IPTables, Confidence: cluster.Inferred,
			Source: "node label " + microK8sLabel + ", with the default arguments of MicroK8s",
		}
		out.KubeProxy = fromFlags(map[string]string{"cluster-cidr": microK8sPods}).settings()
		if d.hasPodOutside(microK8sPods) {
			out.KubeProxy.PodDetection, out.KubeProxy.ClusterCIDRs = cluster.UnknownDetection, nil
		}
		return out, true
	},
}

// hasPodOutside says whether an endpoint has an IPv4 address that is neither in a range nor a node's: then the range is not that of the pods.
func (f *facts) hasPodOutside(text string) bool {
	within := cluster.ParsePrefixes(text)[0]
	ofNodes := map[string]bool{}
	for _, n := range f.Nodes {
		for _, address := range n.Status.Addresses {
			ofNodes[address.Address] = true
		}
	}
	for i := range f.Slices {
		for j := range f.Slices[i].Endpoints {
			e := &f.Slices[i].Endpoints[j]
			for _, address := range e.Addresses {
				ip, ok := cluster.ParseAddress(address)
				if ok && ip.Is4() && e.TargetRef != nil && !within.Contains(ip) && !ofNodes[address] {
					return true
				}
			}
		}
	}
	return false
}
