package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

var update = flag.Bool("update", false, "write the screens in testdata anew")

// world is a process without a terminal, whose environment holds what the test says.
type world struct {
	out, err bytes.Buffer
	env      map[string]string
	in       string
}

func (w *world) streams() Streams {
	return Streams{In: strings.NewReader(w.in), Out: &w.out, Err: &w.err}
}

func (w *world) environment() Environment {
	return Environment{
		Getenv:  func(name string) string { return w.env[name] },
		Now:     func() time.Time { return time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC) },
		Asks:    func(io.Reader, io.Writer) bool { return false },
		After:   func(time.Duration) <-chan time.Time { c := make(chan time.Time, 1); c <- time.Time{}; return c },
		Open:    func(name string) (fs.File, error) { return os.Open(name) },
		Columns: func(io.Writer) (int, bool) { return 0, false },

		LookPath:     w.lookPath,
		Output:       w.output,
		WriteProgram: writeProgram,
	}
}

// lookPath finds what lies in the folder that PATH names.
func (w *world) lookPath(program string) (string, error) {
	name := filepath.Join(w.env["PATH"], program)
	_, err := os.Stat(name)
	return name, err
}

// output is what kubectl says, if there is one.
func (w *world) output(_ context.Context, program string, args ...string) ([]byte, error) {
	if text := w.env["kubectl says"]; text != "" && program == "kubectl" && slices.Equal(args, []string{"version", "--client"}) {
		return []byte(text), nil
	}
	return nil, exec.ErrNotFound
}

func (w *world) app() *app { return &app{streams: w.streams(), env: w.environment()} }

// main runs the command line.
func (w *world) main(t *testing.T, args ...string) int {
	t.Helper()
	return Main(t.Context(), args, w.streams(), w.environment())
}

