package announcer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// Cilium's agents announce addresses themselves: by L2 announcements, for which they take a Lease for each Service, or
// by their BGP control plane. Cilium's operator does not run: the lab writes what it would, which is the addresses of
// Services with the condition of LB-IPAM, and for BGP a CiliumBGPNodeConfig for each node.
//
// What answers ARP is a BPF program, which goes on where the agent is killed. A node that goes is therefore one whose
// network is cut off: its agent can renew no Lease, and its BGP session ends after the hold time.

const (
	ciliumV2      = "/apis/cilium.io/v2/"
	ciliumL2Alpha = "/apis/cilium.io/v2alpha1/ciliuml2announcementpolicies"
	ciliumLeases  = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
	// ciliumLease begins the names of the Leases, as in pkg/l2announcer/l2announcer.go (v1.20.2).
	ciliumLease = "cilium-l2announce-"
	// calm is how long nothing that is announced must have changed. A Lease is taken over in less.
	calm = 12 * time.Second
)

func noPrograms(string) []kube.Target { return nil }

func onlyRouter(string) []kube.Target { return routerPrograms() }

// ciliumL2 is Cilium with L2 announcements.
type ciliumL2 struct {
	cilium
	neighbors
}

// ciliumBGP is Cilium with its BGP control plane.
type ciliumBGP struct{ cilium }

// cilium is what both share.
type cilium struct{ cut map[int]bool } // nodes without network

func newCiliumL2(string) announcer { return &ciliumL2{cilium: cilium{cut: map[int]bool{}}} }

func newCiliumBGP(string) announcer { return &ciliumBGP{cilium{cut: map[int]bool{}}} }

