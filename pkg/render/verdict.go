package render

import (
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

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

// received is the cell about connections that come through the load balancer. Where it is not known whether it sends to
// the node, the cell says what becomes of a connection that arrives: the node's half is known.
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

// share is the node's part of the connections that come through the load balancer.
func share(r *report.Receives) cell {
	switch {
	case r.Share > 0:
		return cell{text: percent(r.Share)}
	case r.Receives != cluster.No:
		return cell{mark: unsure, tone: doubtful}
	}
	return cell{mark: nothing, tone: faint}
}

// perPod is the part of each ready endpoint on the node.
func perPod(row *report.Row) cell {
	switch r := &row.LoadBalancer; {
	case r.PodShare > 0:
		return cell{text: percent(r.PodShare)}
	case r.Receives != cluster.No && row.Endpoints.Ready > 0:
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
