package cli

import (
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
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
	"github.com/kubectl-etp/kubectl-etp/pkg/prompt"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
)

// changeFlags are the flags of fix and undo.
type changeFlags struct {
	yes       bool
	dryRun    fix.DryRun
	output    patchFormat
	risks     []string
	timeout   time.Duration
	color     render.ColorMode
	ascii     bool
	all       bool
	dataplane string
}

func newChangeFlags() changeFlags {
	return changeFlags{dryRun: fix.DryRunNone, color: render.ColorAuto, timeout: 5 * time.Minute}
}

func (f *changeFlags) add(flags *pflag.FlagSet) {
	flags.BoolVarP(&f.yes, "yes", "y", false, "Make the change without a prompt")
	flags.Var(dryRunFlag(&f.dryRun), "dry-run", "Change nothing: client shows the plan and the patch, server also sends the patch as a server-side dry run")
	flags.VarP(patchFormatFlag(&f.output), "output", "o", "Print the patch in this format, and everything else on standard error")
	flags.StringArrayVar(&f.risks, "accept-risk", nil, "Accept the risk that a failed check names, and make the change anyway; may be repeated")
	flags.DurationVar(&f.timeout, "timeout", f.timeout, "How long to wait for rollouts and controllers after the change; 0 does not wait")
	flags.Var(colorFlag(&f.color), "color", colorUsage)
	flags.BoolVar(&f.ascii, "ascii", false, asciiUsage)
	flags.BoolVar(&f.all, "all", false, allUsage)
	flags.StringVar(&f.dataplane, "dataplane", "", dataplaneUsage)
}

// changeOptions are the values of changeFlags, and the clients.
type changeOptions struct {
	*app
	yes       bool
	dryRun    fix.DryRun
	output    patchFormat
	risks     []string
	timeout   time.Duration
	all       bool
	dataplane *cluster.Override
	// style is the style of standard output, and errStyle that of standard error.
	style, errStyle func() *render.Style
	prompter        *prompt.Prompter
	reader          *collect.Client
	writer          *apply.Client
}

func (f *changeFlags) options(a *app) (*changeOptions, error) {
	o := &changeOptions{
		app: a, yes: f.yes, dryRun: f.dryRun, output: f.output, risks: f.risks, timeout: f.timeout, all: f.all,
		prompter: prompt.New(a.streams.In, a.streams.Err),
	}
	if f.timeout < 0 {
		return nil, misuse("", "--timeout %s: it cannot be negative", f.timeout)
	}
	if f.dataplane != "" {
		override, err := dataplane.ParseOverride(f.dataplane)
		if err != nil {
			return nil, misuse("", "--dataplane %s: %w", f.dataplane, err)
		}
		o.dataplane = override
	}
	o.style = func() *render.Style { return render.NewStyle(f.color, f.ascii, a.env.terminal(a.streams.Out)) }
	o.errStyle = func() *render.Style { return render.NewStyle(f.color, f.ascii, a.env.terminal(a.streams.Err)) }
	return o, nil
}

func (o *changeOptions) connect() error {
	var err error
	if o.reader, err = collect.NewClient(o.config); err != nil {
		return reading(err)
	}
	o.writer, err = apply.NewClient(o.config, o.env.After)
	return asFailure(err)
}

// decided says whether the flags answer the question before the change.
func (o *changeOptions) decided() bool { return o.yes || o.dryRun != fix.DryRunNone }

// canAsk says whether there is a terminal to ask on.
func (o *changeOptions) canAsk() bool { return o.env.Asks(o.streams.In, o.streams.Err) }

// promptOptions are those of what is shown with a prompt.
func (o *changeOptions) promptOptions() render.Options { return render.Options{Style: o.errStyle()} }

// show prints a screen on standard output, or on standard error where standard output has the patch (-o).
func (o *changeOptions) show(screen func(render.Options) []byte) error {
	if o.output != "" {
		return o.writeErr(string(screen(render.Options{Style: o.errStyle(), All: o.all, Closes: collect.RBACRule, Grant: forFix.grant()})))
	}
	return o.write(screen(render.Options{Style: o.style(), All: o.all, Closes: collect.RBACRule, Grant: forFix.grant()}))
}

