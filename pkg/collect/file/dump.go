package file

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
)

// Write writes objects as one YAML List that Read reads back to the same Snapshot: what was read and what could not be, nothing else.
func Write(w io.Writer, o *objects.Objects) error {
	out := &dumper{w: bufio.NewWriter(w)}
	out.text("apiVersion: v1\nkind: List\nitems:\n")
	dumpEach(out, "v1", "Service", o.Services)
	dumpEach(out, "networking.k8s.io/v1", "Ingress", o.Ingresses)
	dumpEach(out, "discovery.k8s.io/v1", "EndpointSlice", o.Slices)
	dumpEach(out, "", "", o.Others)
	dumpEach(out, "apps/v1", "DaemonSet", o.DaemonSets)
	dumpEach(out, "v1", "ConfigMap", o.ConfigMaps)
	dumpEach(out, "v1", "Pod", o.Pods)
	dumpEach(out, "v1", "Node", o.Nodes)
	dumpEach(out, "v1", "Event", o.Events)
	if o.Complete {
		out.item(gapsObject{APIVersion: dumpAPIVersion, Kind: gapsKind, Gaps: append([]cluster.Gap{}, o.Gaps...)})
	}
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

type dumper struct {
	w   *bufio.Writer
	err error
}

func (d *dumper) text(s string) {
	if d.err == nil {
		_, d.err = d.w.WriteString(s)
	}
}

// item writes one item of the list, indented as kubectl does.
func (d *dumper) item(value any) {
	text, err := printable.YAML(value)
	if err != nil {
		d.err = cmp.Or(d.err, fmt.Errorf("writing the dump: %w", err))
		return
	}
	lead := "- "
	for line := range bytes.Lines(text) {
		d.text(lead + string(line))
		lead = "  "
	}
}

// dumpEach writes objects by namespace and name. An apiVersion of "" leaves the object's own.
func dumpEach[T any, P interface {
	*T
	metav1.Object
}](d *dumper, apiVersion, kind string, objects []T) {
	ordered := make([]P, 0, len(objects))
	for i := range objects {
		ordered = append(ordered, &objects[i])
	}
	slices.SortFunc(ordered, func(a, b P) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	for _, object := range ordered {
		text, err := json.Marshal(object)
		if err != nil {
			d.err = cmp.Or(d.err, fmt.Errorf("writing the dump: %w", err))
			return
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			d.err = cmp.Or(d.err, fmt.Errorf("writing the dump: %w", err))
			return
		}
		if apiVersion != "" {
			fields["apiVersion"], fields["kind"] = apiVersion, kind
		}
		prune(fields, "")
		d.item(fields)
	}
}

// prune takes out what Go's zero values leave behind: nulls and objects without content.
func prune(fields map[string]any, inside string) {
	for key, value := range fields {
		switch value := value.(type) {
		case nil:
			delete(fields, key)
		case map[string]any:
			if prune(value, key); len(value) == 0 {
				delete(fields, key)
			}
		case []any:
			for _, item := range value {
				if inner, ok := item.(map[string]any); ok {
					prune(inner, key)
				}
			}
		case string:
			// The value of a label may well be empty; of these fields most are.
			if value == "" && inside == "nodeInfo" {
				delete(fields, key)
			}
		}
	}
}
