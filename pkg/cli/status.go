package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// queryFlags say which Services, and where they are read.
type queryFlags struct {
	files         []string
	selector      string
	allNamespaces bool
}

func (f *queryFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.files, "filename", "f", nil, "Read manifests or a dump from this file or directory, or from stdin (-), instead of a cluster; may be repeated")
	flags.StringVarP(&f.selector, "selector", "l", "", "Take the Services with these labels, as in -l app=web,tier!=test")
	flags.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false, "Take the Services of all namespaces")
}

func (f *queryFlags) query(a *app, args []string) collect.Query {
	return collect.Query{Args: args, Namespace: *a.config.Namespace, AllNamespaces: f.allNamespaces, Selector: f.selector}
}

// nameAlone is wrong usage where a Service is asked for by name and by something else.
func nameAlone(q collect.Query) error {
	switch {
	case unnamed(q.Args):
		return nil
	case q.AllNamespaces:
		return misuse("name the namespace with -n, or leave out the name", "a Service cannot be asked for by name in all namespaces")
	case q.Selector != "":
		return misuse("leave out -l, or the name", "a Service cannot be asked for by name and by label at once")
	default:
		return nil
	}
}

// statusFlags are what was typed.
type statusFlags struct {
	queryFlags
	output                              format
	color                               render.ColorMode
	failOn                              threshold
	dataplane                           string
	nodes                               []string
	ascii, all, live, watch, showPassed bool
}

func (f *statusFlags) add(flags *pflag.FlagSet) {
	f.queryFlags.add(flags)
	flags.VarP(&f.output, "output", "o", "Print in this form instead of the usual screen")
	flags.Var(colorFlag(&f.color), "color", colorUsage)
	flags.BoolVar(&f.ascii, "ascii", false, asciiUsage)
	flags.BoolVar(&f.all, "all", false, "List every node, also where many are alike")
	flags.StringSliceVar(&f.nodes, "node", nil, "Map only this `NODE`, for Services that are named; may be repeated. Findings stay those of all nodes")
	flags.BoolVar(&f.live, "live", false, "Ask each node for its health check and its proxy mode, through the API server; needs permission to get nodes/proxy")
	flags.StringVar(&f.dataplane, "dataplane", "", "Take this data plane for the cluster's, NAME[/MODE][@VERSION] as in kube-proxy/ipvs@v1.22.17, whatever is detected")
	flags.Var(failOnFlag(&f.failOn), "fail-on", "End with exit code 3 where there are findings of this severity or above, and with 4 where that cannot be decided")
	flags.BoolVarP(&f.watch, "watch", "w", false, "Stay, and show again what changes")
	flags.BoolVar(&f.showPassed, "show-passed", false, "Show the checks that passed and those that did not run, too")
}

// statusOptions are what the flags mean.
type statusOptions struct {
	*app
	query collect.Query
	files []string
	// namespace is that of -n, else the context's; "" with files.
	namespace string
	// listing: no Service was asked for by name.
	listing bool
	output  format
	screen  render.Options
	// style is that of the terminal as wide as it is now.
	style       func() *render.Style
	failOn      threshold
	live, watch bool
	showPassed  bool
}

