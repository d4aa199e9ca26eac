package cli

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
)

// onNodes is a cluster of three nodes and a Local Service with a ready endpoint on each of those named.
func onNodes(names ...string) *cluster.Snapshot {
	version, _ := cluster.ParseVersion("v1.30.0")
	s := &cluster.Snapshot{
		Dataplane: cluster.Dataplane{Name: cluster.KubeProxy, Mode: cluster.IPTables, Version: version, Confidence: cluster.Observed},
		Services: []cluster.Service{{
			Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, ExternalTrafficPolicy: cluster.PolicyLocal, EndpointsKnown: true,
			Ingress: []cluster.Ingress{{IP: netip.MustParseAddr("203.0.113.7"), IPMode: cluster.VIP}},
			Ports:   []cluster.Port{{Protocol: cluster.TCP, Port: 80, NodePort: 30080}},
		}},
	}
	for i, name := range []string{"a", "b", "c"} {
		s.Nodes = append(s.Nodes, cluster.Node{Name: name, Known: true, Ready: cluster.Yes, InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}})
	}
	for i, name := range names {
		s.Services[0].Endpoints = append(s.Services[0].Endpoints, cluster.Endpoint{
			Address: netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}), Node: name, Ready: true, Serving: true,
			Ports: []cluster.EndpointPort{{Protocol: cluster.TCP, Port: 8080}},
		})
	}
	return s
}

func watching(w *world) *statusOptions {
	o := &statusOptions{app: w.app()}
	newRoot(o.app)
	o.style = func() *render.Style { return render.NewStyle(render.ColorNever, true, o.env.terminal(o.streams.Out)) }
	return o
}

func TestWatchSaysWhatChanged(t *testing.T) {
	w := &world{}
	o := watching(w)
	changes := make(chan collect.Change)
	ended := make(chan error)
	go func() { ended <- o.follow(t.Context(), onNodes("a", "b", "c"), changes, nil) }()
	changes <- collect.Change{Snapshot: onNodes("a", "b", "c")}
	changes <- collect.Change{Snapshot: onNodes("a", "b")}
	changes <- collect.Change{Err: errors.New("list services: gone")}
	var e *ExitError
	if err := <-ended; !errors.As(err, &e) || e.Code != exitFailed || !strings.Contains(err.Error(), "gone") {
		t.Errorf("it ends with %v", err)
	}
	out := w.out.String()
	if got := strings.Count(out, "shop/web   LoadBalancer"); got != 2 {
		t.Errorf("%d screens, want one at first and one for the one change:\n%s", got, out)
	}
	if !strings.Contains(out, "\n03:00:00 node c lost its last ready endpoint\nshop/web ") {
		t.Errorf("the change is not said before the screen:\n%s", out)
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a pipe gets no control sequences:\n%q", out)
	}
}

// However many changes come, a screen follows another one no sooner than after a pause; the last state is always shown.
func TestWatchPausesBetweenScreens(t *testing.T) {
	w := &world{}
	o := watching(w)
	pauses := make(chan chan time.Time, 10)
	o.env.After = func(d time.Duration) <-chan time.Time {
		if d < time.Second/5 {
			t.Errorf("a pause of %v", d)
		}
		c := make(chan time.Time)
		pauses <- c
		return c
	}
	o.env.Columns = func(io.Writer) (int, bool) { return 100, true }
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan collect.Change)
	ended := make(chan error)
	go func() { ended <- o.follow(ctx, onNodes("a", "b", "c"), changes, nil) }()
	changes <- collect.Change{Snapshot: onNodes("a", "b")}
	first := <-pauses
	for range 5 {
		changes <- collect.Change{Snapshot: onNodes("b")}
		changes <- collect.Change{Snapshot: onNodes("b", "c")}
	}
	changes <- collect.Change{Snapshot: onNodes("a")}
	first <- time.Time{}
	<-pauses
	cancel()
	if code := exit(ctx, io.Discard, "", <-ended); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	frames := strings.Split(w.out.String(), "\x1b[H\x1b[2J")[1:]
	if len(frames) != 3 {
		t.Fatalf("%d frames:\n%s", len(frames), w.out.String())
	}
	if !strings.Contains(frames[1], "node c lost its last ready endpoint") || !strings.Contains(frames[2], "node b lost its last ready endpoint") {
		t.Errorf("frames:\n%s", strings.Join(frames, "\n---\n"))
	}
}

