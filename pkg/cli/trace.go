package cli

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/report/v1alpha1"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// traceFormat is the value of -o.
type traceFormat string

const (
	traceScreen  traceFormat = ""
	traceJSON    traceFormat = "json"
	traceYAML    traceFormat = "yaml"
	traceMermaid traceFormat = "mermaid"
	traceDOT     traceFormat = "dot"
)

func traceFormatFlag(v *traceFormat) choice[traceFormat] {
	return choice[traceFormat]{v, []traceFormat{traceJSON, traceYAML, traceMermaid, traceDOT}}
}

// traceFlags are the flags of trace.
type traceFlags struct {
	files     []string
	from, to  string
	output    traceFormat
	color     render.ColorMode
	ascii     bool
	dataplane string
}

func (f *traceFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.files, "filename", "f", nil, filesUsage)
	flags.StringVar(&f.from, "from", "", fromUsage)
	flags.StringVar(&f.to, "to", "", "Address and port to connect to: `ADDRESS[:PORT]`, or :PORT; without it, the first one that the Service publishes")
	flags.VarP(traceFormatFlag(&f.output), "output", "o", "Output format; without it, a screen for people")
	flags.Var(colorFlag(&f.color), "color", colorUsage)
	flags.BoolVar(&f.ascii, "ascii", false, asciiUsage)
	flags.StringVar(&f.dataplane, "dataplane", "", dataplaneUsage)
}

// traceOptions are the options that follow from the flags.
type traceOptions struct {
	*app
	query  collect.Query
	files  []string
	from   origin
	to     string
	output traceFormat
	style  *render.Style
}

