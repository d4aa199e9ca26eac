package remedy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// owned finds the program that would revert a change of the fields, and what `kubectl apply` would do to it. The first owner found is the plan's.
func (p *planner) owned(m *cluster.Metadata, object cluster.Object, fields []Field) {
	if o := owner(m, object, fields); o != nil {
		switch {
		case p.Owner == nil:
			p.Owner = o
		case *p.Owner != *o:
			p.cost(fmt.Sprintf("%s also manages %s %s/%s: %s", o.Name, lower(object.Kind), object.Namespace, object.Name, o.Instead))
		}
	}
	p.cost(applied(m, object, fields)...)
}

// owner is the program that would revert a change of the fields. The one that does so soonest comes first: the controller of a Gateway at once, a Helm release only at its
// next upgrade.
func owner(m *cluster.Metadata, object cluster.Object, fields []Field) *Owner {
	for _, find := range []func(*cluster.Metadata, cluster.Object, []Field) *Owner{gatewayOwner, argoOwner, fluxOwner, addonOwner, controllerOwner, helmOwner, istioctlOwner, managerOwner} {
		if o := find(m, object, fields); o != nil {
			return o
		}
	}
	return nil
}

// instead names the fields and values to set elsewhere: spec.externalTrafficPolicy to Cluster.
func instead(fields []Field) string {
	var parts []string
	for _, f := range fields {
		switch now := f.Now.(type) {
		case nil:
			if !f.Follows {
				parts = append(parts, "no "+pathText(f.Path))
			}
		case string:
			if strings.Contains(now, "\n") {
				parts = append(parts, pathText(f.Path)+" as shown")
			} else {
				parts = append(parts, pathText(f.Path)+" to "+now)
			}
		default:
			parts = append(parts, pathText(f.Path)+" as shown")
		}
	}
	return strings.Join(parts, ", ")
}

func pathText(path []string) string {
	if len(path) == 3 && path[1] == "annotations" {
		return "annotation " + path[2]
	}
	return strings.Join(path, ".")
}

// gateways are controllers that create objects for a Gateway or the like, and where to set what they write to the Service. Labels are as in the source of each:
// envoyproxy/gateway internal/gatewayapi, istio/istio pilot/pkg/config/kube/gateway, cilium/cilium operator/pkg/gateway-api, nginx/nginx-gateway-fabric
// internal/controller/provisioner, projectcontour/contour internal/provisioner, openshift/cluster-ingress-operator pkg/operator/controller.
var gateways = []struct {
	// name is the label with the name of the object that the Service belongs to; namespace is the label with its namespace, "=" and a fixed namespace, or "" for that of the
	// Service.
	name, namespace string
	// also must be true of the labels; nil if nothing more is required.
	also func(labels map[string]string) bool
	// kind is the kind of the object in label name.
	kind, controller string
	// where is what to set; %s is the object's name.
	where string
}{
	{
		"gateway.envoyproxy.io/owning-gateway-name", "gateway.envoyproxy.io/owning-gateway-namespace", nil,
		"gateway", "Envoy Gateway", "the EnvoyProxy that gateway %s or its class refers to, in spec.provider.kubernetes (envoyService and envoyDeployment)",
	},
	{
		"gateway.envoyproxy.io/owning-gatewayclass", "", nil,
		"gatewayclass", "Envoy Gateway", "the EnvoyProxy that gatewayclass %s refers to, in spec.provider.kubernetes (envoyService and envoyDeployment)",
	},
	{
		"gateway.networking.k8s.io/gateway-name", "", func(l map[string]string) bool { return l["gateway.istio.io/managed"] != "" },
		"gateway", "Istio", "the ConfigMap that spec.infrastructure.parametersRef of gateway %s names (its keys service and deployment), if this release of Istio supports that",
	},
	{
		istioResource, "install.operator.istio.io/owning-resource-namespace", func(l map[string]string) bool { return !withoutOperator(l[istioResource]) },
		"istiooperator", "Istio's operator", "istiooperator %s, in spec.components.ingressGateways[].k8s (service and affinity)",
	},
	{
		"io.cilium.gateway/owning-gateway", "", nil,
		"gateway", "Cilium", "the CiliumGatewayClassConfig that the class of gateway %s refers to, in spec.service",
	},
	{
		"gateway.networking.k8s.io/gateway-name", "", func(l map[string]string) bool {
			instance := l["app.kubernetes.io/instance"]
			return instance != "" && strings.HasPrefix(l["app.kubernetes.io/managed-by"], instance+"-")
		},
		"gateway", "NGINX Gateway Fabric", "the NginxProxy that gateway %s or its class refers to, in spec.kubernetes (service and deployment)",
	},
	{
		"projectcontour.io/owning-gateway-name", "", nil,
		"gateway", "Contour's provisioner", "the ContourDeployment that the class of gateway %s refers to, in spec.envoy.networkPublishing",
	},
	{
		"ingresscontroller.operator.openshift.io/owning-ingresscontroller", "=openshift-ingress-operator", nil,
		"ingresscontroller", "OpenShift's ingress operator", "ingresscontroller %s, as far as its spec.endpointPublishingStrategy allows",
	},
	{
		"gateway.networking.k8s.io/gateway-name", "", nil,
		"gateway", "the controller of its Gateway", "gateway %s, in spec.infrastructure, as its controller documents",
	},
}