func (o *changeOptions) snapshot(ctx context.Context, q collect.Query) (*cluster.Snapshot, error) {
	objects, err := o.reader.Read(ctx, q)
	if err != nil {
		return nil, reading(err)
	}
	s, err := objects.Snapshot(q)
	return s, reading(err)
}

// wording is the text of a command about its change.
type wording struct {
	// title and about are the head of the preview, and question is the prompt.
	title, about, question string
}

// helper takes changes through all steps as the flags say, and prints each step.
func (o *changeOptions) helper(words func(*fix.Change) wording) *fix.Helper {
	h := &fix.Helper{
		Reader: o.reader, Writer: o.writer, Now: o.env.Now, After: o.env.After,
		AcceptedRisks: o.risks, Timeout: o.timeout, DryRun: o.dryRun,
	}
	h.Observer = fix.Observer{
		Retrying: func(object string) error {
			return o.note(fmt.Sprintf("something else changed %s in the meantime; nothing was changed here, trying again\n", object))
		},
		Previewed: func(p *fix.Preview) error { return o.previewed(p, words(p.Change)) },
		Applied: func(objects []cluster.Object) error {
			names := make([]string, len(objects))
			for i, object := range objects {
				names[i] = apply.Name(object)
			}
			return o.note("patched " + strings.Join(names, ", ") + "\n")
		},
		Progress: func(line string) error { return o.note(render.Escape(line) + "\n") },
	}
	if !o.yes {
		h.Observer.Confirm = func(ctx context.Context, p *fix.Preview) error { return o.confirm(ctx, p, words(p.Change)) }
	}
	return h
}

// carryOut takes a change through all steps, and prints its outcome.
func (o *changeOptions) carryOut(ctx context.Context, q collect.Query, h *fix.Helper, planner fix.Planner) error {
	outcome, err := h.Run(ctx, q, planner)
	switch {
	case err != nil:
		return o.ended(ctx, err)
	case outcome != nil:
		return o.verified(outcome)
	}
	return nil
}

// previewed prints a preview, and with -o the patches.
func (o *changeOptions) previewed(p *fix.Preview, words wording) error {
	screen := preview(p, words, o.risks)
	if err := o.show(func(s render.Options) []byte { return render.PreviewScreen(screen, s) }); err != nil {
		return err
	}
	if p.Err == nil {
		// A patch is printed even where it is refused: it may be meant for the object's source, where what refuses it
		// here does not apply.
		if err := o.printPatches(p.Prepared); err != nil {
			return err
		}
	}
	if p.Refused == nil && p.Err == nil && o.dryRun != fix.DryRunNone {
		return o.note(fmt.Sprintf("nothing was changed (--dry-run=%s)\n", o.dryRun))
	}
	return nil
}

// preview is what the screen of a preview shows.
func preview(p *fix.Preview, words wording, accepted []string) *render.Preview {
	screen := &render.Preview{Title: words.title, About: words.about, Accepted: accepted, Before: p.Before.Report, After: p.After}
	if p.Change.Undoes() == nil {
		screen.Plan = p.Change.Plan
	}
	for i := range p.Prepared {
		c := &p.Prepared[i]
		screen.Changes = append(screen.Changes, render.Change{
			Object: apply.Name(c.Change.Object), Starts: c.Change.Starts, Diff: c.Diff, Command: c.Command,
			Warnings: c.Warnings, Notes: c.Notes,
		})
	}
	return screen
}

// confirm asks whether to make the change.
func (o *changeOptions) confirm(ctx context.Context, p *fix.Preview, words wording) error {
	if !o.canAsk() {
		return noTerminal()
	}
	if err := o.writeErr("\n" + string(render.Question(o.question(p), o.promptOptions()))); err != nil {
		return err
	}
	return o.unanswered(o.prompter.Confirm(ctx, words.question))
}

