// Package announcer knows how to find out which nodes announce the load balancer addresses of Services, and what a
// client outside gets through them: it runs the real programs that announce, a file each, in the lab's clusters.
//
// A router is between the client and the nodes, as one is in front of many clusters of that kind. It sends to the node
// that answers for the address, or along the routes that nodes announce to it. No program but the announcer decides
// where packets go.
//
// Traps: a router that has learned a node's hardware address keeps sending to that node for some time after it has
// stopped answering; the router's entries are deleted before the client connects, so a recording has what holds once
// they have expired. A process that is killed leaves a kernel that closes its connections: a BGP session ends at once,
// where the loss of a whole machine would take the hold time.
package announcer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// announcer is a program that makes nodes announce addresses, in one of its modes, in one cluster.
type announcer interface {
	// start writes what the program finds in the API, and starts it.
	start(ctx context.Context, l *lab) error
	// annotations are those of a Service that ask for its addresses.
	annotations(s *service) map[string]string
	// give gives a Service its addresses, where no program of the lab does.
	give(ctx context.Context, l *lab, s *service) error
	// settled waits until the program has acted on everything that the API server holds.
	settled(ctx context.Context, l *lab) error
	// announced are the nodes that announce each address, by name, sorted.
	announced(l *lab, addresses []netip.Addr) (map[netip.Addr][]string, error)
	// stop makes a node announce no more, without warning; resume takes that back. gone says in words what stop does.
	gone(node string) string
	stop(ctx context.Context, l *lab, node int) error
	resume(ctx context.Context, l *lab, node int) error
	// collections are the paths of the API objects that belong to a recording. Each is served.
	collections() []string
	// router describes the router of a recording in one sentence.
	router() string
	// tools are the versions of what else runs, by name.
	tools() map[string]string
}

// mode is an announcer as scenarios name it.
type mode struct {
	make func(version string) announcer
	// programs of a version that must have been built.
	programs func(version string) []kube.Target
	// ipv4 and ipv6 are the first load balancer addresses; ipv6 is invalid where the mode announces none.
	ipv4, ipv6 netip.Addr
	// tries is the number of connections to an address that is announced: enough to reach every endpoint behind every
	// node that announces it, but for once in a million addresses.
	tries int
}

var modes = map[string]mode{
	"metallb-l2":  {make: newMetalLBLayer2, programs: metalLBPrograms, ipv4: netip.MustParseAddr("172.30.0.100"), ipv6: netip.MustParseAddr("fd00:30::100"), tries: 40},
	"metallb-bgp": {make: newMetalLBBGP, programs: metalLBAndRouter, ipv4: netip.MustParseAddr("203.0.113.1"), tries: 140},
	"cilium-l2":   {make: newCiliumL2, programs: noPrograms, ipv4: netip.MustParseAddr("172.30.0.100"), ipv6: netip.MustParseAddr("fd00:30::100"), tries: 40},
	"cilium-bgp":  {make: newCiliumBGP, programs: onlyRouter, ipv4: netip.MustParseAddr("203.0.113.1"), tries: 140},
}

// Programs are what a scenario's announcer needs built.
func Programs(s scenario.Cluster) []kube.Target {
	return modes[s.Announcer].programs(s.AnnouncerVersion)
}

// lab is a running cluster with an announcer.
type lab struct {
	*cluster.Cluster
	mode      mode
	announcer announcer
	dir       string
	services  []*service
	heard     int // number of Services made to learn how far a program is
}

// Start starts the announcer of a settled cluster's scenario, keeping its files in dir, and creates the Services. It
// ends with the cluster.
func Start(ctx context.Context, c *cluster.Cluster, dir string, progress func(string)) (*Running, error) {
	m, ok := modes[c.Scenario.Announcer]
	if !ok {
		return nil, fmt.Errorf("no announcer is named %q", c.Scenario.Announcer)
	}
	l := &lab{Cluster: c, mode: m, announcer: m.make(c.Scenario.AnnouncerVersion), dir: filepath.Join(dir, "announcer"), services: m.tried()}
	err := os.Mkdir(l.dir, 0o755)
	if err != nil {
		return nil, err
	}
	if err := l.prepareRouter(); err != nil {
		return nil, err
	}
	if err := l.announcer.start(ctx, l); err != nil {
		return nil, err
	}
	progress("started " + c.Scenario.Announcer)
	if err := l.createServices(ctx); err != nil {
		return nil, err
	}
	r := &Running{lab: l}
	r.announced, err = l.settle(ctx)
	return r, err
}

