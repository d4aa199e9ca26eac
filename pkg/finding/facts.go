package finding

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// fact is something that a check reads. Each check declares its facts, so that none passes without its evidence.
type fact struct {
	name string
	// lack says why the fact is missing; nil if it is there.
	lack func(*Facts) *lack
}

// lack is why a fact is missing.
type lack struct {
	// asked: the fact was asked for and could not be read, so the check is Unknown. If nothing asked for it, the check is NotChecked.
	asked bool
	// message is one line for a person; detail says why, "" if message says all.
	message, detail string
	evidence        []Evidence
}

var endpointsFact = fact{"endpoints", func(f *Facts) *lack {
	if f.Service.EndpointsKnown {
		return nil
	}
	l := &lack{asked: true, message: "its EndpointSlices could not be read", evidence: []Evidence{{Fact: "no EndpointSlice was read", Source: f.slices(nil)}}}
	if f.gap("endpointslices.discovery.k8s.io", cluster.NotInFiles) {
		l.message = "the files do not contain its EndpointSlices"
	}
	return l
}}

// nodesFact is the list of nodes. Without it the rows are only the nodes that endpoints name, and connections fail on nodes without endpoints first.
var nodesFact = fact{"nodes", func(f *Facts) *lack {
	evidence := []Evidence{{Fact: "no Node was read", Source: "nodes"}}
	switch {
	case f.gap("nodes", cluster.NotInFiles):
		return &lack{asked: true, message: "the files do not contain the nodes, so the nodes without endpoints are not known", evidence: evidence}
	case f.nodesUnread():
		return &lack{asked: true, message: "the nodes could not be read, so the nodes without endpoints are not known", evidence: evidence}
	case !slices.ContainsFunc(f.Rows, func(r Row) bool { return !r.Node.IsVirtual() }):
		return &lack{message: "the cluster has no node that handles Services"}
	}
	return nil
}}

// podPathsFact is where connections from pods to the published addresses end. A path that is Unknown is a result of the check itself.
var podPathsFact = fact{"paths from pods", func(f *Facts) *lack { return f.leftToLoadBalancer(dataplane.Pod) }}

var hostPathsFact = fact{"paths from the host network", func(f *Facts) *lack {
	if l := f.leftToLoadBalancer(dataplane.Node); l != nil {
		return l
	}
	if groups := f.alike(dataplane.Node, func(h hit) bool { return h.path.Outcome.Badness() > dataplane.Unknown.Badness() }); len(groups) > 0 {
		return &lack{message: "connections from the host network fail on the same nodes as those from pods, see " + FailsFromPods}
	}
	return nil
}}

// leftToLoadBalancer is the lack of an outcome on nodes that do not handle a published address themselves: there the connection goes to the load balancer, and no rule
// says what that does with it.
func (f *Facts) leftToLoadBalancer(from dataplane.From) *lack {
	if len(f.Rows) == 0 {
		return nil
	}
	for _, target := range f.published(from) {
		on, of := 0, 0
		for i := range f.Rows {
			if path := f.Rows[i].Path(from, target); path != nil && !f.Rows[i].Node.IsVirtual() {
				of++
				if path.Outcome == dataplane.ViaLoadBalancer {
					on++
				}
			}
		}
		if on > 0 {
			return &lack{message: fmt.Sprintf("%s send connections to %s on to the load balancer, and it is not known whether that sends them back", onNodes(on, of), host(target))}
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
	return &lack{message: fmt.Sprintf("it is not known whether the load balancer sends to %s: the API does not show it", onNodes(unsure, len(f.Rows)))}
}}

// weightsFact is how the load balancer divides connections among its backends.
var weightsFact = fact{"weights of the load balancer", func(f *Facts) *lack {
	switch f.Provider.Weights {
	case provider.EqualWeights, provider.ByEndpoints, provider.ByZone:
		return nil
	default:
		return &lack{message: "it is not known how the load balancer divides connections: the API does not show it"}
	}
}}

// receiverFact is whether the load balancer sends to a node that has a ready endpoint. One node is enough.
var receiverFact = fact{receivesFact.name, func(f *Facts) *lack {
	if slices.ContainsFunc(f.Rows, func(r Row) bool {
		return r.LoadBalancer.Receives == cluster.Yes && r.Endpoints.Ready > 0 || r.PodsReceive()
	}) {
		return nil
	}
	return receivesFact.lack(f)
}}

// reachedNodeFact is whether the load balancer may send to the only node that has ready endpoints.
var reachedNodeFact = fact{receivesFact.name, func(f *Facts) *lack {
	if only := f.onlyNode(); only != nil && f.sentNothing(only) {
		return &lack{message: "the load balancer does not send to the only node that has a ready endpoint"}
	}
	return nil
}}

// otherNodesFact is whether there are nodes besides the one that has all ready endpoints. If endpoints name several nodes, that is known without the list of nodes.
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
		return &lack{message: "the cluster has only one node"}
	}
	return nil
}}

// sentPathsFact is the outcome of connections on the nodes that the load balancer sends to, or may send to.
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

// nodePortPathsFact is the outcome of connections from outside to the node ports.
var nodePortPathsFact = fact{"paths to node ports", func(f *Facts) *lack {
	hits, of := f.worstHits(fromOutsideToNodePort)
	hits = slices.DeleteFunc(hits, func(h hit) bool { return h.path.Outcome != dataplane.Unknown })
	if len(hits) == 0 {
		return nil
	}
	return f.unknownPaths("clients outside", fmt.Sprintf("node port %d", hits[0].path.Port), hits, of)
}}

func fromOutsideToNodePort(p *dataplane.Path) bool {
	return p.From == dataplane.External && p.To == dataplane.NodePort
}

