package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// healthy passes every health check.
func healthy(int, HealthCheck) Receives { return Passes() }

// balanced is what the load balancer of a cluster's Service sends to each node, where its nodes answer health checks
// so.
func balanced(t *testing.T, text string, answer func(int, HealthCheck) Receives) []Receives {
	t.Helper()
	s, service := given(t, text)
	backends := make([]Backend, len(s.Nodes))
	for i := range s.Nodes {
		backends[i].Node = &s.Nodes[i]
		for _, b := range service.Backends(nil) {
			switch {
			case b.Node != s.Nodes[i].Name:
			case b.Ready:
				backends[i].Ready++
			case b.Serving && b.Terminating:
				backends[i].ServingTerminating++
			}
		}
	}
	return Of(s, service).Balance(s, service, backends, answer)
}

// words is "yes" for a node that receives, else the reason and the rule.
func words(r Receives) string {
	if r.Receives == cluster.Yes {
		return "yes"
	}
	return strings.TrimSpace(r.Reason + " " + r.Rule.ID)
}

const exclude = "node.kubernetes.io/exclude-from-external-load-balancers"

// Which nodes a controller makes backends: node a is the case, and node b beside it is almost the same and is a
// backend.
func TestMembers(t *testing.T) {
	const (
		gce   = " provider-id=gce://p/z/n"
		azure = " provider-id=azure:///s/n"
		ali   = " podcidr=auto provider-id=cn-hangzhou.i-1"
		aws   = " provider-id=aws:///eu-1a/i-1"
		do    = " provider-id=digitalocean://1"
		hz    = " provider-id=hcloud://1"
		ros   = " provider-id=openstack:///1"
	)
	ack, ackEP := svc("finalizers=service.k8s.alibaba/resources"), "ep 10.244.1.10 node=a\nep 10.244.2.10 node=b\n"
	lbc := named(svc(annotate(awsPrefix+"nlb-target-type=instance"), "class=service.k8s.aws/nlb"))
	for _, c := range []struct{ name, a, b, service, want string }{
		// kubernetes/cloud-provider controllers/service/controller.go: the label's value counts, a cordon does not, and
		// since v1.27 neither does readiness.
		{"upstream, excluded", "labels=" + exclude + "=" + do, "labels=" + exclude + "=false" + do, svc(), "ExcludedByLabel LB-03"},
		{"upstream, excluded by any other word", "labels=" + exclude + "=no" + do, "labels=" + exclude + "=0" + do, svc(), "ExcludedByLabel LB-03"},
		{"upstream, about to be removed", "taints=ToBeDeletedByClusterAutoscaler=1:NoSchedule" + do, "taints=DeletionCandidateOfClusterAutoscaler=1:PreferNoSchedule" + do, svc(), "BeingRemoved LB-04"},
		{"upstream, being deleted", "deleting=true" + do, "unschedulable=true" + do, svc(), "BeingRemoved LB-04"},
		{"upstream, no providerID", "", do, svc(), "NoProviderID LB-06"},
		{"upstream, virtual", "virtual-kubelet=true" + do, do, svc(), "RunsNoProxy LB-05"},
		// needExcludeFromLB of cloud-provider-alibaba-cloud.
		{"Alibaba, excluded whatever the value", "labels=" + exclude + "=false" + ali, ali, ack, "ExcludedByLabel ALI-05"},
		{"Alibaba, its own label", "labels=service.alibabacloud.com/exclude-node=true" + ali, "labels=service.alibabacloud.com/other=true" + ali, ack, "ExcludedByLabel ALI-05"},
		{"Alibaba, master", "labels=node-role.kubernetes.io/master=" + ali, "labels=node-role.kubernetes.io/control-plane=" + ali, ack, "ControlPlane ALI-02"},
		{"Alibaba, not ready", "ready=no" + ali, ali, ack, "NotReady ALI-03"},
		{"Alibaba, cordoned", "unschedulable=true" + ali, ali, svc("finalizers=service.k8s.alibaba/resources", annotate(aliPrefix+"remove-unscheduled-backend=on")), "Cordoned ALI-04"},
		{"Alibaba, being removed", "taints=ToBeDeletedByClusterAutoscaler=1:NoSchedule" + ali, "unschedulable=true" + ali, ack, "BeingRemoved ALI-08"},
		{"Alibaba, hybrid", " podcidr=auto provider-id=ack-hybrid://1", ali, ack, "NotInCloud ALI-06"},
		{"Alibaba, label of backends", ali, "labels=pool=web" + ali, svc("finalizers=service.k8s.alibaba/resources", annotate(aliPrefix+`backend-label="pool=web"`)), "NotSelected ALI-07"},
		// pkg/backend/endpoint_utils.go and pkg/k8s/node_utils.go of aws-load-balancer-controller.
		{"AWS controller, excluded whatever the value", "labels=" + exclude + "=false" + aws, aws, lbc, "ExcludedByLabel AWS-01"},
		{"AWS controller, Fargate", "labels=eks.amazonaws.com/compute-type=fargate" + aws, "labels=eks.amazonaws.com/compute-type=auto" + aws, lbc, "RunsNoProxy AWS-02"},
		{"AWS controller, Karpenter removes it", "taints=karpenter.sh/disrupted:NoSchedule" + aws, "taints=karpenter.sh/other:NoSchedule" + aws, lbc, "NotKnown AWS-05"},
		{"AWS controller, labels of targets", aws, "labels=pool=web" + aws, named(svc(annotate(awsPrefix+"nlb-target-type=instance", awsPrefix+`target-node-labels="pool=web"`), "class=service.k8s.aws/nlb")), "NotSelected AWS-04"},
		{"AWS cloud controller reads the value", "labels=" + exclude + "=true" + aws, "labels=" + exclude + "=false" + aws, named(svc()), "ExcludedByLabel LB-03"},
		// azure.go ShouldNodeExcludedFromLoadBalancer.
		{"Azure, excluded whatever the value", "labels=" + exclude + "=false" + azure, azure, svc(), "ExcludedByLabel AZ-01"},
		{"Azure, not managed", "labels=kubernetes.azure.com/managed=false" + azure, "labels=kubernetes.azure.com/managed=true" + azure, svc(), "NotManaged AZ-02"},
		// zone_getter.go of ingress-gce, for load balancers that it keeps; the cloud controller manager reads the
		// label's value.
		{"GKE, drained", "labels=operation.gke.io/type=drain" + gce, "labels=operation.gke.io/type=upgrade" + gce, svc("finalizers=gke.networking.io/l4-netlb-v2"), "BeingRemoved GKE-02"},
		{"GKE, false of its own controller", "labels=" + exclude + "=false" + gce, gce, svc("finalizers=gke.networking.io/l4-netlb-v2"), "ExcludedByLabel GKE-01"},
		{"GKE, false of either controller", "labels=" + exclude + "=false" + gce, gce, svc(), "NotKnown GKE-04"},
		// Selectors of labels, and servers of another kind.
		{"Octavia, selector", ros, "labels=pool=web" + ros, svc(annotate("loadbalancer.openstack.org/enable-health-monitor=true", `loadbalancer.openstack.org/node-selector="pool=web"`)), "NotSelected LB-17"},
		{"Octavia, a selector that is no plain pair", ros, "", svc(annotate("loadbalancer.openstack.org/enable-health-monitor=true", `loadbalancer.openstack.org/node-selector="pool in (web)"`)), "NotKnown LB-17"},
		{"Hetzner, a dedicated server", " provider-id=hrobot://1", hz, svc(), "NotKnown HZ-01"},
		{"IBM, edge nodes", " provider-id=ibm://1", "labels=dedicated=edge provider-id=ibm://2", svc(), "NotSelected IBM-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := balanced(t, "node a "+c.a+"\nnode b "+c.b+"\n"+c.service+ackEP, healthy)
			if w := words(got[0]); w != c.want {
				t.Errorf("node a: %s, want %s", w, c.want)
			}
			if w := words(got[1]); c.b != "" && w != "yes" && !strings.HasPrefix(w, "NotKnown IBM") {
				t.Errorf("node b: %s, want yes", w)
			}
		})
	}
}

