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
