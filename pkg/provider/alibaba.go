package provider

import (
	"fmt"
	"net/netip"
	"regexp"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// backendType is read raw by Alibaba's cloud controller manager, and only the exact value eni makes it send to pods.
const backendType = "service.beta.kubernetes.io/backend-type"

var alibabaInstance = regexp.MustCompile(`^(alicloud://)?[a-z]{2}-[a-z0-9-]+\.i-`)

// alibaba recognises Classic and Network Load Balancers of Alibaba Cloud (kubernetes/cloud-provider-alibaba-cloud pkg/controller/helper/service_utils.go).
func alibaba(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{Name: "alibaba", Product: "CLB"}
	switch f := c.finalizer("service.k8s.alibaba/"); {
	case f == "service.k8s.alibaba/nlb":
		lb.Product, lb.Source = "NLB", "finalizer "+f
	case f != "":
		lb.Source = "finalizer " + f
	case c.service.LoadBalancerClass == "alibabacloud.com/nlb":
		lb.Product, lb.Source = "NLB", "loadBalancerClass alibabacloud.com/nlb"
	case c.service.LoadBalancerClass == "" && alibabaInstance.MatchString(c.id):
		lb.Source = "providerID of the nodes"
	default:
		return LoadBalancer{}, false
	}
	lb.Title = "Alibaba Cloud " + lb.Product
	switch value := c.service.Annotations[backendType]; {
	case value == "eni":
		lb.Backends = Pods
	case value != "" || podsHaveNodeRanges(c.snapshot, c.service):
		lb.Backends = Nodes
	default:
		// The controller's default is not in the API: eni on Terway clusters made since August 2020, ecs elsewhere.
		lb.Backends = UnknownBackends
	}
	return lb, true
}

// podsHaveNodeRanges: some endpoint lies in a node's podCIDR, so pods are on an overlay or on routes that the load balancer cannot send to.
func podsHaveNodeRanges(s *cluster.Snapshot, svc *cluster.Service) bool {
	for i := range svc.Endpoints {
		node := s.NodeIndex(svc.Endpoints[i].Node)
		if node >= 0 && containsAddr(s.Nodes[node].PodCIDRs, svc.Endpoints[i].Address) {
			return true
		}
	}
	return false
}

func containsAddr(ranges []netip.Prefix, a netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(a) {
			return true
		}
	}
	return false
}

const (
	alibabaPrefix = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-"
	// alibabaOld is read where the key above is absent.
	alibabaOld = "service.beta.kubernetes.io/alicloud-loadbalancer-"
	// alibabaQuota is how many backends a CLB takes (Alibaba Cloud, limits of CLB).
	alibabaQuota = 200
)

// alibabaSetting is a setting of the controller, by the newer key where that is there at all (pkg/controller/service/reconcile/annotation/annotations.go).
func alibabaSetting(svc *cluster.Service, name string) (value, key string) {
	if value, ok := svc.Annotations[alibabaPrefix+name]; ok {
		return value, alibabaPrefix + name
	}
	return svc.Annotations[alibabaOld+name], alibabaOld + name
}

// alibabaSigns are events of kubernetes/cloud-provider-alibaba-cloud (pkg/controller/helper/event.go) and what its documentation says of them.
var alibabaSigns = []Sign{
	{Reason: "SkipSyncBackends", Contains: "not in vpc cidrs", Means: "pods have addresses that are not of the VPC, and got no traffic: take the annotation back", Bad: true},
	{Reason: "SkipSyncBackends", Contains: "eni is invalid", Means: "an address is of the VPC and its network interface was not found, so the backends stay as they were: look at Terway", Bad: true},
	{Contains: "can not find eniid", Means: "the pods have no network interfaces of their own: take the annotation back", Bad: true},
	{Contains: "does not support backend servers of eni type", Means: "the load balancer is of a kind that cannot send to pods: annotation " + alibabaPrefix + "spec chooses another", Bad: true},
	{Contains: "reached to the quota limit", Means: "the load balancer takes no more backends", Bad: true},
	{Reason: "SyncLoadBalancerFailed", Means: "the controller could not put the change into effect", Bad: true},
	{Reason: "UnAvailableLoadBalancer", Means: "the load balancer has no backend left", Bad: true},
	{Reason: "EnsuredLoadBalancer", Means: "the controller put the change into effect"},
}

func alibabaToCluster(lb LoadBalancer, f Facts) Change {
	if lb.Backends == Pods {
		return Change{Gains: []string{"the load balancer sends to pods whatever the policy is: nothing changes for clients outside, only what nodes do with connections from inside"}}
	}
	nodes := 0
	for i := range f.Snapshot.Nodes {
		if n := &f.Snapshot.Nodes[i]; n.Ready != cluster.No && !n.VirtualKubelet && !n.Deleting {
			nodes++
		}
	}
	c := Change{Checks: []Check{quota(nodes, alibabaQuota, "nodes become backends")}}
	if podsReachable(f).Holds == cluster.Yes {
		c.Costs = append(c.Costs, "--mode=eni would keep the client's address where Terway runs")
	}
	return c
}

