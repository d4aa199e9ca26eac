package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const (
	// liveRequests are under way at once.
	liveRequests = 16
	// livePatience is what one node is given to answer; a health check that takes longer is failed by every load balancer.
	livePatience = 5 * time.Second
	// metricsPort is where kube-proxy tells its mode, if it listens on more than the loopback address.
	metricsPort = 10249
)

// Live asks the nodes themselves, through the API server: for each Service with a health check node port, what each node answers on it, into Service.Live; and
// each node's kube-proxy for its mode, into Node.ProxyMode. Nodes that are virtual, or not known to the API server, are left out.
//
// progress, if not nil, is told how many of the questions have been answered, never twice at a time. Where the right to ask is missing, one Gap says so and no
// more is asked. The error is that of a context that ended.
func (c *Client) Live(ctx context.Context, s *cluster.Snapshot, progress func(done, total int)) error {
	asker := &asker{client: c, snapshot: s, progress: progress}
	s.NodesAsked = true
	type question struct{ service, node int }
	var questions []question
	for i := range s.Services {
		if s.Services[i].HealthCheckNodePort == 0 {
			continue
		}
		s.Services[i].Live = make(map[string]cluster.Live, len(s.Nodes))
		for j := range s.Nodes {
			if s.Nodes[j].Known && !s.Nodes[j].VirtualKubelet {
				questions = append(questions, question{i, j})
			}
		}
	}
	// The mode is of interest where kube-proxy may run; every other program leaves the port closed.
	var modes []int
	for j := range s.Nodes {
		n := &s.Nodes[j]
		if name := s.DataplaneOf(n).Name; n.Known && !n.VirtualKubelet && (name == cluster.KubeProxy || name == cluster.UnknownDataplane) {
			modes = append(modes, j)
		}
	}
	asker.total = len(questions) + len(modes)
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(liveRequests)
	for _, q := range questions {
		group.Go(func() error { return asker.health(within, q.service, q.node) })
	}
	for _, node := range modes {
		group.Go(func() error { return asker.mode(within, node) })
	}
	if err := group.Wait(); err != nil && !errors.Is(err, errNotAllowed) {
		return err
	}
	return ctx.Err()
}

var errNotAllowed = errors.New("nodes/proxy is not allowed")

type asker struct {
	client   *Client
	snapshot *cluster.Snapshot
	progress func(done, total int)

	lock        sync.Mutex
	done, total int
}

// ask gets a path from a port of a node. The error is the API server's or the transport's; a status of the node itself is none.
func (a *asker) ask(ctx context.Context, node string, port int, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, livePatience)
	defer cancel()
	result := a.client.rest.Load().Get().AbsPath("/api/v1/nodes", fmt.Sprintf("http:%s:%d", node, port), "proxy", path).MaxRetries(0).Do(logr.NewContext(ctx, logr.Discard()))
	result.StatusCode(&status)
	// The body of a health check that fails comes with an error; so does a refusal of the API server.
	body, _ = result.Raw()
	return status, body, result.Error()
}

func (a *asker) finished(note func()) {
	a.lock.Lock()
	defer a.lock.Unlock()
	note()
	a.done++
	if a.progress != nil {
		a.progress(a.done, a.total)
	}
}

// notAllowed notes one Gap for all nodes.
func (a *asker) notAllowed(err error) error {
	a.lock.Lock()
	defer a.lock.Unlock()
	for _, gap := range a.snapshot.Gaps {
		if gap.Resource == nodesProxyResource {
			return errNotAllowed
		}
	}
	a.snapshot.Gaps = append(a.snapshot.Gaps, newGap(nodesProxyResource, "get", "", "", err))
	return errNotAllowed
}

func (a *asker) health(ctx context.Context, service, node int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, n := &a.snapshot.Services[service], &a.snapshot.Nodes[node]
	status, body, err := a.ask(ctx, n.Name, int(s.HealthCheckNodePort), "healthz")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// The API server refuses with a Status object, which a health check never answers.
	if status == http.StatusForbidden && apierrors.IsForbidden(err) {
		return a.notAllowed(err)
	}
	live := judge(status, body, err, s)
	a.finished(func() { s.Live[n.Name] = live })
	return nil
}

// judge tells a node that says no from one that could not be asked. kube-proxy and Cilium answer 200 or 503 with a JSON object that counts the local endpoints
// and names the Service (pkg/proxy/healthcheck/service_health.go); the API server and everything between answer otherwise.
func judge(status int, body []byte, err error, s *cluster.Service) cluster.Live {
	var answer struct {
		Service *struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"service"`
		LocalEndpoints *int `json:"localEndpoints"`
	}
	if (status == http.StatusOK || status == http.StatusServiceUnavailable) && json.Unmarshal(body, &answer) == nil && answer.LocalEndpoints != nil {
		if answer.Service != nil && (answer.Service.Namespace != s.Namespace || answer.Service.Name != s.Name) {
			return cluster.Live{
				HealthCheck: cluster.Unreachable, LocalEndpoints: -1,
				Reason: fmt.Sprintf("the port answers for %s/%s", answer.Service.Namespace, answer.Service.Name),
			}
		}
		live := cluster.Live{HealthCheck: cluster.Fail, LocalEndpoints: *answer.LocalEndpoints}
		if status == http.StatusOK {
			live.HealthCheck = cluster.Pass
		}
		return live
	}
	live := cluster.Live{HealthCheck: cluster.Unreachable, LocalEndpoints: -1}
	switch {
	case err != nil && timedOut(err):
		live.Reason = "no answer in time"
	case err != nil:
		live.Reason = message(err)
	default:
		live.Reason = fmt.Sprintf("an answer that no health check gives (status %d)", status)
	}
	return live
}

// mode asks kube-proxy for its mode. Most listen on the loopback address alone, so that no answer says nothing.
func (a *asker) mode(ctx context.Context, node int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := &a.snapshot.Nodes[node]
	status, body, err := a.ask(ctx, n.Name, metricsPort, "proxyMode")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if status == http.StatusForbidden && apierrors.IsForbidden(err) {
		return a.notAllowed(err)
	}
	a.finished(func() {
		switch mode := strings.TrimSpace(string(body)); cluster.ProxyMode(mode) {
		case cluster.IPTables, cluster.IPVS, cluster.NFTables:
			if err == nil && status == http.StatusOK {
				n.ProxyMode = mode
			}
		}
	})
	return nil
}
