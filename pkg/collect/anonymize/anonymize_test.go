package anonymize

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

func TestAnonymizedAddresses(t *testing.T) {
	read := collecttest.FromText(t, `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  annotations:
    service.beta.kubernetes.io/backend-type: eni
    service.beta.kubernetes.io/alibaba-cloud-loadbalancer-scheduler: wrr
    service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id: lb-secret
    service.beta.kubernetes.io/load-balancer-source-ranges: 198.18.7.0/24,10.1.0.0/16
    corp.example/owner: alice
spec:
  type: LoadBalancer
  externalIPs: [198.18.7.9]
  clusterIPs: [10.96.3.4, "fd00:10:96::1234"]
  loadBalancerSourceRanges: [198.18.7.0/24, 0.0.0.0/0, 10.1.2.0/24]
  loadBalancerClass: service.k8s.aws/nlb
status: {loadBalancer: {ingress: [{ip: 8.8.4.4}, {hostname: abc.elb.eu-central-1.amazonaws.com}, {hostname: www.corp.example}]}}
---
apiVersion: v1
kind: Node
metadata: {name: alice-1, labels: {kubernetes.io/hostname: alice-1, corp.example/rack: r7, topology.kubernetes.io/zone: berlin}}
spec: {providerID: "azure:///subscriptions/1234/resourceGroups/alice/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/7"}
`)
	was := collecttest.Snapshot(t, read, objects.Query{}).Services[0]
	s := collecttest.Snapshot(t, Objects(read), objects.Query{})
	web, node := s.Services[0], s.Nodes[0]
	if !web.SourceRanges[0].Contains(web.ExternalIPs[0]) || web.SourceRanges[1].Bits() != 0 || web.SourceRanges[2].Contains(web.ExternalIPs[0]) {
		t.Errorf("ranges %v, external address %v", web.SourceRanges, web.ExternalIPs)
	}
	if !web.ClusterIPs[0].IsPrivate() || !web.ClusterIPs[1].IsPrivate() || !web.ClusterIPs[1].Is6() || web.Ingress[0].IP.IsPrivate() {
		t.Errorf("addresses: %v %v", web.ClusterIPs, web.Ingress)
	}
	for _, pair := range [][2]netip.Addr{
		{was.ExternalIPs[0], web.ExternalIPs[0]},
		{was.ClusterIPs[0], web.ClusterIPs[0]},
		{was.ClusterIPs[1], web.ClusterIPs[1]},
		{was.Ingress[0].IP, web.Ingress[0].IP},
		{was.SourceRanges[0].Addr(), web.SourceRanges[0].Addr()},
		{was.SourceRanges[2].Addr(), web.SourceRanges[2].Addr()},
	} {
		if pair[0] == pair[1] {
			t.Errorf("%s is left as it is", pair[0])
		}
	}
	if web.Ingress[1].Hostname != "host-00001.elb.amazonaws.com" || web.Ingress[2].Hostname != "host-00002.example.com" || web.LoadBalancerClass != "service.k8s.aws/nlb" {
		t.Errorf("host names: %+v, class %s", web.Ingress, web.LoadBalancerClass)
	}
	a := web.Annotations
	if a["service.beta.kubernetes.io/backend-type"] != "eni" || a["service.beta.kubernetes.io/alibaba-cloud-loadbalancer-scheduler"] != "wrr" ||
		!strings.HasPrefix(a["service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id"], "value-") || len(a) != 5 || a["corp.example/owner"] != "" {
		t.Errorf("annotations: %v", a)
	}
	first, _, _ := strings.Cut(a["service.beta.kubernetes.io/load-balancer-source-ranges"], ",")
	if first != web.SourceRanges[0].String() {
		t.Errorf("the annotation says %s, the field %s", first, web.SourceRanges[0])
	}
	if node.Name != "node-00001" || node.Labels["kubernetes.io/hostname"] != "node-00001" || node.Zone != "zone-00001" || node.Labels["corp.example/rack"] != "" ||
		!strings.HasPrefix(node.ProviderID, "azure:///subscriptions/part-") || !strings.Contains(node.ProviderID, "/virtualMachineScaleSets/") || strings.Contains(node.ProviderID, "alice") {
		t.Errorf("node: %+v", node)
	}
}
