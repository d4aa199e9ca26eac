package provider

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// ibm is IBM Cloud (IBM-Cloud/cloud-provider-vpc-controller pkg/vpcctl/vpc_config.go).
type ibm struct{ unknown }

func (ibm) about() (name, title string) { return "ibm", "IBM Cloud" }

func (ibm) rules() []*Rule { return []*Rule{ibm01, ibm02} }

func (ibm) recognise(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("ibm://"))
	return LoadBalancer{Name: "ibm", Title: "IBM Cloud", Backends: Nodes, Source: source}, ok
}

const ibmSource = "IBM-Cloud/cloud-provider-vpc-controller pkg/vpcctl/vpc_config.go filterNodesByEdgeLabel"

var (
	ibm01 = &Rule{ID: "IBM-01", Basis: Source, Origin: ibmSource, Reason: "some nodes have label dedicated=edge, so only those are backends; this node does not have it"}
	ibm02 = &Rule{ID: "IBM-02", Basis: NotKnown, Origin: ibmSource, Reason: "it is not known what the load balancer health-checks, or whether an annotation selects other nodes"}
)

func (ibm) members(s *cluster.Snapshot, _ *cluster.Service) func(*cluster.Node) Member {
	return anyOut(ibmEdge(s), upstream(s), func(*cluster.Node) Member { return perhaps(ibm02) })
}

// ibmEdge: as soon as one node is labelled dedicated=edge, only such nodes are members.
func ibmEdge(s *cluster.Snapshot) func(*cluster.Node) Member {
	isEdge := func(n cluster.Node) bool { return n.Labels["dedicated"] == "edge" }
	some := slices.ContainsFunc(s.Nodes, isEdge)
	return func(n *cluster.Node) Member {
		if some && !isEdge(*n) {
			return out("NotSelected", ibm01)
		}
		return in()
	}
}

// Annotations of IBM Cloud (IBM-Cloud/cloud-provider-ibm ibm/ibm_loadbalancer.go; IBM Cloud documentation, VPC load
// balancers).
const (
	ibmFeatures    = "service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features"
	ibmHealthCheck = "service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-health-check-protocol"
)

// ibmIPVS: the load balancer is the classic one of version 2.0. The annotation lists features with commas between them.
func ibmIPVS(svc *cluster.Service) bool {
	return slices.Contains(strings.Split(strings.ReplaceAll(svc.Annotations[ibmFeatures], " ", ""), ","), "ipvs")
}

func (ibm) proxyProtocol(svc *cluster.Service) string {
	if strings.Contains(svc.Annotations[ibmFeatures], "proxy-protocol") {
		return ibmFeatures
	}
	return ""
}

// toCluster: version 2.0 of the classic network load balancer (ipvs) needs policy Local (IBM Cloud documentation).
func (ibm) toCluster(_ LoadBalancer, f Facts) Change {
	if !ibmIPVS(f.Service) {
		return Change{}
	}
	return Change{Checks: []Check{{
		Name: "policy-supported", Holds: cluster.No, Message: "a classic network load balancer 2.0 (feature ipvs) needs externalTrafficPolicy Local; use --mode=dns",
		Fact: "it has the feature ipvs", Source: annotationSource(f.Service, ibmFeatures),
	}}}
}

// toLocal: the health check of a VPC load balancer follows the policy, unless this annotation sets it.
func (ibm) toLocal(_ LoadBalancer, f Facts) Change {
	if !annotated(f.Service, ibmHealthCheck) {
		return Change{}
	}
	return Change{Checks: []Check{healthCheckByHand(f.Service, ibmHealthCheck)}}
}
