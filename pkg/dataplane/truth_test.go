package dataplane_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

var (
	update = flag.Bool("update", false, "write measured.go and docs/measured.md from the recordings")
	corpus = flag.String("corpus", "../../test/truth", "the folder of recordings to replay; only the repository's own say what counts as measured")
)

// TestPredictionsEqualWhatPacketsDid replays every recording: from the recorded API objects, read as any dump is, to a
// prediction for every recorded cell. A cell agrees where outcome, endpoints that answered, addresses they saw and hops
// all do. Cells that the engine calls Unknown are counted, and must be among what it says could happen.
func TestPredictionsEqualWhatPacketsDid(t *testing.T) {
	files, err := recordings.Files(*corpus)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("the corpus is empty")
	}
	var tally []string
	agreed := map[claimed]map[int]bool{}
	var all []*replayed
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			r := replay(t, file)
			all = append(all, r)
			tally = append(tally, fmt.Sprintf("%-40s %6d cells %6d agreed %5d unknown", strings.TrimSuffix(filepath.Base(file), ".json"), r.cells, r.agreed, r.unknown))
			for _, rule := range slices.Sorted(maps.Keys(r.unknownBy)) {
				tally = append(tally, fmt.Sprintf("    %s %d", rule, r.unknownBy[rule]))
			}
			if r.agreed == 0 {
				t.Error("no cell agreed")
			}
			for c := range r.rules {
				k := claimed{cluster.KubeProxy, c}
				text := r.made.KubeProxy
				if own, ok := ownProgram(r.made); ok && (text == "" || strings.HasPrefix(c.rule, "CIL-")) {
					k.program, text = own, r.made.Version
				}
				version, ok := cluster.ParseVersion(text)
				if !ok {
					t.Fatalf("the recording was made with version %q", text)
				}
				if agreed[k] == nil {
					agreed[k] = map[int]bool{}
				}
				agreed[k][version.Minor] = true
			}
		})
	}
	t.Logf("\n%s", strings.Join(tally, "\n"))
	if *corpus == flag.Lookup("corpus").DefValue {
		measured(t, agreed)
		document(t, all)
	}
}

// ownProgram is the data plane that made a recording, where that is not kube-proxy alone.
func ownProgram(made recordings.Made) (cluster.DataplaneName, bool) {
	return map[string]cluster.DataplaneName{"cilium": cluster.Cilium, "kube-router": cluster.KubeRouter}[made.Dataplane], made.Version != ""
}

// documented is the tally of the corpus, for the README.
const documented = "../../docs/measured.md"

// document holds the tally that people read against the recordings that have just agreed, by data plane and release.
func document(t *testing.T, all []*replayed) {
	t.Helper()
	type row struct {
		mode                             string
		release                          cluster.Version
		clusters, cells, agreed, unknown int
	}
	var rows []*row
	total := row{mode: "all"}
	for _, r := range all {
		mode, text := r.made.Dataplane, r.made.KubeProxy
		if r.made.Version != "" {
			text = r.made.Version
		}
		if r.made.Version != "" && r.made.KubeProxy != "" {
			mode += " beside kube-proxy"
		}
		release, _ := cluster.ParseVersion(text)
		i := slices.IndexFunc(rows, func(o *row) bool { return o.mode == mode && o.release == release })
		if i < 0 {
			i = len(rows)
			rows = append(rows, &row{mode: mode, release: release})
		}
		for _, sum := range []*row{rows[i], &total} {
			sum.clusters, sum.cells, sum.agreed, sum.unknown = sum.clusters+1, sum.cells+r.cells, sum.agreed+r.agreed, sum.unknown+r.unknown
		}
	}
	slices.SortFunc(rows, func(a, b *row) int {
		if a.mode != b.mode {
			return strings.Compare(a.mode, b.mode)
		}
		if a.release.Before(b.release.Major, b.release.Minor, b.release.Patch) {
			return -1
		}
		return 1
	})
	var b strings.Builder
	b.WriteString("| Data plane | Release | Clusters | Cells | Agreed | Unknown | Disagreed |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, r := range append(rows, &total) {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d |\n", r.mode, r.release, r.clusters, r.cells, r.agreed, r.unknown, r.cells-r.agreed-r.unknown)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(documented, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("docs/measured.md has drifted; run: go test ./pkg/dataplane ./test/arch -update\n(-recordings +docs/measured.md)\n%s", diff)
	}
}

