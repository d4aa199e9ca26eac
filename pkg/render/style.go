// Package render turns a report into text: the screen of one Service, the list of many, with their glyphs, colours and
// widths.
//
// It fills a buffer and writes nothing itself. All text is escaped where it is painted, wherever it came from.
package render

import (
	"math"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"

	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
)

// ColorMode is the value of --color.
type ColorMode string

// The colour modes.
const (
	ColorAuto   ColorMode = "auto"
	ColorAlways ColorMode = "always"
	ColorNever  ColorMode = "never"
)

// Terminal describes the writer of the text.
type Terminal struct {
	// Interactive is true where the writer is a terminal, false for a file or a pipe.
	Interactive bool
	// Columns is the terminal's width in cells, 0 where it is not known. It is only used where Interactive is true.
	Columns int
	// Term is the value of TERM; NoColor is true where NO_COLOR is set to anything but "".
	Term    string
	NoColor bool
	// UTF8 is true where the locale is a UTF-8 one.
	UTF8 bool
}

// Style is the colours, glyphs and width for one writer.
type Style struct {
	ascii bool
	// columns is 0 where nothing may be cut or wrapped: in a file or a pipe.
	columns  int
	tones    [toneCount]*color.Color
	glyphs   [markCount]string
	ellipsis string
	width    *runewidth.Condition
}

// unknownColumns is the width of a terminal that does not say how wide it is, and the longest line of prose on any
// terminal.
const unknownColumns = 100

// NewStyle makes the style for one writer. --color=always wins over NO_COLOR, as a flag wins over the environment.
func NewStyle(mode ColorMode, ascii bool, t Terminal) *Style {
	s := &Style{
		ascii: ascii || !t.UTF8,
		// The width of characters that East Asian fonts may draw wide is one cell in nearly every terminal, whatever
		// the locale says; and a process-wide setting would make two screens disagree.
		width: &runewidth.Condition{StrictEmojiNeutral: true},
	}
	if t.Interactive {
		s.columns = t.Columns
		if s.columns <= 0 {
			s.columns = unknownColumns
		}
	}
	colored := mode == ColorAlways || mode != ColorNever && t.Interactive && !t.NoColor && t.Term != "dumb"
	attributes := [toneCount][]color.Attribute{
		good: {color.FgGreen}, bad: {color.FgRed}, doubtful: {color.FgYellow}, faint: {color.Faint}, strong: {color.Bold}, informing: {color.FgCyan},
	}
	for t, a := range attributes {
		c := color.New(a...)
		if colored && len(a) > 0 {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		s.tones[t] = c
	}
	s.glyphs, s.ellipsis = [markCount]string{"", "✓", "✗", "~", "?", "→", "-", "!", "·"}, "…"
	if s.ascii {
		s.glyphs, s.ellipsis = [markCount]string{"", "ok", "x", "~", "?", "->", "-", "!", "."}, "..."
	}
	return s
}

// tone is a colour by its meaning.
type tone uint8

const (
	plain tone = iota
	good
	bad
	doubtful
	faint
	strong
	informing
	toneCount
)

// mark is a glyph by its meaning.
type mark uint8

const (
	noMark mark = iota
	ok
	fails
	partly
	unsure
	via
	nothing
	warns
	informs
	markCount
)

// span is a piece of text of one tone. It is escaped where it is painted.
type span struct {
	text string
	tone tone
}

// paint escapes and colours a span. It is the only way from text to output.
func (s *Style) paint(p span) string {
	text := s.clean(p.text)
	if p.tone == plain || text == "" {
		return text
	}
	return s.tones[p.tone].Sprint(text)
}

// cells is how wide text is once it is painted.
func (s *Style) cells(text string) int { return s.width.StringWidth(s.clean(text)) }

// clean escapes what a terminal would obey. Where only ASCII may be written, every other character is escaped too.
// Clean text is returned unchanged.
func (s *Style) clean(text string) string {
	if s.ascii {
		return printable.ASCII(text)
	}
	return printable.Line(text)
}

// Escape makes text from outside harmless for a terminal: control characters, escape sequences, direction overrides and
// everything else that does not print are shown as escapes. Line breaks stay.
func Escape(text string) string { return printable.Text(text) }

// cut shortens text to at most limit cells by leaving out its end.
func (s *Style) cut(text string, limit int) string {
	return s.width.Truncate(s.clean(text), limit, s.ellipsis)
}

// shorten shortens text to at most limit cells by leaving out its middle: the ends of node names differ.
func (s *Style) shorten(text string, limit int) string {
	text = s.clean(text)
	if s.cells(text) <= limit {
		return text
	}
	room := limit - s.cells(s.ellipsis)
	if room <= 0 {
		return s.width.Truncate(text, limit, "")
	}
	tail := s.width.TruncatePrefix(text, (room+1)/2, "")
	head := s.width.Truncate(text, room-s.cells(tail), "")
	return head + s.ellipsis + tail
}

// wrap breaks prose at spaces into lines of at most limit cells. A word longer than that is not broken: people may copy
// it.
func (s *Style) wrap(text string, limit int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(s.clean(text)) {
		w := s.cells(word)
		switch {
		case used == 0:
			line, used = word, w
		case used+1+w <= limit:
			line, used = line+" "+word, used+1+w
		default:
			lines = append(lines, line)
			line, used = word, w
		}
	}
	if used > 0 {
		lines = append(lines, line)
	}
	return lines
}

// proseColumns is how long lines of prose may be. In a file or a pipe a sentence is one line, however long, so that
// grep finds it.
func (s *Style) proseColumns() int {
	if s.columns == 0 {
		return math.MaxInt
	}
	return min(s.columns, unknownColumns)
}
