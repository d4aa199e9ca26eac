package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// NewGap says that something could not be read, and why.
func NewGap(resource, verb, namespace, name string, err error) cluster.Gap {
	out := cluster.Gap{Resource: resource, Verb: verb, Namespace: namespace, Name: name, Reason: cluster.Failed, Message: Message(err)}
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		out.Reason = cluster.Forbidden
	case apierrors.IsNotFound(err):
		out.Reason = cluster.NotFound
	case TimedOut(err):
		out.Reason = cluster.TimedOut
	}
	return out
}

// TimedOut says whether the server, or something on the way to it, did not answer in time.
func TimedOut(err error) bool {
	var timeout net.Error
	return apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// NotKubernetes is true if the answer to a request for a resource of the core group is not one of a Kubernetes API server, but for example the page of a web server or of
// a proxy. An API server answers with a Status, also where the object does not exist. (For an API group that it does not have it answers as a web server does.)
func NotKubernetes(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		s := status.Status()
		return s.Code == http.StatusNotFound && s.Details != nil &&
			slices.ContainsFunc(s.Details.Causes, func(c metav1.StatusCause) bool { return c.Type == metav1.CauseTypeUnexpectedServerResponse })
	}
	// The answer succeeded, and is for example text/html (Result.Into of k8s.io/client-go/rest; the error has no type of its own).
	return err != nil && strings.HasPrefix(err.Error(), "serializer for ") && strings.HasSuffix(err.Error(), " doesn't exist")
}

// Message is the API server's own sentence, or the transport's without the address it repeats.
func Message(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	if address, ok := errors.AsType[*url.Error](err); ok {
		return address.Err.Error()
	}
	return err.Error()
}

// Explain is the error of a read without which the command cannot go on.
func (c *Client) Explain(err error, verb, resource, namespace string) error {
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
		return fmt.Errorf("forbidden: %s; `kubectl auth can-i %s %s%s` checks the permission; `kubectl etp rbac` prints the ClusterRole to ask the administrator for",
			Message(err), verb, plural, in)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the server at %s rejects the credentials of this context (%s): they may have expired; log in again, or choose another context with --context",
			host, Message(err))
	case TimedOut(err):
		return fmt.Errorf("the server at %s did not answer in time (%s); try again, allow more time with --request-timeout, or choose another context with --context", host, Message(err))
	case cutOff(err):
		return fmt.Errorf("the server at %s closed the connection in the middle of its answer; try again", host)
	case errors.As(err, &dns), errors.As(err, &network):
		return fmt.Errorf("the server at %s cannot be reached (%s); check it with `kubectl cluster-info`, or choose another context with --context", host, Message(err))
	case NotKubernetes(err):
		return fmt.Errorf("the server at %s does not answer like a Kubernetes API server (%s); check the server's address with `kubectl config view --minify`, and any proxy on the way",
			host, Message(err))
	case apierrors.IsTooManyRequests(err):
		return fmt.Errorf("the server at %s is overloaded (%s); try again later", host, Message(err))
	}
	return fmt.Errorf("%s", Message(err))
}
