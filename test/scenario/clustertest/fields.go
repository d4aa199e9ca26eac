package clustertest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// plain… is what a line without any key=value means, and the functions named after the lines list their keys.

func plainDataplane(name cluster.DataplaneName) cluster.Dataplane {
	d := cluster.Dataplane{Name: name, Confidence: cluster.Observed}
	if name == cluster.UnknownDataplane {
		d.Confidence = cluster.UnknownConfidence
	}
	return d
}

func dataplane(d *cluster.Dataplane) []attribute {
	return slices.Concat([]attribute{
		version("version", &d.Version),
		text("source", &d.Source),
		text("confidence", &d.Confidence),
		text("version-source", &d.VersionSource),
		text("version-confidence", &d.VersionConfidence),
		tristate("pod-masquerade", &d.PodMasquerade),
		boolean("may-masquerade-clients", &d.MayMasqueradeClients),
	}, within(&d.KubeProxy, kubeProxy), within(&d.Cilium, cilium), within(&d.Calico, calico), within(&d.Antrea, antrea), within(&d.KubeRouter, kubeRouter))
}

func kubeProxy(k *cluster.KubeProxySettings) []attribute {
	ranges := prefixes("cidrs", &k.ClusterCIDRs)
	gates := pairs("gates", &k.FeatureGates, strconv.ParseBool, strconv.FormatBool)
	// pods=ClusterCIDR:10.244.0.0/16 is short for two keys.
	pods := attribute{"pods", func() string {
		if k.PodDetection == cluster.ClusterCIDR && len(k.ClusterCIDRs) > 0 {
			return string(k.PodDetection) + ":" + ranges.get()
		}
		return string(k.PodDetection)
	}, func(v string) error {
		mode, cidrs, _ := strings.Cut(v, ":")
		known := []cluster.PodDetection{
			"", cluster.ClusterCIDR, cluster.NodeCIDR, cluster.BridgeInterface, cluster.InterfaceNamePrefix, cluster.NoDetection, cluster.UnknownDetection,
		}
		if k.PodDetection = cluster.PodDetection(mode); !slices.Contains(known, k.PodDetection) {
			return fmt.Errorf("%q is none of %q", mode, known)
		}
		return ranges.set(cidrs)
	}}
	others := ranges
	others.get = func() string {
		if k.PodDetection == cluster.ClusterCIDR {
			return ""
		}
		return ranges.get()
	}
	return []attribute{
		pods, others,
		text("bridge", &k.BridgeInterface),
		text("prefix", &k.InterfacePrefix),
		boolean("masquerade-all", &k.MasqueradeAll),
		prefixes("node-port-addresses", &k.NodePortAddresses),
		boolean("primary-only", &k.PrimaryOnly),
		boolean("no-localhost-node-ports", &k.NoLocalhostNodePorts),
		text("hostname-override", &k.HostnameOverride),
		address("bind-address", &k.BindAddress),
		boolean("bind-address-unknown", &k.BindAddressUnknown),
		gates,
	}
}

func cilium(c *cluster.CiliumSettings) []attribute {
	return []attribute{
		version("cilium", &c.Version),
		boolean("replaces-kube-proxy", &c.ReplacesKubeProxy),
		text("lb-mode", &c.Mode),
		boolean("drops-without-backend", &c.DropsWithoutBackend),
		boolean("routes-without-backend", &c.RoutesWithoutBackend),
		boolean("sockets", &c.SocketLoadBalancing),
		boolean("host-sockets-only", &c.HostSocketsOnly),
		boolean("per-packet", &c.PerPacket),
		boolean("sctp", &c.SCTP),
		boolean("bpf-masquerade", &c.BPFMasquerade),
		boolean("no-masquerade", &c.NoMasquerade),
		boolean("no-ipv6-masquerade", &c.NoIPv6Masquerade),
		boolean("no-ipv4", &c.NoIPv4),
		boolean("no-ipv6", &c.NoIPv6),
		boolean("ranges-of-all-types", &c.RangesOfAllTypes),
		boolean("endpoint-routes", &c.EndpointRoutes),
		boolean("tunnel", &c.Tunnel),
		boolean("service-topology", &c.ServiceTopology),
		boolean("open-external-ips", &c.OpenExternalIPs),
		boolean("lb-mode-annotation", &c.ModeAnnotation),
		number("first-node-port", &c.FirstNodePort),
		number("last-node-port", &c.LastNodePort),
		prefixes("cilium-node-port-addresses", &c.NodePortAddresses),
		boolean("no-source-ranges", &c.NoSourceRanges),
		tristate("in-cluster-loadbalance", &c.InClusterLoadBalance),
	}
}

