package provider

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// gke is Google's passthrough network load balancers, which send to nodes with the load balancer address as the
// destination still and keep the client's address. Under policy Local they ask the health check node port, under
// Cluster kube-proxy (kubernetes/ingress-gce pkg/healthchecksl4/healthchecksl4.go).
type gke struct{ unknown }

func (gke) about() (name, title string) { return "gke", "Google Cloud passthrough NLB" }

func (gke) rules() []*Rule { return []*Rule{gke01, gke02, gke03, gke04} }

func (gke) recognise(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{
		Name: "gke", Title: "Google Cloud passthrough NLB", Product: "passthrough NLB", Backends: Nodes,
		Delivery: ToAddress, ClientIP: Preserved, Weights: EqualWeights, Checks: []HealthCheck{ChecksKubeProxy},
	}
	if c.local() {
		lb.Checks = []HealthCheck{HealthCheckNodePort}
		if c.service.Annotations[gkeWeighted] == "pods-per-node" {
			lb.Weights = ByEndpoints
		}
	}
	if f := c.finalizer("gke.networking.io/"); f != "" {
		lb.Source = "finalizer " + f
		return lb, true
	}
	source, ok := c.fromNodes(starts("gce://"))
	lb.Source = source
	return lb, ok
}

// gkeWeighted gives each node traffic by the number of its pods, under policy Local only (kubernetes/ingress-gce
// pkg/l4/annotations/service.go).
const gkeWeighted = "networking.gke.io/weighted-load-balancing"

const gkeSource = "kubernetes/ingress-gce pkg/utils/zonegetter/zone_getter.go, pkg/neg/syncers/subsets.go"

var (
	gke01 = &Rule{ID: "GKE-01", Basis: Source, Origin: gkeSource, Reason: "label " + ExcludeLabel + " excludes the node from the load balancer, whatever its value"}
	gke02 = &Rule{ID: "GKE-02", Basis: Source, Origin: gkeSource, Reason: "the node is being drained (label operation.gke.io/type=drain)"}
	gke04 = &Rule{
		ID: "GKE-04", Basis: NotKnown, Origin: gkeSource,
		Reason: "label " + ExcludeLabel + " is false: some of Google's controllers then include the node, others exclude it",
	}
	gke03 = &Rule{
		ID: "GKE-03", Basis: NotKnown, Origin: gkeSource,
		Reason: "the load balancer uses a subset of the nodes, and the Kubernetes API does not show which; list them with gcloud compute network-endpoint-groups " +
			"list-network-endpoints",
	}
)

func (gke) members(_ *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member {
	own := gkeOwn(svc)
	return func(n *cluster.Node) Member { return gkeMember(own, n) }
}

func gkeMember(own bool, n *cluster.Node) Member {
	switch {
	case n.VirtualKubelet:
		return out("RunsNoProxy", lb05)
	case labelled(n, ExcludeLabel) && own:
		return out("ExcludedByLabel", gke01)
	case excludedByValue(n):
		return out("ExcludedByLabel", lb03)
	case labelled(n, ExcludeLabel):
		return perhaps(gke04)
	case n.Labels["operation.gke.io/type"] == "drain":
		return out("BeingRemoved", gke02)
	case removed(n):
		return out("BeingRemoved", lb04)
	case own && n.Known && n.Ready != cluster.Yes:
		return perhaps(lb18)
	}
	return in()
}

// gkeOwn: ingress-gce keeps the load balancer, and not the cloud controller manager.
func gkeOwn(svc *cluster.Service) bool {
	return candidate{service: svc}.finalizer("gke.networking.io/") != ""
}

func (gke) subset(svc *cluster.Service) (int, *Rule) { return gkeSubset(svc), gke03 }

// gkeSubset is how many nodes the load balancer surely takes all of: with more, a subset. 0 is no limit, where it works
// with instance groups. With subsetting the finalizer is l4-ilb-v2; with network endpoint groups outside, l4-netlb-v3
// (kubernetes/ingress-gce pkg/utils/common/finalizer.go).
func gkeSubset(svc *cluster.Service) int {
	if kind := svc.Annotations["networking.gke.io/load-balancer-type"]; (strings.EqualFold(kind, "internal") || strings.EqualFold(svc.Annotations["cloud.google.com/load-balancer-type"], "internal") ||
		candidate{service: svc}.finalizer("gke.networking.io/l4-ilb-v1") != "") && (candidate{service: svc}).finalizer("gke.networking.io/l4-ilb-v2") == "" {
		return 250 // without subsetting (Google Cloud, "Internal passthrough Network Load Balancer Services", 2026)
	}
	internal, external := candidate{service: svc}.finalizer("gke.networking.io/l4-ilb-v2") != "", candidate{service: svc}.finalizer("gke.networking.io/l4-netlb-v3") != ""
	switch {
	case internal && svc.ExternalTrafficPolicy != cluster.PolicyLocal:
		return 24 // 25, and 24 where the number of zones divides it
	case internal, external:
		return 250
	}
	return 0
}

func (gke) weighs(LoadBalancer, *cluster.Service) (Setting, string) {
	return Setting{Key: gkeWeighted, Value: "pods-per-node"}, ""
}

// toCluster: weights by pods are for Local only (kubernetes/ingress-gce pkg/l4/resources/l4.go).
func (gke) toCluster(_ LoadBalancer, f Facts) Change {
	if f.Service.Annotations[gkeWeighted] == "pods-per-node" {
		return Change{Costs: []string{"annotation networking.gke.io/weighted-load-balancing has no effect with policy Cluster; the controller reports that in an event"}}
	}
	return Change{}
}

func (gke) toPods(LoadBalancer, Facts) (c Change, policy bool) {
	return Change{Instead: "Google Cloud sends to pods directly only for Ingress and Gateway, not for a Service; use --mode=cluster or --mode=dns"}, false
}
