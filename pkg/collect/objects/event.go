package objects

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// IsNewer orders events by when they were seen last, and those of one moment by name.
func IsNewer(a, b *corev1.Event) bool {
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

// KeepEvent keeps an event about a Service: its text, and when it occurred last.
func KeepEvent(e *corev1.Event) bool {
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
		if e.InvolvedObject.Name == s.Name && NamespaceOf(e.InvolvedObject.Namespace, q) == s.Namespace && (newest == nil || IsNewer(e, newest)) {
			newest = e
		}
	}
	if newest == nil {
		return nil
	}
	return &cluster.Event{Type: newest.Type, Reason: newest.Reason, Message: newest.Message, Last: newest.LastTimestamp.UTC()}
}
