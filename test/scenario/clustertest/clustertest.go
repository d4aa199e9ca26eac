// Package clustertest knows a short text for a cluster.Snapshot, one line for each thing in it, so that a test can say a whole cluster in a few lines and a real
// cluster can be printed as a test.
//
//	dataplane NAME[/MODE][@VERSION] [KEY=VALUE…]   on=NODE,… for nodes that differ from the cluster
//	node NAME[,NAME…] [KEY=VALUE…]                 NAME{1..40} stands for forty; without ip= the nodes are 192.168.0.1 and so on
//	svc NAMESPACE/NAME TYPE [KEY=VALUE…]           port=NAME:PORT[:NODEPORT][/PROTOCOL][>TARGETPORT][@APPPROTOCOL], ingress=ADDRESS, NAME or ADDRESS+NAME, and [/Proxy]
//	ep ADDRESS[,ADDRESS…] [STATE] [KEY=VALUE…]     of the svc above; STATE is ready, notready or terminating (and still serving)
//	live NODE pass|fail|unreachable [COUNT]        of the svc above: what the node's health check said
//	asked                                          the nodes themselves were asked (--live), whether or not they answered
//	corefile TEXT                                  of CoreDNS, in quotes
//	gap VERB RESOURCE REASON [KEY=VALUE…]          what could not be read
//
// A key without a value means true. Values, and parts of them, with spaces, commas, equals signs, double quotes or a separator of their line are in double quotes. Lines that start with # are comments.
// What a line leaves out has the value that is usual in clusters: nodes are known and ready, pods have the name of their Service, port 8080 and so on.
package clustertest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	known "github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
)

// Parse reads a cluster. The Snapshot is in the order that its contract asks for, whatever the order of the lines. Errors start with the line's number.
func Parse(s string) (*cluster.Snapshot, error) {
	p := &parser{s: &cluster.Snapshot{Dataplane: plainDataplane(cluster.UnknownDataplane)}, nodes: map[string]bool{}}
	for i, l := range strings.Split(s, "\n") {
		p.at = i + 1
		if err := p.line(l); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.at, err)
		}
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	return p.s, nil
}

type parser struct {
	s *cluster.Snapshot
	// at is the number of the line.
	at int
	// nodes are those that have a line of their own.
	nodes map[string]bool
	own   []ownDataplane
	said  bool
}

// ownDataplane is a dataplane line with on=.
type ownDataplane struct {
	at    int
	nodes []string
	is    cluster.Dataplane
}

func (p *parser) line(l string) error {
	words := slices.DeleteFunc(split(strings.ReplaceAll(strings.ToValidUTF8(l, "\uFFFD"), "\t", " "), ' '), func(w string) bool { return w == "" })
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	// Only in the last word can a quote be left open.
	if _, closed := outside(words[len(words)-1], ' '); !closed {
		return errors.New("a double quote is not closed")
	}
	kinds := map[string]struct {
		fewest int
		usage  string
		read   func([]string) error
	}{
		"dataplane": {1, "dataplane NAME[/MODE][@VERSION]", p.dataplane},
		"node":      {1, "node NAME[,NAME…]", p.node},
		"svc":       {2, "svc NAMESPACE/NAME TYPE", p.service},
		"ep":        {1, "ep ADDRESS[,ADDRESS…]", p.endpoint},
		"live":      {2, "live NODE pass|fail|unreachable [COUNT]", p.live},
		"asked":     {0, "asked", p.asked},
		"corefile":  {1, "corefile TEXT", p.corefile},
		"gap":       {3, "gap VERB RESOURCE REASON", p.gap},
	}
	kind, ok := kinds[words[0]]
	if !ok {
		return fmt.Errorf("unknown word %q; a line starts with dataplane, node, svc, ep, live, asked, corefile or gap", words[0])
	}
	if len(words) <= kind.fewest {
		return fmt.Errorf("%s: too short, want: %s", words[0], kind.usage)
	}
	if err := kind.read(words[1:]); err != nil {
		return fmt.Errorf("%s: %w", words[0], err)
	}
	return nil
}

func (p *parser) dataplane(words []string) error {
	head, v, _ := cut(words[0], '@')
	name, mode, _ := strings.Cut(head, "/")
	d := plainDataplane(cluster.DataplaneName(name))
	var on []string
	nodes := attribute{"on", nil, func(v string) (err error) {
		on, err = nodeNames(v)
		return err
	}}
	list := append(dataplane(&d), word("mode", &d.Mode, "", cluster.IPTables, cluster.IPVS, cluster.NFTables), nodes,
		word("name", &d.Name, append(known.Names(), cluster.UnknownDataplane)...))
	if err := assign(append([]string{"name=" + name, "mode=" + mode, "version=" + v}, words[1:]...), list); err != nil {
		return err
	}
	if len(on) > 0 {
		p.own = append(p.own, ownDataplane{p.at, on, d})
		return nil
	}
	if p.said {
		return errors.New("the cluster's is there twice; on=NODE is for a node that differs")
	}
	p.said, p.s.Dataplane = true, d
	return nil
}