func calico(c *cluster.CalicoSettings) []attribute {
	return []attribute{boolean("calico-dsr", &c.DSR), text("connect-time", &c.ConnectTime)}
}

func antrea(a *cluster.AntreaSettings) []attribute {
	return []attribute{
		boolean("antrea-dsr", &a.DSR), boolean("no-load-balancer-ips", &a.NoLoadBalancerIPs), version("antrea", &a.Version), boolean("policy-only", &a.PolicyOnly),
		boolean("beside-kube-proxy", &a.BesideKubeProxy),
	}
}

func kubeRouter(k *cluster.KubeRouterSettings) []attribute {
	return []attribute{
		boolean("no-router", &k.NoRouter), boolean("masquerade-all-ipvs", &k.MasqueradeAll), boolean("hairpin", &k.Hairpin),
		boolean("node-ports-everywhere", &k.NodePortsEverywhere), boolean("any-address", &k.AnyAddress),
		prefixes("external-ip-ranges", &k.ExternalIPRanges), prefixes("load-balancer-ranges", &k.LoadBalancerRanges),
	}
}

func plainNode(name string, place int) cluster.Node {
	return cluster.Node{Name: name, Known: true, Ready: cluster.Yes, OS: "linux", InternalIPs: []netip.Addr{nodeIP(place)}}
}

// nodeIP is 192.168.0.1 for the first node, and a node's pods are in 10.244.1.0/24 there.
func nodeIP(place int) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 168, byte(place >> 8), byte(place)})
}

func podCIDR(place int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244 + byte(place>>8), byte(place), 0}), 24)
}

func node(n *cluster.Node, place int) []attribute {
	pods := prefixes("podcidr", &n.PodCIDRs)
	auto := []netip.Prefix{podCIDR(place)}
	return []attribute{
		text("zone", &n.Zone),
		automatic(pods, func() bool { return slices.Equal(n.PodCIDRs, auto) }, func() { n.PodCIDRs = auto }),
		addresses("ip", &n.InternalIPs),
		addresses("external-ip", &n.ExternalIPs),
		tristate("ready", &n.Ready),
		boolean("known", &n.Known),
		boolean("partial", &n.Partial),
		boolean("unschedulable", &n.Unschedulable),
		boolean("deleting", &n.Deleting),
		text("os", &n.OS),
		version("kubelet", &n.KubeletVersion),
		text("provider-id", &n.ProviderID),
		textPairs("labels", &n.Labels),
		texts("taints", &n.Taints),
		boolean("virtual-kubelet", &n.VirtualKubelet),
		text("proxy-mode", &n.ProxyMode),
	}
}

// automatic takes the word auto for a value that depends on the place of the line.
func automatic(a attribute, is func() bool, set func()) attribute {
	return attribute{a.key, func() string {
		if is() {
			return "auto"
		}
		return a.get()
	}, func(v string) error {
		if v == "auto" {
			set()
			return nil
		}
		return a.set(v)
	}}
}

func plainService(namespace, name string, kind cluster.ServiceType, place int) cluster.Service {
	s := cluster.Service{Namespace: namespace, Name: name, Type: kind, HasSelector: true, EndpointsKnown: true}
	if kind == cluster.TypeExternalName {
		s.HasSelector = false
		return s
	}
	s.ClusterIPs = []netip.Addr{netip.AddrFrom4([4]byte{10, 96, byte(place >> 8), byte(place)})}
	s.InternalTrafficPolicy = cluster.PolicyCluster
	if kind != cluster.TypeClusterIP {
		s.ExternalTrafficPolicy = cluster.PolicyCluster
	}
	return s
}

