package collect

import (
	"context"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Exposed lists the Services of a namespace that have an external traffic policy, in order, with their type. It reads the columns that `kubectl get services` shows:
// a tenth of the bytes of the objects.
func (c *Client) Exposed(ctx context.Context, namespace string) ([]Exposed, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	shown, err := c.columns(ctx, namespace, cluster.ResourceServices)
	if err != nil {
		return nil, err
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

// NodeNames are those of the nodes, in order.
func (o *Objects) NodeNames() []string {
	var out []string
	for i := range o.Nodes {
		out = append(out, o.Nodes[i].Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Namespaces are those of the Services, in order.
func (o *Objects) Namespaces() []string {
	var out []string
	for i := range o.Services {
		out = append(out, namespaceOf(o.Services[i].Namespace, Query{}))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// NodeNames lists the names of all nodes, in order.
func (c *Client) NodeNames(ctx context.Context) ([]string, error) {
	return c.names(ctx, cluster.ResourceNodes)
}

// Namespaces lists the names of all namespaces, in order.
func (c *Client) Namespaces(ctx context.Context) ([]string, error) { return c.names(ctx, "namespaces") }

// names of all objects of a resource of the core group that has no namespace, from the columns that kubectl shows: a tenth of the bytes.
func (c *Client) names(ctx context.Context, resource string) ([]string, error) {
	shown, err := c.columns(ctx, "", resource)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(shown.Rows))
	for row := range shown.Rows {
		out = append(out, shown.cell(row, "Name"))
	}
	slices.Sort(out)
	return out, nil
}

// columns are those that `kubectl get -o wide` shows of a resource of the core group.
func (c *Client) columns(ctx context.Context, namespace, resource string) (*printed, error) {
	return c.columnsOf(ctx, "/api/v1", namespace, resource)
}

// columnsOf is the same for a resource of any group.
func (c *Client) columnsOf(ctx context.Context, prefix, namespace, resource string) (*printed, error) {
	var shown printed
	parameters := fromCache()
	parameters.Set("includeObject", "None")
	if err := c.json(ctx, request{path: resourcePath(prefix, namespace, resource, ""), accept: table, parameters: parameters}, &shown); err != nil {
		return nil, c.explain(err, "list", resource, namespace)
	}
	return &shown, nil
}

// IngressNames lists the names of the Ingresses of a namespace, that of the context where it is "", in order.
func (c *Client) IngressNames(ctx context.Context, namespace string) ([]string, error) {
	return c.cells(ctx, "/apis/networking.k8s.io/v1", namespace, "ingresses", "Name")
}

// GatewayNames lists the names of the Gateways of a namespace, that of the context where it is "", in order.
func (c *Client) GatewayNames(ctx context.Context, namespace string) ([]string, error) {
	return c.cells(ctx, "/apis/gateway.networking.k8s.io/v1", namespace, "gateways", "Name")
}

// IngressHosts lists the host names of the Ingresses of a namespace, that of the context where it is "", in order: as many of each Ingress as `kubectl get` shows.
func (c *Client) IngressHosts(ctx context.Context, namespace string) ([]string, error) {
	shown, err := c.cells(ctx, "/apis/networking.k8s.io/v1", namespace, "ingresses", "Hosts")
	var out []string
	for _, hosts := range shown {
		// shop.example,www.example + 2 more...
		hosts, _, _ = strings.Cut(hosts, " + ")
		out = append(out, strings.Split(hosts, ",")...)
	}
	return hostNames(out), err
}

// cells is one column of all objects of a resource.
func (c *Client) cells(ctx context.Context, prefix, namespace, resource, column string) ([]string, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	shown, err := c.columnsOf(ctx, prefix, namespace, resource)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(shown.Rows))
	for row := range shown.Rows {
		out = append(out, shown.cell(row, column))
	}
	slices.Sort(out)
	return out, nil
}

// hostNames are in order, each once, without those that name no single host.
func hostNames(hosts []string) []string {
	slices.Sort(hosts)
	return slices.DeleteFunc(slices.Compact(hosts), func(host string) bool { return host == "" || strings.HasPrefix(host, "*") })
}

// IngressNames are those of the namespace, any where it is "", in order.
func (o *Objects) IngressNames(namespace string) []string {
	var out []string
	for i := range o.Ingresses {
		if namespace == "" || namespaceOf(o.Ingresses[i].Namespace, Query{}) == namespace {
			out = append(out, o.Ingresses[i].Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// GatewayNames are those of the namespace, any where it is "", in order.
func (o *Objects) GatewayNames(namespace string) []string {
	var out []string
	for i := range o.Others {
		if g := &o.Others[i]; g.GetKind() == "Gateway" && (namespace == "" || namespaceOf(g.GetNamespace(), Query{}) == namespace) {
			out = append(out, g.GetName())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// IngressHosts are the host names of the Ingresses of the namespace, any where it is "", in order.
func (o *Objects) IngressHosts(namespace string) []string {
	var out []string
	for i := range o.Ingresses {
		if namespace != "" && namespaceOf(o.Ingresses[i].Namespace, Query{}) != namespace {
			continue
		}
		for _, rule := range o.Ingresses[i].Spec.Rules {
			out = append(out, rule.Host)
		}
	}
	return hostNames(out)
}
