package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// Forms of an answer, as a request's Accept header names them.
const (
	Protobuf = "application/vnd.kubernetes.protobuf,application/json"
	JSON     = "application/json"
	// Columns are the columns that kubectl shows, for a Table.
	Columns = "application/json;as=Table;v=v1;g=meta.k8s.io"
	// Metadata is the metadata of a list's objects alone.
	Metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
)

// Request is one read. Accept is Protobuf where it is "".
type Request struct {
	Path       string
	Accept     string
	Parameters url.Values
}

// Path is that of an object, or of a list where name is "". namespace is "" for all namespaces, and for what has none.
func Path(prefix, namespace, resource, name string) string {
	parts := []string{prefix}
	if namespace != "" {
		parts = append(parts, "namespaces", namespace)
	}
	parts = append(parts, resource)
	if name != "" {
		parts = append(parts, name)
	}
	return strings.Join(parts, "/")
}

// FromCache lets the API server answer from its cache: for what changes rarely, a moment's staleness does no harm.
func FromCache() url.Values { return url.Values{"resourceVersion": {"0"}} }

func (c *Client) send(ctx context.Context, r Request) rest.Result {
	accept := r.Accept
	if accept == "" {
		accept = Protobuf
	}
	// The path is escaped here, and only here: a name is one segment, whichever characters it has.
	get := c.rest.Load().Get().AbsPath(r.Path).SetHeader("Accept", accept)
	for key, values := range r.Parameters {
		for _, value := range values {
			get = get.Param(key, value)
		}
	}
	return get.Do(Quiet(ctx))
}

// Quiet is a context in which the client logs nothing, unless -v asks for it: errors say what went wrong, and log lines would disturb the screen.
func Quiet(ctx context.Context) context.Context {
	if klog.V(1).Enabled() {
		return ctx
	}
	return logr.NewContext(ctx, logr.Discard())
}

// Into reads into an object of a type that the client knows. A connection that is cut is tried once more.
func (c *Client) Into(ctx context.Context, r Request, object runtime.Object) error {
	err := c.send(ctx, r).Into(object)
	if cutOff(err) {
		err = c.send(ctx, r).Into(object)
	}
	return err
}

// cutOff says whether a connection ended before its answer did. All reads share one connection, so that one fault takes them all; asked again, most are answered.
func cutOff(err error) bool {
	return utilnet.IsProbableEOF(err) || utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err) || errors.Is(err, io.ErrUnexpectedEOF) || forceClosed(err)
}

// forceClosed: a write that failed made net/http give up the HTTP/2 connection, and all other requests on it. The error has no type of its own
// (errClientConnForceClosed of net/http).
func forceClosed(err error) bool {
	return err != nil && strings.Contains(err.Error(), "http2: client connection force closed")
}

// JSON reads an answer that is JSON into a value. A connection that is cut is tried once more.
func (c *Client) JSON(ctx context.Context, r Request, value any) error {
	result := c.send(ctx, r)
	if cutOff(result.Error()) {
		result = c.send(ctx, r)
	}
	if err := result.Error(); err != nil {
		return err
	}
	raw, err := result.Raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}
