package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// said is a change in words: settings, the checks with what they found, and whether it has gains, costs or something
// else to use.
func said(c Change) string {
	var out []string
	for _, s := range c.Settings {
		if s.Remove {
			out = append(out, "remove "+s.Key)
		} else {
			out = append(out, "set "+s.Key+"="+s.Value)
		}
	}
	for _, check := range c.Checks {
		holds := map[cluster.Tristate]string{cluster.Yes: "yes", cluster.No: "no", cluster.Undetermined: "unknown"}[check.Holds]
		out = append(out, strings.TrimSpace(check.Name+" "+holds+" "+check.Risk))
	}
	if c.Instead != "" {
		out = append(out, "instead")
	}
	return strings.Join(out, "; ")
}

// What a change of the policy needs and costs is what the controller's source or the vendor's documentation says.
func TestChangeOfPolicy(t *testing.T) {
	const azureProbe = "service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path"
	http := func(s *cluster.Surroundings) { s.AppProtocols = map[string]string{"http": "http"} }
	toCluster, toLocal := LoadBalancer.ToCluster, LoadBalancer.ToLocal
	for _, c := range []struct {
		name, cluster string
		around        func(*cluster.Surroundings)
		change        func(LoadBalancer, Facts) Change
		want          string
		// cost is a part of some cost or gain, "" where there is none.
		cost string
	}{
		// Azure probes a port whose appProtocol is http at / and wants a 200 (AKS issue 3210).
		{"Azure, HTTP", nodesAt("azure:///n") + svc(), http, toCluster, "probe-path no probe-may-fail", ""},
		{"Azure, TCP", nodesAt("azure:///n") + svc(), nil, toCluster, "", ""},
		{"Azure, HTTP with a path", nodesAt("azure:///n") + svc(annotate(azureProbe+"=/healthz")), http, toCluster, "probe-path yes", ""},
		{"Azure, ingress-nginx", nodesAt("azure:///n") + svc("labels=app.kubernetes.io/name=ingress-nginx"), http, toCluster, "set " + azureProbe + "=/healthz; probe-path yes", ""},
		{"Azure, to Local the health check node port is asked", nodesAt("azure:///n") + spread(), http, toLocal, "", ""},
		// The AWS controllers ask what an annotation says, and then not which nodes have a pod.
		{"AWS, a health check port of its own", nodesAt("aws:///z/i-") + named(spread(annotate(awsPrefix+"type=nlb", awsPrefix+"healthcheck-port=8080"))), nil, toLocal, "health-check-follows no drops-connections", ""},
		{"AWS, a path alone changes nothing of that", nodesAt("aws:///z/i-") + named(spread(annotate(awsPrefix+"type=nlb", awsPrefix+"healthcheck-path=/x"))), nil, toLocal, "", ""},
		{"AWS, pods are the backends", nodesAt("aws:///z/i-") + named(spread("class=eks.amazonaws.com/nlb", annotate(awsPrefix+"healthcheck-port=8080"))), nil, toLocal, "", "opens its own connections"},
		{"AWS, the health check moves", nodesAt("aws:///z/i-") + named(svc(annotate(awsPrefix+"type=nlb"))), nil, toCluster, "", "health check moves"},
		// The network load balancer of Oracle refuses Cluster as long as the annotation is there at all.
		{"Oracle, the source is kept by annotation", nodesAt("ocid1.instance.") + svc(annotate("oci-network-load-balancer.oraclecloud.com/is-preserve-source=false")), nil, toCluster, "remove oci-network-load-balancer.oraclecloud.com/is-preserve-source; annotation-allowed yes", ""},
		{"Oracle without it", nodesAt("ocid1.instance.") + svc(), nil, toCluster, "", ""},
		{"IBM, ipvs needs Local", nodesAt("ibm://") + svc(annotate(`service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features="ipvs, proxy-protocol"`)), nil, toCluster, "policy-supported no", ""},
		{"IBM, another feature", nodesAt("ibm://") + svc(annotate(`service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features=ipvs-like`)), nil, toCluster, "", ""},
		{"IBM, a health check of its own", nodesAt("ibm://") + spread(annotate("service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-health-check-protocol=tcp")), nil, toLocal, "health-check-follows no drops-connections", ""},
		// Without a monitor Octavia sends to nodes that have no pod.
		{"Octavia with a monitor", nodesAt("openstack:///") + spread(annotate("loadbalancer.openstack.org/enable-health-monitor=true")), nil, toLocal, "health-monitor yes", ""},
		{"Octavia without", nodesAt("openstack:///") + spread(annotate("loadbalancer.openstack.org/enable-health-monitor=false")), nil, toLocal, "health-monitor no drops-connections", ""},
		{"Octavia by its configuration", nodesAt("openstack:///") + spread(), nil, toLocal, "health-monitor unknown drops-connections", ""},
		{"Octavia to Cluster: every node serves", nodesAt("openstack:///") + svc(), nil, toCluster, "", ""},
		{"Volcengine, health check off by default", nodesAt("volcengine://") + spread(), nil, toLocal, "health-check-on no drops-connections", ""},
		{"Volcengine, on", nodesAt("volcengine://") + spread(annotate("service.beta.kubernetes.io/volcengine-loadbalancer-health-check-flag=on")), nil, toLocal, "health-check-on yes", ""},
		{"Huawei, dedicated", nodesAt("huaweicloud://") + spread(annotate("kubernetes.io/elb.class=performance")), nil, toLocal, "policy-supported unknown policy-may-be-refused", "connection tracking"},
		{"Huawei, shared", nodesAt("huaweicloud://") + spread(annotate("kubernetes.io/elb.class=union")), nil, toLocal, "", "connection tracking"},
		{"GKE, weights end with Cluster", nodesAt("gce://p/z/n") + svc(annotate("networking.gke.io/weighted-load-balancing=pods-per-node")), nil, toCluster, "", "no effect with policy Cluster"},
		{"GKE without weights", nodesAt("gce://p/z/n") + svc(), nil, toCluster, "", ""},
		// Announcers.
		{"Cilium L2 to Local", "node a\n" + spread("class=io.cilium/l2-announcer"), nil, toLocal, "policy-supported no", ""},
		{"Cilium L2 to Cluster", "node a\n" + svc("class=io.cilium/l2-announcer"), nil, toCluster, "", "L2 announcements"},
		{"Cilium BGP to Local", "node a\n" + spread("class=io.cilium/bgp-control-plane"), nil, toLocal, "", "announces the address"},
		{"kube-vip with a lease of its own", "node a\n" + spread(annotate("kube-vip.io/vipHost=a", "kube-vip.io/leaseName=x")), nil, toLocal, "policy-supported no", ""},
		{"kube-vip", "node a\n" + spread(annotate("kube-vip.io/vipHost=a")), nil, toLocal, "", "announces the address"},
		{"MetalLB, an address that another Service has", "node a\n" + svc(annotate("metallb.io/ip-allocated-from-pool=p", "metallb.io/allow-shared-ip=k")), func(s *cluster.Surroundings) {
			s.Sharers = []cluster.Sharer{{Namespace: "shop", Name: "other"}}
		}, toCluster, "address-not-shared no", ""},
		{"MetalLB, an address that might be shared", "node a\n" + svc(annotate("metallb.io/ip-allocated-from-pool=p", "metallb.io/allow-shared-ip=k")), nil, toCluster, "address-not-shared yes", ""},
		{"MetalLB", "node a\n" + svc(annotate("metallb.io/ip-allocated-from-pool=p")), nil, toCluster, "", ""},
		// Alibaba Cloud.
		{"Alibaba, edge load balancers need Cluster", "node a podcidr=auto provider-id=cn-hangzhou.i-1\n" + spread("class=alibabacloud.com/elb", "finalizers=service.k8s.alibaba/resources") + onOverlay, nil, toLocal, "policy-supported no", "same share"},
		{"Alibaba to Local, rr", aliNodes + spread() + onOverlay, nil, toLocal, "", "same share"},
		{"Alibaba to Local, wrr", aliNodes + spread(annotate(aliPrefix+"scheduler=wrr")) + onOverlay, nil, toLocal, "", ""},
		{"Alibaba, all nodes become backends", aliNodes + svc() + onOverlay, nil, toCluster, "within-quota yes", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, service := given(t, c.cluster)
			around := &cluster.Surroundings{}
			if c.around != nil {
				c.around(around)
			}
			got := c.change(Of(s, service), Facts{Snapshot: s, Service: service, Surroundings: around})
			if said(got) != c.want {
				t.Errorf("got %s, want %s", said(got), c.want)
			}
			all := strings.Join(slices.Concat(got.Costs, got.Gains), "\n")
			if !strings.Contains(all, c.cost) || c.cost == "" && all != "" {
				t.Errorf("costs and gains are %q, want %q", all, c.cost)
			}
		})
	}
}

