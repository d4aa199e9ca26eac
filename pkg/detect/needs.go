package detect

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Reference names an object to read. Namespace is "" for an object that has none.
type Reference struct {
	// Resource is as cluster.Gap has it.
	Resource, Namespace, Name string
}

// Needs are what detection reads beside the DaemonSets and the nodes.
type Needs struct {
	ConfigMaps []Reference
	// Guessed: no DaemonSet could be read, so that a ConfigMap that does not exist says nothing.
	Guessed bool
	// StaticPods: kube-proxy may run in static pods, since no DaemonSet runs it.
	StaticPods bool
	// Others are objects of types that are not part of Kubernetes.
	Others []Reference
}

// Always are objects to read in any cluster. Most clusters do not have them.
func Always() []Reference {
	var out []Reference
	for i := range registry {
		out = append(out, registry[i].always...)
	}
	return out
}

// NeedsOf is what to read next, once the DaemonSets and the nodes of o are known. onlyKubeSystem says that the DaemonSets of kube-system were read though those of
// all namespaces could not be.
func NeedsOf(o *Objects, onlyKubeSystem bool) Needs {
	f := newFacts(registry, o)
	listed := onlyKubeSystem || f.knowsDaemonSets()
	out := Needs{Guessed: !listed, StaticPods: listed && !f.has(kubeProxyName) && !f.isK3s()}
	add := func(r Reference) {
		if !slices.Contains(out.ConfigMaps, r) {
			out.ConfigMaps = append(out.ConfigMaps, r)
		}
	}
	for i := range registry {
		p := &registry[i]
		if !listed {
			for _, name := range p.guesses {
				add(Reference{cluster.ResourceConfigMaps, KubeSystem, name})
			}
			continue
		}
		if p.configMaps == nil {
			continue
		}
		for _, set := range f.sets[p.name] {
			for _, r := range p.configMaps(set) {
				add(r)
			}
		}
	}
	for i := range registry {
		if registry[i].others != nil {
			out.Others = append(out.Others, registry[i].others(f)...)
		}
	}
	return out
}

// LikelyNamespaces are those beside kube-system where installers put a data plane: Cilium's Helm chart where it is given one, Tigera's operator, OVN-Kubernetes, OpenShift.
func LikelyNamespaces(o *Objects) []string {
	if newFacts(registry, o).isOpenShift() {
		return []string{"openshift-ovn-kubernetes", "openshift-sdn", calicoSystem}
	}
	return []string{"cilium", calicoSystem, "ovn-kubernetes"}
}

// configMapIn refers to ConfigMaps of a namespace. Empty names are left out.
func configMapIn(namespace string, names ...string) []Reference {
	var out []Reference
	for _, name := range names {
		if name != "" {
			out = append(out, Reference{cluster.ResourceConfigMaps, namespace, name})
		}
	}
	return out
}
