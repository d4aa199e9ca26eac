// Package read reads from an API server what a Snapshot of a query needs, within a budget of requests.
package read

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-etp/kubectl-etp/pkg/detect"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

const (
	// Budget bounds the requests for one Service, however many nodes there are.
	Budget = 12
	// maxFullNodes bounds the nodes of a large cluster that are read in full after all.
	maxFullNodes = 6
	// SmallCluster is up to how many nodes every Node is read in full, by one list.
	SmallCluster = 250
)

// Query gets what a Snapshot of the query needs, and no more. Without the Services there is nothing to say, so what keeps them from being read is an error;
// anything else becomes a Gap.
func Query(ctx context.Context, c *api.Client, q objects.Query) (*objects.Objects, error) {
	targets, err := q.Targets()
	if err != nil {
		return nil, err
	}
	if _, err := labels.Parse(q.Selector); err != nil {
		return nil, &objects.UsageError{Message: fmt.Sprintf("-l %q: %v", q.Selector, err)}
	}
	namespace := q.Namespace
	if namespace == "" {
		namespace = c.Namespace()
	}
	if q.AllNamespaces {
		namespace = ""
	}
	// Whatever cannot be done without the Services stops when they cannot be read.
	group, whole := errgroup.WithContext(ctx)
	r := &reading{client: c, ctx: whole, wanted: q.Nodes, objects: &objects.Objects{Complete: true}}
	group.Go(func() error { return r.services(targets, namespace, q) })
	group.Go(r.nodes)
	group.Go(r.daemonSets)
	for _, one := range detect.Always() {
		group.Go(func() error { return r.single(one) })
	}
	if names, ok := serviceNames(targets); ok {
		group.Go(func() error { return r.slices(namespace, names) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r.ctx = ctx
	if _, ok := serviceNames(targets); !ok {
		if err := r.slicesBehind(); err != nil {
			return nil, err
		}
	}
	if err := r.details(); err != nil {
		return nil, err
	}
	return r.objects, nil
}

// reading is one Read under way.
type reading struct {
	client *api.Client
	ctx    context.Context
	// wanted are the nodes that the query asks for by name.
	wanted []string

	lock     sync.Mutex
	objects  *objects.Objects
	requests int
	// known are the Services in objects, from the first list of them on.
	known map[objects.Key]bool
	// partial is true where some nodes were not read in full.
	partial bool
	// narrow is true where the DaemonSets of kube-system were listed, and those of all namespaces may not be.
	narrow bool
}

func (r *reading) count() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.requests++
}

// gap notes what could not be read. It is an error only where the whole reading has been given up.
func (r *reading) gap(resource, verb, namespace, name string, err error) error {
	if r.ctx.Err() == context.Canceled {
		return context.Canceled
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.Gaps = append(r.objects.Gaps, api.NewGap(resource, verb, namespace, name, err))
	return nil
}

// details reads what the DaemonSets point to: the settings of the data plane; and the nodes of a large cluster that matter most.
func (r *reading) details() error {
	waiting := r.waiting()
	byCilium, byMetalLB := r.announced()
	// left is how many requests the budget leaves beside the ConfigMaps that are needed, the events of Services that wait, and the two requests that look for static pods.
	left := func(needs *detect.Needs) int {
		pods := 0
		if needs.StaticPods {
			pods = 2
		}
		return Budget - r.requests - len(needs.ConfigMaps) - min(len(waiting), 1) - min(len(byCilium), 1) - min(len(byMetalLB), 1) - pods
	}
	needs := r.needs()
	if r.narrow {
		namespaces := detect.LikelyNamespaces(r.objects.Detection(r.nodePointers()))
		// What is found there has settings to be read, too.
		if err := r.listLikely(namespaces[:max(0, min(left(&needs)-1, len(namespaces)))]); err != nil {
			return err
		}
		needs = r.needs()
	}
	// All that is decided by what was read so far comes before the first of these requests: they add to it.
	rest := left(&needs) - len(needs.Others)
	var reads []func() error
	if len(waiting) > 0 {
		reads = append(reads, func() error { return r.events(waiting) })
	}
	if len(byCilium) > 0 {
		reads = append(reads, func() error { return r.leases(byCilium) })
	}
	if len(byMetalLB) > 0 {
		reads = append(reads, func() error { return r.l2Statuses(byMetalLB) })
	}
	for _, c := range needs.ConfigMaps {
		reads = append(reads, func() error { return r.configMap(c.Namespace, c.Name, !needs.Guessed) })
	}
	if needs.StaticPods {
		// kops, RKE2 and classic GKE run kube-proxy in static pods, also beside Cilium.
		reads = append(reads, r.staticPods)
	}
	for _, one := range needs.Others {
		reads = append(reads, func() error { return r.single(one) })
	}
	if rest > 0 {
		// It matters for what is advised alone, so it comes last.
		rest--
		reads = append(reads, r.corefile)
	}
	var group errgroup.Group
	for _, read := range reads {
		group.Go(read)
	}
	if r.partial {
		r.fullNodes(&group, rest)
	}
	return group.Wait()
}
