package report

import (
	"net/netip"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Where releases differ in which nodes pass a load balancer's health check, a release that is not known is neither.
func TestReceivesByRelease(t *testing.T) {
	misnamed := func(s *cluster.Snapshot) {
		s.Services[0].ExternalTrafficPolicy = cluster.PolicyCluster
		s.Dataplane.KubeProxy.HostnameOverride = "other"
	}
	unserved := func(s *cluster.Snapshot) {
		s.Dataplane.KubeProxy.NodePortAddresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	}
	for _, c := range []struct {
		name, version string
		change        func(*cluster.Snapshot)
		want          string
	}{
		{"kube-proxy under another name", "v1.32.2", misnamed, ""},
		{"kube-proxy under another name", "v1.36.3", misnamed, "NotKnown"},
		{"kube-proxy under another name", "", misnamed, "NotKnown"},
		{"node ports elsewhere", "v1.22.17", unserved, ""},
		{"node ports elsewhere", "v1.36.3", unserved, "HealthCheckNotServed"},
		{"node ports elsewhere", "", unserved, "NotKnown"},
	} {
		t.Run(c.name+" "+c.version, func(t *testing.T) {
			s := wide(8)
			s.Dataplane.Version, _ = cluster.ParseVersion(c.version)
			c.change(s)
			// The first node has ready endpoints.
			if got := Diagnose(s)[0].Nodes[0].LoadBalancer; got.Reason != c.want || (got.Receives == cluster.Yes) != (c.want == "") {
				t.Errorf("receives %v for the reason %q, want the reason %q", got.Receives, got.Reason, c.want)
			}
		})
	}
}
