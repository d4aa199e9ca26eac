package finding

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

var unreachableInside = Kind{
	Code: FailsFromPods, Severity: Error, Title: "In-cluster clients cannot use the load balancer address on some nodes",
	Explain: "A node answers for a load balancer address (or an external IP) itself, so connections from pods never leave it. Where its data plane then has nowhere to " +
		"hand them to, they are refused or time out, from this node only. Confirm with: kubectl debug node/NAME -it --image=busybox -- wget -T 3 -O- http://ADDRESS:PORT",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "pods on every node can reach its addresses",
	applies:  needsAddress,
	reads:    []fact{endpointsFact, nodesFact, podPathsFact},
	check:    func(f *Facts) []Finding { return f.inside(dataplane.Pod) },
}

var unreachableFromHost = Kind{
	Code: FailsFromHost, Severity: Warning, Title: "Processes on the host network cannot use the load balancer address on some nodes",
	Explain:  "Pods reach the address, but host-network pods, kubelets (image pulls) and processes on the node do not. Confirm on the node with: curl ADDRESS:PORT",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "processes on the host network of every node can reach its addresses",
	applies:  needsAddress,
	reads:    []fact{endpointsFact, nodesFact, hostPathsFact},
	check:    func(f *Facts) []Finding { return f.inside(dataplane.Node) },
}

// inside judges connections from pods, or from processes on nodes, to the addresses that are published for clients: one finding for all addresses and ports that
// fare alike on the same nodes.
func (f *Facts) inside(from dataplane.From) (found []Finding) {
	if !f.Service.EndpointsKnown {
		return nil
	}
	for _, group := range f.alike(from, func(h hit) bool {
		if from != dataplane.Node || h.path.Outcome == dataplane.Unknown {
			return true
		}
		// Where a pod fares no better, that is said of both.
		pod := h.row.path(dataplane.Pod, h.path)
		return pod == nil || pod.Outcome.Badness() < h.path.Outcome.Badness()
	}) {
		found = append(found, f.judge(from, group))
	}
	return found
}

// judge says what a group meets: what surely fails on some nodes, else what fails for some endpoints, else what is not known.
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
	if len(hits) > 0 {
		r.Severity = Warning
		r.Message = fmt.Sprintf("on %d of %d nodes some connections to %s from %s fail", len(hits), g.of, where, people(from))
	} else {
		l := f.unknownPaths(people(from), where, of(func(p *dataplane.Path) bool { return p.Outcome == dataplane.Unknown }), g.of)
		r.Result, r.Message, r.Detail, r.Evidence = Unknown, l.message, l.detail, l.evidence
		return r
	}
	r.Detail = "Why: " + hits[0].path.Rule.Reason + "."
	r.Evidence = f.evidence(hits)
	return r
}

// failure describes connections that surely fail, with what would cure them.
func (f *Facts) failure(r Finding, from dataplane.From, where string, hits []hit, of int) Finding {
	path := hits[0].path
	var met dataplane.Outcomes
	together := true
	for _, h := range hits {
		met |= 1 << h.path.Outcome
		host := h.row.path(dataplane.Node, h.path)
		together = together && host != nil && host.Fails() && host.Outcome != dataplane.ViaLoadBalancer
	}
	who := people(from)
	r.Message = fmt.Sprintf("%d of %d nodes cannot reach %s from inside the cluster", len(hits), of, where)
	switch {
	case from == dataplane.Node:
		r.Message = fmt.Sprintf("processes on the host network of %d of %d nodes cannot reach %s", len(hits), of, where)
	case together:
		who = "pods and processes on the host network"
	}
	var symptoms []string
	for _, o := range met.All() {
		symptoms = append(symptoms, symptom(o))
	}
	r.Detail = fmt.Sprintf("%s there get %s. Why, with %s: %s.", strings.ToUpper(who[:1])+who[1:], strings.Join(symptoms, " or "), f.dataplane(hits[0].row.Node), path.Rule.Reason)
	r.Evidence = f.evidence(hits)
	r.Remedies = f.remedies(hits[0])
	return r
}

// remedies for connections from inside: not to use the address, or what a prediction with policy Cluster shows to help.
func (f *Facts) remedies(h hit) []Remedy {
	s := f.Service
	// Backends that wait for a PROXY protocol header refuse connections that do not come through the load balancer.
	byName := !s.Headless && len(s.ClusterIPs) > 0 && provider.ProxyProtocol(s) == ""
	var list []Remedy
	if byName {
		list = append(list, Remedy{Text: fmt.Sprintf("call %s.%s from inside", s.Name, s.Namespace)})
	}
	var answered []string
	if byName && f.AnsweredInside != nil {
		answered = f.AnsweredInside()
	}
	if len(answered) > 0 {
		list = append(list, Remedy{Text: "or by name: inside the cluster CoreDNS already answers " + strings.Join(answered, ", ") + " with the Service"})
	}
	client := dataplane.Client{From: h.path.From, Node: h.row.Index}
	target := dataplane.Target{To: h.path.To, Address: h.path.Address, Hostname: h.path.Hostname, Port: f.portIndex(h.path)}
	if s.ExternalTrafficPolicy == cluster.PolicyLocal && f.PredictCluster(client, target).Outcome == dataplane.Reachable {
		fix := fmt.Sprintf("kubectl etp fix svc/%s -n %s --mode=", s.Name, s.Namespace)
		if f.Provider.Backends != provider.Pods && f.canAttachPods() {
			list = append(list, Remedy{
				Mode: "eni",
				Text: fix + "eni",
				Gain: "keeps the client IP (Terway)",
			})
		}
		list = append(list, Remedy{Mode: "cluster", Text: fix + "cluster", Gain: f.clientIPWithCluster().Words()})
	}
	if byName && len(answered) == 0 {
		list = append(list, Remedy{Mode: "dns"})
	}
	return list
}

// clientIPWithCluster is what externalTrafficPolicy Cluster does to the client IP.
func (f *Facts) clientIPWithCluster() ClientIP {
	predictor := dataplane.New(f.Snapshot, f.Service)
	return ClientIPAfter(f.Snapshot, f.Service, f.Provider, predictor.Path, f.PredictCluster)
}

// canAttachPods: the load balancer is Alibaba Cloud's, and no endpoint lies in a node's podCIDR, as far as is known.
func (f *Facts) canAttachPods() bool {
	if f.Provider.Name != "alibaba" {
		return false
	}
	for i := range f.Service.Endpoints {
		e := &f.Service.Endpoints[i]
		node := f.Snapshot.NodeIndex(e.Node)
		if node < 0 {
			continue
		}
		for _, cidr := range f.Snapshot.Nodes[node].PodCIDRs {
			if cidr.Contains(e.Address) {
				return false
			}
		}
	}
	return true
}
