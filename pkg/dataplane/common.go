package dataplane

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// common are the rules of no data plane in particular.
var common = []*Rule{
	endpointsNotRead, virtualNode, otherProxy, noNodePort, noWayToNode, hostnameOnly, proxyMode, otherFamily,
	singleStack, ignoredExternalIP, confined, unknownDataplane, unknownMode, unknownVersion, someAdmitted,
	unknownSelf, unknownAddress, patchedByTencent, unknownHolder, unknownCount, unknownArrival, sharedAddress,
	borrowedName, capturedAddress, sticky, unknownMasquerade, unknownDetection, unknownRelease, unknownGuard,
	unknownPlugin, unknownSettings, unknownFallback, unknownIPMode, placeholder, ownConnection,
}

// beforehand is what is true of every data plane: what no node answers for, and what could not be read. The verdict has no rule where the tables decide.
func beforehand(c *connection) verdict {
	switch {
	case c.endpointsUnread:
		return unknown(endpointsNotRead, Reachable, Refused, TimedOut)
	case c.virtual:
		return unknown(virtualNode, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.otherProxy && c.from != External && c.advertised():
		return unknown(otherProxy, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.otherProxy:
		return unknown(otherProxy, Reachable, Refused, TimedOut)
	case c.name == cluster.KubeProxy && c.otherFamilyFirst && c.before(21, 0) && !c.gate("IPv6DualStack", false):
		return unknown(singleStack, Refused, TimedOut, ViaLoadBalancer)
	case c.asked == NodePort && c.noNodePort:
		return refused(noNodePort)
	case c.throughNodePort:
		return verdict{}
	case c.shared.outright, c.shared.proxied && c.heedsIPMode() != cluster.Yes:
		return unknown(sharedAddress, Reachable, Refused, TimedOut, Partial, ViaLoadBalancer)
	case c.from == External && c.to != ExternalIP && (c.to == LoadBalancerHostname || c.proxied):
		return unknown(noWayToNode, Reachable, Refused, TimedOut)
	case c.to == LoadBalancerHostname:
		return c.leaves(hostnameOnly)
	case c.to == LoadBalancerIP && c.proxied && c.heedsIPMode() == cluster.Undetermined:
		return unknown(unknownIPMode, Reachable, Refused, TimedOut, Unreachable, ViaLoadBalancer)
	case c.to == LoadBalancerIP && c.proxied && c.heedsIPMode() == cluster.Yes:
		return c.leaves(proxyMode)
	case c.to != ClusterIP && c.noFamily:
		return c.leaves(otherFamily)
	case c.to == ExternalIP && c.name == cluster.KubeProxy && !c.before(36, 0) && !c.gate("AllowServiceExternalIPs", true):
		return c.leaves(ignoredExternalIP)
	default:
		return verdict{}
	}
}

// Rules of facts that are not known, and of what no data plane answers for.
var (
	endpointsNotRead = &Rule{ID: "SVC-01", Basis: Source, Reason: "the Service's EndpointSlices could not be read, so nobody knows what is behind it"}
	virtualNode      = &Rule{ID: "SVC-02", Basis: Documented, Reason: "the node is a virtual kubelet: no kube-proxy runs there, and its pods have a network of their own"}
	otherProxy       = &Rule{
		ID: "SVC-03", Basis: Source, Source: "kubernetes/kubernetes cmd/kube-proxy/app/server.go, label service.kubernetes.io/service-proxy-name",
		Reason: "the Service's label service.kubernetes.io/service-proxy-name hands it to another proxy than the node's own",
	}
	noNodePort = &Rule{
		ID: "SVC-04", Basis: Source, Source: "Service spec.allocateLoadBalancerNodePorts",
		Reason: "the Service has no node port, and nothing listens on the node for it",
	}
	noWayToNode = &Rule{
		ID: "SVC-05", Basis: Source, Source: "Service spec.allocateLoadBalancerNodePorts",
		Reason: "the Service has no node port and the node does not answer for the load balancer address: how the load balancer reaches pods is its own affair",
	}
	hostnameOnly = &Rule{
		ID: "SVC-06", Basis: Source, Source: "kubernetes/kubernetes pkg/proxy/serviceport.go",
		Reason: "only a host name is published, so no node answers for the address and the connection goes to the real load balancer",
	}
	proxyMode = &Rule{
		ID: "SVC-07", Basis: Source, Since: "1.29", Source: "KEP-1860, gate LoadBalancerIPMode (on since v1.30); kubernetes/kubernetes pkg/proxy/serviceport.go",
		Reason: "ipMode is Proxy, so no node answers for the address and the connection goes to the real load balancer",
	}
	otherFamily = &Rule{
		ID: "SVC-08", Basis: Source, Source: "kubernetes/kubernetes pkg/proxy/servicechangetracker.go",
		Reason: "the Service has no ClusterIP of the address's family, so no node answers for it",
	}

	singleStack = &Rule{
		ID: "SVC-12", Until: "1.21", Source: "kubernetes/kubernetes cmd/kube-proxy/app/server_others.go, gate IPv6DualStack",
		Reason: "before v1.21 kube-proxy serves only the family of the node's first address, unless its gate IPv6DualStack is on",
	}
	ignoredExternalIP = &Rule{
		ID: "SVC-11", Basis: Source, Since: "1.36", Source: "kubernetes/kubernetes pkg/proxy/serviceport.go, gate AllowServiceExternalIPs",
		Reason: "kube-proxy's gate AllowServiceExternalIPs is off, so no node answers for external IPs",
	}
	confined = &Rule{
		ID: "SVC-10", Basis: Source, Since: "1.22", Until: "1.24", Source: "kubernetes/kubernetes pkg/proxy/topology.go FilterEndpoints; kubernetes/kubernetes#106497",
		Reason: "in v1.22 and v1.23 internalTrafficPolicy Local takes remote endpoints away for every address, and this node has none of its own",
	}

	unknownDataplane = &Rule{ID: "UNK-01", Reason: "the node's data plane is not known; --dataplane says it"}
	unknownMode      = &Rule{ID: "UNK-02", Reason: "kube-proxy's mode is not known, and what happens here, or why, depends on it; --dataplane kube-proxy/MODE says it"}
	unknownVersion   = &Rule{ID: "UNK-03", Reason: "kube-proxy's version is not known, and what happens here, or why, depends on it; --dataplane kube-proxy/MODE@VERSION says it"}
	someAdmitted     = &Rule{ID: "UNK-04", Reason: "loadBalancerSourceRanges may admit the client or not: its address is not known, or only a part of its range is admitted"}
	unknownSelf      = &Rule{
		ID: "UNK-14", Source: "kubernetes/kubernetes pkg/proxy/ipvs/proxier.go allowFromNode; cmd/kube-proxy/app/server_others.go nodeIPTuple",
		Reason: "a process on the node speaks from the load balancer address, and whether loadBalancerSourceRanges admit it depends on what kube-proxy takes for its own address (bindAddress, dual stack)",
	}
	unknownAddress = &Rule{ID: "UNK-05", Reason: "the node's address is not known, and nodePortAddresses serve only some"}

	patchedByTencent = &Rule{
		ID: "UNK-15", Source: "tencentyun/qcloud-documents product/计算与网络/容器服务/故障处理/CLB 回环问题.md; kubernetes/kubernetes#79783",
		Reason: "Tencent's builds of kube-proxy (-tke.) do not put load balancer addresses on kube-ipvs0 in ipvs mode, so the connection may leave for the real load balancer, " +
			"and what becomes of it there is not known",
	}
	unknownHolder = &Rule{
		ID: "UNK-16",
		Source: "GoogleCloudPlatform/guest-agent google_guest_agent/addresses.go; kube-vip/kube-vip pkg/vip/address.go; purelb/purelb internal/local/network.go; " +
			"kubernetes/kubernetes#97836",
		Reason: "a program on the node may hold the load balancer address there (Google's guest agent, kube-vip, PureLB, IBM's keepalived), which the API does not show, and it matters here",
	}
	unknownCount    = &Rule{ID: "UNK-09", Reason: "the node itself counts other endpoints of its own than the EndpointSlices place there, and it matters here which"}
	unknownArrival  = &Rule{ID: "UNK-20", Reason: "whether the load balancer sends to node ports or keeps its own address as the destination is not known, and it matters here"}
	sharedAddress   = &Rule{ID: "UNK-10", Reason: "another Service has the same address and port, and a node hands connections to either of them"}
	borrowedName    = &Rule{ID: "UNK-13", Reason: "kube-proxy runs under the name of another node (hostnameOverride) and takes the endpoints there for its node's own: how far those answer is not known"}
	capturedAddress = &Rule{
		ID: "UNK-12", Source: "kubernetes/kubernetes pkg/proxy/ipvs/proxier.go syncService",
		Reason: "a Service claims a node's own address: ipvs puts it on every other node too, and from there neither connections nor answers reach that node at it",
	}
	sticky            = &Rule{ID: "UNK-11", Reason: "only some endpoints can be reached, and sessionAffinity keeps the client with the one that it met first"}
	unknownMasquerade = &Rule{ID: "UNK-06", Reason: "the API does not show whether the CNI rewrites a pod's address towards other nodes, and it matters here"}
	unknownDetection  = &Rule{ID: "UNK-07", Reason: "the API does not show whether kube-proxy takes the node's pods for pods (clusterCIDR, detectLocalMode), and it matters here"}
)

var ownConnection = &Rule{
	ID: "SVC-09", Basis: Source, Source: "kubernetes/kubernetes pkg/proxy/nftables/proxier.go hairpin-connections, pkg/proxy/ipvs/proxier.go KUBE-LOOP-BACK",
	Reason: "the pod can be handed its own connection, and kube-proxy does not know it for a pod of this node and leaves the address as it is: the pod does not take it",
}

var (
	unknownRelease = &Rule{ID: "UNK-31", Reason: "the data plane's version is not known, and what happens here, or why, depends on it; --dataplane NAME@VERSION says it"}
	unknownGuard   = &Rule{
		ID: "UNK-43", Source: "Service spec.loadBalancerSourceRanges",
		Reason: "loadBalancerSourceRanges do not admit the client, or may not, and how far this data plane keeps to them has not been read",
	}
	unknownPlugin = &Rule{
		ID: "UNK-08", Source: "cilium/cilium#45252, cilium/cilium#47204; antrea-io/antrea#4815",
		Reason: "the network plugin beside kube-proxy answers some connections itself, its version could not be read, and what happens here depends on it",
	}
	unknownSettings = &Rule{
		ID: "UNK-39", Source: "cilium/cilium Documentation/network/kubernetes/kubeproxy-free.rst",
		Reason: "Cilium's settings (cilium-config) were not read, and they matter here",
	}
	unknownFallback = &Rule{
		ID:     "UNK-40",
		Reason: "the only endpoints that could answer are terminating, and whether this release of the data plane still uses them has not been established",
	}
	unknownIPMode = &Rule{
		ID: "UNK-41", Source: "KEP-1860",
		Reason: "ipMode is Proxy, and not every release of the data plane that may run here heeds that: the node may answer for the address itself",
	}
	placeholder = &Rule{
		ID: "UNK-42", Source: "cilium/cilium pkg/loadbalancer/reflectors/conversions.go isIngressDummyEndpoint (v1.20.2)",
		Reason: "the only endpoint is the placeholder of Cilium's Ingress and Gateway API, and Cilium is not what serves the Service on this node",
	}
)
