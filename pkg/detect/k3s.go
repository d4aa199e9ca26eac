package detect

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// k3sNodeArgs is the annotation in which k3s writes how a node was started, a JSON list.
const k3sNodeArgs = "k3s.io/node-args"

// k3s runs kube-proxy in its own process, in iptables mode unless told otherwise (pkg/daemons/agent in k3s). Its own flannel masquerades.
var k3s = program{
	name:        "k3s",
	planes:      []cluster.DataplaneName{cluster.KubeProxy},
	annotations: []string{k3sNodeArgs},
	plane: func(d *detector, n *corev1.Node) (cluster.Dataplane, bool) {
		if !isK3s(n) {
			return cluster.Dataplane{}, false
		}
		return d.k3sPlane(n), true
	},
	podMasquerade: func(f *facts, n *corev1.Node) (cluster.Tristate, bool) {
		// Another network replaces the built-in flannel only with --flannel-backend=none on the servers.
		server := f.k3sServer()
		return cluster.Yes, isK3s(n) && server != nil && server["flannel-backend"] != "none"
	},
}

func isK3s(n *corev1.Node) bool { return strings.Contains(n.Status.NodeInfo.KubeletVersion, "+k3s") }

func (f *facts) isK3s() bool { return slices.ContainsFunc(f.Nodes, isK3s) }

// k3sPlane reads how a node was started.
func (d *detector) k3sPlane(n *corev1.Node) cluster.Dataplane {
	args, ok := k3sArgs(n)
	if !ok {
		return cluster.Dataplane{Name: cluster.KubeProxy, Mode: cluster.IPTables, Source: "the default of k3s", Confidence: cluster.Assumed}
	}
	server := d.k3sServer()
	if _, disabled := server["disable-kube-proxy"]; disabled {
		return unknown("k3s runs with --disable-kube-proxy")
	}
	given := map[string]string{}
	for _, arg := range KubeProxyArgs(args) {
		name, value, _ := strings.Cut(arg, "=")
		given[name] = value
	}
	if given["proxy-mode"] == "" {
		given["proxy-mode"] = string(cluster.IPTables)
	}
	out := cluster.Dataplane{Name: cluster.KubeProxy, Confidence: cluster.Inferred, Source: "node annotation " + k3sNodeArgs}
	if given["config"] != "" {
		return out
	}
	if given["cluster-cidr"] == "" {
		given["cluster-cidr"] = server["cluster-cidr"]
	}
	knowsCIDR := given["cluster-cidr"] != ""
	if !knowsCIDR {
		// The default is the server's: an agent's arguments do not show it, the nodes' pod CIDRs do.
		given["cluster-cidr"] = "10.42.0.0/16"
		for _, node := range d.Nodes {
			for _, pods := range PodCIDRs(node) {
				if pods.Addr().Is4() {
					knowsCIDR = cluster.ParsePrefixes(given["cluster-cidr"])[0].Contains(pods.Addr())
				}
			}
		}
	}
	settle(&out, fromFlags(given))
	if !knowsCIDR && out.KubeProxy.PodDetection == cluster.ClusterCIDR {
		out.KubeProxy.PodDetection, out.KubeProxy.ClusterCIDRs = cluster.UnknownDetection, nil
	}
	out.Confidence = cluster.Inferred
	return out
}

// KubeProxyArgs are the arguments for kube-proxy among those of k3s, as name=value without dashes.
func KubeProxyArgs(args []string) []string {
	const flag = "--kube-proxy-arg"
	var out []string
	for i, arg := range args {
		value, ok := strings.CutPrefix(arg, flag+"=")
		if !ok && arg == flag && i+1 < len(args) {
			value, ok = args[i+1], true
		}
		if ok {
			out = append(out, strings.TrimPrefix(value, "--"))
		}
	}
	return out
}

func k3sArgs(n *corev1.Node) ([]string, bool) {
	text, ok := n.Annotations[k3sNodeArgs]
	if !ok {
		return nil, false
	}
	var args []string
	return args, json.Unmarshal([]byte(text), &args) == nil
}

// k3sServer are the flags of a k3s server; nil where none was read.
func (f *facts) k3sServer() map[string]string {
	for _, n := range f.Nodes {
		if args, ok := k3sArgs(n); ok && len(args) > 0 && args[0] == "server" {
			return Flags(args)
		}
	}
	return nil
}