// The traffic policy, the health check and what else decides before and after a node is a backend.
func TestBalanceReasons(t *testing.T) {
	fails := func(node int, check HealthCheck) Receives {
		if check == HealthCheckNodePort && node == 1 {
			return Fails("NoLocalEndpoint", NoLocalEndpoint)
		}
		return Passes()
	}
	do := nodesAt("digitalocean://")
	for _, c := range []struct {
		name, cluster, want string
		answer              func(int, HealthCheck) Receives
	}{
		{"by the health check", do + svc(), "yes; NoLocalEndpoint LB-02", fails},
		{"under Cluster the health check node port is not asked", do + spread(), "yes; yes", fails},
		{"no address yet", do + strings.Replace(svc(), "ingress=203.0.113.7", "", 1), "NoAddress LB-07; NoAddress LB-07", healthy},
		{"NodePort", do + "svc shop/web NodePort etp=Local port=http:80:30080\n", "NoLoadBalancer LB-08; NoLoadBalancer LB-08", healthy},
		{"not recognised", nodesAt("other://") + svc(), "NotKnown LB-01; NotKnown LB-01", healthy},
		{"pods are the backends", nodesAt("aws:///z/i-") + named(svc("class=eks.amazonaws.com/nlb")), "SendsToPods LB-09; SendsToPods LB-09", healthy},
		{"a node that was not read", "node a provider-id=digitalocean://1\nnode b known=false\n" + svc(), "yes; NotKnown LB-21", healthy},
		{"a node that is not ready", "node a provider-id=digitalocean://1\nnode b ready=no provider-id=digitalocean://2\n" + svc(), "yes; NotKnown LB-20", healthy},
		{"endpoints not read", do + svc("endpoints-known=false"), "NotKnown LB-10; NotKnown LB-10", healthy},
		{"endpoints not read, under Cluster", do + spread("endpoints-known=false"), "yes; yes", healthy},
		{"MetalLB announces from nodes with an endpoint only", "node a,b\n" + svc(annotate("metallb.io/ip-allocated-from-pool=p")) + "ep 10.244.1.10 node=a\n", "NotKnown LB-15; NoLocalEndpoint LB-19", healthy},
		{"MetalLB counts terminating endpoints that serve", "node a,b\n" + svc(annotate("metallb.io/ip-allocated-from-pool=p")) + "ep 10.244.1.10 node=a conditions=serving+terminating\n", "NotKnown LB-15; NoLocalEndpoint LB-19", healthy},
		{"MetalLB under Cluster", "node a,b\n" + spread(annotate("metallb.io/ip-allocated-from-pool=p")) + "ep 10.244.1.10 node=a\n", "NotKnown LB-15; NotKnown LB-15", healthy},
		{"another announcer", "node a,b\n" + svc(annotate("kube-vip.io/vipHost=a")) + "ep 10.244.1.10 node=a\n", "NotKnown LB-15; NotKnown LB-15", healthy},
		{"Alibaba leaves out nodes without a ready endpoint, whatever the backends are", "node a,b provider-id=cn-hangzhou.i-1\n" + svc() + "ep 192.168.7.10 node=a\n", "NotKnown LB-16; NoLocalEndpoint ALI-01", healthy},
		{"Alibaba, reused", "node a,b podcidr=auto provider-id=cn-hangzhou.i-1\n" + svc(annotate(aliPrefix+"id=lb-1")) + "ep 10.244.1.10 node=a\n", "NotKnown LB-22; NotKnown LB-22", healthy},
		{"Octavia, where the two things that it may ask differ", nodesAt("openstack:///") + svc(), "yes; NotKnown OCT-01", fails},
		{"Octavia without a monitor sends anywhere", nodesAt("openstack:///") + svc(annotate("loadbalancer.openstack.org/enable-health-monitor=false")), "yes; yes", fails},
		{"IBM, the health check is not known", nodesAt("ibm://") + svc(), "NotKnown IBM-02; NotKnown IBM-02", healthy},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, r := range balanced(t, c.cluster, c.answer) {
				got = append(got, words(r))
			}
			if all := strings.Join(got, "; "); all != c.want {
				t.Errorf("got %s, want %s", all, c.want)
			}
		})
	}
}

