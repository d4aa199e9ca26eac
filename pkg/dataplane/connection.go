package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// connection is everything a data plane's table may look at. It is a value: two connections that look the same are judged the same.
type connection struct {
	from From
	to   To
	// asked is what was dialled; to differs from it where a load balancer has put a node's address and node port in its place.
	asked    To
	protocol cluster.Protocol
	// elsewhere: it dials the node port of another node than the one where it starts, and that other node judges it.
	elsewhere bool

	internal, external cluster.Policy
	// clusterIPType: the Service is of type ClusterIP, and has external IPs.
	clusterIPType bool
	dataplane     *cluster.Dataplane
	name          cluster.DataplaneName
	mode          cluster.ProxyMode
	version       cluster.Version
	// cilium are the settings of Cilium in place of kube-proxy or beside it, antrea those of Antrea; nil where it does not run. pluginVersion is its version where it
	// runs beside kube-proxy.
	cilium        *cluster.CiliumSettings
	antrea        *cluster.AntreaSettings
	pluginVersion cluster.Version
	// fallback: terminating endpoints are taken to be used where that is not known.
	fallback bool
	// annotated: the Service has annotations by which Cilium changes where and how it is served.
	annotated ciliumAnnotations
	// envoy: Cilium's Envoy serves the Service on every node.
	envoy bool

	// total counts the endpoints of the cluster, beside those on the node that judges, here those that its kube-proxy takes for the node's own: the same, unless it
	// runs under another node's name.
	// nowhere counts those that name no node of the cluster, and may be anywhere.
	// home counts those on the node where the connection starts.
	total, beside, here, nowhere, home tally
	// borrowed: the judging kube-proxy runs under the name of another node, and takes endpoints there for its node's own.
	borrowed bool
	// doubted: the judging node says itself that it takes another number of endpoints for its own than here.
	doubted bool
	hints   hints

	// itself: the source is a pod that is a usable endpoint too; beside its judge where judge and source are on one node, and ownPod where the judging kube-proxy
	// takes the endpoint for its node's own.
	itself, besideJudge, ownPod bool
	// detects: the judging kube-proxy can tell pods from others; isPod: it takes the source for one.
	detects, isPod cluster.Tristate
	// masqueraded: the CNI puts the node's address on a pod's packets to another node's address.
	masqueraded cluster.Tristate
	// ranged: loadBalancerSourceRanges guard the address; anywhere: one of them is the whole family; admitted: the others admit the source.
	ranged, anywhere bool
	admitted         cluster.Tristate
	// admittedSelf, admittedUnspecified, admittedDialled: for a process on a node, whether the ranges admit the address that kube-proxy reads from its Node object,
	// the unspecified address of the family, and the address that is dialled.
	admittedSelf, admittedUnspecified, admittedDialled cluster.Tristate
	// served: nodePortAddresses include the node address that is dialled.
	served cluster.Tristate
	// servedBy is that for each of proxyModes, where the mode is not known.
	servedBy [len(proxyModes)]cluster.Tristate
	// loopback: a node port is dialled at a loopback address.
	loopback bool
	// bound: the address that is dialled is one of the judging node's own; mayBeBound: something on the node may have made it so; owned: it is one of some node's own.
	bound, mayBeBound, owned bool
	// accessible: the Service can be reached from outside in this family, by a node port, a load balancer address that nodes answer for or an external IP;
	// accessibleAsProxied: by a load balancer address with ipMode Proxy, where kube-proxy does not honour that.
	accessible, accessibleAsProxied bool

	// endpointsUnread: nobody knows what is behind the Service; virtual: the judging node is a virtual kubelet; otherProxy: the Service is another proxy's.
	endpointsUnread, virtual, otherProxy bool
	// otherFamilyFirst: the judging node's first address is of the other family than the one that is dialled; noFamily: the Service has no ClusterIP of that one.
	otherFamilyFirst, noFamily bool
	// noNodePort: the Service's port has none; throughNodePort: that is what arrives at the node.
	noNodePort, throughNodePort bool
	// proxied: the load balancer address has ipMode Proxy.
	proxied bool
	// shared says whether other Services claim the address and port that are dialled.
	shared others
	// sticky: the client is one in particular, and sessionAffinity keeps it with one endpoint.
	sticky bool
	// turns is not nil while all releases are gone through that the version could be.
	turns *turns
}

