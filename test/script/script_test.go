//go:build unix

package script_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

var update = flag.Bool("update", false, "rewrite the files in the scripts that cmp compares with")

// TestScripts runs every script of this folder. Each finds:
//
//   - the cluster of testdata/cluster.yaml, behind a proxy that counts its requests;
//   - a user of its own with the rights of fullRights, and a kubeconfig in $KUBECONFIG whose contexts are "proxied" (the current one), "refused" (nobody listens there)
//     and "admin" (past the proxy, with every right);
//   - kubectl-etp, and kubectl if it is built, on the PATH.
//
// Beside testscript's own commands it may use those of commands; conditions are [isolated] (nodes answer, see startNodes) and [exec:kubectl].
func TestScripts(t *testing.T) {
	server := shared.Get(t)
	manifests, err := os.ReadFile("testdata/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), manifests); err != nil {
		t.Fatal(err)
	}
	passed := &ledger{}
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		Setup:               func(env *testscript.Env) error { return setup(env, server, passed) },
		Condition:           condition,
		Cmds:                commands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
	})
	t.Cleanup(func() { passed.check(t) })
}

// ledger remembers which scripts have been started.
type ledger struct {
	mu      sync.Mutex
	started []string
}

func (l *ledger) add(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = append(l.started, name)
}

