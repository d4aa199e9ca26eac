package objects

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// enum is a field that takes one of a few words. Its value is "" where the field is absent.
type enum struct {
	field, value string
	words        []string
}

// UnknownWord describes the first enum field of an object with a value that Kubernetes does not define; ok is false where there is none.
//
// In a manifest such a value is a typing mistake, and an error. An object of an API server may come from a newer one that knows more values: such a value is kept, it is
// escaped where it is shown, and a Service with one has no map.
func UnknownWord(object any) (text string, ok bool) { return unknownWord(enumsOf(object)) }

// UnknownGapWord is the same for the gaps of a dump.
func UnknownGapWord(gaps []cluster.Gap) (text string, ok bool) { return unknownWord(gapEnums(gaps)) }

func unknownWord(fields []enum) (text string, ok bool) {
	at := slices.IndexFunc(fields, func(e enum) bool { return e.value != "" && !slices.Contains(e.words, e.value) })
	if at < 0 {
		return "", false
	}
	return fields[at].String(), true
}

func (e enum) String() string {
	return fmt.Sprintf("%s is %q, want %s", e.field, e.value, orList(e.words))
}

// orList is "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last <= 0 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// texts are words as plain strings.
func texts[T ~string](words ...T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// The words of Kubernetes v1.37 (pkg/apis/core/validation, pkg/apis/discovery/validation).
var (
	protocolWords     = texts(corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
	ipFamilyWords     = texts(corev1.IPv4Protocol, corev1.IPv6Protocol)
	conditionWords    = texts(corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown)
	externalWords     = texts(corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	internalWords     = texts(corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)
	typeWords         = texts(corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName)
	affinityWords     = texts(corev1.ServiceAffinityNone, corev1.ServiceAffinityClientIP)
	distributionWords = []string{corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode}
	familyPolicyWords = texts(corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack)
	ipModeWords       = texts(corev1.LoadBalancerIPModeVIP, corev1.LoadBalancerIPModeProxy)
	addressTypeWords  = texts(discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN)
	taintWords        = texts(corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
	gapReasonWords    = texts(cluster.Forbidden, cluster.NotFound, cluster.TimedOut, cluster.Failed)
	gapVerbWords      = []string{"get", "list", "watch"}
	nodeAddressWords  = texts(corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS)
)

func serviceEnums(s *corev1.Service) []enum {
	fields := []enum{
		{"spec.type", string(s.Spec.Type), typeWords},
		{"spec.externalTrafficPolicy", string(s.Spec.ExternalTrafficPolicy), externalWords},
		{"spec.internalTrafficPolicy", text(s.Spec.InternalTrafficPolicy), internalWords},
		{"spec.sessionAffinity", string(s.Spec.SessionAffinity), affinityWords},
		{"spec.trafficDistribution", text(s.Spec.TrafficDistribution), distributionWords},
		{"spec.ipFamilyPolicy", text(s.Spec.IPFamilyPolicy), familyPolicyWords},
	}
	for i, family := range s.Spec.IPFamilies {
		fields = append(fields, enum{fmt.Sprintf("spec.ipFamilies[%d]", i), string(family), ipFamilyWords})
	}
	for i := range s.Spec.Ports {
		fields = append(fields, enum{fmt.Sprintf("spec.ports[%d].protocol", i), string(s.Spec.Ports[i].Protocol), protocolWords})
	}
	for i := range s.Status.LoadBalancer.Ingress {
		in := &s.Status.LoadBalancer.Ingress[i]
		fields = append(fields, enum{fmt.Sprintf("status.loadBalancer.ingress[%d].ipMode", i), text(in.IPMode), ipModeWords})
		for j := range in.Ports {
			fields = append(fields, enum{fmt.Sprintf("status.loadBalancer.ingress[%d].ports[%d].protocol", i, j), string(in.Ports[j].Protocol), protocolWords})
		}
	}
	return fields
}

func sliceEnums(s *discoveryv1.EndpointSlice) []enum {
	// "IP" is v1beta1's before v1.18.
	fields := []enum{{"addressType", string(s.AddressType), append([]string{"IP"}, addressTypeWords...)}}
	for i := range s.Ports {
		fields = append(fields, enum{fmt.Sprintf("ports[%d].protocol", i), text(s.Ports[i].Protocol), protocolWords})
	}
	return fields
}

func nodeEnums(n *corev1.Node) []enum {
	var fields []enum
	for i := range n.Spec.Taints {
		fields = append(fields, enum{fmt.Sprintf("spec.taints[%d].effect", i), string(n.Spec.Taints[i].Effect), taintWords})
	}
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == corev1.NodeReady {
			fields = append(fields, enum{fmt.Sprintf("status.conditions[%d].status", i), string(n.Status.Conditions[i].Status), conditionWords})
		}
	}
	for i := range n.Status.Addresses {
		fields = append(fields, enum{fmt.Sprintf("status.addresses[%d].type", i), string(n.Status.Addresses[i].Type), nodeAddressWords})
	}
	return fields
}

func gapEnums(gaps []cluster.Gap) []enum {
	var fields []enum
	for i := range gaps {
		fields = append(fields,
			enum{fmt.Sprintf("gaps[%d].reason", i), string(gaps[i].Reason), gapReasonWords},
			enum{fmt.Sprintf("gaps[%d].verb", i), gaps[i].Verb, gapVerbWords})
	}
	return fields
}

// enumsOf are the fields of an object that take one of a few words.
func enumsOf(object any) []enum {
	switch object := object.(type) {
	case *corev1.Service:
		return serviceEnums(object)
	case *discoveryv1.EndpointSlice:
		return sliceEnums(object)
	case *corev1.Node:
		return nodeEnums(object)
	}
	return nil
}

// FieldWords are the words of all fields that take one of a few.
func FieldWords() []string {
	return slices.Concat(
		typeWords, externalWords, internalWords, affinityWords, distributionWords, familyPolicyWords, ipModeWords, protocolWords, ipFamilyWords, addressTypeWords,
		conditionWords, taintWords, gapReasonWords, gapVerbWords, nodeAddressWords,
	)
}