// tally counts endpoints, ready ones and serving, terminating ones, and those of them on the host network.
type tally struct {
	ready, terminating         int
	readyHost, terminatingHost int
	// zoneHinted and nodeHinted are ready and hinted for the zone of the node they are on, or for that node.
	zoneHinted, nodeHinted int
}

// usable is a number of endpoints, and how many of them are on the host network.
type usable struct{ n, host int }

// hints are the topology hints of a Service's ready endpoints, as the judging node sees them.
type hints struct {
	// annotated is the Service's annotation for topology aware routing: "", "auto" or "other"; annotatedBefore is what releases before v1.27 read.
	annotated, annotatedBefore string
	// everyZone and everyNode: each ready endpoint carries such a hint. zone and node count those hinted for the judging node, zoneNowhere and nodeNowhere those of
	// them that name no node of the cluster.
	everyZone, everyNode     bool
	zone, node               int
	zoneNowhere, nodeNowhere int
}

// all is what is usable anywhere in the cluster, and local what is on the node that judges.
func (c *connection) all() usable {
	if c.confinedByInternalPolicy() {
		return c.local()
	}
	return c.total.usable(c.fallsBack())
}

func (c *connection) local() usable { return c.here.usable(c.fallsBack()) }

// near is the part of all that is on the node that judges, whatever its kube-proxy knows of it.
func (c *connection) near() usable { return c.partOfAll(c.beside) }

// unplaced: a part of all may be on any node.
func (c *connection) unplaced() bool { return c.partOfAll(c.nowhere).n > 0 }

func (c *connection) partOfAll(t tally) usable {
	if c.total.ready > 0 || !c.fallsBack() {
		return usable{t.ready, t.readyHost}
	}
	return usable{t.terminating, t.terminatingHost}
}

// any: some endpoint is usable somewhere.
func (c *connection) any() bool { return c.all().n > 0 || c.local().n > 0 }

// usable falls back to serving, terminating endpoints where none is ready (KEP-1669).
func (t tally) usable(fallsBack bool) usable {
	if t.ready > 0 || !fallsBack {
		return usable{t.ready, t.readyHost}
	}
	return usable{t.terminating, t.terminatingHost}
}

// fallsBack: kube-proxy does since v1.26 (gate ProxyTerminatingEndpoints, alpha in v1.24, fixed in v1.28; in v1.22 and v1.23 it is another, partial thing); of the other
// data planes Cilium and Antrea have come to it, and mayFallBack says of which it is not known.
func (c *connection) fallsBack() bool {
	switch {
	case c.name == cluster.Cilium:
		return c.ciliumFallsBack()
	case c.name == cluster.Antrea:
		return c.antreaFallsBack()
	case c.name != cluster.KubeProxy || !c.before(28, 0):
		return true
	}
	return !c.before(24, 0) && c.gate("ProxyTerminatingEndpoints", !c.before(26, 0))
}

// mayFallBack: it matters whether terminating endpoints are used, and nobody has established that of the data plane.
func (c *connection) mayFallBack() bool {
	switch c.name {
	case cluster.CalicoEBPF, cluster.OVNKubernetes, cluster.KubeRouter, cluster.Windows:
		return !c.fallback && (c.total.terminating > 0 && c.total.ready == 0 || c.here.terminating > 0 && c.here.ready == 0 || c.home.terminating > 0 && c.home.ready == 0)
	default:
		return false
	}
}

// withoutTerminating is the connection where terminating endpoints are not used.
func (c *connection) withoutTerminating() connection {
	as := *c
	for _, t := range []*tally{&as.total, &as.beside, &as.here, &as.nowhere, &as.home} {
		t.terminating, t.terminatingHost = 0, 0
	}
	return as
}

