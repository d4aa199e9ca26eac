package report

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

// Limit is a kind of clients to which the results do not apply, in a cluster in which such clients were seen.
type Limit struct {
	Clients Clients
	// Title names the clients in a sentence.
	Title string
	// Source says where they were seen: the number of nodes, and what on them shows it.
	Source string
	// Reason says in a sentence or two why the results do not apply.
	Reason string
}

// Clients are pods that do not connect as other pods do. The word is the published one.
type Clients string

const (
	// SandboxedPods have a kernel or a network stack of their own: KubeVirt, Kata Containers, gVisor.
	SandboxedPods Clients = "SandboxedPods"
	WindowsPods   Clients = "WindowsPods"
	// VirtualNodePods run elsewhere: on a virtual kubelet or on AWS Fargate.
	VirtualNodePods Clients = "VirtualNodePods"
)

// sandboxLabels are labels of nodes on which pods can run in virtual machines or sandboxes, each with its value, or ""
// for any.
var sandboxLabels = []struct{ key, value string }{
	// kubevirt/kubevirt staging/src/kubevirt.io/api/core/v1/types.go
	{"kubevirt.io/schedulable", "true"},
	// kata-containers/kata-containers tools/packaging/kata-deploy
	{"katacontainers.io/kata-runtime", "true"},
	// cloud.google.com/kubernetes-engine/docs/how-to/sandbox-pods
	{"sandbox.gke.io/runtime", "gvisor"},
	// kubernetes-sigs/alibaba-cloud-csi-driver pkg/nas
	{"alibabacloud.com/container-runtime", "Sandboxed-Container.runv"},
	// learn.microsoft.com/azure/aks/use-labels
	{"kubernetes.azure.com/kata-mshv-vm-isolation", ""},
	{"kubernetes.azure.com/kata-vm-isolation", ""},
}

// sandboxLabel is the label by which pods on a node can run in virtual machines or sandboxes; "" where it has none.
func sandboxLabel(n *cluster.Node) string {
	for _, l := range sandboxLabels {
		if value, ok := n.Labels[l.key]; ok && (l.value == "" || value == l.value) {
			return l.key
		}
	}
	return ""
}

// missedBy says what does not see the connections of a pod that does not use the node's sockets; "" where the node's
// data plane handles packets of pods.
func missedBy(d *cluster.Dataplane) string {
	if c := d.Cilium; c != nil && !c.HostSocketsOnly && (d.Name == cluster.Cilium || c.SocketLoadBalancing) {
		return "Cilium's socket load balancing does not see their connections. Cilium's documentation recommends " +
			"bpf-lb-sock-hostns-only for such pods"
	}
	if c := d.Calico; d.Name == cluster.CalicoEBPF && (c == nil || c.ConnectTime != "Disabled") {
		return "Calico's connect-time load balancing does not see their connections"
	}
	return ""
}

// limits lists the kinds of clients that were seen and to which the results do not apply.
func limits(s *cluster.Snapshot) []Limit {
	var sandboxes, windows, virtual seen
	reason := ""
	for i := range s.Nodes {
		n := &s.Nodes[i]
		switch {
		case n.IsFargate():
			virtual.add("AWS Fargate")
		case n.IsVirtual():
			virtual.add("virtual kubelet")
		case n.OS == "windows":
			windows.add("")
		default:
			label, missed := sandboxLabel(n), missedBy(s.DataplaneOf(n))
			if label != "" && missed != "" {
				sandboxes.add("label " + label)
				reason = missed
			}
		}
	}
	var list []Limit
	for _, l := range []struct {
		seen
		Limit
	}{
		{sandboxes, Limit{Clients: SandboxedPods, Title: "pods in virtual machines or sandboxes", Reason: reason}},
		{windows, Limit{
			Clients: WindowsPods, Title: "pods on Windows nodes",
			Reason: "Windows nodes run another kube-proxy, and nothing was measured there",
		}},
		{virtual, Limit{
			Clients: VirtualNodePods, Title: "pods on virtual nodes",
			Reason: "The cluster's data plane does not run on virtual nodes",
		}},
	} {
		if l.nodes > 0 {
			l.Source = l.String()
			list = append(list, l.Limit)
		}
	}
	return list
}

// seen counts nodes, and collects what was seen on them.
type seen struct {
	nodes   int
	sources []string
}

func (s *seen) add(source string) {
	s.nodes++
	if source != "" && !slices.Contains(s.sources, source) {
		s.sources = append(s.sources, source)
	}
}

func (s *seen) String() string {
	text := english.Count(s.nodes, "node", "nodes")
	if len(s.sources) > 0 {
		text += ": " + english.And(s.sources)
	}
	return text
}
