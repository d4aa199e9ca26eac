package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPage(t *testing.T) {
	p := Page{
		Name: "ETP000", Title: "a title that is too long for one line of a narrow terminal",
		Facts:      []Fact{{"a", "one"}, {"longer", "a value that is too long for one line"}},
		Paragraphs: []string{"Words that are wrapped, and an escape \x1b[31m that is not obeyed."},
		Entries:    []Entries{{"Names", []Fact{{"é", "two"}}}},
	}
	for _, c := range []struct {
		name  string
		style *Style
		want  string
	}{
		{"narrow", NewStyle(ColorAuto, false, Terminal{Interactive: true, Columns: 30, NoColor: true, UTF8: true}), `ETP000  a title that is too
        long for one line of a
        narrow terminal
  a       one
  longer  a value that is too
          long for one line

Words that are wrapped, and an
escape \x1b[31m that is not
obeyed.

Names
  é  two
`},
		{"ascii", NewStyle(ColorNever, true, Terminal{}), `ETP000  a title that is too long for one line of a narrow terminal
  a       one
  longer  a value that is too long for one line

Words that are wrapped, and an escape \x1b[31m that is not obeyed.

Names
  \u00e9  two
`},
		{"coloured", NewStyle(ColorAlways, false, Terminal{UTF8: true}), "\x1b[1mETP000\x1b[22m  a title that is too long for one line of a narrow terminal\n  a       one\n" +
			"  longer  a value that is too long for one line\n\nWords that are wrapped, and an escape \\x1b[31m that is not obeyed.\n\n\x1b[1mNames\x1b[22m\n  é  two\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, string(p.Render(c.style))); diff != "" {
				t.Error(diff)
			}
		})
	}
}
