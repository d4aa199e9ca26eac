package apply

import (
	"bytes"

	"github.com/rogpeppe/go-internal/diff"
	"sigs.k8s.io/yaml"
)

// noise are the fields that the server writes by itself at every change, and that would hide the change in a diff.
var noise = [][]string{
	{"status"},
	{"metadata", "managedFields"},
	{"metadata", "resourceVersion"},
	{"metadata", "generation"},
	{"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"},
}

// legible is a copy of an object as a diff shows it: without noise, and with a short text in place of the undo record,
// which is long and says what the diff says.
func legible(object map[string]any, masks []mask) map[string]any {
	out := clone(object)
	for _, path := range noise {
		remove(out, path, len(path)-1)
	}
	if at(out, recordPath) != nil {
		put(out, recordPath, "(what kubectl etp undo needs)")
	}
	for _, m := range masks {
		if at(out, m.path) != nil {
			put(out, m.path, m.text)
		}
	}
	return out
}

// mask is a text that a diff shows in place of a value, because a dry run only makes that value up.
type mask struct {
	path []string
	text string
}

// unified is the unified diff of two objects as YAML, "" where they show no difference.
func unified(name string, before, after map[string]any, masks []mask, how string) (string, error) {
	a, err := yaml.Marshal(legible(before, nil))
	if err != nil {
		return "", err
	}
	b, err := yaml.Marshal(legible(after, masks))
	if err != nil {
		return "", err
	}
	// The first line repeats both names.
	_, text, _ := bytes.Cut(diff.Diff(name, a, name+", "+how, b), []byte("\n"))
	return string(text), nil
}
