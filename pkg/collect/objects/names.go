package objects

import (
	"slices"
	"strings"
)

// Exposed is a Service with an external traffic policy.
type Exposed struct{ Name, Type string }

// Exposed are those of the namespace, any where it is "", that have an external traffic policy, in order.
func (o *Objects) Exposed(namespace string) []Exposed {
	var out []Exposed
	for i := range o.Services {
		s := &o.Services[i]
		if IsExternallyAccessible(s) && (namespace == "" || NamespaceOf(s.Namespace, Query{}) == namespace) {
			out = append(out, Exposed{Name: s.Name, Type: string(s.Spec.Type)})
		}
	}
	slices.SortStableFunc(out, func(a, b Exposed) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(out)
}

// NodeNames are those of the nodes, in order.
func (o *Objects) NodeNames() []string {
	var out []string
	for i := range o.Nodes {
		out = append(out, o.Nodes[i].Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Namespaces are those of the Services, in order.
func (o *Objects) Namespaces() []string {
	var out []string
	for i := range o.Services {
		out = append(out, NamespaceOf(o.Services[i].Namespace, Query{}))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// IngressNames are those of the namespace, any where it is "", in order.
func (o *Objects) IngressNames(namespace string) []string {
	var out []string
	for i := range o.Ingresses {
		if namespace == "" || NamespaceOf(o.Ingresses[i].Namespace, Query{}) == namespace {
			out = append(out, o.Ingresses[i].Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// GatewayNames are those of the namespace, any where it is "", in order.
func (o *Objects) GatewayNames(namespace string) []string {
	var out []string
	for i := range o.Others {
		if g := &o.Others[i]; g.GetKind() == "Gateway" && (namespace == "" || NamespaceOf(g.GetNamespace(), Query{}) == namespace) {
			out = append(out, g.GetName())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// IngressHosts are the host names of the Ingresses of the namespace, any where it is "", in order.
func (o *Objects) IngressHosts(namespace string) []string {
	var out []string
	for i := range o.Ingresses {
		if namespace != "" && NamespaceOf(o.Ingresses[i].Namespace, Query{}) != namespace {
			continue
		}
		for _, rule := range o.Ingresses[i].Spec.Rules {
			out = append(out, rule.Host)
		}
	}
	return HostNames(out)
}

// HostNames puts host names in order, each once, without those that name no single host. It changes hosts.
func HostNames(hosts []string) []string {
	slices.Sort(hosts)
	return slices.DeleteFunc(slices.Compact(hosts), func(host string) bool { return host == "" || strings.HasPrefix(host, "*") })
}
