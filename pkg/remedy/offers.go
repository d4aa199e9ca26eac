package remedy

import (
	"errors"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Offer is a mode that cures something that was found.
type Offer struct {
	Mode Mode
	// Gain is one line: what it keeps and what it costs.
	Gain string
	// Cures are codes of findings.
	Cures []string
}

// Offers are the modes that cure what was found and that nothing rules out, best first: those that keep the client's address before the one that loses it, then what
// helps those clients only that use a name, and last what spreads pods.
func Offers(f *Facts) []Offer {
	var offers []Offer
	for _, mode := range []Mode{ENI, Hostname, Cluster, DNS, Spread, AntiAffinity} {
		plan, err := Make(mode, f, Options{})
		if _, wanting := errors.AsType[*HostNeeded](err); wanting {
			if codes := wanted(mode, f); len(codes) > 0 {
				offers = append(offers, Offer{Mode: mode, Gain: gain(mode, f), Cures: codes})
			}
			continue
		}
		if err != nil || len(plan.Cures) == 0 || len(plan.Changes)+len(plan.ByHand) == 0 || plan.impossible() {
			continue
		}
		offers = append(offers, Offer{Mode: mode, Gain: gain(mode, f), Cures: plan.Cures})
	}
	slices.SortStableFunc(offers, func(a, b Offer) int { return rank(f, &a) - rank(f, &b) })
	return offers
}

// rank orders offers: the policy first where the client's address is not at stake, since nothing is simpler; and after spreading where it would only hide that the
// pods are badly spread.
func rank(f *Facts, o *Offer) int {
	switch {
	case o.Mode == Spread || o.Mode == AntiAffinity:
		return 2
	case o.Mode != Cluster:
		return 1
	case !slices.ContainsFunc(o.Cures, func(code string) bool { return code != "ETP007" && code != "ETP008" }):
		return 3
	case f.Provider.KeepsAddress(f.Service) != cluster.Undetermined:
		return 0
	}
	return 1
}

// impossible: something that no accepted risk goes around rules the plan out.
func (p *Plan) impossible() bool {
	return slices.ContainsFunc(p.Preconditions, func(c Precondition) bool { return c.Holds != cluster.Yes && c.Risk == "" })
}

// wanted are the findings that a mode is for whose name is wanting.
func wanted(mode Mode, f *Facts) []string {
	p := planner{Facts: f, Plan: &Plan{}}
	codes := []string{"ETP002", "ETP003"}
	if mode == DNS {
		codes = codes[:1]
	}
	return slices.DeleteFunc(codes, func(code string) bool { return !p.failed(code) })
}

func gain(mode Mode, f *Facts) string {
	switch mode {
	case Cluster:
		switch f.Provider.KeepsAddress(f.Service) {
		case cluster.Yes:
			return "the pods go on to learn the client's address"
		case cluster.No:
			return "costs nothing: the pods do not see the client's address now either"
		case cluster.Undetermined:
		}
		return "loses the client's address"
	case ENI:
		return "keeps the client's address, and saves a hop"
	case Hostname:
		return "keeps the client's address; connections from inside go out to the load balancer"
	case DNS:
		return "keeps the client's address; helps only clients that use the name and ask the cluster's DNS"
	case Spread:
		return "starts a rollout"
	case AntiAffinity:
		return "starts a rollout; keeps pods apart, without evening them out"
	case Local:
	}
	return ""
}
