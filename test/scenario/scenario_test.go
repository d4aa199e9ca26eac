// Package scenario_test knows what whole clusters look like and what is true of them: one .txtar a cluster, with everything that a diagnosis says of it.
//
// A file starts with a comment that says what the case is about. Its sections are:
//
//	cluster   the cluster, in the lines of package clustertest
//	paths     one line for each kind of connection that nodes share: NODES  FROM -> TO  OUTCOME  DETAILS; * is every node
//	findings  what failed or is not known, worst first: CODE SEVERITY RESULT MESSAGE
//	share     optional: what part of the connections from outside a load balancer sends to each node, and each pod there gets; ? where it sends an unknown part, and
//	          the reason and the rule where it sends nothing, or nobody knows whether it does
//	outside   optional: what connections from outside come to
//	screen    optional: the screen, 100 columns, without colour
//	after MODE  optional: the plan of `fix --mode=MODE` where nothing stands around the Service: what it sets, what stands against it, and the findings that it takes away,
//	          brings and leaves
//
// With several Services, each one's lines follow a line with its name. go test ./test/scenario -update writes all but the cluster anew; read every line of the
// difference, because it is a claim about what packets do.
package scenario_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

var update = flag.Bool("update", false, "write the expectations anew")

// required are the expectations that every file has.
var required = []string{"paths", "findings"}

var sections = map[string]func(*report.Report) string{
	"paths":    paths,
	"findings": findings,
	"outside":  outside,
	"share":    share,
	"screen":   screen,
}

func TestScenarios(t *testing.T) {
	for _, file := range files(t) {
		t.Run(strings.TrimSuffix(file, ".txtar"), func(t *testing.T) { run(t, file) })
	}
}

func files(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob("*.txtar")
	if err != nil || len(list) == 0 {
		t.Fatal("no *.txtar here", err)
	}
	return list
}

// read gives a case, and the cluster in it.
func read(t *testing.T, file string) (*txtar.Archive, *cluster.Snapshot) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		addRequired(archive)
	}
	if problem := malformed(archive); problem != "" {
		t.Fatalf("%s: %s", file, problem)
	}
	// Empty lines make the numbers of errors those of the file.
	above := strings.Repeat("\n", bytes.Count(archive.Comment, []byte("\n"))+1)
	snapshot, err := clustertest.Parse(above + string(archive.Files[0].Data))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(snapshot.Services) == 0 {
		t.Fatalf("%s: the cluster has no svc, so nothing is said of it", file)
	}
	return archive, snapshot
}

func run(t *testing.T, file string) {
	t.Helper()
	archive, snapshot := read(t, file)
	reports := report.Diagnose(snapshot)
	for i := range archive.Files[1:] {
		section := &archive.Files[1+i]
		got := expectation(section.Name, snapshot, reports)
		if diff := cmp.Diff(strings.Split(string(section.Data), "\n"), strings.Split(got, "\n")); diff != "" && !*update {
			t.Errorf("%s: section %s (-want +got):\n%s", file, section.Name, diff)
		}
		section.Data = []byte(got)
	}
	if !*update {
		return
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// malformed says what a file lacks, "" for nothing.
func malformed(a *txtar.Archive) string {
	if !strings.HasPrefix(string(a.Comment), "# ") {
		return "it does not start with a comment that says what the case is about (# …)"
	}
	if len(a.Files) == 0 || a.Files[0].Name != "cluster" {
		return "its first section is not cluster"
	}
	var names []string
	for _, f := range a.Files[1:] {
		mode, isAfter := strings.CutPrefix(f.Name, "after ")
		known := isAfter && slices.ContainsFunc(remedy.Modes(), func(d remedy.Description) bool { return string(d.Mode) == mode })
		if sections[f.Name] == nil && !known || slices.Contains(names, f.Name) {
			return fmt.Sprintf("section %s is unknown, or there twice", f.Name)
		}
		names = append(names, f.Name)
	}
	for _, name := range required {
		if !slices.Contains(names, name) {
			return "it has no expectation in section " + name
		}
	}
	return ""
}

// addRequired gives a new case its empty expectations, for -update to write.
func addRequired(a *txtar.Archive) {
	for _, name := range required {
		if !slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == name }) {
			a.Files = append(a.Files, txtar.File{Name: name})
		}
	}
}

