//go:build unix

package fix_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
)

// lacking is what is tried by somebody who lacks one right of those that `kubectl etp rbac --for fix` prints, and what
// is said.
type lacking struct {
	// args are what is tried; nil for --mode=cluster of svc/web.
	args []string
	// refused: nothing is changed for it. Otherwise it goes on all the same.
	refused bool
	says    []string
}

// Each right of the printed role is taken away in turn. What cannot be known for it, or cannot be written, is said; and
// nothing is half-written.
func TestEachRightMissing(t *testing.T) {
	apart, dns, db := []string{"svc/web", "--mode=anti-affinity"}, []string{"svc/web", "--mode=dns", "--host=www.example.com"}, []string{"svc/db", "--mode=anti-affinity"}
	goesOn := []lacking{{}}
	refused := func(args []string, says ...string) lacking {
		return lacking{args, true, append(says, "nothing was changed")}
	}
	cases := map[string][]lacking{
		"get services":               {{refused: true, says: []string{"get service NS/web: forbidden: ", "`kubectl auth can-i get services -n NS`"}}},
		"list services":              goesOn,
		"get pods":                   goesOn,
		"list endpointslices":        {{says: []string{"nodes ? unknown on 4 of 4 nodes", "? not allowed to list endpointslices.discovery.k8s.io in namespace NS"}}},
		"get nodes":                  goesOn,
		"list nodes":                 {{says: []string{"? not allowed to list nodes"}}},
		"list daemonsets":            {{says: []string{"? not allowed to read daemonsets"}}},
		"get configmaps":             {{says: []string{"? not allowed to get configmaps kube-system/kube-proxy"}}, refused(dns, "? coredns-there")},
		"list pods":                  {refused(apart, "? pods-known the pods behind the Service are not known: they could not be listed"), refused(nil, "? client-ip-unused", "pods could not be read", "--accept-risk=loses-client-ip")},
		"get felixconfigurations":    {{says: []string{"? not allowed to get felixconfigurations.crd.projectcalico.org default"}}},
		"get installations":          goesOn,
		"get leases":                 goesOn,
		"list leases":                goesOn,
		"list servicel2statuses":     goesOn,
		"get ingresses":              goesOn,
		"get gateways":               goesOn,
		"get deployments":            {refused(apart, "? workload-known deployment NS/web could not be read, so it is not known what to change in it")},
		"get statefulsets":           {refused(db, "? workload-known statefulset NS/db could not be read, so it is not known what to change in it")},
		"get replicasets":            {refused(apart, "? workload-known replicaset NS/web-", "could not be read, so it is not known what to change in it")},
		"get daemonsets":             goesOn,
		"list deployments":           goesOn,
		"list statefulsets":          goesOn,
		"list poddisruptionbudgets":  {refused(apart, "? disruption-budget it is not known whether a PodDisruptionBudget allows the rollout of deployment NS/web: they could not be listed", "--accept-risk=below-disruption-budget")},
		"list networkpolicies":       {refused(nil, "? client-ip-unused it is not known whether anything depends on the client IP: networkpolicies.networking.k8s.io could not be read", "--accept-risk=loses-client-ip")},
		"list ciliumnetworkpolicies": goesOn,
		"list ingresses":             {refused(nil, "? client-ip-unused it is not known whether anything depends on the client IP: ingresses.networking.k8s.io could not be read", "--accept-risk=loses-client-ip")},
		"list events":                goesOn,
		"get namespaces":             goesOn,
		"patch services":             {refused(nil, "fixed ✓ ETP002", `cannot patch resource "services"`, "`kubectl auth can-i patch services -n NS`")},
		"patch deployments":          {refused(apart, "fixed ✓ ETP008", `cannot patch resource "deployments"`, "`kubectl auth can-i patch deployments -n NS`")},
		"patch statefulsets":         {refused(db, "fixed ✓ ETP008", `cannot patch resource "statefulsets"`, "`kubectl auth can-i patch statefulsets -n NS`")},
		"patch configmaps":           {refused(dns, `cannot patch resource "configmaps"`, "`kubectl auth can-i patch configmaps -n kube-system`")},
	}
	w := newWorld(t)
	database := strings.NewReplacer("name: web, ", "name: db, ", "app: web", "app: db", "serviceName: web", "serviceName: db", "name: web-1", "name: db-1", "203.0.113.7", "203.0.113.8").Replace
	w.load(service, workload("Deployment"), database(service), database(workload("StatefulSet")), coredns)
	w.until("six ready pods", func() bool {
		n := 0
		for _, on := range w.spread() {
			n += on
		}
		return n == 6
	})
	for _, name := range []string{"web", "db"} {
		w.until("the Services have them", func() bool { return strings.Contains(w.etp("status", "svc/"+name).out, "3 ready") })
	}
	objects := func() map[string]any {
		kubeSystem := *w
		kubeSystem.namespace = "kube-system"
		return map[string]any{
			"web": w.essence("Service", "web"), "db": w.essence("Service", "db"), "deployment": w.essence("Deployment", "web"), "statefulset": w.essence("StatefulSet", "db"),
			"coredns": kubeSystem.essence("ConfigMap", "coredns")["data"],
		}
	}
	before := objects()

	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte(w.etp("rbac", "--for=fix").out), &role); err != nil {
		t.Fatal(err)
	}
	var rights []rbacv1.PolicyRule
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			rights = append(rights, rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames})
		}
	}
	called := func(r rbacv1.PolicyRule) string { return r.Verbs[0] + " " + r.Resources[0] }
	seen := map[string]bool{}
	admin := w.config
	for _, right := range rights {
		name := called(right)
		if seen[name] {
			continue
		}
		seen[name] = true
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			w := *w
			w.t = t
			var granted []rbacv1.PolicyRule
			for _, other := range rights {
				if called(other) != name {
					granted = append(granted, other)
				}
			}
			if err := w.server.Grant(t.Context(), "fixer", granted...); err != nil {
				t.Fatal(err)
			}
			list, known := cases[name]
			if !known {
				t.Errorf("what becomes of it is in no case")
			}
			for _, c := range list {
				if c.args == nil {
					c.args = []string{"svc/web", "--mode=cluster"}
				}
				// Not by the proxy: it may hang where the server refuses a body that it has not read.
				w.config = w.server.Kubeconfig(t, apiserver.Context{Name: "x", User: "fixer", Namespace: w.namespace})
				r := w.etp(append([]string{"fix", "--yes", "--timeout=0"}, c.args...)...)
				code := 0
				if c.refused {
					code = 1
				} else {
					c.says = append(c.says, "patched service NS/web")
					undone := w.etp("undo", c.args[0], "--yes", "--timeout=0")
					if name == "list deployments" || name == "list statefulsets" {
						undone.out = strings.Join(strings.Fields(undone.out), " ")
						w.wants(undone, 0, "this is the last fix that was found: a fix may also be recorded on "+strings.TrimPrefix(name, "list ")+" in namespace "+w.namespace+", which could not be listed")
					}
					w.wants(undone, 0, "the fix is undone")
				}
				w.config = admin
				r.out = strings.Join(strings.Fields(r.out), " ")
				for i := range c.says {
					c.says[i] = strings.ReplaceAll(c.says[i], "NS", w.namespace)
				}
				w.wants(r, code, c.says...)
				if diff := cmp.Diff(before, objects()); diff != "" {
					t.Errorf("it was changed:\n%s", diff)
				}
			}
		})
	}
	for name := range cases {
		if !seen[name] {
			t.Errorf("%s is in no rule", name)
		}
	}
}

