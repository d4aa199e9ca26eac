package render

import "strings"

// cell is one field of a table: a glyph, a word and their colour. The text is escaped where it is painted.
type cell struct {
	mark mark
	text string
	tone tone
}

// column is one column of a table.
type column struct {
	title string
	// spare is the order in which columns are dropped on a narrow terminal: 1 is dropped first, 0 never.
	spare int
	// give is how the text of a column is shortened.
	give give
}

// give is how the text of a column is shortened; 0 is not at all.
type give uint8

const (
	// atEnd leaves out the end of the text. Such a column is shortened first.
	atEnd give = iota + 1
	// inMiddle leaves out the middle of the text.
	inMiddle
)

// line of a table: cells, with a sentence below them or "", or one text across all columns.
type line struct {
	cells  []cell
	below  string
	across string
}

type table struct {
	columns []column
	lines   []line
}

// gutter is the space between two columns. roomy is the width to which text is cut before a column is dropped.
// narrowest is the smallest width of a column that is shortened.
const (
	gutter    = 2
	roomy     = 32
	narrowest = 12
)

func (s *Style) cellText(c cell) string {
	if c.mark == noMark {
		return c.text
	}
	if c.text == "" {
		return s.glyphs[c.mark]
	}
	return s.glyphs[c.mark] + " " + c.text
}

// table lays out t within the terminal: plain text is measured, then coloured. Columns that are empty in every line are
// left out.
func (s *Style) table(b *strings.Builder, t table) {
	widths := make([]int, len(t.columns))
	used := make([]bool, len(t.columns))
	texts := make([][]string, len(t.lines))
	for n, l := range t.lines {
		texts[n] = make([]string, len(l.cells))
		for i, c := range l.cells {
			texts[n][i] = s.cellText(c)
			if w := s.cells(texts[n][i]); w > 0 {
				used[i] = true
				widths[i] = max(widths[i], w)
			}
		}
	}
	for i, c := range t.columns {
		if used[i] {
			widths[i] = max(widths[i], s.cells(c.title))
		}
	}
	s.narrow(t.columns, widths, used)

	s.row(b, t.columns, widths, used, func(i int) span { return span{t.columns[i].title, strong} })
	for n, l := range t.lines {
		if l.cells == nil {
			b.WriteString(s.paint(span{l.across, faint}))
			b.WriteByte('\n')
			continue
		}
		s.row(b, t.columns, widths, used, func(i int) span { return span{texts[n][i], l.cells[i].tone} })
		for _, below := range s.wrap(l.below, s.proseColumns()-4) {
			b.WriteString("    " + s.paint(span{below, faint}) + "\n")
		}
	}
}

// narrow makes a table fit the terminal: it cuts prose somewhat, then drops columns in their order, then shortens text
// further.
func (s *Style) narrow(columns []column, widths []int, used []bool) {
	if s.columns == 0 {
		return
	}
	excess := func() int {
		total := -gutter
		for i, w := range widths {
			if used[i] {
				total += w + gutter
			}
		}
		return total - s.columns
	}
	squeeze := func(way give, least int) {
		for i, c := range columns {
			if over := excess(); c.give == way && used[i] && over > 0 {
				widths[i] = max(widths[i]-over, min(least, widths[i]))
			}
		}
	}
	squeeze(atEnd, roomy)
	for turn := 1; turn <= len(columns) && excess() > 0; turn++ {
		for i, c := range columns {
			if c.spare == turn {
				used[i] = false
			}
		}
	}
	squeeze(atEnd, narrowest)
	squeeze(inMiddle, narrowest)
}

func (s *Style) row(b *strings.Builder, columns []column, widths []int, used []bool, at func(int) span) {
	pending := 0
	for i := range columns {
		if !used[i] {
			continue
		}
		p := at(i)
		if columns[i].give == atEnd {
			p.text = s.cut(p.text, widths[i])
		} else {
			p.text = s.shorten(p.text, widths[i])
		}
		if p.text != "" {
			b.WriteString(strings.Repeat(" ", pending))
			pending = 0
			b.WriteString(s.paint(p))
		}
		pending += widths[i] - s.cells(p.text) + gutter
	}
	b.WriteByte('\n')
}
