// Package objects knows what is kept of the Kubernetes objects that were read, and turns it into facts.
package objects

import (
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// Objects is what was read, in Kubernetes' own types. Lists are in no particular order.
type Objects struct {
	Services   []corev1.Service
	Slices     []discoveryv1.EndpointSlice
	Nodes      []corev1.Node
	DaemonSets []appsv1.DaemonSet
	ConfigMaps []corev1.ConfigMap
	// Corefile is CoreDNS's configuration; "" where it was not read. It is in no dump.
	Corefile string
	// Pods are those of kube-proxy, where no DaemonSet runs it.
	Pods []corev1.Pod
	// Clients are all pods of files, for a name that is looked up among them. They are in no dump.
	Clients   []Pod
	Ingresses []networkingv1.Ingress
	// Events are about Services; from a cluster, the newest of each Service that waits for a load balancer address.
	Events []corev1.Event
	// Others are objects of types that are not part of Kubernetes: Gateway, FelixConfiguration; and Leases.
	Others []unstructured.Unstructured
	// Gaps lists what could not be read.
	Gaps []cluster.Gap

	// Complete means that everything that matters was asked for: what is neither here nor in Gaps does not exist. Files that are not a dump give no such certainty.
	Complete bool
}

// PartialAnnotation marks a Node of which only the metadata and the columns of `kubectl get nodes -o wide` were read, also in a dump.
const PartialAnnotation = "kubectl-etp/partial"

// Key names an object. Kind may be "" where only one kind is meant.
type Key struct{ Kind, Namespace, Name string }

// Full is the name with its namespace, where it has one.
func (k Key) Full() string {
	if k.Namespace == "" {
		return k.Name
	}
	return k.Namespace + "/" + k.Name
}

// CoreDNSConfig is the ConfigMap of kube-system with CoreDNS's configuration.
const CoreDNSConfig = "coredns"

// KeepCorefile keeps the Corefile of a ConfigMap that is CoreDNS's.
func (o *Objects) KeepCorefile(c *corev1.ConfigMap) {
	if c.Name == CoreDNSConfig && c.Namespace == detect.KubeSystem {
		o.Corefile = c.Data["Corefile"]
	}
}
