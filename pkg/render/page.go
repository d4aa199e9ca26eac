package render

import "strings"

// Page is an explanation: a name with a title, a few facts, and paragraphs.
type Page struct {
	Name, Title string
	Facts       []Fact
	// Paragraphs are wrapped, except those that begin with a space: drawings and tables, whose lines stay as they are.
	Paragraphs []string
	// Entries follow the paragraphs.
	Entries []Entries
}

// Fact is one line of a page: a name and its value.
type Fact struct{ Name, Value string }

// Entries are facts below a heading.
type Entries struct {
	Heading string
	Facts   []Fact
}

// PageText is the page as text.
func PageText(p Page, s *Style) []byte {
	var b strings.Builder
	s.facts(&b, "", strong, []Fact{{p.Name, p.Title}})
	s.facts(&b, "  ", plain, p.Facts)
	for _, paragraph := range p.Paragraphs {
		b.WriteByte('\n')
		lines := s.wrap(paragraph, s.proseColumns())
		if strings.HasPrefix(paragraph, " ") {
			lines = strings.Split(paragraph, "\n")
		}
		for _, line := range lines {
			b.WriteString(s.paint(span{line, plain}) + "\n")
		}
	}
	for _, e := range p.Entries {
		b.WriteString("\n" + s.paint(span{s.clean(e.Heading), strong}) + "\n")
		s.facts(&b, "  ", plain, e.Facts)
	}
	return []byte(b.String())
}

// facts writes facts with their values in one column, wrapped.
func (s *Style) facts(b *strings.Builder, indent string, t tone, facts []Fact) {
	longest := 0
	for _, f := range facts {
		longest = max(longest, s.cells(s.clean(f.Name)))
	}
	hanging := indent + strings.Repeat(" ", longest+2)
	for _, f := range facts {
		name := s.clean(f.Name)
		b.WriteString(indent + s.paint(span{name, t}) + strings.Repeat(" ", longest-s.cells(name)+2))
		for i, line := range s.wrap(s.clean(f.Value), s.proseColumns()-len(hanging)) {
			if i > 0 {
				b.WriteString(hanging)
			}
			b.WriteString(s.paint(span{line, plain}) + "\n")
		}
	}
}
