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

const (
	calicoName programName = "calico"
	// calicoSystem is where Tigera's operator puts Calico (pkg/common in tigera/operator).
	calicoSystem = "calico-system"

	felixBPFEnv             = "FELIX_BPFENABLED"
	felixConnectTime        = "bpfConnectTimeLoadBalancing"
	felixConnectTimeEnabled = "bpfConnectTimeLoadBalancingEnabled"
)

// calico serves Services by its eBPF data plane, where that is turned on.
var calico = program{
	name:        calicoName,
	planes:      []cluster.DataplaneName{cluster.CalicoEBPF},
	recognise:   named("calico-node"),
	environment: []string{felixBPFEnv},
	fields: map[string][][]string{
		"FelixConfiguration": {{"spec", "bpfEnabled"}, {"spec", "bpfExternalServiceMode"}, {"spec", felixConnectTime}, {"spec", felixConnectTimeEnabled}},
		"Installation":       {{"spec", "calicoNetwork", "linuxDataplane"}},
	},
	always: []Reference{{Resource: cluster.ResourceFelixConfigurations, Name: "default"}},
	others: func(f *facts) []Reference {
		if !slices.ContainsFunc(f.sets[calicoName], func(set *appsv1.DaemonSet) bool { return set.Namespace == calicoSystem }) {
			return nil
		}
		return []Reference{{Resource: cluster.ResourceInstallations, Name: "default"}}
	},
	plane: func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) { return d.calicoPlane() },
	beside: func(d *detector, out *cluster.Dataplane) {
		// Calico's eBPF data plane leaves kube-proxy running beside it: where its settings were not read, kube-proxy is only likely.
		if d.isUnread(cluster.ResourceFelixConfigurations) || d.isUnread(cluster.ResourceInstallations) || d.isUnread(cluster.ResourceDaemonSets) {
			out.Confidence = weaker(out.Confidence, cluster.Inferred)
		}
	},
}

// calicoPlane is Calico's eBPF data plane. The environment of calico-node overrides FelixConfiguration (the order of Felix's configuration sources). The operator's
// Installation says what is wanted. The operator puts that into the environment (before v1.28 of tigera/operator: pkg/render/node.go) or, once the new pods are
// out, into FelixConfiguration (since v1.28: setBPFUpdatesOnFelixConfiguration in pkg/controller/installation/core_controller.go).
func (d *detector) calicoPlane() (cluster.Dataplane, bool) {
	out := cluster.Dataplane{Name: cluster.CalicoEBPF, Confidence: cluster.Observed}
	var enabled, isSet bool
	if felix := d.other("FelixConfiguration", "default"); felix != nil {
		// A malformed setting counts as absent.
		enabled, isSet, _ = unstructured.NestedBool(felix.Object, "spec", "bpfEnabled")
		mode, _, _ := unstructured.NestedString(felix.Object, "spec", "bpfExternalServiceMode")
		out.Calico = &cluster.CalicoSettings{DSR: strings.EqualFold(mode, "DSR"), ConnectTime: connectTime(felix)}
		out.Source = "felixconfiguration default"
	}
	for _, set := range d.sets[calicoName] {
		for _, container := range set.Spec.Template.Spec.Containers {
			for _, env := range container.Env {
				if env.Name == felixBPFEnv && env.Value != "" {
					enabled, isSet = isTrue(env.Value), true
					out.Source = fmt.Sprintf("%s of %s", felixBPFEnv, sourceOf(set))
				}
			}
		}
	}
	switch wanted := d.operatorWantsBPF(); {
	case wanted && isSet && !enabled:
		return unknown("installation default turns Calico's eBPF data plane on, but %s turns it off", out.Source), true
	case wanted && !isSet:
		out.Source, out.Confidence = "installation default", cluster.Inferred
	case !enabled:
		return cluster.Dataplane{}, false
	}
	if set := d.first(calicoName); set != nil {
		setVersion(&out, agentImage(set, "calico-node"), sourceOf(set))
	}
	return out, true
}

// operatorWantsBPF is spec.calicoNetwork.linuxDataplane of the Installation (BPFEnabled in api/v1/installation_types.go of tigera/operator). Without calico-node
// nothing puts it into effect.
func (f *facts) operatorWantsBPF() bool {
	installation := f.other("Installation", "default")
	if installation == nil || f.knowsDaemonSets() && !f.has(calicoName) {
		return false
	}
	// A malformed setting counts as absent.
	plane, _, _ := unstructured.NestedString(installation.Object, "spec", "calicoNetwork", "linuxDataplane")
	return plane == "BPF"
}

// connectTime is bpfConnectTimeLoadBalancing; bpfConnectTimeLoadBalancingEnabled is its older form, and overrides it (felix/config/config_params.go in
// projectcalico/calico v3.28.0).
func connectTime(felix *unstructured.Unstructured) string {
	if enabled, ok, _ := unstructured.NestedBool(felix.Object, "spec", felixConnectTimeEnabled); ok {
		if enabled {
			return "Enabled"
		}
		return "Disabled"
	}
	mode, _, _ := unstructured.NestedString(felix.Object, "spec", felixConnectTime)
	return mode
}
