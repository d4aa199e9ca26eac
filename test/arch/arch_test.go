// Package arch_test knows what holds for the whole repository: which package may import which, and that the catalogue, the rules, the documents and the code agree.
package arch_test

import (
	"flag"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of documents instead of comparing them")

const module = "github.com/kubectl-etp/kubectl-etp"

// imports are what a package may import beside the standard library: packages of this repository, and packages from outside, each with all below it.
type imports struct{ inside, outside []string }

// arrows point downwards only: cmd -> cli -> render, report/v1alpha1 -> report -> remedy -> finding -> route -> dataplane, provider -> cluster, and
// cli -> fix -> report, apply, collect; apply -> remedy, collect -> cluster; and cli -> prompt.
// What only tests import is not held: a test may look at anything.
var arrows = map[string]imports{
	"cmd/kubectl-etp": {inside: []string{"pkg/cli"}},
	"pkg/cli": {
		inside: []string{"pkg/apply", "pkg/cluster", "pkg/collect", "pkg/dataplane", "pkg/explain", "pkg/finding", "pkg/fix", "pkg/printable", "pkg/prompt", "pkg/provider", "pkg/remedy", "pkg/render", "pkg/report", "pkg/report/v1alpha1", "pkg/route", "pkg/suggest"},
		outside: []string{
			"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term", "k8s.io/apimachinery", "k8s.io/cli-runtime", "k8s.io/client-go", "k8s.io/klog",
			"sigs.k8s.io/yaml",
		},
	},
	"pkg/fix": {inside: []string{"pkg/apply", "pkg/cluster", "pkg/collect", "pkg/finding", "pkg/provider", "pkg/remedy", "pkg/report"}},
	"pkg/apply": {
		inside: []string{"pkg/cluster", "pkg/collect", "pkg/remedy"},
		outside: []string{
			"github.com/rogpeppe/go-internal/diff", "k8s.io/apimachinery", "k8s.io/cli-runtime", "k8s.io/client-go", "sigs.k8s.io/yaml",
		},
	},
	// The packages below it are for it and for each other alone, as the rows say.
	"pkg/collect": {
		inside: []string{
			"pkg/cluster", "pkg/collect/anonymize", "pkg/collect/api", "pkg/collect/file", "pkg/collect/live", "pkg/collect/objects", "pkg/collect/read",
			"pkg/collect/surroundings", "pkg/collect/watch", "pkg/detect",
		},
		outside: []string{"k8s.io/cli-runtime"},
	},
	"pkg/collect/objects": {inside: []string{"pkg/cluster", "pkg/detect", "pkg/suggest"}, outside: []string{"k8s.io/api", "k8s.io/apimachinery"}},
	"pkg/collect/file": {
		inside:  []string{"pkg/cluster", "pkg/collect/objects", "pkg/detect", "pkg/printable"},
		outside: []string{"go.yaml.in/yaml/v3", "k8s.io/api", "k8s.io/apimachinery", "sigs.k8s.io/yaml"},
	},
	"pkg/collect/anonymize": {
		inside: []string{"pkg/cluster", "pkg/collect/objects", "pkg/detect"}, outside: []string{"k8s.io/api", "k8s.io/apimachinery", "sigs.k8s.io/yaml"},
	},
	"pkg/collect/api": {
		inside:  []string{"pkg/cluster", "pkg/collect/objects"},
		outside: []string{"k8s.io/klog", "github.com/go-logr/logr", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/cli-runtime", "k8s.io/client-go"},
	},
	"pkg/collect/read": {
		inside:  []string{"pkg/cluster", "pkg/collect/api", "pkg/collect/objects", "pkg/detect"},
		outside: []string{"golang.org/x/sync/errgroup", "k8s.io/api", "k8s.io/apimachinery"},
	},
	"pkg/collect/watch": {
		inside:  []string{"pkg/cluster", "pkg/collect/api", "pkg/collect/objects"},
		outside: []string{"github.com/go-logr/logr", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"},
	},
	"pkg/collect/live": {inside: []string{"pkg/cluster", "pkg/collect/api"}, outside: []string{"golang.org/x/sync/errgroup", "k8s.io/apimachinery"}},
	"pkg/collect/surroundings": {
		inside:  []string{"pkg/cluster", "pkg/collect/api", "pkg/collect/objects", "pkg/detect"},
		outside: []string{"golang.org/x/sync/errgroup", "k8s.io/api", "k8s.io/apimachinery"},
	},
	// For tests of pkg/collect and the rooms below it.
	"pkg/collect/collecttest": {
		inside: []string{"pkg/cluster", "pkg/collect/file", "pkg/collect/objects"}, outside: []string{"github.com/google/go-cmp/cmp"},
	},
	// The settings of data planes are in objects of Kubernetes' own types, and some of them in YAML within these.
	"pkg/detect": {inside: []string{"pkg/cluster"}, outside: []string{"k8s.io/api", "k8s.io/apimachinery", "sigs.k8s.io/yaml"}},
	"pkg/render": {
		inside:  []string{"pkg/cluster", "pkg/dataplane", "pkg/english", "pkg/finding", "pkg/printable", "pkg/provider", "pkg/remedy", "pkg/report", "pkg/route"},
		outside: []string{"github.com/fatih/color", "github.com/mattn/go-runewidth"},
	},
	"pkg/report/v1alpha1": {
		inside:  []string{"pkg/cluster", "pkg/dataplane", "pkg/finding", "pkg/printable", "pkg/provider", "pkg/report", "pkg/route"},
		outside: []string{"k8s.io/apimachinery"},
	},
	"pkg/report": {inside: []string{"pkg/cluster", "pkg/dataplane", "pkg/english", "pkg/finding", "pkg/provider", "pkg/remedy", "pkg/route"}},
	"pkg/remedy": {
		inside: []string{"pkg/cluster", "pkg/dataplane", "pkg/english", "pkg/finding", "pkg/provider", "pkg/route"},
		// CoreDNS's own lexer: a Corefile is read as CoreDNS reads it. It is the standard library alone.
		outside: []string{"github.com/coredns/caddy/caddyfile"},
	},
	"pkg/finding":   {inside: []string{"pkg/cluster", "pkg/dataplane", "pkg/english", "pkg/provider", "pkg/route"}},
	"pkg/route":     {inside: []string{"pkg/cluster", "pkg/dataplane", "pkg/provider"}},
	"pkg/dataplane": {inside: []string{"pkg/cluster"}},
	"pkg/provider":  {inside: []string{"pkg/cluster", "pkg/suggest"}},
	"pkg/cluster":   {},
	"pkg/english":   {},
	"pkg/printable": {outside: []string{"sigs.k8s.io/yaml"}},
	"pkg/prompt":    {inside: []string{"pkg/printable"}},
	"pkg/suggest":   {},
	"pkg/explain":   {inside: []string{"pkg/dataplane", "pkg/finding", "pkg/provider", "pkg/suggest"}},

	"docs/man":          {inside: []string{"pkg/cli"}, outside: []string{"github.com/spf13/cobra/doc"}},
	"docs/man/generate": {inside: []string{"docs/man"}},
	"krew":              {},
	"release/licenses":  {},

	"test/all":            {inside: []string{"test/kube"}},
	"test/arch":           {},
	"test/field":          {},
	"test/fix":            {},
	"test/kube":           {},
	"test/kube/apiserver": {inside: []string{"test/kube"}, outside: []string{"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"}},
	"test/kube/build":     {inside: []string{"test/kube"}, outside: []string{"golang.org/x/mod"}},
	"test/kube/kubelet":   {outside: []string{"k8s.io/apimachinery", "k8s.io/client-go"}},
	"test/kube/faults":    {inside: []string{"test/kube/apiserver"}},
	"test/recordings":     {},
	"test/scale": {
		inside:  []string{"test/kube", "test/kube/apiserver", "test/kube/faults"},
		outside: []string{"golang.org/x/sync/errgroup", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"},
	},
	"test/scenario":             {},
	"test/scenario/clustertest": {inside: []string{"pkg/cluster", "pkg/dataplane"}},
	"test/script":               {},
}

// only says which packages may import what is named, however many rows of arrows allow it: a row is easily widened without a thought.
var only = map[string][]string{
	"k8s.io/": {
		"pkg/apply", "pkg/cli", "pkg/collect", "pkg/collect/anonymize", "pkg/collect/api", "pkg/collect/file", "pkg/collect/live", "pkg/collect/objects",
		"pkg/collect/read", "pkg/collect/surroundings", "pkg/collect/watch", "pkg/detect", "pkg/report/v1alpha1",
	},
	"github.com/fatih/color": {"pkg/render"},
	"github.com/spf13/cobra": {"docs/man", "pkg/cli"},
}

// root is the repository's.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("finding the repository's root: %v", err)
	}
	return dir
}

// sources are the repository's files by their slash-separated path. Read here, in this process, they tell go test that a change of any of them is a change of
// these tests, so that no earlier result is taken for today's.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	if read != nil {
		return read
	}
	top := root(t)
	files := map[string][]byte{}
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if relative == ".git" || relative == "bin" || relative == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".out") {
			return nil
		}
		files[filepath.ToSlash(relative)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatalf("reading the repository: %v", err)
	}
	read = files
	return files
}

