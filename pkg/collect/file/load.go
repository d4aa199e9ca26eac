package file

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
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
	"github.com/kubectl-etp/kubectl-etp/pkg/detect"
)

// loader fills Objects from files.
type loader struct {
	objects *objects.Objects
	seen    map[objects.Key]seenObject
	// count is how many Kubernetes objects there were, of any kind.
	count int
	// invalid is the first enum value of a manifest that its field does not accept.
	invalid error
}

type seenObject struct {
	where string
	sum   [sha256.Size]byte
}

// Kinds are the kinds of objects that are kept.
func Kinds() []string {
	return []string{
		"Service", "EndpointSlice", "Node", "DaemonSet", "ConfigMap", "Pod", "Ingress", "Gateway", "FelixConfiguration", "Installation", "Network", "Event", "Lease", "ServiceL2Status",
		gapsKind,
	}
}

// CollectCommand writes a file of every kind that is read from files, except those that a command line may name in place of a Service, and those that only some clusters
// have: kubectl stops at a kind that the cluster does not know.
const CollectCommand = "kubectl get services,endpointslices,nodes,daemonsets,configmaps,pods,events -A -o yaml > cluster.yaml"

// wantedKind says whether objects of a kind can matter, or are in a list of that kind.
func wantedKind(kind string) bool {
	return slices.Contains(Kinds(), kind) || strings.HasSuffix(kind, "List")
}

// dumpAPIVersion and gapsKind are the type of the object in which a dump lists what could not be read.
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
		return load(l, file, raw, &service, decode, objects.KeepService, &o.Services)
	case "/Node":
		var node corev1.Node
		return load(l, file, raw, &node, decode, objects.KeepNode, &o.Nodes)
	case "/ConfigMap":
		var configMap corev1.ConfigMap
		keep := func(c *corev1.ConfigMap) bool {
			o.KeepCorefile(c)
			return detect.KeepConfigMap(c)
		}
		return load(l, file, raw, &configMap, decode, keep, &o.ConfigMaps)
	case "/Pod":
		var pod corev1.Pod
		keep := func(p *corev1.Pod) bool {
			o.Clients = append(o.Clients, objects.PodFacts(p))
			return detect.KeepPod(p)
		}
		return load(l, file, raw, &pod, decode, keep, &o.Pods)
	case "/Event":
		var event corev1.Event
		return load(l, file, raw, &event, decode, objects.KeepEvent, &o.Events)
	case "apps/DaemonSet", "extensions/DaemonSet":
		var set appsv1.DaemonSet
		return load(l, file, raw, &set, decode, detect.KeepDaemonSet, &o.DaemonSets)
	case "networking.k8s.io/Ingress":
		var ingress networkingv1.Ingress
		return load(l, file, raw, &ingress, decode, objects.KeepIngress, &o.Ingresses)
	case "gateway.networking.k8s.io/Gateway", "crd.projectcalico.org/FelixConfiguration", "projectcalico.org/FelixConfiguration",
		"operator.tigera.io/Installation", "config.openshift.io/Network", "metallb.io/ServiceL2Status":
		var other unstructured.Unstructured
		return load(l, file, raw, &other, func(any) error { return decode(&other.Object) }, objects.KeepOther, &o.Others)
	case "coordination.k8s.io/Lease":
		var lease unstructured.Unstructured
		return load(l, file, raw, &lease, func(any) error { return decode(&lease.Object) }, objects.KeepLease, &o.Others)
	case "discovery.k8s.io/EndpointSlice":
		var slice discoveryv1.EndpointSlice
		if version != "v1beta1" {
			return load(l, file, raw, &slice, decode, objects.KeepSlice, &o.Slices)
		}
		return load(l, file, raw, &slice, func(any) error {
			var old discoveryv1beta1.EndpointSlice
			err := decode(&old)
			slice = objects.FromV1beta1(&old)
			return err
		}, objects.KeepSlice, &o.Slices)
	case "kubectl-etp/" + gapsKind:
		var gaps gapsObject
		if err := decode(&gaps); err != nil {
			return err
		}
		if unknown, ok := objects.UnknownGapWord(gaps.Gaps); ok {
			return fail("%s: %s", gapsKind, unknown)
		}
		o.Gaps = append(o.Gaps, gaps.Gaps...)
		o.Complete = true
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
	key := objects.Key{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
	if unknown, ok := objects.UnknownWord(object); ok && l.invalid == nil {
		l.invalid = fmt.Errorf("reading %s: %w", file, &lineError{raw.line, fmt.Sprintf("%s %s: %s", kind, key.Full(), unknown)})
	}
	now := seenObject{fmt.Sprintf("%s line %d", file, raw.line), sha256.Sum256(text)}
	if before, ok := l.seen[key]; ok {
		if before.sum == now.sum {
			return nil
		}
		return &lineError{raw.line, fmt.Sprintf("%s %s is also at %s with different content; remove one of them", kind, key.Full(), before.where)}
	}
	l.seen[key] = now
	*list = append(*list, *object)
	return nil
}

// plain is an error of a decoder without the names of packages.
func plain(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "json: "), "yaml: ")
}
