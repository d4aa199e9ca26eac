package provider

// huawei is the ELB of Huawei Cloud, of which no more is known here than how its nodes' providerIDs begin and what
// Huawei Cloud documents.
type huawei struct{ unknown }

func (huawei) about() (name, title string) { return "huawei", "Huawei Cloud ELB" }

func (huawei) recognise(c candidate) (LoadBalancer, bool) { return c.cloud(huawei{}, "huaweicloud://") }

func (huawei) toCluster(LoadBalancer, Facts) Change { return huaweiFlip() }

// huaweiFlip is what Huawei Cloud documents of a change in place (CCE user guide, externalTrafficPolicy).
func huaweiFlip() Change {
	return Change{Costs: []string{"Huawei Cloud documents that existing connection tracking entries on the nodes are not cleared, and recommends creating a new Service instead"}}
}

// toLocal: a dedicated load balancer before CCE Turbo sends to pods and needs Cluster. Whether a cluster is Turbo is
// not in the API.
func (huawei) toLocal(_ LoadBalancer, f Facts) Change {
	c := huaweiFlip()
	const class = "kubernetes.io/elb.class"
	if f.Service.Annotations[class] != "performance" {
		return c
	}
	c.Checks = []Check{{
		Name: "policy-supported", Message: "in a CCE Turbo cluster a dedicated load balancer needs externalTrafficPolicy Cluster, and it is not known whether this is one", Risk: "policy-may-be-refused",
		Fact: class + " is performance", Source: annotationSource(f.Service, class),
	}}
	return c
}

func (huawei) toPods(LoadBalancer, Facts) (c Change, policy bool) {
	return Change{Instead: "on Huawei Cloud a dedicated load balancer of a CCE Turbo cluster always sends to pods, and no annotation makes others do so; use --mode=cluster"}, false
}

func (huawei) toName(LoadBalancer) (p Published, instead string) {
	return Published{}, "Huawei Cloud has annotation kubernetes.io/elb.pass-through instead, but annotations kubernetes.io/elb.* cannot be changed later: create a new Service " +
		"with it, or use --mode=cluster or --mode=dns"
}
