// Package record knows how to find out what connections meet in a running cluster, and how two recordings of it compare.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

// effort is how many connections a cell gets.
type effort struct {
	first int // at once
	most  int // in all, unless every endpoint of the Service has answered before
	// balanced is most for what goes through the load balancer, which sends to each of three nodes in turn: every node must reach every endpoint.
	balanced int
}

func effortFor(s scenario.Cluster) effort {
	if s.TakesTurns() {
		return effort{4, 16, 48}
	}
	// At random: each of three endpoints is missed by 40 choices once in ten million cells.
	return effort{6, 40, 120}
}

// against makes it as likely to meet each of many endpoints as of three; in turn is as at random where many clients take turns.
func (e effort) against(endpoints int) effort {
	if endpoints > 3 {
		e.most = 16 * endpoints
		e.balanced = 3 * e.most
	}
	return e
}

// cell is one source and one target of one Service.
type cell struct {
	service   *cluster.Service
	from      string
	agent     *agent.Agent
	dial      agent.Dial
	probe     int // index into the recording's probes
	endpoints int // that the Service has
	effort    effort
	tries     int // at most
	answers   agent.Answers
}

// paces are how hard connections are tried, by what is known of them.
type paces struct {
	unknown, silence, answer, mix, limited agent.Pace
}

func pacesFor(slow bool) paces {
	// A node with Cilium refuses over IPv6 at most 100 times a second on an interface, once it has done so 1,000 times (bpf/lib/lb.h tail_no_service_ipv6, v1.18.0 to
	// v1.20.2). About ten agents dial.
	limited := agent.Pace{AtOnce: 64, Timeout: 2500 * time.Millisecond, Every: 150 * time.Millisecond}
	if slow {
		few := agent.Pace{AtOnce: 4, Timeout: 5 * time.Second}
		return paces{unknown: few, silence: agent.Pace{AtOnce: 64, Timeout: 5 * time.Second}, answer: few, mix: agent.Pace{AtOnce: 4, Timeout: 10 * time.Second}, limited: limited}
	}
	// What nothing answers costs only time, what endpoints answer costs their machine's: so many connections of the first at once would be too many of the second.
	return paces{
		unknown: agent.Pace{AtOnce: 128, Timeout: agent.Timeout}, silence: agent.Pace{AtOnce: 1024, Timeout: agent.Timeout},
		answer: agent.Pace{AtOnce: 32, Timeout: agent.Timeout}, mix: agent.Pace{AtOnce: 64, Timeout: 2500 * time.Millisecond}, limited: limited,
	}
}

// Record dials everything in a settled cluster. On a slow machine it gives every connection more time.
func Record(ctx context.Context, c *cluster.Cluster, slow bool, progress func(string)) (*recordings.Recording, error) {
	r := &recordings.Recording{Made: made(c), Network: network(c), Sources: sources(c)}
	e := effortFor(c.Scenario)
	var cells []*cell
	for _, s := range c.Services {
		cells = append(cells, plan(c, r, s, e)...)
	}
	if err := measure(cells, e, pacesFor(slow), progress); err != nil {
		return nil, err
	}
	for _, k := range cells {
		p := &r.Probes[k.probe]
		p.Results = append(p.Results, k.result())
	}
	objects, err := c.Objects(ctx)
	if err != nil {
		return nil, err
	}
	r.Objects = objects
	return r, nil
}

// Numbered is a recording in which every pod has the address that the lab gives it, whatever its data plane gave it: those differ from one run to the next.
func Numbered(c *cluster.Cluster, r *recordings.Recording) (*recordings.Recording, error) {
	data, err := r.Encode()
	if err != nil {
		return nil, err
	}
	out := new(recordings.Recording)
	if err := json.Unmarshal([]byte(c.Numbered(string(data))), out); err != nil {
		return nil, fmt.Errorf("writing pods' addresses as the lab numbers them: %w", err)
	}
	for _, p := range out.Probes {
		for i := range p.Results {
			sort.Strings(p.Results[i].Saw)
		}
	}
	for i := range out.Flips {
		sort.Strings(out.Flips[i].After.Saw)
	}
	return out, nil
}

