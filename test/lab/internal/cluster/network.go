package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// Addresses outside the cluster, and the nodes' network.
const (
	nodesNetwork = "172.30.0.0/24"
	// RouterIP and RouterIPv6 are the load balancer's side towards the nodes, their default route.
	RouterIP   = "172.30.0.254"
	RouterIPv6 = "fd00:30::254"
	// LoadBalancerIP and LoadBalancerIPv6 are what nodes see where the load balancer replaces the client's address.
	LoadBalancerIP   = "100.64.0.5"
	LoadBalancerIPv6 = "fd00:100::5"
	// ClientIP and ClientIPv6 are the external client's behind the load balancer.
	ClientIP   = "198.51.100.9"
	ClientIPv6 = "2001:db8:51::9"
	fabricIP   = "172.30.0.253" // a machine outside that reaches every node directly
	fabricIPv6 = "fd00:30::253"
)

// FabricIP are the addresses from which the machine on the fabric dials: number 0 goes where routes lead, number n to whatever address through node n.
func FabricIP(n int) [2]string {
	return [2]string{fmt.Sprintf("192.0.2.%d", 50+n), fmt.Sprintf("2001:db8:fab::%x", 0x50+n)}
}

// Network is the namespaces of a cluster, one agent in each.
type Network struct {
	cut    map[string]bool // nodes that are cut off
	Nodes  []*agent.Agent  // n1 first
	Pods   map[string]*agent.Agent
	LB     *agent.Agent // plays the load balancer; routes the external client's network
	Client *agent.Agent // behind the load balancer
	Fabric *agent.Agent // next to the nodes
}

// Cut takes a node off the network on which it reaches other nodes and the API server, or puts it back. Nobody waits for
// its data plane while it is off.
func (n *Network) Cut(node int, off bool) error {
	name := fmt.Sprintf("n%d", node)
	set := netlink.LinkSetUp
	if off {
		set = netlink.LinkSetDown
	}
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = set(l)
	}
	if err != nil {
		return fmt.Errorf("the link of %s: %w", name, err)
	}
	n.cut[name] = off
	return nil
}

// place is a network namespace to configure.
type place struct {
	*netlink.Handle
	name string
	ns   netns.NsHandle
}

// builder carries the first error, so that the network reads as what it is.
type builder struct {
	starter *agent.Starter
	cgroups *cgroups
	hub     place
	err     error
}

func (b *builder) check(err error, format string, args ...any) bool {
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("making the network: %s: %w", fmt.Sprintf(format, args...), err)
	}
	return b.err == nil
}

