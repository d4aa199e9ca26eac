package finding_test

import (
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// What mode cluster does to the client IP depends on who handles the connection: the load balancer, then the data plane.
func TestClientIPAfterPolicyCluster(t *testing.T) {
	const (
		iptables = "kube-proxy/iptables@v1.33.0 pods=ClusterCIDR:10.244.0.0/16"
		dsr      = "cilium@v1.20.2 cilium=v1.20.2 replaces-kube-proxy lb-mode=dsr"
	)
	for _, c := range []struct {
		name, plane, id, service string
		want                     finding.ClientIPEffect
	}{
		{"kube-proxy behind a passthrough load balancer", iptables, "gce://p/z/n", "", finding.ClientIPLost},
		{"kube-proxy behind a CLB", iptables, "cn-hangzhou.i-a", "", finding.ClientIPLost},
		{"a CLB with an HTTP listener", iptables, "cn-hangzhou.i-a", "annotations=service.beta.kubernetes.io/alibaba-cloud-loadbalancer-protocol-port=http:80", finding.ClientIPMayBeLost},
		{"kube-proxy behind MetalLB", iptables, "", "annotations=metallb.io/ip-allocated-from-pool=a", finding.ClientIPLost},
		{"kube-proxy behind an unknown load balancer", iptables, "", "", finding.ClientIPMayBeLost},
		{"kube-proxy and a node port", iptables, "", "NodePort", finding.ClientIPLost},
		{"Cilium, snat", "cilium@v1.20.2 cilium=v1.20.2 replaces-kube-proxy lb-mode=snat", "gce://p/z/n", "", finding.ClientIPLost},
		{"Cilium, dsr", dsr, "gce://p/z/n", "", finding.ClientIPKept},
		{"Cilium, dsr, and an unknown load balancer", dsr, "", "", finding.ClientIPKept},
		{"Cilium, hybrid, TCP", "cilium@v1.20.2 cilium=v1.20.2 replaces-kube-proxy lb-mode=hybrid", "gce://p/z/n", "", finding.ClientIPKept},
		{"Calico eBPF", "calico-ebpf@v3.28.2", "", "annotations=kube-vip.io/vipHost=a", finding.ClientIPKept},
		{"a load balancer that is a proxy", iptables, "hcloud://1", "", finding.ClientIPHidden},
		{"a proxy with the PROXY protocol", iptables, "hcloud://1", "annotations=load-balancer.hetzner.cloud/uses-proxyprotocol=true", finding.ClientIPKept},
		{"a load balancer that sends to pods", iptables, "cn-hangzhou.i-a", "annotations=service.beta.kubernetes.io/backend-type=eni", finding.ClientIPKept},
		{"ip targets of AWS", iptables, "aws:///a/i-1", "class=service.k8s.aws/nlb annotations=service.beta.kubernetes.io/aws-load-balancer-nlb-target-type=ip", finding.ClientIPKept},
		{"an unknown data plane", "unknown", "gce://p/z/n", "", finding.ClientIPMayBeLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			service := "LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 " + c.service
			if c.service == "NodePort" {
				service = "NodePort etp=Local"
			}
			id := ""
			if c.id != "" {
				id = " provider-id=" + c.id
			}
			s, err := clustertest.Parse("dataplane " + c.plane + "\nnode a podcidr=auto" + id + "\nnode b podcidr=auto" + id + "\nsvc shop/web " + service + " port=http:80:30080\nep 10.244.1.10 node=a target=shop/web-1\n")
			if err != nil {
				t.Fatal(err)
			}
			svc := &s.Services[0]
			flipped := *svc
			flipped.ExternalTrafficPolicy, flipped.HealthCheckNodePort = cluster.PolicyCluster, 0
			got := finding.ClientIPAfter(s, svc, provider.Of(s, svc), dataplane.New(s, svc).Path, dataplane.New(s, &flipped).Path)
			if got.Effect != c.want {
				t.Errorf("effect %d (%s), want %d", got.Effect, got.Reason, c.want)
			}
			if got.Reason == "" {
				t.Error("it gives no reason")
			}
		})
	}
}
