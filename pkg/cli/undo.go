package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// undoOptions are what the flags of undo mean.
type undoOptions struct {
	*changeOptions
	query collect.Query
}

func newUndo(a *app, run func(context.Context, *undoOptions) error) *cobra.Command {
	f := newChangeFlags()
	c := &cobra.Command{
		Use:   "undo svc/NAME",
		Short: "Take back the last fix of a Service",
		Long: `Take back the last fix of a Service: the fields that kubectl etp fix changed get their former values,
after the same preview and the same question. It refuses where somebody else has changed one of
them since. Several fixes are taken back one at a time, the last one first.

` + exitCodes,
		Example: `  # Take back the last fix
  kubectl etp undo svc/web -n shop

  # See what that would do
  kubectl etp undo svc/web -n shop --dry-run=server`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeServices(a, nil),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := f.options(a)
			if err != nil {
				return err
			}
			switch {
			case unnamed(args):
				return misuse("name it: kubectl etp undo svc/NAME", "whose fix is to be taken back?")
			case !o.decided() && !o.asks():
				return noTerminal()
			}
			return run(c.Context(), &undoOptions{o, collect.Query{Args: args, Namespace: *a.config.Namespace, Dataplane: o.dataplane}})
		},
	}
	f.add(c.Flags())
	return c
}

func (o *undoOptions) run(ctx context.Context) error {
	return o.conclude(ctx, o.attempts(ctx))
}

func (o *undoOptions) attempts(ctx context.Context) error {
	client, err := collect.NewClient(o.config)
	if err != nil {
		return reading(err)
	}
	if err := o.connect(client); err != nil {
		return err
	}
	return o.again(ctx, o.attempt)
}

func (o *undoOptions) attempt(ctx context.Context) error {
	seen, err := o.look(ctx, o.query)
	if err != nil {
		return err
	}
	service := seen.report.Service
	fix, err := o.writer.Undo(ctx, service.Namespace, service.Name)
	var nothing *apply.NothingError
	var changed *apply.ChangedError
	switch {
	case errors.As(err, &nothing):
		return &ExitError{Code: exitFailed, Err: err, Next: "kubectl etp status shows the Service as it is"}
	case errors.As(err, &changed):
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("refused, and nothing was changed: %w", err), Next: "to keep their value, leave it; to have the former one back, set it by hand"}
	case err != nil:
		return failed(err)
	}
	record := fix.TakesBack()
	return o.carryOut(ctx, seen, &work{
		title: "undo " + seen.report.Title(), about: fmt.Sprintf("takes back mode %s of %s", record.Mode, record.Time.UTC().Format(time.RFC3339)),
		plan: remedy.Given(fix.Mode, seen.facts(), fix.Changes), back: true, fix: fix, question: "Take it back?",
	})
}
