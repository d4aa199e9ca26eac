//go:build unix

package collect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/live"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

func answer(status int, contentType, body string) faults.Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

func TestLive(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	_, s := readCluster(t, c, story)
	const healthy = `{"service":{"namespace":"kube-system","name":"nginx-ingress-lb"},"localEndpoints":%d,"serviceProxyHealthy":true}`
	proxy.On(`10\.0\.1\.11:32000/proxy/healthz`, answer(200, "application/json", fmt.Sprintf(healthy, 2)))
	proxy.On(`10\.0\.1\.12:32000/proxy/healthz`, answer(503, "application/json", fmt.Sprintf(healthy, 0)))
	proxy.On(`10\.0\.1\.13:32000/proxy/healthz`, faults.Status(503, "error trying to reach service: connection refused"))
	proxy.On(`10\.0\.1\.14:32000/proxy/healthz`, answer(200, "text/html", "<html>"))
	proxy.On(`10\.0\.1\.15:32000/proxy/healthz`, faults.Status(401, "expired"))
	proxy.On(`10\.0\.1\.16:32000/proxy/healthz`, answer(200, "application/json", strings.Replace(fmt.Sprintf(healthy, 1), "nginx-ingress-lb", "other", 1)))
	proxy.On(`:32000/proxy/healthz`, faults.Status(502, "no route"))
	proxy.On(`10\.0\.1\.11:10249/proxy/proxyMode`, answer(200, "text/plain; charset=utf-8", "ipvs"))
	proxy.On(`:10249/proxy/proxyMode`, faults.Status(503, "refused"))
	var last, calls int
	if err := c.Live(t.Context(), s, func(done, total int) {
		calls++
		if done != last+1 || total != 80 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}); err != nil {
		t.Fatal(err)
	}
	if calls != 80 {
		t.Errorf("%d calls of progress", calls)
	}
	answers := s.Services[0].Live
	want := map[string]cluster.Live{
		"cn-hangzhou.10.0.1.11": {HealthCheck: cluster.Pass, LocalEndpoints: 2},
		"cn-hangzhou.10.0.1.12": {HealthCheck: cluster.Fail, LocalEndpoints: 0},
		"cn-hangzhou.10.0.1.13": {HealthCheck: cluster.Unreachable, LocalEndpoints: -1, Reason: "error trying to reach service: connection refused"},
		"cn-hangzhou.10.0.1.14": {HealthCheck: cluster.Unreachable, LocalEndpoints: -1, Reason: "not the answer of a health check (status 200)"},
		"cn-hangzhou.10.0.1.15": {HealthCheck: cluster.Unreachable, LocalEndpoints: -1, Reason: "expired"},
		"cn-hangzhou.10.0.1.16": {HealthCheck: cluster.Unreachable, LocalEndpoints: -1, Reason: "the port serves the health check of kube-system/other"},
		"cn-hangzhou.10.0.1.17": {HealthCheck: cluster.Unreachable, LocalEndpoints: -1, Reason: "no route"},
	}
	for node, want := range want {
		if answers[node] != want {
			t.Errorf("%s: %+v, want %+v", node, answers[node], want)
		}
	}
	if s.Nodes[0].ProxyMode != "ipvs" || s.Nodes[1].ProxyMode != "" || len(s.Gaps) != 0 {
		t.Errorf("modes %q %q, gaps %v", s.Nodes[0].ProxyMode, s.Nodes[1].ProxyMode, s.Gaps)
	}
}

// Live ends early where nothing is to be had, keeps what was answered, and says how much that is.
func TestLiveIsBounded(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	kubeconfig := server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL})
	const healthy = `{"service":{"namespace":"kube-system","name":"nginx-ingress-lb"},"localEndpoints":2,"serviceProxyHealthy":true}`
	endless := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		chunk := make([]byte, 1<<16)
		for sent := 0; sent < 64<<20 && r.Context().Err() == nil; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for _, test := range []struct {
		name     string
		patience time.Duration
		timeout  time.Duration
		rest     faults.Fault
		cancel   bool
		gap      string
	}{
		{"silent", 100 * time.Millisecond, 0, faults.Hang(), false, `^asked \d+ of 40 nodes, 1 answered; 50 requests in a row timed out$`},
		{"total", time.Minute, time.Second, faults.Hang(), false, `^asked \d+ of 40 nodes, 1 answered; the time limit for all nodes \(1s\) was reached$`},
		{"interrupted", time.Minute, 0, faults.Hang(), true, `^asked \d+ of 40 nodes, 1 answered; it was interrupted$`},
		{"endless", 10 * time.Second, 0, endless, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := client(t, kubeconfig)
			_, s := readCluster(t, c, story)
			proxy.Reset()
			proxy.On(`10\.0\.1\.11:32000/proxy/healthz`, answer(200, "application/json", healthy))
			proxy.On(`/proxy/`, test.rest)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := live.Ask(ctx, c.api, s, live.Options{Patience: test.patience, Total: test.timeout, Progress: func(done, _ int) {
				if test.cancel && done == 1 {
					cancel()
				}
			}})
			if errors.Is(err, context.Canceled) != test.cancel {
				t.Errorf("error: %v", err)
			}
			answers := s.Services[0].Live
			if answers["cn-hangzhou.10.0.1.11"].HealthCheck != cluster.Pass {
				t.Errorf("what was answered is lost: %+v", answers)
			}
			if test.gap == "" {
				if want := "not the answer of a health check (status 200)"; len(s.Gaps) != 0 || answers["cn-hangzhou.10.0.1.12"].Reason != want {
					t.Errorf("gaps %v, %+v", s.Gaps, answers["cn-hangzhou.10.0.1.12"])
				}
				// As much as was asked for, and what the connections had on their way.
				if _, received := proxy.Wire(); received > 80*8*live.MaxBody {
					t.Errorf("%d MiB were received", received>>20)
				}
				return
			}
			if len(s.Gaps) != 1 || s.Gaps[0].Resource != cluster.ResourceNodesProxy || !regexp.MustCompile(test.gap).MatchString(s.Gaps[0].Message) {
				t.Errorf("gaps: %+v", s.Gaps)
			}
		})
	}
}

