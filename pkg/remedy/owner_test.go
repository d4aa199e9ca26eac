package remedy

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

func TestOwners(t *testing.T) {
	policy := func(name string) cluster.Manager {
		return cluster.Manager{Name: name, Fields: map[string]any{"f:spec": map[string]any{"f:externalTrafficPolicy": map[string]any{}}}}
	}
	labels := func(pairs ...string) cluster.Metadata {
		m := cluster.Metadata{Labels: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			m.Labels[pairs[i]] = pairs[i+1]
		}
		return m
	}
	annotations := func(pairs ...string) cluster.Metadata {
		m := labels(pairs...)
		return cluster.Metadata{Annotations: m.Labels}
	}
	managers := func(list ...cluster.Manager) cluster.Metadata { return cluster.Metadata{Managers: list} }
	for _, c := range []struct {
		name     string
		metadata cluster.Metadata
		// owner and instead are parts of the texts; "" for no owner.
		owner, instead string
	}{
		{"nobody", cluster.Metadata{}, "", ""},
		{"Helm", annotations("meta.helm.sh/release-name", "web", "meta.helm.sh/release-namespace", "apps"), "Helm release apps/web", "values of release web"},
		{"a label of Helm alone", labels("app.kubernetes.io/managed-by", "Helm"), "", ""},
		{"Argo CD by annotation", annotations("argocd.argoproj.io/tracking-id", "shop:/Service:shop/web"), "Argo CD application shop", "source of application shop"},
		{"Argo CD by label", labels("argocd.argoproj.io/instance", "shop"), "Argo CD application shop", "sync"},
		{"Flux Kustomization", labels("kustomize.toolkit.fluxcd.io/name", "apps", "kustomize.toolkit.fluxcd.io/namespace", "flux-system"), "Flux Kustomization flux-system/apps", "in its source"},
		{"Flux before Helm", cluster.Metadata{
			Labels:      map[string]string{"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "apps"},
			Annotations: map[string]string{"meta.helm.sh/release-name": "web"},
		}, "Flux HelmRelease apps/web", "in its values"},
		{"a controller", cluster.Metadata{Controller: &cluster.Object{APIVersion: "ops.example.com/v1", Kind: "Shop", Namespace: "shop", Name: "main"}}, "the controller of shop shop/main", "through shop shop/main"},
		{"Envoy Gateway", labels("gateway.envoyproxy.io/owning-gateway-name", "edge", "gateway.envoyproxy.io/owning-gateway-namespace", "infra"), "Envoy Gateway, for gateway infra/edge", "EnvoyProxy that gateway infra/edge"},
		{"Istio's Gateway", labels("gateway.networking.k8s.io/gateway-name", "edge", "gateway.istio.io/managed", "istio.io-gateway-controller"), "Istio, for gateway shop/edge", "parametersRef of gateway shop/edge"},
		{"Istio's operator", labels("install.operator.istio.io/owning-resource", "main", "install.operator.istio.io/owning-resource-namespace", "istio-system"), "Istio's operator, for istiooperator istio-system/main", "spec.components.ingressGateways"},
		{"what istioctl installed", labels("install.operator.istio.io/owning-resource", "unknown", "install.operator.istio.io/owning-resource-namespace", "istio-system"), "Istio's installation", "istioctl install"},
		{"Istio's charts", cluster.Metadata{
			Labels:      map[string]string{"install.operator.istio.io/owning-resource": "unknown"},
			Annotations: map[string]string{"meta.helm.sh/release-name": "gateway"},
		}, "Helm release shop/gateway", "values of release gateway"},
		{"NGINX Gateway Fabric", labels("gateway.networking.k8s.io/gateway-name", "edge", "app.kubernetes.io/instance", "fabric", "app.kubernetes.io/managed-by", "fabric-nginx"), "NGINX Gateway Fabric, for gateway shop/edge", "NginxProxy that gateway shop/edge"},
		{"Contour's provisioner", labels("projectcontour.io/owning-gateway-name", "edge", "gateway.networking.k8s.io/gateway-name", "edge"), "Contour's provisioner, for gateway shop/edge", "ContourDeployment"},
		{"OpenShift", labels("ingresscontroller.operator.openshift.io/owning-ingresscontroller", "default"), "OpenShift's ingress operator, for ingresscontroller openshift-ingress-operator/default", "ingresscontroller openshift-ingress-operator/default"},
		{"Envoy Gateway, merged", labels("gateway.envoyproxy.io/owning-gatewayclass", "eg"), "Envoy Gateway, for gatewayclass eg", "EnvoyProxy that gatewayclass eg"},
		{"Cilium's Gateway", labels("io.cilium.gateway/owning-gateway", "edge"), "Cilium, for gateway shop/edge", "CiliumGatewayClassConfig"},
		{"some Gateway", labels("gateway.networking.k8s.io/gateway-name", "edge"), "the controller of its Gateway, for gateway shop/edge", "spec.infrastructure"},
		{"addon manager", labels("addonmanager.kubernetes.io/mode", "Reconcile"), "the cluster's addon manager", "the distribution"},
		{"addon manager that only makes it", labels("addonmanager.kubernetes.io/mode", "EnsureExists"), "", ""},
		{"a program that wrote the field", managers(policy("shop-operator")), "shop-operator", "where shop-operator reads it"},
		{"Terraform", managers(policy("HashiCorp")), "Terraform", ""},
		{"Pulumi", managers(policy("pulumi-kubernetes-6c2ce1a1")), "Pulumi", "where Pulumi reads it"},
		{"a program that wrote another field", managers(cluster.Manager{Name: "shop-operator", Fields: map[string]any{"f:spec": map[string]any{"f:ports": map[string]any{}}}}), "", ""},
		{"a program that wrote the status", managers(cluster.Manager{Name: "shop-operator", Subresource: "status", Fields: map[string]any{"f:spec": map[string]any{}}}), "", ""},
		{"kubectl", managers(policy("kubectl-edit"), policy("kubectl-client-side-apply"), policy("kubectl-etp")), "", ""},
		{"a dashboard", managers(policy("Mozilla")), "", ""},
		{"the control plane", managers(policy("kube-controller-manager")), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts(t, story)
			f.Surroundings.Metadata = c.metadata
			p := plan(t, Cluster, f, Options{})
			if c.owner == "" {
				if p.Owner != nil {
					t.Errorf("owner: %+v", *p.Owner)
				}
				return
			}
			if p.Owner == nil {
				t.Fatal("no owner")
			}
			if p.Owner.Name != c.owner || !strings.Contains(p.Owner.Instead, c.instead) || !strings.Contains(p.Owner.Instead, "spec.externalTrafficPolicy to Cluster") || p.Owner.Source == "" {
				t.Errorf("owner: %+v", *p.Owner)
			}
		})
	}
}

