package dataplane

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// tested is a plane, the data plane of the connections that it is asked about, and the way to put its release into one.
type tested struct {
	*plane
	runs cluster.DataplaneName
	set  func(*connection, cluster.Version)
}

func testedPlanes() []tested {
	own := func(c *connection, v cluster.Version) { c.version = v }
	beside := func(c *connection, v cluster.Version) { c.pluginVersion = v }
	var list []tested
	for _, p := range planes {
		if p.name != cluster.KubeProxy {
			list = append(list, tested{p, p.name, own})
		}
		if p.beside != nil {
			list = append(list, tested{p.beside, cluster.KubeProxy, beside})
		}
	}
	return list
}

// drawn is a connection drawn by chance, of those that the plane is asked about.
func drawn(r *rand.Rand, t tested) *connection {
	pick := func(of ...bool) bool { return of[r.IntN(len(of))] }
	some := func() tally {
		if r.IntN(3) == 0 {
			return tally{}
		}
		if r.IntN(40) == 0 {
			return tally{ready: windowsBackends + 1}
		}
		return tally{ready: r.IntN(3), terminating: r.IntN(2), readyHost: r.IntN(2) * r.IntN(2)}
	}
	c := &connection{}
	c.name, c.plane = t.runs, planeOf(t.runs, "")
	c.from, c.to = From(r.IntN(3)), []To{LoadBalancerIP, ExternalIP, NodePort, ClusterIP}[r.IntN(4)]
	c.protocol = []cluster.Protocol{cluster.TCP, cluster.TCP, cluster.UDP, cluster.SCTP}[r.IntN(4)]
	c.internalPolicy = []cluster.Policy{cluster.PolicyCluster, cluster.PolicyLocal}[r.IntN(2)]
	c.externalPolicy = []cluster.Policy{cluster.PolicyCluster, cluster.PolicyLocal}[r.IntN(2)]
	c.onNode, c.onClientNode, c.isOnNode = some(), some(), pick(true, false)
	c.servedByEnvoy, c.hasRanges, c.allowsClient = r.IntN(20) == 0, r.IntN(5) == 0, cluster.Tristate(1+r.IntN(2))
	c.masqueradedByCNI, c.mayHideClients = cluster.Tristate(r.IntN(3)), r.IntN(8) == 0
	c.dataplane = &cluster.Dataplane{
		Name: t.runs, Calico: &cluster.CalicoSettings{}, KubeRouter: &cluster.KubeRouterSettings{
			NoRouter: pick(true, false), MasqueradeAll: r.IntN(4) == 0, Hairpin: pick(true, false), NodePortsEverywhere: pick(true, false),
		},
	}
	c.kubeRouted = kubeRouted{
		isServed: cluster.Tristate(r.IntN(3)), isFirst: pick(true, false), asksLocal: r.IntN(6) == 0, asksHairpin: r.IntN(6) == 0,
		asksExternalHairpin: pick(true, false), skipsLoadBalancerIPs: r.IntN(6) == 0, returnsDirectly: r.IntN(6) == 0,
	}
	c.isFirstInFamily = c.isFirst || pick(true, false)
	c.antrea = &cluster.AntreaSettings{
		NoLoadBalancerIPs: r.IntN(5) == 0, DSR: pick(true, false), PolicyOnly: pick(true, false), BesideKubeProxy: r.IntN(3) == 0,
	}
	c.cilium = &cluster.CiliumSettings{
		Mode: []string{"snat", "dsr", "hybrid"}[r.IntN(3)], DropsWithoutBackend: pick(true, false), RoutesWithoutBackend: r.IntN(5) == 0,
		SocketLoadBalancing: pick(true, false), HostSocketsOnly: pick(true, false), PerPacket: pick(true, false), BPFMasquerade: pick(true, false), Tunnel: pick(true, false),
		SCTP: pick(true, false), ModeAnnotation: pick(true, false), RangesOfAllTypes: r.IntN(5) == 0, NoIPv4: r.IntN(10) == 0,
	}
	c.servesNodePort, c.outsideCiliumRange = cluster.Yes, r.IntN(10) == 0
	if r.IntN(20) == 0 {
		c.servesNodePort = cluster.No
	}
	c.dialled, c.takenAsLocal = c.to, c.onNode
	c.elsewhere = c.to == NodePort && c.from != External && pick(true, false)
	c.isOnNode = c.isOnNode || c.to == NodePort && r.IntN(10) > 0
	c.isOnSomeNode = c.isOnNode || pick(true, false)
	c.total = c.onNode
	for _, more := range []tally{some(), some()} {
		c.total.add(more)
	}
	if c.elsewhere {
		c.total.add(c.onClientNode)
	} else {
		c.onClientNode = c.takenAsLocal
	}
	c.isEndpoint = c.from == Pod && c.onClientNode.ready > 0 && r.IntN(4) == 0
	c.endpointOnNode = !c.elsewhere
	c.ranged = c.hasRanges || r.IntN(10) == 0
	c.annotations.home.byNode, c.annotations.here.byNode = cluster.Yes, cluster.Yes
	switch r.IntN(8) {
	case 0:
		c.annotations.home.byNode = cluster.Tristate(r.IntN(3))
		c.annotations.here.byNode = cluster.Tristate(r.IntN(3))
	case 1:
		c.annotations.home = exposure{cluster.Tristate(r.IntN(3)), cluster.Tristate(r.IntN(3)), true}
		c.annotations.only = cluster.TypeNodePort
	case 2:
		c.annotations.mode = "dsr"
	}
	c.conflicts = r.IntN(40) == 0
	c.noClusterIP = (c.to == LoadBalancerIP || c.to == ExternalIP || c.to == NodePort && c.name == cluster.Cilium) && r.IntN(10) == 0
	if c.hasStrays = c.noClusterIP && r.IntN(3) == 0; r.IntN(10) == 0 {
		c.unnamed = some()
		c.withoutNode = c.unnamed
		c.total.add(c.unnamed)
	}
	if r.IntN(20) == 0 {
		c.annotations.other, c.annotations.global = pick(true, false), pick(true, false)
	}
	return c
}

