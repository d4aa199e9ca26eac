package fix

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// RefusedError says that a change is not written because of what was found.
type RefusedError struct {
	// Unmet are what rules it out, a few words each.
	Unmet []string
	// Risks are the words for --accept-risk that allow the change; empty where nothing allows it.
	Risks []string
	// ByHand: the objects to change are of a kind that this program does not write. Unmet is empty then.
	ByHand bool
}

func (e *RefusedError) Error() string {
	if e.ByHand {
		return "nothing was changed: kubectl etp does not change objects of this kind"
	}
	return "refused, and nothing was changed: " + strings.Join(e.Unmet, ", ")
}

// Refusal is why a plan is not written with these accepted risks, nil where nothing rules it out.
func Refusal(p *remedy.Plan, accepted []string) *RefusedError {
	e := &RefusedError{}
	possible := true
	for _, c := range Unmet(p, accepted) {
		e.Unmet = append(e.Unmet, c.Name)
		if c.Risk == "" {
			possible = false
		} else if !slices.Contains(e.Risks, c.Risk) {
			e.Risks = append(e.Risks, c.Risk)
		}
	}
	if p.Owner != nil && !slices.Contains(accepted, remedy.WillBeReverted) {
		e.Unmet = append(e.Unmet, p.Owner.Name+" would revert it")
		e.Risks = append(e.Risks, remedy.WillBeReverted)
	}
	switch {
	case !possible:
		e.Risks = nil
	case len(e.Unmet) > 0:
	case len(p.ByHand) > 0:
		e.ByHand = true
	default:
		return nil
	}
	return e
}

// Unmet are the preconditions of a plan that do not hold, or are not known to hold, and whose risk is not accepted.
func Unmet(p *remedy.Plan, accepted []string) (list []remedy.Precondition) {
	for _, c := range p.Preconditions {
		if c.Holds != cluster.Yes && (c.Risk == "" || !slices.Contains(accepted, c.Risk)) {
			list = append(list, c)
		}
	}
	return list
}

// ContestedError says that nothing was changed, because something else changed an object between reading and writing in
// every attempt.
type ContestedError struct {
	Object   string
	Attempts int
	// Err is the last conflict.
	Err error
}

func (e *ContestedError) Error() string {
	return fmt.Sprintf("gave up after %d attempts, and changed nothing: something else keeps changing %s", e.Attempts, e.Object)
}

func (e *ContestedError) Unwrap() error { return e.Err }

// IncompleteError says that a change was begun, and how it ended early.
type IncompleteError struct {
	Service *cluster.Service
	// Undo: the change is the undoing of a fix.
	Undo bool
	// Err is an *apply.UncertainError, an *apply.RestoredError, or what ended the steps after a change that was written
	// whole.
	Err error
}

func (e *IncompleteError) Error() string { return e.Err.Error() }

func (e *IncompleteError) Unwrap() error { return e.Err }

// Written is true where the whole change was written, and only what follows was cut short.
func (e *IncompleteError) Written() bool {
	return !errors.As(e.Err, new(*apply.UncertainError)) && !errors.As(e.Err, new(*apply.RestoredError))
}

// SeveralError says that a query is about more or fewer than one Service. Services are their names, as namespace/name.
type SeveralError struct{ Services []string }

func (e *SeveralError) Error() string {
	return "only one Service can be changed at a time, and the arguments match: " + strings.Join(e.Services, ", ")
}
