// Package live knows whether `kubectl etp status --live` says of a running cluster what its nodes answer and what packets did.
package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// list is what status prints as JSON, as far as it is compared. It is read as whoever has only the published form would read it.
type list struct {
	Items []report
}

type report struct {
	Service struct {
		Name                string
		HealthCheckNodePort int
	}
	Dataplane struct{ Name, Mode, Version string }
	Nodes     []node
	Findings  []struct{ Code, Result string }
	Gaps      []struct{ Resource, Verb, Message string }
}

type node struct {
	Name string
	Live *struct {
		HealthCheck    string
		LocalEndpoints int
	}
	Paths []path
}

type path struct {
	From, To, Address string
	Port              int
	Protocol          string
	Outcome, Rule     string
}

// counts is what a node answers at a health check node port: how many endpoints it takes for its own, -1 where it does not say, and whether it passes.
type counts struct {
	endpoints int
	pass      bool
}

// Differences runs binary against a settled cluster, asks the nodes the same, and returns a line for everything in the report that is not so: what the nodes said,
// the finding that a node counts otherwise than the EndpointSlices do, the data plane, and every prediction that is certain and that packets of r contradict.
func Differences(ctx context.Context, c *cluster.Cluster, binary string, r *recordings.Recording) ([]string, error) {
	said, err := status(ctx, c, binary)
	if err != nil {
		return nil, err
	}
	d := &differ{cluster: c, ready: readyPods(c), met: index(r)}
	if len(said.Items) != len(c.Services) {
		d.add("it reports %d Services of %d", len(said.Items), len(c.Services))
	}
	for _, s := range said.Items {
		if err := d.service(s); err != nil {
			return nil, err
		}
	}
	// A check that could not fail would say nothing.
	if d.asked == 0 || d.held == 0 {
		d.add("nothing was compared: %d health checks, %d predictions", d.asked, d.held)
	}
	if c.Scenario.Nameless() && d.disagreeing == 0 {
		d.add("no Service is said to be counted otherwise, though kube-proxies run under other names")
	}
	return d.lines, nil
}

// status is what the plugin prints. Findings make it exit with 3 only where that is asked for.
func status(ctx context.Context, c *cluster.Cluster, binary string) (*list, error) {
	cmd := exec.CommandContext(ctx, binary, "status", "--live", "-n", scenario.Namespace, "-o", "json")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Control.Kubeconfig)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("running status --live: %w: %s", err, errOut.String())
	}
	said := new(list)
	if err := json.Unmarshal(out.Bytes(), said); err != nil {
		return nil, fmt.Errorf("reading what status --live printed: %w", err)
	}
	return said, nil
}

// where is a Service on node n.
type where struct {
	service string
	n       int
}

// readyPods is how many ready pods of each Service are on each node, and so how many addresses of each family a kube-proxy there counts: a pod of the lab has one of each.
// Cilium in its place counts the addresses of all families together, and on every node those that name none.
// It is taken from the pods that the lab made, not from EndpointSlices, which list a pod in each family, and which the program counts.
func readyPods(c *cluster.Cluster) map[where]int {
	out := map[where]int{}
	cilium := c.Scenario.ProxyMode() == ""
	for _, s := range c.Services {
		families := 1
		if cilium {
			families = len(s.Object.Spec.IPFamilies)
		}
		for _, p := range c.Scenario.Pods() {
			ready := p.State == scenario.Ready || s.PublishNotReady
			for n := 1; n <= scenario.Nodes; n++ {
				// Endpoints that are written by hand name no node.
				byHand := cilium && s.HandMade != "" && slices.Contains(p.Sets, s.HandMade)
				if byHand || ready && p.Node == n && s.Backends != "" && slices.Contains(p.Sets, s.Backends) {
					out[where{s.Name, n}] += families
				}
			}
		}
	}
	return out
}

// way is a source, and what it dials.
type way struct {
	from, kind, address string
	port                int
	protocol            string
}

func index(r *recordings.Recording) map[way]recordings.Result {
	out := map[way]recordings.Result{}
	for _, p := range r.Probes {
		if p.Sticky {
			continue
		}
		for _, res := range p.Results {
			// From outside, only packets to a node's own address are known to arrive at that node.
			if res.From == "external" && p.Target.Kind != recordings.TargetNodePort {
				continue
			}
			out[way{res.From, p.Target.Kind, p.Target.Address, p.Target.Port, p.Target.Protocol}] = res
		}
	}
	return out
}

