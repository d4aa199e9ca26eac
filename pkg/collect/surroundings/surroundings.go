// Package surroundings reads what a plan for a Service may look at beyond its snapshot: the pods and what owns them, policies, events, and what shares its address.
package surroundings

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// versionResource is how a gap names the server's version.
const versionResource = "version"

// maxWorkloads bounds the owners of pods that are read.
const maxWorkloads = 8

// tkeConfig is the ConfigMap of kube-system that says whether Tencent's controller may send to pods of its GlobalRouter network
// (cloud.tencent.com/document/product/457/36837).
const tkeConfig = "tke-service-controller-config"

// ChangedError says that the Service was changed after the snapshot: a plan made now would be guarded by a resourceVersion that was not diagnosed.
type ChangedError struct{ Namespace, Name string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("get service %s/%s: it was changed while it was being read; run the command again", e.Namespace, e.Name)
}

// Read reads everything that a plan for svc, a Service of s, may depend on. An error is returned only where the Service itself cannot be read; anything else becomes a Gap. It asks for
// lists in pages, and for no more than api.MaxPages of them. A Service that differs from svc is a *ChangedError.
func Read(ctx context.Context, c *api.Client, s *cluster.Snapshot, svc *cluster.Service) (*cluster.Surroundings, error) {
	var service corev1.Service
	if err := c.Into(ctx, api.Request{Path: api.Path("/api/v1", svc.Namespace, "services", svc.Name)}, &service); err != nil {
		return nil, fmt.Errorf("get service %s/%s: %w", svc.Namespace, svc.Name, c.Explain(err, "get", cluster.ResourceServices, svc.Namespace))
	}
	if !unchanged(&service, svc) {
		return nil, &ChangedError{svc.Namespace, svc.Name}
	}
	w := &walk{client: c, ctx: ctx, service: svc, out: &cluster.Surroundings{
		Service:  objectOf("v1", "Service", &service.ObjectMeta),
		Metadata: metadataOf(&service.ObjectMeta),
		Selector: maps.Clone(service.Spec.Selector),
	}}
	for i := range service.Spec.Ports {
		if p := &service.Spec.Ports[i]; p.AppProtocol != nil && *p.AppProtocol != "" {
			if w.out.AppProtocols == nil {
				w.out.AppProtocols = map[string]string{}
			}
			w.out.AppProtocols[p.Name] = *p.AppProtocol
		}
	}
	var group errgroup.Group
	reads := []func() error{w.pods, w.daemonSets, w.events, w.version, w.born, func() error { return w.configMap(objects.CoreDNSConfig) }}
	if runsAt(s, "qcloud://", "tencentcloud://") {
		reads = append(reads, func() error { return w.configMap(tkeConfig) })
	}
	if len(svc.Ingress) > 0 {
		reads = append(reads, w.ingresses, w.sharers)
	}
	w.cilium = s.Dataplane.Name == cluster.Cilium || s.Dataplane.Cilium != nil
	for _, read := range reads {
		group.Go(read)
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	w.order()
	return w.out, nil
}

func runsAt(s *cluster.Snapshot, schemes ...string) bool {
	return slices.ContainsFunc(s.Nodes, func(n cluster.Node) bool {
		return slices.ContainsFunc(schemes, func(scheme string) bool { return strings.HasPrefix(n.ProviderID, scheme) })
	})
}

// unchanged says whether a Service still is what was diagnosed.
func unchanged(now *corev1.Service, was *cluster.Service) bool {
	trimmed := now.DeepCopy()
	objects.KeepService(trimmed)
	facts := objects.ServiceFacts(trimmed, objects.Query{})
	facts.Endpoints, facts.EndpointsKnown, facts.Live = was.Endpoints, was.EndpointsKnown, was.Live
	facts.NewestEvent, facts.EventsKnown = was.NewestEvent, was.EventsKnown
	return reflect.DeepEqual(&facts, was)
}

// walk is one reading of Surroundings under way.
type walk struct {
	client  *api.Client
	ctx     context.Context
	service *cluster.Service
	cilium  bool

	lock sync.Mutex
	out  *cluster.Surroundings
}

// order puts what parallel reads found into the order that Surroundings promises.
func (w *walk) order() {
	o := w.out
	by(o.Pods, func(p *cluster.Pod) string { return p.Namespace + "/" + p.Name })
	by(o.Workloads, func(l *cluster.Workload) string { return l.Namespace + "/" + l.Kind + "/" + l.Name })
	by(o.Budgets, func(b *cluster.Budget) string { return b.Namespace + "/" + b.Name })
	by(o.Policies, func(p *cluster.NetworkPolicy) string { return p.Namespace + "/" + p.Name })
	by(o.Ingresses, func(i *cluster.IngressObject) string { return i.Namespace + "/" + i.Name })
	by(o.Sharers, func(s *cluster.Sharer) string { return s.Namespace + "/" + s.Name })
	by(o.DaemonSets, func(d *cluster.DaemonSet) string { return d.Namespace + "/" + d.Name })
	by(o.ConfigMaps, func(m *cluster.ConfigMap) string { return m.Namespace + "/" + m.Name })
	by(o.Gaps, func(g *cluster.Gap) string { return g.Resource + " " + g.Verb + " " + g.Namespace + "/" + g.Name })
	slices.SortStableFunc(o.Events, func(a, b cluster.Event) int { return a.Last.Compare(b.Last) })
}

func by[T any](list []T, key func(*T) string) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(&a), key(&b)) })
}

