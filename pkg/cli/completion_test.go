package cli

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

const modernKubectl = "Client Version: v1.36.3\nKustomize Version: v5.7.1\n"

func TestInstallCompletion(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the files here are those of other systems")
	}
	name := func(w *world) string { return filepath.Join(w.env["PATH"], completer) }
	put := func(text string, mode os.FileMode) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			if err := os.WriteFile(name(w), []byte(text), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, ours := completerText(false)
	for _, c := range []struct {
		name    string
		before  func(*testing.T, *world)
		kubectl string
		args    []string
		code    int
		says    []string
		// after is the file's text.
		after string
	}{
		{"nothing there", nil, modernKubectl, nil, 0, []string{"wrote "}, ours},
		{"ours", put(ours, 0o755), modernKubectl, nil, 0, []string{"already there: "}, ours},
		{"ours, not to be executed", put(ours, 0o644), modernKubectl, nil, 0, []string{"replaced "}, ours},
		{"an older one of ours", put("#!/bin/sh\n# "+completerMark+"\n", 0o755), modernKubectl, nil, 0, []string{"replaced "}, ours},
		{"somebody else's", put("#!/bin/sh\nmine\n", 0o755), modernKubectl, nil, 1, []string{"error: installing completion: ", "was not written by this program", "--dir"}, "#!/bin/sh\nmine\n"},
		{"a folder", func(t *testing.T, w *world) {
			if err := os.Mkdir(name(w), 0o755); err != nil {
				t.Fatal(err)
			}
		}, modernKubectl, nil, 1, []string{"already exists and is not a regular file"}, ""},
		{"a link to nowhere", func(t *testing.T, w *world) {
			if err := os.Symlink("nowhere", name(w)); err != nil {
				t.Fatal(err)
			}
		}, modernKubectl, nil, 1, []string{"error: installing completion: "}, ""},
		{"not on the PATH", func(t *testing.T, w *world) {
			if err := os.Remove(filepath.Join(w.env["PATH"], "kubectl-etp")); err != nil {
				t.Fatal(err)
			}
		}, modernKubectl, nil, 1, []string{"kubectl-etp is not on the PATH", "--dir"}, ""},
		{"an old kubectl", nil, `Client Version: version.Info{Major:"1", Minor:"25", GitVersion:"v1.25.3", GoVersion:"go1.19"}`, nil, 0, []string{"kubectl on the PATH is v1.25.3", "v1.26", "update kubectl"}, ours},
		{"no kubectl", nil, "", nil, 0, []string{"check with kubectl version --client"}, ours},
		{"with a shell", nil, modernKubectl, []string{"bash"}, 2, []string{"error: "}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{env: map[string]string{"PATH": t.TempDir(), "kubectl says": c.kubectl}}
			if err := os.WriteFile(filepath.Join(w.env["PATH"], "kubectl-etp"), nil, 0o755); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before(t, w)
			}
			if code := w.main(t, append([]string{"completion", "--install"}, c.args...)...); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			said := w.out.String() + w.err.String()
			for _, want := range c.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if c.code == 0 && !strings.Contains(said, name(w)) {
				t.Errorf("it does not say where:\n%s", said)
			}
			if strings.Contains(said, "v1.26") != (c.kubectl != modernKubectl) {
				t.Errorf("what it says of kubectl: %s", said)
			}
			text, err := os.ReadFile(name(w))
			if string(text) != c.after || c.after != "" && err != nil {
				t.Errorf("the file holds %q, %v; want %q", text, err, c.after)
			}
			if info, err := os.Stat(name(w)); c.code == 0 && (err != nil || info.Mode()&0o111 == 0) {
				t.Errorf("it cannot be executed: %v", err)
			}
			left, err := os.ReadDir(w.env["PATH"])
			if err != nil || len(left) > 2 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestInstallCompletionElsewhere(t *testing.T) {
	w := &world{env: map[string]string{"PATH": t.TempDir(), "kubectl says": modernKubectl}}
	dir := t.TempDir()
	if code := w.main(t, "completion", "--install", "--dir", dir); code != 0 || !strings.Contains(w.out.String(), "add "+dir+" to the PATH") {
		t.Errorf("exit code %d, %s%s", code, w.out.String(), w.err.String())
	}
	if _, err := os.Stat(filepath.Join(dir, completer)); err != nil {
		t.Error(err)
	}
	w = &world{}
	if code := w.main(t, "completion", "--dir", dir, "bash"); code != exitUsage || !strings.Contains(w.err.String(), "--install") {
		t.Errorf("without --install: exit code %d, %s", code, w.err.String())
	}
}

// The archives of a release carry the same program.
func TestReleasedCompleter(t *testing.T) {
	for _, windows := range []bool{false, true} {
		name, text := completerText(windows)
		if released, err := os.ReadFile(filepath.Join("..", "..", "release", name)); err != nil || string(released) != text {
			t.Errorf("release/%s holds %q, %v; want %q", name, released, err, text)
		}
	}
}

// The script for each shell is one that the shell can read, where it is at hand.
func TestCompletionScriptsParse(t *testing.T) {
	for _, shell := range [][]string{
		{"bash", "-n"},
		{"zsh", "-n"},
		{"fish", "--no-execute"},
		{"pwsh", "-NoProfile", "-NonInteractive", "-Command", "& { param($file) $errors = $null; " +
			"[void][System.Management.Automation.Language.Parser]::ParseFile($file, [ref]$null, [ref]$errors); $errors; exit $errors.Count }"},
	} {
		t.Run(shell[0], func(t *testing.T) {
			program, err := exec.LookPath(shell[0])
			if err != nil {
				t.Skip(err)
			}
			w := &world{}
			if code := w.main(t, "completion", strings.Replace(shell[0], "pwsh", "powershell", 1)); code != 0 {
				t.Fatalf("exit code %d: %s", code, w.err.String())
			}
			script := filepath.Join(t.TempDir(), "script.ps1")
			if err := os.WriteFile(script, w.out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if runtime.GOOS == "windows" && shell[0] == "bash" {
				t.Skip("the bash that Windows has on its PATH may see other paths")
			}
			if out, err := exec.Command(program, append(shell[1:], script)...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// completions runs a command line as the completer does and gives the words it offers.
func completions(t *testing.T, w *world, args ...string) []string {
	t.Helper()
	if code := w.main(t, append([]string{"__complete"}, args...)...); code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, w.err.String())
	}
	lines := strings.Split(strings.TrimRight(w.out.String(), "\n"), "\n")
	var words []string
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		words = append(words, word)
	}
	return words
}

const someServices = `apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {type: LoadBalancer}}
- {apiVersion: v1, kind: Service, metadata: {name: wiki, namespace: shop}, spec: {type: NodePort}}
- {apiVersion: v1, kind: Service, metadata: {name: old, namespace: shop}, spec: {externalIPs: [203.0.113.9]}}
- {apiVersion: v1, kind: Service, metadata: {name: inner, namespace: shop}, spec: {type: ClusterIP}}
- {apiVersion: v1, kind: Service, metadata: {name: away, namespace: shop}, spec: {type: ExternalName, externalName: a.example}}
- {apiVersion: v1, kind: Service, metadata: {name: world, namespace: mall}, spec: {type: LoadBalancer}}
`

func TestCompleteServices(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services.yaml")
	if err := os.WriteFile(file, []byte(someServices), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, want []string
	}{
		{[]string{""}, []string{"old", "web", "wiki", "world"}},
		{[]string{"-n", "shop", ""}, []string{"old", "web", "wiki"}},
		{[]string{"-n", "shop", "w"}, []string{"web", "wiki"}},
		{[]string{"-n", "shop", "svc/w"}, []string{"svc/web", "svc/wiki"}},
		{[]string{"-n", "shop", "service/"}, []string{"service/old", "service/web", "service/wiki"}},
		{[]string{"-n", "shop", "sv"}, []string{"svc/old", "svc/web", "svc/wiki"}},
		{[]string{"-n", "shop", "svc", "w"}, []string{"web", "wiki"}},
		{[]string{"-n", "shop", "svc/web", "svc/w"}, []string{"svc/wiki"}},
		{[]string{"-n", "shop", "web", "w"}, []string{"wiki"}},
		{[]string{"-n", "shop", "ing/"}, nil},
		{[]string{"-n", "shop", "ingress", ""}, nil},
		{[]string{"-A", ""}, nil},
		{[]string{"-n", "nowhere", ""}, nil},
	} {
		for _, command := range []string{"status", "dump"} {
			args := append([]string{command, "-f", file}, c.args...)
			if got := completions(t, &world{}, args...); !slices.Equal(got, c.want) {
				t.Errorf("%v: %q, want %q", args, got, c.want)
			}
		}
	}
}

func TestCompleteNodes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nodes.yaml")
	const text = someServices + "- {apiVersion: v1, kind: Node, metadata: {name: worker-b}}\n- {apiVersion: v1, kind: Node, metadata: {name: worker-a}}\n- {apiVersion: v1, kind: Node, metadata: {name: master}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, want []string
	}{
		{[]string{"--node", ""}, []string{"master", "worker-a", "worker-b"}},
		{[]string{"--node", "w"}, []string{"worker-a", "worker-b"}},
		{[]string{"--node=worker-b"}, []string{"worker-b"}},
		{[]string{"--node", "x"}, nil},
		{[]string{"-n", ""}, []string{"mall", "shop"}},
	} {
		args := append([]string{"status", "svc/web", "-f", file}, c.args...)
		if got := completions(t, &world{}, args...); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", args, got, c.want)
		}
	}
}

func TestCompleteValuesOfFlags(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	const text = `{apiVersion: v1, kind: Config, contexts: [{name: b, context: {cluster: c, user: u}}, {name: a, context: {}}], clusters: [{name: c, cluster: {}}], users: [{name: u, user: {}}]}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", config)
	for _, c := range []struct {
		args, want []string
	}{
		{[]string{"status", "--color", ""}, []string{"auto", "always", "never"}},
		{[]string{"status", "--fail-on", ""}, []string{"error", "warning", "info", "never"}},
		{[]string{"status", "-o", ""}, []string{"wide", "json", "yaml", "name", "jsonpath="}},
		{[]string{"rbac", "--for", ""}, []string{"status", "watch", "live", "fix"}},
		{[]string{"status", "--context", ""}, []string{"a", "b"}},
		{[]string{"status", "--cluster", ""}, []string{"c"}},
		{[]string{"status", "--user", ""}, []string{"u"}},
		{[]string{"explain", "IPVS-0"}, []string{"IPVS-01", "IPVS-02", "IPVS-03", "IPVS-04", "IPVS-05", "IPVS-06", "IPVS-07", "IPVS-08", "IPVS-09"}},
		{[]string{"explain", "ETP00"}, []string{"ETP001", "ETP002", "ETP003", "ETP005", "ETP007", "ETP008"}},
		{[]string{"explain", "ETP001", ""}, nil},
	} {
		if got := completions(t, &world{}, c.args...); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.args, got, c.want)
		}
	}
	all := completions(t, &world{}, "explain", "")
	if !slices.Contains(all, "externalTrafficPolicy") || !slices.Contains(all, "ETP002") || slices.Contains(all, "IPVS-11") {
		t.Errorf("explain: %q", all)
	}
}

func TestCompleteModes(t *testing.T) {
	w := &world{}
	completions(t, w, "fix", "--mode", "")
	for _, m := range remedy.Modes() {
		if !strings.Contains(w.out.String(), string(m.Mode)+"\t"+m.Does+"\n") {
			t.Errorf("no %s with what it does:\n%s", m.Mode, w.out.String())
		}
	}
}

// A server that takes connections and says nothing, a clock, and no words.
func TestCompletionEndsWithoutAnAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	config := filepath.Join(t.TempDir(), "config")
	text := `{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}], clusters: [{name: a, cluster: {server: "http://` +
		listener.Addr().String() + `"}}]}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", config)
	for given, want := range map[string]time.Duration{"": completionPatience, "2s": 2 * time.Second, "soon": completionPatience} {
		w := &world{env: map[string]string{completionPatienceEnv: given}}
		environment := w.environment()
		var asked time.Duration
		environment.After = func(d time.Duration) <-chan time.Time {
			asked = d
			up := make(chan time.Time, 1)
			up <- time.Time{}
			return up
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if code := Main(ctx, []string{"__complete", "status", "w"}, w.streams(), environment); code != 0 || w.out.String() != ":4\n" {
			t.Errorf("exit code %d, %q", code, w.out.String())
		}
		if asked != want {
			t.Errorf("%s=%q: it waits %v, want %v", completionPatienceEnv, given, asked, want)
		}
	}
}
