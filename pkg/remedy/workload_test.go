package remedy

import (
	"fmt"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// deployment stands behind the Service with its two pods, changed as a case wants it.
func deployment(change func(*cluster.Workload)) func(*cluster.Surroundings) {
	return func(s *cluster.Surroundings) {
		s.Selector = map[string]string{"app": "web"}
		s.Pods = []cluster.Pod{
			{Namespace: "shop", Name: "web-1", Node: "a", Owner: &cluster.Object{Kind: "ReplicaSet", Name: "web-x"}},
			{Namespace: "shop", Name: "web-2", Node: "a", Owner: &cluster.Object{Kind: "ReplicaSet", Name: "web-x"}},
		}
		w := cluster.Workload{
			Object: cluster.Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web", ResourceVersion: "7"}, Known: true,
			Replicas: 2, Strategy: "RollingUpdate", Surge: 1, Settled: cluster.Yes, Labels: map[string]string{"app": "web", "tier": "front"},
		}
		if change != nil {
			change(&w)
		}
		s.Workloads = []cluster.Workload{w}
	}
}

// two stands behind the Service with another Deployment, changed as a case wants it.
func two(change func(*cluster.Workload)) func(*cluster.Surroundings) {
	return func(s *cluster.Surroundings) {
		deployment(nil)(s)
		canary := s.Workloads[0]
		canary.Name = "web-canary"
		if change != nil {
			change(&canary)
		}
		s.Workloads = append(s.Workloads, canary)
	}
}

// crowded is the story with both pods on one node.
func crowded(replacements ...string) string {
	return with(append([]string{"ep 10.0.1.105 node=a target=shop/web-1", "ep 10.0.1.105 node=a target=shop/web-1\nep 10.0.1.106 node=a target=shop/web-2"}, replacements...)...)
}

const (
	wantsApart  = `{"podAffinityTerm":{"labelSelector":{"matchLabels":{"app":"web"}},"topologyKey":"kubernetes.io/hostname"},"weight":100}`
	wantsSpread = `{"labelSelector":{"matchLabels":{"app":"web"}},"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"ScheduleAnyway"}`
)

func hostTerm(labels map[string]any) map[string]any {
	return map[string]any{"labelSelector": map[string]any{"matchLabels": labels}, "topologyKey": hostnameKey}
}

func TestAntiAffinity(t *testing.T) {
	other := map[string]any{"weight": int64(1), "podAffinityTerm": hostTerm(map[string]any{"app": "db"})}
	run(t, []testCase{
		{name: "none there", mode: AntiAffinity, text: crowded(), around: deployment(nil), found: []string{"ETP008"}, want: []string{
			`set deployment/web spec.template.spec.affinity null -> {"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[` + wantsApart + `]}}`,
			"starts a rollout of deployment shop/web", "need enough-nodes yes", "fixes ETP008", "!need rollout-can-end*",
		}},
		{name: "node affinity stays", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) {
			w.Affinity = map[string]any{"nodeAffinity": map[string]any{}}
		}), want: []string{`set deployment/web spec.template.spec.affinity.podAntiAffinity null -> {"preferredDuringSchedulingIgnoredDuringExecution":[` + wantsApart + `]}`}},
		{name: "other terms stay", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) {
			w.Affinity = map[string]any{"podAntiAffinity": map[string]any{preferredTerms: []any{other}}}
		}), want: []string{
			`set deployment/web spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution [{"podAffinityTerm":{"labelSelector":{"matchLabels":{"app":"db"}},"topologyKey":"kubernetes.io/hostname"},"weight":1}] -> ` +
				`[{"podAffinityTerm":{"labelSelector":{"matchLabels":{"app":"db"}},"topologyKey":"kubernetes.io/hostname"},"weight":1},` + wantsApart + `]`,
		}},
		{name: "equal one there", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) {
			w.Affinity = map[string]any{"podAntiAffinity": map[string]any{preferredTerms: []any{map[string]any{"weight": int64(50), "podAffinityTerm": hostTerm(map[string]any{"app": "web"})}}}}
		}), want: []string{nothing, "!need *"}},
		{name: "required one there", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) {
			w.Affinity = map[string]any{"podAntiAffinity": map[string]any{requiredTerms: []any{hostTerm(map[string]any{"tier": "front"})}}}
		}), want: []string{nothing}},
		{name: "one replica", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Replicas = 1 }), want: []string{"need enough-nodes no no-effect"}},
		{name: "taint", mode: AntiAffinity, text: crowded("node b zone", "node b taints=only=gpu:NoSchedule zone"), around: deployment(nil), want: []string{"need enough-nodes no no-effect"}},
		{name: "tolerated taint", mode: AntiAffinity, text: crowded("node b zone", "node b taints=only=gpu:NoSchedule zone"), around: deployment(func(w *cluster.Workload) {
			w.Tolerations = []cluster.Toleration{{Key: "only", Operator: "Equal", Value: "gpu"}}
		}), want: []string{"need enough-nodes yes"}},
		{name: "preferred taint", mode: AntiAffinity, text: crowded("node b zone", "node b taints=only=gpu:PreferNoSchedule zone"), around: deployment(nil), want: []string{"need enough-nodes yes"}},
		{name: "cordon", mode: AntiAffinity, text: crowded("node b zone", "node b unschedulable=true zone"), around: deployment(nil), want: []string{"need enough-nodes no no-effect"}},
		{name: "node selector", mode: AntiAffinity, text: crowded("node b zone", "node b labels=disk=hdd zone"), around: deployment(func(w *cluster.Workload) {
			w.NodeSelector = map[string]string{"disk": "ssd"}
		}), want: []string{"need enough-nodes no no-effect"}},
		{name: "node affinity", mode: AntiAffinity, text: crowded("node b zone", "node b labels=disk=hdd zone"), around: deployment(func(w *cluster.Workload) {
			w.Affinity = map[string]any{"nodeAffinity": map[string]any{requiredTerms: map[string]any{"nodeSelectorTerms": []any{
				map[string]any{"matchExpressions": []any{map[string]any{"key": "disk", "operator": "NotIn", "values": []any{"hdd"}}}},
			}}}}
		}), want: []string{"need enough-nodes no no-effect"}},
		{name: "taints unread", mode: AntiAffinity, text: crowded("node b zone", "node b partial=true zone", "podcidr=172.20.0.128/25 ", ""), around: deployment(nil), want: []string{"need enough-nodes unknown no-effect"}},
		{name: "host ports need a free node", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.HostPorts = true }), want: []string{"need rollout-can-end no rollout-may-stall"}},
		{name: "host ports, one may go first", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.HostPorts, w.Unavailable = true, 1 }), want: []string{"need rollout-can-end yes"}},
		{name: "rollout under way", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Settled = cluster.No }), want: []string{"need no-rollout no interrupts-rollout"}},
		{name: "recreate", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Strategy = "Recreate" }), want: []string{"need pods-replaced-in-turn no downtime"}},
		{name: "budget", mode: AntiAffinity, text: crowded(), around: func(s *cluster.Surroundings) {
			deployment(func(w *cluster.Workload) { w.Unavailable = 1 })(s)
			s.Budgets = []cluster.Budget{{Namespace: "shop", Name: "web"}}
		}, want: []string{"need disruption-budget no below-disruption-budget"}},
		{name: "budget that allows it", mode: AntiAffinity, text: crowded(), around: func(s *cluster.Surroundings) {
			deployment(func(w *cluster.Workload) { w.Unavailable = 1 })(s)
			s.Budgets = []cluster.Budget{{Namespace: "shop", Name: "web", Allowed: 1}}
		}, want: []string{"need disruption-budget yes"}},
		{name: "budgets unread", mode: AntiAffinity, text: crowded(), around: func(s *cluster.Surroundings) { deployment(nil)(s); gap(budgets)(s) }, want: []string{"need disruption-budget unknown below-disruption-budget"}},
		{name: "paused", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Paused = true }), want: []string{"cost deployment shop/web is paused*", "!starts *"}},
		{name: "daemon set", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Kind = "DaemonSet" }), want: []string{nothing, "gain daemonset shop/web already runs one pod*"}},
		{name: "somebody else's kind", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Kind, w.Known = "Rollout", false }), want: []string{nothing, "by hand rollout shop/web manages the pods*"}},
		{name: "unread deployment", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Known = false }), want: []string{nothing, "need workload-known unknown"}},
		{name: "more owners than were looked at", mode: AntiAffinity, text: crowded(), around: func(s *cluster.Surroundings) {
			deployment(nil)(s)
			s.Gaps = append(s.Gaps, cluster.Gap{Resource: replicaSets, Verb: "get", Namespace: "shop", Reason: cluster.Failed, Message: "the pods have 9 different owners"})
		}, want: []string{nothing, "need workloads-known unknown"}},
		{name: "two workloads", mode: AntiAffinity, text: crowded(), around: two(nil), found: []string{"ETP008"}, want: []string{
			"set deployment/web spec.template.spec.affinity *", "set deployment/web-canary spec.template.spec.affinity *",
			"cost 2 workloads are behind the Service: deployment shop/web, deployment shop/web-canary; they are changed in this order: deployment shop/web, deployment shop/web-canary*",
			"assumes the scheduler spreads the pods as evenly as it can over the 2 nodes*", "fixes ETP008",
		}},
		{name: "two workloads, for other nodes", mode: AntiAffinity, text: crowded("node b zone", "node b labels=disk=ssd zone"), found: []string{"ETP008"}, around: two(func(w *cluster.Workload) {
			w.NodeSelector = map[string]string{"disk": "ssd"}
		}), want: []string{"assumes the workloads cannot all run on the same nodes*", "may ETP008", "fixes "}},
		{name: "two workloads, one kept apart", mode: AntiAffinity, text: crowded(), found: []string{"ETP007", "ETP008"}, around: two(func(w *cluster.Workload) {
			w.Affinity = map[string]any{"podAntiAffinity": map[string]any{requiredTerms: []any{hostTerm(map[string]any{"tier": "front"})}}}
		}), want: []string{
			"set deployment/web spec.template.spec.affinity *", "!set deployment/web-canary*", "cost 2 workloads are behind the Service: deployment shop/web, deployment shop/web-canary; only deployment shop/web is changed*",
			"assumes not all workloads behind the Service are changed*", "may ETP007 ETP008", "fixes ",
		}},
		{name: "two workloads, one of another kind", mode: AntiAffinity, text: crowded(), around: two(func(w *cluster.Workload) { w.Kind, w.Known = "Rollout", false }), want: []string{
			nothing, "by hand rollout shop/web-canary manages the pods*", "by hand in deployment shop/web set*",
		}},
		{name: "bare pods", mode: AntiAffinity, text: crowded(), around: func(s *cluster.Surroundings) { deployment(nil)(s); s.Pods[0].Owner = nil }, want: []string{nothing, "by hand pod shop/web-1*", "by hand in deployment shop/web*"}},
		{name: "no pods", mode: AntiAffinity, text: crowded(), around: func(s *cluster.Surroundings) { s.Selector = map[string]string{"app": "web"} }, want: []string{"need pods-known no"}},
		{name: "pods unread", mode: AntiAffinity, text: crowded(), around: func(s *cluster.Surroundings) { s.Selector = map[string]string{"app": "web"}; gap(pods)(s) }, want: []string{"need pods-known unknown"}},
		{name: "stateful set with volumes", mode: AntiAffinity, text: crowded(), around: deployment(func(w *cluster.Workload) { w.Kind, w.Claims = "StatefulSet", true }), want: []string{
			"starts a rollout of statefulset shop/web", "cost statefulset shop/web has volumes*",
		}},
		{name: "one announcer", mode: AntiAffinity, text: crowded("etp=Local", "annotations=metallb.io/ip-allocated-from-pool=a etp=Local"), around: deployment(nil), want: []string{"cost if one node announces the address*"}},
	})
}