// Ask dials the addresses of one Service from every node and pod, and from outside, after waiting until every kube-proxy knows what the API server holds. An
// empty kind stands for all kinds of address.
func Ask(ctx context.Context, c *cluster.Cluster, service, kind string, slow bool) ([]recordings.Probe, error) {
	s, err := c.Reread(ctx, service)
	if err != nil {
		return nil, err
	}
	if err := c.Settle(ctx); err != nil {
		return nil, err
	}
	var r recordings.Recording
	e := effortFor(c.Scenario)
	cells, _ := split(plan(c, &r, s, e), func(k *cell) bool { return kind == "" || r.Probes[k.probe].Target.Kind == kind })
	if len(cells) == 0 {
		return nil, fmt.Errorf("service %s has no address of kind %s", service, kind)
	}
	if err := measure(cells, e, pacesFor(slow), func(string) {}); err != nil {
		return nil, err
	}
	for _, k := range cells {
		p := &r.Probes[k.probe]
		p.Results = append(p.Results, k.result())
	}
	return slices.DeleteFunc(r.Probes, func(p recordings.Probe) bool { return len(p.Results) == 0 }), nil
}

// measure makes the connections of all cells, as many as it takes to be sure.
func measure(cells []*cell, e effort, pace paces, progress func(string)) error {
	if err := dialAll(cells, pace.unknown, func(*cell) int { return e.first }); err != nil {
		return err
	}
	progress(fmt.Sprintf("dialled %d cells", len(cells)))
	silent, answered := split(cells, func(k *cell) bool { return k.answers.TimedOut == e.first })
	_, unclear := split(answered, func(k *cell) bool { return k.tries == k.effort.most && k.clear() })
	rest := func(k *cell) int { return k.tries - e.first }
	for _, k := range unclear {
		if endpoints, ways := k.seen(); ways > endpoints {
			k.tries = k.effort.balanced // it has gone through the load balancer after all
		}
	}
	var both errgroup.Group
	both.Go(func() error { return dialAll(silent, pace.silence, rest) })
	both.Go(func() error { return dialAll(unclear, pace.answer, rest) })
	if err := both.Wait(); err != nil {
		return err
	}
	progress(fmt.Sprintf("dialled %d silent and %d unclear cells again", len(silent), len(unclear)))
	// A mix may be the truth, or a machine too busy to answer in time: ask again, those only, and give them time, until asking again clears up none of them.
	for before := 0; ; {
		mixed, _ := split(cells, func(k *cell) bool { return k.result().Outcome == recordings.Partial || len(k.answers.Other) > 0 })
		if len(mixed) == before {
			break
		}
		before = len(mixed)
		limited, others := split(mixed, func(k *cell) bool {
			return k.answers.Refused > 0 && k.answers.Refused+k.answers.TimedOut == k.answers.Count()
		})
		for _, k := range mixed {
			k.answers = agent.Answers{}
		}
		if err := dialAll(others, pace.mix, func(k *cell) int { return k.tries }); err != nil {
			return err
		}
		if err := dialAll(limited, pace.limited, func(*cell) int { return 2 * e.first }); err != nil {
			return err
		}
		progress(fmt.Sprintf("dialled %d mixed cells anew", len(mixed)))
	}
	var strange []error
	for _, k := range cells {
		if len(k.answers.Other) > 0 {
			strange = append(strange, fmt.Errorf("%s from %s to %s: %v", k.service.Name, k.from, k.dial.Address, k.answers.Other))
		}
	}
	if len(strange) > 0 {
		return fmt.Errorf("connections ended in a way that a recording has no word for: %w", errors.Join(strange...))
	}
	return nil
}

// split parts the cells of which something is true from the others.
func split(cells []*cell, is func(*cell) bool) (yes, no []*cell) {
	for _, k := range cells {
		if is(k) {
			yes = append(yes, k)
		} else {
			no = append(no, k)
		}
	}
	return yes, no
}

// clear says that more connections could show nothing new.
func (k *cell) clear() bool {
	endpoints, ways := k.seen()
	return k.answers.Refused+k.answers.TimedOut+k.answers.Unreachable == 0 && endpoints >= k.endpoints && ways == endpoints
}

// seen is the number of endpoints that answered, and of pairs of an endpoint and a source address that it saw.
func (k *cell) seen() (endpoints, ways int) {
	by := map[string]bool{}
	for from := range k.answers.From {
		e, _, _ := strings.Cut(from, " ")
		by[e] = true
	}
	return len(by), len(k.answers.From)
}

func (k *cell) result() recordings.Result { return Result(k.from, k.answers) }

