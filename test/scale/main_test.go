//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestNodesAreRealSized(t *testing.T) {
	raw, err := json.Marshal(node(4711))
	if err != nil {
		t.Fatal(err)
	}
	// A node of a busy managed cluster is 15 to 30 kB.
	if len(raw) < 15_000 || len(raw) > 30_000 {
		t.Errorf("a node is %d bytes of JSON", len(raw))
	}
	names := map[string]bool{}
	for i := range 5000 {
		names[nodeName(i)] = true
	}
	if len(names) != 5000 {
		t.Errorf("%d different names of 5000", len(names))
	}
	seen := map[string]bool{}
	for _, image := range images(4711) {
		seen[image.Names[0]] = true
	}
	if len(seen) != imagesPerNode {
		t.Errorf("%d different images on a node, want %d", len(seen), imagesPerNode)
	}
}

func TestEndpointsAreOnDifferentNodes(t *testing.T) {
	n := size{nodes: 5000, endpoints: 500}
	on := map[string]bool{}
	for begin := 0; begin < n.endpoints; begin += perSlice {
		for _, e := range slice(begin, begin+perSlice, n).Endpoints {
			on[*e.NodeName] = true
		}
	}
	if len(on) != n.endpoints {
		t.Errorf("%d endpoints are on %d nodes", n.endpoints, len(on))
	}
}

func TestBars(t *testing.T) {
	for _, b := range []struct {
		bar  bar
		want bool
	}{
		{bar{"x", 0.49, statusTime}, true},
		{bar{"x", 0.5, statusTime}, true},
		{bar{"x", 0.51, statusTime}, false},
		{bar{"x", bytesReceived + 1, bytesReceived}, false},
	} {
		if b.bar.met() != b.want || strings.HasPrefix(b.bar.String(), "met") != b.want {
			t.Errorf("%v: met %v, want %v", b.bar, b.bar.met(), b.want)
		}
	}
}

func TestMedian(t *testing.T) {
	odd := sample{times: []time.Duration{9, 1, 5}}
	even := sample{times: []time.Duration{9, 1, 3, 5}}
	if odd.median() != 5 || even.median() != 4 || ratio(even, odd) != 0.8 {
		t.Errorf("medians %v and %v, ratio %v", odd.median(), even.median(), ratio(even, odd))
	}
}

func TestChecks(t *testing.T) {
	n := size{nodes: 3, endpoints: 1}
	row := func(i int, rest string) string { return fmt.Sprintf("%s  a  %s\n", nodeName(i), rest) }
	whole := row(0, "1 ready") + row(1, "none") + row(2, "none")
	for output, want := range map[string]bool{
		whole:                              true,
		"ERROR\n":                          false,
		row(0, "1 ready") + row(1, "none"): false,
		strings.Replace(whole, "1 ready", "none", 1): false,
	} {
		if err := statusRows(n)([]byte(output)); (err == nil) != want {
			t.Errorf("status printed %q: %v", output, err)
		}
	}
	if err := nodeRows(n)([]byte(whole)); err != nil {
		t.Error(err)
	}
	if err := nodeRows(n)([]byte(row(0, ""))); err == nil {
		t.Error("one row of three passed")
	}
}

func TestAFailingCommandIsNotTimed(t *testing.T) {
	if _, err := compare(context.Background(), 1, command{path: "/bin/sh", args: []string{"-c", "echo no >&2; exit 1"}}, command{path: "/bin/true"}); err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("got %v", err)
	}
	refuse := func([]byte) error { return fmt.Errorf("not so") }
	if _, err := compare(context.Background(), 1, command{path: "/bin/true", check: refuse}, command{path: "/bin/true"}); err == nil {
		t.Error("a command that did not do its job was timed")
	}
}
