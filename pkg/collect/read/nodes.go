package read

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// nodes reads every Node: in full where there are few. For many, the labels come as metadata, and readiness, cordon, version and addresses from the table that
// `kubectl get nodes -o wide` shows: a hundredth of the bytes.
func (r *reading) nodes() error {
	var few corev1.NodeList
	var labelled metav1.PartialObjectMetadataList
	var shown *api.Table
	var group errgroup.Group
	var fewErr, labelledErr, shownErr error
	group.Go(func() error {
		r.count()
		fewErr = r.client.Into(r.ctx, api.Request{Path: "/api/v1/nodes", Parameters: url.Values{"limit": {fmt.Sprint(SmallCluster)}}}, &few)
		for i := range few.Items {
			objects.KeepNode(&few.Items[i])
		}
		return nil
	})
	group.Go(func() error {
		r.count()
		labelledErr = r.client.Into(r.ctx, api.Request{Path: "/api/v1/nodes", Accept: api.Metadata, Parameters: api.FromCache()}, &labelled)
		return nil
	})
	group.Go(func() error {
		r.count()
		shown, shownErr = r.client.Table(r.ctx, "", cluster.ResourceNodes)
		return nil
	})
	_ = group.Wait()
	r.lock.Lock()
	whole := fewErr == nil && few.Continue == ""
	r.objects.Nodes = few.Items
	if !whole {
		r.partial = true
		r.objects.Nodes = join(few.Items, labelled.Items, cmp.Or(shown, &api.Table{}))
	}
	r.lock.Unlock()
	if whole {
		return nil
	}
	for _, err := range []error{fewErr, labelledErr, shownErr} {
		if err != nil {
			return r.gap(cluster.ResourceNodes, "list", "", "", err)
		}
	}
	return nil
}

// join makes Nodes of what each list knows of them. A node that was read in full stays as it is.
func join(full []corev1.Node, labelled []metav1.PartialObjectMetadata, shown *api.Table) []corev1.Node {
	known := make(map[string]int, len(labelled))
	out := slices.Grow(full, len(labelled))
	for i := range out {
		known[out[i].Name] = -1
	}
	partial := func(name string) *corev1.Node {
		at, ok := known[name]
		if ok && at < 0 {
			return nil
		}
		if !ok {
			at = len(out)
			known[name] = at
			out = append(out, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		return &out[at]
	}
	for i := range labelled {
		if node := partial(labelled[i].Name); node != nil {
			node.ObjectMeta = labelled[i].ObjectMeta
			objects.KeepNode(node)
		}
	}
	for i := range shown.Rows {
		cell := func(column string) string { return shown.Cell(i, column) }
		if cell("Name") == "" {
			continue
		}
		node := partial(cell("Name"))
		if node == nil {
			continue
		}
		for word := range strings.SplitSeq(cell("Status"), ",") {
			switch word {
			case "Ready":
				node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			case "NotReady":
				node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
			case "SchedulingDisabled":
				node.Spec.Unschedulable = true
			}
		}
		node.Status.NodeInfo.KubeletVersion = cell("Version")
		if address := cell("Internal-IP"); address != "" {
			node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address})
		}
		if address := cell("External-IP"); address != "" {
			node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: address})
		}
	}
	for _, at := range known {
		if at >= 0 {
			if out[at].Annotations == nil {
				out[at].Annotations = map[string]string{}
			}
			out[at].Annotations[objects.PartialAnnotation] = "true"
		}
	}
	return out
}

// fullNodes reads some nodes in full, as far as the budget allows: first those of the query, then some with endpoints.
func (r *reading) fullNodes(group *errgroup.Group, budget int) {
	position := make(map[string]int, len(r.objects.Nodes))
	for i := range r.objects.Nodes {
		if r.objects.Nodes[i].Annotations[objects.PartialAnnotation] != "" {
			position[r.objects.Nodes[i].Name] = i
		}
	}
	left := min(budget, maxFullNodes)
	var forbidden sync.Once
	read := func(name string) {
		at, ok := position[name]
		if !ok || left <= 0 {
			return
		}
		delete(position, name)
		left--
		group.Go(func() error {
			var node corev1.Node
			r.count()
			err := r.client.Into(r.ctx, api.Request{Path: api.Path("/api/v1", "", "nodes", name), Parameters: api.FromCache()}, &node)
			if apierrors.IsForbidden(err) {
				// One Gap for all of them: one permission closes it.
				var failed error
				forbidden.Do(func() { failed = r.gap(cluster.ResourceNodes, "get", "", "", err) })
				return failed
			}
			if err != nil {
				// The node stays as the lists have it.
				return nil
			}
			objects.KeepNode(&node)
			r.lock.Lock()
			defer r.lock.Unlock()
			r.objects.Nodes[at] = node
			return nil
		})
	}
	for _, name := range r.wanted {
		read(name)
	}
	for i := range r.objects.Slices {
		for j := range r.objects.Slices[i].Endpoints {
			if name := r.objects.Slices[i].Endpoints[j].NodeName; name != nil {
				read(*name)
			}
		}
	}
}