// asked says whether the plane has a say in the connection at all.
func (t tested) asked(c *connection) bool {
	switch t.plane {
	case ciliumBesidePlane:
		c.antrea = nil
		return !c.servedByEnvoy && c.besideCilium()
	case antreaBesidePlane:
		c.cilium = nil
		c.antrea.BesideKubeProxy = false
		return !c.servedByEnvoy && c.besideAntrea()
	case ciliumPlane:
		return true
	default:
		return !c.servedByEnvoy
	}
}

// TestRulesHoldInTheReleasesTheyName draws connections and asks each table about them in many releases: no rule may
// decide in a release outside its own Since and Until, every rule must decide somewhere, and between the releases that
// rules name nothing may change, because an unknown version is settled by one release of each stretch.
func TestRulesHoldInTheReleasesTheyName(t *testing.T) {
	for _, p := range testedPlanes() {
		var releases []cluster.Version
		for minor := p.since.Minor; minor < p.until.Minor; minor++ {
			for _, patch := range []int{0, 1, 2, 3, 5, 6, 7, 17, 18, 20} {
				releases = append(releases, cluster.Version{Major: p.since.Major, Minor: minor, Patch: patch, Text: "drawn"})
			}
		}
		if p.since.Major != p.until.Major {
			for minor := range 20 {
				releases = append(releases, cluster.Version{Major: p.since.Major, Minor: p.since.Minor + minor, Patch: 2, Text: "drawn"})
			}
			for minor := range p.until.Minor {
				releases = append(releases, cluster.Version{Major: p.until.Major, Minor: minor, Text: "drawn"})
			}
		}
		for _, r := range p.rules {
			since, ok := cluster.ParseVersion(r.Since)
			until, okUntil := cluster.ParseVersion(r.Until)
			if !ok || !okUntil || since.Less(p.since) || p.until.Less(until) || !since.Less(until) {
				t.Errorf("%s is for %q until %q, its table was read for %v until %v", r.ID, r.Since, r.Until, p.since, p.until)
			}
		}
		stretches := p.stretches()
		r := rand.New(rand.NewPCG(1, 2))
		decided := map[*Rule]bool{}
		for range 30000 {
			c := drawn(r, p)
			if !p.asked(c) {
				continue
			}
			in := func(v cluster.Version) verdict {
				as := *c
				p.set(&as, v)
				if p.takes != nil {
					return p.table(as.asPlugin(planeOf(p.name, "")))
				}
				return p.table(&as)
			}
			v := releases[r.IntN(len(releases))]
			got := in(v)
			if got.rule == nil {
				continue
			}
			decided[got.rule] = true
			since, _ := cluster.ParseVersion(got.rule.Since)
			until, _ := cluster.ParseVersion(got.rule.Until)
			if !slices.Contains(p.rules, got.rule) {
				t.Fatalf("%s is none of the table's rules", got.rule.ID)
			}
			if v.Less(since) || !v.Less(until) {
				t.Fatalf("%s decided in %d.%d.%d, and is for %s until %s\n%+v", got.rule.ID, v.Major, v.Minor, v.Patch, got.rule.Since, got.rule.Until, c)
			}
			first := stretches[0]
			for _, s := range stretches {
				if !v.Less(s) {
					first = s
				}
			}
			if want := in(first); got != want {
				t.Fatalf("%d.%d.%d differs from %v, the first of its stretch: %+v, %+v\n%+v", v.Major, v.Minor, v.Patch, first, got, want, c)
			}
		}
		for _, rule := range p.rules {
			if !decided[rule] {
				t.Errorf("%s decided nothing: a case above takes it all, or its table never gives it", rule.ID)
			}
		}
	}
}