// cell is what a basis of Measured is claimed for: a rule and a kind of connection.
type cell struct {
	rule     string
	from     dataplane.From
	to       dataplane.To
	protocol cluster.Protocol
}

func (c cell) String() string {
	return fmt.Sprintf("%q, %s, %s, cluster.%s", c.rule, c.from, c.to, c.protocol)
}

// claimed is a cell as a program's recordings hold it.
type claimed struct {
	program cluster.DataplaneName
	cell
}

func (c claimed) String() string {
	return fmt.Sprintf("cluster.%s, %s", map[cluster.DataplaneName]string{cluster.KubeProxy: "KubeProxy", cluster.Cilium: "Cilium", cluster.KubeRouter: "KubeRouter"}[c.program], c.cell)
}

var claim = regexp.MustCompile(`(?m)^\t\{(cluster\.\w+, "[^"]+", \w+, \w+, cluster\.\w+), \[\]int\{([0-9, ]+)\}\},$`)

// measured holds the table of what counts as measured against the recordings that have just agreed.
func measured(t *testing.T, agreed map[claimed]map[int]bool) {
	t.Helper()
	var b strings.Builder
	b.WriteString("// Code generated by go generate ./pkg/dataplane from the recordings; DO NOT EDIT.\n\npackage dataplane\n\n")
	b.WriteString("import \"github.com/kubectl-etp/kubectl-etp/pkg/cluster\"\n\n")
	b.WriteString("// measurements are what recorded packets agreed with.\nvar measurements = []measurement{\n")
	held := map[string]map[int]bool{}
	for c, releases := range agreed {
		held[c.String()] = releases
	}
	for _, c := range slices.Sorted(maps.Keys(held)) {
		releases := strings.Trim(strings.ReplaceAll(fmt.Sprint(slices.Sorted(maps.Keys(held[c]))), " ", ", "), "[]")
		fmt.Fprintf(&b, "\t{%s, []int{%s}},\n", c, releases)
	}
	b.WriteString("}\n")
	want, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile("measured.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("measured.go")
	if err != nil {
		t.Fatal(err)
	}
	// What is claimed must be in the recordings; what they hold beyond it is claimed by the next -update.
	claims := claim.FindAllStringSubmatch(string(got), -1)
	if lines := strings.Count(string(got), "[]int{"); len(claims) != lines || lines == 0 {
		t.Errorf("measured.go claims %d cells, %d of them in a way that can be read", lines, len(claims))
	}
	for _, c := range claims {
		for text := range strings.SplitSeq(c[2], ", ") {
			if minor, err := strconv.Atoi(text); err != nil || !held[c[1]][minor] {
				t.Errorf("measured.go claims {%s} for 1.%s, and the recordings do not hold it", c[1], text)
			}
		}
	}
	if diff := cmp.Diff(string(got), string(want)); diff != "" {
		t.Logf("the recordings hold more than measured.go claims; `go test ./pkg/dataplane -update` writes it:\n%s", diff)
	}
}

// replayed is what came of one recording.
type replayed struct {
	cells, agreed, unknown int
	unknownBy              map[string]int
	// rules that agreed with packets somewhere.
	rules map[cell]bool
	made  recordings.Made
}

func replay(t *testing.T, file string) *replayed {
	t.Helper()
	recording, err := recordings.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := read(t, recording)
	result := &replayed{unknownBy: map[string]int{}, rules: map[cell]bool{}, made: recording.Made}
	for i := range snapshot.Services {
		svc := &snapshot.Services[i]
		h := &holder{t: t, recording: recording, snapshot: snapshot, service: svc, predictor: dataplane.New(snapshot, svc), result: result}
		for _, probe := range recording.Probes {
			if probe.Service != svc.Namespace+"/"+svc.Name {
				continue
			}
			for _, got := range probe.Results {
				h.hold(probe, got)
			}
		}
	}
	receives(t, recording, snapshot)
	result.flips(t, recording, snapshot)
	return result
}

// flips holds what new connections met after a policy was changed. Through the load balancer they go to the nodes that
// it found healthy then, which is not recorded.
func (r *replayed) flips(t *testing.T, recording *recordings.Recording, snapshot *cluster.Snapshot) {
	t.Helper()
	for _, f := range recording.Flips {
		if f.From == "external" && f.Target.Node == "" {
			continue
		}
		var change struct {
			Spec struct {
				ExternalTrafficPolicy cluster.Policy `json:"externalTrafficPolicy"`
			} `json:"spec"`
		}
		if err := json.Unmarshal([]byte(f.Change), &change); err != nil || change.Spec.ExternalTrafficPolicy == cluster.PolicyUnset {
			t.Fatalf("%s: the change %q is none of policy (%v)", f.Service, f.Change, err)
		}
		i := slices.IndexFunc(snapshot.Services, func(s cluster.Service) bool { return s.Namespace+"/"+s.Name == f.Service })
		svc := snapshot.Services[i]
		svc.ExternalTrafficPolicy, svc.HealthCheckNodePort = change.Spec.ExternalTrafficPolicy, 0
		h := &holder{t: t, recording: recording, snapshot: snapshot, service: &svc, predictor: dataplane.New(snapshot, &svc), result: r}
		h.hold(recordings.Probe{Service: f.Service, Target: f.Target}, f.After)
	}
}

// read is the recorded cluster, with what the API does not show added as facts.
func read(t *testing.T, recording *recordings.Recording) *cluster.Snapshot {
	t.Helper()
	// As kubectl get -o json prints more than one object.
	var list bytes.Buffer
	list.WriteString(`{"apiVersion":"v1","kind":"List","items":[`)
	for i, object := range recording.Objects {
		if i > 0 {
			list.WriteByte(',')
		}
		list.Write(object)
	}
	list.WriteString("]}")
	read, err := file.Read(t.Context(), file.Input{Paths: []string{"-"}, Stdin: &list})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := read.Snapshot(objects.Query{AllNamespaces: true})
	if err != nil {
		t.Fatal(err)
	}
	detected(t, recording.Made, &snapshot.Dataplane)
	if masquerade := cluster.Is(recording.Network.PodMasquerade); recording.Made.Dataplane != "cilium" {
		snapshot.Dataplane.PodMasquerade = masquerade
	} else if snapshot.Dataplane.PodMasquerade != masquerade {
		// With Cilium the API shows it.
		t.Errorf("read that pods are masqueraded towards nodes: %v; recorded: %v", snapshot.Dataplane.PodMasquerade, masquerade)
	}
	// The load balancer of the recordings does as DigitalOcean's: it asks the health check node port under policy Local
	// and kube-proxy's own health otherwise, and sends to node ports.
	for i := range snapshot.Nodes {
		snapshot.Nodes[i].ProviderID = fmt.Sprintf("digitalocean://%d", i)
	}
	for i := range snapshot.Services {
		svc := &snapshot.Services[i]
		svc.Annotations = maps.Clone(svc.Annotations)
		if svc.Annotations == nil {
			svc.Annotations = map[string]string{}
		}
		svc.Annotations["service.beta.kubernetes.io/do-loadbalancer-type"] = "REGIONAL"
	}
	for _, node := range recording.Network.Nodes {
		if node.HostnameOverride == "" {
			continue
		}
		own := *snapshot.DataplaneOf(&snapshot.Nodes[snapshot.NodeIndex(node.Name)])
		settings := *own.KubeProxy
		settings.HostnameOverride = node.HostnameOverride
		own.KubeProxy = &settings
		snapshot.Nodes[snapshot.NodeIndex(node.Name)].Dataplane = &own
	}
	return snapshot
}

// detected holds the data plane that is read from the recorded objects against the programs that ran.
func detected(t *testing.T, made recordings.Made, read *cluster.Dataplane) {
	t.Helper()
	name, version, plugin := cluster.KubeProxy, made.KubeProxy, ""
	own, isOther := ownProgram(made)
	switch {
	case isOther && made.KubeProxy != "":
		plugin = made.Version
	case isOther:
		name, version = own, made.Version
	}
	found := ""
	if read.Name == cluster.KubeProxy && read.Cilium != nil {
		found = read.Cilium.Version.Text
	}
	if read.Name != name || read.Version.Text != version || found != plugin || made.Version == "" && string(read.Mode) != made.Dataplane {
		t.Fatalf("read %s %s %s and Cilium %q from the recorded objects, made by %+v", read.Name, read.Mode, read.Version, found, made)
	}
}

// publishesNodes: all load balancer addresses of the Service are nodes' own, which no cloud gives.
func publishesNodes(s *cluster.Snapshot, svc *cluster.Service) bool {
	for _, in := range svc.Ingress {
		if !slices.ContainsFunc(s.Nodes, func(n cluster.Node) bool { return slices.Contains(n.InternalIPs, in.IP) }) {
			return false
		}
	}
	return true
}

// receives holds the report's word on which nodes a load balancer sends to against the nodes that passed the recorded
// load balancer's health checks.
func receives(t *testing.T, recording *recordings.Recording, snapshot *cluster.Snapshot) {
	t.Helper()
	for _, r := range report.Diagnose(snapshot) {
		name := r.Service.Namespace + "/" + r.Service.Name
		balancing, ok := recording.Network.LoadBalancer.Services[name]
		if !ok || r.Service.ProxyName != "" {
			continue
		}
		if r.Provider.Name == "" && len(r.Service.Ingress) > 0 && !publishesNodes(snapshot, r.Service) {
			t.Errorf("%s: its load balancer is not recognised", name)
		}
		var predicted, passed []string
		for _, row := range r.Nodes {
			if row.LoadBalancer.Receives == cluster.Undetermined {
				continue
			}
			if row.LoadBalancer.Receives == cluster.Yes {
				predicted = append(predicted, row.Node.Name)
			}
			if slices.Contains(balancing.HealthyNodes, row.Node.Name) {
				passed = append(passed, row.Node.Name)
			}
		}
		if !slices.Equal(predicted, passed) {
			t.Errorf("%s: predicted that the load balancer sends to %v, its health checks passed on %v", name, predicted, passed)
		}
	}
}

// holder holds the predictions for one Service against its cells.
type holder struct {
	t         *testing.T
	recording *recordings.Recording
	snapshot  *cluster.Snapshot
	service   *cluster.Service
	predictor *dataplane.Predictor
	result    *replayed
	// left is the path by which the connection in hand left its node for the load balancer, nil where it did not.
	left *dataplane.Path
}

func (h *holder) hold(probe recordings.Probe, got recordings.Result) {
	source := h.recording.Sources[slices.IndexFunc(h.recording.Sources, func(s recordings.Source) bool { return s.ID == got.From })]
	h.result.cells++
	h.left = nil
	paths, through := h.predict(source, probe.Target)
	if through && len(paths) > 0 && paths[0].Outcome == dataplane.Refused && h.losesRefusals(source, probe.Target) && got.Outcome == recordings.TimedOut {
		h.agree(nil)
		return
	}
	if through && !(source.Kind == recordings.SourceExternal && h.balancing().KeepsClientAddress) {
		source = recordings.Source{Kind: recordings.SourceExternal, Addresses: h.recording.Network.LoadBalancer.Addresses}
	}
	if len(paths) == 0 {
		// The load balancer has no node to send to: that is its own doing, and the recorded one drops.
		if got.Outcome != recordings.TimedOut {
			h.t.Errorf("%s %s -> %v: no node receives, recorded %s", probe.Service, got.From, probe.Target, got)
			return
		}
		h.agree(nil)
		return
	}
	var difference string
	var unknown bool
	if len(paths) > 1 {
		difference, unknown = h.compareAll(paths, probe, got)
	} else {
		difference, unknown = h.compare(paths[0], source, probe, got)
	}
	switch {
	case difference != "":
		h.t.Errorf("%s %s -> %s %s node=%s :%d %s\n  predicted %s\n  recorded  %s\n  %s", probe.Service, got.From, probe.Target.Kind, probe.Target.Address, probe.Target.Node,
			probe.Target.Port, probe.Target.Protocol, describe(paths[0].Path), got, difference)
	case unknown:
		h.result.unknown++
		h.result.unknownBy[paths[0].Rule.ID+" "+paths[0].Rule.Reason]++
	default:
		h.agree(paths)
	}
}

// losesRefusals: what a node refuses does not come back to a pod that Cilium masquerades in eBPF over IPv6 (CIL-49). Behind a load balancer that is not for a path to
// say: it ends there.
func (h *holder) losesRefusals(source recordings.Source, target recordings.Target) bool {
	cilium := h.snapshot.Dataplane.Cilium
	return cilium != nil && cilium.BPFMasquerade && !cilium.NoIPv6Masquerade && source.Kind == recordings.SourcePod && netip.MustParseAddr(target.Address).Is6()
}

func (h *holder) agree(paths []at) {
	h.result.agreed++
	if h.left != nil {
		h.result.rules[cellOf(h.left)] = true
	}
	for i := range paths {
		h.result.rules[cellOf(&paths[i].Path)] = true
	}
}

func cellOf(p *dataplane.Path) cell { return cell{p.Rule.ID, p.From, p.To, p.Protocol} }

// at is a path and the node that judges it.
type at struct {
	dataplane.Path
	node int
}

// predict is one path, or one for each node that the load balancer chooses among where the connection goes through it.
func (h *holder) predict(source recordings.Source, target recordings.Target) (paths []at, through bool) {
	address := netip.MustParseAddr(target.Address)
	t := dataplane.Target{Address: address, Hostname: target.Hostname, IPv6: address.Is6()}
	client := dataplane.Client{Node: h.snapshot.NodeIndex(source.Node)}
	switch source.Kind {
	case recordings.SourcePod:
		client.From = dataplane.Pod
	case recordings.SourceExternal:
		client.From = dataplane.External
	}
	switch own := ofFamily(source.Addresses, address); {
	case client.From == dataplane.Pod:
		client.Address = own[0]
	case client.From == dataplane.External && target.Node != "" && target.Kind != recordings.TargetNodePort:
		// The last addresses of the machine outside are on the links to the nodes, in the nodes' order.
		client.Address = own[len(own)-len(h.snapshot.Nodes)+h.snapshot.NodeIndex(target.Node)]
	case client.From == dataplane.External && target.Node != "":
		// The one before them is where routes lead.
		client.Address = own[len(own)-len(h.snapshot.Nodes)-1]
	}
	switch target.Kind {
	case recordings.TargetLoadBalancerIP:
		t.To = dataplane.LoadBalancerIP
		for _, in := range h.service.Ingress {
			if in.IP == address {
				t.IPMode = in.IPMode
			}
		}
	case recordings.TargetLoadBalancerHostname:
		t.To, t.Address = dataplane.LoadBalancerHostname, netip.Addr{}
	case recordings.TargetExternalIP:
		t.To = dataplane.ExternalIP
	case recordings.TargetNodePort:
		t.To, t.Node = dataplane.NodePort, h.snapshot.NodeIndex(target.Node)
	case recordings.TargetClusterIP:
		t.To = dataplane.ClusterIP
	}
	t.Port = h.port(target)
	if client.From != dataplane.External {
		judge := client.Node
		if t.To == dataplane.NodePort {
			judge = t.Node
		}
		path := h.predictor.Path(client, t)
		if path.Outcome == dataplane.ViaLoadBalancer {
			h.left = &path
		}
		if path.Outcome == dataplane.ViaLoadBalancer && t.To == dataplane.ExternalIP {
			return nil, false // nobody outside owns it
		}
		if path.Outcome == dataplane.ViaLoadBalancer {
			return h.throughLoadBalancer(t, ofFamily(h.recording.Network.LoadBalancer.Addresses, address)[0]), true
		}
		return []at{{path, judge}}, false
	}
	if target.Node == "" {
		from := source.Addresses
		if !h.balancing().KeepsClientAddress {
			from = h.recording.Network.LoadBalancer.Addresses
		}
		return h.throughLoadBalancer(t, ofFamily(from, address)[0]), true
	}
	client.Node = h.snapshot.NodeIndex(target.Node)
	if t.To != dataplane.NodePort {
		t.Arrival = dataplane.AtAddress
	}
	return []at{{h.predictor.Path(client, t), client.Node}}, false
}

// port is the index of the Service port that is dialled.
func (h *holder) port(target recordings.Target) int {
	i := slices.IndexFunc(h.service.Ports, func(p cluster.Port) bool {
		port := int(p.Port)
		if target.Kind == recordings.TargetNodePort {
			port = int(p.NodePort)
		}
		return port == target.Port && string(p.Protocol) == target.Protocol
	})
	if i < 0 {
		h.t.Fatalf("%s/%s has no port for %v", h.service.Namespace, h.service.Name, target)
	}
	return i
}

func (h *holder) balancing() recordings.LoadBalancing {
	return h.recording.Network.LoadBalancer.Services[h.service.Namespace+"/"+h.service.Name]
}

// throughLoadBalancer is one path for each node that the recorded load balancer sent to, with packets from an address.
func (h *holder) throughLoadBalancer(t dataplane.Target, from netip.Addr) (paths []at) {
	for _, name := range h.balancing().HealthyNodes {
		node := h.snapshot.NodeIndex(name)
		paths = append(paths, at{h.predictor.Path(dataplane.Client{From: dataplane.External, Node: node, Address: from}, t), node})
	}
	return paths
}

// compareAll holds several paths, one of which the load balancer chose for each connection, against what they met
// together.
func (h *holder) compareAll(paths []at, probe recordings.Probe, got recordings.Result) (difference string, unknown bool) {
	outcomes := map[string]bool{}
	answer := map[string]bool{}
	for _, p := range paths {
		if p.Outcome == dataplane.Unknown {
			return "", true
		}
		outcomes[p.Outcome.String()] = true
		for _, a := range h.endpoints(p, probe) {
			answer[a] = true
		}
	}
	want := string(got.Outcome)
	if len(outcomes) > 1 {
		if got.Outcome != recordings.Partial {
			return fmt.Sprintf("nodes differ (%v), yet all connections fared alike", slices.Sorted(maps.Keys(outcomes))), false
		}
	} else if !outcomes[want] {
		return "outcome", false
	}
	answered := slices.Sorted(maps.Keys(got.Answered))
	if !probe.Sticky && !slices.Equal(answered, slices.Sorted(maps.Keys(answer))) {
		return fmt.Sprintf("endpoints: predicted %v", slices.Sorted(maps.Keys(answer))), false
	}
	return "", false
}

func (h *holder) compare(p at, source recordings.Source, probe recordings.Probe, got recordings.Result) (difference string, unknown bool) {
	if p.Outcome == dataplane.Unknown {
		if !p.Could.Has(dataplane.ViaLoadBalancer) && !couldBe(p.Could, got.Outcome) {
			return fmt.Sprintf("not among what could happen (%08b)", p.Could), false
		}
		return "", true
	}
	if p.Outcome.String() != string(got.Outcome) {
		return "outcome", false
	}
	if got.Outcome != recordings.Reachable && got.Outcome != recordings.Partial {
		if p.Endpoints != dataplane.NoEndpoints || p.ClientIP != dataplane.NoClientIP {
			return "something is said to be reached", false
		}
		return "", false
	}
	var differences []string
	answered := slices.Sorted(maps.Keys(got.Answered))
	if p.Endpoints != dataplane.EndpointsUnknown {
		predicted := h.endpoints(p, probe)
		if probe.Sticky {
			for _, a := range answered {
				if !slices.Contains(predicted, a) {
					differences = append(differences, fmt.Sprintf("endpoints: predicted some of %v", predicted))
				}
			}
		} else if !slices.Equal(predicted, answered) {
			differences = append(differences, fmt.Sprintf("endpoints: predicted %v", predicted))
		}
	}
	if clientIP := h.clientIP(source, got.Saw); p.ClientIP != dataplane.ClientIPUnknown && p.ClientIP.String() != clientIP && !(probe.Sticky && p.ClientIP == dataplane.Mixed) {
		differences = append(differences, "client IP: seen is "+clientIP)
	}
	if hop := h.hop(p.node, answered); !probe.Sticky && got.Outcome == recordings.Reachable && p.ExtraHop.String() != hop {
		differences = append(differences, "extra hop: "+hop)
	}
	return strings.Join(differences, "; "), false
}

func couldBe(could dataplane.Outcomes, got recordings.Outcome) bool {
	return slices.ContainsFunc(could.All(), func(o dataplane.Outcome) bool { return o.String() == string(got) })
}

// endpoints are the addresses that a path's word for them stands for.
func (h *holder) endpoints(p at, probe recordings.Probe) []string {
	if p.Endpoints == dataplane.NoEndpoints {
		return nil
	}
	serving := h.snapshot.DataplaneOf(&h.snapshot.Nodes[p.node])
	// kube-proxy of 1.26 and newer, and Cilium of every release that is recorded, fall back to endpoints on their way out.
	fallsBack := serving.Name == cluster.Cilium || !serving.Version.Before(1, 26, 0)
	address := netip.MustParseAddr(probe.Target.Address)
	local := p.Endpoints == dataplane.LocalEndpoints
	port := h.service.Ports[h.port(probe.Target)]
	for _, terminating := range []bool{false, true} {
		var found []string
		for i := range h.service.Endpoints {
			e := &h.service.Endpoints[i]
			usable := e.Ready
			if terminating {
				usable = e.Serving && e.Terminating && fallsBack
			}
			serves := slices.ContainsFunc(e.Ports, func(x cluster.EndpointPort) bool { return x.Name == port.Name && x.Protocol == port.Protocol })
			if usable && serves && e.Address.Is6() == address.Is6() && (!local || e.Node == h.snapshot.Nodes[p.node].Name) {
				found = append(found, e.Address.String())
			}
		}
		if len(found) > 0 {
			sort.Strings(found)
			return slices.Compact(found)
		}
	}
	return nil
}

// clientIP is the report's word for the addresses that endpoints saw.
func (h *holder) clientIP(source recordings.Source, saw []string) string {
	own := source.Addresses
	if source.Kind == recordings.SourceNode {
		for _, node := range h.recording.Network.Nodes {
			if node.Name == source.Node {
				own = node.Addresses
			}
		}
	}
	kept := 0
	for _, a := range saw {
		if slices.Contains(own, a) {
			kept++
		}
	}
	switch kept {
	case len(saw):
		return "Preserved"
	case 0:
		return "Rewritten"
	default:
		return "Mixed"
	}
}

func (h *holder) hop(judge int, answered []string) string {
	here := 0
	for _, a := range answered {
		i := slices.IndexFunc(h.service.Endpoints, func(e cluster.Endpoint) bool { return e.Address.String() == a })
		if i < 0 {
			return a + " is none of the Service's endpoints"
		}
		switch h.service.Endpoints[i].Node {
		case "":
			return "Sometimes" // it may be anywhere
		case h.snapshot.Nodes[judge].Name:
			here++
		}
	}
	switch here {
	case len(answered):
		return "Never"
	case 0:
		return "Always"
	default:
		return "Sometimes"
	}
}

func ofFamily(addresses []string, like netip.Addr) (of []netip.Addr) {
	for _, text := range addresses {
		if a := netip.MustParseAddr(text); a.Is4() == like.Is4() {
			of = append(of, a)
		}
	}
	return of
}

func describe(p dataplane.Path) string {
	return fmt.Sprintf("%s endpoints=%s clientIP=%s extraHop=%s (%s: %s)", p.Outcome, p.Endpoints, p.ClientIP, p.ExtraHop, p.Rule.ID, p.Rule.Reason)
}
