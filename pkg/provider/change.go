package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Facts are all that a provider's side of a change may look at. It changes none of them.
type Facts struct {
	Snapshot     *cluster.Snapshot
	Service      *cluster.Service
	Surroundings *cluster.Surroundings
}

// Change is the provider's side of a change: what its controller wants beside the traffic policy, what must hold, and what to know first.
type Change struct {
	Settings     []Setting
	Checks       []Check
	Gains, Costs []string
	// Instead says what to do where the provider has nothing of the kind; "" where it has.
	Instead string
}

// Setting is one annotation of the Service and the value that it gets; Remove takes it away.
type Setting struct {
	Key, Value string
	Remove     bool
}

// Check is one thing that must hold before a change, and what was read of it.
type Check struct {
	// Name is a short word with hyphens.
	Name string
	// Holds is Undetermined where it could not be read.
	Holds   cluster.Tristate
	Message string
	// Fact and Source are the evidence.
	Fact, Source string
	// Risk is the word by which somebody may go on all the same; "" where the change would be in vain.
	Risk string
}

// Sign is an event by which a controller says what became of a change.
type Sign struct {
	Reason string
	// Contains is a part of the event's message; "" for any.
	Contains string
	// Means is what it says of the change, a sentence; Bad where the change failed by it.
	Means string
	Bad   bool
}

// ToCluster is what to look at where externalTrafficPolicy becomes Cluster.
func (lb LoadBalancer) ToCluster(f Facts) Change {
	c := shared(lb, f)
	switch lb.Name {
	case "alibaba":
		c.add(alibabaToCluster(lb, f))
	case "aws":
		c.add(awsToCluster(lb))
	case "azure":
		c.add(azureToCluster(f))
	case "gke":
		c.add(gkeToCluster(f))
	case "oci":
		c.add(ociToCluster(f))
	case "ibm":
		c.add(ibmToCluster(f))
	case "huawei":
		c.add(huaweiFlip(f))
	}
	if f.Service.LoadBalancerClass == ciliumL2 {
		c.Gains = append(c.Gains, "Cilium's L2 announcements are documented not to work with externalTrafficPolicy Local; with Cluster they do")
	}
	return c
}

// ToLocal is what to look at where externalTrafficPolicy becomes Local.
func (lb LoadBalancer) ToLocal(f Facts) Change {
	c := shared(lb, f)
	switch lb.Name {
	case "alibaba":
		c.add(alibabaToLocal(lb, f))
	case "aws":
		c.add(awsToLocal(lb, f))
	case "huawei":
		c.add(huaweiFlip(f))
		c.add(huaweiToLocal(f))
	case "ibm":
		c.add(ibmToLocal(f))
	case "openstack":
		c.add(openstackToLocal(f))
	case "volcengine":
		c.add(volcengineToLocal(f))
	}
	c.add(announcersToLocal(lb, f))
	if reason := replacesAddress(lb); reason != "" {
		c.Costs = append(c.Costs, reason+", so Local alone does not show the client's own to the pods")
	}
	return c
}

// ToPods is what makes the load balancer send to pods directly; Instead says what to use where nothing does. Policy says whether externalTrafficPolicy must become
// Cluster too: it does wherever nodes answer for the address themselves, since kube-proxy goes on obeying it for connections from inside.
func (lb LoadBalancer) ToPods(f Facts) (c Change, policy bool) {
	switch lb.Name {
	case "alibaba":
		return alibabaToPods(lb, f), true
	case "aws":
		return awsToPods(lb, f), false
	case "tencent":
		return tencentToPods(f), true
	case "baidu":
		return baiduToPods(f), true
	case "volcengine":
		return volcengineToPods(f), true
	case "huawei":
		return Change{Instead: "on Huawei Cloud a CCE Turbo cluster with a dedicated load balancer sends to pods by itself, and no annotation makes another one do so; use --mode=cluster"}, false
	case "gke":
		return Change{Instead: "Google's load balancers send to pods for Ingress and Gateway only, not for a Service; use --mode=cluster or --mode=dns"}, false
	case "":
		return Change{Instead: "whose load balancer stands before the Service is not known, so how it would send to pods is not known either; use --mode=cluster or --mode=dns"}, false
	default:
		return Change{Instead: lb.Title + " has no way to send to pods directly; use --mode=cluster, --mode=hostname or --mode=dns"}, false
	}
}

func (c *Change) add(o Change) {
	c.Settings = append(c.Settings, o.Settings...)
	c.Checks = append(c.Checks, o.Checks...)
	c.Gains = append(c.Gains, o.Gains...)
	c.Costs = append(c.Costs, o.Costs...)
}

