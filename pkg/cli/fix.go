package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
	"github.com/kubectl-etp/kubectl-etp/pkg/prompt"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// fixFlags are the flags of fix.
type fixFlags struct {
	changeFlags
	selector      string
	allNamespaces bool
	mode          remedy.Mode
	with          []string
	hosts         []string
}

func (f *fixFlags) add(flags *pflag.FlagSet) {
	f.changeFlags.add(flags)
	flags.StringVarP(&f.selector, "selector", "l", "", "Only offer Services with these labels, for example -l app=web,tier!=test")
	flags.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false, "Offer the Services of all namespaces")
	flags.Var(modeFlag(&f.mode), "mode", "How to fix the Service; without it, fix asks")
	flags.StringArrayVar(&f.with, "with", nil, "With --mode=local: also spread the pods over nodes, by anti-affinity or spread")
	flags.StringArrayVar(&f.hosts, "host", nil, "Public host name for --mode=dns or --mode=hostname; may be repeated for dns")
}

// fixOptions are the values of fixFlags.
type fixOptions struct {
	*changeOptions
	query   collect.Query
	unnamed bool
	mode    remedy.Mode
	remedy  remedy.Options
}

func newFix(a *app, run func(context.Context, *fixOptions) error) *cobra.Command {
	f := &fixFlags{changeFlags: newChangeFlags()}
	var modes strings.Builder
	for _, m := range remedy.Modes() {
		fmt.Fprintf(&modes, "  %-13s %s\n", m.Mode, m.Does)
	}
	c := &cobra.Command{
		Use:   "fix [svc/NAME]",
		Short: "Fix a Service whose connections fail",
		Long: `Fix a Service whose connections fail. fix checks the preconditions, shows the expected result and the
diff, asks, writes the change, waits for rollouts and controllers, and reads the Service again.
kubectl etp undo restores the former values.

Without a name, fix asks which of the Services that need attention to fix. Without --mode, it asks
how, best first. If the effect of the change is not confirmed, the exit code is 6.

Modes:
` + modes.String() + `
` + exitCodes,
		Example: `  # Choose how to fix a Service
  kubectl etp fix svc/web -n shop

  # Let the load balancer send directly to pods, where the cloud supports it
  kubectl etp fix svc/web -n shop --mode=eni

  # Show the whole plan, and change nothing
  kubectl etp fix svc/web -n shop --mode=cluster --dry-run=server

  # In a script, without a prompt
  kubectl etp fix svc/web -n shop --mode=cluster --yes`,
		ValidArgsFunction: completeOneService(a),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := f.options(a, args)
			if err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	f.add(c.Flags())
	return c
}

func (f *fixFlags) options(a *app, args []string) (*fixOptions, error) {
	o := &fixOptions{unnamed: unnamed(args), mode: f.mode, remedy: remedy.Options{Hosts: f.hosts}}
	for _, with := range f.with {
		o.remedy.With = append(o.remedy.With, remedy.Mode(with))
	}
	var err error
	if o.changeOptions, err = f.changeFlags.options(a); err != nil {
		return nil, err
	}
	o.query = collect.Query{
		Args: args, Namespace: *a.config.Namespace, AllNamespaces: f.allNamespaces, Selector: f.selector, Dataplane: o.dataplane,
	}
	if err := nameAlone(o.query); err != nil {
		return nil, err
	}
	switch {
	case (len(f.with) > 0 || len(f.hosts) > 0) && f.mode == "":
		return nil, misuse("add --mode", "--with and --host need --mode")
	case !o.unnamed && f.mode != "" && !o.decided() && !o.canAsk():
		return nil, noTerminal()
	}
	return o, nil
}

// noTerminal is the error of a change that needs a prompt and has no terminal.
func noTerminal() error {
	return misuse("add --yes to make the change without a prompt, or --dry-run=server to see what it would change",
		"cannot ask for confirmation: standard input and standard error are not a terminal")
}

func (o *fixOptions) run(ctx context.Context) error {
	if err := o.connect(); err != nil {
		return err
	}
	if o.unnamed {
		done, err := o.chooseService(ctx)
		if err != nil {
			return o.ended(ctx, err)
		}
		if done {
			return nil
		}
	}
	return o.carryOut(ctx, o.query, o.helper(fixWording), o.planned)
}

// chooseService asks which Service to fix. It is done where none needs attention.
func (o *fixOptions) chooseService(ctx context.Context) (done bool, err error) {
	s, err := o.snapshot(ctx, o.query)
	if err != nil {
		return false, err
	}
	var failing []report.Report
	undecided := 0
	for r := range report.Each(s) {
		if isUndecided(&r) {
			undecided++
		}
		if slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Result == finding.Fail && f.Severity != finding.Info }) {
			r.Nodes = nil
			failing = append(failing, r)
		}
	}
	if len(failing) == 0 {
		return true, o.note(render.Escape(nothingToFix(o.within(o.query), len(s.Services), undecided)) + "\n")
	}
	slices.SortStableFunc(failing, func(a, b report.Report) int { return cmp.Compare(worst(&b), worst(&a)) })
	options := make([]prompt.Option, 0, len(failing))
	for i, line := range render.Attention(failing, o.promptOptions()) {
		options = append(options, prompt.Option{Word: failing[i].Title(), Line: line})
	}
	i, err := o.choose(ctx, "Services that need attention:", options, "name one: kubectl etp fix svc/NAME -n NAMESPACE")
	if err != nil {
		return false, err
	}
	chosen := failing[i].Service
	o.query = collect.Query{Args: []string{"svc/" + chosen.Name}, Namespace: chosen.Namespace, Dataplane: o.dataplane}
	return false, nil
}

