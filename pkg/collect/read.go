package collect

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"

	"golang.org/x/sync/errgroup"
)

const (
	// requestBudget bounds the requests for one Service, however many nodes there are.
	requestBudget = 12
	// mostFullNodes bounds the nodes of a large cluster that are read in full after all.
	mostFullNodes = 6
	// smallCluster is up to how many nodes every Node is read in full, by one list.
	smallCluster = 250
)

// Read gets what a Snapshot of the query needs, and no more. Without the Services there is nothing to say, so what keeps them from being read is an error;
// anything else becomes a Gap.
func (c *Client) Read(ctx context.Context, q Query) (*Objects, error) {
	targets, err := q.targets()
	if err != nil {
		return nil, err
	}
	if _, err := labels.Parse(q.Selector); err != nil {
		return nil, &UsageError{fmt.Sprintf("-l %q: %v", q.Selector, err)}
	}
	namespace := q.Namespace
	if namespace == "" {
		namespace = c.namespace
	}
	if q.AllNamespaces {
		namespace = ""
	}
	// Whatever cannot be done without the Services stops when they cannot be read.
	group, whole := errgroup.WithContext(ctx)
	r := &reading{client: c, ctx: whole, wanted: q.Nodes, objects: &Objects{asked: true}}
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
	client *Client
	ctx    context.Context
	// wanted are the nodes that the query asks for by name.
	wanted []string

	lock     sync.Mutex
	objects  *Objects
	requests int
	// known are the Services in objects, from the first list of them on.
	known map[objectKey]bool
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
	r.objects.Gaps = append(r.objects.Gaps, newGap(resource, verb, namespace, name, err))
	return nil
}

// serviceNames are the names of the Services to look for slices of, nil for all of a namespace; it is false where the Services must be known first.
func serviceNames(targets []target) ([]string, bool) {
	var out []string
	for _, t := range targets {
		if t.kind != serviceTarget {
			return nil, false
		}
		out = append(out, t.name)
	}
	return out, true
}

