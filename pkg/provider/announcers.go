package provider

// metalLB recognises addresses that MetalLB allocated and announces from nodes.
func metalLB(c candidate) (LoadBalancer, bool) {
	key := c.annotated("metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool")
	return LoadBalancer{Name: "metallb", Title: "MetalLB", Product: "MetalLB", Backends: Nodes, KeepsDestination: true, Announced: true, Source: "annotation " + key}, key != ""
}

// kubeVIP recognises addresses that kube-vip announces from nodes.
func kubeVIP(c candidate) (LoadBalancer, bool) {
	key := c.annotated("kube-vip.io/vipHost")
	lb := LoadBalancer{Name: "kube-vip", Title: "kube-vip", Product: "kube-vip", Backends: Nodes, KeepsDestination: true, Announced: true, Source: "annotation " + key}
	if key == "" && c.service.LoadBalancerClass == "kube-vip.io/kube-vip-class" {
		lb.Source = "loadBalancerClass kube-vip.io/kube-vip-class"
		return lb, true
	}
	return lb, key != ""
}
