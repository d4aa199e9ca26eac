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

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/printable"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

const (
	// completionPatience is how long a cluster may take. With the time that the programs take to start, a shell gets an answer within 300 ms, or none.
	completionPatience = 170 * time.Millisecond
	// completionPatienceEnv is the variable that gives a distant cluster longer.
	completionPatienceEnv = "KUBECTL_ETP_COMPLETION_TIMEOUT"
	// mostCompletions bounds the list that a shell shows.
	mostCompletions = 100
)

// within asks the cluster, and returns the zero value if that fails or takes too long: the shell waits meanwhile, and cannot show an error.
func within[T any](ctx context.Context, a *app, ask func(context.Context, *collect.Client) (T, error)) T {
	patience := completionPatience
	if d, err := time.ParseDuration(a.env.Getenv(completionPatienceEnv)); err == nil {
		patience = d
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := make(chan T, 1)
	// Not everything stops with ctx: a credential plugin does not.
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

// completeServices completes the names of Services that have an external traffic policy, in the form that is being typed: web, svc/web, or svc web. Behind ing or
// gateway it completes Ingresses or Gateways. If f is not nil, the names come from the files of -f, if there are any.
func completeServices(a *app, f *queryFlags) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		prefix, kind := prefixOf(args, begun)
		// A name cannot be looked up in all namespaces.
		if kind == noKind || f != nil && f.allNamespaces {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var files []string
		if f != nil {
			files = f.files
		}
		if kind != serviceKind {
			return a.completeOthers(c.Context(), files, kind, prefix, begun), cobra.ShellCompDirectiveNoFileComp
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

// kind is what is being named.
type kind uint8

const (
	noKind kind = iota
	serviceKind
	ingressKind
	gatewayKind
)

func kindOf(word string) kind {
	switch {
	case slices.Contains(serviceKinds(), word):
		return serviceKind
	case slices.Contains(ingressKinds(), word):
		return ingressKind
	case slices.Contains(gatewayKinds(), word):
		return gatewayKind
	}
	return noKind
}

// prefixOf is what precedes the name in the word that is being typed, svc/ or nothing, and the kind of object that the name is of.
func prefixOf(args []string, begun string) (string, kind) {
	if word, _, typed := strings.Cut(begun, "/"); typed {
		return word + "/", kindOf(word)
	}
	if len(args) > 0 {
		if kind := kindOf(args[0]); kind != noKind {
			return "", kind
		}
	}
	return "", serviceKind
}

// completeOthers completes the names of Ingresses or Gateways.
func (a *app) completeOthers(ctx context.Context, files []string, kind kind, prefix, begun string) []cobra.Completion {
	namespace := *a.config.Namespace
	found := completeFrom(ctx, a, files,
		func(o *collect.Objects) []string {
			if kind == gatewayKind {
				return o.GatewayNames(namespace)
			}
			return o.IngressNames(namespace)
		},
		func(ctx context.Context, client *collect.Client) ([]string, error) {
			if kind == gatewayKind {
				return client.GatewayNames(ctx, namespace)
			}
			return client.IngressNames(ctx, namespace)
		})
	var out []cobra.Completion
	for _, name := range found {
		if word := prefix + name; printable.Line(word) == word && strings.HasPrefix(word, begun) {
			out = append(out, word)
		}
	}
	return out[:min(len(out), mostCompletions)]
}

// completeNames completes names from the cluster, or from the files of -f if there are any.
func completeNames(a *app, inFiles func(*collect.Objects) []string, inCluster func(context.Context, *collect.Client) ([]string, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		// Not every command has -f.
		files, _ := c.Flags().GetStringArray("filename")
		found := completeFrom(c.Context(), a, files, inFiles, inCluster)
		found = slices.DeleteFunc(found, func(name string) bool { return !strings.HasPrefix(name, begun) || printable.Line(name) != name })
		return found[:min(len(found), mostCompletions)], cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFrom returns what is in the files of -f if there are any, else what is in the cluster.
func completeFrom[T any](ctx context.Context, a *app, files []string, inFiles func(*collect.Objects) []T, inCluster func(context.Context, *collect.Client) ([]T, error)) []T {
	switch {
	case slices.Contains(files, "-"):
		// Standard input is the terminal.
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

// completeOrigin completes pod/NAME and node/NAME.
func completeOrigin(a *app, addresses bool) cobra.CompletionFunc {
	pods := completeNames(a, func(o *collect.Objects) []string { return o.PodNames(*a.config.Namespace) }, func(ctx context.Context, client *collect.Client) ([]string, error) {
		return client.PodNames(ctx, *a.config.Namespace)
	})
	nodes := completeNames(a, (*collect.Objects).NodeNames, func(ctx context.Context, client *collect.Client) ([]string, error) { return client.NodeNames(ctx) })
	return func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		kind, name, named := strings.Cut(begun, "/")
		var found []string
		switch {
		case named && slices.Contains(podKinds(), kind):
			found, _ = pods(c, args, name)
		case named && slices.Contains(nodeKinds(), kind):
			found, _ = nodes(c, args, name)
		case !named:
			out := []cobra.Completion{cobra.CompletionWithDesc("pod/", "a pod"), cobra.CompletionWithDesc("node/", "a process on the host network of a node")}
			if addresses && begun == "" {
				out = append(out, cobra.CompletionWithDesc("198.51.100.7", "any IP address, for example this one"))
			}
			return slices.DeleteFunc(out, func(word string) bool { return !strings.HasPrefix(word, begun) }), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		for i := range found {
			found[i] = kind + "/" + found[i]
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeTarget completes the addresses and ports of the Service that is named.
func completeTarget(a *app) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		files, _ := c.Flags().GetStringArray("filename")
		q := collect.Query{Args: args, Namespace: *a.config.Namespace}
		targets, err := q.Targets()
		if err != nil || len(targets) != 1 || targets[0].Kind != collect.ServiceTarget {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		services := completeFrom(c.Context(), a, files,
			func(o *collect.Objects) []cluster.Service {
				s, err := o.Snapshot(q)
				if err != nil {
					return nil
				}
				return s.Services
			},
			func(ctx context.Context, client *collect.Client) ([]cluster.Service, error) {
				svc, err := client.Service(ctx, *a.config.Namespace, targets[0].Name)
				return []cluster.Service{svc}, err
			})
		var out []cobra.Completion
		for i := range services {
			for _, t := range dataplane.Targets(&services[i]) {
				word := targetText(&services[i], t)
				if t.Host() == "" || !strings.HasPrefix(word, begun) || printable.Line(word) != word {
					continue
				}
				out = append(out, cobra.CompletionWithDesc(word, t.To.String()))
			}
		}
		return out[:min(len(out), mostCompletions)], cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// fixed completes one of some words.
func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)
}

// completeDataplane completes NAME or NAME/MODE; a version may follow, so that no space is added.
func completeDataplane(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return dataplane.Overrides(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder | cobra.ShellCompDirectiveNoSpace
}

// worded is a flag whose value is one of a few words.
type worded interface{ completions() []string }

// completeFlags registers completion for the values of flags: those of kubectl that name something, and those of the commands.
func completeFlags(a *app, root *cobra.Command) error {
	kubeconfig := func(names func(*api.Config) []string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			config, err := a.config.ToRawKubeConfigLoader().RawConfig()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			// Names with characters that do not print are left out.
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
				complete = fixed(value.completions()...)
			default:
				switch f.Name {
				case "node":
					complete = completeNames(a, (*collect.Objects).NodeNames, func(ctx context.Context, client *collect.Client) ([]string, error) { return client.NodeNames(ctx) })
				case "from":
					complete = completeOrigin(a, c.Name() == "trace")
				case "to":
					complete = completeTarget(a)
				case "host":
					hosts := func(o *collect.Objects) []string { return o.IngressHosts(*a.config.Namespace) }
					complete = completeNames(a, hosts, func(ctx context.Context, client *collect.Client) ([]string, error) {
						return client.IngressHosts(ctx, *a.config.Namespace)
					})
				case "accept-risk":
					complete = fixed(remedy.Risks()...)
				case "with":
					complete = fixed(string(remedy.Spread), string(remedy.AntiAffinity))
				case "dataplane":
					complete = completeDataplane
				default:
					return
				}
			}
			failed = errors.Join(failed, c.RegisterFlagCompletionFunc(f.Name, complete))
		})
	}
	return failed
}
