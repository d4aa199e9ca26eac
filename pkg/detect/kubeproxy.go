package detect

import (
	"cmp"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const kubeProxyName programName = "kube-proxy"

// kubeProxyConfigs are the names under which installers keep kube-proxy's configuration: kubeadm, kind and k0s; EKS; Alibaba Cloud.
var kubeProxyConfigs = []string{"kube-proxy", "kube-proxy-config", "kube-proxy-worker"}

// kubeProxyPods is the kube-proxy that a DaemonSet or static pods run.
var kubeProxyPods = program{
	name:   kubeProxyName,
	planes: []cluster.DataplaneName{cluster.KubeProxy},
	recognise: func(d *appsv1.DaemonSet) match {
		if kubeProxyContainer(d.Spec.Template.Spec.Containers) != nil {
			return byContainer
		}
		return noMatch
	},
	configMaps: func(d *appsv1.DaemonSet) []Reference {
		spec := &d.Spec.Template.Spec
		container := kubeProxyContainer(spec.Containers)
		if container == nil {
			return nil
		}
		name, _, _ := configSource(container, spec.Volumes)
		return configMapIn(d.Namespace, name)
	},
	guesses: kubeProxyConfigs,
	keep: func(c *corev1.ConfigMap) (map[string]string, bool) {
		data := map[string]string{}
		for key, value := range c.Data {
			if IsKubeProxyConfiguration(value) {
				data[key] = value
			}
		}
		return data, len(data) > 0
	},
	proxy: func(f *facts, set *appsv1.DaemonSet) (cluster.Dataplane, bool) {
		return f.readKubeProxy(sourceOf(set), set.Namespace, &set.Spec.Template.Spec), true
	},
	plane: (*detector).kubeProxyOf,
}

// kubeProxyConfig is a ConfigMap of kube-proxy, where the DaemonSet that would mount it was not read.
var kubeProxyConfig = program{
	name:   "kube-proxy-config",
	planes: []cluster.DataplaneName{cluster.KubeProxy},
	plane: func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) {
		if len(d.proxies) > 0 || d.knowsDaemonSets() {
			return cluster.Dataplane{}, false
		}
		return d.fromConfigMap()
	},
}

// kubeProxy is one kube-proxy of which the command line was read, and the nodes it runs on.
type kubeProxy struct {
	runs      func(*corev1.Node) bool
	dataplane cluster.Dataplane
}

