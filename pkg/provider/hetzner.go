package provider

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// hetzner is Hetzner Cloud's load balancer, also where the first nodes are dedicated servers. They open connections of
// their own, check the node port unless an annotation says otherwise, and know no traffic policy
// (hetznercloud/hcloud-cloud-controller-manager hcloud/load_balancers.go, internal/hcops/load_balancer.go).
type hetzner struct{ unknown }

func (hetzner) about() (name, title string) { return "hetzner", "Hetzner Cloud" }

func (hetzner) rules() []*Rule { return []*Rule{hetzner01} }

func (hetzner) recognise(c candidate) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("hcloud://", "hrobot://"))
	lb := LoadBalancer{
		Name: "hetzner", Title: "Hetzner Cloud", Backends: Nodes, Delivery: ToNodePort, ClientIP: Rewritten, Source: source,
		Weights: EqualWeights, Checks: []HealthCheck{ChecksNodePort},
	}
	for key := range c.service.Annotations {
		if strings.HasPrefix(key, "load-balancer.hetzner.cloud/health-check-") {
			lb.Checks = []HealthCheck{UnknownCheck}
		}
	}
	if kind := c.service.Annotations["load-balancer.hetzner.cloud/algorithm-type"]; kind != "" && kind != "round_robin" {
		lb.Weights = UnknownWeights
	}
	return lb, ok
}

var hetzner01 = &Rule{
	ID: "HZ-01", Basis: NotKnown, Origin: "hetznercloud/hcloud-cloud-controller-manager internal/hcops/load_balancer.go",
	Reason: "the node is a dedicated server (providerID hrobot://), and the Kubernetes API does not show whether the controller is set to add those",
}

func (hetzner) members(s *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member {
	return anyOut(selects(svc, "load-balancer.hetzner.cloud/node-selector"), upstream(s), hetznerRobot)
}

func hetznerRobot(n *cluster.Node) Member {
	if strings.HasPrefix(n.ProviderID, "hrobot://") || strings.HasPrefix(n.ProviderID, "hcloud://bm-") {
		return perhaps(hetzner01)
	}
	return in()
}

func (hetzner) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, "load-balancer.hetzner.cloud/uses-proxyprotocol")
}

// endsTLS: services of protocol https (hetznercloud/hcloud-cloud-controller-manager v1.35.0
// internal/annotation/load_balancer.go).
func (hetzner) endsTLS(svc *cluster.Service) string {
	if strings.EqualFold(svc.Annotations["load-balancer.hetzner.cloud/protocol"], "https") {
		return "load-balancer.hetzner.cloud/protocol"
	}
	return ""
}

// publishesProxy: hetznercloud/hcloud-cloud-controller-manager CHANGELOG.md, v1.21.0; hcloud/load_balancers.go
// buildLoadBalancerStatusIngress.
func (hetzner) publishesProxy() string {
	return "hcloud-cloud-controller-manager v1.21.0 and later publish ipMode Proxy where the PROXY protocol is on"
}

func (hetzner) showsClientIP(_ LoadBalancer, _ *cluster.Service) (s Setting, takes string) {
	return Setting{Key: "load-balancer.hetzner.cloud/uses-proxyprotocol", Value: "true"}, ""
}

func (hetzner) toName(LoadBalancer) (p Published, instead string) {
	return Published{Key: "load-balancer.hetzner.cloud/hostname", Source: "hetznercloud/hcloud-cloud-controller-manager hcloud/load_balancers.go"}, ""
}