func service(s *cluster.Service) []attribute {
	return append([]attribute{
		word("etp", &s.ExternalTrafficPolicy, cluster.PolicyUnset, cluster.PolicyCluster, cluster.PolicyLocal),
		word("itp", &s.InternalTrafficPolicy, cluster.PolicyUnset, cluster.PolicyCluster, cluster.PolicyLocal),
		number("hc", &s.HealthCheckNodePort),
		list("ingress", &s.Ingress, readIngress, printIngress),
		addresses("external-ip", &s.ExternalIPs),
		list("port", &s.Ports, readPort, printPort),
		addresses("cluster-ip", &s.ClusterIPs),
		boolean("headless", &s.Headless),
		text("class", &s.LoadBalancerClass),
		prefixes("source-ranges", &s.SourceRanges),
		boolean("no-node-ports", &s.NoNodePorts),
		boolean("client-ip-affinity", &s.ClientIPAffinity),
		text("traffic-distribution", &s.TrafficDistribution),
		text("proxy-name", &s.ProxyName),
		boolean("selector", &s.HasSelector),
		textPairs("labels", &s.Labels),
		textPairs("annotations", &s.Annotations),
		texts("finalizers", &s.Finalizers),
		texts("conditions", &s.Conditions),
		boolean("endpoints-known", &s.EndpointsKnown),
		moment("created", &s.Created),
		boolean("events-known", &s.EventsKnown),
	}, append(within(&s.NewestEvent, event), within(&s.LastFix, lastFix)...)...)
}

func lastFix(f *cluster.Fix) []attribute {
	return []attribute{text("last-fix", &f.Mode), moment("last-fix-time", &f.Time)}
}

func event(e *cluster.Event) []attribute {
	return []attribute{
		text("event-type", &e.Type),
		text("event-reason", &e.Reason),
		text("event-message", &e.Message),
		moment("event-last", &e.Last),
	}
}

// readIngress reads ADDRESS, NAME, ADDRESS+NAME or +NAME, and /Proxy after it. What stands alone and parses as an address is one.
func readIngress(s string) (cluster.Ingress, error) {
	s, mode, _ := cut(s, '/')
	in := cluster.Ingress{IPMode: cluster.VIP}
	switch cluster.IPMode(mode) {
	case "", cluster.VIP:
	case cluster.Proxy:
		in.IPMode = cluster.Proxy
	default:
		return in, fmt.Errorf("ipMode %q is not VIP or Proxy", mode)
	}
	address, name, both := cut(s, '+')
	ip, err := readAddress(address)
	switch {
	case err == nil:
		in.IP = ip
	case !both:
		name = address
	case address != "":
		return in, err
	}
	if in.Hostname, err = unquote(name); err != nil {
		return in, err
	}
	if !in.IP.IsValid() && in.Hostname == "" {
		return in, errors.New("an entry has neither address nor name")
	}
	return in, nil
}

func printIngress(in cluster.Ingress) string {
	out := quotePart(in.Hostname, "+/")
	switch _, err := netip.ParseAddr(in.Hostname); {
	case in.IP.IsValid() && in.Hostname == "":
		out = quotePart(in.IP.String(), "+/")
	case in.IP.IsValid():
		out = quotePart(in.IP.String(), "+/") + "+" + out
	case err == nil:
		out = "+" + out
	}
	if in.IPMode == cluster.Proxy {
		out += "/Proxy"
	}
	return out
}

// readPort reads NAME:PORT[:NODEPORT][/PROTOCOL][>TARGETPORT][@APPPROTOCOL].
func readPort(s string) (p cluster.Port, err error) {
	s, application, _ := cut(s, '@')
	rest, target, _ := cut(s, '>')
	rest, protocol, _ := cut(rest, '/')
	parts := split(rest, ':')
	if len(parts) != 2 && len(parts) != 3 {
		return p, fmt.Errorf("%q is not NAME:PORT[:NODEPORT][/PROTOCOL][>TARGETPORT][@APPPROTOCOL]", s)
	}
	for field, part := range map[*string]string{&p.Name: parts[0], &p.TargetPort: target, &p.AppProtocol: application} {
		if *field, err = unquote(part); err != nil {
			return p, err
		}
	}
	if p.Protocol, err = readProtocol(protocol); err != nil {
		return p, err
	}
	if p.Port, err = readNumber(parts[1]); err == nil && len(parts) == 3 {
		p.NodePort, err = readNumber(parts[2])
	}
	return p, err
}

