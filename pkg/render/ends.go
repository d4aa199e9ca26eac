package render

import (
	"slices"
	"strconv"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

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
