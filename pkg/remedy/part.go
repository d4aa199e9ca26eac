package remedy

import (
	"fmt"
	"strings"
)

// Part is the lines of a text that one change is about, between two lines that mark them: the rest of the text is somebody else's, and may change meanwhile.
type Part struct {
	// Begin and End are the marking lines, without the space around them.
	Begin, End string
	// Was and Now are the lines before and after, marks included; "" where they are not there.
	Was, Now string
}

// In is what a text has between the marks, marks included; "" where it has neither of them. It is an error where the marks are not a pair.
func (p *Part) In(text string) (string, error) {
	m, err := find(text, p.Begin, p.End)
	if err != nil || m.from == 0 {
		return "", err
	}
	return strings.Join(strings.Split(text, "\n")[m.from-1:m.to], "\n"), nil
}

// Back is a text with the part as it was. It is false where the part is no longer what the change made of it; indentation does not count.
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
	// from and to are the lines of the marks, counted from 1; 0 where they are not there.
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
				return m, fmt.Errorf("line %d: %q without its beginning", i+1, m.end)
			}
			m.to = i + 1
		}
	}
	if m.from != 0 && m.to == 0 {
		return m, fmt.Errorf("line %d: %q without its end", m.from, m.begin)
	}
	return m, nil
}
