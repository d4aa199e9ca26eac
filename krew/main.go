// Command krew knows how plugins/etp.yaml, the manifest that makes this repository an index of krew, follows from the archives of a release.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

const (
	source   = "krew/etp.yaml.tmpl"
	manifest = "plugins/etp.yaml"
)

func main() {
	check := flag.Bool("check", false, "write nothing, and fail where "+manifest+" is another")
	text := flag.Bool("text", false, "fill in the template with the version and the sums that "+manifest+" has already")
	archives := flag.String("archives", "dist", "the folder with the archives")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), `usage: go run ./krew [-check] [-archives DIR] TAG
       go run ./krew -text [-check]

Fills in %s, as krew-release-bot does on a release, with the sums of archives on this machine, and writes %s.

`, source, manifest)
		flag.PrintDefaults()
	}
	flag.Parse()
	if *text == (flag.NArg() == 1) {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *archives, *check); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

// run fills in the template for a tag, "" for the version and the sums that the manifest has.
func run(tag, archives string, check bool) error {
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	sum := func(archive string) (string, error) {
		content, err := os.ReadFile(filepath.Join(archives, archive))
		return fmt.Sprintf("%x", sha256.Sum256(content)), err
	}
	remedy := "make manifest TAG=" + tag
	if tag == "" {
		remedy = "make manifest-text"
		var sums map[string]string
		if tag, sums, err = claims(old); err != nil {
			return err
		}
		sum = func(archive string) (string, error) {
			if sums[archive] == "" {
				return "", fmt.Errorf("%s has no sum of %s", manifest, archive)
			}
			return sums[archive], nil
		}
	}
	filled, err := fill(string(text), tag, sum)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(manifest, filled, 0o644)
	}
	if !bytes.Equal(old, filled) {
		return fmt.Errorf("%s is not what it would be made; run: %s\nit would be:\n%s", manifest, remedy, filled)
	}
	return nil
}

var (
	claimedVersion = regexp.MustCompile(`(?m)^  version: (\S+)$`)
	claimedSum     = regexp.MustCompile(`(?m)^    uri: \S+/(\S+)\n    sha256: ([0-9a-f]{64})$`)
)

// claims are the version that a manifest names, and the sum that it names for each archive.
func claims(manifest []byte) (version string, sums map[string]string, err error) {
	m := claimedVersion.FindSubmatch(manifest)
	if m == nil {
		return "", nil, errors.New("the manifest names no version")
	}
	sums = map[string]string{}
	for _, s := range claimedSum.FindAllSubmatch(manifest, -1) {
		sums[string(s[1])] = string(s[2])
	}
	return string(m[1]), sums, nil
}

// unreleased stands in place of a sum until there is a release: no archive has it, so krew installs none. YAML would read zeros as a number.
var unreleased = strings.Repeat("f", 2*sha256.Size)

// A preamble is what krew-release-bot does not write: it fills in the template where the archives have been published.
const (
	preamble = `# Written by make manifest TAG=%s, before the tag: the archives are reproducible, so that their sums are known in the
# commit that is tagged. The workflow publishes a release only if its archives have them.
`
	preambleUnreleased = `# There is no release yet, and nothing to install: no archive has the sum that stands here. Before the first tag,
# make manifest TAG=%s writes the right ones.
`
)

// fill fills in the template. Its functions are those of krew-release-bot; sum gives the SHA-256 of an archive by its name.
func fill(text, tag string, sum func(archive string) (string, error)) ([]byte, error) {
	if !strings.HasPrefix(tag, "v") {
		return nil, fmt.Errorf("%q: a tag is a version with its v, such as v0.1.0", tag)
	}
	values := struct{ TagName string }{tag}
	head := preamble
	address := func(uri string, _ string) (string, error) {
		parsed, err := template.New("uri").Parse(uri)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		if err := parsed.Execute(&b, values); err != nil {
			return "", err
		}
		digest, err := sum(path.Base(b.String()))
		if digest == unreleased {
			head = preambleUnreleased
		}
		// The bot indents by four as well.
		return "uri: " + b.String() + "\n    sha256: " + digest, err
	}
	parsed, err := template.New(source).Funcs(template.FuncMap{"addURIAndSha": address}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, values); err != nil {
		return nil, errors.Join(errors.New("filling in "+source), err)
	}
	return append(fmt.Appendf(nil, head, tag), b.Bytes()...), nil
}
