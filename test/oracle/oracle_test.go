// Package oracle_test knows what kube-proxy's own code makes of a Service's endpoints, and holds predictions against it.
package oracle_test

import (
	"flag"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// draws makes rapid draw n cases in this test.
func draws(t *testing.T, n int) {
	t.Helper()
	drawn := flag.Lookup("rapid.checks").Value
	before := drawn.String()
	if err := drawn.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drawn.Set(before); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAgainstKubeProxy draws clusters and asks of each connection which endpoints it may reach: kube-proxy's code at the version in go.mod, and the prediction.
func TestAgainstKubeProxy(t *testing.T) {
	// Hints that confine another node's pod are rare: a hundred draws miss them.
	draws(t, 5000)
	rapid.Check(t, func(t *rapid.T) {
		w := worlds().Draw(t, "cluster")
		for _, difference := range w.differences(w.snapshot()) {
			t.Error(difference)
		}
	})
}

// TestSlipsAreCaught: each slip is a mistake that a reader of Services or a data plane's table could make. The same comparison must notice it.
func TestSlipsAreCaught(t *testing.T) {
	const limit = 500
	endpoints := func(change func(*cluster.Endpoint)) func(*cluster.Snapshot) {
		return func(s *cluster.Snapshot) {
			for i := range s.Services[0].Endpoints {
				change(&s.Services[0].Endpoints[i])
			}
		}
	}
	version := func(text string) func(*cluster.Snapshot) {
		return func(s *cluster.Snapshot) { s.Dataplane.Version, _ = cluster.ParseVersion(text) }
	}
	slips := map[string]func(*cluster.Snapshot){
		"a terminating endpoint never serves":           endpoints(func(e *cluster.Endpoint) { e.Serving = e.Serving && !e.Terminating }),
		"a serving endpoint is a ready one":             endpoints(func(e *cluster.Endpoint) { e.Ready = e.Ready || e.Serving }),
		"a ready endpoint has to be serving too":        endpoints(func(e *cluster.Endpoint) { e.Ready = e.Ready && e.Serving }),
		"hints for nodes are not read":                  endpoints(func(e *cluster.Endpoint) { e.ForNodes = nil }),
		"hints for zones are not read":                  endpoints(func(e *cluster.Endpoint) { e.ForZones = nil }),
		"the node of an endpoint is not read":           endpoints(func(e *cluster.Endpoint) { e.Node = "" }),
		"policy Local is taken for Cluster":             func(s *cluster.Snapshot) { s.Services[0].ExternalTrafficPolicy = cluster.PolicyCluster },
		"internal policy Local is taken for Cluster":    func(s *cluster.Snapshot) { s.Services[0].InternalTrafficPolicy = cluster.PolicyCluster },
		"terminating endpoints are a thing since v1.26": version("v1.25.16"),
		"hints for nodes are a thing since v1.34":       version("v1.33.6"),
		"the zone of a node is not read": func(s *cluster.Snapshot) {
			for i := range s.Nodes {
				s.Nodes[i].Zone = ""
			}
		},
	}
	all := worlds()
	for name, slip := range slips {
		t.Run(name, func(t *testing.T) {
			for draw := range limit {
				w := all.Example(draw)
				s := w.snapshot()
				if len(w.differences(s)) > 0 {
					continue // This one shows a difference without the slip.
				}
				slip(s)
				if found := w.differences(s); len(found) > 0 {
					t.Logf("noticed at draw %d: %s", draw+1, found[0])
					return
				}
			}
			t.Errorf("not noticed in %d draws", limit)
		})
	}
}

// expected is what kube-proxy's sets imply for one connection.
type expected struct {
	outcome dataplane.Outcome
	// set are the endpoints among which the choice falls and from which an answer comes back.
	set []netip.Addr
	// topology is what hints have confined the choice to, "" where they have not.
	topology string
}

// differences are the predictions for a snapshot that contradict kube-proxy on the same cluster.
func (w *world) differences(s *cluster.Snapshot) []string {
	var found []string
	predictor := dataplane.New(s, &s.Services[0])
	for judge := range w.nodes {
		sets := w.categorize(judge)
		for from := range w.nodes {
			for _, connection := range w.connections(from, judge) {
				path := predictor.Path(connection.client, connection.target)
				for _, difference := range w.compare(path, w.expect(connection, sets), judge) {
					found = append(found, fmt.Sprintf("%s on %s, %s of %s, judged by %s (%s): %s", path.From, w.nodes[from].name, path.To, path.Address,
						w.nodes[judge].name, path.Rule.ID, difference))
				}
			}
		}
	}
	return found
}

type connection struct {
	client dataplane.Client
	target dataplane.Target
	// elsewhere: the client is inside, on another node than the one that judges.
	elsewhere bool
}

// connections are those that a node judges: of its own clients to every address, and of other nodes' pods to its node port.
func (w *world) connections(from, judge int) []connection {
	var all []connection
	add := func(f dataplane.From, target dataplane.Target) {
		all = append(all, connection{dataplane.Client{From: f, Node: from}, target, from != judge})
	}
	nodePort := dataplane.Target{To: dataplane.NodePort, Node: judge}
	if from != judge {
		add(dataplane.Pod, nodePort)
		return all
	}
	balancer := dataplane.Target{To: dataplane.LoadBalancerIP, Address: balancerIP(), IPMode: cluster.VIP}
	clusterIP := dataplane.Target{To: dataplane.ClusterIP, Address: serviceIP()}
	for _, f := range []dataplane.From{dataplane.Node, dataplane.Pod} {
		add(f, balancer)
		add(f, nodePort)
		add(f, clusterIP)
	}
	add(dataplane.External, balancer)
	add(dataplane.External, nodePort)
	return all
}

// expect reads syncProxyRules of pkg/proxy/iptables/proxier.go and pkg/proxy/nftables/proxier.go: which of the sets a chain is made of, and what catches a connection that none takes.
func (w *world) expect(c connection, sets sets) expected {
	inside := c.client.From != dataplane.External
	switch {
	case !sets.any && w.mode == cluster.IPTables && c.client.From == dataplane.Node && c.target.To == dataplane.LoadBalancerIP:
		// The chain that rejects load balancer addresses is not jumped to from OUTPUT.
		return expected{outcome: dataplane.ViaLoadBalancer}
	case !sets.any:
		return expected{outcome: dataplane.Refused}
	case c.target.To == dataplane.ClusterIP && w.internal == cluster.PolicyLocal, !inside && w.external == cluster.PolicyLocal:
		return choice(sets.local, "")
	case c.elsewhere && w.external == cluster.PolicyLocal:
		// Sent on to any endpoint with the pod's own address: only what is on the judging node answers through it.
		if w.unplaced(sets.cluster) {
			return expected{outcome: dataplane.Unknown}
		}
		reached := expected{outcome: dataplane.TimedOut, topology: sets.topology}
		for _, address := range sets.cluster {
			if w.endpoints[w.at(address)].node == w.nodes[c.target.Node].name {
				reached.set = append(reached.set, address)
			}
		}
		switch len(reached.set) {
		case 0:
		case len(sets.cluster):
			reached.outcome = dataplane.Reachable
		default:
			reached.outcome = dataplane.Partial
		}
		return reached
	default:
		return choice(sets.cluster, sets.topology)
	}
}

// unplaced: some of the endpoints name no node.
func (w *world) unplaced(set []netip.Addr) bool {
	return slices.ContainsFunc(set, func(a netip.Addr) bool { return w.endpoints[w.at(a)].node == "" })
}

func choice(set []netip.Addr, topology string) expected {
	if len(set) == 0 {
		return expected{outcome: dataplane.TimedOut}
	}
	return expected{outcome: dataplane.Reachable, set: set, topology: topology}
}

// compare says in what a prediction contradicts what was expected of it.
func (w *world) compare(got dataplane.Path, want expected, judge int) []string {
	var differences []string
	differ := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			differences = append(differences, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	if got.Outcome != want.outcome {
		return []string{fmt.Sprintf("%s, want %s", got.Outcome, want.outcome)}
	}
	if got.Outcome != dataplane.Reachable && got.Outcome != dataplane.Partial {
		return nil
	}
	here := slices.DeleteFunc(slices.Clone(want.set), func(a netip.Addr) bool { return w.endpoints[w.at(a)].node != w.nodes[judge].name })
	hop := dataplane.Sometimes
	switch {
	case w.unplaced(want.set): // Where an endpoint is that names no node, kube-proxy does not know either.
	case len(here) == len(want.set):
		hop = dataplane.Never
	case len(here) == 0:
		hop = dataplane.Always
	}
	differ("the extra hop", got.ExtraHop.String(), hop.String())
	// What the report calls all and local are the usable endpoints: ready ones, or where there are none those that serve while they terminate.
	all, local := w.usable(func(endpoint) bool { return true }), w.usable(func(e endpoint) bool { return e.node == w.nodes[judge].name })
	switch got.Endpoints {
	case dataplane.AllEndpoints:
		differ("the set called All", all, want.set)
	case dataplane.LocalEndpoints:
		differ("the set called Local", local, want.set)
	case dataplane.NoEndpoints:
		differ("the set called None", []netip.Addr(nil), want.set)
	default:
		if slices.Equal(all, want.set) || slices.Equal(local, want.set) {
			differences = append(differences, fmt.Sprintf("the endpoints are not known, and they are %v", want.set))
		}
	}
	if got.Outcome == dataplane.Reachable {
		topology := want.topology
		if slices.Equal(all, want.set) {
			topology = ""
		}
		differ("the topology", got.Topology, topology)
	}
	return differences
}
