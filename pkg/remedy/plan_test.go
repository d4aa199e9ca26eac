package remedy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// lines says what a plan holds, one line a thing.
func lines(p *Plan) (out []string) {
	for _, c := range p.Preconditions {
		out = append(out, strings.TrimSpace(fmt.Sprintf("need %s %s %s", c.Name, [...]string{"unknown", "no", "yes"}[c.Holds], c.Risk)))
	}
	if p.Owner != nil {
		out = append(out, "owner "+p.Owner.Name)
	}
	for _, c := range p.Changes {
		for _, f := range c.Fields {
			was, _ := json.Marshal(f.Was)
			now, _ := json.Marshal(f.Now)
			out = append(out, fmt.Sprintf("set %s/%s %s %s -> %s", lower(c.Object.Kind), c.Object.Name, pathText(f.Path), was, now))
		}
		if c.Starts != "" {
			out = append(out, "starts "+c.Starts)
		}
	}
	for _, s := range p.ByHand {
		out = append(out, "by hand "+s)
	}
	for _, s := range p.Gains {
		out = append(out, "gain "+s)
	}
	for _, s := range p.Costs {
		out = append(out, "cost "+s)
	}
	for _, s := range p.Assumes {
		out = append(out, "assumes "+s)
	}
	if len(p.ByName) > 0 {
		out = append(out, "by name "+strings.Join(p.ByName, " "))
	}
	for _, e := range p.Effects {
		out = append(out, fmt.Sprintf("%s on %s: %s", [...]string{"fixes by name", "breaks", "may break"}[e.Kind], strings.Join(e.Nodes, ","), e.Message))
	}
	if len(p.May) > 0 {
		out = append(out, "may "+strings.Join(p.May, " "))
	}
	return append(out, "fixes "+strings.Join(p.Fixes, " "))
}

// testCase is one cluster, one mode, and lines that its plan has; * ends a line of which only the beginning is meant, and ! begins one that it must not have.
type testCase struct {
	name string
	mode Mode
	text string
	// around fills the surroundings; nil for none.
	around func(*cluster.Surroundings)
	o      Options
	found  []string
	want   []string
}

