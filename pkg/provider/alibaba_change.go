package provider

import (
	"slices"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/suggest"
)

// alibabaSigns are events of kubernetes/cloud-provider-alibaba-cloud (pkg/controller/helper/event.go) and what its
// documentation says of them.
var alibabaSigns = []Sign{
	{Reason: "SkipSyncBackends", Contains: "not in vpc cidrs", Means: "pods have addresses outside the VPC and get no traffic: remove the annotation", Bad: true},
	{Reason: "SkipSyncBackends", Contains: "eni is invalid", Means: "a pod has an address of the VPC but its network interface was not found, so the backends did not change: check Terway", Bad: true},
	{Contains: "can not find eniid", Means: "the pods have no network interfaces of their own: remove the annotation", Bad: true},
	{Contains: "does not support backend servers of eni type", Means: "this kind of load balancer cannot send to pods: choose another with annotation " + alibabaPrefix + "spec", Bad: true},
	{Contains: "reached to the quota limit", Means: "the load balancer has reached its limit of backends", Bad: true},
	{Reason: "SyncLoadBalancerFailed", Means: "the controller could not apply the change", Bad: true},
	{Reason: "UnAvailableLoadBalancer", Means: "the load balancer has no backend left", Bad: true},
	{Reason: "EnsuredLoadBalancer", Means: "the controller has applied the change"},
}

func (alibaba) signs() []Sign { return alibabaSigns }

func (alibaba) toCluster(lb LoadBalancer, f Facts) Change {
	if lb.Backends == Pods {
		return Change{Gains: []string{"the load balancer sends to pods under either policy: nothing changes for clients outside, only for connections from inside the cluster"}}
	}
	nodes := 0
	for i := range f.Snapshot.Nodes {
		if n := &f.Snapshot.Nodes[i]; n.Ready != cluster.No && !n.VirtualKubelet && !n.Deleting {
			nodes++
		}
	}
	c := Change{Checks: []Check{quota(nodes, alibabaQuota, "nodes become backends")}, Costs: imaginaryKeys(f.Service)}
	if podsReachable(f).Holds == cluster.Yes {
		c.Costs = append(c.Costs, "--mode=eni would keep the client IP, if Terway runs here")
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
		c.Costs = append(c.Costs, "the load balancer sends to pods under either policy: Local gains nothing, and can break connections from inside the cluster")
	}
	if scheduler, _ := alibabaSetting(f.Service, "scheduler"); lb.Product == "CLB" && lb.Backends != Pods && scheduler != "wrr" {
		c.Costs = append(c.Costs, "every node gets the same share, however many pods it has; annotation "+alibabaPrefix+"scheduler: wrr changes that")
	}
	return c
}

// toPods sets the annotation and policy Cluster together, as Alibaba Cloud's troubleshooting page prescribes; the
// annotation alone leaves connections from inside failing, because kube-proxy still applies the policy to them.
func (alibaba) toPods(lb LoadBalancer, f Facts) (c Change, policy bool) {
	c = Change{ClientIP: Preserved, Gains: []string{"the load balancer sends to pods directly: they see the client IP, and no connection uses a node port"}}
	if f.Service.Annotations[backendType] != "eni" {
		c.Settings = []Setting{{Key: backendType, Value: "eni"}}
	}
	c.Checks = append(c.Checks, terway(f), podsReachable(f))
	if check, found := hostNetworkBackends(f, "it is not known whether the controller finds its network interface", "host-network-backends", cluster.Undetermined); found {
		c.Checks = append(c.Checks, check)
	}
	id, key := alibabaSetting(f.Service, "id")
	override, overrideKey := alibabaSetting(f.Service, "force-override-listeners")
	switch {
	case id == "":
		c.Checks = append(c.Checks, Check{
			Name: "listeners-managed", Holds: cluster.Yes, Message: "the controller created the load balancer, so it updates the listeners",
			Fact: "no annotation chooses a load balancer", Source: annotationSource(f.Service, key),
		})
	case override != "true":
		c.Checks = append(c.Checks, Check{
			Name: "listeners-managed", Holds: cluster.No,
			Message: "load balancer " + id + " is reused and the controller does not manage its listeners, so they would still send to nodes; set annotation " +
				alibabaPrefix + "force-override-listeners to true, after checking what else uses that load balancer",
			Fact: overrideKey + " is not true", Source: annotationSource(f.Service, key),
		})
	default:
		c.Checks = append(c.Checks, Check{
			Name: "listeners-managed", Holds: cluster.Yes, Message: "the load balancer is reused, and the controller may change its listeners",
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
		c.Costs = append(c.Costs, "annotation "+backendType+" is "+value+" now, which the controller reads as ecs: only eni, in lower case, means pods")
	case value == "" && f.Surroundings.Born.After(terwayDefault):
		c.Costs = append(c.Costs, "load balancers of Terway clusters created since August 2020 send to pods by default, so this one may do so already; the Kubernetes API does not show that setting")
	}
	if spec, _ := alibabaSetting(f.Service, "spec"); lb.Product == "CLB" && spec == "" {
		c.Costs = append(c.Costs, "a shared-performance CLB cannot send to pods; the controller reports that in an event")
	}
	c.Costs = append(c.Costs, "the listeners switch to a new server group, so open connections may break")
	if drain, _ := alibabaSetting(f.Service, "connection-drain"); drain != "on" {
		c.Costs = append(c.Costs, "with annotation "+alibabaPrefix+"connection-drain: on, open connections get time to finish")
	}
	return c, true
}

// skippedBefore finds an event in which the controller reported that it could not send to this Service's pods.
func skippedBefore(f Facts) (Check, bool) {
	for i := len(f.Surroundings.Events) - 1; i >= 0; i-- {
		e := &f.Surroundings.Events[i]
		for j := range alibabaSigns {
			sign := &alibabaSigns[j]
			if sign.Reason != "SkipSyncBackends" && sign.Contains != "can not find eniid" || sign.Reason != "" && sign.Reason != e.Reason || !strings.Contains(e.Message, sign.Contains) {
				continue
			}
			return Check{
				Name: "backends-taken-before", Holds: cluster.No, Risk: "backends-were-skipped", Message: "the controller has tried to send to its pods before, and failed: " + sign.Means,
				Fact: "event " + e.Type + " " + e.Reason + ": " + e.Message, Source: "events of service " + f.Service.Namespace + "/" + f.Service.Name,
			}, true
		}
	}
	return Check{}, false
}

func imaginaryKeys(svc *cluster.Service) (costs []string) {
	for _, key := range mistakenForBackendType(svc) {
		costs = append(costs, "annotation "+key+" does nothing: the controller reads only "+backendType+"; remove it")
	}
	return costs
}

// mistakenForBackendType lists annotations that were probably meant to be backendType: with the prefix of the
// controller's other settings, another spelling, or one or two wrong letters. The controller reads none of them. The
// key of another cloud is not listed.
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
		if ours && suggest.Distance(name, "backendtype") <= 2 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// terwayDefault is since when new Terway clusters send to pods (Alibaba Cloud, annotations of Services).
var terwayDefault = time.Date(2020, time.August, 10, 0, 0, 0, 0, time.UTC)
