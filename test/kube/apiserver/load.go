//go:build unix

package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// fieldManager is the name under which tests own the fields of what they load.
const fieldManager = "kubectl-etp-tests"

// loader writes objects of any kind as Admin.
type loader struct {
	discovery *discovery.DiscoveryClient
	dynamic   dynamic.Interface
	mapper    *restmapper.DeferredDiscoveryRESTMapper
}

func newLoader(config *rest.Config) (*loader, error) {
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &loader{found, client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))}, nil
}

// ready fails until the API server serves everything, among it the namespaces that each cluster has.
func (l *loader) ready(ctx context.Context) error {
	if err := l.discovery.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return err
	}
	for _, namespace := range []string{"default", "kube-system"} {
		if err := l.discovery.RESTClient().Get().AbsPath("/api/v1/namespaces", namespace).Do(ctx).Error(); err != nil {
			return err
		}
	}
	return nil
}

// Objects reads manifests: YAML or JSON, several documents, List objects taken apart, in their order. Empty documents are passed over.
func Objects(manifests []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	var objects []*unstructured.Unstructured
	for n := 1; ; n++ {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading manifest %d: %w", n, err)
		}
		switch {
		case len(object.Object) == 0:
		case object.IsList():
			err := object.EachListItem(func(item runtime.Object) error {
				objects = append(objects, item.(*unstructured.Unstructured))
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("reading manifest %d: %w", n, err)
			}
		default:
			objects = append(objects, object)
		}
	}
}

// Apply makes the cluster hold the objects of the manifests, by server-side apply, the status of those that carry one included. Namespaces that are
// missing are made; an object without a namespace is put into default. What a server adds (uid, resourceVersion, managedFields) may be there and is left out.
func (s *Server) Apply(ctx context.Context, manifests []byte) error {
	type written struct {
		client dynamic.ResourceInterface
		object *unstructured.Unstructured
	}
	last := map[string]written{}
	err := s.each(ctx, manifests, func(client dynamic.ResourceInterface, object *unstructured.Unstructured) error {
		options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
		if namespace := object.GetNamespace(); namespace != "" {
			if err := s.loader.ensureNamespace(ctx, namespace); err != nil {
				return err
			}
		}
		applied, err := client.Apply(ctx, object.GetName(), object, options)
		if err != nil {
			return err
		}
		if status, ok := object.Object["status"].(map[string]any); ok && len(status) > 0 {
			if applied, err = client.ApplyStatus(ctx, object.GetName(), object, options); err != nil {
				return err
			}
		}
		last[object.GroupVersionKind().String()] = written{client, applied}
		return nil
	})
	if err != nil {
		return err
	}
	for _, w := range last {
		if err := cached(ctx, w.client, w.object); err != nil {
			return err
		}
	}
	return nil
}

// cached waits until the server's watch cache has an object, and with it all that was written before to its resource: who asks for resourceVersion 0 reads from there.
func cached(ctx context.Context, client dynamic.ResourceInterface, object *unstructured.Unstructured) error {
	written, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil {
		return fmt.Errorf("resourceVersion of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	err = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		now, err := client.Get(ctx, object.GetName(), metav1.GetOptions{ResourceVersion: "0"})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		version, err := strconv.ParseUint(now.GetResourceVersion(), 10, 64)
		return version >= written, err
	})
	if err != nil {
		return fmt.Errorf("waiting for %s %s in the cache: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// Delete removes the objects that the manifests name, at once and whatever finalizers they have. What is not there is passed over.
func (s *Server) Delete(ctx context.Context, manifests []byte) error {
	return s.each(ctx, manifests, func(client dynamic.ResourceInterface, object *unstructured.Unstructured) error {
		if len(object.GetFinalizers()) > 0 {
			patch := []byte(`{"metadata":{"finalizers":null}}`)
			if _, err := client.Patch(ctx, object.GetName(), "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
		now := int64(0)
		err := client.Delete(ctx, object.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &now})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// Patch merges a JSON merge patch into one object of the core, discovery.k8s.io or apps group, such as Service default/web, or into a subresource of it.
// The namespace of a cluster-scoped object is "".
func (s *Server) Patch(ctx context.Context, kind, namespace, name, patch string, subresource ...string) error {
	mapping, err := s.loader.kind(kind)
	if err != nil {
		return err
	}
	client := s.loader.client(mapping, namespace)
	patched, err := client.Patch(ctx, name, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{FieldManager: fieldManager}, subresource...)
	if err != nil {
		return fmt.Errorf("patching %s %s/%s: %w", kind, namespace, name, err)
	}
	return cached(ctx, client, patched)
}

// each calls do for every object of the manifests, cleaned of what only a server may set.
func (s *Server) each(ctx context.Context, manifests []byte, do func(dynamic.ResourceInterface, *unstructured.Unstructured) error) error {
	objects, err := Objects(manifests)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, field := range []string{"uid", "resourceVersion", "managedFields", "creationTimestamp", "generation", "selfLink"} {
			unstructured.RemoveNestedField(object.Object, "metadata", field)
		}
		kind := object.GroupVersionKind()
		name := fmt.Sprintf("%s %s", kind.Kind, object.GetName())
		mapping, err := s.loader.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			// A type may have been defined since the server was last asked for its types.
			s.loader.mapper.Reset()
			mapping, err = s.loader.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		}
		if err != nil {
			return fmt.Errorf("loading %s: %w", name, err)
		}
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace && object.GetNamespace() == "" {
			object.SetNamespace("default")
		}
		if err := do(s.loader.client(mapping, object.GetNamespace()), object); err != nil {
			return fmt.Errorf("loading %s: %w", name, err)
		}
	}
	return nil
}

// kind finds a kind of the core, discovery or apps group by its name alone.
func (l *loader) kind(name string) (*meta.RESTMapping, error) {
	for _, group := range []string{"", "discovery.k8s.io", "apps"} {
		mapping, err := l.mapper.RESTMapping(schema.GroupKind{Group: group, Kind: name})
		if err == nil {
			return mapping, nil
		}
		if !meta.IsNoMatchError(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no kind %s in the core, discovery.k8s.io or apps group", name)
}

func (l *loader) client(mapping *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return l.dynamic.Resource(mapping.Resource).Namespace(namespace)
	}
	return l.dynamic.Resource(mapping.Resource)
}

func (l *loader) ensureNamespace(ctx context.Context, name string) error {
	mapping, err := l.kind("Namespace")
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
	if _, err := l.client(mapping, "").Create(ctx, object, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making namespace %s: %w", name, err)
	}
	return nil
}

// decides fails until the API server's authorizer, which follows role objects with a delay, gives a user exactly these rules beside what every user has.
func (l *loader) decides(ctx context.Context, user *rest.Config, rules []rbacv1.PolicyRule) error {
	client, err := authorizationv1client.NewForConfig(user)
	if err != nil {
		return err
	}
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "default"}}
	review, err = client.SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	// What system:authenticated has everywhere is about reviews of its own rights only.
	var got, want []string
	for _, rule := range review.Status.ResourceRules {
		if !slices.ContainsFunc(rule.APIGroups, func(group string) bool { return group == "authorization.k8s.io" || group == "authentication.k8s.io" }) {
			got = append(got, fmt.Sprint(rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames))
		}
	}
	for _, rule := range rules {
		want = append(want, fmt.Sprint(rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("the API server knows %v, not yet %v", got, want)
	}
	return nil
}
