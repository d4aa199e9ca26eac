package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// widest is the longest line of help, on wider terminals too. The texts are written for it.
const widest = 100

// width of help; 0 does not break lines: in a file or a pipe each flag is one line.
func (a *app) width() int {
	columns, terminal := a.env.Columns(a.streams.Out)
	if !terminal || columns <= 0 {
		return 0
	}
	return min(columns, widest)
}

// help prints what --help shows. Cobra's own help would list kubectl's flags below every command, and break no line.
func (a *app) help(c *cobra.Command, _ []string) {
	var b strings.Builder
	long := c.Long
	if long == "" {
		long = c.Short
	}
	for paragraph := range strings.SplitSeq(long, "\n\n") {
		b.WriteString(reflow(paragraph, a.width()) + "\n\n")
	}
	b.WriteString(a.usage(c))
	// Cobra gives no way to return an error.
	_, _ = io.WriteString(c.OutOrStdout(), b.String())
}

func (a *app) usage(c *cobra.Command) string {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND [flags]\n", c.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasExample() {
		b.WriteString("\nExamples:\n")
		for line := range strings.SplitSeq(c.Example, "\n") {
			// Command lines are not broken: people copy them.
			if comment, is := strings.CutPrefix(line, "  # "); is {
				line = hang("  # ", "  # ", comment, a.width())
			}
			b.WriteString(line + "\n")
		}
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nAvailable Commands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				name := fmt.Sprintf("  %-*s ", sub.NamePadding(), sub.Name())
				b.WriteString(hang(name, strings.Repeat(" ", len(name)), sub.Short, a.width()) + "\n")
			}
		}
	}
	if c.HasAvailableLocalFlags() {
		b.WriteString("\nFlags:\n" + flagLines(c.LocalFlags().FlagUsages(), a.width()))
	}
	last := fmt.Sprintf("Use %q for help about a command.", c.CommandPath()+" COMMAND --help")
	if c.HasAvailableInheritedFlags() {
		last = fmt.Sprintf("Use %q for the flags of all commands, such as -n and --context.", c.Root().CommandPath()+" --help")
	}
	b.WriteString("\n" + reflow(last, a.width()) + "\n")
	return b.String()
}

// minText is the narrowest column for the text of a flag.
const minText = 45

// flagLines fits pflag's lines, a name and a text in two columns, into a width. If the second column would be too narrow, the text goes below the name.
func flagLines(lines string, width int) string {
	if width == 0 {
		return lines
	}
	var b strings.Builder
	for line := range strings.Lines(lines) {
		line = strings.TrimRight(line, "\n")
		// Three spaces separate name and text; neither contains three.
		end := strings.LastIndex(line, "   ") + len("   ")
		name, text := line[:end], line[end:]
		if rest := strings.Repeat(" ", end); end+minText <= width {
			b.WriteString(hang(name, rest, text, width) + "\n")
			continue
		}
		b.WriteString(strings.TrimRight(name, " ") + "\n" + hang(below, below, text, width) + "\n")
	}
	return b.String()
}

const below = "          "

// reflow breaks a paragraph to a width. Lines of a table or a list stay separate.
func reflow(paragraph string, width int) string {
	if width == 0 {
		return paragraph
	}
	if !strings.Contains(paragraph, "\n  ") {
		return hang("", "", paragraph, width)
	}
	lines := strings.Split(paragraph, "\n")
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		if indent := line[:len(line)-len(text)]; len(line) > width {
			lines[i] = hang(indent, indent+"    ", text, width)
		}
	}
	return strings.Join(lines, "\n")
}

// hang breaks text to a width. The first line begins with first, every other line with rest. A width of 0 does not break.
func hang(first, rest, text string, width int) string {
	if width == 0 {
		return first + text
	}
	var b strings.Builder
	b.WriteString(first)
	at := len(first)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteString("\n" + rest)
			at = len(rest)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}
