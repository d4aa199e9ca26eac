//go:build unix

package apply_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// draws is how many random objects are changed and given back.
const draws = 60

// seed is fixed, so that a failure is the same everywhere. Another one is as good.
const seed = 20261125

// drawing makes random objects and random changes of them.
type drawing struct{ *rand.Rand }

func (d drawing) maybe() bool { return d.IntN(2) == 0 }

func (d drawing) word() string {
	return []string{"a", "web", "x.example/y", "service.beta.kubernetes.io/backend-type", "z"}[d.IntN(5)]
}

func (d drawing) words() map[string]any {
	out := map[string]any{}
	for range d.IntN(3) {
		out[d.word()] = []string{"", "eni", "true", `with "quotes" and 'others'`, "two\nlines", "ünïcödé 🙂"}[d.IntN(6)]
	}
	return out
}

func (d drawing) service(namespace string) map[string]any {
	spec := map[string]any{
		"type": []string{"LoadBalancer", "NodePort"}[d.IntN(2)], "externalTrafficPolicy": []string{"Local", "Cluster"}[d.IntN(2)],
		"selector": map[string]any{"app": "web"}, "ports": []any{map[string]any{"name": "a", "port": 80}, map[string]any{"name": "b", "port": 443, "protocol": "UDP"}}[:1+d.IntN(2)],
	}
	if d.maybe() {
		spec["sessionAffinity"] = "ClientIP"
	}
	if d.maybe() {
		spec["externalIPs"] = []any{"203.0.113.77"}
	}
	if spec["type"] == "LoadBalancer" && d.maybe() {
		spec["loadBalancerSourceRanges"] = []any{"192.0.2.0/24"}
	}
	return map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "web", "namespace": namespace, "annotations": d.words()}, "spec": spec}
}

func (d drawing) term() map[string]any {
	return map[string]any{"weight": 1 + d.IntN(100), "podAffinityTerm": map[string]any{
		"topologyKey": "topology.kubernetes.io/zone", "labelSelector": map[string]any{"matchExpressions": []any{map[string]any{"key": "app", "operator": "In", "values": []any{"web", "api"}}}},
	}}
}

func (d drawing) deployment(namespace string) map[string]any {
	pod := map[string]any{"containers": []any{map[string]any{"name": "web", "image": "web", "env": []any{map[string]any{"name": "X", "value": "<&>"}}}}}
	if d.maybe() {
		affinity := map[string]any{}
		if d.maybe() {
			affinity["nodeAffinity"] = map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{"nodeSelectorTerms": []any{map[string]any{
				"matchExpressions": []any{map[string]any{"key": "disk", "operator": "Exists"}},
			}}}}
		}
		if d.maybe() {
			anti := map[string]any{}
			if d.maybe() {
				anti["preferredDuringSchedulingIgnoredDuringExecution"] = []any{d.term(), d.term()}
			}
			affinity["podAntiAffinity"] = anti
		}
		pod["affinity"] = affinity
	}
	if d.maybe() {
		pod["topologySpreadConstraints"] = []any{map[string]any{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": map[string]any{"matchLabels": map[string]any{"app": "web"}}}}
	}
	return map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": namespace, "annotations": d.words()}, "spec": map[string]any{
		"replicas": d.IntN(4), "selector": map[string]any{"matchLabels": map[string]any{"app": "web"}},
		"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "web"}}, "spec": pod},
	}}
}

