package dataplane_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// TestUnsettledHoldsForEverythingItCouldBe: what is said without kube-proxy's version holds for every release that it
// could be, and so on for its mode and for the data plane. The clusters are those of all scenarios and recordings, each
// once; the connections go from every place to every address of every Service.
func TestUnsettledHoldsForEverythingItCouldBe(t *testing.T) {
	var compared atomic.Int64
	t.Run("clusters", func(t *testing.T) {
		for name, snapshot := range clusters(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				compared.Add(compareAll(t, snapshot))
			})
		}
	})
	t.Logf("%d comparisons", compared.Load())
	fewest := int64(1_000_000)
	if testing.Short() {
		fewest /= oneOf
	}
	if compared.Load() < fewest {
		t.Errorf("only %d comparisons", compared.Load())
	}
}

// compareAll makes all comparisons for one cluster, and counts them.
func compareAll(t *testing.T, snapshot *cluster.Snapshot) (compared int64) {
	t.Helper()
	contradictions := map[string]int{}
	w := &what{Snapshot: snapshot}
	for i := range snapshot.Services {
		svc := &snapshot.Services[i]
		asked := questions(snapshot, svc)
		if testing.Short() {
			asked = sample(asked, i)
		}
		w.compare(dataplane.New(snapshot, svc), asked, func(unsettled, settled string, u, s []dataplane.Path) {
			for i, q := range asked {
				compared++
				problem := disagree(u[i], s[i])
				if rule := s[i].Rule; unsettled == versionless && problem == "" && !strings.HasPrefix(rule.ID, "CIL") && !strings.HasPrefix(rule.ID, "ANT") {
					problem = outOfBounds(rule, settled)
				}
				if problem == "" {
					continue
				}
				if kind := unsettled + ": " + problem; contradictions[kind] < 3 {
					t.Errorf("%s/%s, node %s, %s: %s says %s, and %s says %s: %s", svc.Namespace, svc.Name, snapshot.Nodes[q.client.Node].Name, q, unsettled,
						describe(u[i]), settled, describe(s[i]), problem)
				}
				contradictions[unsettled+": "+problem]++
			}
		})
	}
	if len(contradictions) > 0 {
		t.Errorf("of %d comparisons: %v", compared, contradictions)
	}
	return compared
}

