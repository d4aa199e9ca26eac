package apply

import (
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"sigs.k8s.io/yaml"
)

// noise is what a server writes by itself at every change, and what would hide the change from the eye.
var noise = [][]string{
	{"status"},
	{"metadata", "managedFields"},
	{"metadata", "resourceVersion"},
	{"metadata", "generation"},
	{"metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"},
}

// legible is an object without what nobody looks for in a diff. A record is long and says what the diff says.
func legible(object map[string]any, masks []mask) map[string]any {
	out := clone(object)
	for _, path := range noise {
		remove(out, path, len(path)-1)
	}
	if at(out, recordPath) != nil {
		put(out, recordPath, "(how to take this back)")
	}
	for _, m := range masks {
		if at(out, m.path) != nil {
			put(out, m.path, m.text)
		}
	}
	return out
}

// mask is a text in the place of a value that a dry run only makes up.
type mask struct {
	path []string
	text string
}

// around is how many lines a diff shows around a change.
const around = 3

// unified is the difference between two objects as YAML, "" where there is none to see.
func unified(name string, before, after map[string]any, masks []mask, how string) (string, error) {
	a, err := yaml.Marshal(legible(before, nil))
	if err != nil {
		return "", err
	}
	b, err := yaml.Marshal(legible(after, masks))
	if err != nil {
		return "", err
	}
	return difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(a), B: lines(b), FromFile: name, ToFile: name + ", " + how, Context: around,
	})
}

// lines keep their line breaks; YAML ends with one.
func lines(text []byte) []string {
	list := strings.SplitAfter(string(text), "\n")
	return list[:len(list)-1]
}
