package provider

// baidu is the BLB of Baidu AI Cloud, of which no more is known here than how its nodes' providerIDs begin and what
// Baidu documents.
type baidu struct{ unknown }

func (baidu) about() (name, title string) { return "baidu", "Baidu AI Cloud BLB" }

const baiduBackendType = "service.beta.kubernetes.io/cce-load-balancer-backend-type"

func (baidu) recognise(c candidate) (LoadBalancer, bool) {
	lb, ok := c.cloud(baidu{}, "cce://")
	if c.service.Annotations[baiduBackendType] == "eni" {
		lb.Backends, lb.ClientIP = Pods, Preserved
	}
	return lb, ok
}

// toPods sets the annotation that Baidu documents. Its documentation does not say what becomes of a Service that is
// there already.
func (baidu) toPods(_ LoadBalancer, f Facts) (c Change, policy bool) {
	c = Change{ClientIP: Preserved, Gains: []string{"the load balancer sends to pods directly: they see the client IP"}, Checks: []Check{podsReachable(f)}}
	if f.Service.Annotations[baiduBackendType] != "eni" {
		c.Settings = []Setting{{Key: baiduBackendType, Value: "eni"}}
		c.Checks = append(c.Checks, Check{
			Name: "change-in-place", Message: "it is not known whether the controller changes the backends of an existing Service", Risk: "unconfirmed-in-place",
			Fact: "it is not eni now", Source: annotationSource(f.Service, baiduBackendType),
		})
	}
	c.Costs = append(c.Costs, "Baidu documents this for VPC-ENI networks, and for VPC-route networks with its ttm module; an IPVLAN network needs masqOutBound off")
	return c, true
}
