package render

import (
	"strconv"
	"strings"
)

// mostChanges is how many changes a frame has room for; a rollout has hundreds.
const mostChanges = 6

// Redraw makes a frame of a screen that stays in place: over what stood there before the screen, then what changed since the last one, and last why it may be out of date,
// "" where it is not. What comes last stays in sight where the screen is taller than the terminal.
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

// Changed shows changes, one below the other.
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
