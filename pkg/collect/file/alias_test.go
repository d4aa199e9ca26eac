package file_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// An anchor is known from where it stands to the end of its document, whichever item of a list it stands in.
func TestAnchorsAcrossItems(t *testing.T) {
	const list = `x-zone: &zone {topology.kubernetes.io/zone: z1}
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: s, labels: &shared {tier: "front", linux: "true"}}
- apiVersion: v1
  kind: Node
  metadata:
    name: a
    labels: &linux
      kubernetes.io/os: linux
      <<: *zone
  status: &healthy
    conditions: [{type: Ready, status: "True"}]
    nodeInfo: {kubeletVersion: v1.30.0}
    images:
    - names: [registry.example.com/pause:3.5]
- apiVersion: v1
  kind: Node
  metadata: {name: b, labels: *linux}
  status:
    <<: *healthy
    nodeInfo: &newer {kubeletVersion: v1.31.0}
- apiVersion: v1
  kind: Node
  metadata:
    name: c
    labels:
      <<: *shared
  status: {nodeInfo: *newer}
- apiVersion: v1
  kind: Service
  metadata: &meta {name: web, namespace: shop, annotations: {note: "*linux & &linux"}}
  spec: {type: NodePort, ports: [{port: 80}]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  addressType: IPv4
  metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
  endpoints: [&one {addresses: [10.0.0.1]}, *one]
`
	for name, text := range map[string]string{"list": list, "windows line ends": strings.ReplaceAll(list, "\n", "\r\n")} {
		t.Run(name, func(t *testing.T) {
			s := collecttest.Snapshot(t, collecttest.FromText(t, text), objects.Query{})
			if len(s.Nodes) != 3 || len(s.Services) != 1 {
				t.Fatalf("%d nodes, %d services", len(s.Nodes), len(s.Services))
			}
			a, b, c := s.Nodes[0], s.Nodes[1], s.Nodes[2]
			if a.Zone != "z1" || b.Zone != "z1" || a.Ready != cluster.Yes || b.Ready != cluster.Yes || a.KubeletVersion.String() != "v1.30.0" || b.KubeletVersion.String() != "v1.31.0" {
				t.Errorf("nodes a %+v, b %+v", a, b)
			}
			if c.Labels["tier"] != "front" || c.Labels["linux"] != "true" || c.KubeletVersion.String() != "v1.31.0" {
				t.Errorf("node c: %+v", c)
			}
			if note := s.Services[0].Annotations["note"]; note != "*linux & &linux" {
				t.Errorf("a text with marks became %q", note)
			}
		})
	}
}

func TestAliasErrors(t *testing.T) {
	item := func(name, labels string) string {
		return fmt.Sprintf("- apiVersion: v1\n  kind: Node\n  metadata: {name: %s, labels: {x: %s}}\n", name, labels)
	}
	const head = "apiVersion: v1\nkind: List\nitems:\n"
	// Nine anchors, each nine times the one before, first within one item and then across items.
	laughs := func(separate bool) string {
		var b strings.Builder
		b.WriteString(head + "- apiVersion: v1\n  kind: Node\n  metadata: {name: w}\n  a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n")
		for i := 1; i < 10; i++ {
			if separate {
				fmt.Fprintf(&b, "- apiVersion: v1\n  kind: Node\n  metadata: {name: w%d}\n", i)
			}
			fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
		}
		return b.String()
	}
	long := strings.Repeat("x", 600<<10)
	for name, test := range map[string]struct{ text, want string }{
		"unknown":                {head + item("a", "&l c") + item("b", "*m"), "line 7: malformed YAML: unknown anchor 'm' referenced"},
		"before it is there":     {head + item("a", "*l") + item("b", "&l c"), "line 4: malformed YAML: unknown anchor 'l' referenced"},
		"of another document":    {head + item("a", "&l c") + "---\n" + head + item("b", "*l"), "line 11: malformed YAML: unknown anchor 'l' referenced"},
		"contains itself":        {head + item("a", "&l [*l]"), "anchor 'l' value contains itself"},
		"billion laughs":         {laughs(false), "line 4: the YAML aliases up to here expand to more than 16 MiB"},
		"laughs across items":    {laughs(true), "the YAML anchors up to here hold more than 1 MiB"},
		"anchors within anchors": {head + item("a", strings.Repeat("&l [", 1000)+long[:4<<10]+strings.Repeat("]", 1000)), "line 4: the YAML anchors up to here hold more than 1 MiB"},
		"anchors that hold much": {head + item("a", "&l "+long) + item("b", "&m "+long), "line 7: the YAML anchors up to here hold more than 1 MiB"},
		"one text many times":    {head + item("a", "&l "+long) + item("b", "["+strings.TrimSuffix(strings.Repeat("*l, ", 100), ", ")+"]"), "line 7: the YAML aliases up to here expand to more than 16 MiB"},
		"an item many times":     {head + item("a", "&l "+long) + strings.Repeat(item("b", "*l"), 40), "the YAML aliases up to here expand to more than 16 MiB"},
		"without a list":         {"apiVersion: v1\nkind: Node\nmetadata: {name: a}\nx: &l " + long + "\ny: [" + strings.TrimSuffix(strings.Repeat("*l, ", 100), ", ") + "]\n", "line 1: the YAML aliases up to here expand to more than 16 MiB"},
		"malformed beside it":    {head + item("a", "&l c") + "- apiVersion: v1\n  kind: Node\n  metadata: {name: b, labels: {x: *l}}\n  status: a: b\n", "line 10: malformed YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := file.Read(context.Background(), file.Input{Paths: []string{"-"}, Stdin: strings.NewReader(test.text)})
			if err == nil || !strings.HasPrefix(err.Error(), "reading standard input: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}
