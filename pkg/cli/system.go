package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-etp/kubectl-etp/pkg/render"
)

// Streams are what the process reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Environment is everything else that the process gets from the operating system.
type Environment struct {
	// Getenv returns the value of an environment variable, "" if it is not set.
	Getenv func(string) string
	// Now is the time.
	Now func() time.Time
	// After is a channel that receives once, d later.
	After func(d time.Duration) <-chan time.Time
	// Open opens a file or directory that -f names.
	Open func(name string) (fs.File, error)
	// Columns is the width of the terminal w, 0 if it is unknown, and false if w is not a terminal.
	Columns func(w io.Writer) (int, bool)
	// Asks is true if a person can see what is written to w and type what is read from r.
	Asks func(r io.Reader, w io.Writer) bool
	// LookPath finds a program on the PATH.
	LookPath func(program string) (string, error)
	// Output runs a program and returns its standard output.
	Output func(ctx context.Context, program string, args ...string) ([]byte, error)
	// WriteProgram writes an executable file: a new one, which fails if anything has that name, or one that replaces the file of that name.
	WriteProgram func(name string, data []byte, replace bool) error
	// Windows is true on that operating system: it has no locale in its environment, and recognizes programs by their suffix.
	Windows bool
}

// System is the process's own streams and environment.
func System() (Streams, Environment) {
	return Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, Environment{
		Getenv:  os.Getenv,
		Now:     time.Now,
		After:   time.After,
		Open:    func(name string) (fs.File, error) { return os.Open(name) },
		Columns: columns,

		LookPath: exec.LookPath,
		Output: func(ctx context.Context, program string, args ...string) ([]byte, error) {
			return exec.CommandContext(ctx, program, args...).Output()
		},
		WriteProgram: writeProgram,
		Asks:         func(r io.Reader, w io.Writer) bool { return isTerminal(r) && isTerminal(w) },
		Windows:      runtime.GOOS == "windows",
	}
}

// UntilInterrupted is a context that SIGINT or SIGTERM cancels. A second signal ends the process at once, with exit code 130: reading from a terminal does not heed a
// context.
func UntilInterrupted(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for ends := cancel; ; ends = func() { os.Exit(exitInterrupted) } {
			select {
			case <-signals:
				ends()
			case <-done:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel()
	})
}

func writeProgram(name string, data []byte, replace bool) error {
	target := name
	if replace {
		// Whoever runs it meanwhile gets the old one or the new one, never half of it.
		target += ".new"
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil && replace {
		err = os.Rename(target, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(target))
	}
	return nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func columns(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, true
	}
	return width, true
}

// terminal describes the writer w.
func (e *Environment) terminal(w io.Writer) render.Terminal {
	width, interactive := e.Columns(w)
	return render.Terminal{
		Interactive: interactive,
		Columns:     width,
		Term:        e.Getenv("TERM"),
		NoColor:     e.Getenv("NO_COLOR") != "",
		UTF8:        e.utf8(),
	}
}

// utf8 is true if the locale is UTF-8. The first of the three variables that is set decides; without any it is the C locale.
func (e *Environment) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := e.Getenv(name); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return e.Windows
}
