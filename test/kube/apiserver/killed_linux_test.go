package apiserver_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

func TestNothingOutlivesAKilledTest(t *testing.T) {
	shared.Get(t) // Skips where the binaries are missing.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	kube.EndWithParent(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the child did not start a server: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It says only that it was killed.

	dir, list, _ := strings.Cut(strings.TrimSpace(line), " ")
	defer os.RemoveAll(dir)
	pids := strings.Fields(strings.Trim(list, "[]"))
	if len(pids) != 2 {
		t.Fatalf("the child told of processes %q, want etcd's and kube-apiserver's", list)
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, pid := range pids {
		for runs(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %s still runs after its parent was killed", pid)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// runs is whether a process is there and not a zombie that nobody has waited for yet.
func runs(pid string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
	if err != nil {
		return false
	}
	// proc(5): pid (name) state …; the name may itself have brackets.
	_, rest, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, ')'):], []byte(" "))
	return ok && rest[0] != 'Z'
}
