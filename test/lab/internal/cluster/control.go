// Package cluster knows how to make a cluster out of network namespaces: a real control plane, nodes with a real data plane each, pods, a load balancer and
// machines outside. It must run in network, mount and process namespaces of its own.
package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
)

const (
	hubIP   = "172.30.0.1" // the control plane's address on the nodes' network
	hubIPv6 = "fd00:30::1"
	token   = "lab-administrator"
	apiPort = "6443"
)

// ControlPlane is a running etcd, kube-apiserver and kube-controller-manager with the endpoint controllers.
type ControlPlane struct {
	Kubeconfig string // path
	Client     *kubernetes.Clientset
	dir        string
	starter    *agent.Starter
}

// StartControlPlane starts a control plane that keeps everything in dir, and waits until the API server is ready. This machine must have the address hubIP.
func StartControlPlane(ctx context.Context, starter *agent.Starter, dir string) (*ControlPlane, error) {
	c := &ControlPlane{Kubeconfig: filepath.Join(dir, "kubeconfig"), dir: dir, starter: starter}
	if err := c.files(); err != nil {
		return nil, fmt.Errorf("writing the control plane's files: %w", err)
	}
	if err := c.start("etcd", kube.EtcdVersion, "--data-dir="+dir+"/etcd", "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=default=http://127.0.0.1:2380",
	); err != nil {
		return nil, err
	}
	if err := c.start("kube-apiserver", kube.Version, "--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0", "--advertise-address="+hubIP,
		"--secure-port="+apiPort, "--cert-dir="+dir+"/certs", "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
		"--service-account-issuer=https://lab", "--service-account-signing-key-file="+dir+"/sa.key", "--service-account-key-file="+dir+"/sa.key",
		"--kubelet-preferred-address-types=InternalIP,Hostname", "--authorization-mode=AlwaysAllow", "--token-auth-file="+dir+"/tokens",
		"--disable-admission-plugins=ServiceAccount",
	); err != nil {
		return nil, err
	}
	if err := c.connect(ctx); err != nil {
		return nil, c.withLog(err, "kube-apiserver")
	}
	return c, c.start("kube-controller-manager", kube.Version, "--kubeconfig="+c.Kubeconfig, "--controllers=endpointslice-controller,endpoints-controller",
		"--leader-elect=false", "--use-service-account-credentials=false", "--bind-address=127.0.0.1", "--kube-api-qps=500", "--kube-api-burst=1000",
		"--concurrent-service-endpoint-syncs=20", "--concurrent-endpoint-syncs=20")
}

// connect waits until the API server is ready.
func (c *ControlPlane) connect(ctx context.Context) error {
	// What the lab makes, it makes as a person would: a program that has written a field might write it again, and the plugin would not change it.
	config := &rest.Config{
		Host: "https://" + net.JoinHostPort(hubIP, apiPort), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1, WarningHandler: rest.NoWarnings{},
		UserAgent: "kubectl",
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	c.Client = client
	return Wait(ctx, "the API server to be ready", func() (bool, error) {
		body, err := client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil && string(body) == "ok", nil
	})
}

// RelayControlPlane makes a control plane that runs elsewhere, its API server at address, the one of this machine, which must have the address hubIP.
func RelayControlPlane(ctx context.Context, dir, address string) (*ControlPlane, error) {
	c := &ControlPlane{Kubeconfig: filepath.Join(dir, "kubeconfig"), dir: dir}
	if err := os.WriteFile(c.Kubeconfig, []byte(kubeconfig()), 0o600); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(hubIP, apiPort))
	if err != nil {
		return nil, fmt.Errorf("relaying to the control plane: %w", err)
	}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go relay(near, address)
		}
	}()
	return c, c.connect(ctx)
}

func relay(near net.Conn, address string) {
	defer near.Close()
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		defer far.Close()
		_, _ = io.Copy(far, near)
	}()
	_, _ = io.Copy(near, far)
}

func kubeconfig() string {
	return strings.NewReplacer("SERVER", net.JoinHostPort(hubIP, apiPort), "TOKEN", token).Replace(`apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://SERVER", insecure-skip-tls-verify: true}}]
users: [{name: lab, user: {token: TOKEN}}]
contexts: [{name: lab, context: {cluster: lab, user: lab, namespace: lab}}]
current-context: lab
`)
}

func (c *ControlPlane) files() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"sa.key":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"tokens":     []byte(token + ",lab,lab,\"system:masters\"\n"),
		"kubeconfig": []byte(kubeconfig()),
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *ControlPlane) start(name, version string, args ...string) error {
	path, err := kube.Binary(name, version)
	if err != nil {
		return err
	}
	log, err := os.Create(c.log(name))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := c.starter.Command(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	return nil
}

func (c *ControlPlane) log(name string) string { return filepath.Join(c.dir, name+".log") }

func (c *ControlPlane) withLog(err error, name string) error { return withLog(err, c.log(name)) }

// withLog adds the end of a log to an error.
func withLog(err error, path string) error {
	if err == nil {
		return nil
	}
	data, rerr := os.ReadFile(path)
	if rerr != nil {
		return err
	}
	const most = 3000
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return fmt.Errorf("%w\nthe end of %s:\n%s", err, filepath.Base(path), data)
}

// patience is how long anything may take that is waited for. It is long because of machines without hardware virtualisation.
const patience = 20 * time.Minute

// Wait asks until the answer is yes, as long as anything may take on a slow machine and ctx lasts.
func Wait(ctx context.Context, what string, yes func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := yes()
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
