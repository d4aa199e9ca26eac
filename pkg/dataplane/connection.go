package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// connection is everything that a data plane's table may look at. It is a value: two connections with equal fields get
// the same verdict.
//
// The judging node is the one that decides about the packet: the client's own or, for the node port of another node,
// that one.
type connection struct {
	origin
	destination
	handler
	policies
	address
	kubeRouted
	nodePort
	ranges
	backends
	clientPod
	// dataplane has the settings that only some tables read.
	dataplane *cluster.Dataplane
	// probe is not nil while a version that is not known is settled by one release after the other.
	probe *releaseProbe
}

// origin is where the connection starts.
type origin struct {
	from From
	// elsewhere: it uses the node port of another node than its own, and that node is the judging one.
	elsewhere bool
	// staysWithEndpoint: it is one certain client, and sessionAffinity keeps it on one endpoint.
	staysWithEndpoint bool
}

// destination is what the connection is addressed to.
type destination struct {
	// dialled is what the client dials; to is what arrives at the node. They differ where a load balancer replaces its
	// address by a node's address and node port.
	dialled, to To
	protocol    cluster.Protocol
	// arrivesAtNodePort: to is NodePort. noNodePort: the Service's port has none.
	arrivesAtNodePort, noNodePort bool
	// ipModeProxy: the load balancer address has ipMode Proxy.
	ipModeProxy bool
	// noClusterIP: the Service has no ClusterIP of the address family that is dialled. nodePrefersOtherFamily: the
	// judging kube-proxy's bind address, or the node's first address, is of the other one. nodeHasBothFamilies: its
	// Node object has addresses of both.
	noClusterIP, nodePrefersOtherFamily, nodeHasBothFamilies bool
	// hasStrays: noClusterIP, and slices have endpoints of that family all the same.
	hasStrays bool
	// ipv6: the dialled address is one, or its family is IPv6.
	ipv6 bool
	// alsoClaimed says whether other Services have the same address and port. conflicts: another Service has an address
	// and port of this one, be it another than the one that is dialled, and neither with ipMode Proxy.
	alsoClaimed others
	conflicts   bool
}

// handler is what serves the Service on the judging node.
type handler struct {
	// plane is nil as long as the data plane, or kube-proxy's mode, is not known.
	plane   *plane
	name    cluster.DataplaneName
	mode    cluster.ProxyMode
	version cluster.Version
	// cilium are the settings of a Cilium that replaces kube-proxy or runs beside it, antrea those of Antrea; nil where
	// it does not run. pluginVersion is the version of the one that runs beside kube-proxy.
	cilium        *cluster.CiliumSettings
	antrea        *cluster.AntreaSettings
	pluginVersion cluster.Version
	// isVirtual: the data plane of the cluster does not run on the node. leftToOtherProxy: the Service is for another proxy.
	isVirtual, leftToOtherProxy bool
	// runsAsOtherNode: kube-proxy runs under the name of another node that has usable endpoints, and takes those as
	// local.
	runsAsOtherNode bool
}

// policies are what the Service asks for.
type policies struct {
	internalPolicy, externalPolicy cluster.Policy
	// clusterIPType: the Service is of type ClusterIP, and has external IPs.
	clusterIPType bool
	hints         hints
	// annotations change where and how Cilium serves the Service. servedByEnvoy: Cilium's Envoy serves it on every
	// node.
	annotations   ciliumAnnotations
	servedByEnvoy bool
	// reachableFromOutside: the Service has in this address family a node port, an external IP or a load balancer
	// address that nodes handle. reachableIfIPModeIgnored: it has a load balancer address with ipMode Proxy, which
	// nodes handle that ignore ipMode.
	reachableFromOutside, reachableIfIPModeIgnored bool
}

// address is whose the dialled address is.
type address struct {
	// isOnNode: it is an address of the judging node. mayBeOnNode: a program may have put it there, which the API does
	// not show. isOnSomeNode: it is an address of some node.
	isOnNode, mayBeOnNode, isOnSomeNode bool
}

// kubeRouted is what only kube-router's table reads.
type kubeRouted struct {
	// isServed says whether kube-router since v2.8 serves the dialled external IP or load balancer address.
	isServed cluster.Tristate
	// isFirst: the dialled address is the first one of the node, isFirstInFamily: the first one of its family.
	isFirst, isFirstInFamily bool
	// The Service's annotations: service.local, service.hairpin and service.hairpin.externalips, service.skiplbips, and
	// service.dsr.
	asksLocal, asksHairpin, asksExternalHairpin, skipsLoadBalancerIPs, returnsDirectly bool
}

// nodePort is whether the judging node serves node ports at the dialled address.
type nodePort struct {
	// servesNodePort: nodePortAddresses include it.
	servesNodePort cluster.Tristate
	// servesNodePortIn is that for each of proxyModes, where the mode is not known.
	servesNodePortIn [len(proxyModes)]cluster.Tristate
	isLoopback       bool
	// outsideCiliumRange: Cilium does not take the port as a node port (node-port-range).
	outsideCiliumRange bool
}

