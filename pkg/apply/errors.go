package apply

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

// ConflictError says that an object is not what a change was planned from, because something else has written to it.
// The change was not written.
type ConflictError struct{ Object cluster.Object }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("something else has changed %s since it was read", Name(e.Object))
}

// UncertainError says that a patch was sent, and that nothing tells whether it was written.
type UncertainError struct {
	Object cluster.Object
	Err    error
}

func (e *UncertainError) Error() string {
	return fmt.Sprintf("patch %s: cannot tell whether the change was made: the server stopped answering (%v)", Name(e.Object), e.Err)
}

func (e *UncertainError) Unwrap() error { return e.Err }

// RestoredError says that a change failed, and what became of the changes that were written before it.
type RestoredError struct {
	Err error
	// Restored are the objects that have their former values again. Left are those that are still changed and have
	// their record.
	Restored, Left []cluster.Object
}

func (e *RestoredError) Error() string {
	return e.Err.Error() + "; " + e.Outcome()
}

// Outcome says what became of the earlier changes, without the cause.
func (e *RestoredError) Outcome() string {
	var parts []string
	if len(e.Restored) > 0 {
		parts = append(parts, names(e.Restored)+" has its former values again")
	}
	if len(e.Left) > 0 {
		parts = append(parts, names(e.Left)+" is still changed")
	}
	return strings.Join(parts, "; ")
}

func (e *RestoredError) Unwrap() error { return e.Err }

func names(objects []cluster.Object) string {
	list := make([]string, len(objects))
	for i, o := range objects {
		list[i] = Name(o)
	}
	return strings.Join(list, ", ")
}

// ChangedError says that a field no longer has the value that a fix gave it. Undo does not overwrite it.
type ChangedError struct {
	Object string
	Path   []string
	// Made is the value that the fix wrote, and Is the present one; nil where the field is absent.
	Made, Is any
	// Part is the first line of the part of the field that the fix changed; "" where it changed the whole field.
	Part string
}

func (e *ChangedError) Error() string {
	if e.Part != "" {
		return fmt.Sprintf("%s of %s was changed after the fix: the lines that the fix wrote, below %q, are different now",
			strings.Join(e.Path, "."), e.Object, e.Part)
	}
	return fmt.Sprintf("%s of %s was changed after the fix: it is %s now, and the fix set it to %s",
		strings.Join(e.Path, "."), e.Object, short(e.Is), short(e.Made))
}

// short is a value for a sentence.
func short(v any) string {
	if v == nil {
		return "absent"
	}
	text, err := compact(v)
	if err != nil || len(text) > 60 {
		return "a longer value"
	}
	return strings.Trim(string(text), `"`)
}

// refusedByServer says whether the error of a write means that nothing was written. After any other error it may have
// been.
func refusedByServer(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		// A webhook may refuse with any code, 500 too; but after a 500 of the server itself the object may have been
		// written.
		return code >= http.StatusBadRequest && code < http.StatusInternalServerError
	}
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}

// refused is a *ConflictError for a conflict, and otherwise a *ServerError that says what was being done to which
// object.
func (c *Client) refused(err error, o cluster.Object, doing string) error {
	if err == nil {
		return nil
	}
	if apierrors.IsConflict(err) {
		return &ConflictError{o}
	}
	verb, _, _ := strings.Cut(doing, " ")
	if verb != "get" && verb != "list" {
		verb = "patch"
	}
	group, _, _ := strings.Cut(o.APIVersion, "/")
	plural := strings.ToLower(o.Kind) + "s"
	if strings.Contains(o.APIVersion, "/") {
		plural += "." + group
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) && !errors.Is(err, context.Canceled) &&
		!(apierrors.IsForbidden(err) && strings.Contains(status.Status().Message, " cannot ")) &&
		!apierrors.IsUnauthorized(err) && !apierrors.IsTooManyRequests(err) {
		// Webhooks, policies, quotas and validation explain themselves.
		return &ServerError{What: doing + " " + Name(o), Err: err}
	}
	return &ServerError{What: doing + " " + Name(o), Err: err, Explained: collect.Explain(err, c.host, verb, plural, o.Namespace)}
}

// ServerError says what the server refused or failed to do.
type ServerError struct {
	// What is the verb and the object.
	What string
	Err  error
	// Explained is Err with what to do about it; nil where Err explains itself.
	Explained error
}

func (e *ServerError) Error() string {
	if e.Explained != nil {
		return e.What + ": " + e.Explained.Error()
	}
	return e.What + ": " + e.Err.Error()
}

func (e *ServerError) Unwrap() error { return e.Err }

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }
