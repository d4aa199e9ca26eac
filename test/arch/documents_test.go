package arch_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cli"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// terminal runs a documented command line, its words behind go run ./cmd/kubectl-etp, as on a terminal of a hundred columns that can show UTF-8 and no colour, in
// the repository's root.
func terminal(t *testing.T, words ...string) string {
	t.Helper()
	return said(t, true, words...)
}

// piped is the same where the output is no terminal.
func piped(t *testing.T, words ...string) string {
	t.Helper()
	return said(t, false, words...)
}

func said(t *testing.T, terminal bool, words ...string) string {
	t.Helper()
	top := root(t)
	streams, environment := cli.System()
	var out, failure bytes.Buffer
	streams.In, streams.Out, streams.Err = strings.NewReader(""), &out, &failure
	environment.Getenv = func(name string) string {
		return map[string]string{"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "TERM": "xterm"}[name]
	}
	environment.Open = func(name string) (fs.File, error) { return os.Open(filepath.Join(top, name)) }
	environment.Columns = func(io.Writer) (int, bool) { return 100, terminal }
	if code := cli.Main(t.Context(), words, streams, environment); code != 0 {
		t.Fatalf("kubectl-etp %s ended with %d:\n%s", strings.Join(words, " "), code, failure.String())
	}
	return out.String()
}

// firstCommand is the command line in the README that shows the program without a cluster.
var firstCommand = regexp.MustCompile(`(?m)^\$ go run \./cmd/kubectl-etp (.+)$`)

// readmes are the same document in two languages, with the same generated parts.
var readmes = []string{"README.md", "README.zh-CN.md"}

// TestReadme holds the generated parts of the README; -update writes them.
func TestReadme(t *testing.T) {
	_, codes, found := strings.Cut(terminal(t, "status", "--help"), "Exit codes")
	codes, _, _ = strings.Cut(codes, "\n\n")
	if !found {
		t.Fatal("status --help has no exit codes")
	}
	measured, err := os.ReadFile(filepath.Join(root(t), "docs", "measured.md"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{
		"findings":    findings(),
		"exit codes":  "```\nExit codes" + codes + "\n```\n",
		"permissions": permissions(t),
		"measured":    string(measured),
	}
	for _, name := range readmes {
		t.Run(name, func(t *testing.T) { readme(t, name, maps.Clone(parts)) })
	}
}

func readme(t *testing.T, name string, parts map[string]string) {
	old, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	first := firstCommand.FindSubmatch(old)
	if first == nil {
		t.Fatal("the README shows no command line $ go run ./cmd/kubectl-etp …")
	}
	parts["screen"] = "```console\n" + string(first[0]) + "\n" + strings.TrimRight(terminal(t, strings.Fields(string(first[1]))...), "\n") + "\n```\n"
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
	generated(t, name, string(updated))
}

var (
	sectionHead = regexp.MustCompile(`(?m)^#+ `)
	linkTarget  = regexp.MustCompile(`\]\(([^)]+)\)`)
	// comment behind a command line is in the reader's language.
	comment = regexp.MustCompile(`(?m) +# .*$`)
)

// TestReadmesSayTheSame: sections, code and links of the two are equal. A paragraph that one lacks has its flags, names and links missing too.
func TestReadmesSayTheSame(t *testing.T) {
	files := sources(t)
	skeleton := func(name string) (heads []string, code, links map[string]bool) {
		code, links = map[string]bool{}, map[string]bool{}
		for _, word := range codeDelimit.FindAllString(string(files[name]), -1) {
			code[comment.ReplaceAllString(word, "")] = true
		}
		for _, target := range linkTarget.FindAllStringSubmatch(string(files[name]), -1) {
			if !slices.Contains(readmes, target[1]) {
				links[target[1]] = true
			}
		}
		return sectionHead.FindAllString(string(files[name]), -1), code, links
	}
	heads, code, links := skeleton(readmes[0])
	otherHeads, otherCode, otherLinks := skeleton(readmes[1])
	if diff := cmp.Diff(heads, otherHeads); diff != "" {
		t.Errorf("sections (-%s +%s):\n%s", readmes[0], readmes[1], diff)
	}
	if diff := cmp.Diff(code, otherCode); diff != "" {
		t.Errorf("code (-%s +%s):\n%s", readmes[0], readmes[1], diff)
	}
	if diff := cmp.Diff(links, otherLinks); diff != "" {
		t.Errorf("links (-%s +%s):\n%s", readmes[0], readmes[1], diff)
	}
}

// permissions is the least role, and what other levels add to it.
func permissions(t *testing.T) string {
	t.Helper()
	levels := regexp.MustCompile(`--for (\w+(?:\|\w+)+)`).FindStringSubmatch(terminal(t, "rbac", "--help"))
	if levels == nil {
		t.Fatal("rbac --help names no levels")
	}
	least := terminal(t, "rbac")
	var b strings.Builder
	b.WriteString("```yaml\n" + least)
	for level := range strings.SplitSeq(levels[1], "|") {
		added := ""
		for line := range strings.Lines(terminal(t, "rbac", "--for", level)) {
			if strings.HasPrefix(line, "- ") && !strings.Contains(least, line) {
				added += line
			}
		}
		if added != "" {
			b.WriteString("# more with: kubectl etp rbac --for " + level + "\n" + added)
		}
	}
	b.WriteString("```\n")
	return b.String()
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
	help := terminal(t, "--help")
	_, commands, found := strings.Cut(help, "Available Commands:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	if !found {
		t.Fatal("--help lists no commands")
	}
	for _, name := range append([]string{"CONTRIBUTING.md", "AGENTS.md", "SECURITY.md"}, readmes...) {
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