// confinedByInternalPolicy: from v1.21 to v1.23 internalTrafficPolicy Local took away remote endpoints for every address, unless externalTrafficPolicy was Local
// (pkg/proxy/topology.go FilterEndpoints; mended by kubernetes/kubernetes#106497).
func (c *connection) confinedByInternalPolicy() bool {
	return c.name == cluster.KubeProxy && c.internal == cluster.PolicyLocal && !c.localToOutside() &&
		c.before(24, 0) && c.knowsInternalPolicy()
}

// localToOutside is NodeLocalExternal of kubernetes/kubernetes pkg/proxy before v1.24: Services of type ClusterIP had no externalTrafficPolicy yet.
func (c *connection) localToOutside() bool {
	return c.external == cluster.PolicyLocal && !c.clusterIPType
}

// guarded: source ranges are in force. A range that is the whole family lifts them, except in ipvs mode before v1.34, which gives it to an ipset that does not take it
// and goes on guarding against all but processes on the node (kubernetes/kubernetes#132722; pkg/proxy/serviceport.go).
func (c *connection) guarded() bool {
	return c.ranged && (!c.anywhere || (c.mode == cluster.IPVS && c.before(34, 0) && !c.startsOnHost()))
}

// knowsInternalPolicy: kube-proxy does since v1.22 (gate ServiceInternalTrafficPolicy, alpha in v1.21, fixed in v1.26).
func (c *connection) knowsInternalPolicy() bool {
	return !c.before(26, 0) || (!c.before(21, 0) && c.gate("ServiceInternalTrafficPolicy", !c.before(22, 0)))
}

// gate is a feature gate of kube-proxy, or its default in the release where it is not set.
func (c *connection) gate(name string, otherwise bool) bool {
	if c.dataplane.KubeProxy == nil {
		return otherwise
	}
	if on, set := c.dataplane.KubeProxy.FeatureGates[name]; set {
		return on
	}
	return otherwise
}

// policy is the one that holds for the address that is dialled. Before v1.29 kube-proxy kept to externalTrafficPolicy only for types LoadBalancer and NodePort
// (pkg/api/v1/service/util.go ExternalPolicyLocal).
func (c *connection) policy() cluster.Policy {
	switch {
	case c.to == ClusterIP:
		return c.internal
	case c.clusterIPType && c.name == cluster.KubeProxy && c.before(29, 0):
		return cluster.PolicyCluster
	default:
		return c.external
	}
}

func (c *connection) localOnly() bool { return c.policy() == cluster.PolicyLocal }

// verdict is a Path without what was dialled.
type verdict struct {
	outcome   Outcome
	endpoints Endpoints
	clientIP  ClientIP
	extraHop  ExtraHop
	topology  string
	could     Outcomes
	rule      *Rule
	basis     Basis
}

// none is r, or the rule that says that endpoints there are, and a policy keeps them from this node.
func (c *connection) none(r *Rule) *Rule {
	if c.confinedByInternalPolicy() && c.total.ready > 0 {
		return confined
	}
	return r
}

func refused(r *Rule) verdict  { return verdict{outcome: Refused, endpoints: NoEndpoints, rule: r} }
func timedOut(r *Rule) verdict { return verdict{outcome: TimedOut, endpoints: NoEndpoints, rule: r} }

// unknown is the answer where nobody has established which of the outcomes it is.
func unknown(r *Rule, could ...Outcome) verdict {
	return verdict{outcome: Unknown, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, could: either(could...), rule: r}
}

// leaves: the node does not answer for the address, and the packet goes where the network sends it.
func (c *connection) leaves(r *Rule) verdict {
	if c.total.usable(c.fallsBack()).n == 0 {
		return verdict{outcome: ViaLoadBalancer, endpoints: NoEndpoints, rule: r}
	}
	return verdict{outcome: ViaLoadBalancer, endpoints: AllEndpoints, clientIP: ClientIPUnknown, extraHop: Sometimes, rule: r}
}

// rewriting says what the node does to the client's address on the way to an endpoint.
type rewriting uint8

