package announcer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
)

// MetalLB runs as its manifests run it (config/manifests/metallb-native.yaml): one controller, and a speaker on every
// node's own network with memberlist; BGP is its own implementation, without FRR. It has no webhooks and no metrics
// here, and memberlist is not encrypted.
//
// What it needs: the speaker reads its own Pod, and finds the other speakers by the addresses of theirs, so the lab
// writes Pods. In v0.16 the controller reads its own Pod too. In its own BGP mode it refuses a configuration with IPv6
// addresses as a whole, so there are none.
//
// A speaker joins the multicast groups of neighbor solicitations when it begins to announce an address, on the cards
// that it has found by then (internal/layer2/announcer.go SetBalancer, v0.16.2). On a busy machine it may find its cards
// later, and then nobody answers for IPv6 addresses until it starts again. The lab starts such a speaker again.
//
// How it fares: addresses are given 1 s after it started; a speaker that is killed is missed by the others after 5 s to
// 10 s.

const (
	metalLBNamespace = "metallb-system"
	metalLBObjects   = "/apis/metallb.io/v1beta1/namespaces/" + metalLBNamespace + "/"
	// controllerPod is the pod of the lab in whose network the controller runs.
	controllerPod = "client-1"
	// heard begins the names of Services that show how far speakers are.
	heard = "heard-"
)

func metalLBPrograms(version string) []kube.Target {
	return []kube.Target{{Name: "metallb-controller", Version: version}, {Name: "metallb-speaker", Version: version}}
}

func metalLBAndRouter(version string) []kube.Target {
	return append(metalLBPrograms(version), routerPrograms()...)
}

// metalLB is what both of its modes share.
type metalLB struct {
	version string
	stopped map[int]bool // nodes whose speaker does not run
}

// layer2 answers ARP requests and neighbor solicitations.
type layer2 struct {
	metalLB
	neighbors
}

// bgp announces routes to the router.
type bgp struct{ metalLB }

func newMetalLBLayer2(version string) announcer {
	return &layer2{metalLB: metalLB{version: version, stopped: map[int]bool{}}}
}

func newMetalLBBGP(version string) announcer {
	return &bgp{metalLB{version: version, stopped: map[int]bool{}}}
}

func (m *layer2) start(ctx context.Context, l *lab) error {
	if err := m.open(l); err != nil {
		return err
	}
	return m.metalLB.start(ctx, l, "L2Advertisement", "l2advertisements")
}

func (*layer2) tools() map[string]string { return nil }

func (m *bgp) start(ctx context.Context, l *lab) error {
	if err := startRouter(ctx, l); err != nil {
		return err
	}
	if err := m.metalLB.start(ctx, l, "BGPAdvertisement", "bgpadvertisements"); err != nil {
		return err
	}
	return l.create(ctx, "/apis/metallb.io/v1beta2/namespaces/"+metalLBNamespace+"/bgppeers", custom("metallb.io/v1beta2", "BGPPeer", "router", map[string]any{
		"myASN": nodesASN, "peerASN": routerASN, "peerAddress": cluster.RouterIP, "holdTime": "9s",
	}))
}

func (*bgp) announced(l *lab, addresses []netip.Addr) (map[netip.Addr][]string, error) {
	return routes(l, addresses)
}

func (*bgp) router() string { return routerOfRoutes }

func (*bgp) tools() map[string]string { return map[string]string{"gobgpd": gobgpVersion} }

func custom(apiVersion, kind, name string, spec map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name, "namespace": metalLBNamespace}, "spec": spec,
	}
}

// annotations ask for a Service's addresses.
func (*metalLB) annotations(s *service) map[string]string {
	var all []string
	for _, a := range s.addresses {
		all = append(all, a.String())
	}
	out := map[string]string{"metallb.io/loadBalancerIPs": strings.Join(all, ",")}
	if s.shares != "" {
		out["metallb.io/allow-shared-ip"] = sharing
	}
	return out
}

// give: the controller gives addresses.
func (*metalLB) give(context.Context, *lab, *service) error { return nil }

func (*metalLB) gone(node string) string { return "the announcer on " + node + " was killed" }

func (*metalLB) collections() []string {
	return []string{
		"/apis/apps/v1/namespaces/metallb-system/daemonsets", "/apis/apps/v1/namespaces/metallb-system/deployments", "/api/v1/namespaces/metallb-system/pods",
		metalLBObjects + "ipaddresspools", metalLBObjects + "l2advertisements", metalLBObjects + "bgpadvertisements",
		"/apis/metallb.io/v1beta2/namespaces/metallb-system/bgppeers", metalLBObjects + "servicel2statuses", metalLBObjects + "servicebgpstatuses",
	}
}

