package finding

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// evidenced is how many nodes a finding names as evidence; the map has them all.
const evidenced = 3

var noReadyEndpoint = Kind{
	Code: "ETP001", Severity: Error, Title: "No ready endpoint",
	Explain: "Nothing behind the Service is ready, so no traffic policy can help. Look at the pods that its selector names, and at their readiness probes.",
	passed:  "at least one endpoint is ready",
	reads:   []fact{endpointsFact},
	check: func(f *Facts) []Finding {
		total := f.total()
		if total.Ready > 0 || !f.Service.EndpointsKnown {
			return nil
		}
		r := f.finding(Error)
		switch {
		case total.ServingTerminating > 0:
			r.Message = fmt.Sprintf("none of its endpoints is ready; %s still serving while terminating", plural(total.ServingTerminating, "is", "are"))
		case total.NotReady == 1:
			r.Message = "its only endpoint is not ready"
		case total.NotReady > 0:
			r.Message = fmt.Sprintf("none of its %d endpoints is ready", total.NotReady)
		case !f.Service.HasSelector:
			r.Message = "it has no endpoints, and no selector: its EndpointSlices are kept by hand"
		default:
			r.Message = "it has no endpoints: its selector names no pod that has an address"
		}
		r.Evidence = []Evidence{{Fact: fmt.Sprintf("%d ready, %d serving while terminating, %d not ready", total.Ready, total.ServingTerminating, total.NotReady), Source: f.slices(nil)}}
		r.Remedies = []Remedy{{Text: fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s -o wide", f.Service.Namespace, f.Service.Name), Gain: "shows them"}}
		return []Finding{r}
	},
}

var unreachableInside = Kind{
	Code: "ETP002", Severity: Error, Title: "In-cluster clients cannot use the load balancer address on some nodes",
	Explain: "A node answers for a load balancer address (or an external IP) itself, so connections from pods never leave it. Where its data plane then has nowhere to " +
		"hand them to, they are refused or time out, from this node only. Confirm with: kubectl debug node/NAME -it --image=busybox -- wget -T 3 -O- http://ADDRESS:PORT",
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "pods on every node can reach its addresses",
	applies:  needsAddress,
	reads:    []fact{endpointsFact, nodesFact, podPathsFact},
	check:    func(f *Facts) []Finding { return f.inside(dataplane.Pod) },
}

var unreachableFromHost = Kind{
	Code: "ETP003", Severity: Warning, Title: "Processes on the host network cannot use the load balancer address on some nodes",
	Explain:  "Pods reach the address, but host-network pods, kubelets (image pulls) and processes on the node do not. Confirm on the node with: curl ADDRESS:PORT",
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "processes on the host network of every node can reach its addresses",
	applies:  needsAddress,
	reads:    []fact{endpointsFact, nodesFact, hostPathsFact},
	check:    func(f *Facts) []Finding { return f.inside(dataplane.Node) },
}

var uneven = Kind{
	Code: "ETP007", Severity: Warning, Title: "Uneven load under externalTrafficPolicy Local",
	Explain: "The load balancer gives each node the same share, and the node divides it among its own endpoints: where one node has two endpoints and another has one, " +
		"the one gets twice the traffic. Spread the pods evenly over nodes.",
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "no pod gets twice the traffic of another",
	applies:  every(needsLoadBalancerOfNodes, needsLocalPolicy, needsSpreading),
	reads:    []fact{endpointsFact, nodesFact, receivesFact, weightsFact},
	check: func(f *Facts) []Finding {
		lb := &f.Provider
		if lb.Weights == provider.ByEndpoints {
			return nil
		}
		var rows []*Row
		known := lb.Weights == provider.EqualWeights
		for i := range f.Rows {
			row := &f.Rows[i]
			known = known && row.LoadBalancer.Receives != cluster.Undetermined
			if row.LoadBalancer.Receives != cluster.No && row.Endpoints.Ready > 0 {
				rows = append(rows, row)
			}
		}
		most, least, times := unevenness(rows, func(row *Row) float64 { return 1 / float64(row.Endpoints.Ready) })
		if !known && lb.Weights != provider.EqualWeights && times < 2 {
			most, least, times = unevenness(rows, byZone(rows))
		}
		if times < 2 {
			return nil
		}
		r := f.finding(Warning)
		r.Message = fmt.Sprintf("uneven load: a pod on %s gets %.1fx the traffic of a pod on %s", most.Node.Name, times, least.Node.Name)
		if !known {
			r.Result = Unknown
			r.Message = fmt.Sprintf("the load may be uneven: a pod on %s would get %.1fx the traffic of a pod on %s; how this load balancer divides connections is not known",
				most.Node.Name, times, least.Node.Name)
			if lb.Weights == provider.ByZone {
				r.Message = fmt.Sprintf("the load may be uneven: without cross-zone load balancing a pod on %s gets %.1fx the traffic of a pod on %s, where clients use the addresses of all zones alike",
					most.Node.Name, times, least.Node.Name)
			}
		}
		for _, row := range []*Row{most, least} {
			r.Evidence = append(r.Evidence, Evidence{
				Fact:   fmt.Sprintf("node %s has %s", row.Node.Name, plural(row.Endpoints.Ready, "ready endpoint", "ready endpoints")),
				Source: f.slices(row.Node),
			})
		}
		if known {
			r.Remedies = []Remedy{{Mode: "spread"}, {Mode: "anti-affinity"}}
		}
		return []Finding{r}
	},
}

// unevenness finds the rows of which a pod gets the most and the least, by what a pod of a row gets, and how many times the least the most is.
func unevenness(rows []*Row, each func(*Row) float64) (most, least *Row, times float64) {
	for _, row := range rows {
		if most == nil || each(row) > each(most) {
			most = row
		}
		if least == nil || each(row) < each(least) {
			least = row
		}
	}
	if most == nil {
		return nil, nil, 0
	}
	return most, least, each(most) / each(least)
}

// byZone is what a pod of a row gets where each zone with a row gets the same, and each row of a zone.
func byZone(rows []*Row) func(*Row) float64 {
	in := map[string]int{}
	for _, row := range rows {
		in[row.Node.Zone]++
	}
	return func(row *Row) float64 { return 1 / float64(in[row.Node.Zone]*row.Endpoints.Ready) }
}

var singleNode = Kind{
	Code: "ETP008", Severity: Warning, Title: "All external traffic depends on one node",
	Explain:  "Under externalTrafficPolicy Local only nodes with a ready endpoint receive traffic. With one such node, its end is the end of the Service from outside.",
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "more than one node has a ready endpoint",
	applies:  every(needsLocalPolicy, needsNodesAsBackends, needsNoPending),
	reads:    []fact{endpointsFact, otherNodesFact, reachedNodeFact},
	check: func(f *Facts) []Finding {
		only := f.onlyNode()
		if only == nil || f.sentNothing(only) || len(f.Rows) < 2 {
			return nil
		}
		r := f.finding(Warning)
		r.Message = fmt.Sprintf("if node %s goes down, nothing works from outside: it has the only ready endpoint", only.Node.Name)
		if only.Endpoints.Ready > 1 {
			r.Message = fmt.Sprintf("if node %s goes down, nothing works from outside: it has all %d ready endpoints", only.Node.Name, only.Endpoints.Ready)
		}
		r.Evidence = []Evidence{{Fact: fmt.Sprintf("only node %s has a ready endpoint", only.Node.Name), Source: f.slices(only.Node)}}
		if f.Provider.Announced && only.LoadBalancer.Receives != cluster.Yes && f.Provider.Name != "metallb" {
			r.Result = Unknown
			r.Message = fmt.Sprintf("only node %s has a ready endpoint; whether it is the node that announces the address is not known", only.Node.Name)
			return []Finding{r}
		}
		r.Remedies = []Remedy{{Mode: "spread"}, {Mode: "anti-affinity"}}
		return []Finding{r}
	},
}

// onlyNode is the row of the one node that has ready endpoints, nil where none or several have.
func (f *Facts) onlyNode() (only *Row) {
	for i := range f.Rows {
		switch row := &f.Rows[i]; {
		case row.Endpoints.Ready == 0:
		case only != nil:
			return nil
		default:
			only = row
		}
	}
	return only
}

// sentNothing: the load balancer is known not to send to the node.
func (f *Facts) sentNothing(row *Row) bool {
	return f.Service.Type == cluster.TypeLoadBalancer && row.LoadBalancer.Receives == cluster.No
}

var nowhereToSend = Kind{
	Code: "ETP011", Severity: Error, Title: "The load balancer sends to no node that has an endpoint",
	Explain: "Ready endpoints are there, but every node that has one is left out by the load balancer: by the label node.kubernetes.io/exclude-from-external-load-balancers, " +
		"because it is about to be removed, or because its health check cannot be reached or fails.",
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "the load balancer sends to ready endpoints",
	applies:  every(needsLoadBalancerOfNodes, needsLocalPolicy),
	reads:    []fact{endpointsFact, nodesFact, receiverFact},
	check: func(f *Facts) []Finding {
		r := f.finding(Error)
		for i := range f.Rows {
			row := &f.Rows[i]
			if row.LoadBalancer.Receives != cluster.No || row.PodsReceive() {
				return nil
			}
			if row.Endpoints.Ready > 0 && len(r.Evidence) < evidenced {
				r.Evidence = append(r.Evidence, Evidence{Fact: fmt.Sprintf("node %s has a ready endpoint and receives nothing: %s", row.Node.Name, row.LoadBalancer.Rule.Reason), Source: f.slices(row.Node)})
			}
		}
		if len(r.Evidence) == 0 {
			return nil // the endpoints name no node at all, and that has a finding of its own
		}
		r.Message = "nothing from outside arrives: no node with a ready endpoint is one that the load balancer sends to"
		return []Finding{r}
	},
}

var nodePortSomewhere = Kind{
	Code: "ETP025", Severity: Warning, Title: "The node port answers on some nodes only",
	Explain: "A Service of type NodePort with externalTrafficPolicy Local answers clients outside the cluster only at nodes that have a ready endpoint, and there is no " +
		"health check node port that would tell a load balancer which they are.",
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "the node port answers on every node",
	applies:  needsNodePortType,
	reads:    []fact{endpointsFact, nodesFact, nodePortPathsFact},
	check: func(f *Facts) []Finding {
		failing, of := f.failing(fromOutsideToNodePort)
		if len(failing) == 0 {
			return nil
		}
		r := f.finding(Warning)
		path := failing[0].path
		r.Message = fmt.Sprintf("%d of %d nodes %s connections from outside to port %d", len(failing), of, did(path.Outcome, len(failing)), path.Port)
		r.Detail = "Why: " + path.Rule.Reason + "."
		r.Evidence = f.evidence(failing)
		return []Finding{r}
	},
}

var withoutNode = Kind{
	Code: "ETP027", Severity: Error, Title: "Endpoint without a node",
	Explain: "No node takes an endpoint that names no node, or one that is not in the cluster, for its own: under a policy Local it gets no traffic. " +
		"Such endpoints come from EndpointSlices kept by hand or by an operator; their owner should set nodeName.",
	passed: "every ready endpoint is on a node of the cluster",
	reads:  []fact{endpointsFact, nodesFact},
	check: func(f *Facts) []Finding {
		if !f.Service.EndpointsKnown || f.Nowhere.Ready == 0 || f.Service.ServedByCiliumEnvoy() {
			return nil
		}
		severity := Error
		if f.Service.ExternalTrafficPolicy != cluster.PolicyLocal && f.Service.InternalTrafficPolicy != cluster.PolicyLocal {
			severity = Info
		}
		r := f.finding(severity)
		r.Message = fmt.Sprintf("%s on no node of the cluster", plural(f.Nowhere.Ready, "ready endpoint is", "ready endpoints are"))
		for _, b := range f.Service.Backends(func(e *cluster.Endpoint) bool { return e.Ready && f.Snapshot.NodeIndex(e.Node) < 0 }) {
			if len(r.Evidence) == evidenced {
				break
			}
			e := b.Endpoint
			fact := fmt.Sprintf("endpoint %s names no node", e.Address)
			if e.Node != "" {
				fact = fmt.Sprintf("endpoint %s names node %s, which is not in the cluster", e.Address, e.Node)
			}
			r.Evidence = append(r.Evidence, Evidence{Fact: fact, Source: "endpointslice " + f.Service.Namespace + "/" + e.Slice})
		}
		return []Finding{r}
	},
}

var disagrees = Kind{
	Code: "ETP048", Severity: Error, Title: "A node counts other endpoints than the EndpointSlices do",
	Explain: "kube-proxy takes an endpoint for its own where the slice's nodeName is the node name it was started with. Where --hostname-override (or the machine's host " +
		"name) differs from the Node object's name, the node fails its health check and drops what it should serve. Confirm with: curl NODE:HEALTHCHECKNODEPORT/healthz",
	passed: "each node counts the endpoints that the EndpointSlices have for it",
	reads:  []fact{countsFact, endpointsFact, nodesFact},
	check: func(f *Facts) []Finding {
		if !f.Service.EndpointsKnown {
			return nil
		}
		var wrong []*Row
		for i := range f.Rows {
			if f.Rows[i].Disagrees {
				wrong = append(wrong, &f.Rows[i])
			}
		}
		if len(wrong) == 0 {
			return f.misnamed()
		}
		r := f.finding(Error)
		row := wrong[0]
		r.Message = fmt.Sprintf("%s itself counts %s of its own, and the EndpointSlices %d", row.Node.Name, plural(row.Live.LocalEndpoints, "ready endpoint", "ready endpoints"), row.Endpoints.Ready)
		if len(wrong) > 1 {
			r.Message += "; " + plural(len(wrong)-1, "more node disagrees", "more nodes disagree")
		}
		r.Detail = "What the node counts is what packets meet there. If it stays so, kube-proxy may run under another node name: look at --hostname-override."
		for _, row := range wrong[:min(len(wrong), evidenced)] {
			r.Evidence = append(r.Evidence,
				Evidence{
					Fact:   fmt.Sprintf("node %s answers %s with %d local endpoints", row.Node.Name, row.Live.HealthCheck, row.Live.LocalEndpoints),
					Source: fmt.Sprintf("health check node port %d of node %s", f.Service.HealthCheckNodePort, row.Node.Name),
				},
				Evidence{Fact: fmt.Sprintf("node %s has %s", row.Node.Name, plural(row.Endpoints.Ready, "ready endpoint", "ready endpoints")), Source: f.slices(row.Node)})
		}
		return []Finding{r}
	},
}

// misnamed: the configuration itself says that kube-proxy runs under another name than its node's.
func (f *Facts) misnamed() []Finding {
	for i := range f.Rows {
		row := &f.Rows[i]
		d := f.Snapshot.DataplaneOf(row.Node)
		if d.KubeProxy == nil || d.KubeProxy.HostnameOverride == "" || d.KubeProxy.HostnameOverride == row.Node.Name || row.Endpoints.Ready == 0 {
			continue
		}
		r := f.finding(Error)
		r.Message = fmt.Sprintf("kube-proxy on %s runs under the name %s, and takes none of the %s there for its own", row.Node.Name, d.KubeProxy.HostnameOverride,
			plural(row.Endpoints.Ready, "ready endpoint", "ready endpoints"))
		r.Evidence = []Evidence{
			{Fact: "hostnameOverride is " + d.KubeProxy.HostnameOverride, Source: d.Source},
			{Fact: fmt.Sprintf("node %s has %s", row.Node.Name, plural(row.Endpoints.Ready, "ready endpoint", "ready endpoints")), Source: f.slices(row.Node)},
		}
		return []Finding{r}
	}
	return nil
}

var unservedPort = Kind{
	Code: "ETP049", Severity: Error, Title: "A port that no ready endpoint serves",
	Explain: "Other ports of the Service have endpoints, this one has none: the pods lack a container port of that name, or another EndpointSlice should carry it.",
	// Without any ready endpoint that is true of every port.
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "a ready endpoint serves every port",
	reads:    []fact{endpointsFact},
	check: func(f *Facts) []Finding {
		if f.Service.ServedByCiliumEnvoy() {
			return nil
		}
		var names []string
		for i, served := range f.servedPorts() {
			if !served {
				names = append(names, fmt.Sprintf("%d/%s", f.Service.Ports[i].Port, f.Service.Ports[i].Protocol))
			}
		}
		if len(names) == 0 {
			return nil
		}
		r := f.finding(Error)
		r.Message = "no ready endpoint serves " + strings.Join(names, ", ")
		r.Evidence = []Evidence{{Fact: "no ready endpoint has a port of that name and protocol", Source: f.slices(nil)}}
		return []Finding{r}
	},
}

var otherMode = Kind{
	Code: "ETP050", Severity: Warning, Title: "kube-proxy runs in another mode than its configuration says",
	Explain: "kube-proxy reads its configuration when it starts. A node whose kube-proxy has not been restarted since the mode was changed still does what the old one did; " +
		"or another configuration is in force there. What the node itself says is what packets meet. Confirm with: curl NODE:10249/proxyMode",
	passed: "kube-proxy runs in its configured mode on every node",
	reads:  []fact{modesFact, nodesFact},
	check: func(f *Facts) []Finding {
		var wrong []*Row
		for i := range f.Rows {
			row := &f.Rows[i]
			if d := f.Snapshot.DataplaneOf(row.Node); row.Node.ProxyMode != "" && d.Mode != "" && string(d.Mode) != row.Node.ProxyMode {
				wrong = append(wrong, row)
			}
		}
		if len(wrong) == 0 {
			return nil
		}
		r := f.finding(Warning)
		d := f.Snapshot.DataplaneOf(wrong[0].Node)
		r.Message = fmt.Sprintf("kube-proxy on %s says that its mode is %s, its configuration says %s", wrong[0].Node.Name, wrong[0].Node.ProxyMode, d.Mode)
		if len(wrong) > 1 {
			r.Message += fmt.Sprintf("; so on %s", plural(len(wrong)-1, "more node", "more nodes"))
		}
		r.Evidence = []Evidence{
			{Fact: "mode is " + wrong[0].Node.ProxyMode, Source: fmt.Sprintf("port 10249 of node %s", wrong[0].Node.Name)},
			{Fact: "mode is " + string(d.Mode), Source: d.Source},
		}
		return []Finding{r}
	},
}

var sentInVain = Kind{
	Code: "ETP051", Severity: Error, Title: "The load balancer sends to nodes where connections fail",
	Explain: "A node passes the load balancer's health check, and what is then sent to it fails: the check counts the Service's endpoints whatever their port, and does not " +
		"look at the node port itself.",
	hiddenBy: []string{noReadyEndpoint.Code},
	passed:   "no node that the load balancer sends to refuses or drops all its connections",
	applies:  needsLoadBalancerOfNodes,
	reads:    []fact{endpointsFact, nodesFact, sentPathsFact},
	check: func(f *Facts) []Finding {
		sent := map[cluster.Tristate]int{}
		for i := range f.Rows {
			sent[f.Rows[i].LoadBalancer.Receives]++
		}
		failing := func(receives cluster.Tristate) []group {
			return f.alike(dataplane.External, func(h hit) bool {
				return h.row.LoadBalancer.Receives == receives && h.path.To != dataplane.ExternalIP && h.path.Outcome.Badness() == dataplane.Refused.Badness()
			})
		}
		var found []Finding
		for _, g := range failing(cluster.Yes) {
			r := f.finding(Error)
			r.Message = fmt.Sprintf("connections from outside to %s fail on %d of the %d nodes that the load balancer sends to", f.name(g.dialled), len(g.hits), sent[cluster.Yes])
			r.Detail = fmt.Sprintf("Why, on %s: %s.", g.hits[0].row.Node.Name, g.hits[0].path.Rule.Reason)
			r.Evidence = f.evidence(g.hits)
			found = append(found, r)
		}
		if len(found) > 0 {
			return found
		}
		for _, g := range failing(cluster.Undetermined) {
			r := f.finding(Error)
			r.Result = Unknown
			r.Message = fmt.Sprintf("connections from outside to %s fail on %s if the load balancer sends to %s: whether it does is not known", f.name(g.dialled),
				plural(len(g.hits), "node", "nodes"), map[bool]string{true: "it", false: "them"}[len(g.hits) == 1])
			r.Detail = fmt.Sprintf("Why it is not known, of %s: %s. Why they fail there: %s.", g.hits[0].row.Node.Name, g.hits[0].row.LoadBalancer.Rule.Reason, g.hits[0].path.Rule.Reason)
			r.Evidence = f.evidence(g.hits)
			found = append(found, r)
		}
		return found
	},
}

// hit is one path of one row.
type hit struct {
	row  *Row
	path *dataplane.Path
}

// worstHits is the worst path of each row among those wanted, for rows that have one at least as bad as Unknown, and how many rows have a wanted path.
func (f *Facts) worstHits(want func(*dataplane.Path) bool) (hits []hit, of int) {
	for i := range f.Rows {
		row := &f.Rows[i]
		if row.Node.VirtualKubelet {
			continue
		}
		var bad *dataplane.Path
		wanted := false
		for j := range row.Paths {
			path := &row.Paths[j]
			if !want(path) {
				continue
			}
			wanted = true
			if bad == nil || path.Outcome.Badness() > bad.Outcome.Badness() {
				bad = path
			}
		}
		if wanted {
			of++
		}
		if bad != nil && bad.Outcome.Badness() > 0 {
			hits = append(hits, hit{row, bad})
		}
	}
	return hits, of
}

// failing are the rows on which a wanted path surely fails.
func (f *Facts) failing(want func(*dataplane.Path) bool) (hits []hit, of int) {
	hits, of = f.worstHits(want)
	hits = slices.DeleteFunc(hits, func(h hit) bool { return h.path.Outcome == dataplane.Unknown || h.path.Outcome == dataplane.Partial })
	return hits, of
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
		pod := h.row.Path(dataplane.Pod, h.path)
		return pod == nil || pod.Outcome.Badness() < h.path.Outcome.Badness()
	}) {
		found = append(found, f.judge(from, group))
	}
	return found
}

