package dataplane

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// plane is one data plane, or one mode of kube-proxy: its table, and what is true of it outside the table. A nil
// function says that nobody has established the fact.
type plane struct {
	// name and mode are those of cluster.Dataplane; mode is "" except for kube-proxy.
	name cluster.DataplaneName
	mode cluster.ProxyMode
	// letters and a hyphen begin the ids of its rules. The page of the data plane in pkg/explain lists the rules by them.
	letters string

	table func(*connection) verdict
	// rules are those that the table can give, each with the releases in which it holds.
	rules []*Rule
	// since is the first release for which the table holds, until the first one that nobody has read.
	since, until cluster.Version
	// changes are releases in which the table changes and that no rule names. Between two releases that neither names
	// the table is the same.
	changes []cluster.Version
	// unread is the rule given for releases outside since and until.
	unread *Rule
	// needsVersion: unread is also given where the release is not known, because few releases were read.
	needsVersion bool
	// versionOfKubernetes: its releases are those of Kubernetes.
	versionOfKubernetes bool

	// usesTerminating says whether serving, terminating endpoints are used where none is ready; nil: not known.
	usesTerminating func(*connection) cluster.Tristate
	// heedsIPMode is Yes where nodes leave load balancer addresses with ipMode Proxy alone; nil: not known of any
	// release.
	heedsIPMode func(*connection) cluster.Tristate
	// settlesHints: the table itself says what topology hints do, or the data plane has no code for them; nil: not
	// known.
	settlesHints func(*connection) bool
	// settlesRanges: the table itself says what loadBalancerSourceRanges do; rangesOfExternalIPs: they apply to
	// external IPs too.
	settlesRanges, rangesOfExternalIPs bool
	// settings are the cases to judge where the settings of the data plane could not be read; nil where they were.
	settings func(*connection) []connection

	// beside is the same program as a network plugin beside kube-proxy; nil where that changes nothing. Of beside
	// itself, takes says which connections it may answer before kube-proxy does.
	beside *plane
	takes  func(*connection) bool
}

// planes is the registry of data planes, kube-proxy once for each mode. Prediction, the override and the
// list of rules range over it.
var planes = []*plane{iptablesPlane, ipvsPlane, nftablesPlane, ciliumPlane, calicoPlane, antreaPlane, ovnPlane, kubeRouterPlane, windowsPlane}

// planeOf is the plane of a data plane in a mode, nil where there is none: also for kube-proxy as long as its mode is
// not known.
func planeOf(name cluster.DataplaneName, mode cluster.ProxyMode) *plane {
	for _, p := range planes {
		if p.name == name && p.mode == mode {
			return p
		}
	}
	return nil
}

// Names are the data planes of the registry, each once, in its order.
func Names() []cluster.DataplaneName {
	var all []cluster.DataplaneName
	for _, p := range planes {
		if !slices.Contains(all, p.name) {
			all = append(all, p.name)
		}
	}
	return all
}

// modesOf are the modes of a data plane, nil for one without.
func modesOf(name cluster.DataplaneName) []cluster.ProxyMode {
	var all []cluster.ProxyMode
	for _, p := range planes {
		if p.name == name && p.mode != "" {
			all = append(all, p.mode)
		}
	}
	return all
}

func (p *plane) covers(v cluster.Version) bool { return !v.Less(p.since) && v.Less(p.until) }

// stretches are the first releases of each stretch in which the table is the same, in order.
func (p *plane) stretches() []cluster.Version {
	firsts := append([]cluster.Version{p.since}, p.changes...)
	for _, r := range p.rules {
		for _, text := range [...]string{r.Since, r.Until} {
			if v, ok := cluster.ParseVersion(text); ok && p.covers(v) {
				firsts = append(firsts, v)
			}
		}
	}
	slices.SortStableFunc(firsts, cluster.Version.Compare)
	return slices.CompactFunc(firsts, func(a, b cluster.Version) bool { return a.Compare(b) == 0 })
}

func version(text string) cluster.Version {
	v, ok := cluster.ParseVersion(text)
	if !ok {
		panic("not a release: " + text)
	}
	return v
}

// heedsIPModeSince is for a data plane that heeds ipMode since a release. Whether older releases do has not been read.
func heedsIPModeSince(text string) func(*connection) cluster.Tristate {
	since := version(text)
	return func(c *connection) cluster.Tristate {
		if c.version.Less(since) {
			return cluster.Undetermined
		}
		return cluster.Yes
	}
}

// on puts the connection on a plane.
func (c *connection) on(p *plane) { c.plane, c.name, c.mode = p, p.name, p.mode }

// asPlugin is the connection as the network plugin beside kube-proxy judges it, which runs as a data plane of its own
// elsewhere.
func (c *connection) asPlugin(p *plane) *connection {
	as := *c
	as.on(p)
	as.version, as.takenAsLocal = c.pluginVersion, c.onNode
	return &as
}

// plugin is the network plugin beside kube-proxy that may answer the connection before kube-proxy does; nil where there
// is none.
func (c *connection) plugin() *plane {
	if c.name != cluster.KubeProxy {
		return nil
	}
	for _, p := range planes {
		if p.beside != nil && p.beside.takes(c) {
			return p.beside
		}
	}
	return nil
}

// unread is the rule of a release that nobody has read; nil for all others, and where the release is not known.
func (c *connection) unread() *Rule {
	if p := c.plane; p != nil && (c.version.Known() && !p.covers(c.version) || !c.version.Known() && p.needsVersion) {
		return p.unread
	}
	if p := c.plugin(); p != nil && c.pluginVersion.Known() && !p.covers(c.pluginVersion) {
		return p.unread
	}
	return nil
}
