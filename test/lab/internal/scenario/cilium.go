package scenario

import (
	"maps"
	"slices"
)

// ciliumClusters are the releases of Cilium that are tried, each with its settings; "" stands for the defaults.
func ciliumClusters() []Cluster {
	var out []Cluster
	for _, r := range []struct {
		version  string
		settings []string
	}{
		{"v1.20.2", []string{"", "dsr", "hybrid", "vxlan", "drop", "bpf-masquerade", "beside-iptables", "beside-nftables", "beside-iptables-sockets", "beside-iptables-bpf-masquerade"}},
	} {
		for _, v := range ciliumVariants() {
			if slices.Contains(r.settings, v.Variant) {
				v.Mode, v.Version, v.Breadth = Cilium, r.version, Core
				if v.Variant == "" && r.version == "v1.20.2" {
					v.Breadth = Complete
				}
				out = append(out, v)
			}
		}
	}
	return out
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
		{Variant: "hostns-only", Changed: "sockets of pods are not balanced", Settings: on("bpf-lb-sock-hostns-only")},
		{
			Variant: "drop", Changed: "without a backend packets are dropped, not refused",
			Settings: map[string]any{"service-no-backend-response": "drop"},
		},
		{Variant: "vxlan", Changed: "packets between nodes go through a tunnel", Settings: tunnel()},
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