func (r *reading) services(targets []target, namespace string, q Query) error {
	if len(targets) == 0 {
		return r.listServices(namespace, q.Selector)
	}
	group, ctx := errgroup.WithContext(r.ctx)
	group.SetLimit(8)
	names := make([]string, 0, len(targets))
	others := false
	for _, t := range targets {
		if t.kind == serviceTarget {
			names = append(names, t.name)
			continue
		}
		others = true
		group.Go(func() error { return r.front(ctx, t, namespace) })
	}
	found := make([]corev1.Service, len(names))
	for i, name := range names {
		group.Go(func() error {
			r.count()
			err := r.client.into(ctx, request{path: resourcePath("/api/v1", namespace, "services", name)}, &found[i])
			if apierrors.IsNotFound(err) {
				return r.client.noService(ctx, namespace, name)
			}
			if err != nil {
				return fmt.Errorf("get service %s/%s: %w", namespace, name, r.client.explain(err, "get", cluster.ResourceServices, namespace))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.lock.Lock()
	for i := range found {
		trimService(&found[i])
		r.objects.Services = append(r.objects.Services, found[i])
	}
	r.lock.Unlock()
	if !others {
		return nil
	}
	// The Service behind an Ingress is its controller's, in whatever namespace that lives.
	if err := r.listServices("", ""); err != nil {
		if namespace == "" {
			return err
		}
		if narrow := r.listServices(namespace, ""); narrow != nil {
			return err
		}
	}
	return nil
}

// front reads an Ingress or a Gateway, which stands for the Services behind it.
func (r *reading) front(ctx context.Context, t target, namespace string) error {
	full := t.name
	if namespace != "" {
		full = namespace + "/" + t.name
	}
	if t.kind == ingressTarget {
		var ingress networkingv1.Ingress
		r.count()
		if err := r.client.into(ctx, request{path: resourcePath("/apis/networking.k8s.io/v1", namespace, "ingresses", t.name)}, &ingress); err != nil {
			return fmt.Errorf("get ingress %s: %w", full, r.client.explain(err, "get", cluster.ResourceIngresses, namespace))
		}
		trimIngress(&ingress)
		r.lock.Lock()
		defer r.lock.Unlock()
		r.objects.Ingresses = append(r.objects.Ingresses, ingress)
		return nil
	}
	var gateway unstructured.Unstructured
	r.count()
	from := request{path: resourcePath("/apis/gateway.networking.k8s.io/v1", namespace, "gateways", t.name), accept: "application/json"}
	if err := r.client.json(ctx, from, &gateway.Object); err != nil {
		return fmt.Errorf("get gateway %s: %w", full, r.client.explain(err, "get", cluster.ResourceGateways, namespace))
	}
	trimOther(&gateway)
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.Others = append(r.objects.Others, gateway)
	return nil
}

func (r *reading) listServices(namespace, selector string) error {
	parameters := url.Values{}
	if selector != "" {
		parameters.Set("labelSelector", selector)
	}
	err := pages(parameters, func(page url.Values) (*listed, error) {
		var list corev1.ServiceList
		r.count()
		err := r.client.into(r.ctx, request{path: resourcePath("/api/v1", namespace, "services", ""), parameters: page}, &list)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			trimService(&list.Items[i])
		}
		return &listed{&list.ListMeta, func() error {
			r.addServices(list.Items)
			return nil
		}}, nil
	})
	if err != nil {
		where := "in all namespaces"
		if namespace != "" {
			where = "in namespace " + namespace
		}
		return fmt.Errorf("list services %s: %w", where, r.client.explain(err, "list", cluster.ResourceServices, namespace))
	}
	return nil
}

// addServices takes in those that are not there yet.
func (r *reading) addServices(items []corev1.Service) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.known == nil {
		r.known = make(map[objectKey]bool, len(items))
		for i := range r.objects.Services {
			r.known[objectKey{"", r.objects.Services[i].Namespace, r.objects.Services[i].Name}] = true
		}
	}
	for i := range items {
		if key := (objectKey{"", items[i].Namespace, items[i].Name}); !r.known[key] {
			r.known[key] = true
			r.objects.Services = append(r.objects.Services, items[i])
		}
	}
}

// noService is the error for a Service that is not there, with the names that are near and the namespaces where it is, as far as the user may see them.
func (c *Client) noService(ctx context.Context, namespace, name string) error {
	var here, elsewhere []string
	var group errgroup.Group
	group.Go(func() error {
		names, err := c.Names(ctx, namespace)
		for _, found := range names {
			here = append(here, namespace+"/"+found)
		}
		return err
	})
	group.Go(func() error {
		var found metav1.PartialObjectMetadataList
		parameters := fromCache()
		parameters.Set("fieldSelector", "metadata.name="+name)
		err := c.into(ctx, request{path: resourcePath("/api/v1", "", "services", ""), accept: metadata, parameters: parameters}, &found)
		for i := range found.Items {
			elsewhere = append(elsewhere, found.Items[i].Namespace)
		}
		return err
	})
	where := "in namespace " + namespace
	if err := group.Wait(); err != nil && len(here) == 0 && len(elsewhere) == 0 {
		// Who may get one Service need not be allowed to list them.
		return fmt.Errorf("get service %s/%s: not found %s; another namespace is chosen by -n", namespace, name, where)
	}
	return notFound(name, namespace, where, here, elsewhere)
}

// slices reads the EndpointSlices of some Services of a namespace, or of all.
func (r *reading) slices(namespace string, names []string) error {
	parameters := url.Values{"labelSelector": {discoveryv1.LabelServiceName}}
	switch len(names) {
	case 0:
	case 1:
		parameters.Set("labelSelector", discoveryv1.LabelServiceName+"="+names[0])
	default:
		parameters.Set("labelSelector", discoveryv1.LabelServiceName+" in ("+strings.Join(names, ",")+")")
	}
	err := pages(parameters, func(page url.Values) (*listed, error) {
		var list discoveryv1.EndpointSliceList
		r.count()
		err := r.client.into(r.ctx, request{path: resourcePath("/apis/discovery.k8s.io/v1", namespace, "endpointslices", ""), parameters: page}, &list)
		if err != nil {
			return nil, err
		}
		items := trimSlices(list.Items)
		return &listed{&list.ListMeta, func() error {
			r.addSlices(items)
			return nil
		}}, nil
	})
	// Before v1.21 there is v1beta1 alone.
	if apierrors.IsNotFound(err) {
		err = pages(parameters, func(page url.Values) (*listed, error) {
			var list discoveryv1beta1.EndpointSliceList
			r.count()
			err := r.client.into(r.ctx, request{path: resourcePath("/apis/discovery.k8s.io/v1beta1", namespace, "endpointslices", ""), parameters: page}, &list)
			if err != nil {
				return nil, err
			}
			converted := make([]discoveryv1.EndpointSlice, 0, len(list.Items))
			for i := range list.Items {
				converted = append(converted, fromV1beta1(&list.Items[i]))
			}
			converted = trimSlices(converted)
			return &listed{&list.ListMeta, func() error {
				r.addSlices(converted)
				return nil
			}}, nil
		})
	}
	if err != nil {
		return r.gap(cluster.ResourceEndpointSlices, "list", namespace, "", err)
	}
	return nil
}

func trimSlices(items []discoveryv1.EndpointSlice) []discoveryv1.EndpointSlice {
	kept := items[:0]
	for i := range items {
		if trimSlice(&items[i]) {
			kept = append(kept, items[i])
		}
	}
	return kept
}

func (r *reading) addSlices(items []discoveryv1.EndpointSlice) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.Slices = append(r.objects.Slices, items...)
}

// slicesBehind reads the EndpointSlices of the Services that an Ingress or a Gateway stands for, and leaves out the Services that it does not.
func (r *reading) slicesBehind() error {
	kept := r.objects.Services[:0]
	spaces := map[string][]string{}
	for _, service := range r.objects.Services {
		if len(service.Status.LoadBalancer.Ingress) > 0 || service.Labels[gatewayNameLabel] != "" || externallyAccessible(&service) {
			kept = append(kept, service)
			spaces[service.Namespace] = append(spaces[service.Namespace], service.Name)
		}
	}
	r.objects.Services = kept
	group := errgroup.Group{}
	group.SetLimit(4)
	for namespace, names := range spaces {
		group.Go(func() error { return r.slices(namespace, names) })
	}
	return group.Wait()
}

// nodes reads every Node: in full where there are few. For many, the labels come as metadata, and readiness, cordon, version and addresses from the table that
// `kubectl get nodes -o wide` shows: a hundredth of the bytes.
func (r *reading) nodes() error {
	var few corev1.NodeList
	var labelled metav1.PartialObjectMetadataList
	var shown printed
	var group errgroup.Group
	var fewErr, labelledErr, shownErr error
	group.Go(func() error {
		r.count()
		fewErr = r.client.into(r.ctx, request{path: "/api/v1/nodes", parameters: url.Values{"limit": {fmt.Sprint(smallCluster)}}}, &few)
		for i := range few.Items {
			trimNode(&few.Items[i])
		}
		return nil
	})
	group.Go(func() error {
		r.count()
		labelledErr = r.client.into(r.ctx, request{path: "/api/v1/nodes", accept: metadata, parameters: fromCache()}, &labelled)
		return nil
	})
	group.Go(func() error {
		r.count()
		parameters := fromCache()
		parameters.Set("includeObject", "None")
		shownErr = r.client.json(r.ctx, request{path: "/api/v1/nodes", accept: table, parameters: parameters}, &shown)
		return nil
	})
	_ = group.Wait()
	r.lock.Lock()
	whole := fewErr == nil && few.Continue == ""
	r.objects.Nodes = few.Items
	if !whole {
		r.partial = true
		r.objects.Nodes = join(few.Items, labelled.Items, &shown)
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

// printed is what the server prints of a list, as `kubectl get -o wide` shows it.
type printed struct {
	Columns []struct {
		Name string `json:"name"`
	} `json:"columnDefinitions"`
	Rows []struct {
		Cells []any `json:"cells"`
	} `json:"rows"`
}

// cell is the text in a row's column of that name, "" where there is none, or only a word such as <none>.
func (p *printed) cell(row int, column string) string {
	for i, cell := range p.Rows[row].Cells {
		if i < len(p.Columns) && p.Columns[i].Name == column {
			if text, ok := cell.(string); ok && !strings.HasPrefix(text, "<") {
				return text
			}
		}
	}
	return ""
}

// join makes Nodes of what each list knows of them. A node that was read in full stays as it is.
func join(full []corev1.Node, labelled []metav1.PartialObjectMetadata, shown *printed) []corev1.Node {
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
			trimNode(node)
		}
	}
	for i := range shown.Rows {
		cell := func(column string) string { return shown.cell(i, column) }
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
			out[at].Annotations[partialAnnotation] = "true"
		}
	}
	return out
}