func TestFlagsOfStatus(t *testing.T) {
	parse := func(t *testing.T, args ...string) (*statusOptions, error) {
		t.Helper()
		w := &world{}
		a := w.app()
		root := newRoot(a)
		var got *statusOptions
		status := newStatus(a, func(_ context.Context, o *statusOptions) error { got = o; return nil })
		for _, c := range root.Commands() {
			if c.Name() == "status" {
				root.RemoveCommand(c)
			}
		}
		root.AddCommand(status)
		root.SetArgs(append([]string{"status"}, args...))
		err := root.ExecuteContext(t.Context())
		return got, err
	}
	for _, c := range []struct {
		name string
		args []string
		want func(*statusOptions) any
		is   any
	}{
		{"a name", []string{"svc/web", "-n", "shop"}, func(o *statusOptions) any {
			return fmt.Sprintf("%v %v %v", o.query.Args, o.query.Namespace, o.listing)
		}, "[svc/web] shop false"},
		{"no name is a list", nil, func(o *statusOptions) any { return o.listing }, true},
		{"svc alone is a list", []string{"svc"}, func(o *statusOptions) any { return o.listing }, true},
		{"svc with names is none", []string{"svc", "a", "b"}, func(o *statusOptions) any { return o.listing }, false},
		{"everything", []string{"-A", "-l", "a=b"}, func(o *statusOptions) any {
			return fmt.Sprintf("%v %v %v", o.query.AllNamespaces, o.query.Selector, o.screen.Namespaces)
		}, "true a=b true"},
		{"files", []string{"-f", "a", "-f", "-"}, func(o *statusOptions) any { return strings.Join(o.files, " ") }, "a -"},
		{"files with commas in their names", []string{"-f", "a,b"}, func(o *statusOptions) any { return len(o.files) }, 1},
		{"wide", []string{"-o", "wide"}, func(o *statusOptions) any { return o.screen.Wide }, true},
		{"jsonpath keeps what is behind the second =", []string{"-o", "jsonpath={.items[?(@.a==1)]}"}, func(o *statusOptions) any {
			return o.output.template
		}, "{.items[?(@.a==1)]}"},
		{"the usual threshold", nil, func(o *statusOptions) any { return o.failOn }, onNever},
		{"a threshold", []string{"--fail-on=warning"}, func(o *statusOptions) any { return o.failOn }, onWarning},
		{"a data plane", []string{"--dataplane", "kube-proxy/ipvs@v1.22.17"}, func(o *statusOptions) any {
			return fmt.Sprintf("%v %v %v", o.query.Dataplane.Name, o.query.Dataplane.Mode, o.query.Dataplane.Version)
		}, "kube-proxy ipvs v1.22.17"},
		{"live and watch", []string{"svc/web", "--live", "-w"}, func(o *statusOptions) any { return o.live && o.watch }, true},
		{"nodes", []string{"svc/web", "--node", "a,b", "--node", "c"}, func(o *statusOptions) any { return o.query.Nodes }, []string{"a", "b", "c"}},
		{"the rest", []string{"--all", "--show-passed"}, func(o *statusOptions) any { return o.screen.All && o.showPassed }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := parse(t, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.is, c.want(o)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-f", "x", "--live"}, "--live queries the nodes of a cluster"},
		{[]string{"-f", "x", "--watch"}, "--watch watches a cluster"},
		{[]string{"-w", "-o", "json"}, "--watch redraws a screen, and -o json is not a screen"},
		{[]string{"-w", "-o", "jsonpath={.a}"}, "-o jsonpath={.a} is not a screen"},
		{[]string{"svc/web", "-A"}, "by name in all namespaces"},
		{[]string{"svc/web", "-l", "a=b"}, "by name and by label"},
		{[]string{"--node", "a"}, "a list of Services has no map"},
		{[]string{"-f", "../../examples/ack-ipvs-local.yaml", "-A", "--node", "a"}, "a list of Services has no map"},
		{[]string{"--dataplane", "iptables-ng"}, "--dataplane iptables-ng"},
		{[]string{"-o", "table"}, "must be one of wide, json, yaml, name, jsonpath=TEMPLATE"},
		{[]string{"-o", "jsonpath"}, "it needs a template"},
		{[]string{"-o", "jsonpath={.a"}, "unclosed action"},
		{[]string{"-o", "json=x"}, "must be one of wide"},
		{[]string{"--color", "sometimes"}, "must be one of auto, always, never"},
		{[]string{"--fail-on", "fatal"}, "must be one of error, warning, info, never"},
		{[]string{"--nonsense"}, "unknown flag"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			w := &world{}
			if code := w.main(t, append([]string{"status"}, c.args...)...); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(w.err.String(), c.says) || !strings.HasPrefix(w.err.String(), "error: ") {
				t.Errorf("stderr says %q, want %q", w.err.String(), c.says)
			}
			if strings.Count(w.err.String(), "\n") != 2 {
				t.Errorf("no next step, or more than one: %q", w.err.String())
			}
			if w.out.Len() != 0 {
				t.Errorf("stdout has %q", w.out.String())
			}
		})
	}
}

func TestUnknownCommandIsUsage(t *testing.T) {
	w := &world{}
	if code := w.main(t, "statsu"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	if got := w.err.String(); got != "error: unknown command \"statsu\" for \"kubectl etp\"\ndid you mean: kubectl etp status\n" {
		t.Errorf("stderr says %q", got)
	}
}

// What people type who know other tools, or who leave out the verb.
func TestUnknownCommandSuggests(t *testing.T) {
	const commands, none = "did you mean: kubectl etp ", "see 'kubectl etp --help'"
	for _, c := range []struct{ typed, next string }{
		{"check svc/web -n shop", commands + "status svc/web"},
		{"diagnose", commands + "status"},
		{"list", commands + "status -A"},
		{"scan svc/web", commands + "status svc/web"},
		{"watch svc/web", commands + "status --watch svc/web"},
		{"revert svc/web", commands + "undo svc/web"},
		{"rollback svc/web --wait", commands + "undo svc/web"},
		{"svc/web -A", commands + "status svc/web"},
		{"svc web", commands + "status svc web"},
		{"ingress/shop", commands + "status ingress/shop"},
		{"eni svc/web", commands + "fix svc/web --mode=eni"},
		{"cluster", commands + "fix svc/NAME --mode=cluster"},
		{"hairpin", commands + "explain hairpin"},
		{"statsu svc/web", commands + "status svc/web"},
		{"kubernetes", none},
		{"help check", commands + "status"},
		{"help statsu", commands + "status"},
		{"help ETP002", commands + "explain ETP002"},
		{"chek svc/web", commands + "status svc/web"},
		{"help chek", commands + "status"},
		{"foo", none},
		{"help foo", none},
		{"help kubernetes", none},
	} {
		w := &world{}
		if code := w.main(t, strings.Fields(c.typed)...); code != exitUsage || !strings.Contains(w.err.String(), c.next+"\n") && !strings.HasSuffix(strings.TrimSpace(w.err.String()), c.next) || w.out.Len() > 0 {
			t.Errorf("%s: exit code %d, stderr %q, want %q", c.typed, code, w.err.String(), c.next)
		}
	}
	for typed, says := range map[string]string{"help": "Available Commands", "help fix": "kubectl etp fix", "--version": "Client Version: "} {
		w := &world{}
		if code := w.main(t, strings.Fields(typed)...); code != 0 || !strings.Contains(w.out.String(), says) {
			t.Errorf("%s: exit code %d: %s%s", typed, code, w.out.String(), w.err.String())
		}
	}
}

func TestHowItEnds(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		code int
		says string
	}{
		{"well", t.Context(), nil, 0, ""},
		{"findings say themselves", t.Context(), &ExitError{Code: exitFound}, 3, ""},
		{"with the next step", t.Context(), fmt.Errorf("more: %w", misuse("do this", "boom")), 2, "error: more: boom\ndo this\n"},
		{"without one", t.Context(), asFailure(errors.New("boom\x1b[2J\ntwice")), 1, "error: boom\\x1b[2J\ntwice\n"},
		{"usage", t.Context(), misuse("", "no"), 2, "error: no\nsee 'etp --help'\n"},
		{"what cobra says", t.Context(), errors.New("unknown flag"), 2, "error: unknown flag\nsee 'etp --help'\n"},
		{"interrupted", cancelled, asFailure(errors.New("cancelled")), 130, ""},
		{"nobody reads", t.Context(), asFailure(fmt.Errorf("write: %w", syscall.EPIPE)), 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if code := exit(c.ctx, &b, "etp", c.err); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if diff := cmp.Diff(c.says, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestThreshold(t *testing.T) {
	f := func(s finding.Severity, r finding.Result) finding.Finding {
		return finding.Finding{Severity: s, Result: r}
	}
	failedError, failedWarning, failedInfo := f(finding.Error, finding.Fail), f(finding.Warning, finding.Fail), f(finding.Info, finding.Fail)
	unknownError, passed, notChecked := f(finding.Error, finding.Unknown), f(finding.Error, finding.Pass), f(finding.Error, finding.NotChecked)
	for _, c := range []struct {
		failOn   threshold
		findings []finding.Finding
		code     int
	}{
		{onNever, []finding.Finding{failedError, unknownError}, exitDone},
		{onError, []finding.Finding{failedWarning, failedInfo, passed}, exitDone},
		{onError, []finding.Finding{unknownError, failedError}, exitFound},
		{onError, []finding.Finding{unknownError, failedWarning}, exitUndecided},
		{onWarning, []finding.Finding{failedWarning}, exitFound},
		{onInfo, []finding.Finding{failedInfo}, exitFound},
		{onInfo, []finding.Finding{passed}, exitDone},
		{onInfo, []finding.Finding{notChecked}, exitDone},
		{onError, []finding.Finding{notChecked, unknownError}, exitUndecided},
		{onError, []finding.Finding{failedError, unknownError}, exitFound},
	} {
		o := &statusOptions{failOn: c.failOn}
		code := exitDone
		for _, r := range []report.Report{{}, {Findings: c.findings}, {}} {
			code = o.judge(code, &r)
		}
		if code != c.code {
			t.Errorf("--fail-on %s with %v ends with %d, want %d", c.failOn, c.findings, code, c.code)
		}
	}
}

// Help of every command follows one form, and its examples are commands that parse.
func TestEveryCommandExplainsItself(t *testing.T) {
	var visit func(*cobra.Command)
	seen := 0
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			visit(sub)
		}
		if c.Name() == "help" {
			return // cobra's own
		}
		seen++
		first, _, _ := strings.Cut(c.Short, " ")
		verbs := []string{"Explain", "Fix", "Print", "Show", "Undo", "Write"}
		if strings.HasSuffix(c.Short, ".") || !unicode.IsUpper([]rune(c.Short)[0]) || !slices.Contains(verbs, strings.TrimSuffix(first, ",")) {
			t.Errorf("%s: %q is not a verb with a capital and no full stop", c.CommandPath(), c.Short)
		}
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for l := range strings.Lines(c.Example) {
			_, typed, is := strings.Cut(strings.TrimSpace(l), "kubectl etp ")
			if !is {
				continue
			}
			typed, _, _ = strings.Cut(strings.TrimSuffix(typed, ")"), " > ")
			typed, _, _ = strings.Cut(typed, " | ")
			w := &world{}
			root := newRoot(w.app())
			command, rest, err := root.Find(strings.Fields(typed))
			if err != nil {
				t.Errorf("example %q: %v", typed, err)
				continue
			}
			if err := command.ParseFlags(rest); err != nil {
				t.Errorf("example %q: %v", typed, err)
			}
		}
	}
	w := &world{}
	visit(newRoot(w.app()))
	if seen < 5 {
		t.Errorf("only %d commands seen", seen)
	}
}

func TestHelpNamesThePluginAndItsExitCodes(t *testing.T) {
	w := &world{}
	if code := w.main(t, "status", "--help"); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, want := range []string{"kubectl etp status [svc/NAME...]", "3    findings at or above --fail-on", "130  interrupted", "--fail-on error|warning|info|never"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, w.out.String())
		}
	}
	if strings.Contains(w.out.String(), "kubectl-etp ") {
		t.Errorf("the help calls the plugin by its file name:\n%s", w.out.String())
	}
}

// On a terminal help is broken between words, also where it is narrow; in a pipe each flag is one line. Examples are for copying, and stay whole.
func TestHelpFitsItsTerminal(t *testing.T) {
	for _, name := range []string{"", "status", "fix", "undo", "dump", "explain", "rbac", "completion", "version"} {
		help := func(columns int) string {
			w := &world{}
			environment := w.environment()
			environment.Columns = func(io.Writer) (int, bool) { return columns, columns > 0 }
			if code := Main(t.Context(), append(strings.Fields(name), "--help"), w.streams(), environment); code != 0 {
				t.Fatalf("%s --help ends with %d: %s", name, code, w.err.String())
			}
			return w.out.String()
		}
		whole := help(0)
		for _, columns := range []int{60, 80, 120, 200} {
			text := help(columns)
			words := func(text string) []string { return strings.Fields(strings.ReplaceAll(text, "#", "")) }
			if !slices.Equal(words(text), words(whole)) {
				t.Errorf("%s --help says something else in %d columns:\n%s", name, columns, text)
			}
			for line := range strings.Lines(text) {
				line = strings.TrimRight(line, "\n")
				// A flag with the words that it takes cannot be broken.
				if flag := strings.HasPrefix(line, "      --") && len(strings.Fields(line)) == 2; len(line) > min(columns, widest) && !strings.HasPrefix(line, "  kubectl ") && !flag {
					t.Errorf("%s --help does not fit into %d columns: %q", name, columns, line)
				}
			}
		}
		if name != "" && strings.Contains(whole, "--certificate-authority") {
			t.Errorf("%s --help hides its own flags among those of kubectl:\n%s", name, whole)
		}
	}
}

func TestVersionAndCompletionAskNobody(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "broken"))
	for _, args := range [][]string{{"version"}, {"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"}, {"completion", "powershell"}} {
		w := &world{}
		if code := w.main(t, args...); code != 0 || w.out.Len() == 0 {
			t.Errorf("%v: exit code %d, %d bytes, %s", args, code, w.out.Len(), w.err.String())
		}
	}
	w := &world{}
	if code := w.main(t, "completion", "tcsh"); code != exitUsage {
		t.Errorf("completion tcsh: exit code %d", code)
	}
}

