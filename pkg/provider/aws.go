package provider

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// aws is the load balancers of the AWS Load Balancer Controller, of EKS Auto Mode and of the AWS cloud controller
// manager.
//
// Sources: kubernetes-sigs/aws-load-balancer-controller pkg/service/model_build_target_group.go,
// model_build_load_balancer.go; kubernetes/cloud-provider-aws pkg/providers/v1/aws.go, aws_loadbalancer.go.
type aws struct{ unknown }

func (aws) about() (name, title string) { return "aws", "AWS NLB and CLB" }

func (aws) rules() []*Rule { return []*Rule{aws01, aws02, aws03, aws04, aws05, aws06} }

const (
	awsType       = "service.beta.kubernetes.io/aws-load-balancer-type"
	awsTargetType = "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"
	awsAttributes = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes"
)

func (aws) recognise(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{Name: "aws", Title: "AWS NLB", Product: "NLB"}
	legacy := c.service.Annotations[awsType]
	switch f := c.finalizer("service.k8s.aws/"); {
	case c.service.LoadBalancerClass == "eks.amazonaws.com/nlb":
		lb.Source, lb.Backends = "loadBalancerClass eks.amazonaws.com/nlb", Pods
	case f != "":
		lb.Source = "finalizer " + f
	case c.service.LoadBalancerClass == "service.k8s.aws/nlb":
		lb.Source = "loadBalancerClass service.k8s.aws/nlb"
	case legacy == "nlb-ip", legacy == "external":
		source, ok := c.fromNodes(starts("aws://"))
		if !ok {
			return LoadBalancer{}, false
		}
		lb.Source = source
	default:
		return awsCloud(c, lb)
	}
	switch target := c.service.Annotations[awsTargetType]; {
	case target == "ip", target == "" && legacy == "nlb-ip":
		lb.Backends = Pods
	case target == "instance":
		lb.Backends = Nodes
	}
	lb.ClientIP = awsClientIP(c.service, lb.Backends)
	lb.Delivery, lb.Checks, lb.Weights = ToNodePort, awsChecks(c), awsWeights(c.service)
	return lb, true
}

// awsCloud is what the cloud controller manager makes: a CLB, which opens connections of its own, or with annotation
// type nlb an NLB with instances as targets.
func awsCloud(c candidate, lb LoadBalancer) (LoadBalancer, bool) {
	source, ok := c.fromNodes(starts("aws://"))
	if !ok || slices.ContainsFunc(c.service.Ingress, func(in cluster.Ingress) bool { return in.IP.IsValid() }) {
		return LoadBalancer{}, false // it publishes names only
	}
	lb.Source, lb.Backends, lb.Delivery, lb.Checks, lb.Weights, lb.ClientIP = source, Nodes, ToNodePort, awsChecks(c), awsWeights(c.service), Preserved
	if c.service.Annotations[awsAttributes] != "" {
		lb.ClientIP = UnknownClientIP // only newer releases of this controller read it
	}
	if slices.Equal(lb.Checks, []HealthCheck{ChecksNodePort}) {
		// In its mode Shared, which OpenShift sets, it asks kube-proxy under policy Cluster
		// (ClusterServiceLoadBalancerHealthProbeMode).
		lb.Checks = []HealthCheck{ChecksNodePort, ChecksKubeProxy}
	}
	if c.service.Annotations[awsType] != "nlb" {
		lb.Product, lb.Title, lb.ClientIP = "CLB", "AWS CLB", Rewritten
	}
	return lb, true
}

// awsController: the AWS Load Balancer Controller, or EKS Auto Mode, owns the Service's load balancer, and not the
// cloud controller manager.
func awsController(svc *cluster.Service) bool {
	return svc.LoadBalancerClass == "service.k8s.aws/nlb" || svc.LoadBalancerClass == "eks.amazonaws.com/nlb" ||
		svc.Annotations[awsType] == "nlb-ip" || svc.Annotations[awsType] == "external" ||
		slices.ContainsFunc(svc.Finalizers, func(f string) bool { return strings.HasPrefix(f, "service.k8s.aws/") })
}

