package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
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

func TestOfflineForms(t *testing.T) {
	js := func(kind, name string) string {
		return fmt.Sprintf(`{"kind":%q,"apiVersion":"v1","metadata":{"name":%q,"namespace":"shop"},"spec":{"type":"NodePort","ports":[{"port":80}],"unknown":{"a":1}}}`, kind, name)
	}
	indent := func(text string) string {
		return "- " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
	}
	for name, test := range map[string]struct {
		text string
		want []string
	}{
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
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := Offline(context.Background(), Input{Paths: []string{"-"}, Stdin: strings.NewReader(test.text)})
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
			for _, s := range snapshot(t, objects, Query{}).Services {
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
	s := snapshot(t, fromText(t, text+"kind: List\n"), Query{})
	n := s.Nodes[0]
	if n.Name != "a" || n.Labels["images"] != "kept" || n.KubeletVersion.String() != "v1.30.0" || n.Ready != cluster.Yes || len(n.PodCIDRs) != 1 {
		t.Errorf("node: %+v", n)
	}
	_, err := Offline(context.Background(), Input{Paths: []string{"-"}, Stdin: strings.NewReader(text + "    a: b: c\nkind: List\n")})
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
		"empty":                 {"# nothing\n", "there is no Kubernetes object in it"},
		"contradiction":         {webService + "---\n" + strings.Replace(webService, "30080", "30081", 1), "line 6: Service shop/web is also at standard input line 1, and the two differ"},
		"items without a kind":  {"apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n", "line 4: an item of a List has no kind"},
		"a scalar for an item":  {"apiVersion: v1\nkind: List\nitems:\n- hello\n", "line 4: an item of a list is not an object"},
		"a number for a status": {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nstatus: 3\n", "line 1: the Service cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Offline(context.Background(), Input{Paths: []string{"-"}, Stdin: strings.NewReader(test.text)})
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
	objects, err := Offline(context.Background(), Input{Paths: []string{"d"}, Open: open})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects.Services) != 3 {
		t.Errorf("%d services", len(objects.Services))
	}
	for paths, want := range map[string]string{
		"e": "no .yaml, .yml or .json file", "none": "-f none: file does not exist", "wrong.yaml": "reading wrong.yaml: line 1: malformed YAML",
	} {
		if _, err := Offline(context.Background(), Input{Paths: []string{paths}, Open: open}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", paths, err)
		}
	}
	if _, err := Offline(context.Background(), Input{Paths: []string{"d", "d/b.yaml"}, Open: open}); err != nil {
		t.Errorf("the same file twice: %v", err)
	}
}

func TestSelection(t *testing.T) {
	text := webService + "---\n" + otherService + "---\n" + strings.Replace(webService, "shop", "yard", 1) + `---
apiVersion: v1
kind: Service
metadata: {name: inner, namespace: shop, labels: {tier: back}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: plain}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: v1
kind: Service
metadata: {name: controller, namespace: yard, labels: {gateway.networking.k8s.io/gateway-name: gate}}
spec: {type: LoadBalancer}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, namespace: shop}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: early, namespace: shop}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: yard}
status: {addresses: [{type: IPAddress, value: 203.0.113.9}]}
`
	objects := fromText(t, text)
	for name, test := range map[string]struct {
		query Query
		want  []string
		fails string
	}{
		"all":                    {Query{}, []string{"shop/api", "shop/web", "yard/controller", "yard/web"}, ""},
		"namespace":              {Query{Namespace: "shop"}, []string{"shop/api", "shop/web"}, ""},
		"selector":               {Query{Selector: "tier=back"}, []string{"shop/inner"}, ""},
		"names, in their order":  {Query{Args: []string{"svc/web", "service/api"}, Namespace: "shop"}, []string{"shop/web", "shop/api"}, ""},
		"type and names":         {Query{Args: []string{"services", "web", "api"}, Namespace: "shop"}, []string{"shop/web", "shop/api"}, ""},
		"bare":                   {Query{Args: []string{"inner"}}, []string{"shop/inner"}, ""},
		"manifest, no namespace": {Query{Args: []string{"plain"}, Namespace: "mine"}, []string{"mine/plain"}, ""},
		"ingress":                {Query{Args: []string{"ing/front"}}, []string{"yard/controller"}, ""},
		"gateway":                {Query{Args: []string{"gateway/gate"}}, []string{"yard/controller"}, ""},
		"ambiguous":              {Query{Args: []string{"web"}}, nil, "one in each of the namespaces shop, yard"},
		"elsewhere":              {Query{Args: []string{"api"}, Namespace: "yard"}, nil, "get service yard/api: not found in namespace yard; there is one in shop: add -n shop"},
		"none":                   {Query{Args: []string{"wb"}, Namespace: "shop"}, nil, "get service shop/wb: not found in namespace shop; there are shop/"},
		"early ingress":          {Query{Args: []string{"ing/early"}}, nil, "it has no address yet"},
		"wrong kind":             {Query{Args: []string{"pod/web"}}, nil, `"pod/web": a Service is expected`},
		"both forms":             {Query{Args: []string{"svc", "svc/web"}}, nil, "not both"},
		"name and -A":            {Query{Args: []string{"web"}, AllNamespaces: true}, nil, "-n instead of -A"},
		"name and -l":            {Query{Args: []string{"web"}, Selector: "a=b"}, nil, "cannot be used together"},
		"bad selector":           {Query{Selector: "a in"}, nil, "-l"},
		"no ingress named":       {Query{Args: []string{"ing"}}, nil, "name the ingress"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := objects.Snapshot(test.query)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("error %v, want %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, service := range s.Services {
				got = append(got, service.Namespace+"/"+service.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("services %v, want %v", got, test.want)
			}
		})
	}
}

// The rules for what is absent, from a manifest that has met no API server and slices that a hand has written.
func TestNilRules(t *testing.T) {
	objects := fromText(t, `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  ports: [{port: 80}, {port: 443, name: s, protocol: UDP, targetPort: https}]
  loadBalancerSourceRanges: [" 10.0.0.0/8 ", wrong]
status:
  loadBalancer:
    ingress: [{ip: 203.0.113.7}, {hostname: lb.example.com}, {ip: "2001:db8::7", ipMode: Proxy}, {ip: wrong}, {}]
---
apiVersion: v1
kind: Service
metadata: {name: inner, namespace: shop}
spec: {clusterIP: None, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web-a, namespace: shop, labels: {kubernetes.io/service-name: web}}
ports: [{port: 8080}, {name: s, port: 8443, protocol: UDP}, {name: nothing}]
endpoints:
- {addresses: [10.1.0.9, 10.1.0.10], nodeName: b}
- {addresses: [10.1.0.2], conditions: {ready: false, terminating: true}}
- {addresses: []}
- {addresses: [wrong]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web-b, namespace: shop, labels: {kubernetes.io/service-name: web}}
ports: [{name: more, port: 9000}]
endpoints:
- {addresses: [10.1.0.2], nodeName: c, zone: z, hints: {forZones: [{name: z}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: FQDN
metadata: {name: web-c, namespace: shop, labels: {kubernetes.io/service-name: web}}
endpoints: [{addresses: [pod.example.com]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: stray, namespace: shop}
endpoints: [{addresses: [10.1.0.3]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web-d, namespace: other, labels: {kubernetes.io/service-name: web}}
endpoints: [{addresses: [10.1.0.4]}]
`)
	s := snapshot(t, objects, Query{Args: []string{"web", "inner"}})
	web, inner := s.Services[0], s.Services[1]
	if web.ExternalTrafficPolicy != cluster.PolicyCluster || web.InternalTrafficPolicy != cluster.PolicyCluster || len(web.SourceRanges) != 1 {
		t.Errorf("service: %+v", web)
	}
	if inner.Type != cluster.TypeClusterIP || !inner.Headless || inner.ExternalTrafficPolicy != cluster.PolicyUnset || len(inner.Ingress) != 0 || len(inner.ClusterIPs) != 0 {
		t.Errorf("headless service: %+v", inner)
	}
	if want := (cluster.Port{Protocol: cluster.TCP, Port: 80, TargetPort: "80"}); web.Ports[0] != want {
		t.Errorf("port: %+v", web.Ports[0])
	}
	if want := (cluster.Port{Name: "s", Protocol: cluster.UDP, Port: 443, TargetPort: "https"}); web.Ports[1] != want {
		t.Errorf("port: %+v", web.Ports[1])
	}
	if len(web.Ingress) != 3 || web.Ingress[0].IPMode != cluster.VIP || web.Ingress[1].Hostname != "lb.example.com" || web.Ingress[1].IP.IsValid() || web.Ingress[2].IPMode != cluster.Proxy {
		t.Errorf("ingress: %+v", web.Ingress)
	}
	if len(web.Endpoints) != 3 {
		t.Fatalf("endpoints: %+v", web.Endpoints)
	}
	// An address that is terminating in one slice and ready in another is each for the ports of that slice, as kube-proxy has it.
	leaving, moved, plain := web.Endpoints[0], web.Endpoints[1], web.Endpoints[2]
	if leaving.Ready || !leaving.Terminating || leaving.Slice != "web-a" || len(leaving.Ports) != 2 {
		t.Errorf("endpoint that is leaving: %+v", leaving)
	}
	if moved.Node != "c" || !moved.Ready || moved.Terminating || moved.Slice != "web-b" || len(moved.Ports) != 1 || !slices.Equal(moved.ForZones, []string{"z"}) {
		t.Errorf("an endpoint of two slices: %+v", moved)
	}
	if plain.Node != "b" || !plain.Ready || !plain.Serving || plain.Terminating || len(plain.Ports) != 2 || plain.Ports[0].Protocol != cluster.TCP {
		t.Errorf("endpoint: %+v", plain)
	}
	if len(s.Nodes) != 2 || s.Nodes[0].Name != "b" || s.Nodes[0].Known || s.Nodes[1].Zone != "z" {
		t.Errorf("nodes: %+v", s.Nodes)
	}
}

func samples(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("../detect/testdata/*.yaml")
	if err != nil || len(names) < 10 {
		t.Fatalf("samples: %v, %v", names, err)
	}
	return append(names, "testdata/kubeadm-ipvs.yaml", "testdata/surroundings.yaml")
}

func TestDumpIsReadBack(t *testing.T) {
	for _, name := range samples(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			objects := offline(t, name)
			var dump bytes.Buffer
			if err := Dump(&dump, objects); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(dump.String(), "SECRET") || strings.Contains(dump.String(), "secretname") {
				t.Errorf("the dump tells more than is read:\n%s", dump.String())
			}
			want := snapshot(t, objects, Query{})
			want.Corefile = "" // It is left out.
			sameFacts(t, snapshot(t, fromText(t, dump.String()), Query{}), want)
		})
	}
}