// daemonSets lists those of all namespaces: a data plane may live in one of its own. Who may not do that may still look into kube-system; likelyNamespaces come
// later, within what the budget leaves.
func (r *reading) daemonSets() error {
	err := r.listDaemonSets("")
	if err == nil {
		return nil
	}
	if failed := r.gap(cluster.ResourceDaemonSets, "list", "", "", err); failed != nil || !apierrors.IsForbidden(err) {
		return failed
	}
	if err := r.listDaemonSets(detect.KubeSystem); err != nil {
		return r.gap(cluster.ResourceDaemonSets, "list", detect.KubeSystem, "", err)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.narrow = true
	return nil
}

// listLikely lists the DaemonSets of as many of them. A refusal is no gap of its own: the one for all namespaces says it.
func (r *reading) listLikely(namespaces []string) error {
	var group errgroup.Group
	for _, namespace := range namespaces {
		group.Go(func() error {
			err := r.listDaemonSets(namespace)
			if err == nil || apierrors.IsForbidden(err) {
				return nil
			}
			return r.gap(cluster.ResourceDaemonSets, "list", namespace, "", err)
		})
	}
	return group.Wait()
}

func (r *reading) listDaemonSets(namespace string) error {
	var list appsv1.DaemonSetList
	r.count()
	if err := r.client.into(r.ctx, request{path: resourcePath("/apis/apps/v1", namespace, "daemonsets", ""), parameters: fromCache()}, &list); err != nil {
		return err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	for i := range list.Items {
		if detect.KeepDaemonSet(&list.Items[i]) {
			r.objects.DaemonSets = append(r.objects.DaemonSets, list.Items[i])
		}
	}
	return nil
}

// single reads one object of a type that is not part of Kubernetes, and has no namespace. A cluster that does not know the type has no such object, which is no gap.
func (r *reading) single(of detect.Reference) error {
	var found unstructured.Unstructured
	r.count()
	plural, group, _ := strings.Cut(of.Resource, ".")
	from := request{path: resourcePath("/apis/"+group+"/v1", "", plural, of.Name), accept: "application/json", parameters: fromCache()}
	err := r.client.json(r.ctx, from, &found.Object)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err) && of.Resource == cluster.ResourceNetworks:
		// It only stands in for DaemonSets that may not be listed, and the gap for them says what is missing.
		return nil
	case err != nil:
		return r.gap(of.Resource, "get", "", of.Name, err)
	}
	trimOther(&found)
	r.lock.Lock()
	defer r.lock.Unlock()
	r.objects.Others = append(r.objects.Others, found)
	return nil
}