const (
	keeps rewriting = iota
	// masquerades: the node puts an address of its own in the POSTROUTING hook, which packets to an endpoint on its own host network never pass.
	masquerades
	// masqueradesRemote: the node does so only where the endpoint is on another node.
	masqueradesRemote
	// dials: the source is the dialled address itself, and stays so.
	dials
)

// reachesAll: any usable endpoint of the cluster, within topology hints.
func (c *connection) reachesAll(w rewriting, r *Rule) verdict {
	if c.confinedByInternalPolicy() {
		return c.reachesLocal(w, r)
	}
	all, local := c.all(), c.local()
	v := verdict{outcome: Reachable, endpoints: AllEndpoints, clientIP: c.client(all, w, c.itself), extraHop: hops(all.n, c.near().n, c.unplaced()), rule: r}
	if c.itself && w == keeps && c.losesItself() {
		return c.withoutItself(v, all.n)
	}
	h := c.hinted()
	if h.by == "" || h.n == all.n {
		return v
	}
	v.topology, v.extraHop = h.by, hops(h.n, h.here, h.nowhere > 0)
	if h.n == h.here && h.here == local.n {
		v.endpoints = LocalEndpoints
	} else {
		v.endpoints = EndpointsUnknown
	}
	if all.host > 0 || w == masqueradesRemote {
		v.clientIP = ClientIPUnknown
	}
	return v
}

// reachesLocal: the usable endpoints on the node that judges.
func (c *connection) reachesLocal(w rewriting, r *Rule) verdict {
	return verdict{outcome: Reachable, endpoints: LocalEndpoints, clientIP: c.client(c.local(), w, c.itself && c.besideJudge), rule: r}
}

// confinement is what topology hints leave of the ready endpoints: n of them, here of them on the judging node and nowhere of them on none; by is "" where hints are
// not followed.
type confinement struct {
	by               string
	n, here, nowhere int
}

// hinted is the confinement of a connection.
//
// Versions and conditions: kubernetes/kubernetes pkg/proxy/topology.go, canUseTopology until v1.32, topologyModeFromHints from v1.33.
func (c *connection) hinted() confinement {
	if c.name != cluster.KubeProxy || c.total.ready == 0 {
		return confinement{}
	}
	h := c.hints
	sameNode := !c.before(35, 0) || (!c.before(33, 0) && c.gate("PreferSameTrafficDistribution", !c.before(34, 0)))
	if h.everyNode && h.node > 0 && sameNode {
		return confinement{"Node", h.node, c.here.nodeHinted, h.nodeNowhere}
	}
	byAnnotation := c.gate("TopologyAwareHints", !c.before(24, 0))
	byDistribution := !c.before(33, 0) || (!c.before(30, 0) && c.gate("ServiceTrafficDistribution", !c.before(31, 0)))
	var follows bool
	switch {
	case c.before(21, 0):
	case c.before(27, 0):
		follows = byAnnotation && h.annotatedBefore == "auto" && !(c.before(24, 0) && c.localToOutside())
	default:
		follows = byDistribution || (byAnnotation && h.annotated != "")
	}
	if follows && h.everyZone && h.zone > 0 {
		return confinement{"Zone", h.zone, c.here.zoneHinted, h.zoneNowhere}
	}
	return confinement{}
}

// withinHints: under which conditions data planes other than kube-proxy follow topology hints has not been read, and where there are hints, which endpoints they choose
// is not known. Cilium does with enable-service-topology only; kube-router has no code for hints.
func (c *connection) withinHints(v verdict) verdict {
	h := c.hints
	divided := h.everyZone && h.zone > 0 && h.zone < c.total.ready || h.everyNode && h.node > 0 && h.node < c.total.ready
	switch {
	case !divided, v.outcome != Reachable, v.endpoints != AllEndpoints:
		return v
	case c.name == cluster.KubeProxy, c.name == cluster.KubeRouter, c.name == cluster.Cilium && !c.cilium.ServiceTopology:
		return v
	}
	v.endpoints = EndpointsUnknown
	if v.clientIP == Mixed {
		v.clientIP = ClientIPUnknown
	}
	return v
}