func (c *testCase) run(t *testing.T) {
	t.Helper()
	f := facts(t, c.text, c.found...)
	if c.around != nil {
		c.around(f.Surroundings)
	}
	got := lines(plan(t, c.mode, f, c.o))
	for _, want := range c.want {
		text, unwanted := strings.CutPrefix(want, "!")
		has := slices.ContainsFunc(got, func(line string) bool {
			if begin, ok := strings.CutSuffix(text, "*"); ok {
				return strings.HasPrefix(line, begin)
			}
			return line == text
		})
		if has == unwanted {
			t.Errorf("want %s; the plan is\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func run(t *testing.T, cases []testCase) {
	t.Helper()
	for i := range cases {
		t.Run(cases[i].name, func(t *testing.T) { cases[i].run(t) })
	}
}

// with is the story with words put in place of others.
func with(replacements ...string) string { return strings.NewReplacer(replacements...).Replace(story) }

func gap(resource string) func(*cluster.Surroundings) {
	return func(s *cluster.Surroundings) {
		s.Gaps = append(s.Gaps, cluster.Gap{Resource: resource, Verb: "list", Reason: cluster.Forbidden, Message: "forbidden"})
	}
}

func service(change func(*cluster.Metadata)) func(*cluster.Surroundings) {
	return func(s *cluster.Surroundings) { change(&s.Metadata) }
}

const (
	elsewhere = "cn-hangzhou.i-"
	nothing   = "!set *"
)

func TestCluster(t *testing.T) {
	run(t, []testCase{
		{name: "the story", mode: Cluster, text: story, found: []string{"ETP002", "ETP008"}, want: []string{
			`set service/web spec.externalTrafficPolicy "Local" -> "Cluster"`, `set service/web spec.healthCheckNodePort 32000 -> null`, "fixes ETP002 ETP008",
			"need client-ip-unused yes", "need within-quota yes", "cost client IP lost: the node replaces it with its own address (SNAT)", "cost health check node port 32000 is released*",
			"cost --mode=eni would keep the client IP*",
		}},
		{name: "already so", mode: Cluster, text: with("etp=Local hc=32000", "etp=Cluster"), want: []string{nothing, "!need *"}},
		{name: "no policy at all", mode: Cluster, text: with("LoadBalancer etp=Local hc=32000 ingress=203.0.113.10 port=http:80:30080", "ClusterIP port=http:80"), want: []string{"need has-policy no", nothing}},
		{name: "node port has no health check port", mode: Cluster, text: with("LoadBalancer etp=Local hc=32000 ingress=203.0.113.10", "NodePort etp=Local"), found: []string{"ETP025"}, want: []string{
			`set service/web spec.externalTrafficPolicy "Local" -> "Cluster"`, "!set service/web spec.healthCheckNodePort*", "fixes ETP025",
		}},
		{name: "network policy by address", mode: Cluster, text: story, around: func(s *cluster.Surroundings) {
			s.Policies = []cluster.NetworkPolicy{{Kind: "NetworkPolicy", Namespace: "shop", Name: "office", Blocks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}}
		}, want: []string{"need client-ip-unused no loses-client-ip"}},
		{name: "ingress that admits by address", mode: Cluster, text: story, around: func(s *cluster.Surroundings) {
			s.Ingresses = []cluster.IngressObject{{Namespace: "shop", Name: "web", Annotations: map[string]string{"nginx.ingress.kubernetes.io/whitelist-source-range": "198.51.100.0/24"}}}
		}, want: []string{"need client-ip-unused no loses-client-ip"}},
		{name: "ingress that does not", mode: Cluster, text: story, around: func(s *cluster.Surroundings) {
			s.Ingresses = []cluster.IngressObject{{Namespace: "shop", Name: "web", Annotations: map[string]string{"nginx.ingress.kubernetes.io/rewrite-target": "/"}}}
		}, want: []string{"need client-ip-unused yes"}},
		{name: "policies unread", mode: Cluster, text: story, around: gap(networkPolicies), want: []string{"need client-ip-unused unknown loses-client-ip"}},
		{name: "ingresses unread", mode: Cluster, text: story, around: gap(ingresses), want: []string{"need client-ip-unused unknown loses-client-ip"}},
		{name: "source ranges still hold", mode: Cluster, text: with("ingress=", "source-ranges=198.51.100.0/24 ingress="), want: []string{"cost loadBalancerSourceRanges still works*"}},
		{name: "sends to pods already", mode: Cluster, text: with("etp=Local", "annotations=service.beta.kubernetes.io/backend-type=eni etp=Local"), around: gap(networkPolicies), found: []string{"ETP002"}, want: []string{
			"!need client-ip-unused*", "!cost client IP*", "gain the load balancer sends to pods under either policy*", "fixes ETP002",
		}},
		{name: "full proxy: nothing to lose", mode: Cluster, text: with(elsewhere, "hcloud://"), around: gap(networkPolicies), want: []string{"!need client-ip-unused*", "!cost client IP*"}},
		{name: "AKS probe would fail", mode: Cluster, text: with(elsewhere, "azure:///"), around: func(s *cluster.Surroundings) { s.AppProtocols = map[string]string{"http": "http"} }, want: []string{
			"need probe-path no probe-may-fail",
		}},
		{name: "AKS probe of ingress-nginx", mode: Cluster, text: with(elsewhere, "azure:///", "etp=Local", "labels=app.kubernetes.io/name=ingress-nginx etp=Local"), around: func(s *cluster.Surroundings) { s.AppProtocols = map[string]string{"http": "http"} }, want: []string{
			"need probe-path yes", `set service/web annotation service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path null -> "/healthz"`,
		}},
		{name: "AKS probe has its path", mode: Cluster, text: with(elsewhere, "azure:///", "etp=Local", "annotations=service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path=/ok etp=Local"), around: func(s *cluster.Surroundings) { s.AppProtocols = map[string]string{"http": "http"} }, want: []string{
			"need probe-path yes", "!set service/web annotation*",
		}},
		{name: "AKS without appProtocol", mode: Cluster, text: with(elsewhere, "azure:///"), want: []string{"!need probe-path*"}},
		{name: "OCI: the annotation goes too", mode: Cluster, text: with(elsewhere, "oci://", "etp=Local", "annotations=oci-network-load-balancer.oraclecloud.com/is-preserve-source=false etp=Local"), want: []string{
			`set service/web annotation oci-network-load-balancer.oraclecloud.com/is-preserve-source "false" -> null`, "need annotation-allowed yes",
		}},
		{name: "MetalLB, shared", mode: Cluster, text: with("etp=Local", "annotations=metallb.io/ip-allocated-from-pool=a,metallb.io/allow-shared-ip=k etp=Local"), around: func(s *cluster.Surroundings) {
			s.Sharers = []cluster.Sharer{{Namespace: "shop", Name: "dns"}}
		}, want: []string{"need address-not-shared no"}},
		{name: "MetalLB, shared by nobody", mode: Cluster, text: with("etp=Local", "annotations=metallb.io/ip-allocated-from-pool=a,metallb.io/allow-shared-ip=k etp=Local"), want: []string{"need address-not-shared yes"}},
		{name: "MetalLB, who shares unread", mode: Cluster, text: with("etp=Local", "annotations=metallb.io/ip-allocated-from-pool=a,metallb.io/allow-shared-ip=k etp=Local"), around: gap(services), want: []string{"need address-not-shared unknown loses-address"}},
		{name: "MetalLB, own address", mode: Cluster, text: with("etp=Local", "annotations=metallb.io/ip-allocated-from-pool=a etp=Local"), want: []string{"!need address-not-shared*"}},
		{name: "IBM ipvs", mode: Cluster, text: with(elsewhere, "ibm://", "etp=Local", "annotations=service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features=ipvs etp=Local"), want: []string{"need policy-supported no"}},
		{name: "IBM, another feature", mode: Cluster, text: with(elsewhere, "ibm://", "etp=Local", "annotations=service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features=nlb etp=Local"), want: []string{"!need policy-supported*"}},
		{name: "HAProxy's controller, by its other prefix", mode: Cluster, text: story, around: func(s *cluster.Surroundings) {
			s.Ingresses = []cluster.IngressObject{{Namespace: "shop", Name: "web", Annotations: map[string]string{"haproxy.com/allow-list": "198.51.100.0/24"}}}
		}, want: []string{"need client-ip-unused no loses-client-ip"}},
		{name: "Huawei", mode: Cluster, text: with(elsewhere, "huaweicloud://"), want: []string{"cost Huawei Cloud documents*"}},
		{name: "GKE weighted", mode: Cluster, text: with(elsewhere, "gce://", "etp=Local", "annotations=networking.gke.io/weighted-load-balancing=pods-per-node etp=Local"), want: []string{"cost annotation networking.gke.io/weighted-load-balancing has no effect*"}},
		{name: "Cilium L2", mode: Cluster, text: with("etp=Local", "class=io.cilium/l2-announcer etp=Local"), want: []string{"gain Cilium's documentation says that L2 announcements*"}},
		{name: "UDP", mode: Cluster, text: with("http:80:30080", "http:80:30080/UDP"), want: []string{"cost UDP clients*"}},
	})
}

func TestQuotaOfNodes(t *testing.T) {
	text := with("node b zone", "node n{1..201} zone=h podcidr=auto\nnode b zone")
	run(t, []testCase{{name: "more nodes than backends", mode: Cluster, text: text, want: []string{"need within-quota no over-quota"}}})
}

func TestLocal(t *testing.T) {
	flipped := func(replacements ...string) string {
		return strings.NewReplacer(replacements...).Replace(with("etp=Local hc=32000", "etp=Cluster"))
	}
	modern := "kube-proxy/iptables@v1.33.0 pods=ClusterCIDR:172.20.0.0/16"
	old := "kube-proxy/ipvs@v1.20.15 pods=ClusterCIDR:172.20.0.0/16"
	run(t, []testCase{
		{name: "breaks clients inside", mode: Local, text: flipped(), want: []string{
			`set service/web spec.externalTrafficPolicy "Cluster" -> "Local"`, "!set service/web spec.healthCheckNodePort*", "need in-cluster-clients no breaks-in-cluster-clients", "need ready-endpoint yes",
			"cost 1 of 2 nodes get no more connections from outside, because they have no ready endpoint: b", "fixes ", "cost all traffic from outside then depends on one node",
		}},
		{name: "does not, with iptables", mode: Local, text: flipped(old, modern, "10.0.1.105", "172.20.0.5"), want: []string{"need in-cluster-clients yes"}},
		{name: "not known, without a data plane", mode: Local, text: flipped(old, "unknown"), want: []string{"need in-cluster-clients unknown breaks-in-cluster-clients"}},
		{name: "no endpoint", mode: Local, text: flipped("target=shop/web-1", "notready"), want: []string{"need ready-endpoint no no-endpoint"}},
		{name: "already so", mode: Local, text: story, want: []string{nothing, "!need *"}},
		{name: "full proxy keeps nothing", mode: Local, text: flipped(elsewhere, "hcloud://"), want: []string{"cost Hetzner Cloud opens its own connections*", "!gain pods see the client IP"}},
		{name: "OpenStack without a monitor", mode: Local, text: flipped(elsewhere, "openstack:///"), want: []string{"need health-monitor unknown drops-connections"}},
		{name: "OpenStack with one", mode: Local, text: flipped(elsewhere, "openstack:///", "etp=", "annotations=loadbalancer.openstack.org/enable-health-monitor=true etp="), want: []string{"need health-monitor yes"}},
		{name: "OpenStack, off", mode: Local, text: flipped(elsewhere, "openstack:///", "etp=", "annotations=loadbalancer.openstack.org/enable-health-monitor=false etp="), want: []string{"need health-monitor no drops-connections"}},
		{name: "Volcengine without a check", mode: Local, text: flipped(elsewhere, "volcengine://"), want: []string{"need health-check-on no drops-connections"}},
		{name: "Volcengine with one", mode: Local, text: flipped(elsewhere, "volcengine://", "etp=", "annotations=service.beta.kubernetes.io/volcengine-loadbalancer-health-check-flag=on etp="), want: []string{"need health-check-on yes"}},
		{name: "AWS health check by hand", mode: Local, text: flipped(elsewhere, "aws:///", "ingress=203.0.113.10", "ingress=web.elb.amazonaws.com", "etp=", "annotations=service.beta.kubernetes.io/aws-load-balancer-healthcheck-port=8080 etp="), want: []string{"need health-check-follows no drops-connections"}},
		{name: "IBM, health check by hand", mode: Local, text: flipped(elsewhere, "ibm://", "etp=", "annotations=service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-health-check-protocol=tcp etp="), want: []string{"need health-check-follows no drops-connections"}},
		{name: "IBM", mode: Local, text: flipped(elsewhere, "ibm://"), want: []string{"!need health-check-follows*"}},
		{name: "Huawei dedicated", mode: Local, text: flipped(elsewhere, "huaweicloud://", "etp=", "annotations=kubernetes.io/elb.class=performance etp="), want: []string{"need policy-supported unknown policy-may-be-refused"}},
		{name: "Cilium L2", mode: Local, text: flipped("etp=", "class=io.cilium/l2-announcer etp="), want: []string{"need policy-supported no"}},
		{name: "kube-vip with a lease", mode: Local, text: flipped("etp=", "annotations=kube-vip.io/vipHost=a,kube-vip.io/leaseName=x etp="), want: []string{"need policy-supported no"}},
		{name: "kube-vip", mode: Local, text: flipped("etp=", "annotations=kube-vip.io/vipHost=a etp="), want: []string{"!need policy-supported*", "cost if one node announces*"}},
		{name: "Alibaba edge", mode: Local, text: flipped("etp=", "finalizers=service.k8s.alibaba/resources class=alibabacloud.com/elb etp="), want: []string{"need policy-supported no"}},
		{name: "MetalLB, shared", mode: Local, text: flipped("etp=", "annotations=metallb.io/ip-allocated-from-pool=a,metallb.io/allow-shared-ip=k etp="), around: func(s *cluster.Surroundings) {
			s.Sharers = []cluster.Sharer{{Namespace: "shop", Name: "dns"}}
		}, want: []string{"need address-not-shared no"}},
		{
			name: "together with spread: no node stops", mode: Local, text: flipped(old, modern, "ep 10.0.1.105 node=a target=shop/web-1", "ep 10.0.1.105 node=a target=shop/web-1\nep 10.0.1.106 node=a target=shop/web-2"),
			around: deployment(nil), o: Options{With: []Mode{Spread}}, want: []string{
				"set deployment/web spec.template.spec.topologySpreadConstraints*", `set service/web spec.externalTrafficPolicy "Cluster" -> "Local"`, "gain every node has a ready endpoint, so every node still gets traffic",
			},
		},
	})
}

// terwayOn is Terway with pods on these nodes, ready or not.
func terwayOn(on map[string]bool) func(*cluster.Surroundings) {
	ready := 0
	for _, is := range on {
		if is {
			ready++
		}
	}
	return func(s *cluster.Surroundings) {
		s.DaemonSets = []cluster.DaemonSet{{Namespace: "kube-system", Name: "terway-eniip", Wanted: 2, Ready: ready, On: on}}
	}
}

func TestENI(t *testing.T) {
	terwayRuns := terwayOn(map[string]bool{"a": true, "b": true})
	annotate := func(list string) string { return with("etp=Local", "annotations="+list+" etp=Local") }
	const backend = "service.beta.kubernetes.io/backend-type"
	run(t, []testCase{
		{name: "the story", mode: ENI, text: story, around: terwayRuns, found: []string{"ETP002", "ETP003", "ETP008"}, want: []string{
			`set service/web spec.externalTrafficPolicy "Local" -> "Cluster"`, `set service/web annotation ` + backend + ` null -> "eni"`, "need terway-ready yes", "need pods-in-vpc yes",
			"need listeners-managed yes", "need within-quota yes", "fixes ETP002 ETP003 ETP008", "!cost client IP*",
		}},
		{name: "already eni: only the policy", mode: ENI, text: annotate(backend + "=eni"), around: terwayRuns, want: []string{
			`set service/web spec.externalTrafficPolicy "Local" -> "Cluster"`, "!set service/web annotation*",
		}},
		{name: "already both", mode: ENI, text: strings.ReplaceAll(annotate(backend+"=eni"), "etp=Local hc=32000", "etp=Cluster"), around: terwayRuns, want: []string{nothing, "!need *"}},
		{name: "Cluster already: only the annotation", mode: ENI, text: with("etp=Local hc=32000", "etp=Cluster"), around: terwayRuns, want: []string{
			`set service/web annotation ` + backend + ` null -> "eni"`, "!set service/web spec*",
		}},
		{name: "no Terway", mode: ENI, text: story, want: []string{"need terway-ready no"}},
		{name: "Terway not ready where an endpoint is", mode: ENI, text: story, around: terwayOn(map[string]bool{"a": false, "b": true}), want: []string{"need terway-ready no terway-not-ready"}},
		{name: "Terway not ready elsewhere", mode: ENI, text: story, around: terwayOn(map[string]bool{"a": true, "b": false}), want: []string{"need terway-ready yes"}},
		{name: "Terway elsewhere only", mode: ENI, text: story, around: terwayOn(map[string]bool{"b": true}), want: []string{"need terway-ready no"}},
		{name: "Terway leaves the node alone", mode: ENI, text: with("node a zone", "node a labels=k8s.aliyun.com/ignore-by-terway=true zone"), around: terwayRuns, want: []string{"need terway-ready no"}},
		{name: "Terway leaves another node alone", mode: ENI, text: with("node b zone", "node b labels=k8s.aliyun.com/ignore-by-terway=true zone"), around: terwayRuns, want: []string{"need terway-ready yes"}},
		{name: "a virtual node needs no Terway", mode: ENI, text: with("node a zone", "node a virtual-kubelet=true zone"), around: terwayOn(map[string]bool{"b": false}), want: []string{"need terway-ready yes"}},
		{name: "no ready endpoint", mode: ENI, text: with("target=shop/web-1", "notready"), around: terwayOn(map[string]bool{"b": false}), want: []string{"need terway-ready no terway-not-ready"}},
		{name: "Terway's pods unread", mode: ENI, text: story, around: func(s *cluster.Surroundings) {
			s.DaemonSets = []cluster.DaemonSet{{
				Namespace: "kube-system", Name: "terway-eniip", Wanted: 2, Ready: 2, Gap: &cluster.Gap{Resource: "pods", Verb: "list", Namespace: "kube-system", Message: "forbidden"},
			}}
		}, want: []string{"need terway-ready unknown terway-unknown"}},
		{name: "backends were skipped before", mode: ENI, text: story, around: func(s *cluster.Surroundings) {
			terwayRuns(s)
			s.Events = []cluster.Event{{Type: "Warning", Reason: "SkipSyncBackends", Message: "Not sync pods [10.0.1.105] whose eni is invalid"}, {Type: "Normal", Reason: "EnsuredLoadBalancer"}}
		}, want: []string{"need backends-taken-before no backends-were-skipped"}},
		{name: "another trouble before", mode: ENI, text: story, around: func(s *cluster.Surroundings) {
			terwayRuns(s)
			s.Events = []cluster.Event{{Type: "Warning", Reason: "SyncLoadBalancerFailed", Message: "throttled"}}
		}, want: []string{"!need backends-taken-before*"}},
		{name: "DaemonSets unread", mode: ENI, text: story, around: gap(daemonSets), want: []string{"need terway-ready unknown terway-unknown"}},
		{name: "pods on an overlay", mode: ENI, text: with("10.0.1.105", "172.20.0.5"), around: terwayRuns, want: []string{"need pods-in-vpc no"}},
		{name: "node unread", mode: ENI, text: with("node a zone", "node a partial=true zone", "podcidr=172.20.0.0/25 ", ""), around: terwayRuns, want: []string{"need pods-in-vpc unknown pod-network-unknown"}},
		{name: "host network", mode: ENI, text: with("10.0.1.105", "10.0.1.11"), around: terwayRuns, want: []string{"need no-host-network unknown host-network-backends"}},
		{name: "reused load balancer", mode: ENI, text: annotate("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id=lb-1"), around: terwayRuns, want: []string{"need listeners-managed no"}},
		{name: "reused, by the older key", mode: ENI, text: annotate("service.beta.kubernetes.io/alicloud-loadbalancer-id=lb-1"), around: terwayRuns, want: []string{"need listeners-managed no"}},
		{name: "reused with override", mode: ENI, text: annotate("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id=lb-1,service.beta.kubernetes.io/alibaba-cloud-loadbalancer-force-override-listeners=true"), around: terwayRuns, want: []string{"need listeners-managed yes"}},
		{name: "imaginary key", mode: ENI, text: annotate("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-backend-type=eni"), around: terwayRuns, want: []string{
			"cost annotation service.beta.kubernetes.io/alibaba-cloud-loadbalancer-backend-type does nothing*", `set service/web annotation ` + backend + ` null -> "eni"`,
		}},
		{name: "imaginary key, the older prefix", mode: ENI, text: annotate("service.beta.kubernetes.io/alicloud-loadbalancer-backend-type=eni"), around: terwayRuns, want: []string{
			"cost annotation service.beta.kubernetes.io/alicloud-loadbalancer-backend-type does nothing*",
		}},
		{name: "mistyped key", mode: ENI, text: annotate("service.beta.kubernetes.io/backend-typ=eni"), around: terwayRuns, want: []string{"cost annotation service.beta.kubernetes.io/backend-typ does nothing*"}},
		{name: "another spelling", mode: ENI, text: annotate("service.beta.kubernetes.io/BackendType=eni"), around: terwayRuns, want: []string{"cost annotation service.beta.kubernetes.io/BackendType does nothing*"}},
		{name: "another company", mode: ENI, text: annotate("service.beta.alibabacloud.com/backend-type=eni"), around: terwayRuns, want: []string{"cost annotation service.beta.alibabacloud.com/backend-type does nothing*"}},
		{name: "other keys", mode: ENI, text: annotate(
			"example.com/backend-type=eni,service.beta.kubernetes.io/alibaba-cloud-loadbalancer-backend-label=a,service.beta.kubernetes.io/cce-load-balancer-backend-type=eni",
		), around: terwayRuns, want: []string{"!cost annotation service.beta.kubernetes.io/*", "!cost annotation example.com*"}},
		{name: "imaginary key, mode cluster", mode: Cluster, text: annotate("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-backend-type=eni"), want: []string{
			"cost annotation service.beta.kubernetes.io/alibaba-cloud-loadbalancer-backend-type does nothing*",
		}},
		{name: "mistyped value", mode: ENI, text: annotate(backend + "=ENI"), around: terwayRuns, want: []string{`set service/web annotation ` + backend + ` "ENI" -> "eni"`, "cost annotation " + backend + " is ENI now*"}},
		{name: "may be the default already", mode: ENI, text: story, around: func(s *cluster.Surroundings) { terwayRuns(s); s.Born = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }, want: []string{"cost load balancers of Terway clusters created since August 2020*"}},
		{name: "AWS, controller's", mode: ENI, text: with(elsewhere, "aws:///", "ingress=203.0.113.10", "ingress=web.elb.amazonaws.com finalizers=service.k8s.aws/resources"), found: []string{"ETP008"}, want: []string{
			`set service/web annotation service.beta.kubernetes.io/aws-load-balancer-nlb-target-type null -> "ip"`, "!set service/web spec*", "need controller-owns-it yes", "fixes ETP008",
			`set service/web annotation service.beta.kubernetes.io/aws-load-balancer-target-group-attributes null -> "preserve_client_ip.enabled=true"`,
		}},
		{name: "AWS, attributes are kept", mode: ENI, text: with(elsewhere, "aws:///", "etp=Local", "finalizers=service.k8s.aws/resources annotations=service.beta.kubernetes.io/aws-load-balancer-target-group-attributes=other etp=Local"), want: []string{
			`set service/web annotation service.beta.kubernetes.io/aws-load-balancer-target-group-attributes "other" -> "other,preserve_client_ip.enabled=true"`,
		}},
		{name: "AWS, cloud controller's", mode: ENI, text: with(elsewhere, "aws:///", "ingress=203.0.113.10", "ingress=web.elb.amazonaws.com"), want: []string{"need controller-owns-it no"}},
		{name: "AWS, ip already", mode: ENI, text: with(elsewhere, "aws:///", "etp=Local", "finalizers=service.k8s.aws/resources annotations=service.beta.kubernetes.io/aws-load-balancer-nlb-target-type=ip etp=Local"), want: []string{nothing}},
		{name: "Tencent, routed pods", mode: ENI, text: with(elsewhere, "qcloud:///"), around: func(s *cluster.Surroundings) {
			s.Pods = []cluster.Pod{{Name: "web-1", Annotations: map[string]string{"tke.cloud.tencent.com/networks": "tke-route-eni"}}}
		}, found: []string{"ETP002"}, want: []string{
			`set service/web annotation service.cloud.tencent.com/direct-access null -> "true"`, `set service/web spec.externalTrafficPolicy "Local" -> "Cluster"`, "need pods-in-vpc yes", "fixes ETP002",
		}},
		{name: "Tencent, overlay", mode: ENI, text: with(elsewhere, "qcloud:///"), want: []string{"need pods-in-vpc no"}},
		{name: "Tencent, overlay that is allowed", mode: ENI, text: with(elsewhere, "qcloud:///"), around: func(s *cluster.Surroundings) {
			s.ConfigMaps = []cluster.ConfigMap{{Object: cluster.Object{Name: "tke-service-controller-config"}, Data: map[string]string{"GlobalRouteDirectAccess": "true"}}}
		}, want: []string{"need pods-in-vpc yes"}},
		{name: "Tencent, host network", mode: ENI, text: with(elsewhere, "qcloud:///", "10.0.1.105", "10.0.1.11"), want: []string{"need no-host-network no"}},
		{name: "Tencent, during a rollout", mode: ENI, text: with(elsewhere, "qcloud:///"), around: deployment(func(w *cluster.Workload) { w.Settled = cluster.No }), want: []string{"need no-rollout no"}},
		{name: "Tencent, pods unread", mode: ENI, text: with(elsewhere, "qcloud:///"), around: gap(pods), want: []string{"need pods-in-vpc unknown pod-network-unknown"}},
		{name: "Baidu", mode: ENI, text: with(elsewhere, "cce://"), want: []string{
			`set service/web annotation service.beta.kubernetes.io/cce-load-balancer-backend-type null -> "eni"`, "need change-in-place unknown unconfirmed-in-place", "need pods-in-vpc yes",
		}},
		{name: "Volcengine", mode: ENI, text: with(elsewhere, "volcengine://"), want: []string{
			`set service/web annotation service.beta.kubernetes.io/volcengine-loadbalancer-pass-through null -> "true"`, "need pods-in-vpc yes",
		}},
		{name: "GKE has none", mode: ENI, text: with(elsewhere, "gce://"), want: []string{"need provider-sends-to-pods no", nothing}},
		{name: "nobody's", mode: ENI, text: with(elsewhere, "other://"), want: []string{"need provider-sends-to-pods no", nothing}},
	})
}

func TestHostname(t *testing.T) {
	name := Options{Hosts: []string{"www.example.com"}}
	run(t, []testCase{
		{name: "Alibaba CLB", mode: Hostname, text: story, o: name, found: []string{"ETP002", "ETP003"}, want: []string{
			`set service/web annotation service.beta.kubernetes.io/alibaba-cloud-loadbalancer-hostname null -> "www.example.com"`, "!set service/web spec*", "fixes ETP002 ETP003",
			"cost the DNS record of www.example.com must already point*", "need in-cluster-clients no breaks-in-cluster-clients",
			"breaks on a: clients on 1 of 2 nodes fail whenever the load balancer picks a backend on their own node: a",
		}},
		{name: "Linode needs no name", mode: Hostname, text: with(elsewhere, "linode://"), want: []string{
			`set service/web annotation service.beta.kubernetes.io/linode-loadbalancer-hostname-only-ingress null -> "true"`, "!cost the DNS record*",
		}},
		{name: "OCI, old nodes", mode: Hostname, text: with(elsewhere, "oci://"), want: []string{"need ip-mode-obeyed no ip-mode-ignored"}},
		{name: "OCI, new nodes", mode: Hostname, text: with(elsewhere, "oci://", "v1.20.15", "v1.33.0"), want: []string{
			`set service/web annotation oci.oraclecloud.com/ingress-ip-mode null -> "proxy"`, "need ip-mode-obeyed yes", "!cost the IP address disappears*",
		}},
		{name: "a name only already", mode: Hostname, text: with("ingress=203.0.113.10", "ingress=www.example.com"), o: name, want: []string{nothing, "!need *"}},
		{name: "no address yet", mode: Hostname, text: with("ingress=203.0.113.10 ", ""), o: name, want: []string{"need has-address no"}},
		{name: "GKE has none", mode: Hostname, text: with(elsewhere, "gce://"), o: name, want: []string{"need provider-publishes-a-name no", nothing}},
		{name: "Huawei by hand", mode: Hostname, text: with(elsewhere, "huaweicloud://"), o: name, want: []string{"need provider-publishes-a-name no", nothing}},
	})
	f := facts(t, story)
	after := plan(t, Hostname, f, name).Simulate(f.Snapshot)
	if got := after.Services[0].Ingress; len(got) != 1 || got[0].IP.IsValid() || got[0].Hostname != "www.example.com" {
		t.Errorf("after: %+v", got)
	}
	if !f.Service.Ingress[0].IP.IsValid() {
		t.Error("the snapshot was changed")
	}
}