// istioResource is the label with the IstioOperator that an object belongs to. Istio's charts and istioctl write it too, without an IstioOperator.
const istioResource = "install.operator.istio.io/owning-resource"

// withoutOperator says whether a value of istioResource names no IstioOperator: the charts write unknown, istioctl installed-state.
func withoutOperator(resource string) bool {
	return resource == "unknown" || resource == "installed-state"
}

func gatewayOwner(m *cluster.Metadata, object cluster.Object, fields []Field) *Owner {
	for _, g := range gateways {
		name := m.Labels[g.name]
		if name == "" || g.also != nil && !g.also(m.Labels) {
			continue
		}
		full := name
		if namespace, fixed := strings.CutPrefix(g.namespace, "="); fixed {
			full = namespace + "/" + name
		} else if g.kind != "gatewayclass" {
			full = cmp.Or(m.Labels[g.namespace], object.Namespace) + "/" + name
		}
		return &Owner{
			Name: fmt.Sprintf("%s, for %s %s", g.controller, g.kind, full), Source: "label " + g.name,
			Instead: fmt.Sprintf("set %s in "+g.where, instead(fields), full),
		}
	}
	return nil
}

// istioctlOwner is istioctl, which writes what it installed again at its next install or upgrade.
func istioctlOwner(m *cluster.Metadata, _ cluster.Object, fields []Field) *Owner {
	if !withoutOperator(m.Labels[istioResource]) {
		return nil
	}
	return &Owner{
		Name: "Istio's installation", Source: "label " + istioResource,
		Instead: "set " + instead(fields) + " in the IstioOperator file that istioctl install is given, in spec.components.ingressGateways[].k8s (service and affinity); " +
			"otherwise the next istioctl install reverts it",
	}
}

// argoOwner is Argo CD, which marks what it applies by an annotation, or by a label in older releases and by choice (argo-cd docs/user-guide/resource_tracking.md).
func argoOwner(m *cluster.Metadata, _ cluster.Object, fields []Field) *Owner {
	const id, label = "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"
	app, _, _ := strings.Cut(m.Annotations[id], ":")
	source := "annotation " + id
	if app == "" {
		app, source = m.Labels[label], "label "+label
	}
	if app == "" {
		return nil
	}
	return &Owner{Name: "Argo CD application " + app, Source: source, Instead: "set " + instead(fields) + " in the source of application " + app + ", and sync it"}
}

// fluxOwner is Flux, whose controllers mark what they apply by labels.
func fluxOwner(m *cluster.Metadata, _ cluster.Object, fields []Field) *Owner {
	for _, c := range []struct{ prefix, kind string }{{"helm.toolkit.fluxcd.io/", "HelmRelease"}, {"kustomize.toolkit.fluxcd.io/", "Kustomization"}} {
		if name := m.Labels[c.prefix+"name"]; name != "" {
			full := m.Labels[c.prefix+"namespace"] + "/" + name
			where := "its source"
			if c.kind == "HelmRelease" {
				where = "its values"
			}
			return &Owner{
				Name: fmt.Sprintf("Flux %s %s", c.kind, full), Source: "label " + c.prefix + "name",
				Instead: fmt.Sprintf("set %s in %s, and let Flux reconcile it", instead(fields), where),
			}
		}
	}
	return nil
}

// addonOwner is the addon manager of a distribution, which writes its objects again when a control plane node starts, or all the time.
func addonOwner(m *cluster.Metadata, object cluster.Object, fields []Field) *Owner {
	custom := "where the distribution documents it"
	if object.Kind == "ConfigMap" && object.Name == "coredns" {
		custom = "in configmap kube-system/coredns-custom, if the distribution supports that"
	}
	switch {
	case m.Labels["addonmanager.kubernetes.io/mode"] == "Reconcile":
		return &Owner{
			Name: "the cluster's addon manager", Source: "label addonmanager.kubernetes.io/mode",
			Instead: "set " + instead(fields) + " " + custom,
		}
	case m.Annotations["objectset.rio.cattle.io/owner-name"] != "":
		name := m.Annotations["objectset.rio.cattle.io/owner-name"]
		return &Owner{
			Name: "the deploy controller of k3s, RKE2 or Fleet, for " + name, Source: "annotation objectset.rio.cattle.io/owner-name",
			Instead: "set " + instead(fields) + " in the manifest of " + name + ", or " + custom,
		}
	}
	return nil
}

