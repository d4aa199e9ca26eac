package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// queryFlags select Services, and where they are read from.
type queryFlags struct {
	files         []string
	selector      string
	allNamespaces bool
}

func (f *queryFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.files, "filename", "f", nil, filesUsage)
	flags.StringVarP(&f.selector, "selector", "l", "", "Select Services by label, for example -l app=web,tier!=test")
	flags.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false, "Select the Services of all namespaces")
}

func (f *queryFlags) query(a *app, args []string) collect.Query {
	return collect.Query{Args: args, Namespace: *a.config.Namespace, AllNamespaces: f.allNamespaces, Selector: f.selector}
}

// nameAlone is an error if a Service is selected by name and by something else.
func nameAlone(q collect.Query) error {
	switch {
	case unnamed(q.Args):
		return nil
	case q.AllNamespaces:
		return misuse("name the namespace with -n, or leave out the name", "a Service cannot be selected by name in all namespaces")
	case q.Selector != "":
		return misuse("leave out -l, or the name", "a Service cannot be selected by name and by label at once")
	default:
		return nil
	}
}

// statusFlags are the flags of status.
type statusFlags struct {
	queryFlags
	output                              format
	color                               render.ColorMode
	failOn                              threshold
	dataplane                           string
	nodes                               []string
	from                                string
	ascii, all, live, watch, showPassed bool
}

func (f *statusFlags) add(flags *pflag.FlagSet) {
	f.queryFlags.add(flags)
	flags.VarP(&f.output, "output", "o", "Output format; without it, a screen for people")
	flags.Var(colorFlag(&f.color), "color", colorUsage)
	flags.BoolVar(&f.ascii, "ascii", false, asciiUsage)
	flags.BoolVar(&f.all, "all", false, allUsage)
	flags.StringSliceVar(&f.nodes, "node", nil, "Show only this `NODE` in the map of a named Service; may be repeated. Findings are still about all nodes")
	flags.StringVar(&f.from, "from", "", "Show only the node of this pod in the map of a named Service: `pod/NAME`, or node/NAME. Findings are still about all nodes")
	flags.BoolVar(&f.live, "live", false, "Also query each node's health check and proxy mode through the API server; needs permission to get nodes/proxy")
	flags.StringVar(&f.dataplane, "dataplane", "", dataplaneUsage)
	flags.Var(failOnFlag(&f.failOn), "fail-on", "Exit with 3 if there are findings of this severity or above, and with 4 if that cannot be decided")
	flags.BoolVarP(&f.watch, "watch", "w", false, "Watch, and redraw when something changes")
	flags.BoolVar(&f.showPassed, "show-passed", false, "Also show checks that passed and checks that did not run")
}

// statusOptions are the options that follow from the flags.
type statusOptions struct {
	*app
	query collect.Query
	files []string
	// namespace is that of -n, or else of the context; "" with files.
	namespace string
	// from is the client whose node alone is shown; nil for all nodes.
	from *origin
	// listing is true if no Service was selected by name.
	listing bool
	output  format
	screen  render.Options
	// style is for the terminal at its current width.
	style       func() *render.Style
	failOn      threshold
	live, watch bool
	showPassed  bool
}

