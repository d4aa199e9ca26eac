package arch_test

import (
	"bytes"
	"errors"
	"go/build"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// upward is a path that begins by leaving its folder.
var upward = regexp.MustCompile(`(?:^|[^\w./])((?:\.\./)+[\w.-]*)`)

// TestNothingPointsOutside: a clone has only what is in it, so a path that leaves the repository, or names somebody's own machine, says nothing to its reader.
func TestNothingPointsOutside(t *testing.T) {
	own := []string{regexp.QuoteMeta(root(t)) + `\b`, `/home/\w+`, `/Users/\w+`}
	if path := build.Default.GOPATH; path != "" {
		own = append(own, regexp.QuoteMeta(path)+`\b`)
	}
	machine := regexp.MustCompile(strings.Join(own, "|"))
	for name, content := range sources(t) {
		if bytes.IndexByte(content, 0) >= 0 || name == "test/arch/tree_test.go" {
			continue
		}
		if at := machine.Find(content); at != nil {
			t.Errorf("%s names %s, a path of one machine", name, at)
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