func printPort(p cluster.Port) string {
	out := quotePart(p.Name, ":/>@") + ":" + strconv.Itoa(int(p.Port))
	if p.NodePort != 0 {
		out += ":" + strconv.Itoa(int(p.NodePort))
	}
	if p.Protocol != cluster.TCP {
		out += "/" + string(p.Protocol)
	}
	if p.TargetPort != "" {
		out += ">" + quotePart(p.TargetPort, "@")
	}
	if p.AppProtocol != "" {
		out += "@" + quotePart(p.AppProtocol, "")
	}
	return out
}

func readNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}

func readProtocol(s string) (cluster.Protocol, error) {
	switch p := cluster.Protocol(s); p {
	case "":
		return cluster.TCP, nil
	case cluster.TCP, cluster.UDP, cluster.SCTP:
		return p, nil
	default:
		return "", fmt.Errorf("protocol %q is not TCP, UDP or SCTP", s)
	}
}

// states are the usual conditions of an endpoint, by name.
var (
	states     = []string{"ready", "notready", "terminating"}
	conditions = []string{"ready+serving", "", "serving+terminating"}
)

func conditionsOf(e *cluster.Endpoint) string {
	var list []string
	for _, c := range []struct {
		is   bool
		name string
	}{{e.Ready, "ready"}, {e.Serving, "serving"}, {e.Terminating, "terminating"}} {
		if c.is {
			list = append(list, c.name)
		}
	}
	return strings.Join(list, "+")
}

// plainEndpoint is a ready pod of the Service that serves all its ports. The first address of each family is the first pod's, and so on.
func plainEndpoint(s *cluster.Service, a netip.Addr) cluster.Endpoint {
	e := cluster.Endpoint{Address: a, Ready: true, Serving: true, Slice: s.Name + "-1", Target: plainTarget(s, a)}
	for _, p := range s.Ports {
		e.Ports = append(e.Ports, cluster.EndpointPort{Name: p.Name, Protocol: p.Protocol, Port: 8080})
	}
	return e
}

func plainTarget(s *cluster.Service, a netip.Addr) string {
	pods := map[netip.Addr]bool{a: true}
	for i := range s.Endpoints {
		if before := s.Endpoints[i].Address; before == a {
			return s.Endpoints[i].Target
		} else if before.Is4() == a.Is4() {
			pods[before] = true
		}
	}
	return fmt.Sprintf("%s/%s-%d", s.Namespace, s.Name, len(pods))
}

func endpoint(e *cluster.Endpoint) []attribute {
	return []attribute{
		text("node", &e.Node),
		text("zone", &e.Zone),
		{"conditions", func() string { return conditionsOf(e) }, func(v string) error {
			e.Ready, e.Serving, e.Terminating = false, false, false
			for _, c := range split(v, '+') {
				switch c {
				case "ready":
					e.Ready = true
				case "serving":
					e.Serving = true
				case "terminating":
					e.Terminating = true
				default:
					return fmt.Errorf("%q is not ready, serving or terminating", c)
				}
			}
			return nil
		}},
		list("port", &e.Ports, func(s string) (cluster.EndpointPort, error) {
			p, err := readPort(s)
			return cluster.EndpointPort{Name: p.Name, Protocol: p.Protocol, Port: p.Port}, err
		}, func(p cluster.EndpointPort) string {
			return printPort(cluster.Port{Name: p.Name, Protocol: p.Protocol, Port: p.Port})
		}),
		texts("for-zones", &e.ForZones),
		texts("for-nodes", &e.ForNodes),
		text("target", &e.Target),
		text("slice", &e.Slice),
	}
}

func gap(g *cluster.Gap) []attribute {
	return []attribute{text("namespace", &g.Namespace), text("name", &g.Name), text("message", &g.Message)}
}
