package scenario

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ciliumClusters are the releases of Cilium that are tried, each with its settings; "" stands for the defaults.
// Releases before v1.18 do not start on a kernel without modules: they read /proc/modules (pkg/modules in v1.13.18 and v1.14.19, pkg/datapath/linux/modules in
// v1.15.19 to v1.17.0, which was built and tried).
func ciliumClusters() []Cluster {
	var out []Cluster
	every := []string{
		"", "dsr", "hybrid", "vxlan", "drop", "bpf-masquerade", "beside-iptables", "beside-nftables", "beside-iptables-sockets",
		"beside-iptables-bpf-masquerade", "beside-iptables-sockets-bpf-masquerade", "annotations",
	}
	few := []string{"", "beside-iptables"}
	for _, r := range []struct {
		version  string
		settings []string
		// whole are the settings with all Services. Beside kube-proxy, sessionAffinity may keep a client with an endpoint that does not answer: by chance, so
		// v1.20.2, which is compared in every run of the tests, does without there.
		whole []string
	}{
		{"v1.20.2", every, []string{""}},
		{"v1.19.7", every, few},
		{"v1.19.0", few, nil},
		{"v1.18.0", few, nil},
	} {
		for _, v := range ciliumVariants() {
			if slices.Contains(r.settings, v.Variant) {
				v.Mode, v.Version, v.Breadth = Cilium, r.version, Core
				if v.Own != nil || slices.Contains(r.whole, v.Variant) {
					v.Breadth = Complete
				}
				out = append(out, v)
			}
		}
	}
	// Drawn ones that found what nobody had thought of.
	return append(out, Drawn(Cilium, "v1.20.2", 202), Drawn(Cilium, "v1.20.2", 203), Drawn(Cilium, "v1.20.2", 205), Drawn(Cilium, "v1.20.2", 208))
}

// ciliumVariants are the defaults, and settings that differ from them, each by itself.
func ciliumVariants() []Cluster {
	on := func(keys ...string) map[string]any {
		out := map[string]any{}
		for _, k := range keys {
			out[k] = "true"
		}
		return out
	}
	return []Cluster{
		{},
		{Variant: "dsr", Changed: "backends answer clients outside directly", Settings: map[string]any{"bpf-lb-mode": "dsr"}},
		{Variant: "hybrid", Changed: "backends answer clients outside directly over TCP", Settings: map[string]any{"bpf-lb-mode": "hybrid"}},
		// In none of the lists: what pods dial packet by packet times out in part, otherwise in every run, and nobody knows why yet.
		{Variant: "hostns-only", Changed: "sockets of pods are not balanced", Settings: on("bpf-lb-sock-hostns-only")},
		{
			Variant: "drop", Changed: "without a backend packets are dropped, not refused",
			Settings: map[string]any{"service-no-backend-response": "drop"},
		},
		{Variant: "vxlan", Changed: "packets between nodes go through a tunnel", Settings: tunnel()},
		{
			Variant: "annotations", Changed: "Services have Cilium's annotations, n1 has the label that one of them names, and annotations may choose dsr",
			Settings: on("bpf-lb-mode-annotation"), Own: annotated(), NodeLabels: map[string]map[string]string{"n1": {"service.cilium.io/node": "marked"}},
		},
		{Variant: "bpf-masquerade", Changed: "BPF masquerades, not iptables", Settings: on("enable-bpf-masquerade")},
		{Variant: "beside-iptables", Changed: "kube-proxy runs beside it, in iptables mode", Beside: "iptables"},
		{Variant: "beside-nftables", Changed: "kube-proxy runs beside it, in nftables mode", Beside: "nftables"},
		{
			Variant: "beside-iptables-sockets", Changed: "kube-proxy runs beside it, in iptables mode, and sockets are balanced", Beside: "iptables",
			Settings: on("bpf-lb-sock"),
		},
		{
			Variant: "beside-iptables-bpf-masquerade", Changed: "kube-proxy runs beside it, in iptables mode, and BPF masquerades", Beside: "iptables",
			Settings: on("enable-bpf-masquerade"),
		},
		{
			Variant: "beside-iptables-sockets-bpf-masquerade", Changed: "kube-proxy runs beside it, in iptables mode, sockets are balanced and BPF masquerades",
			Beside: "iptables", Settings: on("bpf-lb-sock", "enable-bpf-masquerade"),
		},
	}
}

