package detect

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const openShiftName programName = "openshift"

const (
	sdnConfig    = "sdn-config"
	sdnConfigKey = "kube-proxy-config.yaml"
	// openShiftLabel is on every node that OpenShift's machine configuration keeps.
	openShiftLabel = "node.openshift.io/os_id"
)

// openShift is OpenShift SDN, which has a kube-proxy inside. Where the DaemonSets could not be read, OpenShift's Network names the data plane.
var openShift = program{
	name:   openShiftName,
	planes: []cluster.DataplaneName{cluster.KubeProxy, cluster.OVNKubernetes},
	recognise: func(d *appsv1.DaemonSet) match {
		if d.Name == "sdn" && mountsConfigMap(&d.Spec.Template.Spec, sdnConfig) {
			return byName
		}
		return noMatch
	},
	// The command is a script of hundreds of lines without settings.
	dropsCommand: true,
	configMaps:   func(d *appsv1.DaemonSet) []Reference { return configMapIn(d.Namespace, sdnConfig) },
	fields:       map[string][][]string{"Network": {{"spec", "networkType"}, {"status", "networkType"}}},
	others: func(f *facts) []Reference {
		if !f.isOpenShift() || f.knowsDaemonSets() || f.has(openShiftName) || f.has(ovnKubernetesName) {
			return nil
		}
		return []Reference{{Resource: cluster.ResourceNetworks, Name: "cluster"}}
	},
	proxy: (*facts).openShiftSDN,
	plane: func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) {
		if len(d.proxies) > 0 {
			return cluster.Dataplane{}, false
		}
		return d.openShiftNetwork()
	},
}

// isOpenShift says whether a node is OpenShift's.
func (f *facts) isOpenShift() bool {
	return slices.ContainsFunc(f.Nodes, func(n *corev1.Node) bool { return n.Labels[openShiftLabel] != "" })
}

// openShiftSDN is the kube-proxy inside OpenShift SDN, which the cluster network operator configures (renderOpenShiftSDN in pkg/network/openshift_sdn.go of
// openshift/cluster-network-operator, release-4.2 to release-4.17). Its mode unidling+iptables is iptables but for Services that were idled. ok is false where
// the mode is disabled: then a kube-proxy of its own runs beside it.
func (f *facts) openShiftSDN(set *appsv1.DaemonSet) (out cluster.Dataplane, ok bool) {
	out = cluster.Dataplane{Name: cluster.KubeProxy, Confidence: cluster.Inferred, Source: sourceOf(set)}
	found := f.configMap(set.Namespace, sdnConfig)
	if found == nil {
		return out, true
	}
	configuration, err := ParseKubeProxyConfiguration(found.Data[sdnConfigKey])
	if err != nil || found.Data[sdnConfigKey] == "" {
		return out, true
	}
	if configuration.Mode == "disabled" {
		return out, false
	}
	configuration.Mode = strings.TrimPrefix(configuration.Mode, "unidling+")
	out.Source = fmt.Sprintf("configmap %s/%s", found.Namespace, found.Name)
	settle(&out, configuration)
	// It is built from kube-proxy's code, and is not kube-proxy.
	out.Confidence = cluster.Inferred
	return out, true
}

// openShiftNetwork uses the network type of OpenShift's Network (config.openshift.io/v1), where not all DaemonSets were read.
func (f *facts) openShiftNetwork() (cluster.Dataplane, bool) {
	network := f.other("Network", "cluster")
	if network == nil || f.knowsDaemonSets() {
		return cluster.Dataplane{}, false
	}
	// A malformed setting counts as absent. The status says what runs, the spec what is wanted.
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