// within is a query with the namespace of the kubeconfig's context where none is given.
func (a *app) within(q collect.Query) collect.Query {
	if q.Namespace == "" {
		// A kubeconfig that cannot be read has ended the command before.
		q.Namespace, _, _ = a.config.ToRawKubeConfigLoader().Namespace()
	}
	return q
}

// isUndecided says whether something about a Service is not known, so that it may need attention all the same.
func isUndecided(r *report.Report) bool {
	return r.Doubt.Any() || slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Result == finding.Unknown })
}

// nothingToFix says that no Service needs attention, and which Services were checked. undecided is how many could not
// be checked completely.
func nothingToFix(q collect.Query, services, undecided int) string {
	where, wider := "in namespace "+q.Namespace, "; -A looks in all namespaces"
	if q.AllNamespaces {
		where, wider = "in all namespaces", ""
	}
	if q.Selector != "" {
		where += " with labels " + q.Selector
	}
	text := fmt.Sprintf("nothing to fix: none of the %d Services %s that can be reached from outside needs attention", services, where)
	switch services {
	case 0:
		return fmt.Sprintf("nothing to fix: no Service %s can be reached from outside%s", where, wider)
	case 1:
		text = fmt.Sprintf("nothing to fix: the only Service %s that can be reached from outside needs no attention", where)
	}
	if undecided > 0 {
		text += fmt.Sprintf(", but not everything could be checked for %d of them (kubectl etp status shows what)", undecided)
	}
	return text + wider
}

// worst is the severity of a report's worst failure.
func worst(r *report.Report) finding.Severity {
	severity := finding.Info
	for i := range r.Findings {
		if r.Findings[i].Result == finding.Fail {
			severity = max(severity, r.Findings[i].Severity)
		}
	}
	return severity
}

// planned makes the change of the chosen mode, and asks for the mode where none is given.
func (o *fixOptions) planned(ctx context.Context, before *fix.State) (*fix.Change, error) {
	if o.mode == "" {
		done, err := o.chooseMode(ctx, before)
		if done || err != nil {
			return nil, err
		}
	}
	plan, err := o.plan(ctx, before)
	if err != nil {
		return nil, err
	}
	if len(plan.Changes) == 0 && len(plan.ByHand) == 0 && len(fix.Unmet(plan, o.risks)) == 0 {
		return nil, o.note(fmt.Sprintf("nothing to change: %s already has what --mode=%s sets\n", before.Report.Title(), o.mode))
	}
	return fix.NewChange(plan, before, o.env.Now()), nil
}

