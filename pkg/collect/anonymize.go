package collect

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Anonymize is a copy that does not say whose cluster it is: names (of kube-system those of Services and pods only), addresses and the values of annotations and labels are replaced, each
// by the same wherever it occurs. What a diagnosis goes by stays: structure, ports, versions, the keys that Kubernetes and its providers define and their
// well-known values, and, among addresses, the family, the kind of network (private, shared, documentation, public) and which lies in which range.
func Anonymize(o *Objects) *Objects {
	a := &anonymizer{names: map[string]map[string]string{}}
	for _, text := range keptRanges {
		a.kept = append(a.kept, netip.MustParsePrefix(text))
	}
	_, _ = rand.Read(a.key[:]) // It never fails (crypto/rand).
	a.collect(o)
	out := &Objects{asked: o.asked}
	for i := range o.Services {
		out.Services = append(out.Services, a.service(o.Services[i].DeepCopy()))
	}
	for i := range o.Slices {
		out.Slices = append(out.Slices, a.slice(o.Slices[i].DeepCopy()))
	}
	for i := range o.Nodes {
		out.Nodes = append(out.Nodes, a.node(o.Nodes[i].DeepCopy()))
	}
	for i := range o.DaemonSets {
		set := o.DaemonSets[i].DeepCopy()
		set.Namespace = a.namespace(set.Namespace)
		a.pod(&set.Spec.Template.Spec)
		out.DaemonSets = append(out.DaemonSets, *set)
	}
	for i := range o.ConfigMaps {
		out.ConfigMaps = append(out.ConfigMaps, a.configMap(o.ConfigMaps[i].DeepCopy()))
	}
	for i := range o.Pods {
		pod := o.Pods[i].DeepCopy()
		pod.Name, pod.Namespace = a.name("pod", pod.Name), a.namespace(pod.Namespace)
		pod.Spec.NodeName = a.name("node", pod.Spec.NodeName)
		a.pod(&pod.Spec)
		out.Pods = append(out.Pods, *pod)
	}
	for i := range o.Ingresses {
		out.Ingresses = append(out.Ingresses, a.ingress(o.Ingresses[i].DeepCopy()))
	}
	for i := range o.Others {
		out.Others = append(out.Others, a.other(o.Others[i].DeepCopy()))
	}
	for _, gap := range o.Gaps {
		// The server's sentence names the user.
		gap.Message = "the message is left out"
		if gap.Resource == nodesResource {
			gap.Name = a.name("node", gap.Name)
		} else if gap.Namespace != "" {
			gap.Name = a.within(gap.Namespace, strings.TrimSuffix(gap.Resource, "s"), gap.Name)
		}
		gap.Namespace = a.namespace(gap.Namespace)
		out.Gaps = append(out.Gaps, gap)
	}
	return out
}

type anonymizer struct {
	key   [32]byte
	names map[string]map[string]string
	kept  []netip.Prefix
}

// collect gives names in their order, so that what is sorted by name stays sorted.
func (a *anonymizer) collect(o *Objects) {
	gathered := map[string]map[string]bool{}
	note := func(kind, name string) {
		if gathered[kind] == nil {
			gathered[kind] = map[string]bool{}
		}
		gathered[kind][name] = true
	}
	for i := range o.Nodes {
		note("node", o.Nodes[i].Name)
		for _, label := range zoneLabels {
			note("zone", o.Nodes[i].Labels[label])
		}
	}
	for i := range o.Services {
		note("service", o.Services[i].Name)
		note("namespace", o.Services[i].Namespace)
	}
	for i := range o.Slices {
		slice := &o.Slices[i]
		note("slice", slice.Name)
		note("namespace", slice.Namespace)
		note("service", slice.Labels[discoveryv1.LabelServiceName])
		for j := range slice.Endpoints {
			if node := slice.Endpoints[j].NodeName; node != nil {
				note("node", *node)
			}
			if zone := slice.Endpoints[j].Zone; zone != nil {
				note("zone", *zone)
			}
		}
	}
	for kind, names := range gathered {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			a.name(kind, name)
		}
	}
}

