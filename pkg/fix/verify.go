package fix

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// Read reads the one Service of a query and everything that a plan for it depends on. Its error is a *SeveralError where the
// query is about more Services.
func (h *Helper) Read(ctx context.Context, q collect.Query) (*State, error) {
	state, err := h.diagnose(ctx, q)
	if err != nil {
		return nil, err
	}
	state.Surroundings, err = h.Reader.Surroundings(ctx, state.Snapshot, state.Report.Service)
	if err != nil {
		return nil, err
	}
	return state, nil
}

// diagnose reads one Service as status does, without its surroundings.
func (h *Helper) diagnose(ctx context.Context, q collect.Query) (*State, error) {
	objects, err := h.Reader.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	s, err := objects.Snapshot(q)
	if err != nil {
		return nil, err
	}
	if len(s.Services) != 1 {
		several := &SeveralError{}
		for i := range s.Services {
			several.Services = append(several.Services, s.Services[i].Namespace+"/"+s.Services[i].Name)
		}
		return nil, several
	}
	return &State{Snapshot: s, Report: &report.Diagnose(s)[0]}, nil
}

// reread reads the Service again, by its own name.
func (r *run) reread(ctx context.Context) (*State, error) {
	service := r.before.Report.Service
	q := collect.Query{Args: []string{"svc/" + service.Name}, Namespace: service.Namespace, Dataplane: r.query.Dataplane}
	return r.diagnose(ctx, q)
}

// verify waits for what the change starts, reads the Service again, and compares it with what was expected.
func (r *run) verify(ctx context.Context, p *Preview) (*Outcome, error) {
	if r.Observer.Applied != nil {
		objects := make([]cluster.Object, len(p.Prepared))
		for i := range p.Prepared {
			objects[i] = p.Prepared[i].Change.Object
		}
		if err := r.Observer.Applied(objects); err != nil {
			return nil, err
		}
	}
	out := &Outcome{Change: r.change, Before: r.before}
	var err error
	if out.Doubts, err = r.wait(ctx); err != nil {
		return nil, err
	}
	after, unsettled, err := r.converge(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		out.Doubts = append(out.Doubts, Doubt{Why: fmt.Sprintf("reading the Service again failed: %v", err)})
		return out, nil
	}
	out.After = after.Report
	if unsettled != "" {
		out.Doubts = append(out.Doubts, Doubt{Why: unsettled})
	}
	if why := unmetExpectation(r.change, r.before.Report, p.After, after.Report); why != "" {
		out.Doubts = append(out.Doubts, Doubt{Why: why})
	}
	return out, nil
}

// maxPolls bounds how often endpoints are polled until they settle.
const maxPolls = 15

// converge reads the Service until its endpoints are those of the workloads that were rolled out, since the endpoint
// controller follows a moment later. unsettled is what was still open when the polls were over, "" where nothing was.
func (r *run) converge(ctx context.Context) (after *State, unsettled string, err error) {
	for n := 1; ; n++ {
		if after, err = r.reread(ctx); err != nil {
			return nil, "", err
		}
		available, rolledOut := 0, false
		var unread error
		for _, c := range r.change.Fix.Changes {
			if !startsRollout(&c) || r.Timeout == 0 {
				continue
			}
			p, err := r.Reader.Rollout(ctx, c.Object)
			if err != nil {
				unread = err
				continue
			}
			available, rolledOut = available+p.Available, true
		}
		service := after.Report.Service
		switch {
		case unread == nil && (!rolledOut || endpointsMatch(service, available)):
			return after, "", nil
		case n < maxPolls:
		case unread != nil:
			return after, fmt.Sprintf("could not read the rollout again: %v", unread), nil
		case !service.EndpointsKnown:
			return after, "could not read the endpoints again", nil
		default:
			return after, fmt.Sprintf("the endpoints do not match the rollout yet: ready endpoints: %d, available pods: %d",
				service.ReadyBackends(), available), nil
		}
		if err := r.sleep(ctx); err != nil {
			return nil, "", err
		}
	}
}

// endpointsMatch says whether a Service has as many ready backends as its workloads have available pods, and none that
// is terminating.
func endpointsMatch(svc *cluster.Service, available int) bool {
	terminating := slices.ContainsFunc(svc.Endpoints, func(e cluster.Endpoint) bool { return e.Terminating })
	return svc.ReadyBackends() == available && !terminating
}

// unmetExpectation is what shows, in a Service that was read again, that a fix has no effect yet: a finding that it was
// to fix, or an address that it was to remove from the status. It is "" where all is as expected, and for an undo.
func unmetExpectation(c *Change, before, expected, after *report.Report) string {
	if c.Undoes() != nil {
		return ""
	}
	unchanged := report.Compare(before, after).Unchanged
	var left []string
	for _, f := range report.Compare(before, expected).Fixed {
		same := func(u finding.Finding) bool { return u.Code == f.Code }
		if slices.Contains(c.Plan.Fixes, f.Code) && slices.ContainsFunc(unchanged, same) {
			left = append(left, f.Code)
		}
	}
	switch {
	case len(left) > 0:
		return strings.Join(left, ", ") + " is still found"
	case c.Plan.Mode == remedy.Hostname && publishesAddress(expected.Service) != publishesAddress(after.Service):
		return "the status of the Service still has the address"
	}
	return ""
}

// publishesAddress says whether the status of a Service has an address that nodes handle themselves.
func publishesAddress(svc *cluster.Service) bool {
	return slices.ContainsFunc(svc.Ingress, func(in cluster.Ingress) bool { return in.IP.IsValid() && in.IPMode != cluster.Proxy })
}

// startsRollout says whether a change starts a rollout whose progress can be read.
func startsRollout(c *remedy.Change) bool {
	return c.Starts != "" && (c.Object.Kind == "Deployment" || c.Object.Kind == "StatefulSet")
}
