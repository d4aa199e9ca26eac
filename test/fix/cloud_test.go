//go:build unix

package fix_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// alibaba is the Service as the cloud's controller keeps it; terway is its network plugin, there and ready.
var alibaba = strings.Replace(service, "namespace: NS}", "namespace: NS, finalizers: [service.k8s.alibaba/resources]}", 1)

const terway = `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: terway-eniip, namespace: kube-system}, spec: {selector: {matchLabels: {app: terway-eniip}},
  template: {metadata: {labels: {app: terway-eniip}}, spec: {containers: [{name: terway, image: terway}]}}}, status: {currentNumberScheduled: 4, desiredNumberScheduled: 4, numberMisscheduled: 0, numberReady: 4}}`

// terwayPod is Terway's on node-a; CONDITION says whether it is ready.
const terwayPod = `{apiVersion: v1, kind: Pod, metadata: {name: terway-a, namespace: kube-system, labels: {app: terway-eniip}}, spec: {nodeName: node-a, containers: [{name: terway, image: terway}]},
  status: {phase: Running, conditions: [{type: Ready, status: "CONDITION"}]}}`

func terwayOnA(ready string) string { return strings.ReplaceAll(terwayPod, "CONDITION", ready) }

// Pods as backends, where Terway runs: the policy and the annotation in one patch, and the load balancer's controller
// is listened to.
func TestENI(t *testing.T) {
	w := newWorld(t)
	w.load(alibaba, slice, terway, terwayOnA("True"))
	before := w.essence("Service", "web")
	w.wants(w.etp("status", "svc/web"), 0, "ETP002", "--mode=eni")
	say := func(kind, reason, message string) func() {
		return func() {
			w.exactly(strings.NewReplacer("NAME", w.namespace, "KIND", kind, "REASON", reason, "LOWER", strings.ToLower(reason), "MESSAGE", message).Replace(`{apiVersion: v1, kind: Event,
  metadata: {name: web.LOWER, namespace: NAME}, involvedObject: {apiVersion: v1, kind: Service, name: web, namespace: NAME}, type: KIND, reason: REASON, message: "MESSAGE",
  firstTimestamp: "2026-11-25T03:00:00Z", lastTimestamp: "2026-11-25T03:00:00Z", count: 1}`))
		}
	}
	const waiting = "waiting for the load balancer's controller"
	r := w.run(command{answers: strings.NewReader("y\n"), err: &watcher{text: waiting, do: say("Warning", "SkipSyncBackends", "pod ip 10.240.99.1 not in vpc cidrs")}}, "fix", "svc/web", "--mode=eni")
	w.wants(r, 6, "? written, not confirmed\n  the load balancer's controller reported a failure: ", "expected, not confirmed:", "NODE", "expected, not confirmed:\nfixed ", "event Warning SkipSyncBackends: pod ip 10.240.99.1 not in vpc cidrs",
		"error: written, not confirmed: the load balancer's controller reported a failure: ", "the change is made; to undo it: kubectl etp undo svc/web")
	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=1s"), 6, "? written, not confirmed\n  no event from the load balancer's controller in 1s", "the fix is undone")

	// What has been said before is held against a second try.
	w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 1, "✗ backends-taken-before", "not in vpc cidrs", "--accept-risk=backends-were-skipped")
	r = w.run(command{answers: strings.NewReader("y\n"), err: &watcher{text: waiting, do: say("Normal", "EnsuredLoadBalancer", "Ensured load balancer [lb-1]")}}, "fix", "svc/web", "--mode=eni", "--accept-risk=backends-were-skipped")
	w.wants(r, 0, "✓ terway-ready", "Terway is ready on each node with a ready endpoint: node node-a", "(accepted: backends-were-skipped)", "fixed       ✓ ETP002", "+    service.beta.kubernetes.io/backend-type: eni", "+  externalTrafficPolicy: Cluster", "patched service",
		"event Normal EnsuredLoadBalancer: Ensured load balancer [lb-1]", "the load balancer's controller confirmed the change: ")
	if strings.Contains(r.out, "not confirmed") {
		t.Errorf("it says\n%s", r.out)
	}
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 0, "sends to pods")
	w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 0, "nothing to change")
	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=0"), 6, "did not wait for the load balancer's controller (--timeout=0)")
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
}