// name stands for a name of a kind; "" stays "".
func (a *anonymizer) name(kind, name string) string {
	if name == "" {
		return ""
	}
	known := a.names[kind]
	if known == nil {
		known = map[string]string{}
		a.names[kind] = known
	}
	if _, ok := known[name]; !ok {
		known[name] = fmt.Sprintf("%s-%05d", kind, len(known)+1)
	}
	return known[name]
}

// keptNamespaces are everybody's.
var keptNamespaces = map[string]bool{
	"": true, "default": true, "kube-system": true, "kube-public": true, "ovn-kubernetes": true, "openshift-ovn-kubernetes": true, "openshift-sdn": true, "cilium": true, "calico-system": true,
}

func (a *anonymizer) namespace(namespace string) string {
	if keptNamespaces[namespace] {
		return namespace
	}
	return a.name("namespace", namespace)
}

// within is the name of an object; those of kube-system are everybody's, except what users put there too.
func (a *anonymizer) within(namespace, kind, name string) string {
	switch kind {
	case "service", "slice", "pod", "ingress":
		return a.name(kind, name)
	}
	if namespace == kubeSystem {
		return name
	}
	return a.name(kind, name)
}

// zoneLabels are the labels whose values are places.
var zoneLabels = [...]string{corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion}

// keptDomains define the keys that a diagnosis goes by.
var keptDomains = [...]string{
	"kubernetes.io", "k8s.io", "k8s.alibaba", "aliyun.com", "alibabacloud.com", "amazonaws.com", "k8s.aws", "azure.com", "google.com", "gke.io", "oraclecloud.com",
	"hetzner.cloud", "digitalocean.com", "scaleway.com", "linode.com", "vultr.com", "exoscale.com", "openstack.org", "metallb.io", "metallb.universe.tf",
	"kube-vip.io", "cilium.io", "k3s.io", "microk8s.io", "k3s.cattle.io", "projectcalico.org", "tigera.io", "openshift.io", "helm.sh", "argoproj.io", "fluxcd.io", "qcloud.com",
	"tencent.com", "huawei.com", "baidu.com", "volcengine.com", "kube-router.io",
}

func keptDomain(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	for _, kept := range keptDomains {
		if domain == kept || strings.HasSuffix(domain, "."+kept) {
			return true
		}
	}
	return false
}

// keptValue is a value that means the same everywhere.
var keptValue = regexp.MustCompile(`^(?i:|true|false|on|off|yes|no|auto|none|enabled?|disabled?|eni|ecs|eip|ip|ips|instance|instances|nlb|clb|alb|external|internal|` +
	`internet-facing|internet|intranet|public|private|w?rr|wlc|sch|tch|tcp|udp|sctp|https?|ssl|tls|http2|local|cluster|linux|windows|arm64|amd64|virtual-kubelet|` +
	`cloud-provider-managed|dualstack|ipv4|ipv6|prefersamezone|prefersamenode|preferclose|[0-9]{1,5}|\*)$`)

// labelKey keeps a key that Kubernetes or a provider defines, and those without a domain that everybody uses.
func (a *anonymizer) labelKey(key string) string {
	switch key {
	case "type", "component", "k8s-app", "app":
		return key
	}
	if keptDomain(key) && strings.Contains(key, "/") {
		return key
	}
	return a.name("key", key)
}

func (a *anonymizer) pairs(in map[string]string, replace func(key, value string) (string, bool)) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for _, key := range slices.Sorted(maps.Keys(in)) {
		value := in[key]
		if to, ok := replace(key, value); ok {
			out[a.labelKey(key)] = to
		} else {
			out[a.labelKey(key)] = a.value(value)
		}
	}
	return out
}

