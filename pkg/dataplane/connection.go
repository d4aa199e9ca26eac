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
	// plane is nil as long as the data plane, or kube-proxy's mode, is not known.
	plane   *plane
	name    cluster.DataplaneName
	mode    cluster.ProxyMode
	version cluster.Version
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

func (t *tally) add(o tally) {
	t.ready += o.ready
	t.terminating += o.terminating
	t.readyHost += o.readyHost
	t.terminatingHost += o.terminatingHost
	t.zoneHinted += o.zoneHinted
	t.nodeHinted += o.nodeHinted
}

// fallsBack: serving, terminating endpoints are used where none is ready. Where nobody has established that of the data plane, it is taken to be so; mayFallBack asks.
func (c *connection) fallsBack() bool {
	return c.plane.usesTerminating == nil || c.plane.usesTerminating(c)
}

// mayFallBack: it matters whether terminating endpoints are used, and nobody has established that of the data plane.
func (c *connection) mayFallBack() bool {
	return c.plane.usesTerminating == nil && !c.fallback &&
		(c.total.terminating > 0 && c.total.ready == 0 || c.here.terminating > 0 && c.here.ready == 0 || c.home.terminating > 0 && c.home.ready == 0)
}

// heedsIPMode: nodes leave load balancer addresses with ipMode Proxy alone.
func (c *connection) heedsIPMode() cluster.Tristate {
	if c.plane.heedsIPMode == nil {
		return cluster.Undetermined
	}
	return c.plane.heedsIPMode(c)
}

// withoutTerminating is the connection where terminating endpoints are not used.
func (c *connection) withoutTerminating() connection {
	as := *c
	for _, t := range []*tally{&as.total, &as.beside, &as.here, &as.nowhere, &as.home} {
		t.terminating, t.terminatingHost = 0, 0
	}
	return as
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

// outside: an address for clients from outside, as opposed to a ClusterIP.
func (c *connection) outside() bool { return c.to != ClusterIP }

// startsOnHost: a process on the judging node's own host network.
func (c *connection) startsOnHost() bool { return c.from == Node && !c.elsewhere }

// advertised: a load balancer address or an external IP, which no node owns unless it is bound there.
func (c *connection) advertised() bool { return c.to == LoadBalancerIP || c.to == ExternalIP }

// inEach is the connection once for each of the releases.
func (c *connection) inEach(releases []cluster.Version, set func(*connection, cluster.Version)) []connection {
	cases := make([]connection, len(releases))
	for i, v := range releases {
		cases[i] = *c
		set(&cases[i], v)
	}
	return cases
}

func (c *connection) either(set func(*connection, cluster.Tristate)) []connection {
	yes, no := *c, *c
	set(&yes, cluster.Yes)
	set(&no, cluster.No)
	return []connection{yes, no}
}
