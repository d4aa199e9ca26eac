package api

import (
	"context"
	"fmt"
	"net/url"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Progress is how far the rollout of a workload is.
type Progress struct {
	// Done is true once every pod is of the newest template, available, and no other one is left.
	Done bool
	// Failed is why it will not be done, in the controller's words; "" otherwise.
	Failed string
	// Status is a few words for people: 1 of 3 pods updated, 3 available.
	Status string
	// Available is how many pods are.
	Available int
}

// Rollout reads how far the rollout of a Deployment or a StatefulSet is. The rules are those of `kubectl rollout status` (polymorphichelpers/rollout_status.go).
func (c *Client) Rollout(ctx context.Context, o cluster.Object) (Progress, error) {
	path := Path("/apis/apps/v1", o.Namespace, "deployments", o.Name)
	if o.Kind == "StatefulSet" {
		path = Path("/apis/apps/v1", o.Namespace, "statefulsets", o.Name)
		var set appsv1.StatefulSet
		if err := c.Into(ctx, Request{Path: path}, &set); err != nil {
			return Progress{}, fmt.Errorf("get statefulset %s/%s: %w", o.Namespace, o.Name, c.Explain(err, "get", "statefulsets", o.Namespace))
		}
		return rolloutOfSet(&set), nil
	}
	var deployment appsv1.Deployment
	if err := c.Into(ctx, Request{Path: path}, &deployment); err != nil {
		return Progress{}, fmt.Errorf("get deployment %s/%s: %w", o.Namespace, o.Name, c.Explain(err, "get", "deployments", o.Namespace))
	}
	return rolloutOf(&deployment), nil
}

func rolloutOf(d *appsv1.Deployment) Progress {
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	s := &d.Status
	p := Progress{Available: int(s.AvailableReplicas)}
	if d.Spec.Paused {
		p.Failed = "it is paused (spec.paused): no new pod is created until it is resumed"
		return p
	}
	if s.ObservedGeneration < d.Generation {
		p.Status = "waiting for the controller to observe the change"
		return p
	}
	for _, condition := range s.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Reason == "ProgressDeadlineExceeded" {
			p.Failed = condition.Message
		}
	}
	p.Status = fmt.Sprintf("%d of %d pods updated, %d available", s.UpdatedReplicas, wanted, s.AvailableReplicas)
	if old := s.Replicas - s.UpdatedReplicas; old > 0 {
		p.Status += fmt.Sprintf(", old pods left: %d", old)
	}
	p.Done = s.UpdatedReplicas >= wanted && s.Replicas <= s.UpdatedReplicas && s.AvailableReplicas >= s.UpdatedReplicas
	return p
}

func rolloutOfSet(d *appsv1.StatefulSet) Progress {
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	s := &d.Status
	p := Progress{Available: int(s.AvailableReplicas)}
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		p.Failed = "its update strategy is OnDelete: a pod is updated only once it is deleted"
		return p
	}
	if s.ObservedGeneration < d.Generation {
		p.Status = "waiting for the controller to observe the change"
		return p
	}
	if r := d.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil && *r.Partition > 0 {
		wanted -= min(wanted, *r.Partition)
	}
	p.Status = fmt.Sprintf("%d of %d pods updated, %d available", s.UpdatedReplicas, wanted, s.AvailableReplicas)
	p.Done = s.UpdatedReplicas >= wanted && s.ReadyReplicas >= s.Replicas
	return p
}

// Event is one event of a Service, or one repetition of it: a repetition has the same Name and another Version.
type Event struct {
	Name, Version         string
	Type, Reason, Message string
}

// Events reads the events of a Service, in no particular order.
func (c *Client) Events(ctx context.Context, namespace, name string) ([]Event, error) {
	var list corev1.EventList
	r := Request{Path: Path("/api/v1", namespace, "events", ""), Parameters: url.Values{
		"fieldSelector": {"involvedObject.kind=Service,involvedObject.name=" + name},
	}}
	if err := c.Into(ctx, r, &list); err != nil {
		return nil, fmt.Errorf("list events of service %s/%s: %w", namespace, name, c.Explain(err, "list", "events", namespace))
	}
	out := make([]Event, 0, len(list.Items))
	for i := range list.Items {
		e := &list.Items[i]
		out = append(out, Event{e.Name, e.ResourceVersion, e.Type, e.Reason, e.Message})
	}
	return out, nil
}
