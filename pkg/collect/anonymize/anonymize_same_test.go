package anonymize

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/collecttest"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/pkg/report/v1alpha1"
	"github.com/kubectl-etp/kubectl-etp/test/scenario/clustertest"
)

// mapped anonymises, and gives what it did so with, too.
func mapped(o *objects.Objects) (*objects.Objects, *anonymizer) {
	a := newAnonymizer()
	a.objects(o)
	a.settle()
	return a.objects(o), a
}

// tokens of a text: addresses, names and words.
var tokens = regexp.MustCompile(`[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*|[A-Za-z0-9._-]+`)

func tokensOf(text string) []string {
	found := tokens.FindAllString(text, -1)
	for i := range found {
		found[i] = strings.TrimRight(found[i], ".:")
	}
	return found
}

// likeness holds one report against another that says the same with other names.
type likeness struct {
	t *testing.T
	// known are the tokens of what was read: nothing else may be another.
	known map[string]bool
	forth map[[2]string]string
	back  map[string]string
}

var numbered = regexp.MustCompile(`^(.*?)-?[0-9]{5}.*$`)

func (l *likeness) same(at string, a, b any) {
	l.t.Helper()
	switch a := a.(type) {
	case map[string]any:
		other, _ := b.(map[string]any)
		if len(a) != len(other) {
			l.t.Errorf("%s: %v becomes %v", at, a, b)
			return
		}
		for key, value := range a {
			l.same(at+"."+key, value, other[key])
		}
	case []any:
		other, _ := b.([]any)
		if len(a) != len(other) {
			l.t.Errorf("%s: %d items become %d: %v, %v", at, len(a), len(other), a, b)
			return
		}
		for i := range a {
			l.same(fmt.Sprintf("%s[%d]", at, i), a[i], other[i])
		}
	case string:
		other, _ := b.(string)
		l.text(at, a, other)
	default:
		if a != b {
			l.t.Errorf("%s: %v becomes %v", at, a, b)
		}
	}
}

func (l *likeness) text(at, a, b string) {
	l.t.Helper()
	before, after := tokensOf(a), tokensOf(b)
	if len(before) != len(after) {
		l.t.Errorf("%s: %q becomes %q", at, a, b)
		return
	}
	for i, was := range before {
		is := after[i]
		if was == is {
			continue
		}
		kind := "address"
		if found := numbered.FindStringSubmatch(is); found != nil {
			kind = found[1]
		}
		if !l.known[was] {
			l.t.Errorf("%s: %q becomes %q, and that is no name of what was read", at, was, is)
		}
		if other, ok := l.forth[[2]string{was, kind}]; ok && other != is {
			l.t.Errorf("%s: %q becomes %q, and elsewhere %q", at, was, is, other)
		}
		if other, ok := l.back[is]; ok && other != was {
			l.t.Errorf("%s: %q and %q become %q", at, was, other, is)
		}
		l.forth[[2]string{was, kind}], l.back[is] = is, was
	}
}

