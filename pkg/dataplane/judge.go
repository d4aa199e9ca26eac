package dataplane

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// judgedBefore answers like judge, faster where the connection is like the one before it.
func (p *Predictor) judgedBefore(c *connection) verdict {
	latest := &p.latest[c.from][c.asked]
	if latest.rule == nil || latest.connection != *c {
		latest.connection, latest.verdict = *c, p.judge(c)
	}
	return latest.verdict
}

// judge says what a connection meets. Where a fact that decides is not known, it judges once for each thing the fact could be, and says only what all answers share.
// The data plane, its mode and its version come first: nothing that looks at them is asked before they are settled.
func (p *Predictor) judge(c *connection) verdict {
	if rule := c.unread(); rule != nil && !c.releaseless() {
		return c.anything(rule)
	}
	rule, cases := c.unsettled()
	if rule == nil {
		return p.settled(c)
	}
	if v, ok := p.judged[*c]; ok && c.turns == nil {
		return v
	}
	var v verdict
	if rule == unknownVersion {
		v = p.everyRelease(c)
	} else {
		v = p.judge(&cases[0])
		for i := range cases[1:] {
			v = merge(v, p.judge(&cases[1+i]), rule)
		}
	}
	if rule == unknownDataplane && v.rule == unknownDataplane {
		// A data plane that none of the tables describes may do anything; what the described ones would do is the range, not the answer.
		v = verdict{outcome: Unknown, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, could: v.could | known(v.outcome), rule: rule}
	}
	if c.turns == nil {
		if p.judged == nil {
			p.judged = map[connection]verdict{}
		}
		p.judged[*c] = v
	}
	return v
}

// settled judges a connection of which everything that matters is known.
func (p *Predictor) settled(c *connection) verdict {
	v := beforehand(c)
	if v.rule == nil {
		v = table(c)
	}
	v.basis = v.rule.basis(c)
	if rule := p.doubt(c, v); rule != nil {
		could := v.could
		if v.outcome == Unknown {
			rule = v.rule
		}
		v = unknown(rule, Reachable, Refused, TimedOut, Partial)
		v.could |= could
	}
	if c.sticky && v.outcome == Partial {
		v = unknown(sticky, Reachable, Refused, TimedOut)
	}
	return v
}

// everyRelease judges for all releases of kube-proxy that it could be, from the first that was read on: one from each stretch in which nothing changes for this connection. A stretch ends at the
// first later release that was asked about on the way to its verdict, so no list of such releases has to be kept, and none can be missing from it.
func (p *Predictor) everyRelease(c *connection) verdict {
	as := *c
	since := c.plane.since
	first := release{since.Minor, since.Patch}
	var v verdict
	for at := first; ; {
		turns := &turns{at: at}
		as.version, as.turns = at.version(), turns
		if at == first {
			v = p.judge(&as)
		} else {
			v = merge(v, p.judge(&as), unknownVersion)
		}
		if turns.next == (release{}) {
			return v
		}
		at = turns.next
	}
}

// release is v1.minor.patch of Kubernetes.
type release struct{ minor, patch int }

func (r release) version() cluster.Version {
	return cluster.Version{Major: 1, Minor: r.minor, Patch: r.patch, Text: fmt.Sprintf("v1.%d.%d", r.minor, r.patch)}
}

func (r release) before(o release) bool {
	return r.minor < o.minor || r.minor == o.minor && r.patch < o.patch
}

// turns finds the first release after at in which anything that was asked changes.
type turns struct{ at, next release }

func (t *turns) note(r release) {
	if t.at.before(r) && (t.next == (release{}) || r.before(t.next)) {
		t.next = r
	}
}

// before says whether kube-proxy is of a release before v1.minor.patch. Tables and all that they call ask in this way only: it is how a version that is not known
// finds the releases that matter.
func (c *connection) before(minor, patch int) bool {
	if c.turns != nil {
		c.turns.note(release{minor, patch})
	}
	return c.version.Before(1, minor, patch)
}

// releaseless: what is said beforehand is the same in every release of every data plane.
func (c *connection) releaseless() bool {
	return c.endpointsUnread || c.virtual || c.otherProxy || c.asked == NodePort && c.noNodePort || c.asked == LoadBalancerHostname && !c.throughNodePort
}

