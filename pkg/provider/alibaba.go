package provider

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
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
	case c.service.Annotations["service.beta.kubernetes.io/class"] != "":
		return LoadBalancer{}, false // the controller leaves the Service to somebody else
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

// onVirtualNodes: an endpoint is on a virtual node, whose pods the controller makes backends themselves under every policy.
func onVirtualNodes(c candidate) bool {
	return slices.ContainsFunc(c.service.Endpoints, func(e cluster.Endpoint) bool {
		node := c.snapshot.NodeIndex(e.Node)
		return node >= 0 && c.snapshot.Nodes[node].VirtualKubelet
	})
}

// alibabaForeign: the load balancer or its group of servers is somebody else's, and the controller leaves its listeners or weights as they are
// (kubernetes/cloud-provider-alibaba-cloud v2.14.0 pkg/controller/service/clbv1/model_applier.go, vgroups.go).
func alibabaForeign(svc *cluster.Service) bool {
	id, _ := alibabaSetting(svc, "id")
	override, _ := alibabaSetting(svc, "force-override-listeners")
	group, _ := alibabaSetting(svc, "vgroup-port")
	return id != "" && override != "true" || group != ""
}

// alibabaWeights: the controller weights nodes by their pods under policy Local only, and a CLB's scheduler rr, the default, ignores weights; an NLB's default is wrr
// (kubernetes/cloud-provider-alibaba-cloud v2.14.0 pkg/controller/service/clbv1/vgroups.go podNumberAlgorithm; for NLB Alibaba Cloud's documentation of its scheduler).
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
	ali01 = &Rule{ID: "ALI-01", Basis: Source, Origin: alibabaMembers, Reason: "policy Local, and the controller takes only nodes that have a ready endpoint"}
	ali02 = &Rule{ID: "ALI-02", Basis: Source, Origin: alibabaMembers, Reason: "the controller leaves out nodes with the label node-role.kubernetes.io/master"}
	ali03 = &Rule{ID: "ALI-03", Basis: Source, Origin: alibabaMembers, Reason: "the controller leaves out nodes that are not ready"}
	ali04 = &Rule{
		ID: "ALI-04", Basis: Source, Origin: alibabaMembers,
		Reason: "the node is cordoned, and annotation " + alibabaPrefix + "remove-unscheduled-backend is on",
	}
	ali05 = &Rule{ID: "ALI-05", Basis: Source, Origin: alibabaMembers, Reason: "a label excludes the node from load balancers, whatever its value"}
	ali06 = &Rule{ID: "ALI-06", Basis: Source, Origin: alibabaMembers, Reason: "the node is not an instance of Alibaba Cloud (providerID ack-hybrid://)"}
	ali07 = &Rule{ID: "ALI-07", Basis: Source, Origin: alibabaMembers, Reason: "annotation " + alibabaPrefix + "backend-label selects other nodes"}
	ali08 = &Rule{ID: "ALI-08", Basis: Source, Origin: alibabaMembers, Reason: "the node is about to be removed (taint ToBeDeletedByClusterAutoscaler)"}
	ali09 = &Rule{
		ID: "ALI-09", Basis: Source, Origin: "kubernetes/cloud-provider-alibaba-cloud v2.14.0 pkg/controller/service/clbv1/vgroups.go",
		Reason: "the node is virtual: its pods are backends themselves, whatever the policy",
	}
)

