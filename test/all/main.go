// Command all knows every test of this repository: what each needs, how it is run, and why one cannot be run here.
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
	list := flag.Bool("list", false, "name the steps and run none")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), `usage: go run ./test/all [STEP…]

Runs every step, or those that are named, and exits with 1 where one fails. What this machine cannot run is skipped and
says why; with %s=1 that is a failure.

steps:
`, kube.RequireEnv)
		for _, s := range steps() {
			part := ""
			if s.within != "" {
				part = " (part of " + s.within + ")"
			}
			if s.apart {
				part = " (only where it is named)"
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
	// lacks says why this machine cannot run it, "" where it can. A nil lacks is a step that runs anywhere.
	lacks func(*machine) string
	run   func(context.Context, *machine) error
	// within is the step that includes this one, which then runs only when it is named.
	within string
	// apart: it takes long, and runs only when it is named.
	apart bool
}

// result of a step. Skips are the tests inside it that did not run, each with its reason.
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

// run runs the named steps, or all, goes on after one that fails, and ends with a summary.
func run(ctx context.Context, names []string) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	m, err := here()
	if err != nil {
		return err
	}
	results := make([]result, 0, len(chosen))
	for _, s := range chosen {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted before %s", s.name)
		}
		results = append(results, m.try(ctx, s))
	}
	fmt.Println()
	var failed []string
	for _, r := range results {
		fmt.Printf("%-11s %-8s %6.0fs  %s\n", r.step.name, r.word(), r.took.Seconds(), r.lacks)
		for _, skip := range r.skips {
			fmt.Printf("            skipped: %s\n", skip)
		}
		if r.err != nil || m.require && r.lacks != "" {
			failed = append(failed, r.step.name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed or, with %s=1, skipped: %s", kube.RequireEnv, strings.Join(failed, ", "))
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
			return nil, fmt.Errorf("no step is named %q; go run ./test/all -list names them", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
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
	m.skips = nil
	r.err = s.run(ctx, m)
	r.took, r.skips = time.Since(start), m.skips
	if r.err != nil {
		fmt.Printf("%s failed: %v\n", s.name, r.err)
	}
	return r
}

// repository is the root of the repository, where the program must be run.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "test", "all", "main.go")); err != nil {
		return "", fmt.Errorf("%s is not the repository's root; change to it and run: go run ./test/all", dir)
	}
	return dir, nil
}