// check fails if a script that lies in this folder, or below it, or that has another suffix, was not run.
func (l *ledger) check(t *testing.T) {
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // Somebody asked for some of them only.
	}
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".go") || path == "testdata/cluster.yaml" {
			return err
		}
		if name, ok := strings.CutSuffix(path, ".txtar"); !ok || !slices.Contains(l.started, name) {
			t.Errorf("%s was not run: scripts lie in this folder and end in .txtar", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// fullRights is what every script's user may do at first: all that status asks for.
var fullRights = []right{
	{"get list watch", "services"},
	{"get list watch", "endpointslices.discovery.k8s.io"},
	{"get list watch", "nodes"},
	{"get list", "configmaps"},
	{"get list", "daemonsets.apps"},
	{"get list", "pods"},
	{"get list", "ingresses.networking.k8s.io"},
	{"get", "felixconfigurations.crd.projectcalico.org"},
}

type right struct{ verbs, resource string }

// story is what a script's commands share.
type story struct {
	server *apiserver.Server
	proxy  *faults.Proxy
	user   string
	// started are the commands of start, by name.
	started map[string]*started
}

type started struct {
	cmd    *exec.Cmd
	stderr string
	done   chan error
}

type storyKey struct{}

func storyOf(ts *testscript.TestScript) *story { return ts.Value(storyKey{}).(*story) }

func setup(env *testscript.Env, server *apiserver.Server, passed *ledger) error {
	name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
	passed.add(name)
	proxy, err := faults.New(server)
	if err != nil {
		return err
	}
	env.Defer(proxy.Stop)
	s := &story{server: server, proxy: proxy, user: name, started: map[string]*started{}}
	env.Values[storyKey{}] = s
	env.Defer(s.endAll)
	if err := s.grant(fullRights...); err != nil {
		return err
	}
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		return err
	}
	env.Setenv("PATH", os.Getenv(binEnv)+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "kubeconfig"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("LC_ALL", "C.UTF-8")
	env.Setenv("ESC", "\x1b")
	env.Setenv("TESTDATA", testdata)
	env.Setenv("BIN", os.Getenv(binEnv))
	return s.kubeconfig(env.Getenv("KUBECONFIG"), "")
}

// kubeconfig writes the script's kubeconfig, with a token other than the user's own if there is one.
func (s *story) kubeconfig(path, token string) error {
	_, err := s.server.WriteKubeconfig(path,
		apiserver.Context{Name: "proxied", User: s.user, Token: token, Server: s.proxy.URL, Namespace: "shop"},
		apiserver.Context{Name: "refused", User: s.user, Server: "https://127.0.0.1:1"},
		apiserver.Context{Name: "admin", User: apiserver.Admin, Namespace: "shop"},
	)
	return err
}

func (s *story) grant(rights ...right) error {
	var rules []rbacv1.PolicyRule
	for _, r := range rights {
		rules = append(rules, apiserver.Rule(r.verbs, r.resource))
	}
	return s.server.Grant(context.Background(), s.user, rules...)
}

func (s *story) endAll() {
	for _, p := range s.started {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func condition(name string) (bool, error) {
	if name == "isolated" {
		return isolated(), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":      exits,
	"grant":      grant,
	"token":      token,
	"load":       load,
	"patch":      patch,
	"fault":      fault,
	"disconnect": disconnect,
	"recover":    recovered,
	"asked":      asked,
	"awaits":     awaits,
	"requests":   requests,
	"received":   received,
	"start":      start,
	"until":      until,
	"ends":       ends,
	"interrupt":  interrupt,
	"sigkill":    sigkill,
}

// misused fails a script whose line is wrong.
func misused(ts *testscript.TestScript, wrong bool, usage string) {
	if wrong {
		ts.Fatalf("usage: %s", usage)
	}
}

// exits runs a command and fails unless it ends with that exit code: exits CODE COMMAND ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) < 2, "exits CODE COMMAND ARGS…")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if stderr := ts.ReadFile("stderr"); strings.Contains(stderr, "panic: ") || strings.Contains(stderr, "goroutine 1 [") {
		ts.Fatalf("it panicked")
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// grant replaces the user's rights: grant [full] [without RESOURCE…] [with VERBS RESOURCE]…, as in: grant full without nodes with list nodes. VERBS are joined by commas.
func grant(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "grant [full] [without RESOURCE…] [with VERBS RESOURCE]…"
	misused(ts, neg || len(args) == 0, usage)
	var rights []right
	if args[0] == "full" {
		rights, args = slices.Clone(fullRights), args[1:]
	}
	for len(args) > 0 {
		switch {
		case args[0] == "with" && len(args) >= 3:
			rights = append(rights, right{strings.ReplaceAll(args[1], ",", " "), args[2]})
			args = args[3:]
		case args[0] == "without" && len(args) >= 2:
			before := len(rights)
			rights = slices.DeleteFunc(rights, func(r right) bool { return r.resource == args[1] })
			if len(rights) == before {
				ts.Fatalf("there was no right to %s that could be taken", args[1])
			}
			args = args[2:]
		default:
			misused(ts, true, usage)
		}
	}
	ts.Check(storyOf(ts).grant(rights...))
}

// token gives the user another token: token invalid|expired|own.
func token(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 1, "token invalid|expired|own")
	s := storyOf(ts)
	var value string
	switch args[0] {
	case "own":
	case "invalid":
		value = "not-a-token"
	case "expired":
		var err error
		value, err = s.server.Authority().AccountToken("default", s.user, "0", time.Now().Add(-time.Hour))
		ts.Check(err)
	default:
		ts.Fatalf("unknown token %q", args[0])
	}
	ts.Check(s.kubeconfig(ts.Getenv("KUBECONFIG"), value))
}

// load applies manifests as admin, past the proxy: load FILE…
func load(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) == 0, "load FILE…")
	for _, file := range args {
		ts.Check(storyOf(ts).server.Apply(context.Background(), []byte(ts.ReadFile(file))))
	}
}

// patch merges a patch into an object as admin, past the proxy: patch KIND NAMESPACE NAME PATCH
func patch(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 4, "patch KIND NAMESPACE NAME PATCH")
	ts.Check(storyOf(ts).server.Patch(context.Background(), args[0], args[1], args[2], args[3]))
}

// fault lets requests go wrong whose "METHOD /path?query" matches: fault PATTERN status CODE | busy SECONDS | hang | drop |
// cut BYTES [times N] [after PATTERN]. With after, a request is held back until another one that matches has been answered.
func fault(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "fault PATTERN status CODE | busy SECONDS | hang | drop | cut BYTES [times N] [after PATTERN]"
	misused(ts, neg || len(args) < 2, usage)
	pattern, kind, args := args[0], args[1], args[2:]
	number := func() int {
		misused(ts, len(args) == 0, usage)
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		args = args[1:]
		return n
	}
	var f faults.Fault
	switch kind {
	case "status":
		f = faults.Status(number(), "made to fail")
	case "busy":
		f = faults.TooManyRequests(number())
	case "hang":
		f = faults.Hang()
	case "drop":
		f = faults.Drop()
	case "cut":
		f = faults.Cut(number())
	default:
		misused(ts, true, usage)
	}
	if len(args) > 0 && args[0] == "times" {
		args = args[1:]
		f = faults.Times(number(), f)
	}
	if len(args) == 2 && args[0] == "after" {
		f = storyOf(ts).proxy.After(args[1], f)
		args = nil
	}
	misused(ts, len(args) > 0, usage)
	storyOf(ts).proxy.On(pattern, f)
}

// disconnect closes all connections to the server: disconnect
func disconnect(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) > 0, "disconnect")
	storyOf(ts).proxy.Disconnect()
}

// recover forgets all faults, and what was counted.
func recovered(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) > 0, "recover")
	storyOf(ts).proxy.Reset()
}

