package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// cilium is Cilium's agent on every node, and its CNI plugin, which gives pods their network. Its operator does not run: the lab creates the CRDs, and agents register
// their nodes themselves.
//
// What an agent needs on a machine that it does not have to itself: /sys of its own network namespace; a BPF file system; a cgroup of the node's own, seen as the root
// of a cgroup namespace, because programs for sockets are attached to the root; /run/cilium of its own; and /proc/sys/kernel read-only, because it would change settings
// of the whole machine. Network cards must not leave checksums to each other: refusals of 1.20 would be dropped as damaged.
type cilium struct {
	mu      sync.Mutex
	routers map[string]string
}

func newCilium() *cilium { return &cilium{routers: map[string]string{}} }

// ciliumPrograms are the programs that the agent starts, by the name that it calls.
func ciliumPrograms() map[string]string {
	return map[string]string{"clang": "clang-19", "llc": "llc-19"}
}

// compilations keeps what clang has compiled: agents of one release with the same settings compile the same, for half a minute each.
const compilations = "ccache"

// compiler is a script that runs a compiler by way of the cache. That keeps nothing that is written to standard output, as the agent has it, and takes the name of the
// folder of an endpoint's header for part of what is compiled: each is seen at one place instead, in a mount namespace of the compiler's own.
func compiler(program string) string {
	return `#!/bin/sh
header= out= before=
for a; do
	shift
	case $before$a in
	-o-)
		out=$(mktemp) || exit 1
		trap 'rm -f "$out"' EXIT
		a=$out
		;;
	*-I*/templates/*)
		header=${a#-I}
		a=-I$TMPDIR/header
		;;
	esac
	before=$a
	set -- "$@" "$a"
done
set -- ` + compilations + ` ` + program + ` "$@"
[ -z "$header" ] || {
	mkdir -p "$TMPDIR/header"
	set -- unshare -m sh -c 'mount --bind "$0" "$TMPDIR/header" && exec "$@"' "$header" "$@"
}
"$@" && { [ -z "$out" ] || cat "$out"; }
`
}

func (d *cilium) needs(s scenario.Cluster) Needs {
	programs := []string{"iptables", "ip6tables", "ipset", "ip", "ethtool", compilations}
	return Needs{
		Programs: slices.AppendSeq(programs, maps.Values(ciliumPrograms())),
		Targets: []kube.Target{
			{Name: "cilium-agent", Version: s.Version}, {Name: "cilium-dbg", Version: s.Version}, {Name: "cilium-cni", Version: s.Version},
		},
		Cgroups: true,
	}
}

func (d *cilium) connects() bool { return true }

func (d *cilium) configMap() string { return "cilium-config" }

func (d *cilium) bridges() map[string]string { return d.routers }

// config is cilium-config, with the keys that a Helm chart of this release writes.
func (d *cilium) config(s scenario.Cluster) map[string]string {
	out := map[string]string{
		"cluster-name": "default", "cluster-id": "0", "identity-allocation-mode": "crd", "ipam": "kubernetes", "enable-ipv4": "true", "enable-ipv6": "true",
		"routing-mode": "native", "auto-direct-node-routes": "true", "ipv4-native-routing-cidr": "10.244.0.0/16", "ipv6-native-routing-cidr": "fd00:244::/56",
		"enable-ipv4-masquerade": "true", "enable-ipv6-masquerade": "true", "enable-bpf-masquerade": "false", "devices": "eth0",
		"kube-proxy-replacement": "true", "kube-proxy-replacement-healthz-bind-address": "0.0.0.0:10256", "bpf-lb-sock": "false", "bpf-lb-mode": "snat",
		"enable-l7-proxy": "false", "enable-policy": "default", "enable-hubble": "false", "enable-health-checking": "false", "enable-endpoint-health-checking": "false",
	}
	if scenario.Before(s.Version, 14) {
		delete(out, "routing-mode")
		out["tunnel"] = "disabled"
		out["kube-proxy-replacement"] = "strict"
	}
	if s.Beside != "" {
		out["kube-proxy-replacement"] = "false"
		if scenario.Before(s.Version, 14) {
			out["kube-proxy-replacement"] = "disabled"
		}
		delete(out, "kube-proxy-replacement-healthz-bind-address")
	}
	for k, v := range s.Settings {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = fmt.Sprint(v)
	}
	return out
}

