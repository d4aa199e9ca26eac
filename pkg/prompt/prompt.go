// Package prompt asks a person to choose, to confirm, or to type a name. The end of the input is never an answer.
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

// Prompter writes questions to one writer and reads answers, a line each, from one reader. A process has one Prompter,
// because each buffers what it reads. It must not be used concurrently.
type Prompter struct {
	in  *bufio.Reader
	out io.Writer

	// lines has the result of a read. A read of a terminal cannot be cancelled: the next question takes the result of
	// one whose question was interrupted.
	lines   chan answer
	reading bool
}

type answer struct {
	line string
	err  error
}

// New makes a Prompter. It reads nothing before the first question.
func New(in io.Reader, out io.Writer) *Prompter {
	return &Prompter{in: bufio.NewReader(in), out: out, lines: make(chan answer, 1)}
}

// Option is one choice of a menu: the word that selects it, and the line that explains it. The line is printed
// unchanged, with its colours: the caller escapes what comes from outside.
type Option struct{ Word, Line string }

// Select shows a menu and returns the index of the option that was chosen by its number or its word. An empty line and
// q are ErrDeclined.
func (p *Prompter) Select(ctx context.Context, question string, options []Option) (int, error) {
	var b strings.Builder
	b.WriteString(printable.Text(question) + "\n")
	digits := len(strconv.Itoa(len(options)))
	for i, o := range options {
		fmt.Fprintf(&b, "  %*d  %s\n", digits, i+1, o.Line)
	}
	if err := p.print(b.String()); err != nil {
		return 0, err
	}
	for {
		answer, err := p.ask(ctx, fmt.Sprintf("Enter a number from 1 to %d, or press Enter to cancel: ", len(options)))
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

// Confirm asks a yes-or-no question. Only y and yes mean yes. No and an empty line are ErrDeclined; any other answer is
// asked again.
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
		if err := p.print("Please answer yes or no.\n"); err != nil {
			return err
		}
	}
}

// Input asks for a text until check accepts it. An empty line is ErrDeclined.
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
		if err := p.print(printable.Text(wrong.Error()) + "\n"); err != nil {
			return "", err
		}
	}
}

func (p *Prompter) print(text string) error {
	_, err := io.WriteString(p.out, text)
	return err
}

// ask prints a question and waits for a line, which it returns without surrounding space, or for the end of ctx.
func (p *Prompter) ask(ctx context.Context, question string) (string, error) {
	if err := p.print(printable.Text(question)); err != nil {
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
		// Text without a line break before the end of the input is a line too.
		if a.err != nil && a.line == "" {
			return "", errors.Join(ErrNoAnswer, p.print("\n"))
		}
		return strings.TrimSpace(a.line), nil
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), p.print("\n"))
	}
}
