package route

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// ClientAt is the client with an IP address: a process on a node where the address is a node's, a pod where it is an
// endpoint's or in a node's podCIDR, else a client outside.
func ClientAt(s *cluster.Snapshot, a netip.Addr) Client {
	a = a.Unmap()
	for i := range s.Nodes {
		if n := &s.Nodes[i]; slices.Contains(n.InternalIPs, a) || slices.Contains(n.ExternalIPs, a) {
			return Client{Client: dataplane.Client{From: dataplane.Node, Node: i}, Taken: fmt.Sprintf("%s is an address of node %s, so this is a process on its host network", a, n.Name)}
		}
	}
	strays := false
	for i := range s.Services {
		for j := range s.Services[i].Endpoints {
			e := &s.Services[i].Endpoints[j]
			node := s.NodeIndex(e.Node)
			if node < 0 || e.IsPlaceholder() {
				continue
			}
			if e.Address == a {
				c := Client{Client: dataplane.Client{From: dataplane.Pod, Node: node, Address: a}, Pod: e.Target, Taken: fmt.Sprintf("%s is an endpoint on node %s", a, e.Node)}
				if e.Target != "" {
					c.Taken = fmt.Sprintf("%s is pod %s on node %s", a, e.Target, e.Node)
				}
				return c
			}
			strays = strays || e.Target != "" && outsidePodCIDR(&s.Nodes[node], e.Address)
		}
	}
	for i := range s.Nodes {
		if strays {
			break // pods do not get their addresses from podCIDRs
		}
		if n := &s.Nodes[i]; slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return Client{Client: dataplane.Client{From: dataplane.Pod, Node: i, Address: a}, Taken: fmt.Sprintf("%s is in the podCIDR of node %s, so this is a pod on it", a, n.Name)}
		}
	}
	c := Client{Client: dataplane.Client{From: dataplane.External, Node: -1, Address: a}}
	if d := slices.IndexFunc(s.Nodes, func(n cluster.Node) bool { return dataplane.TakenForPod(s.DataplaneOf(&n), a) }); d >= 0 {
		c.Taken = fmt.Sprintf("%s is in kube-proxy's clusterCIDR: where its packets arrive with this address, kube-proxy takes them for a pod's", a)
	}
	return c
}

// outsidePodCIDR says whether a pod's address is outside its node's podCIDR of that family.
func outsidePodCIDR(n *cluster.Node, a netip.Addr) bool {
	i := slices.IndexFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Addr().Is6() == a.Is6() })
	return i >= 0 && !n.PodCIDRs[i].Contains(a) && !slices.Contains(n.InternalIPs, a) && !slices.Contains(n.ExternalIPs, a)
}
