package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// kubeProxy is kube-proxy in each of its modes.
type kubeProxy struct {
	config string // KubeProxyConfiguration
}

func (p *kubeProxy) needs(s scenario.Cluster) Needs {
	programs := map[string][]string{
		"iptables": {"iptables", "ip6tables", "conntrack", "nft"}, "nftables": {"nft", "conntrack"}, "ipvs": {"iptables", "ipset", "ipvsadm", "conntrack", "nft"},
	}
	return Needs{Programs: programs[s.ProxyMode()], Targets: []kube.Target{{Name: "kube-proxy", Version: s.KubeProxy()}}, IPVS: s.ProxyMode() == "ipvs"}
}

func (p *kubeProxy) connects() bool { return false }

func (p *kubeProxy) configMap() string { return "kube-proxy" }

func (p *kubeProxy) bridges() map[string]string { return nil }

// configuration is the configuration of kube-proxy as a file.
func (p *kubeProxy) configuration(c *Cluster) (string, error) {
	cidr := "10.244.0.0/16,fd00:244::/56"
	if c.Scenario.IPv4 {
		cidr = "10.244.0.0/16"
	}
	config := map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": c.Scenario.ProxyMode(), "clusterCIDR": cidr,
		"clientConnection":   map[string]any{"kubeconfig": filepath.Join(c.dir, "kubeconfig")},
		"bindAddress":        "0.0.0.0",
		"healthzBindAddress": "0.0.0.0:10256", "metricsBindAddress": "0.0.0.0:10249",
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0},
	}
	if c.Scenario.ProxyMode() == "ipvs" {
		// Programming everything again, as it would every half minute, takes longer than that where the kernel is emulated.
		config["ipvs"] = map[string]any{"strictARP": true, "syncPeriod": "1h0m0s"}
	}
	settings := c.Scenario.Settings
	if c.Scenario.OwnVersion() != "" {
		settings = nil // those of the data plane beside which it runs
	}
	for k, v := range settings {
		old, isMap := config[k].(map[string]any)
		if add, ok := v.(map[string]any); ok && isMap {
			maps.Copy(old, add)
			continue
		}
		config[k] = v
		if v == nil {
			delete(config, k)
		}
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("writing kube-proxy's configuration: %w", err)
	}
	return string(data), nil
}

// show is what kubeadm installs.
func (p *kubeProxy) show(ctx context.Context, c *Cluster) (err error) {
	if p.config, err = p.configuration(c); err != nil {
		return err
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kube-proxy", Labels: map[string]string{"app": "kube-proxy"}}, Data: map[string]string{"config.conf": p.config}}
	return c.install(ctx, cm, "kube-proxy", corev1.PodSpec{
		HostNetwork: true, NodeSelector: map[string]string{"kubernetes.io/os": "linux"},
		Containers: []corev1.Container{{
			Name: "kube-proxy", Image: "registry.k8s.io/kube-proxy:" + c.Scenario.KubeProxy(),
			Command:      []string{"/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf", "--hostname-override=$(NODE_NAME)"},
			Env:          []corev1.EnvVar{{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}},
			VolumeMounts: []corev1.VolumeMount{{Name: "kube-proxy", MountPath: "/var/lib/kube-proxy"}},
		}},
		Volumes: []corev1.Volume{{Name: "kube-proxy", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-proxy"}},
		}}},
	})
}

// kubeletChains are the chains by which the kubelet drops what kube-proxy before 1.25 marks.
const kubeletChains = `*nat
:KUBE-MARK-DROP - [0:0]
-A KUBE-MARK-DROP -j MARK --or-mark 0x8000
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
COMMIT
`

func (p *kubeProxy) start(_ context.Context, c *Cluster) error {
	binary, err := kube.Binary("kube-proxy", c.Scenario.KubeProxy())
	if err != nil {
		return err
	}
	path := filepath.Join(c.dir, "config.conf")
	if err := os.WriteFile(path, []byte(p.config), 0o644); err != nil {
		return fmt.Errorf("writing kube-proxy's configuration: %w", err)
	}
	for i, node := range c.Network.Nodes {
		if scenario.Before(c.Scenario.KubeProxy(), 25) && c.Scenario.ProxyMode() != "nftables" {
			_, e4 := node.Run(kubeletChains, "iptables-restore", "--noflush")
			_, e6 := node.Run(kubeletChains, "ip6tables-restore", "--noflush")
			if err := errors.Join(e4, e6); err != nil {
				return fmt.Errorf("laying the kubelet's chains: %w", err)
			}
		}
		name := nodeName(i + 1)
		if other := c.Scenario.Hostnames[name]; other != "" {
			name = other
		}
		err := node.Launch(agent.Process{Name: "kube-proxy", Args: []string{binary, "--config=" + path, "--hostname-override=" + name}, Log: p.log(c, node)})
		if err != nil {
			return fmt.Errorf("starting kube-proxy: %w", err)
		}
	}
	return nil
}

func (p *kubeProxy) log(c *Cluster, node *agent.Agent) string {
	return filepath.Join(c.dir, "kube-proxy-"+node.Name+".log")
}

// counters are what changes in rules without their being changed.
var counters = regexp.MustCompile(`(?m)^#.*$|\[\d+:\d+\]|packets \d+ bytes \d+|\d+s timeout|expires \S+|timeout \S+`)

func (p *kubeProxy) rules(c *Cluster, node *agent.Agent) (string, error) {
	commands := map[string][][]string{
		"iptables": {{"iptables-save"}, {"ip6tables-save"}},
		"nftables": {{"nft", "--stateless", "list", "ruleset"}},
		"ipvs":     {{"iptables-save"}, {"ip6tables-save"}, {"ipset", "save", "-sorted"}, {"ipvsadm", "-Sn"}, {"ip", "-brief", "address"}},
	}
	var out strings.Builder
	for _, command := range commands[c.Scenario.ProxyMode()] {
		text, err := node.Run("", command...)
		if err != nil {
			return "", err
		}
		out.WriteString(counters.ReplaceAllString(text, ""))
	}
	return out.String(), nil
}
