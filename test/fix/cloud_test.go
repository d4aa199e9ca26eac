//go:build unix

package fix_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// alibaba is the Service as the cloud's controller keeps it; terway is its network plugin, there and ready.
var alibaba = strings.Replace(service, "namespace: NS}", "namespace: NS, finalizers: [service.k8s.alibaba/resources]}", 1)

const terway = `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: terway-eniip, namespace: kube-system}, spec: {selector: {matchLabels: {app: terway-eniip}},
  template: {metadata: {labels: {app: terway-eniip}}, spec: {containers: [{name: terway, image: terway}]}}}, status: {currentNumberScheduled: 4, desiredNumberScheduled: 4, numberMisscheduled: 0, numberReady: 4}}`

// Pods as backends, where Terway runs: the policy and the annotation in one patch, and the load balancer's controller is listened to.
func TestENI(t *testing.T) {
	w := newWorld(t)
	w.load(alibaba, slice, terway)
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
	w.wants(r, 1, "event Warning SkipSyncBackends: pod ip 10.240.99.1 not in vpc cidrs", "error: the load balancer's controller did not follow: ", "the change is made; kubectl etp undo svc/web")
	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=1s"), 0)

	r = w.run(command{answers: strings.NewReader("y\n"), err: &watcher{text: waiting, do: say("Normal", "EnsuredLoadBalancer", "Ensured load balancer [lb-1]")}}, "fix", "svc/web", "--mode=eni", "--accept-risk=backends-were-skipped")
	w.wants(r, 0, "✓ terway-ready", "fixed       ✓ ETP002", "+    service.beta.kubernetes.io/backend-type: eni", "+  externalTrafficPolicy: Cluster", "patched service",
		"event Normal EnsuredLoadBalancer: Ensured load balancer [lb-1]", "the load balancer's controller says: ")
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 0, "sends to pods")
	w.wants(w.etp("fix", "svc/web", "--mode=eni", "--yes"), 0, "already so")
	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=1s"), 0)
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
}

// A name in place of the address: nodes do not answer for a name themselves. Without one on the command line it is asked for.
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
	}}}, "fix", "svc/web", "--mode=hostname", "--timeout=1s")
	w.wants(r, 0, "Host name:", "a public name has a dot in it", "hostname: web.example.com", "patched service")
	w.wants(w.etp("status", "svc/web", "--fail-on=error"), 0, "web.example.com")
	w.wants(w.etp("undo", "svc/web", "--yes", "--timeout=1s"), 0)
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
	w.wants(w.etp("fix", "svc/web", "--mode=dns", "--host=www.example.com", "--yes"), 0, "configmap kube-system/coredns", "rewrite name exact www.example.com web."+w.namespace+".svc.cluster.local.", "patched configmap kube-system/coredns")
	if !strings.Contains(corefile(), "rewrite name exact www.example.com") {
		t.Errorf("the Corefile is\n%s", corefile())
	}
	w.wants(w.etp("fix", "svc/web", "--mode=dns", "--host=www.example.com", "--yes"), 0, "already so")
	w.wants(w.etp("undo", "svc/web", "--yes"), 0, "patched configmap kube-system/coredns")
	if diff := cmp.Diff(before, corefile()); diff != "" {
		t.Error(diff)
	}
	w.wants(w.etp("undo", "svc/web", "--yes"), 1, "nothing to take back")
}

// A Service that lost its client's address gets it back, where in-cluster clients stand it; the health check node port is the server's to assign.
func TestLocal(t *testing.T) {
	w := newWorld(t)
	w.load(strings.Replace(service, "externalTrafficPolicy: Local", "externalTrafficPolicy: Cluster", 1), slice)
	before := w.essence("Service", "web")
	r := w.etp("fix", "svc/web", "--mode=local", "--yes")
	w.wants(r, 1, "introduced  ✗ ETP002", "refused, and nothing was changed", "--accept-risk=breaks-in-cluster-clients")
	w.wants(w.etp("fix", "svc/web", "--mode=local", "--yes", "--accept-risk=breaks-in-cluster-clients"), 0, "introduced  ✗ ETP002", "3 of 4 went from fine to failing")
	w.wants(w.etp("undo", "svc/web", "--yes"), 0, "fixed       ✓ ETP002")
	if diff := cmp.Diff(before, w.essence("Service", "web")); diff != "" {
		t.Error(diff)
	}
}
