package record

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// same says whether two results of a probe are the same truth.
func same(sticky bool, a, b recordings.Result) bool {
	if sticky {
		// Which endpoint a source keeps to is chance, and with it the way to it; that one answers is not.
		a.Answered, b.Answered, a.Saw, b.Saw = nil, nil, nil, nil
	}
	return a.Same(b)
}

type key struct {
	service string
	target  recordings.Target
	from    string
}

func index(r *recordings.Recording) map[key]recordings.Result {
	out := map[key]recordings.Result{}
	for _, p := range r.Probes {
		for _, res := range p.Results {
			out[key{p.Service, p.Target, res.From}] = res
		}
	}
	return out
}

// Differences are the results that two recordings of one cluster do not share, one line each, in the order of the recordings.
func Differences(old, now *recordings.Recording) []string {
	var out []string
	was, is := index(old), index(now)
	line := func(k key, format string, args ...any) {
		where := k.target.Kind + " " + k.target.Address
		if k.target.Node != "" {
			where += " at " + k.target.Node
		}
		out = append(out, fmt.Sprintf("%s from %s to %s: ", k.service, k.from, where)+fmt.Sprintf(format, args...))
	}
	for _, p := range now.Probes {
		for _, res := range p.Results {
			k := key{p.Service, p.Target, res.From}
			before, ok := was[k]
			if !ok {
				line(k, "not recorded; now %s", res)
			} else if !same(p.Sticky, before, res) {
				line(k, "recorded %s; now %s", before, res)
			}
		}
	}
	for _, p := range old.Probes {
		for _, res := range p.Results {
			k := key{p.Service, p.Target, res.From}
			if _, ok := is[k]; !ok {
				line(k, "recorded %s; not tried now", res)
			}
		}
	}
	flipped := flips(old)
	for _, f := range now.Flips {
		k := key{f.Service, f.Target, f.From}
		before, ok := flipped[k]
		delete(flipped, k)
		switch {
		case !ok:
			line(k, "not recorded as open when the policy changed")
		case before.Survived != f.Survived:
			line(k, "open when the policy changed, and then recorded survived=%v; now %v", before.Survived, f.Survived)
		case !before.After.Same(f.After):
			line(k, "after the policy changed recorded %s; now %s", before.After, f.After)
		}
	}
	for _, f := range old.Flips {
		k := key{f.Service, f.Target, f.From}
		if _, left := flipped[k]; left {
			line(k, "recorded as open when the policy changed; not open now")
		}
	}
	return out
}

// Confine takes from old what is about Services that now has nothing of.
func Confine(old, now *recordings.Recording) {
	tried := map[string]bool{}
	for _, p := range now.Probes {
		tried[p.Service] = true
	}
	old.Probes = slices.DeleteFunc(old.Probes, func(p recordings.Probe) bool { return !tried[p.Service] })
	old.Flips = slices.DeleteFunc(old.Flips, func(f recordings.Flip) bool { return !tried[f.Service] })
}

func flips(r *recordings.Recording) map[key]recordings.Flip {
	out := map[key]recordings.Flip{}
	for _, f := range r.Flips {
		out[key{f.Service, f.Target, f.From}] = f
	}
	return out
}

// Keep replaces whatever chance alone made different in now by what old has: how many connections each endpoint got, generated names, times. So a new
// recording differs from the old one where the truth does.
func Keep(old, now *recordings.Recording) {
	was := index(old)
	for i := range now.Probes {
		p := &now.Probes[i]
		for j, res := range p.Results {
			if before, ok := was[key{p.Service, p.Target, res.From}]; ok && same(p.Sticky, before, res) {
				p.Results[j] = before
			}
		}
	}
	flipped := flips(old)
	for i, f := range now.Flips {
		if before, ok := flipped[key{f.Service, f.Target, f.From}]; ok && before.Survived == f.Survived && before.After.Same(f.After) {
			now.Flips[i] = before
		}
	}
	if reflect.DeepEqual(plain(old.Objects), plain(now.Objects)) {
		now.Objects = old.Objects
	}
	date := now.Made.Date
	now.Made.Date = old.Made.Date
	if a, err := old.Encode(); err != nil {
		now.Made.Date = date
	} else if b, err := now.Encode(); err != nil || string(a) != string(b) {
		now.Made.Date = date
	}
}

// plain are objects without what differs between two clusters made alike.
func plain(objects []json.RawMessage) []any {
	var out []any
	for _, raw := range objects {
		var o any
		if json.Unmarshal(raw, &o) != nil {
			return nil
		}
		out = append(out, strip(o))
	}
	return out
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			switch k {
			case "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "generation", "endpoints.kubernetes.io/last-change-trigger-time":
				delete(v, k)
			default:
				v[k] = strip(x)
			}
		}
		if v["generateName"] != nil {
			delete(v, "name")
		}
		return v
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
		return v
	default:
		return v
	}
}