// Where a load balancer can send to pods by an annotation that its vendor documents, and what must hold; where it
// cannot, something else is named.
func TestToPods(t *testing.T) {
	terway := func(on map[string]bool) func(*cluster.Surroundings) {
		return func(s *cluster.Surroundings) {
			s.DaemonSets = []cluster.DaemonSet{{Namespace: "kube-system", Name: "terway-eniip", Wanted: 2, Ready: 2, On: on}}
		}
	}
	vpc := "node a podcidr=10.244.1.0/24 provider-id=cn-hangzhou.i-1\n"
	const eni = "service.beta.kubernetes.io/backend-type"
	const fine = "terway-ready yes; pods-in-vpc yes; listeners-managed yes; within-quota yes"
	for _, c := range []struct {
		name, cluster string
		around        func(*cluster.Surroundings)
		policy        bool
		want          string
	}{
		{"Alibaba with Terway", vpc + svc() + inVPC, terway(map[string]bool{"a": true}), true, "set " + eni + "=eni; " + fine},
		{"Alibaba, already", vpc + svc(annotate(eni+"=eni")) + inVPC, terway(map[string]bool{"a": true}), true, fine},
		{"Alibaba without Terway", vpc + svc() + inVPC, nil, true, "set " + eni + "=eni; terway-ready no; pods-in-vpc yes; listeners-managed yes; within-quota yes"},
		{"Alibaba, Terway on another node only", vpc + svc() + inVPC, terway(map[string]bool{"b": true}), true, "set " + eni + "=eni; terway-ready no; pods-in-vpc yes; listeners-managed yes; within-quota yes"},
		{"Alibaba, pods on an overlay", vpc + svc() + onOverlay, terway(map[string]bool{"a": true}), true, "set " + eni + "=eni; terway-ready yes; pods-in-vpc no; listeners-managed yes; within-quota yes"},
		{"Alibaba, reused", vpc + svc(annotate(aliPrefix+"id=lb-1")) + inVPC, terway(map[string]bool{"a": true}), true, "set " + eni + "=eni; terway-ready yes; pods-in-vpc yes; listeners-managed no; within-quota yes"},
		{
			"AWS, its controller manages it", nodesAt("aws:///z/i-") + named(svc(annotate(awsPrefix+"nlb-target-type=instance"), "class=service.k8s.aws/nlb")) + inVPC, nil, false,
			"set " + awsPrefix + "nlb-target-type=ip; set " + awsPrefix + "target-group-attributes=preserve_client_ip.enabled=true; controller-owns-it yes; pods-in-vpc yes",
		},
		{"AWS, the cloud controller manages it", nodesAt("aws:///z/i-") + named(spread(annotate(awsPrefix+"type=nlb"))) + inVPC, nil, false, "set " + awsPrefix + "nlb-target-type=ip; controller-owns-it no; pods-in-vpc yes"},
		{"Tencent, routed pods", nodesAt("qcloud:///") + svc() + inVPC, func(s *cluster.Surroundings) {
			s.Pods = []cluster.Pod{{Name: "w", Annotations: map[string]string{"tke.cloud.tencent.com/networks": "tke-route-eni"}}}
		}, true, "set service.cloud.tencent.com/direct-access=true; pods-in-vpc yes; within-quota yes"},
		{"Tencent, GlobalRouter", nodesAt("qcloud:///") + svc() + inVPC, nil, true, "set service.cloud.tencent.com/direct-access=true; pods-in-vpc no; within-quota yes"},
		{"Volcengine", nodesAt("volcengine://") + svc() + inVPC, nil, true, "set service.beta.kubernetes.io/volcengine-loadbalancer-pass-through=true; pods-in-vpc yes"},
		{"Baidu", nodesAt("cce://") + svc() + inVPC, nil, true, "set service.beta.kubernetes.io/cce-load-balancer-backend-type=eni; pods-in-vpc yes; change-in-place unknown unconfirmed-in-place"},
		{"GKE", nodesAt("gce://p/z/n") + svc(), nil, false, "instead"},
		{"Huawei", nodesAt("huaweicloud://") + svc(), nil, false, "instead"},
		{"Hetzner", nodesAt("hcloud://") + svc(), nil, false, "instead"},
		{"MetalLB", "node a\n" + svc(annotate("metallb.io/ip-allocated-from-pool=p")), nil, false, "instead"},
		{"not recognised", nodesAt("other://") + svc(), nil, false, "instead"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, service := given(t, c.cluster)
			around := &cluster.Surroundings{}
			if c.around != nil {
				c.around(around)
			}
			got, policy := Of(s, service).ToPods(Facts{Snapshot: s, Service: service, Surroundings: around})
			if said(got) != c.want || policy != c.policy {
				t.Errorf("got %s, policy %v; want %s, %v", said(got), policy, c.want, c.policy)
			}
		})
	}
}

