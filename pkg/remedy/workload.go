package remedy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

const hostnameKey = "kubernetes.io/hostname"

// placement is the change of a workload's pod template for a mode. change is false if the template has the setting already; the error says why the template cannot have
// it.
type placement func(w *cluster.Workload, selector map[string]string) (f Field, change bool, err error)

// place plans a placement of the pods behind the Service.
func (p *planner) place(want placement) {
	s := p.Surroundings
	source := "pods of " + p.Facts.Service.Namespace + "/" + p.Facts.Service.Name
	if len(s.Selector) == 0 && p.Facts.Service.HasSelector {
		p.need(Precondition{Name: "pods-known", Message: "the pods behind the Service are not known: they were not read"})
		return
	}
	switch gap := s.Gap(pods, ""); {
	case len(s.Selector) == 0:
		p.need(Precondition{
			Name: "pods-known", Holds: cluster.No, Message: "it has no selector, so the workload behind it is not known",
			Evidence: []finding.Evidence{{Fact: "no selector", Source: p.serviceSource()}},
		})
		return
	case gap != nil:
		p.need(Precondition{Name: "pods-known", Message: "the pods behind the Service are not known: they could not be listed", Evidence: gapEvidence(gap)})
		return
	case len(s.Pods) == 0:
		p.need(Precondition{
			Name: "pods-known", Holds: cluster.No, Message: "its selector matches no pod", Evidence: []finding.Evidence{{Fact: "no pod", Source: source}},
		})
		return
	}
	if at := slices.IndexFunc(s.Gaps, func(g cluster.Gap) bool {
		return g.Verb == "get" && g.Name == "" && g.Namespace == p.Facts.Service.Namespace
	}); at >= 0 {
		p.need(Precondition{
			Name: "workloads-known", Message: "not all workloads behind the Service could be read, and changing only some of them has no effect", Evidence: gapEvidence(&s.Gaps[at]),
		})
		return
	}
	var byHand []string
	var changed []*cluster.Workload
	for i := range s.Pods {
		if s.Pods[i].Owner == nil {
			byHand = append(byHand, fmt.Sprintf("pod %s/%s has no controller: create it again with %s", s.Pods[i].Namespace, s.Pods[i].Name, p.snippet(want)))
		}
	}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		name := workloadName(w)
		switch {
		case !w.Known && ours(w.Kind):
			p.need(Precondition{Name: "workload-known", Message: name + " could not be read, so it is not known what to change in it", Evidence: p.workloadGap(w)})
			continue
		case !w.Known:
			byHand = append(byHand, fmt.Sprintf("%s manages the pods, and this tool does not change objects of its kind: in its pod template set %s", name, p.snippet(want)))
			continue
		case w.Kind == "DaemonSet":
			p.gain(name + " already runs one pod on each of its nodes: there is nothing to change")
			continue
		}
		field, change, err := want(w, s.Selector)
		switch {
		case err != nil:
			p.need(Precondition{
				Name: "room-in-template", Holds: cluster.No, Message: fmt.Sprintf("%s: %v", name, err),
				Evidence: []finding.Evidence{{Fact: "spec.template.spec as it is", Source: name}},
			})
		case change:
			p.feasible(w)
			p.rollout(w, field)
			changed = append(changed, w)
		}
	}
	if len(byHand) > 0 {
		// Changing only some of the workloads has no effect, so what this tool would change is listed with the rest.
		for _, c := range p.Changes {
			byHand = append(byHand, fmt.Sprintf("in %s %s/%s set %s", lower(c.Object.Kind), c.Object.Namespace, c.Object.Name, p.snippet(want)))
		}
		p.ByHand, p.Changes = byHand, nil
		return
	}
	if len(changed) == 0 {
		return
	}
	p.placed(changed)
}

func ours(kind string) bool {
	return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" || kind == "ReplicaSet"
}

func workloadName(w *cluster.Workload) string {
	return fmt.Sprintf("%s %s/%s", lower(w.Kind), w.Namespace, w.Name)
}

