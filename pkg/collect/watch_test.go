//go:build unix

package collect

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

// seen receives the Changes of a Watch of the story.
type seen struct {
	*testing.T
	server  *apiserver.Server
	changes <-chan Change
}

// watchStory begins to watch the story, and returns once the server has all watches.
func watchStory(t *testing.T, server *apiserver.Server, proxy *faults.Proxy, kubeconfig string) *seen {
	t.Helper()
	if err := server.Apply(t.Context(), modern(t)); err != nil {
		t.Fatal(err)
	}
	c := client(t, kubeconfig)
	objects, _ := readCluster(t, c, story)
	changes, err := c.Watch(t.Context(), story, objects, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := &seen{t, server, changes}
	if proxy != nil {
		for _, resource := range []string{"services", "endpointslices", "nodes"} {
			s.await(resource+" is watched", func() bool {
				for _, r := range proxy.Requests() {
					if strings.Contains(r.Path, resource) && r.Query.Get("watch") != "" && r.Status == http.StatusOK {
						return true
					}
				}
				return false
			})
		}
	}
	return s
}

func (s *seen) await(what string, is func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("not in 20 seconds: %s", what)
		}
	}
}

// next is the next Change.
func (s *seen) next(what string) Change {
	s.Helper()
	select {
	case c, open := <-s.changes:
		if !open {
			s.Fatalf("%s: the channel is closed", what)
		}
		return c
	case <-time.After(40 * time.Second):
		s.Fatalf("%s: no change", what)
	}
	return Change{}
}

// until waits for a Change that is one. A slow machine may give others before it.
func (s *seen) until(what string, is func(Change) bool) {
	s.Helper()
	for {
		c := s.next(what)
		if c.Err != nil {
			s.Fatalf("%s: %v", what, c.Err)
		}
		if is(c) {
			return
		}
	}
}

// policy gives the Service another policy.
func (s *seen) policy(p cluster.Policy) {
	s.Helper()
	if err := s.server.Patch(s.Context(), "Service", "kube-system", "nginx-ingress-lb", `{"spec":{"externalTrafficPolicy":"`+string(p)+`"}}`); err != nil {
		s.Fatal(err)
	}
}

// has says whether a Change has all of the Service, and this policy.
func has(c Change, p cluster.Policy) bool {
	return c.Snapshot != nil && c.Snapshot.Services[0].ExternalTrafficPolicy == p && len(c.Snapshot.Gaps) == 0
}

// sees expects that a change of the policy is seen.
func (s *seen) sees(p cluster.Policy) {
	s.Helper()
	s.policy(p)
	s.until("a change to "+string(p), func(c Change) bool { return has(c, p) && c.Stale == nil })
}

func TestWatchOutlivesTheServer(t *testing.T) {
	server := apiserver.Start(t)
	s := watchStory(t, server, nil, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin}))
	s.sees(cluster.PolicyCluster)
	before := time.Now()
	resume := server.Interrupt()
	c := s.next("the end of the server")
	if c.Err != nil || c.Snapshot != nil || c.Stale == nil {
		t.Fatalf("the end of the server is seen as %+v", c)
	}
	if c.Stale.Since.After(before) || before.Sub(c.Stale.Since) > time.Minute || !strings.Contains(c.Stale.Reason, "connection refused") {
		t.Errorf("the server ended at %s, and that is seen as %+v", before, c.Stale)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := resume(ctx); err != nil {
		t.Fatal(err)
	}
	s.until("the server's return", func(c Change) bool { return has(c, cluster.PolicyCluster) && c.Stale == nil })
	s.sees(cluster.PolicyLocal)
}

