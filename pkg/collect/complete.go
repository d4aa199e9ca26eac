package collect

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Exposed lists the Services of a namespace that have an external traffic policy, in order, with their type. It reads the columns that `kubectl get services` shows:
// a tenth of the bytes of the objects.
func (c *Client) Exposed(ctx context.Context, namespace string) ([]Exposed, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	var shown printed
	parameters := fromCache()
	parameters.Set("includeObject", "None")
	r := request{path: resourcePath("/api/v1", namespace, "services", ""), accept: table, parameters: parameters}
	if err := c.json(ctx, r, &shown); err != nil {
		return nil, c.explain(err, "list", servicesResource, namespace)
	}
	var out []Exposed
	for row := range shown.Rows {
		one := Exposed{Name: shown.cell(row, "Name"), Type: shown.cell(row, "Type")}
		// <none> is read as "".
		if one.Type == "LoadBalancer" || one.Type == "NodePort" || one.Type == "ClusterIP" && shown.cell(row, "External-IP") != "" {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b Exposed) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Exposed is a Service with an external traffic policy.
type Exposed struct{ Name, Type string }

// Exposed are those of the namespace, any where it is "", that have an external traffic policy, in order.
func (o *Objects) Exposed(namespace string) []Exposed {
	var out []Exposed
	for i := range o.Services {
		s := &o.Services[i]
		if externallyAccessible(s) && (namespace == "" || namespaceOf(s.Namespace, Query{}) == namespace) {
			out = append(out, Exposed{Name: s.Name, Type: string(s.Spec.Type)})
		}
	}
	slices.SortFunc(out, func(a, b Exposed) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(out)
}

// Namespaces lists the names of all namespaces, in order.
func (c *Client) Namespaces(ctx context.Context) ([]string, error) {
	var found metav1.PartialObjectMetadataList
	r := request{path: resourcePath("/api/v1", "", "namespaces", ""), accept: metadata, parameters: fromCache()}
	if err := c.into(ctx, r, &found); err != nil {
		return nil, c.explain(err, "list", "namespaces", "")
	}
	out := make([]string, 0, len(found.Items))
	for i := range found.Items {
		out = append(out, found.Items[i].Name)
	}
	slices.Sort(out)
	return out, nil
}