type differ struct {
	cluster *cluster.Cluster
	ready   map[where]int
	met     map[way]recordings.Result
	lines   []string
	// asked counts health checks, held predictions that were held against packets, disagreeing Services that nodes count otherwise than the slices do.
	asked, held, disagreeing int
}

func (d *differ) add(format string, args ...any) {
	d.lines = append(d.lines, "status --live: "+fmt.Sprintf(format, args...))
}

func (d *differ) service(s report) error {
	name := s.Service.Name
	mode, version := d.cluster.Scenario.ProxyMode(), d.cluster.Scenario.KubeProxy()
	if mode == "" {
		version = d.cluster.Scenario.Version
	}
	if s.Dataplane.Mode != mode || s.Dataplane.Version != version {
		d.add("%s: the data plane is said to be %s %s %s", name, s.Dataplane.Name, s.Dataplane.Mode, s.Dataplane.Version)
	}
	if len(s.Gaps) > 0 {
		d.add("%s: not all could be read: %+v", name, s.Gaps)
	}
	disagree := false
	for i, n := range s.Nodes {
		d.paths(name, n)
		if s.Service.HealthCheckNodePort == 0 {
			continue
		}
		if n.Live == nil {
			d.add("%s: %s was not asked for its health", name, n.Name)
			continue
		}
		counted, err := d.ask(i+1, s.Service.HealthCheckNodePort)
		if err != nil {
			return err
		}
		d.asked++
		want := "Unreachable"
		switch {
		case counted.pass:
			want = "Pass"
		case counted.endpoints >= 0:
			want = "Fail"
		}
		if n.Live.HealthCheck != want || n.Live.LocalEndpoints != counted.endpoints {
			d.add("%s: %s is said to answer %s with %d endpoints; it answers %s with %d", name, n.Name, n.Live.HealthCheck, n.Live.LocalEndpoints, want, counted.endpoints)
		}
		disagree = disagree || counted.endpoints >= 0 && counted.endpoints != d.ready[where{name, i + 1}]
	}
	said := slices.ContainsFunc(s.Findings, func(f struct{ Code, Result string }) bool { return f.Code == "ETP048" && f.Result == "Fail" })
	if said != disagree {
		d.add("%s: that a node counts otherwise than it has ready pods is %v, and said to be %v", name, disagree, said)
	}
	if said {
		d.disagreeing++
	}
	return nil
}

// ask asks node n.
func (d *differ) ask(n, port int) (counts, error) {
	r, err := d.cluster.Network.LB.Get("http://" + net.JoinHostPort(scenario.NodeIP(n)[0], strconv.Itoa(port)) + "/healthz")
	if err != nil {
		// Nothing listens there, or not on this address: the agent itself is alive, or asking it next fails.
		return counts{endpoints: -1}, d.cluster.Network.LB.Sysctl(map[string]string{})
	}
	var body struct {
		LocalEndpoints *int `json:"localEndpoints"`
	}
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil || body.LocalEndpoints == nil {
		return counts{}, errors.Join(err, fmt.Errorf("node n%d answers %d at port %d with %q", n, r.Status, port, r.Body))
	}
	return counts{endpoints: *body.LocalEndpoints, pass: r.Status == 200}, nil
}

// paths holds the predictions for a node's own processes, for a pod on it that is no backend, and for packets that arrive at it, against what packets did.
func (d *differ) paths(service string, n node) {
	for _, p := range n.Paths {
		from := map[string]string{"Node": "node/" + n.Name, "Pod": "pod/client-" + n.Name[len("n"):], "External": "external"}[p.From]
		met, ok := d.met[way{from, p.To, p.Address, p.Port, p.Protocol}]
		if !ok || p.Outcome == "Unknown" || p.Outcome == "ViaLoadBalancer" {
			continue
		}
		d.held++
		if p.Outcome != string(met.Outcome) {
			d.add("%s from %s to %s %s:%d: said to be %s (%s); packets: %s", service, from, p.To, p.Address, p.Port, p.Outcome, p.Rule, met)
		}
	}
}
