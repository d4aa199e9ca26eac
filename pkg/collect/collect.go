// Package collect is the only reader: it knows how an API server, or manifests and dumps, become a cluster.Snapshot, and what could not be read.
package collect

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Query says which Services are meant, and what the user knows better than the cluster tells.
//
// The zero Query means every Service that is reachable from outside: type LoadBalancer or NodePort, or with externalIPs.
type Query struct {
	// Args name Services as kubectl does: svc/web, "service" "a" "b", web. ing/NAME and gateway/NAME stand for the Services behind them.
	Args []string
	// Namespace is that of the Services; "" is the context's namespace online, and any namespace offline.
	Namespace     string
	AllNamespaces bool
	// Selector is a label selector; it cannot be combined with names.
	Selector string
	// Nodes are those that are asked about; nil for all. Where there are too many to read each in full, these are, up to 6.
	Nodes []string
	// Dataplane overrides what is detected; nil where the user says nothing.
	Dataplane *cluster.Override
}

// UsageError is a mistake in what the user typed.
type UsageError struct{ Message string }

func (e *UsageError) Error() string { return e.Message }

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
	Pods      []corev1.Pod
	Ingresses []networkingv1.Ingress
	// Events are about Services; from a cluster, the newest of each Service that waits for a load balancer address.
	Events []corev1.Event
	// Others are objects of types that are not part of Kubernetes: Gateway, FelixConfiguration.
	Others []unstructured.Unstructured
	// Gaps lists what was asked for and could not be read.
	Gaps []cluster.Gap

	// asked is true where everything that matters was asked for, so that what is neither here nor in Gaps does not exist. Files that are not a dump give no
	// such certainty.
	asked bool
}

// partialAnnotation marks a Node of which only the metadata and the columns of `kubectl get nodes -o wide` were read, also in a dump.
const partialAnnotation = "kubectl-etp/partial"
