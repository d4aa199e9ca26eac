package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
)

// evil are an escape sequence, C1, DEL, a carriage return, turned text and characters that are not drawn.
const evil = "\x1b[2J\u009b31m\x7f\r\u202egnp\u2066\u200d\u200b\U000e0041"

// spot is a string of a decoded manifest: a value, or a name in a map.
type spot struct {
	path string
	set  func(func(string) string)
}

// spots of a decoded manifest, one for each path that differs in more than a place in a list.
func spots(value any, path string, put func(any)) []spot {
	var out []spot
	switch value := value.(type) {
	case string:
		out = append(out, spot{path, func(change func(string) string) { put(change(value)) }})
	case []any:
		for i := range value {
			out = append(out, spots(value[i], path+"[]", func(v any) { value[i] = v })...)
		}
	case map[string]any:
		for _, key := range sortedKeys(value) {
			out = append(out, spots(value[key], path+"."+key, func(v any) { value[key] = v })...)
			out = append(out, spot{path + ".(" + key + ")", func(change func(string) string) {
				value[change(key)] = value[key]
				delete(value, key)
			}})
		}
	}
	return out
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func decoded(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var items []any
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var value any
		if err := yaml.Unmarshal([]byte(document), &value); err != nil {
			t.Fatal(err)
		}
		if value != nil {
			items = append(items, value)
		}
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
}

// TestNothingDangerousIsPrinted puts evil into every string of manifests, one after the other, and reads them in every form of output.
func TestNothingDangerousIsPrinted(t *testing.T) {
	forms := [][]string{
		{"status", "-A"},
		{"status", "svc/web", "-n", "shop", "-o", "wide", "--all", "--show-passed"},
		{"status", "-o", "json"},
		{"status", "-o", "yaml"},
		{"dump"},
		{"status", "svc/web", "-n", "shop", "--color=always"},
		{"status", "-o", "name"},
		{"status", "-o", "jsonpath={..}"},
		{"dump", "--anonymize"},
		{"trace", "svc/web", "-n", "shop", "--from", "192.0.2.1", "--color=always"},
		{"trace", "svc/web", "-n", "shop", "--from", "192.0.2.1", "-o", "json"},
		{"trace", "svc/web", "-n", "shop", "--from", "192.0.2.1", "-o", "yaml"},
		{"trace", "svc/web", "-n", "shop", "--from", "192.0.2.1", "-o", "mermaid"},
		{"trace", "svc/web", "-n", "shop", "--from", "192.0.2.1", "-o", "dot"},
		{"trace", "svc/web", "-n", "shop", "--from", "node/nonesuch"},
		{"trace", "svc/web", "-n", "shop", "--from", "192.0.2.1", "--to", "192.0.2.2:1"},
		{"status", "svc/nowhere"},
		{"__complete", "status", "x"},
		{"__complete", "status", "-n", ""},
		{"__complete", "status", "--node", ""},
		{"__complete", "trace", "--from", "node/"},
		{"__complete", "trace", "--from", "pod/"},
		{"__complete", "trace", "svc/web", "-n", "shop", "--to", ""},
	}
	seen, refused, read := map[string]bool{}, 0, 0
	for at := 0; ; at++ {
		value := decoded(t, "testdata/escape.yaml")
		all := spots(value, "", func(any) {})
		if at >= len(all) {
			break
		}
		if seen[all[at].path] {
			continue
		}
		seen[all[at].path] = true
		if testing.Short() && len(seen)%3 > 0 {
			continue // One place of three; CI changes all.
		}
		all[at].set(func(text string) string { return text + evil })
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "cluster"+evil+".json")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		for i, form := range forms {
			// The first ones for every place, and each of the others for every fourth.
			if i > 4 && (i+at)%4 > 0 {
				continue
			}
			w := &world{env: map[string]string{"LC_ALL": "C.UTF-8"}}
			args := slices.Concat(form, []string{"-f", name})
			if form[0] == "__complete" {
				args = slices.Concat(form[:2], []string{"-f", name}, form[2:])
			}
			if w.main(t, args...) == exitFailed {
				refused++
			} else {
				read++
			}
			out := w.out.String()
			if slices.Contains(form, "--color=always") {
				out = strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[22m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[36m", "").Replace(out)
			}
			// The shell that completes expects a tab before what describes a word.
			if form[0] == "__complete" {
				out = strings.ReplaceAll(out, "\t", "")
			}
			for what, text := range map[string]string{"output": out, "errors": w.err.String()} {
				if clean := printable.Text(text); clean != text {
					t.Errorf("%s with evil at %s: %s:\n%s", fmt.Sprint(form), all[at].path, what, clean)
				}
			}
		}
	}
	fewestRefused, fewestRead := 10, 100
	if testing.Short() {
		fewestRefused, fewestRead = 3, 33
	}
	if len(seen) < 30 || refused < fewestRefused || read < fewestRead {
		t.Errorf("%d places, where something was refused %d times and read %d times", len(seen), refused, read)
	}
}

// TestWordsOfFields: a word that a field does not take is an error that says where, and which it takes.
func TestWordsOfFields(t *testing.T) {
	const manifest = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, internalTrafficPolicy: Cluster, sessionAffinity: None, ports: [{port: 80, protocol: TCP}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.7, ipMode: VIP}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080, protocol: UDP}]
endpoints: []
---
apiVersion: v1
kind: Node
metadata: {name: a}
spec: {taints: [{key: x, effect: NoSchedule}]}
status: {conditions: [{type: Ready, status: "True"}], addresses: [{type: InternalIP, address: 192.0.2.1}]}
`
	for was, want := range map[string]string{
		"type: LoadBalancer":             `line 1: Service shop/web: spec.type is "\x1b[1m", want ClusterIP, NodePort, LoadBalancer or ExternalName`,
		"externalTrafficPolicy: Local":   `line 1: Service shop/web: spec.externalTrafficPolicy is "\x1b[1m", want Cluster or Local`,
		"internalTrafficPolicy: Cluster": `line 1: Service shop/web: spec.internalTrafficPolicy is "\x1b[1m", want Cluster or Local`,
		"sessionAffinity: None":          `line 1: Service shop/web: spec.sessionAffinity is "\x1b[1m", want None or ClientIP`,
		"protocol: TCP":                  `line 1: Service shop/web: spec.ports[0].protocol is "\x1b[1m", want TCP, UDP or SCTP`,
		"ipMode: VIP":                    `line 1: Service shop/web: status.loadBalancer.ingress[0].ipMode is "\x1b[1m", want VIP or Proxy`,
		"addressType: IPv4":              `line 7: EndpointSlice shop/web-1: addressType is "\x1b[1m", want IP, IPv4, IPv6 or FQDN`,
		"protocol: UDP":                  `line 7: EndpointSlice shop/web-1: ports[0].protocol is "\x1b[1m", want TCP, UDP or SCTP`,
		"effect: NoSchedule":             `line 14: Node a: spec.taints[0].effect is "\x1b[1m", want NoSchedule, PreferNoSchedule or NoExecute`,
		"status: \"True\"":               `line 14: Node a: status.conditions[0].status is "\x1b[1m", want True, False or Unknown`,
	} {
		field, _, _ := strings.Cut(was, ":")
		w := &world{in: strings.Replace(manifest, was, field+`: "\e[1m"`, 1)}
		if code := w.main(t, "status", "-f", "-"); code != exitFailed || w.out.Len() > 0 {
			t.Errorf("%s of another word: exit code %d, output %q", field, code, w.out.String())
		}
		if got := w.err.String(); got != "error: reading standard input: "+want+"\n" {
			t.Errorf("%s of another word: %q, want %q", field, got, want)
		}
		// What an API server gave out may be newer than this program: it is shown, and nothing is concluded from it.
		w = &world{in: strings.Replace(manifest, was, field+`: "\e[1m"`, 1) + "---\napiVersion: kubectl-etp/v1alpha1\nkind: Gaps\ngaps: []\n"}
		if code := w.main(t, "status", "svc/web", "-n", "shop", "-f", "-"); code != exitDone {
			t.Errorf("%s of another word in a dump: exit code %d: %s", field, code, w.err.String())
		}
		if wrong := strings.HasPrefix(want, "line 1:") && field != "sessionAffinity"; wrong != strings.Contains(w.out.String(), `which this version of kubectl etp`) {
			t.Errorf("%s of another word in a dump:\n%s", field, w.out.String())
		}
	}
}
