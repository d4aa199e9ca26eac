package provider

import (
	"slices"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

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

func (alibaba) signs() []Sign { return alibabaSigns }

func (alibaba) toCluster(lb LoadBalancer, f Facts) Change {
	if lb.Backends == Pods {
		return Change{Gains: []string{"the load balancer sends to pods whatever the policy is: nothing changes for clients outside, only what nodes do with connections from inside"}}
	}
	nodes := 0
	for i := range f.Snapshot.Nodes {
		if n := &f.Snapshot.Nodes[i]; n.Ready != cluster.No && !n.VirtualKubelet && !n.Deleting {
			nodes++
		}
	}
	c := Change{Checks: []Check{quota(nodes, alibabaQuota, "nodes become backends")}, Costs: imaginaryKeys(f.Service)}
	if podsReachable(f).Holds == cluster.Yes {
		c.Costs = append(c.Costs, "--mode=eni would keep the client's address where Terway runs")
	}
	return c
}

func (alibaba) toLocal(lb LoadBalancer, f Facts) Change {
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

// toPods sets the annotation and policy Cluster together, as Alibaba Cloud's troubleshooting page prescribes; the annotation alone leaves connections from inside
// failing, because kube-proxy goes on obeying the policy.
func (alibaba) toPods(lb LoadBalancer, f Facts) (c Change, policy bool) {
	c = Change{Gains: []string{"the load balancer sends to pods directly, so they see the client's address, and no connection crosses a node port"}}
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
	c.Checks = append(c.Checks, quota(f.Service.ReadyBackends(), alibabaQuota, "ready endpoints become backends"))
	if check, found := skippedBefore(f); found {
		c.Checks = append(c.Checks, check)
	}
	c.Costs = append(c.Costs, imaginaryKeys(f.Service)...)
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
	return c, true
}

// skippedBefore: the controller has said of this Service before that it could not send to its pods.
func skippedBefore(f Facts) (Check, bool) {
	for i := len(f.Surroundings.Events) - 1; i >= 0; i-- {
		e := &f.Surroundings.Events[i]
		for j := range alibabaSigns {
			sign := &alibabaSigns[j]
			if sign.Reason != "SkipSyncBackends" && sign.Contains != "can not find eniid" || sign.Reason != "" && sign.Reason != e.Reason || !strings.Contains(e.Message, sign.Contains) {
				continue
			}
			return Check{
				Name: "backends-taken-before", Holds: cluster.No, Risk: "backends-were-skipped", Message: "the controller has tried to send to its pods before and said: " + sign.Means,
				Fact: "event " + e.Type + " " + e.Reason + ": " + e.Message, Source: "events of service " + f.Service.Namespace + "/" + f.Service.Name,
			}, true
		}
	}
	return Check{}, false
}

func imaginaryKeys(svc *cluster.Service) (costs []string) {
	for _, key := range mistakenForBackendType(svc) {
		costs = append(costs, "annotation "+key+" does nothing: the controller reads "+backendType+" only; take it away")
	}
	return costs
}

// mistakenForBackendType are the annotations that look as if they were backendType: another prefix before it, as the controller's other settings have it, another
// spelling, or a slip of a letter or two. The controller reads none of them. Another cloud's own key is left alone.
func mistakenForBackendType(svc *cluster.Service) (keys []string) {
	for key := range svc.Annotations {
		prefix, name, found := strings.Cut(key, "/")
		if key == backendType || key == baiduBackendType || !found {
			continue
		}
		ours := strings.HasSuffix(prefix, "kubernetes.io") || strings.Contains(prefix, "ali")
		name = strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(name))
		for _, before := range []string{"alibabacloudloadbalancer", "alicloudloadbalancer", "alibabacloud", "alicloud", "loadbalancer"} {
			name = strings.TrimPrefix(name, before)
		}
		if ours && slips(name, "backendtype") <= 2 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// slips is how many letters must be put in, left out or replaced to make one word of another.
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := above
			if a[i] != b[j] {
				next = 1 + min(above, row[j], row[j+1])
			}
			above, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// terwayDefault is since when new Terway clusters send to pods (Alibaba Cloud, annotations of Services).
var terwayDefault = time.Date(2020, time.August, 10, 0, 0, 0, 0, time.UTC)
