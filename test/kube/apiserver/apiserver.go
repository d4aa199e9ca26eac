//go:build unix

// Package apiserver knows how a real etcd and kube-apiserver are run for tests: on loopback, with RBAC on, in a temporary folder, and gone with the test.
package apiserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// Admin is the user that every server knows and that may do everything.
const Admin = "admin"

// Server is a running kube-apiserver with its etcd.
type Server struct {
	// URL is https://127.0.0.1:PORT.
	URL string
	// Dir is removed when the server stops. Logs are in it as etcd.log, kube-apiserver.log and so on.
	Dir string

	authority *Authority
	tokens    map[string]string
	config    config
	processes []*process
	loader    *loader
}

type config struct {
	version     string
	etcdVersion string
	users       []string
	flags       []string
	controllers []string
	scheduler   string
	patience    time.Duration
}

// Option changes how a server is started.
type Option func(*config)

// Users adds users beside Admin. They belong to no group but system:authenticated, and may do nothing until Grant.
func Users(names ...string) Option {
	return func(c *config) { c.users = append(c.users, names...) }
}

// Version runs another kube-apiserver than kube.Version.
func Version(version string) Option {
	return func(c *config) { c.version = version }
}

// Flags adds command line flags to the kube-apiserver's, after its own, so that they win.
func Flags(flags ...string) Option {
	return func(c *config) { c.flags = append(c.flags, flags...) }
}

// Controllers also runs a kube-controller-manager with these controllers, such as endpointslice-controller. Without it nothing but the test writes.
func Controllers(names ...string) Option {
	return func(c *config) { c.controllers = append(c.controllers, names...) }
}

// Scheduler also runs a kube-scheduler with this KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1), of which only what differs from the usual one is given.
func Scheduler(configuration string) Option {
	return func(c *config) { c.scheduler = configuration }
}

// Start runs a server until the test ends. Where a binary is not built it skips the test, or, with KUBECTL_ETP_REQUIRE=1, fails it.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s, err := Launch(t.Context(), options...)
	if err != nil {
		kube.SkipOrFail(t, err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Shared is a server for all tests of a package, started by the first that asks for it:
//
//	var shared apiserver.Shared
//
//	func TestMain(m *testing.M) { os.Exit(shared.Run(m, apiserver.Users("reader"))) }
//
//	func TestX(t *testing.T) { server := shared.Get(t); … }
type Shared struct {
	options []Option
	once    sync.Once
	server  *Server
	err     error
}

// Run runs the package's tests, stops the server if one was started, and returns the exit code for TestMain.
func (s *Shared) Run(m *testing.M, options ...Option) int {
	s.options = options
	code := m.Run()
	if s.server != nil {
		s.server.Stop()
	}
	return code
}

// Get returns the server. Where it cannot be started it skips or fails the test as Start does.
func (s *Shared) Get(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = Launch(context.Background(), s.options...) })
	if s.err != nil {
		kube.SkipOrFail(t, s.err)
	}
	return s.server
}

// Launch runs a server until Stop; for programs and TestMain. The context bounds the start only. A *kube.MissingError among the errors says that
// binaries are not built.
func Launch(ctx context.Context, options ...Option) (*Server, error) {
	c := config{version: kube.Version, etcdVersion: kube.EtcdVersion, patience: 2 * time.Minute}
	for _, option := range options {
		option(&c)
	}
	binaries, err := find(c)
	if err != nil {
		return nil, fmt.Errorf("starting a kube-apiserver for tests: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	for {
		s, err := launch(ctx, c, binaries)
		// Somebody else may take a free port between finding it and listening on it.
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "address already in use") {
			return s, err
		}
	}
}

