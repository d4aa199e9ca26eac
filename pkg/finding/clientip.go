package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// ClientIPEffect is what a change of externalTrafficPolicy does to the client IP that backends see of connections from outside the cluster.
type ClientIPEffect uint8

const (
	// ClientIPMayBeLost: it is not known whether backends see the client IP now, or whether they would after the change.
	ClientIPMayBeLost ClientIPEffect = iota
	// ClientIPKept: backends see the same address after the change as now.
	ClientIPKept
	// ClientIPHidden: backends do not see the client IP now either.
	ClientIPHidden
	// ClientIPLost: backends see the client IP now, and would see another address for some connections.
	ClientIPLost
)

// ClientIP is an effect and its reason, one sentence without a full stop. Rule is the data plane's rule that decides; nil if none does.
type ClientIP struct {
	Effect ClientIPEffect
	Reason string
	Rule   *dataplane.Rule
}

// Predict is the path of a connection under one state of a Service.
type Predict func(dataplane.Client, dataplane.Target) dataplane.Path

// ClientIPAfter compares the address that backends see for connections from outside under two states of a Service that differ in externalTrafficPolicy only. What the
// load balancer does with the client IP comes first; if it passes it on, the data plane's rules decide.
func ClientIPAfter(s *cluster.Snapshot, svc *cluster.Service, lb provider.LoadBalancer, now, then Predict) ClientIP {
	if svc.Type == cluster.TypeLoadBalancer {
		if lb.Backends == provider.Pods {
			return ClientIP{Effect: ClientIPKept, Reason: "the load balancer sends to pods, whatever the policy is"}
		}
		if key := provider.ProxyProtocol(svc); key != "" {
			return ClientIP{Effect: ClientIPKept, Reason: "the load balancer sends it in a PROXY protocol header (annotation " + key + ")"}
		}
		if holds, reason := lb.PassesClientIP(); holds == cluster.No {
			return ClientIP{Effect: ClientIPHidden, Reason: reason}
		}
	}
	seen := clientIPs(s, svc, lb, now)
	if seen.unknown == nil && seen.kept == nil && seen.replaced != nil {
		return ClientIP{Effect: ClientIPHidden, Rule: seen.replaced, Reason: "the nodes already replace it with their own address (SNAT)"}
	}
	after := clientIPs(s, svc, lb, then)
	switch {
	case after.replaced == nil && after.unknown == nil && after.kept != nil:
		return ClientIP{Effect: ClientIPKept, Rule: after.kept, Reason: "the nodes do not replace it with this policy either (" + named(after.kept) + ")"}
	case after.replaced == nil:
		return ClientIP{Rule: after.unknown, Reason: "it is not known whether the nodes keep it"}
	case seen.unknown != nil || seen.kept == nil:
		return ClientIP{Rule: after.replaced, Reason: "the node replaces it with its own address (SNAT); it is not known whether backends see the client IP now"}
	case svc.Type == cluster.TypeLoadBalancer:
		if holds, _ := lb.PassesClientIP(); holds == cluster.Undetermined {
			return ClientIP{Rule: after.replaced, Reason: "the node replaces it with its own address (SNAT); it is not known whether the load balancer passes it on now"}
		}
	}
	return ClientIP{Effect: ClientIPLost, Rule: after.replaced, Reason: "the node replaces it with its own address (SNAT)"}
}

func named(r *dataplane.Rule) string { return fmt.Sprintf("rule %s", r.ID) }

// addressesSeen has one rule of each kind among the connections from outside that reach a backend: kept for those that keep the client IP, replaced for those that do not
// (for some backends at least), unknown for the others. Nil if there is none.
type addressesSeen struct{ kept, replaced, unknown *dataplane.Rule }

func clientIPs(s *cluster.Snapshot, svc *cluster.Service, lb provider.LoadBalancer, predict Predict) (seen addressesSeen) {
	targets := dataplane.PublishedAndServed(svc)
	for i := range s.Nodes {
		if s.Nodes[i].IsVirtual() {
			continue
		}
		for _, t := range targets {
			if !t.At(&s.Nodes[i]) {
				continue
			}
			t.Node, t.Arrival = i, route.Arrival(lb, svc, t)
			path := predict(dataplane.Client{From: dataplane.External, Node: i}, t)
			switch {
			case path.Fails():
				continue
			case path.Outcome == dataplane.Unknown, path.Outcome == dataplane.ViaLoadBalancer:
				seen.unknown = path.Rule
				continue
			}
			switch path.ClientIP {
			case dataplane.Preserved:
				seen.kept = path.Rule
			case dataplane.Rewritten, dataplane.Mixed:
				seen.replaced = path.Rule
			case dataplane.ClientIPUnknown, dataplane.NoClientIP:
				seen.unknown = path.Rule
			}
		}
	}
	return seen
}

// Words is the effect in a few words, for a menu or beside a command.
func (c ClientIP) Words() string {
	switch c.Effect {
	case ClientIPKept:
		return "keeps the client IP"
	case ClientIPHidden:
		return "client IP already hidden"
	case ClientIPLost:
		return "loses the client IP"
	case ClientIPMayBeLost:
	}
	return "may lose the client IP"
}