func (m *ciliumL2) start(ctx context.Context, l *lab) error {
	if err := m.open(l); err != nil {
		return err
	}
	if err := ciliumPools(ctx, l); err != nil {
		return err
	}
	for pool, nodes := range selected {
		for _, node := range nodes {
			spec := map[string]any{"loadBalancerIPs": true, "serviceSelector": inPool(pool)}
			if node != "" {
				spec["nodeSelector"] = map[string]any{"matchLabels": map[string]string{corev1.LabelHostname: node}}
			}
			err := l.create(ctx, ciliumL2Alpha, object("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", strings.TrimSuffix(pool+"-"+node, "-"), nil, spec))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *ciliumBGP) start(ctx context.Context, l *lab) error {
	if err := startRouter(ctx, l); err != nil {
		return err
	}
	if err := ciliumPools(ctx, l); err != nil {
		return err
	}
	for pool := range selected {
		spec := map[string]any{"advertisements": []any{map[string]any{
			"advertisementType": "Service", "service": map[string]any{"addresses": []string{"LoadBalancerIP"}}, "selector": inPool(pool),
		}}}
		if err := l.create(ctx, ciliumV2+"ciliumbgpadvertisements", object("cilium.io/v2", "CiliumBGPAdvertisement", pool, map[string]string{"pool": pool}, spec)); err != nil {
			return err
		}
	}
	for n := 1; n <= scenario.Nodes; n++ {
		node := fmt.Sprintf("n%d", n)
		var pools []string
		for pool, nodes := range selected {
			if slices.Contains(nodes, "") || slices.Contains(nodes, node) {
				pools = append(pools, pool)
			}
		}
		slices.Sort(pools)
		peer := map[string]any{
			"timers": map[string]any{"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3, "connectRetryTimeSeconds": 2},
			"families": []any{map[string]any{
				"afi": "ipv4", "safi": "unicast",
				"advertisements": map[string]any{"matchExpressions": []any{map[string]any{"key": "pool", "operator": "In", "values": pools}}},
			}},
		}
		if err := l.create(ctx, ciliumV2+"ciliumbgppeerconfigs", object("cilium.io/v2", "CiliumBGPPeerConfig", node, nil, peer)); err != nil {
			return err
		}
		config := map[string]any{"bgpInstances": []any{map[string]any{
			"name": "lab", "localASN": nodesASN, "routerID": scenario.NodeIP(n)[0],
			"peers": []any{map[string]any{
				"name": "router", "peerASN": routerASN, "peerAddress": cluster.RouterIP, "peerConfigRef": map[string]any{"name": node},
			}},
		}}}
		if err := l.create(ctx, ciliumV2+"ciliumbgpnodeconfigs", object("cilium.io/v2", "CiliumBGPNodeConfig", node, nil, config)); err != nil {
			return err
		}
	}
	return nil
}

// inPool selects the Services of a pool.
func inPool(pool string) map[string]any {
	return map[string]any{"matchLabels": map[string]string{poolLabel: pool}}
}

// ciliumPools creates a CiliumLoadBalancerIPPool for each pool.
func ciliumPools(ctx context.Context, l *lab) error {
	pools := l.mode.place(l.services)
	for _, pool := range slices.Sorted(maps.Keys(pools)) {
		var blocks []any
		for _, a := range pools[pool] {
			blocks = append(blocks, map[string]any{"cidr": netip.PrefixFrom(a, a.BitLen()).String()})
		}
		spec := map[string]any{"blocks": blocks, "serviceSelector": inPool(pool)}
		if err := l.create(ctx, ciliumV2+"ciliumloadbalancerippools", object("cilium.io/v2", "CiliumLoadBalancerIPPool", pool, nil, spec)); err != nil {
			return err
		}
	}
	return nil
}

func object(apiVersion, kind, name string, labels map[string]string, spec map[string]any) map[string]any {
	return map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name, "labels": labels}, "spec": spec}
}

// annotations let Services share an address.
func (cilium) annotations(s *service) map[string]string {
	if s.shares == "" {
		return nil
	}
	return map[string]string{"lbipam.cilium.io/sharing-key": sharing}
}

// give writes what LB-IPAM of the operator writes (operator/pkg/lbipam/lbipam.go, v1.20.2).
func (cilium) give(ctx context.Context, l *lab, s *service) error {
	var ingress []any
	for _, a := range s.addresses {
		ingress = append(ingress, map[string]any{"ip": a.String(), "ipMode": corev1.LoadBalancerIPModeVIP})
	}
	status := map[string]any{"status": map[string]any{
		"loadBalancer": map[string]any{"ingress": ingress},
		"conditions": []metav1.Condition{{
			Type: "cilium.io/IPAMRequestSatisfied", Status: metav1.ConditionTrue, Reason: "satisfied", LastTransitionTime: metav1.Now(),
		}},
	}}
	data, err := json.Marshal(status)
	if err != nil {
		return err
	}
	_, err = l.Control.Client.CoreV1().Services(scenario.Namespace).Patch(ctx, s.name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("giving service %s its addresses: %w", s.name, err)
	}
	return nil
}

func (cilium) gone(node string) string {
	return node + " has lost its network: it is not ready, and neither are its pods"
}

func (m cilium) stop(ctx context.Context, l *lab, node int) error {
	m.cut[node] = true
	if err := l.Network.Cut(node, true); err != nil {
		return err
	}
	return l.lost(ctx, node, corev1.ConditionUnknown, corev1.ConditionFalse)
}

func (m cilium) resume(ctx context.Context, l *lab, node int) error {
	delete(m.cut, node)
	if err := l.Network.Cut(node, false); err != nil {
		return err
	}
	return l.lost(ctx, node, corev1.ConditionTrue, corev1.ConditionTrue)
}

// settled waits until the same agents have held the Leases for some time.
func (m *ciliumL2) settled(ctx context.Context, l *lab) error {
	var last map[string]string
	since := time.Now()
	return wait(ctx, "the agents to agree on who announces", func() (bool, error) {
		leases, err := l.list(ctx, ciliumLeases)
		if err != nil {
			return false, err
		}
		holders := map[string]string{}
		for _, lease := range leases {
			var read struct {
				Metadata metav1.ObjectMeta
				Spec     struct{ HolderIdentity string }
			}
			if err := json.Unmarshal(lease, &read); err != nil {
				return false, fmt.Errorf("reading a Lease: %w", err)
			}
			holders[read.Metadata.Name] = read.Spec.HolderIdentity
		}
		if !maps.Equal(holders, last) {
			last, since = holders, time.Now()
		}
		return time.Since(since) >= calm, l.ended()
	})
}

// settled waits until the router has a session with every node that has a network and with no other, and has had the
// same routes for some time.
func (m *ciliumBGP) settled(ctx context.Context, l *lab) error {
	var last map[netip.Addr][]string
	since := time.Now()
	return wait(ctx, "the router to have the agents' routes", func() (bool, error) {
		up, err := sessions(l)
		if err != nil {
			return false, err
		}
		for n := 1; n <= scenario.Nodes; n++ {
			if up[fmt.Sprintf("n%d", n)] == m.cut[n] {
				return false, l.ended()
			}
		}
		now, err := routes(l, l.addresses())
		if !maps.EqualFunc(last, now, slices.Equal) {
			last, since = now, time.Now()
		}
		return time.Since(since) >= calm/4, err
	})
}

func (*ciliumBGP) announced(l *lab, addresses []netip.Addr) (map[netip.Addr][]string, error) {
	return routes(l, addresses)
}

func (*ciliumBGP) router() string { return routerOfRoutes }

func (*ciliumL2) tools() map[string]string { return nil }

func (*ciliumBGP) tools() map[string]string { return map[string]string{"gobgpd": gobgpVersion} }

func (*ciliumL2) collections() []string {
	return []string{ciliumV2 + "ciliumloadbalancerippools", ciliumL2Alpha, ciliumLeases}
}

func (*ciliumBGP) collections() []string {
	return []string{
		ciliumV2 + "ciliumloadbalancerippools", ciliumV2 + "ciliumbgpadvertisements", ciliumV2 + "ciliumbgppeerconfigs", ciliumV2 + "ciliumbgpnodeconfigs",
	}
}
