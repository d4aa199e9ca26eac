package finding

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// fact is something that a check reads. Checks declare theirs, so that none passes for want of evidence.
type fact struct {
	name string
	// lack says why the fact is missing, nil where it is there.
	lack func(*Facts) *lack
}

// lack is why a fact is missing.
type lack struct {
	// asked: it was asked for and could not be read, so the check is Unknown. Otherwise nobody asked for it, and the check is NotChecked.
	asked bool
	// message is one line for a person; detail says why, "" where message says all.
	message, detail string
	evidence        []Evidence
}

var endpointsFact = fact{"endpoints", func(f *Facts) *lack {
	switch {
	case f.Service.EndpointsKnown:
		return nil
	case f.gap("endpointslices.discovery.k8s.io", cluster.NotInFiles):
		return &lack{asked: true, message: "the files do not hold its EndpointSlices", evidence: []Evidence{{Fact: "no EndpointSlice was read", Source: f.slices(nil)}}}
	}
	return &lack{asked: true, message: "its EndpointSlices could not be read", evidence: []Evidence{{Fact: "no EndpointSlice was read", Source: f.slices(nil)}}}
}}

// nodesFact is which nodes the cluster has. Without it the rows are only those that the endpoints name, and the nodes without endpoints are the ones that matter.
var nodesFact = fact{"nodes", func(f *Facts) *lack {
	evidence := []Evidence{{Fact: "no Node was read", Source: "nodes"}}
	switch {
	case f.gap("nodes", cluster.NotInFiles):
		return &lack{asked: true, message: "the files do not hold the nodes, so nodes without endpoints are not known", evidence: evidence}
	case f.nodesUnread():
		return &lack{asked: true, message: "the nodes could not be read, so nodes without endpoints are not known", evidence: evidence}
	case !slices.ContainsFunc(f.Rows, func(r Row) bool { return !r.Node.VirtualKubelet }):
		return &lack{message: "the cluster has no node that handles Services"}
	}
	return nil
}}

// podPathsFact is what pods meet at the published addresses. A path that is Unknown is a result of the check itself.
var podPathsFact = fact{"paths from pods", func(f *Facts) *lack { return f.handedOn(dataplane.Pod) }}

var hostPathsFact = fact{"paths from the host network", func(f *Facts) *lack {
	if l := f.handedOn(dataplane.Node); l != nil {
		return l
	}
	if groups := f.alike(dataplane.Node, func(h hit) bool { return h.path.Outcome.Badness() > dataplane.Unknown.Badness() }); len(groups) > 0 {
		return &lack{message: "processes on the host network fail where pods fail, see " + FailsFromPods}
	}
	return nil
}}

// handedOn: a node that does not answer for a published address itself sends the connection to the load balancer, and no node shows what becomes of it.
func (f *Facts) handedOn(from dataplane.From) *lack {
	if len(f.Rows) == 0 {
		return nil
	}
	for _, target := range f.published(from) {
		on, of := 0, 0
		for i := range f.Rows {
			if path := f.Rows[i].Path(from, target); path != nil && !f.Rows[i].Node.VirtualKubelet {
				of++
				if path.Outcome == dataplane.ViaLoadBalancer {
					on++
				}
			}
		}
		if on > 0 {
			return &lack{message: fmt.Sprintf("%d of %d nodes leave connections to %s to the load balancer, and what it does with them is not known", on, of, host(target))}
		}
	}
	return nil
}

// receivesFact is which nodes the load balancer sends to.
var receivesFact = fact{"load balancer", func(f *Facts) *lack {
	unsure := 0
	for i := range f.Rows {
		if f.Rows[i].LoadBalancer.Receives == cluster.Undetermined {
			unsure++
		}
	}
	if unsure == 0 {
		return nil
	}
	return &lack{message: fmt.Sprintf("whether the load balancer sends to %d of %d nodes is not known, and nothing in the API says it", unsure, len(f.Rows))}
}}

// weightsFact is how the load balancer divides connections among its backends.
var weightsFact = fact{"weights of the load balancer", func(f *Facts) *lack {
	switch f.Provider.Weights {
	case provider.EqualWeights, provider.ByEndpoints, provider.ByZone:
		return nil
	default:
		return &lack{message: "how the load balancer divides connections is not known, and nothing in the API says it"}
	}
}}

// receiverFact is whether the load balancer sends to some node that has a ready endpoint: one is enough, whatever is known of the others.
var receiverFact = fact{receivesFact.name, func(f *Facts) *lack {
	if slices.ContainsFunc(f.Rows, func(r Row) bool {
		return r.LoadBalancer.Receives == cluster.Yes && r.Endpoints.Ready > 0 || r.PodsReceive()
	}) {
		return nil
	}
	return receivesFact.lack(f)
}}

