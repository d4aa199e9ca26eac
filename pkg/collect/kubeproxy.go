package collect

import (
	"net/netip"
	"path"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// kubeProxyConfiguration are the fields of kubeproxy.config.k8s.io/v1alpha1 that decide what a connection meets.
type kubeProxyConfiguration struct {
	Kind             string          `json:"kind"`
	FeatureGates     map[string]bool `json:"featureGates"`
	HostnameOverride string          `json:"hostnameOverride"`
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

func isKubeProxyConfiguration(text string) bool {
	return strings.Contains(text, "KubeProxyConfiguration")
}

func parseKubeProxyConfiguration(text string) (*kubeProxyConfiguration, error) {
	var out kubeProxyConfiguration
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// runsKubeProxy says whether one of the containers is kube-proxy, by its image or its command.
func runsKubeProxy(containers []corev1.Container) bool { return kubeProxyContainer(containers) != nil }

func kubeProxyContainer(containers []corev1.Container) *corev1.Container {
	for i := range containers {
		container := &containers[i]
		if strings.HasPrefix(imageName(container.Image), "kube-proxy") {
			return container
		}
		for _, word := range words(container) {
			if path.Base(word) == "kube-proxy" {
				return container
			}
		}
	}
	return nil
}

// imageName is the last part of an image's path, without tag and digest; imageTag is "" where there is none.
func imageName(image string) string {
	name, _ := splitImage(image)
	return path.Base(name)
}

func imageTag(image string) string {
	_, tag := splitImage(image)
	return tag
}

func splitImage(image string) (name, tag string) {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon], image[colon+1:]
	}
	return image, ""
}

func imageVersion(image string) cluster.Version {
	version, _ := cluster.ParseVersion(imageTag(image))
	return version
}

// words are a container's command and arguments, also where a shell is given all of them in one string.
func words(container *corev1.Container) []string {
	var out []string
	for _, part := range container.Command {
		out = append(out, strings.Fields(part)...)
	}
	for _, part := range container.Args {
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// flags reads --name=value and --name value. A flag without a value is "true".
func flags(words []string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(words); i++ {
		word, ok := strings.CutPrefix(words[i], "--")
		if !ok {
			continue
		}
		name, value, hasValue := strings.Cut(word, "=")
		if !hasValue {
			value = "true"
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				value = words[i+1]
				i++
			}
		}
		out[name] = strings.Trim(value, `"'`)
	}
	return out
}

// fromFlags reads the command line as if it were a configuration file: the two say the same things (cmd/kube-proxy/app/options.go).
func fromFlags(given map[string]string) *kubeProxyConfiguration {
	out := &kubeProxyConfiguration{
		Mode:             given["proxy-mode"],
		ClusterCIDR:      given["cluster-cidr"],
		DetectLocalMode:  given["detect-local-mode"],
		HostnameOverride: given["hostname-override"],
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

func isTrue(s string) bool {
	b, err := strconv.ParseBool(s)
	return err == nil && b
}

// settings settles the defaults of a configuration, for Linux (platformApplyDefaults in cmd/kube-proxy/app/server_linux.go).
func (c *kubeProxyConfiguration) settings() *cluster.KubeProxySettings {
	out := &cluster.KubeProxySettings{
		PodDetection:         cluster.UnknownDetection,
		ClusterCIDRs:         prefixes(strings.Split(c.ClusterCIDR, ",")),
		BridgeInterface:      c.DetectLocal.BridgeInterface,
		InterfacePrefix:      c.DetectLocal.InterfaceNamePrefix,
		MasqueradeAll:        c.IPTables.MasqueradeAll,
		NoLocalhostNodePorts: c.IPTables.LocalhostNodePorts != nil && !*c.IPTables.LocalhostNodePorts,
		FeatureGates:         c.FeatureGates,
	}
	if c.Mode == string(cluster.NFTables) {
		out.MasqueradeAll = c.NFTables.MasqueradeAll
	}
	// A variable stands for each node's own name: that overrides nothing.
	if !strings.ContainsAny(c.HostnameOverride, "${") {
		out.HostnameOverride = strings.ToLower(strings.TrimSpace(c.HostnameOverride))
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
			out.NodePortAddresses = append(out.NodePortAddresses, prefixes([]string{"0.0.0.0/0", "::/0"})...)
		case "localhost":
			out.NodePortAddresses = append(out.NodePortAddresses, prefixes([]string{"127.0.0.0/8", "::1/128"})...)
		default:
			out.NodePortAddresses = append(out.NodePortAddresses, prefixes([]string{address})...)
		}
	}
	return out
}

// mode is the proxy mode, and whether the configuration names it. Without a name it is iptables up to v1.39: v1.40 is announced to take nftables
// (the event KubeProxyDefaultMode of v1.37). A mode of which nothing is known here (userspace, gone since v1.26) is "".
func (c *kubeProxyConfiguration) mode(version cluster.Version) (mode cluster.ProxyMode, named bool) {
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

func prefixes(texts []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
			out = append(out, prefix.Masked())
		}
	}
	return out
}

// configSource says where a kube-proxy reads its configuration file from: the ConfigMap its container mounts there, and the key in it.
// The name is "" where it is started with flags alone or from a file of the host.
func configSource(container *corev1.Container, volumes []corev1.Volume) (configMap, key string, hasConfig bool) {
	file := flags(words(container))["config"]
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