// published are the reports of a snapshot as JSON has them, in the order of keys.
func published(t *testing.T, s *cluster.Snapshot, order func(namespace, name string) string) []any {
	t.Helper()
	slices.SortFunc(s.Services, func(a, b cluster.Service) int {
		return cmp.Compare(order(a.Namespace, a.Name), order(b.Namespace, b.Name))
	})
	text, err := v1alpha1.JSON(v1alpha1.List(func(yield func(*report.Report) bool) {
		for r := range report.Each(s) {
			// As people read names is another order than that of the names that stand for them.
			slices.SortFunc(r.Nodes, func(a, b report.Row) int { return cmp.Compare(a.Node.Name, b.Node.Name) })
			r.Findings = append(slices.Clone(r.Findings), r.Silent...)
			if !yield(&r) {
				return
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	var list map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	items, _ := list["items"].([]any)
	return items
}

// sameDiagnosis reads objects and their anonymous copy, by way of its dump, and compares what is made of them. Adjust changes both snapshots before.
func sameDiagnosis(t *testing.T, o *objects.Objects, adjust func(s *cluster.Snapshot, a *anonymizer)) {
	t.Helper()
	anonymous, a := mapped(o)
	text := collecttest.Dumped(t, anonymous)
	want, got := collecttest.Snapshot(t, o, objects.Query{AllNamespaces: true}), collecttest.Snapshot(t, collecttest.FromText(t, text), objects.Query{AllNamespaces: true})
	if adjust != nil {
		adjust(want, nil)
		adjust(got, a)
	}
	for i := range want.Gaps {
		want.Gaps[i].Message = ""
	}
	for i := range got.Gaps {
		got.Gaps[i].Message = ""
	}
	known := map[string]bool{"default": true}
	for _, token := range tokensOf(collecttest.Dumped(t, o)) {
		known[token] = true
	}
	for i := range o.Services {
		known[o.Services[i].Name+"."+o.Services[i].Namespace] = true
		known[detect.LeaseName(o.Services[i].Namespace, o.Services[i].Name)] = true
	}
	l := &likeness{t: t, known: known, forth: map[[2]string]string{}, back: map[string]string{}}
	before := published(t, want, func(namespace, name string) string { return a.namespace(namespace) + "/" + a.name("service", name) })
	after := published(t, got, func(namespace, name string) string { return namespace + "/" + name })
	l.same("", any(before), any(after))
	if t.Failed() {
		t.Logf("the dump:\n%s", text)
	}
}

func TestAnonymousDumpHasTheSameDiagnosis(t *testing.T) {
	files := append(collecttest.Samples(t), "collect/anonymize/testdata/words.yaml")
	examples, err := filepath.Glob(collecttest.Path("../examples/*.yaml"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("examples: %v, %v", examples, err)
	}
	for _, name := range examples {
		files = append(files, "../examples/"+filepath.Base(name))
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			sameDiagnosis(t, collecttest.Offline(t, name), nil)
		})
	}
}

// TestAnonymousScenarios takes the clusters of all scenarios, as manifests. Their data planes are not detected but put in place: detection has samples of its own.
func TestAnonymousScenarios(t *testing.T) {
	files, err := filepath.Glob(collecttest.Path("../test/scenario/*.txtar"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for i, file := range files {
		if testing.Short() && i%3 > 0 {
			continue // One of three; CI reads all.
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			s := scenario(t, file)
			planes := map[string]*cluster.Dataplane{}
			for i := range s.Nodes {
				planes[s.Nodes[i].Name] = s.Nodes[i].Dataplane
			}
			sameDiagnosis(t, manifests(s), func(read *cluster.Snapshot, a *anonymizer) {
				read.Dataplane = *planeOf(&s.Dataplane, a)
				by := map[string]string{}
				for name := range planes {
					if a != nil {
						by[a.name("node", name)] = name
					} else {
						by[name] = name
					}
				}
				for i := range read.Nodes {
					read.Nodes[i].Dataplane = planeOf(planes[by[read.Nodes[i].Name]], a)
				}
			})
		})
	}
}

func scenario(t *testing.T, file string) *cluster.Snapshot {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range txtar.Parse(text).Files {
		if section.Name != "cluster" {
			continue
		}
		s, err := clustertest.Parse(string(section.Data))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Fatalf("%s has no cluster", file)
	return nil
}

// planeOf is a data plane with its ranges and names replaced.
func planeOf(d *cluster.Dataplane, a *anonymizer) *cluster.Dataplane {
	if d == nil || a == nil || d.KubeProxy == nil && d.KubeRouter == nil && d.Cilium == nil {
		return d
	}
	out := *d
	swap := func(in []netip.Prefix) []netip.Prefix {
		var all []netip.Prefix
		for _, p := range in {
			all = append(all, a.changed[p])
		}
		return all
	}
	if d.Cilium != nil {
		settings := *d.Cilium
		out.Cilium = &settings
		settings.NodePortAddresses = swap(settings.NodePortAddresses)
	}
	if d.KubeRouter != nil {
		settings := *d.KubeRouter
		out.KubeRouter = &settings
		settings.ExternalIPRanges, settings.LoadBalancerRanges = swap(settings.ExternalIPRanges), swap(settings.LoadBalancerRanges)
		return &out
	}
	if d.KubeProxy == nil {
		return &out
	}
	settings := *d.KubeProxy
	out.KubeProxy = &settings
	settings.ClusterCIDRs, settings.NodePortAddresses = swap(settings.ClusterCIDRs), swap(settings.NodePortAddresses)
	if settings.HostnameOverride != "" {
		settings.HostnameOverride = a.name("node", settings.HostnameOverride)
	}
	if b := settings.BindAddress; b.IsValid() {
		settings.BindAddress = a.changed[netip.PrefixFrom(b, b.BitLen())].Addr()
	}
	return &out
}

// manifests are objects from which the snapshot could have been read.
func manifests(s *cluster.Snapshot) *objects.Objects {
	o := &objects.Objects{Gaps: s.Gaps, Complete: true}
	for i := range s.Services {
		from := &s.Services[i]
		to := corev1.Service{ObjectMeta: metav1.ObjectMeta{
			Name: from.Name, Namespace: from.Namespace, Labels: from.Labels, Annotations: from.Annotations, Finalizers: from.Finalizers,
		}}
		if from.ProxyName != "" {
			to.Labels = map[string]string{"service.kubernetes.io/service-proxy-name": from.ProxyName}
		}
		to.Spec.Type, to.Spec.ExternalTrafficPolicy = corev1.ServiceType(from.Type), corev1.ServiceExternalTrafficPolicy(from.ExternalTrafficPolicy)
		internal := corev1.ServiceInternalTrafficPolicy(cmp.Or(from.InternalTrafficPolicy, cluster.PolicyCluster))
		to.Spec.InternalTrafficPolicy = &internal
		to.Spec.HealthCheckNodePort = int32(from.HealthCheckNodePort)
		to.Spec.ClusterIPs, to.Spec.ExternalIPs, to.Spec.LoadBalancerSourceRanges = written(from.ClusterIPs), written(from.ExternalIPs), written(from.SourceRanges)
		if from.Headless {
			to.Spec.ClusterIPs = []string{corev1.ClusterIPNone}
		}
		if from.LoadBalancerClass != "" {
			to.Spec.LoadBalancerClass = &from.LoadBalancerClass
		}
		if from.TrafficDistribution != "" {
			to.Spec.TrafficDistribution = &from.TrafficDistribution
		}
		if from.ClientIPAffinity {
			to.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
		}
		if from.HasSelector {
			to.Spec.Selector = map[string]string{"app": from.Name}
		}
		allocate := !from.NoNodePorts
		to.Spec.AllocateLoadBalancerNodePorts = &allocate
		for _, p := range from.Ports {
			to.Spec.Ports = append(to.Spec.Ports, corev1.ServicePort{
				Name: p.Name, Protocol: corev1.Protocol(p.Protocol), Port: int32(p.Port), NodePort: int32(p.NodePort), TargetPort: intstr.Parse(p.TargetPort),
			})
		}
		for _, in := range from.Ingress {
			mode := corev1.LoadBalancerIPMode(in.IPMode)
			entry := corev1.LoadBalancerIngress{Hostname: in.Hostname, IPMode: &mode}
			if in.IP.IsValid() {
				entry.IP = in.IP.String()
			}
			to.Status.LoadBalancer.Ingress = append(to.Status.LoadBalancer.Ingress, entry)
		}
		o.Services = append(o.Services, to)
		for j := range from.Endpoints {
			o.Slices = append(o.Slices, sliceOf(from, j))
		}
	}
	for i := range s.Nodes {
		if s.Nodes[i].Known {
			o.Nodes = append(o.Nodes, nodeOf(&s.Nodes[i]))
		}
	}
	for _, d := range append([]*cluster.Dataplane{&s.Dataplane}, planesOf(s)...) {
		if d != nil && d.KubeRouter != nil {
			o.DaemonSets = append(o.DaemonSets, kubeRouterOf(d.KubeRouter))
		}
		if d != nil && d.Cilium != nil {
			o.ConfigMaps = append(o.ConfigMaps, corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("settings-%d", len(o.ConfigMaps)), Namespace: "kube-system"},
				Data:       map[string]string{"nodeport-addresses": strings.Join(written(d.Cilium.NodePortAddresses), ",")},
			})
		}
		if d == nil || d.KubeProxy == nil {
			continue
		}
		// Nobody mounts it: it is there for its ranges and names.
		settings := detect.KubeProxyConfiguration{
			Kind: "KubeProxyConfiguration", ClusterCIDR: strings.Join(written(d.KubeProxy.ClusterCIDRs), ","), NodePortAddresses: written(d.KubeProxy.NodePortAddresses),
			HostnameOverride: d.KubeProxy.HostnameOverride,
		}
		if d.KubeProxy.BindAddress.IsValid() {
			settings.BindAddress = d.KubeProxy.BindAddress.String()
		}
		text, _ := yaml.Marshal(settings)
		o.ConfigMaps = append(o.ConfigMaps, corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("settings-%d", len(o.ConfigMaps)), Namespace: "kube-system"}, Data: map[string]string{"config.conf": string(text)},
		})
	}
	return o
}

// kubeRouterOf is a DaemonSet that is there for its ranges: it runs nothing.
func kubeRouterOf(k *cluster.KubeRouterSettings) appsv1.DaemonSet {
	var set appsv1.DaemonSet
	set.Name, set.Namespace = "kube-router", "kube-system"
	set.Spec.Template.Spec.Containers = []corev1.Container{{Name: "kube-router", Args: []string{
		"--run-service-proxy=false", "--service-external-ip-range=" + strings.Join(written(k.ExternalIPRanges), ","),
		"--loadbalancer-ip-range=" + strings.Join(written(k.LoadBalancerRanges), ","),
	}}}
	return set
}

func planesOf(s *cluster.Snapshot) []*cluster.Dataplane {
	var out []*cluster.Dataplane
	for i := range s.Nodes {
		out = append(out, s.Nodes[i].Dataplane)
	}
	return out
}

func written[T fmt.Stringer](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

func sliceOf(service *cluster.Service, i int) discoveryv1.EndpointSlice {
	e := &service.Endpoints[i]
	out := discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4, ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("%s-%03d", service.Name, i), Namespace: service.Namespace, Labels: map[string]string{discoveryv1.LabelServiceName: service.Name},
	}}
	if e.Address.Is6() {
		out.AddressType = discoveryv1.AddressTypeIPv6
	}
	one := discoveryv1.Endpoint{
		Addresses:  []string{e.Address.String()},
		Conditions: discoveryv1.EndpointConditions{Ready: &e.Ready, Serving: &e.Serving, Terminating: &e.Terminating},
	}
	if e.Node != "" {
		one.NodeName = &e.Node
	}
	if e.Zone != "" {
		one.Zone = &e.Zone
	}
	if len(e.ForZones)+len(e.ForNodes) > 0 {
		one.Hints = &discoveryv1.EndpointHints{}
		for _, zone := range e.ForZones {
			one.Hints.ForZones = append(one.Hints.ForZones, discoveryv1.ForZone{Name: zone})
		}
		for _, node := range e.ForNodes {
			one.Hints.ForNodes = append(one.Hints.ForNodes, discoveryv1.ForNode{Name: node})
		}
	}
	if namespace, name, ok := strings.Cut(e.Target, "/"); ok {
		one.TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: name}
	}
	out.Endpoints = []discoveryv1.Endpoint{one}
	for _, p := range e.Ports {
		protocol, number := corev1.Protocol(p.Protocol), int32(p.Port)
		out.Ports = append(out.Ports, discoveryv1.EndpointPort{Name: &p.Name, Protocol: &protocol, Port: &number})
	}
	return out
}

