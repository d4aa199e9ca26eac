package dataplane

import (
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// proxyModes are the modes that have a table.
var proxyModes = [...]cluster.ProxyMode{cluster.IPTables, cluster.IPVS, cluster.NFTables}

// serve fills in whether nodePortAddresses include the dialled address of the node, for its mode or, where that is not
// known, for every mode.
func (c *connection) serve(d *cluster.Dataplane, node *cluster.Node, at netip.Addr, f family) {
	if c.name == cluster.Cilium {
		c.servesNodePort = ciliumServes(d, at)
		return
	}
	if c.mode != "" || !c.mayBeKubeProxy() {
		c.servesNodePort = nodePortServed(d, c.mode, node, at, f)
		return
	}
	for i, mode := range proxyModes {
		c.servesNodePortIn[i] = nodePortServed(d, mode, node, at, f)
	}
}

// ciliumServes says whether nodeport-addresses include an address of the node (cilium/cilium
// pkg/datapath/tables/node_address.go, v1.20.2). Loopback addresses are served at the socket.
func ciliumServes(d *cluster.Dataplane, at netip.Addr) cluster.Tristate {
	switch {
	case d.Cilium == nil || len(d.Cilium.NodePortAddresses) == 0 || at.IsLoopback():
		return cluster.Yes
	case !at.IsValid():
		return cluster.Undetermined
	default:
		return cluster.Is(inAny(d.Cilium.NodePortAddresses, at))
	}
}

// ServesNodePorts says whether kube-proxy serves node ports, and health check node ports, at the node's first
// InternalIP of a family.
func ServesNodePorts(d *cluster.Dataplane, node *cluster.Node, ipv6 bool) cluster.Tristate {
	f := v4
	if ipv6 {
		f = v6
	}
	at, _ := first(node.InternalIPs, f)
	mode := d.Mode
	if node.ProxyMode != "" {
		mode = cluster.ProxyMode(node.ProxyMode)
	}
	if mode != "" || d.Name != cluster.KubeProxy {
		return nodePortServed(d, mode, node, at, f)
	}
	served := nodePortServed(d, proxyModes[0], node, at, f)
	for _, mode := range proxyModes[1:] {
		if nodePortServed(d, mode, node, at, f) != served {
			return cluster.Undetermined
		}
	}
	return served
}

// nodePortServed says whether kube-proxy in a mode serves node ports at one of the node's addresses.
func nodePortServed(d *cluster.Dataplane, mode cluster.ProxyMode, node *cluster.Node, at netip.Addr, f family) cluster.Tristate {
	k := d.KubeProxy
	switch {
	case mode == "": // another data plane
		return cluster.Yes
	case at.IsLoopback() && (mode != cluster.IPTables || f == v6 || (k != nil && k.NoLocalhostNodePorts)):
		return cluster.No
	case k != nil && len(k.NodePortAddresses) > 0 && !k.PrimaryOnly && !slices.ContainsFunc(k.NodePortAddresses, func(r netip.Prefix) bool { return familyOf(r.Addr()) == f }):
		return cluster.Yes // ranges of one family do not limit the other
	case k == nil || (len(k.NodePortAddresses) == 0 && !k.PrimaryOnly && mode != cluster.NFTables):
		return cluster.Yes
	case !at.IsValid():
		return cluster.Undetermined
	case len(k.NodePortAddresses) > 0 && (inAny(k.NodePortAddresses, at) || !k.PrimaryOnly):
		return cluster.Is(inAny(k.NodePortAddresses, at))
	case k.BindAddressUnknown:
		return cluster.Undetermined
	case k.BindAddress.IsValid() && familyOf(k.BindAddress) == f:
		return cluster.Is(k.BindAddress == at) // it is the primary address (newProxyServer in cmd/kube-proxy/app)
	case d.ProxyNodeName(node) != node.Name:
		// Without a Node object of that name kube-proxy knows no primary address, and serves them all.
		return cluster.Yes
	default:
		primary, ok := first(node.InternalIPs, f)
		return cluster.Is(ok && primary == at)
	}
}
