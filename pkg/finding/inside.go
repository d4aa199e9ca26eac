package finding

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

var failsFromPods = Kind{
	Code: FailsFromPods, Severity: Error, Title: "Connections to the load balancer address fail from pods on some nodes",
	Explain: "Most data planes handle a load balancer address (or an external IP) on the node itself, so connections from pods never leave the node. Where the node has no " +
		"endpoint that it may use, it refuses or drops them. Clients outside are not affected. Confirm with: " + fromHost("NODE", "ADDRESS:PORT") + " (this connects from the " +
		"host network; where only pods fail, status prints a command that connects from a pod on that node)",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "pods on every node can reach its addresses",
	applies:  needsAddress,
	reads:    []fact{endpointsFact, nodesFact, podPathsFact},
	check:    func(f *Facts) []Finding { return f.inside(dataplane.Pod) },
}

var failsFromHost = Kind{
	Code: FailsFromHost, Severity: Warning, Title: "Connections to the load balancer address fail from the host network of some nodes",
	Explain: "Pods can reach the address, but processes on the node cannot: the kubelet (which pulls images), host-network pods and daemons. Confirm with: " +
		fromHost("NODE", "ADDRESS:PORT"),
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "processes on the host network of every node can reach its addresses",
	applies:  needsAddress,
	reads:    []fact{endpointsFact, nodesFact, hostPathsFact},
	check:    func(f *Facts) []Finding { return f.inside(dataplane.Node) },
}

// inside checks connections from pods, or from processes on nodes, to the addresses that are published for clients. It gives one finding for all addresses and ports
// that have the same outcomes on the same nodes.
func (f *Facts) inside(from dataplane.From) (found []Finding) {
	if !f.Service.EndpointsKnown {
		return nil
	}
	for _, group := range f.alike(from, func(h hit) bool {
		if from != dataplane.Node || h.path.Outcome == dataplane.Unknown {
			return true
		}
		// Where pods fail as well, the finding about pods names the host network too.
		pod := h.row.Path(dataplane.Pod, h.path)
		return pod == nil || pod.Outcome.Badness() < h.path.Outcome.Badness()
	}) {
		found = append(found, f.judge(from, group))
	}
	return found
}

// judge makes the finding of a group: of the nodes where connections fail, else of those where some fail, else of those where the outcome is not known.
func (f *Facts) judge(from dataplane.From, g group) Finding {
	of := func(wanted func(*dataplane.Path) bool) (hits []hit) {
		for _, h := range g.hits {
			if wanted(h.path) {
				hits = append(hits, h)
			}
		}
		return hits
	}
	where := f.name(g.dialled)
	r := f.finding(Error)
	if from == dataplane.Node {
		r = f.finding(Warning)
	}
	if hits := of((*dataplane.Path).Fails); len(hits) > 0 {
		return f.failure(r, from, where, hits, g.of)
	}
	hits := of(func(p *dataplane.Path) bool { return p.Outcome == dataplane.Partial })
	if len(hits) == 0 {
		l := f.unknownPaths(clients(from), where, of(func(p *dataplane.Path) bool { return p.Outcome == dataplane.Unknown }), g.of)
		r.Result, r.Message, r.Detail, r.Evidence = Unknown, l.message, l.detail, l.evidence
		return r
	}
	r.Severity = Warning
	r.Message = fmt.Sprintf("%s: some connections to %s from %s fail", onNodes(len(hits), g.of), where, place(from))
	r.Detail = "Reason" + f.onDataplane(hits[0].row.Node) + ": " + hits[0].path.Rule.Reason + "."
	r.Evidence = f.evidence(hits)
	r.Confirm = f.confirm(from, hits[0])
	r.Remedies = f.insideAdvice(from, hits)
	return r
}

