package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// given reads the cluster of a test: lines as the scenarios have them, and one Service.
func given(t *testing.T, text string) (*cluster.Snapshot, *cluster.Service) {
	t.Helper()
	s, err := clustertest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Services) != 1 {
		t.Fatalf("%d Services", len(s.Services))
	}
	return s, &s.Services[0]
}

// nodesAt is two nodes with providerIDs of one form.
func nodesAt(id string) string {
	return "node a provider-id=" + id + "1\nnode b provider-id=" + id + "2\n"
}

// svc is a LoadBalancer Service with policy Local and a public address; more is added to its line, etp= among it for
// another policy.
func svc(more ...string) string {
	return "svc shop/web LoadBalancer etp=Local hc=32000 ingress=203.0.113.7 port=http:80:30080 " + strings.Join(more, " ") + "\n"
}

// spread is svc with policy Cluster.
func spread(more ...string) string {
	return strings.Replace(svc(more...), "etp=Local hc=32000", "etp=Cluster", 1)
}

// named is a Service whose load balancer publishes a name.
func named(line string) string {
	return strings.Replace(line, "ingress=203.0.113.7", "ingress=lb.example.com", 1)
}

func annotate(pairs ...string) string { return "annotations=" + strings.Join(pairs, ",") }

const (
	aliPrefix = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-"
	awsPrefix = "service.beta.kubernetes.io/aws-load-balancer-"
	aliNodes  = "node a,b podcidr=auto provider-id=cn-hangzhou.i-1\n"
	onOverlay = "ep 10.244.1.10 node=a\n"
	inVPC     = "ep 192.168.7.10 node=a\n"
)

