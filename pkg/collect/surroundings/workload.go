package surroundings

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	jsonnumbers "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
)

// workloads reads what keeps the pods: of their controllers, the Deployment behind a ReplicaSet, a StatefulSet, a DaemonSet. Of any other only the name is known.
func (w *walk) workloads(owners map[cluster.Object]bool) error {
	order := slices.SortedFunc(maps.Keys(owners), func(a, b cluster.Object) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	if len(order) > maxWorkloads {
		kind := order[maxWorkloads].Kind
		err := w.gap(cmp.Or(workloadResource(kind), strings.ToLower(kind)+"s"), "get", w.service.Namespace, "",
			fmt.Errorf("the pods have %d different owners, and only %d of them were read", len(order), maxWorkloads))
		if err != nil {
			return err
		}
		order = order[:maxWorkloads]
	}
	found := make([]cluster.Workload, len(order))
	var group errgroup.Group
	for i, owner := range order {
		group.Go(func() (err error) {
			found[i], err = w.workload(owner)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, one := range found {
		// Several ReplicaSets may belong to one Deployment.
		if !slices.ContainsFunc(w.out.Workloads, func(o cluster.Workload) bool { return o.Kind == one.Kind && o.Name == one.Name }) {
			add(w, &w.out.Workloads, one)
		}
	}
	return nil
}

func workloadResource(kind string) string {
	switch kind {
	case "ReplicaSet":
		return cluster.ResourceReplicaSets
	case "Deployment":
		return "deployments.apps"
	case "StatefulSet":
		return "statefulsets.apps"
	case "DaemonSet":
		return cluster.ResourceDaemonSets
	}
	return ""
}

// workload reads an owner of pods, and the owner's owner where it is a ReplicaSet.
func (w *walk) workload(owner cluster.Object) (cluster.Workload, error) {
	unknown := cluster.Workload{Object: owner}
	if owner.APIVersion != "apps/v1" || workloadResource(owner.Kind) == "" {
		return unknown, nil
	}
	resource, verb := workloadResource(owner.Kind), "get"
	plural := map[string]string{"ReplicaSet": "replicasets", "Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}[owner.Kind]
	r := api.Request{Path: api.Path("/apis/apps/v1", owner.Namespace, plural, owner.Name), Accept: api.JSON}
	var raw json.RawMessage
	if err := w.client.JSON(w.ctx, r, &raw); err != nil {
		return unknown, w.gap(resource, verb, owner.Namespace, owner.Name, err)
	}
	if owner.Kind == "ReplicaSet" {
		var set metav1.PartialObjectMetadata
		if err := json.Unmarshal(raw, &set); err != nil {
			return unknown, w.gap(resource, verb, owner.Namespace, owner.Name, err)
		}
		if above := controllerOf(&set.ObjectMeta); above != nil {
			return w.workload(*above)
		}
		return unknown, nil
	}
	out, err := readWorkload(owner, raw)
	if err != nil {
		return unknown, w.gap(resource, verb, owner.Namespace, owner.Name, err)
	}
	return out, nil
}

// readWorkload takes the facts of a Deployment, a StatefulSet or a DaemonSet from its JSON.
func readWorkload(owner cluster.Object, raw []byte) (cluster.Workload, error) {
	out := cluster.Workload{Object: owner, Known: true}
	var template corev1.PodTemplateSpec
	var meta metav1.ObjectMeta
	switch owner.Kind {
	case "Deployment":
		var d appsv1.Deployment
		if err := json.Unmarshal(raw, &d); err != nil {
			return out, err
		}
		meta, template = d.ObjectMeta, d.Spec.Template
		deployment(&out, &d)
	case "StatefulSet":
		var s appsv1.StatefulSet
		if err := json.Unmarshal(raw, &s); err != nil {
			return out, err
		}
		meta, template = s.ObjectMeta, s.Spec.Template
		statefulSet(&out, &s)
	default:
		var d appsv1.DaemonSet
		if err := json.Unmarshal(raw, &d); err != nil {
			return out, err
		}
		meta, template = d.ObjectMeta, d.Spec.Template
		out.Replicas, out.Strategy = int(d.Status.DesiredNumberScheduled), string(d.Spec.UpdateStrategy.Type)
	}
	out.ResourceVersion, out.Metadata = meta.ResourceVersion, metadataOf(&meta)
	out.Labels, out.NodeSelector, out.HostNetwork = template.Labels, template.Spec.NodeSelector, template.Spec.HostNetwork
	for _, t := range template.Spec.Tolerations {
		out.Tolerations = append(out.Tolerations, cluster.Toleration{Key: t.Key, Operator: string(cmp.Or(t.Operator, corev1.TolerationOpEqual)), Value: t.Value, Effect: string(t.Effect)})
	}
	for _, container := range template.Spec.Containers {
		for _, p := range container.Ports {
			out.HostPorts = out.HostPorts || p.HostPort != 0
		}
	}
	for _, volume := range template.Spec.Volumes {
		out.Claims = out.Claims || volume.PersistentVolumeClaim != nil
	}
	// Fields that a fix changes are kept as they were read, including what this program does not know of them.
	var whole struct {
		Spec struct {
			Template struct {
				Spec struct {
					Affinity       json.RawMessage `json:"affinity"`
					TopologySpread json.RawMessage `json:"topologySpreadConstraints"`
				} `json:"spec"`
			} `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &whole); err != nil {
		return out, err
	}
	if text := whole.Spec.Template.Spec.Affinity; len(text) > 0 {
		if err := jsonnumbers.Unmarshal(text, &out.Affinity); err != nil {
			return out, err
		}
	}
	if text := whole.Spec.Template.Spec.TopologySpread; len(text) > 0 {
		if err := jsonnumbers.Unmarshal(text, &out.TopologySpread); err != nil {
			return out, err
		}
	}
	return out, nil
}

func deployment(out *cluster.Workload, d *appsv1.Deployment) {
	out.Replicas = replicas(d.Spec.Replicas)
	out.Strategy, out.Paused = string(cmp.Or(d.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)), d.Spec.Paused
	if rolling := d.Spec.Strategy.RollingUpdate; rolling != nil {
		out.Surge, out.Unavailable = scaled(rolling.MaxSurge, out.Replicas, true), scaled(rolling.MaxUnavailable, out.Replicas, false)
		// As ResolveFenceposts of the deployment controller has it: a rollout must be able to move.
		if out.Surge == 0 && out.Unavailable == 0 {
			out.Unavailable = 1
		}
	}
	// As `kubectl rollout status` judges.
	s := &d.Status
	out.Settled = cluster.Is(s.ObservedGeneration >= d.Generation && int(s.UpdatedReplicas) >= out.Replicas && s.Replicas <= s.UpdatedReplicas &&
		s.AvailableReplicas >= s.UpdatedReplicas)
}

func statefulSet(out *cluster.Workload, s *appsv1.StatefulSet) {
	out.Replicas = replicas(s.Spec.Replicas)
	out.Strategy, out.Unavailable = string(cmp.Or(s.Spec.UpdateStrategy.Type, appsv1.RollingUpdateStatefulSetStrategyType)), 1
	if rolling := s.Spec.UpdateStrategy.RollingUpdate; rolling != nil && rolling.MaxUnavailable != nil {
		out.Unavailable = max(1, scaled(rolling.MaxUnavailable, out.Replicas, false))
	}
	out.Claims = len(s.Spec.VolumeClaimTemplates) > 0
	status := &s.Status
	out.Settled = cluster.Is(status.ObservedGeneration >= s.Generation && int(status.ReadyReplicas) >= out.Replicas && status.CurrentRevision == status.UpdateRevision)
	if out.Strategy == string(appsv1.OnDeleteStatefulSetStrategyType) {
		out.Settled = cluster.Is(status.ObservedGeneration >= s.Generation && int(status.ReadyReplicas) >= out.Replicas)
	}
}

func replicas(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

// scaled is a number, or a percentage of the replicas; 0 where it is malformed, which the API server rejects.
func scaled(value *intstr.IntOrString, of int, up bool) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(value, intstr.FromInt32(0)), of, up)
	if err != nil {
		return 0
	}
	return n
}
