package arch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// help is what --help says of a command, in its parts.
type help struct {
	// name is what is typed; short is from the list of commands.
	name, short string
	// about are the paragraphs before the first heading.
	about []string
	parts map[string]string
}

var (
	helpHeading = regexp.MustCompile(`(?m)^([A-Z][A-Za-z ]*):\n`)
	// lastLine is for those who have just asked for help.
	lastLine = regexp.MustCompile(`(?m)^Use "kubectl etp .*--help" for .*\.\n`)
)

func helpOf(t *testing.T, short string, words ...string) help {
	t.Helper()
	// As in a pipe: on a terminal flags are broken into several lines.
	text := piped(t, append(words, "--help")...)
	text = lastLine.ReplaceAllString(text, "")
	h := help{name: strings.Join(append([]string{"kubectl etp"}, words...), " "), short: short, parts: map[string]string{}}
	at := helpHeading.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		if text[m[2]:m[3]] == "Usage" && h.about == nil {
			h.about = strings.Split(strings.TrimSpace(text[:m[0]]), "\n\n")
		}
		h.parts[text[m[2]:m[3]]] = strings.Trim(text[m[1]:end], "\n")
	}
	if h.about == nil || h.parts["Usage"] == "" {
		t.Fatalf("%s --help has no usage:\n%s", h.name, text)
	}
	return h
}

// every command of the program, the program itself first.
func every(t *testing.T) []help {
	t.Helper()
	root := helpOf(t, "")
	root.short = strings.SplitN(root.about[0], ".", 2)[0]
	all := []help{root}
	for line := range strings.Lines(root.parts["Available Commands"]) {
		name, short, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "help" {
			all = append(all, helpOf(t, strings.TrimSpace(short), name))
		}
	}
	if len(all) < 5 {
		t.Fatalf("only %d commands", len(all))
	}
	return all
}

// TestReference holds the reference and the man page; -update writes them.
func TestReference(t *testing.T) {
	all := every(t)
	for name, want := range map[string]string{"docs/reference.md": markdown(all), "docs/kubectl-etp.1": manual(all)} {
		generated(t, name, want)
	}
}

// generated holds a file that only -update writes.
func generated(t *testing.T, name, want string) {
	t.Helper()
	file := filepath.Join(root(t), filepath.FromSlash(name))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s has drifted; run: go test ./test/arch -update\n(-generated +file)\n%s", name, diff)
	}
}

// set is text that stands as it is: a table, a list.
func set(paragraph string) bool { return strings.Contains(paragraph, "\n  ") }

func markdown(all []help) string {
	var b strings.Builder
	b.WriteString("# Reference\n\nWritten by `go test ./test/arch -update` from what `--help` says.\n")
	fence := func(language, text string) {
		if text != "" {
			b.WriteString("\n```" + language + "\n" + text + "\n```\n")
		}
	}
	for i, h := range all {
		b.WriteString("\n## " + h.name + "\n")
		for _, p := range h.about {
			if set(p) {
				fence("", p)
			} else {
				b.WriteString("\n" + p + "\n")
			}
		}
		if i == 0 {
			b.WriteString("\n")
			for _, c := range all[1:] {
				fmt.Fprintf(&b, "* [%s](#%s): %s\n", c.name, strings.ReplaceAll(c.name, " ", "-"), c.short)
			}
		}
		fence("", unindented(h.parts["Usage"]))
		fence("sh", unindented(h.parts["Examples"]))
		if i > 0 {
			fence("", h.parts["Flags"])
		}
	}
	b.WriteString("\n## Flags of every command\n\nMost are kubectl's, and mean what they mean there.\n")
	fence("", all[0].parts["Flags"])
	return b.String()
}

func unindented(text string) string {
	return strings.TrimPrefix(strings.ReplaceAll(text, "\n  ", "\n"), "  ")
}

// flagLine is a line of --help about one flag.
var flagLine = regexp.MustCompile(`^ +((?:-\w, )?--[\w-]+)( \S+)?(?: {2,}(.*))?$`)

func manual(all []help) string {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\e`, `-`, `\-`)
	text := func(s string) string {
		var out strings.Builder
		for line := range strings.Lines(escape.Replace(s)) {
			if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
				out.WriteString(`\&`)
			}
			out.WriteString(line)
		}
		return strings.TrimRight(out.String(), "\n") + "\n"
	}
	asIs := func(s string) {
		if s != "" {
			b.WriteString(".PP\n.nf\n.RS\n" + text(s) + ".RE\n.fi\n")
		}
	}
	paragraphs := func(about []string) {
		for _, p := range about {
			if set(p) {
				asIs(p)
			} else {
				b.WriteString(".PP\n" + text(p))
			}
		}
	}
	flags := func(lines string) {
		for line := range strings.Lines(lines) {
			m := flagLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
			b.WriteString(".TP\n\\fB" + escape.Replace(m[1]) + "\\fP" + escape.Replace(m[2]) + "\n" + text(m[3]))
		}
	}
	b.WriteString(".\\\" Written by go test ./test/arch -update from what --help says.\n")
	b.WriteString(".TH KUBECTL\\-ETP 1 \"\" \"kubectl\\-etp\" \"kubectl plugins\"\n.SH NAME\nkubectl\\-etp \\- " + text(strings.ToLower(all[0].short[:1])+all[0].short[1:]))
	b.WriteString(".SH SYNOPSIS\n\\fBkubectl etp\\fP COMMAND [flags]\n.SH DESCRIPTION\n")
	paragraphs(all[0].about)
	asIs(unindented(all[0].parts["Examples"]))
	b.WriteString(".SH COMMANDS\n")
	for _, h := range all[1:] {
		b.WriteString(".SS " + text(unindented(h.parts["Usage"])))
		paragraphs(h.about)
		flags(h.parts["Flags"])
		asIs(unindented(h.parts["Examples"]))
	}
	b.WriteString(".SH FLAGS OF EVERY COMMAND\nMost are kubectl's, and mean what they mean there.\n")
	flags(all[0].parts["Flags"])
	b.WriteString(".SH SEE ALSO\n.BR kubectl (1)\n")
	return b.String()
}