func newStatus(a *app, run func(context.Context, *statusOptions) error) *cobra.Command {
	f := &statusFlags{color: render.ColorAuto, failOn: onNever}
	c := &cobra.Command{
		Use:   "status [svc/NAME...]",
		Short: "Show, node by node, where connections to Services work and where they fail",
		Long: `Show, node by node, where connections to Services work and where they fail: connections from the load
balancer, from processes on the node, and from pods on it. Then show what is wrong, why, and how to
fix it. kubectl etp explain columns describes the map.

Name Services as in kubectl: svc/NAME, service NAME, NAME, or several. An Ingress or a Gateway stands
for the Services that publish it. Without a name, all LoadBalancer and NodePort Services of the
namespace are listed, worst first.

With -f only the files are read, and no kubeconfig is needed. They may hold manifests, the output of
kubectl get -o yaml or -o json, or the output of kubectl etp dump.

` + exitCodes,
		Example: `  # Show one Service, node by node
  kubectl etp status svc/web -n shop

  # Show one node, with addresses, versions and the rules that decided
  kubectl etp status svc/web -n shop --node worker-7 -o wide

  # Show only the node of a pod
  kubectl etp status svc/web -n shop --from pod/client

  # List all LoadBalancer and NodePort Services of the cluster, worst first
  kubectl etp status -A

  # Work from a file instead of a cluster; with Calico, add felixconfigurations to the list
  ` + collect.CollectCommand + `
  kubectl etp status svc/web -n shop -f cluster.yaml

  # In a pipeline: exit code 3 if connections from inside the cluster or from the load balancer fail
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
		return nil, misuse("leave out --live, or -f to read a cluster", "--live queries the nodes of a cluster, and -f reads files instead")
	case f.watch && len(f.files) > 0:
		return nil, misuse("leave out --watch, or -f to read a cluster", "--watch watches a cluster, and -f reads files instead")
	case f.watch && f.output.name != "" && f.output.name != "wide":
		return nil, misuse("leave out --watch, or -o", "--watch redraws a screen, and -o %s is not a screen", f.output.String())
	case len(f.nodes) > 0 && o.listing && len(f.files) == 0:
		return nil, nodesOfList("--node")
	case f.from != "" && o.listing && len(f.files) == 0:
		return nil, nodesOfList("--from")
	case f.from != "" && len(f.nodes) > 0:
		return nil, misuse("leave out one of them", "--from and --node both select the lines of the map")
	}
	if f.from != "" {
		from, err := parseOrigin(f.from)
		if err != nil {
			return nil, err
		}
		if from.address.IsValid() {
			return nil, misuse("kubectl etp trace svc/NAME --from "+f.from+" shows its connection hop by hop", "--from %s: an IP address has no line in the map", f.from)
		}
		o.from = &from
	}
	if err := nameAlone(o.query); err != nil {
		return nil, err
	}
	o.query.Nodes = f.nodes
	if f.dataplane != "" {
		override, err := parseDataplane(f.dataplane)
		if err != nil {
			return nil, err
		}
		o.query.Dataplane = override
	}
	o.style = func() *render.Style { return render.NewStyle(f.color, f.ascii, a.env.terminal(a.streams.Out)) }
	o.screen = render.Options{
		Style:      o.style(),
		All:        f.all || len(f.nodes) > 0 || f.from != "",
		Wide:       f.output.name == "wide",
		Namespaces: f.allNamespaces,
		Closes:     collect.RBACRule,
		Collect:    collect.CollectCommand,
	}
	to := forStatus
	switch {
	case f.live:
		to = forLive
	case f.watch:
		to = forWatch
	}
	o.screen.Grant = to.grant()
	for _, file := range f.files {
		o.screen.Files += " -f " + shellWord(file)
	}
	return o, nil
}

// parseDataplane reads the value of --dataplane.
func parseDataplane(text string) (*cluster.Override, error) {
	override, err := dataplane.ParseOverride(text)
	if err != nil {
		return nil, misuse("", "--dataplane %s: %w", text, err)
	}
	return override, nil
}

// unnamed is true if the arguments name no Service: there are none, or only the word service.
func unnamed(args []string) bool {
	return len(args) == 0 || len(args) == 1 && slices.Contains(serviceKinds(), args[0])
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
		// A file with one Service is shown like a named Service; Services of several namespaces get a column for it.
		o.listing = o.listing && (o.query.AllNamespaces || len(s.Services) != 1)
		if err := o.narrow(ctx, &clientReader{app: o.app, files: objects, namespace: o.query.Namespace}, s); err != nil {
			return err
		}
		if err := o.checkNodes(s); err != nil {
			return err
		}
		o.screen.Namespaces = o.screen.Namespaces || slices.ContainsFunc(s.Services, func(svc cluster.Service) bool { return svc.Namespace != s.Services[0].Namespace })
		return o.print(s)
	}
	client, err := collect.NewClient(o.config)
	if err != nil {
		return readingOrFiles(err)
	}
	o.namespace = client.Namespace()
	reader := &clientReader{app: o.app, client: client, namespace: o.query.Namespace}
	if o.from != nil {
		if err := reader.ask(ctx, *o.from); err != nil {
			return err
		}
		o.query.Nodes = reader.nodes(*o.from)
	}
	objects, err := client.Read(ctx, o.query)
	if err != nil {
		return reading(err)
	}
	s, err := objects.Snapshot(o.query)
	if err != nil {
		return reading(err)
	}
	if err := o.narrow(ctx, reader, s); err != nil {
		return err
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
			// Interrupted: show what the nodes have answered so far.
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

func nodesOfList(flag string) error {
	return misuse("name a Service: svc/NAME, or leave out "+flag, "%s selects lines of a map, and a list of Services has no map", flag)
}

// narrow leaves only the node of --from in the map.
func (o *statusOptions) narrow(ctx context.Context, r *clientReader, s *cluster.Snapshot) error {
	switch {
	case o.from == nil:
		return nil
	case o.listing:
		return nodesOfList("--from")
	case r.files != nil && len(s.Services) > 0:
		r.namespace = s.Services[0].Namespace
	}
	client, err := r.find(ctx, s, *o.from)
	if err != nil {
		return err
	}
	o.query.Nodes = []string{s.Nodes[client.Node].Name}
	return nil
}

// checkNodes is an error if a node of --node does not exist, or cannot be shown.
func (o *statusOptions) checkNodes(s *cluster.Snapshot) error {
	if len(o.query.Nodes) > 0 && o.listing {
		return nodesOfList("--node")
	}
	for _, name := range o.query.Nodes {
		if s.NodeIndex(name) >= 0 {
			continue
		}
		reason, next := "there is no such node", "kubectl get nodes lists the nodes"
		switch {
		case len(o.files) > 0:
			next = "leave out --node to see all nodes"
		case slices.ContainsFunc(s.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes" && g.Verb == "list" }):
			reason, next = "the nodes could not be listed", "leave out --node to see why, and which permission is missing"
		}
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("showing node %s: %s, and no endpoint names a node like that", name, reason), Next: next}
	}
	return nil
}

// offline reads files instead of a cluster.
func (a *app) offline(ctx context.Context, files []string) (*collect.Objects, error) {
	objects, err := collect.Offline(ctx, collect.Input{Paths: files, Open: a.env.Open, Stdin: a.streams.In})
	return objects, reading(err)
}

// ask queries the nodes, and shows the progress on a terminal.
func (o *statusOptions) ask(ctx context.Context, client *collect.Client, s *cluster.Snapshot) error {
	var progress func(done, total int)
	if _, terminal := o.env.Columns(o.streams.Err); terminal {
		progress = func(done, total int) { fmt.Fprintf(o.streams.Err, "\rqueried %d of %d nodes", done, total) }
		defer fmt.Fprint(o.streams.Err, "\r\x1b[K")
	}
	return client.Live(ctx, s, progress)
}

// reports of a snapshot, one after the other. With --show-passed, checks that passed or did not run follow the findings.
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
		where := "in namespace " + render.Escape(o.namespace) + "; -A selects all namespaces"
		switch {
		case len(o.files) > 0 && o.query.Namespace != "" && !o.query.AllNamespaces:
			where = "in namespace " + render.Escape(o.query.Namespace) + " of the files; leave out -n to select all namespaces"
		case len(o.files) > 0:
			where = "in the files; name other Services: kubectl etp status svc/NAME -f FILE"
		case o.query.AllNamespaces:
			where = "in the cluster; name other Services: kubectl etp status svc/NAME -n NAMESPACE"
		}
		if o.query.Selector != "" {
			where = "with these labels " + where
		}
		if _, err := io.WriteString(o.streams.Err, "no LoadBalancer or NodePort Services "+where+"\n"); err != nil {
			return asFailure(err)
		}
	}
	if code == exitDone {
		return nil
	}
	return &ExitError{Code: code}
}

// judge returns the exit code after one more report: findings win over undecided, and undecided over done.
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

// shellWord is text as one word of a shell.
func shellWord(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
