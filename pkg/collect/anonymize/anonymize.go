// Package anonymize replaces everything in kept objects that could say whose cluster they are from, so that the
// diagnosis stays the same.
package anonymize

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// Objects is a copy of o that does not identify the cluster, and has the same diagnosis.
//
// Every string and every name in a map is replaced, the same by the same wherever it occurs, unless an allow-list has exactly it (allowed.go): what the diagnosis goes
// by, and numbers, booleans and times. Names keep their order. Addresses keep their family, their order, the kind of their network (private, shared, documentation,
// public) and which lies in which range. Text that has a form of its own (flags, images, paths, provider IDs, configuration files) is taken apart first.
func Objects(o *objects.Objects) *objects.Objects {
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
	// leases are the names of Cilium's Leases for the Services that were read, and what becomes of them.
	leases map[string]string
}

func newAnonymizer() *anonymizer {
	a := &anonymizer{leases: map[string]string{}, names: map[string]map[string]string{}, seen: map[netip.Prefix]bool{}, anchored: []string{"host", "node", "zone", "key"}}
	for _, text := range allowedRanges {
		a.kept = append(a.kept, netip.MustParsePrefix(text))
	}
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // It never fails (crypto/rand).
	a.random = mathrand.NewChaCha8(seed)
	return a
}

func (a *anonymizer) objects(o *objects.Objects) *objects.Objects {
	out := &objects.Objects{Complete: o.Complete}
	for i := range o.Services {
		out.Services = append(out.Services, replaced(a, "Service", o.Services[i].DeepCopy()))
	}
	for i := range o.Services {
		a.leases[detect.LeaseName(o.Services[i].Namespace, o.Services[i].Name)] = detect.LeaseName(out.Services[i].Namespace, out.Services[i].Name)
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

	"Lease.metadata.name":                     (*anonymizer).lease,
	"Lease.spec.holderIdentity":               named("node"),
	"ServiceL2Status.metadata.name":           named("status"),
	"ServiceL2Status.status.node":             named("node"),
	"ServiceL2Status.status.serviceName":      named("service"),
	"ServiceL2Status.status.serviceNamespace": (*anonymizer).namespace,

	"Ingress.spec.ingressClassName":  named("class"),
	"Gateway.status.addresses.value": (*anonymizer).address,

	"KubeProxyConfiguration.clusterCIDR":                     (*anonymizer).ranges,
	"KubeProxyConfiguration.nodePortAddresses":               (*anonymizer).ranges,
	"KubeProxyConfiguration.hostnameOverride":                (*anonymizer).hostnameOverride,
	"KubeProxyConfiguration.bindAddress":                     (*anonymizer).bindAddress,
	"KubeProxyConfiguration.detectLocal.bridgeInterface":     (*anonymizer).networkInterface,
	"KubeProxyConfiguration.detectLocal.interfaceNamePrefix": (*anonymizer).networkInterface,
}

// same leaves what a container's own treatment has made already.
func same(_ *anonymizer, text string) string { return text }

func named(kind string) func(*anonymizer, string) string {
	return func(a *anonymizer, text string) string { return a.name(kind, text) }
}

// lease is the name of a Lease of Cilium's, which has the names of its Service.
func (a *anonymizer) lease(name string) string {
	if now, ok := a.leases[name]; ok {
		return now
	}
	return detect.LeaseName("", a.name("lease", name))
}

// gap says what could not be read, without the server's sentence, which names the user.
func (a *anonymizer) gap(g cluster.Gap) cluster.Gap {
	out := cluster.Gap{
		Resource: a.either(g.Resource, allowedResources, "resource"), Verb: a.value(g.Verb), Namespace: a.namespace(g.Namespace),
		Reason: cluster.GapReason(a.value(string(g.Reason))), Message: "message removed by --anonymize",
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
	case cluster.ResourceLeases:
		if g.Name != "" {
			out.Name = a.lease(g.Name)
		}
	default:
		out.Name = a.component(g.Name)
	}
	return out
}