func (p *parser) node(words []string) error {
	names, err := nodeNames(words[0])
	if err != nil {
		return err
	}
	for _, name := range names {
		if p.nodes[name] {
			return fmt.Errorf("%s is there twice", name)
		}
		p.nodes[name] = true
		n := plainNode(name, len(p.s.Nodes)+1)
		if err := assign(words[1:], node(&n, len(p.s.Nodes)+1)); err != nil {
			return err
		}
		p.s.Nodes = append(p.s.Nodes, n)
	}
	return nil
}

func nodeNames(s string) ([]string, error) {
	var names []string
	for _, piece := range split(s, ',') {
		name, err := unquote(piece)
		if err != nil {
			return nil, err
		}
		if name != piece {
			names = append(names, name)
			continue
		}
		more, err := span(name)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	return names, nil
}

// most is how many nodes one {…} may stand for: as many as the largest clusters have.
const most = 15000

// span is the names that n{1..40} stands for.
func span(s string) ([]string, error) {
	before, rest, spans := strings.Cut(s, "{")
	if !spans {
		return []string{s}, nil
	}
	bounds, after, _ := strings.Cut(rest, "}")
	first, last, _ := strings.Cut(bounds, "..")
	from, err := strconv.ParseUint(first, 10, 32)
	to, err2 := strconv.ParseUint(last, 10, 32)
	if err != nil || err2 != nil {
		return nil, fmt.Errorf("%q is not NAME{FIRST..LAST}", s)
	}
	if to < from || to-from >= most {
		return nil, fmt.Errorf("%q stands for no nodes, or for more than %d", s, most)
	}
	var names []string
	for i := from; i <= to; i++ {
		names = append(names, before+strconv.FormatUint(i, 10)+after)
	}
	return names, nil
}

func (p *parser) service(words []string) error {
	namespace, name, ok := cut(words[0], '/')
	namespace, err := unquote(namespace)
	name, err2 := unquote(name)
	if !ok || namespace == "" || name == "" || err != nil || err2 != nil {
		return fmt.Errorf("%q is not NAMESPACE/NAME", words[0])
	}
	kinds := []cluster.ServiceType{cluster.TypeClusterIP, cluster.TypeNodePort, cluster.TypeLoadBalancer, cluster.TypeExternalName}
	kind := cluster.ServiceType(words[1])
	if !slices.Contains(kinds, kind) {
		return fmt.Errorf("type %q is none of %q", kind, kinds)
	}
	s := plainService(namespace, name, kind, len(p.s.Services)+1)
	if err := assign(words[2:], service(&s)); err != nil {
		return err
	}
	p.s.Services = append(p.s.Services, s)
	return nil
}

// last is the svc line above.
func (p *parser) last() (*cluster.Service, error) {
	if len(p.s.Services) == 0 {
		return nil, errors.New("there is no svc line above")
	}
	return &p.s.Services[len(p.s.Services)-1], nil
}

func (p *parser) endpoint(words []string) error {
	svc, err := p.last()
	if err != nil {
		return err
	}
	for i, w := range words {
		if state := slices.Index(states, w); state >= 0 {
			words[i] = "conditions=" + conditions[state]
		}
	}
	for _, text := range split(words[0], ',') {
		address, err := readAddress(text)
		if err != nil {
			return err
		}
		e := plainEndpoint(svc, address)
		if err := assign(words[1:], endpoint(&e)); err != nil {
			return err
		}
		svc.Endpoints = append(svc.Endpoints, e)
	}
	return nil
}

func (p *parser) live(words []string) error {
	svc, err := p.last()
	if err != nil {
		return err
	}
	l := cluster.Live{LocalEndpoints: -1}
	checks := map[string]cluster.HealthCheck{"pass": cluster.Pass, "fail": cluster.Fail, "unreachable": cluster.Unreachable}
	var ok bool
	if l.HealthCheck, ok = checks[words[1]]; !ok {
		return fmt.Errorf("%q is not pass, fail or unreachable", words[1])
	}
	rest := words[2:]
	if len(rest) > 0 && !strings.Contains(rest[0], "=") {
		if l.LocalEndpoints, err = strconv.Atoi(rest[0]); err != nil || l.LocalEndpoints < 0 {
			return fmt.Errorf("%q is no number of endpoints", rest[0])
		}
		rest = rest[1:]
	}
	if err := assign(rest, []attribute{text("reason", &l.Reason)}); err != nil {
		return err
	}
	name, err := unquote(words[0])
	if err != nil {
		return err
	}
	if svc.Live == nil {
		svc.Live = map[string]cluster.Live{}
	}
	svc.Live[name] = l
	return nil
}

func (p *parser) corefile(words []string) (err error) {
	p.s.Corefile, err = unquote(words[0])
	return err
}

func (p *parser) asked(words []string) error {
	p.s.NodesAsked = true
	return assign(words, nil)
}

func (p *parser) gap(words []string) error {
	g := cluster.Gap{}
	list := append(gap(&g), text("verb", &g.Verb), text("resource", &g.Resource),
		word("reason", &g.Reason, cluster.Forbidden, cluster.NotFound, cluster.TimedOut, cluster.Failed, cluster.NotInFiles))
	if err := assign(append([]string{"verb=" + words[0], "resource=" + words[1], "reason=" + words[2]}, words[3:]...), list); err != nil {
		return err
	}
	p.s.Gaps = append(p.s.Gaps, g)
	return nil
}

// settle puts everything in the order of the contract, and gives nodes the data planes of their own.
func (p *parser) settle() error {
	slices.SortFunc(p.s.Nodes, func(a, b cluster.Node) int { return strings.Compare(a.Name, b.Name) })
	for i := range p.s.Services {
		slices.SortStableFunc(p.s.Services[i].Endpoints, func(a, b cluster.Endpoint) int { return a.Address.Compare(b.Address) })
	}
	for _, own := range p.own {
		for _, name := range own.nodes {
			i := p.s.NodeIndex(name)
			if i < 0 {
				return fmt.Errorf("line %d: dataplane: on=%s: there is no such node", own.at, name)
			}
			d := own.is
			p.s.Nodes[i].Dataplane = &d
		}
	}
	return nil
}

// Print writes a cluster so that Parse reads the same. What is usual is left out, and neighbours that are alike share a line.
func Print(s *cluster.Snapshot) string {
	var b strings.Builder
	printDataplane(&b, &s.Dataplane, "")
	for i := range s.Nodes {
		if d := s.Nodes[i].Dataplane; d != nil {
			printDataplane(&b, d, " on="+quote(s.Nodes[i].Name))
		}
	}
	var names []string
	alike := ""
	flush := func() {
		if len(names) > 0 {
			fmt.Fprintf(&b, "node %s%s\n", strings.Join(names, ","), alike)
		}
		names = nil
	}
	for i := range s.Nodes {
		n, plain := s.Nodes[i], plainNode(s.Nodes[i].Name, i+1)
		words := differing(node(&n, i+1), node(&plain, i+1))
		if words != alike {
			flush()
			alike = words
		}
		names = append(names, quote(n.Name))
	}
	flush()
	for i := range s.Services {
		printService(&b, &s.Services[i], i+1)
	}
	if s.Corefile != "" {
		fmt.Fprintf(&b, "corefile %s\n", quote(s.Corefile))
	}
	if s.NodesAsked {
		b.WriteString("asked\n")
	}
	for _, g := range s.Gaps {
		fmt.Fprintf(&b, "gap %s %s %s%s\n", quote(g.Verb), quote(g.Resource), quote(string(g.Reason)), differing(gap(&g), gap(&cluster.Gap{})))
	}
	return b.String()
}

func printDataplane(b *strings.Builder, d *cluster.Dataplane, on string) {
	head := string(d.Name)
	if d.Mode != "" {
		head += "/" + string(d.Mode)
	}
	if d.Version.Known() {
		head += "@" + quote(d.Version.Text)
	}
	is, plain := *d, plainDataplane(d.Name)
	plain.Version = d.Version
	fmt.Fprintf(b, "dataplane %s%s%s\n", head, on, differing(dataplane(&is), dataplane(&plain)))
}

func printService(b *strings.Builder, s *cluster.Service, place int) {
	is, plain := *s, plainService(s.Namespace, s.Name, s.Type, place)
	fmt.Fprintf(b, "svc %s/%s %s%s\n", quotePart(s.Namespace, "/"), quotePart(s.Name, ""), s.Type, differing(service(&is), service(&plain)))
	before := cluster.Service{Namespace: s.Namespace, Name: s.Name, Ports: s.Ports}
	for _, e := range s.Endpoints {
		plain := plainEndpoint(&before, e.Address)
		state := ""
		if i := slices.Index(conditions, conditionsOf(&e)); i > 0 {
			state = " " + states[i]
			plain.Ready, plain.Serving, plain.Terminating = e.Ready, e.Serving, e.Terminating
		}
		fmt.Fprintf(b, "ep %s%s%s\n", printAddress(e.Address), state, differing(endpoint(&e), endpoint(&plain)))
		before.Endpoints = append(before.Endpoints, e)
	}
	nodes := make([]string, 0, len(s.Live))
	for name := range s.Live {
		nodes = append(nodes, name)
	}
	slices.SortFunc(nodes, cmp.Compare[string])
	for _, name := range nodes {
		l := s.Live[name]
		count := ""
		if l.LocalEndpoints >= 0 {
			count = " " + strconv.Itoa(l.LocalEndpoints)
		}
		fmt.Fprintf(b, "live %s %s%s%s\n", quote(name), strings.ToLower(string(l.HealthCheck)), count,
			differing([]attribute{text("reason", &l.Reason)}, []attribute{text("reason", new(string))}))
	}
}
