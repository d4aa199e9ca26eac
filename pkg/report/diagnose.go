package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// Diagnose makes one Report for each Service of the snapshot, in the snapshot's order. It keeps references into the snapshot and changes nothing in it.
func Diagnose(s *cluster.Snapshot) []Report {
	order := byName(s.Nodes)
	reports := make([]Report, len(s.Services))
	for i := range s.Services {
		reports[i] = diagnose(s, &s.Services[i], order)
	}
	return reports
}

func diagnose(s *cluster.Snapshot, svc *cluster.Service, order []int) Report {
	r := Report{Service: svc, Dataplane: &s.Dataplane, Provider: provider.Of(s, svc), Gaps: s.Gaps, Unsupported: unsupported(svc)}
	if r.Unsupported != "" {
		return r
	}
	predictor := dataplane.New(s, svc)
	counts, nowhere := dataplane.Counts(s, svc)
	r.Nodes = make([]Row, len(order))
	dialled := dataplane.Targets(svc)
	backing := make([]dataplane.Path, 0, 3*len(dialled)*len(order))
	for i, node := range order {
		row := &r.Nodes[i]
		row.Node, row.Index, row.Endpoints = &s.Nodes[node], node, counts[node]
		if live, ok := svc.Live[row.Node.Name]; ok {
			row.Live = &live
		}
		start := len(backing)
		backing = paths(backing, predictor, dialled, &r, row.Node, node)
		row.Paths = backing[start:len(backing):len(backing)]
	}
	share(s, svc, r.Provider, r.Nodes)
	r.Findings, r.Passed = finding.Check(&finding.Facts{
		Snapshot: s, Service: svc, Provider: r.Provider, Rows: r.Nodes, Nowhere: nowhere,
		PredictCluster: asCluster(s, svc), AnsweredInside: func() []string { return remedy.AnsweredInside(s.Corefile, svc) },
	})
	return r
}

// asCluster predicts for the Service as it would be with externalTrafficPolicy Cluster. Nothing is prepared until it is asked.
func asCluster(s *cluster.Snapshot, svc *cluster.Service) func(dataplane.Client, dataplane.Target) dataplane.Path {
	var predictor *dataplane.Predictor
	return func(client dataplane.Client, target dataplane.Target) dataplane.Path {
		if predictor == nil {
			flipped := *svc
			flipped.ExternalTrafficPolicy, flipped.HealthCheckNodePort = cluster.PolicyCluster, 0
			predictor = dataplane.New(s, &flipped)
		}
		return predictor.Path(client, target)
	}
}

func unsupported(svc *cluster.Service) string {
	switch {
	case svc.Type == cluster.TypeExternalName:
		return "it is of type ExternalName, a DNS name for something else: no node answers for it, and no traffic policy applies"
	case len(svc.Ports) == 0:
		return "it has no ports, so nothing can connect to it"
	case svc.Type == cluster.TypeClusterIP && len(svc.ExternalIPs) == 0 && svc.Headless:
		return "it is headless: its name stands for its pods' own addresses, and no node answers for it"
	case svc.Type == cluster.TypeClusterIP && len(svc.ExternalIPs) == 0:
		return "it is of type ClusterIP without external IPs: it can be reached from inside the cluster only, and externalTrafficPolicy does not apply"
	default:
		return ""
	}
}

// paths appends what connections meet from a process on the node, a pod on it, and a client outside whose packet has been sent to it.
func paths(list []dataplane.Path, p *dataplane.Predictor, dialled []dataplane.Target, r *Report, node *cluster.Node, index int) []dataplane.Path {
	for _, t := range dialled {
		t.Node = index
		if !t.At(node) {
			continue
		}
		for _, from := range [...]dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
			if from == dataplane.External && t.To == dataplane.ClusterIP {
				continue
			}
			target := t
			if from == dataplane.External {
				target = t.Arriving(r.Service, r.Provider.KeepsDestination)
			}
			list = append(list, p.Path(dataplane.Client{From: from, Node: index}, target))
		}
	}
	return list
}

// share settles which nodes a load balancer sends to that balances evenly over the nodes that pass its health check, and what part each gets.
func share(s *cluster.Snapshot, svc *cluster.Service, lb provider.LoadBalancer, rows []Row) {
	receivers, ready := 0, 0
	for i := range rows {
		row := &rows[i]
		row.LoadBalancer.Reason = withheld(svc, lb, s.DataplaneOf(row.Node), row)
		row.LoadBalancer.Receives = row.LoadBalancer.Reason == ""
		ready += row.Endpoints.Ready
		if row.LoadBalancer.Receives {
			receivers++
		}
	}
	for i := range rows {
		row := &rows[i]
		if !row.LoadBalancer.Receives || lb.Announced {
			continue
		}
		row.LoadBalancer.Share = 1 / float64(receivers)
		switch {
		case svc.ExternalTrafficPolicy == cluster.PolicyLocal && row.Endpoints.Ready > 0:
			row.LoadBalancer.PodShare = row.LoadBalancer.Share / float64(row.Endpoints.Ready)
		case svc.ExternalTrafficPolicy != cluster.PolicyLocal && row.Endpoints.Ready > 0:
			row.LoadBalancer.PodShare = 1 / float64(ready)
		}
	}
}

