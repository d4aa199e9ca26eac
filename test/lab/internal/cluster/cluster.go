package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
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
	config   string // KubeProxyConfiguration
	canaries int
}

// Start makes the cluster of a scenario in this process's namespaces, keeping its files in dir, and waits until it is settled. It ends with this process.
// With control, the IP address of a control plane without objects, it has none of its own. It tells progress what it has done.
func Start(ctx context.Context, s scenario.Cluster, dir, control string, progress func(string)) (*Cluster, error) {
	c := &Cluster{Scenario: s, dir: dir, Healthy: map[string][]string{}}
	config, err := c.proxyConfig()
	if err != nil {
		return nil, err
	}
	c.config = config
	starter := agent.NewStarter()
	if c.Network, err = BuildNetwork(starter, s); err != nil {
		return nil, err
	}
	if err := c.serve(); err != nil {
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
	if err := c.createAll(ctx); err != nil {
		return nil, err
	}
	progress("created the objects")
	// Made before there are proxies, the canary is among the first things that they program, and no second round has to be waited for.
	ip, err := c.sing(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.startProxies(); err != nil {
		return nil, err
	}
	err = c.settled(ctx, ip)
	progress("settled")
	return c, err
}

// serve makes the pods answer.
func (c *Cluster) serve() error {
	var err error
	for i, p := range c.Scenario.Pods() {
		port := PodPort
		if p.HostNetwork {
			port = HostPort
		}
		var addresses []string
		for _, ip := range podIPs(i, p) {
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

// proxyConfig is the configuration of kube-proxy as a file.
func (c *Cluster) proxyConfig() (string, error) {
	cidr := "10.244.0.0/16,fd00:244::/56"
	if c.Scenario.IPv4 {
		cidr = "10.244.0.0/16"
	}
	config := map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": c.Scenario.Mode, "clusterCIDR": cidr,
		"clientConnection":   map[string]any{"kubeconfig": filepath.Join(c.dir, "kubeconfig")},
		"bindAddress":        "0.0.0.0",
		"healthzBindAddress": "0.0.0.0:10256", "metricsBindAddress": "0.0.0.0:10249",
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0},
	}
	if c.Scenario.Mode == "ipvs" {
		// Programming everything again, as it would every half minute, takes longer than that where the kernel is emulated.
		config["ipvs"] = map[string]any{"strictARP": true, "syncPeriod": "1h0m0s"}
	}
	for k, v := range c.Scenario.Settings {
		old, isMap := config[k].(map[string]any)
		if add, ok := v.(map[string]any); ok && isMap {
			maps.Copy(old, add)
			continue
		}
		config[k] = v
		if v == nil {
			delete(config, k)
		}
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("writing kube-proxy's configuration: %w", err)
	}
	return string(data), nil
}

// kubeletChains are the chains by which the kubelet drops what kube-proxy before 1.25 marks.
const kubeletChains = `*nat
:KUBE-MARK-DROP - [0:0]
-A KUBE-MARK-DROP -j MARK --or-mark 0x8000
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
COMMIT
`

func (c *Cluster) startProxies() error {
	binary, err := kube.Binary("kube-proxy", c.Scenario.Version)
	if err != nil {
		return err
	}
	path := filepath.Join(c.dir, "config.conf")
	if err := os.WriteFile(path, []byte(c.config), 0o644); err != nil {
		return fmt.Errorf("writing kube-proxy's configuration: %w", err)
	}
	for i, node := range c.Network.Nodes {
		if scenario.Before(c.Scenario.Version, 25) && c.Scenario.Mode != "nftables" {
			_, e4 := node.Run(kubeletChains, "iptables-restore", "--noflush")
			_, e6 := node.Run(kubeletChains, "ip6tables-restore", "--noflush")
			if err := errors.Join(e4, e6); err != nil {
				return fmt.Errorf("laying the kubelet's chains: %w", err)
			}
		}
		name := nodeName(i + 1)
		if other := c.Scenario.Hostnames[name]; other != "" {
			name = other
		}
		err := node.Launch(agent.Process{Name: "kube-proxy", Args: []string{binary, "--config=" + path, "--hostname-override=" + name}, Log: c.proxyLog(node)})
		if err != nil {
			return fmt.Errorf("starting kube-proxy: %w", err)
		}
	}
	return nil
}

func (c *Cluster) proxyLog(node *agent.Agent) string {
	return filepath.Join(c.dir, "kube-proxy-"+node.Name+".log")
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
	return ip, handMade(ctx, c.Control.Client, name, scenario.PodIP(1, 0)[0], "0", corev1.ProtocolTCP)
}

// settled waits until the canary at ip works everywhere, the rules have stopped changing, and the load balancer knows the nodes' health.
func (c *Cluster) settled(ctx context.Context, ip string) error {
	var g errgroup.Group
	for _, node := range c.Network.Nodes {
		g.Go(func() error {
			err := wait(ctx, "kube-proxy of "+node.Name+" to serve a new Service", func() (bool, error) {
				ended, err := node.Ended()
				if err != nil || len(ended) > 0 {
					return false, errors.Join(err, fmt.Errorf("ended: %v", ended))
				}
				a, err := node.Dial([]agent.Dial{{Network: "tcp", Address: ip + ":80", Tries: 1}}, agent.Pace{AtOnce: 1, Timeout: agent.Timeout})
				return err == nil && len(a[0].From) == 1, err
			})
			if err != nil {
				return withLog(err, c.proxyLog(node))
			}
			last := ""
			return wait(ctx, "the rules of "+node.Name+" to stop changing", func() (bool, error) {
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

// counters are what changes in rules without their being changed.
var counters = regexp.MustCompile(`(?m)^#.*$|\[\d+:\d+\]|packets \d+ bytes \d+|\d+s timeout|expires \S+|timeout \S+`)

// Rules are what a node's data plane is programmed with, as text, without counters.
func (c *Cluster) Rules(node *agent.Agent) (string, error) {
	commands := map[string][][]string{
		"iptables": {{"iptables-save"}, {"ip6tables-save"}},
		"nftables": {{"nft", "--stateless", "list", "ruleset"}},
		"ipvs":     {{"iptables-save"}, {"ip6tables-save"}, {"ipset", "save", "-sorted"}, {"ipvsadm", "-Sn"}, {"ip", "-brief", "address"}},
	}
	var out strings.Builder
	for _, command := range commands[c.Scenario.Mode] {
		text, err := node.Run("", command...)
		if err != nil {
			return "", err
		}
		out.WriteString(counters.ReplaceAllString(text, ""))
	}
	return out.String(), nil
}