// buildNetwork makes all namespaces, links, addresses and routes. Where a data plane connects pods, they have no more than a namespace.
func buildNetwork(starter *agent.Starter, c *Cluster) (*Network, error) {
	s, connected := c.Scenario, c.connected()
	self, err := netns.Get()
	if err != nil {
		return nil, err
	}
	h, err := netlink.NewHandleAt(self)
	if err != nil {
		return nil, err
	}
	b := &builder{starter: starter, cgroups: c.cgroups, hub: place{Handle: h, name: "hub", ns: self}}
	n := &Network{cut: map[string]bool{}, Pods: map[string]*agent.Agent{}}

	b.up(b.hub, "lo")
	b.bridge(b.hub, "br0", hubIP+"/24", hubIPv6+"/64")
	b.bridge(b.hub, "br1")
	var nodes []place
	for i := 1; i <= scenario.Nodes; i++ {
		a, p := b.namespace(fmt.Sprintf("n%d", i), i)
		n.Nodes = append(n.Nodes, a)
		nodes = append(nodes, p)
		if b.err != nil {
			return nil, b.err
		}
		ip := scenario.NodeIP(i)
		b.veth(b.hub, fmt.Sprintf("n%d", i), "br0", p, ip[0]+"/24", ip[1]+"/64")
		b.vethNamed(b.hub, fmt.Sprintf("s%d", i), "br1", p, "eth1", scenario.SecondIP(i)+"/24")
		if gw := scenario.BridgeIP(i); !connected {
			b.bridge(p, s.PodBridge(), gw[0]+"/24", gw[1]+"/64")
		}
		b.route(p, "0.0.0.0/0", RouterIP)
		b.route(p, "::/0", RouterIPv6)
		b.route(p, "192.0.2.0/24", fabricIP)
		b.route(p, "2001:db8:fab::/64", fabricIPv6)
	}
	lb, lbPlace := b.namespace("lb", 0)
	client, clientPlace := b.namespace("client", 0)
	fabric, fabricPlace := b.namespace("fabric", 0)
	if b.err != nil {
		return nil, b.err
	}
	n.LB, n.Client, n.Fabric = lb, client, fabric
	b.veth(b.hub, "lb", "br0", lbPlace, RouterIP+"/24", RouterIPv6+"/64")
	b.address(lbPlace, "lo", LoadBalancerIP+"/32", LoadBalancerIPv6+"/128")
	b.veth(lbPlace, "clients", "", clientPlace, ClientIP+"/24", ClientIPv6+"/64")
	b.address(lbPlace, "clients", "198.51.100.1/24", "2001:db8:51::1/64")
	b.blackhole(lbPlace, "0.0.0.0/0")
	b.blackhole(lbPlace, "::/0")
	b.route(clientPlace, "0.0.0.0/0", "198.51.100.1")
	b.route(clientPlace, "::/0", "2001:db8:51::1")
	b.veth(b.hub, "fabric", "br0", fabricPlace, fabricIP+"/24", fabricIPv6+"/64")
	for i := 0; i <= scenario.Nodes; i++ {
		ip := FabricIP(i)
		b.address(fabricPlace, "lo", ip[0]+"/32", ip[1]+"/128")
		if i > 0 {
			via := scenario.NodeIP(i)
			b.through(fabricPlace, ip[0]+"/32", via[0], 100+i)
			b.through(fabricPlace, ip[1]+"/128", via[1], 100+i)
		}
	}
	for i, p := range append([]place{lbPlace}, nodes...) {
		if connected && i > 0 {
			break // the data plane finds its own way to other nodes' pods
		}
		for j := 1; j <= scenario.Nodes; j++ {
			if i == j {
				continue
			}
			cidrs, via := scenario.PodCIDRs(j), scenario.NodeIP(j)
			b.route(p, cidrs[0], via[0])
			b.route(p, cidrs[1], via[1])
		}
	}
	for i, pod := range s.Pods() {
		if pod.HostNetwork {
			n.Pods[pod.Name] = n.Nodes[pod.Node-1]
			continue
		}
		a, p := b.namespace(pod.Name, pod.Node)
		if b.err != nil {
			return nil, b.err
		}
		n.Pods[pod.Name] = a
		if connected {
			continue
		}
		ip, gw := scenario.PodIP(pod.Node, i), scenario.BridgeIP(pod.Node)
		node := nodes[pod.Node-1]
		b.veth(node, fmt.Sprintf("veth%d", i), s.PodBridge(), p, ip[0]+"/24", ip[1]+"/64")
		if b.err == nil {
			l, err := node.LinkByName(fmt.Sprintf("veth%d", i))
			b.check(err, "the veth of %s", pod.Name)
			if b.err == nil {
				b.check(node.LinkSetHairpin(l, true), "hairpin of %s", pod.Name)
			}
		}
		b.route(p, "0.0.0.0/0", gw[0])
		b.route(p, "::/0", gw[1])
	}
	if b.err != nil {
		return nil, b.err
	}
	forward := map[string]string{"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}
	err = lb.Sysctl(forward)
	if connected {
		// The data plane's own rules are not to see what only passes the bridge between nodes.
		for _, name := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
			err = errors.Join(err, os.WriteFile(filepath.Join("/proc/sys/net/bridge", name), []byte("0"), 0o644))
		}
	}
	for _, a := range n.Nodes {
		err = errors.Join(err, a.Sysctl(forward))
		err = errors.Join(err, a.Sysctl(map[string]string{"net/bridge/bridge-nf-call-iptables": "1", "net/bridge/bridge-nf-call-ip6tables": "1"}))
		if s.MasqueradesPods() && !connected {
			_, rerr := a.Run(`table ip cni { chain postrouting { type nat hook postrouting priority srcnat; ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16 masquerade; }; }
table ip6 cni { chain postrouting { type nat hook postrouting priority srcnat; ip6 saddr fd00:244::/56 ip6 daddr != fd00:244::/56 masquerade; }; }
`, "nft", "-f", "-")
			err = errors.Join(err, rerr)
		}
	}
	return n, err
}

// Hub gives this machine, in a network namespace of its own, the address at which a control plane serves, and the way to nodes that are behind a gateway.
func Hub(gateway string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback interface: %w", err)
	}
	a, err := netlink.ParseAddr(hubIP + "/32")
	if err != nil {
		return err
	}
	_, nodes, err := net.ParseCIDR(nodesNetwork)
	if err != nil {
		return err
	}
	return errors.Join(netlink.LinkSetUp(lo), netlink.AddrAdd(lo, a), netlink.RouteAdd(&netlink.Route{Dst: nodes, Gw: net.ParseIP(gateway)}))
}

// Uplink gives this machine's first network card an address, and lets it pass on what arrives there for nodes.
func Uplink(address string) error {
	card, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("finding the network card: %w", err)
	}
	a, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	return errors.Join(netlink.LinkSetUp(card), netlink.AddrAdd(card, a), os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644))
}

// reachBack gives nodes the way to a control plane that is behind this machine.
func (n *Network) reachBack(control string) error {
	var err error
	for _, node := range n.Nodes {
		_, rerr := node.Run("", "ip", "route", "add", control+"/32", "via", hubIP)
		err = errors.Join(err, rerr)
	}
	return err
}

// checksum makes every machine compute the checksums of what it sends.
func (n *Network) checksum() error {
	var err error
	for _, a := range append([]*agent.Agent{n.LB, n.Client, n.Fabric}, n.Nodes...) {
		err = errors.Join(err, checksum(a))
	}
	return err
}

func checksum(a *agent.Agent) error {
	_, err := a.Run("", "ethtool", "-K", "eth0", "tx", "off")
	return err
}