func TestLiveNotAllowed(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	if err := server.Grant(t.Context(), "reader", rights[cluster.ResourceServices], rights[cluster.ResourceEndpointSlices], rights[cluster.ResourceNodes]); err != nil {
		t.Fatal(err)
	}
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: "reader", Server: proxy.URL}))
	_, s := readCluster(t, c, story)
	before := len(s.Gaps)
	proxy.Reset()
	if err := c.Live(t.Context(), s, nil); err != nil {
		t.Fatal(err)
	}
	if len(s.Gaps) != before+1 || s.Gaps[before].Resource != "nodes/proxy" || s.Gaps[before].Reason != cluster.Forbidden {
		t.Errorf("gaps: %v", s.Gaps)
	}
	if rule := RBACRule(s.Gaps[before]); rule != `{apiGroups: [""], resources: ["nodes/proxy"], verbs: ["get"]}` {
		t.Errorf("rule: %s", rule)
	}
	if n := len(proxy.Requests()); n > 2*live.MaxRequests {
		t.Errorf("%d requests after the first refusal", n)
	}
}

func TestWatch(t *testing.T) {
	server := start(t)
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin}))
	objects, _ := readCluster(t, c, story)
	changes, err := c.Watch(t.Context(), story, objects, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	next := func(what string) *cluster.Snapshot {
		t.Helper()
		select {
		case change, open := <-changes:
			if !open || change.Err != nil {
				t.Fatalf("%s: %v", what, change.Err)
			}
			return change.Snapshot
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: no change", what)
		}
		return nil
	}
	heartbeat := func(second int) {
		t.Helper()
		patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"2026-01-01T00:00:%02dZ"}]}}`, second)
		if err := server.Patch(t.Context(), "Node", "", "cn-hangzhou.10.0.1.13", patch, "status"); err != nil {
			t.Fatal(err)
		}
	}
	for second := range 5 {
		heartbeat(second)
	}
	select {
	case change := <-changes:
		t.Fatalf("a heartbeat, or nothing at all, gave a change: %+v", change)
	case <-time.After(2 * time.Second):
	}
	if err := server.Patch(t.Context(), "Service", "kube-system", "nginx-ingress-lb", `{"spec":{"externalTrafficPolicy":"Cluster"}}`); err != nil {
		t.Fatal(err)
	}
	if s := next("policy"); s.Services[0].ExternalTrafficPolicy != cluster.PolicyCluster {
		t.Errorf("policy: %s", s.Services[0].ExternalTrafficPolicy)
	}
	if err := server.Patch(t.Context(), "Node", "", "cn-hangzhou.10.0.1.13", `{"spec":{"unschedulable":true}}`); err != nil {
		t.Fatal(err)
	}
	if s := next("cordon"); !s.Nodes[2].Unschedulable {
		t.Errorf("node: %+v", s.Nodes[2])
	}
	slices := "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: nginx-ingress-lb-x7k2p, namespace: kube-system}\n"
	if err := server.Delete(t.Context(), []byte(slices)); err != nil {
		t.Fatal(err)
	}
	if s := next("slices"); len(s.Services[0].Endpoints) != 0 {
		t.Errorf("endpoints: %+v", s.Services[0].Endpoints)
	}
	if err := server.Patch(t.Context(), "Service", "kube-system", "nginx-ingress-lb", `{"metadata":{"finalizers":null}}`); err != nil {
		t.Fatal(err)
	}
	if s := next("finalizers"); len(s.Services[0].Finalizers) != 0 {
		t.Errorf("finalizers: %v", s.Services[0].Finalizers)
	}
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: nginx-ingress-lb, namespace: kube-system}\n"
	if err := server.Delete(t.Context(), []byte(service)); err != nil {
		t.Fatal(err)
	}
	select {
	case change := <-changes:
		if change.Err == nil || !strings.Contains(change.Err.Error(), "not found") {
			t.Errorf("change: %+v", change)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the end of the Service went unseen")
	}
	if _, open := <-changes; open {
		t.Error("the channel is still open")
	}
}
