package read

import (
	"cmp"
	"net/url"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// ciliumMayAnnounce says whether Cilium may announce the Service by L2: it has Cilium's class, Cilium gave its address,
// or Cilium runs and nothing on the Service names another program that gives addresses.
func ciliumMayAnnounce(s *corev1.Service, ciliumNamespace string) bool {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || objects.IsPending(s) {
		return false
	}
	if class := s.Spec.LoadBalancerClass; class != nil {
		return *class == "io.cilium/l2-announcer"
	}
	if slices.ContainsFunc(s.Status.Conditions, func(c metav1.Condition) bool { return c.Type == "cilium.io/IPAMRequestSatisfied" }) {
		return true
	}
	return ciliumNamespace != "" && len(s.Finalizers) == 0 && !metalLBAnnounces(s) && s.Annotations[detect.KubeVIPHost] == "" && s.Annotations["purelb.io/allocated-by"] == ""
}

// metalLBAnnounces says whether MetalLB gave the Service its address.
func metalLBAnnounces(s *corev1.Service) bool {
	return s.Annotations["metallb.io/ip-allocated-from-pool"] != "" || s.Annotations["metallb.universe.tf/ip-allocated-from-pool"] != ""
}

// ciliumNamespace is the namespace of Cilium's DaemonSet, where its agents keep their Leases; "" where none was read.
func ciliumNamespace(sets []appsv1.DaemonSet) string {
	for i := range sets {
		if sets[i].Name == "cilium" {
			return sets[i].Namespace
		}
	}
	return ""
}

// announced are the Services whose announcing node an object may name: those that Cilium may announce by L2, and those
// of MetalLB.
func (r *reading) announced() (cilium, metalLB []objects.Key) {
	for i := range r.objects.Services {
		s := &r.objects.Services[i]
		key := objects.Key{Kind: "Service", Namespace: s.Namespace, Name: s.Name}
		switch {
		case metalLBAnnounces(s):
			metalLB = append(metalLB, key)
		case ciliumMayAnnounce(s, ciliumNamespace(r.objects.DaemonSets)):
			cilium = append(cilium, key)
		}
	}
	return cilium, metalLB
}

// leases reads the Leases by which Cilium's agents elect the nodes that announce these Services. A Service without one
// is not announced by L2, which is no gap.
func (r *reading) leases(of []objects.Key) error {
	const version, kind = "coordination.k8s.io/v1", "Lease"
	namespace := cmp.Or(ciliumNamespace(r.objects.DaemonSets), detect.KubeSystem)
	if len(of) > 1 {
		err := r.unknownKind(api.Path("/apis/"+version, namespace, "leases", ""), nil, version, kind, objects.KeepLease)
		if err != nil {
			return r.gap(cluster.ResourceLeases, "list", namespace, "", err)
		}
		return nil
	}
	var found unstructured.Unstructured
	name := detect.LeaseName(of[0].Namespace, of[0].Name)
	r.count()
	err := r.client.JSON(r.ctx, api.Request{Path: api.Path("/apis/"+version, namespace, "leases", name), Accept: api.JSON}, &found.Object)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return r.gap(cluster.ResourceLeases, "get", namespace, name, err)
	}
	r.other(found, objects.KeepLease)
	return nil
}

// l2Statuses reads which nodes MetalLB announces these Services from. A cluster that does not know the kind has an older
// MetalLB, which is no gap.
func (r *reading) l2Statuses(of []objects.Key) error {
	const version, kind = "metallb.io/v1beta1", "ServiceL2Status"
	parameters := url.Values{}
	if len(of) == 1 {
		parameters.Set("labelSelector", "metallb.io/service-name="+of[0].Name+",metallb.io/service-namespace="+of[0].Namespace)
	}
	err := r.unknownKind(api.Path("/apis/"+version, "", "servicel2statuses", ""), parameters, version, kind, objects.KeepOther)
	if err != nil && !apierrors.IsNotFound(err) {
		return r.gap(cluster.ResourceServiceL2Statuses, "list", "", "", err)
	}
	return nil
}

// unknownKind lists objects of a kind for which there is no Go type here, and keeps those that keep keeps.
func (r *reading) unknownKind(path string, parameters url.Values, version, kind string, keep func(*unstructured.Unstructured) bool) error {
	return api.FirstPages(parameters, func(page url.Values) (*api.Page, error) {
		var list struct {
			metav1.ListMeta `json:"metadata"`
			Items           []map[string]any `json:"items"`
		}
		r.count()
		if err := r.client.JSON(r.ctx, api.Request{Path: path, Accept: api.JSON, Parameters: page}, &list); err != nil {
			return nil, err
		}
		return api.NewPage(&list.ListMeta, func() error {
			for _, item := range list.Items {
				u := unstructured.Unstructured{Object: item}
				// The items of a list do not repeat their type.
				u.SetAPIVersion(version)
				u.SetKind(kind)
				r.other(u, keep)
			}
			return nil
		}), nil
	})
}

// other stores an object that keep keeps.
func (r *reading) other(u unstructured.Unstructured, keep func(*unstructured.Unstructured) bool) {
	if !keep(&u) {
		return
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.Others = append(r.objects.Others, u)
}
