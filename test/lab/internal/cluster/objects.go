package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// kubeSystem is the namespace in which clusters keep their data plane.
const kubeSystem = "kube-system"

// Ports at which backends answer.
const (
	PodPort  = 8080
	HostPort = 18080
)

// Service is a Service of the cluster as the API server holds it, with what the scenario says about it.
type Service struct {
	scenario.Service
	Object *corev1.Service
	// Addresses are those of its load balancer entries, in their order, also of those that show a host name only.
	Addresses []string
	Endpoints int // how many endpoints a slice of each family lists, whatever their conditions
}

func nodeName(n int) string { return fmt.Sprintf("n%d", n) }

// createNodes creates the Nodes, ready.
func createNodes(ctx context.Context, c kubernetes.Interface, s scenario.Cluster) error {
	for n := 1; n <= scenario.Nodes; n++ {
		cidrs, ip := scenario.PodCIDRs(n), scenario.NodeIP(n)
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: nodeName(n), Labels: map[string]string{
				"kubernetes.io/hostname": nodeName(n), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
			}},
			Spec: corev1.NodeSpec{PodCIDR: cidrs[0], PodCIDRs: cidrs[:]},
		}
		maps.Copy(node.Labels, s.NodeLabels[node.Name])
		if s.Seed != 0 {
			node.Labels[corev1.LabelTopologyZone] = scenario.Zone(n)
		}
		if _, err := c.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating node %s: %w", node.Name, err)
		}
		status := corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"}},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: ip[0]}, {Type: corev1.NodeInternalIP, Address: ip[1]}, {Type: corev1.NodeHostName, Address: node.Name},
			},
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: s.Kubelet(), ContainerRuntimeVersion: "containerd://2.0.0", OSImage: "Linux",
			},
		}
		err := patchStatus(status, func(data []byte) error {
			_, err := c.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
			return err
		})
		if err != nil {
			return fmt.Errorf("setting the status of node %s: %w", node.Name, err)
		}
	}
	return nil
}

func patchStatus(status any, patch func([]byte) error) error {
	data, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	return patch(data)
}

func createNamespace(ctx context.Context, c kubernetes.Interface) error {
	_, err := c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: scenario.Namespace}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating namespace %s: %w", scenario.Namespace, err)
	}
	return nil
}

// podIPs are the addresses by which the lab numbers a cluster's i-th pod.
func podIPs(i int, p scenario.Pod) [2]string {
	if p.HostNetwork {
		return scenario.NodeIP(p.Node)
	}
	return scenario.PodIP(p.Node, i)
}

// createPods creates the pods, without a status.
func createPods(ctx context.Context, c kubernetes.Interface, all []scenario.Pod) error {
	pods := c.CoreV1().Pods(scenario.Namespace)
	for _, p := range all {
		labels := map[string]string{"app": p.Name}
		for _, s := range p.Sets {
			labels["set-"+s] = "true"
		}
		port, grace := int32(PodPort), int64((24 * time.Hour).Seconds())
		if p.HostNetwork {
			port = HostPort
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: p.Name, Labels: labels},
			Spec: corev1.PodSpec{
				NodeName: nodeName(p.Node), HostNetwork: p.HostNetwork, TerminationGracePeriodSeconds: &grace,
				Containers: []corev1.Container{{Name: "answer", Image: "registry.example/answer", Ports: []corev1.ContainerPort{
					{Name: "answer", ContainerPort: port, Protocol: corev1.ProtocolTCP},
					{Name: "answer-udp", ContainerPort: port, Protocol: corev1.ProtocolUDP},
				}}},
			},
		}
		if p.Second {
			pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports, corev1.ContainerPort{
				Name: "second", ContainerPort: port + 1, Protocol: corev1.ProtocolTCP,
			})
		}
		if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating pod %s: %w", p.Name, err)
		}
	}
	return nil
}

