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
	"strings"
	"text/template"
)

const (
	source   = "krew/etp.yaml.tmpl"
	manifest = "plugins/etp.yaml"
)

func main() {
	check := flag.Bool("check", false, "write nothing, and fail where "+manifest+" is another")
	archives := flag.String("archives", "dist", "the folder with the archives")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), `usage: go run ./krew [-check] [-archives DIR] TAG

Fills in %s, as krew-release-bot does on a release, with the sums of archives on this machine, and writes %s.

`, source, manifest)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *archives, *check); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

func run(tag, archives string, check bool) error {
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	filled, err := fill(string(text), tag, func(archive string) (string, error) {
		content, err := os.ReadFile(filepath.Join(archives, archive))
		return fmt.Sprintf("%x", sha256.Sum256(content)), err
	})
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(manifest, filled, 0o644)
	}
	switch old, err := os.ReadFile(manifest); {
	case err != nil:
		return err
	case !bytes.Equal(old, filled):
		return fmt.Errorf("%s is not what these archives make it; run: make manifest TAG=%s\nit would be:\n%s", manifest, tag, filled)
	}
	return nil
}

// preamble is what krew-release-bot does not write: it fills in the template where the archives have been published.
const preamble = `# Written by make manifest TAG=%s, before the tag: the archives are reproducible, so that their sums are known from
# the commit that last changed this file. A release is published only if its archives have these sums; until the tag is
# there, nothing is at the addresses.
`

// fill fills in the template. Its functions are those of krew-release-bot; sum gives the SHA-256 of an archive by its name.
func fill(text, tag string, sum func(archive string) (string, error)) ([]byte, error) {
	if !strings.HasPrefix(tag, "v") {
		return nil, fmt.Errorf("%q: a tag is a version with its v, such as v0.1.0", tag)
	}
	values := struct{ TagName string }{tag}
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
		// The bot indents by four as well.
		return "uri: " + b.String() + "\n    sha256: " + digest, err
	}
	parsed, err := template.New(source).Funcs(template.FuncMap{"addURIAndSha": address}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, preamble, tag)
	if err := parsed.Execute(&b, values); err != nil {
		return nil, errors.Join(errors.New("filling in "+source), err)
	}
	return b.Bytes(), nil
}
