// Package route puts the two halves of a connection together: what the load balancer does with it (pkg/provider) and
// what the node does with it (pkg/dataplane). The columns of the map and the share of connections from outside that
// fail are read off here.
package route

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Row is one node of the map. Node.Dataplane is set only where the node differs from the cluster.
type Row struct {
	Node *cluster.Node
	// Index is the node's place in the snapshot.
	Index     int
	Endpoints dataplane.Count
	// LoadBalancer says whether the load balancer sends to this node, and why not.
	LoadBalancer provider.Receives
	// Live is nil unless asked for. Disagrees: the node's own count of ready endpoints contradicts the EndpointSlices.
	Live      *cluster.Live
	Disagrees bool
	Paths     []dataplane.Path
}

// Path is the row's path to the target of another path from somewhere else, nil where it has none.
func (row *Row) Path(from dataplane.From, like *dataplane.Path) *dataplane.Path {
	for i := range row.Paths {
		if p := &row.Paths[i]; p.From == from && SameTarget(p, like) {
			return p
		}
	}
	return nil
}

// SameTarget says whether two paths dial the same address and port.
func SameTarget(a, b *dataplane.Path) bool {
	return a.To == b.To && a.Address == b.Address && a.Hostname == b.Hostname && a.Port == b.Port && a.Protocol == b.Protocol
}

// PodsReceive says whether the load balancer sends to the pods on the node, and not to the node.
func (row *Row) PodsReceive() bool {
	return row.LoadBalancer.Reason == "SendsToPods" && row.Endpoints.Ready > 0
}

// Arrival says where a packet from outside arrives that the load balancer sends to a node. For a load balancer that is
// not known to send to nodes it is the node port, as the published report defines it.
func Arrival(lb provider.LoadBalancer, svc *cluster.Service, t dataplane.Target) dataplane.Arrival {
	switch {
	case t.To != dataplane.LoadBalancerIP:
		return dataplane.AtNodePort
	case svc.Ports[t.Port].NodePort == 0, lb.Delivery == provider.ToAddress:
		return dataplane.AtAddress
	case lb.Delivery == provider.UnknownDelivery && lb.SendsToNodes():
		return dataplane.AtEither
	}
	return dataplane.AtNodePort
}