// read is what sources returns: the files are read once.
var read map[string][]byte

// ownModules are the folders that have a go.mod of their own; the root is left out.
func ownModules(files map[string][]byte) []string {
	var dirs []string
	for name := range files {
		if dir, file := path.Split(name); file == "go.mod" && dir != "" {
			dirs = append(dirs, path.Clean(dir))
		}
	}
	slices.Sort(dirs)
	return dirs
}

// packages are the packages of the root module with what they import, on any platform; imports of test files are left out.
func packages(t *testing.T) map[string]map[string]bool {
	t.Helper()
	files := sources(t)
	others := ownModules(files)
	found := map[string]map[string]bool{}
	for name, source := range files {
		dir := path.Dir(name)
		if path.Ext(name) != ".go" || slices.Contains(strings.Split(dir, "/"), "testdata") ||
			slices.ContainsFunc(others, func(m string) bool { return dir == m || strings.HasPrefix(dir, m+"/") }) {
			continue
		}
		if found[dir] == nil {
			found[dir] = map[string]bool{}
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			t.Errorf("parsing %s: %v", name, err)
			continue
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Errorf("%s imports %s: %v", name, spec.Path.Value, err)
				continue
			}
			found[dir][imported] = true
		}
	}
	return found
}

func TestArrows(t *testing.T) {
	found := packages(t)
	for dir := range arrows {
		if found[dir] == nil {
			t.Errorf("%s has a row in arrows and is no package any more: remove the row", dir)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		allowed, listed := arrows[dir]
		if !listed {
			t.Errorf("%s has no row in arrows: say there what it may import", dir)
			continue
		}
		for _, imported := range slices.Sorted(maps.Keys(found[dir])) {
			if !allowed.has(imported) {
				t.Errorf("%s imports %s, which its row in arrows does not allow", dir, imported)
			}
			for name, importers := range only {
				if strings.HasPrefix(dir, "test/") || !below(imported, strings.TrimSuffix(name, "/")) {
					continue
				}
				if !slices.Contains(importers, dir) {
					t.Errorf("%s imports %s, which only %s may", dir, imported, strings.Join(importers, ", "))
				}
			}
		}
		for _, inside := range allowed.inside {
			if found[inside] == nil {
				t.Errorf("the row of %s in arrows allows %s, which is no package", dir, inside)
			}
		}
	}
}

func (i imports) has(imported string) bool {
	if inside, ok := strings.CutPrefix(imported, module+"/"); ok {
		return slices.Contains(i.inside, inside)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true
	}
	return slices.ContainsFunc(i.outside, func(outside string) bool { return below(imported, outside) })
}

// below says whether a package is the named one or below it; "k8s.io" stands for all that begins with k8s.io/.
func below(imported, name string) bool {
	return imported == name || strings.HasPrefix(imported, name+"/")
}