// clusters are those of all scenarios and recordings, by name; of recordings that differ in release and mode only, the
// first.
func clusters(t *testing.T) map[string]*cluster.Snapshot {
	t.Helper()
	all := map[string]*cluster.Snapshot{}
	scenarios, err := filepath.Glob("../../test/scenario/*.txtar")
	if err != nil || len(scenarios) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range scenarios {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if all[filepath.Base(file)], err = clustertest.Parse(string(archive.Files[0].Data)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	recorded, err := recordings.Files("../../test/truth")
	if err != nil || len(recorded) == 0 {
		t.Fatal("no recordings", err)
	}
	seen := map[string]bool{}
	for _, file := range recorded {
		// MODE-VERSION[-SETTING].json; the clusters that were drawn are each another one. ipvs is recorded with fewer
		// Services.
		parts := strings.SplitN(strings.TrimSuffix(filepath.Base(file), ".json"), "-", 3)
		kind := strings.Join(parts[2:], "")
		if kind == "" {
			kind = strconv.FormatBool(parts[0] == "ipvs")
		}
		if seen[kind] {
			continue
		}
		seen[kind] = true
		recording, err := recordings.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = read(t, recording)
	}
	return all
}

// asked is one connection.
type asked struct {
	client dataplane.Client
	target dataplane.Target
}

func (a asked) String() string {
	return fmt.Sprintf("%s %s -> %s %s%s", a.client.From, a.client.Address, a.target.To, a.target.Address, a.target.Hostname)
}

// questions are connections from every node, from a pod that is an endpoint and one that is not, and from outside, to
// every address of a Service; to node ports of the own node and of the next.
func questions(s *cluster.Snapshot, svc *cluster.Service) (list []asked) {
	var targets []dataplane.Target
	for port := range svc.Ports {
		for _, in := range svc.Ingress {
			to := dataplane.LoadBalancerIP
			if !in.IP.IsValid() {
				to = dataplane.LoadBalancerHostname
			}
			targets = append(targets, dataplane.Target{To: to, Address: in.IP, Hostname: in.Hostname, IPMode: in.IPMode, Port: port})
		}
		for _, a := range svc.ExternalIPs {
			targets = append(targets, dataplane.Target{To: dataplane.ExternalIP, Address: a, Port: port})
		}
		for _, a := range svc.ClusterIPs {
			targets = append(targets, dataplane.Target{To: dataplane.ClusterIP, Address: a, Port: port})
		}
		for _, ipv6 := range []bool{false, true} {
			targets = append(targets, dataplane.Target{To: dataplane.NodePort, IPv6: ipv6, Port: port})
		}
	}
	for node := range s.Nodes {
		if node >= 6 && node < len(s.Nodes)-2 {
			continue // a large cluster's nodes are alike
		}
		clients := []dataplane.Client{{From: dataplane.Node, Node: node}, {From: dataplane.Pod, Node: node}, {From: dataplane.External, Node: node}}
		for i := range svc.Endpoints {
			if e := &svc.Endpoints[i]; e.Node == s.Nodes[node].Name {
				clients = append(clients, dataplane.Client{From: dataplane.Pod, Node: node, Address: e.Address})
				break
			}
		}
		for _, client := range clients {
			for _, target := range targets {
				target.Node = node
				list = append(list, asked{client, target})
				switch {
				case client.From == dataplane.External && target.To != dataplane.NodePort:
					target.Arrival = dataplane.AtAddress
					list = append(list, asked{client, target})
				case client.From != dataplane.External && target.To == dataplane.NodePort:
					target.Node = (node + 1) % len(s.Nodes)
					list = append(list, asked{client, target})
				}
			}
		}
	}
	// A Predictor answers at once what it has just been asked of a node that is like this one.
	slices.SortStableFunc(list, func(a, b asked) int {
		return cmp.Or(strings.Compare(a.target.Hostname, b.target.Hostname), a.target.Address.Compare(b.target.Address), cmp.Compare(a.target.Port, b.target.Port),
			cmp.Compare(a.client.From, b.client.From))
	})
	return list
}

// oneOf is of how many connections sample keeps one.
const oneOf = 29

// sample keeps some of the connections, of each Service others: with -short, which is for work on the repository. CI
// compares all.
func sample(all []asked, service int) (kept []asked) {
	for i := service % oneOf; i < len(all); i += oneOf {
		kept = append(kept, all[i])
	}
	return kept
}

// what can run on the nodes of a cluster.
type what struct {
	*cluster.Snapshot
	own []*cluster.Dataplane
}

func (w *what) runs(name cluster.DataplaneName, mode cluster.ProxyMode, version cluster.Version) {
	if w.own == nil {
		w.own = append(w.own, &w.Dataplane)
		for i := range w.Nodes {
			w.Nodes[i].ProxyMode = ""
			if d := w.Nodes[i].Dataplane; d != nil {
				w.own = append(w.own, d)
			}
		}
	}
	for _, d := range w.own {
		d.Name, d.Mode, d.Version = name, mode, version
	}
}

// compare calls f for each thing that can be unknown with each that it could be, with the paths of all connections.
func (w *what) compare(p *dataplane.Predictor, all []asked, f func(unsettled, settled string, u, s []dataplane.Path)) {
	path := func(name cluster.DataplaneName, mode cluster.ProxyMode, version cluster.Version) []dataplane.Path {
		w.runs(name, mode, version)
		paths := make([]dataplane.Path, len(all))
		for i, q := range all {
			paths[i] = p.Path(q.client, q.target)
		}
		return paths
	}
	nobody := cluster.Version{}
	unread := path(cluster.UnknownDataplane, "", nobody)
	for _, name := range []cluster.DataplaneName{cluster.Cilium, cluster.CalicoEBPF, cluster.Antrea, cluster.OVNKubernetes, cluster.KubeRouter} {
		f("an unknown data plane", string(name), unread, path(name, "", nobody))
	}
	windows := path(cluster.Windows, "", nobody)
	for i := 0; i < len(releases); i += 4 {
		v := releases[i]
		if v.Before(1, 20, 0) {
			continue // no such release has been read, and nothing is said of it
		}
		settled := path(cluster.Windows, "", v)
		f("an unknown data plane", "windows "+v.Text, unread, settled)
		f("an unknown version of windows", v.Text, windows, settled)
	}
	neither := path(cluster.KubeProxy, "", nobody)
	modeless := make([][]dataplane.Path, len(releases))
	for i, v := range releases {
		modeless[i] = path(cluster.KubeProxy, "", v)
	}
	for _, mode := range []cluster.ProxyMode{cluster.IPTables, cluster.IPVS, cluster.NFTables} {
		anyRelease := path(cluster.KubeProxy, mode, nobody)
		for i, v := range releases {
			if mode == cluster.NFTables && v.Before(1, 29, 0) {
				continue
			}
			settled := path(cluster.KubeProxy, mode, v)
			text := string(mode) + " " + v.Text
			f("an unknown data plane", text, unread, settled)
			f("kube-proxy of unknown mode and version", text, neither, settled)
			f("kube-proxy of unknown mode", text, modeless[i], settled)
			f(versionless, text, anyRelease, settled)
		}
	}
}

// versionless is what is compared where only the version of kube-proxy is not known.
const versionless = "kube-proxy of unknown version"

// outOfBounds says that a rule decided in a release outside those that it names itself; "" where it did not.
func outOfBounds(rule *dataplane.Rule, settled string) string {
	if rule.Since == "" && rule.Until == "" {
		return ""
	}
	_, text, _ := strings.Cut(settled, " ")
	v, _ := cluster.ParseVersion(text)
	since, sinceKnown := cluster.ParseVersion(rule.Since)
	until, untilKnown := cluster.ParseVersion(rule.Until)
	if sinceKnown && v.Before(since.Major, since.Minor, since.Patch) || untilKnown && !v.Before(until.Major, until.Minor, until.Patch) {
		return rule.ID + " holds since " + rule.Since + " until " + rule.Until
	}
	return ""
}

// TestReleasesAreAskedForInOneWay: a look at kube-proxy's version that goes another way than (*connection).before is
// not noticed where the version is not known.
func TestReleasesAreAskedForInOneWay(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	others := []string{"cilium.go", "calico.go", "antrea.go", "ovnkubernetes.go", "kuberouter.go", "windows.go"}
	looks := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || slices.Contains(others, file) {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		looks += strings.Count(string(source), "ersion.Before(")
	}
	if looks != 1 {
		t.Errorf("%d looks at a version with Before; there is one, in (*connection).before", looks)
	}
}

// releases are v1.15 to v1.37, and where something changes within a minor release those before and after the change.
var releases = func() (list []cluster.Version) {
	texts := []string{"v1.28.5", "v1.28.6", "v1.29.1", "v1.33.5", "v1.33.6", "v1.34.1", "v1.34.2"}
	for minor := 15; minor <= 37; minor++ {
		texts = append(texts, "v1."+strconv.Itoa(minor)+".0")
	}
	for _, rule := range dataplane.Rules() {
		for _, bound := range []string{rule.Since, rule.Until} {
			if parts := strings.Split(bound, "."); len(parts) == 3 && parts[0] == "1" {
				texts = append(texts, "v"+bound)
			}
		}
	}
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		v, _ := cluster.ParseVersion(text)
		list = append(list, v)
	}
	return list
}()

// disagree says in what a prediction made without knowing everything does not hold for one of the things it could be;
// "" where it does.
func disagree(unsettled, settled dataplane.Path) string {
	switch {
	case unsettled.Outcome == dataplane.Unknown && settled.Outcome == dataplane.Unknown && settled.Could&^unsettled.Could != 0,
		unsettled.Outcome == dataplane.Unknown && settled.Outcome != dataplane.Unknown && !unsettled.Could.Has(settled.Outcome):
		return "not among what could happen"
	case unsettled.Outcome == dataplane.Unknown:
		return ""
	case unsettled.Outcome != settled.Outcome:
		return "outcome"
	case unsettled.Endpoints != dataplane.EndpointsUnknown && unsettled.Endpoints != settled.Endpoints:
		return "endpoints"
	case unsettled.ClientIP != dataplane.ClientIPUnknown && unsettled.ClientIP != settled.ClientIP:
		return "client IP"
	case unsettled.ExtraHop != dataplane.Sometimes && unsettled.ExtraHop != settled.ExtraHop:
		return "extra hop"
	case unsettled.Topology != "" && unsettled.Topology != settled.Topology:
		return "topology"
	default:
		return ""
	}
}
