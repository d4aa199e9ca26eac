package collect

import (
	"net/url"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// waiting are the Services that have no load balancer address yet.
func (r *reading) waiting() []objectKey {
	var out []objectKey
	for i := range r.objects.Services {
		if s := &r.objects.Services[i]; waits(s) {
			out = append(out, objectKey{"Service", s.Namespace, s.Name})
		}
	}
	return out
}

// events reads the newest event of each of some Services, in one list: of the one Service, else of all Services of the namespace, else of the cluster.
func (r *reading) events(of []objectKey) error {
	namespace, fields := of[0].namespace, "involvedObject.kind=Service"
	if len(of) == 1 {
		fields += ",involvedObject.name=" + of[0].name
	}
	if slices.ContainsFunc(of, func(k objectKey) bool { return k.namespace != namespace }) {
		namespace = ""
	}
	newest := map[objectKey]corev1.Event{}
	read := 0
	err := pages(url.Values{"fieldSelector": {fields}}, func(page url.Values) (*listed, error) {
		if read == mostPages {
			return nil, errMore
		}
		read++
		var list corev1.EventList
		r.count()
		if err := r.client.into(r.ctx, request{path: resourcePath("/api/v1", namespace, "events", ""), parameters: page}, &list); err != nil {
			return nil, err
		}
		return &listed{&list.ListMeta, func() error {
			for i := range list.Items {
				e := &list.Items[i]
				about := objectKey{"Service", e.InvolvedObject.Namespace, e.InvolvedObject.Name}
				before, seen := newest[about]
				if trimEvent(e) && slices.Contains(of, about) && (!seen || newer(e, &before)) {
					newest[about] = *e
				}
			}
			return nil
		}}, nil
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

// newer orders events by when they were seen last, and those of one moment by name.
func newer(a, b *corev1.Event) bool {
	if !a.LastTimestamp.Equal(&b.LastTimestamp) {
		return b.LastTimestamp.Before(&a.LastTimestamp)
	}
	return a.Name > b.Name
}

// lastSeen is when an event was seen last: a series says so itself, and an event of the newer API has no last timestamp.
func lastSeen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}

// trimEvent keeps what is said of a Service, and when it was said last.
func trimEvent(e *corev1.Event) bool {
	if e.InvolvedObject.Kind != "Service" {
		return false
	}
	last := lastSeen(e)
	if !last.IsZero() {
		last = last.UTC().Truncate(time.Second)
	}
	*e = corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name},
		InvolvedObject: corev1.ObjectReference{Kind: e.InvolvedObject.Kind, Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name},
		Type:           e.Type, Reason: e.Reason, Message: e.Message, LastTimestamp: metav1.Time{Time: last},
	}
	return true
}

// newestEvent of a Service, nil where none was read.
func (o *Objects) newestEvent(s *cluster.Service, q Query) *cluster.Event {
	var newest *corev1.Event
	for i := range o.Events {
		e := &o.Events[i]
		if e.InvolvedObject.Name == s.Name && namespaceOf(e.InvolvedObject.Namespace, q) == s.Namespace && (newest == nil || newer(e, newest)) {
			newest = e
		}
	}
	if newest == nil {
		return nil
	}
	return &cluster.Event{Type: newest.Type, Reason: newest.Reason, Message: newest.Message, Last: newest.LastTimestamp.UTC()}
}

// knownReasons are event reasons of the Kubernetes service controller and of MetalLB, which say nothing of a cluster.
var knownReasons = []string{
	"EnsuringLoadBalancer", "EnsuredLoadBalancer", "UpdatedLoadBalancer", "DeletingLoadBalancer", "DeletedLoadBalancer", "SyncLoadBalancerFailed",
	"UpdateLoadBalancerFailed", "UnAvailableLoadBalancer", "Type", "ExternalTrafficPolicy", "LoadbalancerIP", "LoadBalancerSourceRanges",
	"AllocationFailed", "IPAllocated", "nodeAssigned",
}

// event leaves out what a controller says, which may name anything.
func (a *anonymizer) event(e *corev1.Event) corev1.Event {
	out := replaced(a, "Event", e.DeepCopy())
	out.Message, out.Type, out.Reason = "the message is left out", "", "Other"
	if slices.Contains([]string{corev1.EventTypeNormal, corev1.EventTypeWarning}, e.Type) {
		out.Type = e.Type
	}
	if slices.Contains(knownReasons, e.Reason) {
		out.Reason = e.Reason
	}
	return out
}
