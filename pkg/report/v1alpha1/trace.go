package v1alpha1

import (
	"cmp"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

type (
	// HopKind says what a hop is: Node is one node or several that decide alike, Network is outside of Kubernetes, Answer
	// is the way back.
	HopKind string
	// HopClientIP says which client IP is seen behind a hop; "" where no connection gets further.
	HopClientIP string
	// HopOutcome is what a node does with the connection; "" for a hop that decides nothing.
	HopOutcome string
)

// Trace is one connection to a Service, hop by hop.
type Trace struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`

	Service  Service     `json:"service"`
	Provider Provider    `json:"provider"`
	From     TraceClient `json:"from"`
	To       TraceTarget `json:"to"`
	// Outcome is that of all connections of the client to the target together.
	Outcome OutsideOutcome `json:"outcome"`
	// Could lists the outcomes that remain possible where Outcome is Unknown, as far as they are known.
	Could []Outcome `json:"could,omitempty"`
	// Failing is the share of connections that fail, 0 to 1; left out where it is not known.
	Failing *float64 `json:"failing,omitempty"`
	// ClientIP is what the endpoint sees in the end.
	ClientIP HopClientIP `json:"clientIP"`
	Basis    Basis       `json:"basis"`
	// WithoutHeader is what makes the load balancer add a PROXY protocol header to connections, where this one does not
	// pass the load balancer and lacks it; left out otherwise.
	WithoutHeader string `json:"withoutHeader,omitempty"`
	// Hops are in order; each comes after the hop with the number in after.
	Hops []Hop `json:"hops"`
	// Rules are those that the hops name, ordered by id.
	Rules []Rule `json:"rules"`
	Gaps  []Gap  `json:"gaps"`
}

// TraceClient is where the connection starts.
type TraceClient struct {
	From From `json:"from"`
	// Pod is namespace/name, Node the client's node; left out where there is none.
	Pod  string `json:"pod,omitempty"`
	Node string `json:"node,omitempty"`
	// Address is left out where no certain one is meant.
	Address string `json:"address,omitempty"`
	// Note says why the client is another one than was asked for; left out where it is not.
	Note string `json:"note,omitempty"`
}

// TraceTarget is what the client connects to.
type TraceTarget struct {
	To       To     `json:"to"`
	Address  string `json:"address"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
	// Node is the node whose node port it is; left out for other targets.
	Node string `json:"node,omitempty"`
}

// Hop is one step of the connection.
type Hop struct {
	// Number counts from 1; After is that of the hop before, 0 for the first.
	Number int     `json:"number"`
	After  int     `json:"after"`
	Kind   HopKind `json:"kind"`
	// Nodes are those that the hop is about.
	Nodes []string `json:"nodes"`
	// Endpoints may get the connection, where it is known which.
	Endpoints []TraceEndpoint `json:"endpoints"`
	// Taken is No for a backend that the load balancer does not send to.
	Taken Tristate `json:"taken"`
	// Odds is the share of all connections that take this hop, 0 to 1; left out where it is not known.
	Odds    float64    `json:"odds,omitempty"`
	Outcome HopOutcome `json:"outcome"`
	// Reaches says which endpoints a node uses; left out for other hops.
	Reaches  Endpoints   `json:"reaches,omitempty"`
	ClientIP HopClientIP `json:"clientIP"`
	// SentBack: the load balancer sends the connection back to the node where it started.
	SentBack bool `json:"sentBack,omitempty"`
	// Rule is the id of the rule that decided what happens here, Choice of the one that decided whether the load
	// balancer sends here; left out where no rule did. Reason says it in words, also where no rule did.
	Rule   string `json:"rule,omitempty"`
	Choice string `json:"choice,omitempty"`
	Reason string `json:"reason,omitempty"`
	Basis  Basis  `json:"basis"`
}

// TraceEndpoint is one endpoint.
type TraceEndpoint struct {
	Address string `json:"address"`
	// Port is 0 where the EndpointSlice gives none.
	Port int    `json:"port"`
	Pod  string `json:"pod,omitempty"`
	Node string `json:"node,omitempty"`
}

