package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// What needs no API server is tested here; apply_test.go has the rest.

func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func words(path string) []string { return strings.Split(path, ".") }

var (
	web    = cluster.Object{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "web"}
	server = cluster.Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "server"}
	monday = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
)

func TestPaths(t *testing.T) {
	object := decoded(t, `{"spec":{"a":{"b":1},"c":null},"metadata":{"annotations":{"x":"y"}}}`)
	for _, c := range []struct {
		path  string
		value any
		depth int
	}{
		{"spec.a.b", 1.0, 3}, {"spec.a.x", nil, 2}, {"spec.c", nil, 1}, {"spec.c.d", nil, 1}, {"spec.a.b.c", nil, 3}, {"status", nil, 0}, {"metadata.annotations.x", "y", 3},
	} {
		if got := at(object, words(c.path)); !equal(got, c.value) {
			t.Errorf("%s is %v, want %v", c.path, got, c.value)
		}
		if got := depth(object, words(c.path)); got != c.depth {
			t.Errorf("%s has %d names, want %d", c.path, got, c.depth)
		}
	}
}

func TestRemove(t *testing.T) {
	for _, c := range []struct {
		object, path string
		keep         int
		gone, left   string
	}{
		{`{"spec":{"a":1,"b":2}}`, "spec.a", 0, "spec.a", `{"spec":{"b":2}}`},
		{`{"spec":{"a":{"b":{"c":1}}}}`, "spec.a.b.c", 1, "spec.a", `{"spec":{}}`},
		{`{"spec":{"a":{"b":{"c":1}}}}`, "spec.a.b.c", 3, "spec.a.b.c", `{"spec":{"a":{"b":{}}}}`},
		{`{"spec":{"a":{"b":{"c":1},"d":2}}}`, "spec.a.b.c", 0, "spec.a.b", `{"spec":{"a":{"d":2}}}`},
		{`{"spec":{"a":1}}`, "spec.x", 1, "spec.x", `{"spec":{"a":1}}`},
	} {
		object := decoded(t, c.object)
		gone := remove(object, words(c.path), c.keep)
		if diff := cmp.Diff(decoded(t, c.left), object); diff != "" || strings.Join(gone, ".") != c.gone {
			t.Errorf("%s without %s, keep %d: %s is gone, want %s\n%s", c.object, c.path, c.keep, strings.Join(gone, "."), c.gone, diff)
		}
	}
}

// merged is RFC 7386's own algorithm, as its section 2 writes it.
func merged(target, patch any) any {
	change, isObject := patch.(map[string]any)
	if !isObject {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	object = clone(object)
	for name, value := range change {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = merged(object[name], value)
		}
	}
	return object
}

