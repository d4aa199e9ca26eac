package collect

import (
	"context"
	"errors"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Client reads from an API server.
type Client struct {
	namespace string
}

// NewClient takes the connection from kubectl's flags and kubeconfig. It sends nothing.
func NewClient(getter genericclioptions.RESTClientGetter) (*Client, error) {
	return nil, errors.New("not built yet")
}

// Namespace is that of -n, else the context's.
func (c *Client) Namespace() string { return c.namespace }

// Read gets what a Snapshot of the query needs, and no more.
func (c *Client) Read(ctx context.Context, q Query) (*Objects, error) {
	return nil, errors.New("not built yet")
}

// Names lists the Services of a namespace by name.
func (c *Client) Names(ctx context.Context, namespace string) ([]string, error) {
	return nil, errors.New("not built yet")
}

// Live asks the nodes themselves.
func (c *Client) Live(ctx context.Context, s *cluster.Snapshot, progress func(done, total int)) error {
	return errors.New("not built yet")
}

// Change is what Watch saw.
type Change struct {
	Snapshot *cluster.Snapshot
	Err      error
}

// Watch follows what a Snapshot of the query depends on.
func (c *Client) Watch(ctx context.Context, q Query, first *Objects) (<-chan Change, error) {
	return nil, errors.New("not built yet")
}
