// Package agent knows how to act inside one network namespace: a process that lives there, answers and makes connections, and starts other processes.
package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Timeout is how long a connection may take to be made and answered, unless told otherwise: longer than the second after which a SYN is sent again.
const Timeout = 1800 * time.Millisecond

// Dial is a number of connections to make to one address.
type Dial struct {
	Network string // tcp or udp
	Address string // address:port
	Local   string // the address to dial from; empty lets the kernel choose
	Tries   int
}

// Pace is how hard connections are tried.
type Pace struct {
	AtOnce  int           // the number of connections under way at the same time, for each agent
	Timeout time.Duration // how long one may take to be made and answered
	Every   time.Duration // the time from the start of one to that of the next, for each agent; 0 does not wait
}

// Answers is what became of the connections of one Dial.
type Answers struct {
	// From counts the connections answered, by "endpoint source": the address that answered and the source address that it saw.
	From     map[string]int
	Refused  int
	TimedOut int
	// Unreachable counts connections that failed at once with another error than "connection refused".
	Unreachable int
	// Other counts what is none of these, by the error's text.
	Other map[string]int
}

// Count is the number of connections that it speaks of.
func (a Answers) Count() int {
	n := a.Refused + a.TimedOut + a.Unreachable
	for _, v := range a.From {
		n += v
	}
	for _, v := range a.Other {
		n += v
	}
	return n
}

// Add adds the connections of b.
func (a *Answers) Add(b Answers) {
	a.Refused += b.Refused
	a.TimedOut += b.TimedOut
	a.Unreachable += b.Unreachable
	a.From = sum(a.From, b.From)
	a.Other = sum(a.Other, b.Other)
}

func sum(a, b map[string]int) map[string]int {
	for k, v := range b {
		if a == nil {
			a = map[string]int{}
		}
		a[k] += v
	}
	return a
}

// Process is a program to start in the namespace. It ends with the agent at the latest.
type Process struct {
	Name string // by which Stop knows it
	Args []string
	Log  string // file that receives what it prints
}

// Command is a program to run to its end.
type Command struct {
	Args  []string
	Stdin string
}

// Response is an HTTP response.
type Response struct {
	Status int
	Body   string
}

type request struct {
	ID int
	// One of:
	Serve   []string `json:",omitempty"` // network:address:port, answered with "own-address client-address"
	Dial    []Dial   `json:",omitempty"`
	Pace    Pace
	Start   *Process          `json:",omitempty"`
	Stop    string            `json:",omitempty"`
	Run     *Command          `json:",omitempty"`
	Get     string            `json:",omitempty"`
	Sysctl  map[string]string `json:",omitempty"`
	Open    *Dial             `json:",omitempty"` // a connection to keep open, known by its address
	Echo    string            `json:",omitempty"` // address of a connection kept open: does it still carry data?
	Running bool              `json:",omitempty"` // names of the processes that ended by themselves
}

type reply struct {
	ID       int
	Error    string    `json:",omitempty"`
	Answers  []Answers `json:",omitempty"`
	Output   string    `json:",omitempty"`
	Response *Response `json:",omitempty"`
	Alive    bool      `json:",omitempty"`
	Ended    []string  `json:",omitempty"`
}

// Serve is the agent itself: it reads requests from in and answers on out until in ends. Requests are served at the same time.
// It must be the first thing that the process does: it sets up the namespaces that it was started in.
func Serve(hostname string, in io.Reader, out io.Writer) error {
	// Children are killed when the thread that started them ends: start all of them from this one, which never does.
	runtime.LockOSThread()
	if err := settle(hostname); err != nil {
		return err
	}
	s := &server{out: json.NewEncoder(out), procs: map[string]*exec.Cmd{}, open: map[string]net.Conn{}, start: make(chan func())}
	lines := make(chan request)
	errs := make(chan error, 1)
	go func() {
		d := json.NewDecoder(in)
		for {
			var r request
			if err := d.Decode(&r); err != nil {
				errs <- err
				return
			}
			lines <- r
		}
	}()
	for {
		select {
		case err := <-errs:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case f := <-s.start:
			f()
		case r := <-lines:
			go s.serve(r)
		}
	}
}

// settle makes the mount and UTS namespaces of the agent what a node has: its own /run, /sys of its network, and its own name.
func settle(hostname string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("mounting /sys: %w", err)
	}
	// Programs that attach to the root of the cgroups that they see, such as Cilium's agent, attach to this agent's alone. The namespace is this thread's, from which all
	// others start.
	if err := syscall.Unshare(syscall.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("making a cgroup namespace: %w", err)
	}
	if err := syscall.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	return nil
}

type server struct {
	mu    sync.Mutex
	out   *json.Encoder
	procs map[string]*exec.Cmd
	ended []string
	open  map[string]net.Conn
	start chan func()
}

func (s *server) serve(r request) {
	a := reply{ID: r.ID}
	var err error
	switch {
	case r.Serve != nil:
		for _, address := range r.Serve {
			if err = listen(address); err != nil {
				break
			}
		}
	case r.Dial != nil:
		a.Answers = dial(r.Dial, r.Pace)
	case r.Start != nil:
		err = s.startProcess(*r.Start)
	case r.Stop != "":
		err = s.stop(r.Stop)
	case r.Run != nil:
		a.Output, err = s.run(*r.Run)
	case r.Get != "":
		a.Response, err = get(r.Get)
	case r.Sysctl != nil:
		for k, v := range r.Sysctl {
			err = errors.Join(err, os.WriteFile(filepath.Join("/proc/sys", k), []byte(v), 0o644))
		}
	case r.Open != nil:
		err = s.keep(*r.Open)
	case r.Echo != "":
		a.Alive, err = s.echo(r.Echo)
	case r.Running:
		s.mu.Lock()
		a.Ended = s.ended
		s.mu.Unlock()
	}
	if err != nil {
		a.Error = err.Error()
	}
	s.mu.Lock()
	err = s.out.Encode(a)
	s.mu.Unlock()
	if err != nil {
		os.Exit(1) // nobody listens any more
	}
}

