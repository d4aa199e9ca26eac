package dataplane

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// cachedVerdict is judge with the last verdict of the same kind kept: in a large cluster most nodes are alike.
func (p *Predictor) cachedVerdict(c *connection) verdict {
	latest := &p.latest[c.from][c.dialled]
	if latest.rule == nil || latest.connection != *c {
		latest.connection, latest.verdict = *c, p.judge(c)
	}
	return latest.verdict
}

// judge is the verdict on a connection. Where a fact that decides is not known, it judges once for each possible value
// and keeps only what all verdicts share. The data plane, its mode and its version are settled first, because tables
// read them.
func (p *Predictor) judge(c *connection) verdict {
	if rule := c.unread(); rule != nil && !c.isSettledInEveryRelease() {
		return c.anything(rule)
	}
	rule, cases := c.unsettled()
	if rule == nil {
		return p.settled(c)
	}
	if v, ok := p.judged[*c]; ok && c.probe == nil {
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
		// The data plane may be one without a table, so that agreement of all tables proves nothing; their outcomes are
		// only listed as possible.
		v = verdict{outcome: Unknown, endpoints: EndpointsUnknown, clientIP: ClientIPUnknown, extraHop: Sometimes, could: v.could | known(v.outcome), rule: rule}
	}
	if c.probe == nil {
		if p.judged == nil {
			p.judged = map[connection]verdict{}
		}
		p.judged[*c] = v
	}
	return v
}

// settled is the verdict on a connection of which every fact that matters is known.
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
	if c.staysWithEndpoint && v.outcome == Partial {
		v = unknown(sticky, Reachable, Refused, TimedOut)
	}
	return v
}

// everyRelease merges the verdicts for every release of kube-proxy that the table covers: one for each stretch of
// releases in which nothing changes for this connection. A stretch ends at the first later release that the table asked
// about, so no list of such releases has to be kept.
func (p *Predictor) everyRelease(c *connection) verdict {
	as := *c
	since := c.plane.since
	first := release{since.Minor, since.Patch}
	var v verdict
	for at := first; ; {
		probe := &releaseProbe{at: at}
		as.version, as.probe = at.version(), probe
		if at == first {
			v = p.judge(&as)
		} else {
			v = merge(v, p.judge(&as), unknownVersion)
		}
		if probe.next == (release{}) {
			return v
		}
		at = probe.next
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

// releaseProbe notes the first release after at that a table asked about.
type releaseProbe struct{ at, next release }

func (t *releaseProbe) note(r release) {
	if t.at.before(r) && (t.next == (release{}) || r.before(t.next)) {
		t.next = r
	}
}

// before is true for releases of kube-proxy before v1.minor.patch. Tables and the functions they call ask for releases in
// this way only: everyRelease finds out through it which releases matter.
func (c *connection) before(minor, patch int) bool {
	if c.probe != nil {
		c.probe.note(release{minor, patch})
	}
	return c.version.Before(1, minor, patch)
}

// isSettledInEveryRelease: beforehand gives the same verdict for every release of every data plane.
func (c *connection) isSettledInEveryRelease() bool {
	return c.endpointsUnread || c.isVirtual || c.leftToOtherProxy || c.dialled == NodePort && c.noNodePort || c.dialled == LoadBalancerHostname && !c.arrivesAtNodePort
}

func table(c *connection) verdict {
	if c.servedByEnvoy && c.name != cluster.Cilium {
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
	if c.advertised() && c.noClusterIP && c.name != cluster.Cilium {
		return c.leaves(otherFamily)
	}
	if !c.plane.settlesRanges && c.hasActiveRanges() && c.allowsClient != cluster.Yes {
		return c.anything(unknownGuard)
	}
	v := c.plane.table(c)
	if c.cilium != nil && c.ciliumLosesRefusal(v) {
		return timedOut(cil49)
	}
	if c.name == cluster.KubeProxy && c.cilium != nil {
		return c.afterCilium(v)
	}
	return c.withinHints(v)
}

// unsettled returns the rule for the first fact that matters and is not known, and the connection once for each value
// that the fact can have. The rule is nil where everything is known.
func (c *connection) unsettled() (*Rule, []connection) {
	switch {
	case c.plane == nil && c.name == cluster.KubeProxy:
		var cases []connection
		for i, mode := range proxyModes {
			p := planeOf(cluster.KubeProxy, mode)
			if c.version.Known() && c.version.Less(p.since) && mode == cluster.NFTables {
				continue // older releases do not have the mode
			}
			as := *c
			as.on(p)
			as.servesNodePort = c.servesNodePortIn[i]
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
		as.assumesTerminating = true
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
	case c.mayBeOnNode:
		return unknownHolder, c.either(func(as *connection, t cluster.Tristate) { as.isOnNode, as.mayBeOnNode = t == cluster.Yes, false })
	case c.countDiffers:
		as, none := *c, *c
		as.countDiffers, none.countDiffers = false, false
		none.takenAsLocal, none.endpointTakenAsLocal = tally{}, false
		return unknownCount, []connection{as, none}
	case c.speaksFromAddress() && c.hasActiveRanges() && c.ipvsAllows() == cluster.Undetermined:
		return unknownSelf, c.either(func(as *connection, t cluster.Tristate) { as.allowsNodeAddress, as.allowsBindAddress = t, t })
	case !c.speaksFromAddress() && c.hasActiveRanges() && c.allowsClient == cluster.Undetermined:
		return someAllowed, c.either(func(as *connection, t cluster.Tristate) { as.allowsClient = t })
	case c.to == NodePort && c.servesNodePort == cluster.Undetermined:
		return unknownAddress, c.either(func(as *connection, t cluster.Tristate) { as.servesNodePort = t })
	case c.from == Pod && c.elsewhere && c.masqueradedByCNI == cluster.Undetermined:
		return unknownMasquerade, c.either(func(as *connection, t cluster.Tristate) { as.masqueradedByCNI = t })
	case c.from == Pod && c.mode != cluster.IPVS && c.takenAsPod == cluster.Undetermined, c.to == ClusterIP && c.from == Pod && c.takenAsPod == cluster.Undetermined:
		return unknownDetection, c.either(func(as *connection, t cluster.Tristate) { as.takenAsPod, as.detectsPods = t, cluster.Yes })
	default:
		return nil, nil
	}
}