// change draws fields of an object and values for them.
func (d drawing) change(w *world, kind string) remedy.Change {
	live := w.get(kind, "web")
	var fields []remedy.Field
	set := func(now any, path ...string) {
		was, _, _ := unstructured.NestedFieldNoCopy(live, path...)
		fields = append(fields, remedy.Field{Path: path, Was: was, Now: now})
	}
	if kind == "Service" {
		policy, _, _ := unstructured.NestedString(live, policy...)
		other := map[string]string{"Local": "Cluster", "Cluster": "Local"}[policy]
		if d.maybe() {
			set(other, "spec", "externalTrafficPolicy")
			was, _, _ := unstructured.NestedFieldNoCopy(live, check...)
			fields = append(fields, remedy.Field{Path: check, Was: was, Follows: true})
		}
	} else {
		spec := []string{"spec", "template", "spec"}
		if d.maybe() {
			list, _, _ := unstructured.NestedSlice(live, append(spec, "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution")...)
			set(append(list, d.term()), append(slices.Clone(spec), "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution")...)
		}
		if d.maybe() {
			// Defaults (nodeTaintsPolicy and the like) are the server's to add.
			set([]any{map[string]any{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": map[string]any{"matchLabels": map[string]string{"app": "web"}}}},
				append(slices.Clone(spec), "topologySpreadConstraints")...)
		}
	}
	if key := d.word(); len(fields) == 0 || d.maybe() {
		var now any
		if was, _, _ := unstructured.NestedString(live, "metadata", "annotations", key); was == "" || d.maybe() {
			now = fmt.Sprintf("value %d", d.IntN(1000))
		}
		set(now, "metadata", "annotations", key)
	}
	return remedy.Change{Object: w.object(kind, "web"), Fields: fields}
}

// without is an object without what a change was to touch.
func without(o map[string]any, fields []remedy.Field) map[string]any {
	for _, f := range fields {
		path := f.Path
		// A field that was not there may have brought what is above it.
		if i := slices.Index(path, "affinity"); i >= 0 {
			path = path[:i+1]
		}
		unstructured.RemoveNestedField(o, path...)
	}
	unstructured.RemoveNestedField(o, "metadata", "annotations", apply.UndoAnnotation)
	if a, _, _ := unstructured.NestedMap(o, "metadata", "annotations"); len(a) == 0 {
		unstructured.RemoveNestedField(o, "metadata", "annotations")
	}
	return o
}

// No write touches another field, and what was changed, once or twice, is given back exactly, through the real server
// with its defaults and allocations.
func TestWhateverItIsItComesBack(t *testing.T) {
	w := newWorld(t)
	d := drawing{rand.New(rand.NewPCG(seed, 0))}
	for n := range draws {
		kind := []string{"Service", "Deployment"}[n%2]
		object := d.deployment(w.namespace)
		if kind == "Service" {
			object = d.service(w.namespace)
		}
		manifest, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		w.load(string(manifest))
		before := w.essence(kind, "web")
		var touched []remedy.Field
		for range 1 + d.IntN(2) {
			change := d.change(w, kind)
			touched = append(touched, change.Fields...)
			p, err := w.client.Prepare(t.Context(), w.fix("any", change))
			if err != nil && strings.Contains(err.Error(), "the change would have no effect") {
				continue // It drew the values that the object has.
			}
			if err != nil {
				t.Fatalf("draw %d: %v\n%s", n, err, manifest)
			}
			if err := w.client.Apply(t.Context(), p); err != nil {
				t.Fatalf("draw %d: %v", n, err)
			}
		}
		if diff := cmp.Diff(without(clone(t, before), touched), without(w.essence(kind, "web"), touched)); diff != "" {
			t.Fatalf("draw %d: other fields were touched:\n%s", n, diff)
		}
		for undone := 0; ; undone++ {
			back, err := w.client.Undo(t.Context(), w.namespace, "web")
			if err != nil {
				if undone == 0 {
					t.Fatalf("draw %d: %v", n, err)
				}
				break
			}
			w.do(back)
		}
		if diff := cmp.Diff(before, w.essence(kind, "web")); diff != "" {
			t.Fatalf("draw %d: it is not what it was:\n%s\n%s", n, diff, manifest)
		}
		if err := w.server.Delete(t.Context(), manifest); err != nil {
			t.Fatal(err)
		}
	}
}

func clone(t *testing.T, o map[string]any) map[string]any {
	t.Helper()
	return (&unstructured.Unstructured{Object: o}).DeepCopy().Object
}
