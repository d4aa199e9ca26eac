package dataplane

import "github.com/kubectl-etp/kubectl-etp/pkg/cluster"

// windowsBackends is how many backends a Service may have on Windows nodes.
const windowsBackends = 64

// windows: kube-proxy in kernelspace mode. Policy Local needs direct server return, which the API does not show;
// without it kube-proxy behaves as for Cluster.
func windows(c *connection) verdict {
	switch {
	case !c.any():
		return unknown(win01, Refused, TimedOut, ViaLoadBalancer)
	case c.all().n > windowsBackends:
		return unknown(win07, Reachable, Refused, TimedOut, Partial)
	case (c.startsOnHost() || c.from == Pod && !c.elsewhere) && c.advertised():
		return unknown(win06, Reachable, Refused, TimedOut, ViaLoadBalancer)
	case c.startsOnHost(), c.from == Pod && !c.elsewhere && c.to == NodePort:
		return unknown(win06, Reachable, Refused, TimedOut)
	case c.to == ClusterIP && c.internalPolicy == cluster.PolicyLocal:
		return unknown(win02, Reachable, Refused, TimedOut)
	case !c.localOnly() || c.to == ClusterIP:
		v := c.reachesAll(keeps, win03)
		v.clientIP = ClientIPUnknown
		return v
	case c.local().n == 0 && c.to == NodePort:
		return unknown(win04, Reachable, Refused, TimedOut)
	case c.local().n == 0:
		return unknown(win04, Reachable, ViaLoadBalancer)
	default:
		v := c.reachesLocal(keeps, win05)
		v.endpoints, v.clientIP, v.extraHop = EndpointsUnknown, ClientIPUnknown, Sometimes
		return v
	}
}

var windowsPlane = &plane{
	name: cluster.Windows, letters: "WIN",
	table: windows, since: version("1.20"), until: version("1.38"), unread: unreadWindows,
	rules:               []*Rule{win01, win02, win03, win04, win05, win06, win07},
	versionOfKubernetes: true, heedsIPMode: (*connection).proxyHeedsIPMode,
}

var unreadWindows = &Rule{
	ID: "UNK-37", Source: "kubernetes/kubernetes pkg/proxy/winkernel/proxier.go",
	Reason: "kubectl etp has no rules for this release of kube-proxy for Windows, only for v1.20 (the first with " +
		"policy Local there) to v1.37",
}

const windowsSource = "kubernetes/kubernetes pkg/proxy/winkernel/proxier.go"

var (
	win01 = &Rule{
		ID: "WIN-01", Since: "1.20", Until: "1.38", Source: windowsSource,
		Reason: "the Service has no usable endpoint, and kube-proxy sets up nothing for it on the node. What " +
			"happens then is not known",
	}
	win02 = &Rule{
		ID: "WIN-02", Since: "1.20", Until: "1.38", Source: windowsSource,
		Reason: "what Windows nodes do with internalTrafficPolicy Local is not known",
	}
	win03 = &Rule{
		ID: "WIN-03", Basis: Source, Since: "1.20", Until: "1.38", Source: windowsSource,
		Reason: "the connection goes to any endpoint. Whether that sees the client IP depends on direct server return",
	}
	win04 = &Rule{
		ID: "WIN-04", Since: "1.20", Until: "1.38", Source: windowsSource,
		Reason: "policy is Local and the node has no local endpoint. With direct server return nothing is set up on " +
			"the node; without it the connection goes to any endpoint",
	}
	win05 = &Rule{
		ID: "WIN-05", Basis: Source, Since: "1.20", Until: "1.38", Source: windowsSource,
		Reason: "policy is Local and the node has a local endpoint. With direct server return only that one is " +
			"used; without it any endpoint is",
	}
	win06 = &Rule{
		ID: "WIN-06", Since: "1.20", Until: "1.38",
		Source: "kubernetes/website content/en/docs/setup/production-environment/windows/intro-windows-in-kubernetes.md (v1.22)",
		Reason: "Windows nodes do not reach Services by every address: not their own node port, and not the " +
			"ClusterIP from the node itself. What else their clients reach is not known",
	}
	win07 = &Rule{
		ID: "WIN-07", Since: "1.20", Until: "1.38",
		Source: "kubernetes/website content/en/docs/setup/production-environment/windows/intro-windows-in-kubernetes.md (v1.22)",
		Reason: "the Service has more than 64 endpoints, which Windows nodes do not support",
	}
)
