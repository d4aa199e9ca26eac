package record

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

func recording() *recordings.Recording {
	vip := recordings.Target{Kind: recordings.TargetLoadBalancerIP, Address: "203.0.113.1", Port: 80, Protocol: "TCP"}
	return &recordings.Recording{
		Made:    recordings.Made{Dataplane: "iptables", Date: "2026-11-01"},
		Objects: []json.RawMessage{json.RawMessage(`{"kind":"EndpointSlice","metadata":{"generateName":"a-","name":"a-x","uid":"1"}}`)},
		Probes: []recordings.Probe{
			{Service: "lab/a", Target: vip, Results: []recordings.Result{
				{From: "node/n1", Outcome: recordings.Reachable, Answered: map[string]int{"e1": 3, "e2": 3}, Saw: []string{"s"}, Tries: 6},
				{From: "node/n2", Outcome: recordings.TimedOut, Tries: 40, TimedOut: 40},
			}},
			{Service: "lab/b", Target: vip, Sticky: true, Results: []recordings.Result{
				{From: "node/n1", Outcome: recordings.Reachable, Answered: map[string]int{"e1": 40}, Saw: []string{"s"}, Tries: 40},
			}},
		},
		Flips: []recordings.Flip{{Service: "lab/a", Target: vip, From: "node/n1", Survived: true, After: recordings.Result{From: "node/n1", Outcome: recordings.Refused, Refused: 9, Tries: 9}}},
	}
}

// byChance changes what differs between two runs without being the data plane's doing.
func byChance(r *recordings.Recording) {
	r.Made.Date = "2026-11-02"
	r.Objects[0] = json.RawMessage(`{"kind":"EndpointSlice","metadata":{"generateName":"a-","name":"a-y","uid":"2"}}`)
	r.Probes[0].Results[0].Answered = map[string]int{"e1": 5, "e2": 1}
	r.Probes[1].Results[0].Answered = map[string]int{"e2": 40}
	r.Probes[1].Results[0].Saw = []string{"t"}
}

func TestChanceIsNoDifference(t *testing.T) {
	now := recording()
	byChance(now)
	if d := Differences(recording(), now); len(d) > 0 {
		t.Errorf("found %q", d)
	}
	Keep(recording(), now)
	want, _ := recording().Encode()
	if got, err := now.Encode(); err != nil || string(got) != string(want) {
		t.Errorf("keeping the old recording (%v) left\n%s\nof\n%s", err, got, want)
	}
}

func TestDifferences(t *testing.T) {
	for want, change := range map[string]func(*recordings.Recording){
		"recorded Reachable by [e1 e2] seeing [s]; now Reachable by [e1] seeing [s]": func(r *recordings.Recording) {
			r.Probes[0].Results[0].Answered = map[string]int{"e1": 6}
		},
		"recorded TimedOut; now Refused": func(r *recordings.Recording) {
			r.Probes[0].Results[1] = recordings.Result{From: "node/n2", Outcome: recordings.Refused, Refused: 40, Tries: 40}
		},
		"recorded TimedOut; not tried now": func(r *recordings.Recording) { r.Probes[0].Results = r.Probes[0].Results[:1] },
		"not recorded; now TimedOut": func(r *recordings.Recording) {
			r.Probes[0].Results = append(r.Probes[0].Results, recordings.Result{From: "node/n3", Outcome: recordings.TimedOut, Tries: 1, TimedOut: 1})
		},
		"recorded survived=true; now false":         func(r *recordings.Recording) { r.Flips[0].Survived = false },
		"after the policy changed recorded Refused": func(r *recordings.Recording) { r.Flips[0].After.Outcome = recordings.TimedOut },
		"recorded as open when the policy changed":  func(r *recordings.Recording) { r.Flips = nil },
		"now Refused": func(r *recordings.Recording) { r.Probes[1].Results[0].Outcome = recordings.Refused },
		"not recorded as open when the policy change": func(r *recordings.Recording) { r.Flips = append(r.Flips, recordings.Flip{Service: "lab/z"}) },
	} {
		now := recording()
		byChance(now)
		change(now)
		d := Differences(recording(), now)
		if len(d) != 1 || !strings.Contains(d[0], want) {
			t.Errorf("want one difference with %q, got %q", want, d)
		}
		Keep(recording(), now)
		if after := Differences(recording(), now); !slices.Equal(after, d) {
			t.Errorf("keeping what is old lost the difference %q: %q", d, after)
		}
		if now.Made.Date != "2026-11-02" {
			t.Errorf("a recording with a difference (%s) keeps the old date", want)
		}
	}
}

func TestConfine(t *testing.T) {
	old, now := recording(), recording()
	now.Probes, now.Flips = now.Probes[1:], nil
	Confine(old, now)
	if d := Differences(old, now); len(d) > 0 {
		t.Errorf("what was not tried differs: %q", d)
	}
	now.Probes[0].Results = nil
	if d := Differences(old, now); len(d) != 1 || !strings.Contains(d[0], "not tried now") {
		t.Errorf("a source that is missing where the Service was tried: %q", d)
	}
}
