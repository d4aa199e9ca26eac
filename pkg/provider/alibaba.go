package provider

import (
	"net/netip"
	"regexp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// backendType is read raw by Alibaba's cloud controller manager, and only the exact value eni makes it send to pods.
const backendType = "service.beta.kubernetes.io/backend-type"

var alibabaInstance = regexp.MustCompile(`^(alicloud://)?[a-z]{2}-[a-z0-9-]+\.i-`)

// alibaba recognises Classic and Network Load Balancers of Alibaba Cloud (kubernetes/cloud-provider-alibaba-cloud pkg/controller/helper/service_utils.go).
func alibaba(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{Name: "alibaba", Product: "CLB"}
	switch f := c.finalizer("service.k8s.alibaba/"); {
	case f == "service.k8s.alibaba/nlb":
		lb.Product, lb.Source = "NLB", "finalizer "+f
	case f != "":
		lb.Source = "finalizer " + f
	case c.service.LoadBalancerClass == "alibabacloud.com/nlb":
		lb.Product, lb.Source = "NLB", "loadBalancerClass alibabacloud.com/nlb"
	case c.service.LoadBalancerClass == "" && alibabaInstance.MatchString(c.id):
		lb.Source = "providerID of the nodes"
	default:
		return LoadBalancer{}, false
	}
	lb.Title = "Alibaba Cloud " + lb.Product
	switch value := c.service.Annotations[backendType]; {
	case value == "eni":
		lb.Backends = Pods
	case value != "" || podsHaveNodeRanges(c.snapshot, c.service):
		lb.Backends = Nodes
	default:
		// The controller's default is not in the API: eni on Terway clusters made since August 2020, ecs elsewhere.
		lb.Backends = UnknownBackends
	}
	return lb, true
}

// podsHaveNodeRanges: some endpoint lies in a node's podCIDR, so pods are on an overlay or on routes that the load balancer cannot send to.
func podsHaveNodeRanges(s *cluster.Snapshot, svc *cluster.Service) bool {
	for i := range svc.Endpoints {
		node := s.NodeIndex(svc.Endpoints[i].Node)
		if node >= 0 && containsAddr(s.Nodes[node].PodCIDRs, svc.Endpoints[i].Address) {
			return true
		}
	}
	return false
}

func containsAddr(ranges []netip.Prefix, a netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(a) {
			return true
		}
	}
	return false
}