// needs are what the DaemonSets and nodes that were read point to.
func (r *reading) needs() detect.Needs {
	return detect.NeedsOf(r.objects.detection(r.nodePointers()), r.narrow)
}

func (r *reading) nodePointers() []*corev1.Node {
	out := make([]*corev1.Node, len(r.objects.Nodes))
	for i := range r.objects.Nodes {
		out[i] = &r.objects.Nodes[i]
	}
	return out
}

// details reads what the DaemonSets point to: the settings of the data plane; and the nodes of a large cluster that matter most.
func (r *reading) details() error {
	waiting := r.waiting()
	// left is how many requests the budget leaves beside the ConfigMaps that are needed, the events of Services that wait, and the two requests that look for static pods.
	left := func(needs *detect.Needs) int {
		pods := 0
		if needs.StaticPods {
			pods = 2
		}
		return requestBudget - r.requests - len(needs.ConfigMaps) - min(len(waiting), 1) - pods
	}
	needs := r.needs()
	if r.narrow {
		namespaces := detect.LikelyNamespaces(r.objects.detection(r.nodePointers()))
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

func (r *reading) configMap(namespace, name string, certain bool) error {
	var found corev1.ConfigMap
	r.count()
	err := r.client.into(r.ctx, request{path: resourcePath("/api/v1", namespace, "configmaps", name), parameters: fromCache()}, &found)
	switch {
	case apierrors.IsNotFound(err) && !certain:
		return nil
	case err != nil:
		return r.gap(cluster.ResourceConfigMaps, "get", namespace, name, err)
	}
	if detect.KeepConfigMap(&found) {
		r.lock.Lock()
		defer r.lock.Unlock()
		r.objects.ConfigMaps = append(r.objects.ConfigMaps, found)
	}
	return nil
}

// staticPods reads the pods of kube-proxy where no DaemonSet runs it: kops and classic GKE label them so.
func (r *reading) staticPods() error {
	var list corev1.PodList
	parameters := fromCache()
	parameters.Set("labelSelector", "component=kube-proxy")
	r.count()
	if err := r.client.into(r.ctx, request{path: resourcePath("/api/v1", detect.KubeSystem, "pods", ""), parameters: parameters}, &list); err != nil {
		return r.gap(cluster.ResourcePods, "list", detect.KubeSystem, "", err)
	}
	if len(list.Items) == 0 {
		parameters.Set("labelSelector", "k8s-app=kube-proxy")
		r.count()
		if err := r.client.into(r.ctx, request{path: resourcePath("/api/v1", detect.KubeSystem, "pods", ""), parameters: parameters}, &list); err != nil {
			return r.gap(cluster.ResourcePods, "list", detect.KubeSystem, "", err)
		}
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	for i := range list.Items {
		if detect.KeepPod(&list.Items[i]) {
			r.objects.Pods = append(r.objects.Pods, list.Items[i])
		}
	}
	return nil
}

// fullNodes reads nodes in full after all, within what the budget leaves: first those that are asked for, then some with endpoints.
func (r *reading) fullNodes(group *errgroup.Group, budget int) {
	position := make(map[string]int, len(r.objects.Nodes))
	for i := range r.objects.Nodes {
		if r.objects.Nodes[i].Annotations[partialAnnotation] != "" {
			position[r.objects.Nodes[i].Name] = i
		}
	}
	left := min(budget, mostFullNodes)
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
			err := r.client.into(r.ctx, request{path: resourcePath("/api/v1", "", "nodes", name), parameters: fromCache()}, &node)
			if apierrors.IsForbidden(err) {
				// One Gap for all of them: one permission closes it.
				var failed error
				forbidden.Do(func() { failed = r.gap(cluster.ResourceNodes, "get", "", "", err) })
				return failed
			}
			if err != nil {
				// What the lists say of the node still holds.
				return nil
			}
			trimNode(&node)
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