// onStarter runs f on the one thread that starts processes.
func (s *server) onStarter(f func() error) error {
	done := make(chan error)
	s.start <- func() { done <- f() }
	return <-done
}

func (s *server) startProcess(p Process) error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.onStarter(cmd.Start); err != nil {
		return err
	}
	s.mu.Lock()
	s.procs[p.Name] = cmd
	s.mu.Unlock()
	go func() {
		err := cmd.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.procs[p.Name] == cmd {
			s.ended = append(s.ended, fmt.Sprintf("%s (%v)", p.Name, err))
		}
	}()
	return nil
}

func (s *server) stop(name string) error {
	s.mu.Lock()
	cmd := s.procs[name]
	delete(s.procs, name)
	s.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("no process %s", name)
	}
	return cmd.Process.Kill()
}

func (s *server) run(c Command) (string, error) {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Stdin = strings.NewReader(c.Stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := s.onStarter(cmd.Start); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

func get(url string) (*Response, error) {
	c := http.Client{Timeout: Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	return &Response{Status: r.StatusCode, Body: string(body)}, err
}

// host is the plain text of the IP address of a network address.
func host(a net.Addr) string {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	return p.Addr().Unmap().String()
}

// listen serves network:address:port. A TCP client gets one line with both addresses; after that everything it sends comes back. A datagram gets that line.
func listen(what string) error {
	network, address, _ := strings.Cut(what, ":")
	if network == "udp" {
		c, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		go func() {
			b := make([]byte, 64)
			for {
				_, from, err := c.ReadFrom(b)
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err == nil {
					// An answer that is lost is what the client then sees.
					_, _ = c.WriteTo([]byte(host(c.LocalAddr())+" "+host(from)+"\n"), from)
				}
			}
		}()
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			go func() {
				defer c.Close()
				fmt.Fprintf(c, "%s %s\n", host(c.LocalAddr()), host(c.RemoteAddr()))
				_, _ = io.Copy(c, c) // until the client ends it, however
			}()
		}
	}()
	return nil
}

func dial(dials []Dial, pace Pace) []Answers {
	limit := make(chan struct{}, pace.AtOnce)
	out := make([]Answers, len(dials))
	var wg sync.WaitGroup
	var mu sync.Mutex
	// In random order: tries of one dial in a row, or in turn with others, can keep step with a data plane that deals endpoints out in turn.
	var order []int
	for i, d := range dials {
		for range d.Tries {
			order = append(order, i)
		}
	}
	rand.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	for _, i := range order {
		limit <- struct{}{}
		time.Sleep(pace.Every)
		wg.Go(func() {
			defer func() { <-limit }()
			a := once(dials[i], pace.Timeout)
			mu.Lock()
			out[i].Add(a)
			mu.Unlock()
		})
	}
	wg.Wait()
	return out
}

func dialer(d Dial, timeout time.Duration) *net.Dialer {
	n := &net.Dialer{Timeout: timeout, FallbackDelay: -1}
	if d.Local != "" {
		if ip := net.ParseIP(d.Local); d.Network == "udp" {
			n.LocalAddr = &net.UDPAddr{IP: ip}
		} else {
			n.LocalAddr = &net.TCPAddr{IP: ip}
		}
	}
	return n
}

// once makes one connection and reads what answers.
func once(d Dial, timeout time.Duration) Answers {
	deadline := time.Now().Add(timeout)
	c, err := dialer(d, timeout).Dial(d.Network, d.Address)
	if err != nil {
		return failed(err)
	}
	defer c.Close()
	if err := c.SetDeadline(deadline); err != nil {
		return failed(err)
	}
	if d.Network == "udp" {
		// Where a rule of its own machine stops a datagram, sending is not permitted; whether the rule answers too shows as with any other datagram.
		if _, err := c.Write([]byte("?")); err != nil && !errors.Is(err, syscall.EPERM) {
			return failed(err)
		}
	}
	b := make([]byte, 128)
	n, err := c.Read(b)
	if err != nil {
		return failed(err)
	}
	return Answers{From: map[string]int{strings.TrimSpace(string(b[:n])): 1}}
}

func failed(err error) Answers {
	var ne net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Answers{Refused: 1}
	case errors.As(err, &ne) && ne.Timeout():
		return Answers{TimedOut: 1}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EPERM):
		return Answers{Unreachable: 1}
	default:
		text := err.Error()
		if i := strings.LastIndex(text, ": "); i >= 0 {
			text = text[i+2:]
		}
		return Answers{Other: map[string]int{text: 1}}
	}
}

func (s *server) keep(d Dial) error {
	c, err := dialer(d, Timeout).Dial(d.Network, d.Address)
	if err != nil {
		return err
	}
	err = c.SetDeadline(time.Now().Add(Timeout))
	if err == nil {
		_, err = c.Read(make([]byte, 128))
	}
	if err != nil {
		return errors.Join(err, c.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[d.Address] = c
	return nil
}

// echo sends a line over a connection kept open and says whether it came back.
func (s *server) echo(address string) (bool, error) {
	s.mu.Lock()
	c := s.open[address]
	s.mu.Unlock()
	if c == nil {
		return false, fmt.Errorf("no connection to %s is open", address)
	}
	line := []byte("still here\n")
	err := c.SetDeadline(time.Now().Add(Timeout))
	if err == nil {
		_, err = c.Write(line)
	}
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, len(line)))
	}
	return err == nil, nil
}
