// Package detect tells which data plane runs on each node of a cluster, in which version and with which settings.
//
// It is pure: it reads trimmed Kubernetes objects and returns cluster.Dataplane values. Each data plane, and each distribution that runs kube-proxy outside of any
// pod, has a file of its own and one entry in the registry (registry.go).
package detect

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// KubeSystem is the namespace in which distributions run their own components.
const KubeSystem = "kube-system"

// Objects are what detection reads. They may be trimmed by the Keep functions of this package.
type Objects struct {
	// Nodes are in the order in which Detect returns their data planes.
	Nodes      []*corev1.Node
	DaemonSets []appsv1.DaemonSet
	ConfigMaps []corev1.ConfigMap
	// Pods are kube-proxy's, where no DaemonSet runs it.
	Pods   []corev1.Pod
	Slices []discoveryv1.EndpointSlice
	// Others are objects of types that are not part of Kubernetes: FelixConfiguration, Installation, Network.
	Others []unstructured.Unstructured
	// Gaps are what could not be read.
	Gaps []cluster.Gap
	// Complete means that all of this was requested: what is neither here nor in Gaps does not exist.
	Complete bool
}

// facts are the objects, with the DaemonSets sorted by the program that they run.
type facts struct {
	*Objects
	programs []program
	sets     map[programName][]*appsv1.DaemonSet
}

