package objects_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

func lease(namespace, name, holder string) unstructured.Unstructured {
	return unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"namespace": namespace, "name": name},
		"spec": map[string]any{"holderIdentity": holder, "leaseDurationSeconds": int64(15)},
	}}
}

func l2Status(service, node string) unstructured.Unstructured {
	return unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status", "metadata": map[string]any{"namespace": "metallb-system", "name": "l2-1"},
		"status": map[string]any{"node": node, "serviceName": service, "serviceNamespace": "shop"},
	}}
}

func kubeVIP(environment ...corev1.EnvVar) appsv1.DaemonSet {
	set := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-vip-ds"}}
	set.Spec.Template.Spec.Containers = []corev1.Container{
		{Name: "other", Image: "registry.example/other:v1"}, {Name: "vip", Image: "ghcr.io/kube-vip/kube-vip:v0.7.2", Env: environment, Args: []string{"manager"}},
	}
	return set
}

// The node that announces is the one that the object of this Service names, and no other's.
func TestAnnouncers(t *testing.T) {
	arp, bgp := corev1.EnvVar{Name: "vip_arp", Value: "true"}, corev1.EnvVar{Name: "bgp_enable", Value: "true"}
	for name, c := range map[string]struct {
		others      []unstructured.Unstructured
		sets        []appsv1.DaemonSet
		annotations map[string]string
		want        string
	}{
		"nothing":                           {},
		"a Lease":                           {others: []unstructured.Unstructured{lease("kube-system", "cilium-l2announce-shop-web", "a")}, want: "a cilium lease kube-system/cilium-l2announce-shop-web"},
		"a Lease that nobody holds":         {others: []unstructured.Unstructured{lease("kube-system", "cilium-l2announce-shop-web", "")}},
		"the Lease of another Service":      {others: []unstructured.Unstructured{lease("kube-system", "cilium-l2announce-shop-web-2", "a")}},
		"a ServiceL2Status":                 {others: []unstructured.Unstructured{l2Status("web", "b")}, want: "b metallb servicel2status metallb-system/l2-1"},
		"the status of another Service":     {others: []unstructured.Unstructured{l2Status("api", "b")}},
		"kube-vip by ARP":                   {sets: []appsv1.DaemonSet{kubeVIP(arp)}, annotations: map[string]string{"kube-vip.io/vipHost": "c"}, want: "c kube-vip annotation kube-vip.io/vipHost, and vip_arp of daemonset kube-system/kube-vip-ds"},
		"kube-vip by BGP":                   {sets: []appsv1.DaemonSet{kubeVIP(arp, bgp)}, annotations: map[string]string{"kube-vip.io/vipHost": "c"}},
		"kube-vip, in static pods perhaps":  {annotations: map[string]string{"kube-vip.io/vipHost": "c"}},
		"kube-vip runs for something else":  {sets: []appsv1.DaemonSet{kubeVIP(arp)}},
		"kube-vip's mode is not in the set": {sets: []appsv1.DaemonSet{kubeVIP()}, annotations: map[string]string{"kube-vip.io/vipHost": "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := &objects.Objects{Services: []corev1.Service{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: c.annotations}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer},
			}}}
			for i := range c.others {
				// What is kept must be enough.
				keep := objects.KeepOther
				if c.others[i].GetKind() == "Lease" {
					keep = objects.KeepLease
				}
				if keep(&c.others[i]) {
					o.Others = append(o.Others, c.others[i])
				}
			}
			for i := range c.sets {
				if detect.KeepDaemonSet(&c.sets[i]) {
					o.DaemonSets = append(o.DaemonSets, c.sets[i])
				}
			}
			s, err := o.Snapshot(objects.Query{AllNamespaces: true})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, a := range s.Services[0].Announcers {
				got += a.Node + " " + a.By + " " + a.Source
			}
			if got != c.want {
				t.Errorf("announced by %q, want %q", got, c.want)
			}
		})
	}
}

// Of kube-vip's DaemonSet only what says how it announces is kept, and of Leases only Cilium's.
func TestKeptOfAnnouncers(t *testing.T) {
	set := kubeVIP(corev1.EnvVar{Name: "vip_arp", Value: "true"}, corev1.EnvVar{Name: "bgp_peerpass", Value: "secret"})
	if !detect.KeepDaemonSet(&set) {
		t.Fatal("kube-vip's DaemonSet is not kept")
	}
	containers := set.Spec.Template.Spec.Containers
	if len(containers) != 1 || len(containers[0].Env) != 1 || containers[0].Env[0].Name != "vip_arp" || containers[0].Args != nil {
		t.Errorf("kept %+v", containers)
	}
	node := lease("kube-node-lease", "node-a", "node-a")
	if objects.KeepLease(&node) {
		t.Error("the Lease of a node is kept")
	}
	cilium := lease("kube-system", "cilium-l2announce-shop-web", "a")
	if !objects.KeepLease(&cilium) {
		t.Fatal("Cilium's Lease is not kept")
	}
	if spec, _, _ := unstructured.NestedMap(cilium.Object, "spec"); len(spec) != 1 {
		t.Errorf("kept %v", spec)
	}
}
