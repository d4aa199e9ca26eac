package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// times are how long each step took when it last succeeded on this machine, by its name, in seconds.
type times map[string]float64

// timesFile is where they are kept, beside the binaries that tests run.
func timesFile() (string, error) {
	dir, err := kube.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "test-times.json"), nil
}

// readTimes returns an empty table where nothing was kept, or nothing that can be read: then no step has a known time.
func readTimes() times {
	t := times{}
	if name, err := timesFile(); err == nil {
		if data, err := os.ReadFile(name); err == nil && json.Unmarshal(data, &t) != nil {
			t = times{}
		}
	}
	return t
}

func (t times) write() error {
	name, err := timesFile()
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("keeping the times of the steps: %w", err)
	}
	if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("keeping the times of the steps: %w", err)
	}
	return nil
}

// last is the time of a step as text, "-" where it is not known.
func (t times) last(name string) string {
	seconds, known := t[name]
	if !known {
		return "-"
	}
	return length(time.Duration(seconds * float64(time.Second)))
}

func length(d time.Duration) string { return d.Round(time.Second).String() }

// plan says what will run, how long it took the last time, and how to run less. lacks says why this machine cannot run a step, "" where it can.
func plan(w io.Writer, chosen []step, last times, lacks func(step) string, all bool) {
	fmt.Fprintf(w, "%-11s %10s  %s\n", "STEP", "LAST TIME", "WHAT IT DOES")
	var sum time.Duration
	unknown := 0
	for _, s := range chosen {
		about, took := s.about, last.last(s.name)
		if why := lacks(s); why != "" {
			about, took = "skipped: "+why, "-"
		} else if seconds, known := last[s.name]; known {
			sum += time.Duration(seconds * float64(time.Second))
		} else {
			unknown++
		}
		fmt.Fprintf(w, "%-11s %10s  %s\n", s.name, took, about)
	}
	switch {
	case unknown == 0:
		fmt.Fprintf(w, "%-11s %10s\n", "total", length(sum))
	case all:
		fmt.Fprintf(w, "%-11s %10s  %s not run here yet; with empty caches, everything takes about 50 minutes on 2 cores\n", "total", "-", have(unknown))
	}
	if all {
		fmt.Fprint(w, "\nThe short form takes seconds, and needs neither root nor an API server: go run ./test/all unit\n")
	}
}

func have(steps int) string {
	if steps == 1 {
		return "1 step has"
	}
	return strconv.Itoa(steps) + " steps have"
}

// table is what became of every step, and how long each took.
func table(w io.Writer, results []result, last times) {
	fmt.Fprintf(w, "%-11s %-8s %10s %10s\n", "STEP", "RESULT", "TIME", "LAST TIME")
	var sum time.Duration
	for _, r := range results {
		sum += r.took
		fmt.Fprintf(w, "%-11s %-8s %10s %10s  %s\n", r.step.name, r.word(), length(r.took), last.last(r.step.name), r.lacks)
	}
	fmt.Fprintf(w, "%-11s %-8s %10s\n", "total", "", length(sum))
	for _, r := range results {
		for _, skip := range r.skips {
			fmt.Fprintf(w, "skipped in %s: %s\n", r.step.name, skip)
		}
	}
}
