package dataplane_test

import (
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

func TestPathFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		path  dataplane.Path
		fails bool
		works cluster.Tristate
	}{
		{"refused", dataplane.Path{Outcome: dataplane.Refused}, true, cluster.No},
		{"times out", dataplane.Path{Outcome: dataplane.TimedOut}, true, cluster.No},
		{"connect fails at once", dataplane.Path{Outcome: dataplane.Unreachable}, true, cluster.No},
		{"leaves for a load balancer without endpoints", dataplane.Path{Outcome: dataplane.ViaLoadBalancer, Endpoints: dataplane.NoEndpoints}, true, cluster.No},
		{
			"comes from there and goes back there",
			dataplane.Path{From: dataplane.External, Outcome: dataplane.ViaLoadBalancer, Endpoints: dataplane.NoEndpoints},
			false, cluster.Yes,
		},
		{"leaves for a load balancer with endpoints", dataplane.Path{Outcome: dataplane.ViaLoadBalancer, Endpoints: dataplane.AllEndpoints}, false, cluster.Yes},
		{"some endpoints do not answer", dataplane.Path{Outcome: dataplane.Partial}, false, cluster.No},
		{"unknown", dataplane.Path{Outcome: dataplane.Unknown}, false, cluster.Undetermined},
		{"works", dataplane.Path{Outcome: dataplane.Reachable, Endpoints: dataplane.LocalEndpoints}, false, cluster.Yes},
	} {
		if c.path.Fails() != c.fails || c.path.Works() != c.works {
			t.Errorf("%s: fails %t, works %d; want %t, %d", c.name, c.path.Fails(), c.path.Works(), c.fails, c.works)
		}
	}
}
