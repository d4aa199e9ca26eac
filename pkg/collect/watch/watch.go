// Package watch follows the Services, EndpointSlices and nodes of a query, and says when changes are not seen.
package watch

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

const (
	// settleTime is the shortest time between two Changes: a rollout is many events at once.
	settleTime = time.Second / 5
	// firstRetry and lastRetry bound the pauses between two attempts to reach the server: one person waits for it, not a fleet of controllers.
	firstRetry, lastRetry = time.Second / 2, 10 * time.Second
)

// Change is what is now true, or why that is not known.
type Change struct {
	// Snapshot is nil where only Stale or Err is new.
	Snapshot *cluster.Snapshot
	// Stale is nil as long as changes would be seen.
	Stale *Stale
	Err   error
}

// Stale says that changes are not seen at present. The watch is tried again until the server answers.
type Stale struct {
	// Since is when the server last sent anything of what is not seen now.
	Since time.Time
	// Reason is what went wrong last.
	Reason string
}

// Follow follows the Services of a query, their slices and the nodes, from what Read has found. There are at most five Changes a second, and one only where the
// Snapshot or Stale differs: heartbeats of nodes are none. Where the server can be watched again after it could not, there is a Change with a Snapshot in any case.
// The channel is closed when ctx ends, or after a Change with Err, which says why watching cannot go on.
//
// Where the server rejects the credentials, they are read again; where it rejects the new ones too, watching ends. What Read could not read, or
// what may not be watched from the start, is not watched. Now is the clock that Since is read from. The data plane's settings are those of the first reading.
func Follow(ctx context.Context, c *api.Client, q objects.Query, first *objects.Objects, now func() time.Time) (<-chan Change, error) {
	before, err := first.Snapshot(q)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watching{client: c, session: session{client: c}, query: q, first: first, now: now, changed: make(chan struct{}, 1), failed: make(chan error, 1)}
	w.services = byName(first.Services)
	w.slices = byName(first.Slices)
	w.nodes = byName(first.Nodes)
	var running sync.WaitGroup
	w.start(ctx, &running, before)
	out := make(chan Change)
	go func() {
		defer close(out)
		defer running.Wait()
		defer cancel()
		w.run(ctx, out, before)
	}()
	return out, nil
}

// watching is the state of a Watch.
type watching struct {
	client  *api.Client
	session session
	query   objects.Query
	first   *objects.Objects
	now     func() time.Time

	lock     sync.Mutex
	services map[string]corev1.Service
	slices   map[string]discoveryv1.EndpointSlice
	nodes    map[string]corev1.Node
	gaps     []cluster.Gap
	links    []*link

	changed chan struct{}
	failed  chan error
}

func byName[T any, P interface {
	*T
	metav1.Object
}](objects []T) map[string]T {
	out := make(map[string]T, len(objects))
	for i := range objects {
		object := P(&objects[i])
		out[object.GetNamespace()+"/"+object.GetName()] = objects[i]
	}
	return out
}

// run sends a Change for each new Snapshot, and where an outage begins, has another reason, or ends.
func (w *watching) run(ctx context.Context, out chan<- Change, before *cluster.Snapshot) {
	send := func(change Change) {
		select {
		case out <- change:
		case <-ctx.Done():
		}
	}
	var sent *Stale
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-w.failed:
			send(Change{Err: err})
			return
		case <-w.changed:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(settleTime):
		}
		select {
		case <-w.changed:
		default:
		}
		after, err := w.objects().Snapshot(w.query)
		if err != nil {
			send(Change{Err: err})
			return
		}
		stale := w.stale()
		ended := sent != nil && stale == nil
		if same := reflect.DeepEqual(before, after); same && !ended {
			if !reflect.DeepEqual(sent, stale) {
				sent = stale
				send(Change{Stale: stale})
			}
			continue
		}
		before, sent = after, stale
		// The receiver owns what it is given, and may add what the nodes say.
		send(Change{Snapshot: clone(after), Stale: stale})
	}
}

// clone copies what Live changes.
func clone(s *cluster.Snapshot) *cluster.Snapshot {
	out := *s
	out.Services, out.Nodes, out.Gaps = slices.Clone(s.Services), slices.Clone(s.Nodes), slices.Clone(s.Gaps)
	return &out
}

func (w *watching) objects() *objects.Objects {
	w.lock.Lock()
	defer w.lock.Unlock()
	out := *w.first
	out.Services = slices.Collect(maps.Values(w.services))
	out.Slices = slices.Collect(maps.Values(w.slices))
	out.Nodes = slices.Collect(maps.Values(w.nodes))
	out.Gaps = append(slices.Clone(w.first.Gaps), w.gaps...)
	return &out
}

