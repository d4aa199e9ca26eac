package dataplane

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Addresses yields every address and host name of a Service: those of its load balancer, external IPs, ClusterIPs.
// Target.Port and Target.Node are not set.
func Addresses(svc *cluster.Service) iter.Seq[Target] {
	return func(yield func(Target) bool) {
		for _, in := range svc.Ingress {
			t := Target{To: LoadBalancerIP, Address: in.IP, IPMode: in.IPMode}
			if !in.IP.IsValid() {
				t = Target{To: LoadBalancerHostname, Hostname: in.Hostname, IPv6: onlyIPv6(svc.ClusterIPs)}
			}
			if (t.Address.IsValid() || t.Hostname != "") && !yield(t) {
				return
			}
		}
		for _, a := range svc.ExternalIPs {
			if !yield(Target{To: ExternalIP, Address: a}) {
				return
			}
		}
		for _, a := range svc.ClusterIPs {
			if !yield(Target{To: ClusterIP, Address: a}) {
				return
			}
		}
	}
}

// Targets are the addresses of a Service that clients can connect to, each once for every port: the addresses and host
// names of its load balancer, external IPs, node ports (of each address family of the Service), ClusterIPs. Target.Node
// is not set.
func Targets(svc *cluster.Service) []Target {
	var all, last []Target
	for t := range Addresses(svc) {
		for t.Port = range svc.Ports {
			switch {
			case t.To == ClusterIP:
				last = append(last, t)
			case !slices.ContainsFunc(all, t.same):
				all = append(all, t)
			}
		}
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
	return append(all, last...)
}

func (t Target) same(o Target) bool {
	return o.To == t.To && o.Address == t.Address && o.Hostname == t.Hostname && o.Port == t.Port
}

// Host is the address or host name that is dialled, "" for node ports.
func (t Target) Host() string {
	if t.Address.IsValid() {
		return t.Address.String()
	}
	return t.Hostname
}

// At says whether the target can be dialled at a node: a node port cannot where the node is known to have no InternalIP
// of its family.
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

// Publishes says whether a kind of target is meant for clients: addresses and host names of the load balancer and
// external IPs are, node ports where no load balancer has an address before them, ClusterIPs are not.
func Publishes(svc *cluster.Service, to To) bool {
	switch to {
	case NodePort:
		return svc.Type != cluster.TypeLoadBalancer || svc.Pending()
	case ClusterIP:
		return false
	case LoadBalancerIP, LoadBalancerHostname, ExternalIP:
	}
	return true
}

// Published are the targets that are meant for clients, at every port.
func Published(svc *cluster.Service) []Target {
	return slices.DeleteFunc(Targets(svc), func(t Target) bool { return !Publishes(svc, t.To) })
}

// PublishedAndServed are the published targets at ports that a ready endpoint serves.
func PublishedAndServed(svc *cluster.Service) []Target {
	return slices.DeleteFunc(Published(svc), func(t Target) bool { return !Served(svc, t.Port) })
}

// Served says whether a ready endpoint serves a Service port, by its index; every port counts as served where the
// endpoints could not be read.
func Served(svc *cluster.Service, port int) bool {
	return !svc.EndpointsKnown || slices.ContainsFunc(svc.Endpoints, func(e cluster.Endpoint) bool { return e.Ready && e.Serves(&svc.Ports[port]) })
}
