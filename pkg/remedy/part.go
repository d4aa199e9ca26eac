package remedy

import (
	"fmt"
	"strings"
)

// Part is the lines of a text that a change writes, between two lines that mark them. The rest of the text belongs to others and may change in the meantime.
type Part struct {
	// Begin and End are the marking lines, without leading and trailing space.
	Begin, End string
	// Was and Now are the lines before and after the change, with the marks; "" if there are none.
	Was, Now string
}

// In is the marked lines of a text, with the marks; "" if it has none. Marks that are not a pair are an error.
func (p *Part) In(text string) (string, error) {
	m, err := find(text, p.Begin, p.End)
	if err != nil || m.from == 0 {
		return "", err
	}
	return strings.Join(strings.Split(text, "\n")[m.from-1:m.to], "\n"), nil
}

// Back is a text with the part restored. It is false if the part is not as the change left it; indentation does not count.
func (p *Part) Back(text string) (string, bool) {
	m, err := find(text, p.Begin, p.End)
	if err != nil || m.from == 0 {
		return "", false
	}
	lines := strings.Split(text, "\n")
	if !sameLines(lines[m.from-1:m.to], strings.Split(p.Now, "\n")) {
		return "", false
	}
	out := append([]string{}, lines[:m.from-1]...)
	if p.Was != "" {
		out = append(out, strings.Split(p.Was, "\n")...)
	}
	return strings.Join(append(out, lines[m.to:]...), "\n"), true
}

func sameLines(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if strings.TrimSpace(a[i]) != strings.TrimSpace(b[i]) {
			return false
		}
	}
	return true
}

// marked is the part of a text between two marking lines.
type marked struct {
	begin, end string
	// from and to are the line numbers of the marks, from 1; 0 if they are absent.
	from, to int
}

func find(text, begin, end string) (marked, error) {
	m := marked{begin: begin, end: end}
	for i, line := range strings.Split(text, "\n") {
		switch strings.TrimSpace(line) {
		case m.begin:
			if m.from != 0 {
				return m, fmt.Errorf("line %d: a second %q", i+1, m.begin)
			}
			m.from = i + 1
		case m.end:
			if m.to != 0 || m.from == 0 {
				return m, fmt.Errorf("line %d: %q without a begin line", i+1, m.end)
			}
			m.to = i + 1
		}
	}
	if m.from != 0 && m.to == 0 {
		return m, fmt.Errorf("line %d: %q without an end line", m.from, m.begin)
	}
	return m, nil
}
