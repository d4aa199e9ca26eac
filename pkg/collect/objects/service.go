package objects

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// IsExternallyAccessible says whether a Service has an external traffic policy (ExternallyAccessible in pkg/api/v1/service/util.go of Kubernetes).
func IsExternallyAccessible(s *corev1.Service) bool {
	switch s.Spec.Type {
	case corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort:
		return true
	case corev1.ServiceTypeClusterIP, "":
		return len(s.Spec.ExternalIPs) > 0
	}
	return false
}

// IsPending says whether a LoadBalancer Service has no load balancer address yet.
func IsPending(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && len(convertIngress(s.Status.LoadBalancer.Ingress)) == 0
}

// ServiceFacts are the facts of a Service, with the API server's defaults (SetDefaults_Service in pkg/apis/core/v1/defaults.go): a manifest does not have them yet.
func ServiceFacts(s *corev1.Service, q Query) cluster.Service {
	out := cluster.Service{
		Namespace:           NamespaceOf(s.Namespace, q),
		Name:                s.Name,
		Type:                cluster.ServiceType(cmp.Or(s.Spec.Type, corev1.ServiceTypeClusterIP)),
		HealthCheckNodePort: port(s.Spec.HealthCheckNodePort),
		SourceRanges:        cluster.ParsePrefixes(s.Spec.LoadBalancerSourceRanges...),
		NoNodePorts:         s.Spec.AllocateLoadBalancerNodePorts != nil && !*s.Spec.AllocateLoadBalancerNodePorts,
		ClientIPAffinity:    s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP,
		ProxyName:           s.Labels["service.kubernetes.io/service-proxy-name"],
		HasSelector:         len(s.Spec.Selector) > 0,
		Labels:              maps.Clone(s.Labels),
		Annotations:         maps.Clone(s.Annotations),
		Finalizers:          slices.Clone(s.Finalizers),
		LastFix:             lastFix(s.Annotations[UndoAnnotation]),
	}
	if IsPending(s) && !s.CreationTimestamp.IsZero() {
		out.Created = s.CreationTimestamp.UTC()
	}
	if IsExternallyAccessible(s) {
		out.ExternalTrafficPolicy = cluster.Policy(cmp.Or(s.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster))
	}
	if out.Type != cluster.TypeExternalName {
		out.InternalTrafficPolicy = cluster.PolicyCluster
		if s.Spec.InternalTrafficPolicy != nil {
			out.InternalTrafficPolicy = cluster.Policy(*s.Spec.InternalTrafficPolicy)
		}
	}
	if s.Spec.LoadBalancerClass != nil {
		out.LoadBalancerClass = *s.Spec.LoadBalancerClass
	}
	if s.Spec.TrafficDistribution != nil {
		out.TrafficDistribution = *s.Spec.TrafficDistribution
	}
	addresses := s.Spec.ClusterIPs
	if len(addresses) == 0 && s.Spec.ClusterIP != "" {
		addresses = []string{s.Spec.ClusterIP}
	}
	for _, text := range addresses {
		if text == corev1.ClusterIPNone {
			out.Headless = true
		}
	}
	if !out.Headless {
		out.ClusterIPs = parseAddresses(addresses)
	}
	out.ExternalIPs = parseAddresses(s.Spec.ExternalIPs)
	for i := range s.Status.Conditions {
		if c := &s.Status.Conditions[i]; c.Status == metav1.ConditionTrue {
			out.Conditions = append(out.Conditions, c.Type)
		}
	}
	if out.Type == cluster.TypeLoadBalancer {
		out.Ingress = convertIngress(s.Status.LoadBalancer.Ingress)
	}
	for i := range s.Spec.Ports {
		from := &s.Spec.Ports[i]
		to := cluster.Port{
			Name:       from.Name,
			Protocol:   cluster.Protocol(cmp.Or(from.Protocol, corev1.ProtocolTCP)),
			Port:       port(from.Port),
			NodePort:   port(from.NodePort),
			TargetPort: from.TargetPort.String(),
		}
		if from.AppProtocol != nil {
			to.AppProtocol = *from.AppProtocol
		}
		if to.TargetPort == "0" || to.TargetPort == "" {
			to.TargetPort = decimal(from.Port)
		}
		out.Ports = append(out.Ports, to)
	}
	return out
}

// convertIngress keeps every entry that gives an address or a name. An address without ipMode is a VIP, as the API server says on reading it, and as a server
// that knows no ipMode means it.
func convertIngress(entries []corev1.LoadBalancerIngress) []cluster.Ingress {
	var out []cluster.Ingress
	for i := range entries {
		to := cluster.Ingress{Hostname: entries[i].Hostname, IPMode: cluster.VIP}
		if ip, ok := cluster.ParseAddress(entries[i].IP); ok {
			to.IP = ip
		}
		if mode := entries[i].IPMode; mode != nil && *mode != "" {
			to.IPMode = cluster.IPMode(*mode)
		}
		if to.IP.IsValid() || to.Hostname != "" {
			out = append(out, to)
		}
	}
	return out
}

