package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// Cluster is a running cluster.
type Cluster struct {
	Scenario scenario.Cluster
	Control  *ControlPlane
	Network  *Network
	Services []*Service
	// Healthy are the nodes to which the load balancer sends, by Service name; Services that it does not serve are absent.
	Healthy map[string][]string

	dir      string
	planes   []dataplane
	podIPs   [][2]string // of all pods, in their order; those of the lab until a data plane gives others
	cgroups  *cgroups    // nil where the data plane needs none
	canaries int
}

// Start makes the cluster of a scenario in this process's namespaces, keeping its files in dir, and waits until it is settled. It ends with this process.
// With control, the IP address of a control plane without objects, it has none of its own. It tells progress what it has done.
func Start(ctx context.Context, s scenario.Cluster, dir, control string, progress func(string)) (*Cluster, error) {
	c := &Cluster{Scenario: s, dir: dir, Healthy: map[string][]string{}, planes: dataplanesOf(s)}
	for i, p := range s.Pods() {
		c.podIPs = append(c.podIPs, podIPs(i, p))
	}
	starter := agent.NewStarter()
	err := c.build(starter)
	if err != nil {
		return nil, err
	}
	progress("made the network")
	if control != "" {
		if err := c.Network.reachBack(control); err != nil {
			return nil, err
		}
		c.Control, err = RelayControlPlane(ctx, dir, net.JoinHostPort(control, apiPort))
	} else {
		c.Control, err = StartControlPlane(ctx, starter, dir)
	}
	if err != nil {
		return nil, err
	}
	progress("started the control plane")
	if err := c.createCluster(ctx); err != nil {
		return nil, err
	}
	if err := c.start(ctx, dataplane.connects); err != nil {
		return nil, err
	}
	if err := errors.Join(c.serve(), c.showPods(ctx)); err != nil {
		return nil, err
	}
	if err := c.createServices(ctx); err != nil {
		return nil, err
	}
	progress("created the objects")
	// Made before kube-proxies start, the canary is among the first things that they program, and no second round has to be waited for.
	ip, err := c.sing(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx, func(d dataplane) bool { return !d.connects() }); err != nil {
		return nil, err
	}
	err = c.settled(ctx, ip)
	progress("settled")
	return c, err
}

// build makes the network, in cgroups of each node's own where the data plane needs them.
func (c *Cluster) build(starter *agent.Starter) (err error) {
	for _, d := range c.planes {
		if d.needs(c.Scenario).Cgroups {
			c.cgroups, err = makeCgroups(c.dir)
		}
		if err != nil {
			return err
		}
	}
	c.Network, err = buildNetwork(starter, c)
	return err
}