func (a *anonymizer) labels(in map[string]string) map[string]string {
	return a.pairs(in, func(key, value string) (string, bool) {
		switch {
		case slices.Contains(zoneLabels[:], key):
			return a.name("zone", value), true
		case key == corev1.LabelHostname:
			return a.name("node", value), true
		case key == discoveryv1.LabelServiceName:
			return a.name("service", value), true
		case key == gatewayNameLabel:
			return a.name("gateway", value), true
		case key == discoveryv1.LabelManagedBy:
			return value, true
		}
		return "", false
	})
}

// value stands for the value of an annotation or a label. Addresses and ranges in a list of them stay addresses and ranges.
func (a *anonymizer) value(value string) string {
	if keptValue.MatchString(value) {
		return value
	}
	parts := strings.Split(value, ",")
	for i, part := range parts {
		to, ok := a.addressOrRange(strings.TrimSpace(part))
		if !ok {
			return a.name("value", value)
		}
		parts[i] = to
	}
	return strings.Join(parts, ",")
}

func (a *anonymizer) addressOrRange(text string) (string, bool) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return netip.PrefixFrom(a.addr(prefix.Addr()), prefix.Bits()).Masked().String(), true
	}
	if address, ok := parseAddress(text); ok {
		return a.addr(address).String(), true
	}
	return "", false
}

// address replaces an address or a range, and leaves alone what is neither ("None").
func (a *anonymizer) address(text string) string {
	if to, ok := a.addressOrRange(strings.TrimSpace(text)); ok {
		return to
	}
	return text
}

func (a *anonymizer) addresses(texts []string) {
	for i := range texts {
		texts[i] = a.address(texts[i])
	}
}

// keptRanges say what kind of network an address is of; the defaults of k3s and MicroK8s are among them, for they are what tells
// their cluster CIDR.
var keptRanges = [...]string{
	"0.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", "10.42.0.0/16", "10.43.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
	"::/127", "64:ff9b::/96", "2000::/3", "2001:db8::/32", "fc00::/7", "fe80::/10", "ff00::/8",
}

// addr replaces an address bit by bit: whether a bit is turned depends on the bits before it alone, so that two addresses share as long a prefix afterwards as
// before (the construction of Crypto-PAn). On the way into the kept ranges no bit is turned.
func (a *anonymizer) addr(address netip.Addr) netip.Addr {
	bits := address.AsSlice()
	out := slices.Clone(bits)
	zeroed := make([]byte, len(bits)+1)
	for i := range len(bits) * 8 {
		before, err := address.Prefix(i)
		if err != nil || a.towardsKept(before) {
			continue
		}
		copy(zeroed, before.Addr().AsSlice())
		zeroed[len(bits)] = byte(i)
		sum := hmac.New(sha256.New, a.key[:])
		sum.Write(zeroed)
		if sum.Sum(nil)[0]&1 == 1 {
			out[i/8] ^= 0x80 >> (i % 8)
		}
	}
	changed, _ := netip.AddrFromSlice(out)
	return changed
}

// towardsKept says whether a kept range lies within a prefix.
func (a *anonymizer) towardsKept(prefix netip.Prefix) bool {
	for _, kept := range a.kept {
		if prefix.Bits() < kept.Bits() && prefix.Contains(kept.Addr()) {
			return true
		}
	}
	return false
}

// host keeps what tells the provider: the last two parts of a cloud's domain, and its parts that name a kind of load balancer.
func (a *anonymizer) host(host string) string {
	if host == "" {
		return ""
	}
	var kept strings.Builder
	kept.WriteString(a.name("host", host))
	for _, domain := range []string{"amazonaws.com", "amazonaws.com.cn", "aliyuncs.com", "aliyuncsslb.com", "azure.com", "oraclecloud.com", "tencentclb.com", "myqcloud.com", "appdomain.cloud"} {
		if !strings.HasSuffix(host, "."+domain) {
			continue
		}
		for part := range strings.SplitSeq(strings.TrimSuffix(host, "."+domain), ".") {
			switch part {
			case "elb", "nlb", "slb", "clb", "alb", "lb", "cloudapp":
				kept.WriteString("." + part)
			}
		}
		return kept.String() + "." + domain
	}
	return kept.String() + ".example.com"
}

