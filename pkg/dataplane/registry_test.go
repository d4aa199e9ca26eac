package dataplane

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// TestNewPlane adds a data plane that exists only here: one entry in the registry is enough for prediction, the
// override and the list of rules.
func TestNewPlane(t *testing.T) {
	const loom cluster.DataplaneName = "loom"
	rule := &Rule{ID: "LOOM-01", Basis: Source, Since: "2.0", Until: "3.0", Source: "this test", Reason: "loom rejects every connection"}
	unread := &Rule{ID: "UNK-99", Reason: "this release of loom has not been read"}
	before := planes
	t.Cleanup(func() { planes = before })
	planes = append(slices.Clone(planes), &plane{
		name: loom, letters: "LOOM", since: version("2.0"), until: version("3.0"), unread: unread,
		rules: []*Rule{rule}, table: func(*connection) verdict { return refused(rule) },
	})

	if o, err := ParseOverride("loom@2.4"); err != nil || o.Name != loom || o.Version != version("2.4") {
		t.Errorf("the override is %+v, %v", o, err)
	}
	if _, err := ParseOverride("loom/fast"); err == nil || !strings.Contains(err.Error(), "loom has no modes") {
		t.Errorf("the error about a mode is %v", err)
	}
	if rules := Rules(); !slices.Contains(rules, rule) || !slices.Contains(rules, unread) {
		t.Error("its rules are not listed")
	}
	if since, until := rule.Range(); since != "2.0" || until != "3.0" {
		t.Errorf("the rule holds from %s to %s", since, until)
	}

	path := func(d cluster.Dataplane) Path {
		address := netip.MustParseAddr("203.0.113.10")
		snapshot := &cluster.Snapshot{
			Dataplane: d,
			Nodes:     []cluster.Node{{Name: "a", Known: true}},
			Services: []cluster.Service{{
				Type: cluster.TypeLoadBalancer, Ingress: []cluster.Ingress{{IP: address}}, EndpointsKnown: true, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")},
				ExternalTrafficPolicy: cluster.PolicyCluster, Ports: []cluster.Port{{Protocol: cluster.TCP, Port: 80}},
				Endpoints: []cluster.Endpoint{{
					Address: netip.MustParseAddr("10.244.0.9"), Node: "a", Ready: true, Serving: true, Ports: []cluster.EndpointPort{{Protocol: cluster.TCP, Port: 8080}},
				}},
			}},
		}
		return New(snapshot, &snapshot.Services[0]).Path(Client{From: Pod}, Target{To: LoadBalancerIP, Address: address})
	}
	if p := path(cluster.Dataplane{Name: loom, Version: version("2.4")}); p.Outcome != Refused || p.Rule != rule {
		t.Errorf("its table is not asked: %+v", p)
	}
	if p := path(cluster.Dataplane{Name: loom, Version: version("3.0")}); p.Outcome != Unknown || p.Rule != unread {
		t.Errorf("a release that nobody has read: %+v", p)
	}
	if p := path(cluster.Dataplane{Name: cluster.UnknownDataplane}); p.Outcome != Unknown || !p.Could.Has(Refused) {
		t.Errorf("it is not among the data planes that an unknown one could be: %+v", p)
	}
}

// Ids of rules start with the letters of their plane, which no other plane has. nodeports.go lists the modes of
// kube-proxy in an array, because a connection has to be comparable.
func TestRegistry(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range planes {
		if seen[p.letters] || slices.Contains(families, p.letters) {
			t.Errorf("%s %s: the letters %s are taken", p.name, p.mode, p.letters)
		}
		seen[p.letters] = true
		rules := p.rules
		if p.beside != nil {
			rules = append(slices.Clone(rules), p.beside.rules...)
		}
		for _, r := range rules {
			if family, _, _ := strings.Cut(r.ID, "-"); family != p.letters {
				t.Errorf("%s: the id %s does not start with %s", p.name, r.ID, p.letters)
			}
		}
		if p.table == nil || p.unread == nil || !p.since.Less(p.until) {
			t.Errorf("%s %s: an entry needs a table, releases and the rule for others", p.name, p.mode)
		}
	}
	if got := modesOf(cluster.KubeProxy); !slices.Equal(got, proxyModes[:]) {
		t.Errorf("modes of kube-proxy: the registry has %v, node ports %v", got, proxyModes)
	}
}
