package collect

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	discoveryv1beta1 "k8s.io/api/discovery/v1beta1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// loader fills Objects from files.
type loader struct {
	objects *Objects
	seen    map[objectKey]seenObject
	// count is how many Kubernetes objects there were, of any kind.
	count int
	// slip is the first word of a manifest that its field does not take.
	slip error
}

type objectKey struct{ kind, namespace, name string }

// full is the name with its namespace, where it has one.
func (k objectKey) full() string {
	if k.namespace == "" {
		return k.name
	}
	return k.namespace + "/" + k.name
}

type seenObject struct {
	where string
	sum   [sha256.Size]byte
}

// fileKinds are the kinds of objects that can matter.
var fileKinds = []string{
	"Service", "EndpointSlice", "Node", "DaemonSet", "ConfigMap", "Pod", "Ingress", "Gateway", "FelixConfiguration", "Installation", "Network", "Event", gapsKind,
}

// wantedKind says whether objects of a kind can matter, or are in a list of that kind.
func wantedKind(kind string) bool {
	return slices.Contains(fileKinds, kind) || strings.HasSuffix(kind, "List")
}

// dumpAPIVersion and gapsKind are how a dump tells what could not be read.
const (
	dumpAPIVersion = "kubectl-etp/v1alpha1"
	gapsKind       = "Gaps"
)

type gapsObject struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Gaps       []cluster.Gap `json:"gaps"`
}

func (l *loader) add(file string, raw rawObject) error {
	fail := func(format string, args ...any) error { return &lineError{raw.line, fmt.Sprintf(format, args...)} }
	var own typeOf
	if err := json.Unmarshal(raw.json, &own); err != nil {
		return fail("not a Kubernetes object: %s", plain(err))
	}
	if own.Kind == "" {
		return fail("the object has no kind")
	}
	if own.APIVersion == "" {
		return fail("the %s has no apiVersion", own.Kind)
	}
	l.count++
	group, version, hasGroup := strings.Cut(own.APIVersion, "/")
	if !hasGroup {
		group, version = "", own.APIVersion
	}
	decode := func(into any) error {
		if err := kjson.Unmarshal(raw.json, into); err != nil {
			return fail("the %s cannot be read: %s", own.Kind, plain(err))
		}
		return nil
	}
	o := l.objects
	switch group + "/" + own.Kind {
	case "/Service":
		var service corev1.Service
		return load(l, file, raw, &service, decode, trimService, &o.Services)
	case "/Node":
		var node corev1.Node
		return load(l, file, raw, &node, decode, trimNode, &o.Nodes)
	case "/ConfigMap":
		var configMap corev1.ConfigMap
		keep := func(c *corev1.ConfigMap) bool {
			o.keepCorefile(c)
			return detect.KeepConfigMap(c)
		}
		return load(l, file, raw, &configMap, decode, keep, &o.ConfigMaps)
	case "/Pod":
		var pod corev1.Pod
		return load(l, file, raw, &pod, decode, detect.KeepPod, &o.Pods)
	case "/Event":
		var event corev1.Event
		return load(l, file, raw, &event, decode, trimEvent, &o.Events)
	case "apps/DaemonSet", "extensions/DaemonSet":
		var set appsv1.DaemonSet
		return load(l, file, raw, &set, decode, detect.KeepDaemonSet, &o.DaemonSets)
	case "networking.k8s.io/Ingress":
		var ingress networkingv1.Ingress
		return load(l, file, raw, &ingress, decode, trimIngress, &o.Ingresses)
	case "gateway.networking.k8s.io/Gateway", "crd.projectcalico.org/FelixConfiguration", "projectcalico.org/FelixConfiguration",
		"operator.tigera.io/Installation", "config.openshift.io/Network":
		var other unstructured.Unstructured
		return load(l, file, raw, &other, func(any) error { return decode(&other.Object) }, trimOther, &o.Others)
	case "discovery.k8s.io/EndpointSlice":
		var slice discoveryv1.EndpointSlice
		if version != "v1beta1" {
			return load(l, file, raw, &slice, decode, trimSlice, &o.Slices)
		}
		return load(l, file, raw, &slice, func(any) error {
			var old discoveryv1beta1.EndpointSlice
			err := decode(&old)
			slice = fromV1beta1(&old)
			return err
		}, trimSlice, &o.Slices)
	case "kubectl-etp/" + gapsKind:
		var gaps gapsObject
		if err := decode(&gaps); err != nil {
			return err
		}
		if unknown, ok := unknownWord(gapEnums(gaps.Gaps)); ok {
			return fail("%s: %s", gapsKind, unknown)
		}
		o.Gaps = append(o.Gaps, gaps.Gaps...)
		o.asked = true
	}
	return nil
}

