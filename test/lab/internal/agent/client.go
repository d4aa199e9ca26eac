package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Agent is an agent as its master sees it. Its methods may be called at the same time.
type Agent struct {
	Name string
	cmd  *exec.Cmd
	in   io.WriteCloser

	mu      sync.Mutex
	enc     *json.Encoder
	next    int
	waiting map[int]chan reply
	err     error
}

// Starter starts agents from one thread that never ends, because the kernel kills them when the thread that started them does.
type Starter struct{ do chan func() }

// NewStarter makes a Starter.
func NewStarter() *Starter {
	s := &Starter{do: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range s.do {
			f()
		}
	}()
	return s
}

// Command starts cmd so that it ends when this process does.
func (s *Starter) Command(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	done := make(chan error)
	s.do <- func() { done <- cmd.Start() }
	return <-done
}

// Start starts this program again as an agent (arguments: agent NAME) in a network namespace of its own, and in the cgroup that is open as cgroup; nil leaves it in
// this process's.
func (s *Starter) Start(name string, cgroup *os.File) (*Agent, error) {
	cmd := exec.Command("/proc/self/exe", "agent", name)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	if cgroup != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(cgroup.Fd())
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.Command(cmd); err != nil {
		return nil, fmt.Errorf("starting the agent of %s: %w", name, err)
	}
	a := &Agent{Name: name, cmd: cmd, in: in, enc: json.NewEncoder(in), waiting: map[int]chan reply{}}
	go a.read(out)
	return a, nil
}

func (a *Agent) read(out io.Reader) {
	d := json.NewDecoder(out)
	for {
		var r reply
		err := d.Decode(&r)
		a.mu.Lock()
		if err != nil {
			a.err = fmt.Errorf("the agent of %s ended: %w", a.Name, err)
			for _, c := range a.waiting {
				close(c)
			}
			a.waiting = nil
			a.mu.Unlock()
			return
		}
		c := a.waiting[r.ID]
		delete(a.waiting, r.ID)
		a.mu.Unlock()
		c <- r
	}
}

func (a *Agent) ask(r request) (reply, error) {
	c := make(chan reply, 1)
	a.mu.Lock()
	if a.err != nil {
		defer a.mu.Unlock()
		return reply{}, a.err
	}
	a.next++
	r.ID = a.next
	a.waiting[r.ID] = c
	err := a.enc.Encode(r)
	a.mu.Unlock()
	if err != nil {
		return reply{}, fmt.Errorf("asking the agent of %s: %w", a.Name, err)
	}
	answer, ok := <-c
	if !ok {
		return reply{}, a.err
	}
	if answer.Error != "" {
		return answer, fmt.Errorf("in %s: %s", a.Name, answer.Error)
	}
	return answer, nil
}

// PID is the process, whose network namespace is the agent's.
func (a *Agent) PID() int { return a.cmd.Process.Pid }

// Close ends the agent and everything that it started, and waits for it.
func (a *Agent) Close() error {
	err := a.cmd.Process.Kill()
	var exit *exec.ExitError
	if werr := a.cmd.Wait(); !errors.As(werr, &exit) {
		err = errors.Join(err, werr)
	}
	return err
}

// Serve answers connections to each network:address:port.
func (a *Agent) Serve(addresses ...string) error {
	_, err := a.ask(request{Serve: addresses})
	return err
}

// Dial makes all connections; the answers are in the order of the dials.
func (a *Agent) Dial(dials []Dial, pace Pace) ([]Answers, error) {
	if len(dials) == 0 {
		return nil, nil
	}
	r, err := a.ask(request{Dial: dials, Pace: pace})
	return r.Answers, err
}

// Launch starts a process that runs until Stop.
func (a *Agent) Launch(p Process) error {
	_, err := a.ask(request{Start: &p})
	return err
}

// Stop kills a process that Launch started.
func (a *Agent) Stop(name string) error {
	_, err := a.ask(request{Stop: name})
	return err
}

// Ended are the launched processes that ended by themselves, with how.
func (a *Agent) Ended() ([]string, error) {
	r, err := a.ask(request{Running: true})
	return r.Ended, err
}

// Run runs a program and returns what it printed.
func (a *Agent) Run(stdin string, args ...string) (string, error) {
	r, err := a.ask(request{Run: &Command{Args: args, Stdin: stdin}})
	return r.Output, err
}

// Get fetches a URL.
func (a *Agent) Get(url string) (*Response, error) {
	r, err := a.ask(request{Get: url})
	return r.Response, err
}

// Sysctl sets kernel settings, by path below /proc/sys.
func (a *Agent) Sysctl(settings map[string]string) error {
	_, err := a.ask(request{Sysctl: settings})
	return err
}

// Open opens a connection and keeps it.
func (a *Agent) Open(d Dial) error {
	_, err := a.ask(request{Open: &d})
	return err
}

// Alive says whether the connection that Open made to address still carries data.
func (a *Agent) Alive(address string) (bool, error) {
	r, err := a.ask(request{Echo: address})
	return r.Alive, err
}
