//go:build unix && !linux

package script_test

import (
	"errors"
	"os/exec"
)

// isolate fails: only Linux has network namespaces.
func isolate(*exec.Cmd) error { return errors.New("no network namespaces here") }
