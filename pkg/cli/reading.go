package cli

import (
	"errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// reading gives an error of pkg/collect its exit code. These errors name the next step themselves.
func reading(err error) error {
	if _, usage := errors.AsType[*collect.UsageError](err); usage {
		return &ExitError{Code: exitUsage, Err: err}
	}
	if errors.Is(err, collect.ErrNoKubeconfig) {
		return &ExitError{Code: exitFailed, Err: err, Next: "give --kubeconfig or set KUBECONFIG"}
	}
	return asFailure(err)
}

// readingOrFiles is reading for a command that has -f.
func readingOrFiles(err error) error {
	if errors.Is(err, collect.ErrNoKubeconfig) {
		return &ExitError{Code: exitFailed, Err: err, Next: "give --kubeconfig or set KUBECONFIG, or read files with -f"}
	}
	return reading(err)
}