func newTrace(a *app, run func(context.Context, *traceOptions) error) *cobra.Command {
	f := &traceFlags{color: render.ColorAuto}
	c := &cobra.Command{
		Use:   "trace svc/NAME --from pod/NAME|node/NAME|IP [--to ADDRESS[:PORT]]",
		Short: "Show one connection to a Service hop by hop, and the rule behind each hop",
		Long: `Show one connection to a Service hop by hop: who answers for the address, what the load balancer may pick
and with what odds, what that node does and why, the endpoints, the way back, and where the client IP is
replaced. Nothing is sent: each hop is a prediction, with the rule behind it and how the rule is known.

--from names the client: a pod, a node (a process on its host network), or an IP address. An IP address is
compared with those of nodes and pods, with loadBalancerSourceRanges, and with the clusterCIDR of kube-proxy,
which takes clients inside it for pods. A pod is looked up in the namespace of the Service, or write
pod/NAMESPACE/NAME.

kubectl etp explain trace describes the output.`,
		Example: `  # From a pod to the load balancer address
  kubectl etp trace svc/web -n shop --from pod/client

  # From the host network of a node to the node port of another node
  kubectl etp trace svc/web -n shop --from node/worker-7 --to 10.0.0.8:30443

  # From a client outside
  kubectl etp trace svc/web -n shop --from 198.51.100.7

  # As a drawing
  kubectl etp trace svc/web -n shop --from 198.51.100.7 -o mermaid
  kubectl etp trace svc/web -n shop --from pod/client -o dot | dot -Tsvg > trace.svg`,
		ValidArgsFunction: func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return completeServices(a, &queryFlags{files: f.files})(c, args, begun)
		},
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

func (f *traceFlags) options(a *app, args []string) (*traceOptions, error) {
	o := &traceOptions{
		app: a, query: collect.Query{Args: args, Namespace: *a.config.Namespace}, files: f.files, to: f.to, output: f.output,
		style: render.NewStyle(f.color, f.ascii, a.env.terminal(a.streams.Out)),
	}
	switch {
	case unnamed(args) && len(f.files) == 0:
		return nil, misuse("kubectl etp trace svc/NAME --from pod/NAME", "which Service? name it")
	case f.from == "":
		return nil, misuse("add --from pod/NAME, --from node/NAME or --from IP", "where does the connection start? --from is missing")
	}
	var err error
	if o.from, err = parseOrigin(f.from); err != nil {
		return nil, err
	}
	if f.dataplane != "" {
		o.query.Dataplane, err = parseDataplane(f.dataplane)
	}
	return o, err
}

func (o *traceOptions) run(ctx context.Context) error {
	s, client, err := o.read(ctx)
	if err != nil {
		return err
	}
	if len(s.Services) != 1 {
		return misuse("name one of them", "a route has one target, and these are %d Services: %s", len(s.Services), serviceNames(s))
	}
	svc := &s.Services[0]
	if reason := report.Untraceable(svc); reason != "" {
		return &ExitError{Code: exitFailed, Err: fmt.Errorf("tracing to service %s/%s: %s", svc.Namespace, svc.Name, reason)}
	}
	target, choices, err := o.target(s, svc, client)
	if err != nil {
		return err
	}
	c, err := client.towards(&target, svc)
	if err != nil {
		return err
	}
	return o.print(report.TraceOf(s, svc, c, target, choices))
}

// read reads the Service, and finds out where the client is.
func (o *traceOptions) read(ctx context.Context) (*cluster.Snapshot, found, error) {
	r := &clientReader{app: o.app, namespace: o.query.Namespace}
	if len(o.files) > 0 {
		objects, err := o.offline(ctx, o.files)
		if err != nil {
			return nil, found{}, err
		}
		r.files = objects
		s, err := objects.Snapshot(o.query)
		if err != nil {
			return nil, found{}, reading(err)
		}
		if len(s.Services) == 1 {
			r.namespace = s.Services[0].Namespace
		}
		client, err := r.find(ctx, s, o.from)
		return s, client, err
	}
	client, err := collect.NewClient(o.config)
	if err != nil {
		return nil, found{}, readingOrFiles(err)
	}
	r.client = client
	if err := r.ask(ctx, o.from); err != nil {
		return nil, found{}, err
	}
	o.query.Nodes = r.nodes(o.from)
	objects, err := client.Read(ctx, o.query)
	if err != nil {
		return nil, found{}, reading(err)
	}
	s, err := objects.Snapshot(o.query)
	if err != nil {
		return nil, found{}, reading(err)
	}
	at, err := r.find(ctx, s, o.from)
	return s, at, err
}

func serviceNames(s *cluster.Snapshot) string {
	const most = 5
	var names []string
	for i := range s.Services {
		names = append(names, s.Services[i].Namespace+"/"+s.Services[i].Name)
	}
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

func (o *traceOptions) print(t *report.Trace) error {
	var out []byte
	var err error
	switch o.output {
	case traceJSON:
		out, err = v1alpha1.JSON(v1alpha1.TraceOf(t))
	case traceYAML:
		out, err = v1alpha1.YAML(v1alpha1.TraceOf(t))
	case traceMermaid:
		out = render.Mermaid(t)
	case traceDOT:
		out = render.DOT(t)
	case traceScreen:
		out = render.Trace(t, o.style)
	}
	if err != nil {
		return asFailure(err)
	}
	return o.write(out)
}

// target is the one of --to, or the first one that suits the client. choices are the targets among which it was chosen,
// nil where --to names it.
func (o *traceOptions) target(s *cluster.Snapshot, svc *cluster.Service, client found) (target dataplane.Target, choices []dataplane.Target, err error) {
	all := traceTargets(s, svc, client)
	if o.to != "" {
		target, err = parseTarget(o.to, s, svc, all)
		return target, nil, err
	}
	published := slices.DeleteFunc(slices.Clone(all), func(t dataplane.Target) bool { return !dataplane.Publishes(svc, t.To) })
	if len(published) == 0 && svc.Type == cluster.TypeClusterIP {
		published = all
	}
	if len(published) == 0 {
		why := "it has no address yet"
		if svc.Pending() {
			why = "it has no load balancer address yet, and no node port"
		}
		next := "wait for an address: kubectl etp status svc/" + svc.Name + " -n " + svc.Namespace + " shows why it is missing"
		if len(all) > 0 {
			next = "name one of its other addresses: --to " + targetText(svc, all[0])
		}
		return target, nil, &ExitError{Code: exitFailed, Err: fmt.Errorf("tracing to service %s/%s: %s", svc.Namespace, svc.Name, why), Next: next}
	}
	for _, t := range published {
		if client.speaks(t) {
			return t, published, nil
		}
	}
	return published[0], published, nil
}

// traceTargets are the targets of a Service at which a route can end. A node port is one of the client's own node, or for
// a client outside of the first node that has such an address and is ready, or of the first one at all.
func traceTargets(s *cluster.Snapshot, svc *cluster.Service, client found) []dataplane.Target {
	var all []dataplane.Target
	for _, t := range dataplane.Targets(svc) {
		if t.To != dataplane.NodePort {
			all = append(all, t)
			continue
		}
		nodes := route.Order(s.Nodes)
		if client.From != dataplane.External {
			nodes = []int{client.Node}
		}
		nodes = slices.DeleteFunc(nodes, func(i int) bool { return s.Nodes[i].IsVirtual() || !addressOf(&s.Nodes[i], t.IPv6).IsValid() })
		if len(nodes) == 0 {
			continue
		}
		t.Node = nodes[0]
		if ready := slices.IndexFunc(nodes, func(i int) bool { return s.Nodes[i].Ready == cluster.Yes }); ready >= 0 {
			t.Node = nodes[ready]
		}
		t.Address = addressOf(&s.Nodes[t.Node], t.IPv6)
		all = append(all, t)
	}
	return all
}

func addressOf(n *cluster.Node, ipv6 bool) netip.Addr {
	if i := slices.IndexFunc(n.InternalIPs, func(a netip.Addr) bool { return a.Is6() == ipv6 }); i >= 0 {
		return n.InternalIPs[i]
	}
	return netip.Addr{}
}

// targetText is the target as --to takes it.
func targetText(svc *cluster.Service, t dataplane.Target) string {
	port := svc.Ports[t.Port].Port
	if t.To == dataplane.NodePort {
		port = svc.Ports[t.Port].NodePort
	}
	host := t.Host()
	if t.Address.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// splitTarget reads ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT and :PORT, with /PROTOCOL behind the port or without. An IPv6
// address alone needs no brackets.
func splitTarget(text string) (host, port, protocol string) {
	text, protocol, _ = strings.Cut(text, "/")
	if inner, rest, ok := strings.Cut(strings.TrimPrefix(text, "["), "]"); ok && strings.HasPrefix(text, "[") {
		return inner, strings.TrimPrefix(rest, ":"), protocol
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return a.String(), "", protocol
	}
	host, port, _ = strings.Cut(text, ":")
	return host, port, protocol
}

// parseTarget finds the target of --to among those of the Service and the node ports of all nodes.
func parseTarget(text string, s *cluster.Snapshot, svc *cluster.Service, all []dataplane.Target) (dataplane.Target, error) {
	host, port, protocol := splitTarget(text)
	address, err := netip.ParseAddr(host)
	isIP := err == nil
	address = address.Unmap()
	candidates := all
	if isIP {
		for i := range s.Nodes {
			n := &s.Nodes[i]
			if !slices.Contains(n.InternalIPs, address) && !slices.Contains(n.ExternalIPs, address) {
				continue
			}
			for at := range svc.Ports {
				if svc.Ports[at].NodePort != 0 {
					candidates = append(slices.Clone(candidates), dataplane.Target{To: dataplane.NodePort, Address: address, Port: at, Node: i, IPv6: address.Is6()})
				}
			}
		}
	}
	var here []dataplane.Target
	for _, t := range candidates {
		if host == "" && dataplane.Publishes(svc, t.To) || isIP && t.Address == address || !isIP && host != "" && strings.EqualFold(t.Hostname, host) {
			here = append(here, t)
		}
	}
	choices := func() string { return "it has " + targetList(svc, all) }
	if len(here) == 0 {
		if i := slices.IndexFunc(svc.Endpoints, func(e cluster.Endpoint) bool { return isIP && e.Address == address }); i >= 0 {
			return dataplane.Target{}, misuse(choices(), "--to %s is an endpoint of the Service: connections to it do not pass the Service", text)
		}
		return dataplane.Target{}, misuse(choices(), "--to %s is no address of service %s/%s", text, svc.Namespace, svc.Name)
	}
	for _, t := range here {
		p := &svc.Ports[t.Port]
		number := p.Port
		if t.To == dataplane.NodePort {
			number = p.NodePort
		}
		if (port == "" || port == strconv.Itoa(int(number)) || port == p.Name) && (protocol == "" || strings.EqualFold(protocol, string(p.Protocol))) {
			return t, nil
		}
	}
	return dataplane.Target{}, misuse("there it has "+targetList(svc, here), "--to %s: service %s/%s has no such port at this address", text, svc.Namespace, svc.Name)
}

// targetList lists some targets for a person.
func targetList(svc *cluster.Service, list []dataplane.Target) string {
	const most = 6
	var texts []string
	for _, t := range list {
		if text := targetText(svc, t); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return "no address"
	}
	if len(texts) > most {
		texts = append(texts[:most], fmt.Sprintf("and %d more", len(texts)-most))
	}
	return strings.Join(texts, ", ")
}