// TestReleasesThatNobodyReadAreUnknown asks about the release before the first that was read, and about the first that
// was not.
func TestReleasesThatNobodyReadAreUnknown(t *testing.T) {
	p := New(&cluster.Snapshot{}, &cluster.Service{})
	judged := func(c *connection, v cluster.Version, set func(*connection, cluster.Version)) verdict {
		as := *c
		set(&as, v)
		return p.judge(&as)
	}
	before := func(v cluster.Version) cluster.Version {
		return cluster.Version{Major: v.Major, Minor: v.Minor - 1, Patch: 99, Text: "before"}
	}
	r := rand.New(rand.NewPCG(3, 4))
	list := testedPlanes()
	for range 3000 {
		one := list[r.IntN(len(list))]
		c := drawn(r, one)
		c.servedByEnvoy = false
		if one.runs == cluster.KubeProxy {
			c.on(iptablesPlane)
			c.version = version("1.30")
		}
		if !one.asked(c) {
			continue
		}
		outside := []cluster.Version{one.until}
		if one.since.Minor > 0 {
			outside = append(outside, before(one.since))
		}
		for _, v := range outside {
			if got := judged(c, v, one.set); got.outcome != Unknown || got.rule != one.unread {
				t.Fatalf("%s %d.%d.%d: %+v", one.name, v.Major, v.Minor, v.Patch, got)
			}
		}
	}
	for _, mode := range proxyModes {
		one := planeOf(cluster.KubeProxy, mode)
		c := &connection{dataplane: &cluster.Dataplane{}}
		c.on(one)
		c.detectsPods, c.takenAsPod, c.servesNodePort = cluster.Yes, cluster.Yes, cluster.Yes
		for _, v := range []cluster.Version{before(one.since), one.until} {
			if got := judged(c, v, func(c *connection, v cluster.Version) { c.version = v }); got.outcome != Unknown || got.rule != unreadKubeProxy {
				t.Errorf("kube-proxy %s %d.%d: %+v", one.mode, v.Major, v.Minor, got)
			}
		}
	}
}
