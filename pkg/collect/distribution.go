package collect

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Labels by which a distribution marks its nodes.
const (
	microK8sLabel = "microk8s.io/cluster"
	// eksComputeLabel is auto on the nodes of EKS Auto Mode (docs.aws.amazon.com/eks/latest/userguide/automode.html).
	eksComputeLabel = "eks.amazonaws.com/compute-type"
	// openShiftLabel is on every node that OpenShift's machine configuration keeps.
	openShiftLabel = "node.openshift.io/os_id"
)

// microK8sPods is --cluster-cidr of MicroK8s (microk8s-resources/default-args/kube-proxy in canonical/microk8s, v1.18 to v1.36, the same in each).
const microK8sPods = "10.1.0.0/16"

// distribution is the kube-proxy of a node whose distribution runs it outside of any pod.
func (d *detector) distribution(n *corev1.Node) (cluster.Dataplane, bool) {
	switch {
	case strings.Contains(n.Status.NodeInfo.KubeletVersion, "+k3s"):
		return d.k3s(n), true
	case n.Labels[microK8sLabel] == "true":
		return d.microK8s(), true
	case n.Labels[eksComputeLabel] == "auto":
		return eksAutoMode(), true
	}
	return cluster.Dataplane{}, false
}

// microK8s is the kube-proxy inside kubelite (build-scripts/components/kubernetes/patches in canonical/microk8s). Its arguments are in a file of each node, which
// the API server does not show; the file that the snap brings names no mode, so that it is kube-proxy's default.
func (d *detector) microK8s() cluster.Dataplane {
	out := cluster.Dataplane{
		Name: cluster.KubeProxy, Mode: cluster.IPTables, Confidence: cluster.Inferred,
		Source: "node label " + microK8sLabel + ", with the arguments that MicroK8s brings",
	}
	given := map[string]string{"cluster-cidr": microK8sPods}
	out.KubeProxy = fromFlags(given).settings()
	if d.podsOutside(microK8sPods) {
		out.KubeProxy.PodDetection, out.KubeProxy.ClusterCIDRs = cluster.UnknownDetection, nil
	}
	return out
}

// podsOutside says whether an endpoint has an IPv4 address that is neither in a range nor a node's: the range is then not that of the pods.
func (d *detector) podsOutside(text string) bool {
	within := prefixes([]string{text})[0]
	ofNodes := map[string]bool{}
	for i := range d.objects.Nodes {
		for _, address := range d.objects.Nodes[i].Status.Addresses {
			ofNodes[address.Address] = true
		}
	}
	for i := range d.objects.Slices {
		for j := range d.objects.Slices[i].Endpoints {
			e := &d.objects.Slices[i].Endpoints[j]
			for _, address := range e.Addresses {
				ip, ok := parseAddress(address)
				if ok && ip.Is4() && e.TargetRef != nil && !within.Contains(ip) && !ofNodes[address] {
					return true
				}
			}
		}
	}
	return false
}

// eksAutoMode is the kube-proxy that AWS keeps on the nodes of EKS Auto Mode, where it is neither a DaemonSet nor a pod
// (docs.aws.amazon.com/eks/latest/userguide/managing-kube-proxy.html). Its mode and settings are published nowhere.
func eksAutoMode() cluster.Dataplane {
	return cluster.Dataplane{
		Name: cluster.KubeProxy, Confidence: cluster.Inferred,
		Source: "node label " + eksComputeLabel + "=auto: AWS runs kube-proxy on the node, and its mode is not to be read",
	}
}

// openShiftSDN is the kube-proxy inside OpenShift SDN, which the cluster network operator configures (renderOpenShiftSDN in pkg/network/openshift_sdn.go of
// openshift/cluster-network-operator, release-4.2 to release-4.17). Its mode unidling+iptables is iptables but for Services that were idled. serves is false
// where the mode is disabled: a kube-proxy of its own runs beside it.
func (d *detector) openShiftSDN(set *appsv1.DaemonSet) (out cluster.Dataplane, serves bool) {
	out = cluster.Dataplane{
		Name: cluster.KubeProxy, Confidence: cluster.Inferred, Source: fmt.Sprintf("daemonset %s/%s", set.Namespace, set.Name),
	}
	found := d.configMap(set.Namespace, sdnConfig)
	if found == nil {
		return out, true
	}
	configuration, err := parseKubeProxyConfiguration(found.Data[sdnConfigKey])
	if err != nil || found.Data[sdnConfigKey] == "" {
		return out, true
	}
	if configuration.Mode == "disabled" {
		return out, false
	}
	configuration.Mode = strings.TrimPrefix(configuration.Mode, "unidling+")
	out.Source = fmt.Sprintf("configmap %s/%s", found.Namespace, found.Name)
	d.settle(&out, configuration)
	// It is built from kube-proxy's code, and is not kube-proxy.
	out.Confidence = cluster.Inferred
	return out, true
}