// Whoever has what `kubectl etp rbac --for fix` prints can do everything that fix and undo do, and nothing is forbidden
// on the way.
func TestWhatIsGrantedIsEnough(t *testing.T) {
	w := newWorld(t)
	database := strings.NewReplacer("name: web, ", "name: db, ", "app: web", "app: db", "serviceName: web", "serviceName: db", "name: web-1", "name: db-1", "203.0.113.7", "203.0.113.8").Replace
	cloud := strings.NewReplacer("name: web, ", "name: lb, ", "name: web-1", "name: lb-1", "service-name: web", "service-name: lb", "app: web", "app: lb", "203.0.113.7", "203.0.113.9").Replace
	w.load(service, workload("Deployment"), database(service), database(workload("StatefulSet")), cloud(alibaba), cloud(slice), terway, terwayOnA("True"), coredns)
	for _, name := range []string{"web", "db"} {
		w.until("the Services have their pods", func() bool { return strings.Contains(w.etp("status", "svc/"+name).out, "3 ready") })
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte(w.etp("rbac", "--for=fix").out), &role); err != nil {
		t.Fatal(err)
	}
	if err := w.server.Grant(t.Context(), "fixer", role.Rules...); err != nil {
		t.Fatal(err)
	}
	w.as("fixer")
	local := "--accept-risk=breaks-in-cluster-clients"
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"rbac", "--for=fix"}, 0},
		{[]string{"status"}, 0},
		{[]string{"status", "-A"}, 0},
		{[]string{"status", "svc/web"}, 0},
		{[]string{"dump", "svc/web"}, 0},
		{[]string{"fix"}, 2},
		{[]string{"fix", "svc/web"}, 2},
		{[]string{"fix", "svc/web", "--mode=cluster", "--dry-run=server"}, 0},
		{[]string{"fix", "svc/web", "--mode=cluster", "--yes"}, 0},
		{[]string{"fix", "svc/web", "--mode=local", "--yes", local}, 0},
		{[]string{"undo", "svc/web", "--yes"}, 0},
		{[]string{"undo", "svc/web", "--yes"}, 0},
		{[]string{"fix", "svc/web", "--mode=anti-affinity", "--yes"}, 0},
		{[]string{"undo", "svc/web", "--yes"}, 0},
		{[]string{"fix", "svc/db", "--mode=spread", "--yes"}, 0},
		{[]string{"undo", "svc/db", "--yes"}, 0},
		{[]string{"fix", "svc/web", "--mode=dns", "--host=www.example.com", "--yes"}, 6},
		{[]string{"undo", "svc/web", "--yes"}, 6},
		{[]string{"fix", "svc/lb", "--mode=eni", "--yes", "--timeout=1s"}, 6},
		{[]string{"undo", "svc/lb", "--yes", "--timeout=1s"}, 6},
		{[]string{"fix", "svc/lb", "--mode=hostname", "--host=lb.example.com", "--yes", "--timeout=1s", local}, 6},
		{[]string{"undo", "svc/lb", "--yes", "--timeout=1s"}, 6},
	} {
		t.Run(strings.NewReplacer(" ", "_", "/", "-").Replace(strings.Join(c.args, " ")), func(t *testing.T) {
			w := *w
			w.t = t
			w.proxy.Reset()
			r := w.etp(c.args...)
			for _, request := range w.proxy.Requests() {
				if request.Status == http.StatusForbidden {
					t.Errorf("forbidden: %s", request)
				}
			}
			w.wants(r, c.code)
		})
	}
	w.as(apiserver.Admin)
	for _, name := range []string{"web", "db", "lb"} {
		w.wants(w.etp("undo", "svc/"+name, "--yes"), 1, "nothing to undo")
	}
}
