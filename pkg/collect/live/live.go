// Package live asks the nodes of a cluster, through the API server, what their health checks and kube-proxy answer.
package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
)

const (
	// MaxRequests are sent at the same time.
	MaxRequests = 16
	// defaultPatience is what one node is given to answer; a health check that takes longer is failed by every load balancer.
	defaultPatience = 5 * time.Second
	// defaultTotal is what all nodes together are given.
	defaultTotal = 60 * time.Second
	// maxSilent is after how many timeouts in a row no more nodes are asked: then something between the API server and the nodes drops the requests.
	maxSilent = 50
	// MaxBody bounds what is read of one answer, in bytes: the program that listens on the port may send without end.
	MaxBody = 1 << 20
	// metricsPort is where kube-proxy answers for its mode, if it listens on more than the loopback address.
	metricsPort = 10249
)

// Options bound the questions. The zero Options are those of the program.
type Options struct {
	// Patience is what one node is given to answer, Total what all of them are; 0 for 5 and 60 seconds.
	Patience, Total time.Duration
	// Progress, if not nil, is called with how many of the questions have been answered, never concurrently.
	Progress func(done, total int)
}

// Ask asks the nodes themselves, through the API server: for each Service with a health check node port, what each node answers on it, into Service.Live; and
// each node's kube-proxy for its mode, into Node.ProxyMode. Nodes that are virtual, or not known to the API server, are left out.
//
// Where the permission is missing, one Gap says so and the questions end. They also end after 50 timeouts in a row and when the time is up; a Gap then says how many nodes
// were asked and how many answered. The error is that of a context that ended. Answers received until then are in s in every case.
func Ask(ctx context.Context, c *api.Client, s *cluster.Snapshot, o Options) error {
	asker := &asker{
		client: c, snapshot: s, progress: o.Progress, patience: cmp.Or(o.Patience, defaultPatience), asked: map[int]bool{}, answered: map[int]bool{},
	}
	s.NodesAsked = true
	type question struct{ service, node int }
	var questions []question
	for i := range s.Services {
		if s.Services[i].HealthCheckNodePort == 0 {
			continue
		}
		s.Services[i].Live = make(map[string]cluster.Live, len(s.Nodes))
		for j := range s.Nodes {
			if s.Nodes[j].Known && !s.Nodes[j].IsVirtual() {
				questions = append(questions, question{i, j})
			}
		}
	}
	// The mode is of interest where kube-proxy may run; every other program leaves the port closed.
	var modes []int
	for j := range s.Nodes {
		n := &s.Nodes[j]
		if name := s.DataplaneOf(n).Name; n.Known && !n.IsVirtual() && (name == cluster.KubeProxy || name == cluster.UnknownDataplane) {
			modes = append(modes, j)
		}
	}
	asker.total = len(questions) + len(modes)
	total := cmp.Or(o.Total, defaultTotal)
	bounded, cancel := context.WithTimeout(ctx, total)
	defer cancel()
	group, within := errgroup.WithContext(bounded)
	group.SetLimit(MaxRequests)
	for _, q := range questions {
		group.Go(func() error { return asker.health(within, q.service, q.node) })
	}
	for _, node := range modes {
		group.Go(func() error { return asker.mode(within, node) })
	}
	err := group.Wait()
	nodes := map[int]bool{}
	for _, q := range questions {
		nodes[q.node] = true
	}
	for _, node := range modes {
		nodes[node] = true
	}
	switch {
	case err == nil, errors.Is(err, errNotAllowed):
	case ctx.Err() != nil:
		asker.unfinished(len(nodes), "it was interrupted")
	case errors.Is(err, errSilent):
		asker.unfinished(len(nodes), fmt.Sprintf("%d requests in a row timed out", maxSilent))
	case bounded.Err() != nil && len(asker.answered) == len(nodes):
		// Each node has answered something: the findings name the answers that are missing.
	case bounded.Err() != nil:
		asker.unfinished(len(nodes), fmt.Sprintf("the time limit for all nodes (%s) was reached", total))
	default:
		return err
	}
	return ctx.Err()
}

var (
	errNotAllowed = errors.New("nodes/proxy is not allowed")
	errSilent     = errors.New("too many nodes in a row are silent")
)

