package objects

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
	"github.com/kubectl-etp/kubectl-etp/pkg/suggest"
)

// Snapshot turns what was read into facts: the Services that the query means, their endpoints, every node and the data plane. Named Services of any type are
// kept, in the order of the names; others are ordered by namespace and name. It changes nothing in o.
func (o *Objects) Snapshot(q Query) (*cluster.Snapshot, error) {
	chosen, err := o.choose(q)
	if err != nil {
		return nil, err
	}
	// Reads run side by side and fail in any order.
	out := &cluster.Snapshot{Corefile: o.Corefile, Gaps: slices.SortedFunc(slices.Values(o.Gaps), func(a, b cluster.Gap) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})}
	slicesOf := map[Key][]*discoveryv1.EndpointSlice{}
	for i := range o.Slices {
		slice := &o.Slices[i]
		key := Key{"", NamespaceOf(slice.Namespace, q), slice.Labels[discoveryv1.LabelServiceName]}
		slicesOf[key] = append(slicesOf[key], slice)
	}
	named := map[string]bool{}
	for _, service := range chosen {
		facts := ServiceFacts(service, q)
		facts.Endpoints = endpoints(slicesOf[Key{"", facts.Namespace, facts.Name}])
		facts.EndpointsKnown = o.endpointsKnown(&facts, q)
		if facts.Pending() {
			facts.NewestEvent, facts.EventsKnown = o.newestEvent(&facts, q), o.Complete && !o.isUnread(cluster.ResourceEvents)
		}
		facts.Announcers = detect.Announcers(&facts, o.Others, o.DaemonSets, func(namespace string) string { return NamespaceOf(namespace, q) })
		for i := range facts.Endpoints {
			if name := facts.Endpoints[i].Node; name != "" {
				named[name] = true
			}
		}
		out.Services = append(out.Services, facts)
	}
	nodes := make([]*corev1.Node, 0, len(o.Nodes))
	for i := range o.Nodes {
		nodes = append(nodes, &o.Nodes[i])
		delete(named, o.Nodes[i].Name)
	}
	slices.SortFunc(nodes, func(a, b *corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	out.Nodes = make([]cluster.Node, 0, len(nodes)+len(named))
	var own []*cluster.Dataplane
	out.Dataplane, own = detect.Detect(o.Detection(nodes), q.Dataplane)
	for i, n := range nodes {
		facts := convertNode(n)
		facts.Dataplane = own[i]
		out.Nodes = append(out.Nodes, facts)
	}
	for name := range named {
		out.Nodes = append(out.Nodes, cluster.Node{Name: name, Zone: zoneFromEndpoints(out.Services, name)})
	}
	slices.SortStableFunc(out.Nodes, func(a, b cluster.Node) int { return cmp.Compare(a.Name, b.Name) })
	out.Gaps = append(out.Gaps, o.notInFiles(out.Services)...)
	return out, nil
}

// Detection are the objects that pkg/detect reads. nodes are those of o, in the order in which their data planes are returned.
func (o *Objects) Detection(nodes []*corev1.Node) *detect.Objects {
	return &detect.Objects{
		Nodes: nodes, DaemonSets: o.DaemonSets, ConfigMaps: o.ConfigMaps, Pods: o.Pods, Slices: o.Slices, Others: o.Others, Gaps: o.Gaps, Complete: o.Complete,
	}
}

// zoneFromEndpoints is the zone that the slices give a node that was not read.
func zoneFromEndpoints(services []cluster.Service, node string) string {
	for i := range services {
		for j := range services[i].Endpoints {
			if e := &services[i].Endpoints[j]; e.Node == node && e.Zone != "" {
				return e.Zone
			}
		}
	}
	return ""
}

// NamespaceOf settles the namespace of a manifest that names none, as kubectl apply does.
func NamespaceOf(namespace string, q Query) string {
	return cmp.Or(namespace, q.Namespace, corev1.NamespaceDefault)
}

// choose finds the Services that a query means.
func (o *Objects) choose(q Query) ([]*corev1.Service, error) {
	targets, err := q.Targets()
	if err != nil {
		return nil, err
	}
	selector, err := labels.Parse(q.Selector)
	if err != nil {
		return nil, &UsageError{fmt.Sprintf("-l %q: %v", q.Selector, err)}
	}
	namespace := q.Namespace
	if q.AllNamespaces {
		namespace = ""
	}
	var here []*corev1.Service
	for i := range o.Services {
		service := &o.Services[i]
		if namespace == "" || NamespaceOf(service.Namespace, q) == namespace {
			here = append(here, service)
		}
	}
	slices.SortFunc(here, func(a, b *corev1.Service) int {
		return cmp.Or(cmp.Compare(NamespaceOf(a.Namespace, q), NamespaceOf(b.Namespace, q)), cmp.Compare(a.Name, b.Name))
	})
	if len(targets) == 0 {
		var out []*corev1.Service
		for _, service := range here {
			if selector.Matches(labels.Set(service.Labels)) && (q.Selector != "" || IsExternallyAccessible(service)) {
				out = append(out, service)
			}
		}
		return out, nil
	}
	var out []*corev1.Service
	for _, t := range targets {
		var found []*corev1.Service
		var err error
		if t.Kind == ServiceTarget {
			for _, service := range here {
				if service.Name == t.Name {
					found = append(found, service)
				}
			}
			if len(found) == 0 {
				return nil, o.noService(t.Name, namespace, q)
			}
			if len(found) > 1 {
				var spaces []string
				for _, service := range found {
					spaces = append(spaces, NamespaceOf(service.Namespace, q))
				}
				return nil, fmt.Errorf("get service %s: there is one in each of the namespaces %s; choose one with -n", t.Name, strings.Join(spaces, ", "))
			}
		} else if found, err = o.behind(t, namespace, q); err != nil {
			return nil, err
		}
		for _, service := range found {
			if !slices.Contains(out, service) {
				out = append(out, service)
			}
		}
	}
	return out, nil
}

// noService is the error for a Service that is not there, with what is.
func (o *Objects) noService(name, namespace string, q Query) error {
	where := "in what was read"
	if namespace != "" {
		where = "in namespace " + namespace
	}
	var here, elsewhere []string
	for i := range o.Services {
		service := &o.Services[i]
		space := NamespaceOf(service.Namespace, q)
		full := space + "/" + service.Name
		switch {
		case service.Name == name:
			elsewhere = append(elsewhere, space)
		case namespace == "" || space == namespace:
			here = append(here, full)
		}
	}
	return NotFound(name, namespace, where, here, elsewhere)
}

// NotFound is the error for a name that does not exist; it suggests names that are close, here or in other namespaces.
func NotFound(name, namespace, where string, here, elsewhere []string) error {
	full := name
	if namespace != "" {
		full = namespace + "/" + name
	}
	slices.Sort(elsewhere)
	if len(elsewhere) > 0 {
		return fmt.Errorf("get service %s: not found %s; there is one in %s: add -n %s", full, where, strings.Join(elsewhere, ", "), elsewhere[0])
	}
	if len(here) == 0 {
		return fmt.Errorf("get service %s: not found; there is no Service %s", full, where)
	}
	// A name that contains the other comes first: web for web-lb, ingress-lb for nginx-ingress-lb.
	distance := func(full string) int {
		bare := full[strings.Index(full, "/")+1:]
		if strings.Contains(bare, name) || strings.Contains(name, bare) {
			return 0
		}
		return suggest.Distance(bare, name)
	}
	slices.SortFunc(here, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(a), distance(b)), cmp.Compare(a, b))
	})
	const most = 5
	rest := ""
	if len(here) > most {
		rest = fmt.Sprintf(" and %d more", len(here)-most)
		here = here[:most]
	}
	return fmt.Errorf("get service %s: not found %s; there are %s%s", full, where, strings.Join(here, ", "), rest)
}

