// Package fix takes a change of a Service through all its steps: read, plan, check, preview, confirm, apply, wait and
// verify. It prints nothing and asks nobody: an Observer is told of each step.
package fix

import (
	"context"
	"errors"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// DryRun is how far a Helper goes, in the words of kubectl's --dry-run.
type DryRun string

const (
	// DryRunNone writes the change.
	DryRunNone DryRun = "none"
	// DryRunClient ends after a preview that is computed here.
	DryRunClient DryRun = "client"
	// DryRunServer ends after a preview that the server has checked and completed.
	DryRunServer DryRun = "server"
)

// Helper takes changes through. Reader, Writer, Now and After must be set.
type Helper struct {
	Reader *collect.Client
	Writer *apply.Client
	// Now is the current time, and After a channel that receives once when d has passed.
	Now   func() time.Time
	After func(d time.Duration) <-chan time.Time

	// AcceptedRisks are the risks that the user has accepted, in the words of remedy.Precondition.Risk.
	AcceptedRisks []string
	// Timeout bounds the wait for rollouts and controllers after the change. 0 does not wait.
	Timeout time.Duration
	// DryRun is DryRunNone where it is empty.
	DryRun   DryRun
	Observer Observer
}

// Observer is told of each step. A function that is nil is not called. An error that one returns ends the run, and is
// the run's error.
type Observer struct {
	// Retrying: something else changed object before anything was written here. The Service is read and planned again.
	Retrying func(object string) error
	// Previewed is called once for each plan, before anything is asked or written.
	Previewed func(*Preview) error
	// Confirm decides whether the change is written: nil is yes. Where the function itself is nil the change is written
	// without a question. It is not called in a dry run, nor where the preview has an error.
	Confirm func(context.Context, *Preview) error
	// Applied names the objects that were written, in their order.
	Applied func(objects []cluster.Object) error
	// Progress has one line, without its end, on a rollout or on the load balancer's controller.
	Progress func(line string) error
}

// State is one Service as it was read.
type State struct {
	Snapshot     *cluster.Snapshot
	Report       *report.Report
	Surroundings *cluster.Surroundings
}

// Facts are what plans are made from.
func (s *State) Facts() *remedy.Facts {
	return &remedy.Facts{
		Snapshot: s.Snapshot, Service: s.Report.Service, Provider: s.Report.Provider, Findings: s.Report.Findings,
		Surroundings: s.Surroundings,
	}
}

// Change is one fix, or the undoing of one.
type Change struct {
	// Plan is what a fix was planned from. For an undo it has the changes and their simulation, and no preconditions.
	Plan *remedy.Plan
	Fix  *apply.Fix
}

// NewChange is the change that a plan for a Service makes. At is its time, which tells it from other fixes.
func NewChange(plan *remedy.Plan, before *State, at time.Time) *Change {
	return &Change{
		Plan: plan,
		Fix:  &apply.Fix{Mode: plan.Mode, Service: before.Report.Title(), Time: at.UTC(), Changes: plan.Changes},
	}
}

// Undo is the change that undoes the last fix of a Service. Its errors are those of apply.Client.Undo.
func (h *Helper) Undo(ctx context.Context, before *State) (*Change, error) {
	service := before.Report.Service
	fix, err := h.Writer.Undo(ctx, service.Namespace, service.Name)
	if err != nil {
		return nil, err
	}
	return &Change{Plan: remedy.Given(fix.Mode, before.Facts(), fix.Changes), Fix: fix}, nil
}

// Undoes is the fix that the change undoes, nil where it is a fix itself.
func (c *Change) Undoes() *apply.Record { return c.Fix.Undoes() }

// Preview is a change that has not been made.
type Preview struct {
	Change *Change
	Before *State
	// After is the report that is expected after the change.
	After *report.Report
	// Prepared is what would be written; empty where the change is refused and DryRun is not DryRunClient.
	Prepared []apply.Prepared
	// Refused is why the change is not written, nil where nothing rules it out. Err is the server's refusal of the dry
	// run.
	Refused *RefusedError
	Err     error
}

// Outcome is what is known once a change was written.
type Outcome struct {
	Change *Change
	Before *State
	// After is the Service as it was read again, nil where that failed.
	After *report.Report
	// Doubts are the reasons why the effect of the change is not confirmed; empty where it is.
	Doubts []Doubt
}

// Doubt is one reason why the effect of a change is not confirmed.
type Doubt struct {
	// Why is a sentence without a full stop.
	Why string
	// Assumed: what was read again shows what a controller is expected to do, and not what it has done.
	Assumed bool
}

// Planner makes the change of a Service; nil where there is nothing to change. It is called again, with a new state,
// after each conflict.
type Planner func(context.Context, *State) (*Change, error)

// Run takes the change that planner makes for the one Service of q through all steps. The outcome is nil where nothing
// was to be written: planner made no change, or this is a dry run. An *IncompleteError says that something was written,
// or may have been; after any other error nothing was changed. These are a *RefusedError, a *ContestedError, an error
// of an Observer or of planner, and what the reader and the writer return.
func (h *Helper) Run(ctx context.Context, q collect.Query, planner Planner) (*Outcome, error) {
	for n := 1; ; n++ {
		outcome, err := h.attempt(ctx, q, planner)
		object := contested(err)
		if object == "" {
			return outcome, err
		}
		if n == attempts {
			return nil, &ContestedError{Object: object, Attempts: attempts, Err: err}
		}
		if h.Observer.Retrying != nil {
			if err := h.Observer.Retrying(object); err != nil {
				return nil, err
			}
		}
	}
}

// attempts is how often a change is planned where each attempt ends with a conflict.
const attempts = 3

// contested is the object of a conflict before the first write, "" where err is something else.
func contested(err error) string {
	if _, incomplete := errors.AsType[*IncompleteError](err); incomplete {
		return ""
	}
	if conflict, ok := errors.AsType[*apply.ConflictError](err); ok {
		return apply.Name(conflict.Object)
	}
	if changed, ok := errors.AsType[*collect.ChangedError](err); ok {
		return "service " + changed.Namespace + "/" + changed.Name
	}
	return ""
}

// attempt takes a change through once.
func (h *Helper) attempt(ctx context.Context, q collect.Query, planner Planner) (*Outcome, error) {
	before, err := h.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	change, err := planner(ctx, before)
	if change == nil || err != nil {
		return nil, err
	}
	r := &run{Helper: h, query: q, before: before, change: change, expected: change.Plan.Simulate(before.Snapshot)}
	preview, err := r.preview(ctx)
	if err != nil {
		return nil, err
	}
	if h.Observer.Previewed != nil {
		if err := h.Observer.Previewed(preview); err != nil {
			return nil, err
		}
	}
	switch {
	case preview.Refused != nil:
		return nil, preview.Refused
	case preview.Err != nil:
		return nil, preview.Err
	case h.DryRun == DryRunClient || h.DryRun == DryRunServer:
		return nil, nil //nolint:nilnil // nil is that nothing was to be written
	}
	if h.Observer.Confirm != nil {
		if err := h.Observer.Confirm(ctx, preview); err != nil {
			return nil, err
		}
	}
	r.noteEvents(ctx)
	if err := r.write(ctx, preview.Prepared); err != nil {
		return nil, err
	}
	outcome, err := r.verify(ctx, preview)
	if err != nil {
		return nil, &IncompleteError{Service: before.Report.Service, Undo: change.Undoes() != nil, Err: err}
	}
	return outcome, nil
}

// run is one attempt under way.
type run struct {
	*Helper
	query    collect.Query
	before   *State
	change   *Change
	expected *cluster.Snapshot
	// known are the events of the Service from before the change, nil where no controller is known to confirm it by
	// one. eventsErr is why they could not be read.
	known     map[string]bool
	eventsErr error
}

// preview computes what would be written and what is expected of it. Its error is one after which there is nothing to
// show, a conflict for example.
func (r *run) preview(ctx context.Context) (*Preview, error) {
	p := &Preview{
		Change: r.change, Before: r.before, After: &report.Diagnose(r.expected)[0],
		Refused: Refusal(r.change.Plan, r.AcceptedRisks),
	}
	var err error
	switch {
	case r.DryRun == DryRunClient:
		p.Prepared, err = r.Writer.Draft(ctx, r.change.Fix)
	case p.Refused == nil:
		p.Prepared, err = r.Writer.Prepare(ctx, r.change.Fix)
	}
	if err != nil && !errors.As(err, new(*apply.ServerError)) {
		return nil, err
	}
	p.Err = err
	return p, nil
}

// write sends the change.
func (r *run) write(ctx context.Context, prepared []apply.Prepared) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := r.Writer.Apply(ctx, prepared)
	if errors.As(err, new(*apply.UncertainError)) || errors.As(err, new(*apply.RestoredError)) {
		return &IncompleteError{Service: r.before.Report.Service, Undo: r.change.Undoes() != nil, Err: err}
	}
	return err
}

// progress tells the Observer one line.
func (r *run) progress(line string) error {
	if r.Observer.Progress == nil {
		return nil
	}
	return r.Observer.Progress(line)
}
