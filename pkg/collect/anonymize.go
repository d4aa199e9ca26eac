package collect

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/netip"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// Anonymize is a copy that does not say whose cluster it is, and of which the diagnosis is the same.
//
// Every string and every name in a map is replaced, the same by the same wherever it occurs, unless an allow-list has exactly it (allowed.go): what the diagnosis goes
// by, and numbers, booleans and times. Names keep their order. Addresses keep their family, their order, the kind of their network (private, shared, documentation,
// public) and which lies in which range. Text that has a form of its own (flags, images, paths, provider IDs, configuration files) is taken apart first.
func Anonymize(o *Objects) *Objects {
	a := newAnonymizer()
	// The first time gathers what there is to replace, for names and addresses are given in order.
	a.objects(o)
	a.settle()
	return a.objects(o)
}

type anonymizer struct {
	// settled is true once every name and address has its own.
	settled bool
	names   map[string]map[string]string
	random  *mathrand.ChaCha8
	kept    []netip.Prefix
	seen    map[netip.Prefix]bool
	changed map[netip.Prefix]netip.Prefix
	// anchored are the names of objects, which text elsewhere may repeat.
	anchored []string
}

func newAnonymizer() *anonymizer {
	a := &anonymizer{names: map[string]map[string]string{}, seen: map[netip.Prefix]bool{}, anchored: []string{"host", "node", "zone", "key"}}
	for _, text := range allowedRanges {
		a.kept = append(a.kept, netip.MustParsePrefix(text))
	}
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // It never fails (crypto/rand).
	a.random = mathrand.NewChaCha8(seed)
	return a
}

func (a *anonymizer) objects(o *Objects) *Objects {
	out := &Objects{asked: o.asked}
	for i := range o.Services {
		out.Services = append(out.Services, replaced(a, "Service", o.Services[i].DeepCopy()))
	}
	for i := range o.Slices {
		out.Slices = append(out.Slices, replaced(a, "EndpointSlice", o.Slices[i].DeepCopy()))
	}
	for i := range o.Nodes {
		out.Nodes = append(out.Nodes, replaced(a, "Node", o.Nodes[i].DeepCopy()))
	}
	for i := range o.DaemonSets {
		out.DaemonSets = append(out.DaemonSets, replaced(a, "DaemonSet", o.DaemonSets[i].DeepCopy()))
	}
	for i := range o.ConfigMaps {
		out.ConfigMaps = append(out.ConfigMaps, replaced(a, "ConfigMap", o.ConfigMaps[i].DeepCopy()))
	}
	for i := range o.Pods {
		out.Pods = append(out.Pods, replaced(a, "Pod", o.Pods[i].DeepCopy()))
	}
	for i := range o.Ingresses {
		out.Ingresses = append(out.Ingresses, replaced(a, "Ingress", o.Ingresses[i].DeepCopy()))
	}
	for i := range o.Events {
		out.Events = append(out.Events, a.event(&o.Events[i]))
	}
	for i := range o.Others {
		out.Others = append(out.Others, a.other(&o.Others[i]))
	}
	for _, gap := range o.Gaps {
		out.Gaps = append(out.Gaps, a.gap(gap))
	}
	return out
}

// replaced is an object of a kind in which every string is another, or one that is allowed.
func replaced[T any](a *anonymizer, kind string, object *T) T {
	a.walk(reflect.ValueOf(object).Elem(), kind)
	return *object
}

// walk replaces every string below v. At is where it stands: the kind of the object, then the names that fields have in JSON; an item of a list adds nothing.
func (a *anonymizer) walk(v reflect.Value, at string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(a.text(at, v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			a.walk(v.Elem(), at)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetZero()
			return
		}
		for i := range v.Len() {
			a.walk(v.Index(i), at)
		}
	case reflect.Map:
		a.walkMap(v, at)
	case reflect.Struct:
		a.walkStruct(v, at)
	case reflect.Interface:
		v.SetZero()
	default:
	}
}

