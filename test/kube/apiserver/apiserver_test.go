//go:build unix

package apiserver_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
)

var shared apiserver.Shared

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(shared.Run(m, apiserver.Users("reader", "stranger"), apiserver.Controllers("endpointslice-controller")))
}

// clientOf connects as the current context of a kubeconfig says.
func clientOf(t *testing.T, kubeconfig string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestServesItsVersion(t *testing.T) {
	server := shared.Get(t)
	client := clientOf(t, server.Kubeconfig(t, apiserver.Context{Name: "test", User: apiserver.Admin}))
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != kube.Version {
		t.Errorf("the server says that it is %s, want %s", version.GitVersion, kube.Version)
	}
}

func TestGrant(t *testing.T) {
	server := shared.Get(t)
	ctx := t.Context()
	reader := clientOf(t, server.Kubeconfig(t, apiserver.Context{Name: "test", User: "reader"}))
	list := func() error {
		_, err := reader.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return err
	}
	if err := list(); !apierrors.IsForbidden(err) {
		t.Fatalf("before any right: %v, want Forbidden", err)
	}
	for _, rights := range []struct{ verbs, resource string }{{"list", "nodes"}, {"get", "nodes"}, {"list", "nodes"}} {
		if err := server.Grant(ctx, "reader", apiserver.Rule(rights.verbs, rights.resource)); err != nil {
			t.Fatal(err)
		}
		if err := list(); (err == nil) != (rights.verbs == "list") {
			t.Errorf("listing with only %s: %v", rights.verbs, err)
		}
	}
	if err := server.Grant(ctx, "reader"); err != nil {
		t.Fatal(err)
	}
	if err := list(); !apierrors.IsForbidden(err) {
		t.Errorf("after the right was taken: %v, want Forbidden", err)
	}
	if err := server.Grant(ctx, "nobody"); err == nil {
		t.Error("rights were granted to a user that the server does not know")
	}
}

func TestTokens(t *testing.T) {
	server := shared.Get(t)
	ctx := t.Context()
	const manifest = `{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}`
	if err := server.Apply(ctx, []byte(manifest)); err != nil {
		t.Fatal(err)
	}
	admin := clientOf(t, server.Kubeconfig(t, apiserver.Context{Name: "test", User: apiserver.Admin}))
	account, err := admin.CoreV1().ServiceAccounts("default").Get(ctx, "robot", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string) error {
		client := clientOf(t, server.Kubeconfig(t, apiserver.Context{Name: "test", Token: token}))
		_, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return err
	}
	token := func(expires time.Time) string {
		token, err := server.Authority().AccountToken("default", "robot", string(account.UID), expires)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	// Known, and without the right: that the same token expired is refused is then due to its time alone.
	if err := ask(token(time.Now().Add(10 * time.Minute))); !apierrors.IsForbidden(err) {
		t.Errorf("a valid token: %v, want Forbidden", err)
	}
	if err := ask(token(time.Now().Add(-10 * time.Minute))); !apierrors.IsUnauthorized(err) {
		t.Errorf("an expired token: %v, want Unauthorized", err)
	}
	if err := ask("made-up"); !apierrors.IsUnauthorized(err) {
		t.Errorf("an invalid token: %v, want Unauthorized", err)
	}
}

const manifests = `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: a, uid: not-mine, resourceVersion: "7", labels: {kubernetes.io/hostname: a}}
  status:
    addresses: [{type: InternalIP, address: 10.0.0.1}]
    nodeInfo: {kubeletVersion: v1.36.3, architecture: "", bootID: "", containerRuntimeVersion: "", kernelVersion: "", kubeProxyVersion: "", machineID: "", operatingSystem: linux, osImage: "", systemUUID: ""}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, finalizers: [example.com/keep]}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  ports: [{port: 80}]
status:
  loadBalancer: {ingress: [{ip: 203.0.113.10}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.244.0.5], nodeName: a}]
ports: [{name: "", port: 80, protocol: TCP}]
---
`

func TestApplyPatchDelete(t *testing.T) {
	server := shared.Get(t)
	ctx := t.Context()
	client := clientOf(t, server.Kubeconfig(t, apiserver.Context{Name: "test", User: apiserver.Admin}))
	for range 2 { // Applying what is there changes nothing and is no error.
		if err := server.Apply(ctx, []byte(manifests)); err != nil {
			t.Fatal(err)
		}
	}
	node, err := client.CoreV1().Nodes().Get(ctx, "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := node.Status.NodeInfo.KubeletVersion; got != "v1.36.3" {
		t.Errorf("the node's status was not loaded: kubelet %q", got)
	}
	if len(node.Spec.Taints) > 0 {
		t.Errorf("the node has taints that the manifest does not: %v", node.Spec.Taints)
	}
	service, err := client.CoreV1().Services("shop").Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ingress := service.Status.LoadBalancer.Ingress; len(ingress) != 1 || ingress[0].IP != "203.0.113.10" {
		t.Errorf("the Service's status was not loaded: %v", ingress)
	}
	if service.Spec.HealthCheckNodePort == 0 {
		t.Error("the API server gave no health check node port")
	}
	if _, err := client.DiscoveryV1().EndpointSlices("shop").Get(ctx, "web-1", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}

	if err := server.Patch(ctx, "Service", "shop", "web", `{"spec":{"externalTrafficPolicy":"Cluster"}}`); err != nil {
		t.Fatal(err)
	}
	if err := server.Patch(ctx, "Service", "shop", "web", `{"status":{"loadBalancer":{"ingress":[{"hostname":"lb.example"}]}}}`, "status"); err != nil {
		t.Fatal(err)
	}
	service, err = client.CoreV1().Services("shop").Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyCluster || service.Status.LoadBalancer.Ingress[0].Hostname != "lb.example" {
		t.Errorf("the patches did not arrive: %v, %v", service.Spec.ExternalTrafficPolicy, service.Status.LoadBalancer.Ingress)
	}

	for range 2 { // Deleting what is gone is no error.
		if err := server.Delete(ctx, []byte(manifests)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.CoreV1().Services("shop").Get(ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after Delete: %v, want NotFound", err)
	}
}

func TestBadManifestIsNamed(t *testing.T) {
	server := shared.Get(t)
	for manifest, want := range map[string]string{
		"kind: [": "manifest 1",
		"{apiVersion: v1, kind: Gizmo, metadata: {name: g}}":       "Gizmo g",
		"{apiVersion: v1, kind: Service, metadata: {name: noway}}": "Service noway",
	} {
		err := server.Apply(t.Context(), []byte(manifest))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("applying %q: %v; want an error that names %q", manifest, err, want)
		}
	}
}

func TestControllersRun(t *testing.T) {
	server := shared.Get(t)
	ctx := t.Context()
	const manifest = `
{apiVersion: v1, kind: Node, metadata: {name: b}}
---
{apiVersion: v1, kind: Service, metadata: {name: selected, namespace: made}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: made, labels: {app: web}}
spec: {nodeName: b, containers: [{name: web, image: web}]}
status: {phase: Running, podIP: 10.244.0.9, podIPs: [{ip: 10.244.0.9}], conditions: [{type: Ready, status: "True"}]}
`
	if err := server.Apply(ctx, []byte(manifest)); err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, server.Kubeconfig(t, apiserver.Context{Name: "test", User: apiserver.Admin}))
	watch, err := client.DiscoveryV1().EndpointSlices("made").Watch(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=selected"})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	timeout := time.After(time.Minute)
	for {
		select {
		case event := <-watch.ResultChan():
			if slice, ok := event.Object.(*discoveryv1.EndpointSlice); ok && len(slice.Endpoints) == 1 && slice.Endpoints[0].Addresses[0] == "10.244.0.9" {
				return
			}
		case <-timeout:
			t.Fatal("the endpointslice controller wrote no endpoint for the pod")
		}
	}
}

const childEnv = "KUBECTL_ETP_TEST_CHILD"

// child runs a server, prints its folder and the ids of its processes, and waits to be killed.
func child() int {
	server, err := apiserver.Launch(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(server.Dir, server.Pids())
	select {}
}
