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

// machine is the machine on which the tests run.
type machine struct {
	root    string
	linux   bool
	user0   bool
	require bool
	// skips lists the tests that were skipped in the current step, with their reasons.
	skips []string
	// passes lists the tests that passed in the current step, as PACKAGE TEST.
	passes []string
}

func here() (*machine, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	return &machine{root: root, linux: runtime.GOOS == "linux", user0: os.Geteuid() == 0, require: os.Getenv(kube.RequireEnv) == "1"}, nil
}

// command returns a command that is killed when this program ends. cgo is disabled, so that no test comes to need a C compiler.
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

// do runs a program in a folder of the repository; "" is the root.
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

// event is one line of go test -json (go doc test2json).
type event struct {
	Action  string  `json:"Action"`
	Package string  `json:"Package"`
	Test    string  `json:"Test"`
	Output  string  `json:"Output"`
	Elapsed float64 `json:"Elapsed"`
}

// test runs go test in a folder of the repository. It prints a line for each package and the output of tests that fail, and collects skips with their reasons.
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
			} else {
				m.passes = append(m.passes, e.Package+" "+e.Test)
			}
		default:
			continue
		}
		delete(said, key)
	}
}

// reason returns the output of a skipped test without the lines that go test adds.
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