// A field that is not there yet was written by nobody.
func TestNobodyOwnsWhatIsNotThere(t *testing.T) {
	f := facts(t, with("etp=Local hc=32000", "etp=Cluster"))
	f.Surroundings.DaemonSets = []cluster.DaemonSet{{Name: "terway-eniip", Wanted: 1, Ready: 1}}
	f.Surroundings.Metadata.Managers = []cluster.Manager{{Name: "shop-operator", Fields: map[string]any{"f:metadata": map[string]any{"f:annotations": map[string]any{".": map[string]any{}, "f:other": map[string]any{}}}}}}
	if p := plan(t, ENI, f, Options{}); len(p.Changes) != 1 || p.Owner != nil {
		t.Errorf("changes %+v, owner %+v", p.Changes, p.Owner)
	}
}

func TestManifestsAreNamed(t *testing.T) {
	const again = "cost service shop/web is applied from a manifest that has spec.externalTrafficPolicy*"
	run(t, []testCase{
		{name: "the manifest has the field", mode: Cluster, text: story, around: service(func(m *cluster.Metadata) {
			m.LastApplied = map[string]any{"spec": map[string]any{"externalTrafficPolicy": "Local"}}
		}), want: []string{again, "!owner *"}},
		{name: "the manifest does not", mode: Cluster, text: story, around: service(func(m *cluster.Metadata) { m.LastApplied = map[string]any{"spec": map[string]any{}} }), want: []string{"!" + again}},
		{name: "applied by the server", mode: Cluster, text: story, around: service(func(m *cluster.Metadata) {
			m.Managers = []cluster.Manager{{Name: "kubectl", Apply: true, Fields: map[string]any{"f:spec": map[string]any{"f:externalTrafficPolicy": map[string]any{}}}}}
		}), want: []string{"cost service shop/web is applied with --server-side from a manifest that has spec.externalTrafficPolicy*", "!owner *"}},
	})
}