// unknownPaths is the lack of a prediction on some nodes.
func (f *Facts) unknownPaths(who, where string, hits []hit, of int) *lack {
	return &lack{
		asked: true, message: fmt.Sprintf("%s: cannot tell whether %s can reach %s", onNodes(len(hits), of), who, where),
		detail: "Reason" + f.onDataplane(hits[0].row.Node) + ": " + hits[0].path.Rule.Reason + ".", evidence: f.evidence(hits),
	}
}

// notAsked is the lack of facts that only --live reads.
var notAsked = &lack{message: "only --live asks the nodes themselves"}

// notAllowed is the lack of facts that --live was not allowed to read.
var notAllowed = &lack{
	asked: true, message: "the nodes could not be asked: access to nodes/proxy is forbidden",
	evidence: []Evidence{{Fact: "no node was asked", Source: "nodes/proxy"}},
}

// countsFact is the number of local endpoints that each node reports by its health check.
var countsFact = fact{"live health checks", func(f *Facts) *lack {
	switch {
	case !f.nodesAsked():
		return notAsked
	case f.Service.HealthCheckNodePort == 0:
		return &lack{message: "it has no health check node port"}
	case f.refusedToAsk():
		return notAllowed
	}
	return f.unanswered("did not answer the health check", func(r *Row) bool { return !r.Node.IsVirtual() }, func(r *Row) bool {
		return r.Live != nil && r.Live.HealthCheck != cluster.Unreachable && r.Live.LocalEndpoints >= 0
	})
}}

// modesFact is the mode in which each kube-proxy runs, as it reports itself, and the configured one.
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
	l := f.unanswered("did not report the mode of kube-proxy", f.mayRunKubeProxy, func(r *Row) bool { return r.Node.ProxyMode != "" })
	if l != nil && l.asked {
		l.detail = "By default kube-proxy listens on the loopback address only: set its metricsBindAddress to reach it."
	}
	return l
}}

// nodesAsked says whether the nodes themselves were asked: the snapshot says so, or there is an answer or a refusal.
func (f *Facts) nodesAsked() bool {
	return f.Snapshot.NodesAsked || f.Service.Live != nil ||
		f.refusedToAsk() ||
		slices.ContainsFunc(f.Rows, func(r Row) bool { return r.Node.ProxyMode != "" })
}

// refusedToAsk says whether access to nodes/proxy is forbidden. Reading stops at the first refusal, so the other nodes were not asked either.
func (f *Facts) refusedToAsk() bool {
	return slices.ContainsFunc(f.Snapshot.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes/proxy" && g.Reason == cluster.Forbidden })
}

func (f *Facts) mayRunKubeProxy(r *Row) bool {
	name := f.Snapshot.DataplaneOf(r.Node).Name
	return !r.Node.IsVirtual() && (name == cluster.KubeProxy || name == cluster.UnknownDataplane)
}

// unanswered is the lack of an answer from nodes that were asked for something.
func (f *Facts) unanswered(failure string, asked, answered func(*Row) bool) *lack {
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
	l := &lack{asked: true, message: onNodes(len(silent), of) + " " + failure}
	for _, row := range silent[:min(len(silent), evidenced)] {
		fact := fmt.Sprintf("node %s did not answer", row.Node.Name)
		if row.Live != nil && row.Live.Reason != "" {
			fact += ": " + row.Live.Reason
		}
		l.evidence = append(l.evidence, Evidence{Fact: fact, Source: "node " + row.Node.Name})
	}
	return l
}

// gap says whether a resource could not be listed for this reason.
func (f *Facts) gap(resource string, reason cluster.GapReason) bool {
	return slices.ContainsFunc(f.Snapshot.Gaps, func(g cluster.Gap) bool { return g.Resource == resource && g.Verb == "list" && g.Reason == reason })
}

// The functions below say why a check does not apply to a Service; "" if it applies.

// needsAddress is for checks of the addresses that clients use.
func needsAddress(f *Facts) string {
	switch {
	case len(f.Service.ExternalIPs) > 0 || len(f.Service.Ingress) > 0 && f.Service.Type == cluster.TypeLoadBalancer:
		return ""
	case f.Service.Pending():
		return "it has no load balancer address yet, and no external IP"
	}
	return "it has no load balancer address and no external IP"
}

// unless is a condition with one reason.
func unless(applies func(*Facts) bool, why string) func(*Facts) string {
	return func(f *Facts) string {
		if applies(f) {
			return ""
		}
		return why
	}
}

var (
	needsLoadBalancer    = unless(func(f *Facts) bool { return f.Service.Type == cluster.TypeLoadBalancer }, "it has no load balancer")
	needsAssignedAddress = unless(func(f *Facts) bool { return !f.Service.Pending() }, "it has no load balancer address yet")
	needsNodesAsBackends = unless(func(f *Facts) bool { return f.Provider.Backends != provider.Pods }, "the load balancer sends to pods, not to nodes")
	// needsSpreading is for checks of how a load balancer divides connections among nodes.
	needsSpreading    = unless(func(f *Facts) bool { return !f.Provider.Announced }, "the address is announced by nodes, and one of them may get all connections")
	needsLocalPolicy  = unless(func(f *Facts) bool { return f.Service.ExternalTrafficPolicy == cluster.PolicyLocal }, "its externalTrafficPolicy is not Local")
	needsNodePortType = unless(func(f *Facts) bool { return f.Service.Type == cluster.TypeNodePort }, "it is not of type NodePort")

	needsLoadBalancerOfNodes = every(needsLoadBalancer, needsAssignedAddress, needsNodesAsBackends)
)

// every is the first of several conditions that does not hold.
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
