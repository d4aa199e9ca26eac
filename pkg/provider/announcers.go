package provider

// announced is a load balancer that is nothing but nodes that announce the address: packets come to them with the
// client's address and that of the Service.
func announced(name, title, source string) LoadBalancer {
	return LoadBalancer{Name: name, Title: title, Product: title, Backends: Nodes, Delivery: ToAddress, ClientIP: Preserved, Announced: true, Source: source}
}

// announcedToLocal is what is known of an address that nodes announce, with policy Local.
func announcedToLocal() Change {
	return Change{Costs: []string{"if one node announces the address, only the pods on that node get traffic"}}
}