func TestOffers(t *testing.T) {
	terwayRuns := terwayOn(map[string]bool{"a": true, "b": true})
	for _, c := range []struct {
		name, text string
		around     func(*cluster.Surroundings)
		found      []string
		want       string
	}{
		{"nothing found", story, terwayRuns, nil, ""},
		{"the story", story, func(s *cluster.Surroundings) { terwayRuns(s); corednsWith(kubeadm)(s) }, []string{"ETP002"}, "eni cluster hostname dns"},
		{"no Terway, no CoreDNS", story, nil, []string{"ETP002"}, "(eni) cluster hostname (dns)"},
		{"processes on the host alone", story, func(s *cluster.Surroundings) { terwayRuns(s); corednsWith(kubeadm)(s) }, []string{"ETP003"}, "eni cluster hostname"},
		{"the client IP is not seen now either", with(elsewhere, "hcloud://"), nil, []string{"ETP002"}, "cluster hostname (dns)"},
		{"crowded", crowded(), deployment(nil), []string{"ETP008"}, "spread anti-affinity (eni) cluster"},
		{"shared address of MetalLB", with("etp=Local", "annotations=metallb.io/ip-allocated-from-pool=a,metallb.io/allow-shared-ip=k etp=Local"), func(s *cluster.Surroundings) {
			s.Sharers = []cluster.Sharer{{Name: "dns"}}
		}, []string{"ETP002"}, "(cluster) (dns)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := facts(t, c.text, c.found...)
			if c.around != nil {
				c.around(f.Surroundings)
			}
			var got []string
			for _, o := range Offers(f) {
				word := string(o.Mode)
				if o.Against != "" {
					word = "(" + word + ")"
				}
				got = append(got, word)
				if o.Gain == "" || len(o.Fixes) == 0 {
					t.Errorf("offer: %+v", o)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("offered %v, want %s; what the surroundings rule out is in brackets", got, c.want)
			}
			// Without the surroundings they are the same ones.
			f.Surroundings = nil
			diagnosed := Offers(f)
			for i, o := range diagnosed {
				if i >= len(got) || strings.Trim(got[i], "()") != string(o.Mode) || o.Against != "" {
					t.Errorf("offered without surroundings: %+v", diagnosed)
				}
			}
		})
	}
}

func TestWhatCannotBePlanned(t *testing.T) {
	for _, c := range []struct {
		name string
		mode Mode
		o    Options
		want string
	}{
		{"unknown mode", "faster", Options{}, `unknown mode "faster": the modes are cluster, local, eni, anti-affinity, spread, hostname, dns`},
		{"bad host", DNS, Options{Hosts: []string{"www example.com"}}, `host name "www example.com": ' ' is not allowed in a host name`},
		{"one label", DNS, Options{Hosts: []string{"www"}}, "contains a dot"},
		{"wildcard", DNS, Options{Hosts: []string{"*.example.com"}}, "a wildcard is not a name"},
		{"empty label", DNS, Options{Hosts: []string{"www..com"}}, "each part between dots"},
		{"a line break", DNS, Options{Hosts: []string{"www.example.com\n}"}}, "is not allowed in a host name"},
		{"host with another mode", Cluster, Options{Hosts: []string{"www.example.com"}}, "--host is only for"},
		{"two names", Hostname, Options{Hosts: []string{"a.example.com", "b.example.com"}}, "takes one host name, got 2"},
		{"combined", Cluster, Options{With: []Mode{Spread}}, "cannot be combined with spread"},
		{"combined with the wrong one", Local, Options{With: []Mode{DNS}}, "cannot be combined with dns"},
		{"combined with both", Local, Options{With: []Mode{Spread, AntiAffinity}}, "not with both"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Make(c.mode, facts(t, story), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// Whatever mode is wanted, what was not read refuses rather than permits.
func TestUnreadSurroundingsPermitNothing(t *testing.T) {
	for _, m := range Modes() {
		f := facts(t, with("etp=Local hc=32000", map[bool]string{true: "etp=Cluster", false: "etp=Local hc=32000"}[m.Mode == Local]))
		f.Surroundings = nil
		p := plan(t, m.Mode, f, map[Mode]Options{DNS: www, Hostname: www}[m.Mode])
		refused := slices.ContainsFunc(p.Preconditions, func(c Precondition) bool { return c.Holds != cluster.Yes })
		// What hostname looks at is in the snapshot.
		if !refused && m.Mode != Hostname {
			t.Errorf("%s: %+v", m.Mode, p.Preconditions)
		}
	}
}

func TestSimulateWithoutAPlan(t *testing.T) {
	var none *Plan
	f := facts(t, story)
	if after := none.Simulate(f.Snapshot); len(after.Services) != 1 || after.Services[0].ExternalTrafficPolicy != cluster.PolicyLocal {
		t.Errorf("after: %+v", after)
	}
	if none.Simulate(nil) != nil {
		t.Error("a snapshot out of nothing")
	}
}
