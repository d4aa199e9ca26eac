package cluster

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// kubeRouter is kube-router: its service proxy, and its router where it is not turned off. v2.1.0 is the only release that can be had as a module. It has known
// vulnerabilities, and is for the lab only.
//
// The lab makes the pods' network, as the bridge plugin does in a real cluster. kube-router's network policies do not run: the lab has none.
type kubeRouter struct{}

func (kubeRouter) needs(s scenario.Cluster) Needs {
	return Needs{
		Programs: []string{"iptables", "ip6tables", "ipset", "ipvsadm", "ip", "nft"}, Targets: []kube.Target{{Name: "kube-router", Version: s.Version}}, IPVS: true,
	}
}

func (kubeRouter) connects() bool { return false }

func (kubeRouter) configMap() string { return "kube-router-cfg" }

func (kubeRouter) bridges() map[string]string { return nil }

// flags are kube-router's, sorted.
func (kubeRouter) flags(s scenario.Cluster) []string {
	values := map[string]any{
		"run-router": "true", "run-firewall": "false", "run-service-proxy": "true", "service-cluster-ip-range": "10.96.0.0/16",
		"service-external-ip-range": "203.0.113.0/24", "health-port": "10256",
	}
	maps.Copy(values, s.Settings)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, fmt.Sprintf("--%s=%v", name, values[name]))
	}
	return out
}

// show is what kube-router's manifest for kubeadm installs.
func (k kubeRouter) show(ctx context.Context, c *Cluster) error {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: k.configMap()}, Data: map[string]string{
		"cni-conf.json": `{"cniVersion": "0.3.0", "name": "mynet", "plugins": [{"name": "kubernetes", "type": "bridge", "bridge": "kube-bridge", "isDefaultGateway": true, "ipam": {"type": "host-local"}}]}`,
	}}
	return c.install(ctx, cm, "kube-router", corev1.PodSpec{
		HostNetwork: true,
		Containers: []corev1.Container{{
			Name: "kube-router", Image: "docker.io/cloudnativelabs/kube-router:" + c.Scenario.Version, Args: k.flags(c.Scenario),
			Env: []corev1.EnvVar{{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}},
		}},
	})
}

func (k kubeRouter) start(_ context.Context, c *Cluster) error {
	binary, err := kube.Binary("kube-router", c.Scenario.Version)
	if err != nil {
		return err
	}
	for i, node := range c.Network.Nodes {
		// kube-router names routing tables in a file; on this machine, /run is the node's own and /etc is not.
		if _, err := node.Run("", "cp", "-r", "/etc/iproute2", "/run/iproute2"); err != nil {
			return err
		}
		if _, err := node.Run("", "mount", "--bind", "/run/iproute2", "/etc/iproute2"); err != nil {
			return err
		}
		args := append([]string{binary}, k.flags(c.Scenario)...)
		// The lab connects pods, so there is no configuration of a CNI plugin to write.
		args = append(args, "--kubeconfig="+filepath.Join(c.dir, "kubeconfig"), "--hostname-override="+nodeName(i+1), "--enable-cni=false", "--v=1")
		if err := node.Launch(agent.Process{Name: "kube-router", Args: args, Log: k.log(c, node)}); err != nil {
			return fmt.Errorf("starting kube-router: %w", err)
		}
	}
	return nil
}

func (kubeRouter) rules(_ *Cluster, node *agent.Agent) (string, error) {
	var out strings.Builder
	for _, command := range [][]string{
		{"iptables-save"}, {"ip6tables-save"}, {"ipset", "save", "-sorted"}, {"ipvsadm", "-Sn"}, {"ip", "-brief", "address"}, {"ip", "route", "show", "table", "all"},
	} {
		text, err := node.Run("", command...)
		if err != nil {
			return "", err
		}
		out.WriteString(counters.ReplaceAllString(text, ""))
	}
	return out.String(), nil
}

func (kubeRouter) log(c *Cluster, node *agent.Agent) string {
	return filepath.Join(c.dir, "kube-router-"+node.Name+".log")
}