// Result is what the connections of a source came to, as recordings have it.
func Result(from string, a agent.Answers) recordings.Result {
	r := recordings.Result{From: from, Tries: a.Count(), Refused: a.Refused, TimedOut: a.TimedOut, Unreachable: a.Unreachable}
	saw := map[string]bool{}
	for pair, n := range a.From {
		endpoint, source, _ := strings.Cut(pair, " ")
		if r.Answered == nil {
			r.Answered = map[string]int{}
		}
		r.Answered[endpoint] += n
		saw[source] = true
	}
	for s := range saw {
		r.Saw = append(r.Saw, s)
	}
	sort.Strings(r.Saw)
	switch {
	case r.Refused == r.Tries:
		r.Outcome = recordings.Refused
	case r.TimedOut == r.Tries:
		r.Outcome = recordings.TimedOut
	case r.Unreachable == r.Tries:
		r.Outcome = recordings.Unreachable
	case r.Refused+r.TimedOut+r.Unreachable == 0:
		r.Outcome = recordings.Reachable
	default:
		r.Outcome = recordings.Partial
	}
	return r
}

// dialAll makes so many connections for each cell, all agents at the same time.
func dialAll(cells []*cell, pace agent.Pace, tries func(*cell) int) error {
	byAgent := map[*agent.Agent][]*cell{}
	for _, k := range cells {
		byAgent[k.agent] = append(byAgent[k.agent], k)
	}
	var g errgroup.Group
	var mu sync.Mutex
	for a, cells := range byAgent {
		g.Go(func() error {
			dials := make([]agent.Dial, len(cells))
			for i, k := range cells {
				dials[i] = k.dial
				dials[i].Tries = tries(k)
			}
			answers, err := a.Dial(dials, pace)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for i, k := range cells {
				k.answers.Add(answers[i])
			}
			return nil
		})
	}
	return g.Wait()
}

// plan adds the probes of a Service to the recording and returns their cells.
func plan(c *cluster.Cluster, r *recordings.Recording, s *cluster.Service, e effort) []*cell {
	var cells []*cell
	for _, port := range s.Object.Spec.Ports {
		cells = append(cells, planPort(c, r, s, port, e.against(s.Endpoints))...)
	}
	return cells
}

func planPort(c *cluster.Cluster, r *recordings.Recording, s *cluster.Service, port corev1.ServicePort, e effort) []*cell {
	protocol := string(port.Protocol)
	name := scenario.Namespace + "/" + s.Name
	var cells []*cell
	tries := e.most
	probe := func(t recordings.Target) func(from string, a *agent.Agent, local string) {
		t.Protocol = protocol
		r.Probes = append(r.Probes, recordings.Probe{Service: name, Target: t, Sticky: s.Affinity})
		i := len(r.Probes) - 1
		return func(from string, a *agent.Agent, local string) {
			cells = append(cells, &cell{
				service: s, from: from, agent: a, probe: i, endpoints: s.Endpoints, effort: e, tries: tries,
				dial: agent.Dial{Network: strings.ToLower(protocol), Address: net.JoinHostPort(t.Address, strconv.Itoa(t.Port)), Local: local},
			})
		}
	}
	inside := func(dial func(string, *agent.Agent, string)) {
		for _, n := range c.Network.Nodes {
			dial("node/"+n.Name, n, "")
		}
		for _, p := range c.Scenario.Pods() {
			if p.Dials && (len(p.Sets) == 0 || slices.Contains(p.Sets, s.Backends) || slices.Contains(p.Sets, s.HandMade)) {
				dial("pod/"+p.Name, c.Network.Pods[p.Name], "")
			}
		}
	}
	family := func(address string) int {
		if strings.Contains(address, ":") {
			return 1
		}
		return 0
	}
	// Packets that ranges do not admit may leave for the load balancer, which drops those of a Service without nodePorts.
	passedOn := len(s.SourceRanges) > 0 && port.NodePort != 0
	// arriving tries an address by packets that arrive at each node from outside.
	arriving := func(t recordings.Target) {
		for i, n := range c.Network.Nodes {
			t.Node = n.Name
			probe(t)("external", c.Network.Fabric, cluster.FabricIP(i + 1)[family(t.Address)])
		}
	}
	for i, address := range s.Addresses {
		in := s.Object.Status.LoadBalancer.Ingress[i]
		t := recordings.Target{Kind: recordings.TargetLoadBalancerIP, Address: address, Port: int(port.Port)}
		if in.IP == "" {
			t.Kind, t.Hostname = recordings.TargetLoadBalancerHostname, in.Hostname
		}
		dial := probe(t)
		if cluster.Proxied(in) || s.OtherProxy || passedOn {
			tries = e.balanced
		}
		inside(dial)
		tries = e.balanced
		if _, served := c.Healthy[s.Name]; served {
			dial("external", c.Network.Client, "")
		}
		if !passedOn {
			tries = e.most
		}
		if !cluster.Proxied(in) {
			arriving(t)
		}
		tries = e.most
	}
	for _, address := range s.Object.Spec.ExternalIPs {
		t := recordings.Target{Kind: recordings.TargetExternalIP, Address: address, Port: int(port.Port)}
		inside(probe(t))
		arriving(t)
	}
	for _, address := range s.Object.Spec.ClusterIPs {
		inside(probe(recordings.Target{Kind: recordings.TargetClusterIP, Address: address, Port: int(port.Port)}))
	}
	if port.NodePort == 0 {
		return cells
	}
	for i, n := range c.Network.Nodes {
		at := func(address string) recordings.Target {
			return recordings.Target{Kind: recordings.TargetNodePort, Address: address, Node: n.Name, Port: int(port.NodePort)}
		}
		for _, ip := range s.Object.Spec.ClusterIPs {
			f := family(ip)
			dial := probe(at(scenario.NodeIP(i + 1)[f]))
			inside(dial)
			dial("external", c.Network.Fabric, cluster.FabricIP(0)[f])
		}
		if !s.EveryAddress {
			continue
		}
		if c.Scenario.OnEveryAddress() {
			inside(probe(at(scenario.SecondIP(i + 1))))
		}
		probe(at("127.0.0.1"))("node/"+n.Name, n, "")
	}
	return cells
}