// group is what connections to some addresses and ports meet, on the rows where they do not all work.
type group struct {
	dialled []*dataplane.Path
	hits    []hit
	of      int
}

// alike groups the published addresses and ports by what connections meet on the rows that matter.
func (f *Facts) alike(from dataplane.From, matters func(hit) bool) (groups []group) {
	if len(f.Rows) == 0 {
		return nil
	}
	for _, target := range f.published(from) {
		hits, of := f.worstHits(func(p *dataplane.Path) bool { return p.From == from && route.SameTarget(p, target) })
		hits = slices.DeleteFunc(hits, func(h hit) bool { return !matters(h) })
		if len(hits) == 0 {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.of == of && slices.EqualFunc(g.hits, hits, fareAlike) })
		if i < 0 {
			groups = append(groups, group{hits: hits, of: of})
			i = len(groups) - 1
		}
		groups[i].dialled = append(groups[i].dialled, target)
	}
	return groups
}

func fareAlike(a, b hit) bool {
	return a.row == b.row && a.path.Outcome == b.path.Outcome && a.path.Rule == b.path.Rule
}

// published are the paths of the first row that dial an address meant for clients, at ports that some ready endpoint serves: the same ones on every row.
func (f *Facts) published(from dataplane.From) (paths []*dataplane.Path) {
	served := f.servedPorts()
	for i := range f.Rows[0].Paths {
		p := &f.Rows[0].Paths[i]
		if p.From == from && (p.To == dataplane.LoadBalancerIP || p.To == dataplane.ExternalIP || p.To == dataplane.LoadBalancerHostname) && served[f.portIndex(p)] {
			paths = append(paths, p)
		}
	}
	return paths
}