func newFacts(programs []program, o *Objects) *facts {
	f := &facts{o, programs, map[programName][]*appsv1.DaemonSet{}}
	for i := range o.DaemonSets {
		set := &o.DaemonSets[i]
		if p := runBy(programs, set); p != nil && isScheduled(set) {
			f.sets[p.name] = append(f.sets[p.name], set)
		}
	}
	for _, sets := range f.sets {
		slices.SortFunc(sets, func(a, b *appsv1.DaemonSet) int { return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	}
	return f
}

// isScheduled is false for a DaemonSet whose controller has seen it and found no node for it. A manifest without status counts as scheduled.
func isScheduled(d *appsv1.DaemonSet) bool {
	return d.Status.ObservedGeneration == 0 || d.Status.DesiredNumberScheduled > 0
}

func (f *facts) has(name programName) bool { return len(f.sets[name]) > 0 }

// first is the first DaemonSet of a program, by namespace and name; nil where there is none.
func (f *facts) first(name programName) *appsv1.DaemonSet {
	if !f.has(name) {
		return nil
	}
	return f.sets[name][0]
}

// configMap is nil where it was not read.
func (f *facts) configMap(namespace, name string) *corev1.ConfigMap {
	for i := range f.ConfigMaps {
		if c := &f.ConfigMaps[i]; c.Name == name && c.Namespace == namespace {
			return c
		}
	}
	return nil
}

// other is an object without a namespace of a kind that is not part of Kubernetes; nil where it was not read.
func (f *facts) other(kind, name string) *unstructured.Unstructured {
	for i := range f.Others {
		if o := &f.Others[i]; o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	return nil
}

// isUnread says whether reading a resource failed. An object that does not exist is no failure.
func (f *facts) isUnread(resource string) bool {
	return slices.ContainsFunc(f.Gaps, func(g cluster.Gap) bool { return g.Resource == resource && g.Reason != cluster.NotFound })
}

// knowsDaemonSets is true where every DaemonSet of the cluster was read: one that is not here does not exist.
func (f *facts) knowsDaemonSets() bool { return f.Complete && !f.isUnread(cluster.ResourceDaemonSets) }

// detector decides which data plane runs on a node.
type detector struct {
	*facts
	proxies []kubeProxy
}

// Detect returns the data plane of most nodes that are not virtual and, for each node in the order of o.Nodes, its own where that is another, else nil. Nodes with equal data planes share
// one value. Without any node, the data plane is that of the cluster as far as the other objects identify it. override, if not nil, replaces what is detected.
func Detect(o *Objects, override *cluster.Override) (most cluster.Dataplane, own []*cluster.Dataplane) {
	return detect(registry, o, override)
}

func detect(programs []program, o *Objects, override *cluster.Override) (most cluster.Dataplane, own []*cluster.Dataplane) {
	d := &detector{facts: newFacts(programs, o)}
	d.proxies = d.kubeProxies()
	if len(o.Nodes) == 0 {
		return d.ofNode(&corev1.Node{}, override), nil
	}
	type group struct {
		dataplane *cluster.Dataplane
		members   int
	}
	known := map[nodeKey]int{}
	var groups []group
	of := make([]int, len(o.Nodes))
	for i, n := range o.Nodes {
		key := d.key(n)
		at, ok := known[key]
		if !ok {
			one := d.ofNode(n, override)
			at = slices.IndexFunc(groups, func(g group) bool { return reflect.DeepEqual(*g.dataplane, one) })
			if at < 0 {
				at = len(groups)
				groups = append(groups, group{dataplane: &one})
			}
			known[key] = at
		}
		if !key.isVirtual {
			groups[at].members++
		}
		of[i] = at
	}
	largest := 0
	for i := range groups {
		if groups[i].members > groups[largest].members {
			largest = i
		}
	}
	own = make([]*cluster.Dataplane, len(o.Nodes))
	for i := range own {
		if of[i] != largest {
			own[i] = groups[of[i]].dataplane
		}
	}
	return *groups[largest].dataplane, own
}

// nodeKey is all of a node that decides about its data plane. It is the same for most nodes of a cluster.
type nodeKey struct {
	// proxy is the position of the node's kube-proxy in detector.proxies, -1 where none runs on it.
	proxy              int
	isVirtual, windows bool
	kubelet            string
	// marks are the values of the labels and annotations that programs read, in their order.
	marks string
}

func (d *detector) key(n *corev1.Node) nodeKey {
	var marks strings.Builder
	for i := range d.programs {
		for _, label := range d.programs[i].labels {
			marks.WriteString(n.Labels[label] + "\x00")
		}
		for _, annotation := range d.programs[i].annotations {
			marks.WriteString(n.Annotations[annotation] + "\x00")
		}
	}
	return nodeKey{
		proxy:     slices.IndexFunc(d.proxies, func(p kubeProxy) bool { return p.runs(n) }),
		isVirtual: isVirtual(n),
		windows:   NodeOS(n) == "windows",
		kubelet:   n.Status.NodeInfo.KubeletVersion,
		marks:     marks.String(),
	}
}

// ofNode is a node's data plane. A virtual node has none, whatever the override says; a Windows node keeps its own unless the override is for Windows.
func (d *detector) ofNode(n *corev1.Node, override *cluster.Override) cluster.Dataplane {
	if isVirtual(n) {
		return unknown("the node is virtual: its pods run elsewhere")
	}
	out := d.decide(n)
	onWindows := NodeOS(n) == "windows"
	if !onWindows {
		out.PodMasquerade = d.podMasquerade(n)
		out.MayMasqueradeClients = slices.ContainsFunc(d.programs, func(p program) bool { return p.mayMasqueradeClients != nil && p.mayMasqueradeClients(d.facts) })
	}
	if override != nil && (!onWindows || override.Name == cluster.Windows) {
		apply(override, &out)
	}
	if out.Version.Known() || out.Name != cluster.KubeProxy && out.Name != cluster.Windows {
		return out
	}
	if version, ok := cluster.ParseVersion(n.Status.NodeInfo.KubeletVersion); ok {
		out.Version, out.VersionSource, out.VersionConfidence = version, "the node's kubelet", cluster.Inferred
	}
	return out
}

// decide tries the programs in the order of the registry; the first that knows the node's data plane decides.
func (d *detector) decide(n *corev1.Node) cluster.Dataplane {
	for i := range d.programs {
		if d.programs[i].plane == nil {
			continue
		}
		out, ok := d.programs[i].plane(d, n)
		if !ok {
			continue
		}
		if out.Name == cluster.KubeProxy {
			d.addBeside(&out)
		}
		return out
	}
	return unknown("%s", d.whyUnknown())
}

// addBeside adds what other programs do beside kube-proxy.
func (d *detector) addBeside(out *cluster.Dataplane) {
	for i := range d.programs {
		if beside := d.programs[i].beside; beside != nil {
			beside(d, out)
		}
	}
}

// podMasquerade says whether pods' addresses are rewritten on the way to other nodes. It is known for few networks.
func (d *detector) podMasquerade(n *corev1.Node) cluster.Tristate {
	for i := range d.programs {
		if d.programs[i].podMasquerade == nil {
			continue
		}
		if masquerade, ok := d.programs[i].podMasquerade(d.facts, n); ok {
			return masquerade
		}
	}
	return cluster.Undetermined
}

// whyUnknown says what was read and what was not, where none of it identifies the data plane.
func (d *detector) whyUnknown() string {
	// Where listing the DaemonSets of all namespaces is forbidden, those of kube-system were read, unless there is a second gap for them.
	readKubeSystem := !slices.ContainsFunc(d.Gaps, func(g cluster.Gap) bool {
		return g.Resource == cluster.ResourceDaemonSets && (g.Namespace == KubeSystem || g.Reason != cluster.Forbidden)
	})
	switch {
	case len(d.proxies) > 0:
		return "none of the kube-proxies that were read runs on this node"
	case !d.Complete:
		return "no DaemonSet or ConfigMap of a data plane was read"
	case d.isUnread(cluster.ResourceDaemonSets) && !readKubeSystem:
		return "the DaemonSets could not be listed"
	case d.isUnread(cluster.ResourceDaemonSets):
		return "no DaemonSet in " + KubeSystem + " belongs to a known data plane, and those in other namespaces could not be listed"
	case d.isUnread(cluster.ResourcePods):
		return "no DaemonSet belongs to a known data plane, and the pods in " + KubeSystem + " could not be listed"
	}
	return "no DaemonSet belongs to a known data plane, and no pod in " + KubeSystem + " is labelled as kube-proxy"
}

func unknown(format string, args ...any) cluster.Dataplane {
	return cluster.Dataplane{Name: cluster.UnknownDataplane, Confidence: cluster.UnknownConfidence, Source: fmt.Sprintf(format, args...)}
}

// sourceOf names a DaemonSet as the source of a fact.
func sourceOf(d *appsv1.DaemonSet) string { return fmt.Sprintf("daemonset %s/%s", d.Namespace, d.Name) }

// setVersion takes the version of a data plane from an image of a DaemonSet. An image without a version sets none.
func setVersion(out *cluster.Dataplane, image, source string) {
	out.Version = imageVersion(image)
	if out.Version.Known() {
		out.VersionSource, out.VersionConfidence = "image of "+source, cluster.Observed
	}
}

// weaker is the less certain of two confidences.
func weaker(a, b cluster.Confidence) cluster.Confidence {
	order := []cluster.Confidence{cluster.Observed, cluster.Inferred, cluster.Assumed, cluster.UnknownConfidence}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// apply puts what the user says in the place of what was detected. The settings stay where the data plane is the same.
func apply(o *cluster.Override, d *cluster.Dataplane) {
	const source = "--dataplane"
	if d.Name != o.Name {
		*d = cluster.Dataplane{Name: o.Name, PodMasquerade: d.PodMasquerade, MayMasqueradeClients: d.MayMasqueradeClients}
		if o.Name == cluster.Cilium {
			d.Cilium = &cluster.CiliumSettings{ReplacesKubeProxy: true, Mode: "snat"}
		}
	}
	d.Source, d.Confidence = source, cluster.Observed
	if o.Mode != "" {
		d.Mode = o.Mode
	}
	if o.Version.Known() {
		d.Version, d.VersionSource, d.VersionConfidence = o.Version, source, cluster.Observed
		if d.Name == cluster.Cilium && d.Cilium != nil {
			settings := *d.Cilium
			settings.Version = o.Version
			d.Cilium = &settings
		}
	}
}