func TestLocale(t *testing.T) {
	for _, c := range []struct {
		env     map[string]string
		windows bool
		want    bool
	}{
		{map[string]string{"LANG": "en_US.UTF-8"}, false, true},
		{map[string]string{"LANG": "zh_CN.utf8"}, false, true},
		{map[string]string{"LANG": "zh_CN.GB18030"}, false, false},
		{map[string]string{"LC_ALL": "C", "LANG": "en_US.UTF-8"}, false, false},
		{map[string]string{"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, false, true},
		{nil, false, false},
		{nil, true, true},
	} {
		e := Environment{Getenv: func(name string) string { return c.env[name] }, Windows: c.windows}
		if got := e.utf8(); got != c.want {
			t.Errorf("%v on windows %v: %v", c.env, c.windows, got)
		}
	}
}

func TestJSONPath(t *testing.T) {
	reports := []report.Report{{Service: &cluster.Service{Namespace: "shop", Name: "web", Type: cluster.TypeNodePort}}}
	for _, c := range []struct {
		template string
		listing  bool
		want     string
	}{
		{"{.service.name}", false, "web"},
		{".service.name", false, "web"},
		{"{.items[*].service.name}", true, "web"},
		{`{range .nodes[*]}{.name}{"\n"}{end}`, false, ""},
		{"{.nothing}", false, ""},
	} {
		o := &statusOptions{output: format{"jsonpath", c.template}, listing: c.listing}
		got, err := o.format(pointers(reports))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.template, got, err, c.want)
		}
	}
}

