package arch_test

import (
	"bytes"
	"errors"
	"go/build"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/zip"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// upward is a path that begins by leaving its folder.
var upward = regexp.MustCompile(`(?:^|[^\w./])((?:\.\./)+[\w.-]*)`)

// TestNothingPointsOutside: a clone has only what is in it, so a path that leaves the repository, or names somebody's own machine, says nothing to its reader.
func TestNothingPointsOutside(t *testing.T) {
	own := map[string]*regexp.Regexp{root(t): nil, "/home/": regexp.MustCompile(`/home/\w+`), "/Users/": regexp.MustCompile(`/Users/\w+`)}
	if path := build.Default.GOPATH; path != "" {
		own[path] = nil
	}
	for path, pattern := range own {
		if pattern == nil {
			own[path] = regexp.MustCompile(regexp.QuoteMeta(path) + `\b`)
		}
	}
	for name, content := range sources(t) {
		if bytes.IndexByte(content, 0) >= 0 || name == "test/arch/tree_test.go" {
			continue
		}
		for path, pattern := range own {
			// The recordings are large, and a regular expression takes far longer than a search for a text.
			if !bytes.Contains(content, []byte(path)) {
				continue
			}
			if at := pattern.Find(content); at != nil {
				t.Errorf("%s names %s, a path of one machine", name, at)
			}
		}
		if !bytes.Contains(content, []byte("../")) {
			continue
		}
		for _, found := range upward.FindAllSubmatch(content, -1) {
			if target := path.Join(path.Dir(name), string(found[1])); target == ".." || strings.HasPrefix(target, "../") {
				t.Errorf("%s names %s, which is outside of the repository", name, found[1])
			}
		}
	}
}

// TestTidy: go.mod and go.sum of every module are what go mod tidy would leave. It asks only the module cache; what that lacks can be judged with a network only.
func TestTidy(t *testing.T) {
	dirs := append([]string{"."}, ownModules(sources(t))...)
	if testing.Short() {
		dirs = dirs[:1] // The others need the modules of all their tests; CI asks for them too.
	}
	for _, dir := range dirs {
		t.Run(dir, func(t *testing.T) {
			diff, err := tidy(t, dir, "GOPROXY=off")
			if err != nil && diff == "" {
				diff, err = tidy(t, dir)
			}
			switch {
			case diff != "":
				t.Errorf("run go mod tidy in %s; it would change:\n%s", dir, diff)
			case err != nil && os.Getenv(kube.RequireEnv) == "1":
				t.Error(err)
			case err != nil:
				t.Skipf("modules cannot be had: %v", err)
			}
		})
	}
}

// tidy says what go mod tidy would change in a folder of the repository.
func tidy(t *testing.T, dir string, env ...string) (diff string, err error) {
	t.Helper()
	cmd := exec.Command("go", "mod", "tidy", "-diff")
	cmd.Dir = filepath.Join(root(t), dir)
	cmd.Env = append(os.Environ(), env...)
	kube.EndWithParent(cmd)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = errors.New(string(exit.Stderr))
	}
	return string(out), err
}

// moduleLimit bounds what go install downloads and unpacks of this module, in bytes before compression. The recordings take several times as much.
const moduleLimit = 5_000_000

// repositoryFile is a file of the repository as golang.org/x/mod/zip reads it.
type repositoryFile struct{ root, name string }

func (f repositoryFile) Path() string                { return f.name }
func (f repositoryFile) Lstat() (fs.FileInfo, error) { return os.Lstat(filepath.Join(f.root, f.name)) }

func (f repositoryFile) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(f.root, f.name)) }

// TestModuleZip: the module that go install downloads, put together by the same code, holds the program and not the recordings.
func TestModuleZip(t *testing.T) {
	top, found := root(t), sources(t)
	files := make([]zip.File, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		files = append(files, repositoryFile{top, name})
	}
	checked, err := zip.CheckFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	size, byFolder := 0, map[string]int{}
	for _, name := range checked.Valid {
		size += len(found[name])
		byFolder[path.Dir(name)] += len(found[name])
		if strings.HasPrefix(name, "test/truth/") {
			t.Errorf("the module holds %s", name)
		}
	}
	if !slices.Contains(checked.Valid, "cmd/kubectl-etp/main.go") {
		t.Error("the module lacks cmd/kubectl-etp/main.go")
	}
	folders := slices.SortedFunc(maps.Keys(byFolder), func(a, b string) int { return byFolder[b] - byFolder[a] })
	t.Logf("the module takes %.1f MB of at most %.0f; most is in %s", float64(size)/1e6, moduleLimit/1e6, strings.Join(folders[:3], ", "))
	if size > moduleLimit {
		t.Errorf("the module takes %d bytes, more than %d", size, moduleLimit)
	}
}

// TestNoReplace: go install PACKAGE@VERSION refuses a module whose go.mod replaces or excludes another.
func TestNoReplace(t *testing.T) {
	file, err := modfile.Parse("go.mod", sources(t)["go.mod"], nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Replace) > 0 || len(file.Exclude) > 0 {
		t.Errorf("go.mod has %d replace and %d exclude directives; go install refuses both", len(file.Replace), len(file.Exclude))
	}
}