func (p *planner) workloadGap(w *cluster.Workload) []finding.Evidence {
	resource := lower(w.Kind) + "s.apps"
	if gap := p.Surroundings.Gap(resource, w.Name); gap != nil {
		return gapEvidence(gap)
	}
	return []finding.Evidence{{Fact: "only its name is known", Source: workloadName(w)}}
}

// snippet is the field to set in an empty pod template, as JSON in one line.
func (p *planner) snippet(want placement) string {
	f, _, _ := want(&cluster.Workload{}, p.Surroundings.Selector)
	text, err := json.Marshal(f.Now)
	if err != nil {
		return strings.Join(f.Path, ".")
	}
	return strings.Join(f.Path[2:], ".") + ": " + string(text)
}

// rollout adds the change of a workload.
func (p *planner) rollout(w *cluster.Workload, f Field) {
	name := workloadName(w)
	c := Change{Object: w.Object, Fields: []Field{f}, Starts: "a rollout of " + name}
	switch {
	case w.Paused:
		c.Starts = ""
		p.cost(name + " is paused: no pod moves until it is resumed")
	case w.Strategy == "OnDelete":
		c.Starts = ""
		p.cost(name + " replaces pods only when they are deleted (OnDelete): no pod moves until then")
	default:
		p.cost(fmt.Sprintf("it starts a rollout that replaces %s of %s", english.Count(w.Replicas, "pod", ""), name))
		p.rolloutCosts()
	}
	if w.Claims {
		p.cost(name + " has volumes that may bind its pods to their node or zone: such pods do not move")
	}
	p.Changes = append(p.Changes, c)
	p.owned(&w.Metadata, w.Object, c.Fields)
}

// rolloutCosts adds what a rollout does to connections from outside.
func (p *planner) rolloutCosts() {
	s := p.Facts.Service
	if s.ExternalTrafficPolicy != cluster.PolicyLocal || s.Type != cluster.TypeLoadBalancer || p.Provider.Backends == provider.Pods {
		return
	}
	// KEP-1669, in kube-proxy by default since v1.26.
	const loses = "a node that loses its last pod drops connections until the load balancer's health check notices"
	switch {
	case slices.Contains(p.Costs, loses):
	case !p.Surroundings.Server.Known() || p.Surroundings.Server.Before(1, 26, 0):
		p.cost(loses)
	}
}

// feasible checks whether the pods of a workload can run on different nodes, and whether the rollout can finish.
func (p *planner) feasible(w *cluster.Workload) {
	name := workloadName(w)
	fits := p.fits(w)
	evidence := []finding.Evidence{
		{Fact: english.Count(w.Replicas, "replica", ""), Source: name},
		{Fact: fmt.Sprintf("%s of %d can run its pods: %s", english.Count(len(fits.yes), "node", ""), len(p.Snapshot.Nodes), english.Some(fits.names(p.Snapshot))), Source: "nodes: readiness, cordon, taints, labels"},
	}
	need := Precondition{Name: "enough-nodes", Holds: cluster.Yes, Evidence: evidence, Risk: noEffect}
	gap := nodesGap(p.Snapshot)
	switch {
	case w.Replicas < 2:
		need.Holds = cluster.No
		need.Message = fmt.Sprintf("%s has %s, so there is nothing to spread: add replicas first", name, english.Count(w.Replicas, "replica", ""))
	case len(fits.yes) >= 2:
		need.Risk = ""
		need.Message = fmt.Sprintf("%d nodes can run the %d pods of %s, by their taints, labels and affinity", len(fits.yes), w.Replicas, name)
	case gap != nil:
		need.Holds, need.Message, need.Evidence = cluster.Undetermined, "it is not known how many nodes can run the pods of "+name+": the nodes could not be listed", gapEvidence(gap)
	case len(fits.yes)+fits.maybe >= 2:
		need.Holds = cluster.Undetermined
		need.Message = fmt.Sprintf("it is not known how many nodes can run the pods of %s: for %s, taints were not read or scheduling rules are not supported here", name, english.Count(fits.maybe, "node", ""))
	default:
		need.Holds = cluster.No
		need.Message = fmt.Sprintf("only %s can run the pods of %s, so they cannot be spread: check taints, nodeSelector and node affinity", english.Count(len(fits.yes), "node", ""), name)
	}
	p.need(need)
	if need.Holds == cluster.Yes && w.Replicas > len(fits.yes)+fits.maybe {
		p.cost(fmt.Sprintf("%d pods for %d nodes: some nodes get more than one", w.Replicas, len(fits.yes)))
	}
	p.canEnd(w, fits)
	if w.Settled == cluster.No {
		p.need(Precondition{
			Name: "no-rollout", Holds: cluster.No, Risk: "interrupts-rollout", Message: "a rollout of " + name + " is in progress: wait until it finishes",
			Evidence: []finding.Evidence{{Fact: "not all of its pods are up to date and ready", Source: name}},
		})
	}
	if w.Strategy == "Recreate" {
		p.need(Precondition{
			Name: "pods-replaced-in-turn", Holds: cluster.No, Risk: "downtime", Message: name + " stops all its pods before it starts new ones (strategy Recreate): every connection fails in the meantime",
			Evidence: []finding.Evidence{{Fact: "strategy is Recreate", Source: name}},
		})
	}
	p.budget(w)
}