// reachedNodeFact is that the load balancer may send to the one node that has ready endpoints, where it is only one.
var reachedNodeFact = fact{receivesFact.name, func(f *Facts) *lack {
	if only := f.onlyNode(); only != nil && f.sentNothing(only) {
		return &lack{message: "the load balancer does not send to the only node that has a ready endpoint"}
	}
	return nil
}}

// otherNodesFact is whether there are other nodes than the one that has all ready endpoints. The endpoints of several nodes name these nodes themselves.
var otherNodesFact = fact{nodesFact.name, func(f *Facts) *lack {
	with := 0
	for i := range f.Rows {
		if f.Rows[i].Endpoints.Ready > 0 {
			with++
		}
	}
	if with > 1 {
		return nil
	}
	if l := nodesFact.lack(f); l != nil {
		return l
	}
	if len(f.Rows) < 2 {
		return &lack{message: "the cluster has one node"}
	}
	return nil
}}

// sentPathsFact is what connections meet at the nodes that the load balancer sends to, or may send to.
var sentPathsFact = fact{"paths from outside", func(f *Facts) *lack {
	if !slices.ContainsFunc(f.Rows, func(r Row) bool { return r.LoadBalancer.Receives != cluster.No }) {
		return &lack{message: "the load balancer sends to no node"}
	}
	groups := f.alike(dataplane.External, func(h hit) bool {
		return h.path.Outcome == dataplane.Unknown && h.path.To != dataplane.ExternalIP && h.row.LoadBalancer.Receives != cluster.No
	})
	if len(groups) == 0 {
		return nil
	}
	g := groups[0]
	return f.unknownPaths("clients outside", f.name(g.dialled), g.hits, g.of)
}}

// nodePortPathsFact is what connections from outside meet at the node ports.
var nodePortPathsFact = fact{"paths to node ports", func(f *Facts) *lack {
	hits, of := f.worstHits(fromOutsideToNodePort)
	hits = slices.DeleteFunc(hits, func(h hit) bool { return h.path.Outcome != dataplane.Unknown })
	if len(hits) == 0 {
		return nil
	}
	return f.unknownPaths("clients outside", fmt.Sprintf("port %d", hits[0].path.Port), hits, of)
}}

func fromOutsideToNodePort(p *dataplane.Path) bool {
	return p.From == dataplane.External && p.To == dataplane.NodePort
}

// unknownPaths is the lack of a prediction on some nodes.
func (f *Facts) unknownPaths(who, where string, hits []hit, of int) *lack {
	return &lack{
		asked: true, message: fmt.Sprintf("on %d of %d nodes: cannot tell whether %s can reach %s", len(hits), of, who, where),
		detail: "Why: " + hits[0].path.Rule.Reason + ".", evidence: f.evidence(hits),
	}
}

// notAsked is the lack of what only --live reads.
var notAsked = &lack{message: "--live was not given, so no node was asked"}

// notAllowed is the lack of what --live would read if the API server let it.
var notAllowed = &lack{
	asked: true, message: "the nodes could not be asked: the API server does not allow nodes/proxy",
	evidence: []Evidence{{Fact: "no node was asked", Source: "nodes/proxy"}},
}

// countsFact is what each node itself counts as its endpoints.
var countsFact = fact{"live health checks", func(f *Facts) *lack {
	switch {
	case !f.nodesAsked():
		return notAsked
	case f.Service.HealthCheckNodePort == 0:
		return &lack{message: "it has no health check node port, so there is nothing to ask"}
	case f.refusedToAsk():
		return notAllowed
	}
	return f.unanswered("health check", func(r *Row) bool { return !r.Node.VirtualKubelet }, func(r *Row) bool {
		return r.Live != nil && r.Live.HealthCheck != cluster.Unreachable && r.Live.LocalEndpoints >= 0
	})
}}

// modesFact is the mode that each kube-proxy says it runs in, and the one that it is configured to run in.
var modesFact = fact{"live proxy modes", func(f *Facts) *lack {
	switch {
	case !f.nodesAsked():
		return notAsked
	case f.refusedToAsk():
		return notAllowed
	}
	for i := range f.Rows {
		if row := &f.Rows[i]; f.mayRunKubeProxy(row) && row.Node.ProxyMode != "" && f.Snapshot.DataplaneOf(row.Node).Mode == "" {
			return &lack{
				asked: true, message: "the configured mode of kube-proxy is not known",
				evidence: []Evidence{{Fact: "mode is " + row.Node.ProxyMode, Source: fmt.Sprintf("port 10249 of node %s", row.Node.Name)}},
			}
		}
	}
	l := f.unanswered("question for kube-proxy's mode", f.mayRunKubeProxy, func(r *Row) bool { return r.Node.ProxyMode != "" })
	if l != nil && l.asked {
		l.detail = "kube-proxy answers on the loopback address only, unless its metricsBindAddress says otherwise."
	}
	return l
}}

