package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const ciliumName programName = "cilium"

const ciliumConfig = "cilium-config"

// Keys of cilium-config.
const (
	ciliumReplacement     = "kube-proxy-replacement"
	ciliumMode            = "bpf-lb-mode"
	ciliumNoBackend       = "service-no-backend-response"
	ciliumHostSockets     = "bpf-lb-sock-hostns-only"
	ciliumNodePort        = "enable-node-port"
	ciliumInClusterLoad   = "enable-in-cluster-loadbalance"
	ciliumModeAnnotation  = "bpf-lb-mode-annotation"
	ciliumRoutable        = "enable-no-service-endpoints-routable"
	ciliumSockets         = "bpf-lb-sock"
	ciliumEnvoyConfig     = "enable-envoy-config"
	ciliumIngress         = "enable-ingress-controller"
	ciliumGateway         = "enable-gateway-api"
	ciliumSCTP            = "enable-sctp"
	ciliumBPFMasquerade   = "enable-bpf-masquerade"
	ciliumMasquerade      = "enable-ipv4-masquerade"
	ciliumMasquerade6     = "enable-ipv6-masquerade"
	ciliumEndpointRoutes  = "enable-endpoint-routes"
	ciliumIPv4            = "enable-ipv4"
	ciliumIPv6            = "enable-ipv6"
	ciliumRanges          = "bpf-lb-source-range-all-types"
	ciliumRouting         = "routing-mode"
	ciliumTunnel          = "tunnel"
	ciliumChaining        = "cni-chaining-mode"
	ciliumToNodes         = "enable-remote-node-masquerade"
	ciliumTopology        = "enable-service-topology"
	ciliumOpenExternalIPs = "disable-external-ip-mitigation"
	ciliumNodePortRange   = "node-port-range"
	ciliumNodePortAddress = "nodeport-addresses"
	ciliumSourceRanges    = "enable-svc-source-range-check"
	ciliumMasqueradeOn    = "egress-masquerade-interfaces"
	ciliumMasqueradeAgent = "enable-ip-masq-agent"
	ciliumNativeRange     = "ipv4-native-routing-cidr"
	ciliumNativeRange6    = "ipv6-native-routing-cidr"
)

// CiliumKeys are the keys of cilium-config that are read, and kept.
func CiliumKeys() []string {
	return []string{
		ciliumReplacement, ciliumMode, ciliumNoBackend, ciliumHostSockets, ciliumNodePort, ciliumInClusterLoad, ciliumModeAnnotation, ciliumRoutable, ciliumSockets,
		ciliumEnvoyConfig, ciliumIngress, ciliumGateway, ciliumSCTP, ciliumBPFMasquerade, ciliumMasquerade, ciliumMasquerade6, ciliumEndpointRoutes, ciliumIPv4, ciliumIPv6, ciliumRanges, ciliumRouting, ciliumTunnel,
		ciliumChaining, ciliumToNodes, ciliumTopology, ciliumOpenExternalIPs, ciliumNodePortRange, ciliumNodePortAddress, ciliumSourceRanges,
		ciliumMasqueradeOn, ciliumMasqueradeAgent, ciliumNativeRange, ciliumNativeRange6,
	}
}

// cilium replaces kube-proxy, or runs beside it.
var cilium = program{
	name:   ciliumName,
	planes: []cluster.DataplaneName{cluster.Cilium},
	recognise: func(d *appsv1.DaemonSet) match {
		switch {
		case d.Name == "cilium":
			return byName
		case hasContainer(&d.Spec.Template.Spec, "cilium-agent"):
			return byContainer
		}
		return noMatch
	},
	configMaps: func(d *appsv1.DaemonSet) []Reference {
		return configMapIn(d.Namespace, ciliumConfig)
	},
	guesses: []string{ciliumConfig},
	keep: func(c *corev1.ConfigMap) (map[string]string, bool) {
		return only(c.Data, CiliumKeys()...), c.Name == ciliumConfig
	},
	plane:  func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) { return d.ciliumPlane() },
	beside: func(d *detector, out *cluster.Dataplane) { out.Cilium = d.ciliumBeside() },
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		return f.ciliumMasquerade(), f.has(ciliumName)
	},
}

