package objects

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Pod is what is read of a pod from which a connection starts.
type Pod struct {
	Namespace, Name string
	// Node is "" for a pod that is not scheduled yet.
	Node        string
	HostNetwork bool
	// Ended: all its containers have ended, and it runs no more.
	Ended bool
	// Addresses are its own, one of each family at most; nil for a pod that has none yet.
	Addresses []netip.Addr
}

// PodFacts are the facts of a pod.
func PodFacts(p *corev1.Pod) Pod {
	out := Pod{
		Namespace: p.Namespace, Name: p.Name, Node: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork,
		Ended: p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed,
	}
	texts := make([]string, 0, 2)
	for _, ip := range p.Status.PodIPs {
		texts = append(texts, ip.IP)
	}
	if len(texts) == 0 && p.Status.PodIP != "" {
		texts = append(texts, p.Status.PodIP)
	}
	out.Addresses = parseAddresses(texts)
	return out
}

// Pod finds a pod of files by name, in any namespace where it is "".
func (o *Objects) Pod(namespace, name string) (Pod, bool) {
	i := slices.IndexFunc(o.Clients, func(p Pod) bool {
		return p.Name == name && (namespace == "" || NamespaceOf(p.Namespace, Query{}) == namespace)
	})
	if i < 0 {
		return Pod{}, false
	}
	return o.Clients[i], true
}

// PodNames are those of the pods of a namespace, any where it is "", in order.
func (o *Objects) PodNames(namespace string) []string {
	var out []string
	for i := range o.Clients {
		if namespace == "" || NamespaceOf(o.Clients[i].Namespace, Query{}) == namespace {
			out = append(out, o.Clients[i].Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
