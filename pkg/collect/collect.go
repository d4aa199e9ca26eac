// Package collect is the only reader: it knows how an API server, or manifests and dumps, become a cluster.Snapshot, and what could not be read.
//
// It is the face of the packages below it: objects (what is kept, and the facts in it), api (requests), read, watch, live and surroundings (what is read of an API server,
// for which purpose), file (manifests and dumps) and anonymize.
package collect

import (
	"context"
	"io"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/anonymize"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/live"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/read"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/surroundings"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/watch"
)

type (
	// Query says which Services are meant, and which data plane to assume.
	Query = objects.Query
	// Objects is what was read; its method Snapshot makes facts of it.
	Objects = objects.Objects
	// UsageError is a mistake in what the user typed.
	UsageError = objects.UsageError
	// Pod is what is read of a pod from which a connection starts.
	Pod = objects.Pod
	// Exposed is a Service with an external traffic policy.
	Exposed = objects.Exposed
	// Input says where manifests and dumps come from.
	Input = file.Input
	// Change is one of the two things that Watch sends.
	Change = watch.Change
	// Stale is the other.
	Stale = watch.Stale
	// ChangedError says that a Service is no longer what the snapshot holds.
	ChangedError = surroundings.ChangedError
	// Progress is how far a rollout is.
	Progress = api.Progress
	// Event is an event of a Service.
	Event = api.Event
)

// ServiceTarget is the kind of a name that is a Service's.
const ServiceTarget = objects.ServiceTarget

// UndoAnnotation holds the recorded fixes of an object.
const UndoAnnotation = objects.UndoAnnotation

// ErrNoKubeconfig is the error of NewClient where there is no kubeconfig that names a cluster.
var ErrNoKubeconfig = api.ErrNoKubeconfig

// CollectCommand writes a file that Offline reads.
const CollectCommand = file.CollectCommand

// Offline reads manifests and dumps (file.Read).
func Offline(ctx context.Context, in Input) (*Objects, error) { return file.Read(ctx, in) }

// Dump writes objects so that Offline reads them back (file.Write).
func Dump(w io.Writer, o *Objects) error { return file.Write(w, o) }

// Anonymize is a copy that does not identify the cluster, and has the same diagnosis (anonymize.Objects).
func Anonymize(o *Objects) *Objects { return anonymize.Objects(o) }

// Explain says why the server at host did not do verb to a resource of a namespace ("" for all), and what to do about it.
func Explain(err error, host, verb, resource, namespace string) error {
	return api.Explain(err, host, verb, resource, namespace)
}

// Quiet is a context in which client-go logs nothing, unless -v asks for it (api.Quiet).
func Quiet(ctx context.Context) context.Context { return api.Quiet(ctx) }

// Client reads from an API server.
type Client struct{ api *api.Client }

// NewClient takes the connection from kubectl's flags and kubeconfig. It sends nothing.
func NewClient(getter genericclioptions.RESTClientGetter) (*Client, error) {
	c, err := api.New(getter)
	if err != nil {
		return nil, err
	}
	return &Client{c}, nil
}

// Namespace is that of -n, else the context's.
func (c *Client) Namespace() string { return c.api.Namespace() }

// Read reads what a Snapshot of the query needs (read.Query).
func (c *Client) Read(ctx context.Context, q Query) (*Objects, error) {
	return read.Query(ctx, c.api, q)
}

// Watch follows what Read has found (watch.Follow).
func (c *Client) Watch(ctx context.Context, q Query, first *Objects, now func() time.Time) (<-chan Change, error) {
	return watch.Follow(ctx, c.api, q, first, now)
}

// Live asks the nodes themselves (live.Ask). progress, if not nil, is called with how many of the questions have been answered. All of it takes 60 seconds at most, or what
// --request-timeout says.
func (c *Client) Live(ctx context.Context, s *cluster.Snapshot, progress func(done, total int)) error {
	return live.Ask(ctx, c.api, s, live.Options{Total: c.api.Timeout(), Progress: progress})
}

// Surroundings reads everything that a plan for svc, a Service of s, may depend on (surroundings.Read).
func (c *Client) Surroundings(ctx context.Context, s *cluster.Snapshot, svc *cluster.Service) (*cluster.Surroundings, error) {
	return surroundings.Read(ctx, c.api, s, svc)
}

// Rollout reads how far the rollout of a Deployment or a StatefulSet is.
func (c *Client) Rollout(ctx context.Context, o cluster.Object) (Progress, error) {
	return c.api.Rollout(ctx, o)
}

// Events reads the events of a Service, in no particular order.
func (c *Client) Events(ctx context.Context, namespace, name string) ([]Event, error) {
	return c.api.Events(ctx, namespace, name)
}

// Exposed lists the Services of a namespace that have an external traffic policy, in order.
func (c *Client) Exposed(ctx context.Context, namespace string) ([]Exposed, error) {
	return c.api.Exposed(ctx, namespace)
}

// IngressNames lists the Ingresses of a namespace, that of the context where it is "", in order.
func (c *Client) IngressNames(ctx context.Context, namespace string) ([]string, error) {
	return c.api.IngressNames(ctx, namespace)
}

// GatewayNames lists the Gateways of a namespace, that of the context where it is "", in order.
func (c *Client) GatewayNames(ctx context.Context, namespace string) ([]string, error) {
	return c.api.GatewayNames(ctx, namespace)
}

// IngressHosts lists the host names of the Ingresses of a namespace, that of the context where it is "", in order.
func (c *Client) IngressHosts(ctx context.Context, namespace string) ([]string, error) {
	return c.api.IngressHosts(ctx, namespace)
}

// NodeNames lists the names of all nodes, in order.
func (c *Client) NodeNames(ctx context.Context) ([]string, error) { return c.api.NodeNames(ctx) }

// PodNames lists the names of the pods of a namespace, that of the context where it is "", in order.
func (c *Client) PodNames(ctx context.Context, namespace string) ([]string, error) {
	return c.api.PodNames(ctx, namespace)
}

// Service reads the facts of one Service, without its endpoints; namespace is that of the context where it is "".
func (c *Client) Service(ctx context.Context, namespace, name string) (cluster.Service, error) {
	return c.api.Service(ctx, namespace, name)
}

// Pod reads one pod; namespace is that of the context where it is "".
func (c *Client) Pod(ctx context.Context, namespace, name string) (Pod, error) {
	return c.api.Pod(ctx, namespace, name)
}

// Namespaces lists the names of all namespaces, in order.
func (c *Client) Namespaces(ctx context.Context) ([]string, error) { return c.api.Namespaces(ctx) }
