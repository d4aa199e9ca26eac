package arch_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/test/kube"

	// The screen in the README is this package's: a change in it is a change of these tests.
	_ "github.com/kubectl-etp/kubectl-etp/pkg/cli"
)

// program builds the command and gives what runs it with the words of a documented command line behind go run ./cmd/kubectl-etp, as in a terminal that can show
// UTF-8, in the repository's root and without a kubeconfig.
func program(t *testing.T) func(words ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kubectl-etp")
	build := exec.Command("go", "build", "-o", binary, "./cmd/kubectl-etp")
	build.Dir = root(t)
	kube.EndWithParent(build)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	return func(words ...string) string {
		t.Helper()
		cmd := exec.Command(binary, words...)
		cmd.Dir = root(t)
		cmd.Env = []string{"LC_ALL=C.UTF-8", "HOME=" + t.TempDir()}
		kube.EndWithParent(cmd)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("kubectl-etp %s: %v\n%s", strings.Join(words, " "), err, exit.Stderr)
		} else if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
}

// firstCommand is the command line in the README that shows the program without a cluster.
var firstCommand = regexp.MustCompile(`(?m)^\$ go run \./cmd/kubectl-etp (.+)$`)

// TestReadme holds the generated parts of the README; -update writes them.
func TestReadme(t *testing.T) {
	name := filepath.Join(root(t), "README.md")
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	run := program(t)
	first := firstCommand.FindSubmatch(old)
	if first == nil {
		t.Fatal("the README shows no command line $ go run ./cmd/kubectl-etp …")
	}
	_, codes, found := strings.Cut(run("status", "--help"), "Exit codes")
	codes, _, _ = strings.Cut(codes, "\n\n")
	if !found {
		t.Fatal("status --help has no exit codes")
	}
	parts := map[string]string{
		"screen":     "```console\n" + string(first[0]) + "\n" + strings.TrimRight(run(strings.Fields(string(first[1]))...), "\n") + "\n```\n",
		"findings":   findings(),
		"exit codes": "```\nExit codes" + codes + "\n```\n",
	}
	updated := old
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		begin, end := []byte("<!-- begin "+part+" -->\n"), []byte("<!-- end "+part+" -->\n")
		before, rest, ok := bytes.Cut(updated, begin)
		_, after, ended := bytes.Cut(rest, end)
		if !ok || !ended {
			t.Fatalf("the README lacks the lines %q and %q", begin, end)
		}
		updated = slices.Concat(before, begin, []byte(parts[part]), end, after)
	}
	if *update {
		if err := os.WriteFile(name, updated, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(updated), string(old)); diff != "" {
		t.Errorf("the README has drifted; run: go test ./test/arch -update\n(-generated +README)\n%s", diff)
	}
}

// findings is the catalogue as a table.
func findings() string {
	var b strings.Builder
	b.WriteString("| Code | Severity | Finding |\n| --- | --- | --- |\n")
	for _, kind := range finding.Catalogue() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", kind.Code, kind.Severity, kind.Title)
	}
	return b.String()
}

var (
	ownCommand  = regexp.MustCompile("(?:^|[\\s`(])kubectl[ -]etp ([a-z]+)")
	makeTarget  = regexp.MustCompile("`make ([a-z-]+)`|(?m:^\\$ make ([a-z-]+)$)")
	goPackage   = regexp.MustCompile(`go (?:run|test|vet|build) (?:-\S+ )*\./([\w/-]+)`)
	namedFile   = regexp.MustCompile(`\]\(([\w./-]+)\)`)
	codeDelimit = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// TestDocumentsNameWhatExists: commands, make targets, packages and files that the documents name.
func TestDocumentsNameWhatExists(t *testing.T) {
	files := sources(t)
	help := program(t)("--help")
	_, commands, found := strings.Cut(help, "Available Commands:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	if !found {
		t.Fatal("--help lists no commands")
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "AGENTS.md"} {
		text, ok := files[name]
		if !ok {
			t.Errorf("there is no %s", name)
			continue
		}
		code := bytes.Join(codeDelimit.FindAll(text, -1), []byte("\n"))
		for _, m := range ownCommand.FindAllSubmatch(code, -1) {
			if !regexp.MustCompile(`(?m)^  ` + string(m[1]) + `\s`).MatchString(commands) {
				t.Errorf("%s names the command %s, which does not exist", name, m[1])
			}
		}
		for _, m := range makeTarget.FindAllSubmatch(text, -1) {
			target := string(m[1]) + string(m[2])
			if !regexp.MustCompile(`(?m)^` + target + `:`).Match(files["Makefile"]) {
				t.Errorf("%s names make %s, which does not exist", name, target)
			}
		}
		for _, m := range goPackage.FindAllSubmatch(code, -1) {
			if _, err := os.Stat(filepath.Join(root(t), string(m[1]))); err != nil {
				t.Errorf("%s names a package that does not exist: %v", name, err)
			}
		}
		for _, m := range namedFile.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root(t), string(m[1]))); err != nil {
				t.Errorf("%s links to a file that does not exist: %v", name, err)
			}
		}
	}
}
