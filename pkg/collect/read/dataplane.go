package read

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// daemonSets lists those of all namespaces: a data plane may have a namespace of its own. Where that is forbidden, those of kube-system are listed, and later those of
// likely namespaces, as far as the budget allows.
func (r *reading) daemonSets() error {
	err := r.listDaemonSets("")
	if err == nil {
		return nil
	}
	if failed := r.gap(cluster.ResourceDaemonSets, "list", "", "", err); failed != nil || !apierrors.IsForbidden(err) {
		return failed
	}
	if err := r.listDaemonSets(detect.KubeSystem); err != nil {
		return r.gap(cluster.ResourceDaemonSets, "list", detect.KubeSystem, "", err)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.narrow = true
	return nil
}

// listLikely lists the DaemonSets of some namespaces. A refusal is no Gap of its own: the one for all namespaces covers it.
func (r *reading) listLikely(namespaces []string) error {
	var group errgroup.Group
	for _, namespace := range namespaces {
		group.Go(func() error {
			err := r.listDaemonSets(namespace)
			if err == nil || apierrors.IsForbidden(err) {
				return nil
			}
			return r.gap(cluster.ResourceDaemonSets, "list", namespace, "", err)
		})
	}
	return group.Wait()
}

func (r *reading) listDaemonSets(namespace string) error {
	var list appsv1.DaemonSetList
	r.count()
	if err := r.client.Into(r.ctx, api.Request{Path: api.Path("/apis/apps/v1", namespace, "daemonsets", ""), Parameters: api.FromCache()}, &list); err != nil {
		return err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	for i := range list.Items {
		if detect.KeepDaemonSet(&list.Items[i]) {
			r.objects.DaemonSets = append(r.objects.DaemonSets, list.Items[i])
		}
	}
	return nil
}

// single reads one object of a type that is not part of Kubernetes, and has no namespace. A cluster that does not know the type has no such object, which is no gap.
func (r *reading) single(of detect.Reference) error {
	var found unstructured.Unstructured
	r.count()
	plural, group, _ := strings.Cut(of.Resource, ".")
	from := api.Request{Path: api.Path("/apis/"+group+"/v1", "", plural, of.Name), Accept: api.JSON, Parameters: api.FromCache()}
	err := r.client.JSON(r.ctx, from, &found.Object)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err) && of.Resource == cluster.ResourceNetworks:
		// It only stands in for DaemonSets that may not be listed, and the gap for them says what is missing.
		return nil
	case err != nil:
		return r.gap(of.Resource, "get", "", of.Name, err)
	}
	objects.KeepOther(&found)
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.Others = append(r.objects.Others, found)
	return nil
}

// needs are what the DaemonSets and nodes that were read point to.
func (r *reading) needs() detect.Needs {
	return detect.NeedsOf(r.objects.Detection(r.nodePointers()), r.narrow)
}

func (r *reading) nodePointers() []*corev1.Node {
	out := make([]*corev1.Node, len(r.objects.Nodes))
	for i := range r.objects.Nodes {
		out[i] = &r.objects.Nodes[i]
	}
	return out
}

func (r *reading) configMap(namespace, name string, certain bool) error {
	var found corev1.ConfigMap
	r.count()
	err := r.client.Into(r.ctx, api.Request{Path: api.Path("/api/v1", namespace, "configmaps", name), Parameters: api.FromCache()}, &found)
	switch {
	case apierrors.IsNotFound(err) && !certain:
		return nil
	case err != nil:
		return r.gap(cluster.ResourceConfigMaps, "get", namespace, name, err)
	}
	if detect.KeepConfigMap(&found) {
		r.lock.Lock()
		defer r.lock.Unlock()
		r.objects.ConfigMaps = append(r.objects.ConfigMaps, found)
	}
	return nil
}

// staticPods reads the pods of kube-proxy where no DaemonSet runs it: kops and classic GKE label them so.
func (r *reading) staticPods() error {
	var list corev1.PodList
	parameters := api.FromCache()
	parameters.Set("labelSelector", "component=kube-proxy")
	r.count()
	if err := r.client.Into(r.ctx, api.Request{Path: api.Path("/api/v1", detect.KubeSystem, "pods", ""), Parameters: parameters}, &list); err != nil {
		return r.gap(cluster.ResourcePods, "list", detect.KubeSystem, "", err)
	}
	if len(list.Items) == 0 {
		parameters.Set("labelSelector", "k8s-app=kube-proxy")
		r.count()
		if err := r.client.Into(r.ctx, api.Request{Path: api.Path("/api/v1", detect.KubeSystem, "pods", ""), Parameters: parameters}, &list); err != nil {
			return r.gap(cluster.ResourcePods, "list", detect.KubeSystem, "", err)
		}
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	for i := range list.Items {
		if detect.KeepPod(&list.Items[i]) {
			r.objects.Pods = append(r.objects.Pods, list.Items[i])
		}
	}
	return nil
}
