package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// cgroups is a tree of control groups, one for each node: programs attached to a node's see its own processes and those of its pods.
type cgroups struct{ dir string }

// CgroupEnv names the cgroup below which the cluster of a process makes those of its nodes. Who starts the process sets it to CgroupName, and calls RemoveCgroups later:
// control groups outlive what is in them.
const CgroupEnv = "KUBECTL_ETP_LAB_CGROUP"

const cgroupPrefix = "kubectl-etp-lab-"

// CgroupName is the cgroup of clusters that this process starts; each needs a number of its own.
func CgroupName(number int) string { return fmt.Sprintf("%s%d-%d", cgroupPrefix, os.Getpid(), number) }

// makeCgroups mounts the tree of control groups below dir, in a mount namespace of this process's own.
func makeCgroups(dir string) (*cgroups, error) {
	mount := filepath.Join(dir, "cgroup")
	if err := os.MkdirAll(mount, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("none", mount, "cgroup2", 0, ""); err != nil {
		return nil, fmt.Errorf("mounting control groups (version 2): %w", err)
	}
	name := os.Getenv(CgroupEnv)
	if name == "" {
		return nil, fmt.Errorf("%s is not set", CgroupEnv)
	}
	return &cgroups{filepath.Join(mount, name)}, nil
}

// of opens the cgroup of a node, making it where it is not there yet.
func (c *cgroups) of(node int) (*os.File, error) {
	dir := filepath.Join(c.dir, nodeName(node))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.Open(dir)
}

// RemoveCgroups removes the control groups of clusters that have ended: those of this process, and of processes that are no more.
func RemoveCgroups() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "cgroup2" {
			continue
		}
		trees, err := filepath.Glob(filepath.Join(fields[1], cgroupPrefix+"*"))
		if err != nil {
			return err
		}
		for _, tree := range trees {
			owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(tree), cgroupPrefix), "-")
			pid, err := strconv.Atoi(owner)
			if err != nil || pid != os.Getpid() && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				continue
			}
			nodes, err := filepath.Glob(filepath.Join(tree, "*", "cgroup.procs"))
			if err != nil {
				return err
			}
			for _, node := range nodes {
				// One that is not empty is in use by another cluster of this process, and stays.
				_ = syscall.Rmdir(filepath.Dir(node))
			}
			_ = syscall.Rmdir(tree)
		}
	}
	return nil
}