// canEnd checks that a rollout can finish if two pods cannot share a node: with maxSurge a new pod needs a free node while the old pod still runs.
func (p *planner) canEnd(w *cluster.Workload, fits fitting) {
	var why string
	switch {
	case w.Kind != "Deployment" || w.Strategy == "Recreate":
		return
	case w.HostPorts:
		why = "its pods use a host port"
	case requiredApart(w):
		why = "its pods cannot share a node (required anti-affinity)"
	default:
		return
	}
	name := workloadName(w)
	need := Precondition{
		Name: "rollout-can-end", Holds: cluster.Yes,
		Message: fmt.Sprintf("%s, and the rollout can finish: maxUnavailable is %d, %d nodes for %d pods", why, w.Unavailable, len(fits.yes), w.Replicas),
		Evidence: []finding.Evidence{{
			Fact: fmt.Sprintf("%s; maxSurge %d, maxUnavailable %d", why, w.Surge, w.Unavailable), Source: name,
		}},
	}
	if w.Unavailable == 0 && len(fits.yes) <= w.Replicas {
		need.Holds, need.Risk = cluster.No, "rollout-may-stall"
		if len(fits.yes)+fits.maybe > w.Replicas {
			need.Holds = cluster.Undetermined
		}
		need.Message = fmt.Sprintf("%s, and %d nodes can run %d pods: with maxUnavailable 0 a new pod waits forever for a free node; set maxUnavailable to 1 and maxSurge to 0 first",
			why, len(fits.yes), w.Replicas)
	}
	p.need(need)
}

// budget compares a rollout with the PodDisruptionBudgets: a rollout ignores them, but the pods that it stops count (Kubernetes, concepts/workloads/pods/disruptions).
func (p *planner) budget(w *cluster.Workload) {
	name := workloadName(w)
	if gap := p.Surroundings.Gap(budgets, ""); gap != nil {
		p.need(Precondition{
			Name: "disruption-budget", Risk: "below-disruption-budget", Message: "it is not known whether a PodDisruptionBudget allows the rollout of " + name + ": they could not be listed",
			Evidence: gapEvidence(gap),
		})
		return
	}
	for i := range p.Surroundings.Budgets {
		b := &p.Surroundings.Budgets[i]
		need := Precondition{
			Name: "disruption-budget", Holds: cluster.Yes,
			Message:  fmt.Sprintf("poddisruptionbudget %s/%s allows %s to be unavailable, and the rollout needs at most %d", b.Namespace, b.Name, english.Count(b.Allowed, "pod", ""), w.Unavailable),
			Evidence: []finding.Evidence{{Fact: fmt.Sprintf("disruptionsAllowed is %d", b.Allowed), Source: "poddisruptionbudget " + b.Namespace + "/" + b.Name}},
		}
		if b.Allowed < w.Unavailable {
			need.Holds, need.Risk = cluster.No, "below-disruption-budget"
			need.Message = fmt.Sprintf("poddisruptionbudget %s/%s allows %s to be unavailable, but the rollout of %s may make %d unavailable: rollouts ignore the budget", b.Namespace, b.Name,
				english.Count(b.Allowed, "pod", ""), name, w.Unavailable)
		}
		p.need(need)
	}
}