// asked fails unless (with !: if) a request since the last recover matches: [!] asked PATTERN
func asked(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, len(args) != 1, "[!] asked PATTERN")
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	requests := storyOf(ts).proxy.Requests()
	if slices.ContainsFunc(requests, func(r faults.Request) bool { return pattern.MatchString(r.String()) }) == neg {
		ts.Fatalf("asked:\n%s", listed(requests))
	}
}

// awaits waits until a started command has sent a request that matches: awaits PATTERN
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 1, "awaits PATTERN")
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		requests := storyOf(ts).proxy.Requests()
		if slices.ContainsFunc(requests, func(r faults.Request) bool { return pattern.MatchString(r.String()) }) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not asked in %v:\n%s", patience, listed(requests))
		}
	}
}

func listed(requests []faults.Request) string {
	var b strings.Builder
	for _, r := range requests {
		fmt.Fprintf(&b, "%3d %7d bytes  %s\n", r.Status, r.Bytes, r)
	}
	return b.String()
}

// requests fails unless there have been at least one and at most N requests since the last recover: requests N
func requests(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 1, "requests N")
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	if requests := storyOf(ts).proxy.Requests(); len(requests) == 0 || len(requests) > most {
		ts.Fatalf("%d requests, want at most %d:\n%s", len(requests), most, listed(requests))
	}
}

// received fails unless at most N bytes have been received since the last recover, all connections and TLS included: received N
func received(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 1, "received N")
	most, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	if _, got := storyOf(ts).proxy.Wire(); got == 0 || got > most {
		ts.Fatalf("%d bytes received, want at most %d", got, most)
	}
}

// start runs a command beside the script, its standard output going to the file NAME and its standard error to NAME.err: start NAME COMMAND ARGS…
func start(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) < 2, "start NAME COMMAND ARGS…")
	s, name := storyOf(ts), args[0]
	path, err := exec.LookPath(filepath.Join(os.Getenv(binEnv), args[1]))
	ts.Check(err)
	stdout, err := os.Create(ts.MkAbs(name))
	ts.Check(err)
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	for _, variable := range []string{"KUBECONFIG", "HOME", "LC_ALL", "PATH"} {
		cmd.Env = append(cmd.Env, variable+"="+ts.Getenv(variable))
	}
	kube.EndWithParent(cmd)
	ts.Check(cmd.Start())
	p := &started{cmd: cmd, stderr: stderr.Name(), done: make(chan error, 1)}
	s.started[name] = p
	go func() {
		defer stdout.Close()
		defer stderr.Close()
		p.done <- cmd.Wait()
		close(p.done)
	}()
}

// patience is how long a started command may take to do what the script waits for.
const patience = 30 * time.Second

// until waits for a started command to print something: until NAME PATTERN
func until(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 2, "until NAME PATTERN")
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	p := storyOf(ts).started[args[0]]
	if p == nil {
		ts.Fatalf("nothing was started as %s", args[0])
	}
	deadline := time.Now().Add(patience)
	for !pattern.MatchString(ts.ReadFile(args[0])) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s has not printed %q in %v, but:\n%s\n%s", args[0], args[1], patience, ts.ReadFile(args[0]), ts.ReadFile(p.stderr))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// interrupt presses Ctrl-C for a started command, once or twice, and fails unless it ends with that exit code: interrupt NAME CODE [twice]
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	again := len(args) == 3 && args[2] == "twice"
	misused(ts, neg || len(args) != 2 && !again, "interrupt NAME CODE [twice]")
	p := storyOf(ts).started[args[0]]
	if p == nil {
		ts.Fatalf("nothing was started as %s", args[0])
	}
	ts.Check(p.cmd.Process.Signal(syscall.SIGINT))
	if again {
		// Two signals that are not yet delivered are one.
		time.Sleep(300 * time.Millisecond)
		ts.Check(p.cmd.Process.Signal(syscall.SIGINT))
	}
	ends(ts, neg, args[:2])
}

// ends waits for a started command to end by itself, and fails unless it does with that exit code: ends NAME CODE
func ends(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 2, "ends NAME CODE")
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	p := storyOf(ts).started[args[0]]
	if p == nil {
		ts.Fatalf("nothing was started as %s", args[0])
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s does not end", args[0])
	}
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%s ended with exit code %d, want %d; it said:\n%s", args[0], got, want, ts.ReadFile(p.stderr))
	}
}

// sigkill ends a started command without any chance to say or do something: sigkill NAME
func sigkill(ts *testscript.TestScript, neg bool, args []string) {
	misused(ts, neg || len(args) != 1, "sigkill NAME")
	p := storyOf(ts).started[args[0]]
	if p == nil {
		ts.Fatalf("nothing was started as %s", args[0])
	}
	ts.Check(p.cmd.Process.Kill())
	<-p.done
}
