package surroundings

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
)

// ingresses finds the Ingresses that publish an address of the Service.
func (w *walk) ingresses() error {
	return w.list(cluster.ResourceIngresses, "/apis/networking.k8s.io/v1", "", nil, func(r api.Request) (*api.Page, error) {
		var page networkingv1.IngressList
		if err := w.client.Into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return api.NewPage(&page.ListMeta, func() error {
			for i := range page.Items {
				from := &page.Items[i]
				if !slices.ContainsFunc(from.Status.LoadBalancer.Ingress, func(e networkingv1.IngressLoadBalancerIngress) bool { return w.published(e.IP, e.Hostname) }) {
					continue
				}
				to := cluster.IngressObject{Namespace: from.Namespace, Name: from.Name, Annotations: from.Annotations}
				delete(to.Annotations, corev1.LastAppliedConfigAnnotation)
				for _, rule := range from.Spec.Rules {
					if rule.Host != "" && !slices.Contains(to.Hosts, rule.Host) {
						to.Hosts = append(to.Hosts, rule.Host)
					}
				}
				add(w, &w.out.Ingresses, to)
			}
			return nil
		}), nil
	})
}

// published says whether an address or a name is one of the Service's load balancer.
func (w *walk) published(ip, hostname string) bool {
	address, _ := cluster.ParseAddress(ip)
	return slices.ContainsFunc(w.service.Ingress, func(in cluster.Ingress) bool {
		return address != netip.Addr{} && in.IP == address || hostname != "" && in.Hostname == hostname
	})
}

// sharers finds the other Services with an address of the Service's.
func (w *walk) sharers() error {
	return w.list(cluster.ResourceServices, "/api/v1", "", nil, func(r api.Request) (*api.Page, error) {
		var page corev1.ServiceList
		if err := w.client.Into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return api.NewPage(&page.ListMeta, func() error {
			for i := range page.Items {
				from := &page.Items[i]
				if from.Spec.Type != corev1.ServiceTypeLoadBalancer || from.Namespace == w.service.Namespace && from.Name == w.service.Name {
					continue
				}
				if slices.ContainsFunc(from.Status.LoadBalancer.Ingress, func(e corev1.LoadBalancerIngress) bool { return w.published(e.IP, e.Hostname) }) {
					add(w, &w.out.Sharers, cluster.Sharer{
						Namespace: from.Namespace, Name: from.Name, ExternalTrafficPolicy: cluster.Policy(cmp.Or(from.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)),
					})
				}
			}
			return nil
		}), nil
	})
}