// fail ends the watching with an error, unless another one does already.
func (w *watching) fail(err error) {
	select {
	case w.failed <- err:
	default:
	}
}

func (w *watching) notify() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *watching) start(ctx context.Context, running *sync.WaitGroup, before *cluster.Snapshot) {
	namespace, name := w.scope(before)
	fields, labels := url.Values{}, url.Values{"labelSelector": {discoveryv1.LabelServiceName}}
	switch {
	case name != "":
		fields.Set("fieldSelector", "metadata.name="+name)
		labels.Set("labelSelector", discoveryv1.LabelServiceName+"="+name)
	case w.query.Selector != "":
		fields.Set("labelSelector", w.query.Selector)
	}
	unread := func(resource string) bool {
		return slices.ContainsFunc(w.first.Gaps, func(g cluster.Gap) bool { return g.Resource == resource })
	}
	follow(ctx, running, w, source{
		resource: cluster.ResourceServices, path: api.Path("/api/v1", namespace, "services", ""), namespace: namespace, parameters: fields,
		object: func() runtime.Object { return &corev1.Service{} }, list: func() runtime.Object { return &corev1.ServiceList{} },
	}, w.services, func(object runtime.Object) (corev1.Service, bool) {
		service, ok := object.(*corev1.Service)
		if !ok {
			return corev1.Service{}, false
		}
		ok = objects.KeepService(service)
		return *service, ok
	})
	if !unread(cluster.ResourceEndpointSlices) {
		from := source{
			resource: cluster.ResourceEndpointSlices, path: api.Path("/apis/discovery.k8s.io/v1", namespace, "endpointslices", ""), namespace: namespace, parameters: labels,
			object: func() runtime.Object { return &discoveryv1.EndpointSlice{} }, list: func() runtime.Object { return &discoveryv1.EndpointSliceList{} },
		}
		probe := api.CloneValues(labels)
		probe.Set("limit", "1")
		if err := w.client.Into(ctx, api.Request{Path: from.path, Parameters: probe}, &discoveryv1.EndpointSliceList{}); apierrors.IsNotFound(err) {
			from.path = api.Path("/apis/discovery.k8s.io/v1beta1", namespace, "endpointslices", "")
			from.object = func() runtime.Object { return &discoveryv1beta1.EndpointSlice{} }
			from.list = func() runtime.Object { return &discoveryv1beta1.EndpointSliceList{} }
		}
		follow(ctx, running, w, from, w.slices, func(object runtime.Object) (discoveryv1.EndpointSlice, bool) {
			var slice discoveryv1.EndpointSlice
			switch object := object.(type) {
			case *discoveryv1.EndpointSlice:
				slice = *object
			case *discoveryv1beta1.EndpointSlice:
				slice = objects.FromV1beta1(object)
			}
			ok := objects.KeepSlice(&slice)
			return slice, ok
		})
	}
	if !unread(cluster.ResourceNodes) {
		follow(ctx, running, w, source{
			resource: cluster.ResourceNodes, path: api.Path("/api/v1", "", "nodes", ""),
			object: func() runtime.Object { return &corev1.Node{} }, list: func() runtime.Object { return &corev1.NodeList{} },
		}, w.nodes, func(object runtime.Object) (corev1.Node, bool) {
			node, ok := object.(*corev1.Node)
			if !ok {
				return corev1.Node{}, false
			}
			ok = objects.KeepNode(node)
			return *node, ok
		})
	}
}

// scope is the namespace to watch, "" for all, and the Service where it is a single one.
func (w *watching) scope(before *cluster.Snapshot) (namespace, name string) {
	if w.query.AllNamespaces {
		return "", ""
	}
	targets, _ := w.query.Targets()
	namespace = w.query.Namespace
	if namespace == "" {
		namespace = w.client.Namespace()
	}
	if len(targets) == 0 {
		return namespace, ""
	}
	for i := range before.Services {
		if before.Services[i].Namespace != before.Services[0].Namespace {
			return "", ""
		}
		namespace = before.Services[i].Namespace
	}
	if len(before.Services) == 1 {
		return namespace, before.Services[0].Name
	}
	return namespace, ""
}

// source is one resource to follow.
type source struct {
	resource, path, namespace string
	parameters                url.Values
	object, list              func() runtime.Object
}