// show is what the Helm chart installs.
func (d *cilium) show(ctx context.Context, c *Cluster) error {
	config := d.config(c.Scenario)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: d.configMap()}, Data: config}
	err := c.install(ctx, cm, "cilium", corev1.PodSpec{
		HostNetwork: true, NodeSelector: map[string]string{"kubernetes.io/os": "linux"},
		Containers: []corev1.Container{{
			Name: "cilium-agent", Image: "quay.io/cilium/cilium:" + c.Scenario.Version,
			Command: []string{"cilium-agent"}, Args: []string{"--config-dir=/tmp/cilium/config-map"},
		}},
	})
	if err != nil {
		return err
	}
	if err := d.createCRDs(ctx, c); err != nil {
		return err
	}
	// The agents read what the ConfigMap holds, as they do where it is mounted.
	dir := filepath.Join(c.dir, "cilium-config")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for k, v := range config {
		if err := os.WriteFile(filepath.Join(dir, k), []byte(v), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (d *cilium) createCRDs(ctx context.Context, c *Cluster) error {
	dir, err := kube.Target{Name: "cilium-agent", Version: c.Scenario.Version}.Files("crds")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("reading Cilium's CRDs: there are none in %s: %w", dir, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		r := c.Control.Client.RESTClient().Post().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").SetHeader("Content-Type", "application/yaml")
		if err := r.Body(data).Do(ctx).Error(); err != nil {
			return fmt.Errorf("creating the CRD in %s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

// flags are of the lab, not of the cluster: where things are, and tables of a size that its machine has memory for. Connections by the ten thousand must fit, or those that
// are open are forgotten. Those that are closed are soon forgotten, because a pod of the lab opens more in a minute than others do in a day: where sockets are not balanced,
// two from one port of a pod, to two Services with the same backend, would become one.
func (d *cilium) flags(c *Cluster) []string {
	return []string{
		"--config-dir=" + filepath.Join(c.dir, "cilium-config"), "--k8s-kubeconfig-path=" + c.Control.Kubeconfig, "--cgroup-root=" + ciliumRun + "/cgroupv2",
		"--bpf-root=/sys/fs/bpf", "--lib-dir=" + ciliumRun + "/lib", "--state-dir=" + ciliumRun + "/state", "--bpf-lb-map-max=16384", "--bpf-map-dynamic-size-ratio=0",
		"--bpf-ct-global-tcp-max=262144", "--bpf-ct-global-any-max=131072", "--bpf-nat-global-max=262144", "--bpf-neigh-global-max=131072", "--bpf-policy-map-max=1024",
		"--bpf-ct-timeout-regular-tcp-fin=1s", "--bpf-ct-timeout-regular-any=5s", "--bpf-ct-timeout-service-any=5s",
	}
}

const ciliumRun = "/run/cilium"

func (d *cilium) start(ctx context.Context, c *Cluster) error {
	bin := filepath.Join(c.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for called, program := range ciliumPrograms() {
		if err := os.WriteFile(filepath.Join(bin, called), []byte(compiler(program)), 0o755); err != nil {
			return fmt.Errorf("writing what Cilium's agent starts: %w", err)
		}
	}
	cache, err := kube.CacheDir()
	if err != nil {
		return err
	}
	for _, t := range d.needs(c.Scenario).Targets {
		path, err := kube.Binary(t.Name, t.Version)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, t.Name))
		}
		if err != nil {
			return err
		}
	}
	bpf, err := kube.Target{Name: "cilium-agent", Version: c.Scenario.Version}.Files("bpf")
	if err != nil {
		return err
	}
	if err := c.Network.checksum(); err != nil {
		return err
	}
	if err := os.MkdirAll(ciliumRun, 0o755); err != nil {
		return err
	}
	// What the first compiles, the others find compiled.
	if err := d.startOn(ctx, c, c.Network.Nodes[0], bin, bpf, cache); err != nil {
		return err
	}
	var g errgroup.Group
	for _, node := range c.Network.Nodes[1:] {
		g.Go(func() error { return d.startOn(ctx, c, node, bin, bpf, cache) })
	}
	return g.Wait()
}

// startOn starts the agent on a node, waits until it is ready, and lets it connect the node's pods.
func (d *cilium) startOn(ctx context.Context, c *Cluster, node *agent.Agent, bin, bpf, cache string) error {
	if err := furnish(node, bpf); err != nil {
		return fmt.Errorf("making %s fit for Cilium's agent: %w", node.Name, err)
	}
	args := append([]string{
		"/usr/bin/env", "PATH=" + bin + ":" + os.Getenv("PATH"), "CCACHE_DIR=" + filepath.Join(cache, compilations), "CCACHE_NOHASHDIR=1", "TMPDIR=" + ciliumRun,
		"K8S_NODE_NAME=" + node.Name, "CILIUM_K8S_NAMESPACE=" + kubeSystem, filepath.Join(bin, "cilium-agent"),
	}, d.flags(c)...)
	if err := node.Launch(agent.Process{Name: "cilium-agent", Args: args, Log: d.log(c, node)}); err != nil {
		return fmt.Errorf("starting Cilium's agent: %w", err)
	}
	err := Wait(ctx, "Cilium's agent of "+node.Name+" to be ready", func() (bool, error) {
		ended, err := node.Ended()
		if err != nil || len(ended) > 0 {
			return false, errors.Join(err, fmt.Errorf("ended: %v", ended))
		}
		out, err := node.Run("", filepath.Join(bin, "cilium-dbg"), "status", "--brief")
		if ready := err == nil && strings.TrimSpace(out) == "OK"; !ready {
			time.Sleep(300 * time.Millisecond)
			return false, nil
		}
		// Its programs for the node itself must be in place too: a pod that waits for their compilation waits too long.
		out, err = node.Run("", filepath.Join(bin, "cilium-dbg"), "endpoint", "list", "-o", "jsonpath={[*].status.state}")
		return err == nil && strings.TrimSpace(out) == "ready", nil
	})
	if err != nil {
		return withLog(err, d.log(c, node))
	}
	return d.connect(c, node, bin)
}

// furnish gives a node's mount namespace what the agent needs.
func furnish(node *agent.Agent, bpf string) error {
	for _, args := range [][]string{
		{"mount", "-t", "bpf", "bpf", "/sys/fs/bpf"},
		{"mount", "-t", "tmpfs", "tmpfs", ciliumRun},
		{"mkdir", ciliumRun + "/cgroupv2", ciliumRun + "/lib", ciliumRun + "/state"},
		{"mount", "-t", "cgroup2", "none", ciliumRun + "/cgroupv2"},
		{"mount", "--bind", "/proc/sys/kernel", "/proc/sys/kernel"},
		{"mount", "-o", "remount,bind,ro", "/proc/sys/kernel"},
		{"cp", "-r", bpf, ciliumRun + "/lib/bpf"},
	} {
		if _, err := node.Run("", args...); err != nil {
			return err
		}
	}
	return nil
}

// connect lets the CNI plugin give the node's pods their network.
func (d *cilium) connect(c *Cluster, node *agent.Agent, bin string) error {
	config, err := json.Marshal(map[string]any{"cniVersion": "0.3.1", "name": "cilium", "type": "cilium-cni", "enable-debug": false, "log-file": filepath.Join(c.dir, "cni.log")})
	if err != nil {
		return err
	}
	for i, p := range c.Scenario.Pods() {
		if nodeName(p.Node) != node.Name || p.HostNetwork {
			continue
		}
		pod := c.Network.Pods[p.Name]
		out, err := node.Run(string(config), "env", "PATH="+bin+":"+os.Getenv("PATH"), "CNI_COMMAND=ADD", fmt.Sprintf("CNI_CONTAINERID=%032x", i+1),
			fmt.Sprintf("CNI_NETNS=/proc/%d/ns/net", pod.PID()), "CNI_IFNAME=eth0", "CNI_PATH="+bin,
			"CNI_ARGS=K8S_POD_NAMESPACE="+scenario.Namespace+";K8S_POD_NAME="+p.Name, "cilium-cni")
		if err != nil {
			return withLog(fmt.Errorf("connecting pod %s: %w: %s", p.Name, err, out), d.log(c, node))
		}
		var result struct {
			IPs []struct{ Address, Gateway string }
		}
		if err := json.Unmarshal([]byte(out), &result); err != nil || len(result.IPs) == 0 {
			return fmt.Errorf("connecting pod %s: the CNI plugin answers %q: %w", p.Name, out, err)
		}
		bridge := scenario.BridgeIP(p.Node)
		for _, ip := range result.IPs {
			f := 0
			if strings.Contains(ip.Address, ":") {
				f = 1
			}
			c.podIPs[i][f], _, _ = strings.Cut(ip.Address, "/")
			d.mu.Lock()
			d.routers[ip.Gateway] = bridge[f]
			d.mu.Unlock()
		}
		if err := checksum(pod); err != nil {
			return err
		}
	}
	return nil
}

func (d *cilium) rules(c *Cluster, node *agent.Agent) (string, error) {
	text, err := node.Run("", filepath.Join(c.dir, "bin", "cilium-dbg"), "bpf", "lb", "list")
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n"), err
}

func (d *cilium) log(c *Cluster, node *agent.Agent) string {
	return filepath.Join(c.dir, "cilium-agent-"+node.Name+".log")
}
