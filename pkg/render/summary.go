package render

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// claim is one statement of the verdict: what is known to work, to fail, or is not known.
type claim struct {
	mark mark
	text string
	// brief is the same for a list, where there is room for a few words.
	brief string
	// code is the finding that says the same at length, "" where none does.
	code string
}

// summary is the verdict on a Service in one line: it never says more than the report knows, and its mark is never
// better than a finding's.
func summary(r *report.Report) cell {
	list := claims(r)
	if marked(list, "").mark != unsure {
		// The mark belongs to what fails, so what is not known comes after it.
		known := slices.DeleteFunc(slices.Clone(list), func(c claim) bool { return c.mark == unsure })
		list = slices.Concat(known, slices.DeleteFunc(list, func(c claim) bool { return c.mark != unsure }))
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].text
	}
	return marked(list, strings.Join(texts, "; "))
}

// brief is the verdict for a list: only the worst of what is known.
func brief(r *report.Report) cell {
	if r.Unsupported != "" {
		return cell{nothing, "nothing to check", faint}
	}
	list := claims(r)
	c := marked(list, "")
	var texts []string
	for i := range list {
		if list[i].mark == c.mark && !slices.Contains(texts, list[i].brief) {
			texts = append(texts, list[i].brief)
		}
	}
	c.text = strings.Join(texts, ", ")
	return c
}

func marked(list []claim, text string) cell {
	worst := ok
	for i := range list {
		if badness(list[i].mark) > badness(worst) {
			worst = list[i].mark
		}
	}
	return cell{worst, text, map[mark]tone{ok: good, unsure: doubtful, warns: doubtful, fails: bad}[worst]}
}

// badness orders the marks of a verdict.
func badness(m mark) int { return slices.Index([]mark{ok, unsure, warns, fails}, m) }

func claims(r *report.Report) []claim {
	var list []claim
	v := &r.Verdict
	if c, ok := pendingClaim(r); ok {
		list = append(list, c)
	}
	switch {
	case r.Service.Pending() && len(r.Service.ExternalIPs) == 0 && failed(r, finding.NoReadyEndpoint) == nil:
	case failed(r, finding.NoReadyEndpoint) != nil:
		list = append(list, claim{
			fails, "no ready endpoint: nothing behind the Service accepts connections", "no ready endpoint", finding.NoReadyEndpoint,
		})
	case r.Service.EndpointsKnown && len(v.Unserved) > 0:
		text := "no ready endpoint serves " + portList(v.Unserved)
		list = append(list, claim{fails, text, text, finding.UnservedPort})
		fallthrough
	default:
		outside, inside := outsideClaims(r), insideClaims(r)
		switch {
		case everyOK(outside) && everyOK(inside):
			outside, inside = []claim{{ok, works(r) + " from outside and from inside the cluster", "works", ""}}, nil
		case len(outside) == 1 && outside[0].mark == unsure && v.Alike && v.Pods.Of > 0 && v.Pods.Unknown.Nodes == v.Pods.Of:
			outside, inside = []claim{{
				unsure, "cannot tell where it works, from outside or from inside the cluster", "unknown", finding.FailsFromPods,
			}}, nil
		}
		list = slices.Concat(list, outside, inside, clusterIPClaims(r))
		if len(outside)+len(inside) == 0 && len(list) == 0 {
			list = append(list, claim{unsure, "cannot tell where it works: no node is known", "no node is known", ""})
		}
	}
	return append(list, findingClaims(r, list)...)
}

func everyOK(list []claim) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(c claim) bool { return c.mark != ok })
}

// failed is the first finding of the code that failed, nil where none did.
func failed(r *report.Report, code string) *finding.Finding {
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Code == code && f.Result == finding.Fail })
	if i < 0 {
		return nil
	}
	return &r.Findings[i]
}

// pendingClaim says that the load balancer has no address, with the newest event about it.
func pendingClaim(r *report.Report) (claim, bool) {
	s := r.Service
	if !s.Pending() {
		return claim{}, false
	}
	text := "no load balancer address yet"
	switch e := s.NewestEvent; {
	case e != nil:
		text += "; newest event: " + strings.TrimSpace(e.Type+" "+e.Reason) + ": " + strings.Join(strings.Fields(e.Message), " ")
	case s.EventsKnown:
		text += ", and no event about it"
	}
	return claim{warns, text, "no address yet", finding.NoAddress}, true
}

