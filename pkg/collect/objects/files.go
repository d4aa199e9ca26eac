package objects

import (
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// unread says whether some read of a resource has failed.
func (o *Objects) isUnread(resource string) bool {
	return slices.ContainsFunc(o.Gaps, func(g cluster.Gap) bool { return g.Resource == resource })
}

// endpointsKnown says whether what was read holds all EndpointSlices of a Service. A cluster, or a dump of it, was asked for them. Other files hold a selection,
// and a missing slice proves something only where it cannot have been left out: the controller gives every Service with a selector a slice, if need be one
// without endpoints (kubernetes/kubernetes staging/src/k8s.io/endpointslice/reconciler.go, the placeholder slice), while one without a selector has
// none until it is created by hand.
func (o *Objects) endpointsKnown(s *cluster.Service, q Query) bool {
	if o.isUnread(cluster.ResourceEndpointSlices) {
		return false
	}
	if o.Complete {
		return true
	}
	for i := range o.Slices {
		slice := &o.Slices[i]
		if NamespaceOf(slice.Namespace, q) == s.Namespace && (!s.HasSelector || slice.Labels[discoveryv1.LabelServiceName] == s.Name) {
			return true
		}
	}
	return false
}

// notInFiles are the gaps of files that are no dump: what a diagnosis of the Services needs, and they do not hold.
func (o *Objects) notInFiles(services []cluster.Service) (gaps []cluster.Gap) {
	if o.Complete {
		return nil
	}
	add := func(resource, namespace string) {
		gap := cluster.Gap{Resource: resource, Verb: "list", Namespace: namespace, Reason: cluster.NotInFiles}
		if !slices.Contains(gaps, gap) {
			gaps = append(gaps, gap)
		}
	}
	for i := range services {
		if s := &services[i]; !s.EndpointsKnown && s.Type != cluster.TypeExternalName && !o.isUnread(cluster.ResourceEndpointSlices) {
			add(cluster.ResourceEndpointSlices, s.Namespace)
		}
	}
	if len(o.Nodes) == 0 && len(services) > 0 {
		add(cluster.ResourceNodes, "")
	}
	return gaps
}
