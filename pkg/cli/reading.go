package cli

import (
	"context"
	"errors"
	"net"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// reading ends a command that could not read what it needs, with the next step where one is known.
func (a *app) reading(err error) error {
	if err == nil {
		return nil
	}
	if _, usage := errors.AsType[*collect.UsageError](err); usage {
		return &ExitError{Code: exitUsage, Err: err}
	}
	return failed(err, a.next(err))
}

func (a *app) next(err error) string {
	namespace := ""
	if *a.config.Namespace != "" {
		namespace = " -n " + *a.config.Namespace
	}
	var network net.Error
	switch {
	case apierrors.IsForbidden(err):
		return "kubectl auth can-i --list" + namespace + " shows what you may do"
	case apierrors.IsUnauthorized(err):
		return "kubectl auth whoami says whether the server knows you; the credentials of this context may have expired"
	case apierrors.IsNotFound(err):
		return "kubectl get services" + namespace + " shows what is there"
	case apierrors.IsTooManyRequests(err):
		return "the API server has too much to do: try again in a moment"
	case within(err, clientcmd.IsEmptyConfig), within(err, clientcmd.IsContextNotFound):
		return "kubectl config get-contexts shows which clusters are known; -f reads files without any"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "--request-timeout gives the server more time; kubectl cluster-info says which server this is"
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &network):
		return "kubectl cluster-info says which server this is, and whether it answers"
	}
	return ""
}

// within says whether is holds for err or one that it wraps: clientcmd looks at the outermost only.
func within(err error, is func(error) bool) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if is(err) {
			return true
		}
	}
	return false
}