func (a *anonymizer) annotations(in map[string]string) map[string]string {
	return a.pairs(in, func(key, value string) (string, bool) { return value, key == partialAnnotation })
}

func (a *anonymizer) qualified(kind, name string) string {
	if keptDomain(name) {
		return name
	}
	return a.name(kind, name)
}

func (a *anonymizer) service(s *corev1.Service) corev1.Service {
	s.Name = a.within(s.Namespace, "service", s.Name)
	s.Namespace = a.namespace(s.Namespace)
	s.Labels, s.Annotations = a.labels(s.Labels), a.annotations(s.Annotations)
	for i := range s.Finalizers {
		s.Finalizers[i] = a.qualified("finalizer", s.Finalizers[i])
	}
	s.Spec.Selector = a.labels(s.Spec.Selector)
	s.Spec.ClusterIP = a.address(s.Spec.ClusterIP)
	s.Spec.LoadBalancerIP = a.address(s.Spec.LoadBalancerIP)
	s.Spec.ExternalName = a.host(s.Spec.ExternalName)
	a.addresses(s.Spec.ClusterIPs)
	a.addresses(s.Spec.ExternalIPs)
	a.addresses(s.Spec.LoadBalancerSourceRanges)
	if s.Spec.LoadBalancerClass != nil {
		*s.Spec.LoadBalancerClass = a.qualified("class", *s.Spec.LoadBalancerClass)
	}
	for i := range s.Status.LoadBalancer.Ingress {
		entry := &s.Status.LoadBalancer.Ingress[i]
		entry.IP, entry.Hostname = a.address(entry.IP), a.host(entry.Hostname)
	}
	return *s
}

func (a *anonymizer) slice(s *discoveryv1.EndpointSlice) discoveryv1.EndpointSlice {
	s.Name = a.within(s.Namespace, "slice", s.Name)
	service := a.within(s.Namespace, "service", s.Labels[discoveryv1.LabelServiceName])
	s.Labels = a.labels(s.Labels)
	s.Labels[discoveryv1.LabelServiceName] = service
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if s.AddressType == discoveryv1.AddressTypeFQDN {
			for j := range e.Addresses {
				e.Addresses[j] = a.host(e.Addresses[j])
			}
		}
		a.addresses(e.Addresses)
		e.Hostname = nil
		if e.NodeName != nil {
			*e.NodeName = a.name("node", *e.NodeName)
		}
		if e.Zone != nil {
			*e.Zone = a.name("zone", *e.Zone)
		}
		e.DeprecatedTopology = nil
		if e.Hints != nil {
			for j := range e.Hints.ForZones {
				e.Hints.ForZones[j].Name = a.name("zone", e.Hints.ForZones[j].Name)
			}
			for j := range e.Hints.ForNodes {
				e.Hints.ForNodes[j].Name = a.name("node", e.Hints.ForNodes[j].Name)
			}
		}
		if e.TargetRef != nil {
			e.TargetRef = &corev1.ObjectReference{
				Kind: e.TargetRef.Kind, Namespace: a.namespace(e.TargetRef.Namespace), Name: a.within(e.TargetRef.Namespace, "pod", e.TargetRef.Name),
			}
		}
	}
	s.Namespace = a.namespace(s.Namespace)
	return *s
}

func (a *anonymizer) node(n *corev1.Node) corev1.Node {
	n.Name = a.name("node", n.Name)
	n.Labels = a.labels(n.Labels)
	if args, ok := k3sArgs(n); ok {
		n.Annotations[nodeArgs] = a.k3s(args)
	}
	n.Spec.PodCIDR = a.address(n.Spec.PodCIDR)
	a.addresses(n.Spec.PodCIDRs)
	n.Spec.ProviderID = a.providerID(n.Spec.ProviderID)
	for i := range n.Spec.Taints {
		taint := &n.Spec.Taints[i]
		taint.Key, taint.Value = a.taintKey(taint.Key), a.value(taint.Value)
	}
	for i := range n.Status.Addresses {
		address := &n.Status.Addresses[i]
		if to, ok := a.addressOrRange(address.Address); ok {
			address.Address = to
		} else {
			address.Address = a.name("node", address.Address)
		}
	}
	return *n
}

