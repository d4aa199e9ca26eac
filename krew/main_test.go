package main

import (
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

	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

type plugin struct {
	Metadata struct{ Name string }
	Spec     struct {
		Version, ShortDescription, Description, Caveats string
		Platforms                                       []struct {
			Selector         struct{ MatchLabels map[string]string }
			URI, SHA256, Bin string
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func parse(t *testing.T, manifest []byte) plugin {
	t.Helper()
	var p plugin
	if err := yaml.Unmarshal(manifest, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestManifestFollowsTheTemplate: plugins/etp.yaml is the template filled in, whatever the sums.
func TestManifestFollowsTheTemplate(t *testing.T) {
	t.Chdir("..")
	if err := run("", "", true); err != nil {
		t.Error(err)
	}
}

// wrongly says what the manifest in a repository claims and does not hold: "" where all is well. Sums are those of the archives that the tag's own manifest names. Before
// there is that tag they are the one of nothing, or those of what is checked out: nothing that an archive is made from has changed since they were written.
func wrongly(t *testing.T, dir string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, manifest))
	if err != nil {
		t.Fatal(err)
	}
	version, sums, err := claims(content)
	if err != nil {
		t.Fatal(err)
	}
	nothing := 0
	for _, sum := range sums {
		if sum == unreleased {
			nothing++
		}
	}
	tagged, err := git(dir, "show", "refs/tags/"+version+":"+manifest)
	switch {
	case err == nil:
		if _, released, _ := claims([]byte(tagged)); !maps.Equal(sums, released) {
			return version + " is released, with other sums"
		}
		return ""
	case nothing == len(sums):
		return ""
	case nothing > 0:
		return "some archives have sums, and some have not"
	}
	written, err := git(dir, "log", "-1", "--format=%H", "--", manifest)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := git(dir, slices.Concat([]string{"diff", "--name-only", strings.TrimSpace(written), "--"}, sources, []string{":(exclude)*_test.go", ":(exclude)*/testdata/*"})...)
	if err != nil {
		t.Fatal(err)
	}
	if changed != "" {
		return "the sums are of archives without a later change of " + strings.Join(strings.Fields(changed), ", ")
	}
	return ""
}

// sources are what archives are made from.
var sources = []string{"cmd", "pkg", "release", "go.mod", "go.sum", "LICENSE", ".goreleaser.yaml"}

// git runs git in a repository that may be somebody else's.
func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-c", "safe.directory=*", "-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com")
	out, err := cmd.Output()
	return string(out), err
}

// TestManifestClaimsNothingWrong of this repository. It needs the history: the tags, and when the manifest was written.
func TestManifestClaimsNothingWrong(t *testing.T) {
	if shallow, err := git("..", "rev-parse", "--is-shallow-repository"); err != nil || strings.TrimSpace(shallow) != "false" {
		if os.Getenv(kube.RequireEnv) == "1" {
			t.Fatalf("this is no clone with its history: %v", err)
		}
		t.Skip("this is no clone with its history")
	}
	// What git reads go test does not see: it is to see that a file is another, and not to take an earlier result for today's.
	for _, name := range sources {
		if err := filepath.WalkDir(filepath.Join("..", name), func(name string, _ os.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(name)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if wrong := wrongly(t, ".."); wrong != "" {
		t.Errorf("%s: %s\nbefore a release run: make manifest TAG=v…; until then take the sums that the last release had, or nothing but f, and run: make manifest-text", manifest, wrong)
	}
}

// TestWrongClaimsAreNoticed in repositories that live for this test.
func TestWrongClaimsAreNoticed(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	one, other := strings.Repeat("1", len(unreleased)), strings.Repeat("2", len(unreleased))
	of := func(sums ...string) string {
		text := "spec:\n  version: v0.1.0\n"
		for i, sum := range sums {
			text += fmt.Sprintf("    uri: https://example.com/v0.1.0/%d.zip\n    sha256: %s\n", i, sum)
		}
		return text
	}
	type step struct{ name, text string }
	tag := step{"tag", ""}
	for name, c := range map[string]struct {
		steps []step
		wrong string
	}{
		"nothing released":               {steps: []step{{manifest, of(unreleased, unreleased)}, {"pkg/a.go", "package a"}}},
		"half of it released":            {steps: []step{{manifest, of(unreleased, one)}}, wrong: "some archives have sums"},
		"about to be released":           {steps: []step{{"pkg/a.go", "package a"}, {manifest, of(one, one)}, {"pkg/a_test.go", "package a"}, {"README.md", "a"}}},
		"changed before it was released": {steps: []step{{manifest, of(one, one)}, {"pkg/a.go", "package a"}}, wrong: "pkg/a.go"},
		"changed after it was released":  {steps: []step{{manifest, of(one, one)}, tag, {"pkg/a.go", "package a"}}},
		"other sums than were released":  {steps: []step{{manifest, of(one, one)}, tag, {manifest, of(one, other)}}, wrong: "with other sums"},
		"released and taken back":        {steps: []step{{manifest, of(one, one)}, tag, {manifest, of(unreleased, unreleased)}}, wrong: "with other sums"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must := func(args ...string) {
				t.Helper()
				if _, err := git(dir, args...); err != nil {
					t.Fatalf("git %v: %v", args, err)
				}
			}
			must("init", "-q")
			for _, s := range c.steps {
				if s == tag {
					must("tag", "v0.1.0")
					continue
				}
				file := filepath.Join(dir, s.name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(s.text), 0o600); err != nil {
					t.Fatal(err)
				}
				must("add", "--all")
				must("commit", "-q", "-m", s.name)
			}
			if wrong := wrongly(t, dir); !strings.Contains(wrong, c.wrong) || c.wrong == "" && wrong != "" {
				t.Errorf("it says %q, want %q", wrong, c.wrong)
			}
		})
	}
}

// TestManifestKeepsTheRules of the central index, as far as krew itself does not hold them.
func TestManifestKeepsTheRules(t *testing.T) {
	p := parse(t, read(t, manifest))
	if p.Metadata.Name != "etp" {
		t.Errorf("the plugin is named %q", p.Metadata.Name)
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$`).MatchString(p.Spec.Version) {
		t.Errorf("the version is %q, want v and a semantic version", p.Spec.Version)
	}
	if n := len(p.Spec.ShortDescription); n == 0 || n > 50 {
		t.Errorf("the short description has %d characters, want 50 at most", n)
	}
	for name, text := range map[string]string{"description": p.Spec.Description, "caveats": p.Spec.Caveats} {
		if text == "" {
			t.Errorf("no %s", name)
		}
		for line := range strings.Lines(text) {
			if len(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("the %s has a line longer than 80: %s", name, line)
			}
		}
	}
	for _, platform := range p.Spec.Platforms {
		// As YAML reads it: a sum of digits alone would be a number.
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(platform.SHA256) {
			t.Errorf("%v has the sum %q", platform.Selector.MatchLabels, platform.SHA256)
		}
	}
	if strings.Contains(p.Spec.Description, "kubectl etp") {
		t.Error("the description has an example; krew wants none there")
	}
	if !strings.Contains(p.Spec.Caveats, "Permissions") {
		t.Error("the caveats do not say what permissions it needs")
	}
}

func TestFillRefuses(t *testing.T) {
	missing := errors.New("no such archive")
	for name, c := range map[string]struct {
		text, tag string
		err       error
	}{
		"a tag without its v":  {text: "{{ .TagName }}", tag: "0.1.0"},
		"an archive not built": {text: `{{addURIAndSha "https://example.com/a.zip" .TagName }}`, tag: "v0.1.0", err: missing},
		"what no tag tells":    {text: "{{ .Version }}", tag: "v0.1.0"},
	} {
		if filled, err := fill(c.text, c.tag, func(string) (string, error) { return "", c.err }); err == nil {
			t.Errorf("%s: filled in as %q", name, filled)
		}
	}
}