func (m *metalLB) start(ctx context.Context, l *lab, advertisement, collection string) error {
	if err := m.definitions(ctx, l); err != nil {
		return err
	}
	if err := m.workloads(ctx, l); err != nil {
		return err
	}
	pools := l.mode.place(l.services)
	for _, pool := range slices.Sorted(maps.Keys(pools)) {
		var addresses []string
		for _, a := range pools[pool] {
			addresses = append(addresses, netip.PrefixFrom(a, a.BitLen()).String())
		}
		err := l.create(ctx, metalLBObjects+"ipaddresspools", custom("metallb.io/v1beta1", "IPAddressPool", pool, map[string]any{"addresses": addresses}))
		if err != nil {
			return err
		}
		for _, node := range selected[pool] {
			spec := map[string]any{"ipAddressPools": []string{pool}}
			name := pool
			if node != "" {
				spec["nodeSelectors"] = []any{map[string]any{"matchLabels": map[string]string{corev1.LabelHostname: node}}}
				name = pool + "-" + node
			}
			if err := l.create(ctx, metalLBObjects+collection, custom("metallb.io/v1beta1", advertisement, name, spec)); err != nil {
				return err
			}
		}
	}
	controller, err := kube.Binary("metallb-controller", m.version)
	if err != nil {
		return err
	}
	env := []string{"KUBECONFIG=" + l.Control.Kubeconfig, "METALLB_NAMESPACE=" + metalLBNamespace, "METALLB_POD_NAME=controller-n1"}
	if err := l.launch(l.Network.Pods[controllerPod], "metallb-controller", controller, env, "--webhook-mode=disabled", "--port=0"); err != nil {
		return err
	}
	for n := 1; n <= scenario.Nodes; n++ {
		if err := m.speak(l, n); err != nil {
			return err
		}
	}
	for n := 1; n <= scenario.Nodes; n++ {
		if _, err := m.sees(ctx, l, n); err != nil {
			return err
		}
	}
	return m.joined(ctx, l)
}

// definitions creates MetalLB's CustomResourceDefinitions, and waits until the API server serves them.
func (m *metalLB) definitions(ctx context.Context, l *lab) error {
	dir, err := (kube.Target{Name: "metallb-controller", Version: m.version}).Files("crds")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var o map[string]any
		if err := yaml.Unmarshal(data, &o); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := l.create(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", o); err != nil {
			return err
		}
	}
	return wait(ctx, "MetalLB's objects to be served", func() (bool, error) {
		for _, path := range m.collections() {
			if strings.Contains(path, "metallb.io") {
				if served := l.Control.Client.RESTClient().Get().AbsPath(path).Do(ctx).Error() == nil; !served {
					return false, nil
				}
			}
		}
		return true, nil
	})
}

// workloads shows MetalLB in the API: its DaemonSet and Deployment as its manifests have them, as far as they show what
// runs, and their Pods.
func (m *metalLB) workloads(ctx context.Context, l *lab) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metalLBNamespace}}
	if _, err := l.Control.Client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating namespace %s: %w", metalLBNamespace, err)
	}
	for component, path := range map[string]string{"speaker": "daemonsets", "controller": "deployments"} {
		labels := map[string]string{"app": "metallb", "component": component}
		spec := corev1.PodSpec{
			HostNetwork: component == "speaker", NodeSelector: map[string]string{"kubernetes.io/os": "linux"},
			Containers: []corev1.Container{{Name: component, Image: "quay.io/metallb/" + component + ":" + m.version}},
		}
		workload := map[string]any{
			"metadata": map[string]any{"name": component, "labels": labels},
			"spec":     map[string]any{"selector": metav1.LabelSelector{MatchLabels: labels}, "template": corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec}},
		}
		if err := l.create(ctx, "/apis/apps/v1/namespaces/"+metalLBNamespace+"/"+path, workload); err != nil {
			return err
		}
		for n := 1; n <= scenario.Nodes; n++ {
			if component == "controller" && n > 1 {
				break
			}
			if err := m.pod(ctx, l, component, n, labels, spec); err != nil {
				return err
			}
		}
	}
	return nil
}

func (*metalLB) pod(ctx context.Context, l *lab, component string, n int, labels map[string]string, spec corev1.PodSpec) error {
	pods := l.Control.Client.CoreV1().Pods(metalLBNamespace)
	name := fmt.Sprintf("%s-n%d", component, n)
	spec.NodeName = fmt.Sprintf("n%d", n)
	if _, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: spec}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating pod %s: %w", name, err)
	}
	ip := scenario.NodeIP(n)[0]
	status := fmt.Sprintf(`{"status": {"phase": "Running", "hostIP": %[1]q, "podIP": %[1]q, "podIPs": [{"ip": %[1]q}], "conditions": [{"type": "Ready", "status": "True"}]}}`, ip)
	if _, err := pods.Patch(ctx, name, types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("setting the status of pod %s: %w", name, err)
	}
	return nil
}

