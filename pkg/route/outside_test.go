package route

import (
	"net/netip"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

var address = netip.MustParseAddr("203.0.113.7")

func published() *cluster.Service {
	return &cluster.Service{
		Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, EndpointsKnown: true, Ingress: []cluster.Ingress{{IP: address}},
		Ports: []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080}},
	}
}

// sent is a node that gets a share of the connections, 0 where the share is not known, and does this with them.
func sent(share float64, outcome dataplane.Outcome, ip dataplane.ClientIP) Row {
	return Row{
		Node: &cluster.Node{}, LoadBalancer: provider.Receives{Receives: cluster.Yes, Share: share},
		Paths: []dataplane.Path{{
			From: dataplane.External, To: dataplane.LoadBalancerIP, Address: address, Port: 80, Protocol: cluster.TCP, Outcome: outcome, ClientIP: ip, Basis: dataplane.Source,
		}},
	}
}

// with is the row where this is known of whether it receives.
func (row Row) with(receives cluster.Tristate) Row {
	row.LoadBalancer = provider.Receives{Receives: receives}
	return row
}

// What share of the connections from outside fails: those that the load balancer surely sends where they fail. Nodes
// that get nothing do not count, and a node that may be chosen or not leaves open what depends on it.
func TestFromOutside(t *testing.T) {
	const kept, lost = dataplane.Preserved, dataplane.Rewritten
	ok := func(share float64) Row { return sent(share, dataplane.Reachable, kept) }
	drops := func(share float64) Row { return sent(share, dataplane.TimedOut, dataplane.NoClientIP) }
	refuses := func(share float64) Row { return sent(share, dataplane.Refused, dataplane.NoClientIP) }
	open := func(share float64) Row { return sent(share, dataplane.Unknown, dataplane.ClientIPUnknown) }
	for _, c := range []struct {
		name    string
		rows    []Row
		outcome dataplane.Outcome
		// failing is -1 where it is not known.
		failing float64
		ip      provider.ClientIP
	}{
		{"all work", []Row{ok(0.5), ok(0.5)}, dataplane.Reachable, 0, provider.Preserved},
		{"one of two drops", []Row{ok(0.5), drops(0.5)}, dataplane.Partial, 0.5, provider.Preserved},
		{"one of two drops, shares not known", []Row{ok(0), drops(0)}, dataplane.Partial, -1, provider.Preserved},
		{"the node that drops gets nothing", []Row{ok(1), drops(0).with(cluster.No)}, dataplane.Reachable, 0, provider.Preserved},
		{"the node that drops may be chosen", []Row{ok(0), drops(0).with(cluster.Undetermined)}, dataplane.Unknown, -1, provider.UnknownClientIP},
		{"the other one works too, if it is chosen", []Row{ok(0), ok(0).with(cluster.Undetermined)}, dataplane.Reachable, 0, provider.Preserved},
		{"every node refuses", []Row{refuses(0), refuses(0)}, dataplane.Refused, 1, provider.UnknownClientIP},
		{"some refuse and some drop", []Row{refuses(0.5), drops(0.5)}, dataplane.TimedOut, 1, provider.UnknownClientIP},
		{"one refuses, and one that may be chosen works", []Row{refuses(0), ok(0).with(cluster.Undetermined)}, dataplane.Unknown, -1, provider.UnknownClientIP},
		{"one works, and what happens on the other is not known", []Row{ok(0.5), open(0.5)}, dataplane.Unknown, -1, provider.UnknownClientIP},
		{"one fails beside one that is not known", []Row{ok(0.4), drops(0.3), open(0.3)}, dataplane.Partial, -1, provider.Preserved},
		{"no node gets anything", []Row{ok(0).with(cluster.No)}, dataplane.Unknown, -1, provider.UnknownClientIP},
		{"every node masquerades", []Row{sent(1, dataplane.Reachable, lost)}, dataplane.Reachable, 0, provider.Rewritten},
		{"a node that may be chosen masquerades", []Row{ok(0), sent(0, dataplane.Reachable, lost).with(cluster.Undetermined)}, dataplane.Reachable, 0, provider.UnknownClientIP},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := FromOutside(published(), provider.LoadBalancer{Name: "gke", Backends: provider.Nodes, ClientIP: provider.Preserved}, c.rows)
			failing := o.Failing
			if !o.FailingKnown {
				failing = -1
			}
			if o.Outcome != c.outcome || failing != c.failing || o.ClientIP != c.ip {
				t.Errorf("%v, %v failing, client IP %s; want %v, %v, %s", o.Outcome, failing, o.ClientIP, c.outcome, c.failing, c.ip)
			}
		})
	}
}