// ranges are loadBalancerSourceRanges, as far as they apply to the dialled address.
type ranges struct {
	// hasRanges: there are some in the address family. allowsAll: one of them is the whole family. allowsClient:
	// another one allows the client.
	hasRanges, allowsAll bool
	// ranged: the Service has some in any family. anyClient: the client is one outside of which no more is known than
	// that they allow it.
	ranged, anyClient bool
	allowsClient      cluster.Tristate
	// For a process on the node, whether they allow the dialled address, and the address that kube-proxy takes as the
	// node's: its bind address or, where that is unspecified, the one in its Node object (allowsNodeAddress) or the
	// unspecified address itself (allowsBindAddress).
	allowsDialled, allowsNodeAddress, allowsBindAddress cluster.Tristate
}

// backends are the endpoints that could serve the connection, counted by place.
type backends struct {
	// endpointsUnread: the EndpointSlices could not be read.
	endpointsUnread bool
	// total is of the whole cluster, onNode of the judging node, onClientNode of the client's node, withoutNode of
	// those that name no node of the cluster, unnamed of those that name none at all.
	total, onNode, onClientNode, withoutNode, unnamed tally
	// takenAsLocal are those that the judging node's kube-proxy takes as local: onNode, unless it runs under another
	// name. countDiffers: the node itself reports another number of them.
	takenAsLocal tally
	countDiffers bool
	// assumesTerminating: it is settled that terminating endpoints are used, though nobody has established it.
	assumesTerminating bool
}

// clientPod is what is known of a client that is a pod.
type clientPod struct {
	// isEndpoint: it is a usable endpoint of the Service itself. endpointOnNode: and on the judging node.
	// endpointTakenAsLocal: and kube-proxy takes it as local.
	isEndpoint, endpointOnNode, endpointTakenAsLocal bool
	// detectsPods: the judging kube-proxy can tell pods from other clients. takenAsPod: it takes this client as a pod.
	detectsPods, takenAsPod cluster.Tristate
	// takenForPod: the client is outside, and kube-proxy takes it for a pod, because its address is in clusterCIDR.
	takenForPod bool
	// masqueradedByCNI: the CNI replaces a pod's address by the node's on the way to addresses of other nodes.
	masqueradedByCNI cluster.Tristate
	// mayHideClients: the CNI replaces the address of a client that is not a pod on the way to pods, or may do so.
	mayHideClients bool
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
	// annotated is the Service's annotation for topology aware routing: "", "auto" or "other"; annotatedBefore is what
	// releases before v1.27 read.
	annotated, annotatedBefore string
	// everyZone and everyNode: each ready endpoint carries such a hint. zone and node count those hinted for the
	// judging node, zoneNowhere and nodeNowhere those of them that name no node of the cluster.
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

func (c *connection) local() usable { return c.takenAsLocal.usable(c.fallsBack()) }

// near is what is usable on the node that judges, whether or not its kube-proxy considers it local.
func (c *connection) near() usable { return c.partOfAll(c.onNode) }

// unplaced: a part of all may be on any node.
func (c *connection) unplaced() bool { return c.partOfAll(c.withoutNode).n > 0 }

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

// fallsBack: serving, terminating endpoints are used where none is ready. Where nobody has established that of the data
// plane, it is taken to be so; mayFallBack asks.
func (c *connection) fallsBack() bool {
	return c.usesTerminating() != cluster.No
}

// mayFallBack: it matters whether terminating endpoints are used, and nobody has established that of the data plane.
func (c *connection) mayFallBack() bool {
	return !c.assumesTerminating && c.usesTerminating() == cluster.Undetermined &&
		(c.total.terminating > 0 && c.total.ready == 0 || c.takenAsLocal.terminating > 0 && c.takenAsLocal.ready == 0 || c.onClientNode.terminating > 0 && c.onClientNode.ready == 0)
}

func (c *connection) usesTerminating() cluster.Tristate {
	if c.plane.usesTerminating == nil {
		return cluster.Undetermined
	}
	return c.plane.usesTerminating(c)
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
	for _, t := range []*tally{&as.total, &as.onNode, &as.takenAsLocal, &as.withoutNode, &as.onClientNode, &as.unnamed} {
		t.terminating, t.terminatingHost = 0, 0
	}
	return as
}

// policy is the one that holds for the address that is dialled. Before v1.29 kube-proxy kept to externalTrafficPolicy
// only for types LoadBalancer and NodePort (pkg/api/v1/service/util.go ExternalPolicyLocal).
func (c *connection) policy() cluster.Policy {
	switch {
	case c.to == ClusterIP:
		return c.internalPolicy
	case c.clusterIPType && c.name == cluster.KubeProxy && c.before(29, 0):
		return cluster.PolicyCluster
	default:
		return c.externalPolicy
	}
}

func (c *connection) localOnly() bool { return c.policy() == cluster.PolicyLocal }

// outside: an address for clients outside the cluster, which a ClusterIP is not.
func (c *connection) outside() bool { return c.to != ClusterIP }

// startsOnHost: a process on the judging node's own host network.
func (c *connection) startsOnHost() bool { return c.from == Node && !c.elsewhere }

// advertised: a load balancer address or an external IP.
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
