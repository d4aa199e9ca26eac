//go:build unix

// Package script_test knows what the built binary says and how it ends against a real API server: one .txtar a story.
package script_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"

	// The binary is built from these: a change in them is a change of this test, and go test must not take an earlier result for today's.
	_ "github.com/kubectl-etp/kubectl-etp/pkg/cli"
)

var shared apiserver.Shared

// binEnv names the folder with the binary under test.
const binEnv = "KUBECTL_ETP_SCRIPT_BIN"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(binEnv) == "" {
		return outside()
	}
	users, err := scriptNames()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if isolated() {
		stop, err := startNodes()
		if err != nil {
			fmt.Fprintln(os.Stderr, "playing the nodes:", err)
			return 1
		}
		defer stop()
	}
	return shared.Run(m, apiserver.Users(append(users, grantee, completing)...))
}

// outside builds the binary and runs the tests again where it can be used: in a network namespace of their own, so that nodes can have addresses that the API
// server agrees to dial, or without one where that is not permitted.
func outside() int {
	bin, err := os.MkdirTemp("", "kubectl-etp-script-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "kubectl-etp"), "../../cmd/kubectl-etp")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the binary under test:", err)
		return 1
	}
	// kubectl finds the plugin on the PATH. Without kubectl the one script that needs it is skipped.
	if kubectl, err := kube.Binary("kubectl", kube.Version); err == nil {
		if err := os.Symlink(kubectl, filepath.Join(bin, "kubectl")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	again, err := inside(bin, isolate)
	if err != nil {
		again, err = inside(bin, nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "running the tests in a process of their own:", err)
		return 1
	}
	err = again.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// inside starts the tests; change, if there is one, prepares the command.
func inside(bin string, change func(*exec.Cmd) error) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), binEnv+"="+bin)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	kube.EndWithParent(cmd)
	if change != nil {
		if err := change(cmd); err != nil {
			return nil, err
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd, nil
}

// isolatedEnv is set where the tests have the network to themselves.
const isolatedEnv = "KUBECTL_ETP_SCRIPT_ISOLATED"

func isolated() bool { return os.Getenv(isolatedEnv) != "" }

// scriptNames are the names of all scripts, in order, without their suffix.
func scriptNames() ([]string, error) {
	files, err := filepath.Glob("*.txtar")
	if err != nil {
		return nil, err
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(file, ".txtar")
	}
	if len(files) == 0 {
		return nil, errors.New("no scripts in this folder")
	}
	return files, nil
}