// TraceOf converts a trace.
func TraceOf(t *report.Trace) *Trace {
	r := &t.Route
	out := &Trace{
		APIVersion: APIVersion, Kind: "Trace", Service: service(t.Service), Provider: balancer(t.Provider), From: traceClient(t), To: traceTarget(t),
		Outcome: OutsideOutcome(r.Outcome.String()), ClientIP: HopClientIP(r.ClientIP), Basis: Basis(r.Basis.String()), WithoutHeader: r.NoHeader,
		Hops: []Hop{}, Gaps: each(t.Snapshot.Gaps, gap),
	}
	if r.Outcome == dataplane.Unknown {
		for _, o := range r.Could.All() {
			out.Could = append(out.Could, Outcome(o.String()))
		}
		out.Basis, out.ClientIP = Basis(dataplane.NoBasis.String()), HopClientIP(dataplane.ClientIPUnknown.String())
	}
	if r.FailingKnown {
		out.Failing = &r.Failing
	}
	rules := map[string]Rule{}
	for i := range r.Hops {
		h := &r.Hops[i]
		out.Hops = append(out.Hops, hop(t, i))
		for _, w := range []route.Why{h.Why, h.Choice} {
			if w.ID != "" {
				rules[w.ID] = Rule{ID: w.ID, Reason: w.Reason, Source: w.Source}
			}
		}
	}
	out.Rules = []Rule{}
	for _, rule := range rules {
		out.Rules = append(out.Rules, rule)
	}
	slices.SortFunc(out.Rules, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func traceClient(t *report.Trace) TraceClient {
	c := &t.Route.Client
	out := TraceClient{From: From(c.From.String()), Pod: c.Pod, Note: c.Taken}
	if c.Address.IsValid() {
		out.Address = c.Address.String()
	}
	if c.From != dataplane.External {
		out.Node = t.Snapshot.Nodes[c.Node].Name
	}
	return out
}

func traceTarget(t *report.Trace) TraceTarget {
	to := &t.Route.Target
	port := &t.Service.Ports[to.Port]
	out := TraceTarget{To: To(to.To.String()), Address: to.Host(), Port: int(port.Port), Protocol: string(port.Protocol)}
	if to.To == dataplane.NodePort {
		out.Port, out.Node = int(port.NodePort), t.Snapshot.Nodes[to.Node].Name
	}
	return out
}

func hop(t *report.Trace, i int) Hop {
	h := &t.Route.Hops[i]
	out := Hop{
		Number: i + 1, After: h.After + 1, Kind: HopKind(h.Kind), Nodes: each(h.Nodes, func(n *int) string { return t.Snapshot.Nodes[*n].Name }),
		Endpoints: each(h.Endpoints, func(e *int) TraceEndpoint { return traceEndpoint(t, &t.Service.Endpoints[*e]) }),
		Taken:     tristate(h.Taken), Odds: h.Odds, ClientIP: HopClientIP(h.ClientIP), SentBack: h.Back,
		Rule: h.Why.ID, Choice: h.Choice.ID, Reason: cmp.Or(h.Why.Reason, h.Choice.Reason), Basis: Basis(h.Why.Basis.String()),
	}
	if h.Why == (route.Why{}) {
		out.Basis = Basis(h.Choice.Basis.String())
	}
	if h.Decides() {
		out.Outcome = HopOutcome(h.Outcome.String())
	}
	if h.Kind == route.NodeHop && h.Taken != cluster.No {
		out.Reaches = Endpoints(h.Reaches.String())
	}
	return out
}

func traceEndpoint(t *report.Trace, e *cluster.Endpoint) TraceEndpoint {
	port := &t.Service.Ports[t.Route.Target.Port]
	out := TraceEndpoint{Address: e.Address.String(), Pod: e.Target, Node: e.Node}
	for _, p := range e.Ports {
		if p.Name == port.Name && p.Protocol == port.Protocol {
			out.Port = int(p.Port)
		}
	}
	return out
}
