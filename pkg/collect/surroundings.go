package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/version"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// versionResource is how a gap names the server's version.
const versionResource = "version"

const (
	// mostPages bounds each list of Surroundings: what lies behind so many objects is a gap.
	mostPages = 10
	// mostWorkloads bounds the owners of pods that are read.
	mostWorkloads = 8
)

// corednsConfig and tkeConfig are the ConfigMaps of kube-system that a mode looks at. tkeConfig says whether Tencent's controller may send to pods of its GlobalRouter
// network (cloud.tencent.com/document/product/457/36837).
const (
	corednsConfig = "coredns"
	tkeConfig     = "tke-service-controller-config"
)

// ChangedError says that the Service is no longer what the snapshot holds: a plan made of both would be guarded by a version that nobody has diagnosed.
type ChangedError struct{ Namespace, Name string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("get service %s/%s: it was changed while it was being read; run the command again", e.Namespace, e.Name)
}

// Surroundings reads all that a plan for svc, a Service of s, may look at. Only the Service itself is indispensable; what else cannot be read is a Gap. It asks for
// lists in pages, and for no more than mostPages of them. A Service that differs from svc is a *ChangedError.
func (c *Client) Surroundings(ctx context.Context, s *cluster.Snapshot, svc *cluster.Service) (*cluster.Surroundings, error) {
	var service corev1.Service
	if err := c.into(ctx, request{path: resourcePath("/api/v1", svc.Namespace, "services", svc.Name)}, &service); err != nil {
		return nil, fmt.Errorf("get service %s/%s: %w", svc.Namespace, svc.Name, c.explain(err, "get", cluster.ResourceServices, svc.Namespace))
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
	reads := []func() error{w.pods, w.daemonSets, w.events, w.version, w.born, func() error { return w.configMap(corednsConfig) }}
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
	trimService(trimmed)
	facts := convertService(trimmed, Query{})
	facts.Endpoints, facts.EndpointsKnown, facts.Live = was.Endpoints, was.EndpointsKnown, was.Live
	facts.NewestEvent, facts.EventsKnown = was.NewestEvent, was.EventsKnown
	return reflect.DeepEqual(&facts, was)
}

// walk is one reading of Surroundings under way.
type walk struct {
	client  *Client
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
	w.out.Gaps = append(w.out.Gaps, newGap(resource, verb, namespace, name, err))
	return nil
}

var errMore = fmt.Errorf("there are more than %d, and only so many were looked at", mostPages*pageSize)

// list reads a list in pages, up to mostPages of them.
func (w *walk) list(resource, path, namespace string, parameters url.Values, page func(request) (*listed, error)) error {
	read := 0
	name, _, _ := strings.Cut(resource, ".")
	err := pages(parameters, func(v url.Values) (*listed, error) {
		if read == mostPages {
			return nil, errMore
		}
		read++
		return page(request{path: resourcePath(path, namespace, name, ""), parameters: v})
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

// pods reads the pods that the selector names, and then what keeps them and what is said of them.
func (w *walk) pods() error {
	if len(w.out.Selector) == 0 {
		return nil
	}
	var found []labels.Set
	owners := map[cluster.Object]bool{}
	parameters := url.Values{"labelSelector": {labels.SelectorFromSet(w.out.Selector).String()}}
	err := w.list(cluster.ResourcePods, "/api/v1", w.service.Namespace, parameters, func(r request) (*listed, error) {
		var page corev1.PodList
		if err := w.client.into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return &listed{&page.ListMeta, func() error {
			for i := range page.Items {
				p := &page.Items[i]
				if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
					continue
				}
				to := cluster.Pod{
					Namespace: p.Namespace, Name: p.Name, Node: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork,
					Annotations: p.Annotations, Owner: controllerOf(&p.ObjectMeta),
				}
				for _, gate := range p.Spec.ReadinessGates {
					to.ReadinessGates = append(to.ReadinessGates, string(gate.ConditionType))
				}
				if to.Owner != nil {
					owners[*to.Owner] = true
				}
				found = append(found, p.Labels)
				add(w, &w.out.Pods, to)
			}
			return nil
		}}, nil
	})
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.Go(func() error { return w.budgets(found) })
	group.Go(func() error { return w.policies(found) })
	if w.cilium {
		group.Go(func() error { return w.ciliumPolicies(found) })
	}
	group.Go(func() error { return w.workloads(owners) })
	return group.Wait()
}

func (w *walk) budgets(pods []labels.Set) error {
	read := func(path string) error {
		return pages(nil, func(v url.Values) (*listed, error) {
			// Of v1 and v1beta1 alike only what both have is asked for.
			var page struct {
				Metadata metav1.ListMeta `json:"metadata"`
				Items    []struct {
					Metadata metav1.ObjectMeta `json:"metadata"`
					Spec     struct {
						Selector *metav1.LabelSelector `json:"selector"`
					} `json:"spec"`
					Status struct {
						DisruptionsAllowed int `json:"disruptionsAllowed"`
					} `json:"status"`
				} `json:"items"`
			}
			r := request{path: resourcePath(path, w.service.Namespace, "poddisruptionbudgets", ""), accept: "application/json", parameters: v}
			if err := w.client.json(w.ctx, r, &page); err != nil {
				return nil, err
			}
			return &listed{&page.Metadata, func() error {
				for i := range page.Items {
					item := &page.Items[i]
					if selects(item.Spec.Selector, pods) {
						add(w, &w.out.Budgets, cluster.Budget{Namespace: item.Metadata.Namespace, Name: item.Metadata.Name, Allowed: item.Status.DisruptionsAllowed})
					}
				}
				return nil
			}}, nil
		})
	}
	err := read("/apis/policy/v1")
	// Before v1.21 there is v1beta1 alone.
	if apierrors.IsNotFound(err) {
		err = read("/apis/policy/v1beta1")
	}
	if err != nil {
		return w.gap(cluster.ResourcePodDisruptionBudgets, "list", w.service.Namespace, "", err)
	}
	return nil
}

// selects says whether a selector selects one of the pods; nil selects none.
func selects(selector *metav1.LabelSelector, pods []labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && slices.ContainsFunc(pods, func(pod labels.Set) bool { return parsed.Matches(pod) })
}

func (w *walk) policies(pods []labels.Set) error {
	return w.list(cluster.ResourceNetworkPolicies, "/apis/networking.k8s.io/v1", w.service.Namespace, nil, func(r request) (*listed, error) {
		var page networkingv1.NetworkPolicyList
		if err := w.client.into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return &listed{&page.ListMeta, func() error {
			for i := range page.Items {
				from := &page.Items[i]
				to := cluster.NetworkPolicy{Kind: "NetworkPolicy", Namespace: from.Namespace, Name: from.Name}
				for _, rule := range from.Spec.Ingress {
					for _, peer := range rule.From {
						if peer.IPBlock != nil {
							to.Blocks = append(to.Blocks, cluster.ParsePrefixes(peer.IPBlock.CIDR)...)
						}
					}
				}
				if len(to.Blocks) > 0 && selects(&from.Spec.PodSelector, pods) {
					add(w, &w.out.Policies, to)
				}
			}
			return nil
		}}, nil
	})
}

// ciliumPolicies reads CiliumNetworkPolicies. A selector that cannot be judged here counts as one that selects the pods.
func (w *walk) ciliumPolicies(pods []labels.Set) error {
	type rule struct {
		EndpointSelector metav1.LabelSelector `json:"endpointSelector"`
		Ingress          []struct {
			FromCIDR    []string `json:"fromCIDR"`
			FromCIDRSet []struct {
				CIDR string `json:"cidr"`
			} `json:"fromCIDRSet"`
		} `json:"ingress"`
	}
	var page struct {
		Items []struct {
			Metadata metav1.ObjectMeta `json:"metadata"`
			Spec     *rule             `json:"spec"`
			Specs    []rule            `json:"specs"`
		} `json:"items"`
	}
	r := request{path: resourcePath("/apis/cilium.io/v2", w.service.Namespace, "ciliumnetworkpolicies", ""), accept: "application/json", parameters: fromCache()}
	err := w.client.json(w.ctx, r, &page)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return w.gap(cluster.ResourceCiliumPolicies, "list", w.service.Namespace, "", err)
	}
	for i := range page.Items {
		from := &page.Items[i]
		to := cluster.NetworkPolicy{Kind: "CiliumNetworkPolicy", Namespace: from.Metadata.Namespace, Name: from.Metadata.Name}
		rules := from.Specs
		if from.Spec != nil {
			rules = append(rules, *from.Spec)
		}
		for _, one := range rules {
			// Cilium's keys carry the source of a label: k8s:app, any:app.
			plain := metav1.LabelSelector{MatchLabels: map[string]string{}}
			for key, value := range one.EndpointSelector.MatchLabels {
				_, name, found := strings.Cut(key, ":")
				if !found {
					name = key
				}
				if !strings.HasPrefix(name, "io.kubernetes.") && !strings.HasPrefix(name, "io.cilium.") {
					plain.MatchLabels[name] = value
				}
			}
			if !selects(&plain, pods) {
				continue
			}
			for _, ingress := range one.Ingress {
				to.Blocks = append(to.Blocks, cluster.ParsePrefixes(ingress.FromCIDR...)...)
				for _, set := range ingress.FromCIDRSet {
					to.Blocks = append(to.Blocks, cluster.ParsePrefixes(set.CIDR)...)
				}
			}
		}
		if len(to.Blocks) > 0 {
			add(w, &w.out.Policies, to)
		}
	}
	return nil
}

func (w *walk) daemonSets() error {
	return w.list(cluster.ResourceDaemonSets, "/apis/apps/v1", detect.KubeSystem, nil, func(r request) (*listed, error) {
		var page appsv1.DaemonSetList
		if err := w.client.into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return &listed{&page.ListMeta, func() error {
			for i := range page.Items {
				d := &page.Items[i]
				to := cluster.DaemonSet{Namespace: d.Namespace, Name: d.Name, Wanted: int(d.Status.DesiredNumberScheduled), Ready: int(d.Status.NumberReady)}
				if detect.IsTerway(d) && d.Spec.Selector != nil {
					if err := w.podsOn(&to, d.Spec.Selector); err != nil {
						return err
					}
				}
				add(w, &w.out.DaemonSets, to)
			}
			return nil
		}}, nil
	})
}

// mostNodes is for how many nodes a DaemonSet's pods are asked for one by one; for more of them it is cheaper to list all.
const mostNodes = 8

// podsOn reads on which nodes a DaemonSet has pods, as far as the ready endpoints are concerned. It is an error only where the whole reading has been given up.
func (w *walk) podsOn(d *cluster.DaemonSet, selector *metav1.LabelSelector) error {
	nodes := map[string]bool{}
	for i := range w.service.Endpoints {
		if e := &w.service.Endpoints[i]; e.Ready && e.Node != "" {
			nodes[e.Node] = true
		}
	}
	each := slices.Sorted(maps.Keys(nodes))
	if len(each) > mostNodes {
		each = []string{""}
	}
	on := map[string]bool{}
	var lock sync.Mutex
	var group errgroup.Group
	for _, node := range each {
		group.Go(func() error {
			parameters := url.Values{"labelSelector": {metav1.FormatLabelSelector(selector)}}
			if node != "" {
				parameters.Set("fieldSelector", "spec.nodeName="+node)
			}
			read := 0
			return pages(parameters, func(v url.Values) (*listed, error) {
				if read++; read > mostPages {
					return nil, errMore
				}
				var page corev1.PodList
				if err := w.client.into(w.ctx, request{path: resourcePath("/api/v1", d.Namespace, "pods", ""), parameters: v}, &page); err != nil {
					return nil, err
				}
				return &listed{&page.ListMeta, func() error {
					lock.Lock()
					defer lock.Unlock()
					for i := range page.Items {
						p := &page.Items[i]
						if p.DeletionTimestamp != nil {
							continue
						}
						on[p.Spec.NodeName] = on[p.Spec.NodeName] || slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
							return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
						})
					}
					return nil
				}}, nil
			})
		})
	}
	err := group.Wait()
	switch {
	case errors.Is(w.ctx.Err(), context.Canceled):
		return context.Canceled
	case err != nil:
		gap := newGap(cluster.ResourcePods, "list", d.Namespace, "", err)
		d.Gap = &gap
	default:
		d.On = on
	}
	return nil
}

