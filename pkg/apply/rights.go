package apply

import "github.com/kubectl-etp/kubectl-etp/pkg/collect"

// Rights are the permissions of fix and undo beyond those to read. A server-side dry run needs them too.
func Rights() []collect.Right {
	return []collect.Right{
		{Resource: "services", Verbs: []string{"patch"}, For: "change a Service and record its former values: modes cluster, local, eni and hostname, and undo"},
		{Group: "apps", Resource: "deployments", Verbs: []string{"list"}, For: "undo: find fixes of a Service that are recorded on its workloads"},
		{Group: "apps", Resource: "statefulsets", Verbs: []string{"list"}, For: "the same"},
		{Group: "apps", Resource: "deployments", Verbs: []string{"patch"}, For: "modes anti-affinity and spread; leave it out if you do not use them"},
		{Group: "apps", Resource: "statefulsets", Verbs: []string{"patch"}, For: "the same"},
		{Resource: "configmaps", Name: "coredns", Verbs: []string{"patch"}, For: "mode dns; leave it out if you do not use it"},
	}
}
