package dataplane

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// plane is one data plane's table, and the releases for which it was read or measured. Of any other release nothing is said.
type plane struct {
	table func(*connection) verdict
	// since is the first release for which the table holds, until the first for which nobody has read it.
	since, until cluster.Version
	// rules are those that the table can give, each with the releases in which it holds, and turns the releases in which something else changes. Between two releases
	// that neither names the table is the same.
	rules []*Rule
	turns []cluster.Version
	// unread is given for releases outside since and until, and where so little was read that a release which is not known may well be outside, also for that.
	unread *Rule
	narrow bool
}

func (p *plane) covers(v cluster.Version) bool { return !v.Less(p.since) && v.Less(p.until) }

// stretches are the first releases of each stretch in which the table is the same, in order.
func (p *plane) stretches() []cluster.Version {
	firsts := append([]cluster.Version{p.since}, p.turns...)
	for _, r := range p.rules {
		for _, text := range [...]string{r.Since, r.Until} {
			if v, ok := cluster.ParseVersion(text); ok && p.covers(v) {
				firsts = append(firsts, v)
			}
		}
	}
	slices.SortFunc(firsts, cluster.Version.Compare)
	return slices.CompactFunc(firsts, func(a, b cluster.Version) bool { return a.Compare(b) == 0 })
}

func version(text string) cluster.Version {
	v, ok := cluster.ParseVersion(text)
	if !ok {
		panic("not a release: " + text)
	}
	return v
}

// planes are the data planes that have one table for all their modes.
var planes = map[cluster.DataplaneName]*plane{
	cluster.Cilium:        ciliumPlane,
	cluster.CalicoEBPF:    calicoPlane,
	cluster.Antrea:        antreaPlane,
	cluster.OVNKubernetes: ovnPlane,
	cluster.KubeRouter:    kubeRouterPlane,
	cluster.Windows:       windowsPlane,
}

// kubeProxies are kube-proxy's modes; their turning points are in judge.go.
var kubeProxies = map[cluster.ProxyMode]*plane{
	cluster.IPTables: {table: iptables, since: version("1.15"), until: version("1.38"), unread: unreadKubeProxy},
	cluster.IPVS:     {table: ipvs, since: version("1.15"), until: version("1.38"), unread: unreadKubeProxy},
	cluster.NFTables: {table: nftables, since: version("1.29"), until: version("1.38"), unread: unreadKubeProxy},
}

// plane is the one that judges the connection; nil as long as the data plane, or kube-proxy's mode, is not known.
func (c *connection) plane() *plane {
	if c.name == cluster.KubeProxy {
		return kubeProxies[c.mode]
	}
	return planes[c.name]
}

// plugin is the network plugin beside kube-proxy that may answer the connection before kube-proxy does; nil where there is none.
func (c *connection) plugin() *plane {
	switch {
	case c.name != cluster.KubeProxy:
		return nil
	case c.cilium != nil && c.passesCilium():
		return ciliumBesidePlane
	case c.antrea != nil && c.meetsAntrea():
		return antreaBesidePlane
	default:
		return nil
	}
}

// unread is the rule of a release that nobody has read; nil for all others, and where the release is not known.
func (c *connection) unread() *Rule {
	if p := c.plane(); p != nil && (c.version.Known() && !p.covers(c.version) || !c.version.Known() && p.narrow) {
		return p.unread
	}
	if p := c.plugin(); p != nil && c.pluginVersion.Known() && !p.covers(c.pluginVersion) {
		return p.unread
	}
	return nil
}

// releaseless: what is said beforehand is the same in every release of every data plane.
func (c *connection) releaseless() bool {
	return c.endpointsUnread || c.virtual || c.otherProxy || c.asked == NodePort && c.noNodePort || c.asked == LoadBalancerHostname && !c.throughNodePort
}

// anything is the answer where nothing is known but the address.
func (c *connection) anything(r *Rule) verdict {
	v := unknown(r, Reachable, Refused, TimedOut, Unreachable, Partial)
	if c.from != External && c.advertised() {
		v.could |= either(ViaLoadBalancer)
	}
	return v
}

var (
	unknownRelease = &Rule{ID: "UNK-31", Reason: "the data plane's version is not known, and what happens here, or why, depends on it; --dataplane NAME@VERSION says it"}
	unreadCilium   = &Rule{
		ID: "UNK-32", Source: "cilium/cilium bpf, pkg/loadbalancer and before v1.18 pkg/service and pkg/k8s, v1.13.0 to v1.20.2",
		Reason: "this release of Cilium has not been read; known are v1.13 to v1.20",
	}
	unreadCalico = &Rule{
		ID: "UNK-33", Source: "projectcalico/calico felix/bpf-gpl and felix/bpf/proxy, v3.28.0 to v3.32.0",
		Reason: "this release of Calico has not been read, or is not known; known are v3.28 to v3.32",
	}
	unreadAntrea = &Rule{
		ID: "UNK-34", Source: "antrea-io/antrea pkg/agent/openflow/pipeline.go, pkg/agent/proxy/proxier.go and CHANGELOG, v1.6 to v2.7",
		Reason: "this release of Antrea has not been read, or is not known; known are v1.6 to v2.7",
	}
	unknownGuard = &Rule{
		ID: "UNK-43", Source: "Service spec.loadBalancerSourceRanges",
		Reason: "loadBalancerSourceRanges do not admit the client, or may not, and how far this data plane keeps to them has not been read",
	}
	unreadOVN = &Rule{
		ID: "UNK-35", Source: "ovn-kubernetes/ovn-kubernetes docs/design/service-traffic-policy.md",
		Reason: "this release of OVN-Kubernetes has not been read, or is not known; known are v1.0 and v1.1",
	}
	unreadKubeRouter = &Rule{
		ID: "UNK-36", Source: "cloudnativelabs/kube-router pkg/controllers/proxy, v2.1.0 and v2.11.0",
		Reason: "this release of kube-router has not been read, or is not known; known are v2.1 to v2.11",
	}
	unreadWindows = &Rule{
		ID: "UNK-37", Source: "kubernetes/kubernetes pkg/proxy/winkernel/proxier.go",
		Reason: "this release of kube-proxy for Windows has not been read; known are v1.20, with which policy Local came there, to v1.37",
	}
	unreadKubeProxy = &Rule{
		ID: "UNK-38", Source: "kubernetes/kubernetes pkg/proxy",
		Reason: "this release of kube-proxy has not been read; known are v1.15 to v1.37, in nftables mode from v1.29 on",
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

// Range is the releases of its data plane in which the rule holds, within those that were read: from since until before until. Both are "" for a rule of no data plane
// in particular.
func (r *Rule) Range() (since, until string) {
	var p *plane
	switch family, _, _ := strings.Cut(r.ID, "-"); family {
	case "IPT":
		p = kubeProxies[cluster.IPTables]
	case "IPVS":
		p = kubeProxies[cluster.IPVS]
	case "NFT":
		p = kubeProxies[cluster.NFTables]
	case "SVC":
		return cmp.Or(r.Since, "1.15"), cmp.Or(r.Until, "1.38")
	default:
		for _, one := range planes {
			if slices.Contains(one.rules, r) {
				p = one
			}
		}
	}
	if p == nil {
		return r.Since, r.Until
	}
	return cmp.Or(r.Since, strings.TrimPrefix(p.since.Text, "v")), cmp.Or(r.Until, strings.TrimPrefix(p.until.Text, "v"))
}