func (w *walk) events() error {
	parameters := url.Values{"fieldSelector": {"involvedObject.kind=Service,involvedObject.name=" + w.service.Name}}
	return w.list(cluster.ResourceEvents, "/api/v1", w.service.Namespace, parameters, func(r request) (*listed, error) {
		var page corev1.EventList
		if err := w.client.into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return &listed{&page.ListMeta, func() error {
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
		}}, nil
	})
}

func (w *walk) version() error {
	var found version.Info
	if err := w.client.json(w.ctx, request{path: "/version", accept: "application/json"}, &found); err != nil {
		return w.gap(versionResource, "get", "", "", err)
	}
	parsed, ok := cluster.ParseVersion(found.GitVersion)
	if !ok {
		return w.gap(versionResource, "get", "", "", fmt.Errorf("the server calls itself %q, which is no release", found.GitVersion))
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.out.Server = parsed
	return nil
}

func (w *walk) born() error {
	var found corev1.Namespace
	if err := w.client.into(w.ctx, request{path: resourcePath("/api/v1", "", "namespaces", detect.KubeSystem), parameters: fromCache()}, &found); err != nil {
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
	err := w.client.into(w.ctx, request{path: resourcePath("/api/v1", detect.KubeSystem, "configmaps", name)}, &found)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return w.gap(cluster.ResourceConfigMaps, "get", detect.KubeSystem, name, err)
	}
	add(w, &w.out.ConfigMaps, cluster.ConfigMap{Object: objectOf("v1", "ConfigMap", &found.ObjectMeta), Metadata: metadataOf(&found.ObjectMeta), Data: found.Data})
	return nil
}

// ingresses finds the Ingresses that publish an address of the Service.
func (w *walk) ingresses() error {
	return w.list(cluster.ResourceIngresses, "/apis/networking.k8s.io/v1", "", nil, func(r request) (*listed, error) {
		var page networkingv1.IngressList
		if err := w.client.into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return &listed{&page.ListMeta, func() error {
			for i := range page.Items {
				from := &page.Items[i]
				if !slices.ContainsFunc(from.Status.LoadBalancer.Ingress, func(e networkingv1.IngressLoadBalancerIngress) bool { return w.published(e.IP, e.Hostname) }) {
					continue
				}
				to := cluster.IngressObject{Namespace: from.Namespace, Name: from.Name, Annotations: from.Annotations}
				delete(to.Annotations, corev1.LastAppliedConfigAnnotation)
				for _, rule := range from.Spec.Rules {
					if rule.Host != "" && !slices.Contains(to.Hosts, rule.Host) {
						to.Hosts = append(to.Hosts, rule.Host)
					}
				}
				add(w, &w.out.Ingresses, to)
			}
			return nil
		}}, nil
	})
}

// published says whether an address or a name is one of the Service's load balancer.
func (w *walk) published(ip, hostname string) bool {
	address, _ := cluster.ParseAddress(ip)
	return slices.ContainsFunc(w.service.Ingress, func(in cluster.Ingress) bool {
		return address != netip.Addr{} && in.IP == address || hostname != "" && in.Hostname == hostname
	})
}

// sharers finds the other Services with an address of the Service's.
func (w *walk) sharers() error {
	return w.list(cluster.ResourceServices, "/api/v1", "", nil, func(r request) (*listed, error) {
		var page corev1.ServiceList
		if err := w.client.into(w.ctx, r, &page); err != nil {
			return nil, err
		}
		return &listed{&page.ListMeta, func() error {
			for i := range page.Items {
				from := &page.Items[i]
				if from.Spec.Type != corev1.ServiceTypeLoadBalancer || from.Namespace == w.service.Namespace && from.Name == w.service.Name {
					continue
				}
				if slices.ContainsFunc(from.Status.LoadBalancer.Ingress, func(e corev1.LoadBalancerIngress) bool { return w.published(e.IP, e.Hostname) }) {
					add(w, &w.out.Sharers, cluster.Sharer{
						Namespace: from.Namespace, Name: from.Name, ExternalTrafficPolicy: cluster.Policy(cmp.Or(from.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)),
					})
				}
			}
			return nil
		}}, nil
	})
}