// load decodes one object, keeps what can matter of it, and refuses a contradiction.
func load[T any, P interface {
	*T
	metav1.Object
}](l *loader, file string, raw rawObject, object P, decode func(any) error, trim func(P) bool, list *[]T) error {
	if err := decode(object); err != nil {
		return err
	}
	if object.GetName() == "" {
		return &lineError{raw.line, "an object has no metadata.name"}
	}
	if !trim(object) {
		return nil
	}
	kind := fmt.Sprintf("%T", *object)
	kind = kind[strings.LastIndexByte(kind, '.')+1:]
	if other, ok := any(object).(*unstructured.Unstructured); ok {
		kind = other.GetKind()
	}
	text, err := json.Marshal(object)
	if err != nil {
		return &lineError{raw.line, fmt.Sprintf("the %s cannot be read: %s", kind, plain(err))}
	}
	key := objectKey{kind, object.GetNamespace(), object.GetName()}
	if unknown, ok := unknownWord(enumsOf(object)); ok && l.slip == nil {
		l.slip = fmt.Errorf("reading %s: %w", file, &lineError{raw.line, fmt.Sprintf("%s %s: %s", kind, key.full(), unknown)})
	}
	now := seenObject{fmt.Sprintf("%s line %d", file, raw.line), sha256.Sum256(text)}
	if before, ok := l.seen[key]; ok {
		if before.sum == now.sum {
			return nil
		}
		return &lineError{raw.line, fmt.Sprintf("%s %s is also at %s, and the two differ; leave one of them out", kind, key.full(), before.where)}
	}
	l.seen[key] = now
	*list = append(*list, *object)
	return nil
}

// plain is an error of a decoder without the names of packages.
func plain(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "json: "), "yaml: ")
}

// fromV1beta1 converts a slice of a cluster before v1.21, whose endpoints may say their node and zone in their topology only.
func fromV1beta1(old *discoveryv1beta1.EndpointSlice) discoveryv1.EndpointSlice {
	out := discoveryv1.EndpointSlice{ObjectMeta: old.ObjectMeta, AddressType: discoveryv1.AddressType(old.AddressType)}
	for i := range old.Endpoints {
		from := &old.Endpoints[i]
		to := discoveryv1.Endpoint{
			Addresses:  from.Addresses,
			Conditions: discoveryv1.EndpointConditions(from.Conditions),
			Hostname:   from.Hostname,
			TargetRef:  from.TargetRef,
			NodeName:   from.NodeName,
		}
		if name := from.Topology[corev1.LabelHostname]; to.NodeName == nil && name != "" {
			to.NodeName = &name
		}
		if zone := from.Topology[corev1.LabelTopologyZone]; zone != "" {
			to.Zone = &zone
		}
		if from.Hints != nil {
			to.Hints = &discoveryv1.EndpointHints{}
			for _, zone := range from.Hints.ForZones {
				to.Hints.ForZones = append(to.Hints.ForZones, discoveryv1.ForZone(zone))
			}
			for _, node := range from.Hints.ForNodes {
				to.Hints.ForNodes = append(to.Hints.ForNodes, discoveryv1.ForNode(node))
			}
		}
		out.Endpoints = append(out.Endpoints, to)
	}
	for i := range old.Ports {
		out.Ports = append(out.Ports, discoveryv1.EndpointPort(old.Ports[i]))
	}
	return out
}
