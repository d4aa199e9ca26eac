package provider

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// alibaba is the Classic and the Network Load Balancer of Alibaba Cloud (kubernetes/cloud-provider-alibaba-cloud
// pkg/controller/helper/service_utils.go).
type alibaba struct{ unknown }

func (alibaba) about() (name, title string) { return "alibaba", "Alibaba Cloud CLB and NLB" }

func (alibaba) rules() []*Rule {
	return []*Rule{ali01, ali02, ali03, ali04, ali05, ali06, ali07, ali08, ali09}
}

// backendType is the annotation that Alibaba's cloud controller manager reads. Only the exact value eni makes it send
// to pods.
const backendType = "service.beta.kubernetes.io/backend-type"

var alibabaInstance = regexp.MustCompile(`^(alicloud://)?[a-z]{2}-[a-z0-9-]+\.i-`)

func (alibaba) recognise(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{Name: "alibaba", Product: "CLB"}
	switch f := c.finalizer("service.k8s.alibaba/"); {
	case f == "service.k8s.alibaba/nlb":
		lb.Product, lb.Source = "NLB", "finalizer "+f
	case f != "":
		lb.Source = "finalizer " + f
	case c.service.LoadBalancerClass == "alibabacloud.com/nlb":
		lb.Product, lb.Source = "NLB", "loadBalancerClass alibabacloud.com/nlb"
	case c.service.Annotations["service.beta.kubernetes.io/class"] != "":
		return LoadBalancer{}, false // the Service belongs to another controller
	default:
		source, ok := c.fromNodes(alibabaInstance.MatchString)
		if !ok {
			return LoadBalancer{}, false
		}
		lb.Source = source
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
	if lb.Backends == Nodes && onVirtualNodes(c) {
		lb.Backends = MixedBackends
	}
	lb.Delivery, lb.ClientIP, lb.Checks = ToNodePort, Preserved, []HealthCheck{ChecksNodePort}
	keep, _ := alibabaSetting(c.service, "preserve-client-ip")
	switch {
	case keep == "off":
		lb.ClientIP = Rewritten
	case alibabaListensHTTP(c.service):
		lb.ClientIP = UnknownClientIP // by port: only listeners of layer 7 open connections of their own
	}
	lb.Weights = alibabaWeights(c, lb.Product)
	if alibabaForeign(c.service) {
		lb.Weights, lb.ClientIP, lb.SharedWithOthers = UnknownWeights, UnknownClientIP, true
	}
	return lb, true
}

// onVirtualNodes says whether an endpoint is on a virtual node. The controller makes pods on such nodes backends
// themselves, under either policy.
func onVirtualNodes(c candidate) bool {
	return slices.ContainsFunc(c.service.Endpoints, func(e cluster.Endpoint) bool {
		node := c.snapshot.NodeIndex(e.Node)
		return node >= 0 && c.snapshot.Nodes[node].VirtualKubelet
	})
}

// alibabaForeign says whether the load balancer or its server group is a reused one, whose listeners or weights the
// controller does not change (kubernetes/cloud-provider-alibaba-cloud v2.14.0
// pkg/controller/service/clbv1/model_applier.go, vgroups.go).
func alibabaForeign(svc *cluster.Service) bool {
	id, _ := alibabaSetting(svc, "id")
	override, _ := alibabaSetting(svc, "force-override-listeners")
	group, _ := alibabaSetting(svc, "vgroup-port")
	return id != "" && override != "true" || group != ""
}

// alibabaWeights: the controller weights nodes by their pods under policy Local only, and a CLB's scheduler rr, the
// default, ignores weights; an NLB's default is wrr (kubernetes/cloud-provider-alibaba-cloud v2.14.0
// pkg/controller/service/clbv1/vgroups.go podNumberAlgorithm; for NLB Alibaba Cloud's documentation of its scheduler).
func alibabaWeights(c candidate, product string) Weights {
	scheduler, _ := alibabaSetting(c.service, "scheduler")
	kept, _ := alibabaSetting(c.service, "ignore-weight-update")
	switch {
	case c.annotated(alibabaPrefix+"weight", alibabaOld+"weight") != "" || kept == "on":
		return UnknownWeights
	case scheduler == "wrr", scheduler == "" && product == "NLB":
		if c.local() {
			return ByEndpoints
		}
		return EqualWeights
	case scheduler == "rr", scheduler == "":
		return EqualWeights
	}
	return UnknownWeights // by hash or by connections
}

const alibabaMembers = "kubernetes/cloud-provider-alibaba-cloud v2.14.0 pkg/controller/service/reconcile/backend/backend.go needExcludeFromLB, pkg/controller/helper/node_utils.go"

var (
	ali01 = &Rule{ID: "ALI-01", Basis: Source, Origin: alibabaMembers, Reason: "with policy Local the controller adds only nodes that have a ready endpoint"}
	ali02 = &Rule{ID: "ALI-02", Basis: Source, Origin: alibabaMembers, Reason: "the controller excludes nodes with label node-role.kubernetes.io/master"}
	ali03 = &Rule{ID: "ALI-03", Basis: Source, Origin: alibabaMembers, Reason: "the controller excludes nodes that are not ready"}
	ali04 = &Rule{
		ID: "ALI-04", Basis: Source, Origin: alibabaMembers,
		Reason: "the node is cordoned, and annotation " + alibabaPrefix + "remove-unscheduled-backend is on",
	}
	ali05 = &Rule{ID: "ALI-05", Basis: Source, Origin: alibabaMembers, Reason: "a label excludes the node from load balancers, whatever the label's value"}
	ali06 = &Rule{ID: "ALI-06", Basis: Source, Origin: alibabaMembers, Reason: "the node is not an instance of Alibaba Cloud (providerID ack-hybrid://)"}
	ali07 = &Rule{ID: "ALI-07", Basis: Source, Origin: alibabaMembers, Reason: "annotation " + alibabaPrefix + "backend-label selects other nodes"}
	ali08 = &Rule{ID: "ALI-08", Basis: Source, Origin: alibabaMembers, Reason: "the node is being removed (taint ToBeDeletedByClusterAutoscaler)"}
	ali09 = &Rule{
		ID: "ALI-09", Basis: Source, Origin: "kubernetes/cloud-provider-alibaba-cloud v2.14.0 pkg/controller/service/clbv1/vgroups.go",
		Reason: "the node is a virtual node: its pods are backends themselves under either policy",
	}
	ali10 = &Rule{
		ID: "ALI-10", Basis: Documented, Origin: "Alibaba Cloud documentation, Considerations for configuring a LoadBalancer Service (document 59132207397, 2026)",
		Reason: "a CLB cannot send a connection back to the node where it started",
	}
)

func (alibaba) members(_ *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member {
	unscheduled, _ := alibabaSetting(svc, "remove-unscheduled-backend")
	selector, _ := alibabaSetting(svc, "backend-label")
	return func(n *cluster.Node) Member {
		switch {
		case n.VirtualKubelet:
			return out("SendsToPods", ali09)
		case labelled(n, "node-role.kubernetes.io/master"):
			return out("ControlPlane", ali02)
		case tainted(n, "ToBeDeletedByClusterAutoscaler"):
			return out("BeingRemoved", ali08)
		case n.Known && n.Ready == cluster.No:
			return out("NotReady", ali03)
		case n.Known && n.Ready == cluster.Undetermined:
			return perhaps(ali03)
		case n.Unschedulable && unscheduled == "on":
			return out("Cordoned", ali04)
		case labelled(n, ExcludeLabel), labelled(n, "alpha.service-controller.kubernetes.io/exclude-balancer"),
			labelled(n, "service.alibabacloud.com/exclude-node"), labelled(n, "service.beta.kubernetes.io/exclude-node"):
			return out("ExcludedByLabel", ali05)
		case strings.HasPrefix(n.ProviderID, "ack-hybrid://"):
			return out("NotInCloud", ali06)
		case selector != "":
			for pair := range strings.SplitSeq(selector, ",") {
				if name, value, _ := strings.Cut(pair, "="); n.Labels[strings.TrimSpace(name)] != strings.TrimSpace(value) {
					return out("NotSelected", ali07)
				}
			}
		}
		return in()
	}
}

// leavesOut: the controller drops terminating pods. Where it sends to pods, a node without one gets nothing either.
func (alibaba) leavesOut(ready, _ int) *Rule {
	if ready == 0 {
		return ali01
	}
	return nil
}

func (alibaba) noHairpin(lb LoadBalancer, _ *cluster.Service) *Rule {
	if lb.Product != "CLB" {
		return nil
	}
	return ali10
}

func (alibaba) proxyProtocol(svc *cluster.Service) string {
	return turnedOn(svc, alibabaPrefix+"proxy-protocol", alibabaOld+"proxy-protocol")
}

// endsTLS: a listener of protocol https.
func (alibaba) endsTLS(svc *cluster.Service) string {
	if value, key := alibabaSetting(svc, "protocol-port"); strings.Contains(strings.ToLower(value), "https") {
		return key
	}
	return ""
}

func (alibaba) weighs(lb LoadBalancer, svc *cluster.Service) (Setting, string) {
	if value, _ := alibabaSetting(svc, "scheduler"); lb.Product != "CLB" || value == "wrr" {
		return Setting{}, ""
	}
	return Setting{Key: alibabaPrefix + "scheduler", Value: "wrr"}, ""
}

func (alibaba) toName(lb LoadBalancer) (p Published, instead string) {
	if lb.Product != "CLB" {
		return unknown{}.toName(lb)
	}
	return Published{Key: alibabaPrefix + "hostname", Source: "kubernetes/cloud-provider-alibaba-cloud pkg/controller/service/clbv1/service_controller.go"}, ""
}

// podsHaveNodeRanges says whether an endpoint is in its node's podCIDR: pods are then on an overlay, or on routes that
// the load balancer does not have.
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

// alibabaSetting is a setting of the controller, by the newer key where that is there at all
// (pkg/controller/service/reconcile/annotation/annotations.go).
func alibabaSetting(svc *cluster.Service, name string) (value, key string) {
	if value, ok := svc.Annotations[alibabaPrefix+name]; ok {
		return value, alibabaPrefix + name
	}
	return svc.Annotations[alibabaOld+name], alibabaOld + name
}

// alibabaListensHTTP: annotation protocol-port makes a listener of layer 7, http or https, which opens connections of
// its own (kubernetes/cloud-provider-alibaba-cloud docs/usage.md).
func alibabaListensHTTP(svc *cluster.Service) bool {
	value, _ := alibabaSetting(svc, "protocol-port")
	return strings.Contains(strings.ToLower(value), "http")
}