func (a *anonymizer) walkMap(v reflect.Value, at string) {
	if v.IsNil() {
		return
	}
	pairs, isText := reflect.TypeAssert[map[string]string](v)
	flags, isFlag := reflect.TypeAssert[map[string]bool](v)
	switch {
	case isText && at == "ConfigMap.data":
		v.Set(reflect.ValueOf(a.data(pairs)))
	case isText:
		v.Set(reflect.ValueOf(a.pairs(pairs)))
	case isFlag:
		out := make(map[string]bool, len(flags))
		for name, on := range flags {
			out[a.either(name, allowedGates, "gate")] = on
		}
		v.Set(reflect.ValueOf(out))
	default:
		v.SetZero()
	}
}

func (a *anonymizer) walkStruct(v reflect.Value, at string) {
	switch object := v.Addr().Interface().(type) {
	case *metav1.Time, *time.Time:
		return
	case *corev1.Container:
		a.container(object)
	case *corev1.PodSpec:
		// The same in a DaemonSet and in a Pod.
		at = "Pod.spec"
	case *corev1.ObjectReference:
		*object = corev1.ObjectReference{Kind: object.Kind, Namespace: object.Namespace, Name: object.Name}
	case *discoveryv1.Endpoint:
		object.Hostname, object.DeprecatedTopology = nil, nil
	case *corev1.NodeSelectorRequirement:
		a.requirement(at, object)
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			// What cannot be looked into cannot be replaced.
			v.SetZero()
			return
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "" && field.Anonymous:
			a.walk(v.Field(i), at)
		case name == "":
			a.walk(v.Field(i), at+"."+field.Name)
		default:
			a.walk(v.Field(i), at+"."+name)
		}
	}
}

// text replaces a string by what its place demands; by default it stays only where the allow-list has it.
func (a *anonymizer) text(at, text string) string {
	if text == "" {
		return ""
	}
	kind, within, _ := strings.Cut(at, ".")
	if replace, ok := places[kind+"."+within]; ok {
		return replace(a, text)
	}
	if replace, ok := places[within]; ok {
		return replace(a, text)
	}
	return a.value(text)
}