// ciliumPlane is Cilium in place of kube-proxy. It is unknown where the two share the work, and where cilium-config was not read.
func (d *detector) ciliumPlane() (cluster.Dataplane, bool) {
	source, settings, replacement := d.readCilium()
	out := cluster.Dataplane{Name: cluster.Cilium, Source: source, Confidence: cluster.Observed, Cilium: settings}
	switch {
	case settings == nil && d.has(dataplaneV2Name):
		out.Source, out.Confidence = sourceOf(d.first(dataplaneV2Name)), cluster.Inferred
		out.Cilium = &cluster.CiliumSettings{ReplacesKubeProxy: true}
		d.noteGoogleBuild(&out)
		return out, true
	case settings == nil && d.has(ciliumName):
		set := d.first(ciliumName)
		return unknown("%s runs Cilium, but configmap %s/%s, which says whether it replaces kube-proxy, was not read", sourceOf(set), set.Namespace, ciliumConfig), true
	case settings == nil:
		return cluster.Dataplane{}, false
	case d.knowsDaemonSets() && !d.has(ciliumName) && !d.has(dataplaneV2Name):
		// The ConfigMap of a Cilium that was uninstalled.
		return cluster.Dataplane{}, false
	}
	d.noteGoogleBuild(&out)
	if set := d.first(ciliumName); set != nil {
		setVersion(&out, agentImage(set, "cilium"), sourceOf(set))
		if out.Version.Known() {
			settings.Version = out.Version
		}
	}
	switch {
	case settings.ReplacesKubeProxy || d.has(dataplaneV2Name):
		settings.ReplacesKubeProxy = true
		if len(d.proxies) > 0 {
			out.Confidence = cluster.Inferred
		}
		return out, true
	case replacement == "probe":
		return unknown("%s has %s=probe: whether Cilium replaces kube-proxy depends on each node's kernel", source, ciliumReplacement), true
	case replacement == "nodeport":
		return unknown("%s lets Cilium serve node ports (%s, or Envoy before v1.16) without %s: Cilium and kube-proxy share the work", source, ciliumNodePort, ciliumReplacement), true
	}
	return cluster.Dataplane{}, false
}

// ciliumBeside is Cilium next to kube-proxy; nil where there is none.
func (d *detector) ciliumBeside() *cluster.CiliumSettings {
	if inside := d.terwayCilium(); inside != nil {
		return inside
	}
	if d.knowsDaemonSets() && !d.has(ciliumName) {
		return nil
	}
	_, settings, _ := d.readCilium()
	if set := d.first(ciliumName); set != nil {
		if settings == nil {
			// What Cilium does beside kube-proxy depends on its settings, and they were not read.
			settings = &cluster.CiliumSettings{}
		}
		settings.Version = imageVersion(agentImage(set, "cilium"))
	}
	return settings
}

// ciliumMasquerade says whether Cilium replaces pods' addresses on the way to other nodes: where it routes natively it exempts nodes (pkg/datapath/iptables
// NodeIpsetNeeded, bpf/lib/nat.h snat_v4_needs_masquerade, v1.13.18 to v1.20.2), and in tunnel mode it does not, unless a setting limits what is masqueraded:
// to some interfaces, by ip-masq-agent, or to addresses outside a native routing CIDR that has the nodes'.
func (f *facts) ciliumMasquerade() cluster.Tristate {
	data := f.ciliumData()
	isOff := func(key string) bool { return data[key] != "" && !isTrue(data[key]) }
	chaining, routing, tunnel := data[ciliumChaining], data[ciliumRouting], data[ciliumTunnel]
	off4, off6 := isOff(ciliumIPv4) || isOff(ciliumMasquerade), isOff(ciliumIPv6) || isOff(ciliumMasquerade6)
	switch {
	case data == nil, chaining != "" && chaining != "none", routing == "" && tunnel == "":
		return cluster.Undetermined
	case off4 && off6:
		return cluster.No
	case isTrue(data[ciliumToNodes]) && isTrue(data[ciliumBPFMasquerade]) && !isTrue(data[ciliumMasqueradeAgent]):
		return cluster.Yes
	case routing == "native", routing == "" && tunnel == "disabled":
		return cluster.No
	case off4 && !isOff(ciliumIPv4), off6 && !isOff(ciliumIPv6):
		// It depends on the address family.
		return cluster.Undetermined
	case data[ciliumMasqueradeOn] != "", isTrue(data[ciliumMasqueradeAgent]), f.hasNodeIn(cluster.ParsePrefixes(data[ciliumNativeRange], data[ciliumNativeRange6])):
		return cluster.Undetermined
	default:
		return cluster.Yes
	}
}

// hasNodeIn says whether an address of a node is in one of the ranges.
func (f *facts) hasNodeIn(ranges []netip.Prefix) bool {
	return slices.ContainsFunc(f.Nodes, func(n *corev1.Node) bool {
		return slices.ContainsFunc(n.Status.Addresses, func(address corev1.NodeAddress) bool {
			ip, ok := cluster.ParseAddress(address.Address)
			return ok && slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return r.Contains(ip) })
		})
	})
}

// isCiliumConfig says whether a ConfigMap is the one that the Cilium agents read, which is in their own namespace (install/kubernetes/cilium in Cilium). One in
// another namespace is of a Cilium that was moved or uninstalled.
func (f *facts) isCiliumConfig(c *corev1.ConfigMap) bool {
	if c.Name != ciliumConfig {
		return false
	}
	for _, name := range []programName{ciliumName, dataplaneV2Name} {
		if set := f.first(name); set != nil {
			return c.Namespace == set.Namespace
		}
	}
	return true
}