func TestWatchReconnects(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	s := watchStory(t, server, proxy, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	proxy.Disconnect()
	s.sees(cluster.PolicyCluster)
	// The version that was seen last is too old: what there is now is listed.
	proxy.On(`^GET .*resourceVersion=[1-9].*watch=`, faults.Times(6, faults.Status(http.StatusGone, "too old resource version")))
	proxy.Disconnect()
	s.sees(cluster.PolicyLocal)
	// What was allowed and is refused is asked for again: a server that starts does not know all roles yet.
	remove := proxy.On(`^GET /api/v1/nodes`, faults.Status(http.StatusForbidden, "made to fail"))
	proxy.Disconnect()
	s.until("a refusal", func(c Change) bool { return c.Stale != nil && c.Stale.Reason == "nodes: made to fail" })
	s.policy(cluster.PolicyCluster)
	s.until("a change of something else", func(c Change) bool { return has(c, cluster.PolicyCluster) && c.Stale != nil })
	remove()
	s.until("the end of the refusal", func(c Change) bool { return has(c, cluster.PolicyCluster) && c.Stale == nil })
}

func TestWatchReadsCredentialsAgain(t *testing.T) {
	server := start(t)
	proxy := faults.Start(t, server)
	var expired atomic.Value // the token that is not accepted
	expired.Store("none yet")
	proxy.On(`.`, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.Header.Get("Authorization"), expired.Load().(string)) {
			faults.Status(http.StatusUnauthorized, "the token has expired")(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	if err := server.Grant(t.Context(), "reader", rights[cluster.ResourceServices], rights[cluster.ResourceEndpointSlices], rights[cluster.ResourceNodes],
		apiserver.Rule("list watch", cluster.ResourceServices, cluster.ResourceEndpointSlices, cluster.ResourceNodes)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	write := func(contexts ...apiserver.Context) {
		t.Helper()
		if _, err := server.WriteKubeconfig(path, contexts...); err != nil {
			t.Fatal(err)
		}
	}
	mine := apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}
	write(mine)
	s := watchStory(t, server, proxy, path)
	// Somebody logs in again, and has chosen another context meanwhile.
	mine.User = "reader"
	write(apiserver.Context{Name: "other", User: apiserver.Admin, Server: "https://127.0.0.1:1"}, mine)
	expired.Store(server.Token(apiserver.Admin))
	proxy.Disconnect()
	s.sees(cluster.PolicyCluster)
	// The new token expires too, and nobody has logged in.
	expired.Store(server.Token("reader"))
	proxy.Disconnect()
	c := s.next("credentials that have expired for good")
	for c.Err == nil {
		c = s.next("credentials that have expired for good")
	}
	if !strings.Contains(c.Err.Error(), "the token has expired") || !strings.Contains(c.Err.Error(), "log in again") {
		t.Fatalf("credentials that have expired for good are seen as %+v (%+v)", c, c.Stale)
	}
	if _, open := <-s.changes; open {
		t.Error("the channel is still open")
	}
}

func TestWatchNotAllowed(t *testing.T) {
	server := start(t)
	reads := apiserver.Rule("get list", cluster.ResourceServices, cluster.ResourceEndpointSlices, cluster.ResourceNodes)
	for _, c := range []struct {
		watches []string
		says    string
	}{
		{[]string{cluster.ResourceServices, cluster.ResourceEndpointSlices}, ""},
		{[]string{cluster.ResourceEndpointSlices, cluster.ResourceNodes}, "watch services: forbidden"},
	} {
		if err := server.Grant(t.Context(), "reader", reads, apiserver.Rule("watch", c.watches...)); err != nil {
			t.Fatal(err)
		}
		s := watchStory(t, server, nil, server.Kubeconfig(t, apiserver.Context{Name: "x", User: "reader"}))
		change := s.next("a refusal")
		switch {
		case c.says == "":
			if change.Snapshot == nil || change.Stale != nil || !slices.ContainsFunc(change.Snapshot.Gaps, func(g cluster.Gap) bool { return g.Resource == cluster.ResourceNodes && g.Verb == "watch" }) {
				t.Errorf("nodes that may not be watched are seen as %+v", change)
			}
		case change.Err == nil || !strings.Contains(change.Err.Error(), c.says):
			t.Errorf("Services that may not be watched are seen as %+v", change)
		}
	}
}
