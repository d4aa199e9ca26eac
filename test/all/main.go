// Command all knows every test of this repository: what it needs, how it is run, and why it cannot run on this machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

func main() {
	list := flag.Bool("list", false, "list the steps and exit")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), `usage: go run ./test/all [STEP…]

Runs all steps, or the named ones, and exits with code 1 if one fails. Steps that this machine cannot run are skipped, with
the reason; with %s=1 a skipped step counts as failed.

steps:
`, kube.RequireEnv)
		for _, s := range steps() {
			part := ""
			if s.within != "" {
				part = " (part of " + s.within + ")"
			}
			if s.apart {
				part = " (only if named; nightly in CI)"
			}
			fmt.Fprintf(flag.CommandLine.Output(), "  %-11s %s%s\n", s.name, s.about, part)
		}
	}
	flag.Parse()
	if *list {
		flag.CommandLine.SetOutput(os.Stdout)
		flag.Usage()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
}

// step is one kind of test.
type step struct {
	name, about string
	// lacks returns why this machine cannot run the step, "" if it can. Nil: it runs everywhere.
	lacks func(*machine) string
	run   func(context.Context, *machine) error
	// within is the step that includes this one. A step within another runs only if it is named.
	within string
	// apart: the step takes long, and runs only if it is named.
	apart bool
}

// result of a step. Skips lists the tests in it that did not run, with their reasons.
type result struct {
	step  step
	took  time.Duration
	lacks string
	skips []string
	err   error
}

func (r *result) word() string {
	switch {
	case r.err != nil:
		return "failed"
	case r.lacks != "":
		return "skipped"
	default:
		return "ok"
	}
}

// run runs the named steps, or all. It continues after a step that fails, and ends with a table.
func run(ctx context.Context, names []string) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	m, err := here()
	if err != nil {
		return err
	}
	last := readTimes()
	plan(os.Stdout, chosen, last, func(s step) string {
		if s.lacks == nil {
			return ""
		}
		return s.lacks(m)
	}, len(names) == 0)
	results := make([]result, 0, len(chosen))
	for _, s := range chosen {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted before the step %s", s.name)
		}
		results = append(results, m.try(ctx, s))
	}
	fmt.Println()
	table(os.Stdout, results, last)
	if len(names) == 0 {
		fmt.Printf("not run, because they take long (the workflow nightly runs them): %s\n", strings.Join(apart(), ", "))
	}
	var failed []string
	for _, r := range results {
		switch {
		case r.err != nil || m.require && r.lacks != "":
			failed = append(failed, r.step.name)
		case r.lacks == "":
			last[r.step.name] = r.took.Seconds()
		}
	}
	if err := last.write(); err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed (with %s=1, skipped steps count): %s", kube.RequireEnv, strings.Join(failed, ", "))
	}
	return nil
}

func choose(names []string) ([]step, error) {
	all := steps()
	if len(names) == 0 {
		return slices.DeleteFunc(all, func(s step) bool { return s.within != "" || s.apart }), nil
	}
	chosen := make([]step, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(all, func(s step) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no step %q; to list the steps, run: go run ./test/all -list", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// apart are the names of the steps that run only if they are named.
func apart() (names []string) {
	for _, s := range steps() {
		if s.apart {
			names = append(names, s.name)
		}
	}
	return names
}

func (m *machine) try(ctx context.Context, s step) result {
	r := result{step: s}
	fmt.Printf("\n== %s: %s\n", s.name, s.about)
	if s.lacks != nil {
		if r.lacks = s.lacks(m); r.lacks != "" {
			fmt.Println("skipped:", r.lacks)
			return r
		}
	}
	start := time.Now()
	m.skips, m.passes = nil, nil
	r.err = s.run(ctx, m)
	r.took, r.skips = time.Since(start), m.skips
	if r.err != nil {
		fmt.Printf("%s failed: %v\n", s.name, r.err)
	}
	return r
}

// repository returns the root of the repository, which must be the working directory.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "test", "all", "main.go")); err != nil {
		return "", fmt.Errorf("%s is not the root of the repository; change to the root and run: go run ./test/all", dir)
	}
	return dir, nil
}