// places are the strings that are more than a word, by where they stand: with the kind of their object, or without where it does not matter.
var places = map[string]func(*anonymizer, string) string{
	"metadata.namespace":               (*anonymizer).namespace,
	"metadata.finalizers":              (*anonymizer).finalizer,
	"DaemonSet.metadata.name":          (*anonymizer).component,
	"FelixConfiguration.metadata.name": (*anonymizer).component,
	"Installation.metadata.name":       (*anonymizer).component,
	"Network.metadata.name":            (*anonymizer).component,
	"ConfigMap.metadata.name":          (*anonymizer).component,
	"Pod.metadata.name":                named("pod"),
	"Ingress.metadata.name":            named("ingress"),
	"Gateway.metadata.name":            named("gateway"),
	"Service.metadata.name":            named("service"),
	"EndpointSlice.metadata.name":      named("slice"),
	"Node.metadata.name":               named("node"),

	"Service.spec.clusterIP":                (*anonymizer).address,
	"Service.spec.clusterIPs":               (*anonymizer).address,
	"Service.spec.externalIPs":              (*anonymizer).address,
	"Service.spec.loadBalancerIP":           (*anonymizer).address,
	"Service.spec.loadBalancerSourceRanges": (*anonymizer).address,
	"Service.spec.externalName":             (*anonymizer).host,
	"Service.spec.loadBalancerClass":        (*anonymizer).class,
	"Service.spec.ports.name":               named("port"),
	"Service.spec.ports.targetPort.StrVal":  named("port"),
	"Service.status.conditions.type":        (*anonymizer).labelKey,
	"status.loadBalancer.ingress.ip":        (*anonymizer).address,
	"status.loadBalancer.ingress.hostname":  (*anonymizer).host,

	"EndpointSlice.endpoints.addresses":           (*anonymizer).address,
	"EndpointSlice.endpoints.nodeName":            named("node"),
	"EndpointSlice.endpoints.zone":                named("zone"),
	"EndpointSlice.endpoints.hints.forZones.name": named("zone"),
	"EndpointSlice.endpoints.hints.forNodes.name": named("node"),
	"EndpointSlice.endpoints.targetRef.name":      named("pod"),
	"EndpointSlice.endpoints.targetRef.namespace": (*anonymizer).namespace,
	"EndpointSlice.ports.name":                    named("port"),

	"Node.spec.podCIDR":                   (*anonymizer).address,
	"Node.spec.podCIDRs":                  (*anonymizer).address,
	"Node.spec.providerID":                (*anonymizer).providerID,
	"Node.spec.taints.key":                (*anonymizer).labelKey,
	"Node.status.addresses.address":       (*anonymizer).nodeAddress,
	"Node.status.nodeInfo.kubeletVersion": (*anonymizer).version,

	"Pod.spec.nodeName":                      named("node"),
	"spec.containers.name":                   (*anonymizer).component,
	"spec.containers.image":                  (*anonymizer).image,
	"spec.containers.command":                same,
	"spec.containers.args":                   same,
	"spec.containers.env.name":               (*anonymizer).environment,
	"spec.containers.volumeMounts.name":      named("volume"),
	"spec.containers.volumeMounts.mountPath": (*anonymizer).path,
	"spec.volumes.name":                      named("volume"),
	"spec.volumes.configMap.name":            (*anonymizer).component,
	"spec.volumes.configMap.items.key":       (*anonymizer).segment,
	"spec.volumes.configMap.items.path":      (*anonymizer).path,

	// Only the events of Services are kept.
	"Event.metadata.name":            named("event"),
	"Event.involvedObject.name":      named("service"),
	"Event.involvedObject.namespace": (*anonymizer).namespace,

	"Ingress.spec.ingressClassName":  named("class"),
	"Gateway.status.addresses.value": (*anonymizer).address,

	"KubeProxyConfiguration.clusterCIDR":                     (*anonymizer).ranges,
	"KubeProxyConfiguration.nodePortAddresses":               (*anonymizer).ranges,
	"KubeProxyConfiguration.hostnameOverride":                (*anonymizer).hostnameOverride,
	"KubeProxyConfiguration.detectLocal.bridgeInterface":     (*anonymizer).networkInterface,
	"KubeProxyConfiguration.detectLocal.interfaceNamePrefix": (*anonymizer).networkInterface,
}

// same leaves what a container's own treatment has made already.
func same(_ *anonymizer, text string) string { return text }

func named(kind string) func(*anonymizer, string) string {
	return func(a *anonymizer, text string) string { return a.name(kind, text) }
}

// name is another name for one of a kind, the same for the same; "" stays "".
func (a *anonymizer) name(kind, name string) string {
	if name == "" {
		return ""
	}
	if a.settled {
		return a.names[kind][name]
	}
	if a.names[kind] == nil {
		a.names[kind] = map[string]string{}
	}
	a.names[kind][name] = ""
	return name
}

// settle gives every name of a kind a number in the order of the names, so that what is sorted by name stays so, and every address another.
func (a *anonymizer) settle() {
	for kind, names := range a.names {
		digits := max(5, len(fmt.Sprint(len(names))))
		for i, name := range slices.Sorted(maps.Keys(names)) {
			names[name] = fmt.Sprintf("%s-%0*d", kind, digits, i+1)
		}
	}
	a.settleAddresses()
	a.settled = true
}

// number is that of a name alone.
func (a *anonymizer) number(kind, name string) string {
	return strings.TrimPrefix(a.name(kind, name), kind+"-")
}

// either keeps a text that the list has.
func (a *anonymizer) either(text string, allowed map[string]bool, kind string) string {
	if text == "" || allowed[text] {
		return text
	}
	return a.name(kind, text)
}

func (a *anonymizer) namespace(text string) string {
	return a.either(text, allowedNamespaces, "namespace")
}

func (a *anonymizer) class(text string) string {
	domain, name, qualified := strings.Cut(text, "/")
	if !qualified || allowedClasses[text] {
		return a.either(text, allowedClasses, "class")
	}
	return a.name("domain", domain) + "/" + a.name("class", name)
}

