package provider_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// TestAnnouncedAsRecorded replays the recordings of real announcers: from the recorded API objects, read as any dump
// is, to what is predicted of each node and of connections from outside. Held are
//   - nodes that are said not to receive: they did not announce the address,
//   - the path from outside on the nodes that announced the address: it is what the client got,
//   - what is said for certain of connections from outside.
//
// Which of the other nodes announces is not predicted; the tally counts these.
func TestAnnouncedAsRecorded(t *testing.T) {
	files, err := recordings.Files(filepath.Join("../../test/truth", recordings.AnnouncersFolder))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there is no recording of an announcer")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			recording, err := recordings.ReadAnnouncing(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(recording.Made.Announcer, "-")
			c := comparison{T: t, name: name, excluded: map[string]int{}}
			for i := range recording.States {
				c.state(recording, i)
			}
			if (c.name == "metallb") != (c.excluded["LB-19"] > 0) || c.announcing == 0 || c.silent == 0 {
				t.Errorf("too little was held against it: %+v", c)
			}
			t.Logf("%d addresses were announced by nodes whose paths agreed, %d by none; nodes that do not receive: %v; nodes not predicted: %d, outside not predicted: %d",
				c.announcing, c.silent, c.excluded, c.undetermined, c.outside)
		})
	}
}

// comparison counts what was held against a recording.
type comparison struct {
	*testing.T
	// name is the load balancer's.
	name string
	// announcing and silent count addresses that nodes announced, and none.
	announcing, silent int
	// excluded counts nodes that were said not to receive, by rule.
	excluded map[string]int
	// undetermined counts nodes of which nothing was said; outside addresses.
	undetermined, outside int
}

func (c *comparison) state(recording *recordings.Announcing, index int) {
	state := recording.States[index]
	objects, err := recording.Objects(index)
	if err != nil {
		c.Fatal(err)
	}
	var stream bytes.Buffer
	for _, o := range objects {
		fmt.Fprintf(&stream, "---\n%s\n", o)
	}
	read, err := collect.Offline(c.Context(), collect.Input{Paths: []string{"-"}, Stdin: &stream})
	if err != nil {
		c.Fatal(err)
	}
	snapshot, err := read.Snapshot(collect.Query{AllNamespaces: true})
	if err != nil {
		c.Fatal(err)
	}
	snapshot.Dataplane.PodMasquerade = cluster.Yes // as in every cluster of the lab that says nothing else
	reports := report.Diagnose(snapshot)
	for _, a := range state.Announcements {
		i := slices.IndexFunc(reports, func(r report.Report) bool { return r.Title() == a.Service })
		if i < 0 {
			c.Fatalf("%s: no service %s was read", state.Name, a.Service)
		}
		if differences := c.announcement(&reports[i], a); len(differences) > 0 {
			c.Errorf("state %s (%s), %s at %s, announced by %v: %s", state.Name, state.Changed, a.Service, a.Address, a.Nodes, strings.Join(differences, "; "))
		}
	}
}

func (c *comparison) announcement(r *report.Report, a recordings.Announcement) (differences []string) {
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	if r.Provider.Name != c.name {
		differ("its load balancer is read as %q", r.Provider.Name)
	}
	answer, outcomes, clientIPs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range r.Nodes {
		row := &r.Nodes[i]
		announces := slices.Contains(a.Nodes, row.Node.Name)
		switch row.LoadBalancer.Receives {
		case cluster.Yes:
			if !announces {
				differ("%s is said to receive", row.Node.Name)
			}
		case cluster.No:
			c.excluded[row.LoadBalancer.Rule.ID]++
			if announces {
				differ("%s is said not to receive (%s)", row.Node.Name, row.LoadBalancer.Rule.ID)
			}
		case cluster.Undetermined:
			c.undetermined++
		}
		if !announces {
			continue
		}
		p := arriving(row, a)
		if p == nil {
			differ("no path from outside on %s", row.Node.Name)
			continue
		}
		outcomes[p.Outcome.String()] = true
		if p.Outcome == dataplane.Reachable {
			clientIPs[p.ClientIP.String()] = true
		}
		for _, e := range reached(r.Service, row.Node, p) {
			answer[e] = true
		}
	}
	outcome := a.Client.Outcome
	if len(a.Nodes) == 0 {
		c.silent++
		if outcome == recordings.Reachable || outcome == recordings.Partial {
			differ("nothing announces it, and the client got %s", a.Client)
		}
	} else {
		c.announcing++
		if got := slices.Collect(maps.Keys(outcomes)); !slices.Equal(got, []string{string(outcome)}) {
			differ("predicted is %v on these nodes, the client got %s", got, a.Client)
		}
		if predicted := slices.Sorted(maps.Keys(answer)); !slices.Equal(predicted, slices.Sorted(maps.Keys(a.Client.Answered))) {
			differ("predicted are answers of %v, the client got %s", predicted, a.Client)
		}
		predicted := slices.Sorted(maps.Keys(clientIPs))
		if len(predicted) > 1 { // the nodes differ
			predicted = []string{dataplane.Mixed.String()}
		}
		if seen := clientIP(a.Client.Saw); outcome == recordings.Reachable && !slices.Equal(predicted, []string{seen}) {
			differ("predicted is a client IP %v, pods saw %v", predicted, a.Client.Saw)
		}
	}
	if predicted := r.Outside.Outcome; predicted == dataplane.Unknown {
		c.outside++
	} else if predicted.String() != string(outcome) {
		differ("predicted from outside is %s, the client got %s", predicted, a.Client)
	}
	return differences
}

// arriving is the path of a packet from outside that arrives at a node for the address.
func arriving(row *report.Row, a recordings.Announcement) *dataplane.Path {
	for i := range row.Paths {
		p := &row.Paths[i]
		if p.From == dataplane.External && p.To == dataplane.LoadBalancerIP && p.Address == netip.MustParseAddr(a.Address) && int(p.Port) == a.Port {
			return p
		}
	}
	return nil
}

// reached are the endpoints of a path: the ready ones, else those that terminate and still serve.
func reached(svc *cluster.Service, node *cluster.Node, p *dataplane.Path) []string {
	var ready, serving []string
	for i := range svc.Endpoints {
		e := &svc.Endpoints[i]
		switch {
		case p.Endpoints == dataplane.NoEndpoints, p.Endpoints == dataplane.LocalEndpoints && e.Node != node.Name, e.Address.Is6() != p.Address.Is6():
		case e.Ready:
			ready = append(ready, e.Address.String())
		case e.Serving && e.Terminating:
			serving = append(serving, e.Address.String())
		}
	}
	if len(ready) == 0 {
		return serving
	}
	return ready
}

// clientIP is what pods saw of the client's address.
func clientIP(saw []string) string {
	kept := func(a string) bool {
		return strings.HasPrefix(a, "198.51.100.") || strings.HasPrefix(a, "2001:db8:51:")
	}
	switch {
	case !slices.ContainsFunc(saw, kept):
		return dataplane.Rewritten.String()
	case slices.ContainsFunc(saw, func(a string) bool { return !kept(a) }):
		return dataplane.Mixed.String()
	default:
		return dataplane.Preserved.String()
	}
}
