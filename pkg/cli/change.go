package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/prompt"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// changeFlags are those of every command that changes something.
type changeFlags struct {
	yes       bool
	dryRun    dryRun
	output    patchFormat
	risks     []string
	timeout   time.Duration
	color     render.ColorMode
	ascii     bool
	all       bool
	dataplane string
}

func newChangeFlags() changeFlags {
	return changeFlags{dryRun: dryRunNone, color: render.ColorAuto, timeout: 5 * time.Minute}
}

func (f *changeFlags) add(flags *pflag.FlagSet) {
	flags.BoolVarP(&f.yes, "yes", "y", false, "Make the change without a question")
	flags.Var(dryRunFlag(&f.dryRun), "dry-run", "Change nothing: client shows the plan, server also lets the server try it")
	flags.VarP(patchFormatFlag(&f.output), "output", "o", "Print the patch, and everything else on standard error")
	flags.StringArrayVar(&f.risks, "accept-risk", nil, "Go on in spite of this risk, which a failed check names; may be repeated")
	flags.DurationVar(&f.timeout, "timeout", f.timeout, "How long to wait for what the change sets off; 0 is not at all")
	flags.Var(colorFlag(&f.color), "color", "Use colours; auto is yes on a terminal, unless NO_COLOR is set or TERM is dumb")
	flags.BoolVar(&f.ascii, "ascii", false, "Print ASCII only; this is the default where the locale is not UTF-8")
	flags.BoolVar(&f.all, "all", false, "List every node, also where many are alike")
	flags.StringVar(&f.dataplane, "dataplane", "", "Take this data plane for the cluster's, NAME[/MODE][@VERSION] as in kube-proxy/ipvs@v1.22.17, whatever is detected")
}

// changeOptions are what they mean.
type changeOptions struct {
	*app
	yes       bool
	dryRun    dryRun
	output    patchFormat
	risks     []string
	timeout   time.Duration
	all       bool
	dataplane *collect.Override
	// style is for standard output, beside for standard error.
	style, beside func() *render.Style
	prompter      *prompt.Prompter
	reader        *collect.Client
	writer        *apply.Client
	// made is true from the moment on at which something may have been changed.
	made bool
}

func (f *changeFlags) options(a *app) (*changeOptions, error) {
	o := &changeOptions{app: a, yes: f.yes, dryRun: f.dryRun, output: f.output, risks: f.risks, timeout: f.timeout, all: f.all, prompter: prompt.New(a.streams.In, a.streams.Err)}
	if f.timeout < 0 {
		return nil, misuse("", "--timeout %s: it cannot be negative", f.timeout)
	}
	if f.dataplane != "" {
		override, err := collect.ParseDataplane(f.dataplane)
		if err != nil {
			return nil, misuse("", "--dataplane %s: %w", f.dataplane, err)
		}
		o.dataplane = override
	}
	o.style = func() *render.Style { return render.NewStyle(f.color, f.ascii, a.env.terminal(a.streams.Out)) }
	o.beside = func() *render.Style { return render.NewStyle(f.color, f.ascii, a.env.terminal(a.streams.Err)) }
	return o, nil
}

func (o *changeOptions) connect(reader *collect.Client) error {
	writer, err := apply.NewClient(o.config, o.env.After)
	o.reader, o.writer = reader, writer
	return failed(err)
}

// decided says whether nothing has to be asked before the end.
func (o *changeOptions) decided() bool { return o.yes || o.dryRun != dryRunNone }

// asks says whether there is somebody to ask.
func (o *changeOptions) asks() bool { return o.env.Asks(o.streams.In, o.streams.Err) }

// asking is how questions look.
func (o *changeOptions) asking() render.Options { return render.Options{Style: o.beside()} }

// show puts a screen out: beside a patch that is asked for by -o, it is no data.
func (o *changeOptions) show(screen func(render.Options) []byte) error {
	if o.output != "" {
		return o.writeErr(string(screen(render.Options{Style: o.beside(), All: o.all, Closes: collect.RBACRule})))
	}
	return o.write(screen(render.Options{Style: o.style(), All: o.all, Closes: collect.RBACRule}))
}

// tries is how often a change is planned anew because somebody else wrote to its objects.
const tries = 3