func TestSpread(t *testing.T) {
	one := func(change string, value any) func(*cluster.Workload) {
		return func(w *cluster.Workload) {
			c := map[string]any{"maxSkew": int64(1), "topologyKey": hostnameKey, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": map[string]any{"matchLabels": map[string]any{"app": "web"}}}
			c[change] = value
			w.TopologySpread = []any{c}
		}
	}
	run(t, []testCase{
		{name: "none there", mode: Spread, text: crowded(), around: deployment(nil), found: []string{"ETP007", "ETP008"}, want: []string{
			"set deployment/web spec.template.spec.topologySpreadConstraints null -> [" + wantsSpread + "]", "starts a rollout of deployment shop/web", "fixes ETP007 ETP008",
			"cost without a rollout, annotation service.beta.kubernetes.io/alibaba-cloud-loadbalancer-scheduler: wrr*",
		}},
		{name: "zones stay", mode: Spread, text: crowded(), around: deployment(one("topologyKey", "topology.kubernetes.io/zone")), want: []string{
			`set deployment/web spec.template.spec.topologySpreadConstraints [{"labelSelector":{"matchLabels":{"app":"web"}},"maxSkew":1,"topologyKey":"topology.kubernetes.io/zone","whenUnsatisfiable":"ScheduleAnyway"}] -> ` +
				`[{"labelSelector":{"matchLabels":{"app":"web"}},"maxSkew":1,"topologyKey":"topology.kubernetes.io/zone","whenUnsatisfiable":"ScheduleAnyway"},` + wantsSpread + `]`,
		}},
		{name: "equal one there", mode: Spread, text: crowded(), around: deployment(one("maxSkew", int64(1))), want: []string{nothing, "!need *"}},
		{name: "stricter one there", mode: Spread, text: crowded(), around: deployment(one("whenUnsatisfiable", "DoNotSchedule")), want: []string{nothing, "!need *"}},
		{name: "laxer one in its place", mode: Spread, text: crowded(), around: deployment(one("maxSkew", int64(3))), want: []string{nothing, "need room-in-template no"}},
	})
}

func TestSimulatedSpread(t *testing.T) {
	f := facts(t, crowded("10.0.1.106", "172.20.0.9"))
	deployment(nil)(f.Surroundings)
	after := plan(t, Spread, f, Options{}).Simulate(f.Snapshot)
	on := map[string]int{}
	for _, e := range after.Services[0].Endpoints {
		on[e.Node]++
		node := after.Nodes[after.NodeIndex(e.Node)]
		if e.Address.String()[:4] == "172." && !node.PodCIDRs[0].Contains(e.Address) {
			t.Errorf("endpoint %s moved to node %s and is not of its range %s", e.Address, e.Node, node.PodCIDRs)
		}
	}
	if fmt.Sprint(on) != "map[a:1 b:1]" {
		t.Errorf("after: %v", on)
	}
	for _, e := range f.Service.Endpoints {
		if e.Node != "a" {
			t.Errorf("the snapshot was changed: %+v", e)
		}
	}
}

// A pod moves with all its addresses, also with one that is not ready.
func TestSimulatedSpreadOfDualStack(t *testing.T) {
	f := facts(t, crowded("ep 10.0.1.106 node=a target=shop/web-2", "ep 10.0.1.106 node=a target=shop/web-2\n"+
		"ep fd00:10:1::105 node=a target=shop/web-1 slice=web-v6\nep fd00:10:1::106 notready node=a target=shop/web-2 slice=web-v6"))
	deployment(nil)(f.Surroundings)
	after := plan(t, Spread, f, Options{}).Simulate(f.Snapshot)
	on := map[string][]string{}
	for _, b := range after.Services[0].Backends(nil) {
		on[b.Node] = append(on[b.Node], b.Endpoint.Target)
		for _, e := range after.Services[0].Endpoints {
			if e.Target == b.Endpoint.Target && e.Node != b.Node {
				t.Errorf("%s is on %s and on %s", e.Target, e.Node, b.Node)
			}
		}
	}
	if len(on["a"]) != 1 || len(on["b"]) != 1 {
		t.Errorf("after: %v", on)
	}
}