// Google's controllers take a subset of many nodes, 24 of an internal load balancer with subsetting, and which ones is
// not in the API; of fewer they take all (Google Cloud, "Internal passthrough Network Load Balancer Services";
// pkg/neg/syncers/subsets.go of ingress-gce).
func TestSubset(t *testing.T) {
	for _, c := range []struct {
		nodes   int
		service string
		want    string
	}{
		{24, spread("finalizers=gke.networking.io/l4-ilb-v2"), "yes"},
		{26, spread("finalizers=gke.networking.io/l4-ilb-v2"), "NotKnown GKE-03"},
		{26, spread("finalizers=gke.networking.io/l4-netlb-v2"), "yes"},
		{251, spread("finalizers=gke.networking.io/l4-netlb-v3"), "NotKnown GKE-03"},
		{251, spread("finalizers=gke.networking.io/l4-ilb-v1"), "NotKnown GKE-03"},
		// Under Local nodes without an endpoint are no candidates.
		{300, svc("finalizers=gke.networking.io/l4-netlb-v3") + "ep 10.244.1.10 node=n0\n", "yes"},
	} {
		var nodes strings.Builder
		for i := range c.nodes {
			fmt.Fprintf(&nodes, "node n%d provider-id=gce://p/z/n%d\n", i, i)
		}
		if got := words(balanced(t, nodes.String()+c.service, healthy)[0]); got != c.want {
			t.Errorf("%d nodes, %s: %s, want %s", c.nodes, c.service, got, c.want)
		}
	}
}

