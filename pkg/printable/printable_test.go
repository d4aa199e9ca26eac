package printable_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
)

// hostile are characters that Unicode and ECMA-48 let move a cursor, turn text around or hide it, one of each kind.
var hostile = []rune{
	0x00, 0x07, 0x08, '\t', '\r', 0x1b, 0x7f, 0x80, 0x85, 0x9b, 0x9d, 0x9f, // C0, DEL, C1
	0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, // direction
	0x00ad, 0x034f, 0x200b, 0x200c, 0x200d, 0x2060, 0x2064, 0xfeff, 0x115f, 0x1160, 0x3164, 0xffa0, 0xfe0f, 0xe0001, 0xe0061, 0xe0100, // not drawn
	0x00a0, 0x2007, 0x2028, 0x2029, 0x3000, 0xfff9, // other spaces, separators, annotations
}

func TestEscapes(t *testing.T) {
	for _, r := range hostile {
		if printable.Is(r) {
			t.Errorf("%U counts as printable", r)
		}
		for _, got := range []string{printable.Line("a" + string(r) + "b"), printable.Text("a" + string(r) + "b"), printable.ASCII("a" + string(r) + "b")} {
			if !strings.HasPrefix(got, `a\`) || !strings.HasSuffix(got, "b") || strings.ContainsRune(got, r) {
				t.Errorf("%U becomes %q", r, got)
			}
		}
	}
	for in, want := range map[string]string{
		"web-1": "web-1", "Grüße, 世界 ✓": "Grüße, 世界 ✓", "a\nb": `a\nb`, "\x1b[32m": `\x1b[32m`, "\u202egp": `\u202egp`, "\xff": `\xff`, `C:\x1b`: `C:\x1b`,
	} {
		if got := printable.Line(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := printable.Text("a\nb\r"); got != "a\nb\\r" {
		t.Errorf("text of two lines becomes %q", got)
	}
	if got := printable.ASCII("é"); got != `\u00e9` {
		t.Errorf("é becomes %q", got)
	}
}

// TestDocuments: JSON and YAML hold the same values afterwards, and no character that is not printable.
func TestDocuments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.OneOf(rapid.SampledFrom(hostile), rapid.SampledFrom([]rune("ab: -#'\"\\{}\n"))), 0, 12, -1)
		value := map[string]any{"name": text.Draw(t, "value"), text.Draw(t, "key"): []any{"x", text.Draw(t, "item"), true, nil}}
		for name, write := range map[string]func() ([]byte, error){
			"JSON": func() ([]byte, error) {
				out, err := json.MarshalIndent(value, "", "  ")
				return printable.JSON(out), err
			},
			"YAML": func() ([]byte, error) { return printable.YAML(value) },
		} {
			out, err := write()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range string(out) {
				if r != '\n' && !printable.Is(r) {
					t.Fatalf("%s has %U: %q", name, r, out)
				}
			}
			var back any
			read := json.Unmarshal
			if name == "YAML" {
				read = func(in []byte, out any) error { return yaml.Unmarshal(in, out) }
			}
			if err := read(out, &back); err != nil {
				t.Fatalf("%s cannot be read back: %v\n%s", name, err, out)
			}
			want, _ := json.Marshal(value)
			if got, _ := json.Marshal(back); string(got) != string(want) {
				t.Fatalf("%s says %s, want %s", name, got, want)
			}
		}
	})
}