// showPods gives pods the status that their kubelets would report, and deletes those that are on their way out.
func (c *Cluster) showPods(ctx context.Context) error {
	pods := c.Control.Client.CoreV1().Pods(scenario.Namespace)
	for i, p := range c.Scenario.Pods() {
		ready := corev1.ConditionTrue
		if p.State == scenario.Unready || p.State == scenario.Terminating {
			ready = corev1.ConditionFalse
		}
		ip := c.podIPs[i]
		status := corev1.PodStatus{
			Phase: corev1.PodRunning, HostIP: scenario.NodeIP(p.Node)[0], PodIP: ip[0], PodIPs: []corev1.PodIP{{IP: ip[0]}, {IP: ip[1]}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
		}
		err := patchStatus(status, func(data []byte) error {
			_, err := pods.Patch(ctx, p.Name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
			return err
		})
		if err != nil {
			return fmt.Errorf("setting the status of pod %s: %w", p.Name, err)
		}
		if p.State == scenario.TerminatingServing || p.State == scenario.Terminating {
			if err := pods.Delete(ctx, p.Name, metav1.DeleteOptions{}); err != nil {
				return fmt.Errorf("deleting pod %s: %w", p.Name, err)
			}
		}
	}
	return nil
}

func choose(family corev1.IPFamily, both [2]string) string {
	if family == corev1.IPv6Protocol {
		return both[1]
	}
	return both[0]
}

// createService creates a Service with its load balancer's status and, where it is made by hand, its endpoints.
func (c *Cluster) createService(ctx context.Context, s scenario.Service) (*Service, error) {
	api, in := c.Control.Client, c.Scenario
	out := &Service{Service: s}
	if out.Type == "" {
		out.Type = corev1.ServiceTypeLoadBalancer
	}
	object := serviceObject(in, out)
	services := api.CoreV1().Services(scenario.Namespace)
	object, err := services.Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("creating service %s: %w", s.Name, err)
	}
	if out.Type == corev1.ServiceTypeLoadBalancer {
		status := out.ingress(in, object.Spec.IPFamilies)
		err := patchStatus(corev1.ServiceStatus{LoadBalancer: status}, func(data []byte) (err error) {
			object, err = services.Patch(ctx, s.Name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("setting the status of service %s: %w", s.Name, err)
		}
	}
	out.Object = object
	for i, p := range in.Pods() {
		switch {
		case s.Backends != "" && slices.Contains(p.Sets, s.Backends):
			out.Endpoints++
		case s.HandMade != "" && slices.Contains(p.Sets, s.HandMade):
			out.Endpoints++
			if err := handMade(ctx, api, s.Name, c.podIPs[i][0], p.Name, object.Spec.Ports[0].Protocol); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// serviceObject is a Service as it is created.
func serviceObject(in scenario.Cluster, s *Service) *corev1.Service {
	i := in.Number(s.Name)
	families := s.Families
	if families == nil {
		families = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	single := corev1.IPFamilyPolicySingleStack
	spec := corev1.ServiceSpec{
		Type: s.Type, ExternalTrafficPolicy: s.Policy, IPFamilies: families, IPFamilyPolicy: &single, LoadBalancerSourceRanges: s.SourceRanges,
		PublishNotReadyAddresses: s.PublishNotReady, Ports: ports(i, s),
	}
	if len(families) > 1 {
		require := corev1.IPFamilyPolicyRequireDualStack
		spec.IPFamilyPolicy = &require
	}
	for _, f := range families {
		spec.ClusterIPs = append(spec.ClusterIPs, choose(f, scenario.ClusterIP(i)))
		if s.OwnAddressOf != 0 {
			spec.ExternalIPs = append(spec.ExternalIPs, choose(f, scenario.NodeIP(s.OwnAddressOf)))
		}
	}
	spec.ClusterIP = spec.ClusterIPs[0]
	for k := range s.ExternalIPs {
		spec.ExternalIPs = append(spec.ExternalIPs, choose(families[0], scenario.VIP(i, k)))
	}
	if s.Internal != "" {
		spec.InternalTrafficPolicy = &s.Internal
	}
	if s.Affinity {
		spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	if s.HandMade == "" {
		set := s.Backends
		if set == "" {
			set = "nobody"
		}
		spec.Selector = map[string]string{"set-" + set: "true"}
	}
	if s.NoNodePorts {
		no := false
		spec.AllocateLoadBalancerNodePorts = &no
	}
	if s.Type == corev1.ServiceTypeLoadBalancer && s.Policy == corev1.ServiceExternalTrafficPolicyLocal {
		spec.HealthCheckNodePort = int32(31000 + i)
	}
	object := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: s.Name, Annotations: s.Annotations}, Spec: spec}
	if s.OtherProxy {
		object.Labels = map[string]string{"service.kubernetes.io/service-proxy-name": "another"}
	}
	if s.Distribution != "" {
		object.Spec.TrafficDistribution = &s.Distribution
		object.Annotations = map[string]string{corev1.DeprecatedAnnotationTopologyAwareHints: "auto"}
	}
	return object
}

// ports are those of the i-th Service.
func ports(i int, s *Service) []corev1.ServicePort {
	protocol := s.Protocol
	if protocol == "" {
		protocol = corev1.ProtocolTCP
	}
	number := int32(80)
	if s.SharesWith != "" {
		number = 81
	}
	var out []corev1.ServicePort
	for k, p := range append([]scenario.Port{{Name: "main", Number: number, Protocol: protocol}}, s.More...) {
		port := corev1.ServicePort{Name: p.Name, Port: p.Number, Protocol: p.Protocol, TargetPort: intstr.FromString("answer")}
		switch {
		case p.Second:
			port.TargetPort = intstr.FromString("second")
		case p.Protocol == corev1.ProtocolUDP:
			port.TargetPort = intstr.FromString("answer-udp")
		}
		if !s.NoNodePorts && s.Type != corev1.ServiceTypeClusterIP {
			port.NodePort = int32(30000 + 100*k + i)
		}
		out = append(out, port)
	}
	return out
}

// ingress is the load balancer's status; it notes the addresses.
func (s *Service) ingress(in scenario.Cluster, families []corev1.IPFamily) (status corev1.LoadBalancerStatus) {
	ingress := s.Ingress
	if ingress == nil {
		ingress = []scenario.Ingress{{}}
	}
	i := in.Number(s.Name)
	if s.SharesWith != "" {
		i = in.Number(s.SharesWith)
	}
	for k, in := range ingress {
		address := choose(families[k%len(families)], scenario.VIP(i, k+s.ExternalIPs))
		s.Addresses = append(s.Addresses, address)
		if in.Hostname {
			status.Ingress = append(status.Ingress, corev1.LoadBalancerIngress{Hostname: s.Name + ".lb.example.com"})
			continue
		}
		entry := corev1.LoadBalancerIngress{IP: address}
		if in.IPMode != "" {
			entry.IPMode = &in.IPMode
		}
		status.Ingress = append(status.Ingress, entry)
	}
	return status
}

// handMade writes a slice of one endpoint without a node name, and the same as Endpoints for proxies that know nothing else.
func handMade(ctx context.Context, c kubernetes.Interface, service, address, suffix string, protocol corev1.Protocol) error {
	name, port, yes := "main", int32(PodPort), true
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: service + "-" + suffix, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &yes}}},
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}
	if _, err := c.DiscoveryV1().EndpointSlices(scenario.Namespace).Create(ctx, slice, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating a slice of service %s: %w", service, err)
	}
	endpoints := c.CoreV1().Endpoints(scenario.Namespace)
	e, err := endpoints.Get(ctx, service, metav1.GetOptions{})
	if err == nil {
		e.Subsets[0].Addresses = append(e.Subsets[0].Addresses, corev1.EndpointAddress{IP: address})
		_, err = endpoints.Update(ctx, e, metav1.UpdateOptions{})
	} else {
		e = &corev1.Endpoints{ //nolint:staticcheck // deprecated, and all that kube-proxy of v1.20 understands
			ObjectMeta: metav1.ObjectMeta{Name: service, Labels: map[string]string{discoveryv1.LabelSkipMirror: "true"}},
			Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // deprecated with the above
				Addresses: []corev1.EndpointAddress{{IP: address}}, Ports: []corev1.EndpointPort{{Name: name, Port: port, Protocol: protocol}},
			}},
		}
		_, err = endpoints.Create(ctx, e, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("writing the endpoints of service %s: %w", service, err)
	}
	return nil
}

// createCluster creates what is there before any Service: nodes, pods that run nowhere yet, and what shows the data planes.
func (c *Cluster) createCluster(ctx context.Context) error {
	api := c.Control.Client
	if err := errors.Join(createNamespace(ctx, api), createNodes(ctx, api, c.Scenario), createPods(ctx, api, c.Scenario.Pods())); err != nil {
		return err
	}
	if err := Wait(ctx, "the namespace kube-system", func() (bool, error) {
		_, err := api.CoreV1().Namespaces().Get(ctx, kubeSystem, metav1.GetOptions{})
		return err == nil, nil
	}); err != nil {
		return err
	}
	for _, d := range c.planes {
		if err := d.show(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// createServices creates the Services of the cluster's scenario, and waits until the controllers have written their slices.
func (c *Cluster) createServices(ctx context.Context) error {
	api := c.Control.Client
	services := c.Scenario.Services()
	c.Services = make([]*Service, len(services))
	var g errgroup.Group
	g.SetLimit(8)
	for i, s := range services {
		g.Go(func() (err error) {
			c.Services[i], err = c.createService(ctx, s)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	missing := ""
	err := Wait(ctx, "the endpoint controllers", func() (bool, error) {
		list, err := api.DiscoveryV1().EndpointSlices(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		endpoints, err := api.CoreV1().Endpoints(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		have, old := map[string]int{}, map[string]bool{}
		for _, s := range list.Items {
			have[s.Labels[discoveryv1.LabelServiceName]] += len(s.Endpoints)
		}
		for _, e := range endpoints.Items {
			old[e.Name] = true
		}
		for _, s := range c.Services {
			if want := s.Endpoints * len(s.Object.Spec.IPFamilies); have[s.Name] != want || !old[s.Name] {
				missing = fmt.Sprintf("%s has %d endpoints of %d in its slices", s.Name, have[s.Name], want)
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return c.Control.withLog(fmt.Errorf("%w (%s)", err, missing), "kube-controller-manager")
	}
	return nil
}

// Objects are the API objects of the cluster, each as `kubectl get -o json` gives it, without managedFields.
func (c *Cluster) Objects(ctx context.Context) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for _, path := range []string{
		"/api/v1/nodes", "/apis/apps/v1/namespaces/" + kubeSystem + "/daemonsets", "/api/v1/namespaces/" + kubeSystem + "/configmaps", "/api/v1/namespaces/lab/pods",
		"/api/v1/namespaces/lab/services", "/apis/discovery.k8s.io/v1/namespaces/lab/endpointslices",
	} {
		data, err := c.Control.Client.RESTClient().Get().AbsPath(path).DoRaw(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		var list struct {
			APIVersion string           `json:"apiVersion"`
			Kind       string           `json:"kind"`
			Items      []map[string]any `json:"items"`
		}
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		for _, item := range list.Items {
			meta, _ := item["metadata"].(map[string]any)
			labels, _ := meta["labels"].(map[string]any)
			if name, _ := meta["name"].(string); strings.HasPrefix(name, canary) || labels[discoveryv1.LabelServiceName] != nil && strings.HasPrefix(fmt.Sprint(labels[discoveryv1.LabelServiceName]), canary) {
				continue
			}
			if name, _ := meta["name"].(string); strings.HasSuffix(path, "configmaps") && !slices.ContainsFunc(c.planes, func(d dataplane) bool { return d.configMap() == name }) {
				continue
			}
			delete(meta, "managedFields")
			item["apiVersion"], item["kind"] = list.APIVersion, strings.TrimSuffix(list.Kind, "List")
			raw, err := json.Marshal(item)
			if err != nil {
				return nil, err
			}
			out = append(out, raw)
		}
	}
	return out, nil
}