// A usage error of the reader is one of the command line, too.
func TestReadingErrors(t *testing.T) {
	for code, err := range map[int]error{
		exitDone:   nil,
		exitUsage:  fmt.Errorf("status: %w", &collect.UsageError{Message: "no such kind"}),
		exitFailed: fmt.Errorf("dial: %w", syscall.ECONNREFUSED),
	} {
		if got := exit(t.Context(), io.Discard, "", reading(err)); got != code {
			t.Errorf("%v ends with %d", err, got)
		}
	}
}

// Services of several namespaces are told apart, also where nobody asked for all namespaces.
func TestListOfAFileWithSeveralNamespaces(t *testing.T) {
	const manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: %s}\nspec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}\n---\n"
	for _, c := range []struct {
		namespaces []string
		args       []string
		heads      string
	}{
		{[]string{"shop", "mall"}, nil, "NAMESPACE  NAME"},
		{[]string{"shop", "mall"}, []string{"-n", "mall", "-A"}, "NAMESPACE  NAME"},
		{[]string{"shop"}, nil, "shop/web   NodePort"},
	} {
		w := &world{}
		for _, ns := range c.namespaces {
			w.in += fmt.Sprintf(manifest, ns)
		}
		if code := w.main(t, append([]string{"status", "-f", "-"}, c.args...)...); code != 0 || !strings.HasPrefix(w.out.String(), c.heads) {
			t.Errorf("%v %v: exit code %d\n%s%s", c.namespaces, c.args, code, w.out.String(), w.err.String())
		}
	}
}

