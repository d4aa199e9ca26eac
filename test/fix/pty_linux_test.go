package fix_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/kubectl-etp/kubectl-etp/pkg/cli"
)

// terminal is a pseudo terminal of a hundred columns.
type terminal struct {
	keyboard, screen *os.File

	lock sync.Mutex
	seen bytes.Buffer
}

func control(f *os.File, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminal on this machine: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var number, locked uint32
	if err := control(keyboard, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		t.Fatal(err)
	}
	if err := control(keyboard, syscall.TIOCSPTLCK, unsafe.Pointer(&locked)); err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	size := [4]uint16{50, 100}
	if err := control(screen, syscall.TIOCSWINSZ, unsafe.Pointer(&size)); err != nil {
		t.Fatal(err)
	}
	p := &terminal{keyboard: keyboard, screen: screen}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buffer)
			p.lock.Lock()
			p.seen.Write(buffer[:n])
			p.lock.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *terminal) text() string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return strings.ReplaceAll(p.seen.String(), "\r\n", "\n")
}

// shows waits until a text has come up n times, and types.
func (p *terminal) shows(t *testing.T, text string, n int, keys string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); strings.Count(p.text(), text) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the terminal does not show %q, but\n%s", text, p.text())
		}
	}
	if _, err := p.keyboard.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// start runs the program on the terminal, with the process's own way of telling one.
func (w *world) start(p *terminal, args ...string) <-chan int {
	_, environment := cli.System()
	environment.Getenv = func(name string) string {
		return map[string]string{"LC_ALL": "C.UTF-8", "TERM": "xterm"}[name]
	}
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(w.t.Context(), append(args, "--kubeconfig", w.config), cli.Streams{In: p.screen, Out: p.screen, Err: p.screen}, environment)
	}()
	return ended
}

func (w *world) ends(p *terminal, ended <-chan int, code int) {
	w.t.Helper()
	if got := <-ended; got != code {
		w.t.Errorf("it ended with %d, want %d; the terminal shows\n%s", got, code, p.text())
	}
}

// On a real terminal: a menu, a wrong answer, the question, colours; and Ctrl-D, which is no answer and not no.
func TestOnATerminal(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice)
	same := untouched(w)
	p := newTerminal(t)
	ended := w.start(p, "fix", "svc/web")
	p.shows(t, "press Enter to cancel: ", 1, "7\n")
	p.shows(t, "press Enter to cancel: ", 2, "cluster\n")
	p.shows(t, "[y/N] ", 1, "\x04")
	w.ends(p, ended, 5)
	p.shows(t, "\nerror: no answer; nothing was changed\n", 1, "")
	if !strings.Contains(p.text(), "\x1b[31m-  externalTrafficPolicy: Local\x1b[0m") {
		t.Errorf("the diff has no colour:\n%s", p.text())
	}
	// What is coloured already must not be escaped again.
	if strings.Contains(p.text(), `\x1b`) {
		t.Errorf("an escape sequence is shown as text:\n%s", p.text())
	}
	same()

	p = newTerminal(t)
	ended = w.start(p, "fix", "svc/web", "--mode=cluster")
	p.shows(t, "[y/N] ", 1, "what?\n")
	p.shows(t, "Please answer yes or no.", 1, "")
	p.shows(t, "[y/N] ", 2, "n\n")
	w.ends(p, ended, 5)
	same()

	p = newTerminal(t)
	ended = w.start(p, "fix", "svc/web", "--mode=cluster")
	p.shows(t, "[y/N] ", 1, "yes\n")
	w.ends(p, ended, 0)
	p = newTerminal(t)
	ended = w.start(p, "undo", "svc/web")
	p.shows(t, "[y/N] ", 1, "y\n")
	w.ends(p, ended, 0)
	same()

	// A pipe is nobody to ask, also where the output is a terminal.
	p = newTerminal(t)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := out.WriteString("y\n"); err != nil {
		t.Fatal(err)
	}
	out.Close()
	_, environment := cli.System()
	if code := cli.Main(t.Context(), []string{"fix", "svc/web", "--mode=cluster", "--kubeconfig", w.config}, cli.Streams{In: in, Out: p.screen, Err: p.screen}, environment); code != 2 {
		t.Errorf("with answers in a pipe it ended with %d, want 2", code)
	}
	p.shows(t, "cannot ask for confirmation", 1, "")
	same()
}
