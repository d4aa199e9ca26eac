package remedy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Offer is a mode that fixes something that was found.
type Offer struct {
	Mode Mode
	// Gain is one line: what the mode keeps and what it costs.
	Gain string
	// Fixes are codes of findings, at least one.
	Fixes []string
	// ByName: the mode helps only clients that connect by a DNS name.
	ByName bool
	// Against says in one sentence why the mode is not possible here. It is "" where nothing that was read rules the mode out.
	Against string
}

// Offers are the modes that fix what was found, best first: those that fix all clients and keep the client IP, those that fix all and may lose it, those that leave
// some clients failing, the one that helps only clients that use a name, and last those that spread pods.
//
// Which modes they are and their order follow from the diagnosis alone, so that commands that read no more than that agree with those that read what surrounds the
// Service too. Where the surroundings were read and rule a mode out, Against says so.
func Offers(f *Facts) []Offer {
	type ranked struct {
		Offer
		rank int
	}
	var list []ranked
	now := &states{}
	for _, mode := range []Mode{ENI, Hostname, Cluster, DNS, Spread, AntiAffinity} {
		plan := expected(mode, f, now)
		if plan == nil || len(plan.Fixes)+len(plan.ByName) == 0 {
			continue
		}
		o := Offer{Mode: mode, Gain: gain(plan), Fixes: plan.Fixes}
		if len(plan.Fixes) == 0 {
			o.Fixes, o.ByName = plan.ByName, true
		}
		if f.Surroundings != nil {
			o.Against = against(mode, f)
		}
		list = append(list, ranked{o, rank(plan)})
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	offers := make([]Offer, len(list))
	for i := range list {
		offers[i] = list[i].Offer
	}
	return offers
}

// expected is what a mode would do as far as the diagnosis tells, nil where the diagnosis rules the mode out.
func expected(mode Mode, f *Facts, now *states) *Plan {
	diagnosis := &Facts{Snapshot: f.Snapshot, Service: f.Service, Provider: f.Provider, Findings: f.Findings}
	attempt := func(o Options) (*planner, error) {
		p := newPlanner(mode, diagnosis)
		p.now = now
		switch mode {
		case DNS:
			p.expectByName()
			return p, nil
		case Spread, AntiAffinity:
			p.expectSpread()
			return p, nil
		case Cluster, Local, ENI, Hostname:
		}
		return p, p.plan(mode, o)
	}
	p, err := attempt(Options{})
	if _, ok := errors.AsType[*HostNeeded](err); ok {
		p, err = attempt(Options{Hosts: []string{placeholder}})
	}
	if err != nil || slices.ContainsFunc(p.Preconditions, func(c Precondition) bool { return c.Holds == cluster.No && c.Risk == "" }) {
		return nil
	}
	return p.Plan
}

// placeholder stands for a host name that is not known yet: any name tells what the mode fixes.
const placeholder = "name.example"

// expectByName: clients that connect by a name are helped where the Service can be reached inside the cluster and no name leads to it yet.
func (p *planner) expectByName() {
	s := p.Facts.Service
	if !p.failed(finding.FailsFromPods) || s.Headless || len(s.ClusterIPs) == 0 || provider.ProxyProtocol(s) != "" || len(AnsweredInside(p.Snapshot.Corefile, s)) > 0 {
		return
	}
	p.byName([]string{placeholder})
}

// expectSpread: pods can be spread where a selector chooses them and there are two of them.
func (p *planner) expectSpread() {
	s := p.Facts.Service
	if !s.HasSelector || len(s.Backends(nil)) < 2 {
		return
	}
	for _, code := range []string{finding.UnevenLoad, finding.SingleNode} {
		if p.failed(code) {
			p.Fixes = append(p.Fixes, code)
		}
	}
}

// against says what rules a mode out that the diagnosis allows, "" for nothing.
func against(mode Mode, f *Facts) string {
	plan, err := Make(mode, f, Options{})
	if _, ok := errors.AsType[*HostNeeded](err); ok {
		plan, err = Make(mode, f, Options{Hosts: []string{placeholder}})
	}
	if err != nil {
		return err.Error()
	}
	for _, c := range plan.Preconditions {
		if c.Holds != cluster.Yes && c.Risk == "" || c.Holds == cluster.No && c.Risk == noEffect {
			return c.Message
		}
	}
	switch {
	case len(plan.Changes)+len(plan.ByHand) > 0:
		return ""
	case len(plan.Gains) > 0:
		return plan.Gains[0]
	}
	return "there is nothing left to change"
}

// Advice is what to do about a finding that failed, best first: what its check says, what works without a change, and the modes that fix it. offers are those of the
// same facts.
func Advice(f *Facts, offers []Offer, found *finding.Finding) []finding.Remedy {
	list := slices.Clone(found.Remedies)
	if found.Result != finding.Fail {
		return list
	}
	if found.Code == finding.FailsFromPods && provider.ProxyProtocol(f.Service) == "" {
		if names := AnsweredInside(f.Snapshot.Corefile, f.Service); len(names) > 0 {
			list = append(list, finding.Remedy{Text: "No change needed: inside the cluster CoreDNS already answers " + english.And(names) + " with this Service"})
		}
	}
	for _, o := range offers {
		if slices.Contains(o.Fixes, found.Code) {
			list = append(list, finding.Remedy{
				Mode: string(o.Mode), Text: fmt.Sprintf("kubectl etp fix svc/%s -n %s --mode=%s", f.Service.Name, f.Service.Namespace, o.Mode), Gain: o.Gain,
			})
		}
	}
	return list
}

// rank orders plans by what they fix and what they cost. Spreading comes before a mode that leaves the pods where they are and helps with nothing else: a node with all pods
// can still take them all down.
func rank(p *Plan) int {
	partly := slices.ContainsFunc(p.Effects, func(e Effect) bool { return e.Kind != FixesByName })
	switch {
	case p.Mode == Spread || p.Mode == AntiAffinity:
		return 5
	case len(p.Fixes) == 0:
		return 4
	case !slices.ContainsFunc(p.Fixes, func(code string) bool {
		return code != finding.SingleNode && (code != finding.UnevenLoad || p.Mode != Cluster)
	}):
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

// toPods says what pods see when the load balancer sends to them.
func toPods(ip provider.ClientIP) string {
	switch ip {
	case provider.Preserved:
		return "keeps the client IP, no extra hop"
	case provider.Rewritten:
		return "no extra hop, but pods do not see the client IP"
	case provider.ByProxyProtocol:
		return "no extra hop, client IP in the PROXY protocol header"
	case provider.UnknownClientIP:
	}
	return "no extra hop, may lose the client IP"
}

// gain is what a mode keeps and costs, in a few words.
func gain(p *Plan) string {
	partly := ""
	for _, e := range p.Effects {
		switch e.Kind {
		case Breaks:
			partly = "; fails at times on nodes with a backend"
		case MayBreak:
			partly = "; may fail on nodes with a backend"
		case FixesByName:
		}
	}
	switch p.Mode {
	case Cluster:
		return p.ClientIP.Words() + partly
	case ENI:
		return toPods(p.ToPods) + partly
	case Hostname:
		return "clients inside go through the load balancer" + partly
	case DNS:
		return "only for clients that use a DNS name"
	case Spread:
		return "starts a rollout"
	case AntiAffinity:
		return "starts a rollout, load may stay uneven"
	case Local:
	}
	return ""
}
