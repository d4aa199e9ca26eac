package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// machine is where the tests run.
type machine struct {
	root    string
	linux   bool
	user0   bool
	require bool
	// skips are what go test has skipped in the step that runs.
	skips []string
}

func here() (*machine, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	return &machine{root: root, linux: runtime.GOOS == "linux", user0: os.Geteuid() == 0, require: os.Getenv(kube.RequireEnv) == "1"}, nil
}

// command is a program that ends with this one. Nothing needs a C compiler, and so that nothing comes to need one, none is used.
func (m *machine) command(ctx context.Context, dir string, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = m.root
	if dir != "" {
		cmd.Dir += "/" + dir
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	kube.EndWithParent(cmd)
	return cmd
}

// do runs a program in a folder of the repository, "" for its root.
func (m *machine) do(ctx context.Context, dir, name string, args ...string) error {
	where := ""
	if dir != "" {
		where = " (in " + dir + ")"
	}
	fmt.Printf("$ %s %s%s\n", name, strings.Join(args, " "), where)
	if err := m.command(ctx, dir, nil, name, args...).Run(); err != nil {
		return fmt.Errorf("%s %s%s: %w", name, strings.Join(args, " "), where, err)
	}
	return nil
}

// event is a line of go test -json, as cmd/test2json documents it.
type event struct {
	Action  string  `json:"Action"`
	Package string  `json:"Package"`
	Test    string  `json:"Test"`
	Output  string  `json:"Output"`
	Elapsed float64 `json:"Elapsed"`
}

// test runs go test in a folder of the repository and prints a line for each package, all of a test that fails, and every skip with its reason.
func (m *machine) test(ctx context.Context, dir string, env []string, args ...string) error {
	args = append([]string{"test", "-json"}, args...)
	fmt.Printf("$ %s go %s\n", strings.Join(env, " "), strings.Join(args, " "))
	cmd := m.command(ctx, dir, env, "go", args...)
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go test: %w", err)
	}
	m.follow(bufio.NewScanner(out))
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func (m *machine) follow(lines *bufio.Scanner) {
	lines.Buffer(nil, 64<<20)
	said := map[string]*strings.Builder{}
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Println(lines.Text())
			continue
		}
		key := e.Package + " " + e.Test
		if said[key] == nil {
			said[key] = &strings.Builder{}
		}
		switch e.Action {
		case "output":
			said[key].WriteString(e.Output)
			continue
		case "build-output":
			fmt.Print(e.Output)
			continue
		case "skip":
			if e.Test != "" {
				m.skips = append(m.skips, e.Package+" "+e.Test+": "+reason(said[key].String()))
			}
		case "fail":
			fmt.Print(said[key].String())
		case "pass":
			if e.Test == "" {
				fmt.Printf("ok  %s  %.1fs\n", e.Package, e.Elapsed)
			}
		default:
			continue
		}
		delete(said, key)
	}
}

// reason is what a skipped test said, without the lines that go test adds.
func reason(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}
