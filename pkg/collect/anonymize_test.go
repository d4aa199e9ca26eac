package collect

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// shape is what a diagnosis goes by, without names and addresses. Endpoints are counted, for their order is that of their addresses.
type shape struct {
	Services  []serviceShape
	Nodes     []nodeShape
	Dataplane string
	Gaps      []string
}

type serviceShape struct {
	Type                                                                 cluster.ServiceType
	External, Internal                                                   cluster.Policy
	HealthCheckNodePort                                                  uint16
	Ports                                                                []cluster.Port
	ClusterIPs, ExternalIPs, SourceRanges, Finalizers, Labels, Keys, LBs int
	Modes                                                                []cluster.IPMode
	Endpoints                                                            map[endpointShape]int
}

type endpointShape struct {
	// Node is the position of the node, by name.
	Node                        int
	Ready, Serving, Terminating bool
	InPodCIDR                   bool
	Ports                       int
	HasTarget, HasZone          bool
}

type nodeShape struct {
	Ready                                      cluster.Tristate
	Unschedulable, Partial, VirtualKubelet     bool
	Addresses, PodCIDRs, Taints, Labels        int
	PodCIDRInCluster                           bool
	OS, Version, Dataplane                     string
	PrivateAddress, HasProviderID, HasZoneName bool
}

func shapeOf(s *cluster.Snapshot) shape {
	describe := func(d *cluster.Dataplane) string {
		if d == nil {
			return ""
		}
		text := string(d.Name) + "/" + string(d.Mode) + "@" + d.Version.String() + " " + string(d.Confidence) + " " + d.Source + " " + string(d.PodDetection())
		if d.Cilium != nil {
			text += " cilium " + d.Cilium.Mode + d.Cilium.Version.String()
		}
		return text
	}
	inCluster := func(p netip.Prefix) bool {
		k := s.Dataplane.KubeProxy
		return k != nil && len(k.ClusterCIDRs) > 0 && k.ClusterCIDRs[0].Contains(p.Addr()) && k.ClusterCIDRs[0].Bits() <= p.Bits()
	}
	out := shape{Dataplane: describe(&s.Dataplane)}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		one := nodeShape{
			Ready: n.Ready, Unschedulable: n.Unschedulable, Partial: n.Partial, VirtualKubelet: n.VirtualKubelet, Addresses: len(n.InternalIPs), PodCIDRs: len(n.PodCIDRs),
			Taints: len(n.Taints), Labels: len(n.Labels), OS: n.OS, Version: n.KubeletVersion.String(), Dataplane: describe(n.Dataplane), HasProviderID: n.ProviderID != "",
			HasZoneName: n.Zone != "",
		}
		for _, p := range n.PodCIDRs {
			one.PodCIDRInCluster = one.PodCIDRInCluster || inCluster(p)
		}
		for _, ip := range n.InternalIPs {
			one.PrivateAddress = one.PrivateAddress || ip.IsPrivate()
		}
		out.Nodes = append(out.Nodes, one)
	}
	for i := range s.Services {
		from := &s.Services[i]
		to := serviceShape{
			Type: from.Type, External: from.ExternalTrafficPolicy, Internal: from.InternalTrafficPolicy, HealthCheckNodePort: from.HealthCheckNodePort, Ports: from.Ports,
			ClusterIPs: len(from.ClusterIPs), ExternalIPs: len(from.ExternalIPs), SourceRanges: len(from.SourceRanges), Finalizers: len(from.Finalizers),
			Labels: len(from.Labels), Keys: len(from.Annotations), LBs: len(from.Ingress), Endpoints: map[endpointShape]int{},
		}
		for _, entry := range from.Ingress {
			to.Modes = append(to.Modes, entry.IPMode)
		}
		for j := range from.Endpoints {
			e := &from.Endpoints[j]
			one := endpointShape{
				Node: s.NodeIndex(e.Node), Ready: e.Ready, Serving: e.Serving, Terminating: e.Terminating, Ports: len(e.Ports), HasTarget: e.Target != "", HasZone: e.Zone != "",
			}
			if one.Node >= 0 {
				for _, p := range s.Nodes[one.Node].PodCIDRs {
					one.InPodCIDR = one.InPodCIDR || p.Contains(e.Address)
				}
			}
			to.Endpoints[one]++
		}
		out.Services = append(out.Services, to)
	}
	for _, gap := range s.Gaps {
		out.Gaps = append(out.Gaps, gap.Resource+" "+gap.Verb+" "+string(gap.Reason))
	}
	return out
}

func TestAnonymizedIsTheSameCluster(t *testing.T) {
	for _, name := range samples(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			objects := offline(t, name)
			var before, dump bytes.Buffer
			if err := Dump(&before, objects); err != nil {
				t.Fatal(err)
			}
			if err := Dump(&dump, Anonymize(objects)); err != nil {
				t.Fatal(err)
			}
			want := snapshot(t, objects, Query{})
			got := snapshot(t, fromText(t, dump.String()), Query{})
			if diff := cmp.Diff(shapeOf(want), shapeOf(got)); diff != "" {
				t.Errorf("another cluster (-want +got):\n%s", diff)
			}
			for i := range want.Nodes {
				if strings.Contains(dump.String(), ": "+want.Nodes[i].Name+"\n") {
					t.Errorf("node %s is still named", want.Nodes[i].Name)
				}
				if id := want.Nodes[i].ProviderID; id != "" && strings.Contains(dump.String(), id) {
					t.Errorf("provider ID %s is still there", id)
				}
			}
			// A permutation may leave some address as it is, or give it to another; not most of them.
			found := regexp.MustCompile(`\d+\.\d+\.\d+\.\d+\b`)
			again := 0
			all := found.FindAllString(before.String(), -1)
			for _, address := range all {
				if slices.Contains(found.FindAllString(dump.String(), -1), address) {
					again++
				}
			}
			if 2*again > len(all) {
				t.Errorf("%d of %d addresses are still there", again, len(all))
			}
			for _, said := range []string{"shop", "registry.example.com", "dkr.ecr", "SECRET", "secretname", "lb-2ze0example"} {
				if strings.Contains(dump.String(), said) {
					t.Errorf("%q is still there", said)
				}
			}
		})
	}
}

func TestAnonymizedAddresses(t *testing.T) {
	objects := fromText(t, `apiVersion: v1
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
	s := snapshot(t, Anonymize(objects), Query{})
	web, node := s.Services[0], s.Nodes[0]
	if !web.SourceRanges[0].Contains(web.ExternalIPs[0]) || web.SourceRanges[1].Bits() != 0 || web.SourceRanges[2].Contains(web.ExternalIPs[0]) {
		t.Errorf("ranges %v, external address %v", web.SourceRanges, web.ExternalIPs)
	}
	if !web.ClusterIPs[0].IsPrivate() || !web.ClusterIPs[1].IsPrivate() || !web.ClusterIPs[1].Is6() || web.Ingress[0].IP.IsPrivate() || web.ClusterIPs[0] == netip.MustParseAddr("10.96.3.4") {
		t.Errorf("addresses: %v %v", web.ClusterIPs, web.Ingress)
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
