package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// tracing is one trace that is being written.
type tracing struct {
	screen
	t *report.Trace
}

// Trace shows one connection hop by hop.
func Trace(t *report.Trace, style *Style) []byte {
	p := &tracing{screen: screen{Style: style}, t: t}
	p.put(span{p.clean(t.Service.Namespace + "/" + t.Service.Name), strong}, span{"   " + p.clean(targetName(t)) + "   from " + p.clean(clientName(t)), plain})
	p.marked(outcomeOf(t))
	p.WriteByte('\n')
	for i := range t.Route.Hops {
		p.hop(i)
	}
	if len(t.Choices) > 1 {
		p.WriteByte('\n')
		p.prose(span{}, "--to chooses another address or port: "+choices(t))
	}
	return []byte(p.String())
}

// depth is how many hops with branches are above a hop.
func (p *tracing) depth(i int) int {
	depth := 0
	for at := i; p.t.Route.Hops[at].After >= 0; at = p.t.Route.Hops[at].After {
		if k := p.t.Route.Hops[p.t.Route.Hops[at].After].Kind; k == route.LoadBalancerHop || k == route.NetworkHop {
			depth++
		}
	}
	if p.t.Route.Hops[i].Kind == route.AnswerHop {
		return 0
	}
	return depth
}

// labelColumns is the width of the column with the number and the kind of a hop. On a terminal narrower than
// narrowTrace the lines below a hop begin further left.
const (
	labelColumns = 20
	narrowTrace  = 60
)

// hop writes one hop: its kind and what it is, then what it does and why, and the client IP behind it.
func (p *tracing) hop(i int) {
	h := &p.t.Route.Hops[i]
	number := strconv.Itoa(i + 1)
	lead := strings.Repeat(" ", max(0, 2-len(number))) + number + "  " + strings.Repeat("  ", p.depth(i)) + hopLabel(h.Kind)
	lead += strings.Repeat(" ", max(2, labelColumns-len(lead)))
	if below := len(lead); p.columns == 0 || p.columns >= narrowTrace {
		p.labelled(span{}, span{lead, strong}, hopTitle(p.t, i))
		p.behind(i, strings.Repeat(" ", below))
		return
	}
	p.put(span{strings.TrimRight(lead, " "), strong})
	p.behindText(hopTitle(p.t, i), "    ", plain)
	p.behind(i, "    ")
}

// behind writes the lines below a hop.
func (p *tracing) behind(i int, indent string) {
	h := &p.t.Route.Hops[i]
	if c := hopVerdict(p.t, i); c.mark != noMark {
		text := c.text
		if h.Why.Reason != "" {
			text += ": " + h.Why.Reason
		}
		mark := p.glyphs[c.mark] + " "
		for n, l := range p.wrap(text, max(narrowest, p.proseColumns()-p.cells(indent+mark))) {
			if n > 0 {
				mark = strings.Repeat(" ", p.cells(mark))
			}
			p.put(span{indent, plain}, span{mark + l, c.tone})
		}
	}
	for _, line := range hopLines(p.t, i) {
		p.behindText(line, indent, faint)
	}
}

func (p *tracing) behindText(text, indent string, tone tone) {
	for _, l := range p.wrap(text, max(narrowest, p.proseColumns()-len(indent))) {
		p.put(span{indent, plain}, span{l, tone})
	}
}

func hopLabel(k route.HopKind) string {
	switch k {
	case route.ClientHop:
		return "client"
	case route.NodeHop:
		return "node"
	case route.LoadBalancerHop:
		return "load balancer"
	case route.NetworkHop:
		return "network"
	case route.EndpointsHop:
		return "endpoints"
	case route.AnswerHop:
	}
	return "way back"
}

