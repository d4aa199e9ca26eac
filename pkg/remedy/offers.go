package remedy

import (
	"errors"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// Offer is a mode that fixes something that was found.
type Offer struct {
	Mode Mode
	// Gain is one line: what it keeps and what it costs.
	Gain string
	// Fixes are codes of findings.
	Fixes []string
	// ByName: only clients that connect by name are helped.
	ByName bool
}

// Offers are the modes that fix what was found and that nothing rules out, best first: those that fix all clients and keep the client IP, those that fix all and may lose
// it, those that leave some clients failing, the one that helps only clients that use a name, and last what spreads pods.
func Offers(f *Facts) []Offer {
	type ranked struct {
		Offer
		rank int
	}
	var list []ranked
	for _, mode := range []Mode{ENI, Hostname, Cluster, DNS, Spread, AntiAffinity} {
		plan, err := Make(mode, f, Options{})
		if _, ok := errors.AsType[*HostNeeded](err); ok {
			// Any name does to tell what the mode fixes.
			plan, err = Make(mode, f, Options{Hosts: []string{placeholder}})
		}
		if err != nil || len(plan.Fixes)+len(plan.ByName) == 0 || len(plan.Changes)+len(plan.ByHand) == 0 || plan.impossible() {
			continue
		}
		o := Offer{Mode: mode, Gain: gain(plan), Fixes: plan.Fixes}
		if len(plan.Fixes) == 0 {
			o.Fixes, o.ByName = plan.ByName, true
		}
		list = append(list, ranked{o, rank(plan)})
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return a.rank - b.rank })
	offers := make([]Offer, len(list))
	for i := range list {
		offers[i] = list[i].Offer
	}
	return offers
}

// placeholder stands for a host name that is not known yet.
const placeholder = "name.example"

// rank orders plans by what they fix and what they cost. Cluster comes after spreading where it would only hide that the pods are badly spread.
func rank(p *Plan) int {
	partly := slices.ContainsFunc(p.Effects, func(e Effect) bool { return e.Kind != FixesByName })
	switch {
	case p.Mode == Spread || p.Mode == AntiAffinity:
		return 5
	case len(p.Fixes) == 0:
		return 4
	case p.Mode == Cluster && !slices.ContainsFunc(p.Fixes, func(code string) bool { return code != finding.UnevenLoad && code != finding.SingleNode }):
		return 6
	case partly:
		return 3
	case p.Mode == Cluster && p.ClientIP.Effect != finding.ClientIPKept && p.ClientIP.Effect != finding.ClientIPHidden:
		return 2
	case p.Mode == Cluster:
		// Nothing is simpler, and nothing is lost.
		return 0
	}
	return 1
}

// impossible: something that no accepted risk goes around rules the plan out.
func (p *Plan) impossible() bool {
	return slices.ContainsFunc(p.Preconditions, func(c Precondition) bool { return c.Holds != cluster.Yes && c.Risk == "" })
}

func gain(p *Plan) string {
	partly := ""
	for _, e := range p.Effects {
		switch e.Kind {
		case Breaks:
			partly = "; clients on nodes with a backend may then fail"
		case MayBreak:
			partly = "; clients on nodes with a backend may fail"
		case FixesByName:
		}
	}
	switch p.Mode {
	case Cluster:
		return p.ClientIP.Words() + partly
	case ENI:
		return "keeps the client IP, and saves a hop"
	case Hostname:
		return "keeps the policy; connections from inside go out to the load balancer" + partly
	case DNS:
		return "helps only clients that use the name and ask the cluster's DNS; connections to the address still fail"
	case Spread:
		return "starts a rollout"
	case AntiAffinity:
		return "starts a rollout; keeps pods apart, without evening them out"
	case Local:
	}
	return ""
}