// Each load balancer is recognised by what its controller writes, or by where the nodes run, and not in the case beside
// it. What is known of it then is what its controller's source and documentation say, not what this package does with
// it: the comment of a group names them.
func TestOf(t *testing.T) {
	recognised := map[string]bool{}
	for _, c := range []struct {
		name, cluster string
		// want is name, backends, checks, delivery, weights and client IP; a plain name where only that is meant.
		want string
	}{
		// Alibaba Cloud: docs/usage.md and clbv1 of cloud-provider-alibaba-cloud. backend-type decides what the
		// backends are; nothing else in the API does.
		{"Alibaba by finalizer, pods on an overlay", aliNodes + svc("finalizers=service.k8s.alibaba/resources") + onOverlay, "alibaba Nodes [NodePort] NodePort Equal Preserved"},
		{"Alibaba, nothing says what the backends are", aliNodes + svc("finalizers=service.k8s.alibaba/resources") + inVPC, "alibaba Unknown [] Unknown Unknown Preserved"},
		{"Alibaba, eni", aliNodes + svc(annotate("service.beta.kubernetes.io/backend-type=eni"), "finalizers=service.k8s.alibaba/resources"), "alibaba Pods [Pod] Pod Equal Preserved"},
		{"Alibaba, ENI in capitals is ecs", aliNodes + svc(annotate("service.beta.kubernetes.io/backend-type=ENI"), "finalizers=service.k8s.alibaba/resources"), "alibaba Nodes [NodePort] NodePort Equal Preserved"},
		{"Alibaba, the key that does not exist", aliNodes + svc(annotate(aliPrefix+"backend-type=eni"), "finalizers=service.k8s.alibaba/resources") + onOverlay, "alibaba Nodes [NodePort] NodePort Equal Preserved"},
		{"Alibaba NLB weighs by pods by default", aliNodes + svc("class=alibabacloud.com/nlb") + onOverlay, "alibaba Nodes [NodePort] NodePort ByEndpoints Preserved"},
		{"Alibaba NLB under Cluster", aliNodes + spread("class=alibabacloud.com/nlb") + onOverlay, "alibaba Nodes [NodePort] NodePort Equal Preserved"},
		{"Alibaba CLB with wrr", aliNodes + svc(annotate(aliPrefix+"scheduler=wrr")) + onOverlay, "alibaba Nodes [NodePort] NodePort ByEndpoints Preserved"},
		{"Alibaba CLB with wlc, by connections", aliNodes + svc(annotate(aliPrefix+"scheduler=wlc")) + onOverlay, "alibaba Nodes [NodePort] NodePort Unknown Preserved"},
		{"Alibaba, the older prefix", aliNodes + svc(annotate("service.beta.kubernetes.io/alicloud-loadbalancer-scheduler=wrr")) + onOverlay, "alibaba Nodes [NodePort] NodePort ByEndpoints Preserved"},
		{"Alibaba, an HTTP listener", aliNodes + svc(annotate(aliPrefix+"protocol-port=http:80")) + onOverlay, "alibaba Nodes [NodePort] NodePort Equal Unknown"},
		{"Alibaba, reused without override", aliNodes + svc(annotate(aliPrefix+"id=lb-1")) + onOverlay, "alibaba Nodes [NodePort] NodePort Unknown Unknown"},
		{"Alibaba, reused with override", aliNodes + svc(annotate(aliPrefix+"id=lb-1", aliPrefix+"force-override-listeners=true")) + onOverlay, "alibaba Nodes [NodePort] NodePort Equal Preserved"},
		{"Alibaba, PROXY protocol", aliNodes + svc(annotate(aliPrefix+"proxy-protocol=on")) + onOverlay, "alibaba Nodes [NodePort] NodePort Equal ProxyProtocol"},
		{"Alibaba, PROXY protocol off", aliNodes + svc(annotate(aliPrefix+"proxy-protocol=off")) + onOverlay, "alibaba Nodes [NodePort] NodePort Equal Preserved"},
		{"Alibaba, left to another controller", aliNodes + svc(annotate("service.beta.kubernetes.io/class=mine")), ""},
		{"nodes like Alibaba's, another class", aliNodes + svc("class=example.com/mine"), ""},

		// AWS: guide/service/annotations.md of aws-load-balancer-controller. The type of targets is instance unless the
		// annotation, or a flag of the controller, says ip.
		{"AWS controller, ip targets", nodesAt("aws:///eu-1a/i-") + named(svc(annotate(awsPrefix+"nlb-target-type=ip"), "finalizers=service.k8s.aws/resources")), "aws Pods [Pod] Pod ByZone Rewritten"},
		{"AWS controller, ip targets with the client IP", nodesAt("aws:///eu-1a/i-") + named(svc(annotate(awsPrefix+"nlb-target-type=ip", awsPrefix+`target-group-attributes="preserve_client_ip.enabled=true"`), "finalizers=service.k8s.aws/resources")), "aws Pods [Pod] Pod ByZone Preserved"},
		{"AWS controller, instance targets", nodesAt("aws:///eu-1a/i-") + named(svc(annotate(awsPrefix+"nlb-target-type=instance"), "class=service.k8s.aws/nlb")), "aws Nodes [HealthCheckNodePort] NodePort ByZone Preserved"},
		{"AWS controller, by its flag", nodesAt("aws:///eu-1a/i-") + named(svc("class=service.k8s.aws/nlb")), "aws Unknown [] Unknown Unknown Unknown"},
		{"AWS controller, across zones", nodesAt("aws:///eu-1a/i-") + named(svc(annotate(awsPrefix+"nlb-target-type=instance", awsPrefix+`attributes="load_balancing.cross_zone.enabled=true"`), "class=service.k8s.aws/nlb")), "aws Nodes [HealthCheckNodePort] NodePort Equal Preserved"},
		{"EKS Auto Mode", nodesAt("aws:///eu-1a/i-") + named(svc("class=eks.amazonaws.com/nlb")), "aws Pods [Pod] Pod ByZone Rewritten"},
		{"AWS cloud controller, CLB", nodesAt("aws:///eu-1a/i-") + named(svc()), "aws Nodes [HealthCheckNodePort] NodePort ByZone Rewritten"},
		{"AWS cloud controller, NLB", nodesAt("aws:///eu-1a/i-") + named(svc(annotate(awsPrefix+"type=nlb"))), "aws Nodes [HealthCheckNodePort] NodePort ByZone Preserved"},
		{"AWS cloud controller under Cluster", nodesAt("aws:///eu-1a/i-") + named(spread(annotate(awsPrefix+"type=nlb"))), "aws Nodes [NodePort KubeProxy] NodePort ByZone Preserved"},
		{"AWS publishes names, not addresses", nodesAt("aws:///eu-1a/i-") + svc(), ""},
		{"a class that is not AWS's", nodesAt("aws:///eu-1a/i-") + named(svc("class=tailscale")), ""},

		// Google Cloud: healthchecksl4.go of ingress-gce; passthrough load balancers keep both addresses of a packet.
		{"GKE", nodesAt("gce://p/z/n-") + svc(), "gke Nodes [HealthCheckNodePort] Address Equal Preserved"},
		{"GKE under Cluster", nodesAt("gce://p/z/n-") + spread(), "gke Nodes [KubeProxy] Address Equal Preserved"},
		{"GKE, weighted", nodesAt("gce://p/z/n-") + svc(annotate("networking.gke.io/weighted-load-balancing=pods-per-node")), "gke Nodes [HealthCheckNodePort] Address ByEndpoints Preserved"},
		{"GKE, weights count under Local only", nodesAt("gce://p/z/n-") + spread(annotate("networking.gke.io/weighted-load-balancing=pods-per-node")), "gke Nodes [KubeProxy] Address Equal Preserved"},
		{"GKE by finalizer, another cloud's nodes", nodesAt("other://") + svc("finalizers=gke.networking.io/l4-netlb-v2"), "gke Nodes [HealthCheckNodePort] Address Equal Preserved"},

		// Azure: azure_loadbalancer.go of cloud-provider-azure; floating IP is on unless the annotation turns it off.
		{"Azure", nodesAt("azure:///s/n-") + svc(), "azure Nodes [HealthCheckNodePort] Address Equal Preserved"},
		{"Azure under Cluster, probe mode not in the API", nodesAt("azure:///s/n-") + spread(), "azure Nodes [NodePort KubeProxy] Address Equal Preserved"},
		{"Azure without floating IP", nodesAt("azure:///s/n-") + svc(annotate("service.beta.kubernetes.io/azure-disable-load-balancer-floating-ip=true")), "azure Nodes [HealthCheckNodePort] NodePort Equal Preserved"},
		{"Azure, a probe of its own", nodesAt("azure:///s/n-") + spread(annotate("service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path=/x")), "azure Nodes [Unknown] Address Equal Preserved"},

		// Announcers are the nodes themselves.
		{"MetalLB", nodesAt("aws:///eu-1a/i-") + svc(annotate("metallb.io/ip-allocated-from-pool=p")), "metallb Nodes [] Address Unknown Preserved"},
		{"MetalLB by its older key", nodesAt("") + svc(annotate("metallb.universe.tf/ip-allocated-from-pool=p")), "metallb"},
		{"another key of MetalLB, which the user sets", "node a\n" + svc(annotate("metallb.io/loadBalancerIPs=203.0.113.7")), ""},
		{"kube-vip", "node a\n" + svc(annotate("kube-vip.io/vipHost=a")), "kube-vip Nodes [] Address Unknown Preserved"},
		{"kube-vip by class", "node a\n" + svc("class=kube-vip.io/kube-vip-class"), "kube-vip"},
		{"kube-vip's key for addresses, which the user sets", "node a\n" + svc(annotate("kube-vip.io/loadbalancerIPs=203.0.113.7")), ""},
		{"Cilium L2", "node a\n" + svc("class=io.cilium/l2-announcer"), "cilium Nodes [] Address Unknown Preserved"},
		{"Cilium LB-IPAM", "node a\n" + svc("conditions=cilium.io/IPAMRequestSatisfied"), "cilium"},
		{"Cilium's condition that no address was given", "node a\n" + svc("conditions=cilium.io/Other"), ""},
		{"PureLB", "node a\n" + svc(annotate("purelb.io/allocated-by=PureLB")), "purelb Nodes [] Address Unknown Preserved"},
		{"PureLB's key that asks for a pool", "node a\n" + svc(annotate("purelb.io/service-group=a")), ""},
		{"k3s ServiceLB", "node a ip=203.0.113.7 provider-id=k3s://a\n" + svc(), "k3s Nodes [] NodePort Unknown Unknown"},
		{"k3s with another load balancer", "node a ip=192.0.2.1 provider-id=k3s://a\n" + svc(), ""},
		{"cloud-provider-kind", "node a provider-id=kind://docker/k/a\n" + strings.Replace(svc(), "203.0.113.7", "203.0.113.7/Proxy", 1), "kind Nodes [HealthCheckNodePort] NodePort Equal Rewritten"},
		{"kind with MetalLB's kind of address", "node a provider-id=kind://docker/k/a\n" + svc(), ""},

		// Octavia: config of cloud-provider-openstack; create-monitor is off by default, and not in the API.
		{"Octavia", nodesAt("openstack:///") + svc(), "openstack Nodes [HealthCheckNodePort None] NodePort Equal Unknown"},
		{"Octavia with a monitor", nodesAt("openstack:///") + svc(annotate("loadbalancer.openstack.org/enable-health-monitor=true")), "openstack Nodes [HealthCheckNodePort] NodePort Equal Unknown"},
		{"Octavia without a monitor", nodesAt("openstack:///") + svc(annotate("loadbalancer.openstack.org/enable-health-monitor=false")), "openstack Nodes [None] NodePort Equal Unknown"},
		{"OVHcloud's own load balancer", "node a labels=node.k8s.ovh/type=b2 provider-id=openstack:///1\n" + svc(), ""},

		// Proxies open connections of their own.
		{"Hetzner", nodesAt("hcloud://") + svc(), "hetzner Nodes [NodePort] NodePort Equal Rewritten"},
		{"Hetzner, least connections", nodesAt("hcloud://") + svc(annotate("load-balancer.hetzner.cloud/algorithm-type=least_connections")), "hetzner Nodes [NodePort] NodePort Unknown Rewritten"},
		{"Hetzner, a health check of its own", nodesAt("hcloud://") + svc(annotate("load-balancer.hetzner.cloud/health-check-port=80")), "hetzner Nodes [Unknown] NodePort Equal Rewritten"},
		{"Hetzner with PROXY protocol", nodesAt("hcloud://") + svc(annotate("load-balancer.hetzner.cloud/uses-proxyprotocol=true")), "hetzner Nodes [NodePort] NodePort Equal ProxyProtocol"},
		{"DigitalOcean, type not said", nodesAt("digitalocean://") + svc(), "digitalocean Nodes [HealthCheckNodePort] Unknown Equal Unknown"},
		{"DigitalOcean, network", nodesAt("digitalocean://") + svc(annotate("service.beta.kubernetes.io/do-loadbalancer-type=REGIONAL_NETWORK")), "digitalocean Nodes [HealthCheckNodePort] Address Equal Preserved"},
		{"Oracle", nodesAt("ocid1.instance.") + svc(), "oci Nodes [HealthCheckNodePort] NodePort Equal Rewritten"},
		{"Oracle, network load balancer", nodesAt("ocid1.instance.") + svc(annotate("oci.oraclecloud.com/load-balancer-type=nlb")), "oci Nodes [HealthCheckNodePort] NodePort Equal Preserved"},
		{"Oracle, network load balancer under Cluster", nodesAt("ocid1.instance.") + spread(annotate("oci.oraclecloud.com/load-balancer-type=nlb")), "oci Nodes [KubeProxy] NodePort Equal Rewritten"},
		{"Oracle, another kind of OCID", nodesAt("ocid1.volume.") + svc(), ""},
		{"Scaleway", nodesAt("scaleway://i/") + svc(), "scaleway Nodes [NodePort] NodePort Equal Rewritten"},
		{"Scaleway asks the health check node port", nodesAt("scaleway://i/") + svc(annotate(`service.beta.kubernetes.io/scw-loadbalancer-health-check-from-service=*`)), "scaleway Nodes [HealthCheckNodePort] NodePort Equal Rewritten"},
		{"Linode", nodesAt("linode://") + svc(), "linode Nodes [NodePort] NodePort Equal Rewritten"},
		{"Linode, sticky", nodesAt("linode://") + svc(annotate("service.beta.kubernetes.io/linode-loadbalancer-default-stickiness=table")), "linode Nodes [NodePort] NodePort Unknown Rewritten"},

		// Of the rest only the names are known, and what the vendors document of pods as backends.
		{"IBM", nodesAt("ibm://") + svc(), "ibm Nodes [] Unknown Unknown Unknown"},
		{"Tencent", nodesAt("qcloud:///") + svc(), "tencent Unknown [] Unknown Unknown Unknown"},
		{"Tencent, direct access", nodesAt("qcloud:///") + svc(annotate("service.cloud.tencent.com/direct-access=true")), "tencent Pods [Pod] Pod Unknown Preserved"},
		{"Huawei", nodesAt("huaweicloud://") + svc(), "huawei Unknown [] Unknown Unknown Unknown"},
		{"Volcengine, pass-through", nodesAt("volcengine://") + svc(annotate("service.beta.kubernetes.io/volcengine-loadbalancer-pass-through=true")), "volcengine Pods [Pod] Pod Unknown Preserved"},
		{"Baidu, eni", nodesAt("cce://") + svc(annotate("service.beta.kubernetes.io/cce-load-balancer-backend-type=eni")), "baidu Pods [Pod] Pod Unknown Preserved"},
		{"Baidu's value on Volcengine", nodesAt("volcengine://") + svc(annotate("service.beta.kubernetes.io/cce-load-balancer-backend-type=eni")), "volcengine Unknown [] Unknown Unknown Unknown"},
		{"Vultr", nodesAt("vultr://") + svc(), "vultr Unknown [] Unknown Unknown Rewritten"},
		{"Exoscale", nodesAt("exoscale://") + svc(), "exoscale"},

		// The cloud of the nodes says nothing of an address that no cloud gives.
		{"an address of a node", "node a ip=203.0.113.7 provider-id=hcloud://1\n" + svc(), ""},
		{"a private address", nodesAt("hcloud://") + strings.Replace(svc(), "203.0.113.7", "10.9.9.9", 1), ""},
		{"a private address that the cloud's controller gave", nodesAt("hcloud://") + strings.Replace(svc("finalizers=service.kubernetes.io/load-balancer-cleanup"), "203.0.113.7", "10.9.9.9", 1), "hetzner"},
		{"NodePort", nodesAt("hcloud://") + "svc shop/web NodePort etp=Local port=http:80:30080\n", ""},
		{"two clouds' nodes: the first that is known", "node a provider-id=other://1\nnode b provider-id=gce://p/z/b\n" + svc(), "gke"},
		{"a virtual node's providerID", "node a virtual-kubelet=true provider-id=gce://p/z/a\n" + svc(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, service := given(t, c.cluster)
			lb := Of(s, service)
			got := fmt.Sprint(lb.Name, " ", lb.Backends, " ", lb.Checks, " ", lb.Delivery, " ", lb.Weights, " ", lb.ClientIP)
			if !strings.Contains(c.want, " ") {
				got = lb.Name
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if (lb.Source == "") != (lb.Name == "") || (lb.Title == "") != (lb.Name == "") {
				t.Errorf("recognised %q as %q by %q", lb.Name, lb.Title, lb.Source)
			}
			recognised[lb.Name] = true
		})
	}
	for _, known := range All() {
		if !recognised[known.Name] {
			t.Errorf("no case is recognised as %s", known.Name)
		}
	}
}

// The lists that explain and the documents range over name every load balancer and every rule once.
func TestRegistry(t *testing.T) {
	names, ids := map[string]bool{}, map[string]bool{}
	for _, known := range All() {
		if known.Name == "" || known.Title == "" || known.Name != strings.ToLower(known.Name) || names[known.Name] {
			t.Errorf("%q, %q: empty, not lower case or listed twice", known.Name, known.Title)
		}
		names[known.Name] = true
		lb := LoadBalancer{Name: known.Name}
		if name, _ := lb.controller().about(); name != known.Name {
			t.Errorf("%s is found as %s", known.Name, name)
		}
	}
	for _, r := range Rules() {
		if ids[r.ID] || r.ID == "" || r.Reason == "" || r.Basis == "" {
			t.Errorf("rule %q is incomplete or listed twice", r.ID)
		}
		ids[r.ID] = true
		if strings.HasSuffix(r.Reason, ".") || strings.HasPrefix(r.Reason, "The ") {
			t.Errorf("%s: the reason is no clause: %s", r.ID, r.Reason)
		}
	}
	if lb := (LoadBalancer{Name: "nothing"}); lb.controller() != (unknown{}) {
		t.Error("a name that is not listed is some load balancer")
	}
}
