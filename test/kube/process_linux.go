package kube

import (
	"os/exec"
	"syscall"
)

// EndWithParent makes the kernel kill the command when the thread that starts it ends, so that nothing outlives a killed test. To be called before Start.
// A caller that must be sure keeps that thread: runtime.LockOSThread in a goroutine that lives as long as the command.
func EndWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