// kubeProxies reads the kube-proxies of DaemonSets, else those of static pods, and their settings.
func (f *facts) kubeProxies() []kubeProxy {
	var out []kubeProxy
	for i := range f.programs {
		if f.programs[i].proxy == nil {
			continue
		}
		for _, set := range f.sets[f.programs[i].name] {
			if dataplane, ok := f.programs[i].proxy(f, set); ok {
				out = append(out, kubeProxy{func(n *corev1.Node) bool { return runsOn(&set.Spec.Template.Spec, n) }, dataplane})
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	pods := slices.Clone(f.Pods)
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	for i := range pods {
		pod := &pods[i]
		out = append(out, kubeProxy{
			runs:      func(n *corev1.Node) bool { return n.Name == pod.Spec.NodeName },
			dataplane: f.readKubeProxy("kube-proxy's static pods", pod.Namespace, &pod.Spec),
		})
	}
	return out
}

// kubeProxyOf is the kube-proxy that runs on a node. Where no Node could be read, one kube-proxy is that of every node.
func (d *detector) kubeProxyOf(n *corev1.Node) (cluster.Dataplane, bool) {
	if n.Name == "" && len(d.proxies) > 0 {
		for i := range d.proxies {
			if !reflect.DeepEqual(d.proxies[i].dataplane, d.proxies[0].dataplane) {
				return unknown("there are several kube-proxies with different settings, and the nodes could not be read"), true
			}
		}
		return d.proxies[0].dataplane, true
	}
	for i := range d.proxies {
		if d.proxies[i].runs(n) {
			return d.proxies[i].dataplane, true
		}
	}
	return cluster.Dataplane{}, false
}

// readKubeProxy reads one kube-proxy's settings. A configuration file overrides flags, except --hostname-override (Options.Complete in
// cmd/kube-proxy/app/options.go, v1.20 to v1.37).
func (f *facts) readKubeProxy(source, namespace string, spec *corev1.PodSpec) cluster.Dataplane {
	container := kubeProxyContainer(spec.Containers)
	out := cluster.Dataplane{Name: cluster.KubeProxy, Source: source, Confidence: cluster.Observed}
	setVersion(&out, container.Image, source)
	given := Flags(Words(container))
	configuration := fromFlags(given)
	if name, key, hasConfig := configSource(container, spec.Volumes); hasConfig {
		configuration = nil
		if found := f.configMap(namespace, name); name != "" && found != nil {
			read, err := ParseKubeProxyConfiguration(found.Data[key])
			if err == nil && found.Data[key] != "" {
				configuration = read
				out.Source = fmt.Sprintf("configmap %s/%s", namespace, name)
				if override := given["hostname-override"]; override != "" {
					configuration.HostnameOverride = override
				}
			}
		}
	}
	settle(&out, configuration)
	return out
}

// settle fills mode and settings. Without a configuration, it is only known that kube-proxy runs.
func settle(out *cluster.Dataplane, configuration *KubeProxyConfiguration) {
	if configuration == nil {
		out.Confidence = cluster.Inferred
		return
	}
	mode, isNamed := configuration.mode(out.Version)
	out.Mode = mode
	if !isNamed {
		out.Confidence = cluster.Inferred
	}
	out.KubeProxy = configuration.settings()
}

// fromConfigMap reads kube-proxy's configuration from the ConfigMap in which installers keep it.
func (f *facts) fromConfigMap() (cluster.Dataplane, bool) {
	for _, name := range kubeProxyConfigs {
		for i := range f.ConfigMaps {
			found := &f.ConfigMaps[i]
			if found.Name != name {
				continue
			}
			for _, key := range []string{"config.conf", "config"} {
				if !IsKubeProxyConfiguration(found.Data[key]) {
					continue
				}
				configuration, err := ParseKubeProxyConfiguration(found.Data[key])
				if err != nil {
					continue
				}
				out := cluster.Dataplane{Name: cluster.KubeProxy, Confidence: cluster.Observed, Source: fmt.Sprintf("configmap %s/%s", found.Namespace, found.Name)}
				settle(&out, configuration)
				return out, true
			}
		}
	}
	return cluster.Dataplane{}, false
}

// kubeProxyContainer is the container that is kube-proxy, by its image or its command; nil where there is none.
func kubeProxyContainer(containers []corev1.Container) *corev1.Container {
	for i := range containers {
		container := &containers[i]
		if strings.HasPrefix(ImageName(container.Image), "kube-proxy") {
			return container
		}
		for _, word := range Words(container) {
			if path.Base(word) == "kube-proxy" {
				return container
			}
		}
	}
	return nil
}

// KubeProxyConfiguration has the fields of kubeproxy.config.k8s.io/v1alpha1 that are read.
type KubeProxyConfiguration struct {
	Kind             string          `json:"kind"`
	FeatureGates     map[string]bool `json:"featureGates"`
	HostnameOverride string          `json:"hostnameOverride"`
	BindAddress      string          `json:"bindAddress"`
	Mode             string          `json:"mode"`
	ClusterCIDR      string          `json:"clusterCIDR"`
	DetectLocalMode  string          `json:"detectLocalMode"`
	DetectLocal      struct {
		BridgeInterface     string `json:"bridgeInterface"`
		InterfaceNamePrefix string `json:"interfaceNamePrefix"`
	} `json:"detectLocal"`
	IPTables struct {
		MasqueradeAll      bool  `json:"masqueradeAll"`
		LocalhostNodePorts *bool `json:"localhostNodePorts"`
	} `json:"iptables"`
	NFTables struct {
		MasqueradeAll bool `json:"masqueradeAll"`
	} `json:"nftables"`
	NodePortAddresses []string `json:"nodePortAddresses"`
}

// IsKubeProxyConfiguration says whether a text of a ConfigMap is one.
func IsKubeProxyConfiguration(text string) bool {
	return strings.Contains(text, "KubeProxyConfiguration")
}

// ParseKubeProxyConfiguration reads one, in YAML or JSON. Fields that it leaves out are zero.
func ParseKubeProxyConfiguration(text string) (*KubeProxyConfiguration, error) {
	var out KubeProxyConfiguration
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// fromFlags reads the command line as if it were a configuration file: the two say the same things (cmd/kube-proxy/app/options.go).
func fromFlags(given map[string]string) *KubeProxyConfiguration {
	out := &KubeProxyConfiguration{
		Mode:             given["proxy-mode"],
		ClusterCIDR:      given["cluster-cidr"],
		DetectLocalMode:  given["detect-local-mode"],
		HostnameOverride: given["hostname-override"],
		BindAddress:      given["bind-address"],
	}
	out.DetectLocal.BridgeInterface = given["pod-bridge-interface"]
	out.DetectLocal.InterfaceNamePrefix = given["pod-interface-name-prefix"]
	out.IPTables.MasqueradeAll = isTrue(given["masquerade-all"])
	out.NFTables.MasqueradeAll = out.IPTables.MasqueradeAll
	if value, ok := given["iptables-localhost-nodeports"]; ok {
		keep := isTrue(value)
		out.IPTables.LocalhostNodePorts = &keep
	}
	if value := given["nodeport-addresses"]; value != "" {
		out.NodePortAddresses = strings.Split(value, ",")
	}
	for gate := range strings.SplitSeq(given["feature-gates"], ",") {
		if name, value, ok := strings.Cut(gate, "="); ok {
			if out.FeatureGates == nil {
				out.FeatureGates = map[string]bool{}
			}
			out.FeatureGates[strings.TrimSpace(name)] = isTrue(strings.TrimSpace(value))
		}
	}
	return out
}

// settings settles the defaults of a configuration, for Linux (platformApplyDefaults in cmd/kube-proxy/app/server_linux.go).
func (c *KubeProxyConfiguration) settings() *cluster.KubeProxySettings {
	out := &cluster.KubeProxySettings{
		PodDetection:         cluster.UnknownDetection,
		ClusterCIDRs:         cluster.ParsePrefixes(strings.Split(c.ClusterCIDR, ",")...),
		BridgeInterface:      c.DetectLocal.BridgeInterface,
		InterfacePrefix:      c.DetectLocal.InterfaceNamePrefix,
		MasqueradeAll:        c.IPTables.MasqueradeAll,
		NoLocalhostNodePorts: c.IPTables.LocalhostNodePorts != nil && !*c.IPTables.LocalhostNodePorts,
		FeatureGates:         c.FeatureGates,
	}
	if c.Mode == string(cluster.NFTables) {
		out.MasqueradeAll = c.NFTables.MasqueradeAll
	}
	// A variable is replaced by each node's own name: that overrides nothing.
	if !strings.ContainsAny(c.HostnameOverride, "${") {
		out.HostnameOverride = strings.ToLower(strings.TrimSpace(c.HostnameOverride))
	}
	if text := strings.TrimSpace(c.BindAddress); text != "" {
		address, ok := cluster.ParseAddress(text)
		out.BindAddressUnknown = !ok
		if ok && !address.IsUnspecified() {
			out.BindAddress = address
		}
	}
	switch mode := cluster.PodDetection(c.DetectLocalMode); mode {
	case "", cluster.ClusterCIDR:
		out.PodDetection = cluster.ClusterCIDR
		if len(out.ClusterCIDRs) == 0 {
			out.PodDetection = cluster.NoDetection
		}
		// A cluster CIDR that cannot be read is not the same as none.
		if strings.TrimSpace(c.ClusterCIDR) != "" && len(out.ClusterCIDRs) == 0 {
			out.PodDetection = cluster.UnknownDetection
		}
	case cluster.NodeCIDR, cluster.BridgeInterface, cluster.InterfaceNamePrefix:
		out.PodDetection = mode
	default:
		out.PodDetection = cluster.UnknownDetection
	}
	for _, address := range c.NodePortAddresses {
		switch strings.TrimSpace(address) {
		case "primary":
			out.PrimaryOnly = true
		case "all":
			out.NodePortAddresses = append(out.NodePortAddresses, cluster.ParsePrefixes("0.0.0.0/0", "::/0")...)
		case "localhost":
			out.NodePortAddresses = append(out.NodePortAddresses, cluster.ParsePrefixes("127.0.0.0/8", "::1/128")...)
		default:
			out.NodePortAddresses = append(out.NodePortAddresses, cluster.ParsePrefixes(address)...)
		}
	}
	return out
}

// mode is the proxy mode, and whether the configuration names it. Without a name it is iptables up to v1.39: v1.40 is announced to take nftables
// (the event KubeProxyDefaultMode of v1.37). A mode without rules here (userspace, removed in v1.26) is "".
func (c *KubeProxyConfiguration) mode(version cluster.Version) (mode cluster.ProxyMode, named bool) {
	switch mode := cluster.ProxyMode(c.Mode); mode {
	case cluster.IPTables, cluster.IPVS, cluster.NFTables:
		return mode, true
	case "":
		if version.Known() && !version.Before(1, 40, 0) {
			return "", false
		}
		return cluster.IPTables, false
	}
	return "", false
}

// configSource says where a kube-proxy reads its configuration file from: the ConfigMap its container mounts there, and the key in it.
// The name is "" where it is started with flags alone or from a file of the host.
func configSource(container *corev1.Container, volumes []corev1.Volume) (configMap, key string, hasConfig bool) {
	file := Flags(Words(container))["config"]
	if file == "" {
		return "", "", false
	}
	longest := -1
	for _, mount := range container.VolumeMounts {
		directory := path.Clean(mount.MountPath)
		within := strings.TrimPrefix(path.Clean(file), strings.TrimSuffix(directory, "/")+"/")
		if within == path.Clean(file) || len(directory) <= longest {
			continue
		}
		for _, volume := range volumes {
			if volume.Name != mount.Name {
				continue
			}
			longest, configMap, key = len(directory), "", ""
			if volume.ConfigMap == nil {
				continue
			}
			configMap, key = volume.ConfigMap.Name, within
			for _, item := range volume.ConfigMap.Items {
				if item.Path == within {
					key = item.Key
				}
			}
		}
	}
	return configMap, key, true
}
