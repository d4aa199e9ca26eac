package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// ignoredByTerway is the label of nodes that Terway ignores (AliyunContainerService/terway cmd/terway-cli).
const ignoredByTerway = "k8s.aliyun.com/ignore-by-terway"

// terway checks for the DaemonSet of Terway (AliyunContainerService/terway
// charts/terway/templates/terwayd/daemonset.yaml; terway-eni is its older name), and that it is ready on each node of a
// ready endpoint. A virtual node runs no DaemonSet pods, and its pods are attached to the VPC without Terway.
func terway(f Facts) Check {
	c := Check{Name: "terway-ready", Source: "daemonsets of kube-system"}
	at := slices.IndexFunc(f.Surroundings.DaemonSets, func(d cluster.DaemonSet) bool { return d.Name == "terway-eniip" || d.Name == "terway-eni" })
	switch {
	case at < 0 && f.Surroundings.Gap("daemonsets.apps", "") != nil:
		c.Message, c.Risk = "it is not known whether Terway runs: the DaemonSets of kube-system could not be read", "terway-unknown"
		return c
	case at < 0:
		c.Holds, c.Message = cluster.No, "Terway does not run here, so pods have no network interfaces of their own and the load balancer cannot send to them; use --mode=cluster or --mode=hostname"
		c.Fact = "no DaemonSet terway-eniip or terway-eni"
		return c
	}
	d := &f.Surroundings.DaemonSets[at]
	c.Source = "daemonset " + d.Namespace + "/" + d.Name
	c.Fact = fmt.Sprintf("%d of %d pods ready", d.Ready, d.Wanted)
	if d.Wanted == 0 {
		c.Holds, c.Risk = cluster.No, "terway-not-ready"
		c.Message = "the DaemonSet of Terway selects no node"
		return c
	}
	var ignored, without, waiting, fine, virtual, unread []string
	for _, name := range endpointNodes(f.Service) {
		var labels map[string]string
		if i := f.Snapshot.NodeIndex(name); i >= 0 {
			if f.Snapshot.Nodes[i].VirtualKubelet {
				virtual = append(virtual, name)
				continue
			}
			labels = f.Snapshot.Nodes[i].Labels
		}
		switch ready, there := d.On[name]; {
		case d.Gap != nil && labels[ignoredByTerway] != "true":
			unread = append(unread, name)
		case labels[ignoredByTerway] == "true":
			ignored = append(ignored, name)
		case !there:
			without = append(without, name)
		case !ready:
			waiting = append(waiting, name)
		default:
			fine = append(fine, name)
		}
	}
	switch {
	case len(ignored) > 0:
		c.Holds = cluster.No
		c.Message = fmt.Sprintf("Terway ignores %s, which %s: the load balancer cannot send to pods there", nodeNames(ignored), hasEndpoint(ignored))
		c.Fact, c.Source = "label "+ignoredByTerway+" is true", "node "+ignored[0]
	case len(unread) > 0:
		c.Risk = "terway-unknown"
		c.Message = "it is not known whether Terway is ready on each node with a ready endpoint: its pods could not be listed"
		c.Fact, c.Source = d.Gap.Message, "list pods in namespace "+d.Namespace
	case len(without) > 0:
		c.Holds = cluster.No
		c.Message = fmt.Sprintf("Terway does not run on %s, which %s: the load balancer cannot send to pods there", nodeNames(without), hasEndpoint(without))
		c.Fact += "; none on node " + without[0]
	case len(waiting) > 0:
		c.Holds, c.Risk = cluster.No, "terway-not-ready"
		c.Message = fmt.Sprintf("Terway is not ready on %s, which %s", nodeNames(waiting), hasEndpoint(waiting))
		c.Fact += "; not ready on node " + waiting[0]
	case len(fine) > 0:
		c.Holds = cluster.Yes
		c.Message = fmt.Sprintf("Terway is ready on each node with a ready endpoint: %s", nodeNames(fine))
	case len(virtual) > 0:
		c.Holds = cluster.Yes
		c.Message = "the ready endpoints are on virtual nodes, whose pods are attached to the VPC without Terway"
	default:
		c.Holds = cluster.Is(d.Ready >= d.Wanted)
		c.Message = fmt.Sprintf("Terway is ready on %d of %d nodes", d.Ready, d.Wanted)
		if c.Holds == cluster.No {
			c.Risk = "terway-not-ready"
		}
	}
	return c
}

// endpointNodes are the nodes of ready endpoints, each once, in order; an endpoint without one is left out.
func endpointNodes(svc *cluster.Service) (names []string) {
	for i := range svc.Endpoints {
		if e := &svc.Endpoints[i]; e.Ready && e.Node != "" {
			names = append(names, e.Node)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func nodeNames(names []string) string {
	const most = 3
	switch n := len(names); {
	case n == 1:
		return "node " + names[0]
	case n > most:
		return fmt.Sprintf("nodes %s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return "nodes " + strings.Join(names, ", ")
}

func hasEndpoint(nodes []string) string {
	if len(nodes) == 1 {
		return "has a ready endpoint"
	}
	return "have ready endpoints"
}
