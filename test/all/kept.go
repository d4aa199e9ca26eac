package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// tested is a package with tests: its import path, its folder, and the file with its compiled tests.
type tested struct{ name, dir, binary string }

// testKept runs the short tests of all packages of the main module, without the packages of leaveOut, which are folders of the
// repository. Unlike go test, it keeps the test binaries (in bin/tests, which git ignores): only those whose code has changed
// are linked again, because linking all takes longer than running all. Results are never cached.
func (m *machine) testKept(ctx context.Context, env, leaveOut []string) error {
	list := m.command(ctx, "", nil, "go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}", "./...")
	list.Stdout = nil
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	kept := filepath.Join(m.root, "bin", "tests")
	folders := batches(string(out), kept, leaveOut)
	var packages []tested
	for i, batch := range folders {
		args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", filepath.Join(kept, strconv.Itoa(i)) + string(filepath.Separator)}
		for _, p := range batch {
			args = append(args, p.name)
		}
		if err := os.MkdirAll(filepath.Join(kept, strconv.Itoa(i)), 0o755); err != nil {
			return err
		}
		fmt.Printf("$ go %s … (%d packages)\n", strings.Join(args[:6], " "), len(batch))
		if err := m.command(ctx, "", env, "go", args...).Run(); err != nil {
			return fmt.Errorf("building tests: %w", err)
		}
		packages = append(packages, batch...)
	}
	return m.runKept(ctx, env, packages)
}

// batches divides what go list prints into lists in which no two binaries have the same name: go test -c names them after the
// last element of the import path.
func batches(listed, kept string, leaveOut []string) [][]tested {
	var all [][]tested
	for line := range strings.Lines(listed) {
		name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || slices.ContainsFunc(leaveOut, func(folder string) bool { return strings.HasSuffix(name, "/"+folder) }) {
			continue
		}
		p := tested{name: name, dir: dir, binary: path.Base(name) + ".test"}
		if runtime.GOOS == "windows" {
			p.binary += ".exe"
		}
		i := slices.IndexFunc(all, func(batch []tested) bool {
			return !slices.ContainsFunc(batch, func(other tested) bool { return filepath.Base(other.binary) == p.binary })
		})
		if i < 0 {
			i, all = len(all), append(all, nil)
		}
		p.binary = filepath.Join(kept, strconv.Itoa(i), p.binary)
		all[i] = append(all[i], p)
	}
	return all
}

// runKept runs test binaries, as many at once as the machine has processors, each as go test does.
func (m *machine) runKept(ctx context.Context, env []string, packages []tested) error {
	tool := m.command(ctx, "", nil, "go", "tool", "-n", "test2json")
	tool.Stdout = nil
	test2json, err := tool.Output()
	if err != nil {
		return fmt.Errorf("go tool -n test2json: %w", err)
	}
	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		failed []error
	)
	next := make(chan tested)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for p := range next {
				cmd := m.command(ctx, "", append([]string{"PWD=" + p.dir}, env...), strings.TrimSpace(string(test2json)), "-t", "-p", p.name,
					p.binary, "-test.v=test2json", "-test.paniconexit0", "-test.timeout=10m", "-test.short")
				cmd.Dir = p.dir
				var out bytes.Buffer
				cmd.Stdout = &out
				err := cmd.Run()
				mu.Lock()
				m.follow(bufio.NewScanner(&out))
				if err != nil {
					failed = append(failed, fmt.Errorf("tests of %s: %w", p.name, err))
				}
				mu.Unlock()
			}
		})
	}
	for _, p := range packages {
		next <- p
	}
	close(next)
	group.Wait()
	return errors.Join(failed...)
}
