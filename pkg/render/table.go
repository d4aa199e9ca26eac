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
	// spare is the order in which narrow terminals do without a column: 1 goes first; 0 stays.
	spare int
	// give says how a column becomes narrower when nothing can be dropped any more.
	give give
}

// give is the way in which a column becomes narrower; 0 is none.
type give uint8

const (
	// atEnd loses the end of its text; it gives way first.
	atEnd give = iota + 1
	// inMiddle loses the middle of its text.
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

// gutter is the space between two columns; roomy is how far text is cut before a column is dropped for it; narrowest is how far any column is shortened.
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

// table lays out t within the terminal: plain text is measured, then coloured. Columns that are empty in every line are left out.
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

// narrow makes the table fit a terminal: somewhat shorter prose first, then without the columns that can be spared, in their order, then shorter texts.
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
