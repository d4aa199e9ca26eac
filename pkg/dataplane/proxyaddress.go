package dataplane

import (
	"net/netip"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

var (
	unspecified = [...]netip.Addr{v4: netip.IPv4Unspecified(), v6: netip.IPv6Unspecified()}
	loopback    = [...]netip.Addr{v4: netip.MustParseAddr("127.0.0.1"), v6: netip.IPv6Loopback()}
)

// proxyAddress is the address of a family that kube-proxy on a node takes as the node's: its bind address or, where
// that is unspecified or of the other family, the one in the Node object of the name that it runs under, or the
// loopback address where it finds none. The zero Addr where the API does not show it.
//
// Source: kubernetes/kubernetes cmd/kube-proxy/app detectNodeIPs (server.go, v1.29 to v1.37), and detectNodeIP where
// kube-proxy does one family (server_others.go v1.20, server.go v1.21 to v1.27); pkg/util/node GetNodeHostIPs.
func (p *Predictor) proxyAddress(d *cluster.Dataplane, node *cluster.Node, f family) netip.Addr {
	bind := bindAddress(d, f)
	if !bind.IsValid() || !bind.IsUnspecified() {
		return bind
	}
	if name := d.ProxyNodeName(node); name != node.Name {
		i := p.snapshot.NodeIndex(name)
		if i < 0 {
			return loopback[f]
		}
		node = &p.snapshot.Nodes[i]
	}
	if !node.Known {
		return netip.Addr{}
	}
	for _, addresses := range [][]netip.Addr{node.InternalIPs, node.ExternalIPs} {
		if a, ok := first(addresses, f); ok {
			return a
		}
	}
	return loopback[f]
}

// bindAddress is kube-proxy's, and the unspecified address of the family where none of that family is set. The zero
// Addr where its settings were not read.
//
// Source: kubernetes/kubernetes cmd/kube-proxy/app nodeIPTuple (server_others.go v1.20, server.go v1.21 to v1.27).
func bindAddress(d *cluster.Dataplane, f family) netip.Addr {
	switch k := d.KubeProxy; {
	case k == nil || k.BindAddressUnknown:
		return netip.Addr{}
	case k.BindAddress.IsValid() && familyOf(k.BindAddress) == f:
		return k.BindAddress
	default:
		return unspecified[f]
	}
}

// prefersOther: a kube-proxy of one family on the node serves the other one.
func prefersOther(d *cluster.Dataplane, node *cluster.Node, f family) bool {
	if k := d.KubeProxy; k != nil && k.BindAddress.IsValid() {
		return familyOf(k.BindAddress) != f
	}
	return len(node.InternalIPs) > 0 && familyOf(node.InternalIPs[0]) != f
}

// hasBoth: the Node object has addresses of both families.
func hasBoth(node *cluster.Node) bool {
	_, ok4 := first(node.InternalIPs, v4)
	_, ok6 := first(node.InternalIPs, v6)
	return ok4 && ok6
}

// includes says whether ranges include an address, which is the zero Addr where it is not known.
func includes(ranges []netip.Prefix, a netip.Addr) cluster.Tristate {
	if !a.IsValid() {
		return cluster.Undetermined
	}
	return cluster.Is(inAny(ranges, a))
}