// gap notes what could not be read. It is an error only where the whole reading has been given up.
func (w *walk) gap(resource, verb, namespace, name string, err error) error {
	if errors.Is(w.ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.out.Gaps = append(w.out.Gaps, api.NewGap(resource, verb, namespace, name, err))
	return nil
}

// list reads a list in pages, up to api.MaxPages of them.
func (w *walk) list(resource, path, namespace string, parameters url.Values, page func(api.Request) (*api.Page, error)) error {
	name, _, _ := strings.Cut(resource, ".")
	err := api.FirstPages(parameters, func(v url.Values) (*api.Page, error) {
		return page(api.Request{Path: api.Path(path, namespace, name, ""), Parameters: v})
	})
	if err != nil {
		return w.gap(resource, "list", namespace, "", err)
	}
	return nil
}

// add appends to a list of what was found.
func add[T any](w *walk, list *[]T, items ...T) {
	w.lock.Lock()
	defer w.lock.Unlock()
	*list = append(*list, items...)
}

func objectOf(apiVersion, kind string, m *metav1.ObjectMeta) cluster.Object {
	return cluster.Object{APIVersion: apiVersion, Kind: kind, Namespace: m.Namespace, Name: m.Name, ResourceVersion: m.ResourceVersion}
}

func metadataOf(m *metav1.ObjectMeta) cluster.Metadata {
	out := cluster.Metadata{Labels: maps.Clone(m.Labels), Annotations: maps.Clone(m.Annotations), Controller: controllerOf(m)}
	if text, ok := m.Annotations[corev1.LastAppliedConfigAnnotation]; ok {
		delete(out.Annotations, corev1.LastAppliedConfigAnnotation)
		// Somebody wrote it by hand where it cannot be read: kubectl would not take it for its own either.
		if err := json.Unmarshal([]byte(text), &out.LastApplied); err != nil {
			out.LastApplied = nil
		}
	}
	for i := range m.ManagedFields {
		from := &m.ManagedFields[i]
		to := cluster.Manager{Name: from.Manager, Apply: from.Operation == metav1.ManagedFieldsOperationApply, Subresource: from.Subresource}
		if from.FieldsV1 != nil && json.Unmarshal(from.FieldsV1.GetRawBytes(), &to.Fields) != nil {
			continue
		}
		out.Managers = append(out.Managers, to)
	}
	return out
}

func controllerOf(m *metav1.ObjectMeta) *cluster.Object {
	owner := metav1.GetControllerOfNoCopy(m)
	if owner == nil {
		return nil
	}
	return &cluster.Object{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: m.Namespace, Name: owner.Name}
}

func (w *walk) events() error {
	parameters := url.Values{"fieldSelector": {"involvedObject.kind=Service,involvedObject.name=" + w.service.Name}}
	return w.list(cluster.ResourceEvents, "/api/v1", w.service.Namespace, parameters, func(r api.Request) (*api.Page, error) {
		var page corev1.EventList
		if err := w.client.Into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return api.NewPage(&page.ListMeta, func() error {
			for i := range page.Items {
				e := &page.Items[i]
				last := e.LastTimestamp.Time
				if e.Series != nil {
					last = e.Series.LastObservedTime.Time
				}
				if last.IsZero() {
					last = e.EventTime.Time
				}
				add(w, &w.out.Events, cluster.Event{Type: e.Type, Reason: e.Reason, Message: e.Message, Last: last})
			}
			return nil
		}), nil
	})
}

func (w *walk) version() error {
	var found version.Info
	if err := w.client.JSON(w.ctx, api.Request{Path: "/version", Accept: api.JSON}, &found); err != nil {
		return w.gap(versionResource, "get", "", "", err)
	}
	parsed, ok := cluster.ParseVersion(found.GitVersion)
	if !ok {
		return w.gap(versionResource, "get", "", "", fmt.Errorf("the server reports version %q, which is not a release", found.GitVersion))
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.out.Server = parsed
	return nil
}

func (w *walk) born() error {
	var found corev1.Namespace
	if err := w.client.Into(w.ctx, api.Request{Path: api.Path("/api/v1", "", "namespaces", detect.KubeSystem), Parameters: api.FromCache()}, &found); err != nil {
		return w.gap(cluster.ResourceNamespaces, "get", "", detect.KubeSystem, err)
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.out.Born = found.CreationTimestamp.Time
	return nil
}

// configMap reads one of kube-system; one that is not there is none.
func (w *walk) configMap(name string) error {
	var found corev1.ConfigMap
	err := w.client.Into(w.ctx, api.Request{Path: api.Path("/api/v1", detect.KubeSystem, "configmaps", name)}, &found)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return w.gap(cluster.ResourceConfigMaps, "get", detect.KubeSystem, name, err)
	}
	add(w, &w.out.ConfigMaps, cluster.ConfigMap{Object: objectOf("v1", "ConfigMap", &found.ObjectMeta), Metadata: metadataOf(&found.ObjectMeta), Data: found.Data})
	return nil
}
