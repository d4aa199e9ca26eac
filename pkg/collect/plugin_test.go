package collect

import (
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
			if trimConfigMap(&kept); kept.Data[key] != "x" {
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
		trimOther(felix)
		if got := connectTime(felix); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.spec, got, tt.want)
		}
	}
}

// TestAntreaBesideKubeProxy holds who is said to serve Services where Antrea and kube-proxy both run.
func TestAntreaBesideKubeProxy(t *testing.T) {
	set := func(name, image string) appsv1.DaemonSet {
		d := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: kubeSystem, Name: name}}
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
		objects := &Objects{DaemonSets: []appsv1.DaemonSet{agent, proxy}}
		if tt.conf != "" {
			objects.ConfigMaps = []corev1.ConfigMap{{
				ObjectMeta: metav1.ObjectMeta{Namespace: kubeSystem, Name: "antrea-config"}, Data: map[string]string{antreaConfKey: tt.conf},
			}}
		}
		got := newDetector(objects).linux(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}})
		if got.Name != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got.Name, tt.want)
		}
		if diff := cmp.Diff(tt.antrea, got.Antrea); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
