package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Client reads from an API server. It asks for what it knows by name: no discovery, no informers.
type Client struct {
	getter genericclioptions.RESTClientGetter
	// rest is replaced where the credentials are read again.
	rest atomic.Pointer[rest.RESTClient]
	host string
	// chosen is the kubeconfig's current context at the start, "" where there is none.
	chosen    string
	namespace string
	// timeout is --request-timeout, 0 where it is not given.
	timeout time.Duration
	// patience is what Live gives one node to answer.
	patience time.Duration
}

const (
	protobuf = "application/vnd.kubernetes.protobuf,application/json"
	table    = "application/json;as=Table;v=v1;g=meta.k8s.io"
	metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
)

// NewClient takes the connection from kubectl's flags and kubeconfig. It sends nothing.
func NewClient(getter genericclioptions.RESTClientGetter) (*Client, error) {
	config, err := getter.ToRESTConfig()
	if err != nil {
		return nil, noConnection(err)
	}
	// Without any kubeconfig kubectl's flags fall back to a port of this machine, where nobody has served a cluster for years.
	raw, err := getter.ToRawKubeConfigLoader().RawConfig()
	if err == nil && len(raw.Clusters) == 0 && strings.HasSuffix(config.Host, "localhost:8080") {
		return nil, noConnection(clientcmd.ErrEmptyConfig)
	}
	namespace, _, err := getter.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, noConnection(err)
	}
	c := &Client{getter: getter, host: config.Host, chosen: raw.CurrentContext, namespace: namespace, timeout: config.Timeout, patience: livePatience}
	if err := c.connect(config); err != nil {
		return nil, err
	}
	return c, nil
}

// connect makes the client send with this configuration from now on.
func (c *Client) connect(config *rest.Config) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, discoveryv1.AddToScheme, discoveryv1beta1.AddToScheme, networkingv1.AddToScheme, metav1.AddMetaToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	// The reads of one command are few and known; waiting between them would only make it slow.
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	config.WarningHandlerWithContext = nil
	if config.UserAgent == "" {
		config.UserAgent = "kubectl-etp"
	}
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return noConnection(err)
	}
	c.rest.Store(client)
	return nil
}

// renew reads the credentials again: the kubeconfig, a token's file, what a plugin gives. The cluster stays the same, whatever context has been chosen since.
func (c *Client) renew() error {
	getter := c.getter
	if flags, ok := getter.(*genericclioptions.ConfigFlags); ok {
		getter = reread(flags, c.chosen)
	}
	config, err := getter.ToRESTConfig()
	if err != nil {
		return noConnection(err)
	}
	if config.Host != c.host {
		return fmt.Errorf("the kubeconfig now names the server at %s, and no longer the one at %s", config.Host, c.host)
	}
	return c.connect(config)
}

// reread copies flags without the kubeconfig that they remember. Where they name no context, it is the chosen one.
func reread(flags *genericclioptions.ConfigFlags, chosen string) *genericclioptions.ConfigFlags {
	fresh := genericclioptions.NewConfigFlags(false)
	from, to := reflect.ValueOf(flags).Elem(), reflect.ValueOf(fresh).Elem()
	for i := range from.NumField() {
		if to.Field(i).CanSet() {
			to.Field(i).Set(from.Field(i))
		}
	}
	if chosen != "" && (fresh.Context == nil || *fresh.Context == "") {
		fresh.Context = &chosen
	}
	return fresh
}

// ErrNoKubeconfig says that there is no kubeconfig that names a cluster.
var ErrNoKubeconfig = errors.New("cannot read a cluster: there is no kubeconfig")

func noConnection(err error) error {
	switch {
	case clientcmd.IsEmptyConfig(err):
		return ErrNoKubeconfig
	case clientcmd.IsContextNotFound(err), strings.HasPrefix(err.Error(), "context ") && strings.HasSuffix(err.Error(), " does not exist"):
		return fmt.Errorf("%w; `kubectl config get-contexts` lists the contexts there are", err)
	case clientcmd.IsConfigurationInvalid(err):
		return fmt.Errorf("the kubeconfig cannot be used: %w; see `kubectl config view`", err)
	}
	return fmt.Errorf("connecting to the cluster: %w", err)
}