// again tries until no conflict ends it.
func (o *changeOptions) again(ctx context.Context, attempt func(context.Context) error) error {
	for n := 1; ; n++ {
		err := attempt(ctx)
		var conflict *apply.ConflictError
		var changed *collect.ChangedError
		if !errors.As(err, &conflict) && !errors.As(err, &changed) {
			return err
		}
		if _, partly := errors.AsType[*apply.TakenBackError](err); partly {
			return err
		}
		var what string
		if conflict != nil {
			what = apply.Name(conflict.Object)
		} else {
			what = "service " + changed.Namespace + "/" + changed.Name
		}
		if n == tries {
			return &ExitError{Code: exitFailed, Err: fmt.Errorf("gave up after %d attempts, and changed nothing: somebody else keeps changing %s", tries, what), Next: "find out who; then run the command again"}
		}
		if err := o.note(render.Escape(fmt.Sprintf("somebody else has changed %s meanwhile, and nothing has been changed here; looking again\n", what))); err != nil {
			return err
		}
	}
}

// conclude says of an interruption what it left.
func (o *changeOptions) conclude(ctx context.Context, err error) error {
	if ctx.Err() == nil || err == nil {
		return err
	}
	if !o.made {
		return errors.Join(err, o.note("interrupted; nothing was changed\n"))
	}
	e, ok := errors.AsType[*ExitError](err)
	if back, partly := errors.AsType[*apply.TakenBackError](err); ok && partly {
		return errors.Join(err, o.note(render.Escape("interrupted; "+back.Outcome()+"; "+e.Next)+"\n"))
	}
	if ok && e.Err != nil && !errors.Is(err, context.Canceled) {
		return errors.Join(err, o.note(render.Escape("interrupted; "+e.Err.Error())+"\n"))
	}
	return err
}

func (o *changeOptions) snapshot(ctx context.Context, q collect.Query) (*cluster.Snapshot, error) {
	objects, err := o.reader.Read(ctx, q)
	if err != nil {
		return nil, reading(err)
	}
	s, err := objects.Snapshot(q)
	return s, reading(err)
}

// look reads one Service and all that a change of it depends on.
func (o *changeOptions) look(ctx context.Context, q collect.Query) (*sight, error) {
	seen, err := o.glance(ctx, q)
	if err != nil {
		return nil, err
	}
	if seen.surroundings, err = o.reader.Surroundings(ctx, seen.snapshot, seen.report.Service); err != nil {
		return nil, reading(err)
	}
	return seen, nil
}

