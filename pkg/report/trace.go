package report

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// Trace is one route to a Service, with what it is about.
type Trace struct {
	Snapshot *cluster.Snapshot
	Service  *cluster.Service
	Provider provider.LoadBalancer
	Route    route.Route
	// Choices are the targets among which Route.Target was chosen, where the user named none; nil where the user did.
	Choices []dataplane.Target
}

// TraceOf makes the route of a client to a target of a Service of the snapshot. choices may be nil.
func TraceOf(s *cluster.Snapshot, svc *cluster.Service, client route.Client, target dataplane.Target, choices []dataplane.Target) *Trace {
	return &Trace{Snapshot: s, Service: svc, Provider: provider.Of(s, svc), Route: route.Of(s, svc, client, target), Choices: choices}
}

// Untraceable says in one sentence why nothing can connect to a Service at an address of its own; "" where something can.
func Untraceable(svc *cluster.Service) string {
	if svc.Type == cluster.TypeClusterIP && !svc.Headless && len(svc.Ports) > 0 {
		return unknownWord(svc)
	}
	return unsupported(svc)
}