// hopTitle says what a hop is.
func hopTitle(t *report.Trace, i int) string {
	h := &t.Route.Hops[i]
	switch h.Kind {
	case route.ClientHop:
		text := clientName(t)
		if a := t.Route.Client.Address; a.IsValid() && t.Route.Client.From == dataplane.Pod {
			text += ", " + a.String()
		}
		return text
	case route.NodeHop:
		return odds(t, h) + nodeNames(t, h) + onPlane(t, h)
	case route.LoadBalancerHop:
		return cmp.Or(t.Provider.Title, "not recognised") + picks(t, i)
	case route.NetworkHop:
		return "outside of Kubernetes"
	case route.EndpointsHop:
		return odds(t, h) + endpointNames(t, h)
	case route.AnswerHop:
	}
	return h.Why.Reason
}

// odds begins the title of a hop that is one of several: which part of the connections take it.
func odds(t *report.Trace, h *route.Hop) string {
	before := &t.Route.Hops[h.After]
	switch {
	case h.Taken == cluster.No:
		return "not sent to "
	case before.Kind == route.NodeHop && before.Odds == h.Odds:
		return ""
	case h.Taken == cluster.Undetermined:
		return "may be sent to "
	case h.Odds > 0 && h.Odds < 0.9995:
		return percent(h.Odds) + ": "
	}
	return ""
}

func nodeNames(t *report.Trace, h *route.Hop) string {
	names := make([]string, len(h.Nodes))
	for i, n := range h.Nodes {
		names[i] = t.Snapshot.Nodes[n].Name
	}
	return english.Some(names)
}

// onPlane names the data plane of a hop's nodes, where they decide something and all run the same.
func onPlane(t *report.Trace, h *route.Hop) string {
	if h.Taken == cluster.No {
		return ""
	}
	text := ""
	for _, n := range h.Nodes {
		is := dataplaneText(t.Snapshot.DataplaneOf(&t.Snapshot.Nodes[n]))
		if text != "" && text != is {
			return ""
		}
		text = is
	}
	return " (" + text + ")"
}

func endpointNames(t *report.Trace, h *route.Hop) string {
	if h.Endpoints == nil {
		switch {
		case t.Service.ServedByCiliumEnvoy():
			return "Cilium's Envoy on the node"
		case h.Topology == "Zone":
			return "those in the zone of the node (topology hints)"
		case h.Topology == "Node":
			return "those on the node (topology hints)"
		}
		return "it is not known which"
	}
	port := &t.Service.Ports[t.Route.Target.Port]
	names := make([]string, len(h.Endpoints))
	for i, n := range h.Endpoints {
		e := &t.Service.Endpoints[n]
		names[i] = e.Address.String()
		for _, p := range e.Ports {
			if p.Name == port.Name && p.Protocol == port.Protocol {
				names[i] = hostPort(e.Address.String(), e.Address.Is6(), p.Port)
			}
		}
		if e.Node != "" {
			names[i] += " on " + e.Node
		}
	}
	text := english.Some(names)
	if len(names) > 1 && h.Odds > 0 {
		text += " (" + percent(h.Odds/float64(len(names))) + " each)"
	}
	return text
}