// shared is what holds for a change of the policy in either direction.
func shared(lb LoadBalancer, f Facts) Change {
	if lb.Name == "metallb" {
		return metalLBFlip(f)
	}
	return Change{}
}

// Signs are the events to wait for after a change; nil where the provider's controller is not known to say anything.
func (lb LoadBalancer) Signs() []Sign {
	switch lb.Name {
	case "alibaba":
		return alibabaSigns
	case "metallb":
		return metalLBSigns
	}
	return nil
}

// ProxyProtocol is the annotation that makes the load balancer put a PROXY protocol header before each connection; "" where no known one does. Connections that do
// not come through the load balancer lack the header.
func ProxyProtocol(svc *cluster.Service) string {
	for _, key := range proxyProtocol {
		switch value := svc.Annotations[key]; strings.ToLower(value) {
		case "", "false", "off", "none":
		default:
			return key
		}
	}
	if strings.Contains(svc.Annotations[awsAttributes], "proxy_protocol_v2.enabled=true") {
		return awsAttributes
	}
	if strings.Contains(svc.Annotations[ibmFeatures], "proxy-protocol") {
		return ibmFeatures
	}
	return ""
}

// proxyProtocol are the annotations of each controller, by its source or documentation.
var proxyProtocol = []string{
	"service.beta.kubernetes.io/aws-load-balancer-proxy-protocol",
	"service.beta.kubernetes.io/aws-load-balancer-proxy-protocol-per-target-group",
	alibabaPrefix + "proxy-protocol",
	alibabaOld + "proxy-protocol",
	"service.beta.kubernetes.io/oci-load-balancer-connection-proxy-protocol-version",
	"oci-network-load-balancer.oraclecloud.com/is-ppv2-enabled",
	"service.beta.kubernetes.io/linode-loadbalancer-proxy-protocol",
	"loadbalancer.openstack.org/proxy-protocol",
	"service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol",
	"load-balancer.hetzner.cloud/uses-proxyprotocol",
	"service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v1",
	"service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v2",
	"service.beta.kubernetes.io/linode-loadbalancer-default-proxy-protocol",
	"service.beta.kubernetes.io/vultr-loadbalancer-proxy-protocol",
	"service.beta.kubernetes.io/volcengine-loadbalancer-proxy-protocol",
}

// replacesAddress says why the pods see another address than the client's whatever the policy: the load balancer opens connections of its own. "" where it does not,
// or is not known to, or passes the address on by the PROXY protocol.
func replacesAddress(lb LoadBalancer) string {
	if lb.ClientIP != Rewritten {
		return ""
	}
	return lb.Title + " opens a connection of its own and the pods see its address, unless the PROXY protocol is on"
}

// PassesClientIP says whether nodes and pods get connections with the client IP as their source: No, and why in one sentence, where the load balancer opens connections
// of its own, whether or not it puts the client IP into a PROXY protocol header. It is Undetermined for a load balancer of which that is not known.
func (lb LoadBalancer) PassesClientIP() (holds cluster.Tristate, reason string) {
	switch lb.ClientIP {
	case Rewritten, ByProxyProtocol:
		return cluster.No, lb.Title + " opens a connection of its own and the pods see its address"
	case Preserved:
		return cluster.Yes, ""
	case UnknownClientIP:
	}
	return cluster.Undetermined, ""
}

// Hairpins says whether a node, or a pod on it, can connect through the load balancer to a backend on the same node; reason is one sentence where it cannot, or where
// that is not known. A load balancer that passes the client IP on sends such a node a packet from one of its own addresses.
func (lb LoadBalancer) Hairpins() (holds cluster.Tristate, reason string) {
	switch holds, _ := lb.PassesClientIP(); {
	case holds == cluster.No:
		return cluster.Yes, ""
	case lb.Name == "alibaba" && lb.Product == "CLB" && holds == cluster.Yes:
		return cluster.No, "a CLB cannot send a connection back to the node that it comes from"
	case holds == cluster.Yes:
		return cluster.Undetermined, "the load balancer keeps the client IP, and a connection that it sends back to the node that it comes from may fail"
	}
	return cluster.Undetermined, "it is not known whether the load balancer can send a connection back to the node that it comes from"
}