func alibabaToLocal(lb LoadBalancer, f Facts) Change {
	var c Change
	if f.Service.LoadBalancerClass == "alibabacloud.com/elb" {
		c.Checks = append(c.Checks, Check{
			Name: "policy-supported", Holds: cluster.No, Message: "edge load balancers of Alibaba Cloud need externalTrafficPolicy Cluster",
			Fact: "loadBalancerClass alibabacloud.com/elb", Source: "Alibaba Cloud, ACK Edge documentation",
		})
	}
	if lb.Backends == Pods {
		c.Costs = append(c.Costs, "the load balancer sends to pods whatever the policy is: Local would gain nothing, and cost connections from inside")
	}
	if scheduler, _ := alibabaSetting(f.Service, "scheduler"); lb.Product == "CLB" && lb.Backends != Pods && scheduler != "wrr" {
		c.Costs = append(c.Costs, "every node gets the same share however many pods it has, unless annotation "+alibabaPrefix+"scheduler is wrr")
	}
	return c
}

// alibabaToPods: the annotation and policy Cluster together, as Alibaba Cloud's troubleshooting page prescribes; the annotation alone leaves connections from inside
// failing, because kube-proxy goes on obeying the policy.
func alibabaToPods(lb LoadBalancer, f Facts) Change {
	c := Change{Gains: []string{"the load balancer sends to pods directly, so they see the client's address, and no connection crosses a node port"}}
	if f.Service.Annotations[backendType] != "eni" {
		c.Settings = []Setting{{Key: backendType, Value: "eni"}}
	}
	c.Checks = append(c.Checks, terway(f), podsReachable(f))
	if check, found := hostNetworkBackends(f, "whether the controller finds its network interface is not known", "host-network-backends", cluster.Undetermined); found {
		c.Checks = append(c.Checks, check)
	}
	id, key := alibabaSetting(f.Service, "id")
	override, overrideKey := alibabaSetting(f.Service, "force-override-listeners")
	switch {
	case id == "":
		c.Checks = append(c.Checks, Check{
			Name: "listeners-managed", Holds: cluster.Yes, Message: "the load balancer is the controller's own, so its listeners follow the change",
			Fact: "no annotation chooses a load balancer", Source: annotationSource(f.Service, key),
		})
	case override != "true":
		c.Checks = append(c.Checks, Check{
			Name: "listeners-managed", Holds: cluster.No,
			Message: "the load balancer " + id + " is a reused one and its listeners are not the controller's: they would go on sending to the nodes; set annotation " +
				alibabaPrefix + "force-override-listeners to true after reviewing what else uses it",
			Fact: overrideKey + " is not true", Source: annotationSource(f.Service, key),
		})
	default:
		c.Checks = append(c.Checks, Check{
			Name: "listeners-managed", Holds: cluster.Yes, Message: "the load balancer is a reused one, and the controller may change its listeners",
			Fact: "force-override-listeners is true", Source: annotationSource(f.Service, overrideKey),
		})
	}
	c.Checks = append(c.Checks, quota(readyEndpoints(f.Service), alibabaQuota, "ready endpoints become backends"))
	for _, imaginary := range []string{alibabaPrefix + "backend-type", alibabaOld + "backend-type"} {
		if annotated(f.Service, imaginary) {
			c.Costs = append(c.Costs, "annotation "+imaginary+" does nothing: the controller reads "+backendType+" only; take it away")
		}
	}
	switch value := f.Service.Annotations[backendType]; {
	case value == "eni":
	case value != "" && value != "ecs":
		c.Costs = append(c.Costs, "annotation "+backendType+" is "+value+" now, which the controller takes for ecs: only eni, in lower case, means pods")
	case value == "" && f.Surroundings.Born.After(terwayDefault):
		c.Costs = append(c.Costs, "clusters with Terway made since August 2020 send to pods by default, so it may be so already; the cluster's own setting is not in the API")
	}
	if spec, _ := alibabaSetting(f.Service, "spec"); lb.Product == "CLB" && spec == "" {
		c.Costs = append(c.Costs, "a shared-performance CLB cannot send to pods; the controller would say so in an event")
	}
	c.Costs = append(c.Costs, "the listeners are pointed at a new group of servers: connections that are open may break")
	if drain, _ := alibabaSetting(f.Service, "connection-drain"); drain != "on" {
		c.Costs = append(c.Costs, "with annotation "+alibabaPrefix+"connection-drain on, open connections are given time to end")
	}
	return c
}

// terwayDefault is since when new Terway clusters send to pods (Alibaba Cloud, annotations of Services).
var terwayDefault = time.Date(2020, time.August, 10, 0, 0, 0, 0, time.UTC)

// terway checks for the DaemonSet of Terway (AliyunContainerService/terway charts/terway/templates/terwayd/daemonset.yaml; terway-eni is its older name).
func terway(f Facts) Check {
	c := Check{Name: "terway-ready", Source: "daemonsets of kube-system"}
	for _, d := range f.Surroundings.DaemonSets {
		if d.Name != "terway-eniip" && d.Name != "terway-eni" {
			continue
		}
		c.Source = "daemonset " + d.Namespace + "/" + d.Name
		c.Fact = fmt.Sprintf("%d of %d pods ready", d.Ready, d.Wanted)
		c.Holds = cluster.Is(d.Ready >= d.Wanted && d.Wanted > 0)
		c.Message = fmt.Sprintf("Terway runs, ready on %d of %d nodes", d.Ready, d.Wanted)
		if c.Holds == cluster.No {
			c.Risk = "terway-not-ready"
		}
		return c
	}
	if f.Surroundings.Gap("daemonsets.apps", "") != nil {
		c.Message, c.Risk = "whether Terway runs is not known: the DaemonSets of kube-system could not be read", "terway-unknown"
		return c
	}
	c.Holds, c.Message = cluster.No, "Terway does not run here, so pods have no network interfaces that the load balancer could send to; use --mode=cluster or --mode=hostname"
	c.Fact = "no DaemonSet terway-eniip or terway-eni"
	return c
}