// servedPorts says of each Service port whether a ready endpoint serves it; all do where the endpoints could not be read.
func (f *Facts) servedPorts() []bool {
	served := make([]bool, len(f.Service.Ports))
	for i, port := range f.Service.Ports {
		served[i] = !f.Service.EndpointsKnown || slices.ContainsFunc(f.Service.Endpoints, func(e cluster.Endpoint) bool {
			return e.Ready && slices.ContainsFunc(e.Ports, func(p cluster.EndpointPort) bool { return p.Name == port.Name && p.Protocol == port.Protocol })
		})
	}
	return served
}

// judge says what a group meets: what surely fails on some nodes, else what fails for some endpoints, else what is not known.
func (f *Facts) judge(from dataplane.From, g group) Finding {
	of := func(outcomes ...dataplane.Outcome) (hits []hit) {
		for _, h := range g.hits {
			if slices.Contains(outcomes, h.path.Outcome) {
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
	if hits := of(dataplane.Refused, dataplane.TimedOut, dataplane.Unreachable); len(hits) > 0 {
		return f.failure(r, from, where, hits, g.of)
	}
	hits := of(dataplane.Partial)
	if len(hits) > 0 {
		r.Severity = Warning
		r.Message = fmt.Sprintf("on %d of %d nodes some connections to %s from %s fail", len(hits), g.of, where, people(from))
	} else {
		l := f.unknownPaths(people(from), where, of(dataplane.Unknown), g.of)
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
		host := h.row.Path(dataplane.Node, h.path)
		together = together && host != nil && host.Outcome.Badness() == dataplane.Refused.Badness()
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

// name lists what is dialled: addresses alone where all their ports are meant, else each address with its port.
func (f *Facts) name(dialled []*dataplane.Path) string {
	ports := map[string]int{}
	for _, p := range dialled {
		ports[host(p)]++
	}
	var names []string
	for _, p := range dialled {
		name := host(p)
		if ports[name] < len(f.Service.Ports) {
			name = net.JoinHostPort(name, fmt.Sprint(p.Port))
			if p.Protocol != cluster.TCP {
				name += "/" + string(p.Protocol)
			}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func host(p *dataplane.Path) string {
	if p.Hostname != "" {
		return p.Hostname
	}
	return p.Address.String()
}

// nodesUnread: the nodes that the cluster has could not be listed, and the rows are only those that something else names.
func (f *Facts) nodesUnread() bool {
	return slices.ContainsFunc(f.Snapshot.Gaps, func(g cluster.Gap) bool { return g.Resource == "nodes" && g.Verb == "list" })
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

func (f *Facts) portIndex(path *dataplane.Path) int {
	return max(0, slices.IndexFunc(f.Service.Ports, func(p cluster.Port) bool { return p.Port == path.Port && p.Protocol == path.Protocol }))
}

// evidence names the first nodes with what they have, and what their data plane is.
func (f *Facts) evidence(hits []hit) []Evidence {
	list := make([]Evidence, 0, evidenced+1)
	for _, h := range hits[:min(len(hits), evidenced)] {
		fact := fmt.Sprintf("node %s has %s", h.row.Node.Name, plural(h.row.Endpoints.Ready, "ready endpoint", "ready endpoints"))
		if h.row.Endpoints.Ready == 0 {
			fact = fmt.Sprintf("node %s has no ready endpoint", h.row.Node.Name)
		}
		list = append(list, Evidence{Fact: fact, Source: f.slices(h.row.Node)})
	}
	if d := f.Snapshot.DataplaneOf(hits[0].row.Node); d.Source != "" {
		list = append(list, Evidence{Fact: "data plane is " + f.dataplane(hits[0].row.Node), Source: d.Source})
	}
	return list
}

// dataplane names what runs on a node: kube-proxy ipvs v1.20.15.
func (f *Facts) dataplane(node *cluster.Node) string {
	d := f.Snapshot.DataplaneOf(node)
	mode := string(d.Mode)
	if node.ProxyMode != "" {
		mode = node.ProxyMode
	}
	words := []string{string(d.Name), mode, d.Version.String()}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// slices names the EndpointSlices that say what is on a node; all of the Service's for nil or where none names the node.
func (f *Facts) slices(node *cluster.Node) string {
	var all, here []string
	for i := range f.Service.Endpoints {
		e := &f.Service.Endpoints[i]
		if !slices.Contains(all, e.Slice) {
			all = append(all, e.Slice)
		}
		if node != nil && e.Node == node.Name && !slices.Contains(here, e.Slice) {
			here = append(here, e.Slice)
		}
	}
	if len(here) == 0 {
		here = all
	}
	if len(here) == 0 {
		return "endpointslices of " + f.Service.Namespace + "/" + f.Service.Name
	}
	slices.Sort(here)
	return "endpointslice " + f.Service.Namespace + "/" + strings.Join(here, ", ")
}

func (f *Facts) total() dataplane.Count {
	total := f.Nowhere
	for i := range f.Rows {
		total.Ready += f.Rows[i].Endpoints.Ready
		total.ServingTerminating += f.Rows[i].Endpoints.ServingTerminating
		total.NotReady += f.Rows[i].Endpoints.NotReady
	}
	return total
}

func people(from dataplane.From) string {
	return [...]string{"processes on the host network", "pods", "clients outside"}[from]
}

// symptom is what a client of a connection that fails is told.
func symptom(o dataplane.Outcome) string {
	switch o {
	case dataplane.Refused:
		return `"connection refused"`
	case dataplane.Unreachable:
		return `"no route to host" or "operation not permitted" at once`
	default:
		return "a timeout"
	}
}

func did(o dataplane.Outcome, n int) string {
	switch {
	case o == dataplane.TimedOut && n == 1:
		return "drops"
	case o == dataplane.TimedOut:
		return "drop"
	case n == 1:
		return "refuses"
	default:
		return "refuse"
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
