package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
)

// undoOptions are the values of the flags of undo.
type undoOptions struct {
	*changeOptions
	query   collect.Query
	unnamed bool
}

func newUndo(a *app, run func(context.Context, *undoOptions) error) *cobra.Command {
	f := newChangeFlags()
	allNamespaces := false
	c := &cobra.Command{
		Use:   "undo [svc/NAME]",
		Short: "Undo the last fix of a Service",
		Long: `Undo the last fix of a Service: restore the former values of the fields that kubectl etp fix changed,
after the same preview and the same question. If one of these fields has been changed since, undo
refuses and changes nothing. It undoes one fix at a time, the newest first.

Without a name, undo lists the recorded fixes, and changes nothing.

` + exitCodes,
		Example: `  # Undo the last fix of a Service
  kubectl etp undo svc/web -n shop

  # Show what undo would change
  kubectl etp undo svc/web -n shop --dry-run=server

  # List the recorded fixes of all namespaces
  kubectl etp undo -A`,
		ValidArgsFunction: completeOneService(a),
		RunE: func(c *cobra.Command, args []string) error {
			changes, err := f.options(a)
			if err != nil {
				return err
			}
			o := &undoOptions{changeOptions: changes, unnamed: unnamed(args)}
			o.query = collect.Query{
				Args: args, Namespace: *a.config.Namespace, AllNamespaces: allNamespaces, Dataplane: changes.dataplane,
			}
			if err := nameAlone(o.query); err != nil {
				return err
			}
			switch {
			case o.unnamed && o.decided():
				return misuse("name a Service: kubectl etp undo svc/NAME",
					"--yes and --dry-run need the name of a Service; without one, undo only lists fixes")
			case !o.unnamed && !o.decided() && !o.canAsk():
				return noTerminal()
			}
			return run(c.Context(), o)
		},
	}
	f.add(c.Flags())
	c.Flags().BoolVarP(&allNamespaces, "all-namespaces", "A", false, "List the recorded fixes of all namespaces")
	return c
}

func (o *undoOptions) run(ctx context.Context) error {
	if err := o.connect(); err != nil {
		return err
	}
	if o.unnamed {
		return o.list(ctx)
	}
	h := o.helper(undoWording)
	return o.carryOut(ctx, o.query, h, func(ctx context.Context, before *fix.State) (*fix.Change, error) {
		change, err := h.Undo(ctx, before)
		if nothing, ok := errors.AsType[*apply.NothingError](err); ok {
			return nil, &ExitError{Code: exitFailed, Err: nothing, Next: "kubectl etp undo lists the recorded fixes"}
		}
		if changed, ok := errors.AsType[*apply.ChangedError](err); ok {
			return nil, &ExitError{
				Code: exitFailed, Err: fmt.Errorf("refused, and nothing was changed: %w", changed),
				Next: "to keep the present value, do nothing; to restore the former one, set it with kubectl edit",
			}
		}
		return change, err
	})
}

func undoWording(c *fix.Change) wording {
	record := c.Undoes()
	return wording{
		title:    "undo " + c.Fix.Service,
		about:    fmt.Sprintf("restores what mode %s changed at %s", record.Mode, record.Time.UTC().Format(time.RFC3339)),
		question: "Undo this fix?",
	}
}

// list prints the recorded fixes.
func (o *undoOptions) list(ctx context.Context) error {
	q := o.within(o.query)
	namespace, where := q.Namespace, "in namespace "+q.Namespace
	if q.AllNamespaces {
		namespace, where = "", "in all namespaces"
	}
	fixes, unread, err := o.writer.Fixes(ctx, namespace)
	if err != nil {
		return asFailure(err)
	}
	if len(fixes) > 0 {
		if err := o.write([]byte(fixesText(fixes))); err != nil {
			return err
		}
	}
	for _, sentence := range unread {
		if err := o.note("warning: " + sentence + "\n"); err != nil {
			return err
		}
	}
	if len(fixes) == 0 {
		text := "no fix is recorded " + where
		if !q.AllNamespaces {
			text += "; -A looks in all namespaces"
		}
		return o.note(text + "\n")
	}
	return nil
}

// fixesText lists fixes: what each changed, when, and the command that undoes it. Fixes are those of
// apply.Client.Fixes.
func fixesText(fixes []apply.Made) string {
	var b strings.Builder
	for i := range fixes {
		f := &fixes[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s   mode %s   %s\n", printable.Line(f.Service), printable.Line(f.Mode), f.Time.UTC().Format("2006-01-02 15:04 UTC"))
		for _, c := range f.Changes {
			for _, field := range c.Fields {
				if !field.Follows {
					fmt.Fprintf(&b, "  %s: %s\n", apply.Name(c.Object), printable.Line(fieldText(&field)))
				}
			}
		}
		namespace, name, _ := strings.Cut(printable.Line(f.Service), "/")
		fmt.Fprintf(&b, "  kubectl etp undo svc/%s -n %s", name, namespace)
		if i > 0 && fixes[i-1].Service == f.Service {
			b.WriteString("   (first undo the newer fix above)")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
