package apply

import "github.com/kubectl-etp/kubectl-etp/pkg/collect"

// Rights are those to change something. A dry run on the server needs them too.
func Rights() []collect.Right {
	return []collect.Right{
		{Resource: "services", Verbs: []string{"patch"}, For: "change a Service, and remember how it was: modes cluster, local, eni and hostname, and undo"},
		{Group: "apps", Resource: "deployments", Verbs: []string{"list"}, For: "undo: find the fixes of a Service that are recorded on what keeps its pods"},
		{Group: "apps", Resource: "statefulsets", Verbs: []string{"list"}, For: "the same"},
		{Group: "apps", Resource: "deployments", Verbs: []string{"patch"}, For: "keep pods apart: modes anti-affinity and spread; leave it out where they are not wanted"},
		{Group: "apps", Resource: "statefulsets", Verbs: []string{"patch"}, For: "the same"},
		{Resource: "configmaps", Name: "coredns", Verbs: []string{"patch"}, For: "mode dns; leave it out where it is not wanted"},
	}
}
