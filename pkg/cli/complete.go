package cli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

const (
	// completionPatience is what a cluster is given to answer. With what the programs take to start, a shell has its answer within 300 ms, or nothing.
	completionPatience = 170 * time.Millisecond
	// completionPatienceEnv gives a cluster that is far away longer.
	completionPatienceEnv = "KUBECTL_ETP_COMPLETION_TIMEOUT"
	// mostCompletions bounds a list that a shell is to show.
	mostCompletions = 100
)

// within asks the cluster, and gives nothing where that fails or takes too long: a shell waits meanwhile, and whoever pressed a key has no use for an error.
func within[T any](ctx context.Context, a *app, ask func(context.Context, *collect.Client) (T, error)) T {
	patience := completionPatience
	if d, err := time.ParseDuration(a.env.Getenv(completionPatienceEnv)); err == nil {
		patience = d
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := make(chan T, 1)
	// Not all that is waited for heeds ctx: a credential plugin does not.
	go func() {
		var nothing T
		client, err := collect.NewClient(a.config)
		if err != nil {
			answer <- nothing
			return
		}
		found, err := ask(ctx, client)
		if err != nil {
			found = nothing
		}
		answer <- found
	}()
	select {
	case found := <-answer:
		return found
	case <-a.env.After(patience):
		var nothing T
		return nothing
	}
}

// completeServices completes the names of Services that have an external traffic policy, written as the word that is begun: web, svc/web, or web behind svc. With f
// not nil they come from the files of -f, if there are any.
func completeServices(a *app, f *queryFlags) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		prefix, ok := prefixOf(args, begun)
		// Over all namespaces nothing can be named.
		if !ok || f != nil && f.allNamespaces {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var files []string
		if f != nil {
			files = f.files
		}
		found := completeFrom(c.Context(), a, files,
			func(o *collect.Objects) []collect.Exposed { return o.Exposed(*a.config.Namespace) },
			func(ctx context.Context, client *collect.Client) ([]collect.Exposed, error) {
				return client.Exposed(ctx, *a.config.Namespace)
			})
		offer := func(prefix string) []cobra.Completion {
			var out []cobra.Completion
			for _, s := range found {
				word := prefix + s.Name
				if printable.Line(word) == word && strings.HasPrefix(word, begun) && !slices.ContainsFunc(args, func(arg string) bool { return arg[strings.Index(arg, "/")+1:] == s.Name }) {
					out = append(out, cobra.CompletionWithDesc(word, printable.Line(s.Type)))
				}
			}
			return out[:min(len(out), mostCompletions)]
		}
		out := offer(prefix)
		if len(out) == 0 && len(args) == 0 && len(begun) <= len("svc/") && "svc/"[:len(begun)] == begun {
			out = offer("svc/")
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeOneService completes the name of the one Service that a command takes.
func completeOneService(a *app) cobra.CompletionFunc {
	several := completeServices(a, nil)
	return func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !unnamed(args) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return several(c, args, begun)
	}
}

// prefixOf is what stands before the name in the word that is begun, svc/ or nothing; it is false where something else than a Service is being named.
func prefixOf(args []string, begun string) (string, bool) {
	kinds := []string{"svc", "service", "services"}
	kind, _, typed := strings.Cut(begun, "/")
	if typed {
		return kind + "/", slices.Contains(kinds, kind)
	}
	if len(args) == 0 {
		return "", true
	}
	// Behind ing or gateway names are those of Ingresses and Gateways.
	return "", slices.Contains(kinds, args[0]) || !slices.Contains([]string{"ing", "ingress", "ingresses", "gtw", "gateway", "gateways"}, args[0])
}

// completeNames completes what the cluster has, or the files of -f where there are any.
func completeNames(a *app, inFiles func(*collect.Objects) []string, inCluster func(context.Context, *collect.Client) ([]string, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		// Not every command has -f.
		files, _ := c.Flags().GetStringArray("filename")
		found := completeFrom(c.Context(), a, files, inFiles, inCluster)
		found = slices.DeleteFunc(found, func(name string) bool { return !strings.HasPrefix(name, begun) || printable.Line(name) != name })
		return found[:min(len(found), mostCompletions)], cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFrom gives what is in the files of -f where there are any, else in the cluster.
func completeFrom[T any](ctx context.Context, a *app, files []string, inFiles func(*collect.Objects) []T, inCluster func(context.Context, *collect.Client) ([]T, error)) []T {
	switch {
	case slices.Contains(files, "-"):
		// Standard input is the terminal's.
		return nil
	case len(files) > 0:
		objects, err := a.offline(ctx, files)
		if err != nil {
			return nil
		}
		return inFiles(objects)
	default:
		return within(ctx, a, inCluster)
	}
}

// completeModes completes a mode, with what each does.
func completeModes(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, m := range remedy.Modes() {
		out = append(out, cobra.CompletionWithDesc(string(m.Mode), m.Does))
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// worded is a flag that takes one of a few words.
type worded interface{ completions() []string }

// completeFlags completes the values of flags: of kubectl's that name something, and of every command's that take one of a few words.
func completeFlags(a *app, root *cobra.Command) error {
	kubeconfig := func(names func(*api.Config) []string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			config, err := a.config.ToRawKubeConfigLoader().RawConfig()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			// A word that cannot be shown cannot be chosen.
			found := slices.DeleteFunc(names(&config), func(name string) bool { return printable.Line(name) != name })
			return found, cobra.ShellCompDirectiveNoFileComp
		}
	}
	completions := map[string]cobra.CompletionFunc{
		"namespace": completeNames(a, (*collect.Objects).Namespaces, func(ctx context.Context, client *collect.Client) ([]string, error) { return client.Namespaces(ctx) }),
		"context":   kubeconfig(func(c *api.Config) []string { return slices.Sorted(maps.Keys(c.Contexts)) }),
		"cluster":   kubeconfig(func(c *api.Config) []string { return slices.Sorted(maps.Keys(c.Clusters)) }),
		"user":      kubeconfig(func(c *api.Config) []string { return slices.Sorted(maps.Keys(c.AuthInfos)) }),
	}
	for name, complete := range completions {
		if err := root.RegisterFlagCompletionFunc(name, complete); err != nil {
			return err
		}
	}
	var failed error
	for _, c := range root.Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			var complete cobra.CompletionFunc
			switch value := f.Value.(type) {
			case choice[remedy.Mode]:
				complete = completeModes
			case worded:
				complete = cobra.FixedCompletions(value.completions(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)
			default:
				if f.Name != "node" {
					return
				}
				complete = completeNames(a, (*collect.Objects).NodeNames, func(ctx context.Context, client *collect.Client) ([]string, error) { return client.NodeNames(ctx) })
			}
			failed = errors.Join(failed, c.RegisterFlagCompletionFunc(f.Name, complete))
		})
	}
	return failed
}
