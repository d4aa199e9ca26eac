package render

import (
	"strconv"
	"strings"
)

// mostChanges is the number of changes that a frame lists; a rollout has hundreds.
const mostChanges = 6

// Redraw is a frame that replaces the one before: the screen, then what has changed, then why it is out of date, ""
// where it is not. What comes last stays visible where the screen is taller than the terminal.
func Redraw(screen []byte, changes []string, stale string, o Options) []byte {
	var b strings.Builder
	b.WriteString("\x1b[H\x1b[2J")
	b.Write(screen)
	if len(changes) > 0 || stale != "" {
		b.WriteByte('\n')
	}
	more := len(changes) - mostChanges
	if more > 0 {
		changes = changes[:mostChanges]
	}
	b.Write(Changed(changes, o))
	if more > 0 {
		b.WriteString(o.Style.paint(span{"  and " + strconv.Itoa(more) + " more changes", faint}) + "\n")
	}
	if stale != "" {
		b.Write(Changed([]string{stale}, o))
	}
	return []byte(b.String())
}

// Changed lists changes, one below the other.
func Changed(changes []string, o Options) []byte {
	var b strings.Builder
	for _, c := range changes {
		for i, l := range o.Style.wrap(o.Style.clean(c), o.Style.proseColumns()-2) {
			if i > 0 {
				l = "  " + l
			}
			b.WriteString(o.Style.paint(span{l, doubtful}) + "\n")
		}
	}
	return []byte(b.String())
}