// withheld says why a load balancer does not send to a node, "" where it does. The rules are those of the Kubernetes service controller
// (kubernetes/cloud-provider controllers/service/controller.go) and of the health check node port, which counts ready endpoints only.
func withheld(svc *cluster.Service, lb provider.LoadBalancer, d *cluster.Dataplane, row *Row) string {
	switch {
	case svc.Type != cluster.TypeLoadBalancer:
		return "NoLoadBalancer"
	case lb.Backends == provider.Pods:
		return "SendsToPods"
	case row.Node.VirtualKubelet:
		return "RunsNoProxy"
	case excluded(row.Node):
		return "ExcludedByLabel"
	case row.Node.Deleting || slices.ContainsFunc(row.Node.Taints, func(t string) bool { return strings.HasPrefix(t, "ToBeDeletedByClusterAutoscaler") }):
		return "BeingRemoved"
	case !svc.EndpointsKnown:
		return "NotKnown"
	case svc.ExternalTrafficPolicy == cluster.PolicyLocal && row.Live != nil && row.Live.HealthCheck == cluster.Fail:
		return "HealthCheckFails"
	case svc.ExternalTrafficPolicy == cluster.PolicyLocal && row.Live != nil && row.Live.HealthCheck == cluster.Pass:
		return ""
	case svc.ExternalTrafficPolicy != cluster.PolicyLocal && misnamed(d, row) && !older(d, 33):
		// Its own health, which some load balancers ask instead, is bad as long as kube-proxy finds no Node of its name; earlier it only looked whether rules were
		// written in time (kubernetes/kubernetes pkg/proxy/healthcheck/proxy_health.go NodeEligible).
		return "NotKnown"
	case svc.ExternalTrafficPolicy == cluster.PolicyLocal && takenForOwn(svc, d, row) == 0:
		return "NoLocalEndpoint"
	case svc.ExternalTrafficPolicy != cluster.PolicyLocal || older(d, 23):
		// Before v1.23 the health check node port was served on every address.
		return ""
	default:
		reason := checkUnserved(svc, d, row.Node)
		if reason != "" && !d.Version.Known() {
			return "NotKnown"
		}
		return reason
	}
}

// older says whether a data plane is known to be of a release before v1.minor.
func older(d *cluster.Dataplane, minor int) bool {
	return d.Version.Known() && d.Version.Before(1, minor, 0)
}

// checkUnserved says why a node may not answer health checks of a Service although it has endpoints: nodePortAddresses are for health check node ports too.
func checkUnserved(svc *cluster.Service, d *cluster.Dataplane, node *cluster.Node) string {
	both := dataplane.Families(svc.ClusterIPs)
	switch first, last := dataplane.ServesNodePorts(d, node, both[0]), dataplane.ServesNodePorts(d, node, both[len(both)-1]); {
	case first == cluster.No:
		return "HealthCheckNotServed"
	case last == cluster.No:
		// Each family listens for itself, on one port: who comes first takes it from the other.
		return "NotKnown"
	default:
		return ""
	}
}

// takenForOwn counts the ready endpoints that kube-proxy on a node takes for the node's own: those that name the node it runs as.
func takenForOwn(svc *cluster.Service, d *cluster.Dataplane, row *Row) int {
	if !misnamed(d, row) {
		return row.Endpoints.Ready
	}
	own := 0
	for i := range svc.Endpoints {
		if e := &svc.Endpoints[i]; e.Ready && e.Node == d.KubeProxy.HostnameOverride {
			own++
		}
	}
	return own
}

func misnamed(d *cluster.Dataplane, row *Row) bool {
	return d.KubeProxy != nil && d.KubeProxy.HostnameOverride != "" && d.KubeProxy.HostnameOverride != row.Node.Name
}

// excluded: the label excludes a node unless its value is one that means false.
func excluded(n *cluster.Node) bool {
	value, ok := n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"]
	if !ok {
		return false
	}
	off, err := strconv.ParseBool(value)
	return err != nil || off
}

// byName orders nodes as people read names: node-9 before node-10.
func byName(nodes []cluster.Node) []int {
	order := make([]int, len(nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareNames(nodes[a].Name, nodes[b].Name) })
	return order
}

// compareNames compares runs of digits by their value, everything else byte by byte.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		digitsA, digitsB := leadingDigits(a), leadingDigits(b)
		if digitsA > 0 && digitsB > 0 {
			x, y := strings.TrimLeft(a[:digitsA], "0"), strings.TrimLeft(b[:digitsB], "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
			a, b = a[digitsA:], b[digitsB:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// Title is the Service as namespace/name.
func (r *Report) Title() string { return fmt.Sprintf("%s/%s", r.Service.Namespace, r.Service.Name) }
