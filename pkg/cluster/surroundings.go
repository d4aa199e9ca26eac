package cluster

import (
	"net/netip"
	"time"
)

// Object names one object of the API, as it was when it was read.
type Object struct {
	APIVersion, Kind, Namespace, Name string
	// ResourceVersion is the one that was read: a change is guarded by it.
	ResourceVersion string
}

// Surroundings are the objects that control one Service or depend on it. They are read only before a change.
//
// Lists are ordered by namespace and name.
type Surroundings struct {
	Service Object
	// Gaps lists what could not be read here. A fact that a gap covers is unknown, not absent.
	Gaps []Gap

	// Metadata is the Service's.
	Metadata Metadata
	// Selector is the Service's; nil where it has none.
	Selector map[string]string
	// AppProtocols are spec.ports[].appProtocol, by the port's name; only ports that have one.
	AppProtocols map[string]string
	// Pods are those that the selector names.
	Pods []Pod
	// Workloads are the controllers of these pods, each once.
	Workloads []Workload
	// Budgets are the PodDisruptionBudgets that select one of the pods.
	Budgets []Budget
	// Policies are the network policies that select one of the pods and tell clients apart by their address.
	Policies []NetworkPolicy
	// Ingresses are those whose published address is the Service's: its pods serve them.
	Ingresses []IngressObject
	// Sharers are other Services of type LoadBalancer with one of the Service's load balancer addresses.
	Sharers []Sharer
	// DaemonSets are those of namespace kube-system.
	DaemonSets []DaemonSet
	// ConfigMaps are those of namespace kube-system that a mode looks at: coredns, and in Tencent's clusters
	// tke-service-controller-config.
	ConfigMaps []ConfigMap
	// Events are those of the Service, newest last.
	Events []Event
	// Server is the API server's release.
	Server Version
	// Born is when the namespace kube-system, and so the cluster, was created; the zero Time where not read.
	Born time.Time
}

// Metadata has the owner of an object, and who wrote it.
type Metadata struct {
	Labels, Annotations map[string]string
	// Controller is the owner that controls the object; nil where there is none.
	Controller *Object
	Managers   []Manager
	// LastApplied is what `kubectl apply` wrote last (its annotation), decoded; nil where the object was not written
	// so.
	LastApplied map[string]any
}

// Manager is one entry of metadata.managedFields.
type Manager struct {
	Name string
	// Apply: the fields were written by server-side apply, and belong to whoever wrote them.
	Apply       bool
	Subresource string
	// Fields is the entry's fieldsV1, decoded: f:spec holding f:replicas, and so on.
	Fields map[string]any
}

// Owns says whether the manager wrote the field at path, a field inside it, or an atomic value that it is part of.
func (m *Manager) Owns(path []string) bool {
	at := m.Fields
	for _, name := range path {
		below, ok := at["f:"+name].(map[string]any)
		if !ok {
			return false
		}
		if len(below) == 0 {
			// A leaf: the field, or an atomic value that the field is part of.
			return true
		}
		at = below
	}
	return true
}

// Pod is one pod behind the Service.
type Pod struct {
	Namespace, Name string
	Node            string
	HostNetwork     bool
	Annotations     map[string]string
	// ReadinessGates are the condition types that spec.readinessGates names.
	ReadinessGates []string
	// Owner is the pod's controller; nil where it has none.
	Owner *Object
}

// Workload is a controller of pods of the Service: a Deployment, a StatefulSet, a DaemonSet, or something of a kind
// that is not known here.
type Workload struct {
	Object
	// Known is false where only its name is known: its kind is not part of Kubernetes, or it could not be read.
	Known    bool
	Metadata Metadata
	Replicas int
	// Strategy is RollingUpdate, Recreate or OnDelete.
	Strategy string
	// Surge and Unavailable are how many pods more, and how many fewer, a rolling update may have for a while.
	Surge, Unavailable int
	Paused             bool
	// Settled is No while a rollout is under way.
	Settled Tristate
	// HostPorts: a container asks for a port of its node, so that two of these pods cannot share one.
	HostPorts   bool
	HostNetwork bool
	// Labels, NodeSelector and Tolerations are the pod template's.
	Labels, NodeSelector map[string]string
	Tolerations          []Toleration
	// Affinity and TopologySpread are the pod template's spec.affinity and spec.topologySpreadConstraints as JSON has
	// them, every field as it was read, numbers as int64 or float64; nil where absent.
	Affinity       map[string]any
	TopologySpread []any
	// Claims: its pods have volumes of their own, which may tie them to a node or a zone.
	Claims bool
}

// Toleration is one entry of a pod's tolerations. Operator is Equal, Exists, Lt or Gt; Effect is "" for every effect.
type Toleration struct {
	Key, Operator, Value, Effect string
}

// Budget is one PodDisruptionBudget.
type Budget struct {
	Namespace, Name string
	// Allowed is how many pods may be taken away now, as its controller counted last.
	Allowed int
}

// NetworkPolicy is a policy that admits or refuses clients by their address. Kind is NetworkPolicy or
// CiliumNetworkPolicy.
type NetworkPolicy struct {
	Kind, Namespace, Name string
	Blocks                []netip.Prefix
}

// IngressObject is one Ingress.
type IngressObject struct {
	Namespace, Name string
	Hosts           []string
	Annotations     map[string]string
}

// Sharer is another Service with the same load balancer address.
type Sharer struct {
	Namespace, Name       string
	ExternalTrafficPolicy Policy
}

// DaemonSet is one DaemonSet, with how many pods it should have and how many are ready.
type DaemonSet struct {
	Namespace, Name string
	Wanted, Ready   int
	// On is whether its pod on a node is ready, by node name, for nodes that have one. It is read for Terway alone, and
	// for the nodes of the Service's ready endpoints at least; nil where it was not asked for or could not be read.
	On map[string]bool
	// Gap is why On could not be read; nil where it was, or was not asked for.
	Gap *Gap
}

// ConfigMap is one ConfigMap.
type ConfigMap struct {
	Object
	Metadata Metadata
	Data     map[string]string
}

// Event is one event of the Service.
type Event struct {
	// Type is Normal or Warning.
	Type, Reason, Message string
	Last                  time.Time
}

// Gap finds the gap that covers a resource, and in it an object where name is not ""; nil where that was read.
func (s *Surroundings) Gap(resource, name string) *Gap {
	for i := range s.Gaps {
		if g := &s.Gaps[i]; g.Resource == resource && (name == "" || g.Name == "" || g.Name == name) {
			return g
		}
	}
	return nil
}