// The example that the repository opens with, beside a kubeconfig that nobody could read.
func TestTheExample(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("clusters: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", broken)
	w := &world{env: map[string]string{"LANG": "C.UTF-8", "TERM": "xterm"}}
	e := w.environment()
	e.Columns = func(io.Writer) (int, bool) { return 105, true }
	args := []string{"status", "svc/nginx-ingress-lb", "-n", "kube-system", "-f", "../../examples/ack-ipvs-local.yaml", "--color=never"}
	if code := Main(t.Context(), args, w.streams(), e); code != 0 {
		t.Fatalf("exit code %d: %s", code, w.err.String())
	}
	matchesFile(t, "example.txt", w.out.Bytes())
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"status", "-f", "../../examples/ack-ipvs-local.yaml", "-o", "jsonpath={.kind}"}, 0, "ServiceReport"},
		{[]string{"status", "-A", "-f", "../../examples/ack-ipvs-local.yaml", "-o", "jsonpath={.kind}"}, 0, "ServiceReportList"},
		{[]string{"status", "-f", "../../examples/ack-ipvs-local.yaml", "-o", "name", "--fail-on=error"}, exitFound, "service/nginx-ingress-lb\n"},
		{[]string{"status", "-f", "../../examples", "-n", "nowhere"}, 0, ""},
		{[]string{"status", "-f", "no-such-file.yaml"}, exitFailed, ""},
		{[]string{"status", "-f", "../../examples", "--from", "node/cn-hangzhou.10.0.1.13", "-o", "jsonpath={.nodes[*].name}"}, 0, "cn-hangzhou.10.0.1.13"},
		{[]string{"status", "-f", "../../examples", "--from", "pod/kube-system/nginx-ingress-controller-6d4f8b7c9d-tq7zl", "-o", "jsonpath={.nodes[*].name}"}, 0, "cn-hangzhou.10.0.1.12"},
	} {
		w := &world{}
		if code := w.main(t, c.args...); code != c.code || w.out.String() != c.out {
			t.Errorf("%v: exit code %d, %q, %s", c.args, code, w.out.String(), w.err.String())
		}
	}
}

