//go:build unix

// Command build builds the real programs that tests run, such as kube-apiserver and etcd, from their Go modules into the cache that tests run them from.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), `usage: go run ./test/kube/build [NAME@VERSION…]

Builds NAME into the cache of test binaries, which %s moves. What is there already is kept. Without arguments: %v.
NAME is one of: %s.
`, kube.CacheEnv, kube.Default(), strings.Join(names(), ", "))
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// run builds the targets named by args in order, goes on after one that fails, and returns all failures.
func run(ctx context.Context, out io.Writer, args []string) error {
	targets := kube.Default()
	if len(args) > 0 {
		targets = nil
		for _, arg := range args {
			t, err := parse(arg)
			if err != nil {
				return err
			}
			targets = append(targets, t)
		}
	}
	var failed []error
	for _, t := range targets {
		if err := ensure(ctx, out, t); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t, err))
			if ctx.Err() != nil {
				break
			}
		}
	}
	return errors.Join(failed...)
}

var versionForm = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$`)

func parse(arg string) (kube.Target, error) {
	name, version, ok := strings.Cut(arg, "@")
	if !ok {
		return kube.Target{}, fmt.Errorf("%q: want NAME@VERSION, such as kube-proxy@%s", arg, kube.Version)
	}
	if _, known := recipes[name]; !known {
		return kube.Target{}, fmt.Errorf("%q: no recipe for %q; known: %s", arg, name, strings.Join(names(), ", "))
	}
	if !versionForm.MatchString(version) {
		return kube.Target{}, fmt.Errorf("%q: the version must be complete, such as %s", arg, kube.Version)
	}
	return kube.Target{Name: name, Version: version}, nil
}

// ensure prints one line: the binary's path, and that it was there or how long building it took.
func ensure(ctx context.Context, out io.Writer, t kube.Target) error {
	start := time.Now()
	path, err := t.Path()
	if err != nil {
		return err
	}
	if _, err := kube.Binary(t.Name, t.Version); err == nil {
		fmt.Fprintf(out, "%-40s in the cache       %s\n", t, path)
		return nil
	}
	// One build of a version at a time: two builders of the same binary would only do the work twice.
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := kube.Binary(t.Name, t.Version); err == nil {
		fmt.Fprintf(out, "%-40s built by another   %s\n", t, path)
		return nil
	}
	if err := build(ctx, t, path); err != nil {
		return err
	}
	fmt.Fprintf(out, "%-40s built in %-10s %s\n", t, time.Since(start).Round(100*time.Millisecond), path)
	return nil
}

func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the cache: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking the cache: %w", err)
	}
	// Closing gives the lock back; the file stays, because removing it would let two processes hold "the" lock.
	return func() { f.Close() }, nil
}

// build makes one binary at path. The caller holds the lock of path's folder.
func build(ctx context.Context, t kube.Target, path string) error {
	work := filepath.Join(filepath.Dir(path), ".work")
	// Left by a builder that was killed.
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(work)

	r := recipes[t.Name]
	goMod := filepath.Join(work, "go.mod")
	if err := os.WriteFile(goMod, []byte("module kubectl-etp-test-binaries\n\ngo 1.26\n"), 0o644); err != nil {
		return err
	}
	source, upstream, err := download(ctx, work, r.module, t.Version)
	if err != nil {
		return err
	}
	edits := []string{"mod", "edit", "-require=" + r.module + "@" + t.Version}
	if r.edits != nil {
		edits = append(edits, r.edits(upstream, t.Version)...)
	}
	reduced, err := r.reduce(work, source)
	if err != nil {
		return err
	}
	if out, err := goTool(ctx, work, append(edits, reduced...)...); err != nil {
		return fmt.Errorf("writing the module that requires %s %s: %w\n%s", r.module, t.Version, err, out)
	}
	ldflags := "-s -w"
	if r.stamp != nil {
		ldflags += " " + r.stamp(t.Version)
	}
	out, err := goTool(ctx, work, "build", "-mod=mod", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", "binary", r.of(t.Version))
	if err != nil {
		return fmt.Errorf("go build %s: %w\n%s\nif a module above could not be had, try a neighbouring patch version of %s", r.of(t.Version), err, out, t.Version)
	}
	for name, from := range r.files {
		if err := keepFiles(t, name, filepath.Join(source, from)); err != nil {
			return err
		}
	}
	return os.Rename(filepath.Join(work, "binary"), path)
}

// goMod is what `go mod edit -json` prints, as far as it is used here.
type goMod struct {
	Require []struct{ Path, Version string }
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

// download fetches a module and returns the folder of its source, and its own go.mod.
func download(ctx context.Context, work, module, version string) (source string, m goMod, err error) {
	var got struct{ Dir, GoMod, Error string }
	out, err := goTool(ctx, work, "mod", "download", "-json", module+"@"+version)
	if json.Unmarshal(out, &got) != nil && err != nil {
		return "", goMod{}, fmt.Errorf("downloading %s %s: %w\n%s", module, version, err, out)
	}
	if got.Error != "" || err != nil {
		return "", goMod{}, fmt.Errorf("%s %s cannot be had as a Go module: %s; try a neighbouring patch version (go list -m -versions %s lists them)", module, version, got.Error, module)
	}
	out, err = goTool(ctx, work, "mod", "edit", "-json", got.GoMod)
	if err != nil {
		return "", goMod{}, fmt.Errorf("reading the go.mod of %s %s: %w\n%s", module, version, err, out)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return "", goMod{}, fmt.Errorf("reading the go.mod of %s %s: %w", module, version, err)
	}
	return got.Dir, m, nil
}

// goTool runs the go command in dir and returns its standard output, or, where it failed, everything it said.
func goTool(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// The caller's flags and workspace are about the caller's module, not about this one.
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GO111MODULE=on")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	kube.EndWithParent(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return append(stdout.Bytes(), stderr.Bytes()...), err
	}
	return stdout.Bytes(), nil
}