// printPatches prints the patches in the format of -o, as objects with only the changed fields, which kubectl patch
// --patch-file and kustomize take.
func (o *changeOptions) printPatches(prepared []apply.Prepared) error {
	if o.output == "" {
		return nil
	}
	var documents []string
	for i := range prepared {
		text, err := prepared[i].Document()
		if err != nil {
			return asFailure(err)
		}
		if o.output == patchYAML {
			if text, err = yaml.JSONToYAML(text); err != nil {
				return asFailure(err)
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

// verified prints the outcome of a change. Its error has exit code 6 where the effect is not confirmed.
func (o *changeOptions) verified(outcome *fix.Outcome) error {
	doubts := outcome.Doubts
	reasons := make([]string, len(doubts))
	for i, d := range doubts {
		reasons[i] = d.Why
	}
	if outcome.After != nil {
		if err := o.show(func(s render.Options) []byte {
			s.Assumed = slices.ContainsFunc(doubts, func(d fix.Doubt) bool { return d.Assumed })
			var head []byte
			if len(doubts) > 0 {
				head = render.Unconfirmed(reasons, s)
			}
			fixed := render.Outcome(outcome.Before.Report, outcome.After, s)
			return slices.Concat([]byte("\n"), head, render.Screen(outcome.After, s), []byte("\n"), fixed)
		}); err != nil {
			return err
		}
	}
	next := standing(outcome.Before.Report.Service, outcome.Change.Undoes() != nil)
	if len(doubts) > 0 {
		return &ExitError{Code: exitUnconfirmed, Err: fmt.Errorf("written, not confirmed: %s", strings.Join(reasons, "; ")), Next: next}
	}
	return o.note(next + "\n")
}

// standing says that a change is made, and how it is undone.
func standing(svc *cluster.Service, undo bool) string {
	if undo {
		return "the fix is undone"
	}
	return "the change is made; to undo it: " + undoCommand(svc)
}

func undoCommand(svc *cluster.Service) string {
	return fmt.Sprintf("kubectl etp undo svc/%s -n %s", svc.Name, svc.Namespace)
}

// ended gives the error of a change its exit code and the next step. After an interruption it also prints what was
// left.
func (o *changeOptions) ended(ctx context.Context, err error) error {
	incomplete, begun := errors.AsType[*fix.IncompleteError](err)
	if !begun {
		err = notChanged(err)
		if ctx.Err() != nil {
			return errors.Join(err, o.note("interrupted; nothing was changed\n"))
		}
		return err
	}
	left := leftBy(incomplete)
	if ctx.Err() == nil {
		return left
	}
	what := left.Error()
	if incomplete.Written() {
		what = "interrupted while reading the Service again; " + standing(incomplete.Service, incomplete.Undo)
	} else if back, partly := errors.AsType[*apply.RestoredError](incomplete); partly {
		what = "interrupted; " + back.Outcome() + "; " + left.Next
	} else {
		what = "interrupted; " + what
	}
	return errors.Join(left, o.note(what+"\n"))
}

// notChanged gives an error from before the first write its exit code and the next step.
func notChanged(err error) error {
	if _, exits := errors.AsType[*ExitError](err); exits {
		return err
	}
	if several, ok := errors.AsType[*fix.SeveralError](err); ok {
		return misuse("name one of them", "%w", several)
	}
	if refused, ok := errors.AsType[*fix.RefusedError](err); ok {
		next := "the failed checks above say what is needed first; or choose another mode"
		switch {
		case refused.ByHand:
			next = "change it by hand, as shown above"
		case len(refused.Risks) > 0:
			next = "to make the change anyway: --accept-risk=" + strings.Join(refused.Risks, " --accept-risk=")
		}
		return &ExitError{Code: exitFailed, Err: refused, Next: next}
	}
	if _, ok := errors.AsType[*fix.ContestedError](err); ok {
		return &ExitError{Code: exitFailed, Err: err, Next: "find out what changes it, then run the command again"}
	}
	if _, ok := errors.AsType[*apply.ServerError](err); ok {
		return &ExitError{Code: exitFailed, Err: err, Next: "nothing was changed"}
	}
	return reading(err)
}

// leftBy gives the error of a change that was begun its exit code, and says what to do about what is left of it.
func leftBy(e *fix.IncompleteError) *ExitError {
	out := &ExitError{Code: exitFailed, Err: e}
	if _, uncertain := errors.AsType[*apply.UncertainError](e); uncertain {
		out.Next = "when the server answers again: " + undoCommand(e.Service) + " undoes the change if it was made, and says so if it was not"
	} else if back, partly := errors.AsType[*apply.RestoredError](e); partly {
		out.Next = "nothing is left of the change"
		if len(back.Left) > 0 {
			out.Next = "to undo what is left: " + undoCommand(e.Service)
		}
	}
	return out
}
