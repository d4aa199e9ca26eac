package render

import (
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// conclusion is said where no check found anything: that all is well only where what matters was judged.
func conclusion(d report.Doubt) cell {
	if !d.Any() {
		return cell{ok, "no findings", good}
	}
	var open []string
	if d.Outside || d.Pods || d.Hosts {
		open = append(open, "it is not known whether connections from "+starts(d.Outside, d.Pods, d.Hosts)+" work")
	}
	if d.PodsHandedOn || d.HostsHandedOn {
		open = append(open, "connections from "+starts(false, d.PodsHandedOn, d.HostsHandedOn)+" go to the load balancer, and what it does with them is not known")
	}
	if d.NoHeader {
		open = append(open, "connections from inside the cluster lack the PROXY protocol header that the load balancer adds, and whether the backends accept that is not known")
	}
	return cell{unsure, "no failure found, but " + strings.Join(open, "; "), doubtful}
}

// starts names where connections start: outside, pods and nodes.
func starts(outside, pods, hosts bool) string {
	var names []string
	for _, start := range []struct {
		named bool
		name  string
	}{{outside, "outside"}, {pods, "pods"}, {hosts, "nodes"}} {
		if start.named {
			names = append(names, start.name)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// verdict is how the map writes a cell. Cells that read the same have the same Seen.
func verdict(c route.Cell) cell {
	if c.None {
		return cell{mark: nothing, tone: faint}
	}
	switch c.Outcome {
	case dataplane.Reachable:
		switch {
		case c.Endpoints == dataplane.AllEndpoints && c.Topology == "Zone":
			return cell{ok, "own zone", good}
		case c.Endpoints == dataplane.AllEndpoints && c.Topology == "Node":
			return cell{ok, "own node", good}
		case c.Endpoints == dataplane.AllEndpoints:
			return cell{ok, "any node", good}
		case c.Endpoints == dataplane.LocalEndpoints:
			return cell{ok, "local", good}
		}
		return cell{ok, "reached", good}
	case dataplane.Refused:
		if c.Mixed && c.Endpoints == dataplane.NoEndpoints {
			return cell{fails, "fails", bad}
		}
		return cell{fails, "refused", bad}
	case dataplane.TimedOut:
		return cell{fails, "times out", bad}
	case dataplane.Unreachable:
		return cell{fails, "unreachable", bad}
	case dataplane.Partial:
		return cell{partly, "partly", doubtful}
	case dataplane.ViaLoadBalancer:
		if c.Endpoints == dataplane.NoEndpoints {
			return cell{fails, "via LB", bad}
		}
		return cell{via, "via LB", informing}
	case dataplane.Unknown:
	}
	return cell{unsure, "unknown", doubtful}
}

// received is the cell about connections that come through the load balancer. Where it is not known whether it sends to the node, the cell says what becomes of a
// connection that arrives: the node's half is known.
func received(r *report.Receives, arriving route.Cell) cell {
	switch {
	case r.Receives == cluster.No && r.Reason == "SendsToPods":
		return cell{nothing, "to pods", faint}
	case r.Receives == cluster.No && r.Reason == "NoLoadBalancer":
		return cell{nothing, "no LB", faint}
	case r.Receives == cluster.No && r.Reason == "NoAddress":
		return cell{nothing, "no address", faint}
	case r.Receives == cluster.No:
		return cell{nothing, "not sent", faint}
	case arriving.None:
		return cell{unsure, "unknown", doubtful}
	}
	c := verdict(arriving)
	if r.Receives == cluster.Undetermined && c.mark != unsure {
		c.text += ", if sent"
		if c.mark != ok {
			c.mark, c.tone = unsure, doubtful
		}
	}
	return c
}

// backends is what a node has for the Service.
func backends(c report.Counts, known bool) cell {
	if !known {
		return cell{unsure, "unknown", doubtful}
	}
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{c.Ready, "ready"}, {c.ServingTerminating, "ending"}, {c.NotReady, "not ready"}} {
		if part.n > 0 {
			parts = append(parts, strconv.Itoa(part.n)+" "+part.word)
		}
	}
	switch {
	case len(parts) == 0:
		return cell{text: "none", tone: faint}
	case c.Ready == 0:
		return cell{text: strings.Join(parts, ", "), tone: doubtful}
	}
	return cell{text: strings.Join(parts, ", ")}
}

// share of the external connections, for the node and for each of its ready endpoints.
func share(r *report.Receives) cell {
	pod := ""
	if r.PodShare > 0 {
		pod = "(" + percent(r.PodShare) + " a pod)"
	}
	switch {
	case r.Share > 0 && pod != "":
		return cell{text: percent(r.Share) + "  " + pod}
	case r.Share > 0:
		return cell{text: percent(r.Share)}
	case pod != "":
		return cell{text: pod}
	case r.Receives != cluster.No:
		return cell{mark: unsure, tone: doubtful}
	}
	return cell{mark: nothing, tone: faint}
}

// percent has two digits that mean something, and no more.
func percent(f float64) string {
	p := f * 100
	digits := 0
	for limit := 9.95; p < limit && digits < 4; limit /= 10 {
		digits++
	}
	text := strconv.FormatFloat(p, 'f', digits, 64)
	if digits > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + "%"
}

// live is what the node's own health check said, beside what the EndpointSlices say of it.
func live(row *report.Row, known bool) cell {
	l, ready := row.Live, row.Endpoints.Ready
	if l == nil {
		return cell{mark: nothing, tone: faint}
	}
	own := ""
	if l.LocalEndpoints >= 0 {
		own = ", " + strconv.Itoa(l.LocalEndpoints)
	}
	var said cell
	switch l.HealthCheck {
	case cluster.Pass:
		said = cell{ok, "pass" + own, good}
	case cluster.Fail:
		said = cell{fails, "fail" + own, bad}
	case cluster.Unreachable:
		return cell{unsure, "no answer", doubtful}
	}
	// Where the answer has no count, it passes if the node has a ready endpoint.
	if known && (row.Disagrees || l.LocalEndpoints < 0 && (l.HealthCheck == cluster.Pass) != (ready > 0)) {
		said.mark, said.tone = warns, doubtful
		said.text += " (slices: " + strconv.Itoa(ready) + ")"
	} else if l.HealthCheck == cluster.Fail && ready == 0 {
		// What is to be expected of a node without endpoints is no alarm.
		said.tone = plain
	}
	return said
}
