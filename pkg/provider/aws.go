package provider

// aws recognises the load balancers of the AWS Load Balancer Controller, of EKS Auto Mode and of the AWS cloud controller manager.
func aws(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{Name: "aws", Title: "AWS NLB", Product: "NLB"}
	switch f := c.finalizer("service.k8s.aws/"); {
	case c.service.LoadBalancerClass == "eks.amazonaws.com/nlb":
		lb.Source, lb.Backends = "loadBalancerClass eks.amazonaws.com/nlb", Pods
	case f != "":
		lb.Source, lb.Backends = "finalizer "+f, UnknownBackends
	case c.service.LoadBalancerClass == "service.k8s.aws/nlb":
		lb.Source, lb.Backends = "loadBalancerClass service.k8s.aws/nlb", UnknownBackends
	default:
		source, ok := c.fromNodes("aws://")
		if !ok {
			return LoadBalancer{}, false
		}
		lb.Source, lb.Backends = source, Nodes
		if c.service.Annotations["service.beta.kubernetes.io/aws-load-balancer-type"] == "" {
			lb.Product, lb.Title = "CLB", "AWS CLB"
		}
		return lb, true
	}
	switch c.service.Annotations["service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"] {
	case "ip":
		lb.Backends = Pods
	case "instance":
		lb.Backends = Nodes
	}
	return lb, true
}
