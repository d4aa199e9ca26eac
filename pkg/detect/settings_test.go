package detect

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

func TestCiliumSettings(t *testing.T) {
	for _, tt := range []struct {
		name string
		data map[string]string
		want cluster.CiliumSettings
	}{
		{"defaults", map[string]string{}, cluster.CiliumSettings{Mode: "snat"}},
		{
			"what the chart writes by default",
			map[string]string{
				"bpf-lb-sock": "false", "bpf-lb-sock-hostns-only": "false", "bpf-lb-mode": "snat", "enable-bpf-masquerade": "false", "enable-ipv4-masquerade": "true",
				"enable-endpoint-routes": "false", "enable-no-service-endpoints-routable": "true", "service-no-backend-response": "reject",
			},
			cluster.CiliumSettings{Mode: "snat"},
		},
		{
			"the other way about",
			map[string]string{
				"bpf-lb-sock": "true", "bpf-lb-sock-hostns-only": "true", "bpf-lb-mode": "hybrid", "enable-bpf-masquerade": "true", "enable-ipv4-masquerade": "false",
				"enable-endpoint-routes": "true", "enable-no-service-endpoints-routable": "false", "service-no-backend-response": "drop", "enable-sctp": "true",
				"enable-service-topology": "true", "bpf-lb-mode-annotation": "true", "disable-external-ip-mitigation": "true",
			},
			cluster.CiliumSettings{
				Mode: "hybrid", ModeAnnotation: true, DropsWithoutBackend: true, RoutesWithoutBackend: true, SocketLoadBalancing: true, HostSocketsOnly: true,
				PerPacket: true, SCTP: true, BPFMasquerade: true, NoMasquerade: true, EndpointRoutes: true, ServiceTopology: true, OpenExternalIPs: true,
			},
		},
		{"Gateway API", map[string]string{"enable-gateway-api": "true"}, cluster.CiliumSettings{Mode: "snat", PerPacket: true}},
	} {
		if diff := cmp.Diff(&tt.want, ciliumSettings(tt.data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		for key := range tt.data {
			kept := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ciliumConfig}, Data: map[string]string{key: "x"}}
			if KeepConfigMap(&kept); kept.Data[key] != "x" {
				t.Errorf("%s is read, and not kept", key)
			}
		}
	}
}

func TestConnectTime(t *testing.T) {
	for _, tt := range []struct {
		spec map[string]any
		want string
	}{
		{map[string]any{}, ""},
		{map[string]any{"bpfConnectTimeLoadBalancing": "Disabled"}, "Disabled"},
		{map[string]any{"bpfConnectTimeLoadBalancingEnabled": true, "bpfConnectTimeLoadBalancing": "TCP"}, "Enabled"},
		{map[string]any{"bpfConnectTimeLoadBalancingEnabled": false}, "Disabled"},
	} {
		felix := &unstructured.Unstructured{Object: map[string]any{"kind": "FelixConfiguration", "metadata": map[string]any{"name": "default"}, "spec": tt.spec}}
		if got := connectTime(felix); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.spec, got, tt.want)
		}
	}
}

