// Package provider knows whose load balancer stands before a Service and where it sends connections.
package provider

// Backends says what a load balancer sends to.
type Backends string

const (
	Nodes           Backends = "Nodes"
	Pods            Backends = "Pods"
	MixedBackends   Backends = "Mixed"
	UnknownBackends Backends = "Unknown"
)

// LoadBalancer is the load balancer before one Service. Name is "" where it is not known.
type LoadBalancer struct {
	// Name is a short lower-case word: alibaba, aws, gke, azure.
	Name string
	// Title is for people: Alibaba Cloud CLB.
	Title    string
	Product  string
	Backends Backends
	// Source says what it was concluded from: finalizer service.k8s.alibaba/resources.
	Source string
}
