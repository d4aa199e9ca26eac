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
	return asFailure(err)
}
