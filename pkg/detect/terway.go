package detect

import (
	"encoding/json"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const (
	terwayName programName = "terway"

	terwayConfig = "eni-config"
	// TerwayConfKey is the key of eni-config with Terway's configuration, in JSON; TerwayDatapath is its field that says which datapath is used.
	TerwayConfKey   = "10-terway.conf"
	TerwayDatapath  = "eniip_virtual_type"
	terwayInCluster = "in_cluster_loadbalance"

	noKubeProxyLabel = "k8s.aliyun.com/no-kube-proxy"
)

// terway is Alibaba Cloud's network. Pods keep their addresses within the VPC. Some of its datapaths have a Cilium inside.
var terway = program{
	name:      terwayName,
	planes:    []cluster.DataplaneName{cluster.Cilium},
	recognise: named("terway", "terway-eniip", "terway-eni"),
	labels:    []string{noKubeProxyLabel},
	configMaps: func(*appsv1.DaemonSet) []Reference {
		return configMapIn(KubeSystem, terwayConfig)
	},
	keep: func(c *corev1.ConfigMap) (map[string]string, bool) {
		if c.Name != terwayConfig {
			return nil, false
		}
		data := only(c.Data, terwayInCluster)
		if kind, ok := terwayDatapath(c); ok {
			if text, err := json.Marshal(map[string]string{TerwayDatapath: kind}); err == nil {
				data[TerwayConfKey] = string(text)
			}
		}
		return data, true
	},
	plane: func(d *detector, n *corev1.Node) (cluster.Dataplane, bool) {
		if n.Labels[noKubeProxyLabel] != "true" {
			return cluster.Dataplane{}, false
		}
		settings := cluster.CiliumSettings{ReplacesKubeProxy: true}
		if inside := d.terwayCilium(); inside != nil {
			settings.InClusterLoadBalance = inside.InClusterLoadBalance
		}
		return cluster.Dataplane{Name: cluster.Cilium, Source: "node label " + noKubeProxyLabel, Confidence: cluster.Inferred, Cilium: &settings}, true
	},
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		return cluster.No, f.has(terwayName)
	},
}

// IsTerway says whether a DaemonSet is Terway's.
func IsTerway(d *appsv1.DaemonSet) bool {
	p := runBy(registry, d)
	return p != nil && p.name == terwayName
}

// terwayDatapath is ok where eni-config names a datapath.
func terwayDatapath(c *corev1.ConfigMap) (kind string, ok bool) {
	var settings map[string]any
	if json.Unmarshal([]byte(c.Data[TerwayConfKey]), &settings) != nil {
		return "", false
	}
	kind, ok = settings[TerwayDatapath].(string)
	return kind, ok
}

// terwayCilium is the Cilium inside Terway, for the datapaths that have one (policy.go and common.go of cmd/terway-cli); nil otherwise.
func (f *facts) terwayCilium() *cluster.CiliumSettings {
	found := f.configMap(KubeSystem, terwayConfig)
	if found == nil || f.knowsDaemonSets() && !f.has(terwayName) {
		return nil
	}
	kind, _ := terwayDatapath(found)
	switch strings.ToLower(kind) {
	case "datapathv2", "ipvlan":
		return &cluster.CiliumSettings{InClusterLoadBalance: cluster.Is(found.Data[terwayInCluster] == "true")}
	}
	return nil
}