// Which annotation publishes a name, or makes nodes leave the address to the load balancer; of Alibaba's only the CLB
// has one.
func TestToName(t *testing.T) {
	for _, c := range []struct{ name, cluster, want string }{
		{"Alibaba CLB", aliNodes + svc(), aliPrefix + "hostname"},
		{"Alibaba NLB", aliNodes + svc("class=alibabacloud.com/nlb"), ""},
		{"DigitalOcean", nodesAt("digitalocean://") + svc(), "service.beta.kubernetes.io/do-loadbalancer-hostname"},
		{"Hetzner", nodesAt("hcloud://") + svc(), "load-balancer.hetzner.cloud/hostname"},
		{"Octavia", nodesAt("openstack:///") + svc(), "loadbalancer.openstack.org/hostname"},
		{"Linode", nodesAt("linode://") + svc(), "service.beta.kubernetes.io/linode-loadbalancer-hostname-only-ingress=true"},
		{"Scaleway", nodesAt("scaleway://") + svc(), "service.beta.kubernetes.io/scw-loadbalancer-use-hostname=true"},
		{"Vultr", nodesAt("vultr://") + svc(), "service.beta.kubernetes.io/vultr-loadbalancer-hostname"},
		{"Oracle", nodesAt("ocid1.instance.") + svc(), "oci.oraclecloud.com/ingress-ip-mode=proxy"},
		{"GKE", nodesAt("gce://p/z/n") + svc(), ""},
		{"Huawei", nodesAt("huaweicloud://") + svc(), ""},
		{"not recognised", nodesAt("other://") + svc(), ""},
	} {
		s, service := given(t, c.cluster)
		p, instead := Of(s, service).ToName()
		got := p.Key
		if p.Value != "" {
			got += "=" + p.Value
		}
		if got != c.want || (instead == "") != (c.want != "") || (p.Source == "") != (c.want == "") {
			t.Errorf("%s: %q, instead %q, by %q; want %q", c.name, got, instead, p.Source, c.want)
		}
	}
}

