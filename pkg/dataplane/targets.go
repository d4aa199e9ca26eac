package dataplane

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Targets are all that clients can dial of a Service, for every port: published addresses first, then node ports, one for each address family of the Service, ClusterIPs
// last. Target.Node is not set.
func Targets(svc *cluster.Service) (all []Target) {
	each := func(t Target) {
		for i := range svc.Ports {
			t.Port = i
			if !slices.ContainsFunc(all, func(o Target) bool {
				return o.To == t.To && o.Address == t.Address && o.Hostname == t.Hostname && o.Port == i
			}) {
				all = append(all, t)
			}
		}
	}
	for _, in := range svc.Ingress {
		switch {
		case in.IP.IsValid():
			each(Target{To: LoadBalancerIP, Address: in.IP, IPMode: in.IPMode})
		case in.Hostname != "":
			each(Target{To: LoadBalancerHostname, Hostname: in.Hostname, IPv6: onlyIPv6(svc.ClusterIPs)})
		}
	}
	for _, a := range svc.ExternalIPs {
		each(Target{To: ExternalIP, Address: a})
	}
	if svc.Type == cluster.TypeNodePort || svc.Type == cluster.TypeLoadBalancer {
		for i, port := range svc.Ports {
			if port.NodePort == 0 {
				continue
			}
			for _, v6 := range Families(svc.ClusterIPs) {
				all = append(all, Target{To: NodePort, Port: i, IPv6: v6})
			}
		}
	}
	for _, a := range svc.ClusterIPs {
		each(Target{To: ClusterIP, Address: a})
	}
	return all
}

// At says whether the target can be dialled at a node: a node port cannot where the node is known to have no InternalIP of its family.
func (t Target) At(node *cluster.Node) bool {
	return t.To != NodePort || !node.Known || len(node.InternalIPs) == 0 ||
		slices.ContainsFunc(node.InternalIPs, func(a netip.Addr) bool { return a.Is6() == t.IPv6 })
}

func onlyIPv6(addresses []netip.Addr) bool {
	return len(addresses) > 0 && !slices.ContainsFunc(addresses, netip.Addr.Is4)
}

// Families are those of a Service's ClusterIPs, true for IPv6; IPv4 where it has none.
func Families(addresses []netip.Addr) []bool {
	list := make([]bool, 0, 2)
	for _, a := range addresses {
		if !slices.Contains(list, a.Is6()) {
			list = append(list, a.Is6())
		}
	}
	if len(list) == 0 {
		list = append(list, false)
	}
	return list
}

// Published are the targets that are meant for clients, at every port that a ready endpoint serves, or at all ports where the endpoints could not be read: load balancer
// addresses and external IPs, and of a Service without a load balancer address its node ports.
func Published(svc *cluster.Service) []Target {
	return slices.DeleteFunc(Targets(svc), func(t Target) bool {
		return t.To == ClusterIP || t.To == NodePort && svc.Type == cluster.TypeLoadBalancer && !svc.Pending() || !Served(svc, t.Port)
	})
}

// Served says whether a ready endpoint serves a Service port, by its index; every port counts as served where the endpoints could not be read.
func Served(svc *cluster.Service, port int) bool {
	return !svc.EndpointsKnown || slices.ContainsFunc(svc.Endpoints, func(e cluster.Endpoint) bool { return e.Ready && serves(&e, svc.Ports[port]) })
}
