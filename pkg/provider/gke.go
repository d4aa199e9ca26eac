package provider

// gke recognises Google's passthrough network load balancers, which send to nodes with the load balancer address as the destination still.
func gke(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{Name: "gke", Title: "Google Cloud passthrough NLB", Product: "passthrough NLB", Backends: Nodes, KeepsDestination: true}
	if f := c.finalizer("gke.networking.io/"); f != "" {
		lb.Source = "finalizer " + f
		return lb, true
	}
	source, ok := c.fromNodes("gce://")
	lb.Source = source
	return lb, ok
}

// gkeToCluster: weights by pods are for Local only (kubernetes/ingress-gce pkg/l4/resources/l4.go).
func gkeToCluster(f Facts) Change {
	if f.Service.Annotations["networking.gke.io/weighted-load-balancing"] == "pods-per-node" {
		return Change{Costs: []string{"annotation networking.gke.io/weighted-load-balancing has no effect with policy Cluster, and the controller says so in an event"}}
	}
	return Change{}
}
