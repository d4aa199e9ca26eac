//go:build unix

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

var shared apiserver.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// start returns a proxy and a client that goes through it.
func start(t *testing.T, change ...func(*rest.Config)) (*faults.Proxy, *kubernetes.Clientset) {
	t.Helper()
	server := shared.Get(t)
	proxy := faults.Start(t, server)
	config, err := clientcmd.BuildConfigFromFlags("", server.Kubeconfig(t, apiserver.Context{Name: "test", User: apiserver.Admin, Server: proxy.URL}))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range change {
		change(config)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return proxy, client
}

func listNodes(ctx context.Context, client *kubernetes.Clientset) error {
	_, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	return err
}

// load makes n nodes, none of them small.
func load(t *testing.T, n int) {
	t.Helper()
	var manifests strings.Builder
	for i := range n {
		fmt.Fprintf(&manifests, "{apiVersion: v1, kind: Node, metadata: {name: node-%03d, annotations: {filler: %q}}}\n---\n", i, strings.Repeat("x", 4000))
	}
	if err := shared.Get(t).Apply(t.Context(), []byte(manifests.String())); err != nil {
		t.Fatal(err)
	}
}

func TestCounts(t *testing.T) {
	proxy, client := start(t)
	load(t, 60)
	if err := listNodes(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Services("default").Get(t.Context(), "unheard-of", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("the API server's own answer did not come through: %v", err)
	}
	requests := proxy.Requests()
	if len(requests) != 2 {
		t.Fatalf("counted %v, want two requests", requests)
	}
	list, get := requests[0], requests[1]
	if list.String() != "GET /api/v1/nodes" || list.Status != http.StatusOK || list.UserAgent == "" || list.Accept == "" {
		t.Errorf("the list was recorded as %+v", list)
	}
	if get.String() != "GET /api/v1/namespaces/default/services/unheard-of" || get.Status != http.StatusNotFound {
		t.Errorf("the get was recorded as %+v", get)
	}
	// Sixty nodes of 4,000 equal bytes each: if the proxy had unpacked what it passes on it would have counted more than 240,000.
	if list.Encoding != "gzip" || list.Bytes == 0 || list.Bytes > 40_000 {
		t.Errorf("the list was counted as %d bytes, Content-Encoding %q; want it as compressed on the wire", list.Bytes, list.Encoding)
	}
	sent, received := proxy.Wire()
	if received <= list.Bytes+get.Bytes || sent == 0 {
		t.Errorf("on the wire: %d sent, %d received; bodies alone are %d", sent, received, list.Bytes+get.Bytes)
	}
	proxy.Reset()
	if sent, received := proxy.Wire(); len(proxy.Requests()) != 0 || sent != 0 || received != 0 {
		t.Error("Reset left something")
	}
}

func TestCountsPlain(t *testing.T) {
	proxy, client := start(t, func(c *rest.Config) { c.DisableCompression = true })
	load(t, 60)
	if err := listNodes(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if list := proxy.Requests()[0]; list.Encoding != "" || list.Bytes < 240_000 {
		t.Errorf("the list was counted as %d bytes, Content-Encoding %q", list.Bytes, list.Encoding)
	}
}

func TestStatus(t *testing.T) {
	for code, is := range map[int]func(error) bool{
		http.StatusUnauthorized:        apierrors.IsUnauthorized,
		http.StatusForbidden:           apierrors.IsForbidden,
		http.StatusNotFound:            apierrors.IsNotFound,
		http.StatusInternalServerError: apierrors.IsInternalError,
	} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			proxy, client := start(t)
			remove := proxy.On(`^GET /api/v1/nodes`, faults.Status(code, "made to fail"))
			if err := listNodes(t.Context(), client); !is(err) || !strings.Contains(err.Error(), "made to fail") {
				t.Errorf("got %v", err)
			}
			if _, err := client.CoreV1().Services("").List(t.Context(), metav1.ListOptions{}); err != nil {
				t.Errorf("a request that no rule matches failed: %v", err)
			}
			remove()
			if err := listNodes(t.Context(), client); err != nil {
				t.Errorf("after the rule was taken back: %v", err)
			}
		})
	}
}

func TestQueryIsMatched(t *testing.T) {
	proxy, client := start(t)
	proxy.On(`^GET /api/v1/nodes\?.*limit=7`, faults.Status(http.StatusInternalServerError, "made to fail"))
	if err := listNodes(t.Context(), client); err != nil {
		t.Error(err)
	}
	if _, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{Limit: 7}); !apierrors.IsInternalError(err) {
		t.Errorf("got %v", err)
	}
}