func sources(c *cluster.Cluster) []recordings.Source {
	var out []recordings.Source
	for n := 1; n <= scenario.Nodes; n++ {
		name, ip := fmt.Sprintf("n%d", n), scenario.NodeIP(n)
		out = append(out, recordings.Source{ID: "node/" + name, Kind: recordings.SourceNode, Node: name, Addresses: ip[:]})
	}
	for i, p := range c.Scenario.Pods() {
		if p.Dials {
			ip := c.PodIPs(i)
			out = append(out, recordings.Source{
				ID: "pod/" + p.Name, Kind: recordings.SourcePod, Node: fmt.Sprintf("n%d", p.Node), Pod: scenario.Namespace + "/" + p.Name, Addresses: ip[:],
			})
		}
	}
	external := recordings.Source{ID: "external", Kind: recordings.SourceExternal, Addresses: []string{cluster.ClientIP, cluster.ClientIPv6}}
	for i := 0; i <= scenario.Nodes; i++ {
		ip := cluster.FabricIP(i)
		external.Addresses = append(external.Addresses, ip[:]...)
	}
	return append(out, external)
}

func network(c *cluster.Cluster) recordings.Network {
	n := recordings.Network{PodMasquerade: c.Scenario.MasqueradesPods(), LoadBalancer: recordings.LoadBalancer{
		Addresses: []string{cluster.LoadBalancerIP, cluster.LoadBalancerIPv6}, Services: map[string]recordings.LoadBalancing{},
	}}
	for i := 1; i <= scenario.Nodes; i++ {
		name, ip, bridge := fmt.Sprintf("n%d", i), scenario.NodeIP(i), c.BridgeIP(i)
		n.Nodes = append(n.Nodes, recordings.NodeNetwork{
			Name: name, Addresses: []string{ip[0], ip[1], scenario.SecondIP(i), bridge[0], bridge[1]}, HostnameOverride: c.Scenario.Hostnames[name],
		})
	}
	for _, s := range c.Services {
		if healthy, served := c.Healthy[s.Name]; served {
			n.LoadBalancer.Services[scenario.Namespace+"/"+s.Name] = recordings.LoadBalancing{KeepsClientAddress: !s.ReplacesClient, HealthyNodes: healthy}
		}
	}
	return n
}

func made(c *cluster.Cluster) recordings.Made {
	m := recordings.Made{
		Dataplane: c.Scenario.Mode, Version: c.Scenario.OwnVersion(), KubeProxy: c.Scenario.KubeProxy(), Variant: c.Scenario.Variant, Changed: c.Scenario.Changed, KubeAPIServer: kube.Version,
		Kernel: Kernel(), Tools: map[string]string{}, Date: time.Now().UTC().Format(time.DateOnly),
	}
	for name, args := range map[string][]string{"iptables": {"--version"}, "nft": {"--version"}, "ipset": {"--version"}, "ipvsadm": {"--version"}} {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err == nil {
			line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			m.Tools[name] = strings.TrimSpace(line)
		}
	}
	return m
}

// Kernel is the version of the running kernel; "" where it cannot be read.
func Kernel() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return ""
	}
	var b []byte
	for _, x := range u.Release {
		if x == 0 {
			break
		}
		b = append(b, byte(x))
	}
	// What follows the third number names a build, not the kernel.
	version, _, _ := strings.Cut(string(b), "-")
	return version
}