func table(c *connection) verdict {
	if c.envoy && c.name != cluster.Cilium {
		return c.anything(placeholder)
	}
	if c.inTerway() {
		return c.terway()
	}
	if plugin := c.plugin(); plugin != nil {
		if v := plugin.table(c.asPlugin(planeOf(plugin.name, ""))); v.rule != nil {
			return v
		}
	}
	if !c.plane.settlesRanges && c.guarded() && c.admitted != cluster.Yes {
		return c.anything(unknownGuard)
	}
	v := c.plane.table(c)
	if c.name == cluster.KubeProxy && c.cilium != nil {
		return c.pastCilium(v)
	}
	return c.withinHints(v)
}

// unsettled names the first fact that is not known and matters, and lists the connection once for each thing it could be. The rule is nil where all is known.
func (c *connection) unsettled() (*Rule, []connection) {
	switch {
	case c.plane == nil && c.name == cluster.KubeProxy:
		var cases []connection
		for i, mode := range proxyModes {
			p := planeOf(cluster.KubeProxy, mode)
			if c.version.Known() && c.version.Less(p.since) && mode == cluster.NFTables {
				continue // there was none yet
			}
			as := *c
			as.on(p)
			as.served = c.servedBy[i]
			cases = append(cases, as)
		}
		return unknownMode, cases
	case c.plane == nil:
		var cases []connection
		for _, name := range Names() {
			as := *c
			as.name, as.plane = name, planeOf(name, "")
			if as.plane != nil && !as.plane.versionOfKubernetes {
				as.version = cluster.Version{}
			}
			cases = append(cases, as)
		}
		return unknownDataplane, cases
	case c.plane.versionOfKubernetes && !c.version.Known():
		return unknownVersion, nil
	case !c.version.Known():
		return unknownRelease, c.inEach(c.plane.stretches(), func(as *connection, v cluster.Version) { as.version = v })
	}
	if c.plane.settings != nil {
		if cases := c.plane.settings(c); cases != nil {
			return unknownSettings, cases
		}
	}
	plugin := c.plugin()
	switch {
	case c.mayFallBack():
		as := *c
		as.fallback = true
		return unknownFallback, []connection{as, c.withoutTerminating()}
	case c.name != cluster.KubeProxy:
		return nil, nil
	case plugin != nil && !c.pluginVersion.Known():
		return unknownPlugin, c.inEach(plugin.stretches(), func(as *connection, v cluster.Version) { as.pluginVersion = v })
	}
	if plugin != nil && plugin.settings != nil {
		if cases := plugin.settings(c); cases != nil {
			return unknownSettings, cases
		}
	}
	switch {
	case c.mayBeBound:
		return unknownHolder, c.either(func(as *connection, t cluster.Tristate) { as.bound, as.mayBeBound = t == cluster.Yes, false })
	case c.doubted:
		as, none := *c, *c
		as.doubted, none.doubted = false, false
		none.here, none.ownPod = tally{}, false
		return unknownCount, []connection{as, none}
	case c.guarded() && c.admitted == cluster.Undetermined:
		return someAdmitted, c.either(func(as *connection, t cluster.Tristate) { as.admitted, as.admittedSelf = t, t })
	case c.mode == cluster.IPVS && c.guarded() && c.startsOnHost() && c.ipvsAdmits() == cluster.Undetermined:
		return unknownSelf, c.either(func(as *connection, t cluster.Tristate) {
			as.admittedSelf, as.admittedUnspecified, as.admittedDialled = t, t, t
		})
	case c.to == NodePort && c.served == cluster.Undetermined:
		return unknownAddress, c.either(func(as *connection, t cluster.Tristate) { as.served = t })
	case c.from == Pod && c.elsewhere && c.masqueraded == cluster.Undetermined:
		return unknownMasquerade, c.either(func(as *connection, t cluster.Tristate) { as.masqueraded = t })
	case c.from == Pod && c.mode != cluster.IPVS && c.isPod == cluster.Undetermined, c.to == ClusterIP && c.from == Pod && c.isPod == cluster.Undetermined:
		return unknownDetection, c.either(func(as *connection, t cluster.Tristate) { as.isPod, as.detects = t, cluster.Yes })
	default:
		return nil, nil
	}
}
