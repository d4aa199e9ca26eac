package fix

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

const (
	// pollInterval is the time between two reads.
	pollInterval = time.Second
	// quiet is how long the events of a controller are awaited when none arrives.
	quiet = 20 * time.Second
)

// sleep waits for one poll interval, or for the end of ctx, which is its error.
func (h *Helper) sleep(ctx context.Context) error {
	select {
	case <-h.After(pollInterval):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait follows the rollouts that the change starts, and the load balancer's controller. It returns what was not seen to
// end well.
func (r *run) wait(ctx context.Context) ([]Doubt, error) {
	deadline := r.Now().Add(r.Timeout)
	for _, c := range r.change.Fix.Changes {
		switch {
		case c.Object.Kind == "ConfigMap":
			return []Doubt{{Why: "not checked: whether CoreDNS has loaded the new Corefile (with the reload plugin it does so in a minute or two)"}}, nil
		case !startsRollout(&c):
		case r.Timeout == 0:
			return []Doubt{{Why: fmt.Sprintf("did not wait for the rollout of %s (--timeout=0)", apply.Name(c.Object))}}, nil
		default:
			why, err := r.awaitRollout(ctx, c.Object, deadline)
			if err != nil {
				return nil, err
			}
			if why != "" {
				return []Doubt{{Why: why}}, nil
			}
		}
	}
	why, err := r.awaitController(ctx, deadline)
	if why == "" || err != nil {
		return nil, err
	}
	return []Doubt{{Why: why, Assumed: true}}, nil
}

// awaitRollout waits for the end of a rollout. It returns why it has not ended, "" where it has.
func (r *run) awaitRollout(ctx context.Context, object cluster.Object, deadline time.Time) (why string, err error) {
	name, last, start := apply.Name(object), "", r.Now()
	for {
		p, err := r.Reader.Rollout(ctx, object)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err != nil:
			// A server that does not answer for a moment is asked again, until the deadline.
			p.Said = err.Error()
		case p.Failed != "":
			return fmt.Sprintf("the rollout of %s cannot finish: %s", name, p.Failed), nil
		}
		if p.Said != last {
			last = p.Said
			waited := r.Now().Sub(start).Round(time.Second)
			line := fmt.Sprintf("rollout of %s: %s (waited %s of at most %s)", name, p.Said, waited, r.Timeout)
			if err := r.progress(line); err != nil {
				return "", err
			}
		}
		switch {
		case p.Done:
			return "", nil
		case !r.Now().Before(deadline):
			return fmt.Sprintf("the rollout of %s has not finished in %s: %s", name, r.Timeout, p.Said), nil
		}
		if err := r.sleep(ctx); err != nil {
			return "", err
		}
	}
}

// noteEvents remembers the events of the Service from before the change, where a controller confirms the change by one.
// The change does not depend on them.
func (r *run) noteEvents(ctx context.Context) {
	plan := r.change.Plan
	if len(plan.Signs) == 0 || r.Timeout == 0 {
		return
	}
	events, err := r.Reader.Heard(ctx, plan.Service.Namespace, plan.Service.Name)
	if err != nil {
		r.eventsErr = err
		return
	}
	r.known = map[string]bool{}
	for _, e := range events {
		r.known[eventKey(&e)] = true
	}
}

// eventKey tells one event, and one repetition of it, from another.
func eventKey(e *collect.Said) string { return e.Event + " " + e.Version }

// awaitController waits for what shows that the load balancer's controller has followed the change. It returns why that
// is not confirmed, "" where it is, or where the change does not concern a controller.
func (r *run) awaitController(ctx context.Context, deadline time.Time) (why string, err error) {
	plan, controller := r.change.Plan, cmp.Or(r.before.Report.Provider.Title, "the load balancer")
	switch {
	case !changesService(r.change), r.before.Report.Service.Type != cluster.TypeLoadBalancer:
		return "", nil
	case plan.Mode == remedy.Hostname && r.change.Undoes() == nil:
		// The status shows it, whatever events there are.
		return "", r.awaitHostname(ctx, deadline)
	case len(plan.Signs) == 0 && setsAnnotation(r.change):
		return "cannot tell whether " + controller + " has applied the change: no event or status is known that shows it", nil
	case len(plan.Signs) == 0:
		return "", r.progress("not checked: whether " + controller + " has applied the new policy (no event or status is known that shows it)")
	case r.eventsErr != nil:
		//nolint:nilerr // The change is written; that its effect was not seen is the outcome, not a failure.
		return fmt.Sprintf("could not read the events of the load balancer's controller: %v", r.eventsErr), nil
	case r.Timeout == 0:
		return "did not wait for the load balancer's controller (--timeout=0)", nil
	}
	if err := r.progress(fmt.Sprintf("waiting for the load balancer's controller, at most %s without an event", min(quiet, r.Timeout))); err != nil {
		return "", err
	}
	return r.awaitEvent(ctx, deadline)
}

// awaitEvent waits for an event by which the controller confirms the change or says that it failed. Each new event
// extends the wait.
func (r *run) awaitEvent(ctx context.Context, deadline time.Time) (why string, err error) {
	plan := r.change.Plan
	silentUntil := r.Now().Add(quiet)
	for {
		events, unread := r.Reader.Heard(ctx, plan.Service.Namespace, plan.Service.Name)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		var recent []collect.Said
		for _, e := range events {
			if key := eventKey(&e); unread == nil && !r.known[key] {
				r.known[key] = true
				recent = append(recent, e)
			}
		}
		for _, e := range recent {
			silentUntil = r.Now().Add(quiet)
			if err := r.progress(fmt.Sprintf("event %s %s: %s", e.Type, e.Reason, e.Message)); err != nil {
				return "", err
			}
		}
		switch good, bad := signsIn(recent, plan.Signs); {
		case bad != nil:
			return "the load balancer's controller reported a failure: " + bad.Means, nil
		case good != nil:
			return "", r.progress("the load balancer's controller confirmed the change: " + good.Means)
		}
		if now := r.Now(); !now.Before(silentUntil) || !now.Before(deadline) {
			if unread != nil {
				return fmt.Sprintf("could not read the events of the load balancer's controller: %v", unread), nil
			}
			return fmt.Sprintf("no event from the load balancer's controller in %s", min(quiet, r.Timeout)), nil
		}
		if err := r.sleep(ctx); err != nil {
			return "", err
		}
	}
}

// signsIn are the last signs of success and of failure among events, nil where there is none.
func signsIn(events []collect.Said, signs []provider.Sign) (good, bad *provider.Sign) {
	for _, e := range events {
		for i := range signs {
			switch sign := &signs[i]; {
			case sign.Reason != "" && sign.Reason != e.Reason, !strings.Contains(e.Message, sign.Contains):
			case sign.Bad:
				bad = sign
			default:
				good = sign
			}
		}
	}
	return good, bad
}

// changesService says whether a change writes the Service itself, and not only its workloads.
func changesService(c *Change) bool {
	return slices.ContainsFunc(c.Fix.Changes, func(c remedy.Change) bool { return c.Object.Kind == "Service" })
}

// setsAnnotation says whether a change writes annotations, which have no effect until a controller reads them.
func setsAnnotation(c *Change) bool {
	return slices.ContainsFunc(c.Fix.Changes, func(c remedy.Change) bool {
		return slices.ContainsFunc(c.Fields, func(f remedy.Field) bool { return slices.Contains(f.Path, "annotations") })
	})
}

// awaitHostname waits until the status of the Service has no address that nodes handle themselves. Where that does not
// happen in time verify finds the address.
func (r *run) awaitHostname(ctx context.Context, deadline time.Time) error {
	if r.Timeout == 0 {
		return nil
	}
	if err := r.progress(fmt.Sprintf("waiting for the load balancer's controller to publish the name, at most %s", min(quiet, r.Timeout))); err != nil {
		return err
	}
	if end := r.Now().Add(quiet); end.Before(deadline) {
		deadline = end
	}
	for {
		state, err := r.reread(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && !publishesAddress(state.Report.Service), !r.Now().Before(deadline):
			return nil
		}
		if err := r.sleep(ctx); err != nil {
			return err
		}
	}
}