// find returns the path of each binary that c needs.
func find(c config) (map[string]string, error) {
	need := []kube.Target{{Name: "etcd", Version: c.etcdVersion}, {Name: "kube-apiserver", Version: c.version}}
	if len(c.controllers) > 0 {
		need = append(need, kube.Target{Name: "kube-controller-manager", Version: c.version})
	}
	if c.scheduler != "" {
		need = append(need, kube.Target{Name: "kube-scheduler", Version: c.version})
	}
	return kube.Binaries(need...)
}

func launch(ctx context.Context, c config, binaries map[string]string) (_ *Server, err error) {
	dir, err := os.MkdirTemp("", "kubectl-etp-apiserver-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, config: c, tokens: map[string]string{}}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	if s.authority, err = newAuthority(); err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	s.URL = "https://127.0.0.1:" + ports[0]
	etcdURL, peerURL := "http://127.0.0.1:"+ports[1], "http://127.0.0.1:"+ports[2]

	etcd, err := s.spawn("etcd", binaries["etcd"],
		"--name=test",
		"--data-dir="+filepath.Join(dir, "etcd"),
		"--listen-client-urls="+etcdURL,
		"--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+peerURL,
		"--initial-advertise-peer-urls="+peerURL,
		"--initial-cluster=test="+peerURL,
		"--unsafe-no-fsync", // Nothing here has to survive.
		"--quota-backend-bytes=4294967296",
		"--log-level=warn",
	)
	if err != nil {
		return nil, err
	}
	flags, err := s.apiserverFlags(ports[0], etcdURL)
	if err != nil {
		return nil, err
	}
	apiserver, err := s.spawn("kube-apiserver", binaries["kube-apiserver"], flags...)
	if err != nil {
		return nil, err
	}
	client, err := newLoader(s.Config(Admin))
	if err != nil {
		return nil, err
	}
	s.loader = client
	if err := s.await(ctx, "kube-apiserver", client.ready, etcd, apiserver); err != nil {
		return nil, err
	}
	if len(c.controllers) > 0 {
		if err := s.startControllers(binaries["kube-controller-manager"]); err != nil {
			return nil, err
		}
	}
	if c.scheduler != "" {
		if err := s.startScheduler(binaries["kube-scheduler"]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) apiserverFlags(port, etcdURL string) ([]string, error) {
	certificate, key, err := s.authority.Issue()
	if err != nil {
		return nil, err
	}
	var tokens strings.Builder
	for _, user := range append([]string{Admin}, s.config.users...) {
		if s.tokens[user] != "" {
			return nil, fmt.Errorf("user %q is asked for twice", user)
		}
		token, err := randomToken()
		if err != nil {
			return nil, err
		}
		s.tokens[user] = token
		fmt.Fprintf(&tokens, "%s,%q,%q", token, user, user)
		if user == Admin {
			tokens.WriteString(`,"system:masters"`)
		}
		tokens.WriteString("\n")
	}
	files := map[string][]byte{
		"ca.crt":     s.authority.Certificate,
		"server.crt": certificate,
		"server.key": key,
		"sa.key":     s.authority.accountKey,
		"tokens.csv": []byte(tokens.String()),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return append([]string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // It would publish a loopback address, which the API refuses.
		"--secure-port=" + port,
		"--tls-cert-file=" + filepath.Join(s.Dir, "server.crt"),
		"--tls-private-key-file=" + filepath.Join(s.Dir, "server.key"),
		"--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
		"--service-account-issuer=" + accountIssuer,
		"--service-account-signing-key-file=" + filepath.Join(s.Dir, "sa.key"),
		"--service-account-key-file=" + filepath.Join(s.Dir, "sa.key"),
		"--authorization-mode=RBAC",
		"--token-auth-file=" + filepath.Join(s.Dir, "tokens.csv"),
		// Pods need no service account here, and a node keeps the taints that the test gives it.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		// The API server's node proxy dials what the Node object says.
		"--kubelet-preferred-address-types=InternalIP,Hostname",
	}, s.config.flags...), nil
}

func (s *Server) startControllers(binary string) error {
	kubeconfig, err := s.WriteKubeconfig(filepath.Join(s.Dir, "controllers.kubeconfig"), Context{Name: "controllers", User: Admin})
	if err != nil {
		return err
	}
	_, err = s.spawn("kube-controller-manager", binary,
		"--kubeconfig="+kubeconfig,
		"--controllers="+strings.Join(s.config.controllers, ","),
		"--leader-elect=false",
		"--secure-port=0",
	)
	return err
}

func (s *Server) startScheduler(binary string) error {
	kubeconfig, err := s.WriteKubeconfig(filepath.Join(s.Dir, "scheduler.kubeconfig"), Context{Name: "scheduler", User: Admin})
	if err != nil {
		return err
	}
	configuration := fmt.Sprintf("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nclientConnection: {kubeconfig: %q}\nleaderElection: {leaderElect: false}\n%s",
		kubeconfig, s.config.scheduler)
	path := filepath.Join(s.Dir, "scheduler.yaml")
	if err := os.WriteFile(path, []byte(configuration), 0o600); err != nil {
		return err
	}
	_, err = s.spawn("kube-scheduler", binary, "--config="+path, "--secure-port=0")
	return err
}

// await polls ready until it succeeds, one of the processes ends, or ctx does.
func (s *Server) await(ctx context.Context, what string, ready func(context.Context) error, processes ...*process) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, p := range processes {
			if p.ended() {
				return fmt.Errorf("%s ended before %s was ready; the end of its log:\n%s", p.name, what, p.tail())
			}
		}
		select {
		case <-ctx.Done():
			last := processes[len(processes)-1]
			return fmt.Errorf("%s is not ready after %v: %w; the end of the log of %s:\n%s", what, s.config.patience, err, last.name, last.tail())
		case <-tick.C:
		}
	}
}

// Stop ends the processes and removes Dir. It may be called more than once.
func (s *Server) Stop() {
	// The last to start is the first to end, so that none logs that another is gone.
	for _, p := range slices.Backward(s.processes) {
		p.kill()
	}
	s.processes = nil
	// What cannot be removed is in the system's temporary folder, where nobody depends on it.
	_ = os.RemoveAll(s.Dir)
}

// Interrupt ends kube-apiserver at once and returns what starts it again, on the same port and with the same data.
func (s *Server) Interrupt() (resume func(context.Context) error) {
	i := slices.IndexFunc(s.processes, func(p *process) bool { return p.name == "kube-apiserver" })
	old := s.processes[i]
	old.kill()
	s.processes = slices.Delete(s.processes, i, i+1)
	return func(ctx context.Context) error {
		again, err := s.spawn(old.name, old.cmd.Path, old.cmd.Args[1:]...)
		if err != nil {
			return err
		}
		return s.await(ctx, old.name, s.loader.ready, again)
	}
}

// Pids returns the ids of the running processes: etcd's, then kube-apiserver's, then kube-controller-manager's if there is one.
func (s *Server) Pids() []int {
	var pids []int
	for _, p := range s.processes {
		pids = append(pids, p.cmd.Process.Pid)
	}
	return pids
}

// Token returns a user's bearer token, or "" for a user that the server was not started with.
func (s *Server) Token(user string) string { return s.tokens[user] }

// Authority returns what signed the server's certificate; a proxy in front of the server can have it sign its own.
func (s *Server) Authority() *Authority { return s.authority }

// Config returns how a client in Go connects as user, without a limit on its requests.
func (s *Server) Config(user string) *rest.Config {
	return &rest.Config{
		Host:            s.URL,
		BearerToken:     s.tokens[user],
		TLSClientConfig: rest.TLSClientConfig{CAData: s.authority.Certificate},
		QPS:             -1,
	}
}

// freePorts returns n different ports of 127.0.0.1 that nobody listened on a moment ago.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		// Kept open until all are found, so that no two are the same.
		defer listener.Close()
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

func randomToken() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}
