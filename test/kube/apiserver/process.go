//go:build unix

package apiserver

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// process is a child whose output goes to a log file.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// spawn starts a child that ends with Stop, and with this process however that ends.
func (s *Server) spawn(name, path string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(s.Dir, name+".log"), cmd: exec.Command(path, args...), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.cmd.Dir = s.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	kube.EndWithParent(p.cmd)
	started := make(chan error)
	go func() {
		// The kernel ties the child to the thread that starts it.
		runtime.LockOSThread()
		defer log.Close()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			// How it ended is read from its log by whoever waited for it to be ready.
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	s.processes = append(s.processes, p)
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process at once: nothing it holds is kept, and an orderly end waits for every open watch.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// tail returns the last lines of the log.
func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	if len(lines) > 20 {
		lines = lines[len(lines)-20:]
	}
	return string(bytes.Join(lines, []byte("\n")))
}
