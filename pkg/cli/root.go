// Package cli knows the commands of kubectl etp: what can be typed, what each command does with it, and how it ends.
package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // every way to sign in that kubectl has
)

// Main runs the command line args (without the program's name) and gives the exit code. Cancelling ctx interrupts it.
func Main(ctx context.Context, args []string, streams Streams, env Environment) int {
	a := &app{streams: streams, env: env}
	root := newRoot(a)
	if err := completeFlags(a, root); err != nil {
		return exit(ctx, streams.Err, root.CommandPath(), failed(err))
	}
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	return exit(ctx, streams.Err, command.CommandPath(), err)
}

// app is what all commands share.
type app struct {
	streams Streams
	env     Environment
	config  *genericclioptions.ConfigFlags
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-etp",
		Short: "Say, node by node, what connections to a load balancer meet",
		Long: `Say, node by node, what connections to a Kubernetes load balancer meet: from outside, from processes
on the nodes, and from pods. Where they fail, say why, what can be done about it, and do it.`,
		Example: `  # The map of one Service
  kubectl etp status svc/web -n shop

  # Every LoadBalancer and NodePort Service of the cluster, worst first
  kubectl etp status -A

  # Cure what is wrong with it, and take that back
  kubectl etp fix svc/web -n shop
  kubectl etp undo svc/web -n shop`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl etp"},
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.streams.In)
	root.SetOut(a.streams.Out)
	root.SetErr(a.streams.Err)
	root.CompletionOptions.DisableDefaultCmd = true
	a.config = genericclioptions.NewConfigFlags(true)
	a.config.AddFlags(root.PersistentFlags())
	// Help says the same for everybody, and no home is too long for it.
	root.PersistentFlags().Lookup("cache-dir").DefValue = "$HOME/.kube/cache"
	root.SetHelpFunc(a.help)
	root.AddCommand(
		newStatus(a, func(ctx context.Context, o *statusOptions) error { return o.run(ctx) }),
		newFix(a, func(ctx context.Context, o *fixOptions) error { return o.run(ctx) }),
		newUndo(a, func(ctx context.Context, o *undoOptions) error { return o.run(ctx) }),
		newDump(a, func(ctx context.Context, o *dumpOptions) error { return o.run(ctx) }),
		newExplain(a),
		newRBAC(a),
		newCompletion(a),
		newVersion(a),
	)
	for _, c := range append(root.Commands(), root) {
		c.Flags().BoolP("help", "h", false, "Say what this command does, and how")
	}
	return root
}

// write puts all of a command's output out at once.
func (a *app) write(data []byte) error {
	if _, err := a.streams.Out.Write(data); err != nil {
		return failed(err)
	}
	return nil
}

// failed is an error for which nobody is at fault who typed.
func failed(err error) error {
	if _, ends := errors.AsType[*ExitError](err); ends || err == nil {
		return err
	}
	return &ExitError{Code: exitFailed, Err: err}
}
