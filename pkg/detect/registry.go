package detect

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// programName names an entry of the registry.
type programName string

// match says how a DaemonSet was recognised.
type match uint8

const (
	noMatch match = iota
	// byContainer: by an image, a container or a command. A DaemonSet that another program recognises by its name is that program's.
	byContainer
	byName
)

// program is a data plane, a network without one, or a distribution that runs kube-proxy outside of any pod. Fields that do not apply are nil.
type program struct {
	name programName
	// planes are the data planes that plane may return, beside cluster.UnknownDataplane.
	planes []cluster.DataplaneName

	// recognise says whether a DaemonSet for Linux runs this program.
	recognise func(*appsv1.DaemonSet) match
	// labels and annotations of a node decide about its data plane. Of all annotations, only these are kept.
	labels, annotations []string
	// environment are the variables of the DaemonSet's containers that are read, and kept.
	environment []string
	// dropsCommand: the command of its containers is not read, and not kept.
	dropsCommand bool
	// configMaps are those with the settings of the program that the DaemonSet runs.
	configMaps func(*appsv1.DaemonSet) []Reference
	// guesses are ConfigMaps of kube-system that may have the settings, where no DaemonSet could be read.
	guesses []string
	// keep is the part of a ConfigMap's data that is read; ok is false for a ConfigMap that is not this program's.
	keep func(*corev1.ConfigMap) (data map[string]string, ok bool)
	// fields are those that are read of objects of types that are not part of Kubernetes, by kind.
	fields map[string][][]string
	// always are objects to read in any cluster, others those that the DaemonSets and nodes call for.
	always []Reference
	others func(*facts) []Reference

	// proxy is the kube-proxy that a DaemonSet of the program runs; ok is false where it runs none.
	proxy func(*facts, *appsv1.DaemonSet) (out cluster.Dataplane, ok bool)
	// plane is the data plane of a node; ok is false where the program does not decide it.
	plane func(*detector, *corev1.Node) (out cluster.Dataplane, ok bool)
	// beside adds what the program does where kube-proxy is the data plane.
	beside func(*detector, *cluster.Dataplane)
	// podMasquerade says whether pods' addresses are rewritten on the way to other nodes; ok is false where the program does not decide it.
	podMasquerade func(*facts, *corev1.Node) (masquerade cluster.Tristate, ok bool)
	// mayMasqueradeClients says whether the addresses of clients that are not pods are rewritten on the way to pods, or may be.
	mayMasqueradeClients func(*facts) bool
}

// registry lists the programs in the order in which they are asked about a node.
var registry = []program{
	windows,
	dataplaneV2,
	kindnet,
	terway,
	awsVPC,
	flannel,
	weave,
	cilium,
	calico,
	antrea,
	kubeRouter,
	kubeOVN,
	ovnKubernetes,
	kubeProxyPods,
	k3s,
	microK8s,
	eksAutoMode,
	openShift,
	kubeProxyConfig,
	classicGKE,
}

// Planes are the data planes that Detect may return, beside cluster.UnknownDataplane; each once, in the order of the registry.
func Planes() []cluster.DataplaneName {
	var out []cluster.DataplaneName
	for i := range registry {
		for _, name := range registry[i].planes {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// runBy is the program that a DaemonSet runs; nil where none is known. Those of Windows nodes are left out.
func runBy(programs []program, d *appsv1.DaemonSet) *program {
	if d.Spec.Template.Spec.NodeSelector[corev1.LabelOSStable] == "windows" {
		return nil
	}
	best, how := -1, noMatch
	for i := range programs {
		if programs[i].recognise == nil {
			continue
		}
		if found := programs[i].recognise(d); found > how {
			best, how = i, found
		}
	}
	if best < 0 {
		return nil
	}
	return &programs[best]
}

// named recognises the DaemonSets of these names.
func named(names ...string) func(*appsv1.DaemonSet) match {
	return func(d *appsv1.DaemonSet) match {
		if slices.Contains(names, d.Name) {
			return byName
		}
		return noMatch
	}
}
