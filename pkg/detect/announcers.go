package detect

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const (
	leaseKind    = "Lease"
	l2StatusKind = "ServiceL2Status"
	// leasePrefix begins the names of the Leases by which Cilium's agents elect the node that announces a Service by L2
	// (cilium/cilium v1.20.2 pkg/l2announcer/l2announcer.go).
	leasePrefix = "cilium-l2announce-"

	// KubeVIPHost is the annotation in which kube-vip names the node that announces.
	KubeVIPHost = "kube-vip.io/vipHost"
)

// AnnouncerFields are the fields that say which node announces a Service, by kind (for MetalLB: metallb/metallb v0.16.2
// api/v1beta1/servicel2status_types.go).
var AnnouncerFields = map[string][][]string{
	leaseKind:    {{"spec", "holderIdentity"}},
	l2StatusKind: {{"status", "node"}, {"status", "serviceName"}, {"status", "serviceNamespace"}},
}

// LeaseName is the name of the Lease for a Service that Cilium announces by L2.
func LeaseName(namespace, name string) string { return leasePrefix + namespace + "-" + name }

// IsAnnouncersLease says whether a Lease has the name of one by which Cilium announces a Service.
func IsAnnouncersLease(name string) bool { return strings.HasPrefix(name, leasePrefix) }

// Announcers are the nodes of which an object says that they announce addresses of the Service. namespaceOf is the
// namespace of an object that may not say its own.
func Announcers(s *cluster.Service, others []unstructured.Unstructured, sets []appsv1.DaemonSet, namespaceOf func(string) string) []cluster.Announcer {
	if s.Type != cluster.TypeLoadBalancer {
		return nil
	}
	var out []cluster.Announcer
	for i := range others {
		switch u := &others[i]; u.GetKind() {
		case leaseKind:
			if holder := announcerField(u, "spec", "holderIdentity"); holder != "" && u.GetName() == LeaseName(s.Namespace, s.Name) {
				out = append(out, cluster.Announcer{Node: holder, By: "cilium", Source: "lease " + namespaceOf(u.GetNamespace()) + "/" + u.GetName()})
			}
		case l2StatusKind:
			if node := announcerField(u, "status", "node"); node != "" && announcerField(u, "status", "serviceName") == s.Name && announcerField(u, "status", "serviceNamespace") == s.Namespace {
				out = append(out, cluster.Announcer{Node: node, By: "metallb", Source: "servicel2status " + namespaceOf(u.GetNamespace()) + "/" + u.GetName()})
			}
		}
	}
	if node := s.Annotations[KubeVIPHost]; node != "" {
		if set := kubeVIPByARP(sets); set != "" {
			out = append(out, cluster.Announcer{Node: node, By: "kube-vip", Source: "annotation " + KubeVIPHost + ", and vip_arp of " + set})
		}
	}
	slices.SortFunc(out, func(a, b cluster.Announcer) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Source, b.Source))
	})
	return out
}

func announcerField(u *unstructured.Unstructured, path ...string) string {
	// A field of another type says nothing.
	text, _, _ := unstructured.NestedString(u.Object, path...)
	return text
}

// kubeVIPByARP is the DaemonSet by which kube-vip announces addresses by ARP, and so from one node: the annotation is
// written with BGP too (kube-vip/kube-vip v1.2.3 pkg/services/services.go updateStatus). It is "" where none was read.
func kubeVIPByARP(sets []appsv1.DaemonSet) string {
	for i := range sets {
		set := &sets[i]
		arp, bgp := false, false
		for _, container := range kubeVIPContainers(set) {
			for _, env := range container.Env {
				arp = arp || env.Name == "vip_arp" && env.Value == "true"
				bgp = bgp || env.Name == "bgp_enable" && env.Value == "true"
			}
		}
		if arp && !bgp {
			return "daemonset " + set.Namespace + "/" + set.Name
		}
	}
	return ""
}

func kubeVIPContainers(set *appsv1.DaemonSet) []corev1.Container {
	var out []corev1.Container
	for _, c := range set.Spec.Template.Spec.Containers {
		if c.Name == "kube-vip" || strings.Contains(c.Image, "/kube-vip:") {
			out = append(out, c)
		}
	}
	return out
}

// keepKubeVIP trims a DaemonSet of kube-vip to what says how it announces; false for another.
func keepKubeVIP(set *appsv1.DaemonSet) bool {
	containers := kubeVIPContainers(set)
	if len(containers) == 0 {
		return false
	}
	kept := appsv1.DaemonSet{TypeMeta: set.TypeMeta, ObjectMeta: bare(&set.ObjectMeta)}
	for _, c := range containers {
		only := corev1.Container{Name: c.Name, Image: c.Image}
		for _, env := range c.Env {
			if env.Name == "vip_arp" || env.Name == "bgp_enable" || env.Name == "svc_election" {
				only.Env = append(only.Env, corev1.EnvVar{Name: env.Name, Value: env.Value})
			}
		}
		kept.Spec.Template.Spec.Containers = append(kept.Spec.Template.Spec.Containers, only)
	}
	*set = kept
	return true
}
