package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Count of backends by what they can do. A backend is one pod, in however many address families.
type Count struct {
	Ready, ServingTerminating, NotReady int
	// ReadyAddresses counts the addresses that are ready, IPv4 and IPv6 each for itself.
	ReadyAddresses [2]int
}

// Add counts a backend; its addresses are counted by Counts.
func (c *Count) Add(b *cluster.Backend) {
	switch {
	case b.Ready:
		c.Ready++
	case b.Serving && b.Terminating:
		c.ServingTerminating++
	default:
		c.NotReady++
	}
}

// Counts are the Service's backends by node, in the snapshot's order, each by the best that it can do for any port; nowhere are those that name no node of the
// snapshot. Endpoints must be ordered by address.
func Counts(s *cluster.Snapshot, svc *cluster.Service) (on []Count, nowhere Count) {
	on = make([]Count, len(s.Nodes))
	at := func(node string) *Count {
		if i := s.NodeIndex(node); i >= 0 {
			return &on[i]
		}
		return &nowhere
	}
	backends := svc.Backends(nil)
	for i := range backends {
		at(backends[i].Node).Add(&backends[i])
	}
	for i := range svc.Addresses(nil) {
		if e := &svc.Endpoints[i]; e.Ready {
			at(e.Node).ReadyAddresses[familyOf(e.Address)]++
		}
	}
	return on, nowhere
}

// Disagrees says whether a node's own count of the endpoints on it, which its health check node port tells, contradicts the EndpointSlices; here is what they place on
// the node, and nowhere what they place on no node of the cluster.
//
// kube-proxy counts the ready addresses of one family (kubernetes/kubernetes pkg/proxy/endpointschangetracker.go LocalReadyEndpoints). It has a proxier for each
// family, each with a health check server of its own, and either may be the one that answers: before v1.36 both want the same socket, and one fails to get it
// (kubernetes/kubernetes#114702, #137370; pkg/proxy/healthcheck/service_health.go). Other data planes count differently: Cilium counts each address and port of both
// families, counts an endpoint without a node on every node, and answers 1 where its own proxy serves (cilium/cilium pkg/loadbalancer/healthserver/healthserver.go).
// Of theirs only zero or not zero is compared.
func Disagrees(d *cluster.Dataplane, svc *cluster.Service, here, nowhere Count, counted int) bool {
	if d.Name != cluster.KubeProxy {
		return (counted > 0) != (here.Ready > 0) && (counted == 0 || nowhere.Ready == 0)
	}
	for f := v4; f <= v6; f++ {
		// A proxier knows nothing of a Service without a ClusterIP of its family.
		_, knows := first(svc.ClusterIPs, f)
		if (knows || len(svc.ClusterIPs) == 0) && counted == here.ReadyAddresses[f] {
			return false
		}
	}
	return true
}