func speaker(n int) string { return fmt.Sprintf("metallb-speaker-n%d", n) }

// speak starts the speaker of a node.
func (m *metalLB) speak(l *lab, n int) error {
	binary, err := kube.Binary("metallb-speaker", m.version)
	if err != nil {
		return err
	}
	node, ip := fmt.Sprintf("n%d", n), scenario.NodeIP(n)[0]
	delete(m.stopped, n)
	return l.launch(l.Network.Nodes[n-1], speaker(n), binary, []string{
		"KUBECONFIG=" + l.Control.Kubeconfig, "METALLB_NAMESPACE=" + metalLBNamespace, "METALLB_NODE_NAME=" + node, "METALLB_POD_NAME=speaker-" + node,
		"METALLB_HOST=" + ip, "METALLB_ML_BIND_ADDR=" + ip, "METALLB_ML_LABELS=app=metallb,component=speaker",
	}, "--port=0")
}

// speaking are the nodes whose speaker runs.
func (m *metalLB) speaking() []int {
	var out []int
	for n := 1; n <= scenario.Nodes; n++ {
		if !m.stopped[n] {
			out = append(out, n)
		}
	}
	return out
}

// joined waits until every speaker that runs knows of every other, and of none that does not run.
func (m *metalLB) joined(ctx context.Context, l *lab) error {
	return wait(ctx, "the speakers to know each other", func() (bool, error) {
		for _, n := range m.speaking() {
			text, err := l.logged(speaker(n))
			if err != nil {
				return false, err
			}
			// The last that a speaker wrote of another.
			last := map[string]string{}
			for line := range strings.Lines(text) {
				if event, ok := after(line, `"node event":"`); ok {
					name, _ := after(line, `"node name":"`)
					last[name] = event
				}
			}
			for o := 1; o <= scenario.Nodes; o++ {
				if o != n && (last[fmt.Sprintf("n%d", o)] == "NodeJoin") == m.stopped[o] {
					return false, l.ended()
				}
			}
		}
		return true, nil
	})
}

// after is what follows a mark in a line, up to the next quotation mark.
func after(line, mark string) (string, bool) {
	_, rest, ok := strings.Cut(line, mark)
	value, _, _ := strings.Cut(rest, `"`)
	return value, ok
}

// sees waits until a speaker has found the card of its node on the nodes' network. late says that it had an address to
// announce before.
func (*metalLB) sees(ctx context.Context, l *lab, n int) (late bool, err error) {
	err = wait(ctx, "a speaker to find its network card", func() (bool, error) {
		text, err := l.logged(speaker(n))
		announcing := false
		for line := range strings.Lines(text) {
			event, _ := after(line, `"event":"`)
			card, _ := after(line, `"interface":"`)
			switch {
			case event == "serviceAnnounced":
				announcing = true
			case event == "createNDPResponder" && card == "eth0":
				late = announcing
				return true, nil
			}
		}
		return false, errors.Join(err, l.ended())
	})
	return late, err
}

func (m *metalLB) stop(ctx context.Context, l *lab, node int) error {
	if err := l.Network.Nodes[node-1].Stop(speaker(node)); err != nil {
		return err
	}
	m.stopped[node] = true
	return m.joined(ctx, l)
}

func (m *metalLB) resume(ctx context.Context, l *lab, node int) error {
	for {
		if err := os.Remove(l.log(speaker(node))); err != nil {
			return err
		}
		if err := m.speak(l, node); err != nil {
			return err
		}
		late, err := m.sees(ctx, l, node)
		if err != nil {
			return err
		}
		if !late {
			return m.joined(ctx, l)
		}
		if err := m.stop(ctx, l, node); err != nil {
			return err
		}
	}
}

// quiet is how long speakers and the controller must have written nothing. They write a line when they begin and end
// acting on a change.
const quiet = 1500 * time.Millisecond

// settled makes a Service, waits until every speaker has looked at it, and then until they write nothing more.
func (m *metalLB) settled(ctx context.Context, l *lab) error {
	l.heard++
	name := fmt.Sprintf("%s%d", heard, l.heard)
	_, err := l.Control.Client.CoreV1().Services(scenario.Namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating service %s: %w", name, err)
	}
	size, since := 0, time.Now()
	return wait(ctx, "MetalLB to act on all changes", func() (bool, error) {
		now := 0
		controller, err := l.logged("metallb-controller")
		now += len(controller)
		all := true
		for _, n := range m.speaking() {
			text, lerr := l.logged(speaker(n))
			err = errors.Join(err, lerr)
			now += len(text)
			all = all && strings.Contains(text, `"end reconcile":"`+scenario.Namespace+"/"+name+`"`)
		}
		if now != size {
			size, since = now, time.Now()
		}
		return all && time.Since(since) >= quiet, errors.Join(err, l.ended())
	})
}
