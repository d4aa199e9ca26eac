package cli

import (
	"errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// reading ends a command that could not read what it needs. The reader's errors say themselves what to do next.
func reading(err error) error {
	if _, usage := errors.AsType[*collect.UsageError](err); usage {
		return &ExitError{Code: exitUsage, Err: err}
	}
	return failed(err)
}