// ciliumConfigMap is cilium-config, nil where it was not read.
func (f *facts) ciliumConfigMap() *corev1.ConfigMap {
	for i := range f.ConfigMaps {
		if f.isCiliumConfig(&f.ConfigMaps[i]) {
			return &f.ConfigMaps[i]
		}
	}
	return nil
}

func (f *facts) ciliumData() map[string]string {
	if found := f.ciliumConfigMap(); found != nil {
		return found.Data
	}
	return nil
}

// readCilium reads cilium-config; settings is nil where it was not read. replacement is kube-proxy-replacement where that is neither yes nor no: "probe", or "nodeport"
// for a Cilium that serves node ports without replacing kube-proxy.
func (f *facts) readCilium() (source string, settings *cluster.CiliumSettings, replacement string) {
	found := f.ciliumConfigMap()
	if found == nil {
		return "", nil, ""
	}
	settings = ciliumSettings(found.Data)
	switch value := found.Data[ciliumReplacement]; {
	case value == "true", value == "strict":
		settings.ReplacesKubeProxy = true
	case value == "probe":
		replacement = "probe"
	case value == "disabled":
		// It switches the other settings off (daemon/cmd/kube_proxy_replacement.go, v1.13.0 to v1.15.19).
		settings.SocketLoadBalancing = false
	case isTrue(found.Data[ciliumNodePort]), settings.PerPacket && f.ciliumNeedsNodePorts():
		replacement = "nodeport"
	}
	return fmt.Sprintf("configmap %s/%s", found.Namespace, found.Name), settings, replacement
}

// ciliumNeedsNodePorts: v1.14 and v1.15 serve node ports themselves where Envoy is configured (daemon/cmd/kube_proxy_replacement.go, v1.14.19 and v1.15.19).
func (f *facts) ciliumNeedsNodePorts() bool {
	set := f.first(ciliumName)
	if set == nil {
		return false
	}
	v := imageVersion(agentImage(set, "cilium"))
	return v.Known() && !v.Before(1, 14, 0) && v.Before(1, 16, 0)
}

// ciliumSettings reads cilium-config, but for kube-proxy-replacement. Defaults are those of pkg/option/config.go and pkg/loadbalancer/config.go in cilium/cilium v1.20.2.
func ciliumSettings(data map[string]string) *cluster.CiliumSettings {
	on := func(key string) bool { return isTrue(data[key]) }
	// isOff is for settings that are on by default.
	isOff := func(key string) bool { return data[key] != "" && !isTrue(data[key]) }
	settings := &cluster.CiliumSettings{
		Mode:                 data[ciliumMode],
		ModeAnnotation:       on(ciliumModeAnnotation),
		DropsWithoutBackend:  data[ciliumNoBackend] == "drop",
		RoutesWithoutBackend: isOff(ciliumRoutable),
		SocketLoadBalancing:  on(ciliumSockets),
		HostSocketsOnly:      on(ciliumHostSockets),
		PerPacket:            on(ciliumEnvoyConfig) || on(ciliumIngress) || on(ciliumGateway) || on(ciliumSCTP),
		SCTP:                 on(ciliumSCTP),
		BPFMasquerade:        on(ciliumBPFMasquerade),
		NoMasquerade:         isOff(ciliumMasquerade),
		NoIPv6Masquerade:     isOff(ciliumMasquerade6),
		NoIPv4:               isOff(ciliumIPv4),
		NoIPv6:               isOff(ciliumIPv6),
		RangesOfAllTypes:     on(ciliumRanges),
		EndpointRoutes:       on(ciliumEndpointRoutes),
		Tunnel:               isCiliumTunnel(data),
		ServiceTopology:      on(ciliumTopology),
		OpenExternalIPs:      on(ciliumOpenExternalIPs),
		NodePortAddresses:    cluster.ParsePrefixes(words(data[ciliumNodePortAddress])...),
		NoSourceRanges:       isOff(ciliumSourceRanges),
	}
	if limits := words(data[ciliumNodePortRange]); len(limits) == 2 {
		first, errFirst := strconv.ParseUint(limits[0], 10, 16)
		last, errLast := strconv.ParseUint(limits[1], 10, 16)
		if errFirst == nil && errLast == nil {
			settings.FirstNodePort, settings.LastNodePort = uint16(first), uint16(last)
		}
	}
	if value, ok := data[ciliumInClusterLoad]; ok {
		settings.InClusterLoadBalance = cluster.Is(isTrue(value))
	}
	if settings.Mode == "" {
		settings.Mode = "snat"
	}
	return settings
}

// isCiliumTunnel: Cilium connects nodes by a tunnel unless it is told otherwise (pkg/option/config.go RoutingMode in v1.20.2, Tunnel in v1.13.18).
func isCiliumTunnel(data map[string]string) bool {
	chaining := data[ciliumChaining]
	return data[ciliumRouting] != "native" && (data[ciliumRouting] != "" || data[ciliumTunnel] != "disabled") && (chaining == "" || chaining == "none")
}

// words are those of a list in cilium-config, which commas or spaces separate (pkg/option/config.go GetStringSlice).
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