// ipMode is on by default since v1.30 (KEP-1860): kube-proxy before that ignores it.
func TestObeyed(t *testing.T) {
	for release, want := range map[string]cluster.Tristate{"@v1.29.4": cluster.No, "@v1.30.0": cluster.Yes, "@v1.36.3": cluster.Yes, "": cluster.Undetermined} {
		s, service := given(t, "dataplane kube-proxy/iptables"+release+"\n"+nodesAt("ocid1.instance.")+svc())
		p, _ := Of(s, service).ToName()
		if check, found := p.Obeyed(s); !found || check.Holds != want {
			t.Errorf("kube-proxy%s: %v, want %v", release, check.Holds, want)
		}
	}
}

// What divides traffic by pods, under Local, where it is not set already.
func TestWeighs(t *testing.T) {
	for _, c := range []struct{ name, cluster, want string }{
		{"Alibaba CLB", aliNodes + svc() + onOverlay, aliPrefix + "scheduler: wrr"},
		{"Alibaba CLB, set", aliNodes + svc(annotate(aliPrefix+"scheduler=wrr")) + onOverlay, ""},
		{"Alibaba NLB does so", aliNodes + svc("class=alibabacloud.com/nlb") + onOverlay, ""},
		{"GKE", nodesAt("gce://p/z/n") + svc(), "networking.gke.io/weighted-load-balancing: pods-per-node"},
		{"GKE under Cluster", nodesAt("gce://p/z/n") + spread(), ""},
		{"Tencent", nodesAt("qcloud:///") + svc(), "service.cloud.tencent.com/local-svc-weighted-balance: true"},
		{"Azure has none", nodesAt("azure:///n") + svc(), ""},
	} {
		s, service := given(t, c.cluster)
		if got := Of(s, service).Weighs(service); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A CLB cannot send a connection back to the node that it comes from (Alibaba Cloud, "What to do if the SLB is not
// accessible from the cluster"); a load balancer that opens connections of its own can, whatever it then passes on.
func TestHairpins(t *testing.T) {
	for _, c := range []struct {
		name, cluster string
		want          cluster.Tristate
	}{
		{"Alibaba CLB", aliNodes + svc() + onOverlay, cluster.No},
		{"Alibaba CLB that does not keep the client IP", aliNodes + svc(annotate(aliPrefix+"preserve-client-ip=off")) + onOverlay, cluster.Yes},
		{"Alibaba NLB", aliNodes + svc("class=alibabacloud.com/nlb") + onOverlay, cluster.Undetermined},
		{"Hetzner", nodesAt("hcloud://") + svc(), cluster.Yes},
		{"Hetzner with PROXY protocol", nodesAt("hcloud://") + svc(annotate("load-balancer.hetzner.cloud/uses-proxyprotocol=true")), cluster.Yes},
		{"GKE", nodesAt("gce://p/z/n") + svc(), cluster.Undetermined},
		{"not recognised", nodesAt("other://") + svc(), cluster.Undetermined},
	} {
		s, service := given(t, c.cluster)
		got, reason := Of(s, service).Hairpins()
		if got != c.want || (reason == "") != (got == cluster.Yes) {
			t.Errorf("%s: %v because %q, want %v", c.name, got, reason, c.want)
		}
	}
}
