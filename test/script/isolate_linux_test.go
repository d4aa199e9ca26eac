package script_test

import (
	"os"
	"os/exec"
	"syscall"
)

// isolate gives a command a network namespace of its own, by way of a user namespace where the user is not root. It fails where the tool that sets up the
// namespace from inside is missing; starting the command fails where the kernel does not permit it.
func isolate(cmd *exec.Cmd) error {
	if _, err := exec.LookPath("ip"); err != nil {
		return err
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	cmd.Env = append(cmd.Env, isolatedEnv+"=1")
	return nil
}
