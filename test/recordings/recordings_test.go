package recordings_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// TestRecordings: every recording can be read, is formatted as Write formats it, and does not contradict itself.
func TestRecordings(t *testing.T) {
	files, err := recordings.Files("../truth")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no recordings in test/truth")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			r, err := recordings.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			data, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := os.ReadFile(file); err != nil || string(raw) != string(data) {
				t.Errorf("it is not formatted as Write formats it (%v)", err)
			}
			version := r.Made.Version
			if version == "" {
				version = r.Made.KubeProxy
			}
			name := r.Made.Dataplane + "-" + version
			if r.Made.Variant != "" {
				name += "-" + r.Made.Variant
			}
			if filepath.Base(file) != name+".json" {
				t.Errorf("its contents call it %s", name)
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
						t.Errorf("%s: %s is not a source, or is out of order", p.Service, res.From)
					}
					last = i
					check(t, p.Service, res, endpoints)
				}
			}
			for s := range services {
				if !probed[s] {
					t.Errorf("Service %s has no probe", s)
				}
			}
			for _, f := range r.Flips {
				check(t, f.Service, f.After, endpoints)
			}
		})
	}
}

// known returns the addresses of all endpoints, and all Services.
func known(t *testing.T, r *recordings.Recording) (endpoints, services map[string]bool) {
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

func check(t *testing.T, service string, r recordings.Result, endpoints map[string]bool) {
	t.Helper()
	answered := 0
	for a, n := range r.Answered {
		answered += n
		if !endpoints[a] {
			t.Errorf("%s from %s: %s answered, but is not an endpoint", service, r.From, a)
		}
	}
	if answered+r.Refused+r.TimedOut+r.Unreachable != r.Tries || r.Tries == 0 {
		t.Errorf("%s from %s: %d answered, %d refused, %d timed out, %d unreachable, of %d", service, r.From, answered, r.Refused, r.TimedOut, r.Unreachable, r.Tries)
	}
	want := recordings.Partial
	switch r.Tries {
	case answered:
		want = recordings.Reachable
	case r.Refused:
		want = recordings.Refused
	case r.TimedOut:
		want = recordings.TimedOut
	case r.Unreachable:
		want = recordings.Unreachable
	}
	if r.Outcome != want {
		t.Errorf("%s from %s: outcome %s, want %s", service, r.From, r.Outcome, want)
	}
	if !slices.IsSorted(r.Saw) || (len(r.Saw) > 0) != (answered > 0) {
		t.Errorf("%s from %s: endpoints saw %v", service, r.From, r.Saw)
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := recordings.Read(filepath.Join(dir, "none.json")); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("error for a missing file: %v", err)
	}
	path := filepath.Join(dir, "typo.json")
	if err := os.WriteFile(path, []byte(`{"maid": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recordings.Read(path); err == nil || !strings.Contains(err.Error(), "maid") || !strings.Contains(err.Error(), "typo.json") {
		t.Errorf("error for an unknown field: %v", err)
	}
}

func TestSame(t *testing.T) {
	base := recordings.Result{From: "node/n1", Outcome: recordings.Reachable, Answered: map[string]int{"a": 3, "b": 3}, Saw: []string{"x"}, Tries: 6}
	counts := base
	counts.Answered, counts.Tries = map[string]int{"a": 1, "b": 39}, 40
	if !base.Same(counts) {
		t.Error("results that differ only in how often each endpoint answered are not the same")
	}
	for name, change := range map[string]func(*recordings.Result){
		"source":   func(r *recordings.Result) { r.From = "node/n2" },
		"outcome":  func(r *recordings.Result) { r.Outcome = recordings.Partial },
		"endpoint": func(r *recordings.Result) { r.Answered = map[string]int{"a": 6} },
		"another":  func(r *recordings.Result) { r.Answered = map[string]int{"a": 3, "c": 3} },
		"address":  func(r *recordings.Result) { r.Saw = []string{"y"} },
		"refusals": func(r *recordings.Result) { r.Refused = 1 },
		"timeouts": func(r *recordings.Result) { r.TimedOut = 1 },
	} {
		other := base
		change(&other)
		if base.Same(other) {
			t.Errorf("results that differ in %s are the same", name)
		}
	}
}

// TestAnnouncing: every recording of an announcer can be read, is formatted as Write formats it, and does not contradict itself.
func TestAnnouncing(t *testing.T) {
	files, err := recordings.Files(filepath.Join("../truth", recordings.AnnouncersFolder))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no recordings of announcers in test/truth")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			a, err := recordings.ReadAnnouncing(file)
			if err != nil {
				t.Fatal(err)
			}
			data, err := a.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := os.ReadFile(file); err != nil || string(raw) != string(data) {
				t.Errorf("it is not formatted as Write formats it (%v)", err)
			}
			if name := a.Made.Announcer + "-" + a.Made.Version; filepath.Base(file) != name+".json" {
				t.Errorf("its contents call it %s", name)
			}
			for i, s := range a.States {
				objects, err := a.Objects(i)
				if err != nil {
					t.Fatal(err)
				}
				ids := map[string]bool{}
				for _, o := range objects {
					id, err := recordings.Identity(o)
					if err != nil || ids[id] {
						t.Errorf("%s: %s is there twice (%v)", s.Name, id, err)
					}
					ids[id] = true
				}
				for _, n := range s.Announcements {
					if !ids["Service/"+n.Service] {
						t.Errorf("%s: there is no service %s", s.Name, n.Service)
					}
					if !slices.IsSorted(n.Nodes) || slices.ContainsFunc(n.Nodes, func(name string) bool { return !ids["Node//"+name] }) {
						t.Errorf("%s: %s is announced by %v", s.Name, n.Service, n.Nodes)
					}
					answered := 0
					for _, count := range n.Client.Answered {
						answered += count
					}
					if n.Client.Tries == 0 || answered+n.Client.Refused+n.Client.TimedOut+n.Client.Unreachable != n.Client.Tries {
						t.Errorf("%s: %s at %s: its connections do not add up", s.Name, n.Service, n.Address)
					}
				}
			}
		})
	}
}

// TestObjectsOfAState: an object of a later state replaces that of an earlier one, and one that is gone may come again.
func TestObjectsOfAState(t *testing.T) {
	object := func(name, value string) json.RawMessage {
		return json.RawMessage(`{"kind":"Node","metadata":{"name":"` + name + `"},"value":"` + value + `"}`)
	}
	a := recordings.Announcing{States: []recordings.State{
		{Objects: []json.RawMessage{object("a", "1"), object("b", "1")}},
		{Objects: []json.RawMessage{object("b", "2")}, Gone: []string{"Node//a"}},
		{Objects: []json.RawMessage{object("a", "3")}},
	}}
	for i, want := range []string{"a1 b1", "b2", "a3 b2"} {
		objects, err := a.Objects(i)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range objects {
			var n struct {
				Metadata struct{ Name string }
				Value    string
			}
			if err := json.Unmarshal(o, &n); err != nil {
				t.Fatal(err)
			}
			got = append(got, n.Metadata.Name+n.Value)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("state %d has %s, want %s", i, text, want)
		}
	}
}