func nodesGap(s *cluster.Snapshot) *cluster.Gap {
	for i := range s.Gaps {
		if g := &s.Gaps[i]; g.Resource == "nodes" && g.Verb == "list" {
			return g
		}
	}
	return nil
}

// fitting are the nodes that can run a workload's pods, as indexes in the snapshot, and how many others may.
type fitting struct {
	yes   []int
	maybe int
}

func (f fitting) names(s *cluster.Snapshot) []string {
	names := make([]string, len(f.yes))
	for i, n := range f.yes {
		names[i] = s.Nodes[n].Name
	}
	return names
}

// fits are the nodes that pass those filters of the scheduler for which there are facts: readiness, cordon, taints, nodeSelector and required node affinity. Requests for
// CPU, memory and volumes are not checked.
func (p *planner) fits(w *cluster.Workload) (f fitting) {
	for i := range p.Snapshot.Nodes {
		switch takes(&p.Snapshot.Nodes[i], w) {
		case cluster.Yes:
			f.yes = append(f.yes, i)
		case cluster.Undetermined:
			f.maybe++
		case cluster.No:
		}
	}
	return f
}

// placed adds what the change does to the map, as far as can be predicted.
func (p *planner) placed(changed []*cluster.Workload) {
	if p.Provider.Announced {
		p.cost("if one node announces the address, spreading does not help clients outside: only the pods on that node get traffic")
	}
	if hint := p.Provider.Weighs(p.Facts.Service); hint != "" {
		p.cost("without a rollout, " + hint)
	}
	if len(p.Surroundings.Workloads) > 1 {
		p.several(changed)
	}
	nodes, why := p.expectedNodes(changed)
	if why != "" {
		p.Assumes = append(p.Assumes, why+", so it cannot be predicted where the pods will run: the map after the change is the same as now")
		for _, code := range []string{finding.UnevenLoad, finding.SingleNode} {
			if p.failed(code) {
				p.May = append(p.May, code)
			}
		}
		return
	}
	p.Assumes = append(p.Assumes, fmt.Sprintf("the scheduler spreads the pods as evenly as it can over the %s that can run them; CPU, memory and volumes were not checked, and pods that still run "+
		"during the rollout can change the result", english.Count(len(nodes), "node", "")))
	p.effects = append(p.effects, even(nodes))
	p.Fixes = append(p.Fixes, p.evened()...)
}

// expectedNodes are the nodes over which the pods of all workloads are spread; why is the reason if that cannot be predicted.
func (p *planner) expectedNodes(changed []*cluster.Workload) (nodes []int, why string) {
	for i, w := range changed {
		fits := p.fits(w).yes
		switch {
		case w.Paused || w.Strategy == "OnDelete":
			return nil, workloadName(w) + " does not replace its pods by itself"
		case len(fits) == 0:
			return nil, "no node is known to be able to run the pods of " + workloadName(w)
		case i > 0 && !slices.Equal(fits, nodes):
			return nil, "the workloads cannot all run on the same nodes"
		}
		nodes = fits
	}
	if len(changed) < len(p.Surroundings.Workloads) {
		return nil, "not all workloads behind the Service are changed"
	}
	return nodes, ""
}