// Shares of nodes and of each pod: counted by hand, for two ready pods on a, one on b and none on c.
func TestShares(t *testing.T) {
	pods := "ep 10.244.1.10 node=a target=shop/w1\nep 10.244.1.11 node=a target=shop/w2\nep 10.244.2.10 node=b target=shop/w3\n"
	onlyEndpoints := func(node int, _ HealthCheck) Receives {
		if node == 2 {
			return Fails("NoLocalEndpoint", NoLocalEndpoint)
		}
		return Passes()
	}
	three := func(id string) string { return "node a,b,c podcidr=auto provider-id=" + id + "\n" }
	for _, c := range []struct {
		name, cluster, want string
		answer              func(int, HealthCheck) Receives
	}{
		{"Local, each node alike: a pod on b gets twice as much", three("digitalocean://1") + svc() + pods, "a 0.50 0.25, b 0.50 0.50, c 0.00 0.00", onlyEndpoints},
		{"Local, weighted by pods", three("gce://p/z/n") + svc(annotate("networking.gke.io/weighted-load-balancing=pods-per-node")) + pods, "a 0.67 0.33, b 0.33 0.33, c 0.00 0.00", onlyEndpoints},
		{"Local, a check that every node passes: c gets a share and has no pod", three("digitalocean://1") + svc() + pods, "a 0.33 0.17, b 0.33 0.33, c 0.33 0.00", healthy},
		{"Cluster: every node hands on to every pod alike", three("digitalocean://1") + spread() + pods, "a 0.33 0.33, b 0.33 0.33, c 0.33 0.00", healthy},
		{"zones come first: no share is known", three("aws:///z/i-1") + named(svc()) + pods, "a 0.00 0.00, b 0.00 0.00, c 0.00 0.00", onlyEndpoints},
		{"one node open: no share is known", three("digitalocean://1") + svc() + pods, "a 0.00 0.00, b 0.00 0.00, c 0.00 0.00", func(node int, _ HealthCheck) Receives {
			if node == 1 {
				return NotSettled(HealthNotKnown)
			}
			return Passes()
		}},
		{"Alibaba, pods on a virtual node are backends beside the nodes", "node a,b podcidr=auto provider-id=cn-hangzhou.i-1\nnode c virtual-kubelet=true\n" +
			svc("finalizers=service.k8s.alibaba/resources") + pods + "ep 192.168.7.10 node=c target=shop/w4\n", "a 0.33 0.17, b 0.33 0.33, c 0.00 0.33", healthy},
		{"the same under Cluster: what a single pod gets is not known", "node a,b podcidr=auto provider-id=cn-hangzhou.i-1\nnode c virtual-kubelet=true\n" +
			spread("finalizers=service.k8s.alibaba/resources") + pods + "ep 192.168.7.10 node=c target=shop/w4\n", "a 0.33 0.00, b 0.33 0.00, c 0.00 0.00", healthy},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for i, r := range balanced(t, c.cluster, c.answer) {
				got = append(got, fmt.Sprintf("%c %.2f %.2f", 'a'+i, r.Share, r.PodShare))
			}
			if all := strings.Join(got, ", "); all != c.want {
				t.Errorf("got %s, want %s", all, c.want)
			}
		})
	}
}