func TestOneNode(t *testing.T) {
	const file, node = "../../examples/ack-ipvs-local.yaml", "cn-hangzhou.10.0.1.12"
	whole, one := &world{}, &world{}
	if code := whole.main(t, "status", "-f", file, "--all"); code != 0 {
		t.Fatalf("exit code %d: %s", code, whole.err.String())
	}
	if code := one.main(t, "status", "-f", file, "--node", node); code != 0 {
		t.Fatalf("exit code %d: %s", code, one.err.String())
	}
	var want []string
	others := 0
	for l := range strings.Lines(whole.out.String()) {
		switch {
		case strings.HasPrefix(l, node):
			want = append(want, l, "  39 more not shown\n")
		case strings.HasPrefix(l, "cn-hangzhou."):
			others++
		default:
			want = append(want, l)
		}
	}
	if others != 39 {
		t.Errorf("%d other nodes in\n%s", others, whole.out.String())
	}
	// Columns are as wide as what is in them.
	if diff := cmp.Diff(strings.Fields(strings.Join(want, "")), strings.Fields(one.out.String())); diff != "" {
		t.Error(diff)
	}
	w := &world{}
	if code := w.main(t, "status", "-f", file, "--node", node, "-o", "jsonpath={.nodes[*].name}"); code != 0 || w.out.String() != node {
		t.Errorf("exit code %d, %q, %s", code, w.out.String(), w.err.String())
	}
	w = &world{}
	if code := w.main(t, "status", "-f", file, "--node=", "--all"); code != 0 || w.out.String() != whole.out.String() {
		t.Errorf("no node named: exit code %d, %s%s", code, w.out.String(), w.err.String())
	}
	w = &world{}
	if code := w.main(t, "status", "-f", file, "--node", "nonesuch"); code != exitFailed || w.out.Len() > 0 || !strings.Contains(w.err.String(), "showing node nonesuch: there is no such node") {
		t.Errorf("exit code %d, %q, %s", code, w.out.String(), w.err.String())
	}
}

// What the command prints of real input holds to the schema in the repository.
func TestRealOutputHoldsToThePublishedSchema(t *testing.T) {
	text, err := os.ReadFile("../report/v1alpha1/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"status", "svc/nginx-ingress-lb", "-n", "kube-system", "-o", "json"},
		{"status", "svc/nginx-ingress-lb", "-n", "kube-system", "-o", "json", "--show-passed", "--dataplane", "cilium@v1.17.0"},
		{"status", "-A", "-o", "json"},
		{"status", "-A", "-o", "yaml"},
		{"status", "-n", "nowhere", "-o", "json"},
		{"trace", "--from", "192.0.2.1", "-o", "json"},
		{"trace", "--from", "10.0.64.44", "-o", "yaml"},
		{"trace", "--from", "node/cn-hangzhou.10.0.1.13", "-o", "json", "--dataplane", "cilium@v1.17.0", "--to", "10.0.1.11:30443"},
	} {
		w := &world{}
		if code := w.main(t, append(args, "-f", "../../examples/ack-ipvs-local.yaml")...); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, w.err.String())
		}
		var value any
		if err := yaml.Unmarshal(w.out.Bytes(), &value); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(value); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// matchesFile compares output with a file in testdata, or writes it there with -update.
func matchesFile(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}
