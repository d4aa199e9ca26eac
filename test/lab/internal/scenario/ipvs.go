package scenario

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ipvsVariants are the clusters in ipvs mode that differ from the default settings or have Services of their own.
func ipvsVariants() []Cluster {
	var out []Cluster
	for _, version := range []string{"v1.20.15", Newest} {
		out = append(out, rangesCluster(version, "sourceranges", "Services with loadBalancerSourceRanges; bindAddress is not set", map[string]any{"bindAddress": nil}, sourceRanges()))
	}
	for _, version := range []string{"v1.24.17", Newest} {
		out = append(out, rangesCluster(version, "bindaddress", "Services with loadBalancerSourceRanges; bindAddress is the IPv4 address of n2 on every node",
			map[string]any{"bindAddress": NodeIP(2)[0]}, boundRanges()))
	}
	return out
}

// boundRanges are the Services of sourceRanges that show which address kube-proxy takes as the node's.
func boundRanges() []Service {
	var all []Service
	for _, admitted := range []string{"nodes", "node", "unspecified", "loopback"} {
		all = append(all, ranged(cluster, admitted), ranged(cluster, admitted, v6))
	}
	return all
}

func rangesCluster(version, variant, changed string, settings map[string]any, services []Service) Cluster {
	c := Cluster{Mode: "ipvs", Version: version, Variant: variant, Changed: changed, Settings: settings, Own: services, IPv4: Before(version, 21)}
	if c.IPv4 {
		for field, value := range endpointsOnly() {
			c.set(field, value)
		}
	}
	return c
}

// Ranges of clients, by what they contain: IPv4, IPv6. In ipvs mode a process on a node connects from the load balancer address, and kube-proxy may take the
// unspecified or the loopback address as the node's.
var ranges = map[string][2]string{
	"nodes":       {"172.30.0.0/24", "fd00:30::/64"},
	"node":        {"172.30.0.12/32", "fd00:30::12/128"},
	"pods":        {"10.244.0.0/16", "fd00:244::/56"},
	"outside":     {"198.51.100.0/24", "2001:db8:51::/48"},
	"itself":      {"203.0.113.0/24", "2001:db8:203::/48"},
	"unspecified": {"0.0.0.0/8", "::/127"},
	"loopback":    {"127.0.0.0/8", "::1/128"},
	"anywhere":    {"0.0.0.0/0", "::/0"},
}

// ranged is a Service whose ranges contain what its name lists.
func ranged(policy corev1.ServiceExternalTrafficPolicy, admitted string, families ...corev1.IPFamily) Service {
	s := Service{Name: strings.ToLower(string(policy)) + "-" + admitted, Policy: policy, Backends: "some", NoNodePorts: true, Families: families}
	for name := range strings.SplitSeq(admitted, "-") {
		s.SourceRanges = append(s.SourceRanges, ranges[name][0], ranges[name][1])
	}
	switch {
	case len(families) > 1:
		s.Name += "-dual"
		s.Ingress = []Ingress{{}, {}}
	case len(families) == 1 && families[0] == v6:
		s.Name += "-v6"
	}
	return s
}

// sourceRanges are Services that differ in loadBalancerSourceRanges, address family and endpoints. There are few of each kind: where the kernel is emulated, each
// entry of an ipset takes long.
func sourceRanges() []Service {
	var all []Service
	for _, admitted := range []string{"nodes", "node", "pods", "nodes-pods", "outside", "itself", "unspecified", "loopback", "outside-anywhere"} {
		all = append(all, ranged(cluster, admitted))
	}
	all = append(all, ranged(local, "nodes"), ranged(local, "pods"), ranged(local, "outside"))
	many, host := ranged(local, "nodes"), ranged(cluster, "outside")
	many.Name, many.Backends = many.Name+"-many", "many"
	host.Name, host.Backends = host.Name+"-host", "host"
	// One range of one family leaves the other without ranges.
	mixed := ranged(cluster, "outside", v4, v6)
	mixed.Name, mixed.SourceRanges = mixed.Name+"-v4only", mixed.SourceRanges[:1]
	return append(all, many, host, mixed,
		ranged(cluster, "nodes", v6), ranged(cluster, "pods", v6), ranged(cluster, "unspecified", v6), ranged(local, "nodes", v4, v6))
}
