package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// oci is Oracle Cloud, whose nodes may have a bare OCID as providerID (oracle/oci-cloud-controller-manager
// pkg/cloudprovider/providers/oci/util.go MapProviderIDToResourceID). A network load balancer keeps the client's
// address under policy Local, unless an annotation takes it; the flexible one, the default, opens connections of its
// own (load_balancer_spec.go).
type oci struct{ unknown }

func (oci) about() (name, title string) { return "oci", "Oracle Cloud" }

const ociPreserveSource = "oci-network-load-balancer.oraclecloud.com/is-preserve-source"

func (oci) recognise(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("oci://", "ocid1.instance."))
	lb := LoadBalancer{
		Name: "oci", Title: "Oracle Cloud", Backends: Nodes, Delivery: ToNodePort, ClientIP: Rewritten, Source: source, Weights: EqualWeights, Checks: []HealthCheck{ChecksKubeProxy},
	}
	if c.local() {
		lb.Checks = []HealthCheck{HealthCheckNodePort}
	}
	if policy := c.service.Annotations["oci.oraclecloud.com/loadbalancer-policy"]; policy != "" && policy != "ROUND_ROBIN" {
		lb.Weights = UnknownWeights
	}
	if c.service.Annotations["oci.oraclecloud.com/load-balancer-type"] == "nlb" {
		lb.Title, lb.Product = "Oracle Cloud network load balancer", "network load balancer"
		if c.local() && c.service.Annotations[ociPreserveSource] != "false" {
			lb.ClientIP = Preserved
		}
	}
	return lb, ok
}

func (oci) members(s *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member {
	return anyOut(selects(svc, "oci.oraclecloud.com/node-label-selector"), upstream(s))
}

func (oci) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/oci-load-balancer-connection-proxy-protocol-version", "oci-network-load-balancer.oraclecloud.com/is-ppv2-enabled")
}

// endsTLS: oracle/oci-cloud-controller-manager pkg/cloudprovider/providers/oci/load_balancer.go
// ServiceAnnotationLoadBalancerSSLPorts.
func (oci) endsTLS(svc *cluster.Service) string {
	return turnedOn(svc, "service.beta.kubernetes.io/oci-load-balancer-ssl-ports")
}

func (oci) showsClientIP(lb LoadBalancer, _ *cluster.Service) (s Setting, takes string) {
	if lb.Product != "" {
		return Setting{Key: "oci-network-load-balancer.oraclecloud.com/is-ppv2-enabled", Value: "true"}, ""
	}
	return Setting{Key: "service.beta.kubernetes.io/oci-load-balancer-connection-proxy-protocol-version", Value: "2"}, ""
}

// toCluster: a network load balancer refuses policy Cluster as long as that annotation is there at all
// (oracle/oci-cloud-controller-manager pkg/cloudprovider/providers/oci/load_balancer_spec.go).
func (oci) toCluster(_ LoadBalancer, f Facts) Change {
	if !annotated(f.Service, ociPreserveSource) {
		return Change{}
	}
	return Change{
		Settings: []Setting{{Key: ociPreserveSource, Remove: true}},
		Checks: []Check{{
			Name: "annotation-allowed", Holds: cluster.Yes, Message: "the controller refuses policy Cluster together with annotation " + ociPreserveSource + "; the same patch removes it",
			Fact: "it is " + f.Service.Annotations[ociPreserveSource], Source: annotationSource(f.Service, ociPreserveSource),
		}},
	}
}

func (oci) toName(LoadBalancer) (p Published, instead string) {
	return Published{
		Key: "oci.oraclecloud.com/ingress-ip-mode", Value: "proxy", Mode: cluster.Proxy, Since: cluster.Version{Major: 1, Minor: 30, Text: "v1.30"},
		Source: "oracle/oci-cloud-controller-manager pkg/cloudprovider/providers/oci/load_balancer.go",
	}, ""
}