// awsChecks: under policy Local the health check asks the health check node port, under Cluster the node port. What an
// annotation sets is asked instead.
func awsChecks(c candidate) []HealthCheck {
	port := c.service.Annotations["service.beta.kubernetes.io/aws-load-balancer-healthcheck-port"]
	protocol := c.service.Annotations["service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol"]
	switch {
	case port == "traffic-port" && (protocol == "" || strings.EqualFold(protocol, "tcp")):
		return []HealthCheck{ChecksNodePort}
	case port != "" || protocol != "" && !strings.EqualFold(protocol, "tcp"):
		return []HealthCheck{UnknownCheck}
	case c.local() && protocol != "":
		return []HealthCheck{UnknownCheck}
	case c.local():
		return []HealthCheck{HealthCheckNodePort}
	}
	return []HealthCheck{ChecksNodePort}
}

// awsWeights: targets share equally where cross-zone load balancing is on; it is off by default.
func awsWeights(svc *cluster.Service) Weights {
	attributes := strings.ReplaceAll(svc.Annotations["service.beta.kubernetes.io/aws-load-balancer-attributes"], " ", "")
	targets := strings.ReplaceAll(svc.Annotations[awsAttributes], " ", "")
	switch {
	case strings.Contains(targets, "load_balancing.cross_zone.enabled="):
		return UnknownWeights // a target group may say otherwise than its load balancer
	case strings.Contains(attributes, "load_balancing.cross_zone.enabled=true"),
		svc.Annotations["service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled"] == "true":
		return EqualWeights
	}
	return ByZone
}

// awsClientIP: kept for instances by default; for pods only where preserve_client_ip.enabled says so, and always for
// UDP.
func awsClientIP(svc *cluster.Service, backends Backends) ClientIP {
	attributes := strings.ReplaceAll(svc.Annotations[awsAttributes], " ", "")
	udp := slices.ContainsFunc(svc.Ports, func(p cluster.Port) bool { return p.Protocol == cluster.UDP })
	switch {
	case strings.Contains(attributes, "proxy_protocol_v2.enabled=true"):
		return ByProxyProtocol
	case strings.Contains(attributes, "preserve_client_ip.enabled=true"):
		return Preserved
	case udp:
		return UnknownClientIP
	case strings.Contains(attributes, "preserve_client_ip.enabled=false"), backends == Pods:
		return Rewritten
	case backends == Nodes:
		return Preserved
	}
	return UnknownClientIP
}

const awsMembers = "kubernetes-sigs/aws-load-balancer-controller pkg/backend/endpoint_utils.go, pkg/k8s/node_utils.go"

var (
	aws01 = &Rule{ID: "AWS-01", Basis: Source, Origin: awsMembers, Reason: "the AWS Load Balancer Controller excludes nodes with label " + ExcludeLabel + " (whatever its value) or node-role.kubernetes.io/master"}
	aws02 = &Rule{ID: "AWS-02", Basis: Source, Origin: awsMembers, Reason: "the node runs on AWS Fargate (label eks.amazonaws.com/compute-type=fargate) and cannot be a target"}
	aws03 = &Rule{ID: "AWS-03", Basis: Source, Origin: awsMembers, Reason: "the node is being removed (taint ToBeDeletedByClusterAutoscaler or karpenter.sh/disrupted)"}
	aws05 = &Rule{
		ID: "AWS-05", Basis: NotKnown, Origin: awsMembers,
		Reason: "some releases of the AWS Load Balancer Controller exclude control plane nodes and nodes with taint karpenter.sh/disrupted, others do not",
	}
	aws06 = &Rule{
		ID: "AWS-06", Basis: NotKnown, Origin: "kubernetes/cloud-provider-aws pkg/providers/v1/aws_fargate.go",
		Reason: "the node runs on AWS Fargate, and it is not known whether the cloud controller manager makes it a target",
	}
	aws04 = &Rule{
		ID: "AWS-04", Basis: Source, Origin: awsMembers,
		Reason: "annotation service.beta.kubernetes.io/aws-load-balancer-target-node-labels selects other nodes",
	}
)