func parseAddresses(texts []string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		if address, ok := cluster.ParseAddress(text); ok {
			out = append(out, address)
		}
	}
	return out
}

// port is 0 for a number that is no port.
func port(n int32) uint16 {
	if n < 0 || n > 65535 {
		return 0
	}
	return uint16(n)
}

// endpoints merges the slices of one Service as kube-proxy does (pkg/proxy/endpointslicecache.go): absent ready and serving mean true, absent terminating
// false; only the first address of an endpoint counts; ports without a name or number are left out, and so are endpoints that are names.
//
// An address in several slices becomes one endpoint with the ports of all. Where they differ in state, the one that is not terminating holds, then the ready one:
// a pod's address may have been given to another pod already.
func endpoints(all []*discoveryv1.EndpointSlice) []cluster.Endpoint {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *discoveryv1.EndpointSlice) int { return cmp.Compare(a.Name, b.Name) })
	var out []cluster.Endpoint
	// kube-proxy knows endpoints by Service port: an address that is ready in one slice and not in another is ready for the one's ports only.
	type known struct {
		address                     netip.Addr
		node                        string
		ready, serving, terminating bool
	}
	at := map[known]int{}
	for _, slice := range all {
		if slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		ports := endpointPorts(slice.Ports)
		for i := range slice.Endpoints {
			one, ok := convertEndpoint(&slice.Endpoints[i])
			if !ok {
				continue
			}
			one.Slice = slice.Name
			key := known{one.Address, one.Node, one.Ready, one.Serving, one.Terminating}
			before, seen := at[key]
			if !seen {
				one.Ports = slices.Clone(ports)
				at[key] = len(out)
				out = append(out, one)
				continue
			}
			kept := &out[before]
			for _, port := range ports {
				if !slices.Contains(kept.Ports, port) {
					kept.Ports = append(kept.Ports, port)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b cluster.Endpoint) int { return a.Address.Compare(b.Address) })
	withoutContradiction(out)
	return out
}

// withoutContradiction takes from an endpoint the ports for which the same address is known better, as kube-proxy does where slices contradict each other during a
// change: it keeps one endpoint for each address and port. Endpoints must be ordered by address.
func withoutContradiction(all []cluster.Endpoint) {
	for first := 0; first < len(all); {
		end := first + 1
		for end < len(all) && all[end].Address == all[first].Address {
			end++
		}
		for i := first; i < end; i++ {
			for j := first; j < end; j++ {
				if better(&all[j], &all[i]) {
					all[i].Ports = slices.DeleteFunc(all[i].Ports, func(p cluster.EndpointPort) bool { return slices.Contains(all[j].Ports, p) })
				}
			}
		}
		first = end
	}
}

func better(a, b *cluster.Endpoint) bool {
	if a.Terminating != b.Terminating {
		return !a.Terminating
	}
	return a.Ready && !b.Ready
}

func endpointPorts(ports []discoveryv1.EndpointPort) []cluster.EndpointPort {
	var out []cluster.EndpointPort
	for i := range ports {
		from := &ports[i]
		// The API server defaults an absent name to ""; a hand-written slice may lack it.
		if from.Port == nil || port(*from.Port) == 0 {
			continue
		}
		to := cluster.EndpointPort{Protocol: cluster.TCP, Port: port(*from.Port)}
		if from.Name != nil {
			to.Name = *from.Name
		}
		if from.Protocol != nil {
			to.Protocol = cluster.Protocol(*from.Protocol)
		}
		if !slices.Contains(out, to) {
			out = append(out, to)
		}
	}
	return out
}

func convertEndpoint(e *discoveryv1.Endpoint) (cluster.Endpoint, bool) {
	if len(e.Addresses) == 0 {
		return cluster.Endpoint{}, false
	}
	address, ok := cluster.ParseAddress(e.Addresses[0])
	if !ok {
		return cluster.Endpoint{}, false
	}
	out := cluster.Endpoint{
		Address:     address,
		Ready:       e.Conditions.Ready == nil || *e.Conditions.Ready,
		Serving:     e.Conditions.Serving == nil || *e.Conditions.Serving,
		Terminating: e.Conditions.Terminating != nil && *e.Conditions.Terminating,
	}
	if e.NodeName != nil {
		out.Node = *e.NodeName
	}
	if e.Zone != nil {
		out.Zone = *e.Zone
	}
	if e.Hints != nil {
		for _, zone := range e.Hints.ForZones {
			out.ForZones = append(out.ForZones, zone.Name)
		}
		for _, node := range e.Hints.ForNodes {
			out.ForNodes = append(out.ForNodes, node.Name)
		}
	}
	if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
		out.Target = e.TargetRef.Namespace + "/" + e.TargetRef.Name
	}
	return out, true
}