// Namespace is that of -n, else the context's.
func (c *Client) Namespace() string { return c.namespace }

// request is one read: where, in which form, with which parameters.
type request struct {
	path       string
	accept     string
	parameters url.Values
}

func resourcePath(prefix, namespace, resource, name string) string {
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

// fromCache lets the API server answer from its cache: for what changes rarely, a moment's staleness does no harm.
func fromCache() url.Values { return url.Values{"resourceVersion": {"0"}} }

func (c *Client) send(ctx context.Context, r request) rest.Result {
	accept := r.accept
	if accept == "" {
		accept = protobuf
	}
	// The path is escaped here, and only here: a name goes through as one segment whatever it holds.
	get := c.rest.Load().Get().AbsPath(r.path).SetHeader("Accept", accept)
	for key, values := range r.parameters {
		for _, value := range values {
			get = get.Param(key, value)
		}
	}
	// What goes wrong is told by errors; the client's own log would only be in the way of a screen.
	return get.Do(logr.NewContext(ctx, logr.Discard()))
}

func (c *Client) into(ctx context.Context, r request, object runtime.Object) error {
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

func (c *Client) json(ctx context.Context, r request, value any) error {
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

// pageSize bounds what one list answers with.
const pageSize = 500

// listed is one page of a list: how the list goes on, and what takes the page's items in.
type listed struct {
	meta metav1.ListInterface
	take func() error
}

// mostRestarts bounds how often a list is read anew whose rest the server no longer has.
const mostRestarts = 2

// pages lists everything in pages, and takes them in when the list has ended: what one try has read is never mixed with another's. The server keeps the rest of a list for
// some minutes (until etcd is compacted); a list that takes longer is read from its beginning again, the last time in one piece, which cannot grow too old. Where a list ends
// with another error, the pages before it are taken in, and the error says that they are not all.
func pages(parameters url.Values, list func(url.Values) (*listed, error)) error {
	for restarts := 0; ; restarts++ {
		all, err := eachPage(parameters, restarts < mostRestarts, list)
		if (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) && restarts < mostRestarts {
			continue
		}
		for _, page := range all {
			if err := page.take(); err != nil {
				return err
			}
		}
		return err
	}
}

// eachPage reads a list once, in pages of pageSize or in one piece. With an error come the pages before it.
func eachPage(parameters url.Values, inPages bool, list func(url.Values) (*listed, error)) ([]*listed, error) {
	parameters = cloneValues(parameters)
	if inPages {
		parameters.Set("limit", strconv.Itoa(pageSize))
	}
	var all []*listed
	for {
		page, err := list(parameters)
		if err != nil {
			return all, err
		}
		all = append(all, page)
		if page.meta.GetContinue() == "" {
			return all, nil
		}
		parameters = cloneValues(parameters)
		parameters.Set("continue", page.meta.GetContinue())
	}
}

func cloneValues(v url.Values) url.Values {
	out := url.Values{}
	for key, values := range v {
		out[key] = slices.Clone(values)
	}
	return out
}

// Names lists the Services of a namespace by name, in order.
func (c *Client) Names(ctx context.Context, namespace string) ([]string, error) {
	var found metav1.PartialObjectMetadataList
	r := request{path: resourcePath("/api/v1", namespace, "services", ""), accept: metadata, parameters: fromCache()}
	if err := c.into(ctx, r, &found); err != nil {
		return nil, fmt.Errorf("list services in namespace %s: %w", namespace, c.explain(err, "list", "services", namespace))
	}
	out := make([]string, 0, len(found.Items))
	for i := range found.Items {
		out = append(out, found.Items[i].Name)
	}
	slices.Sort(out)
	return out, nil
}
