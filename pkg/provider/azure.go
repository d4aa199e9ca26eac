package provider

// azure recognises Azure Load Balancer, which sends to nodes.
func azure(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes("azure://")
	return LoadBalancer{Name: "azure", Title: "Azure Load Balancer", Product: "Load Balancer", Backends: Nodes, Source: source}, ok
}