func hostPort(host string, ipv6 bool, port uint16) string {
	if ipv6 {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// picks says what the load balancer sends to.
func picks(t *report.Trace, i int) string {
	sure, maybe, pods := 0, 0, 0
	for n := range t.Route.Hops {
		h := &t.Route.Hops[n]
		switch {
		case h.After != i || h.Kind == route.AnswerHop:
		case h.Kind == route.EndpointsHop:
			pods += len(h.Endpoints)
		case h.Taken == cluster.Yes:
			sure += len(h.Nodes)
		case h.Taken == cluster.Undetermined:
			maybe += len(h.Nodes)
		}
	}
	var parts []string
	if sure > 0 {
		parts = append(parts, english.Count(sure, "node", ""))
	}
	if pods > 0 {
		parts = append(parts, english.Count(pods, "pod", ""))
	}
	text := ""
	if len(parts) > 0 {
		text = ", sends to " + english.And(parts)
	}
	if maybe > 0 {
		text += ", may send to " + english.Count(maybe, "node", "")
	}
	return text
}

// hopVerdict is what happens at a hop.
func hopVerdict(t *report.Trace, i int) cell {
	h := &t.Route.Hops[i]
	switch {
	case h.Decides() && h.Kind == route.NodeHop:
		c := verdict(route.Cell{Outcome: h.Outcome, Endpoints: h.Reaches, Topology: h.Topology})
		if h.Outcome == dataplane.Unknown {
			c.text += possible(h.Could)
		}
		if h.Back && h.Outcome != dataplane.Reachable {
			c.text += ", back to where it started"
		}
		return c
	case h.Decides() && h.Outcome != dataplane.Reachable:
		c := verdict(route.Cell{Outcome: h.Outcome})
		if h.Outcome == dataplane.Unknown {
			c.text += possible(h.Could)
		}
		return c
	case (h.Kind == route.LoadBalancerHop || h.Kind == route.NetworkHop) && h.Why.Reason != "":
		return cell{unsure, "unknown", doubtful}
	}
	return cell{}
}

// possible lists the outcomes that are possible where it is not known which.
func possible(could dataplane.Outcomes) string {
	var words []string
	for _, o := range could.All() {
		if w := outcomeWord(o); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + "?)"
}

func outcomeWord(o dataplane.Outcome) string {
	switch o {
	case dataplane.Reachable:
		return "works"
	case dataplane.ViaLoadBalancer:
		return "goes to the load balancer"
	case dataplane.Partial:
		return "partly works"
	case dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable, dataplane.Unknown:
	}
	return verdict(route.Cell{Outcome: o}).text
}

// hopLines are the rules of a hop, and the client IP behind it.
func hopLines(t *report.Trace, i int) (lines []string) {
	h := &t.Route.Hops[i]
	if h.Kind == route.ClientHop {
		if t.Route.Client.Taken != "" {
			lines = append(lines, t.Route.Client.Taken)
		}
		return lines
	}
	if h.Choice.Reason != "" {
		lines = append(lines, h.Choice.Reason)
	}
	for _, w := range []route.Why{h.Why, h.Choice} {
		if w.ID != "" {
			lines = append(lines, ruleLine(w))
		}
	}
	if h.Kind == route.LoadBalancerHop && t.Provider.Source != "" {
		lines = append(lines, "recognised by "+t.Provider.Source)
	}
	if text := clientIPText(t, h); text != "" {
		lines = append(lines, text)
	}
	return lines
}

// ruleLine is a rule, how it is known, and where it was read.
func ruleLine(w route.Why) string {
	text := "rule " + w.ID
	switch w.Basis {
	case dataplane.Measured:
		text += ", measured"
	case dataplane.Source:
		text += ", read in the source"
	case dataplane.Documented:
		text += ", documented"
	case dataplane.NoBasis:
	}
	if w.Source != "" {
		text += ": " + w.Source
	}
	return text
}

// clientIPText is what a hop does with the client IP.
func clientIPText(t *report.Trace, h *route.Hop) string {
	if h.Taken == cluster.No || h.Kind == route.AnswerHop {
		return ""
	}
	seen := "client IP: "
	switch string(h.ClientIP) {
	case string(provider.Preserved):
		if h.Kind == route.EndpointsHop {
			return seen + "the endpoint sees it"
		}
		return seen + "kept"
	case string(provider.Rewritten):
		switch h.Kind {
		case route.EndpointsHop:
			return seen + "the endpoint does not see it"
		case route.LoadBalancerHop:
			return seen + "replaced by an address of the load balancer"
		default:
			if b := t.Route.Hops[h.After].ClientIP; b == route.Seen(provider.Rewritten) {
				return ""
			}
			return seen + "replaced (SNAT)"
		}
	case string(provider.ByProxyProtocol):
		if h.Kind == route.LoadBalancerHop {
			return seen + "in a PROXY protocol header, before the data"
		}
		if h.Kind == route.EndpointsHop {
			return seen + "the endpoint sees it in the PROXY protocol header"
		}
	case string(route.SeenMixed):
		return seen + "kept for some endpoints, replaced for others"
	case string(provider.UnknownClientIP):
		if h.Outcome != dataplane.Unknown || h.Kind == route.LoadBalancerHop {
			return seen + "not known"
		}
	}
	return ""
}

// outcomeOf is the first line about the route: how it ends.
func outcomeOf(t *report.Trace) cell {
	r := &t.Route
	c := verdict(route.Cell{Outcome: r.Outcome})
	why := r.Hops[r.Decided].Why.Reason
	switch r.Outcome {
	case dataplane.Reachable:
		if r.NoHeader != "" {
			return cell{warns, "connects without the PROXY protocol header, which only the load balancer adds (" + r.NoHeader + "): a server that expects it closes the connection", doubtful}
		}
		c.text = "works" + endIP(t)
		return c
	case dataplane.Partial:
		c.text = "some connections fail"
		if r.FailingKnown {
			c.text = percent(r.Failing) + " of the connections fail"
		}
		c.text += onNodes(t)
		if why == "" {
			c.text += endIP(t)
		}
	case dataplane.Unknown:
		c.text = "cannot tell whether it works" + possible(r.Could)
		if onlyFails(r.Could) {
			c = cell{fails, "fails" + possible(r.Could), bad}
		}
		if why == "" {
			c.text += onNodes(t)
		}
	case dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable, dataplane.ViaLoadBalancer:
	}
	if why != "" {
		c.text += ": " + why
	}
	return c
}

// onNodes says of the nodes that the load balancer sends to on how many it works, and why not on the others.
func onNodes(t *report.Trace) string {
	works, of := 0, 0
	why := ""
	for i := range t.Route.Hops {
		h := &t.Route.Hops[i]
		if h.After != t.Route.Decided || h.Kind != route.NodeHop || h.Taken != cluster.Yes {
			continue
		}
		of += len(h.Nodes)
		if h.Outcome == dataplane.Reachable {
			works += len(h.Nodes)
		} else if why == "" {
			why = h.Why.Reason
		}
	}
	if of == 0 || works == of {
		return ""
	}
	return "; works on " + strconv.Itoa(works) + " of " + english.Count(of, "node", "") + " that the load balancer sends to: " + why
}

// onlyFails says whether an outcome that is not known is a failure in any case.
func onlyFails(could dataplane.Outcomes) bool {
	return could != 0 && !slices.ContainsFunc(could.All(), func(o dataplane.Outcome) bool { return o.Badness() < dataplane.Refused.Badness() })
}

// endIP says which client IP the endpoint sees of connections that work.
func endIP(t *report.Trace) string {
	switch string(t.Route.ClientIP) {
	case string(provider.Preserved):
		return "; the endpoint sees the client IP"
	case string(provider.Rewritten):
		return "; the endpoint does not see the client IP"
	case string(provider.ByProxyProtocol):
		return "; the endpoint sees the client IP in the PROXY protocol header"
	case string(route.SeenMixed):
		return "; some endpoints see the client IP, others do not"
	}
	return "; whether the endpoint sees the client IP is not known"
}

func clientName(t *report.Trace) string {
	c := &t.Route.Client
	node := ""
	if c.From != dataplane.External {
		node = t.Snapshot.Nodes[c.Node].Name
	}
	switch {
	case c.From == dataplane.External && !c.Address.IsValid():
		return "outside"
	case c.From == dataplane.External:
		return c.Address.String() + " (outside the cluster)"
	case c.Pod != "":
		return "pod " + c.Pod + " on " + node
	case c.From == dataplane.Pod:
		return "a pod on " + node
	}
	return "the host network of " + node
}

func targetName(t *report.Trace) string {
	to := &t.Route.Target
	port := &t.Service.Ports[to.Port]
	number := port.Port
	if to.To == dataplane.NodePort {
		number = port.NodePort
	}
	return hostPort(to.Host(), to.Address.Is6(), number) + "/" + string(port.Protocol)
}

// choices lists the other targets among which the one of the route was chosen.
func choices(t *report.Trace) string {
	var list []string
	for _, to := range t.Choices {
		other := *t
		other.Route.Target = to
		if text := targetName(&other); to != t.Route.Target && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return english.Some(list)
}
