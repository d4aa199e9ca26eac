package provider

import (
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// tencent is the CLB of Tencent Cloud, of which no more is known here than how its nodes' providerIDs begin and what
// Tencent Cloud documents.
type tencent struct{ unknown }

func (tencent) about() (name, title string) { return "tencent", "Tencent Cloud CLB" }

const (
	tencentDirect = "service.cloud.tencent.com/direct-access"
	tencentRoute  = "tke.cloud.tencent.com/networks"
	// tencentQuota is the lower of the numbers that Tencent Cloud documents for backends of one listener.
	tencentQuota = 100
)

func (tencent) recognise(c candidate) (LoadBalancer, bool) {
	lb, ok := c.cloud(tencent{}, "qcloud://", "tencentcloud://")
	if c.service.Annotations[tencentDirect] == "true" {
		lb.Backends, lb.ClientIP = Pods, Preserved
	}
	return lb, ok
}

func (tencent) weighs(_ LoadBalancer, svc *cluster.Service) (Setting, string) {
	const needs = "service.kubernetes.io/local-svc-only-bind-node-with-pod"
	hint := ""
	if svc.Annotations[needs] != "true" {
		hint = ", together with " + needs + ": true"
	}
	return Setting{Key: "service.cloud.tencent.com/local-svc-weighted-balance", Value: "true"}, hint
}

// toPods sets the annotation that Tencent Cloud documents (cloud.tencent.com/document/product/457/41897), with what it
// says must hold.
func (tencent) toPods(_ LoadBalancer, f Facts) (c Change, policy bool) {
	c = Change{Gains: []string{"the load balancer sends to pods directly: they see the client IP"}}
	if f.Service.Annotations[tencentDirect] != "true" {
		c.Settings = []Setting{{Key: tencentDirect, Value: "true"}}
	}
	d := &f.Snapshot.Dataplane
	if d.Name == cluster.Cilium || d.Cilium != nil {
		c.Checks = append(c.Checks, Check{
			Name: "network-supported", Holds: cluster.No, Risk: "network-may-not-support",
			Message: "Tencent Cloud documents that this does not work with the Cilium-Overlay network, and Cilium runs here", Fact: "Cilium runs here", Source: d.Source,
		})
	}
	if check, found := hostNetworkBackends(f, "Tencent Cloud documents that such pods cannot be backends", "", cluster.No); found {
		c.Checks = append(c.Checks, check)
	}
	c.Checks = append(c.Checks, tencentNetwork(f))
	for _, w := range f.Surroundings.Workloads {
		if w.Settled == cluster.No {
			c.Checks = append(c.Checks, Check{
				Name: "no-rollout", Holds: cluster.No, Message: "a rollout of " + strings.ToLower(w.Kind) + " " + w.Namespace + "/" + w.Name + " is in progress, and Tencent Cloud documents that the change must wait until it ends",
				Fact: "not all of its pods are up to date", Source: strings.ToLower(w.Kind) + " " + w.Namespace + "/" + w.Name,
			})
		}
	}
	c.Checks = append(c.Checks, quota(f.Service.ReadyBackends(), tencentQuota, "ready endpoints become backends"))
	return c, true
}

// tencentNetwork: the pods have routed addresses of the VPC, or the cluster's GlobalRouter network was allowed to be
// reached.
func tencentNetwork(f Facts) Check {
	c := Check{Name: "pods-in-vpc", Source: "annotations of the pods"}
	routed := 0
	for i := range f.Surroundings.Pods {
		if strings.Contains(f.Surroundings.Pods[i].Annotations[tencentRoute], "tke-route-eni") {
			routed++
		}
	}
	if n := len(f.Surroundings.Pods); n > 0 && routed == n {
		c.Holds, c.Message, c.Fact = cluster.Yes, "its pods have addresses of the VPC", tencentRoute+" is tke-route-eni"
		return c
	}
	for i := range f.Surroundings.ConfigMaps {
		if m := &f.Surroundings.ConfigMaps[i]; m.Name == "tke-service-controller-config" && m.Data["GlobalRouteDirectAccess"] == "true" {
			c.Holds, c.Message = cluster.Yes, "load balancers may send to the cluster's own network"
			c.Fact, c.Source = "GlobalRouteDirectAccess is true", "configmap kube-system/tke-service-controller-config"
			return c
		}
	}
	if f.Surroundings.Gap("pods", "") != nil || f.Surroundings.Gap("configmaps", "tke-service-controller-config") != nil {
		c.Message, c.Risk = "it is not known whether its pods have addresses of the VPC: the pods, or configmap kube-system/tke-service-controller-config, could not be read", "pod-network-unknown"
		return c
	}
	c.Holds = cluster.No
	c.Message = "its pods have no addresses of the VPC (tke-route-eni), and configmap kube-system/tke-service-controller-config does not let load balancers send to the cluster's own network (GlobalRouteDirectAccess)"
	c.Fact = "not all of the pods have " + tencentRoute + " tke-route-eni"
	return c
}
