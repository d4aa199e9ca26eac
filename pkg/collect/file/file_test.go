package file_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/anonymize"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

const (
	webService = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
`
	otherService = `apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {type: LoadBalancer, ports: [{port: 443}]}
`
)

// form is a way to write Services into a stream. want are their names; nil means that the stream is refused.
type form struct {
	text string
	want []string
}

func forms() map[string]form {
	js := func(kind, name string) string {
		return fmt.Sprintf(`{"kind":%q,"apiVersion":"v1","metadata":{"name":%q,"namespace":"shop"},"spec":{"type":"NodePort","ports":[{"port":80}],"unknown":{"a":1}}}`, kind, name)
	}
	indent := func(text string) string {
		return "- " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
	}
	return map[string]form{
		"documents":              {"# a comment\n---\n" + webService + "---\n" + otherService + "---\n", []string{"api", "web"}},
		"windows line ends":      {strings.ReplaceAll(webService+"---\n"+otherService, "\n", "\r\n"), []string{"api", "web"}},
		"byte order mark":        {"\ufeff" + webService, []string{"web"}},
		"list":                   {"apiVersion: v1\nitems:\n" + indent(webService) + indent(otherService) + "kind: List\n", []string{"api", "web"}},
		"list, kind first":       {"kind: List\napiVersion: v1\nitems: # here\n\n# they come\n" + indent(webService) + indent(otherService), []string{"api", "web"}},
		"list, indented":         {"kind: List\napiVersion: v1\nitems:\n  " + strings.ReplaceAll(indent(webService), "\n", "\n  ") + "\n", []string{"web"}},
		"list, flow":             {"{kind: List, apiVersion: v1, items: [" + js("Service", "web") + "]}", nil},
		"list, json in yaml":     {"kind: List\napiVersion: v1\nitems: [" + js("Service", "web") + "]\n", []string{"web"}},
		"empty list and service": {"kind: List\napiVersion: v1\nitems: []\n---\n" + webService, []string{"web"}},
		"typed list":             {"kind: ServiceList\napiVersion: v1\nitems:\n- metadata: {name: web, namespace: shop}\n  spec: {type: NodePort}\n", []string{"web"}},
		"json":                   {js("Service", "web") + "\n" + js("Service", "api"), []string{"api", "web"}},
		"json list":              {`{"apiVersion":"v1","items":[` + js("Service", "web") + "," + js("ConfigMap", "x") + `],"kind":"List"}`, []string{"web"}},
		"json typed list":        {`{"items":[{"metadata":{"name":"web","namespace":"shop"},"spec":{"type":"NodePort"}}],"kind":"ServiceList","apiVersion":"v1"}`, []string{"web"}},
		"other kinds":            {"apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\n---\n" + webService, []string{"web"}},
		"the same twice":         {webService + "---\n" + webService, []string{"web"}},
		"a dash in a text":       {"apiVersion: v1\nitems:\n" + indent(strings.Replace(webService, "spec:", "# - kind: x\nextra: |\n  - not an item\n  kind: Node\nspec:", 1)) + "kind: List\n", []string{"web"}},
	}
}

func TestOfflineForms(t *testing.T) {
	for name, test := range forms() {
		t.Run(name, func(t *testing.T) {
			read, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: strings.NewReader(test.text)})
			if test.want == nil {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range collecttest.Snapshot(t, read, objects.Query{}).Services {
				got = append(got, s.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("services %v, want %v", got, test.want)
			}
		})
	}
}

// Most of a large file is blanked before it is parsed: what is beside the bulk stays, and so do the lines of errors.
func TestBulkIsLeftOut(t *testing.T) {
	const text = `apiVersion: v1
items:
- apiVersion: v1
  kind: Node
  metadata:
    managedFields:
    - manager: kubelet
      fieldsV1: {}
    name: a
    labels:
      images: kept
  spec:
    podCIDR: 10.0.0.0/24
  status:
    images:
    - names:
      - registry.example.com/pause:3.5

      sizeBytes: 1
    nodeInfo:
      kubeletVersion: v1.30.0
    conditions:
    - {type: Ready, status: "True"}
`
	s := collecttest.Snapshot(t, collecttest.FromText(t, text+"kind: List\n"), objects.Query{})
	n := s.Nodes[0]
	if n.Name != "a" || n.Labels["images"] != "kept" || n.KubeletVersion.String() != "v1.30.0" || n.Ready != cluster.Yes || len(n.PodCIDRs) != 1 {
		t.Errorf("node: %+v", n)
	}
	_, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: strings.NewReader(text + "    a: b: c\nkind: List\n")})
	if err == nil || !strings.Contains(err.Error(), "line 24: malformed YAML") {
		t.Errorf("error: %v", err)
	}
}

func TestOfflineErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"malformed":             {"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n namespace: shop\n", "reading standard input: line 5: malformed YAML"},
		"malformed, second":     {webService + "---\n" + "apiVersion: v1\nkind: [\n", "line 7: malformed YAML"},
		"malformed item":        {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Service\n  metadata: {name: b\n", "malformed YAML"},
		"tab":                   {"apiVersion: v1\nkind: Service\n\tmetadata: {}\n", "malformed YAML"},
		"json cut":              {"{\"apiVersion\": \"v1\",\n \"kind\": \"Service\"", "line 2: malformed JSON"},
		"json wrong":            {"{\"apiVersion\": \"v1\",\n \"kind\": Service}", "line 2: malformed JSON"},
		"no kind":               {"apiVersion: v1\nmetadata: {name: a}\n", "line 1: the object has no kind"},
		"no version":            {"kind: Service\nmetadata: {name: a}\n", "line 1: the Service has no apiVersion"},
		"no name":               {"---\n\napiVersion: v1\nkind: Service\nspec: {}\n", "line 3: an object has no metadata.name"},
		"text":                  {"hello\n", "line 1: a document is not a Kubernetes object"},
		"wrong type":            {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: http}]}\n", "line 1: the Service cannot be read"},
		"empty":                 {"# nothing\n", "no Kubernetes object found"},
		"contradiction":         {webService + "---\n" + strings.Replace(webService, "30080", "30081", 1), "line 6: Service shop/web is also at standard input line 1 with different content"},
		"items without a kind":  {"apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n", "line 4: an item of a List has no kind"},
		"a scalar for an item":  {"apiVersion: v1\nkind: List\nitems:\n- hello\n", "line 4: an item of a list is not an object"},
		"a number for a status": {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nstatus: 3\n", "line 1: the Service cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: strings.NewReader(test.text)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestOfflineDirectory(t *testing.T) {
	files := fstest.MapFS{
		"d/b.yaml":       {Data: []byte(webService)},
		"d/a.json":       {Data: []byte(`{"kind":"Service","apiVersion":"v1","metadata":{"name":"j","namespace":"shop"},"spec":{"type":"NodePort"}}`)},
		"d/c.yml":        {Data: []byte(otherService)},
		"d/readme.txt":   {Data: []byte("not read")},
		"d/sub/no.yaml":  {Data: []byte("not read")},
		"e/readme.txt":   {Data: []byte("")},
		"wrong.yaml":     {Data: []byte("kind: [")},
		"forbidden.yaml": {Data: nil},
	}
	open := func(name string) (fs.File, error) { return files.Open(name) }
	read, err := file.Read(context.Background(), file.Input{Paths: []string{"d"}, Open: open})
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Services) != 3 {
		t.Errorf("%d services", len(read.Services))
	}
	for paths, want := range map[string]string{
		"e": "no .yaml, .yml or .json file", "none": "-f none: file does not exist", "wrong.yaml": "reading wrong.yaml: line 1: malformed YAML",
	} {
		if _, err := file.Read(context.Background(), file.Input{Paths: []string{paths}, Open: open}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", paths, err)
		}
	}
	if _, err := file.Read(context.Background(), file.Input{Paths: []string{"d", "d/b.yaml"}, Open: open}); err != nil {
		t.Errorf("the same file twice: %v", err)
	}
}

func TestDumpIsReadBack(t *testing.T) {
	for _, name := range collecttest.Samples(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			read := collecttest.Offline(t, name)
			var dump bytes.Buffer
			if err := file.Write(&dump, read); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(dump.String(), "SECRET") || strings.Contains(dump.String(), "secretname") {
				t.Errorf("the dump tells more than is read:\n%s", dump.String())
			}
			want := collecttest.Snapshot(t, read, objects.Query{})
			want.Corefile = "" // It is left out.
			collecttest.SameFacts(t, collecttest.Snapshot(t, collecttest.FromText(t, dump.String()), objects.Query{}), want)
		})
	}
}

func TestReadErrorIsNamed(t *testing.T) {
	_, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: broken{}})
	if err == nil || err.Error() != "reading standard input: the disk is gone" {
		t.Errorf("error: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := file.Read(ctx, file.Input{Paths: []string{collecttest.Path("detect/testdata/eks.yaml")}, Open: collecttest.Open}); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// wholeDocuments parses a stream of YAML documents, each as a whole, and returns its objects as JSON, one after another, with those of lists on their own. It knows
// nothing of the line splitter. ok is false for JSON, for a stream that is no valid YAML, and for markers that it does not tell apart by themselves.
func wholeDocuments(text []byte) (stream []byte, ok bool) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if first := bytes.TrimLeft(text, " \t\r\n"); len(first) == 0 || first[0] == '{' {
		return nil, false
	}
	var documents []string
	var current strings.Builder
	for line := range strings.Lines(string(text)) {
		switch trimmed := strings.TrimRight(line, "\r\n"); {
		case trimmed == "---":
			documents = append(documents, current.String())
			current.Reset()
		case strings.HasPrefix(trimmed, "---"), strings.HasPrefix(trimmed, "..."), strings.HasPrefix(trimmed, "%"):
			return nil, false
		default:
			current.WriteString(line)
		}
	}
	var out bytes.Buffer
	for _, document := range append(documents, current.String()) {
		converted, err := yaml.YAMLToJSONStrict([]byte(document))
		if err != nil {
			return nil, false
		}
		if string(converted) == "null" {
			continue
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(converted, &object) != nil {
			return nil, false
		}
		var kind, version string
		_, _ = json.Unmarshal(object["kind"], &kind), json.Unmarshal(object["apiVersion"], &version)
		ofItems, isList := strings.CutSuffix(kind, "List")
		if !isList {
			out.Write(converted)
			continue
		}
		var items []map[string]any
		if json.Unmarshal(object["items"], &items) != nil {
			return nil, false
		}
		for _, item := range items {
			if own, _ := item["kind"].(string); own == "" {
				item["kind"], item["apiVersion"] = ofItems, version
			}
			one, err := json.Marshal(item)
			if err != nil {
				return nil, false
			}
			out.Write(one)
		}
	}
	return out.Bytes(), true
}

// sameAsWhole compares what was read of a stream with what its documents hold when each is parsed as a whole.
func sameAsWhole(t *testing.T, text []byte, read *objects.Objects) (compared bool) {
	t.Helper()
	stream, ok := wholeDocuments(text)
	if !ok {
		return false
	}
	whole, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: bytes.NewReader(stream)})
	if err != nil {
		return false
	}
	got, want := collecttest.Snapshot(t, read, objects.Query{AllNamespaces: true}), collecttest.Snapshot(t, whole, objects.Query{AllNamespaces: true})
	collecttest.SameFacts(t, got, want)
	return true
}

// The line splitter reads of every sample, and of every form of a stream, what a parser of whole documents reads.
func TestSplitterReadsWhatTheWholeHolds(t *testing.T) {
	texts := map[string]string{}
	for _, name := range append(collecttest.Samples(t), "collect/anonymize/testdata/words.yaml") {
		text, err := os.ReadFile(collecttest.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	for name, form := range forms() {
		if form.want != nil {
			texts[name] = form.text
		}
	}
	compared := 0
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			if sameAsWhole(t, []byte(text), collecttest.FromText(t, text)) {
				compared++
			}
		})
	}
	// What is left out is JSON.
	if compared < len(texts)-3 {
		t.Errorf("only %d of %d were compared", compared, len(texts))
	}
}

// Whatever the bytes are, there are facts or an error. Facts are those of the documents parsed as a whole, and the same again from their own dump.
func FuzzOffline(f *testing.F) {
	for _, name := range collecttest.Samples(f) {
		text, err := os.ReadFile(collecttest.Path(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, form := range forms() {
		f.Add([]byte(form.text))
	}
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: bytes.NewReader(text)})
		if err != nil {
			return
		}
		sameAsWhole(t, text, read)
		before, err := read.Snapshot(objects.Query{})
		if err != nil {
			t.Fatal(err)
		}
		var dump bytes.Buffer
		if err := file.Write(&dump, read); err != nil {
			t.Fatal(err)
		}
		if _, err := anonymize.Objects(read).Snapshot(objects.Query{}); err != nil {
			t.Fatal(err)
		}
		again, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: &dump})
		if err != nil {
			if len(read.Services)+len(read.Nodes)+len(read.Slices) > 0 {
				t.Fatalf("the dump cannot be read: %v", err)
			}
			return
		}
		after, err := again.Snapshot(objects.Query{})
		if err != nil {
			t.Fatal(err)
		}
		before.Corefile = "" // It is left out.
		collecttest.SameFacts(t, after, before)
	})
}
