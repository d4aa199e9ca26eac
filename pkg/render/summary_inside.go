package render

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// insideClaims are about connections from pods and from the host network to the addresses that are published for
// clients.
func insideClaims(r *report.Report) []claim {
	v := &r.Verdict
	var list []claim
	switch {
	case v.Pods.Of+v.Hosts.Of == 0:
		return nil
	case v.Pods.Works() && v.Hosts.Works():
	case v.Alike:
		list = reachClaims(r, &v.Pods, fromInside)
	default:
		list = slices.Concat(reachClaims(r, &v.Pods, fromPods), reachClaims(r, &v.Hosts, fromHosts))
	}
	switch f := failed(r, finding.BypassesLoadBalancer); {
	case f != nil && f.Severity == finding.Error:
		list = append(list, claim{
			fails, "connections from inside the cluster lack the PROXY protocol header that the load balancer adds", "no PROXY header inside", f.Code,
		})
	case f != nil:
		list = append(list, claim{
			warns, "connections from inside the cluster bypass the load balancer, which ends TLS", "no TLS inside", f.Code,
		})
	case r.Doubt.NoHeader:
		list = append(list, claim{
			unsure, "connections from inside the cluster have no PROXY protocol header: cannot tell whether the backends accept them", "unknown from inside", "",
		})
	}
	if len(list) > 0 {
		return list
	}
	if nodesUnread(r) {
		return []claim{{
			unsure, "from inside the cluster it works on " + nodeCount(r, v.Pods.Of, v.Pods.Of) + "; the nodes could not be listed", "not all nodes known", "",
		}}
	}
	return []claim{{ok, works(r) + " from inside the cluster", "works inside", ""}}
}

// start is where connections inside the cluster start.
type start uint8

const (
	fromPods start = iota
	fromHosts
	// fromInside is both, where both get the same.
	fromInside
)

// reachClaims are what is not right about connections that start inside the cluster.
func reachClaims(r *report.Report, to *report.Reach, from start) []claim {
	var list []claim
	code := finding.FailsFromPods
	who := "clients inside the cluster"
	switch from {
	case fromPods:
		who = "pods"
	case fromHosts:
		who, code = "processes on the host network", finding.FailsFromHost
	case fromInside:
	}
	short := map[start]string{fromPods: "pods", fromHosts: "host network", fromInside: "inside"}[from]
	on := func(who string, n int) string {
		if n == to.Of {
			return who
		}
		return who + " on " + nodeCount(r, n, to.Of)
	}
	source := who
	if from == fromInside {
		source = "inside the cluster"
	}
	if n := to.Failing.Nodes; n > 0 {
		where := place(r, &to.Failing)
		m := fails
		if from == fromHosts {
			m = warns
		}
		count := nodeCount(r, n, to.Of)
		text := "connections from " + source + " to " + where + " fail on " + count
		if verb := symptom(to.Outcomes, from == fromInside && n == 1); verb != "" {
			text = who + " on " + count + " " + verb + " at " + where
			if from == fromInside {
				text = "inside the cluster " + count + " " + verb + " at " + where
			}
		}
		short := short + map[bool]string{true: " fails on ", false: " fail on "}[from == fromHosts] + count
		if from == fromInside {
			short = count + " " + english.Word(n, "fails", "fail") + " inside"
		}
		list = append(list, claim{m, text, short, code})
	}
	if n := to.Partly.Nodes; n > 0 {
		list = append(list, claim{
			warns, "some connections from " + on(source, n) + " to " + place(r, &to.Partly) + " fail", "some fail from " + short, code,
		})
	}
	if n := to.Unknown.Nodes; n > 0 {
		list = append(list, claim{
			unsure, "cannot tell whether " + on(who, n) + " can reach " + place(r, &to.Unknown), "unknown from " + short, code,
		})
	}
	if n := to.HandedOn.Nodes; n > 0 {
		list = append(list, claim{
			unsure, "connections from " + on(source, n) + " to " + place(r, &to.HandedOn) + " go to the load balancer: cannot tell what it does with them", "unknown from " + short, code,
		})
	}
	return list
}

// symptom is what failing clients get where all get the same, "" where they do not.
func symptom(outcomes dataplane.Outcomes, single bool) string {
	switch {
	case outcomes == 1<<dataplane.Refused && single:
		return `gets "connection refused"`
	case outcomes == 1<<dataplane.Refused:
		return `get "connection refused"`
	case outcomes == 1<<dataplane.TimedOut && single:
		return "times out"
	case outcomes == 1<<dataplane.TimedOut:
		return "time out"
	}
	return ""
}