func TestTooManyRequests(t *testing.T) {
	proxy, client := start(t)
	proxy.On(`^GET /api/v1/nodes`, faults.Times(1, faults.TooManyRequests(1)))
	begin := time.Now()
	if err := listNodes(t.Context(), client); err != nil {
		t.Fatalf("the client did not come back: %v", err)
	}
	if took := time.Since(begin); took < time.Second {
		t.Errorf("the client came back after %v, sooner than it was told", took)
	}
	requests := proxy.Requests()
	if len(requests) != 2 || requests[0].Status != http.StatusTooManyRequests || requests[1].Status != http.StatusOK {
		t.Errorf("counted %+v, want one refused and one answered", requests)
	}
}

func TestHang(t *testing.T) {
	proxy, client := start(t)
	proxy.On(`^GET /api/v1/nodes`, faults.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := listNodes(ctx, client); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the client gave up", err)
	}
	if requests := proxy.Requests(); len(requests) != 1 || requests[0].Status != 0 {
		t.Errorf("counted %+v, want one request without an answer", requests)
	}
}

func TestHangEndsWithTheProxy(t *testing.T) {
	proxy, client := start(t)
	proxy.On(`^GET /api/v1/nodes`, faults.Hang())
	done := make(chan error)
	go func() { done <- listNodes(t.Context(), client) }()
	for len(proxy.Requests()) == 0 {
		time.Sleep(time.Millisecond)
	}
	proxy.Stop()
	if err := <-done; err == nil {
		t.Error("a request that hung was answered")
	}
}

func TestDelay(t *testing.T) {
	proxy, client := start(t)
	proxy.On(`^GET /api/v1/nodes`, faults.Delay(150*time.Millisecond))
	begin := time.Now()
	if err := listNodes(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 150*time.Millisecond {
		t.Errorf("answered after %v", took)
	}
}

func TestCut(t *testing.T) {
	for name, change := range map[string]func(*rest.Config){
		"HTTP/2":   func(c *rest.Config) { c.DisableCompression = true },
		"HTTP/1.1": func(c *rest.Config) { c.DisableCompression = true; c.NextProtos = []string{"http/1.1"} },
	} {
		t.Run(name, func(t *testing.T) {
			proxy, client := start(t, change)
			load(t, 60)
			const after = 30_000
			proxy.On(`^GET /api/v1/nodes`, faults.Times(1, faults.Cut(after)))
			var body []byte
			body, err := client.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes").DoRaw(t.Context())
			if err == nil {
				t.Fatalf("a body cut after %d bytes was taken for whole (%d bytes)", after, len(body))
			}
			request := proxy.Requests()[0]
			if request.Status != http.StatusOK || request.Bytes != after {
				t.Errorf("recorded %+v, want 200 and %d bytes", request, after)
			}
			if err := listNodes(t.Context(), client); err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
	}
}

func TestDisconnect(t *testing.T) {
	proxy, client := start(t)
	watch, err := client.CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=unheard-of"})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	proxy.Disconnect()
	select {
	case _, open := <-watch.ResultChan():
		if open {
			t.Error("the watch had an event")
		}
	case <-time.After(20 * time.Second):
		t.Error("the watch went on")
	}
	if err := listNodes(t.Context(), client); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

func TestAfter(t *testing.T) {
	proxy, client := start(t)
	proxy.On(`^GET /api/v1/nodes`, proxy.After(`/services$`, faults.Status(http.StatusInternalServerError, "made to fail")))
	done := make(chan error)
	go func() { done <- listNodes(t.Context(), client) }()
	select {
	case err := <-done:
		t.Fatalf("answered before the other request was: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if _, err := client.CoreV1().Services("").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !apierrors.IsInternalError(err) {
		t.Errorf("got %v", err)
	}
}

func TestWatchPassesAtOnce(t *testing.T) {
	_, client := start(t)
	watch, err := client.CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=seen"})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	if err := shared.Get(t).Apply(t.Context(), []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}}")); err != nil {
		t.Fatal(err)
	}
	select {
	case event := <-watch.ResultChan():
		if got, ok := event.Object.(*corev1.ConfigMap); !ok || got.Name != "seen" {
			t.Errorf("got %v", event)
		}
	case <-time.After(20 * time.Second):
		t.Error("the watch stayed silent")
	}
}
