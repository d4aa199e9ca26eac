package announcer

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// step is a change of the cluster, after which it is seen who announces.
type step struct {
	name    string
	changed string
	do      func(ctx context.Context, l *lab) error
}

// steps follow one another; the first is the cluster as it was made. Each undoes the one before. Of what runs, n2 is
// what goes, as the announcer says.
func steps(a announcer) []step {
	return []step{
		{name: "start", do: func(context.Context, *lab) error { return nil }},
		{
			name: "excluded", changed: "n1 has the label node.kubernetes.io/exclude-from-external-load-balancers=false",
			do: func(ctx context.Context, l *lab) error { return l.label(ctx, "n1", "false") },
		},
		{
			name: "not-ready", changed: "n1 has the label no more; it is not ready, and cordoned",
			do: func(ctx context.Context, l *lab) error {
				if err := l.label(ctx, "n1", nil); err != nil {
					return err
				}
				if err := l.cordon(ctx, "n1", true); err != nil {
					return err
				}
				return l.condition(ctx, "n1", corev1.NodeReady, corev1.ConditionFalse)
			},
		},
		{
			name: "network-unavailable", changed: "n1 is ready and not cordoned; its condition NetworkUnavailable is True",
			do: func(ctx context.Context, l *lab) error {
				if err := l.cordon(ctx, "n1", false); err != nil {
					return err
				}
				if err := l.condition(ctx, "n1", corev1.NodeReady, corev1.ConditionTrue); err != nil {
					return err
				}
				return l.condition(ctx, "n1", corev1.NodeNetworkUnavailable, corev1.ConditionTrue)
			},
		},
		{
			name: "killed", changed: "the condition NetworkUnavailable of n1 is False; " + a.gone("n2"),
			do: func(ctx context.Context, l *lab) error {
				if err := l.condition(ctx, "n1", corev1.NodeNetworkUnavailable, corev1.ConditionFalse); err != nil {
					return err
				}
				return l.announcer.stop(ctx, l, 2)
			},
		},
		{
			name: "unready", changed: "the announcer runs on n2 again; pod backend-1a is not ready",
			do: func(ctx context.Context, l *lab) error {
				if err := l.announcer.resume(ctx, l, 2); err != nil {
					return err
				}
				return l.ready(ctx, "backend-1a", corev1.ConditionFalse)
			},
		},
		{
			name: "flipped", changed: "pod backend-1a is ready; every externalTrafficPolicy is the other one",
			do: func(ctx context.Context, l *lab) error {
				if err := l.ready(ctx, "backend-1a", corev1.ConditionTrue); err != nil {
					return err
				}
				return l.flip(ctx)
			},
		},
	}
}

func (l *lab) patchNode(ctx context.Context, node string, patch any, subresources ...string) error {
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = l.Control.Client.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, data, metav1.PatchOptions{}, subresources...)
	if err != nil {
		return fmt.Errorf("changing node %s: %w", node, err)
	}
	return nil
}

// label sets the label that excludes a node from load balancers; a value of nil removes it.
func (l *lab) label(ctx context.Context, node string, value any) error {
	return l.patchNode(ctx, node, map[string]any{"metadata": map[string]any{"labels": map[string]any{corev1.LabelNodeExcludeBalancers: value}}})
}

func (l *lab) cordon(ctx context.Context, node string, is bool) error {
	return l.patchNode(ctx, node, map[string]any{"spec": map[string]any{"unschedulable": is}})
}

func (l *lab) condition(ctx context.Context, node string, kind corev1.NodeConditionType, status corev1.ConditionStatus) error {
	condition := map[string]any{"type": kind, "status": status, "reason": "Lab"}
	return l.patchNode(ctx, node, map[string]any{"status": map[string]any{"conditions": []any{condition}}}, "status")
}

// lost sets the condition Ready of a node, and of those of its pods that are ready where it is, as the controller for
// nodes does that cannot be reached.
func (l *lab) lost(ctx context.Context, node int, is, pods corev1.ConditionStatus) error {
	err := l.condition(ctx, fmt.Sprintf("n%d", node), corev1.NodeReady, is)
	for _, p := range l.Scenario.Pods() {
		if err == nil && p.Node == node && p.State == scenario.Ready {
			err = l.ready(ctx, p.Name, pods)
		}
	}
	return err
}

func (l *lab) ready(ctx context.Context, pod string, status corev1.ConditionStatus) error {
	condition := map[string]any{"type": corev1.PodReady, "status": status}
	data, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{condition}}})
	if err != nil {
		return err
	}
	_, err = l.Control.Client.CoreV1().Pods(scenario.Namespace).Patch(ctx, pod, types.StrategicMergePatchType, data, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("changing pod %s: %w", pod, err)
	}
	return nil
}

// flip gives every Service that has its address for itself the other policy.
func (l *lab) flip(ctx context.Context) error {
	for _, s := range l.services {
		if s.shares != "" {
			continue
		}
		s.policy = map[corev1.ServiceExternalTrafficPolicy]corev1.ServiceExternalTrafficPolicy{local: spread, spread: local}[s.policy]
		data, err := json.Marshal(map[string]any{"spec": map[string]any{"externalTrafficPolicy": s.policy}})
		if err != nil {
			return err
		}
		if _, err := l.Control.Client.CoreV1().Services(scenario.Namespace).Patch(ctx, s.name, types.MergePatchType, data, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("changing the policy of service %s: %w", s.name, err)
		}
	}
	return nil
}
