package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/kubectl-etp/kubectl-etp/pkg/render"
)

// Exit codes, the same for every output format.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFound       = 3
	exitUndecided   = 4
	exitDeclined    = 5
	exitUnconfirmed = 6
	exitInterrupted = 130
)

// exitCodes is for --help.
const exitCodes = `Exit codes, the same for every -o:
  0    done, and nothing found at or above --fail-on
  1    could not do the job
  2    wrong usage
  3    findings at or above --fail-on
  4    undecided: evidence is missing, and nothing was found
  5    declined, or no answer; nothing was changed
  6    written, but the effect is not confirmed
  130  interrupted`

// ExitError ends the process with Code. A nil Err has been said already, in the output itself.
type ExitError struct {
	Code int
	Err  error
	// Next is what to do about it, one line, "" where that is not known.
	Next string
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// misuse is wrong usage: the user reads what to type instead.
func misuse(next, format string, args ...any) error {
	return &ExitError{Code: exitUsage, Err: fmt.Errorf(format, args...), Next: next}
}

// exit says err on w and gives the exit code for it. Errors that come from the command tree itself (an unknown command or flag) are wrong usage.
func exit(ctx context.Context, w io.Writer, command string, err error) int {
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if errors.Is(err, syscall.EPIPE) {
		// Whoever reads has had enough; that is no failure worth a word.
		return exitFailed
	}
	e := &ExitError{Code: exitUsage, Err: err}
	errors.As(err, &e)
	if e.Err == nil {
		return e.Code
	}
	// Cobra indents what may have been meant with a tab, which is escaped like all that could move a terminal's cursor.
	text := "error: " + render.Escape(strings.ReplaceAll(err.Error(), "\t", "  ")) + "\n"
	switch {
	case e.Next != "":
		text += render.Escape(e.Next) + "\n"
	case e.Code == exitUsage:
		text += "see '" + command + " --help'\n"
	}
	if _, failed := io.WriteString(w, text); failed != nil {
		return exitFailed
	}
	return e.Code
}