// Terway may be ready on most nodes, and not where the Service's pods are.
func TestTerwayByNode(t *testing.T) {
	w := newWorld(t)
	w.load(alibaba, slice, terway)
	same := untouched(w)
	w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 1, "✗ terway-ready", "Terway does not run on node node-a, which has a ready endpoint", "4 of 4 pods ready; none on node node-a", "refused, and nothing was changed")
	w.load(terwayOnA("False"))
	w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 1, "✗ terway-ready", "Terway is not ready on node node-a", "--accept-risk=terway-not-ready")
	same()
}

// Each cloud with its own annotation: looked at, refused where something is wanting, fixed, looked at again, taken
// back.
func TestENIElsewhere(t *testing.T) {
	const allowed = `{apiVersion: v1, kind: ConfigMap, metadata: {name: tke-service-controller-config, namespace: kube-system}, data: {GlobalRouteDirectAccess: "true"}}`
	for _, c := range []struct {
		name, provider, service string
		// refused is what is said before later is loaded and risk is accepted; "" where nothing stands against it.
		refused, later, risk string
		found                string
		says                 []string
	}{
		{
			name: "AWS", provider: "aws:///eu-west-1a/i-1", found: "ETP008",
			service: strings.NewReplacer("namespace: NS}", "namespace: NS, finalizers: [service.k8s.aws/resources]}", "ip: 203.0.113.7", "hostname: web.elb.eu-west-1.amazonaws.com").Replace(service),
			says:    []string{"✓ controller-owns-it", "fixed       ✓ ETP008", "+    service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip", "+    service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: preserve_client_ip.enabled=true"},
		},
		{
			name: "AWS, without the controller", provider: "aws:///eu-west-1a/i-1", found: "ETP008",
			service: strings.Replace(service, "ip: 203.0.113.7", "hostname: web.elb.eu-west-1.amazonaws.com", 1), refused: "✗ controller-owns-it",
		},
		{
			name: "Tencent", provider: "qcloud:///1/ins-1", found: "ETP002", service: service, refused: "✗ pods-in-vpc", later: allowed,
			says: []string{"✓ pods-in-vpc", "fixed       ✓ ETP002", "+    service.cloud.tencent.com/direct-access: \"true\"", "+  externalTrafficPolicy: Cluster"},
		},
		{
			name: "Baidu", provider: "cce://i-1", found: "ETP002", service: service, refused: "? change-in-place", risk: "unconfirmed-in-place",
			says: []string{"fixed       ✓ ETP002", "+    service.beta.kubernetes.io/cce-load-balancer-backend-type: eni", "+  externalTrafficPolicy: Cluster"},
		},
		{
			name: "Volcengine", provider: "volcengine://i-1", found: "ETP002", service: service,
			says: []string{"fixed       ✓ ETP002", "+    service.beta.kubernetes.io/volcengine-loadbalancer-pass-through: \"true\"", "+  externalTrafficPolicy: Cluster"},
		},
		{name: "Google", provider: "gce://p/z/n", found: "ETP002", service: service, refused: "use --mode=cluster or --mode=dns"},
	} {
		t.Run(strings.ReplaceAll(strings.ReplaceAll(c.name, ",", ""), " ", "-"), func(t *testing.T) {
			w := newWorld(t)
			// The endpoint is on the node that has a providerID: a cloud's controller may leave out the others (rule
			// LB-06).
			w.load(c.service, strings.Replace(slice, "node-a", "node-z", 1), fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: node-z, labels: {kubernetes.io/hostname: node-z}}, spec: {providerID: %q, unschedulable: true},
  status: {addresses: [{type: InternalIP, address: 10.0.1.99}], conditions: [{type: Ready, status: "True"}]}}`, c.provider))
			before := w.essence("Service", "web")
			w.wants(w.etp("status", "svc/web", "--fail-on=warning"), 3, c.found)
			if c.refused != "" {
				w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 1, c.refused, "refused, and nothing was changed", c.risk)
				if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
					t.Error(diff)
				}
			}
			if c.says == nil {
				return
			}
			if c.later != "" {
				w.load(c.later)
			}
			w.wants(w.typed("y\n", "fix", "svc/web", "--mode=eni", "--accept-risk="+c.risk), 6, append(c.says, "? written, not confirmed\n  cannot tell whether ", "expected, not confirmed:", "patched service")...)
			r := w.etp("status", "svc/web")
			w.wants(r, 0, "sends to pods")
			if strings.Contains(r.out, c.found) {
				t.Errorf("%s is still found:\n%s", c.found, r.out)
			}
			w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 0, "nothing to change")
			w.wants(w.typed("y\n", "undo", "svc/web"), 6, "restores what mode eni changed at", "introduced  ", "? written, not confirmed", "the fix is undone")
			if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A name in place of the address: nodes do not answer for a name themselves. Without one on the command line it is
// asked for.
func TestHostname(t *testing.T) {
	w := newWorld(t)
	w.load(alibaba, slice)
	before := w.essence("Service", "web")
	w.wants(w.etp("fix", "svc/web", "--mode=hostname", "--yes"), 2, "--host")
	w.wants(w.typed("", "fix", "svc/web", "--mode=hostname"), 5, "Host name:", "no answer; nothing was changed")
	// The cloud's controller publishes the name once it sees the annotation.
	r := w.run(command{answers: strings.NewReader("nodot\nweb.example.com\ny\n"), err: &watcher{text: "patched", do: func() {
		if err := w.server.Patch(context.Background(), "Service", w.namespace, "web", `{"status":{"loadBalancer":{"ingress":[{"hostname":"web.example.com"}]}}}`, "status"); err != nil {
			t.Error(err)
		}
	}}}, "fix", "svc/web", "--mode=hostname", "--timeout=5s", "--accept-risk=breaks-in-cluster-clients")
	w.wants(r, 0, "Host name:", "a public name contains a dot", "hostname: web.example.com", "patched service")
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 0, "web.example.com")
	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=1s"), 6, "? written, not confirmed")
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}

	// A controller that does nothing leaves the address, and what was found.
	w.patch("Service", "web", `{"metadata":{"annotations":null}}`)
	if err := w.server.Patch(t.Context(), "Service", w.namespace, "web", `{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.7"}]}}}`, "status"); err != nil {
		t.Fatal(err)
	}
	w.wants(w.etp("fix", "svc/web", "--mode=hostname", "--host=web.example.com", "--yes", "--timeout=1s"), 1, "✗ in-cluster-clients", "clients on 1 of 4 nodes fail whenever the load",
		"introduced  ✗ clients on 1 of 4 nodes fail", "--accept-risk=breaks-in-cluster-clients")
	w.wants(w.etp("fix", "svc/web", "--mode=hostname", "--host=web.example.com", "--yes", "--timeout=1s", "--accept-risk=breaks-in-cluster-clients"), 6, "? written, not confirmed\n  ETP002", "is still found", "✗ ETP002")
	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=0"), 6)
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
}

const coredns = `{apiVersion: v1, kind: ConfigMap, metadata: {name: coredns, namespace: kube-system}, data: {Corefile: ".:53 {\n    errors\n    kubernetes cluster.local in-addr.arpa ip6.arpa\n    forward . /etc/resolv.conf\n    cache 30\n    reload\n}\n"}}`

// CoreDNS answers public names: the change is of a ConfigMap in another namespace, and undo finds it.
func TestDNS(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice, coredns)
	corefile := func() string {
		w.t.Helper()
		here := w.namespace
		defer func() { w.namespace = here }()
		w.namespace = "kube-system"
		data, _ := w.essence("ConfigMap", "coredns")["data"].(map[string]any)["Corefile"].(string)
		return data
	}
	before := corefile()
	w.wants(w.etp("fix", "svc/web", "--mode=dns", "--host=www.example.com", "--yes"), 6, "fixes  ETP002 for clients that connect by name", "fixed       ✓ pods on 3 of 4 nodes can reach the Service by the name www.example.com; connections", "unchanged   ✗ ETP002", "configmap kube-system/coredns", "rewrite name exact www.example.com web."+w.namespace+".svc.cluster.local.", "patched configmap kube-system/coredns")
	if !strings.Contains(corefile(), "rewrite name exact www.example.com") {
		t.Errorf("the Corefile is\n%s", corefile())
	}
	w.wants(w.etp("fix", "svc/web", "--mode=dns", "--host=www.example.com", "--yes"), 0, "nothing to change")
	w.wants(w.etp("status", "svc/web"), 0, "inside the cluster CoreDNS already answers www.example.com with this Service")
	w.wants(w.etp("undo", "svc/web", "--yes"), 6, "patched configmap kube-system/coredns")
	if diff := cmp.Diff(before, corefile()); diff != "" {
		t.Error(diff)
	}
	w.wants(w.etp("undo", "svc/web", "--yes"), 1, "nothing to undo")
}

// Two Services have names answered: each is taken back without the other, whatever somebody else writes meanwhile. A
// record of a whole Corefile, as earlier versions wrote it, is taken back as long as nothing has changed.
func TestDNSOfTwoServices(t *testing.T) {
	w := newWorld(t)
	w.load(service, slice, coredns, strings.NewReplacer("name: web,", "name: api,", "app: web", "app: api", "203.0.113.7", "203.0.113.9").Replace(service))
	system := *w
	system.namespace = "kube-system"
	corefile := func() string {
		data, _ := system.essence("ConfigMap", "coredns")["data"].(map[string]any)["Corefile"].(string)
		return data
	}
	write := func(text string) {
		t.Helper()
		patch, err := json.Marshal(map[string]any{"data": map[string]any{"Corefile": text}})
		if err != nil {
			t.Fatal(err)
		}
		system.patch("ConfigMap", "coredns", string(patch))
	}
	before := corefile()
	risk := "--accept-risk=breaks-in-cluster-clients"
	w.wants(w.etp("fix", "svc/web", "--mode=dns", "--host=www.example.com", "--yes"), 6, "patched configmap kube-system/coredns")
	alone := corefile()
	w.wants(w.etp("fix", "svc/api", "--mode=dns", "--host=api.example.com", "--yes", risk), 6, "patched configmap kube-system/coredns")
	write(strings.Replace(corefile(), "    errors\n", "    errors\n    log\n", 1))

	w.wants(w.etp("undo", "svc/web", "--yes"), 6, "restores what mode dns changed at", "-        rewrite name exact www.example.com", "patched configmap kube-system/coredns")
	if got := corefile(); strings.Contains(got, "www.example.com") || !strings.Contains(got, "rewrite name exact api.example.com") || !strings.Contains(got, "    log\n") {
		t.Errorf("the Corefile is\n%s", got)
	}
	write(strings.Replace(corefile(), "api.example.com", "a.example.com", 1))
	w.wants(w.etp("undo", "svc/api", "--yes"), 1, "refused, and nothing was changed", "the lines that the fix wrote", "are different now")
	write(strings.Replace(corefile(), "a.example.com", "api.example.com", 1))
	w.wants(w.etp("undo", "svc/api", "--yes"), 6, "patched configmap kube-system/coredns")
	if diff := cmp.Diff(strings.Replace(before, "    errors\n", "    errors\n    log\n", 1), corefile()); diff != "" {
		t.Error(diff)
	}

	record, err := json.Marshal([]map[string]any{{
		"mode": "dns", "service": w.namespace + "/web", "time": "2026-11-25T03:00:00Z",
		"fields": []map[string]any{{"path": []string{"data", "Corefile"}, "was": before, "now": alone, "there": 2}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{"kubectl-etp.github.io/undo": string(record)}}, "data": map[string]any{"Corefile": alone}})
	if err != nil {
		t.Fatal(err)
	}
	system.patch("ConfigMap", "coredns", string(patch))
	w.wants(w.etp("undo", "svc/web", "--yes"), 6, "patched configmap kube-system/coredns")
	if diff := cmp.Diff(before, corefile()); diff != "" {
		t.Error(diff)
	}
}

// A Service that lost its client's address gets it back, where in-cluster clients stand it; the health check node port
// is the server's to assign.
func TestLocal(t *testing.T) {
	w := newWorld(t)
	w.load(strings.Replace(service, "externalTrafficPolicy: Local", "externalTrafficPolicy: Cluster", 1), slice)
	before := w.essence("Service", "web")
	r := w.etp("fix", "svc/web", "--mode=local", "--yes")
	w.wants(r, 1, "introduced  ✗ ETP002", "refused, and nothing was changed", "--accept-risk=breaks-in-cluster-clients")
	w.wants(w.etp("fix", "svc/web", "--mode=local", "--yes", "--accept-risk=breaks-in-cluster-clients"), 0, "introduced  ✗ ETP002", "broken on 3 of 4 nodes")
	w.wants(w.etp("undo", "svc/web", "--yes"), 0, "fixed       ✓ ETP002")
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
}
