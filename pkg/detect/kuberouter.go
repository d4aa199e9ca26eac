package detect

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

const kubeRouterName programName = "kube-router"

// kubeRouter serves Services unless --run-service-proxy=false.
var kubeRouter = program{
	name:      kubeRouterName,
	planes:    []cluster.DataplaneName{cluster.KubeRouter},
	recognise: named("kube-router"),
	plane:     func(d *detector, _ *corev1.Node) (cluster.Dataplane, bool) { return d.kubeRouterPlane() },
	// Its router exempts nodes' addresses from masquerading (cloudnativelabs/kube-router v2.1.0
	// pkg/controllers/routing/pod_egress.go), and nobody else masquerades where it connects pods.
	podMasquerade: func(f *facts, _ *corev1.Node) (cluster.Tristate, bool) {
		set := f.first(kubeRouterName)
		if set == nil {
			return cluster.Undetermined, false
		}
		value, ok := Flags(Words(kubeRouterContainer(set)))["run-router"]
		return cluster.No, !ok || isTrue(value)
	},
}

// kubeRouterContainer is the container that runs kube-router, an empty one where there is none.
func kubeRouterContainer(set *appsv1.DaemonSet) *corev1.Container {
	containers := set.Spec.Template.Spec.Containers
	for i := range containers {
		if ImageName(containers[i].Image) == "kube-router" || containers[i].Name == "kube-router" {
			return &containers[i]
		}
	}
	return &corev1.Container{}
}

func (d *detector) kubeRouterPlane() (cluster.Dataplane, bool) {
	for _, set := range d.sets[kubeRouterName] {
		container := kubeRouterContainer(set)
		if container.Name == "" && container.Image == "" {
			continue
		}
		words := Words(container)
		given := Flags(words)
		is := func(flag string, byDefault bool) bool {
			value, ok := given[flag]
			return ok && isTrue(value) || !ok && byDefault
		}
		if !is("run-service-proxy", true) {
			return cluster.Dataplane{}, false
		}
		if len(d.proxies) > 0 {
			return unknown("%s handles Services, but kube-proxy runs beside it", sourceOf(set)), true
		}
		out := cluster.Dataplane{
			Name: cluster.KubeRouter, Confidence: cluster.Observed, Source: sourceOf(set),
			KubeRouter: &cluster.KubeRouterSettings{
				NoRouter:            !is("run-router", true),
				Hairpin:             is("hairpin-mode", false),
				MasqueradeAll:       is("masquerade-all", false),
				NodePortsEverywhere: is("nodeport-bindon-all-ip", false),
				AnyAddress:          !is("strict-external-ip-validation", true),
				ExternalIPRanges:    cluster.ParsePrefixes(repeated(words, "service-external-ip-range")...),
				LoadBalancerRanges:  cluster.ParsePrefixes(repeated(words, "loadbalancer-ip-range")...),
			},
		}
		setVersion(&out, container.Image, sourceOf(set))
		return out, true
	}
	return cluster.Dataplane{}, false
}

// repeated are the values of a flag that may be given more than once, each time with several values between commas.
func repeated(words []string, flag string) []string {
	var out []string
	for i, word := range words {
		own := words[i:min(i+2, len(words))]
		name, _, hasValue := strings.Cut(word, "=")
		if hasValue {
			own = own[:1]
		}
		if strings.TrimPrefix(name, "--") == flag {
			out = append(out, strings.Split(Flags(own)[flag], ",")...)
		}
	}
	return out
}