func alibabaMember(svc *cluster.Service, n *cluster.Node) Member {
	unscheduled, _ := alibabaSetting(svc, "remove-unscheduled-backend")
	selector, _ := alibabaSetting(svc, "backend-label")
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

// alibabaListensHTTP: annotation protocol-port makes a listener of layer 7, http or https, which opens connections of its own
// (kubernetes/cloud-provider-alibaba-cloud docs/usage.md).
func alibabaListensHTTP(svc *cluster.Service) bool {
	value, _ := alibabaSetting(svc, "protocol-port")
	return strings.Contains(strings.ToLower(value), "http")
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
	c := Change{Checks: []Check{quota(nodes, alibabaQuota, "nodes become backends")}, Costs: imaginaryKeys(f.Service)}
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
	return c
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

// ignoredByTerway is the label of nodes that Terway leaves alone (AliyunContainerService/terway cmd/terway-cli).
const ignoredByTerway = "k8s.aliyun.com/ignore-by-terway"

// terway checks for the DaemonSet of Terway (AliyunContainerService/terway charts/terway/templates/terwayd/daemonset.yaml; terway-eni is its older name), and that it is
// ready on each node of a ready endpoint. A virtual node has no DaemonSet's pods, and its pods are attached by themselves.
func terway(f Facts) Check {
	c := Check{Name: "terway-ready", Source: "daemonsets of kube-system"}
	at := slices.IndexFunc(f.Surroundings.DaemonSets, func(d cluster.DaemonSet) bool { return d.Name == "terway-eniip" || d.Name == "terway-eni" })
	switch {
	case at < 0 && f.Surroundings.Gap("daemonsets.apps", "") != nil:
		c.Message, c.Risk = "whether Terway runs is not known: the DaemonSets of kube-system could not be read", "terway-unknown"
		return c
	case at < 0:
		c.Holds, c.Message = cluster.No, "Terway does not run here, so pods have no network interfaces that the load balancer could send to; use --mode=cluster or --mode=hostname"
		c.Fact = "no DaemonSet terway-eniip or terway-eni"
		return c
	}
	d := &f.Surroundings.DaemonSets[at]
	c.Source = "daemonset " + d.Namespace + "/" + d.Name
	c.Fact = fmt.Sprintf("%d of %d pods ready", d.Ready, d.Wanted)
	if d.Wanted == 0 {
		c.Holds, c.Risk = cluster.No, "terway-not-ready"
		c.Message = "Terway is wanted on no node"
		return c
	}
	var ignored, without, waiting, fine, virtual, unread []string
	for _, name := range endpointNodes(f.Service) {
		var labels map[string]string
		if i := f.Snapshot.NodeIndex(name); i >= 0 {
			if f.Snapshot.Nodes[i].VirtualKubelet {
				virtual = append(virtual, name)
				continue
			}
			labels = f.Snapshot.Nodes[i].Labels
		}
		switch ready, there := d.On[name]; {
		case d.Gap != nil && labels[ignoredByTerway] != "true":
			unread = append(unread, name)
		case labels[ignoredByTerway] == "true":
			ignored = append(ignored, name)
		case !there:
			without = append(without, name)
		case !ready:
			waiting = append(waiting, name)
		default:
			fine = append(fine, name)
		}
	}
	switch {
	case len(ignored) > 0:
		c.Holds = cluster.No
		c.Message = fmt.Sprintf("Terway leaves %s alone, which %s: pods there have no network interfaces that the load balancer could send to", nodeNames(ignored), hasEndpoint(ignored))
		c.Fact, c.Source = "label "+ignoredByTerway+" is true", "node "+ignored[0]
	case len(unread) > 0:
		c.Risk = "terway-unknown"
		c.Message = "whether Terway is ready on each node with a ready endpoint is not known: its pods could not be listed"
		c.Fact, c.Source = d.Gap.Message, "list pods in namespace "+d.Namespace
	case len(without) > 0:
		c.Holds = cluster.No
		c.Message = fmt.Sprintf("Terway does not run on %s, which %s: pods there have no network interfaces that the load balancer could send to", nodeNames(without), hasEndpoint(without))
		c.Fact += "; none on node " + without[0]
	case len(waiting) > 0:
		c.Holds, c.Risk = cluster.No, "terway-not-ready"
		c.Message = fmt.Sprintf("Terway is not ready on %s, which %s", nodeNames(waiting), hasEndpoint(waiting))
		c.Fact += "; not ready on node " + waiting[0]
	case len(fine) > 0:
		c.Holds = cluster.Yes
		c.Message = fmt.Sprintf("Terway is ready on each node with a ready endpoint: %s", nodeNames(fine))
	case len(virtual) > 0:
		c.Holds = cluster.Yes
		c.Message = "the ready endpoints are on virtual nodes, whose pods are attached to the VPC by themselves"
	default:
		c.Holds = cluster.Is(d.Ready >= d.Wanted)
		c.Message = fmt.Sprintf("Terway runs, ready on %d of %d nodes", d.Ready, d.Wanted)
		if c.Holds == cluster.No {
			c.Risk = "terway-not-ready"
		}
	}
	return c
}

// endpointNodes are the nodes of ready endpoints, each once, in order; an endpoint without one is left out.
func endpointNodes(svc *cluster.Service) (names []string) {
	for i := range svc.Endpoints {
		if e := &svc.Endpoints[i]; e.Ready && e.Node != "" {
			names = append(names, e.Node)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func nodeNames(names []string) string {
	const most = 3
	switch n := len(names); {
	case n == 1:
		return "node " + names[0]
	case n > most:
		return fmt.Sprintf("nodes %s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return "nodes " + strings.Join(names, ", ")
}

func hasEndpoint(nodes []string) string {
	if len(nodes) == 1 {
		return "has a ready endpoint"
	}
	return "have ready endpoints"
}
