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
  0    done; no findings at or above --fail-on
  1    the command failed
  2    wrong usage
  3    findings at or above --fail-on
  4    undecided: no findings, but evidence is missing
  5    declined or not answered; nothing was changed
  6    changed, but the effect is not confirmed
  130  interrupted`

// ExitError ends the process with Code. Err is nil where the output itself says why.
type ExitError struct {
	Code int
	Err  error
	// Next is the next step, one line; "" if none is known.
	Next string
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// misuse is an error of wrong usage. next is what to type instead.
func misuse(next, format string, args ...any) error {
	return &ExitError{Code: exitUsage, Err: fmt.Errorf(format, args...), Next: next}
}

// exit writes err to w and returns its exit code. An error without one comes from cobra (an unknown flag), which is wrong usage.
func exit(ctx context.Context, w io.Writer, command string, err error) int {
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if errors.Is(err, syscall.EPIPE) {
		// The reader has closed the pipe, as head does. There is nothing to report.
		return exitFailed
	}
	e := &ExitError{Code: exitUsage, Err: err}
	errors.As(err, &e)
	if e.Err == nil {
		return e.Code
	}
	// Cobra indents with tabs, which would be escaped like everything that moves a terminal's cursor.
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