// controllerOwner is the object's controller, by its ownerReferences.
func controllerOwner(m *cluster.Metadata, _ cluster.Object, fields []Field) *Owner {
	if m.Controller == nil {
		return nil
	}
	name := fmt.Sprintf("%s %s/%s", lower(m.Controller.Kind), m.Controller.Namespace, m.Controller.Name)
	return &Owner{
		Name: "the controller of " + name, Source: "ownerReferences: " + m.Controller.APIVersion + " " + m.Controller.Kind + " " + m.Controller.Name,
		Instead: "set " + instead(fields) + " through " + name + ", as its controller documents",
	}
}

// helmOwner is a Helm release, which Helm marks by annotations (helm pkg/action/validate.go). Helm writes the object again only at the next upgrade.
func helmOwner(m *cluster.Metadata, object cluster.Object, fields []Field) *Owner {
	const annotation = "meta.helm.sh/release-name"
	release := m.Annotations[annotation]
	if release == "" {
		return nil
	}
	namespace := cmp.Or(m.Annotations["meta.helm.sh/release-namespace"], object.Namespace)
	return &Owner{
		Name: "Helm release " + namespace + "/" + release, Source: "annotation " + annotation,
		Instead: "set " + instead(fields) + " in the values of release " + release + ", and run helm upgrade; otherwise the next upgrade reverts it",
	}
}

// manual are field managers used by people: nothing writes their fields again. Names that begin with kubectl count too.
var manual = []string{"Mozilla", "dashboard", "curl", "k9s", "Lens", "OpenLens", "node-fetch", "before-first-apply", "kubeadm", "unknown"}

// known are the field managers of known programs.
var known = map[string]string{
	"HashiCorp": "Terraform", "Terraform": "Terraform", "pulumi-kubernetes": "Pulumi",
	"argocd-controller": "Argo CD", "argocd-application-controller": "Argo CD", "kustomize-controller": "Flux", "helm-controller": "Flux", "helm": "Helm",
	"addon-manager": "the cluster's addon manager", "eks": "Amazon EKS",
}

// managerOwner is a program that wrote one of the fields, by metadata.managedFields. An absent field has no owner.
func managerOwner(m *cluster.Metadata, _ cluster.Object, fields []Field) *Owner {
	for i := range m.Managers {
		manager := &m.Managers[i]
		if manager.Subresource != "" || strings.HasPrefix(manager.Name, "kubectl") || strings.HasPrefix(manager.Name, "kube-") || slices.Contains(manual, manager.Name) {
			continue
		}
		for _, f := range fields {
			if f.Follows || f.Was == nil || !manager.Owns(f.Path) {
				continue
			}
			// Pulumi uses names such as pulumi-kubernetes-6c2ce1a1, one for each of its programs.
			short := manager.Name
			if strings.HasPrefix(short, "pulumi-kubernetes-") {
				short = "pulumi-kubernetes"
			}
			name := cmp.Or(known[short], manager.Name)
			return &Owner{
				Name: name, Source: fmt.Sprintf("managedFields: %s wrote %s", manager.Name, pathText(f.Path)),
				Instead: "set " + instead(fields) + " where " + name + " reads it",
			}
		}
	}
	return nil
}

// applied says what `kubectl apply` will do: it reverts fields that its manifest has, and leaves the others.
func applied(m *cluster.Metadata, object cluster.Object, fields []Field) (costs []string) {
	name := fmt.Sprintf("%s %s/%s", lower(object.Kind), object.Namespace, object.Name)
	for _, f := range fields {
		if f.Follows {
			continue
		}
		if m.LastApplied != nil && holds(m.LastApplied, f.Path) {
			costs = append(costs, fmt.Sprintf("%s is applied from a manifest that has %s: change it there too, or the next kubectl apply reverts it", name, pathText(f.Path)))
			continue
		}
		for i := range m.Managers {
			if manager := &m.Managers[i]; manager.Apply && strings.HasPrefix(manager.Name, "kubectl") && manager.Name != "kubectl-etp" && f.Was != nil && manager.Owns(f.Path) {
				costs = append(costs, fmt.Sprintf("%s is applied with --server-side from a manifest that has %s: change it there too, or the next kubectl apply fails with a conflict", name, pathText(f.Path)))
				break
			}
		}
	}
	return costs
}

// holds says whether a JSON object has a value at path.
func holds(object map[string]any, path []string) bool {
	for i, name := range path {
		value, ok := object[name]
		if !ok {
			return false
		}
		if i == len(path)-1 {
			return true
		}
		if object, ok = value.(map[string]any); !ok {
			return false
		}
	}
	return false
}
