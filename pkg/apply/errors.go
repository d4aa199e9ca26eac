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

// ConflictError says that an object is not what a change was made from: somebody else wrote to it. Nothing of the change has been made.
type ConflictError struct{ Object cluster.Object }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("somebody else has changed %s since it was read", Name(e.Object))
}

// UncertainError says that a patch was sent and that it could not be found out whether it was made.
type UncertainError struct {
	Object cluster.Object
	Err    error
}

func (e *UncertainError) Error() string {
	return fmt.Sprintf("patch %s: it is not known whether it was made: the server stopped answering (%v) and cannot be asked", Name(e.Object), e.Err)
}

func (e *UncertainError) Unwrap() error { return e.Err }

// TakenBackError says that a change failed and what became of the changes that were made before it.
type TakenBackError struct {
	Err error
	// TakenBack are the objects that are again as they were; Left those that could not be taken back and carry their record.
	TakenBack, Left []cluster.Object
}

func (e *TakenBackError) Error() string {
	return e.Err.Error() + "; " + e.Outcome()
}

// Outcome says what became of the earlier changes, without what went wrong.
func (e *TakenBackError) Outcome() string {
	var parts []string
	if len(e.TakenBack) > 0 {
		parts = append(parts, "the change of "+names(e.TakenBack)+" has been taken back")
	}
	if len(e.Left) > 0 {
		parts = append(parts, names(e.Left)+" is still changed")
	}
	return strings.Join(parts, "; ")
}

func (e *TakenBackError) Unwrap() error { return e.Err }

func names(objects []cluster.Object) string {
	list := make([]string, len(objects))
	for i, o := range objects {
		list[i] = Name(o)
	}
	return strings.Join(list, ", ")
}

// ChangedError says that a field is not any more what a fix made of it: it is somebody else's now, and is not taken back.
type ChangedError struct {
	Object string
	Path   []string
	// Made is what the fix wrote, Is what is there now; nil where there is nothing.
	Made, Is any
	// Part is the line that begins the part that the fix was about; "" where it was about the whole field.
	Part string
}

func (e *ChangedError) Error() string {
	if e.Part != "" {
		return fmt.Sprintf("somebody else has changed %s of %s since: the lines that the fix wrote, below %q, are not what they were", strings.Join(e.Path, "."), e.Object, e.Part)
	}
	return fmt.Sprintf("somebody else has changed %s of %s since: it is %s, and the fix made it %s", strings.Join(e.Path, "."), e.Object, short(e.Is), short(e.Made))
}

// short is a value in a few words.
func short(v any) string {
	if v == nil {
		return "not there"
	}
	text, err := compact(v)
	if err != nil || len(text) > 60 {
		return "something else"
	}
	return strings.Trim(string(text), `"`)
}

// settled says whether an error of a write is the server's own word that nothing was written. After any other one it may have been.
func settled(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		// A webhook's own words may come with any code, 500 among them; a 500 of the server itself is not that certain.
		return code >= http.StatusBadRequest && code < http.StatusInternalServerError
	}
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}

// refused says what was being done to which object, and what to do about it.
func (c *Client) refused(err error, o cluster.Object, doing string) error {
	if err == nil {
		return nil
	}
	if apierrors.IsConflict(err) {
		return &ConflictError{o}
	}
	verb, _, _ := strings.Cut(doing, " ")
	if verb != "get" {
		verb = "patch"
	}
	group, _, _ := strings.Cut(o.APIVersion, "/")
	plural := strings.ToLower(o.Kind) + "s"
	if strings.Contains(o.APIVersion, "/") {
		plural += "." + group
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) && !errors.Is(err, context.Canceled) && !(apierrors.IsForbidden(err) && strings.Contains(status.Status().Message, " cannot ")) &&
		!apierrors.IsUnauthorized(err) && !apierrors.IsTooManyRequests(err) {
		// The server's own sentence says it best: a webhook's, a policy's, a quota's, a validation's.
		return &ServerError{What: doing + " " + Name(o), Err: err}
	}
	return &ServerError{What: doing + " " + Name(o), Err: err, Said: collect.Explain(err, c.host, verb, plural, o.Namespace)}
}

// ServerError says what the server did not do, and in its own words why.
type ServerError struct {
	What string
	Err  error
	// Said explains Err; nil where Err says it best.
	Said error
}

func (e *ServerError) Error() string {
	if e.Said != nil {
		return e.What + ": " + e.Said.Error()
	}
	return e.What + ": " + e.Err.Error()
}

func (e *ServerError) Unwrap() error { return e.Err }

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }
