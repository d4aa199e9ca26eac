package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// Exposed lists the Services of a namespace that have an external traffic policy, in order, with their type. It reads the columns that `kubectl get services` shows:
// a tenth of the bytes of the objects.
func (c *Client) Exposed(ctx context.Context, namespace string) ([]objects.Exposed, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	shown, err := c.Table(ctx, namespace, cluster.ResourceServices)
	if err != nil {
		return nil, c.Explain(err, "list", cluster.ResourceServices, namespace)
	}
	var out []objects.Exposed
	for row := range shown.Rows {
		one := objects.Exposed{Name: shown.Cell(row, "Name"), Type: shown.Cell(row, "Type")}
		// <none> is read as "".
		if one.Type == "LoadBalancer" || one.Type == "NodePort" || one.Type == "ClusterIP" && shown.Cell(row, "External-IP") != "" {
			out = append(out, one)
		}
	}
	slices.SortStableFunc(out, func(a, b objects.Exposed) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// NodeNames lists the names of all nodes, in order.
func (c *Client) NodeNames(ctx context.Context) ([]string, error) {
	return c.names(ctx, cluster.ResourceNodes)
}

// Namespaces lists the names of all namespaces, in order.
func (c *Client) Namespaces(ctx context.Context) ([]string, error) { return c.names(ctx, "namespaces") }

// names of all objects of a resource of the core group that has no namespace, from the columns that kubectl shows: a tenth of the bytes.
func (c *Client) names(ctx context.Context, resource string) ([]string, error) {
	shown, err := c.Table(ctx, "", resource)
	if err != nil {
		return nil, c.Explain(err, "list", resource, "")
	}
	out := make([]string, 0, len(shown.Rows))
	for row := range shown.Rows {
		out = append(out, shown.Cell(row, "Name"))
	}
	slices.Sort(out)
	return out, nil
}

// Table reads the columns that `kubectl get -o wide` shows of a list of the core group.
func (c *Client) Table(ctx context.Context, namespace, resource string) (*Table, error) {
	return c.tableOf(ctx, "/api/v1", namespace, resource)
}

func (c *Client) tableOf(ctx context.Context, prefix, namespace, resource string) (*Table, error) {
	var shown Table
	parameters := FromCache()
	parameters.Set("includeObject", "None")
	if err := c.JSON(ctx, Request{Path: Path(prefix, namespace, resource, ""), Accept: Columns, Parameters: parameters}, &shown); err != nil {
		return nil, err
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

// IngressHosts lists the host names of the Ingresses of a namespace, that of the context where it is "", in order: of each Ingress as many as `kubectl get` shows.
func (c *Client) IngressHosts(ctx context.Context, namespace string) ([]string, error) {
	shown, err := c.cells(ctx, "/apis/networking.k8s.io/v1", namespace, "ingresses", "Hosts")
	var out []string
	for _, hosts := range shown {
		// shop.example,www.example + 2 more...
		hosts, _, _ = strings.Cut(hosts, " + ")
		out = append(out, strings.Split(hosts, ",")...)
	}
	return objects.HostNames(out), err
}

// PodNames lists the names of the pods of a namespace, that of the context where it is "", in order.
func (c *Client) PodNames(ctx context.Context, namespace string) ([]string, error) {
	return c.cells(ctx, "/api/v1", namespace, cluster.ResourcePods, "Name")
}

// Service reads the facts of one Service, without its endpoints; namespace is that of the context where it is "".
func (c *Client) Service(ctx context.Context, namespace, name string) (cluster.Service, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	var service corev1.Service
	if err := c.Into(ctx, Request{Path: Path("/api/v1", namespace, cluster.ResourceServices, name)}, &service); err != nil {
		return cluster.Service{}, fmt.Errorf("get service %s/%s: %w", namespace, name, c.Explain(err, "get", cluster.ResourceServices, namespace))
	}
	return objects.ServiceFacts(&service, objects.Query{}), nil
}

// Pod reads one pod; namespace is that of the context where it is "".
func (c *Client) Pod(ctx context.Context, namespace, name string) (objects.Pod, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	var pod corev1.Pod
	if err := c.Into(ctx, Request{Path: Path("/api/v1", namespace, cluster.ResourcePods, name)}, &pod); err != nil {
		return objects.Pod{}, fmt.Errorf("get pod %s/%s: %w", namespace, name, c.Explain(err, "get", cluster.ResourcePods, namespace))
	}
	return objects.PodFacts(&pod), nil
}

// cells is one column of all objects of a resource, in order.
func (c *Client) cells(ctx context.Context, prefix, namespace, resource, column string) ([]string, error) {
	if namespace == "" {
		namespace = c.namespace
	}
	shown, err := c.tableOf(ctx, prefix, namespace, resource)
	if err != nil {
		return nil, c.Explain(err, "list", resource, namespace)
	}
	out := make([]string, 0, len(shown.Rows))
	for row := range shown.Rows {
		out = append(out, shown.Cell(row, column))
	}
	slices.Sort(out)
	return out, nil
}

// Names lists the Services of a namespace by name, in order.
func (c *Client) Names(ctx context.Context, namespace string) ([]string, error) {
	var found metav1.PartialObjectMetadataList
	r := Request{Path: Path("/api/v1", namespace, "services", ""), Accept: Metadata, Parameters: FromCache()}
	if err := c.Into(ctx, r, &found); err != nil {
		return nil, fmt.Errorf("list services in namespace %s: %w", namespace, c.Explain(err, "list", "services", namespace))
	}
	out := make([]string, 0, len(found.Items))
	for i := range found.Items {
		out = append(out, found.Items[i].Name)
	}
	slices.Sort(out)
	return out, nil
}

// Table is what the server prints of a list, as `kubectl get -o wide` shows it.
type Table struct {
	Columns []struct {
		Name string `json:"name"`
	} `json:"columnDefinitions"`
	Rows []struct {
		Cells []any `json:"cells"`
	} `json:"rows"`
}

// Cell is the text in a row's column of that name, "" where there is none, or only a word such as <none>.
func (p *Table) Cell(row int, column string) string {
	for i, cell := range p.Rows[row].Cells {
		if i < len(p.Columns) && p.Columns[i].Name == column {
			if text, ok := cell.(string); ok && !strings.HasPrefix(text, "<") {
				return text
			}
		}
	}
	return ""
}