func TestMergePatch(t *testing.T) {
	for _, c := range []struct{ name, object, path, now, patch string }{
		{"a value", `{"spec":{"policy":"Local","x":1}}`, "spec.policy", `"Cluster"`, `{"spec":{"policy":"Cluster"}}`},
		{"a new field", `{"spec":{}}`, "metadata.annotations.a", `"b"`, `{"metadata":{"annotations":{"a":"b"}}}`},
		{"no field", `{"spec":{"policy":"Local"}}`, "spec.policy", `null`, `{"spec":{"policy":null}}`},
		{"the value that it has", `{"spec":{"policy":"Local"}}`, "spec.policy", `"Local"`, `{}`},
		{"keys of a map", `{"spec":{"a":{"keep":1,"go":2,"deep":{"x":1,"y":2}}}}`, "spec.a", `{"keep":1,"come":3,"deep":{"x":1}}`, `{"spec":{"a":{"go":null,"come":3,"deep":{"y":null}}}}`},
		{"a map in place of a list", `{"spec":{"a":[1]}}`, "spec.a", `{"b":1}`, `{"spec":{"a":{"b":1}}}`},
		{"lists are replaced whole", `{"spec":{"a":[1,2]}}`, "spec.a", `[2]`, `{"spec":{"a":[2]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			object := decoded(t, c.object)
			var now any
			if err := json.Unmarshal([]byte(c.now), &now); err != nil {
				t.Fatal(err)
			}
			patch := mergePatch(object, []remedy.Field{{Path: words(c.path), Now: now}})
			if diff := cmp.Diff(decoded(t, c.patch), patch); diff != "" {
				t.Error(diff)
			}
			after, _ := merged(object, patch).(map[string]any)
			if diff := cmp.Diff(now, at(after, words(c.path))); diff != "" {
				t.Errorf("a server that merges it has another value:\n%s", diff)
			}
		})
	}
}

func TestCompact(t *testing.T) {
	for value, want := range map[any]string{
		"<a&b>": `"<a&b>"`, "\x1b[31m\u009b": `"\u001b[31m\u009b"`, "网络": `"\u7f51\u7edc"`, "🙂": `"\ud83d\ude42"`, 3.0: `3`, "it's": `"it's"`,
	} {
		got, err := compact(value)
		if err != nil || string(got) != want {
			t.Errorf("%q becomes %s, %v, want %s", value, got, err, want)
		}
		var back any
		if err := json.Unmarshal(got, &back); err != nil || back != value {
			t.Errorf("%q comes back as %q, %v", value, back, err)
		}
	}
}

// The shell that reads the command hands kubectl the patch byte by byte.
func TestCommand(t *testing.T) {
	const patch = `{"metadata":{"annotations":{"a":"it's $HOME \"and\" \u0060more\u0060 \\"}}}`
	if got, want := command(web, []byte(`{"a":1}`)), `kubectl patch svc web -n shop --type=merge -p '{"a":1}'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skipf("no shell: %v", err)
	}
	line := strings.Replace(command(server, []byte(patch)), "kubectl ", "printf '%s|' ", 1)
	out, err := exec.Command(sh, "-c", line).Output()
	if want := "patch|deployment|server|-n|shop|--type=merge|-p|" + patch + "|"; err != nil || string(out) != want {
		t.Errorf("got  %s (%v)\nwant %s", out, err, want)
	}
}

func TestDocument(t *testing.T) {
	got, err := (&Prepared{Change: remedy.Change{Object: web}, Patch: []byte(`{"spec":{"externalTrafficPolicy":"Cluster"}}`)}).Document()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"},"spec":{"externalTrafficPolicy":"Cluster"}}`
	if diff := cmp.Diff(decoded(t, want), decoded(t, string(got))); diff != "" {
		t.Error(diff)
	}
}

func TestResourceAndName(t *testing.T) {
	for _, c := range []struct {
		object     cluster.Object
		path, name string
	}{
		{web, "/api/v1/namespaces/shop/services/web", "service shop/web"},
		{server, "/apis/apps/v1/namespaces/shop/deployments/server", "deployment shop/server"},
		{cluster.Object{APIVersion: "v1", Kind: "Node", Name: "a"}, "/api/v1/nodes/a", "node a"},
	} {
		if resource(c.object) != c.path || Name(c.object) != c.name {
			t.Errorf("%s and %s, want %s and %s", resource(c.object), Name(c.object), c.path, c.name)
		}
	}
}

// A diff leaves out what the server writes by itself, and shows a text for what only a dry run has.
func TestUnified(t *testing.T) {
	before := decoded(t, `{"metadata":{"name":"web","resourceVersion":"1","managedFields":[{}],"annotations":{"a":"b"}},"spec":{"policy":"Local"},"status":{"x":1}}`)
	after := decoded(t, `{"metadata":{"name":"web","resourceVersion":"2","annotations":{"a":"b","kubectl-etp.github.io/undo":"[long]"}},"spec":{"policy":"Cluster","port":30000},"status":{}}`)
	got, err := unified("service shop/web", before, after, []mask{{[]string{"spec", "port"}, assigned}, {[]string{"spec", "absent"}, assigned}}, "as patched")
	if err != nil {
		t.Fatal(err)
	}
	const want = `--- service shop/web
+++ service shop/web, as patched
@@ -1,6 +1,8 @@
 metadata:
   annotations:
     a: b
+    kubectl-etp.github.io/undo: (what kubectl etp undo needs)
   name: web
 spec:
-  policy: Local
+  policy: Cluster
+  port: (the server assigns one)
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	delete(after["spec"].(map[string]any), "port")
	after["spec"], after["metadata"] = before["spec"], before["metadata"]
	if got, err := unified("a", before, after, nil, "b"); got != "" || err != nil {
		t.Errorf("objects that differ in their status show %q, %v", got, err)
	}
}

func field(path string, was, now any, there int) Recorded {
	return Recorded{Path: words(path), Was: was, Now: now, There: there}
}

func TestInverse(t *testing.T) {
	part := &RecordedPart{Begin: "# BEGIN", End: "# END", Now: "# BEGIN\nrewrite\n# END"}
	text := "a\n# BEGIN\nrewrite\n# END\nb\n"
	for _, c := range []struct {
		name, live string
		fields     []Recorded
		want       []remedy.Field
		changed    string
	}{
		{
			"a value", `{"spec":{"policy":"Cluster"}}`,
			[]Recorded{field("spec.policy", "Local", "Cluster", 2)},
			[]remedy.Field{{Path: words("spec.policy"), Was: "Cluster", Now: "Local"}},
			"",
		},
		{"it was changed since", `{"spec":{"policy":"Local"}}`, []Recorded{field("spec.policy", "Local", "Cluster", 2)}, nil, "spec.policy"},
		{
			"a field that the fix added, with what is above it", `{"spec":{"affinity":{"anti":{"x":1}},"other":1}}`,
			[]Recorded{field("spec.affinity.anti.x", nil, 1.0, 1)},
			[]remedy.Field{{Path: words("spec.affinity"), Was: map[string]any{"anti": map[string]any{"x": 1.0}}}},
			"",
		},
		{
			"not with what somebody else added there", `{"spec":{"affinity":{"anti":{"x":1},"node":1}}}`,
			[]Recorded{field("spec.affinity.anti.x", nil, 1.0, 1)},
			[]remedy.Field{{Path: words("spec.affinity.anti"), Was: map[string]any{"x": 1.0}}},
			"",
		},
		{
			"an annotation goes alone", `{"metadata":{"annotations":{"a":"b"}}}`,
			[]Recorded{field("metadata.annotations.a", nil, "b", 1)},
			[]remedy.Field{{Path: words("metadata.annotations.a"), Was: "b"}},
			"",
		},
		{
			"two fields below one map that goes", `{"spec":{"m":{"a":1,"b":2}}}`,
			[]Recorded{field("spec.m.a", nil, 1.0, 1), field("spec.m.b", nil, 2.0, 1)},
			[]remedy.Field{{Path: words("spec.m"), Was: map[string]any{"a": 1.0, "b": 2.0}}},
			"",
		},
		{
			"the server's own field is asked for", `{"spec":{"port":30001}}`,
			[]Recorded{{Path: words("spec.port"), Was: 30000.0, Now: nil, Follows: true}},
			[]remedy.Field{{Path: words("spec.port"), Was: 30001.0, Now: 30000.0}},
			"",
		},
		{"and left alone where it had none", `{"spec":{"port":30001}}`, []Recorded{{Path: words("spec.port"), Follows: true}}, nil, ""},
		{
			"some lines of a text", fmt.Sprintf(`{"data":{"Corefile":%q}}`, text),
			[]Recorded{{Path: words("data.Corefile"), Part: part}},
			[]remedy.Field{{Path: words("data.Corefile"), Was: text, Now: "a\nb\n"}},
			"",
		},
		{"lines that were changed since", `{"data":{"Corefile":"a\n# BEGIN\nother\n# END\n"}}`, []Recorded{{Path: words("data.Corefile"), Part: part}}, nil, "data.Corefile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			live := decoded(t, c.live)
			got, err := inverse(live, c.fields, "service shop/web")
			if changed, ok := errors.AsType[*ChangedError](err); ok != (c.changed != "") || ok && (strings.Join(changed.Path, ".") != c.changed || !strings.Contains(err.Error(), c.changed)) {
				t.Fatalf("error %v, want one about %q", err, c.changed)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(decoded(t, c.live), live); diff != "" {
				t.Errorf("it has changed the object:\n%s", diff)
			}
		})
	}
}

func record(mode string, days int, objects ...string) Record {
	return Record{Mode: mode, Service: "shop/web", Time: monday.AddDate(0, 0, days), Objects: objects, Fields: []Recorded{field("spec.a", "old", mode, 2)}}
}

func has(o cluster.Object, mode string, r Record) held {
	return held{o, map[string]any{"spec": map[string]any{"a": mode}}, r}
}

// Of several fixes the newest is undone, whole and backwards, and what has lost its record is named.
func TestInverseOf(t *testing.T) {
	both := []string{Name(web), Name(server)}
	f, err := inverseOf([]held{has(web, "eni", record("eni", 1, both...)), has(web, "eni", record("cluster", 0)), has(server, "eni", record("eni", 1, both...))}, []string{"statefulsets were not listed"})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Changes) != 2 || f.Changes[0].Object != server || f.Changes[1].Object != web || f.Changes[0].Starts != "a rollout of deployment shop/server" || f.Changes[1].Starts != "" {
		t.Errorf("changes %+v", f.Changes)
	}
	if f.Undoes() == nil || f.Undoes().Mode != "eni" || f.Service != "shop/web" {
		t.Errorf("it undoes %+v of %s", f.Undoes(), f.Service)
	}
	if want := []string{"this is the last fix that was found: statefulsets were not listed"}; !slices.Equal(f.notes[0], want) {
		t.Errorf("notes %q, want %q", f.notes[0], want)
	}
	f, err = inverseOf([]held{has(web, "eni", record("eni", 1, both...))}, nil)
	if want := []string{"the fix also changed deployment shop/server, which no longer has a record of it and is left as it is"}; err != nil || !slices.Equal(f.notes[0], want) {
		t.Errorf("notes %q, want %q, %v", f.notes[0], want, err)
	}
	if _, err := inverseOf([]held{has(web, "other", record("eni", 1))}, nil); !errors.As(err, new(*ChangedError)) {
		t.Errorf("a changed field ends with %v", err)
	}
}

// A list of fixes is by Service, the newest first, and each has its objects in the order in which they were changed.
func TestGather(t *testing.T) {
	both := []string{Name(web), Name(server)}
	other := record("local", 5)
	other.Service = "shop/api"
	list := gather([]held{has(server, "", record("eni", 1, both...)), has(web, "", record("cluster", 0)), has(web, "", record("eni", 1, both...)), has(web, "", other)})
	var got []string
	for _, m := range list {
		line := fmt.Sprintf("%s %s %s:", m.Service, m.Mode, m.Time.Format(time.DateOnly))
		for _, c := range m.Changes {
			line += " " + Name(c.Object) + " " + strings.Join(c.Fields[0].Path, ".")
		}
		got = append(got, line)
	}
	want := []string{
		"shop/api local 2026-11-28: service shop/web spec.a", "shop/web eni 2026-11-24: service shop/web spec.a deployment shop/server spec.a", "shop/web cluster 2026-11-23: service shop/web spec.a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRecords(t *testing.T) {
	list := []Record{record("eni", 1, "service shop/web", "deployment shop/server"), {Mode: "dns", Service: "shop/web", Time: monday, Fields: []Recorded{
		{Path: words("data.Corefile"), Part: &RecordedPart{Begin: "a", End: "b", Was: "c", Now: "网"}}, {Path: words("spec.port"), Was: 1.0, Follows: true},
	}}}
	value, err := annotation(list)
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	put(object, recordPath, value)
	got, err := records(object)
	if diff := cmp.Diff(list, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if text, _ := value.(string); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("it is not printable ASCII: %q", text)
	}
	if value, err := annotation(nil); value != nil || err != nil {
		t.Errorf("no records are %v, %v", value, err)
	}
	if got, err := records(map[string]any{}); got != nil || err != nil {
		t.Errorf("no annotation has %v, %v", got, err)
	}
	if _, err := parseRecords("{"); err == nil || !strings.Contains(err.Error(), UndoAnnotation) {
		t.Errorf("another annotation ends with %v", err)
	}
}

func TestWithoutTaken(t *testing.T) {
	taken := errors.New("Service \"web\" is invalid: spec.healthCheckNodePort: provided port is already allocated")
	f := &Fix{Changes: []remedy.Change{{Object: web, Fields: []remedy.Field{{Path: healthCheckPath, Was: nil, Now: 30000.0}, {Path: words("spec.policy"), Now: "Local"}}}}}
	got, ok := f.withoutTaken(0, taken)
	if !ok || !got.Changes[0].Fields[0].Follows || got.Changes[0].Fields[0].Now != nil || len(got.notes[0]) != 1 || !strings.Contains(got.notes[0][0], "30000") {
		t.Errorf("%v, %+v", ok, got)
	}
	if f.Changes[0].Fields[0].Follows || f.notes != nil {
		t.Errorf("it has changed the fix: %+v", f)
	}
	if _, ok := f.withoutTaken(0, errors.New("denied")); ok {
		t.Error("another refusal is taken for an allocated port")
	}
	if _, ok := got.withoutTaken(0, taken); ok {
		t.Error("it goes on for ever")
	}
}

// Only the server's own refusal, or a connection that was never made, means that nothing was written.
func TestRefusedByServer(t *testing.T) {
	status := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "patch", schema.GroupResource{Resource: "services"}, "web", "", 0, false)
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{status(http.StatusForbidden), true},
		{status(http.StatusConflict), true},
		{fmt.Errorf("wrapped: %w", status(http.StatusUnprocessableEntity)), true},
		{status(http.StatusInternalServerError), false},
		{status(http.StatusGatewayTimeout), false},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, false},
		{errors.New("EOF"), false},
	} {
		if got := refusedByServer(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestWithoutStatus(t *testing.T) {
	before := decoded(t, `{"metadata":{"name":"web","resourceVersion":"1","generation":1,"annotations":{"deployment.kubernetes.io/revision":"1"}},"spec":{"replicas":1},"status":{"replicas":1}}`)
	written := decoded(t, `{"metadata":{"name":"web","resourceVersion":"2","generation":1,"annotations":{"deployment.kubernetes.io/revision":"2"}},"spec":{"replicas":1},"status":{"replicas":2}}`)
	if diff := cmp.Diff(withoutStatus(before), withoutStatus(written)); diff != "" {
		t.Errorf("what a controller writes is a difference:\n%s", diff)
	}
	for _, other := range []string{
		`{"metadata":{"name":"web","annotations":{"a":"b"}},"spec":{"replicas":1}}`, `{"metadata":{"name":"web","labels":{"a":"b"}},"spec":{"replicas":1}}`, `{"metadata":{"name":"web"},"spec":{"replicas":2}}`,
	} {
		if equal(withoutStatus(before), withoutStatus(decoded(t, other))) {
			t.Errorf("%s is no difference", other)
		}
	}
	if at(before, words("status.replicas")) == nil || len(before["metadata"].(map[string]any)["annotations"].(map[string]any)) != 1 {
		t.Error("it has changed the object")
	}
}

// A plan's own types become those of JSON.
func TestNormal(t *testing.T) {
	got, err := normal(map[string]any{"n": int64(3), "list": []map[string]string{{"a": "b"}}, "none": nil})
	want := map[string]any{"n": 3.0, "list": []any{map[string]any{"a": "b"}}, "none": nil}
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := normal(func() {}); err == nil {
		t.Error("a function is a value")
	}
}

func TestDraft(t *testing.T) {
	live := decoded(t, `{"metadata":{"resourceVersion":"7"},"spec":{"externalTrafficPolicy":"Local","healthCheckNodePort":30000}}`)
	change := remedy.Change{Object: web, Fields: []remedy.Field{{Path: words("spec.externalTrafficPolicy"), Was: "Local", Now: "Cluster"}, {Path: healthCheckPath, Was: 30000, Follows: true}}}
	for _, c := range []struct {
		name     string
		edit     func(*remedy.Change)
		conflict bool
	}{
		{"as planned", func(*remedy.Change) {}, false},
		{"the same version", func(c *remedy.Change) { c.Object.ResourceVersion = "7" }, false},
		{"another version", func(c *remedy.Change) { c.Object.ResourceVersion = "6" }, true},
		{"another value", func(c *remedy.Change) { c.Fields[0].Was = "Cluster" }, true},
		{"another value of a field that follows", func(c *remedy.Change) { c.Fields[1].Was = 1 }, false},
	} {
		changed := change
		changed.Fields = slices.Clone(change.Fields)
		c.edit(&changed)
		p, fields, err := draft(&Fix{Changes: []remedy.Change{changed}}, 0, live)
		if errors.As(err, new(*ConflictError)) != c.conflict {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil && (len(fields) != 1 || !bytes.Equal(p.Patch, []byte(`{"spec":{"externalTrafficPolicy":"Cluster"}}`))) {
			t.Errorf("%s: patch %s of %+v", c.name, p.Patch, fields)
		}
	}
}

func TestErrorsSayWhatHappened(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&ConflictError{web}, "something else has changed service shop/web since it was read"},
		{&UncertainError{web, errors.New("EOF")}, "patch service shop/web: cannot tell whether the change was made: the server stopped answering (EOF)"},
		{
			&RestoredError{Err: errors.New("denied"), Restored: []cluster.Object{web}, Left: []cluster.Object{server}},
			"denied; service shop/web has its former values again; deployment shop/server is still changed",
		},
		{
			&ChangedError{Object: "service shop/web", Path: words("spec.a"), Made: "x", Is: nil},
			"spec.a of service shop/web was changed after the fix: it is absent now, and the fix set it to x",
		},
		{
			&ChangedError{Object: "service shop/web", Path: words("spec.a"), Made: strings.Repeat("x", 80), Is: 3.0},
			"spec.a of service shop/web was changed after the fix: it is 3 now, and the fix set it to a longer value",
		},
		{&NothingError{Service: "shop/web", Unread: []string{"why"}}, "nothing to undo: no fix is recorded for service shop/web; why"},
		{&ServerError{What: "patch service shop/web", Err: errors.New("denied")}, "patch service shop/web: denied"},
		{&ServerError{What: "patch service shop/web", Err: errors.New("403"), Explained: errors.New("you may not")}, "patch service shop/web: you may not"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
