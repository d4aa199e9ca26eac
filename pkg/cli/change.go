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
	flags.BoolVarP(&f.yes, "yes", "y", false, "Make the change without asking")
	flags.Var(dryRunFlag(&f.dryRun), "dry-run", "Change nothing: client shows the plan, server also lets the server try it")
	flags.VarP(patchFormatFlag(&f.output), "output", "o", "Print the patch, and everything else on standard error")
	flags.StringArrayVar(&f.risks, "accept-risk", nil, "Accept this risk, which a failed check names; may be repeated")
	flags.DurationVar(&f.timeout, "timeout", f.timeout, "How long to wait for rollouts and controllers after the change; 0 does not wait")
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
		return o.writeErr(string(screen(render.Options{Style: o.beside(), All: o.all, Closes: collect.RBACRule, Grant: forFix.grant()})))
	}
	return o.write(screen(render.Options{Style: o.style(), All: o.all, Closes: collect.RBACRule, Grant: forFix.grant()}))
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
		if err := o.writeErr("\n" + string(render.Question(o.question(w, preview), o.asking()))); err != nil {
			return err
		}
		if err := o.prompter.Confirm(ctx, w.question); err != nil {
			return o.unanswered(err)
		}
	}
	heard, deaf := o.listen(ctx, w)
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
	if err := o.settle(ctx, seen, w, heard, deaf); err != nil {
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

// doubt is why the effect of a change that was written is not confirmed, one sentence without a full stop.
type doubt struct {
	why string
	// assumed: what is read again shows what is expected of a controller, and not what it has done.
	assumed bool
}

// settle waits for what a change starts, reads again, and says what is confirmed and what is not.
func (o *changeOptions) settle(ctx context.Context, before *sight, w *work, heard map[string]bool, deaf error) error {
	doubts, err := o.wait(ctx, before, w, heard, deaf)
	if err != nil {
		return err
	}
	service := before.report.Service
	query := collect.Query{Args: []string{"svc/" + service.Name}, Namespace: service.Namespace, Dataplane: o.dataplane}
	after, late, err := o.converged(ctx, query, w)
	if err != nil {
		return o.unconfirmed(before, w, append(doubts, doubt{why: fmt.Sprintf("reading again failed: %v", err)}))
	}
	doubts = append(doubts, late...)
	doubts = append(doubts, o.undone(w, before, after)...)
	if err := o.show(func(s render.Options) []byte {
		s.Assumed = slices.ContainsFunc(doubts, func(d doubt) bool { return d.assumed })
		var head []byte
		if len(doubts) > 0 {
			head = render.Unconfirmed(reasons(doubts), s)
		}
		return slices.Concat([]byte("\n"), head, render.Screen(after.report, s), []byte("\n"), render.Outcome(before.report, after.report, s))
	}); err != nil {
		return err
	}
	if len(doubts) > 0 {
		return o.unconfirmed(before, w, doubts)
	}
	return o.note(render.Escape(o.standing(before, w)) + "\n")
}

func reasons(doubts []doubt) []string {
	list := make([]string, len(doubts))
	for i, d := range doubts {
		list[i] = d.why
	}
	return list
}

// unconfirmed ends a command whose change was written, and whose effect was not seen.
func (o *changeOptions) unconfirmed(before *sight, w *work, doubts []doubt) error {
	return &ExitError{
		Code: exitUnconfirmed, Err: fmt.Errorf("written, not confirmed: %s", strings.Join(reasons(doubts), "; ")), Next: o.standing(before, w),
	}
}

// undone are the signs, in what is read again, that a change has no effect yet: findings that it should fix, and an address that it should take out of the status.
func (o *changeOptions) undone(w *work, before, after *sight) []doubt {
	if left := o.uncured(w, before, after); left != "" {
		return []doubt{{why: left + " is still found"}}
	}
	if expected := w.plan.Simulate(before.snapshot); w.plan.Mode == remedy.Hostname && !w.back && !sameIngress(expected, after.report.Service) {
		return []doubt{{why: "the status of the Service still has the address"}}
	}
	return nil
}

// sameIngress says whether a Service publishes addresses that nodes answer for exactly where it is expected to.
func sameIngress(expected *cluster.Snapshot, now *cluster.Service) bool {
	answered := func(svc *cluster.Service) bool {
		return slices.ContainsFunc(svc.Ingress, func(in cluster.Ingress) bool { return in.IP.IsValid() && in.IPMode != cluster.Proxy })
	}
	for i := range expected.Services {
		if svc := &expected.Services[i]; svc.Namespace == now.Namespace && svc.Name == now.Name {
			return answered(svc) == answered(now)
		}
	}
	return true
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
		if code := promised[i].Code; slices.Contains(w.plan.Fixes, code) && slices.ContainsFunc(found.Unchanged, func(f finding.Finding) bool { return f.Code == code }) {
			left = append(left, code)
		}
	}
	return strings.Join(left, ", ")
}