// A load balancer's own connections stay its own whatever the nodes do; where some nodes keep the client IP and others
// do not, that is said.
func TestClientIPFromOutside(t *testing.T) {
	rows := []Row{sent(0.5, dataplane.Reachable, dataplane.Preserved), sent(0.5, dataplane.Reachable, dataplane.Rewritten)}
	if o := FromOutside(published(), provider.LoadBalancer{Name: "gke", Backends: provider.Nodes, ClientIP: provider.Preserved}, rows); !o.Mixed || o.ClientIP != provider.UnknownClientIP {
		t.Errorf("kept on one node of two: %s, mixed %v", o.ClientIP, o.Mixed)
	}
	for _, ip := range []provider.ClientIP{provider.Rewritten, provider.ByProxyProtocol} {
		if o := FromOutside(published(), provider.LoadBalancer{Name: "hetzner", Backends: provider.Nodes, ClientIP: ip}, rows); o.Mixed || o.ClientIP != ip {
			t.Errorf("load balancer says %s: %s, mixed %v", ip, o.ClientIP, o.Mixed)
		}
	}
}

// Where pods are the backends no node is asked, but some endpoint must be ready; of several ports the worst counts.
func TestFromOutsideOfPods(t *testing.T) {
	lb := provider.LoadBalancer{Name: "aws", Backends: provider.Pods, ClientIP: provider.Rewritten}
	svc := published()
	drops := []Row{sent(1, dataplane.TimedOut, dataplane.NoClientIP)}
	if o := FromOutside(svc, lb, drops); o.Outcome != dataplane.Unknown {
		t.Errorf("no ready endpoint: %v", o.Outcome)
	}
	svc.Endpoints = []cluster.Endpoint{{Address: netip.MustParseAddr("10.0.0.1"), Ready: true, Ports: []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}}}}
	if o := FromOutside(svc, lb, drops); o.Outcome != dataplane.Reachable || o.ClientIP != provider.Rewritten || o.Failing != 0 {
		t.Errorf("%+v", o)
	}
	svc.Ports = append(svc.Ports, cluster.Port{Name: "https", Protocol: cluster.TCP, Port: 443})
	if o := FromOutside(svc, lb, drops); o.Outcome != dataplane.Unknown {
		t.Errorf("a port that no endpoint serves: %v", o.Outcome)
	}
	if o := FromOutside(published(), provider.LoadBalancer{}, drops); o.Outcome != dataplane.Unknown {
		t.Errorf("a load balancer that is not recognised: %v", o.Outcome)
	}
	if o := FromOutside(published(), provider.LoadBalancer{Name: "alibaba", Backends: provider.Nodes, SharedWithOthers: true}, drops); o.Outcome != dataplane.Unknown {
		t.Errorf("a load balancer that others use too: %v", o.Outcome)
	}
}

// Pods on a virtual node are backends themselves: their part of the connections works.
func TestFromOutsideWithVirtualNodes(t *testing.T) {
	virtual := Row{Node: &cluster.Node{VirtualKubelet: true}, LoadBalancer: provider.Receives{Receives: cluster.No, Reason: "SendsToPods", PodShare: 0.5}}
	lb := provider.LoadBalancer{Name: "alibaba", Backends: provider.MixedBackends, ClientIP: provider.Preserved}
	o := FromOutside(published(), lb, []Row{sent(0.5, dataplane.Refused, dataplane.NoClientIP), virtual})
	if o.Outcome != dataplane.Partial || o.Failing != 0.5 || !o.FailingKnown || o.Basis != dataplane.Source {
		t.Errorf("%+v", o)
	}
	virtual.LoadBalancer.PodShare = 0
	if o := FromOutside(published(), lb, []Row{sent(1, dataplane.Refused, dataplane.NoClientIP), virtual}); o.Outcome != dataplane.Refused {
		t.Errorf("without a pod there: %v", o.Outcome)
	}
}
