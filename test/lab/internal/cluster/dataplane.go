package cluster

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// dataplane runs one data plane on the nodes of a cluster. Each is one file of this package, and one line in dataplanesOf.
type dataplane interface {
	needs(s scenario.Cluster) Needs
	// connects says that it gives pods their network. It then starts before there are Services, and leaves the addresses in Cluster.podIPs.
	connects() bool
	// show creates what the API server of a real cluster with this data plane has in the namespace kube-system.
	show(ctx context.Context, c *Cluster) error
	// configMap is the name of the ConfigMap that show creates.
	configMap() string
	// start starts it on every node.
	start(ctx context.Context, c *Cluster) error
	// rules are what a node is programmed with, as text that stays the same while nobody changes it.
	rules(c *Cluster, node *agent.Agent) (string, error)
	// log is the file in which it says on a node what it does.
	log(c *Cluster, node *agent.Agent) string
	// bridges are the addresses that nodes have towards their pods, each with the one by which the lab numbers it; nil where they are the lab's.
	bridges() map[string]string
}

// Needs are what a cluster needs of the machine on which it is made.
type Needs struct {
	Programs []string // by name
	Targets  []kube.Target
	IPVS     bool // the kernel has ip_vs
	Cgroups  bool // every node has a cgroup of its own
}

// NeedsOf is what a cluster needs, beside its control plane.
func NeedsOf(s scenario.Cluster) Needs {
	var out Needs
	for _, d := range dataplanesOf(s) {
		n := d.needs(s)
		out.Programs = append(out.Programs, n.Programs...)
		out.Targets = append(out.Targets, n.Targets...)
		out.IPVS = out.IPVS || n.IPVS
		out.Cgroups = out.Cgroups || n.Cgroups
	}
	return out
}

// dataplanesOf are the data planes of a scenario, each new: kube-router, Cilium, kube-proxy, or the last two.
func dataplanesOf(s scenario.Cluster) []dataplane {
	var out []dataplane
	if s.Mode == scenario.Cilium {
		out = append(out, newCilium())
	}
	if s.Mode == scenario.KubeRouter {
		out = append(out, kubeRouter{})
	}
	if s.ProxyMode() != "" {
		out = append(out, &kubeProxy{})
	}
	return out
}

// install creates in the namespace kube-system what the API server of a real cluster has there: a ConfigMap, and a DaemonSet with pods of a form.
func (c *Cluster) install(ctx context.Context, cm *corev1.ConfigMap, name string, pod corev1.PodSpec) error {
	api := c.Control.Client
	if _, err := api.CoreV1().ConfigMaps(kubeSystem).Create(ctx, cm, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating ConfigMap %s: %w", cm.Name, err)
	}
	labels := map[string]string{"k8s-app": name}
	set := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
	if _, err := api.AppsV1().DaemonSets(kubeSystem).Create(ctx, set, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating DaemonSet %s: %w", name, err)
	}
	return nil
}
