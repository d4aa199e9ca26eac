package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
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
		ValidArgsFunction: completeOneService(a),
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
	if err := o.connect(); err != nil {
		return err
	}
	h := o.helper(undoWording)
	return o.carryOut(ctx, o.query, h, func(ctx context.Context, before *fix.State) (*fix.Change, error) {
		change, err := h.Undo(ctx, before)
		if nothing, ok := errors.AsType[*apply.NothingError](err); ok {
			return nil, &ExitError{Code: exitFailed, Err: nothing, Next: "kubectl etp status shows the Service as it is"}
		}
		if changed, ok := errors.AsType[*apply.ChangedError](err); ok {
			return nil, &ExitError{Code: exitFailed, Err: fmt.Errorf("refused, and nothing was changed: %w", changed), Next: "to keep their value, leave it; to have the former one back, set it by hand"}
		}
		return change, err
	})
}

func undoWording(c *fix.Change) wording {
	record := c.Undoes()
	return wording{
		title: "undo " + c.Fix.Service, about: fmt.Sprintf("takes back mode %s of %s", record.Mode, record.Time.UTC().Format(time.RFC3339)), question: "Take it back?",
	}
}