// Running is a cluster whose announcer runs.
type Running struct {
	lab *lab
	// announced are the nodes that announced each address when everything had settled.
	announced map[netip.Addr][]string
}

// prepareRouter makes the router quick to find that nobody answers for an address, and spread connections, not clients,
// over the routes to one.
func (l *lab) prepareRouter() error {
	return l.Network.LB.Sysctl(map[string]string{
		"net/ipv4/neigh/eth0/retrans_time_ms": "200", "net/ipv6/neigh/eth0/retrans_time_ms": "200",
		"net/ipv4/fib_multipath_hash_policy": "1", "net/ipv6/fib_multipath_hash_policy": "1",
	})
}

// settle waits until every kube-proxy and the announcer have acted on everything that the API server holds, and what is
// announced has stopped changing. It returns the nodes that announce each address.
func (l *lab) settle(ctx context.Context) (map[netip.Addr][]string, error) {
	if err := l.Settle(ctx); err != nil {
		return nil, err
	}
	if err := l.announcer.settled(ctx, l); err != nil {
		return nil, err
	}
	var last map[netip.Addr][]string
	err := wait(ctx, "what is announced to stop changing", func() (bool, error) {
		now, err := l.announcer.announced(l, l.addresses())
		same := last != nil && maps.EqualFunc(last, now, slices.Equal)
		last = now
		return same, err
	})
	return last, err
}

func (l *lab) addresses() []netip.Addr {
	var out []netip.Addr
	for _, s := range l.services {
		for _, a := range s.addresses {
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// create creates API objects, each below the path of its collection.
func (l *lab) create(ctx context.Context, path string, objects ...any) error {
	for _, o := range objects {
		data, err := json.Marshal(o)
		if err != nil {
			return err
		}
		err = l.Control.Client.RESTClient().Post().AbsPath(path).SetHeader("Content-Type", "application/json").Body(data).Do(ctx).Error()
		if err != nil {
			return fmt.Errorf("creating an object at %s: %w", path, err)
		}
	}
	return nil
}

// launch starts a program in a namespace, with variables of its environment. Its log is at log(name).
func (l *lab) launch(in *agent.Agent, name, binary string, env []string, args ...string) error {
	command := slices.Concat([]string{"env"}, env, []string{binary}, args)
	if err := in.Launch(agent.Process{Name: name, Args: command, Log: l.log(name)}); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	return nil
}

func (l *lab) log(name string) string { return filepath.Join(l.dir, name+".log") }

// logged is what a program has written so far.
func (l *lab) logged(name string) (string, error) {
	data, err := os.ReadFile(l.log(name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(data), err
}

// ended is an error where a program of one of the namespaces has ended by itself.
func (l *lab) ended() error {
	var err error
	for _, a := range append(slices.Clone(l.Network.Nodes), l.Network.LB, l.Network.Pods[controllerPod]) {
		ended, eerr := a.Ended()
		err = errors.Join(err, eerr)
		for _, what := range ended {
			name, _, _ := strings.Cut(what, " ")
			text, _ := l.logged(name)
			err = errors.Join(err, fmt.Errorf("in %s ended: %s; its log ends:\n%s", a.Name, what, text[max(0, len(text)-2000):]))
		}
	}
	return err
}

// slowest is how long anything may take that is waited for.
const slowest = 3 * time.Minute

// wait asks until the answer is yes, at most as long as slowest.
func wait(ctx context.Context, what string, yes func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	return cluster.Wait(ctx, what, yes)
}