// podsReachable checks that the load balancer can send to the endpoints: addresses from a node's podCIDR are an overlay's, or routed by the nodes alone.
func podsReachable(f Facts) Check {
	c := Check{Name: "pods-in-vpc", Source: "endpointslices of " + f.Service.Namespace + "/" + f.Service.Name}
	if !f.Service.EndpointsKnown {
		c.Message, c.Risk = "whether its pods have addresses of the VPC is not known: the EndpointSlices could not be read", "pod-network-unknown"
		return c
	}
	unread := ""
	for i := range f.Service.Endpoints {
		e := &f.Service.Endpoints[i]
		if !e.Ready {
			continue
		}
		for j := range f.Snapshot.Nodes {
			n := &f.Snapshot.Nodes[j]
			if containsAddr(n.PodCIDRs, e.Address) {
				c.Holds = cluster.No
				c.Message = fmt.Sprintf("endpoint %s lies in the pod range of node %s: the load balancer cannot send there", e.Address, n.Name)
				c.Fact = fmt.Sprintf("endpoint %s, podCIDRs of node %s %v", e.Address, n.Name, n.PodCIDRs)
				return c
			}
		}
		// A pod of a range of its node has that node's: where this one was read, the others do not matter.
		if own := f.Snapshot.NodeIndex(e.Node); own < 0 || !f.Snapshot.Nodes[own].Known || f.Snapshot.Nodes[own].Partial {
			unread = e.Node
		}
	}
	ready := f.Service.ReadyBackends()
	switch {
	case ready == 0:
		c.Message, c.Risk = "whether its pods have addresses of the VPC is not known: it has no ready endpoint", "pod-network-unknown"
	case unread != "":
		c.Message, c.Risk = fmt.Sprintf("whether its pods have addresses of the VPC is not known: the podCIDR of node %s was not read", unread), "pod-network-unknown"
	default:
		c.Holds = cluster.Yes
		c.Message = "no ready endpoint lies in the pod range of its node, so the pods have addresses of the VPC"
		c.Fact = fmt.Sprintf("%d ready endpoints, none in a podCIDR", ready)
	}
	return c
}

// hostNetworkBackends checks for endpoints that are nodes themselves; message says what is known of them here.
func hostNetworkBackends(f Facts, message, risk string, holds cluster.Tristate) (Check, bool) {
	for i := range f.Service.Endpoints {
		e := &f.Service.Endpoints[i]
		own := f.Snapshot.NodeIndex(e.Node)
		if !e.Ready || own < 0 {
			continue
		}
		if slices.Contains(f.Snapshot.Nodes[own].InternalIPs, e.Address) {
			return Check{
				Name: "no-host-network", Holds: holds, Message: fmt.Sprintf("endpoint %s is on the host network: %s", e.Address, message), Risk: risk,
				Fact: fmt.Sprintf("endpoint %s is an address of node %s", e.Address, e.Node), Source: "endpointslice " + f.Service.Namespace + "/" + e.Slice,
			}, true
		}
	}
	return Check{}, false
}

// quota checks how many backends a load balancer may have.
func quota(n, most int, what string) Check {
	c := Check{
		Name: "within-quota", Holds: cluster.Is(n <= most), Risk: "over-quota",
		Message: fmt.Sprintf("%d %s, and the load balancer takes %d unless its quota was raised", n, what, most),
		Fact:    fmt.Sprintf("%d %s", n, what), Source: "the provider's documented quota",
	}
	if n <= most {
		c.Risk = ""
	}
	return c
}

// annotated says that an annotation is there.
func annotated(svc *cluster.Service, key string) bool {
	_, ok := svc.Annotations[key]
	return ok
}

func annotationSource(svc *cluster.Service, key string) string {
	return "annotation " + key + " of service " + svc.Namespace + "/" + svc.Name
}

// Weighs says how the load balancer could give a node traffic by the number of its pods, where policy is Local; "" where it cannot, or does.
func (lb LoadBalancer) Weighs(svc *cluster.Service) string {
	if svc.ExternalTrafficPolicy != cluster.PolicyLocal || lb.Backends == Pods {
		return ""
	}
	set := func(key, value string) string {
		if svc.Annotations[key] == value {
			return ""
		}
		return "annotation " + key + ": " + value + " gives each node traffic by the number of its pods"
	}
	switch lb.Name {
	case "alibaba":
		if value, _ := alibabaSetting(svc, "scheduler"); lb.Product != "CLB" || value == "wrr" {
			return ""
		}
		return set(alibabaPrefix+"scheduler", "wrr")
	case "gke":
		return set(gkeWeighted, "pods-per-node")
	case "tencent":
		const needs = "service.kubernetes.io/local-svc-only-bind-node-with-pod"
		hint := set("service.cloud.tencent.com/local-svc-weighted-balance", "true")
		if hint != "" && svc.Annotations[needs] != "true" {
			hint += ", together with " + needs + ": true"
		}
		return hint
	}
	return ""
}