// start starts those of the data planes that are chosen.
func (c *Cluster) start(ctx context.Context, chosen func(dataplane) bool) error {
	for _, d := range c.planes {
		if chosen(d) {
			if err := d.start(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// connected says whether a data plane gives pods their network; the lab does otherwise, as a simple CNI plugin would.
func (c *Cluster) connected() bool { return slices.ContainsFunc(c.planes, dataplane.connects) }

// serve makes the pods answer.
func (c *Cluster) serve() error {
	var err error
	for i, p := range c.Scenario.Pods() {
		port := PodPort
		if p.HostNetwork {
			port = HostPort
		}
		var addresses []string
		for _, ip := range c.podIPs[i] {
			if strings.Contains(ip, ":") {
				ip = "[" + ip + "]"
			}
			addresses = append(addresses, fmt.Sprintf("tcp:%s:%d", ip, port), fmt.Sprintf("udp:%s:%d", ip, port))
			if p.Second {
				addresses = append(addresses, fmt.Sprintf("tcp:%s:%d", ip, port+1))
			}
		}
		err = errors.Join(err, c.Network.Pods[p.Name].Serve(addresses...))
	}
	return err
}

// canary begins the names of the Services that show how far kube-proxies are.
const canary = "canary-"

// Settle waits until every kube-proxy has programmed what the API server holds, and the load balancer knows which nodes are healthy.
// kube-proxy hears of Services, and of endpoints, in the order in which they changed: once a Service made last works on a node, the node knows all before it.
// Because not every data plane changes in one piece, the rules must also stop changing.
func (c *Cluster) Settle(ctx context.Context) error {
	ip, err := c.sing(ctx)
	if err != nil {
		return err
	}
	return c.settled(ctx, ip)
}

// Reread is a Service of the cluster, all of which it learns anew as the API server holds them: somebody else may have changed them.
func (c *Cluster) Reread(ctx context.Context, name string) (*Service, error) {
	var found *Service
	names := make([]string, 0, len(c.Services))
	for _, s := range c.Services {
		object, err := c.Control.Client.CoreV1().Services(scenario.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading service %s: %w", s.Name, err)
		}
		s.Object = object
		if s.Name == name {
			found = s
		}
		names = append(names, s.Name)
	}
	if found == nil {
		return nil, fmt.Errorf("the cluster has no service %q; it has %s", name, strings.Join(names, ", "))
	}
	return found, nil
}

// sing makes a canary Service and returns its address.
func (c *Cluster) sing(ctx context.Context) (string, error) {
	c.canaries++
	name := fmt.Sprintf("%s%d", canary, c.canaries)
	ip := fmt.Sprintf("10.96.2.%d", c.canaries)
	single := corev1.IPFamilyPolicySingleStack
	_, err := c.Control.Client.CoreV1().Services(scenario.Namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			ClusterIP: ip, IPFamilyPolicy: &single, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports: []corev1.ServicePort{{Name: "main", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(PodPort)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("creating the canary Service: %w", err)
	}
	return ip, handMade(ctx, c.Control.Client, name, c.podIPs[0][0], "0", corev1.ProtocolTCP)
}

// settled waits until the canary at ip works everywhere, the rules have stopped changing, and the load balancer knows the nodes' health.
func (c *Cluster) settled(ctx context.Context, ip string) error {
	var g errgroup.Group
	for _, node := range c.Network.Nodes {
		if c.Network.cut[node.Name] {
			continue
		}
		g.Go(func() error {
			err := Wait(ctx, "the data plane of "+node.Name+" to serve a new Service", func() (bool, error) {
				ended, err := node.Ended()
				if err != nil || len(ended) > 0 {
					return false, errors.Join(err, fmt.Errorf("ended: %v", ended))
				}
				a, err := node.Dial([]agent.Dial{{Network: "tcp", Address: ip + ":80", Tries: 1}}, agent.Pace{AtOnce: 1, Timeout: agent.Timeout})
				return err == nil && len(a[0].From) == 1, err
			})
			if err != nil {
				for _, d := range c.planes {
					err = withLog(err, d.log(c, node))
				}
				return err
			}
			last := ""
			return Wait(ctx, "the rules of "+node.Name+" to stop changing", func() (bool, error) {
				rules, err := c.Rules(node)
				same := rules == last
				last = rules
				if !same {
					time.Sleep(300 * time.Millisecond)
				}
				return same, err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return c.balance(ctx)
}

// ConfigMaps are the names of the data planes' ConfigMaps in the namespace kube-system.
func (c *Cluster) ConfigMaps() []string {
	var out []string
	for _, d := range c.planes {
		out = append(out, d.configMap())
	}
	return out
}

// Rules are what a node's data planes are programmed with, as text, without counters.
func (c *Cluster) Rules(node *agent.Agent) (string, error) {
	var out strings.Builder
	for _, d := range c.planes {
		text, err := d.rules(c, node)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

// PodIPs are the addresses of the i-th of all pods, as its data plane gave them.
func (c *Cluster) PodIPs(i int) [2]string { return c.podIPs[i] }

// BridgeIP are the addresses that node n has towards its pods, as its data plane gave them.
func (c *Cluster) BridgeIP(n int) [2]string {
	numbered := scenario.BridgeIP(n)
	out := numbered
	for _, d := range c.planes {
		for given, own := range d.bridges() {
			if f := slices.Index(numbered[:], own); f >= 0 {
				out[f] = given
			}
		}
	}
	return out
}

// address is a word that may be an IP address.
var address = regexp.MustCompile(`[0-9a-f:.]*[0-9a-f]`)

// Numbered is a text in which every pod's address, and the address that a node has towards its pods, is the one by which the lab numbers it, whatever the data plane
// gave it.
func (c *Cluster) Numbered(text string) string {
	given := map[string]string{}
	for i, p := range c.Scenario.Pods() {
		own := podIPs(i, p)
		for f, ip := range c.podIPs[i] {
			given[ip] = own[f]
		}
	}
	for _, d := range c.planes {
		maps.Copy(given, d.bridges())
	}
	return address.ReplaceAllStringFunc(text, func(word string) string {
		if own, ok := given[word]; ok {
			return own
		}
		return word
	})
}