// openShift goes by the network type of OpenShift's Network (config.openshift.io/v1), where none of its DaemonSets was read.
func (d *detector) openShift() (cluster.Dataplane, bool) {
	network := d.other("Network", "cluster")
	if network == nil || d.knowsDaemonSets() {
		return cluster.Dataplane{}, false
	}
	// A malformed setting is none. The status says what runs, the rest what is wanted.
	kind, _, _ := unstructured.NestedString(network.Object, "status", "networkType")
	if kind == "" {
		kind, _, _ = unstructured.NestedString(network.Object, "spec", "networkType")
	}
	source := "network.config.openshift.io cluster"
	switch kind {
	case "OpenShiftSDN":
		return cluster.Dataplane{Name: cluster.KubeProxy, Mode: cluster.IPTables, Confidence: cluster.Inferred, Source: source + ", type OpenShiftSDN"}, true
	case "OVNKubernetes":
		return cluster.Dataplane{Name: cluster.OVNKubernetes, Confidence: cluster.Inferred, Source: source}, true
	}
	return cluster.Dataplane{}, false
}

// isOpenShift says whether a node is OpenShift's.
func (d *detector) isOpenShift() bool {
	return slices.ContainsFunc(d.objects.Nodes, func(n corev1.Node) bool { return n.Labels[openShiftLabel] != "" })
}

// googleBuild notes of the Cilium of GKE's Dataplane V2 (anetd) that its version is not known: the image is of Google's own build, which changes what a release of
// Cilium does (cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2).
func (d *detector) googleBuild(out *cluster.Dataplane) {
	if !d.has(anetdRole) || d.has(ciliumRole) {
		return
	}
	set := d.sets[anetdRole][0]
	out.VersionSource = fmt.Sprintf("daemonset %s/%s runs Google's own build, and no release of Cilium is known to be the same", set.Namespace, set.Name)
}

// runsOn says whether a DaemonSet's controller puts a pod of this spec on a node, by the node's labels and name. Taints are left aside: data planes tolerate them.
func runsOn(spec *corev1.PodSpec, n *corev1.Node) bool {
	if !labels.SelectorFromSet(spec.NodeSelector).Matches(labels.Set(n.Labels)) {
		return false
	}
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil || spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	terms := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	return slices.ContainsFunc(terms, func(term corev1.NodeSelectorTerm) bool {
		// A term without a requirement selects no node (k8s.io/component-helpers/scheduling/corev1/nodeaffinity).
		if len(term.MatchExpressions)+len(term.MatchFields) == 0 {
			return false
		}
		name := labels.Set{"metadata.name": n.Name}
		return matchAll(term.MatchExpressions, labels.Set(n.Labels)) && matchAll(term.MatchFields, name)
	})
}

var nodeOperators = map[corev1.NodeSelectorOperator]selection.Operator{
	corev1.NodeSelectorOpIn:           selection.In,
	corev1.NodeSelectorOpNotIn:        selection.NotIn,
	corev1.NodeSelectorOpExists:       selection.Exists,
	corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
	corev1.NodeSelectorOpGt:           selection.GreaterThan,
	corev1.NodeSelectorOpLt:           selection.LessThan,
}

// matchAll says whether every requirement holds. One that is malformed does not, as for the scheduler.
func matchAll(requirements []corev1.NodeSelectorRequirement, of labels.Set) bool {
	for _, r := range requirements {
		requirement, err := labels.NewRequirement(r.Key, nodeOperators[r.Operator], r.Values)
		if err != nil || !requirement.Matches(of) {
			return false
		}
	}
	return true
}
