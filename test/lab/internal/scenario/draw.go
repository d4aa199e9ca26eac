package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Zone is the zone of node n in a cluster that is drawn: n3 has one of its own.
func Zone(n int) string {
	if n == Nodes {
		return "zone-b"
	}
	return "zone-a"
}

// Drawn is a cluster with pods, Services and settings that nobody thought of, the same for the same seed, which is not 0.
func Drawn(mode, version string, seed uint64) Cluster {
	d := drawing{rand.New(rand.NewPCG(seed, 1))}
	c := Cluster{
		Mode: mode, Version: version, Variant: fmt.Sprintf("drawn-%d", seed), Seed: seed, IPv4: mode != Cilium && Before(version, 21),
		Changed: "pods, Services and settings are drawn by chance",
	}
	if c.IPv4 {
		c.Settings = endpointsOnly()
	}
	if mode == Cilium {
		d.mixCilium(&c)
		return c
	}
	if seed >= mixing {
		d.mix(&c)
		return c
	}
	if d.one(2) {
		return c
	}
	all := slices.DeleteFunc(variants(mode, version), func(v Cluster) bool {
		byInterface := v.Variant == "bridge" || v.Variant == "prefix"
		return byInterface && (Before(version, 24) || mode == "nftables" && Before(version, 34))
	})
	v := all[d.IntN(len(all))]
	c.NoMasquerade, c.Hostnames = v.NoMasquerade, v.Hostnames
	c.Changed += "; " + v.Changed
	for k, x := range v.Settings {
		c.set(k, x)
	}
	return c
}

// mixing is the first seed of clusters in which every setting is drawn for itself; those before it have one variant or none.
const mixing = 100

func (c *Cluster) set(field string, value any) {
	if c.Settings == nil {
		c.Settings = map[string]any{}
	}
	c.Settings[field] = value
}

// mix draws the settings of a cluster, each for itself.
func (d drawing) mix(c *Cluster) {
	c.NoMasquerade = d.one(3)
	switch d.IntN(6) {
	case 0:
		c.set("clusterCIDR", nil)
	case 1:
		c.set("clusterCIDR", nil)
		c.set("detectLocalMode", "NodeCIDR")
	case 2:
		if !Before(c.Version, 24) {
			c.set("clusterCIDR", nil)
			c.set("detectLocalMode", "BridgeInterface")
			c.set("detectLocal", map[string]any{"bridgeInterface": "cni0"})
		}
	case 3:
		// The pods of n1 are outside.
		c.set("clusterCIDR", "10.244.2.0/23")
	}
	own := map[string]any{}
	if d.one(4) {
		own["masqueradeAll"] = true
	}
	if closed := d.one(4); closed && c.Mode == "iptables" && !Before(c.Version, 27) {
		own["localhostNodePorts"] = false
	}
	if len(own) > 0 {
		c.set(rulesOf(c.Mode), own)
	}
	if d.one(4) {
		c.set("nodePortAddresses", []any{"172.31.0.0/24"})
	} else if primary := d.one(4); primary && !Before(c.Version, 31) {
		c.set("nodePortAddresses", []any{"primary"})
	}
	if d.one(4) {
		// A name that no node has, or another node's.
		c.Hostnames = map[string]string{[]string{"n1", "n3"}[d.IntN(2)]: []string{"n1.example.internal", "n2"}[d.IntN(2)]}
	}
}

// Before says whether a version is older than v1.minor.
func Before(version string, minor int) bool {
	var v int
	if _, err := fmt.Sscanf(version, "v1.%d.", &v); err != nil {
		return false
	}
	return v < minor
}

// drawnServices is the number of Services in a cluster that is drawn; fewer where the kernel may be emulated.
func (c Cluster) drawnServices() int {
	if c.Mode == "ipvs" {
		return 8
	}
	return 28
}

// draw makes pods and Services that nobody thought of, the same for the same seed.
func draw(seed uint64, number int) ([]Pod, []Service) {
	d := drawing{rand.New(rand.NewPCG(seed, 0))}
	pods := d.pods()
	services := make([]Service, 0, number)
	for i := range number {
		s := d.service(i, services)
		// Each chooses pods of its own.
		s.Backends = fmt.Sprintf("drawn-%d", i)
		most := 6
		if d.one(5) {
			most = 2
		}
		for _, k := range d.Perm(len(pods))[:d.IntN(most)] {
			if pods[k].Name[0] != 'c' { // clients are nobody's backends
				pods[k].Sets = append(pods[k].Sets, s.Backends)
			}
		}
		services = append(services, s)
	}
	return pods, services
}