// failure describes connections that fail on every one of the hits.
func (f *Facts) failure(r Finding, from dataplane.From, where string, hits []hit, of int) Finding {
	var met dataplane.Outcomes
	together := true
	for _, h := range hits {
		met |= 1 << h.path.Outcome
		together = together && f.hostFails(h)
	}
	origin := place(from)
	if from == dataplane.Pod && together {
		origin = "inside the cluster"
	}
	var verbs, symptoms []string
	for _, o := range met.All() {
		verbs, symptoms = append(verbs, verb(o)), append(symptoms, symptom(o))
	}
	r.Message = fmt.Sprintf("%s: connections to %s from %s %s", onNodes(len(hits), of), where, origin, strings.Join(verbs, " or "))
	r.Detail = fmt.Sprintf("Clients get %s%s: %s.", strings.Join(symptoms, " or "), f.onDataplane(hits[0].row.Node), hits[0].path.Rule.Reason)
	r.Evidence = f.evidence(hits)
	r.Confirm = f.confirm(from, hits[0])
	r.Remedies = f.insideAdvice(from, hits)
	return r
}

// hostFails says whether processes on the host network of the node fail at the same target.
func (f *Facts) hostFails(h hit) bool {
	host := h.row.Path(dataplane.Node, h.path)
	return host != nil && host.Fails() && host.Outcome != dataplane.ViaLoadBalancer
}

// hostFailsAlike says whether processes on the host network of the node fail in the same way as the hit, so that a
// connection from there shows the same.
func (f *Facts) hostFailsAlike(h hit) bool {
	return f.hostFails(h) && h.row.Path(dataplane.Node, h.path).Outcome == h.path.Outcome
}

// insideAdvice is what clients inside the cluster can use as things are, or what would let them: the Service's name, or its cluster IP where names are not resolved.
// There is nothing where backends wait for a PROXY protocol header, which only the load balancer sends.
func (f *Facts) insideAdvice(from dataplane.From, hits []hit) []Remedy {
	s := f.Service
	if family := hits[0].path.Address; family.IsValid() && !slices.ContainsFunc(s.Endpoints, func(e cluster.Endpoint) bool { return e.Ready && e.Address.Is4() == family.Is4() }) {
		version := map[bool]string{true: "IPv4", false: "IPv6"}[family.Is4()]
		return []Remedy{{Text: fmt.Sprintf("Give the pods %s addresses, or connect to an address of the other family: no ready endpoint has an %s address", version, version)}}
	}
	if s.Headless || len(s.ClusterIPs) == 0 || provider.ProxyProtocol(s) != "" {
		return nil
	}
	if slices.ContainsFunc(hits, func(h hit) bool {
		return slices.ContainsFunc(h.row.Paths, func(p dataplane.Path) bool {
			return p.From == from && p.To == dataplane.ClusterIP && p.Port == h.path.Port && p.Protocol == h.path.Protocol && p.Outcome != dataplane.Reachable
		})
	}) {
		if s.InternalTrafficPolicy == cluster.PolicyLocal {
			return []Remedy{{Text: "Set internalTrafficPolicy to Cluster, or run a pod on every node: with Local, clients inside get only the endpoints of their own node"}}
		}
		return nil
	}
	if from == dataplane.Node {
		// The kubelet and other processes on a node do not ask the cluster's DNS.
		ip := s.ClusterIPs[0]
		if i := slices.IndexFunc(s.ClusterIPs, func(a netip.Addr) bool { return a.Is4() == hits[0].path.Address.Is4() }); i >= 0 {
			ip = s.ClusterIPs[i]
		}
		return []Remedy{{Text: "No change needed: processes on the host network can use the cluster IP " + ip.String()}}
	}
	return []Remedy{{Text: fmt.Sprintf("No change needed: clients inside the cluster can use %s.%s", s.Name, s.Namespace)}}
}

// onNodes is how many nodes a finding is about: 38 of 40 nodes.
func onNodes(n, of int) string { return fmt.Sprintf("%d of %s", n, english.Count(of, "node", "")) }