// outsideClaims are about connections from outside the cluster.
func outsideClaims(r *report.Report) []claim {
	v := &r.Verdict
	var list []claim
	if v.Balanced {
		list = append(list, balancedClaim(r))
	}
	for _, to := range []struct {
		report.Reach
		code string
	}{{v.NodePorts, finding.NodePortOnSomeNodes}, {v.ExternalIPs, ""}} {
		on := nodeCount(r, to.Failing.Nodes+to.Partly.Nodes, to.Of)
		switch {
		case to.Of == 0:
		case to.Works() && len(list) == 0:
			list = append(list, claim{ok, works(r) + " from outside", "works from outside", ""})
		case to.Works():
		case to.Failing.Nodes+to.Partly.Nodes > 0:
			where := place(r, &to.Failing)
			if to.Failing.Nodes == 0 {
				where = place(r, &to.Partly)
			}
			list = append(list, claim{
				warns, "connections from outside to " + where + " fail on " + on, "fails from outside on " + on, to.code,
			})
		default:
			list = append(list, claim{
				unsure, "cannot tell whether " + place(r, &to.Unknown) + " works from outside", "unknown from outside", to.code,
			})
		}
	}
	return list
}

// balancedClaim is about connections from outside that come through the load balancer.
func balancedClaim(r *report.Report) claim {
	o, ports := &r.Verdict.Outside, ""
	code := finding.SendsToFailingNodes
	for _, cause := range []string{finding.HealthAgainstPolicy, finding.AnnouncerWithoutEndpoint} {
		if failed(r, cause) != nil {
			code = cause
		}
	}
	if n := len(r.Verdict.Failing); n > 0 && n < len(r.Service.Ports)-len(r.Verdict.Unserved) {
		ports = " to " + portList(r.Verdict.Failing)
	}
	switch {
	case o.Outcome == dataplane.Reachable:
		if e := &r.Verdict.ExternalIPs; e.Of > 0 && !e.Works() {
			return claim{ok, works(r) + " from outside through the load balancer", "works from outside", ""}
		}
		return claim{ok, works(r) + " from outside", "works from outside", ""}
	case allFail(o.Outcome) && ports != "":
		return claim{
			fails, "connections from outside" + ports + " fail", "fails from outside", code,
		}
	case allFail(o.Outcome):
		return claim{fails, "does not work from outside", "fails from outside", code}
	case o.Outcome == dataplane.Partial && o.FailingKnown && o.Failing > 0 && o.Failing < 1 && len(r.Service.Ingress) == 1:
		text := percent(o.Failing) + " of connections from outside" + ports + " fail"
		return claim{fails, text, percent(o.Failing) + " fail from outside", code}
	case o.Outcome == dataplane.Partial:
		return claim{
			fails, "some connections from outside" + ports + " fail", "some fail from outside", code,
		}
	case failed(r, finding.SendsToNoEndpoint) != nil:
		return claim{
			fails, "nothing from outside arrives: the load balancer sends to no node that has a ready endpoint", "fails from outside", finding.SendsToNoEndpoint,
		}
	}
	text := "cannot tell whether it works from outside"
	if r.Provider.Name == "" {
		text += " (load balancer not recognised)"
	}
	return claim{unsure, text, "unknown from outside", ""}
}

// allFail says whether no connection with this outcome works.
func allFail(o dataplane.Outcome) bool { return o.Badness() == dataplane.Refused.Badness() }

// clusterIPClaims are about connections to the ClusterIPs that do not work; that they work goes without saying.
func clusterIPClaims(r *report.Report) []claim {
	to := &r.Verdict.ClusterIP
	why := ""
	if r.Service.InternalTrafficPolicy == cluster.PolicyLocal {
		why = " (internalTrafficPolicy Local)"
	}
	var list []claim
	if n := to.Failing.Nodes + to.Partly.Nodes; n > 0 {
		on := nodeCount(r, n, to.Of)
		list = append(list, claim{
			warns, "connections to the cluster IP fail on " + on + why, "cluster IP fails on " + on, "",
		})
	}
	if n := to.Unknown.Nodes; n > 0 {
		text := "cannot tell whether the cluster IP works"
		if n < to.Of {
			text += " on " + nodeCount(r, n, to.Of)
		}
		list = append(list, claim{unsure, text, "cluster IP unknown", ""})
	}
	return list
}

