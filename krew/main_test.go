package main

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
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
	manifest := read(t, manifest)
	p := parse(t, manifest)
	sums := map[string]string{}
	for _, platform := range p.Spec.Platforms {
		sums[platform.URI[strings.LastIndex(platform.URI, "/")+1:]] = platform.SHA256
	}
	filled, err := fill(string(read(t, source)), p.Spec.Version, func(archive string) (string, error) { return sums[archive], nil })
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(filled, manifest) {
		t.Errorf("the manifest is not the template filled in; run: make manifest TAG=%s\n%s", p.Spec.Version, filled)
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