// pause is how long to wait between two looks.
const pause = time.Second

// wait follows the rollouts that the changes start and the events by which a load balancer's controller confirms them. It returns what was not seen to end well.
func (o *changeOptions) wait(ctx context.Context, before *sight, w *work, heard map[string]bool, deaf error) ([]doubt, error) {
	deadline := o.env.Now().Add(o.timeout)
	for _, c := range w.fix.Changes {
		switch {
		case c.Object.Kind == "ConfigMap":
			return []doubt{{why: "whether CoreDNS has read its Corefile since was not checked: with the reload directive it does in a minute or two"}}, nil
		case c.Starts == "" || !rolls(c.Object):
		case o.timeout == 0:
			return []doubt{{why: fmt.Sprintf("the rollout of %s was not waited for (--timeout=0)", apply.Name(c.Object))}}, nil
		default:
			unfinished, err := o.rollout(ctx, c.Object, deadline)
			if err != nil {
				return nil, err
			}
			if unfinished != "" {
				return []doubt{{why: unfinished}}, nil
			}
		}
	}
	why, err := o.awaitController(ctx, before, w, heard, deaf, deadline)
	if why == "" || err != nil {
		return nil, err
	}
	return []doubt{{why, true}}, nil
}

// rolls says whether a change of an object may start a rollout that can be followed.
func rolls(o cluster.Object) bool { return o.Kind == "Deployment" || o.Kind == "StatefulSet" }

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

// listen remembers the events of the Service before the change; nil where no controller is known to confirm a change by one. deaf is why they could not be read.
func (o *changeOptions) listen(ctx context.Context, w *work) (heard map[string]bool, deaf error) {
	if len(w.plan.Signs) == 0 || o.timeout == 0 {
		return nil, nil //nolint:nilnil // nil is that nothing is listened to
	}
	events, err := o.reader.Heard(ctx, w.plan.Service.Namespace, w.plan.Service.Name)
	if err != nil {
		return nil, err // The change does not depend on it.
	}
	heard = map[string]bool{}
	for _, e := range events {
		heard[e.Event+" "+e.Version] = true
	}
	return heard, nil
}

// quiet is how long a controller that says nothing is listened to.
const quiet = 20 * time.Second

// awaitController waits for the events by which a load balancer's controller confirms a change. It returns why the change is not confirmed, "" where it is, or where no controller
// has anything to do with it.
func (o *changeOptions) awaitController(ctx context.Context, before *sight, w *work, heard map[string]bool, deaf error, deadline time.Time) (why string, err error) {
	switch controller := cmp.Or(before.report.Provider.Title, "the load balancer"); {
	case !slices.ContainsFunc(w.fix.Changes, func(c remedy.Change) bool { return c.Object.Kind == "Service" }), before.report.Service.Type != cluster.TypeLoadBalancer:
		return "", nil
	case w.plan.Mode == remedy.Hostname && !w.back:
		// The status shows it, whatever events there are.
		return "", o.published(ctx, before, deadline)
	case len(w.plan.Signs) == 0 && instructs(w):
		return "no event or status is known by which " + controller + " confirms the change", nil
	case len(w.plan.Signs) == 0:
		return "", o.note(render.Escape("no event or status is known by which "+controller+" confirms a change of policy: whether it has followed was not checked") + "\n")
	case deaf != nil:
		return fmt.Sprintf("the events of the load balancer's controller could not be read: %v", deaf), nil
	case o.timeout == 0:
		return "the load balancer's controller was not waited for (--timeout=0)", nil
	}
	silence := o.env.Now().Add(quiet)
	if err := o.note("waiting for the load balancer's controller\n"); err != nil {
		return "", err
	}
	var unread error
	for {
		events, err := o.reader.Heard(ctx, w.plan.Service.Namespace, w.plan.Service.Name)
		if ctx.Err() != nil {
			return "", failed(ctx.Err())
		}
		if unread = err; err != nil {
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
			return "the load balancer's controller reports that it failed: " + bad.Means, nil
		case good != nil:
			return "", o.note("the load balancer's controller confirms it: " + good.Means + "\n")
		}
		now := o.env.Now()
		if !now.Before(silence) || !now.Before(deadline) {
			if unread != nil {
				return fmt.Sprintf("the events of the load balancer's controller could not be read: %v", unread), nil
			}
			return fmt.Sprintf("the load balancer's controller has reported nothing in %s", min(quiet, o.timeout)), nil
		}
		if err := o.sleep(ctx); err != nil {
			return "", err
		}
	}
}