type drawing struct{ *rand.Rand }

// one is true once in n.
func (d drawing) one(n int) bool { return d.IntN(n) == 0 }

func (d drawing) pods() []Pod {
	var pods []Pod
	for n := range Nodes {
		pods = append(pods, Pod{Name: fmt.Sprintf("client-%d", n+1), Node: n + 1, Dials: true})
	}
	for i := range 12 {
		p := Pod{Name: fmt.Sprintf("backend-%d", i+1), Node: 1 + d.IntN(Nodes), Second: d.one(2), Dials: i < 3}
		if !p.Dials { // what is on its way out dials nobody
			p.State = []State{Ready, Ready, Ready, Unready, TerminatingServing, Terminating}[d.IntN(6)]
		}
		pods = append(pods, p)
	}
	return append(pods, Pod{Name: "host", Node: 1 + d.IntN(Nodes), HostNetwork: true, Second: true})
}

// ranges are parts of the networks that clients are in; each admits some of them.
func (d drawing) ranges() []string {
	all := []string{
		"10.244.1.0/24", "10.244.2.0/23", "10.244.3.10/32", "172.30.0.11/32", "172.30.0.12/31", "192.0.2.51/32", "198.51.100.0/24", "203.0.113.0/24", "100.64.0.5/32",
		"fd00:244:0:1::/64", "fd00:30::12/127", "2001:db8:51::/48", "2001:db8:fab::51/128",
	}
	if d.one(6) {
		return []string{"0.0.0.0/0", all[d.IntN(len(all))], "::/0"}
	}
	d.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+d.IntN(4)]
}

func (d drawing) service(i int, before []Service) Service {
	s := Service{
		Name: fmt.Sprintf("drawn-%d", i+1), Policy: []corev1.ServiceExternalTrafficPolicy{local, local, cluster}[d.IntN(3)],
		Affinity: d.one(8), ReplacesClient: d.one(4), PublishNotReady: d.one(10), EveryAddress: d.one(4),
	}
	if d.one(4) {
		s.Internal = corev1.ServiceInternalTrafficPolicyLocal
	}
	switch d.IntN(6) {
	case 0:
		s.Families = []corev1.IPFamily{v6}
	case 1:
		s.Families = []corev1.IPFamily{v4, v6}
	case 2:
		s.Families = []corev1.IPFamily{v6, v4}
	}
	switch d.IntN(8) {
	case 0:
		s.Type = corev1.ServiceTypeNodePort
	case 1:
		s.Type = corev1.ServiceTypeClusterIP
		s.ExternalIPs = 1
	default:
		modes := []Ingress{{}, {IPMode: corev1.LoadBalancerIPModeVIP}, {IPMode: corev1.LoadBalancerIPModeProxy}, {Hostname: true}}
		if d.one(2) || len(s.Families) > 1 {
			s.Ingress = []Ingress{modes[d.IntN(3)], modes[d.IntN(len(modes))]}
		}
		s.NoNodePorts = d.one(8)
		if d.one(3) {
			s.SourceRanges = d.ranges()
		}
	}
	if s.Type != corev1.ServiceTypeClusterIP && s.Ingress == nil && d.one(5) {
		s.ExternalIPs = 1
	}
	if d.one(8) {
		s.OwnAddressOf = 1 + d.IntN(Nodes)
	}
	if d.one(2) {
		s.More = append(s.More, Port{Name: "second", Number: 8443, Protocol: corev1.ProtocolTCP, Second: true})
	}
	if d.one(5) {
		s.More = append(s.More, Port{Name: "datagrams", Number: 53, Protocol: corev1.ProtocolUDP})
	}
	if d.one(5) {
		s.Distribution = []string{corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameNode}[d.IntN(2)]
	}
	// Two Services on one address, each on a port of its own.
	if s.Type == "" && s.Ingress == nil && s.ExternalIPs == 0 && s.Families == nil && d.one(2) {
		for _, other := range slices.Backward(before) {
			taken := slices.ContainsFunc(before, func(o Service) bool { return o.SharesWith == other.Name })
			if other.Type == "" && other.Ingress == nil && other.ExternalIPs == 0 && other.Families == nil && other.SharesWith == "" && !taken {
				s.SharesWith, s.More = other.Name, nil
				break
			}
		}
	}
	return s
}
