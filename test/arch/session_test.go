package arch_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

// session are the commands of the recorded session, each behind a prompt.
var session = []string{
	"kubectl etp status svc/nginx-ingress-lb -n kube-system -f examples/ack-ipvs-local.yaml",
	"kubectl etp explain IPVS-11",
}

// TestSession holds the picture of a session that is run here, with colours; -update draws it.
func TestSession(t *testing.T) {
	var b strings.Builder
	for i, command := range session {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("\x1b[2m$\x1b[22m " + command + "\n")
		b.WriteString(terminal(t, append(strings.Fields(strings.TrimPrefix(command, "kubectl etp ")), "--color=always")...))
	}
	drawn := draw(b.String())
	generated(t, "docs/session.svg", drawn)
	if words := spoken(t, drawn); !strings.Contains(words, "✗ ETP002") || strings.Contains(words, "\x1b") {
		t.Errorf("the picture does not show what was said:\n%s", words)
	}
}

// Sizes in pixels of a character and around the text.
const (
	cellWidth  = 8.4
	lineHeight = 19
	margin     = 16
)

// look is how text is drawn.
type look struct {
	color       string
	bold, faint bool
}

var escapes = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// colors of a dark terminal, by the number of the escape sequence.
var colors = map[int]string{31: "#ff7b72", 32: "#56d364", 33: "#e3b341", 36: "#76e3ea"}

// columns is where a terminal breaks a line, as that of terminal does.
const columns = 100

// piece is text of one look at its place.
type piece struct {
	look
	row, column int
	text        string
}

// pieces are what a terminal shows.
func pieces(text string) (all []piece, rows int) {
	var at piece
	put := func(text string) {
		for _, r := range text {
			w := runewidth.RuneWidth(r)
			if at.column+w > columns {
				at.row, at.column = at.row+1, 0
			}
			if last := len(all) - 1; last >= 0 && all[last].look == at.look && all[last].row == at.row && all[last].column+runewidth.StringWidth(all[last].text) == at.column {
				all[last].text += string(r)
			} else if r != ' ' {
				at.text = string(r)
				all = append(all, at)
			}
			at.column += w
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		from := 0
		for _, m := range escapes.FindAllStringSubmatchIndex(line, -1) {
			put(line[from:m[0]])
			at.change(line[m[2]:m[3]])
			from = m[1]
		}
		put(line[from:])
		at.row, at.column = at.row+1, 0
	}
	return all, at.row
}

// draw makes a picture of lines with escape sequences. Each piece stands at its own column, so that a font with other widths moves nothing that follows.
func draw(text string) string {
	all, rows := pieces(text)
	cells := float64(columns)
	width, height := int(cells*cellWidth)+2*margin, rows*lineHeight+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="A session of kubectl etp">
<!-- Drawn by go test ./test/arch -update from what the program says. -->
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3" xml:space="preserve">
`, width, height, width, height)
	for _, p := range all {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d"%s>%s</text>`+"\n", margin+float64(p.column)*cellWidth, margin+(p.row+1)*lineHeight-5, p.attributes(), escapeXML(strings.TrimRight(p.text, " ")))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// change follows an escape sequence.
func (l *look) change(codes string) {
	for word := range strings.SplitSeq(codes, ";") {
		switch code, _ := strconv.Atoi(word); code {
		case 0:
			*l = look{}
		case 1:
			l.bold = true
		case 2:
			l.faint = true
		case 22:
			l.bold, l.faint = false, false
		case 39:
			l.color = ""
		default:
			l.color = colors[code]
		}
	}
}

func (l *look) attributes() string {
	out := ""
	if l.color != "" {
		out += ` fill="` + l.color + `"`
	}
	if l.bold {
		out += ` font-weight="bold"`
	}
	if l.faint {
		out += ` opacity="0.6"`
	}
	return out
}

func escapeXML(text string) string {
	var b strings.Builder
	// A Builder takes everything.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

// spoken are the words of a picture, which must be well-formed.
func spoken(t *testing.T, svg string) string {
	t.Helper()
	var b strings.Builder
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			b.Write(text)
		}
	}
}
