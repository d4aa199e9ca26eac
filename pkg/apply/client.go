package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
)

const (
	// patience bounds one request: an admission webhook may take up to 30 seconds.
	patience = 40 * time.Second
	// grace bounds what is left of a write once its context has ended.
	grace = 5 * time.Second
)

// Client writes to an API server.
type Client struct {
	rest *rest.RESTClient
	host string
	// after is a channel that receives once, d later.
	after func(d time.Duration) <-chan time.Time
}

// NewClient takes the connection from kubectl's flags and kubeconfig. It sends nothing. After is time.After, or a clock
// of tests.
func NewClient(getter genericclioptions.RESTClientGetter, after func(time.Duration) <-chan time.Time) (*Client, error) {
	config, err := getter.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	config.WarningHandlerWithContext = nil
	if config.UserAgent == "" {
		config.UserAgent = Manager
	}
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return &Client{rest: client, host: config.Host, after: after}, nil
}

// patch sends a JSON merge patch. It returns the object as the server stores it (or would, in a dry run) and the
// server's warnings. A write that is no dry run may go on for grace after ctx has ended.
func (c *Client) patch(ctx context.Context, o cluster.Object, body []byte, dry bool) (map[string]any, []string, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	if !dry {
		bounded, cancel = outlive(ctx)
	}
	defer cancel()
	warned := &warnings{}
	request := c.rest.Patch(types.MergePatchType).AbsPath(resource(o)).Param("fieldManager", Manager).Param("fieldValidation", "Strict").
		SetHeader("Accept", "application/json").WarningHandler(warned).MaxRetries(0).Body(body)
	if dry {
		request = request.Param("dryRun", "All")
	}
	object, err := answer(request.Do(collect.Quiet(bounded)))
	return object, warned.texts, err
}

// outlive makes a context that ends after patience, or grace after ctx has ended.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	long, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	stop := context.AfterFunc(ctx, func() {
		short, done := context.WithTimeout(long, grace)
		defer done()
		<-short.Done()
		cancel()
	})
	return long, func() { stop(); cancel() }
}

func (c *Client) read(ctx context.Context, o cluster.Object) (map[string]any, error) {
	object, err := c.readWithin(ctx, patience, o)
	if err != nil {
		return nil, c.refused(err, o, "get")
	}
	return object, nil
}

func (c *Client) readWithin(ctx context.Context, d time.Duration, o cluster.Object) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	// One retry where the connection was cut; the client's default is ten.
	return answer(c.rest.Get().AbsPath(resource(o)).SetHeader("Accept", "application/json").MaxRetries(1).Do(collect.Quiet(ctx)))
}

// answer is the object in a response, or the server's error.
func answer(result rest.Result) (map[string]any, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	raw, err := result.Raw()
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("the server's answer is not valid JSON: %w", err)
	}
	return object, nil
}

// warnings collects the warnings of a response.
type warnings struct {
	lock  sync.Mutex
	texts []string
}

func (w *warnings) HandleWarningHeader(code int, _, text string) {
	if code != 299 || text == "" {
		return
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.texts = append(w.texts, text)
}

// resource is the URL path of an object; without a name, that of the list. All kinds that are written have regular
// plurals.
func resource(o cluster.Object) string {
	prefix := "/apis/" + o.APIVersion
	if !strings.Contains(o.APIVersion, "/") {
		prefix = "/api/" + o.APIVersion
	}
	if o.Namespace != "" {
		prefix += "/namespaces/" + o.Namespace
	}
	return prefix + "/" + strings.ToLower(o.Kind) + "s/" + o.Name
}

// Name is an object's kind, namespace and name for people: service shop/web.
func Name(o cluster.Object) string {
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return strings.ToLower(o.Kind) + " " + name
}

// command is the shell command that sends a patch by hand.
func command(o cluster.Object, patch []byte) string {
	kind := strings.ToLower(o.Kind)
	if o.Kind == "Service" {
		kind = "svc"
	}
	line := "kubectl patch " + kind + " " + o.Name
	if o.Namespace != "" {
		line += " -n " + o.Namespace
	}
	return line + " --type=merge -p " + quote(string(patch))
}
