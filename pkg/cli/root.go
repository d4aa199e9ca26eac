// Package cli holds the commands of kubectl etp: their flags, what each command does, and its exit code.
package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // all authentication methods of kubectl
	"k8s.io/klog/v2"
)

// Main runs the command line args (without the program's name) and returns the exit code. Cancelling ctx interrupts it.
func Main(ctx context.Context, args []string, streams Streams, env Environment) int {
	a := &app{streams: streams, env: env}
	root := newRoot(a)
	if err := completeFlags(a, root); err != nil {
		return exit(ctx, streams.Err, root.CommandPath(), asFailure(err))
	}
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	return exit(ctx, streams.Err, command.CommandPath(), err)
}

// app holds what all commands share.
type app struct {
	streams Streams
	env     Environment
	config  *genericclioptions.ConfigFlags
}

// Command is the program with all its commands, for whoever documents it; Main runs it.
func Command(streams Streams, env Environment) *cobra.Command {
	return newRoot(&app{streams: streams, env: env})
}

func newRoot(a *app) *cobra.Command {
	showVersion := false
	root := &cobra.Command{
		Use:   "kubectl-etp",
		Short: "Show, node by node, where connections to a Kubernetes load balancer work and where they fail, and why",
		Long: `Show, node by node, where connections to a Kubernetes load balancer work and where they fail, and why:
connections from outside, from processes on the nodes, and from pods. Then fix what fails.`,
		Example: `  # Show one Service, node by node
  kubectl etp status svc/web -n shop

  # List all LoadBalancer and NodePort Services of the cluster, worst first
  kubectl etp status -A

  # Fix a Service, and undo the fix
  kubectl etp fix svc/web -n shop
  kubectl etp undo svc/web -n shop

  # Learn how to choose between the policies Local and Cluster
  kubectl etp explain choosing`,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl etp"},
		Args:        cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return unknownCommand(c, args)
			case showVersion:
				return a.write([]byte(versionText()))
			}
			return c.Help()
		},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	// A flag that the program itself does not have is no surprise behind a command that it does not have either.
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if args := c.Flags().Args(); c == root && len(args) > 0 {
			return unknownCommand(c, args)
		}
		return err
	})
	root.SetIn(a.streams.In)
	root.SetOut(a.streams.Out)
	root.SetErr(a.streams.Err)
	root.CompletionOptions.DisableDefaultCmd = true
	a.config = genericclioptions.NewConfigFlags(true)
	a.config.AddFlags(root.PersistentFlags())
	// The help text is the same on every machine.
	root.PersistentFlags().Lookup("cache-dir").DefValue = "$HOME/.kube/cache"
	root.PersistentFlags().VarP(new(logLevel), "v", "v", "Log level: 6 logs each request to the API server on standard error, 8 its body too")
	root.Flags().BoolVar(&showVersion, "version", false, "Print the version")
	root.SetHelpFunc(a.help)
	root.SetHelpCommand(newHelp())
	root.AddCommand(
		newStatus(a, func(ctx context.Context, o *statusOptions) error { return o.run(ctx) }),
		newTrace(a, func(ctx context.Context, o *traceOptions) error { return o.run(ctx) }),
		newFix(a, func(ctx context.Context, o *fixOptions) error { return o.run(ctx) }),
		newUndo(a, func(ctx context.Context, o *undoOptions) error { return o.run(ctx) }),
		newDump(a, func(ctx context.Context, o *dumpOptions) error { return o.run(ctx) }),
		newExplain(a),
		newRBAC(a),
		newCompletion(a),
		newVersion(a),
	)
	for _, c := range append(root.Commands(), root) {
		c.Flags().BoolP("help", "h", false, "Show help")
	}
	return root
}

// write writes all output of a command at once.
func (a *app) write(data []byte) error {
	if _, err := a.streams.Out.Write(data); err != nil {
		return asFailure(err)
	}
	return nil
}

// asFailure gives err the exit code of a command that could not do its job, unless it has an exit code already. It returns nil for nil.
func asFailure(err error) error {
	if _, ends := errors.AsType[*ExitError](err); ends || err == nil {
		return err
	}
	return &ExitError{Code: exitFailed, Err: err}
}

// logLevel is the value of -v, with kubectl's meanings.
type logLevel struct{ klog.Level }

// Type is what --help shows in place of the value.
func (*logLevel) Type() string { return "LEVEL" }
