package report

import (
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// TestLimits: which clients the report names as not covered, by what is on the nodes and which data plane runs there.
func TestLimits(t *testing.T) {
	kata := map[string]string{"katacontainers.io/kata-runtime": "true"}
	calico := func(connectTime string) cluster.Dataplane {
		return cluster.Dataplane{Name: cluster.CalicoEBPF, Calico: &cluster.CalicoSettings{ConnectTime: connectTime}}
	}
	withCilium := func(name cluster.DataplaneName, s cluster.CiliumSettings) cluster.Dataplane {
		s.Mode = "snat"
		return cluster.Dataplane{Name: name, Cilium: &s}
	}
	for name, c := range map[string]struct {
		dataplane cluster.Dataplane
		node      cluster.Node
		want      []Clients
	}{
		"Kata and socket load balancing":       {withCilium(cluster.Cilium, cluster.CiliumSettings{}), cluster.Node{Labels: kata}, []Clients{SandboxedPods}},
		"Kata and packets of pods":             {withCilium(cluster.Cilium, cluster.CiliumSettings{HostSocketsOnly: true}), cluster.Node{Labels: kata}, nil},
		"Kata beside kube-proxy, with sockets": {withCilium(cluster.KubeProxy, cluster.CiliumSettings{SocketLoadBalancing: true}), cluster.Node{Labels: kata}, []Clients{SandboxedPods}},
		"Kata beside kube-proxy":               {withCilium(cluster.KubeProxy, cluster.CiliumSettings{}), cluster.Node{Labels: kata}, nil},
		"Kata and kube-proxy":                  {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{Labels: kata}, nil},
		"Kata and Calico at connect()":         {calico("TCP"), cluster.Node{Labels: kata}, []Clients{SandboxedPods}},
		"Kata and Calico without connect()":    {calico("Disabled"), cluster.Node{Labels: kata}, nil},
		"no runtime":                           {withCilium(cluster.Cilium, cluster.CiliumSettings{}), cluster.Node{}, nil},
		"a runtime that was removed":           {withCilium(cluster.Cilium, cluster.CiliumSettings{}), cluster.Node{Labels: map[string]string{"katacontainers.io/kata-runtime": "cleanup"}}, nil},
		"gVisor":                               {withCilium(cluster.Cilium, cluster.CiliumSettings{}), cluster.Node{Labels: map[string]string{"sandbox.gke.io/runtime": "gvisor"}}, []Clients{SandboxedPods}},
		"a label without a value of its own":   {withCilium(cluster.Cilium, cluster.CiliumSettings{}), cluster.Node{Labels: map[string]string{"kubernetes.azure.com/kata-vm-isolation": "x"}}, []Clients{SandboxedPods}},
		"Windows":                              {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{OS: "windows"}, []Clients{WindowsPods}},
		"a virtual kubelet by its label":       {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{VirtualKubelet: true, OS: "linux"}, []Clients{VirtualNodePods}},
		"a virtual kubelet by its taint":       {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{Taints: []string{"virtual-kubelet.io/provider=azure:NoSchedule"}}, []Clients{VirtualNodePods}},
		"a taint without a value":              {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{Taints: []string{"virtual-kubelet.io/provider:NoSchedule"}}, []Clients{VirtualNodePods}},
		"another taint":                        {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{Taints: []string{"dedicated=virtual-kubelet.io/provider:NoSchedule"}}, nil},
		"Fargate":                              {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{Labels: map[string]string{"eks.amazonaws.com/compute-type": "fargate"}}, []Clients{VirtualNodePods}},
		"EKS Auto Mode runs the data plane":    {cluster.Dataplane{Name: cluster.KubeProxy}, cluster.Node{Labels: map[string]string{"eks.amazonaws.com/compute-type": "auto"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []Clients
			for _, l := range limits(&cluster.Snapshot{Nodes: []cluster.Node{c.node}, Dataplane: c.dataplane}) {
				got = append(got, l.Clients)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
