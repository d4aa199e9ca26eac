package report

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Doubt is what a diagnosis does not know about connections to a Service's addresses, or to the node ports of a Service
// without a load balancer address. As long as something is not known, a Service is not reported as healthy, whatever
// the checks found.
type Doubt struct {
	// Outside, Pods and Hosts: it is not known whether connections from outside, from pods, and from processes on the
	// host network work on every node.
	Outside, Pods, Hosts bool
	// PodsHandedOn and HostsHandedOn: some node leaves such connections to the load balancer, and the cluster does not
	// show what happens to them there.
	PodsHandedOn, HostsHandedOn bool
	// NoHeader: connections from inside reach backends without the PROXY protocol header that the load balancer adds.
	NoHeader bool
}

// Any says whether anything is not known.
func (d Doubt) Any() bool { return d != Doubt{} }

func doubt(r *Report) (d Doubt) {
	seen := false
	header := provider.ProxyProtocol(r.Service) != ""
	for i := range r.Nodes {
		row := &r.Nodes[i]
		if row.Node.IsVirtual() {
			continue
		}
		for j := range row.Paths {
			p := &row.Paths[j]
			if !matters(r.Service, p) {
				continue
			}
			seen = true
			d.NoHeader = d.NoHeader || header && p.From != dataplane.External && p.To == dataplane.LoadBalancerIP && p.Outcome == dataplane.Reachable
			unknown, handedOn := p.Outcome == dataplane.Unknown, p.Outcome == dataplane.ViaLoadBalancer
			switch p.From {
			case dataplane.External:
				d.Outside = d.Outside || open(row, p)
			case dataplane.Pod:
				d.Pods, d.PodsHandedOn = d.Pods || unknown, d.PodsHandedOn || handedOn
			case dataplane.Node:
				d.Hosts, d.HostsHandedOn = d.Hosts || unknown, d.HostsHandedOn || handedOn
			}
		}
	}
	if !seen {
		return Doubt{Outside: true, Pods: true, Hosts: true}
	}
	return d
}

// matters says whether clients are meant to make such a connection.
func matters(s *cluster.Service, p *dataplane.Path) bool {
	return p.To == dataplane.ClusterIP || dataplane.Publishes(s, p.To)
}

// open says whether the outcome of a connection from outside is not known at a node, or whether the load balancer sends
// it there.
func open(row *Row, p *dataplane.Path) bool {
	unknown := p.Outcome == dataplane.Unknown
	if p.To == dataplane.ExternalIP || p.To == dataplane.NodePort || row.LoadBalancer.Receives == cluster.Yes {
		return unknown
	}
	return row.LoadBalancer.Receives == cluster.Undetermined
}
