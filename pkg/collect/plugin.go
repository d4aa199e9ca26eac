package collect

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// ciliumSettings reads cilium-config. Defaults are those of pkg/option/config.go and pkg/loadbalancer/config.go in cilium/cilium v1.20.2.
func ciliumSettings(data map[string]string) *cluster.CiliumSettings {
	on := func(key string) bool { return isTrue(data[key]) }
	// Off are settings that are on where they are left out.
	off := func(key string) bool { return data[key] != "" && !isTrue(data[key]) }
	settings := &cluster.CiliumSettings{
		Mode:                 data[ciliumMode],
		ModeAnnotation:       on(ciliumModeAnnotation),
		DropsWithoutBackend:  data[ciliumNoBackend] == "drop",
		RoutesWithoutBackend: off(ciliumRoutable),
		SocketLoadBalancing:  on(ciliumSockets),
		HostSocketsOnly:      on(ciliumHostSockets),
		PerPacket:            on(ciliumEnvoyConfig) || on(ciliumIngress) || on(ciliumGateway) || on(ciliumSCTP),
		SCTP:                 on(ciliumSCTP),
		BPFMasquerade:        on(ciliumBPFMasquerade),
		NoMasquerade:         off(ciliumMasquerade),
		EndpointRoutes:       on(ciliumEndpointRoutes),
		ServiceTopology:      on(ciliumTopology),
		OpenExternalIPs:      on(ciliumOpenExternalIPs),
	}
	if settings.Mode == "" {
		settings.Mode = "snat"
	}
	return settings
}

// connectTime is bpfConnectTimeLoadBalancing; bpfConnectTimeLoadBalancingEnabled is its older form, and wins where it is set (felix/config/config_params.go in
// projectcalico/calico v3.28.0).
func connectTime(felix *unstructured.Unstructured) string {
	if enabled, ok, _ := unstructured.NestedBool(felix.Object, "spec", felixConnectTimeEnabled); ok {
		if enabled {
			return "Enabled"
		}
		return "Disabled"
	}
	mode, _, _ := unstructured.NestedString(felix.Object, "spec", felixConnectTime)
	return mode
}

const (
	felixConnectTime        = "bpfConnectTimeLoadBalancing"
	felixConnectTimeEnabled = "bpfConnectTimeLoadBalancingEnabled"
)

func kubeRouterSettings(given map[string]string) *cluster.KubeRouterSettings {
	value, ok := given["run-router"]
	return &cluster.KubeRouterSettings{NoRouter: ok && !isTrue(value)}
}

// antreaConfiguration are the fields of antrea-agent.conf that decide what a connection meets.
type antreaConfiguration struct {
	FeatureGates     map[string]bool `json:"featureGates,omitempty"`
	TrafficEncapMode string          `json:"trafficEncapMode,omitempty"`
	AntreaProxy      struct {
		Enable                  *bool  `json:"enable,omitempty"`
		ProxyAll                bool   `json:"proxyAll"`
		ProxyLoadBalancerIPs    *bool  `json:"proxyLoadBalancerIPs,omitempty"`
		DefaultLoadBalancerMode string `json:"defaultLoadBalancerMode,omitempty"`
	} `json:"antreaProxy"`
}

// antreaService says for whom Antrea serves Services.
type antreaService uint8

const (
	antreaServesNobody antreaService = iota
	// antreaServesPods: AntreaProxy is on, proxyAll is not.
	antreaServesPods
	antreaServesAll
)

// readAntrea reads antrea-agent.conf; source is "" where there is none. AntreaProxy is on where the file does not say otherwise (pkg/config/agent/config.go in antrea-io/antrea).
func (d *detector) readAntrea() (source string, settings *cluster.AntreaSettings, serves antreaService) {
	var mounted []string
	for _, set := range d.sets[antreaRole] {
		for _, volume := range set.Spec.Template.Spec.Volumes {
			if volume.ConfigMap != nil {
				mounted = append(mounted, volume.ConfigMap.Name)
			}
		}
	}
	for i := range d.objects.ConfigMaps {
		found := &d.objects.ConfigMaps[i]
		if !strings.HasPrefix(found.Name, antreaConfigPrefix) || len(mounted) > 0 && !slices.Contains(mounted, found.Name) {
			continue
		}
		var configuration antreaConfiguration
		if err := yaml.Unmarshal([]byte(found.Data[antreaConfKey]), &configuration); err != nil {
			continue
		}
		proxy := configuration.AntreaProxy
		source = fmt.Sprintf("configmap %s/%s", found.Namespace, found.Name)
		if gate, ok := configuration.FeatureGates["AntreaProxy"]; ok && !gate || proxy.Enable != nil && !*proxy.Enable {
			return source, nil, antreaServesNobody
		}
		serves = antreaServesPods
		if proxy.ProxyAll {
			serves = antreaServesAll
		}
		return source, &cluster.AntreaSettings{
			NoLoadBalancerIPs: proxy.ProxyLoadBalancerIPs != nil && !*proxy.ProxyLoadBalancerIPs,
			DSR:               strings.EqualFold(proxy.DefaultLoadBalancerMode, "dsr"),
			PolicyOnly:        strings.EqualFold(configuration.TrafficEncapMode, "networkPolicyOnly"),
		}, serves
	}
	return "", nil, antreaServesNobody
}

// antreaBeside is an Antrea that serves pods beside kube-proxy; nil where there is none.
func (d *detector) antreaBeside() *cluster.AntreaSettings {
	if !d.has(antreaRole) {
		return nil
	}
	_, settings, serves := d.readAntrea()
	if serves != antreaServesPods {
		return nil
	}
	settings.Version = imageVersion(agentImage(d.sets[antreaRole][0], "antrea-agent"))
	return settings
}
