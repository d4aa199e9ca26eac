package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// kubeVIP is kube-vip: addresses that it announces from nodes.
type kubeVIP struct{ unknown }

func (kubeVIP) about() (name, title string) { return "kube-vip", "kube-vip" }

func (kubeVIP) recognise(c candidate) (LoadBalancer, bool) {
	key := c.annotated("kube-vip.io/vipHost")
	lb := announced("kube-vip", "kube-vip", "annotation "+key)
	if key == "" && c.service.LoadBalancerClass == "kube-vip.io/kube-vip-class" {
		lb.Source = "loadBalancerClass kube-vip.io/kube-vip-class"
		return lb, true
	}
	return lb, key != ""
}

func (kubeVIP) toLocal(_ LoadBalancer, f Facts) Change {
	if !annotated(f.Service, "kube-vip.io/leaseName") {
		return announcedToLocal()
	}
	return Change{Checks: []Check{{
		Name: "policy-supported", Holds: cluster.No, Message: "kube-vip does not support externalTrafficPolicy Local together with annotation kube-vip.io/leaseName",
		Fact: "kube-vip.io/leaseName is set", Source: "kube-vip/kube-vip pkg/services/processor.go",
	}}}
}