func newStatus(a *app, run func(context.Context, *statusOptions) error) *cobra.Command {
	f := &statusFlags{color: render.ColorAuto, failOn: onNever}
	c := &cobra.Command{
		Use:   "status [svc/NAME...]",
		Short: "Show, node by node, what connections to Services meet",
		Long: `Show, node by node, what connections to Services meet: from the load balancer, from processes on the
node, and from pods on it; then what is wrong, why, and what to do about it.

Services are named as kubectl names things. An Ingress or a Gateway stands for the Services behind
it. Without a name, every LoadBalancer and NodePort Service of the namespace is listed, worst first.

With -f nothing is read but the files, and no kubeconfig is needed. They may hold manifests, the
output of kubectl get -o yaml or -o json, and what kubectl etp dump writes.

` + exitCodes,
		Example: `  # The map of one Service
  kubectl etp status svc/web -n shop

  # What one node's processes and pods meet, with the rules that say so
  kubectl etp status svc/web -n shop --node worker-7 -o wide

  # Every LoadBalancer and NodePort Service of the cluster, worst first
  kubectl etp status -A

  # Without a cluster, from a file; with Calico, add felixconfigurations to the list
  ` + collect.CollectCommand + `
  kubectl etp status svc/web -n shop -f cluster.yaml

  # In a pipeline: exit code 3 where in-cluster clients or the load balancer fail
  kubectl etp status svc/web -n shop --fail-on error -o json`,
		ValidArgsFunction: completeServices(a, &f.queryFlags),
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

func (f *statusFlags) options(a *app, args []string) (*statusOptions, error) {
	o := &statusOptions{
		app: a, query: f.query(a, args), files: f.files, listing: unnamed(args), output: f.output, failOn: f.failOn, live: f.live, watch: f.watch,
		showPassed: f.showPassed,
	}
	switch {
	case f.live && len(f.files) > 0:
		return nil, misuse("leave out --live, or -f to read a cluster", "--live asks the nodes of a cluster, and -f reads none")
	case f.watch && len(f.files) > 0:
		return nil, misuse("leave out --watch, or -f to read a cluster", "--watch follows a cluster, and -f reads none")
	case f.watch && f.output.name != "" && f.output.name != "wide":
		return nil, misuse("leave out --watch, or -o", "--watch shows a screen, and -o %s is none", f.output.String())
	case len(f.nodes) > 0 && o.listing && len(f.files) == 0:
		return nil, nodesOfList()
	}
	if err := nameAlone(o.query); err != nil {
		return nil, err
	}
	o.query.Nodes = f.nodes
	if f.dataplane != "" {
		override, err := collect.ParseDataplane(f.dataplane)
		if err != nil {
			return nil, misuse("", "--dataplane %s: %w", f.dataplane, err)
		}
		o.query.Dataplane = override
	}
	o.style = func() *render.Style { return render.NewStyle(f.color, f.ascii, a.env.terminal(a.streams.Out)) }
	o.screen = render.Options{
		Style:      o.style(),
		All:        f.all || len(f.nodes) > 0,
		Wide:       f.output.name == "wide",
		Namespaces: f.allNamespaces,
		Closes:     collect.RBACRule,
		Collect:    collect.CollectCommand,
	}
	return o, nil
}

// unnamed says whether the arguments name no Service: there are none, or only the word service.
func unnamed(args []string) bool {
	return len(args) == 0 || len(args) == 1 && slices.Contains([]string{"svc", "service", "services"}, args[0])
}

func (o *statusOptions) run(ctx context.Context) error {
	if len(o.files) > 0 {
		objects, err := o.offline(ctx, o.files)
		if err != nil {
			return err
		}
		s, err := objects.Snapshot(o.query)
		if err != nil {
			return reading(err)
		}
		// A file about one Service is a question about it; Services of several namespaces are told apart.
		o.listing = o.listing && (o.query.AllNamespaces || len(s.Services) != 1)
		if err := o.checkNodes(s); err != nil {
			return err
		}
		o.screen.Namespaces = o.screen.Namespaces || slices.ContainsFunc(s.Services, func(svc cluster.Service) bool { return svc.Namespace != s.Services[0].Namespace })
		return o.print(s)
	}
	client, err := collect.NewClient(o.config)
	if err != nil {
		return reading(err)
	}
	o.namespace = client.Namespace()
	objects, err := client.Read(ctx, o.query)
	if err != nil {
		return reading(err)
	}
	s, err := objects.Snapshot(o.query)
	if err != nil {
		return reading(err)
	}
	if err := o.checkNodes(s); err != nil {
		return err
	}
	var ask func(*cluster.Snapshot) error
	if o.live {
		ask = func(s *cluster.Snapshot) error { return o.ask(ctx, client, s) }
		if err := ask(s); err != nil {
			if ctx.Err() == nil || o.watch {
				return reading(err)
			}
			// Interrupted: what the nodes have answered until then is shown.
			return errors.Join(err, o.print(s))
		}
	}
	if !o.watch {
		return o.print(s)
	}
	changes, err := client.Watch(ctx, o.query, objects, o.env.Now)
	if err != nil {
		return reading(err)
	}
	return o.follow(ctx, s, changes, ask)
}

func nodesOfList() error {
	return misuse("name one, as in svc/NAME, or leave out --node", "--node picks from the map of a Service, and a list of Services has none")
}

// checkNodes is an error where a node to be shown is not there, or nothing shows it.
func (o *statusOptions) checkNodes(s *cluster.Snapshot) error {
	if len(o.query.Nodes) > 0 && o.listing {
		return nodesOfList()
	}
	for _, name := range o.query.Nodes {
		if s.NodeIndex(name) >= 0 {
			continue
		}
		there, next := "there is no such node", "kubectl get nodes shows their names"
		switch {
		case len(o.files) > 0:
			next = "leave out --node to see which there are"
		case slices.ContainsFunc(s.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes" && g.Verb == "list" }):
			there, next = "the nodes could not be listed", "leave out --node to see why, and which permission is missing"
		}
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("showing node %s: %s, and no endpoint is said to be on one of that name", name, there), Next: next}
	}
	return nil
}

// offline reads files instead of a cluster.
func (a *app) offline(ctx context.Context, files []string) (*collect.Objects, error) {
	objects, err := collect.Offline(ctx, collect.Input{Paths: files, Open: a.env.Open, Stdin: a.streams.In})
	return objects, reading(err)
}

// ask the nodes themselves, with a line of progress where somebody watches.
func (o *statusOptions) ask(ctx context.Context, client *collect.Client, s *cluster.Snapshot) error {
	var progress func(done, total int)
	if _, watched := o.env.Columns(o.streams.Err); watched {
		progress = func(done, total int) { fmt.Fprintf(o.streams.Err, "\rasked %d of %d nodes", done, total) }
		defer fmt.Fprint(o.streams.Err, "\r\x1b[K")
	}
	return client.Live(ctx, s, progress)
}

// reports of a snapshot, one after the other; checks that passed or did not run stand after the findings where they were asked for.
func (o *statusOptions) reports(s *cluster.Snapshot) iter.Seq[*report.Report] {
	return func(yield func(*report.Report) bool) {
		for r := range report.Each(s) {
			if len(o.query.Nodes) > 0 {
				r.Only(o.query.Nodes)
			}
			if o.showPassed {
				r.Findings = slices.Concat(r.Findings, r.Silent)
			}
			if !yield(&r) {
				return
			}
		}
	}
}

func (o *statusOptions) print(s *cluster.Snapshot) error {
	code := exitDone
	out, err := o.format(func(yield func(*report.Report) bool) {
		for r := range o.reports(s) {
			code = o.judge(code, r)
			if !yield(r) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	if err := o.write(out); err != nil {
		return err
	}
	if len(s.Services) == 0 && o.output.name == "" {
		where := "in namespace " + render.Escape(o.namespace) + "; -A looks in all"
		switch {
		case len(o.files) > 0 && o.query.Namespace != "" && !o.query.AllNamespaces:
			where = "in namespace " + render.Escape(o.query.Namespace) + " of the files; without -n all of them are shown"
		case len(o.files) > 0:
			where = "in the files; others are shown by name: kubectl etp status svc/NAME -f FILE"
		case o.query.AllNamespaces:
			where = "in the cluster; others are shown by name: kubectl etp status svc/NAME -n NAMESPACE"
		}
		if o.query.Selector != "" {
			where = "with these labels " + where
		}
		if _, err := io.WriteString(o.streams.Err, "no LoadBalancer or NodePort Services "+where+"\n"); err != nil {
			return failed(err)
		}
	}
	if code == exitDone {
		return nil
	}
	return &ExitError{Code: code}
}

// judge is the exit code that the findings of one more report ask for: found beats undecided, and that beats done.
func (o *statusOptions) judge(code int, r *report.Report) int {
	for i := range r.Findings {
		switch f := &r.Findings[i]; {
		case !f.Result.Found() || !o.failOn.reaches(f.Severity):
		case f.Result == finding.Fail:
			return exitFound
		case code == exitDone:
			code = exitUndecided
		}
	}
	return code
}