// findingClaims say what was found, or could not be decided, where no claim says it.
func findingClaims(r *report.Report, list []claim) []claim {
	said := func(code string, least mark) bool {
		return slices.ContainsFunc(list, func(c claim) bool { return c.code == code && badness(c.mark) >= badness(least) })
	}
	var more []claim
	warnings, undecided := 0, len(r.Gaps) > 0
	first := ""
	for i := range r.Findings {
		switch f := &r.Findings[i]; {
		case f.Result == finding.Unknown:
			undecided = true
		case f.Result != finding.Fail || f.Severity == finding.Info:
		case f.Severity == finding.Error && !said(f.Code, fails):
			more = append(more, claim{fails, message(f), message(f), f.Code})
		case f.Severity == finding.Warning && !said(f.Code, warns):
			warnings++
			first = cmp.Or(first, message(f))
		}
	}
	loud := slices.ContainsFunc(slices.Concat(list, more), func(c claim) bool { return badness(c.mark) >= badness(warns) })
	switch {
	case loud:
	case warnings == 1:
		more = append(more, claim{warns, "1 warning", first, ""})
	case warnings > 1:
		more = append(more, claim{
			warns, strconv.Itoa(warnings) + " warnings", first + " (+" + strconv.Itoa(warnings-1) + ")", "",
		})
	}
	if undecided && !slices.ContainsFunc(slices.Concat(list, more), func(c claim) bool { return c.mark != ok }) {
		more = append(more, claim{unsure, "not everything could be checked", "works, as far as checked", ""})
	}
	return more
}

// message is the line of a finding.
func message(f *finding.Finding) string { return cmp.Or(f.Message, f.Title) }

// nodesUnread says whether the cluster may have nodes that the report does not have.
func nodesUnread(r *report.Report) bool {
	return slices.ContainsFunc(r.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes" && g.Verb == "list" })
}

// works is said of the Service, or of those of its ports that something serves.
func works(r *report.Report) string {
	if len(r.Verdict.Unserved) == 0 {
		return "works"
	}
	served := slices.DeleteFunc(slices.Clone(r.Service.Ports), func(p cluster.Port) bool { return slices.Contains(r.Verdict.Unserved, p) })
	return portList(served) + " " + english.Word(len(served), "works", "work")
}

// nodeCount counts nodes: 38 of 40 nodes, all 40 nodes, the only node.
func nodeCount(r *report.Report, n, of int) string {
	noun := "nodes"
	if nodesUnread(r) {
		noun = "known nodes"
	}
	switch {
	case of == 1:
		return "the only " + strings.TrimSuffix(noun, "s")
	case n == of:
		return "all " + strconv.Itoa(of) + " " + noun
	}
	return strconv.Itoa(n) + " of " + strconv.Itoa(of) + " " + noun
}

// place names the targets of a count: addresses alone where all served ports are meant, else with the ports.
func place(r *report.Report, c *report.Count) string {
	var hosts []string
	var ports []cluster.Port
	nodePorts := false
	for _, t := range c.Targets {
		host, port := t.Host(), r.Service.Ports[t.Port]
		if t.To == dataplane.NodePort {
			port.Port, nodePorts = port.NodePort, true
		}
		if host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	text := strings.Join(hosts, " and ")
	if len(hosts) > 2 {
		text = strconv.Itoa(len(hosts)) + " addresses"
	}
	switch all := len(r.Service.Ports) - len(r.Verdict.Unserved); {
	case !c.Each && len(hosts) > 1:
		return "one or more addresses"
	case !c.Each && nodePorts:
		return "one or more node ports"
	case !c.Each:
		return "one or more ports of " + text
	case nodePorts:
		return "node " + portList(ports) + overFamily(r, c)
	case len(ports) < all:
		return text + " " + portList(ports)
	}
	return text
}

// overFamily names the family of node ports where the Service has two and only one is counted.
func overFamily(r *report.Report, c *report.Count) string {
	v6 := c.Targets[0].IPv6
	if len(r.Service.ClusterIPs) < 2 || slices.ContainsFunc(c.Targets, func(t dataplane.Target) bool { return t.IPv6 != v6 }) {
		return ""
	}
	if v6 {
		return " over IPv6"
	}
	return " over IPv4"
}

// portList names ports: port 80/TCP, ports 80/TCP 443/TCP.
func portList(ports []cluster.Port) string {
	texts := make([]string, len(ports))
	for i := range ports {
		texts[i] = portText(&ports[i], false)
	}
	return english.Word(len(texts), "port", "") + " " + strings.Join(texts, " ")
}

// clientIP says whether endpoints see the client IP of connections from outside, "" where none of these reaches an
// endpoint.
func clientIP(v *report.Verdict) string {
	if !v.Balanced {
		return map[dataplane.ClientIP]string{
			dataplane.Preserved: "client IP kept", dataplane.Rewritten: "client IP lost", dataplane.Mixed: "client IP kept for some connections only",
			dataplane.ClientIPUnknown: "client IP unknown",
		}[v.ClientIP]
	}
	switch o := &v.Outside; {
	case allFail(o.Outcome):
		return ""
	case o.Mixed:
		return "client IP kept for some connections only"
	case o.ClientIP == provider.Preserved:
		return "client IP kept"
	case o.ClientIP == provider.Rewritten:
		return "client IP lost"
	case o.ClientIP == provider.ByProxyProtocol:
		return "client IP in the PROXY protocol header"
	}
	return "client IP unknown"
}
