// Package api reads from an API server: requests, pages, and what an error means. What is read for which purpose is in the packages beside it.
package api

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Client reads from an API server. It knows the paths of what it reads: no discovery, no informers.
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
}

// New takes the connection from kubectl's flags and kubeconfig. It sends nothing.
func New(getter genericclioptions.RESTClientGetter) (*Client, error) {
	config, err := getter.ToRESTConfig()
	if err != nil {
		return nil, noConnection(err)
	}
	// Without any kubeconfig, kubectl's flags fall back to port 8080 of this machine, where API servers no longer listen.
	raw, err := getter.ToRawKubeConfigLoader().RawConfig()
	if err == nil && len(raw.Clusters) == 0 && strings.HasSuffix(config.Host, "localhost:8080") {
		return nil, noConnection(clientcmd.ErrEmptyConfig)
	}
	namespace, _, err := getter.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, noConnection(err)
	}
	c := &Client{getter: getter, host: config.Host, chosen: raw.CurrentContext, namespace: namespace, timeout: config.Timeout}
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

// Renew reads the credentials again: the kubeconfig, a token's file, what a plugin gives. The cluster stays the same, also where another context has become the current one.
func (c *Client) Renew() error {
	getter := c.getter
	if flags, ok := getter.(*genericclioptions.ConfigFlags); ok {
		getter = reread(flags, c.chosen)
	}
	config, err := getter.ToRESTConfig()
	if err != nil {
		return noConnection(err)
	}
	if config.Host != c.host {
		return fmt.Errorf("the kubeconfig now points to the server at %s instead of %s", config.Host, c.host)
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
		return fmt.Errorf("%w; `kubectl config get-contexts` lists the contexts", err)
	case clientcmd.IsConfigurationInvalid(err):
		return fmt.Errorf("the kubeconfig cannot be used: %w; see `kubectl config view`", err)
	}
	return fmt.Errorf("connecting to the cluster: %w", err)
}

// Namespace is that of -n, else the context's.
func (c *Client) Namespace() string { return c.namespace }

// Timeout is --request-timeout, 0 where it is not given.
func (c *Client) Timeout() time.Duration { return c.timeout }

// REST sends with the current credentials.
func (c *Client) REST() *rest.RESTClient { return c.rest.Load() }