type asker struct {
	client   *api.Client
	snapshot *cluster.Snapshot
	progress func(done, total int)
	patience time.Duration

	lock        sync.Mutex
	done, total int
	// asked and answered are nodes by their place in the snapshot; silent is how many questions in a row timed out.
	asked, answered map[int]bool
	silent          int
}

// unfinished notes how many of the nodes were asked, and answered, before it ended.
func (a *asker) unfinished(nodes int, why string) {
	a.snapshot.Gaps = append(a.snapshot.Gaps, cluster.Gap{
		Resource: cluster.ResourceNodesProxy, Verb: "get", Reason: cluster.Failed,
		Message: fmt.Sprintf("asked %d of %d nodes, %d answered; %s", len(a.asked), nodes, len(a.answered), why),
	})
}

// ask gets a path from a port of a node. The error is the API server's or the transport's; a status of the node itself is none. Redirections are not followed: where
// they lead is the node's choice.
func (a *asker) ask(ctx context.Context, node string, port int, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	transport := a.client.REST()
	address := transport.Get().AbsPath("/api/v1/nodes", fmt.Sprintf("http:%s:%d", node, port), "proxy", path).URL()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	client := *transport.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, MaxBody))
	if err != nil {
		return response.StatusCode, nil, err
	}
	// The API server refuses, and says that it does not reach the node, with a Status object.
	var refusal metav1.Status
	if response.StatusCode >= http.StatusBadRequest && json.Unmarshal(body, &refusal) == nil && refusal.Kind == "Status" {
		return response.StatusCode, body, apierrors.FromObject(&refusal)
	}
	return response.StatusCode, body, nil
}

// finished notes one answer, or that there was none in time, and is an error where too many nodes in a row were silent.
func (a *asker) finished(node int, err error, note func()) error {
	a.lock.Lock()
	defer a.lock.Unlock()
	note()
	a.done++
	switch {
	case err == nil:
		a.answered[node], a.silent = true, 0
	case !api.TimedOut(err):
		a.silent = 0
	case !a.answered[node]:
		// Where another port of the node has answered, the node can be reached: most kube-proxies answer for their mode on the loopback address only.
		a.silent++
	}
	if a.progress != nil {
		a.progress(a.done, a.total)
	}
	if a.silent >= maxSilent {
		return errSilent
	}
	return nil
}

// begins notes that a node is asked.
func (a *asker) begins(ctx context.Context, node int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	a.asked[node] = true
	return nil
}

// notAllowed notes one Gap for all nodes.
func (a *asker) notAllowed(err error) error {
	a.lock.Lock()
	defer a.lock.Unlock()
	for _, gap := range a.snapshot.Gaps {
		if gap.Resource == cluster.ResourceNodesProxy {
			return errNotAllowed
		}
	}
	a.snapshot.Gaps = append(a.snapshot.Gaps, api.NewGap(cluster.ResourceNodesProxy, "get", "", "", err))
	return errNotAllowed
}

func (a *asker) health(ctx context.Context, service, node int) error {
	if err := a.begins(ctx, node); err != nil {
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
	return a.finished(node, err, func() { s.Live[n.Name] = live })
}

// judge separates a node whose health check fails from one that could not be asked. kube-proxy and Cilium answer 200 or 503 with a JSON object that counts the local endpoints
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
				Reason: fmt.Sprintf("the port serves the health check of %s/%s", answer.Service.Namespace, answer.Service.Name),
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
	case err != nil && api.TimedOut(err):
		live.Reason = "no answer in time"
	case err != nil:
		live.Reason = api.Message(err)
	default:
		live.Reason = fmt.Sprintf("not the answer of a health check (status %d)", status)
	}
	return live
}

// mode asks kube-proxy for its mode. Most listen on the loopback address only: no answer means nothing.
func (a *asker) mode(ctx context.Context, node int) error {
	if err := a.begins(ctx, node); err != nil {
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
	return a.finished(node, err, func() {
		switch mode := strings.TrimSpace(string(body)); cluster.ProxyMode(mode) {
		case cluster.IPTables, cluster.IPVS, cluster.NFTables:
			if err == nil && status == http.StatusOK {
				n.ProxyMode = mode
			}
		}
	})
}
