package provider

import (
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// aws recognises the load balancers of the AWS Load Balancer Controller, of EKS Auto Mode and of the AWS cloud controller manager.
func aws(c candidate) (LoadBalancer, bool) {
	lb := LoadBalancer{Name: "aws", Title: "AWS NLB", Product: "NLB"}
	switch f := c.finalizer("service.k8s.aws/"); {
	case c.service.LoadBalancerClass == "eks.amazonaws.com/nlb":
		lb.Source, lb.Backends = "loadBalancerClass eks.amazonaws.com/nlb", Pods
	case f != "":
		lb.Source, lb.Backends = "finalizer "+f, UnknownBackends
	case c.service.LoadBalancerClass == "service.k8s.aws/nlb":
		lb.Source, lb.Backends = "loadBalancerClass service.k8s.aws/nlb", UnknownBackends
	default:
		source, ok := c.fromNodes("aws://")
		if !ok {
			return LoadBalancer{}, false
		}
		lb.Source, lb.Backends = source, Nodes
		if c.service.Annotations["service.beta.kubernetes.io/aws-load-balancer-type"] == "" {
			lb.Product, lb.Title = "CLB", "AWS CLB"
		}
		return lb, true
	}
	switch c.service.Annotations["service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"] {
	case "ip":
		lb.Backends = Pods
	case "instance":
		lb.Backends = Nodes
	}
	return lb, true
}

const (
	awsTargetType = "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"
	awsAttributes = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes"
)

// awsController: the AWS Load Balancer Controller, or EKS Auto Mode, owns the Service's load balancer, and not the cloud controller manager.
func awsController(svc *cluster.Service) bool {
	return svc.LoadBalancerClass == "service.k8s.aws/nlb" || svc.LoadBalancerClass == "eks.amazonaws.com/nlb" ||
		slices.ContainsFunc(svc.Finalizers, func(f string) bool { return strings.HasPrefix(f, "service.k8s.aws/") })
}

func awsToCluster(lb LoadBalancer) Change {
	if lb.Backends == Pods {
		return Change{}
	}
	return Change{Costs: []string{"the load balancer's health check moves from the health check node port to the node port, and nodes may count as unhealthy for a moment"}}
}

// awsToLocal: a health check that somebody set does not ask the health check node port, so nodes without a pod get traffic that they drop
// (kubernetes-sigs/aws-load-balancer-controller pkg/service/model_build_target_group.go).
func awsToLocal(lb LoadBalancer, f Facts) Change {
	var c Change
	for _, key := range []string{"service.beta.kubernetes.io/aws-load-balancer-healthcheck-port", "service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol"} {
		if lb.Backends != Pods && annotated(f.Service, key) {
			c.Checks = append(c.Checks, healthCheckByHand(f.Service, key))
		}
	}
	return c
}

func healthCheckByHand(svc *cluster.Service, key string) Check {
	return Check{
		Name: "health-check-follows", Holds: cluster.No, Risk: "drops-connections",
		Message: "annotation " + key + " sets the health check by hand: it would not ask which nodes have a pod, and connections to the others would be dropped",
		Fact:    key + " is " + svc.Annotations[key], Source: annotationSource(svc, key),
	}
}

// awsToPods sets the target type of a Service that the AWS Load Balancer Controller owns. The controller publishes a host name, so nodes never answer for the
// address themselves and the policy may stay.
func awsToPods(lb LoadBalancer, f Facts) Change {
	c := Change{Gains: []string{"the load balancer sends to pods directly, without a hop over a node port"}}
	owned := Check{
		Name: "controller-owns-it", Holds: cluster.Yes, Message: "the AWS Load Balancer Controller owns the load balancer",
		Fact: lb.Source, Source: "service " + f.Service.Namespace + "/" + f.Service.Name,
	}
	if !awsController(f.Service) {
		owned.Holds = cluster.No
		owned.Message = "the load balancer is the cloud controller manager's, which sends to nodes only, and its type must not be changed on a Service that is there (the old one " +
			"would be left behind): make a new Service with loadBalancerClass service.k8s.aws/nlb, or use --mode=cluster"
		owned.Fact = "no finalizer service.k8s.aws/resources and no class of the controller"
	}
	c.Checks = append(c.Checks, owned, podsReachable(f))
	already := lb.Backends == Pods
	if !already {
		c.Settings = append(c.Settings, Setting{Key: awsTargetType, Value: "ip"})
		c.Costs = append(c.Costs, "a new target group is made, and connections to the old one end", "the controller may have been started without leave for ip targets; it says so in an event")
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
		c.Settings = append(c.Settings, Setting{Key: awsAttributes, Value: value})
		c.Costs = append(c.Costs, "with the client's address kept, a pod that calls the load balancer cannot be answered by itself")
	default:
		c.Costs = append(c.Costs, "pods see the load balancer's address for TCP, unless annotation "+awsAttributes+" has preserve_client_ip.enabled=true")
	}
	return c
}