func expectation(section string, snapshot *cluster.Snapshot, reports []report.Report) string {
	var b strings.Builder
	for i := range reports {
		if len(reports) > 1 {
			fmt.Fprintf(&b, "%s/%s\n", reports[i].Service.Namespace, reports[i].Service.Name)
		}
		if mode, ok := strings.CutPrefix(section, "after "); ok {
			b.WriteString(after(remedy.Mode(mode), snapshot, &reports[i]))
		} else {
			b.WriteString(sections[section](&reports[i]))
		}
	}
	return b.String()
}

// planned is the plan of a mode with nothing around the Service, and the codes of what fails as things are and as the plan says that they would be.
func planned(mode remedy.Mode, snapshot *cluster.Snapshot, r *report.Report) (plan *remedy.Plan, before, now []string, err error) {
	f := &remedy.Facts{Snapshot: snapshot, Service: r.Service, Provider: r.Provider, Findings: r.Findings, Surroundings: &cluster.Surroundings{}}
	plan, err = remedy.Make(mode, f, remedy.Options{})
	if _, wanting := errors.AsType[*remedy.HostNeeded](err); wanting {
		plan, err = remedy.Make(mode, f, remedy.Options{Hosts: []string{"www.example.com"}})
	}
	if err != nil {
		return nil, nil, nil, err
	}
	for _, later := range report.Diagnose(plan.Simulate(snapshot)) {
		if later.Title() == r.Title() {
			now = failing(&later)
		}
	}
	return plan, failing(r), now, nil
}