// glance reads one Service as status does.
func (o *changeOptions) glance(ctx context.Context, q collect.Query) (*sight, error) {
	s, err := o.snapshot(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(s.Services) != 1 {
		var names []string
		for i := range s.Services {
			names = append(names, s.Services[i].Namespace+"/"+s.Services[i].Name)
		}
		return nil, misuse("name one of them", "one Service is changed at a time, and these are meant: %s", strings.Join(names, ", "))
	}
	reports := report.Diagnose(s)
	return &sight{snapshot: s, report: &reports[0], at: o.env.Now()}, nil
}

// work is one change under way.
type work struct {
	title, about string
	// plan is what the change comes from; for one that takes a fix back it holds the changes alone.
	plan     *remedy.Plan
	back     bool
	fix      *apply.Fix
	question string
}

// refuses says whether something stands against a plan that no accepted risk goes around.
func refuses(p *remedy.Plan, accepted []string) bool {
	return slices.ContainsFunc(p.Preconditions, func(c remedy.Precondition) bool {
		return c.Holds != cluster.Yes && (c.Risk == "" || !slices.Contains(accepted, c.Risk))
	})
}

// carryOut shows what would be done, asks, does it, waits for what it sets off, and says what is true then.
func (o *changeOptions) carryOut(ctx context.Context, seen *sight, w *work) error {
	var prepared []apply.Prepared
	var err error
	refusal := o.refusal(w)
	simulated := report.Diagnose(w.plan.Simulate(seen.snapshot))
	preview := &render.Preview{Title: w.title, About: w.about, Accepted: o.risks, Before: seen.report, After: &simulated[0]}
	if !w.back {
		preview.Plan = w.plan
	}
	if refusal == nil || o.dryRun == dryRunClient {
		if o.dryRun == dryRunClient {
			prepared, err = o.writer.Draft(ctx, w.fix)
		} else {
			prepared, err = o.writer.Prepare(ctx, w.fix)
		}
		if err != nil && !errors.As(err, new(*apply.ServerError)) {
			return failed(err)
		}
	}
	for i := range prepared {
		p := &prepared[i]
		preview.Changes = append(preview.Changes, render.Change{
			Object: apply.Name(p.Change.Object), Starts: p.Change.Starts, Diff: p.Diff, Command: p.Command, Warnings: p.Warnings, Notes: p.Notes,
		})
	}
	if shown := o.show(func(s render.Options) []byte { return render.PreviewScreen(preview, s) }); shown != nil {
		return shown
	}
	switch {
	case refusal != nil && o.dryRun == dryRunClient && err == nil:
		// What stands against it here may be nothing at the source of the object, where the patch is wanted for.
		return cmp.Or(o.printPatches(prepared), refusal)
	case refusal != nil:
		return refusal
	case err != nil:
		return &ExitError{Code: exitFailed, Err: err, Next: "nothing was changed"}
	}
	if err := o.printPatches(prepared); err != nil {
		return err
	}
	if o.dryRun != dryRunNone {
		return o.note(fmt.Sprintf("nothing was changed (--dry-run=%s)\n", o.dryRun))
	}
	if !o.yes {
		if !o.asks() {
			return noTerminal()
		}
		if err := o.note("\n"); err != nil {
			return err
		}
		if err := o.prompter.Confirm(ctx, w.question); err != nil {
			return o.unanswered(err)
		}
	}
	heard := o.listen(ctx, w)
	if err := ctx.Err(); err != nil {
		return failed(err)
	}
	o.made = true
	if err := o.writer.Apply(ctx, prepared); err != nil {
		return o.unmade(err, seen)
	}
	var done []string
	for i := range prepared {
		done = append(done, apply.Name(prepared[i].Change.Object))
	}
	if err := o.note(render.Escape("patched "+strings.Join(done, ", ")) + "\n"); err != nil {
		return err
	}
	if err := o.settle(ctx, seen, w, heard); err != nil {
		if ctx.Err() != nil {
			return errors.Join(err, o.note(render.Escape("interrupted while looking again; "+o.standing(seen, w))+"\n"))
		}
		return err
	}
	return nil
}

// standing says that a change stands, and how it is taken back.
func (o *changeOptions) standing(seen *sight, w *work) string {
	if w.back {
		return "the fix is taken back"
	}
	s := seen.report.Service
	return fmt.Sprintf("the change is made; kubectl etp undo svc/%s -n %s takes it back", s.Name, s.Namespace)
}

// refusal is why a plan is not carried out, nil where nothing stands against it.
func (o *changeOptions) refusal(w *work) error {
	var failing, risks []string
	impossible := false
	for _, c := range w.plan.Preconditions {
		if c.Holds == cluster.Yes || c.Risk != "" && slices.Contains(o.risks, c.Risk) {
			continue
		}
		failing = append(failing, c.Name)
		if c.Risk == "" {
			impossible = true
		} else if !slices.Contains(risks, c.Risk) {
			risks = append(risks, c.Risk)
		}
	}
	if w.plan.Owner != nil && !slices.Contains(o.risks, remedy.WillBeReverted) {
		failing = append(failing, w.plan.Owner.Name+" would take it back")
		risks = append(risks, remedy.WillBeReverted)
	}
	switch {
	case impossible:
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("refused, and nothing was changed: %s", strings.Join(failing, ", ")), Next: "see above what must hold first, or choose another mode"}
	case len(failing) > 0:
		return &ExitError{
			Code: exitFailed, Err: fmt.Errorf("refused, and nothing was changed: %s", strings.Join(failing, ", ")),
			Next: "to go on all the same: --accept-risk=" + strings.Join(risks, " --accept-risk="),
		}
	case len(w.plan.ByHand) > 0:
		return &ExitError{Code: exitFailed, Err: errors.New("nothing was changed: what is to be changed is not this tool's to change"), Next: "see above what to change by hand"}
	}
	return nil
}

// unmade says what became of a change that failed.
func (o *changeOptions) unmade(err error, seen *sight) error {
	s := seen.report.Service
	var back *apply.TakenBackError
	var conflict *apply.ConflictError
	var uncertain *apply.UncertainError
	switch {
	case errors.As(err, &uncertain):
		return &ExitError{Code: exitFailed, Err: err, Next: fmt.Sprintf("when the server answers again, kubectl etp undo svc/%s -n %s takes the change back if it was made, and says so if it was not", s.Name, s.Namespace)}
	case errors.As(err, &back):
		next := "nothing is changed any more"
		if len(back.Left) > 0 {
			next = fmt.Sprintf("kubectl etp undo svc/%s -n %s takes back what is left", s.Name, s.Namespace)
		}
		return &ExitError{Code: exitFailed, Err: err, Next: next}
	case errors.As(err, &conflict), errors.Is(err, context.Canceled):
		o.made = false
		return err
	}
	o.made = false
	return &ExitError{Code: exitFailed, Err: err, Next: "nothing was changed"}
}

