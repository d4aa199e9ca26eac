package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// common are the rules that belong to no data plane.
var common = []*Rule{
	endpointsNotRead, virtualNode, otherProxy, noNodePort, noWayToNode, hostnameOnly, proxyMode, otherFamily,
	singleStack, ignoredExternalIP, confined, unknownDataplane, unknownMode, unknownVersion, someAllowed,
	unknownSelf, unknownAddress, patchedByTencent, unknownHolder, unknownCount, unknownArrival, sharedAddress,
	otherNodesName, claimedNodeAddress, sticky, unknownMasquerade, unknownDetection, unknownRelease, unknownGuard,
	unknownPlugin, unknownSettings, unknownFallback, unknownIPMode, placeholder, ownConnection,
}

// beforehand is the verdict that is the same for every data plane: on what no node handles, and where facts could not
// be read. It has no rule where the table decides.
func beforehand(c *connection) verdict {
	switch {
	case c.endpointsUnread:
		return unknown(endpointsNotRead, Reachable, Refused, TimedOut)
	case c.isVirtual:
		return unknown(virtualNode, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.leftToOtherProxy && c.from != External && c.advertised():
		return unknown(otherProxy, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.leftToOtherProxy:
		return unknown(otherProxy, Reachable, Refused, TimedOut)
	case c.name == cluster.KubeProxy && c.nodePrefersOtherFamily && c.before(21, 0) && !c.gate("IPv6DualStack", false):
		return unknown(singleStack, Refused, TimedOut, ViaLoadBalancer)
	case c.dialled == NodePort && c.noNodePort:
		return refused(noNodePort)
	case c.arrivesAtNodePort:
		return verdict{}
	case c.alsoClaimed.outright, c.alsoClaimed.proxied && c.heedsIPMode() != cluster.Yes:
		return unknown(sharedAddress, Reachable, Refused, TimedOut, Partial, ViaLoadBalancer)
	case c.from == External && c.to != ExternalIP && (c.to == LoadBalancerHostname || c.ipModeProxy):
		return unknown(noWayToNode, Reachable, Refused, TimedOut)
	case c.to == LoadBalancerHostname:
		return c.leaves(hostnameOnly)
	case c.to == LoadBalancerIP && c.ipModeProxy && c.heedsIPMode() == cluster.Undetermined:
		return unknown(unknownIPMode, Reachable, Refused, TimedOut, Unreachable, ViaLoadBalancer)
	case c.to == LoadBalancerIP && c.ipModeProxy && c.heedsIPMode() == cluster.Yes:
		return c.leaves(proxyMode)
	case c.advertised() && c.noClusterIP && c.leavesOtherFamily():
		return c.leaves(otherFamily)
	case c.to == ExternalIP && c.name == cluster.KubeProxy && !c.before(36, 0) && !c.gate("AllowServiceExternalIPs", true):
		return c.leaves(ignoredExternalIP)
	default:
		return verdict{}
	}
}

// leavesOtherFamily: the node does not handle addresses of a family in which the Service has no ClusterIP. A Cilium
// beside kube-proxy is asked first.
func (c *connection) leavesOtherFamily() bool {
	if c.name == cluster.Cilium {
		return c.lacksFamily()
	}
	return c.cilium == nil || c.plugin() == nil
}

// Rules about facts that are not known, and about what no data plane handles.
var (
	endpointsNotRead = &Rule{
		ID: "SVC-01", Basis: Source,
		Reason: "the Service's EndpointSlices could not be read, so its endpoints are not known",
	}
	virtualNode = &Rule{
		ID: "SVC-02", Basis: Documented,
		Reason: "the node is virtual (virtual kubelet, AWS Fargate). The cluster's data plane does not run there, and its " +
			"pods have a network or a kube-proxy of their own",
	}
	otherProxy = &Rule{
		ID: "SVC-03", Basis: Source, Source: "kubernetes/kubernetes cmd/kube-proxy/app/server.go, label service.kubernetes.io/service-proxy-name",
		Reason: "the label service.kubernetes.io/service-proxy-name gives the Service to another proxy than the " +
			"node's own",
	}
	noNodePort = &Rule{
		ID: "SVC-04", Basis: Source, Source: "Service spec.allocateLoadBalancerNodePorts",
		Reason: "the Service has no node port, so nothing listens for it on the node",
	}
	noWayToNode = &Rule{
		ID: "SVC-05", Basis: Source, Source: "Service spec.allocateLoadBalancerNodePorts",
		Reason: "the Service has no node port, and the node does not handle the load balancer address. How the load " +
			"balancer reaches the pods depends on the load balancer",
	}
	hostnameOnly = &Rule{
		ID: "SVC-06", Basis: Source, Source: "kubernetes/kubernetes pkg/proxy/serviceport.go",
		Reason: "only a host name is published. No node handles its address, so the connection goes to the load " +
			"balancer",
	}
	proxyMode = &Rule{
		ID: "SVC-07", Basis: Source, Since: "1.29", Source: "KEP-1860, gate LoadBalancerIPMode (on since v1.30); kubernetes/kubernetes pkg/proxy/serviceport.go",
		Reason: "ipMode is Proxy. No node handles the address, so the connection goes to the load balancer",
	}
	otherFamily = &Rule{
		ID: "SVC-08", Basis: Source, Source: "kubernetes/kubernetes pkg/proxy/servicechangetracker.go",
		Reason: "the Service has no ClusterIP of this address family, so no node handles the address",
	}

	singleStack = &Rule{
		ID: "SVC-12", Until: "1.21", Source: "kubernetes/kubernetes cmd/kube-proxy/app/server_others.go, gate IPv6DualStack",
		Reason: "before v1.21 kube-proxy only serves the address family of the node's first address, unless its " +
			"feature gate IPv6DualStack is on",
	}
	ignoredExternalIP = &Rule{
		ID: "SVC-11", Basis: Source, Since: "1.36", Source: "kubernetes/kubernetes pkg/proxy/serviceport.go, gate AllowServiceExternalIPs",
		Reason: "kube-proxy's feature gate AllowServiceExternalIPs is off, so no node handles external IPs",
	}
	confined = &Rule{
		ID: "SVC-10", Basis: Source, Since: "1.22", Until: "1.24", Source: "kubernetes/kubernetes pkg/proxy/topology.go FilterEndpoints; kubernetes/kubernetes#106497",
		Reason: "in v1.22 and v1.23 internalTrafficPolicy Local removes remote endpoints for every address, and " +
			"this node has no local endpoint",
	}

	unknownDataplane = &Rule{ID: "UNK-01", Reason: "the data plane of the node is not known; set it with --dataplane"}
	unknownMode      = &Rule{
		ID: "UNK-02",
		Reason: "what happens here, or why, depends on kube-proxy's mode, which is not known; set it with " +
			"--dataplane kube-proxy/MODE",
	}
	unknownVersion = &Rule{
		ID: "UNK-03",
		Reason: "what happens here, or why, depends on kube-proxy's version, which is not known; set it with " +
			"--dataplane kube-proxy/MODE@VERSION",
	}
	someAllowed = &Rule{
		ID: "UNK-04",
		Reason: "loadBalancerSourceRanges may or may not allow the client: its address is not known, or only a part " +
			"of its range is allowed",
	}
	unknownSelf = &Rule{
		ID: "UNK-14", Source: "kubernetes/kubernetes pkg/proxy/ipvs/proxier.go allowFromNode; cmd/kube-proxy/app nodeIPTuple (v1.20 to v1.27), detectNodeIPs (v1.28 to v1.37)",
		Reason: "a process on the node connects from the load balancer address itself. Whether " +
			"loadBalancerSourceRanges allow it depends on what kube-proxy takes as its own address (bindAddress, " +
			"dual stack)",
	}
	unknownAddress = &Rule{
		ID:     "UNK-05",
		Reason: "the address of the node is not known, and nodePortAddresses include only some addresses",
	}

	patchedByTencent = &Rule{
		ID: "UNK-15", Source: "tencentyun/qcloud-documents product/计算与网络/容器服务/故障处理/CLB 回环问题.md; kubernetes/kubernetes#79783",
		Reason: "Tencent's builds of kube-proxy (-tke.) in ipvs mode do not put load balancer addresses on " +
			"kube-ipvs0. The connection may leave for the load balancer, and what happens to it there is not known",
	}
	unknownHolder = &Rule{
		ID: "UNK-16",
		Source: "GoogleCloudPlatform/guest-agent google_guest_agent/addresses.go; kube-vip/kube-vip pkg/vip/address.go; purelb/purelb internal/local/network.go; " +
			"kubernetes/kubernetes#97836",
		Reason: "a program on the node may have put the load balancer address on it (Google's guest agent, " +
			"kube-vip, PureLB, IBM's keepalived). The API does not show that, and the result depends on it",
	}
	unknownCount = &Rule{
		ID: "UNK-09",
		Reason: "the node's own count of local endpoints differs from the EndpointSlices, and the result depends on " +
			"which is right",
	}
	unknownArrival = &Rule{
		ID: "UNK-20",
		Reason: "the result depends on whether the load balancer sends to node ports or keeps its own address as " +
			"the destination, which is not known",
	}
	sharedAddress = &Rule{
		ID:     "UNK-10",
		Reason: "another Service has the same address and port, and the node can send the connection to either of them",
	}
	otherNodesName = &Rule{
		ID: "UNK-13",
		Reason: "kube-proxy runs under the name of another node (hostnameOverride) and uses that node's endpoints " +
			"as local ones. Which of them answer is not known",
	}
	claimedNodeAddress = &Rule{
		ID: "UNK-12", Source: "kubernetes/kubernetes pkg/proxy/ipvs/proxier.go syncService",
		Reason: "a Service uses a node's own address. ipvs puts that address on every other node too, so neither " +
			"connections nor answers from those nodes reach the node at it",
	}
	sticky = &Rule{
		ID: "UNK-11",
		Reason: "only some endpoints can be reached, and sessionAffinity keeps a client on the first endpoint that " +
			"it got",
	}
	unknownMasquerade = &Rule{
		ID: "UNK-06",
		Reason: "the result depends on whether the CNI masquerades (SNAT) what pods send to other nodes, which the " +
			"API does not show",
	}
	unknownDetection = &Rule{
		ID: "UNK-07",
		Reason: "the result depends on whether kube-proxy recognises the node's pods as pods (clusterCIDR, " +
			"detectLocalMode), which the API does not show",
	}
)

var ownConnection = &Rule{
	ID: "SVC-09", Basis: Source, Source: "kubernetes/kubernetes pkg/proxy/nftables/proxier.go hairpin-connections, pkg/proxy/ipvs/proxier.go KUBE-LOOP-BACK",
	Reason: "the pod can get its own connection back. kube-proxy does not recognise it as a pod of this node and " +
		"does not replace the source address, so the pod drops the packet",
}

var (
	unknownRelease = &Rule{
		ID: "UNK-31",
		Reason: "what happens here, or why, depends on the version of the data plane, which is not known; set it " +
			"with --dataplane NAME@VERSION",
	}
	unknownGuard = &Rule{
		ID: "UNK-43", Source: "Service spec.loadBalancerSourceRanges",
		Reason: "loadBalancerSourceRanges do not allow the client, or may not. How this data plane enforces them is " +
			"not known",
	}
	unknownPlugin = &Rule{
		ID: "UNK-08", Source: "cilium/cilium#45252, cilium/cilium#47204; antrea-io/antrea#4815",
		Reason: "the network plugin beside kube-proxy handles some connections itself. The result depends on its " +
			"version, which could not be read",
	}
	unknownSettings = &Rule{
		ID: "UNK-39", Source: "cilium/cilium Documentation/network/kubernetes/kubeproxy-free.rst",
		Reason: "the result depends on Cilium's settings (cilium-config), which were not read",
	}
	unknownFallback = &Rule{
		ID: "UNK-40",
		Reason: "only terminating endpoints are left. Whether this release of the data plane still uses them is not " +
			"known",
	}
	unknownIPMode = &Rule{
		ID: "UNK-41", Source: "KEP-1860",
		Reason: "ipMode is Proxy. Not every release of the data plane that may run here honours it, so the node may " +
			"handle the address itself",
	}
	placeholder = &Rule{
		ID: "UNK-42", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go isIngressDummyEndpoint (v1.20.2)",
		Reason: "the only endpoint is the placeholder of Cilium's Ingress and Gateway API, and Cilium does not " +
			"serve the Service on this node",
	}
)
