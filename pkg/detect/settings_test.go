package detect

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

var equalPrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// TestCiliumMasquerade: what pods send to other nodes is masqueraded in tunnel mode, and what limits that.
func TestCiliumMasquerade(t *testing.T) {
	node := &corev1.Node{Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.168.0.1"}}}}
	for _, tt := range []struct {
		name string
		data map[string]string
		want cluster.Tristate
	}{
		{"tunnel", map[string]string{"routing-mode": "tunnel"}, cluster.Yes},
		{"native", map[string]string{"routing-mode": "native", "egress-masquerade-interfaces": "eth0"}, cluster.No},
		{"some interfaces only", map[string]string{"routing-mode": "tunnel", "egress-masquerade-interfaces": "eth0"}, cluster.Undetermined},
		{"ip-masq-agent", map[string]string{"routing-mode": "tunnel", "enable-bpf-masquerade": "true", "enable-ip-masq-agent": "true"}, cluster.Undetermined},
		{"to nodes too", map[string]string{"routing-mode": "native", "enable-bpf-masquerade": "true", "enable-remote-node-masquerade": "true"}, cluster.Yes},
		{
			"to nodes, by ip-masq-agent",
			map[string]string{"routing-mode": "tunnel", "enable-bpf-masquerade": "true", "enable-remote-node-masquerade": "true", "enable-ip-masq-agent": "true"},
			cluster.Undetermined,
		},
		{"a native range of pods", map[string]string{"routing-mode": "tunnel", "ipv4-native-routing-cidr": "10.0.0.0/8"}, cluster.Yes},
		{"a native range with the nodes", map[string]string{"routing-mode": "tunnel", "ipv4-native-routing-cidr": "192.168.0.0/16"}, cluster.Undetermined},
	} {
		config := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ciliumConfig, Namespace: KubeSystem}, Data: tt.data}
		f := newFacts(registry, &Objects{Nodes: []*corev1.Node{node}, ConfigMaps: []corev1.ConfigMap{config}})
		if got := f.ciliumMasquerade(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCiliumSettings(t *testing.T) {
	for _, tt := range []struct {
		name string
		data map[string]string
		want cluster.CiliumSettings
	}{
		{"defaults", map[string]string{}, cluster.CiliumSettings{Mode: "snat", Tunnel: true}},
		{
			"what the chart writes by default",
			map[string]string{
				"bpf-lb-sock": "false", "bpf-lb-sock-hostns-only": "false", "bpf-lb-mode": "snat", "enable-bpf-masquerade": "false", "enable-ipv4-masquerade": "true",
				"enable-endpoint-routes": "false", "enable-no-service-endpoints-routable": "true", "service-no-backend-response": "reject",
				"routing-mode": "tunnel",
			},
			cluster.CiliumSettings{Mode: "snat", Tunnel: true},
		},
		{
			"the other way about",
			map[string]string{
				"bpf-lb-sock": "true", "bpf-lb-sock-hostns-only": "true", "bpf-lb-mode": "hybrid", "enable-bpf-masquerade": "true", "enable-ipv4-masquerade": "false",
				"enable-endpoint-routes": "true", "enable-no-service-endpoints-routable": "false", "service-no-backend-response": "drop", "enable-sctp": "true",
				"enable-service-topology": "true", "bpf-lb-mode-annotation": "true", "disable-external-ip-mitigation": "true",
				"routing-mode": "native",
			},
			cluster.CiliumSettings{
				Mode: "hybrid", ModeAnnotation: true, DropsWithoutBackend: true, RoutesWithoutBackend: true, SocketLoadBalancing: true, HostSocketsOnly: true,
				PerPacket: true, SCTP: true, BPFMasquerade: true, NoMasquerade: true, EndpointRoutes: true, ServiceTopology: true, OpenExternalIPs: true,
			},
		},
		{
			"node ports",
			map[string]string{"tunnel": "disabled", "node-port-range": "20000,22767", "nodeport-addresses": "192.168.0.0/16 10.0.0.0/8", "enable-svc-source-range-check": "false"},
			cluster.CiliumSettings{
				Mode: "snat", FirstNodePort: 20000, LastNodePort: 22767, NoSourceRanges: true,
				NodePortAddresses: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("10.0.0.0/8")},
			},
		},
		{"Gateway API", map[string]string{"enable-gateway-api": "true", "cni-chaining-mode": "aws-cni"}, cluster.CiliumSettings{Mode: "snat", PerPacket: true}},
	} {
		if diff := cmp.Diff(&tt.want, ciliumSettings(tt.data), equalPrefixes); diff != "" {
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

// TestWeave: what Weave Net does with the addresses of clients that are not pods, by its release and its variable.
func TestWeave(t *testing.T) {
	for _, tt := range []struct {
		tag, variable string
		want          bool
	}{
		{"2.8.1", "", false},
		{"2.8.1", "0", true},
		{"2.8.1", "1", false},
		{"2.7.0", "", false},
		{"2.6.5", "", true},
		{"2.6.5", "1", false},
		{"2.6.5", "0", false},
		{"latest", "", true},
		{"latest", "0", true},
		{"latest", "1", false},
	} {
		container := corev1.Container{Name: "weave", Image: "weaveworks/weave-kube:" + tt.tag, Env: []corev1.EnvVar{{Name: "NO_MASQ_LOCAL", Value: tt.variable}}}
		if tt.variable == "" {
			container.Env = nil
		}
		weave, proxy := appsv1.DaemonSet{}, appsv1.DaemonSet{}
		weave.Name, weave.Namespace = "weave-net", KubeSystem
		weave.Spec.Template.Spec.Containers = []corev1.Container{container, {Name: "weave-npc", Image: "weaveworks/weave-npc:2.0.0"}}
		proxy.Name, proxy.Namespace = "kube-proxy", KubeSystem
		proxy.Spec.Template.Spec.Containers = []corev1.Container{{Name: "kube-proxy", Image: "registry.k8s.io/kube-proxy:v1.32.0", Command: []string{"kube-proxy"}}}
		got, _ := Detect(&Objects{DaemonSets: []appsv1.DaemonSet{weave, proxy}, Nodes: []*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}}, nil)
		if got.Name != cluster.KubeProxy || got.PodMasquerade != cluster.Yes || got.MayMasqueradeClients != tt.want {
			t.Errorf("image %s, variable %q: %+v", tt.tag, tt.variable, got)
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
