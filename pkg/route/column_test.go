package route

import (
	"net/netip"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// Ports that read the same on every node are one part of the map, and one that differs on a single node is another.
// Node ports are a part only where no load balancer address stands before them.
func TestParts(t *testing.T) {
	svc := published()
	svc.ClusterIPs = []netip.Addr{netip.MustParseAddr("10.96.0.9")}
	svc.Ports = []cluster.Port{
		{Name: "a", Protocol: cluster.TCP, Port: 80, NodePort: 30080}, {Name: "b", Protocol: cluster.TCP, Port: 443, NodePort: 30443}, {Name: "c", Protocol: cluster.TCP, Port: 22, NodePort: 30022},
	}
	path := func(from dataplane.From, port uint16, o dataplane.Outcome) dataplane.Path {
		return dataplane.Path{From: from, To: dataplane.LoadBalancerIP, Address: address, Port: port, Protocol: cluster.TCP, Outcome: o, Endpoints: dataplane.AllEndpoints}
	}
	rows := make([]Row, 2)
	for i := range rows {
		for _, port := range []uint16{80, 443, 22} {
			outcome := dataplane.Reachable
			if port == 22 && i == 1 {
				outcome = dataplane.TimedOut
			}
			rows[i].Paths = append(rows[i].Paths, path(dataplane.Pod, port, outcome), path(dataplane.External, port, dataplane.Reachable))
		}
	}
	parts := Parts(svc, rows)
	if len(parts) != 2 || len(parts[0].Targets) != 2 || len(parts[1].Targets) != 1 || !parts[0].Balanced {
		t.Fatalf("%+v", parts)
	}
	last := parts[1]
	if last.Targets[0].Port.Port != 22 || last.Rows[1].Pod.Outcome != dataplane.TimedOut || last.Rows[0].Pod.Outcome != dataplane.Reachable || !last.Rows[0].Node.None {
		t.Errorf("%+v", last)
	}
	if inside := ClusterIPParts(svc, rows); len(inside) != 1 || len(inside[0].Targets) != 3 || inside[0].Balanced || !inside[0].Rows[0].Pod.None {
		t.Errorf("ClusterIPs: %+v", inside)
	}
}

// Where nothing is predicted for a load balancer's name, FROM LB is what its connections get at the node port of the
// same port and family.
func TestCellsOfAName(t *testing.T) {
	row := Row{Paths: []dataplane.Path{
		{From: dataplane.External, To: dataplane.NodePort, Address: netip.MustParseAddr("192.0.2.1"), Port: 30080, Protocol: cluster.TCP, Outcome: dataplane.Refused},
		{From: dataplane.External, To: dataplane.NodePort, Address: netip.MustParseAddr("192.0.2.1"), Port: 30443, Protocol: cluster.TCP, Outcome: dataplane.Reachable},
		{From: dataplane.External, To: dataplane.NodePort, Address: netip.MustParseAddr("2001:db8::1"), Port: 30080, Protocol: cluster.TCP, Outcome: dataplane.Reachable},
	}}
	port := cluster.Port{Protocol: cluster.TCP, Port: 80, NodePort: 30080}
	name := Target{To: dataplane.LoadBalancerHostname, Hostname: "lb.example.com", Port: port}
	if c := name.Cells(&row); c.External.Outcome != dataplane.Partial {
		t.Errorf("a name may have both families: %v", c.External.Outcome)
	}
	ip := Target{To: dataplane.LoadBalancerIP, Address: address, Port: port}
	if c := ip.Cells(&row); c.External.Outcome != dataplane.Refused || !c.Pod.None {
		t.Errorf("an IPv4 address: %v", c.External.Outcome)
	}
	external := Target{To: dataplane.ExternalIP, Address: address, Port: port}
	if c := external.Cells(&row); !c.External.None {
		t.Errorf("an external IP has no load balancer that sends to a node port: %v", c.External.Outcome)
	}
}
