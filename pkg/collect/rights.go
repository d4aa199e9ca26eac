package collect

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/read"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// Right is one rule of a ClusterRole: one resource, or one object of it, the verbs, and why they are needed.
type Right struct {
	// Group is "" for the core group, and Name where it is about objects of any name.
	Group, Resource, Name string
	Verbs                 []string
	// For is a short phrase: what is read with it.
	For string
}

// Rights are those that Read uses. Without one of them there is a Gap, or an error.
func Rights() []Right {
	return []Right{
		{"", "services", "", []string{"get", "list"}, "the Services: get for those named on the command line, list for all others"},
		{"discovery.k8s.io", "endpointslices", "", []string{"list"}, "their endpoints"},
		{"", "nodes", "", []string{"get", "list"}, "the nodes: list for all of them; get for nodes with endpoints, or that you ask about, in a cluster of more than " + fmt.Sprint(read.SmallCluster)},
		{"apps", "daemonsets", "", []string{"list"}, "which data plane runs, in any namespace"},
		{"", "configmaps", "", []string{"get"}, "the data plane's settings, in its namespace"},
		{"", "pods", "", []string{"get", "list"}, "get: a pod that --from names; list: kube-proxy's static pods in kube-system, where no DaemonSet runs it"},
		{"crd.projectcalico.org", "felixconfigurations", "default", []string{"get"}, "whether Calico's eBPF data plane is on"},
		{"operator.tigera.io", "installations", "default", []string{"get"}, "the same, where Tigera's operator installs Calico"},
		{"", "events", "", []string{"list"}, "events of a Service without a load balancer address, and of a fix and its rollout"},
		{"coordination.k8s.io", "leases", "", []string{"get", "list"}, "which node announces an address, where Cilium announces it by L2; in Cilium's namespace"},
		{"metallb.io", "servicel2statuses", "", []string{"list"}, "the same, where MetalLB does"},
		{"networking.k8s.io", "ingresses", "", []string{"get"}, "an Ingress named in place of a Service"},
		{"gateway.networking.k8s.io", "gateways", "", []string{"get"}, "a Gateway named in place of a Service"},
	}
}

// WatchRights are those that Watch uses in addition to Rights.
func WatchRights() []Right {
	return []Right{
		{"", "services", "", []string{"watch"}, "changes to the Services"},
		{"discovery.k8s.io", "endpointslices", "", []string{"watch"}, "changes to their endpoints"},
		{"", "nodes", "", []string{"watch"}, "changes to the nodes"},
	}
}

// LiveRights are those that Live uses in addition to Rights.
func LiveRights() []Right {
	return []Right{
		{"", "nodes/proxy", "", []string{"get"}, "what each node's health check and kube-proxy answer; this right opens every port of every node, the kubelet's included: grant it with care"},
	}
}

// FixRights are those that Surroundings and Rollout use in addition to Rights, which have the events already.
func FixRights() []Right {
	return []Right{
		{"", "pods", "", []string{"list"}, "the pods behind the Service; on Alibaba Cloud also those of Terway, in kube-system"},
		{"apps", "deployments", "", []string{"get"}, "the owner of the pods, and the progress of its rollout"},
		{"apps", "statefulsets", "", []string{"get"}, "the same"},
		{"apps", "replicasets", "", []string{"get"}, "the Deployment behind a pod"},
		{"apps", "daemonsets", "", []string{"get"}, "the owner of the pods, where it is a DaemonSet"},
		{"policy", "poddisruptionbudgets", "", []string{"list"}, "how many pods may be unavailable during a rollout"},
		{"networking.k8s.io", "networkpolicies", "", []string{"list"}, "policies that select clients by IP address"},
		{"cilium.io", "ciliumnetworkpolicies", "", []string{"list"}, "the same, with Cilium"},
		{"networking.k8s.io", "ingresses", "", []string{"list"}, "host names that are published with the Service's address"},
		{"", "namespaces", detect.KubeSystem, []string{"get"}, "the age of the cluster, which decides the cloud's defaults"},
	}
}

// String is the rule as one line of YAML.
func (r Right) String() string {
	return rule(r.Group, r.Resource, r.Name, r.Verbs...)
}

func rule(group, resource, name string, verbs ...string) string {
	names := ""
	if name != "" {
		names = fmt.Sprintf(", resourceNames: [%q]", name)
	}
	return fmt.Sprintf("{apiGroups: [%q], resources: [%q]%s, verbs: [%s]}", group, resource, names, `"`+strings.Join(verbs, `", "`)+`"`)
}

// RBACRule is the rule of a Role or ClusterRole, as one line of YAML, that would close a gap; "" where no rule would.
func RBACRule(g cluster.Gap) string {
	if g.Reason != cluster.Forbidden {
		return ""
	}
	resource, group, _ := strings.Cut(g.Resource, ".")
	name := ""
	if g.Verb == "get" && resource != cluster.ResourceNodes {
		name = g.Name
	}
	return rule(group, resource, name, g.Verb)
}
