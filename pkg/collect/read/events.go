package read

import (
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// waiting are the Services that have no load balancer address yet.
func (r *reading) waiting() []objects.Key {
	var out []objects.Key
	for i := range r.objects.Services {
		if s := &r.objects.Services[i]; objects.IsPending(s) {
			out = append(out, objects.Key{Kind: "Service", Namespace: s.Namespace, Name: s.Name})
		}
	}
	return out
}

// events reads the newest event of each of some Services, in one list: of the one Service, else of all Services of the namespace, else of the cluster.
func (r *reading) events(of []objects.Key) error {
	namespace, fields := of[0].Namespace, "involvedObject.kind=Service"
	if len(of) == 1 {
		fields += ",involvedObject.name=" + of[0].Name
	}
	if slices.ContainsFunc(of, func(k objects.Key) bool { return k.Namespace != namespace }) {
		namespace = ""
	}
	newest := map[objects.Key]corev1.Event{}
	err := api.FirstPages(url.Values{"fieldSelector": {fields}}, func(page url.Values) (*api.Page, error) {
		var list corev1.EventList
		r.count()
		if err := r.client.Into(r.ctx, api.Request{Path: api.Path("/api/v1", namespace, "events", ""), Parameters: page}, &list); err != nil {
			return nil, err
		}
		return api.NewPage(&list.ListMeta, func() error {
			for i := range list.Items {
				e := &list.Items[i]
				about := objects.Key{Kind: "Service", Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name}
				before, seen := newest[about]
				if objects.KeepEvent(e) && slices.Contains(of, about) && (!seen || objects.IsNewer(e, &before)) {
					newest[about] = *e
				}
			}
			return nil
		}), nil
	})
	if err != nil {
		return r.gap(cluster.ResourceEvents, "list", namespace, "", err)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, about := range of {
		if e, ok := newest[about]; ok {
			r.objects.Events = append(r.objects.Events, e)
		}
	}
	return nil
}