// instructs says whether a change sets annotations, which do nothing until a controller obeys them.
func instructs(w *work) bool {
	return slices.ContainsFunc(w.fix.Changes, func(c remedy.Change) bool {
		return slices.ContainsFunc(c.Fields, func(f remedy.Field) bool { return slices.Contains(f.Path, "annotations") })
	})
}

// published waits until the Service no longer publishes an address that nodes answer for themselves, or until the time is over.
func (o *changeOptions) published(ctx context.Context, before *sight, deadline time.Time) error {
	if o.timeout == 0 {
		return nil
	}
	if err := o.note("waiting for the load balancer's controller to publish the name\n"); err != nil {
		return err
	}
	deadline = earlier(deadline, o.env.Now().Add(quiet))
	service := before.report.Service
	for {
		seen, err := o.glance(ctx, collect.Query{Args: []string{"svc/" + service.Name}, Namespace: service.Namespace, Dataplane: o.dataplane})
		if ctx.Err() != nil {
			return failed(ctx.Err())
		}
		if err == nil && !slices.ContainsFunc(seen.report.Service.Ingress, func(in cluster.Ingress) bool { return in.IP.IsValid() && in.IPMode != cluster.Proxy }) {
			return nil
		}
		if !o.env.Now().Before(deadline) {
			return nil // What is read again shows it.
		}
		if err := o.sleep(ctx); err != nil {
			return err
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// maxPolls bounds how often endpoints are polled until they settle.
const maxPolls = 15

// converged reads the Service once its endpoints are those of the workloads that were rolled out, since their controller follows a moment later. It returns what had not
// settled when the polls were over.
func (o *changeOptions) converged(ctx context.Context, q collect.Query, w *work) (*sight, []doubt, error) {
	for n := 1; ; n++ {
		seen, err := o.glance(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		available, rolled := 0, false
		var unread error
		for _, c := range w.fix.Changes {
			if c.Starts == "" || !rolls(c.Object) || o.timeout == 0 {
				continue
			}
			p, err := o.reader.Rollout(ctx, c.Object)
			if err != nil {
				unread = err
				continue
			}
			available, rolled = available+p.Available, true
		}
		switch {
		case unread == nil && (!rolled || caughtUp(seen.report.Service, available)):
			return seen, nil, nil
		case n == maxPolls && unread != nil:
			return seen, []doubt{{why: fmt.Sprintf("the rollout could not be read again: %v", unread)}}, nil
		case n == maxPolls && !seen.report.Service.EndpointsKnown:
			return seen, []doubt{{why: "the endpoints could not be read again"}}, nil
		case n == maxPolls:
			return seen, []doubt{{why: fmt.Sprintf("the endpoints have not settled: %d are ready, and %d pods are available", seen.report.Service.ReadyBackends(), available)}}, nil
		}
		if err := o.sleep(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// caughtUp says whether a Service has as many ready backends as its workloads have available pods, and no pod that leaves.
func caughtUp(svc *cluster.Service, available int) bool {
	leaving := slices.ContainsFunc(svc.Endpoints, func(e cluster.Endpoint) bool { return e.Terminating })
	return svc.ReadyBackends() == available && !leaving
}
