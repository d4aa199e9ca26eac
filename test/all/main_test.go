package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

func TestTimesAreKept(t *testing.T) {
	t.Setenv(kube.CacheEnv, t.TempDir())
	if got := readTimes().last("unit"); got != "-" {
		t.Errorf("before any run, the last time of unit is %s", got)
	}
	if err := (times{"unit": 13.6}).write(); err != nil {
		t.Fatal(err)
	}
	if got := readTimes().last("unit"); got != "14s" {
		t.Errorf("the last time of unit is %s, want 14s", got)
	}
}

func TestPlan(t *testing.T) {
	chosen := []step{{name: "vet", about: "go vet"}, {name: "lab", about: "packets"}, {name: "oracle", about: "compares"}}
	lacks := func(s step) string {
		if s.name == "lab" {
			return "needs root"
		}
		return ""
	}
	var b strings.Builder
	plan(&b, chosen, times{"vet": 61, "lab": 100}, lacks, true)
	for _, want := range []string{"vet               1m1s  go vet\n", "skipped: needs root", "1 step has not run here", "go run ./test/all unit"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the plan lacks %q:\n%s", want, b.String())
		}
	}
	b.Reset()
	plan(&b, chosen, times{"vet": 61, "oracle": 2}, lacks, false)
	if got := b.String(); !strings.Contains(got, "total             1m3s\n") || strings.Contains(got, "short form") {
		t.Errorf("the plan of named steps:\n%s", got)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	table(&b, []result{
		{step: step{name: "vet"}, took: 61 * time.Second},
		{step: step{name: "unit"}, took: 9 * time.Second, err: errors.New("a test fails"), skips: []string{"pkg/a TestB: why"}},
		{step: step{name: "lab"}, lacks: "needs root"},
	}, times{"unit": 8})
	for _, want := range []string{
		"vet         ok             1m1s          -", "unit        failed           9s         8s", "lab         skipped          0s          -  needs root",
		"total                     1m10s\n", "skipped in unit: pkg/a TestB: why\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestUnitFailsOnOtherSkips(t *testing.T) {
	missing := &kube.MissingError{Targets: kube.Default()[:1]}
	left, wrong := sortSkips([]string{
		"pkg/collect TestWatch: apiserver.go:97: needs real binaries: " + missing.Error(),
		"pkg/cli TestCompletionScriptsParse/fish: completion_test.go:142: " + (&exec.Error{Name: "fish", Err: exec.ErrNotFound}).Error(),
		"pkg/cli TestSlow: not today",
	})
	if left != 1 || !slices.Equal(wrong, []string{"pkg/cli TestSlow: not today"}) {
		t.Errorf("%d are left to other steps, and %q are wrong", left, wrong)
	}
}

func TestTestsThatNeedNoServerAreFound(t *testing.T) {
	passes := []string{"test/fix TestOwner", "test/fix TestOwner/Helm", "test/fix TestPure", "test/fix TestPureToo"}
	skips := []string{"test/fix TestOwner/Flux: needs real binaries", "test/fix TestPureTooMany/a: needs real binaries"}
	if got, want := inner(passes, skips), []string{"test/fix TestOwner/Helm", "test/fix TestPure", "test/fix TestPureToo"}; !slices.Equal(got, want) {
		t.Errorf("%q run without a server, want %q", got, want)
	}
}

func TestBatchesHaveNoTwoBinariesOfOneName(t *testing.T) {
	got := batches("m/pkg/fix\t/r/pkg/fix\n\nm/pkg/file\t/r/pkg/file\nm/test/fix\t/r/test/fix\nm/test/script\t/r/test/script\n", "/kept", []string{"test/script"})
	if len(got) != 2 || len(got[0]) != 2 || len(got[1]) != 1 {
		t.Fatalf("got %v, want pkg/fix and pkg/file, then test/fix", got)
	}
	if p := got[1][0]; p.name != "m/test/fix" || p.dir != "/r/test/fix" || filepath.ToSlash(filepath.Dir(p.binary)) != "/kept/1" {
		t.Errorf("got %+v", p)
	}
}