// losesItself: a pod that is handed its own connection drops it unless the node puts an address of its own on it. iptables does so for every endpoint; ipvs, and
// nftables since v1.36, only for endpoints that kube-proxy takes for the node's own.
func (c *connection) losesItself() bool {
	onlyOwn := c.mode == cluster.IPVS || (c.mode == cluster.NFTables && !c.before(36, 0))
	return c.name == cluster.KubeProxy && onlyOwn && !c.ownPod
}

// withoutItself is v where one of n endpoints cannot answer, being the client.
func (c *connection) withoutItself(v verdict, n int) verdict {
	if n == 1 {
		return timedOut(ownConnection)
	}
	v.outcome, v.endpoints, v.clientIP, v.rule = Partial, EndpointsUnknown, ClientIPUnknown, ownConnection
	return v
}

var ownConnection = &Rule{
	ID: "SVC-09", Basis: Source, Source: "kubernetes/kubernetes pkg/proxy/nftables/proxier.go hairpin-connections, pkg/proxy/ipvs/proxier.go KUBE-LOOP-BACK",
	Reason: "the pod can be handed its own connection, and kube-proxy does not know it for a pod of this node and leaves the address as it is: the pod does not take it",
}

// client says whose address the endpoints of a set see; itself: the client is one of them.
//
// Three things happen outside the tables: what is sent to an endpoint on the judging node's own host network never passes POSTROUTING and keeps its source; a CNI
// that masquerades pods towards other nodes' addresses also does so where such an address is an endpoint; and a pod that is handed its own connection sees an
// address of the node.
func (c *connection) client(set usable, w rewriting, itself bool) ClientIP {
	hereOnHost := min(c.near().host, set.host)
	thereOnHost := set.host - hereOnHost
	keeping := set.n
	switch {
	case w == dials, c.from == Pod && c.elsewhere && c.masqueraded == cluster.Yes:
		return Rewritten
	case c.from == Node && !c.elsewhere:
		return Preserved
	case w == masquerades:
		return share(hereOnHost, set.n)
	case w == masqueradesRemote:
		return share(min(c.near().n, set.n), set.n)
	case c.from == Pod && thereOnHost > 0 && c.masqueraded == cluster.Undetermined:
		return ClientIPUnknown
	case c.from == Pod && thereOnHost > 0 && c.masqueraded == cluster.Yes:
		keeping -= thereOnHost
	}
	if itself {
		keeping--
	}
	return share(keeping, set.n)
}

// share is what clients meet where keeping of n endpoints see their own address.
func share(keeping, n int) ClientIP {
	switch {
	case keeping <= 0:
		return Rewritten
	case keeping >= n:
		return Preserved
	default:
		return Mixed
	}
}

// hops says whether connections cross to another node, where n endpoints can be chosen and local of them are on this one; unplaced: some may be anywhere.
func hops(n, local int, unplaced bool) ExtraHop {
	switch {
	case unplaced:
		return Sometimes
	case local >= n:
		return Never
	case local == 0:
		return Always
	default:
		return Sometimes
	}
}

// merge is what can be said where either a or b holds, as r says.
func merge(a, b verdict, r *Rule) verdict {
	if a.outcome != b.outcome {
		return verdict{
			outcome: Unknown, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, rule: r,
			could: a.could | b.could | known(a.outcome) | known(b.outcome),
		}
	}
	a.could |= b.could
	if a.topology != b.topology {
		a.topology = ""
	}
	a.basis = min(a.basis, b.basis)
	if a.rule != b.rule {
		a.rule = r
	}
	if a.endpoints != b.endpoints {
		a.endpoints = EndpointsUnknown
	}
	if a.clientIP != b.clientIP {
		a.clientIP = ClientIPUnknown
	}
	if a.extraHop != b.extraHop {
		a.extraHop = Sometimes
	}
	return a
}

func known(o Outcome) Outcomes {
	if o == Unknown {
		return 0
	}
	return either(o)
}
