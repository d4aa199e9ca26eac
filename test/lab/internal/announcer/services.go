package announcer

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// The pools of addresses, by which nodes may announce them.
const (
	everywhere = "everywhere" // every node
	onlyN3     = "only-n3"    // n3
	oneOrTwo   = "n1-or-n2"   // n1 by one selector, n2 by another
	nowhere    = "nowhere"    // no node: nothing says that the pool's addresses are to be announced
)

// selected are the nodes that announce the addresses of each pool, each by a selector of its own; "" stands for every
// node.
var selected = map[string][]string{everywhere: {""}, onlyN3: {"n3"}, oneOrTwo: {"n1", "n2"}, nowhere: nil}

// poolLabel names a Service's pool.
const poolLabel = "pool"

// service is a Service of type LoadBalancer. Its backends are pods of scenario.Pods.
type service struct {
	name     string
	policy   corev1.ServiceExternalTrafficPolicy
	backends string // the set of pods that it chooses
	pool     string // everywhere where empty
	families []corev1.IPFamily
	// shares is the Service whose address this one has too, on port 81.
	shares          string
	publishNotReady bool

	addresses []netip.Addr // of its load balancer
	port      int32
}

const (
	local   = corev1.ServiceExternalTrafficPolicyLocal
	spread  = corev1.ServiceExternalTrafficPolicyCluster
	v4      = corev1.IPv4Protocol
	v6      = corev1.IPv6Protocol
	sharing = "together" // the key under which Services share an address
)

// services are the Services tried. Each has the address of its place in the list.
func services() []*service {
	return []*service{
		// With and without ready endpoints.
		{name: "local-one", policy: local, backends: "one"},
		{name: "local-some", policy: local, backends: "some"},
		{name: "local-all", policy: local, backends: "all"},
		{name: "local-none", policy: local, backends: "nobody"},
		{name: "local-unready", policy: local, backends: "unready"},
		{name: "local-published", policy: local, backends: "unready", publishNotReady: true},
		{name: "local-leaving", policy: local, backends: "leaving"},
		{name: "local-leaving-alone", policy: local, backends: "leaving-alone"},
		{name: "local-gone", policy: local, backends: "gone"},
		{name: "local-host", policy: local, backends: "host"},
		{name: "cluster-one", policy: spread, backends: "one"},
		{name: "cluster-all", policy: spread, backends: "all"},
		{name: "cluster-none", policy: spread, backends: "nobody"},
		{name: "cluster-unready", policy: spread, backends: "unready"},
		{name: "cluster-leaving-alone", policy: spread, backends: "leaving-alone"},
		// Which nodes may announce.
		{name: "local-one-n3", policy: local, backends: "one", pool: onlyN3},
		{name: "local-all-n3", policy: local, backends: "all", pool: onlyN3},
		{name: "cluster-one-n3", policy: spread, backends: "one", pool: onlyN3},
		{name: "local-all-n1-n2", policy: local, backends: "all", pool: oneOrTwo},
		{name: "cluster-all-n1-n2", policy: spread, backends: "all", pool: oneOrTwo},
		{name: "local-all-nowhere", policy: local, backends: "all", pool: nowhere},
		{name: "cluster-all-nowhere", policy: spread, backends: "all", pool: nowhere},
		// Which addresses it has.
		{name: "local-shared", policy: local, backends: "some", shares: "local-shared"},
		{name: "local-shared-too", policy: local, backends: "some", shares: "local-shared"},
		{name: "local-v6", policy: local, backends: "some", families: []corev1.IPFamily{v6}},
		{name: "local-v6-none", policy: local, backends: "nobody", families: []corev1.IPFamily{v6}},
		{name: "cluster-v6", policy: spread, backends: "some", families: []corev1.IPFamily{v6}},
		{name: "local-dual", policy: local, backends: "all", families: []corev1.IPFamily{v4, v6}},
		{name: "cluster-dual", policy: spread, backends: "one", families: []corev1.IPFamily{v4, v6}},
	}
}

// place gives every Service its addresses, and returns those of each pool.
func (m mode) place(all []*service) map[string][]netip.Addr {
	pools := map[string][]netip.Addr{}
	for i, s := range all {
		s.port = 80
		if s.families == nil {
			s.families = []corev1.IPFamily{v4}
		}
		if s.pool == "" {
			s.pool = everywhere
		}
		for _, f := range s.families {
			a := m.ipv4
			if f == v6 {
				a = m.ipv6
			}
			for range i {
				a = a.Next()
			}
			if first := slices.IndexFunc(all, func(o *service) bool { return o.name == s.shares }); first >= 0 && first < i {
				s.addresses = all[first].addresses
				s.port = 81
				continue
			}
			s.addresses = append(s.addresses, a)
			pools[s.pool] = append(pools[s.pool], a)
		}
	}
	return pools
}

// tried are the Services whose families a mode announces.
func (m mode) tried() []*service {
	return slices.DeleteFunc(services(), func(s *service) bool { return !m.ipv6.IsValid() && slices.Contains(s.families, v6) })
}

func (s *service) object(annotations map[string]string) *corev1.Service {
	policy := corev1.IPFamilyPolicySingleStack
	if len(s.families) > 1 {
		policy = corev1.IPFamilyPolicyRequireDualStack
	}
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: s.name, Namespace: scenario.Namespace, Annotations: annotations, Labels: map[string]string{poolLabel: s.pool}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ExternalTrafficPolicy: s.policy, IPFamilies: s.families, IPFamilyPolicy: &policy,
			Selector: map[string]string{"set-" + s.backends: "true"}, PublishNotReadyAddresses: s.publishNotReady,
			Ports: []corev1.ServicePort{{Name: "main", Port: s.port, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("answer")}},
		},
	}
}

// createServices creates the Services, and waits until the announcer has given each its addresses.
func (l *lab) createServices(ctx context.Context) error {
	api := l.Control.Client.CoreV1().Services(scenario.Namespace)
	for _, s := range l.services {
		if _, err := api.Create(ctx, s.object(l.announcer.annotations(s)), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating service %s: %w", s.name, err)
		}
		if err := l.announcer.give(ctx, l, s); err != nil {
			return err
		}
	}
	missing := ""
	err := wait(ctx, "the Services to have addresses", func() (bool, error) {
		list, err := api.List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		have := map[string][]netip.Addr{}
		for _, o := range list.Items {
			for _, in := range o.Status.LoadBalancer.Ingress {
				a, _ := netip.ParseAddr(in.IP)
				have[o.Name] = append(have[o.Name], a)
			}
		}
		for _, s := range l.services {
			if !slices.Equal(have[s.name], s.addresses) {
				missing = fmt.Sprintf("%s has %v, not %v", s.name, have[s.name], s.addresses)
				return false, l.ended()
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("%w (%s)", err, missing)
	}
	return nil
}