// namespace starts an agent in a namespace of its own, and in the cgroup of a node where nodes have one, and sets what is true of every machine of the lab. It is on no
// node where node is 0.
func (b *builder) namespace(name string, node int) (*agent.Agent, place) {
	if b.err != nil {
		return nil, place{}
	}
	var cgroup *os.File
	if b.cgroups != nil && node > 0 {
		var err error
		cgroup, err = b.cgroups.of(node)
		if !b.check(err, "the cgroup of %s", name) {
			return nil, place{}
		}
		defer cgroup.Close()
	}
	a, err := b.starter.Start(name, cgroup)
	if !b.check(err, "namespace %s", name) {
		return nil, place{}
	}
	// Answers from the agent show that it has settled in.
	if !b.check(a.Sysctl(map[string]string{
		"net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0",
		// The kernel must not limit how often it refuses: many connections are tried at once.
		"net/ipv4/icmp_ratelimit": "0", "net/ipv4/icmp_ratemask": "0", "net/ipv6/icmp/ratelimit": "0", "net/ipv6/icmp/ratemask": "128",
		"net/ipv6/conf/all/accept_dad": "0", "net/ipv6/conf/default/accept_dad": "0",
	}), "settings of %s", name) {
		return nil, place{}
	}
	ns, err := netns.GetFromPid(a.PID())
	if !b.check(err, "namespace %s", name) {
		return nil, place{}
	}
	h, err := netlink.NewHandleAt(ns)
	if !b.check(err, "namespace %s", name) {
		return nil, place{}
	}
	p := place{Handle: h, name: name, ns: ns}
	b.up(p, "lo")
	return a, p
}

func (b *builder) up(p place, link string) {
	if b.err != nil {
		return
	}
	l, err := p.LinkByName(link)
	if b.check(err, "%s in %s", link, p.name) {
		b.check(p.LinkSetUp(l), "%s in %s up", link, p.name)
	}
}

func (b *builder) bridge(p place, name string, addresses ...string) {
	if b.err != nil {
		return
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if b.check(p.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}), "bridge %s in %s", name, p.name) {
		b.address(p, name, addresses...)
		b.up(p, name)
	}
}

// veth links a place, under a name of its own, to another's eth0; the near end joins a bridge unless master is empty.
func (b *builder) veth(near place, name, master string, far place, addresses ...string) {
	b.vethNamed(near, name, master, far, "eth0", addresses...)
}

func (b *builder) vethNamed(near place, name, master string, far place, farName string, addresses ...string) {
	if b.err != nil {
		return
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if !b.check(near.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: farName, PeerNamespace: netlink.NsFd(far.ns)}), "link %s of %s", name, near.name) {
		return
	}
	if master != "" {
		l, err := near.LinkByName(name)
		if !b.check(err, "link %s", name) {
			return
		}
		m, err := near.LinkByName(master)
		if !b.check(err, "bridge %s", master) {
			return
		}
		b.check(near.LinkSetMaster(l, m), "link %s into %s", name, master)
	}
	b.up(near, name)
	b.address(far, farName, addresses...)
	b.up(far, farName)
}

func (b *builder) address(p place, link string, addresses ...string) {
	for _, address := range addresses {
		if b.err != nil {
			return
		}
		l, err := p.LinkByName(link)
		if !b.check(err, "%s in %s", link, p.name) {
			return
		}
		a, err := netlink.ParseAddr(address)
		if !b.check(err, "address %s", address) {
			return
		}
		if strings.Contains(address, ":") {
			a.Flags = unix.IFA_F_NODAD
		}
		b.check(p.AddrAdd(l, a), "address %s on %s in %s", address, link, p.name)
	}
}

func (b *builder) route(p place, to, via string) {
	if b.err != nil {
		return
	}
	_, dst, err := net.ParseCIDR(to)
	if b.check(err, "route to %s", to) {
		b.check(p.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)}), "route to %s via %s in %s", to, via, p.name)
	}
}

// blackhole drops everything to a range.
func (b *builder) blackhole(p place, to string) {
	if b.err != nil {
		return
	}
	_, dst, err := net.ParseCIDR(to)
	if b.check(err, "route to %s", to) {
		b.check(p.RouteAdd(&netlink.Route{Dst: dst, Type: unix.RTN_BLACKHOLE}), "route to %s in %s", to, p.name)
	}
}

// through sends everything from an address via a gateway.
func (b *builder) through(p place, from, via string, table int) {
	if b.err != nil {
		return
	}
	_, src, err := net.ParseCIDR(from)
	if !b.check(err, "rule from %s", from) {
		return
	}
	rule := netlink.NewRule()
	rule.Src, rule.Table = src, table
	everything := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	rule.Family = unix.AF_INET
	if strings.Contains(from, ":") {
		rule.Family = unix.AF_INET6
		everything = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	b.check(p.RuleAdd(rule), "rule from %s in %s", from, p.name)
	b.check(p.RouteAdd(&netlink.Route{Dst: everything, Gw: net.ParseIP(via), Table: table}), "route via %s in %s", via, p.name)
}
