package detect

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const antreaName programName = "antrea"

const (
	antreaConfigPrefix = "antrea-config"
	// AntreaConfKey is the key of Antrea's ConfigMap with an AntreaConfiguration, in YAML.
	AntreaConfKey = "antrea-agent.conf"
)

// antrea serves Services for pods beside kube-proxy, or, with antreaProxy.proxyAll, in its place.
var antrea = program{
	name:      antreaName,
	planes:    []cluster.DataplaneName{cluster.Antrea},
	recognise: named("antrea-agent"),
	configMaps: func(d *appsv1.DaemonSet) []Reference {
		names := slices.DeleteFunc(mountedConfigMaps(d), func(name string) bool { return !strings.HasPrefix(name, antreaConfigPrefix) })
		return configMapIn(d.Namespace, names...)
	},
	keep: func(c *corev1.ConfigMap) (map[string]string, bool) {
		return only(c.Data, AntreaConfKey), strings.HasPrefix(c.Name, antreaConfigPrefix)
	},
	plane:  func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) { return d.antreaPlane() },
	beside: func(d *detector, out *cluster.Dataplane) { out.Antrea = d.antreaBeside() },
}

// AntreaConfiguration has the fields of antrea-agent.conf that are read.
type AntreaConfiguration struct {
	FeatureGates     map[string]bool `json:"featureGates,omitempty"`
	TrafficEncapMode string          `json:"trafficEncapMode,omitempty"`
	AntreaProxy      struct {
		Enable                  *bool  `json:"enable,omitempty"`
		ProxyAll                bool   `json:"proxyAll"`
		ProxyLoadBalancerIPs    *bool  `json:"proxyLoadBalancerIPs,omitempty"`
		DefaultLoadBalancerMode string `json:"defaultLoadBalancerMode,omitempty"`
	} `json:"antreaProxy"`
}

// antreaScope is for whom Antrea serves Services.
type antreaScope uint8

const (
	antreaOff antreaScope = iota
	// antreaPods: AntreaProxy is on, proxyAll is off.
	antreaPods
	antreaAll
)

// antreaPlane is Antrea where it has taken over all of kube-proxy's work.
func (d *detector) antreaPlane() (cluster.Dataplane, bool) {
	source, settings, scope := d.readAntrea()
	set := d.first(antreaName)
	switch {
	case d.knowsDaemonSets() && set == nil:
		return cluster.Dataplane{}, false
	case source == "" && set != nil:
		return unknown("%s runs Antrea, but its antrea-agent.conf was not read", sourceOf(set)), true
	case scope != antreaAll:
		return cluster.Dataplane{}, false
	}
	out := cluster.Dataplane{Name: cluster.Antrea, Confidence: cluster.Observed, Source: source, Antrea: settings}
	if len(d.proxies) > 0 {
		out.Confidence = cluster.Inferred
		settings.BesideKubeProxy = true
	}
	if set != nil {
		setVersion(&out, agentImage(set, "antrea-agent"), sourceOf(set))
	}
	return out, true
}

// antreaBeside is an Antrea that serves Services for pods beside kube-proxy; nil where there is none.
func (d *detector) antreaBeside() *cluster.AntreaSettings {
	set := d.first(antreaName)
	if set == nil {
		return nil
	}
	_, settings, scope := d.readAntrea()
	if scope != antreaPods {
		return nil
	}
	settings.Version = imageVersion(agentImage(set, "antrea-agent"))
	return settings
}

// readAntrea reads antrea-agent.conf; source is "" where it was not read. AntreaProxy is on by default (pkg/config/agent/config.go in antrea-io/antrea).
func (f *facts) readAntrea() (source string, settings *cluster.AntreaSettings, scope antreaScope) {
	var mounted []string
	for _, set := range f.sets[antreaName] {
		mounted = append(mounted, mountedConfigMaps(set)...)
	}
	for i := range f.ConfigMaps {
		found := &f.ConfigMaps[i]
		if !strings.HasPrefix(found.Name, antreaConfigPrefix) || len(mounted) > 0 && !slices.Contains(mounted, found.Name) {
			continue
		}
		var configuration AntreaConfiguration
		if err := yaml.Unmarshal([]byte(found.Data[AntreaConfKey]), &configuration); err != nil {
			continue
		}
		proxy := configuration.AntreaProxy
		source = fmt.Sprintf("configmap %s/%s", found.Namespace, found.Name)
		if gate, ok := configuration.FeatureGates["AntreaProxy"]; ok && !gate || proxy.Enable != nil && !*proxy.Enable {
			return source, nil, antreaOff
		}
		scope = antreaPods
		if proxy.ProxyAll {
			scope = antreaAll
		}
		return source, &cluster.AntreaSettings{
			NoLoadBalancerIPs: proxy.ProxyLoadBalancerIPs != nil && !*proxy.ProxyLoadBalancerIPs,
			DSR:               strings.EqualFold(proxy.DefaultLoadBalancerMode, "dsr"),
			PolicyOnly:        strings.EqualFold(configuration.TrafficEncapMode, "networkPolicyOnly"),
		}, scope
	}
	return "", nil, antreaOff
}

// mountedConfigMaps are the names of the ConfigMaps that a DaemonSet's pods mount.
func mountedConfigMaps(d *appsv1.DaemonSet) []string {
	var out []string
	for _, volume := range d.Spec.Template.Spec.Volumes {
		if volume.ConfigMap != nil {
			out = append(out, volume.ConfigMap.Name)
		}
	}
	return out
}
