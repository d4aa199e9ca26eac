package announcer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/record"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// unannounced is the number of connections to an address that no node announces.
const unannounced = 8

// client is the ID of the client outside.
const client = "client"

// Record takes a cluster whose announcer runs through all states, and sees in each who announces and what the client
// gets.
func (r *Running) Record(ctx context.Context, progress func(string)) (*recordings.Announcing, error) {
	l := r.lab
	out := &recordings.Announcing{
		Made: recordings.AnnouncingMade{
			Announcer: l.Scenario.Announcer, Version: l.Scenario.AnnouncerVersion, Dataplane: l.Scenario.Mode, KubeProxy: l.Scenario.KubeProxy(),
			KubeAPIServer: kube.Version, Kernel: record.Kernel(), Tools: l.announcer.tools(), Date: time.Now().UTC().Format(time.DateOnly),
		},
		Client: recordings.Source{ID: client, Kind: recordings.SourceExternal, Addresses: []string{cluster.ClientIP, cluster.ClientIPv6}},
		Router: l.announcer.router(),
	}
	for n := 1; n <= scenario.Nodes; n++ {
		ip, bridge := scenario.NodeIP(n), l.BridgeIP(n)
		out.Nodes = append(out.Nodes, recordings.NodeNetwork{Name: fmt.Sprintf("n%d", n), Addresses: []string{ip[0], ip[1], scenario.SecondIP(n), bridge[0], bridge[1]}})
	}
	known := map[string]json.RawMessage{}
	for i, s := range steps(l.announcer) {
		if err := s.do(ctx, l); err != nil {
			return nil, fmt.Errorf("state %s: %w", s.name, err)
		}
		if i > 0 {
			var err error
			if r.announced, err = l.settle(ctx); err != nil {
				return nil, fmt.Errorf("state %s: %w", s.name, err)
			}
		}
		state, err := l.state(ctx, s, r.announced, known)
		if err != nil {
			return nil, fmt.Errorf("state %s: %w", s.name, err)
		}
		out.States = append(out.States, *state)
		progress("recorded state " + s.name)
	}
	if err := l.ended(); err != nil {
		return nil, err
	}
	return l.numbered(out)
}

// numbered is a recording in which pods have the addresses by which the lab numbers them.
func (l *lab) numbered(a *recordings.Announcing) (*recordings.Announcing, error) {
	data, err := a.Encode()
	if err != nil {
		return nil, err
	}
	out := new(recordings.Announcing)
	if err := json.Unmarshal([]byte(l.Numbered(string(data))), out); err != nil {
		return nil, fmt.Errorf("writing pods' addresses as the lab numbers them: %w", err)
	}
	return out, nil
}

// state is what is seen now, while nodes announce addresses. known are the objects of the states before, by identity,
// and then of this one.
func (l *lab) state(ctx context.Context, s step, nodes map[netip.Addr][]string, known map[string]json.RawMessage) (*recordings.State, error) {
	out := &recordings.State{Name: s.name, Changed: s.changed}
	if err := l.forget(); err != nil {
		return nil, err
	}
	results, err := l.dial(nodes)
	if err != nil {
		return nil, err
	}
	for i, s := range l.services {
		for j, a := range s.addresses {
			out.Announcements = append(out.Announcements, recordings.Announcement{
				Service: scenario.Namespace + "/" + s.name, Address: a.String(), Port: int(s.port), Nodes: append([]string{}, nodes[a]...), Client: results[i][j],
			})
		}
	}
	return out, l.changes(ctx, out, known)
}

// forget deletes what the router has learned of its neighbors' hardware addresses.
func (l *lab) forget() error {
	_, err := l.Network.LB.Run("", "ip", "-4", "neigh", "flush", "dev", "eth0")
	_, err6 := l.Network.LB.Run("", "ip", "-6", "neigh", "flush", "dev", "eth0")
	return errors.Join(err, err6)
}

// dial makes the client's connections to every address of every Service; announced are the nodes that announce each.
func (l *lab) dial(announced map[netip.Addr][]string) ([][]recordings.Result, error) {
	var dials []agent.Dial
	for _, s := range l.services {
		for _, a := range s.addresses {
			tries := unannounced
			if len(announced[a]) > 0 {
				tries = l.mode.tries
			}
			dials = append(dials, agent.Dial{Network: "tcp", Address: net.JoinHostPort(a.String(), strconv.Itoa(int(s.port))), Tries: tries})
		}
	}
	answers, err := l.Network.Client.Dial(dials, agent.Pace{AtOnce: 128, Timeout: agent.Timeout})
	if err != nil {
		return nil, err
	}
	// A mix may be the truth, or a machine too busy to answer in time.
	for i, a := range answers {
		if len(a.Other) > 0 {
			return nil, fmt.Errorf("connections to %s ended in a way that a recording has no word for: %v", dials[i].Address, a.Other)
		}
		if r := record.Result(client, a); r.Outcome == recordings.Partial {
			again, err := l.Network.Client.Dial(dials[i:i+1], agent.Pace{AtOnce: 16, Timeout: 2 * agent.Timeout})
			if err != nil {
				return nil, err
			}
			answers[i] = again[0]
		}
	}
	out := make([][]recordings.Result, len(l.services))
	k := 0
	for i, s := range l.services {
		for range s.addresses {
			out[i] = append(out[i], record.Result(client, answers[k]))
			k++
		}
	}
	return out, nil
}