func (aws) members(s *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member {
	if awsController(svc) {
		return func(n *cluster.Node) Member { return awsControllerMember(svc, n) }
	}
	return anyOut(awsFargate, upstream(s))
}

func awsFargate(n *cluster.Node) Member {
	if n.Labels["eks.amazonaws.com/compute-type"] == "fargate" {
		return perhaps(aws06)
	}
	return in()
}

func awsControllerMember(svc *cluster.Service, n *cluster.Node) Member {
	switch {
	case n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
		return out("RunsNoProxy", aws02)
	case labelled(n, ExcludeLabel), labelled(n, "alpha.service-controller.kubernetes.io/exclude-balancer"), labelled(n, "node-role.kubernetes.io/master"):
		return out("ExcludedByLabel", aws01)
	case tainted(n, "ToBeDeletedByClusterAutoscaler"):
		return out("BeingRemoved", aws03)
	case tainted(n, "karpenter.sh/disrupted"), labelled(n, "node-role.kubernetes.io/control-plane"):
		return perhaps(aws05)
	case n.Known && n.Ready != cluster.Yes:
		return perhaps(lb18)
	}
	m := selected(svc, n, "service.beta.kubernetes.io/aws-load-balancer-target-node-labels")
	if m.Rule != nil {
		m.Rule = aws04
	}
	return m
}

func (aws) proxyProtocol(svc *cluster.Service) string {
	key := turnedOn(svc, "service.beta.kubernetes.io/aws-load-balancer-proxy-protocol", "service.beta.kubernetes.io/aws-load-balancer-proxy-protocol-per-target-group")
	if key == "" && strings.Contains(svc.Annotations[awsAttributes], "proxy_protocol_v2.enabled=true") {
		return awsAttributes
	}
	return key
}

func (aws) toCluster(lb LoadBalancer, _ Facts) Change {
	if lb.Backends == Pods {
		return Change{}
	}
	return Change{Costs: []string{"the health check moves from the health check node port to the node port, so nodes may count as unhealthy for a moment"}}
}

// toLocal: a health check that somebody set does not ask the health check node port, so nodes without a pod get traffic
// that they drop (kubernetes-sigs/aws-load-balancer-controller pkg/service/model_build_target_group.go).
func (aws) toLocal(lb LoadBalancer, f Facts) Change {
	var c Change
	for _, key := range []string{"service.beta.kubernetes.io/aws-load-balancer-healthcheck-port", "service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol"} {
		if lb.Backends != Pods && annotated(f.Service, key) {
			c.Checks = append(c.Checks, healthCheckByHand(f.Service, key))
		}
	}
	return c
}

// toPods sets the target type of a Service that the AWS Load Balancer Controller owns. The controller publishes a host
// name, so nodes never answer for the address themselves and the policy may stay.
func (aws) toPods(lb LoadBalancer, f Facts) (c Change, policy bool) {
	c = Change{ClientIP: awsClientIP(f.Service, Pods), Gains: []string{"the load balancer sends to pods directly, without a node port in between"}}
	owned := Check{
		Name: "controller-owns-it", Holds: cluster.Yes, Message: "the AWS Load Balancer Controller manages the load balancer",
		Fact: lb.Source, Source: "service " + f.Service.Namespace + "/" + f.Service.Name,
	}
	if !awsController(f.Service) {
		owned.Holds = cluster.No
		owned.Message = "the cloud controller manager manages this load balancer: it sends to nodes only, and changing its type on an existing Service leaves the old load " +
			"balancer behind; create a new Service with loadBalancerClass service.k8s.aws/nlb, or use --mode=cluster"
		owned.Fact = "no finalizer service.k8s.aws/resources and no class of the controller"
	}
	c.Checks = append(c.Checks, owned, podsReachable(f))
	already := lb.Backends == Pods
	if !already {
		c.Settings = append(c.Settings, Setting{Key: awsTargetType, Value: "ip"})
		c.Costs = append(c.Costs, "a new target group is created, and connections to the old one end", "ip targets may be turned off in the controller's flags; it reports that in an event")
	}
	attributes := f.Service.Annotations[awsAttributes]
	switch {
	case strings.Contains(attributes, "preserve_client_ip.enabled"), already, ProxyProtocol(f.Service) != "":
	case f.Service.ExternalTrafficPolicy == cluster.PolicyLocal:
		// To nodes it is kept by default, to pods it is not.
		value := "preserve_client_ip.enabled=true"
		if attributes != "" {
			value = attributes + "," + value
		}
		c.Settings, c.ClientIP = append(c.Settings, Setting{Key: awsAttributes, Value: value}), Preserved
		c.Costs = append(c.Costs, "with the client IP kept, a pod that connects to the load balancer fails when the load balancer picks the same pod")
	default:
		c.Costs = append(c.Costs, "for TCP, pods see the load balancer's address unless annotation "+awsAttributes+" has preserve_client_ip.enabled=true")
	}
	return c, false
}
