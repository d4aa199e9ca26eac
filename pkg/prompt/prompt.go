// Package prompt knows how a person is asked: to choose, to confirm, to type a name. No answer is never taken for one.
package prompt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
)

// ErrDeclined says that the answer was no.
var ErrDeclined = errors.New("declined; nothing was changed")

// ErrNoAnswer says that the input ended before there was an answer.
var ErrNoAnswer = errors.New("no answer; nothing was changed")

// Prompter asks on one writer and reads answers, a line each, from one reader. There is one for a process: a second one would swallow the first one's answers. Its
// questions are asked one after the other.
type Prompter struct {
	in  *bufio.Reader
	out io.Writer

	// lines has what was read. A read of a terminal cannot be broken off: one that nobody waits for any more is for whoever asks next.
	lines   chan answer
	reading bool
}

type answer struct {
	line string
	err  error
}

// New makes a Prompter. It reads nothing until it is asked to ask.
func New(in io.Reader, out io.Writer) *Prompter {
	return &Prompter{in: bufio.NewReader(in), out: out, lines: make(chan answer, 1)}
}

// Option is one choice of a menu: the word that stands for it, and the line that explains it. The line is printed as it is, colours and all: whoever made it has
// escaped what came from outside.
type Option struct{ Word, Line string }

// Select shows a menu and gives the place of what was chosen, by its number or its word. An empty line chooses nothing and is ErrDeclined.
func (p *Prompter) Select(ctx context.Context, question string, options []Option) (int, error) {
	var b strings.Builder
	b.WriteString(printable.Text(question) + "\n")
	digits := len(strconv.Itoa(len(options)))
	for i, o := range options {
		fmt.Fprintf(&b, "  %*d  %s\n", digits, i+1, o.Line)
	}
	if err := p.say(b.String()); err != nil {
		return 0, err
	}
	for {
		answer, err := p.ask(ctx, fmt.Sprintf("Number from 1 to %d, or Enter for none: ", len(options)))
		if err != nil {
			return 0, err
		}
		if answer == "" || answer == "q" {
			return 0, ErrDeclined
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(options) {
			return n - 1, nil
		}
		if i := slices.IndexFunc(options, func(o Option) bool { return o.Word == answer }); i >= 0 {
			return i, nil
		}
	}
}

// Confirm asks a question to which only y or yes means yes. Anything that is neither that nor no is asked again; an empty line is no, which is ErrDeclined.
func (p *Prompter) Confirm(ctx context.Context, question string) error {
	for {
		answer, err := p.ask(ctx, question+" [y/N] ")
		if err != nil {
			return err
		}
		switch strings.ToLower(answer) {
		case "y", "yes":
			return nil
		case "", "n", "no":
			return ErrDeclined
		}
		if err := p.say("Please answer yes or no.\n"); err != nil {
			return err
		}
	}
}

// Input asks for a text that check has nothing against. An empty line is ErrDeclined.
func (p *Prompter) Input(ctx context.Context, question string, check func(string) error) (string, error) {
	for {
		answer, err := p.ask(ctx, question+" ")
		if err != nil {
			return "", err
		}
		if answer == "" {
			return "", ErrDeclined
		}
		wrong := check(answer)
		if wrong == nil {
			return answer, nil
		}
		if err := p.say(printable.Text(wrong.Error()) + "\n"); err != nil {
			return "", err
		}
	}
}

func (p *Prompter) say(text string) error {
	_, err := io.WriteString(p.out, text)
	return err
}

// ask says a question and waits for a line, without the space around it, or for the end of ctx.
func (p *Prompter) ask(ctx context.Context, question string) (string, error) {
	if err := p.say(printable.Text(question)); err != nil {
		return "", err
	}
	if !p.reading {
		p.reading = true
		go func() {
			line, err := p.in.ReadString('\n')
			p.lines <- answer{line, err}
		}()
	}
	select {
	case a := <-p.lines:
		p.reading = false
		// Text before the end that no line break follows is a line, too.
		if a.err != nil && a.line == "" {
			return "", errors.Join(ErrNoAnswer, p.say("\n"))
		}
		return strings.TrimSpace(a.line), nil
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), p.say("\n"))
	}
}
