package truth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/truth"
)

// Every recording reads, is written as it stands, and does not contradict itself.
func TestRecordings(t *testing.T) {
	files, err := truth.Files(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no recordings")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".json"), func(t *testing.T) {
			t.Parallel()
			r, err := truth.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			data, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := os.ReadFile(file); err != nil || string(raw) != string(data) {
				t.Errorf("written again it differs (%v)", err)
			}
			name := r.Made.Dataplane + "-" + r.Made.KubeProxy
			if r.Made.Variant != "" {
				name += "-" + r.Made.Variant
			}
			if file != name+".json" {
				t.Errorf("it says that it was made by %s", name)
			}
			endpoints, services := known(t, r)
			order := map[string]int{}
			for i, s := range r.Sources {
				order[s.ID] = i
			}
			probed := map[string]bool{}
			for _, p := range r.Probes {
				probed[p.Service] = true
				last := -1
				for _, res := range p.Results {
					i, ok := order[res.From]
					if !ok || i <= last {
						t.Errorf("%s: %s is no source, or not in their order", p.Service, res.From)
					}
					last = i
					check(t, p.Service, res, endpoints)
				}
			}
			for s := range services {
				if !probed[s] {
					t.Errorf("service %s was not tried", s)
				}
			}
			for _, f := range r.Flips {
				check(t, f.Service, f.After, endpoints)
			}
		})
	}
}

// known are the addresses of all endpoints, and all Services.
func known(t *testing.T, r *truth.Recording) (endpoints, services map[string]bool) {
	endpoints, services = map[string]bool{}, map[string]bool{}
	for _, raw := range r.Objects {
		var o struct {
			Kind      string
			Metadata  struct{ Namespace, Name string }
			Endpoints []struct{ Addresses []string }
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		for _, e := range o.Endpoints {
			for _, a := range e.Addresses {
				endpoints[a] = true
			}
		}
		if o.Kind == "Service" {
			services[o.Metadata.Namespace+"/"+o.Metadata.Name] = true
		}
	}
	return endpoints, services
}

func check(t *testing.T, service string, r truth.Result, endpoints map[string]bool) {
	t.Helper()
	answered := 0
	for a, n := range r.Answered {
		answered += n
		if !endpoints[a] {
			t.Errorf("%s from %s: %s answered, which is no endpoint", service, r.From, a)
		}
	}
	if answered+r.Refused+r.TimedOut != r.Tries || r.Tries == 0 {
		t.Errorf("%s from %s: %d answered, %d refused, %d timed out, of %d", service, r.From, answered, r.Refused, r.TimedOut, r.Tries)
	}
	want := truth.Partial
	switch r.Tries {
	case answered:
		want = truth.Reachable
	case r.Refused:
		want = truth.Refused
	case r.TimedOut:
		want = truth.TimedOut
	}
	if r.Outcome != want {
		t.Errorf("%s from %s: %s is called %s", service, r.From, want, r.Outcome)
	}
	if !slices.IsSorted(r.Saw) || (len(r.Saw) > 0) != (answered > 0) {
		t.Errorf("%s from %s: endpoints saw %v", service, r.From, r.Saw)
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	if _, err := truth.Read(filepath.Join(dir, "none.json")); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("of a file that is not there: %v", err)
	}
	path := filepath.Join(dir, "typo.json")
	if err := os.WriteFile(path, []byte(`{"maid": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := truth.Read(path); err == nil || !strings.Contains(err.Error(), "maid") || !strings.Contains(err.Error(), "typo.json") {
		t.Errorf("of an unknown field: %v", err)
	}
}

func TestSame(t *testing.T) {
	base := truth.Result{From: "node/n1", Outcome: truth.Reachable, Answered: map[string]int{"a": 3, "b": 3}, Saw: []string{"x"}, Tries: 6}
	counts := base
	counts.Answered, counts.Tries = map[string]int{"a": 1, "b": 39}, 40
	if !base.Same(counts) {
		t.Error("how often each endpoint answered is chance")
	}
	for name, change := range map[string]func(*truth.Result){
		"source":   func(r *truth.Result) { r.From = "node/n2" },
		"outcome":  func(r *truth.Result) { r.Outcome = truth.Partial },
		"endpoint": func(r *truth.Result) { r.Answered = map[string]int{"a": 6} },
		"another":  func(r *truth.Result) { r.Answered = map[string]int{"a": 3, "c": 3} },
		"address":  func(r *truth.Result) { r.Saw = []string{"y"} },
		"refusals": func(r *truth.Result) { r.Refused = 1 },
		"timeouts": func(r *truth.Result) { r.TimedOut = 1 },
	} {
		other := base
		change(&other)
		if base.Same(other) {
			t.Errorf("%s: not told apart", name)
		}
	}
}