// nodesAsked says whether the nodes themselves were asked: the snapshot says so, or an answer does, or the refusal.
func (f *Facts) nodesAsked() bool {
	return f.Snapshot.NodesAsked || f.Service.Live != nil ||
		f.refusedToAsk() ||
		slices.ContainsFunc(f.Rows, func(r Row) bool { return r.Node.ProxyMode != "" })
}

// refusedToAsk says whether the right to ask is missing. Asking ends with the first refusal, so that no answer stands for the others.
func (f *Facts) refusedToAsk() bool {
	return slices.ContainsFunc(f.Snapshot.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes/proxy" && g.Reason == cluster.Forbidden })
}

func (f *Facts) mayRunKubeProxy(r *Row) bool {
	name := f.Snapshot.DataplaneOf(r.Node).Name
	return !r.Node.VirtualKubelet && (name == cluster.KubeProxy || name == cluster.UnknownDataplane)
}

// unanswered is the lack of an answer from nodes that were asked.
func (f *Facts) unanswered(question string, asked, answered func(*Row) bool) *lack {
	var silent []*Row
	of := 0
	for i := range f.Rows {
		row := &f.Rows[i]
		if !asked(row) {
			continue
		}
		of++
		if !answered(row) {
			silent = append(silent, row)
		}
	}
	switch {
	case of == 0:
		return &lack{message: "there is no node to ask"}
	case len(silent) == 0:
		return nil
	}
	l := &lack{asked: true, message: fmt.Sprintf("%d of %d nodes did not answer the %s", len(silent), of, question)}
	for _, row := range silent[:min(len(silent), evidenced)] {
		fact := fmt.Sprintf("node %s did not answer", row.Node.Name)
		if row.Live != nil && row.Live.Reason != "" {
			fact += ": " + row.Live.Reason
		}
		l.evidence = append(l.evidence, Evidence{Fact: fact, Source: "node " + row.Node.Name})
	}
	return l
}

// gap says whether something could not be listed for this reason.
func (f *Facts) gap(resource string, reason cluster.GapReason) bool {
	return slices.ContainsFunc(f.Snapshot.Gaps, func(g cluster.Gap) bool { return g.Resource == resource && g.Verb == "list" && g.Reason == reason })
}

// The functions below say why a check is not for a Service, "" where it is.

// needsAddress is for checks of addresses that are published for clients.
func needsAddress(f *Facts) string {
	switch {
	case len(f.Service.ExternalIPs) > 0 || len(f.Service.Ingress) > 0 && f.Service.Type == cluster.TypeLoadBalancer:
		return ""
	case f.Service.Pending():
		return "it has no load balancer address yet, and no external IP"
	}
	return "it has no load balancer address and no external IP"
}

func needsLoadBalancer(f *Facts) string {
	if f.Service.Type != cluster.TypeLoadBalancer {
		return "it has no load balancer"
	}
	return ""
}

func needsLoadBalancerOfNodes(f *Facts) string {
	return every(needsLoadBalancer, needsNoPending, needsNodesAsBackends)(f)
}

func needsNoPending(f *Facts) string {
	if f.Service.Pending() {
		return "it has no load balancer address yet"
	}
	return ""
}

func needsNodesAsBackends(f *Facts) string {
	if f.Provider.Backends == provider.Pods {
		return "the load balancer sends to pods, not to nodes"
	}
	return ""
}

// needsSpreading is for checks of how a load balancer divides connections over nodes.
func needsSpreading(f *Facts) string {
	if f.Provider.Announced {
		return "the address is announced from nodes, and one of them may get all connections"
	}
	return ""
}

func needsLocalPolicy(f *Facts) string {
	if f.Service.ExternalTrafficPolicy != cluster.PolicyLocal {
		return "its externalTrafficPolicy is not Local"
	}
	return ""
}

func needsNodePortType(f *Facts) string {
	if f.Service.Type != cluster.TypeNodePort {
		return "it is not of type NodePort"
	}
	return ""
}

// every is what several conditions ask for, in their order.
func every(conditions ...func(*Facts) string) func(*Facts) string {
	return func(f *Facts) string {
		for _, condition := range conditions {
			if why := condition(f); why != "" {
				return why
			}
		}
		return ""
	}
}
