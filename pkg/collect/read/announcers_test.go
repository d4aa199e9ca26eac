package read

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Lease is asked for where Cilium may announce the Service: it says so itself, or Cilium runs and nothing on the
// Service names another program.
func TestCiliumMayAnnounce(t *testing.T) {
	namespace := ciliumNamespace([]appsv1.DaemonSet{{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"}}, {ObjectMeta: metav1.ObjectMeta{Namespace: "net", Name: "cilium"}}})
	if namespace != "net" {
		t.Errorf("Cilium's namespace is %q", namespace)
	}
	own, other := "io.cilium/l2-announcer", "io.cilium/bgp-control-plane"
	address := []corev1.LoadBalancerIngress{{IP: "203.0.113.7"}}
	for name, c := range map[string]struct {
		service   corev1.Service
		namespace string
		want      bool
	}{
		"no address":               {service: corev1.Service{}, namespace: namespace},
		"Cilium runs":              {service: corev1.Service{Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: address}}}, namespace: namespace, want: true},
		"Cilium is not known":      {service: corev1.Service{Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: address}}}},
		"its class":                {service: corev1.Service{Spec: corev1.ServiceSpec{LoadBalancerClass: &own}, Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: address}}}, want: true},
		"its class for BGP":        {service: corev1.Service{Spec: corev1.ServiceSpec{LoadBalancerClass: &other}, Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: address}}}, namespace: namespace},
		"MetalLB gave the address": {service: corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"metallb.io/ip-allocated-from-pool": "x"}}, Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: address}}}, namespace: namespace},
		"a cloud gave the address": {service: corev1.Service{ObjectMeta: metav1.ObjectMeta{Finalizers: []string{"service.kubernetes.io/load-balancer-cleanup"}}, Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: address}}}, namespace: namespace},
		"Cilium's LB-IPAM gave the address": {service: corev1.Service{Status: corev1.ServiceStatus{
			Conditions: []metav1.Condition{{Type: "cilium.io/IPAMRequestSatisfied"}}, LoadBalancer: corev1.LoadBalancerStatus{Ingress: address},
		}}, want: true},
	} {
		c.service.Spec.Type = corev1.ServiceTypeLoadBalancer
		if got := ciliumMayAnnounce(&c.service, c.namespace); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