// TestAntreaBesideKubeProxy holds who is said to serve Services where Antrea and kube-proxy both run.
func TestAntreaBesideKubeProxy(t *testing.T) {
	set := func(name, image string) appsv1.DaemonSet {
		d := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: KubeSystem, Name: name}}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: name, Image: image, Command: []string{"/usr/local/bin/kube-proxy", "--proxy-mode=iptables"}}}
		return d
	}
	agent, proxy := set("antrea-agent", "antrea/antrea-agent-ubuntu:v2.0.1"), set("kube-proxy", "registry.k8s.io/kube-proxy:v1.32.0")
	agent.Spec.Template.Spec.Containers[0].Command = nil
	for _, tt := range []struct {
		name, conf string
		want       cluster.DataplaneName
		antrea     *cluster.AntreaSettings
	}{
		{"proxyAll", "antreaProxy: {proxyAll: true}", cluster.Antrea, &cluster.AntreaSettings{BesideKubeProxy: true}},
		{"for pods", "trafficEncapMode: networkPolicyOnly", cluster.KubeProxy, &cluster.AntreaSettings{Version: imageVersion(":v2.0.1"), PolicyOnly: true}},
		{"not for load balancer IPs", "antreaProxy: {proxyLoadBalancerIPs: false}", cluster.KubeProxy, &cluster.AntreaSettings{Version: imageVersion(":v2.0.1"), NoLoadBalancerIPs: true}},
		{"switched off", "antreaProxy: {enable: false}", cluster.KubeProxy, nil},
		{"not read", "", cluster.UnknownDataplane, nil},
	} {
		objects := &Objects{DaemonSets: []appsv1.DaemonSet{agent, proxy}, Nodes: []*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}}
		if tt.conf != "" {
			objects.ConfigMaps = []corev1.ConfigMap{{
				ObjectMeta: metav1.ObjectMeta{Namespace: KubeSystem, Name: "antrea-config"}, Data: map[string]string{AntreaConfKey: tt.conf},
			}}
		}
		got, _ := Detect(objects, nil)
		if got.Name != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got.Name, tt.want)
		}
		if diff := cmp.Diff(tt.antrea, got.Antrea); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestRegistry adds a data plane that exists only here: its entry is enough to recognise it, to read its settings and to decide about nodes.
func TestRegistry(t *testing.T) {
	own := program{
		name: "own", planes: []cluster.DataplaneName{"own"}, recognise: named("own-agent"), labels: []string{"own/off"},
		configMaps: func(d *appsv1.DaemonSet) []Reference { return configMapIn(d.Namespace, "own-config") },
		plane: func(d *detector, n *corev1.Node) (cluster.Dataplane, bool) {
			set := d.first("own")
			if set == nil || n.Labels["own/off"] != "" {
				return cluster.Dataplane{}, false
			}
			found := d.configMap(set.Namespace, "own-config")
			return cluster.Dataplane{Name: "own", Source: found.Data["source"], Confidence: cluster.Observed}, true
		},
		podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) { return cluster.Yes, f.has("own") },
	}
	node := func(name, off string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"own/off": off}}}
	}
	o := &Objects{
		Nodes:      []*corev1.Node{node("a", ""), node("b", "x"), node("c", "")},
		DaemonSets: []appsv1.DaemonSet{{ObjectMeta: metav1.ObjectMeta{Namespace: "own", Name: "own-agent"}}},
		ConfigMaps: []corev1.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Namespace: "own", Name: "own-config"}, Data: map[string]string{"source": "its ConfigMap"}}},
		Complete:   true,
	}
	most, each := detect(append(slices.Clone(registry), own), o, nil)
	if want := (cluster.Dataplane{Name: "own", Source: "its ConfigMap", Confidence: cluster.Observed, PodMasquerade: cluster.Yes}); !cmp.Equal(most, want) {
		t.Errorf("most nodes: %+v, want %+v", most, want)
	}
	if each[0] != nil || each[2] != nil || each[1] == nil || each[1].Name != cluster.UnknownDataplane {
		t.Errorf("nodes: %+v", each)
	}
}

// TestRegistryIsConsistent: names are unique, every entry with a decision names the data planes that it may return, and detection finds every data plane there is.
func TestRegistryIsConsistent(t *testing.T) {
	seen := map[programName]bool{}
	for i := range registry {
		p := &registry[i]
		if seen[p.name] {
			t.Errorf("%s is there twice", p.name)
		}
		seen[p.name] = true
		if p.plane == nil && len(p.planes) > 0 {
			t.Errorf("%s names data planes, and decides about none", p.name)
		}
	}
	for _, name := range []cluster.DataplaneName{
		cluster.KubeProxy, cluster.Cilium, cluster.CalicoEBPF, cluster.Antrea, cluster.OVNKubernetes, cluster.KubeRouter, cluster.Windows,
	} {
		if !slices.Contains(Planes(), name) {
			t.Errorf("no program finds %s", name)
		}
	}
}