func nodeOf(n *cluster.Node) corev1.Node {
	out := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: map[string]string{}, Annotations: map[string]string{}}}
	maps.Copy(out.Labels, n.Labels)
	if n.Zone != "" {
		out.Labels[corev1.LabelTopologyZone] = n.Zone
	}
	if n.VirtualKubelet {
		out.Labels["type"] = "virtual-kubelet"
	}
	if n.Partial {
		out.Annotations[objects.PartialAnnotation] = "true"
	}
	out.Spec = corev1.NodeSpec{PodCIDRs: written(n.PodCIDRs), ProviderID: n.ProviderID, Unschedulable: n.Unschedulable}
	for _, taint := range n.Taints {
		key, effect, _ := strings.Cut(taint, ":")
		key, value, _ := strings.Cut(key, "=")
		out.Spec.Taints = append(out.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
	}
	ready := map[cluster.Tristate]corev1.ConditionStatus{cluster.Yes: corev1.ConditionTrue, cluster.No: corev1.ConditionFalse, cluster.Undetermined: corev1.ConditionUnknown}[n.Ready]
	out.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	for _, ip := range n.InternalIPs {
		out.Status.Addresses = append(out.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip.String()})
	}
	for _, ip := range n.ExternalIPs {
		out.Status.Addresses = append(out.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: ip.String()})
	}
	out.Status.NodeInfo = corev1.NodeSystemInfo{OperatingSystem: n.OS, KubeletVersion: n.KubeletVersion.String()}
	if n.Deleting {
		now := metav1.Now()
		out.DeletionTimestamp = &now
	}
	return out
}
