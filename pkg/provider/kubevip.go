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

// announcers: by ARP one node announces the address, and the annotation names it. With BGP the annotation is written
// too, and other nodes may announce as well (kube-vip/kube-vip v1.2.3 pkg/services/services.go updateStatus).
func (kubeVIP) announcers(svc *cluster.Service) (nodes []cluster.Announcer, old bool) {
	return announcing(svc, "kube-vip"), false
}

func (kubeVIP) announcesAlone(*cluster.Snapshot, *cluster.Service) bool { return true }

func (kubeVIP) announcerShown(svc *cluster.Service) (command, sentence string) {
	if host := svc.Annotations["kube-vip.io/vipHost"]; host != "" {
		return "", "Annotation kube-vip.io/vipHost names " + host + ". In ARP mode (vip_arp of kube-vip's DaemonSet) it alone announces the address; in BGP mode others may too"
	}
	return "", "Annotation kube-vip.io/vipHost of the Service names it, once kube-vip has written it"
}

func (kubeVIP) electsEndpoints() string {
	return "Set svc_election of kube-vip to true and use a current release: each Service is then announced from a node with an endpoint"
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