// printPatches puts the patches out in the form that -o asks for: as objects that hold the changed fields alone, which kubectl patch --patch-file takes, and kustomize.
func (o *changeOptions) printPatches(prepared []apply.Prepared) error {
	if o.output == "" {
		return nil
	}
	var documents []string
	for i := range prepared {
		text, err := prepared[i].Document()
		if err != nil {
			return failed(err)
		}
		if o.output == patchYAML {
			if text, err = yaml.JSONToYAML(text); err != nil {
				return failed(err)
			}
		} else {
			text = append(text, '\n')
		}
		documents = append(documents, string(text))
	}
	separator := ""
	if o.output == patchYAML {
		separator = "---\n"
	}
	return o.write([]byte(strings.Join(documents, separator)))
}

// settle waits for what a change sets off, looks again, and says what is true now.
func (o *changeOptions) settle(ctx context.Context, before *sight, w *work, heard map[string]bool) error {
	unfinished, err := o.wait(ctx, w, heard)
	if err != nil {
		return err
	}
	service := before.report.Service
	query := collect.Query{Args: []string{"svc/" + service.Name}, Namespace: service.Namespace, Dataplane: o.dataplane}
	after, err := o.converged(ctx, query, w)
	if err != nil {
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("%s, but looking again failed: %w", o.standing(before, w), err)}
	}
	if err := o.show(func(s render.Options) []byte {
		return slices.Concat([]byte("\n"), render.Screen(after.report, s), []byte("\n"), render.Outcome(before.report, after.report, s))
	}); err != nil {
		return err
	}
	if unfinished != "" {
		return &ExitError{Code: exitFailed, Err: errors.New(unfinished), Next: o.standing(before, w)}
	}
	if left := o.uncured(w, before, after); left != "" {
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("the change is made, and %s is still found", left), Next: o.standing(before, w)}
	}
	return o.note(render.Escape(o.standing(before, w)) + "\n")
}

// uncured are the findings that the change was to cure, by its simulation, and that are still there.
func (o *changeOptions) uncured(w *work, before, after *sight) string {
	if w.back {
		return ""
	}
	simulated := report.Diagnose(w.plan.Simulate(before.snapshot))
	promised := report.Compare(before.report, &simulated[0]).Fixed
	found := report.Compare(before.report, after.report)
	var left []string
	for i := range promised {
		if code := promised[i].Code; slices.Contains(w.plan.Cures, code) && slices.ContainsFunc(found.Unchanged, func(f finding.Finding) bool { return f.Code == code }) {
			left = append(left, code)
		}
	}
	return strings.Join(left, ", ")
}

// pause is how long to wait between two looks.
const pause = time.Second

// wait follows the rollouts that the changes start and the events that say what became of them. Unfinished says what was not seen to end well in time, "" where
// everything was.
func (o *changeOptions) wait(ctx context.Context, w *work, heard map[string]bool) (unfinished string, err error) {
	if o.timeout == 0 {
		return "", nil
	}
	deadline := o.env.Now().Add(o.timeout)
	for _, c := range w.fix.Changes {
		if c.Starts == "" || c.Object.Kind != "Deployment" && c.Object.Kind != "StatefulSet" {
			continue
		}
		if unfinished, err := o.rollout(ctx, c.Object, deadline); unfinished != "" || err != nil {
			return unfinished, err
		}
	}
	return o.hear(ctx, w, heard, deadline)
}

// sleep waits for a pause, or for the end of ctx, which is its error.
func (o *changeOptions) sleep(ctx context.Context) error {
	select {
	case <-o.env.After(pause):
		return nil
	case <-ctx.Done():
		return failed(ctx.Err())
	}
}