func (a *anonymizer) taintKey(key string) string {
	// The autoscaler's taints have no domain, and providers go by them.
	if key == "ToBeDeletedByClusterAutoscaler" || key == "DeletionCandidateOfClusterAutoscaler" || keptDomain(key) {
		return key
	}
	return a.name("key", key)
}

// providerID keeps the form by which a provider is told: its scheme, and the words that are part of the form.
func (a *anonymizer) providerID(id string) string {
	scheme, rest, hasScheme := strings.Cut(id, "://")
	if !hasScheme {
		scheme, rest = "", id
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		switch segment {
		case "", "subscriptions", "resourceGroups", "providers", "Microsoft.Compute", "virtualMachines", "virtualMachineScaleSets":
			continue
		}
		parts := strings.Split(segment, ".")
		for j, part := range parts {
			switch {
			case strings.HasPrefix(part, "i-"):
				parts[j] = "i-" + a.name("instance", part)
			case j+1 < len(parts) && strings.HasPrefix(parts[j+1], "i-"):
				// Alibaba Cloud's form, region.instance, is told by the region's.
				parts[j] = "xx-" + a.name("region", part)
			default:
				parts[j] = a.name("part", part)
			}
		}
		segments[i] = strings.Join(parts, ".")
	}
	out := strings.Join(segments, "/")
	if hasScheme {
		out = scheme + "://" + out
	}
	return out
}

// keptFlags are those that a data plane is told by.
var keptFlags = [...]string{
	"cluster-cidr", "config", "detect-local-mode", "disable-kube-proxy", "feature-gates", "flannel-backend", "hostname-override", "ip-masq",
	"iptables-localhost-nodeports", "masquerade-all", "nodeport-addresses", "pod-bridge-interface", "pod-interface-name-prefix", "proxy-mode", "run-service-proxy",
}

func (a *anonymizer) flags(given map[string]string) []string {
	var out []string
	for _, name := range keptFlags {
		value, ok := given[name]
		if !ok {
			continue
		}
		switch name {
		case "cluster-cidr", "nodeport-addresses":
			parts := strings.Split(value, ",")
			a.addresses(parts)
			value = strings.Join(parts, ",")
		case "hostname-override":
			if !strings.ContainsAny(value, "${") {
				value = a.name("node", value)
			}
		}
		out = append(out, "--"+name+"="+value)
	}
	return out
}

func (a *anonymizer) k3s(args []string) string {
	var out []string
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		out = append(out, args[0])
	}
	out = append(out, a.flags(flags(args))...)
	for i, arg := range args {
		value, ok := strings.CutPrefix(arg, "--kube-proxy-arg=")
		if !ok && arg == "--kube-proxy-arg" && i+1 < len(args) {
			value, ok = args[i+1], true
		}
		if ok {
			for _, flag := range a.flags(flags([]string{"--" + strings.TrimPrefix(value, "--")})) {
				out = append(out, "--kube-proxy-arg="+strings.TrimPrefix(flag, "--"))
			}
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return "[]"
	}
	return string(text)
}

// affinity replaces labels where nodes are selected by them as it does on the nodes.
func (a *anonymizer) affinity(affinity *corev1.Affinity) {
	if affinity == nil {
		return
	}
	terms := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	for i := range terms {
		for j := range terms[i].MatchExpressions {
			r := &terms[i].MatchExpressions[j]
			key := r.Key
			for k, value := range r.Values {
				for to, replaced := range a.labels(map[string]string{key: value}) {
					r.Key, r.Values[k] = to, replaced
				}
			}
			if len(r.Values) == 0 {
				r.Key = a.labelKey(key)
			}
		}
		for j := range terms[i].MatchFields {
			r := &terms[i].MatchFields[j]
			for k, value := range r.Values {
				r.Values[k] = a.name("node", value)
			}
		}
	}
}