// collections are the API objects of a recording that do not depend on the announcer.
var collections = []string{
	"/api/v1/nodes", "/apis/apps/v1/namespaces/kube-system/daemonsets", "/api/v1/namespaces/kube-system/configmaps", "/api/v1/namespaces/lab/pods",
	"/api/v1/namespaces/lab/services", "/apis/discovery.k8s.io/v1/namespaces/lab/endpointslices", "/api/v1/namespaces/lab/events",
}

// changes fills in which objects are new, different or gone.
func (l *lab) changes(ctx context.Context, out *recordings.State, known map[string]json.RawMessage) error {
	seen := map[string]bool{}
	for _, path := range append(slices.Clone(collections), l.announcer.collections()...) {
		objects, err := l.list(ctx, path)
		if err != nil {
			return err
		}
		for _, o := range objects {
			id, err := recordings.Identity(o)
			if err != nil {
				return err
			}
			seen[id] = true
			if !bytes.Equal(known[id], o) {
				known[id] = o
				out.Objects = append(out.Objects, o)
			}
		}
	}
	for id := range known {
		if !seen[id] {
			delete(known, id)
			out.Gone = append(out.Gone, id)
		}
	}
	sort.Strings(out.Gone)
	return nil
}

// list is the objects of a collection, as `kubectl get -o json` prints them, without managedFields and without what the
// lab made to watch its programs.
func (l *lab) list(ctx context.Context, path string) ([]json.RawMessage, error) {
	data, err := l.Control.Client.RESTClient().Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var list struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		Items      []map[string]any `json:"items"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var out []json.RawMessage
	for _, item := range list.Items {
		meta, _ := item["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		if strings.HasPrefix(name, "canary-") || strings.HasPrefix(name, heard) || list.Kind == "ConfigMapList" && !slices.Contains(l.ConfigMaps(), name) ||
			list.Kind == "LeaseList" && !strings.HasPrefix(name, ciliumLease) {
			continue
		}
		delete(meta, "managedFields")
		item["apiVersion"], item["kind"] = list.APIVersion, strings.TrimSuffix(list.Kind, "List")
		raw, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}

// Judge holds a new recording against the one at path, or with keep, writes it there. It returns what it did and the
// differences. A recording that differs in nothing seen is not written: its objects have other identifiers and times in
// every run. Remove the file where what is recorded of objects has changed.
func Judge(keep bool, path string, now *recordings.Announcing) (what string, differences []string, err error) {
	n := 0
	for _, s := range now.States {
		n += len(s.Announcements)
	}
	old, err := recordings.ReadAnnouncing(path)
	if keep {
		if err == nil && len(Differences(old, now)) == 0 {
			return fmt.Sprintf("as recorded, %d results,", n), nil, nil
		}
		return fmt.Sprintf("recorded, %d results,", n), nil, now.Write(path)
	}
	if err != nil {
		return "", nil, err
	}
	differences = Differences(old, now)
	return fmt.Sprintf("%d results, %d differ,", n, len(differences)), differences, nil
}

// takenByChance are the announcers of which any of several nodes may announce: the one whose agent takes the Lease first.
var takenByChance = []string{"cilium-l2"}

// Differences are the announcements and results that two recordings of one announcer do not share, one line each.
// Where chance decides which node announces, another node is no difference, and then its results are its own.
func Differences(old, now *recordings.Announcing) []string {
	type key struct {
		state, service, address string
		port                    int
	}
	index := func(a *recordings.Announcing) map[key]recordings.Announcement {
		out := map[key]recordings.Announcement{}
		for _, s := range a.States {
			for _, n := range s.Announcements {
				out[key{s.Name, n.Service, n.Address, n.Port}] = n
			}
		}
		return out
	}
	was, is := index(old), index(now)
	var out []string
	for k, n := range is {
		where := fmt.Sprintf("state %s, %s at %s: ", k.state, k.service, net.JoinHostPort(k.address, strconv.Itoa(k.port)))
		before, ok := was[k]
		switch {
		case !ok:
			out = append(out, where+"not recorded")
		case slices.Contains(takenByChance, now.Made.Announcer) && len(before.Nodes) == len(n.Nodes) && !slices.Equal(before.Nodes, n.Nodes):
		case !slices.Equal(before.Nodes, n.Nodes):
			out = append(out, where+fmt.Sprintf("recorded announced by %v; now %v", before.Nodes, n.Nodes))
		case !before.Client.Same(n.Client):
			out = append(out, where+fmt.Sprintf("recorded %s; now %s", before.Client, n.Client))
		}
	}
	for k := range was {
		if _, ok := is[k]; !ok {
			out = append(out, fmt.Sprintf("state %s, %s at %s: recorded, and not seen now", k.state, k.service, k.address))
		}
	}
	sort.Strings(out)
	return out
}

// names are the nodes that have the hardware addresses given for each IP address.
func names(answers map[netip.Addr][]string, nodes map[string]string) map[netip.Addr][]string {
	out := map[netip.Addr][]string{}
	for a, all := range answers {
		for _, hardware := range all {
			name := nodes[hardware]
			if name == "" {
				name = hardware // no node's: a mistake of the lab, and shown as what it is
			}
			out[a] = append(out[a], name)
		}
		sort.Strings(out[a])
	}
	return out
}
