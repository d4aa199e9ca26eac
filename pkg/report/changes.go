package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// Changes says in sentences, findings first for each Service, what is true after that was not true before: also where a
// finding has another severity, or other numbers in its message, or can be decided now. Services are matched by
// namespace and name, nodes by name, findings by code and subject; with more than one Service in either list each
// sentence begins with the Service's name. Nil where nothing worth a sentence has changed.
func Changes(before, after []Report) []string {
	var said []string
	several := len(before) > 1 || len(after) > 1
	for i := range after {
		old := find(before, after[i].Service)
		name := after[i].Service.Namespace + "/" + after[i].Service.Name
		if old == nil {
			said = append(said, name+" appeared")
			continue
		}
		for _, sentence := range slices.Concat(findings(old, &after[i]), service(old.Service, after[i].Service), rows(old, &after[i])) {
			if several {
				sentence = name + ": " + sentence
			}
			said = append(said, sentence)
		}
	}
	for i := range before {
		if find(after, before[i].Service) == nil {
			said = append(said, before[i].Service.Namespace+"/"+before[i].Service.Name+" is gone")
		}
	}
	return said
}

func find(reports []Report, s *cluster.Service) *Report {
	for i := range reports {
		if t := reports[i].Service; t.Namespace == s.Namespace && t.Name == s.Name {
			return &reports[i]
		}
	}
	return nil
}

// findings compares what was found, and what could not be decided. A finding that cannot be decided any more has not
// gone.
func findings(before, after *Report) []string {
	old, now := found(before), found(after)
	var said []string
	for i := range now {
		f := &now[i]
		var sentence string
		switch was := f.among(old); {
		case f.Result == finding.Fail && (was == nil || was.Result == finding.Unknown):
			sentence = f.Code + " now: " + f.Message
		case f.Result == finding.Fail && f.Severity != was.Severity:
			sentence = fmt.Sprintf("%s now %s, was %s: %s", f.Code, strings.ToLower(f.Severity.String()), strings.ToLower(was.Severity.String()), f.Message)
		case f.Result == finding.Fail && f.Message != was.Message:
			sentence = fmt.Sprintf("%s now: %s (was: %s)", f.Code, f.Message, was.Message)
		case f.Result == finding.Unknown && (was == nil || was.Result == finding.Fail):
			sentence = f.Code + " now unknown: " + f.Message
		default:
			continue
		}
		said = append(said, sentence)
	}
	for i := range old {
		f := &old[i]
		switch {
		case f.among(now) != nil:
		case f.Result == finding.Unknown:
			said = append(said, f.Code+" no longer unknown: "+f.Message)
		default:
			said = append(said, f.Code+" no longer: "+f.Message)
		}
	}
	return said
}

// entry is a finding, and its place among those with its code and subject.
type entry struct {
	*finding.Finding
	nth int
}

// found are the findings that failed or are not known, in their order.
func found(r *Report) []entry {
	type key struct {
		code    string
		subject finding.Subject
	}
	seen := map[key]int{}
	var list []entry
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Result != finding.Fail && f.Result != finding.Unknown {
			continue
		}
		k := key{f.Code, f.Subject}
		list = append(list, entry{f, seen[k]})
		seen[k]++
	}
	return list
}

// among finds the same finding in another list, nil where it has none.
func (e *entry) among(list []entry) *finding.Finding {
	for i := range list {
		if o := &list[i]; o.Code == e.Code && o.Subject == e.Subject && o.nth == e.nth {
			return o.Finding
		}
	}
	return nil
}

func service(before, after *cluster.Service) []string {
	var said []string
	differ := func(what, old, now string) {
		if old != now {
			said = append(said, fmt.Sprintf("%s: %s, was %s", what, orNone(now), orNone(old)))
		}
	}
	differ("type", string(before.Type), string(after.Type))
	differ("externalTrafficPolicy", string(before.ExternalTrafficPolicy), string(after.ExternalTrafficPolicy))
	differ("internalTrafficPolicy", string(before.InternalTrafficPolicy), string(after.InternalTrafficPolicy))
	differ("load balancer address", ingress(before), ingress(after))
	differ("external IPs", texts(before.ExternalIPs), texts(after.ExternalIPs))
	differ("ports", ports(before), ports(after))
	return said
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

func ingress(s *cluster.Service) string {
	var list []string
	for _, in := range s.Ingress {
		text := in.Hostname
		if in.IP.IsValid() {
			text = in.IP.String()
		}
		if in.IPMode == cluster.Proxy {
			text += " (ipMode Proxy)"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func texts(addresses []netip.Addr) string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = a.String()
	}
	return strings.Join(list, " ")
}

func ports(s *cluster.Service) string {
	list := make([]string, len(s.Ports))
	for i, p := range s.Ports {
		list[i] = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
	}
	return strings.Join(list, " ")
}

// rows compares nodes. A node that is not in a list, or not known there, was not ready or gone: only what both say can
// differ.
func rows(before, after *Report) []string {
	old := make(map[string]*Row, len(before.Nodes))
	for i := range before.Nodes {
		old[before.Nodes[i].Node.Name] = &before.Nodes[i]
	}
	var said []string
	for i := range after.Nodes {
		now := &after.Nodes[i]
		name := now.Node.Name
		was := old[name]
		delete(old, name)
		if was == nil {
			said = append(said, "node "+name+" appeared"+with(now.Endpoints.Ready))
			continue
		}
		if was.Node.Known && now.Node.Known && was.Node.Ready != now.Node.Ready {
			said = append(said, "node "+name+" "+readiness(now.Node.Ready))
		}
		if !was.Node.Deleting && now.Node.Deleting {
			said = append(said, "node "+name+" is being deleted")
		}
		if !before.Service.EndpointsKnown || !after.Service.EndpointsKnown {
			continue
		}
		switch a, b := was.Endpoints.Ready, now.Endpoints.Ready; {
		case a > 0 && b == 0:
			said = append(said, "node "+name+" lost its last ready endpoint")
		case a == 0 && b > 0:
			said = append(said, "node "+name+" now has "+count(b)+", had none")
		case a != b:
			said = append(said, fmt.Sprintf("node %s has %s, had %d", name, count(b), a))
		}
	}
	for i := range before.Nodes {
		if name := before.Nodes[i].Node.Name; old[name] != nil {
			said = append(said, "node "+name+" is gone"+with(before.Nodes[i].Endpoints.Ready))
		}
	}
	return said
}

func readiness(t cluster.Tristate) string {
	switch t {
	case cluster.Yes:
		return "is ready"
	case cluster.No:
		return "is not ready"
	case cluster.Undetermined:
	}
	return "has an unknown Ready condition"
}

func with(ready int) string {
	if ready == 0 {
		return ""
	}
	return " with " + count(ready)
}

func count(ready int) string { return english.Count(ready, "ready endpoint", "") }
