package provider

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// cilium is Cilium: addresses that it gave, known by its classes (cilium/cilium v1.20.2
// pkg/k8s/apis/cilium.io/v2alpha1) or by LB-IPAM's condition. Nodes announce them by L2 or BGP, or have them themselves
// (node IPAM).
type cilium struct{ unknown }

func (cilium) about() (name, title string) { return "cilium", "Cilium" }

const ciliumL2 = "io.cilium/l2-announcer"

// ciliumAddress is the condition that Cilium's LB-IPAM sets on a Service to which it has given an address
// (cilium/cilium v1.20.2 operator/pkg/lbipam/lbipam.go).
const ciliumAddress = "cilium.io/IPAMRequestSatisfied"

func (cilium) recognise(c candidate) (LoadBalancer, bool) {
	switch class := c.service.LoadBalancerClass; {
	case class == ciliumL2, class == "io.cilium/bgp-control-plane", class == "io.cilium/node":
		return announced("cilium", "Cilium", "loadBalancerClass "+class), true
	case slices.Contains(c.service.Conditions, ciliumAddress):
		return announced("cilium", "Cilium LB-IPAM", "condition "+ciliumAddress), true
	}
	if nodes := announcing(c.service, "cilium"); len(nodes) > 0 {
		return announced("cilium", "Cilium", nodes[0].Source), true
	}
	return LoadBalancer{}, false
}

// announcers: the holder of the Service's Lease announces it by L2 (cilium/cilium v1.20.2
// pkg/l2announcer/l2announcer.go). By BGP others may announce it as well, unless that is off or the class rules it out.
func (cilium) announcers(svc *cluster.Service) (nodes []cluster.Announcer, old bool) {
	return announcing(svc, "cilium"), false
}

func (cilium) announcesAlone(s *cluster.Snapshot, svc *cluster.Service) bool {
	settings := s.Dataplane.Cilium
	return svc.LoadBalancerClass == ciliumL2 || settings != nil && !settings.BGP
}

func (cilium) announcerShown(svc *cluster.Service) (command, sentence string) {
	return "kubectl get lease cilium-l2announce-" + svc.Namespace + "-" + svc.Name + " -n kube-system -o yaml",
		"Where Cilium announces by L2, Lease cilium-l2announce-" + svc.Namespace + "-" + svc.Name + " in Cilium's namespace names it (spec.holderIdentity)"
}

func (cilium) electsEndpoints() string {
	return "Upgrade Cilium to v1.20.2 or later: with policy Local only nodes with an endpoint take part in the election"
}

// electsAnyNode: before v1.20.2 every node takes part in the election of the node that announces by L2
// (https://github.com/cilium/cilium/issues/27800; Documentation/network/l2-announcements.rst). From then on only nodes
// with an endpoint do, which none has for a Service that Envoy serves on every node (cilium/cilium pull request 48799).
func (cilium) electsAnyNode(s *cluster.Snapshot, svc *cluster.Service) (holds cluster.Tristate, reason string) {
	if svc.LoadBalancerClass != ciliumL2 && len(announcing(svc, "cilium")) == 0 {
		return cluster.No, "" // by BGP, or by nobody
	}
	v := s.Dataplane.Version
	if s.Dataplane.Cilium != nil && s.Dataplane.Cilium.Version.Known() {
		v = s.Dataplane.Cilium.Version
	} else if s.Dataplane.Name != cluster.Cilium {
		v = cluster.Version{}
	}
	switch {
	case v.Known() && !v.Before(1, 20, 2):
		return cluster.No, ""
	case v.Known():
		return cluster.Yes, "before v1.20.2 Cilium elects the node that announces by L2 without regard to the policy"
	}
	return cluster.Undetermined, "before v1.20.2 Cilium elects the node that announces by L2 without regard to the policy, and its version was not read"
}

func (cilium) toCluster(_ LoadBalancer, f Facts) Change {
	if f.Service.LoadBalancerClass != ciliumL2 {
		return Change{}
	}
	return Change{Gains: []string{"Cilium's documentation says that L2 announcements do not work with externalTrafficPolicy Local; with Cluster they do"}}
}

func (cilium) toLocal(_ LoadBalancer, f Facts) Change {
	if f.Service.LoadBalancerClass != ciliumL2 {
		return announcedToLocal()
	}
	return Change{Checks: []Check{{
		Name: "policy-supported", Holds: cluster.No, Message: "Cilium's L2 announcements do not work with externalTrafficPolicy Local: the announcing node may have no endpoint",
		Fact: "loadBalancerClass " + ciliumL2, Source: "cilium Documentation/network/l2-announcements.rst",
	}}}
}