func failing(r *report.Report) (codes []string) {
	for _, f := range r.Findings {
		if f.Result == finding.Fail && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	slices.Sort(codes)
	return codes
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

func after(mode remedy.Mode, snapshot *cluster.Snapshot, r *report.Report) string {
	plan, before, now, err := planned(mode, snapshot, r)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var rows [][]string
	text := func(value any) string {
		if value == nil {
			return "<none>"
		}
		return fmt.Sprint(value)
	}
	for _, c := range plan.Changes {
		for _, field := range c.Fields {
			rows = append(rows, []string{"set", strings.Join(field.Path, " "), text(field.Was), "->", text(field.Now)})
		}
	}
	for _, c := range plan.Preconditions {
		if c.Holds != cluster.Yes {
			rows = append(rows, []string{"against", strings.TrimSpace(c.Name + " " + c.Risk)})
		}
	}
	if len(rows) == 0 {
		return "so already\n"
	}
	for _, e := range plan.Effects {
		rows = append(rows, []string{[...]string{"by name", "breaks", "may break"}[e.Kind], strings.Join(e.Nodes, ",")})
	}
	for _, line := range []struct {
		what  string
		codes []string
	}{{"fixed", without(before, now)}, {"introduced", without(now, before)}, {"unchanged", without(now, without(now, before))}} {
		if len(line.codes) > 0 {
			rows = append(rows, []string{line.what, strings.Join(line.codes, " ")})
		}
	}
	return columns(rows)
}

// TestPlansKeepTheirWord: what a plan fixes is gone from the diagnosis after it, and it warns of every failure that it introduces.
func TestPlansKeepTheirWord(t *testing.T) {
	fixed := 0
	for _, file := range files(t) {
		_, snapshot := read(t, file)
		for _, r := range report.Diagnose(snapshot) {
			for _, mode := range []remedy.Mode{remedy.Cluster, remedy.Local, remedy.ENI, remedy.Hostname} {
				plan, before, now, err := planned(mode, snapshot, &r)
				if err != nil {
					t.Errorf("%s: %s: %v", file, mode, err)
					continue
				}
				for _, code := range plan.Fixes {
					fixed++
					if !slices.Contains(before, code) || slices.Contains(now, code) {
						t.Errorf("%s: %s claims to fix %s; failing before: %v, after: %v", file, mode, code, before, now)
					}
				}
				warned := slices.ContainsFunc(plan.Preconditions, func(c remedy.Precondition) bool { return c.Holds != cluster.Yes })
				for _, code := range without(now, before) {
					if (code == "ETP002" || code == "ETP003" || code == "ETP051") && !warned {
						t.Errorf("%s: %s brings %s, and nothing stands against it", file, mode, code)
					}
				}
			}
		}
	}
	if fixed == 0 {
		t.Error("no plan fixes anything")
	}
}

func TestEveryFileIsRun(t *testing.T) {
	run := files(t)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) != ".go" && !slices.Contains(run, path) {
			t.Errorf("%s is not a case that runs: cases are *.txtar in this folder", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMalformedFilesAreNoticed(t *testing.T) {
	const whole = "# About\n-- cluster --\nnode a\n-- paths --\n-- findings --\n"
	if problem := malformed(txtar.Parse([]byte(whole))); problem != "" {
		t.Errorf("a whole file is refused: %s", problem)
	}
	for _, part := range []string{"# About\n", "-- cluster --\nnode a\n", "-- paths --\n", "-- findings --\n"} {
		if malformed(txtar.Parse([]byte(strings.Replace(whole, part, "", 1)))) == "" {
			t.Errorf("a file without %q is taken", part)
		}
	}
	for _, section := range []string{"-- pathes --\n", "-- paths --\n", "-- after noon --\n"} {
		if malformed(txtar.Parse([]byte(whole+section))) == "" {
			t.Errorf("a file with a further %q is taken", section)
		}
	}
}

// question is what makes paths of different nodes comparable: from where to what.
type question struct {
	from     dataplane.From
	to       string
	port     uint16
	protocol string
}

// paths has one line for each question and answer that nodes share, and the ports that share them too.
func paths(r *report.Report) string {
	if r.Unsupported != "" {
		return "none: " + r.Unsupported + "\n"
	}
	answers := map[question]map[string][]int{}
	var order []question
	for i := range r.Nodes {
		for j := range r.Nodes[i].Paths {
			p := &r.Nodes[i].Paths[j]
			q := question{p.From, target(p), p.Port, string(p.Protocol)}
			if answers[q] == nil {
				answers[q] = map[string][]int{}
				order = append(order, q)
			}
			a := answer(p)
			answers[q][a] = append(answers[q][a], i)
		}
	}
	var lines [][3]string
	ports := map[[3]string][]string{}
	for _, q := range order {
		port := strconv.Itoa(int(q.port))
		if q.protocol != string(cluster.TCP) {
			port += "/" + q.protocol
		}
		for _, a := range byFirst(answers[q]) {
			line := [3]string{among(r, answers[q][a]), q.from.String() + " -> " + q.to, a}
			if ports[line] == nil {
				lines = append(lines, line)
			}
			ports[line] = append(ports[line], port)
		}
	}
	rows := make([][]string, len(lines))
	for i, line := range lines {
		outcome, details, _ := strings.Cut(line[2], " ")
		rows[i] = []string{line[0], line[1] + ":" + strings.Join(ports[line], ","), outcome, details}
	}
	return columns(rows)
}

func target(p *dataplane.Path) string {
	switch {
	case p.To == dataplane.LoadBalancerHostname:
		return p.To.String() + " " + p.Hostname
	case p.To == dataplane.NodePort && p.Address.Is6():
		return p.To.String() + " [node]"
	case p.To == dataplane.NodePort:
		// Each node dials its own.
		return p.To.String() + " node"
	case p.Address.Is6():
		return p.To.String() + " [" + p.Address.String() + "]"
	default:
		return p.To.String() + " " + p.Address.String()
	}
}

func answer(p *dataplane.Path) string {
	words := []string{p.Outcome.String(), "rule=" + p.Rule.ID, "endpoints=" + p.Endpoints.String()}
	if p.ClientIP != dataplane.NoClientIP && p.Outcome != dataplane.Unknown {
		words = append(words, "client="+p.ClientIP.String(), "hop="+p.ExtraHop.String())
	}
	if p.Topology != "" {
		words = append(words, "topology="+p.Topology)
	}
	var could []string
	for _, o := range p.Could.All() {
		could = append(could, o.String())
	}
	if len(could) > 0 {
		words = append(words, "could="+strings.Join(could, ","))
	}
	return strings.Join(words, " ")
}

// byFirst orders answers by the first node that gives them.
func byFirst(answers map[string][]int) []string {
	list := make([]string, 0, len(answers))
	for a := range answers {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b string) int { return answers[a][0] - answers[b][0] })
	return list
}

// among names rows: all of them as *, and three or more in a row by the first and the last.
func among(r *report.Report, rows []int) string {
	if len(rows) == len(r.Nodes) {
		return "*"
	}
	var parts []string
	for i := 0; i < len(rows); {
		j := i
		for j+1 < len(rows) && rows[j+1] == rows[j]+1 {
			j++
		}
		if j-i < 2 {
			j = i
			parts = append(parts, r.Nodes[rows[i]].Node.Name)
		} else {
			parts = append(parts, r.Nodes[rows[i]].Node.Name+".."+r.Nodes[rows[j]].Node.Name)
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

func columns(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

func findings(r *report.Report) string {
	var rows [][]string
	for _, f := range r.Findings {
		rows = append(rows, []string{f.Code, f.Severity.String(), f.Result.String(), f.Message})
	}
	return columns(rows)
}

func outside(r *report.Report) string {
	o := &r.Outside
	text := o.Outcome.String()
	if o.FailingKnown {
		text += fmt.Sprintf(" failing=%.3g", o.Failing)
	}
	if o.Mixed {
		return text + " client=Mixed\n"
	}
	return text + " client=" + string(o.ClientIP) + "\n"
}

func share(r *report.Report) string {
	percent := func(f float64) string { return strconv.FormatFloat(math.Round(f*1000)/10, 'f', -1, 64) + "%" }
	var rows [][]string
	for i := range r.Nodes {
		row := &r.Nodes[i]
		to := row.LoadBalancer
		rest := []string{to.Reason}
		if to.Rule != nil {
			rest = append(rest, to.Rule.ID)
		}
		switch {
		case to.Receives == cluster.Yes && to.Share == 0:
			rest = []string{"?"}
		case to.Receives == cluster.Yes:
			rest = []string{percent(to.Share)}
		}
		if to.PodShare > 0 {
			rest = append(rest, percent(to.PodShare)+" a pod")
		}
		rows = append(rows, append([]string{row.Node.Name, fmt.Sprintf("%d ready", row.Endpoints.Ready)}, rest...))
	}
	return columns(rows)
}

func screen(r *report.Report) string {
	style := render.NewStyle(render.ColorNever, false, render.Terminal{Interactive: true, Columns: 100, UTF8: true})
	var b strings.Builder
	for l := range bytes.Lines(render.Screen(r, render.Options{Style: style})) {
		b.WriteString(strings.TrimRight(string(l), " \n") + "\n")
	}
	return b.String()
}

// TestWhatIsTrueOfEveryCase holds all cases to what no cluster can break.
func TestWhatIsTrueOfEveryCase(t *testing.T) {
	for _, file := range files(t) {
		_, snapshot := read(t, file)
		for _, r := range report.Diagnose(snapshot) {
			shares := 0.0
			for i := range r.Nodes {
				row := &r.Nodes[i]
				to := row.LoadBalancer
				shares += to.Share
				if to.Receives == cluster.No {
					// A virtual node's pods are backends beside the nodes.
					shares += to.PodShare * float64(row.Endpoints.Ready)
				}
				if (to.Receives == cluster.Yes) != (to.Reason == "") || (to.Rule == nil) != (to.Receives == cluster.Yes) || to.Share > 0 && to.Receives != cluster.Yes {
					t.Errorf("%s: %s: contradicts itself: %+v", file, row.Node.Name, to)
				}
				for j := range row.Paths {
					if problem := impossible(&row.Paths[j]); problem != "" {
						t.Errorf("%s: %s: %+v: %s", file, row.Node.Name, row.Paths[j], problem)
					}
					if problem := outOfDate(row.Paths[j].Rule, snapshot.DataplaneOf(row.Node)); problem != "" {
						t.Errorf("%s: %s: %s", file, row.Node.Name, problem)
					}
				}
			}
			if shares != 0 && math.Abs(shares-1) > 1e-9 {
				t.Errorf("%s: the shares of all nodes are %g together", file, shares)
			}
		}
	}
}

// impossible says what contradicts what in a path.
func impossible(p *dataplane.Path) string {
	reaches := p.Outcome == dataplane.Reachable || p.Outcome == dataplane.Partial
	fails := p.Fails()
	switch {
	case p.Rule == nil:
		return "no rule decided"
	case reaches && (p.Endpoints == dataplane.NoEndpoints || p.ClientIP == dataplane.NoClientIP):
		return "it reaches nothing"
	case fails && (p.Endpoints != dataplane.NoEndpoints || p.ClientIP != dataplane.NoClientIP || p.ExtraHop != dataplane.Never):
		return "it reaches something"
	case p.Outcome == dataplane.Unknown && p.Could == 0, p.Outcome != dataplane.Unknown && p.Could != 0:
		return "what it could be instead goes with Unknown, and Unknown with it"
	case reaches && p.Endpoints == dataplane.LocalEndpoints && p.ExtraHop != dataplane.Never:
		return "it crosses to another node for an endpoint on this one"
	default:
		return ""
	}
}

// outOfDate says that a rule does not hold in the release of the data plane that was judged by it.
func outOfDate(r *dataplane.Rule, d *cluster.Dataplane) string {
	v := d.Version
	if strings.HasPrefix(r.ID, "SVC-") && d.Name != cluster.KubeProxy {
		return "" // their releases are kube-proxy's
	}
	if strings.HasPrefix(r.ID, "CIL-") && d.Cilium != nil {
		v = d.Cilium.Version
	}
	if strings.HasPrefix(r.ID, "ANT-") && d.Name == cluster.KubeProxy && d.Antrea != nil {
		v = d.Antrea.Version
	}
	since, hasSince := cluster.ParseVersion(r.Since)
	until, hasUntil := cluster.ParseVersion(r.Until)
	switch {
	case !v.Known() || d.KubeProxy != nil && len(d.KubeProxy.FeatureGates) > 0:
		return ""
	case hasSince && v.Before(since.Major, since.Minor, since.Patch):
		return fmt.Sprintf("rule %s holds since %s, and the data plane is %s", r.ID, r.Since, v)
	case hasUntil && !v.Before(until.Major, until.Minor, until.Patch):
		return fmt.Sprintf("rule %s holds until %s, and the data plane is %s", r.ID, r.Until, v)
	default:
		return ""
	}
}

// unasked are rules of connections that no report asks about: to another node's node port, from a pod to itself, from one certain pod or client outside, to a node
// port that there is not, or not in this address family.
var unasked = []string{"SVC-04", "SVC-09", "UNK-06", "IPT-16", "NFT-13", "OVN-08", "UNK-11", "CIL-19", "CIL-23", "CIL-24", "CIL-35", "CIL-38", "CIL-40", "CIL-41", "CIL-44", "CIL-46", "CIL-47", "CIL-49", "CIL-50", "KR-09"}

// TestEverythingThatCanBeSaidHasACase: a rule or a kind of finding that no case shows is one that nobody has looked at.
func TestEverythingThatCanBeSaidHasACase(t *testing.T) {
	rules, codes, parts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, file := range files(t) {
		_, snapshot := read(t, file)
		for _, r := range report.Diagnose(snapshot) {
			for i := range r.Nodes {
				if rule := r.Nodes[i].LoadBalancer.Rule; rule != nil {
					parts[rule.ID] = true
				}
				for j := range r.Nodes[i].Paths {
					rules[r.Nodes[i].Paths[j].Rule.ID] = true
				}
			}
			for _, f := range r.Findings {
				codes[f.Code] = codes[f.Code] || f.Result == finding.Fail
			}
		}
	}
	for _, r := range dataplane.Rules() {
		if rules[r.ID] == slices.Contains(unasked, r.ID) {
			t.Errorf("rule %s: it decided in a case: %t, and it is listed as one that cannot: %t", r.ID, rules[r.ID], slices.Contains(unasked, r.ID))
		}
	}
	for _, r := range provider.Rules() {
		if !parts[r.ID] {
			t.Errorf("rule %s (%s) decided in no case", r.ID, r.Reason)
		}
	}
	for _, kind := range finding.Catalogue() {
		if !codes[kind.Code] {
			t.Errorf("%s (%s) fails in no case", kind.Code, kind.Title)
		}
	}
}