func (a *anonymizer) segment(text string) string { return a.either(text, allowedSegments, "part") }

func (a *anonymizer) labelKey(text string) string {
	if allowedKeys[text] || azurePort.MatchString(text) {
		return text
	}
	return a.beginning(text, allowedKeyPrefixes, "key")
}

func (a *anonymizer) environment(text string) string {
	return a.either(text, allowedEnvironment, "variable")
}

func (a *anonymizer) networkInterface(text string) string {
	return a.either(text, allowedInterfaces, "interface")
}

// component is the name of something that makes up a cluster: of a DaemonSet, a ConfigMap, a container, an image. One that begins with a name that is allowed keeps
// that part: detection goes by it.
func (a *anonymizer) component(text string) string {
	return a.beginning(text, allowedComponents, "component")
}

func (a *anonymizer) finalizer(text string) string {
	if allowedFinalizers[text] {
		return text
	}
	return a.beginning(text, allowedFinalizerPrefixes, "finalizer")
}

// beginning keeps of a text the longest beginning that is allowed.
func (a *anonymizer) beginning(text string, allowed map[string]bool, kind string) string {
	if allowed[text] {
		return text
	}
	longest := ""
	for known := range allowed {
		if strings.HasPrefix(text, known) && len(known) > len(longest) {
			longest = known
		}
	}
	if longest == "" || strings.HasSuffix(longest, "/") {
		return longest + a.name(kind, text)
	}
	return strings.TrimSuffix(longest, "-") + "-" + a.number(kind, text)
}

func (a *anonymizer) path(text string) string {
	parts := strings.Split(text, "/")
	for i, part := range parts {
		if part != "." && part != ".." {
			parts[i] = a.segment(part)
		}
	}
	return strings.Join(parts, "/")
}

// pairs are labels, annotations or a selector.
func (a *anonymizer) pairs(in map[string]string) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for key, value := range in {
		out[a.labelKey(key)] = a.valueOf(key, value)
	}
	return out
}

// valueOf is what becomes of a value of a label or an annotation.
func (a *anonymizer) valueOf(key, value string) string {
	switch key {
	case corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion:
		return a.name("zone", value)
	case corev1.LabelHostname, "metadata.name":
		return a.name("node", value)
	case discoveryv1.LabelServiceName:
		return a.name("service", value)
	case gatewayNameLabel:
		return a.name("gateway", value)
	case "k3s.io/node-args":
		return a.k3s(value)
	case UndoAnnotation:
		return a.records(value)
	}
	return a.value(value)
}

// requirement is one condition of an affinity: its values are those of the label that it names, or names of nodes.
func (a *anonymizer) requirement(at string, r *corev1.NodeSelectorRequirement) {
	key := r.Key
	if !strings.HasSuffix(at, ".matchFields") {
		r.Key = a.labelKey(key)
	}
	for i, value := range r.Values {
		r.Values[i] = a.valueOf(key, value)
	}
	r.Operator = corev1.NodeSelectorOperator(a.value(string(r.Operator)))
}

// plainNumber is no number of an account.
var plainNumber = regexp.MustCompile(`^[0-9]{1,5}$`)

// separators are what a value of several words has between them.
var separators = regexp.MustCompile(`[,;=!()\s]+`)

// value replaces a text, word by word where it has several, but for words that are allowed, numbers, times, addresses and ranges.
func (a *anonymizer) value(text string) string {
	if word, ok := a.word(text); ok {
		return word
	}
	if strings.ContainsAny(text, "\n{}[]\"'") {
		return a.name("value", text)
	}
	var out strings.Builder
	from := 0
	each := func(part string) {
		switch word, ok := a.word(part); {
		case part == "":
		case ok:
			out.WriteString(word)
		default:
			out.WriteString(a.anchor(part))
		}
	}
	for _, at := range separators.FindAllStringIndex(text, -1) {
		each(text[from:at[0]])
		out.WriteString(text[at[0]:at[1]])
		from = at[1]
	}
	each(text[from:])
	return out.String()
}

