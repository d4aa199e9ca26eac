package collect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// newGap says that something could not be read, and why.
func newGap(resource, verb, namespace, name string, err error) cluster.Gap {
	out := cluster.Gap{Resource: resource, Verb: verb, Namespace: namespace, Name: name, Reason: cluster.Failed, Message: message(err)}
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		out.Reason = cluster.Forbidden
	case apierrors.IsNotFound(err):
		out.Reason = cluster.NotFound
	case timedOut(err):
		out.Reason = cluster.TimedOut
	}
	return out
}

func timedOut(err error) bool {
	var timeout net.Error
	return apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// message is the API server's own sentence, or the transport's without the address it repeats.
func message(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	if address, ok := errors.AsType[*url.Error](err); ok {
		return address.Err.Error()
	}
	return err.Error()
}

// explain says what to do about a read that the job cannot go on without.
func (c *Client) explain(err error, verb, resource, namespace string) error {
	return Explain(err, c.host, verb, resource, namespace)
}

// Explain says why the server at host did not do verb to a resource of a namespace ("" for all), and what to do about it.
func Explain(err error, host, verb, resource, namespace string) error {
	in := ""
	if namespace != "" {
		in = " -n " + namespace
	}
	plural, _, _ := strings.Cut(resource, ".")
	var network *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case apierrors.IsForbidden(err):
		return fmt.Errorf("forbidden: %s; `kubectl auth can-i %s %s%s` asks the server, and its administrator can allow it; `kubectl etp rbac` prints what is needed",
			message(err), verb, plural, in)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the server at %s does not accept the credentials of this context (%s): they may have expired; log in again, or choose another context by --context",
			host, message(err))
	case timedOut(err):
		return fmt.Errorf("the server at %s did not answer in time (%s); try again, give it longer by --request-timeout, or choose another context by --context", host, message(err))
	case cutOff(err):
		return fmt.Errorf("the connection to the server at %s was cut in the middle of its answer; try again", host)
	case errors.As(err, &dns), errors.As(err, &network):
		return fmt.Errorf("the server at %s cannot be reached (%s); `kubectl cluster-info` tries the same; another context is chosen by --context", host, message(err))
	case apierrors.IsTooManyRequests(err):
		return fmt.Errorf("the server at %s is overloaded and asks to try again later (%s)", host, message(err))
	}
	return fmt.Errorf("%s", message(err))
}

// RBACRule is the rule of a Role or ClusterRole, as one line of YAML, that would close a gap; "" where no rule would.
func RBACRule(g cluster.Gap) string {
	if g.Reason != cluster.Forbidden {
		return ""
	}
	resource, group, _ := strings.Cut(g.Resource, ".")
	name := ""
	if g.Verb == "get" && resource != cluster.ResourceNodes {
		name = g.Name
	}
	return rule(group, resource, name, g.Verb)
}
