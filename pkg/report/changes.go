package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// Changes says in sentences, worst news first for each Service, what is true after that was not true before. Services are matched by namespace and name, nodes and
// findings by theirs; with more than one Service in either list each sentence begins with the Service's name. Nil where nothing worth a sentence has changed.
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

func findings(before, after *Report) []string {
	type key struct {
		code    string
		subject finding.Subject
	}
	failing := func(r *Report) map[key]bool {
		codes := map[key]bool{}
		for _, f := range r.Findings {
			if f.Result == finding.Fail {
				codes[key{f.Code, f.Subject}] = true
			}
		}
		return codes
	}
	old, now := failing(before), failing(after)
	var said []string
	for _, f := range after.Findings {
		if f.Result == finding.Fail && !old[key{f.Code, f.Subject}] {
			said = append(said, f.Code+" now: "+f.Message)
		}
	}
	for _, f := range before.Findings {
		if f.Result == finding.Fail && !now[key{f.Code, f.Subject}] {
			said = append(said, f.Code+" no longer: "+f.Message)
		}
	}
	return said
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

// rows compares nodes. A node that is not in a list, or not known there, was not ready or gone: only what both say can differ.
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
	return "does not say whether it is ready"
}

func with(ready int) string {
	if ready == 0 {
		return ""
	}
	return " with " + count(ready)
}

func count(ready int) string {
	if ready == 1 {
		return "1 ready endpoint"
	}
	return fmt.Sprintf("%d ready endpoints", ready)
}