// behind finds the Services whose load balancer addresses an Ingress or a Gateway has taken over, or that were made for a Gateway.
func (o *Objects) behind(t Target, namespace string, q Query) ([]*corev1.Service, error) {
	addresses, space, found := o.addressesOf(t, namespace, q)
	name := t.Name
	if namespace != "" {
		name = namespace + "/" + name
	}
	if !found {
		return nil, fmt.Errorf("get %s %s: not found in what was read", t.Kind, name)
	}
	var out []*corev1.Service
	for i := range o.Services {
		service := &o.Services[i]
		if t.Kind == GatewayTarget && service.Labels[GatewayNameLabel] == t.Name && NamespaceOf(service.Namespace, q) == space {
			out = append(out, service)
			continue
		}
		if !IsExternallyAccessible(service) {
			continue
		}
		for _, ingress := range service.Status.LoadBalancer.Ingress {
			if ingress.IP != "" && slices.Contains(addresses, ingress.IP) || ingress.Hostname != "" && slices.Contains(addresses, ingress.Hostname) {
				out = append(out, service)
				break
			}
		}
	}
	if len(out) == 0 {
		if len(addresses) == 0 {
			return nil, fmt.Errorf("get %s %s: it has no address yet, so its Service cannot be found; name the Service of its controller: svc/NAME -n NAMESPACE", t.Kind, name)
		}
		return nil, fmt.Errorf("get %s %s: none of the Services that were read has its address %s (some controllers use no Service); name the Service itself: svc/NAME -n NAMESPACE",
			t.Kind, name, strings.Join(addresses, ", "))
	}
	slices.SortFunc(out, func(a, b *corev1.Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// GatewayNameLabel is on what a Gateway's controller makes for it (GEP-1762).
const GatewayNameLabel = "gateway.networking.k8s.io/gateway-name"

func (o *Objects) addressesOf(t Target, namespace string, q Query) (addresses []string, space string, found bool) {
	if t.Kind == IngressTarget {
		for i := range o.Ingresses {
			ingress := &o.Ingresses[i]
			if ingress.Name != t.Name || namespace != "" && NamespaceOf(ingress.Namespace, q) != namespace {
				continue
			}
			for _, entry := range ingress.Status.LoadBalancer.Ingress {
				if address := cmp.Or(entry.IP, entry.Hostname); address != "" {
					addresses = append(addresses, address)
				}
			}
			return addresses, NamespaceOf(ingress.Namespace, q), true
		}
		return nil, "", false
	}
	for i := range o.Others {
		gateway := &o.Others[i]
		if gateway.GetKind() != "Gateway" || gateway.GetName() != t.Name || namespace != "" && NamespaceOf(gateway.GetNamespace(), q) != namespace {
			continue
		}
		// A malformed status has no addresses.
		entries, _, _ := unstructured.NestedSlice(gateway.Object, "status", "addresses")
		for _, entry := range entries {
			if fields, ok := entry.(map[string]any); ok {
				if address, ok := fields["value"].(string); ok && address != "" {
					addresses = append(addresses, address)
				}
			}
		}
		return addresses, NamespaceOf(gateway.GetNamespace(), q), true
	}
	return nil, "", false
}