func TestReadErrorIsNamed(t *testing.T) {
	_, err := Offline(context.Background(), Input{Paths: []string{"-"}, Stdin: broken{}})
	if err == nil || err.Error() != "reading standard input: the disk is gone" {
		t.Errorf("error: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Offline(ctx, Input{Paths: []string{"../detect/testdata/eks.yaml"}, Open: openFile}); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// Whatever the bytes are, there are facts or an error, and what gave facts gives the same facts from its own dump.
func FuzzOffline(f *testing.F) {
	for _, name := range samples(f) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		objects, err := Offline(context.Background(), Input{Paths: []string{"-"}, Stdin: bytes.NewReader(text)})
		if err != nil {
			return
		}
		before, err := objects.Snapshot(Query{})
		if err != nil {
			t.Fatal(err)
		}
		var dump bytes.Buffer
		if err := Dump(&dump, objects); err != nil {
			t.Fatal(err)
		}
		if _, err := Anonymize(objects).Snapshot(Query{}); err != nil {
			t.Fatal(err)
		}
		again, err := Offline(context.Background(), Input{Paths: []string{"-"}, Stdin: &dump})
		if err != nil {
			if len(objects.Services)+len(objects.Nodes)+len(objects.Slices) > 0 {
				t.Fatalf("the dump cannot be read: %v", err)
			}
			return
		}
		after, err := again.Snapshot(Query{})
		if err != nil {
			t.Fatal(err)
		}
		before.Corefile = "" // It is left out.
		sameFacts(t, after, before)
	})
}