// annotated are Services with the annotations of Cilium that its agents act on (pkg/annotation/k8s.go, v1.20.2).
func annotated() []Service {
	var all []Service
	for _, a := range []struct{ name, key, value string }{
		{"only-clusterip", "type", "ClusterIP"},
		{"only-nodeport", "type", "NodePort"},
		{"only-loadbalancer", "type", "LoadBalancer"},
		{"node", "node", "marked"},
		{"selector", "node-selector", "kubernetes.io/hostname=n2"},
		{"selector-not", "node-selector", "kubernetes.io/hostname!=n2"},
		{"selector-in", "node-selector", "kubernetes.io/hostname in (n1,n3)"},
		{"mode-dsr", "forwarding-mode", "dsr"},
		{"mode-snat", "forwarding-mode", "snat"},
		{"deny", "src-ranges-policy", "deny"},
		{"allow", "src-ranges-policy", "allow"},
		{"global", "global", "true"},
		{"algorithm", "lb-algorithm", "maglev"},
		{"delegated", "proxy-delegation", "delegate-if-local"},
	} {
		for _, policy := range []corev1.ServiceExternalTrafficPolicy{local, cluster} {
			s := Service{
				Name: strings.ToLower(string(policy)) + "-" + a.name, Policy: policy, Backends: "some", ExternalIPs: 1,
				Annotations: map[string]string{"service.cilium.io/" + a.key: a.value},
			}
			if a.key == "src-ranges-policy" {
				s.SourceRanges = []string{ranges["outside"][0]}
			}
			all = append(all, s)
		}
	}
	return all
}

// ciliumAnnounced are the clusters in which Cilium announces addresses. Leases are short, so that one is soon taken over.
func ciliumAnnounced() []Cluster {
	var out []Cluster
	for _, version := range []string{"v1.20.2", "v1.19.7"} {
		out = append(out,
			Cluster{Announcer: "cilium-l2", Version: version, Settings: map[string]any{
				"enable-l2-announcements": "true", "l2-announcements-lease-duration": "6s", "l2-announcements-renew-deadline": "4s",
				"l2-announcements-retry-period": "1s", "k8s-client-qps": "100", "k8s-client-burst": "200",
			}},
			Cluster{Announcer: "cilium-bgp", Version: version, Settings: map[string]any{"enable-bgp-control-plane": "true"}})
	}
	for i := range out {
		out[i].Mode, out[i].AnnouncerVersion, out[i].Changed = Cilium, out[i].Version, announcedByNodes
	}
	return out
}

func tunnel() map[string]any {
	return map[string]any{"routing-mode": "tunnel", "tunnel-protocol": "vxlan", "auto-direct-node-routes": "false"}
}

// mixCilium draws the settings of a cluster with Cilium, each for itself.
func (d drawing) mixCilium(c *Cluster) {
	set := func(values map[string]any) {
		if c.Settings == nil {
			c.Settings = map[string]any{}
		}
		maps.Copy(c.Settings, values)
	}
	native := !d.one(3)
	if !native {
		set(tunnel())
	}
	if d.one(3) {
		c.Beside = []string{"iptables", "nftables"}[d.IntN(2)]
		if d.one(2) {
			set(map[string]any{"bpf-lb-sock": "true"})
		}
	} else if native {
		set(map[string]any{"bpf-lb-mode": []string{"snat", "dsr", "hybrid"}[d.IntN(3)]})
	}
	for _, setting := range []struct{ key, value string }{
		{"bpf-lb-sock-hostns-only", "true"}, {"enable-bpf-masquerade", "true"}, {"service-no-backend-response", "drop"}, {"enable-ipv4-masquerade", "false"},
	} {
		if d.one(4) {
			set(map[string]any{setting.key: setting.value})
		}
	}
	if c.NoMasquerade = c.Settings["enable-ipv4-masquerade"] != nil; c.NoMasquerade {
		set(map[string]any{"enable-ipv6-masquerade": "false", "enable-bpf-masquerade": "false"})
	}
}
