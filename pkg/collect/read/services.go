package read

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// serviceNames are the names of the Services to look for slices of, nil for all of a namespace; it is false where the Services must be known first.
func serviceNames(targets []objects.Target) ([]string, bool) {
	var out []string
	for _, t := range targets {
		if t.Kind != objects.ServiceTarget {
			return nil, false
		}
		out = append(out, t.Name)
	}
	return out, true
}

func (r *reading) services(targets []objects.Target, namespace string, q objects.Query) error {
	if len(targets) == 0 {
		return r.listServices(namespace, q.Selector)
	}
	group, ctx := errgroup.WithContext(r.ctx)
	group.SetLimit(8)
	names := make([]string, 0, len(targets))
	others := false
	for _, t := range targets {
		if t.Kind == objects.ServiceTarget {
			names = append(names, t.Name)
			continue
		}
		others = true
		group.Go(func() error { return r.front(ctx, t, namespace) })
	}
	found := make([]corev1.Service, len(names))
	for i, name := range names {
		group.Go(func() error {
			r.count()
			err := r.client.Into(ctx, api.Request{Path: api.Path("/api/v1", namespace, "services", name)}, &found[i])
			if apierrors.IsNotFound(err) && !api.NotKubernetes(err) {
				return noService(ctx, r.client, namespace, name)
			}
			if err != nil {
				return fmt.Errorf("get service %s/%s: %w", namespace, name, r.client.Explain(err, "get", cluster.ResourceServices, namespace))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.lock.Lock()
	for i := range found {
		objects.KeepService(&found[i])
		r.objects.Services = append(r.objects.Services, found[i])
	}
	r.lock.Unlock()
	if !others {
		return nil
	}
	// The Service behind an Ingress is its controller's, which may be in any namespace.
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

// front reads an Ingress or a Gateway, by which the user means the Services behind it.
func (r *reading) front(ctx context.Context, t objects.Target, namespace string) error {
	full := t.Name
	if namespace != "" {
		full = namespace + "/" + t.Name
	}
	if t.Kind == objects.IngressTarget {
		var ingress networkingv1.Ingress
		r.count()
		if err := r.client.Into(ctx, api.Request{Path: api.Path("/apis/networking.k8s.io/v1", namespace, "ingresses", t.Name)}, &ingress); err != nil {
			return fmt.Errorf("get ingress %s: %w", full, r.client.Explain(err, "get", cluster.ResourceIngresses, namespace))
		}
		objects.KeepIngress(&ingress)
		r.lock.Lock()
		defer r.lock.Unlock()
		r.objects.Ingresses = append(r.objects.Ingresses, ingress)
		return nil
	}
	var gateway unstructured.Unstructured
	r.count()
	from := api.Request{Path: api.Path("/apis/gateway.networking.k8s.io/v1", namespace, "gateways", t.Name), Accept: api.JSON}
	if err := r.client.JSON(ctx, from, &gateway.Object); err != nil {
		return fmt.Errorf("get gateway %s: %w", full, r.client.Explain(err, "get", cluster.ResourceGateways, namespace))
	}
	objects.KeepOther(&gateway)
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
	err := api.Pages(parameters, func(page url.Values) (*api.Page, error) {
		var list corev1.ServiceList
		r.count()
		err := r.client.Into(r.ctx, api.Request{Path: api.Path("/api/v1", namespace, "services", ""), Parameters: page}, &list)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			objects.KeepService(&list.Items[i])
		}
		return api.NewPage(&list.ListMeta, func() error {
			r.addServices(list.Items)
			return nil
		}), nil
	})
	if err != nil {
		where := "in all namespaces"
		if namespace != "" {
			where = "in namespace " + namespace
		}
		return fmt.Errorf("list services %s: %w", where, r.client.Explain(err, "list", cluster.ResourceServices, namespace))
	}
	return nil
}

// addServices takes in those that are not there yet.
func (r *reading) addServices(items []corev1.Service) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.known == nil {
		r.known = make(map[objects.Key]bool, len(items))
		for i := range r.objects.Services {
			r.known[objects.Key{Namespace: r.objects.Services[i].Namespace, Name: r.objects.Services[i].Name}] = true
		}
	}
	for i := range items {
		if key := (objects.Key{Namespace: items[i].Namespace, Name: items[i].Name}); !r.known[key] {
			r.known[key] = true
			r.objects.Services = append(r.objects.Services, items[i])
		}
	}
}

// noService is the error for a Service that is not there, with the names that are near and the namespaces where it is, as far as the user may see them.
func noService(ctx context.Context, c *api.Client, namespace, name string) error {
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
		parameters := api.FromCache()
		parameters.Set("fieldSelector", "metadata.name="+name)
		err := c.Into(ctx, api.Request{Path: api.Path("/api/v1", "", "services", ""), Accept: api.Metadata, Parameters: parameters}, &found)
		for i := range found.Items {
			elsewhere = append(elsewhere, found.Items[i].Namespace)
		}
		return err
	})
	where := "in namespace " + namespace
	if err := group.Wait(); err != nil && len(here) == 0 && len(elsewhere) == 0 {
		// The permission to get one Service does not include listing them.
		return fmt.Errorf("get service %s/%s: not found %s; choose another namespace with -n", namespace, name, where)
	}
	return objects.NotFound(name, namespace, where, here, elsewhere)
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
	err := api.Pages(parameters, func(page url.Values) (*api.Page, error) {
		var list discoveryv1.EndpointSliceList
		r.count()
		err := r.client.Into(r.ctx, api.Request{Path: api.Path("/apis/discovery.k8s.io/v1", namespace, "endpointslices", ""), Parameters: page}, &list)
		if err != nil {
			return nil, err
		}
		items := trimSlices(list.Items)
		return api.NewPage(&list.ListMeta, func() error {
			r.addSlices(items)
			return nil
		}), nil
	})
	// Before v1.21 there is v1beta1 alone.
	if apierrors.IsNotFound(err) {
		err = api.Pages(parameters, func(page url.Values) (*api.Page, error) {
			var list discoveryv1beta1.EndpointSliceList
			r.count()
			err := r.client.Into(r.ctx, api.Request{Path: api.Path("/apis/discovery.k8s.io/v1beta1", namespace, "endpointslices", ""), Parameters: page}, &list)
			if err != nil {
				return nil, err
			}
			converted := make([]discoveryv1.EndpointSlice, 0, len(list.Items))
			for i := range list.Items {
				converted = append(converted, objects.FromV1beta1(&list.Items[i]))
			}
			converted = trimSlices(converted)
			return api.NewPage(&list.ListMeta, func() error {
				r.addSlices(converted)
				return nil
			}), nil
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
		if objects.KeepSlice(&items[i]) {
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

// slicesBehind reads the EndpointSlices of the Services that may be behind an Ingress or a Gateway, and drops all other Services.
func (r *reading) slicesBehind() error {
	kept := r.objects.Services[:0]
	spaces := map[string][]string{}
	for _, service := range r.objects.Services {
		if len(service.Status.LoadBalancer.Ingress) > 0 || service.Labels[objects.GatewayNameLabel] != "" || objects.IsExternallyAccessible(&service) {
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