// pod leaves of containers what tells which program they run, and the flags that matter.
func (a *anonymizer) pod(spec *corev1.PodSpec) {
	spec.NodeSelector = a.labels(spec.NodeSelector)
	a.affinity(spec.Affinity)
	for i := range spec.Containers {
		container := &spec.Containers[i]
		all := words(container)
		container.Image = path.Base(container.Image)
		if name, digest, ok := strings.Cut(container.Image, "@"); ok && digest != "" {
			container.Image = name
		}
		container.Command, container.Args = nil, a.flags(flags(all))
		for _, word := range all {
			if path.Base(word) == "kube-proxy" {
				container.Command = []string{"kube-proxy"}
			}
		}
	}
}

func (a *anonymizer) configMap(c *corev1.ConfigMap) corev1.ConfigMap {
	for key, text := range c.Data {
		switch {
		case isKubeProxyConfiguration(text):
			c.Data[key] = a.kubeProxyConfiguration(text)
		case key == antreaConfKey:
			c.Data[key] = antreaSettings(text)
		}
	}
	c.Namespace = a.namespace(c.Namespace)
	return *c
}

// kubeProxyConfiguration leaves the fields that are read.
func (a *anonymizer) kubeProxyConfiguration(text string) string {
	read, err := parseKubeProxyConfiguration(text)
	if err != nil {
		return "kind: KubeProxyConfiguration (malformed)"
	}
	parts := strings.Split(read.ClusterCIDR, ",")
	a.addresses(parts)
	read.ClusterCIDR = strings.Join(parts, ",")
	a.addresses(read.NodePortAddresses)
	if !strings.ContainsAny(read.HostnameOverride, "${") {
		read.HostnameOverride = a.name("node", read.HostnameOverride)
	}
	out, err := yaml.Marshal(read)
	if err != nil {
		return "kind: KubeProxyConfiguration (malformed)"
	}
	return string(out)
}

func antreaSettings(text string) string {
	var read antreaConfiguration
	if yaml.Unmarshal([]byte(text), &read) != nil {
		return ""
	}
	out, err := yaml.Marshal(read)
	if err != nil {
		return ""
	}
	return string(out)
}

func (a *anonymizer) ingress(i *networkingv1.Ingress) networkingv1.Ingress {
	i.Name, i.Namespace = a.within(i.Namespace, "ingress", i.Name), a.namespace(i.Namespace)
	if i.Spec.IngressClassName != nil {
		*i.Spec.IngressClassName = a.name("class", *i.Spec.IngressClassName)
	}
	for j := range i.Status.LoadBalancer.Ingress {
		entry := &i.Status.LoadBalancer.Ingress[j]
		entry.IP, entry.Hostname = a.address(entry.IP), a.host(entry.Hostname)
	}
	return *i
}

func (a *anonymizer) other(u *unstructured.Unstructured) unstructured.Unstructured {
	if u.GetKind() != "Gateway" {
		return *u
	}
	namespace := u.GetNamespace()
	u.SetName(a.name("gateway", u.GetName()))
	u.SetNamespace(a.namespace(namespace))
	entries, _, _ := unstructured.NestedSlice(u.Object, "status", "addresses")
	for _, entry := range entries {
		if fields, ok := entry.(map[string]any); ok {
			text, _ := fields["value"].(string)
			to, isAddress := a.addressOrRange(text)
			if !isAddress {
				to = a.host(text)
			}
			fields["value"] = cmp.Or(to, text)
		}
	}
	// The field was there as a list, or there are no entries.
	_ = unstructured.SetNestedSlice(u.Object, entries, "status", "addresses")
	return *u
}