// several lists the workloads if the Service has more than one, and the order in which they are changed. The change uses the selector of the Service, so that the pods of
// all workloads are spread together.
func (p *planner) several(changed []*cluster.Workload) {
	names := func(list []*cluster.Workload) string {
		parts := make([]string, len(list))
		for i, w := range list {
			parts[i] = workloadName(w)
		}
		return strings.Join(parts, ", ")
	}
	all := make([]*cluster.Workload, len(p.Surroundings.Workloads))
	for i := range all {
		all[i] = &p.Surroundings.Workloads[i]
	}
	text := fmt.Sprintf("%d workloads are behind the Service: %s; ", len(all), names(all))
	if len(changed) == 1 {
		p.cost(text + "only " + workloadName(changed[0]) + " is changed, the others have the setting already")
		return
	}
	p.cost(text + "they are changed in this order: " + names(changed) + "; if one fails, those before it are reverted")
}

// evened are the findings of uneven load and of a single node that the expected placement fixes.
func (p *planner) evened() (codes []string) {
	counts, _ := dataplane.Counts(p.Snapshot, p.after())
	most, least, nodes := 0, 0, 0
	for _, c := range counts {
		if c.Ready == 0 {
			continue
		}
		nodes++
		most = max(most, c.Ready)
		if least == 0 || c.Ready < least {
			least = c.Ready
		}
	}
	if p.failed(finding.UnevenLoad) && most < 2*least {
		codes = append(codes, finding.UnevenLoad)
	}
	if p.failed(finding.SingleNode) && nodes > 1 {
		codes = append(codes, finding.SingleNode)
	}
	return codes
}

// even moves as few ready endpoints as possible, so that their numbers on the nodes differ by at most one. An endpoint in the podCIDR of its node gets an address in that of
// the other node, because predictions recognise pods by it.
func even(nodes []int) effect {
	return func(s *cluster.Snapshot, svc *cluster.Service) {
		// A pod of a dual-stack Service has an endpoint for each family.
		key := func(e *cluster.Endpoint) string { return cmp.Or(e.Target, e.Address.String()) }
		on := map[string]int{}
		for i := range svc.Endpoints {
			if e := &svc.Endpoints[i]; e.Ready {
				on[key(e)] = s.NodeIndex(e.Node)
			}
		}
		moved := evenly(on, nodes)
		for i := range svc.Endpoints {
			e := &svc.Endpoints[i]
			to, ok := moved[key(e)]
			if !ok {
				continue
			}
			if from := s.NodeIndex(e.Node); from >= 0 {
				e.Address = neighbour(svc, e.Address, &s.Nodes[from], &s.Nodes[to])
			}
			e.Node, e.Zone = s.Nodes[to].Name, s.Nodes[to].Zone
			e.ForZones, e.ForNodes = nil, nil
		}
		slices.SortStableFunc(svc.Endpoints, func(a, b cluster.Endpoint) int { return a.Address.Compare(b.Address) })
	}
}

// evenly says which pods move to which node, so that all nodes have the same number or one more. The nodes with most pods keep the one more.
func evenly(on map[string]int, nodes []int) map[string]int {
	has := map[int][]string{}
	for _, pod := range slices.Sorted(maps.Keys(on)) {
		has[on[pod]] = append(has[on[pod]], pod)
	}
	order := slices.Clone(nodes)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Or(len(has[b])-len(has[a]), a-b) })
	wanted := map[int]int{}
	for i, n := range order {
		wanted[n] = len(on) / len(nodes)
		if i < len(on)%len(nodes) {
			wanted[n]++
		}
	}
	var free []string
	for _, n := range slices.Sorted(maps.Keys(has)) {
		if list := has[n]; len(list) > wanted[n] {
			free = append(free, list[wanted[n]:]...)
			has[n] = list[:wanted[n]]
		}
	}
	moved := map[string]int{}
	for _, n := range order {
		for i := len(has[n]); i < wanted[n]; i++ {
			moved[free[0]] = n
			free = free[1:]
		}
	}
	return moved
}