func (o *changeOptions) rollout(ctx context.Context, object cluster.Object, deadline time.Time) (unfinished string, err error) {
	name, said := apply.Name(object), ""
	for {
		p, err := o.reader.Rollout(ctx, object)
		switch {
		case ctx.Err() != nil:
			return "", failed(ctx.Err())
		case err != nil:
			// A server that does not answer for a moment is asked again, until the time is over.
			p.Said = err.Error()
		case p.Failed != "":
			return fmt.Sprintf("the rollout of %s does not end: %s", name, p.Failed), nil
		}
		if line := "rollout of " + name + ": " + p.Said; line != said {
			said = line
			if err := o.note(render.Escape(line) + "\n"); err != nil {
				return "", err
			}
		}
		if p.Done {
			return "", nil
		}
		if !o.env.Now().Before(deadline) {
			return fmt.Sprintf("the rollout of %s has not ended in %s: %s", name, o.timeout, p.Said), nil
		}
		if err := o.sleep(ctx); err != nil {
			return "", err
		}
	}
}

// listen remembers what has been said of the Service before the change; nil where nobody is known to say anything.
func (o *changeOptions) listen(ctx context.Context, w *work) map[string]bool {
	if len(w.plan.Signs) == 0 || o.timeout == 0 {
		return nil
	}
	events, err := o.reader.Heard(ctx, w.plan.Service.Namespace, w.plan.Service.Name)
	if err != nil {
		return nil // What cannot be heard is not waited for; the change does not depend on it.
	}
	heard := map[string]bool{}
	for _, e := range events {
		heard[e.Event+" "+e.Version] = true
	}
	return heard
}

// quiet is how long a controller that says nothing is listened to.
const quiet = 20 * time.Second

// hear waits for the events that say what a load balancer's controller made of the change.
func (o *changeOptions) hear(ctx context.Context, w *work, heard map[string]bool, deadline time.Time) (unfinished string, err error) {
	if heard == nil {
		return "", nil
	}
	silence := o.env.Now().Add(quiet)
	if err := o.note("waiting for the load balancer's controller\n"); err != nil {
		return "", err
	}
	for {
		events, err := o.reader.Heard(ctx, w.plan.Service.Namespace, w.plan.Service.Name)
		if ctx.Err() != nil {
			return "", failed(ctx.Err())
		}
		if err != nil {
			events = nil
		}
		var good, bad *provider.Sign
		for _, e := range events {
			key := e.Event + " " + e.Version
			if heard[key] {
				continue
			}
			heard[key] = true
			silence = o.env.Now().Add(quiet)
			if err := o.note(render.Escape(fmt.Sprintf("event %s %s: %s", e.Type, e.Reason, e.Message)) + "\n"); err != nil {
				return "", err
			}
			for i := range w.plan.Signs {
				switch sign := &w.plan.Signs[i]; {
				case sign.Reason != "" && sign.Reason != e.Reason, !strings.Contains(e.Message, sign.Contains):
				case sign.Bad:
					bad = sign
				default:
					good = sign
				}
			}
		}
		switch {
		case bad != nil:
			return "the load balancer's controller did not follow: " + bad.Means, nil
		case good != nil:
			return "", o.note("the load balancer's controller says: " + good.Means + "\n")
		}
		now := o.env.Now()
		if !now.Before(silence) || !now.Before(deadline) {
			return "", o.note("the load balancer's controller has said nothing of it so far\n")
		}
		if err := o.sleep(ctx); err != nil {
			return "", err
		}
	}
}

// looks is how often the endpoints are given time to follow the pods.
const looks = 15

// converged reads the Service once its endpoints are those of the workloads that were rolled out: their controller is a moment behind.
func (o *changeOptions) converged(ctx context.Context, q collect.Query, w *work) (*sight, error) {
	for n := 1; ; n++ {
		seen, err := o.glance(ctx, q)
		if err != nil {
			return nil, err
		}
		available, rolled := 0, false
		for _, c := range w.fix.Changes {
			if c.Starts == "" || c.Object.Kind != "Deployment" && c.Object.Kind != "StatefulSet" || o.timeout == 0 {
				continue
			}
			if p, err := o.reader.Rollout(ctx, c.Object); err == nil {
				available, rolled = available+p.Available, true
			}
		}
		if !rolled || n == looks || caughtUp(seen.report.Service, available) {
			return seen, nil
		}
		if err := o.sleep(ctx); err != nil {
			return nil, err
		}
	}
}

// caughtUp says whether a Service has as many ready backends as its workloads have available pods, and no pod that leaves.
func caughtUp(svc *cluster.Service, available int) bool {
	leaving := slices.ContainsFunc(svc.Endpoints, func(e cluster.Endpoint) bool { return e.Terminating })
	return svc.ReadyBackends() == available && !leaving
}