// An outage is said once in a pipe, with the time since when nothing is seen, and so is its end.
func TestWatchSaysWhenItSeesNothing(t *testing.T) {
	since := time.Date(2026, 11, 25, 2, 59, 50, 0, time.UTC)
	outage := func(reason string) collect.Change {
		return collect.Change{Stale: &collect.Stale{Since: since, Reason: reason}}
	}
	for name, c := range map[string]struct {
		changes []collect.Change
		want    []string
	}{
		"and nothing has changed": {
			[]collect.Change{outage("connection refused"), outage("i/o timeout"), {Snapshot: onNodes("a", "b", "c")}},
			[]string{"03:00:00 not updated since 02:59:50 (connection refused), retrying", "03:00:00 updated again"},
		},
		"and something has": {
			[]collect.Change{outage("connection refused"), {Snapshot: onNodes("a", "b")}},
			[]string{"03:00:00 not updated since 02:59:50 (connection refused), retrying", "03:00:00 updated again", "03:00:00 node c lost its last ready endpoint"},
		},
		"of the nodes, while other things change": {
			[]collect.Change{{Stale: outage("nodes: forbidden").Stale, Snapshot: onNodes("a", "b")}},
			[]string{"03:00:00 not updated since 02:59:50 (nodes: forbidden), retrying", "03:00:00 node c lost its last ready endpoint"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{}
			o := watching(w)
			changes := make(chan collect.Change)
			ended := make(chan error)
			go func() { ended <- o.follow(t.Context(), onNodes("a", "b", "c"), changes, nil) }()
			for _, change := range c.changes {
				changes <- change
			}
			close(changes)
			<-ended
			var got []string
			for line := range strings.Lines(w.out.String()) {
				if strings.HasPrefix(line, "03:00:00 ") && !strings.Contains(line, "ETP") {
					got = append(got, strings.TrimSuffix(line, "\n"))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

// On a terminal the last line of the frame says it, in place of the one before.
func TestWatchMarksTheScreen(t *testing.T) {
	w := &world{}
	o := watching(w)
	o.env.Columns = func(io.Writer) (int, bool) { return 100, true }
	changes := make(chan collect.Change)
	ended := make(chan error)
	go func() { ended <- o.follow(t.Context(), onNodes("a", "b", "c"), changes, nil) }()
	since := time.Date(2026, 11, 24, 2, 59, 50, 0, time.UTC)
	changes <- collect.Change{Stale: &collect.Stale{Since: since, Reason: "connection refused"}}
	changes <- collect.Change{Stale: &collect.Stale{Since: since, Reason: "i/o timeout"}}
	changes <- collect.Change{Snapshot: onNodes("a", "b", "c")}
	close(changes)
	<-ended
	frames := strings.Split(w.out.String(), "\x1b[H\x1b[2J")[1:]
	if len(frames) != 4 {
		t.Fatalf("%d frames:\n%s", len(frames), w.out.String())
	}
	for i, want := range map[int]string{1: "connection refused", 2: "i/o timeout"} {
		if !strings.HasSuffix(frames[i], "\nnot updated since 2026-11-24 02:59:50 ("+want+"), retrying\n") {
			t.Errorf("frame %d ends without it:\n%s", i, frames[i])
		}
	}
	if frames[3] != frames[0] {
		t.Errorf("the last frame differs from the first:\n%s", frames[3])
	}
}