func (a *anonymizer) word(text string) (string, bool) {
	if allowedWords[strings.ToLower(text)] || allowedKeys[text] || plainNumber.MatchString(text) {
		return text, true
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return text, true
	}
	return a.addressOrRange(text)
}

// anchor stands for a word of a text: for a name that something has where it is one.
func (a *anonymizer) anchor(text string) string {
	value := a.name("value", text)
	for _, kind := range a.anchored {
		if to := a.names[kind][text]; a.settled && to != "" {
			return to
		}
	}
	return value
}

// host keeps what tells the provider: the last two parts of a cloud's domain, and its parts that name a kind of load balancer.
func (a *anonymizer) host(host string) string {
	if to, ok := a.addressOrRange(host); ok {
		return to
	}
	var kept strings.Builder
	kept.WriteString(a.name("host", host))
	for _, domain := range allowedDomains {
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

// version keeps the numbers of a release, and its suffix where that is a vendor's, who gives it to all of its customers.
func (a *anonymizer) version(text string) string {
	if _, ok := cluster.ParseVersion(text); !ok {
		return a.either(text, map[string]bool{"latest": true, "master": true, "main": true}, "version")
	}
	at := strings.IndexAny(text, "+-")
	if at < 0 || vendorSuffixes.MatchString(text[at:]) {
		return text
	}
	return text[:at+1] + a.name("suffix", text[at+1:])
}

// image is name and tag, without the registry that it comes from.
func (a *anonymizer) image(text string) string {
	out := a.component(detect.ImageName(text))
	if tag := detect.ImageTag(text); tag != "" {
		out += ":" + a.version(tag)
	}
	return out
}

// nodeAddress is an address, or a name by which the node goes.
func (a *anonymizer) nodeAddress(text string) string {
	if to, ok := a.addressOrRange(text); ok {
		return to
	}
	return a.name("node", text)
}

// providerID keeps the form by which a provider is told: its scheme, and the words that are part of the form.
func (a *anonymizer) providerID(id string) string {
	scheme, rest, hasScheme := strings.Cut(id, "://")
	if !hasScheme {
		scheme, rest = "", id
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		if allowedIDParts[segment] {
			continue
		}
		parts := strings.Split(segment, ".")
		for j, part := range parts {
			switch {
			case allowedIDParts[part]:
			case strings.HasPrefix(part, "bm-"):
				parts[j] = "bm-" + a.name("part", part)
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
		out = a.either(scheme, allowedSchemes, "scheme") + "://" + out
	}
	return out
}

// ranges are addresses and ranges with commas between them, or words that stand for some.
func (a *anonymizer) ranges(text string) string {
	parts := strings.Split(text, ",")
	for i, part := range parts {
		parts[i] = a.value(strings.TrimSpace(part))
	}
	return strings.Join(parts, ",")
}

// hostnameOverride is the name of a node, in lower case as kube-proxy takes it, or a variable that stands for each node's own.
func (a *anonymizer) hostnameOverride(text string) string {
	if strings.ContainsAny(text, "${") {
		return "$(NODE_NAME)"
	}
	return a.name("node", strings.ToLower(strings.TrimSpace(text)))
}

// flags are those of a command line that the diagnosis goes by.
func (a *anonymizer) flags(given map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		replace, ok := allowedFlags[name]
		if !ok {
			continue
		}
		out = append(out, "--"+name+"="+replace(a, given[name]))
	}
	return out
}

// gates are feature gates as a flag has them: A=true,B=false.
func (a *anonymizer) gates(text string) string {
	var out []string
	for gate := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(gate, "=")
		out = append(out, a.either(strings.TrimSpace(name), allowedGates, "gate")+"="+a.value(strings.TrimSpace(value)))
	}
	return strings.Join(out, ",")
}

// container leaves of a command line the program and the flags that matter.
func (a *anonymizer) container(c *corev1.Container) {
	all := detect.Words(c)
	c.Command, c.Args = nil, a.flags(detect.Flags(all))
	for _, word := range all {
		if path.Base(word) == "kube-proxy" {
			c.Command = []string{"kube-proxy"}
		}
	}
}

// k3s are the arguments with which a node of k3s was started, a JSON list.
func (a *anonymizer) k3s(text string) string {
	var args []string
	if json.Unmarshal([]byte(text), &args) != nil {
		return a.name("value", text)
	}
	out := []string{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		out = append(out, a.value(args[0]))
	}
	out = append(out, a.flags(detect.Flags(args))...)
	for _, arg := range detect.KubeProxyArgs(args) {
		for _, flag := range a.flags(detect.Flags([]string{"--" + arg})) {
			out = append(out, "--kube-proxy-arg="+strings.TrimPrefix(flag, "--"))
		}
	}
	return marshalled(json.Marshal(out))
}

func marshalled(text []byte, err error) string {
	if err != nil {
		return ""
	}
	return string(text)
}

// data is that of a ConfigMap. A file in it is taken apart by the fields that are read.
func (a *anonymizer) data(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for key, text := range in {
		out[a.segment(key)] = a.file(key, text)
	}
	return out
}

func (a *anonymizer) file(key, text string) string {
	switch {
	case detect.IsKubeProxyConfiguration(text):
		read, err := detect.ParseKubeProxyConfiguration(text)
		if err != nil {
			// It cannot be read afterwards either.
			return "KubeProxyConfiguration: ["
		}
		a.walk(reflect.ValueOf(read).Elem(), "KubeProxyConfiguration")
		return marshalled(yaml.Marshal(read))
	case key == detect.AntreaConfKey:
		var read detect.AntreaConfiguration
		if yaml.Unmarshal([]byte(text), &read) != nil {
			return "["
		}
		a.walk(reflect.ValueOf(&read).Elem(), "AntreaConfiguration")
		return marshalled(yaml.Marshal(read))
	case key == detect.TerwayConfKey:
		var read map[string]any
		if json.Unmarshal([]byte(text), &read) != nil {
			return "["
		}
		kind, _ := read[detect.TerwayDatapath].(string)
		return marshalled(json.Marshal(map[string]string{detect.TerwayDatapath: a.value(kind)}))
	}
	return a.value(text)
}

// other is an object of a kind that is not part of Kubernetes: fields that are not allowed are left out.
func (a *anonymizer) other(u *unstructured.Unstructured) unstructured.Unstructured {
	object := u.DeepCopy()
	kept, _ := a.decoded(u.GetKind(), object.Object).(map[string]any)
	return unstructured.Unstructured{Object: kept}
}

func (a *anonymizer) decoded(at string, value any) any {
	switch value := value.(type) {
	case string:
		return a.text(at, value)
	case []any:
		for i := range value {
			value[i] = a.decoded(at, value[i])
		}
	case map[string]any:
		for name, inner := range value {
			if allowedFields[name] {
				value[name] = a.decoded(at+"."+name, inner)
			} else {
				delete(value, name)
			}
		}
	}
	return value
}

// gap says what could not be read, without the server's sentence, which names the user.
func (a *anonymizer) gap(g cluster.Gap) cluster.Gap {
	out := cluster.Gap{
		Resource: a.either(g.Resource, allowedResources, "resource"), Verb: a.value(g.Verb), Namespace: a.namespace(g.Namespace),
		Reason: cluster.GapReason(a.value(string(g.Reason))), Message: "the message is left out",
	}
	switch g.Resource {
	case cluster.ResourceNodes, cluster.ResourceNodesProxy:
		out.Name = a.name("node", g.Name)
	case cluster.ResourceServices:
		out.Name = a.name("service", g.Name)
	case cluster.ResourceIngresses:
		out.Name = a.name("ingress", g.Name)
	case cluster.ResourceGateways:
		out.Name = a.name("gateway", g.Name)
	case cluster.ResourcePods:
		out.Name = a.name("pod", g.Name)
	case cluster.ResourceEndpointSlices:
		out.Name = a.name("slice", g.Name)
	default:
		out.Name = a.component(g.Name)
	}
	return out
}
