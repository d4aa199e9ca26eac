package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// cilium in place of kube-proxy: each address exists twice, once for packets from outside the cluster and, where the two traffic policies differ, once for clients
// inside. Clients inside are translated where they are, most of them when they connect: they never meet externalTrafficPolicy, but internalTrafficPolicy.
func cilium(c *connection) verdict {
	s := c.settingsOfCilium()
	switch {
	case c.to == ExternalIP && c.from != External && !c.bound:
		return c.leaves(cil01)
	case !c.any() && c.from == External && s.DropsWithoutBackend:
		return timedOut(cil02)
	case !c.any() && c.from == External:
		return refused(cil03)
	case !c.any():
		// connect() itself fails there, with "no route to host" and not with "connection refused".
		return refused(cil04)
	case c.from != External && c.internal != cluster.PolicyLocal:
		return c.reachesAll(keeps, cil05)
	case c.from != External && c.elsewhere:
		return unknown(cil06, Reachable, Refused)
	case c.from != External && c.local().n > 0:
		return c.reachesLocal(keeps, cil06)
	case c.from != External:
		return refused(cil06)
	case !c.localOnly() && (s.Mode == "dsr" || s.Mode == "hybrid"):
		return c.reachesAll(keeps, cil08)
	case !c.localOnly():
		return c.reachesAll(masqueradesRemote, cil07)
	case c.local().n > 0:
		return c.reachesLocal(keeps, cil09)
	case s.DropsWithoutBackend:
		return timedOut(cil10)
	default:
		return refused(cil11)
	}
}

// ciliumBeside: kube-proxy runs, and Cilium only connects pods. From v1.19 it answers pods for load balancer addresses too, and holds them to policy Local.
// The verdict has no rule where kube-proxy decides.
func ciliumBeside(c *connection) verdict {
	s := c.dataplane.Cilium
	if c.from != Pod || c.to != LoadBalancerIP || !c.any() {
		return verdict{}
	}
	switch {
	case c.cilium.Before(1, 19, 0) && s.InClusterLoadBalance != cluster.Yes:
		return verdict{}
	case !c.localOnly():
		v := c.reachesAll(keeps, cil15)
		v.clientIP = ClientIPUnknown
		return v
	case s.InClusterLoadBalance == cluster.Yes:
		return c.reachesAll(keeps, cil12)
	case c.local().n > 0:
		return c.reachesLocal(keeps, cil13)
	default:
		return refused(cil13)
	}
}

func (c *connection) settingsOfCilium() cluster.CiliumSettings {
	if c.dataplane.Cilium == nil {
		return cluster.CiliumSettings{}
	}
	return *c.dataplane.Cilium
}

var (
	cil01 = &Rule{
		ID: "CIL-01", Basis: Source, Source: "cilium/cilium bpf/bpf_sock.c",
		Reason: "clients inside the cluster are not translated for external IPs that no node owns",
	}
	cil02 = &Rule{
		ID: "CIL-02", Basis: Source, Source: "cilium/cilium bpf/lib/nodeport.h, service-no-backend-response",
		Reason: "the Service has no usable endpoint, and service-no-backend-response is drop",
	}
	cil03 = &Rule{
		ID: "CIL-03", Basis: Source, Source: "cilium/cilium bpf/lib/nodeport.h, service-no-backend-response",
		Reason: "the Service has no usable endpoint, and Cilium answers that the port is unreachable",
	}
	cil04 = &Rule{
		ID: "CIL-04", Basis: Source, Source: "cilium/cilium bpf/bpf_sock.c",
		Reason: "the Service has no usable endpoint: connecting fails at once, with \"no route to host\"",
	}
	cil05 = &Rule{
		ID: "CIL-05", Basis: Source, Source: "cilium/cilium pkg/loadbalancer/writer/writer.go, bpf/lib/lb.h",
		Reason: "the client's own node translates the address to any endpoint, whatever externalTrafficPolicy says",
	}
	cil06 = &Rule{
		ID: "CIL-06", Basis: Source, Source: "cilium/cilium pkg/loadbalancer/writer/writer.go; Documentation/network/kubernetes/kubeproxy-free.rst",
		Reason: "for clients inside the cluster internalTrafficPolicy Local leaves only endpoints on their own node",
	}
	cil07 = &Rule{
		ID: "CIL-07", Basis: Source, Source: "cilium/cilium bpf/lib/nodeport.h",
		Reason: "policy Cluster hands it to any endpoint and puts the node's address on it where the endpoint is on another node",
	}
	cil08 = &Rule{
		ID: "CIL-08", Basis: Documented, Source: "cilium/cilium Documentation/network/kubernetes/kubeproxy-free.rst, DSR mode",
		Reason: "policy Cluster hands it to any endpoint, which answers the client directly",
	}
	cil09 = &Rule{
		ID: "CIL-09", Basis: Source, Source: "cilium/cilium pkg/loadbalancer/writer/writer.go",
		Reason: "policy Local hands it to an endpoint on the node, with the client's address",
	}
	cil10 = &Rule{
		ID: "CIL-10", Basis: Source, Source: "cilium/cilium bpf/lib/nodeport.h, service-no-backend-response",
		Reason: "policy Local, the node has no endpoint of its own, and service-no-backend-response is drop",
	}
	cil11 = &Rule{
		ID: "CIL-11", Basis: Source, Source: "cilium/cilium bpf/lib/nodeport.h, service-no-backend-response",
		Reason: "policy Local, and the node has no endpoint of its own: Cilium answers that the port is unreachable",
	}
	cil12 = &Rule{
		ID: "CIL-12", Basis: Source, Source: "AliyunContainerService/terway policy/cilium/0002-lb-enable-in-cluster-load-balancer.patch",
		Reason: "Terway's in_cluster_loadbalance lets pods past policy Local to any endpoint",
	}
	cil13 = &Rule{
		ID: "CIL-13", Basis: Source, Since: "1.19", Source: "cilium/cilium bpf/bpf_lxc.c; cilium/cilium#45252",
		Reason: "Cilium from v1.19 answers pods for load balancer addresses before kube-proxy does, and holds them to policy Local",
	}
	cil15 = &Rule{
		ID: "CIL-15", Basis: Source, Since: "1.19", Source: "cilium/cilium bpf/bpf_lxc.c; cilium/cilium#45252",
		Reason: "it goes to any endpoint; whether Cilium or kube-proxy hands it on, and so whose address is seen, depends on Cilium's version",
	}
)