// follow keeps a map of objects as the API server has them, until ctx ends. What may not be watched from the start is an error for Services, and a gap for the rest;
// a watch that is refused later is tried again, since a starting API server refuses what it allows a moment later.
func follow[T any](ctx context.Context, running *sync.WaitGroup, w *watching, from source, into map[string]T, convert func(runtime.Object) (T, bool)) {
	ctx, stop := context.WithCancel(ctx)
	l := w.link(from.resource)
	answered := func(verb string, err error) error {
		switch {
		case err == nil:
			l.answered(verb)
			return nil
		case ctx.Err() != nil:
			return err
		case !apierrors.IsForbidden(err) || l.wasWatched():
			l.lost(err)
			return err
		}
		stop()
		l.close()
		if from.resource == cluster.ResourceServices {
			w.fail(fmt.Errorf("%s %s: %w", verb, from.resource, w.client.Explain(err, verb, from.resource, from.namespace)))
			return err
		}
		w.lock.Lock()
		defer w.lock.Unlock()
		if gap := api.NewGap(from.resource, verb, from.namespace, "", err); !slices.Contains(w.gaps, gap) {
			w.gaps = append(w.gaps, gap)
			w.notify()
		}
		return err
	}
	// send sends with the client's credentials, and once more with new ones where the server rejects them.
	send := func(verb string, ask func(*rest.RESTClient) error) error {
		err, fatal := w.session.send(ask)
		if fatal != nil {
			w.fail(fmt.Errorf("%s %s: %w", verb, from.resource, fatal))
		}
		return answered(verb, err)
	}
	options := func(o metav1.ListOptions) metav1.ListOptions {
		o.LabelSelector, o.FieldSelector = from.parameters.Get("labelSelector"), from.parameters.Get("fieldSelector")
		return o
	}
	version := schema.GroupVersion{Version: "v1"}
	lister := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o = options(o)
			list := from.list()
			err := send("list", func(c *rest.RESTClient) error {
				return c.Get().AbsPath(from.path).SetHeader("Accept", api.Protobuf).SpecificallyVersionedParams(&o, metav1.ParameterCodec, version).Do(ctx).Into(list)
			})
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o = options(o)
			o.Watch = true
			var events watch.Interface
			err := send("watch", func(c *rest.RESTClient) (err error) {
				events, err = c.Get().AbsPath(from.path).SetHeader("Accept", "application/vnd.kubernetes.protobuf;stream=watch,application/json;stream=watch").
					SpecificallyVersionedParams(&o, metav1.ParameterCodec, version).Watch(ctx)
				return err
			})
			if err != nil {
				return nil, err
			}
			return l.watch(events), nil
		},
	}
	silent := logr.Discard()
	reflector := cache.NewReflectorWithOptions(lister, from.object(), &kept[T]{watching: w, objects: into, convert: convert}, cache.ReflectorOptions{
		Logger: &silent, Backoff: &wait.Backoff{Duration: firstRetry, Factor: 2, Jitter: 0.5, Steps: 10, Cap: lastRetry},
	})
	running.Go(func() {
		defer stop()
		reflector.RunWithContext(logr.NewContext(ctx, silent))
	})
}

// kept is where a reflector puts the objects of one resource, trimmed.
type kept[T any] struct {
	watching *watching
	objects  map[string]T
	convert  func(runtime.Object) (T, bool)
}

func (k *kept[T]) Add(object any) error    { return k.put(object) }
func (k *kept[T]) Update(object any) error { return k.put(object) }
func (k *kept[T]) Resync() error           { return nil }

func (k *kept[T]) put(object any) error {
	name, value, ok, err := k.read(object)
	if err != nil {
		return err
	}
	k.watching.lock.Lock()
	defer k.watching.lock.Unlock()
	if ok {
		k.objects[name] = value
	} else {
		delete(k.objects, name)
	}
	k.watching.notify()
	return nil
}

func (k *kept[T]) read(object any) (name string, value T, ok bool, err error) {
	typed, isObject := object.(runtime.Object)
	named, isNamed := object.(metav1.Object)
	if !isObject || !isNamed {
		return "", value, false, fmt.Errorf("an event carries %T", object)
	}
	name = named.GetNamespace() + "/" + named.GetName()
	value, ok = k.convert(typed.DeepCopyObject())
	return name, value, ok, nil
}

func (k *kept[T]) Delete(object any) error {
	name, _, _, err := k.read(object)
	if err != nil {
		return err
	}
	k.watching.lock.Lock()
	defer k.watching.lock.Unlock()
	delete(k.objects, name)
	k.watching.notify()
	return nil
}

func (k *kept[T]) Replace(objects []any, _ string) error {
	fresh := make(map[string]T, len(objects))
	for _, object := range objects {
		name, value, ok, err := k.read(object)
		if err != nil {
			return err
		}
		if ok {
			fresh[name] = value
		}
	}
	k.watching.lock.Lock()
	defer k.watching.lock.Unlock()
	clear(k.objects)
	maps.Copy(k.objects, fresh)
	k.watching.notify()
	return nil
}
