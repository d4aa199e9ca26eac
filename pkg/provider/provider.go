// Package provider knows whose load balancer stands before a Service and where it sends connections.
package provider

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

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
	// KeepsDestination: packets come to the node with the load balancer address as their destination still, not to a node port.
	KeepsDestination bool
	// Announced: the address is announced from nodes, and one node may get everything; the Service does not say which.
	Announced bool
	// Source says what it was concluded from: finalizer service.k8s.alibaba/resources.
	Source string
}

// Of recognises the load balancer of a Service: by what its controller wrote on the Service, else by its class, else by where the nodes run. Several controllers may
// serve one cluster, so each Service is judged by itself. Backends is Unknown for a Service that is not of type LoadBalancer.
func Of(s *cluster.Snapshot, svc *cluster.Service) LoadBalancer {
	if svc.Type != cluster.TypeLoadBalancer {
		return LoadBalancer{Backends: UnknownBackends}
	}
	c := candidate{service: svc, snapshot: s, id: providerID(s)}
	for _, recognise := range []func(candidate) (LoadBalancer, bool){metalLB, kubeVIP, alibaba, aws, gke, azure, elsewhere} {
		if lb, ok := recognise(c); ok {
			return lb
		}
	}
	return LoadBalancer{Backends: UnknownBackends}
}

// candidate is what a load balancer is recognised by.
type candidate struct {
	service  *cluster.Service
	snapshot *cluster.Snapshot
	// id is the providerID of a node that has one, "" where none was read.
	id string
}

func providerID(s *cluster.Snapshot) string {
	for i := range s.Nodes {
		if id := s.Nodes[i].ProviderID; id != "" && !s.Nodes[i].VirtualKubelet {
			return id
		}
	}
	return ""
}

// finalizer is the first of the Service's finalizers that starts so, "" where none does.
func (c candidate) finalizer(prefix string) string {
	for _, f := range c.service.Finalizers {
		if strings.HasPrefix(f, prefix) {
			return f
		}
	}
	return ""
}

// annotated is the first of the keys that the Service carries, "" where it carries none.
func (c candidate) annotated(keys ...string) string {
	for _, key := range keys {
		if _, ok := c.service.Annotations[key]; ok {
			return key
		}
	}
	return ""
}

// fromNodes: the nodes run there and the Service is left to the cloud's own controller.
func (c candidate) fromNodes(prefixes ...string) (source string, ok bool) {
	if c.service.LoadBalancerClass != "" {
		return "", false
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(c.id, prefix) {
			return "providerID of the nodes", true
		}
	}
	return "", false
}

// elsewhere names clouds of which no more is known here than their nodes' providerID.
func elsewhere(c candidate) (LoadBalancer, bool) {
	for _, cloud := range []struct{ prefix, name, title string }{
		{"qcloud://", "tencent", "Tencent Cloud CLB"},
		{"tencentcloud://", "tencent", "Tencent Cloud CLB"},
		{"huaweicloud://", "huawei", "Huawei Cloud ELB"},
		{"volcengine://", "volcengine", "Volcengine CLB"},
		{"cce://", "baidu", "Baidu AI Cloud BLB"},
		{"openstack://", "openstack", "OpenStack Octavia"},
		{"digitalocean://", "digitalocean", "DigitalOcean"},
		{"hcloud://", "hetzner", "Hetzner Cloud"},
		{"scaleway://", "scaleway", "Scaleway"},
		{"linode://", "linode", "Akamai Linode NodeBalancer"},
		{"vultr://", "vultr", "Vultr"},
		{"exoscale://", "exoscale", "Exoscale NLB"},
		{"oci://", "oci", "Oracle Cloud"},
		{"ibm://", "ibm", "IBM Cloud"},
		{"k3s://", "k3s", "k3s ServiceLB"},
		{"kind://", "kind", "cloud-provider-kind"},
	} {
		if source, ok := c.fromNodes(cloud.prefix); ok {
			lb := LoadBalancer{Name: cloud.name, Title: cloud.title, Backends: UnknownBackends, Source: source}
			if directly(cloud.name, c.service) {
				lb.Backends = Pods
			}
			return lb, true
		}
	}
	return LoadBalancer{}, false
}

// directly: the annotation by which a cloud's load balancer sends to pods is set.
func directly(name string, svc *cluster.Service) bool {
	switch name {
	case "tencent":
		return svc.Annotations[tencentDirect] == "true"
	case "baidu":
		return svc.Annotations[baiduBackendType] == "eni"
	case "volcengine":
		return svc.Annotations[volcenginePassThrough] == "true"
	}
	return false
}