func fixWording(c *fix.Change) wording {
	about := string(c.Plan.Mode)
	for _, m := range remedy.Modes() {
		if m.Mode == c.Plan.Mode {
			about = fmt.Sprintf("mode %s: %s", m.Mode, m.Does)
		}
	}
	return wording{title: "fix " + c.Fix.Service, about: about, question: "Make this change?"}
}

// chooseMode asks for the mode. It is done where no mode fixes anything.
func (o *fixOptions) chooseMode(ctx context.Context, before *fix.State) (done bool, err error) {
	offers := remedy.Offers(before.Facts())
	title := before.Report.Title()
	if !slices.ContainsFunc(offers, func(offer remedy.Offer) bool { return offer.Against == "" }) {
		if !slices.ContainsFunc(before.Report.Findings, func(f finding.Finding) bool { return f.Result == finding.Fail }) {
			if isUndecided(before.Report) {
				return true, o.note("nothing to fix: " + title + " has no findings, but not everything could be checked (kubectl etp status shows what)\n")
			}
			return true, o.note("nothing to fix: " + title + " has no findings\n")
		}
		return true, o.note("no mode fixes the findings of " + title + "; kubectl etp status shows what to do about them\n")
	}
	options := make([]prompt.Option, 0, len(offers))
	for i, line := range render.Offers(offers, o.promptOptions()) {
		options = append(options, prompt.Option{Word: string(offers[i].Mode), Line: line})
	}
	i, err := o.choose(ctx, "Modes that fix "+title+", best first:", options, "choose one with --mode")
	if err != nil {
		return false, err
	}
	o.mode = offers[i].Mode
	return false, nil
}

// plan makes the plan of the mode, and asks for a host name where the mode needs one.
func (o *fixOptions) plan(ctx context.Context, before *fix.State) (*remedy.Plan, error) {
	plan, err := remedy.Make(o.mode, before.Facts(), o.remedy)
	var needed *remedy.HostNeeded
	if errors.As(err, &needed) && o.canAsk() && !o.yes {
		if err := o.writeErr(render.Hosts(needed, o.promptOptions())); err != nil {
			return nil, err
		}
		name, err := o.prompter.Input(ctx, "Host name:", func(name string) error {
			_, err := remedy.Make(o.mode, before.Facts(), remedy.Options{Hosts: []string{name}, With: o.remedy.With})
			return err
		})
		if err != nil {
			return nil, o.unanswered(err)
		}
		o.remedy.Hosts = []string{name}
		return o.plan(ctx, before)
	}
	if err != nil {
		return nil, misuse("", "%w", err)
	}
	return plan, nil
}

// choose asks for one of several options. Without a terminal it prints them, and its error is one of usage.
func (o *changeOptions) choose(ctx context.Context, question string, options []prompt.Option, instead string) (int, error) {
	if !o.canAsk() {
		lines := []string{render.Escape(question)}
		for _, option := range options {
			lines = append(lines, "  "+option.Line)
		}
		if err := o.writeErr(strings.Join(lines, "\n") + "\n"); err != nil {
			return 0, err
		}
		return 0, misuse(instead, "cannot ask which: standard input and standard error are not a terminal")
	}
	i, err := o.prompter.Select(ctx, question, options)
	return i, o.unanswered(err)
}

// unanswered gives the error of a prompt its exit code.
func (a *app) unanswered(err error) error {
	switch {
	case errors.Is(err, prompt.ErrDeclined):
		return cmp.Or(a.note(err.Error()+"\n"), error(&ExitError{Code: exitDeclined}))
	case errors.Is(err, prompt.ErrNoAnswer):
		return &ExitError{Code: exitDeclined, Err: err}
	}
	return asFailure(err)
}

// note prints text on standard error.
func (a *app) note(text string) error { return a.writeErr(render.Escape(text)) }

// writeErr prints text of package render on standard error, without escaping it again.
func (a *app) writeErr(text string) error {
	if _, err := io.WriteString(a.streams.Err, text); err != nil {
		return asFailure(err)
	}
	return nil
}
