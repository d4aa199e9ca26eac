package provider

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Published is how a provider makes nodes leave an address to the load balancer: by publishing a name in its place, or
// with ipMode Proxy.
type Published struct {
	// Key is the annotation that makes it do so, Value what to set it to; Value is "" where it is the name itself.
	Key, Value string
	// Mode is Proxy where the address stays and its ipMode is set; "" where a name takes its place.
	Mode cluster.IPMode
	// Since is the first release of Kubernetes whose nodes support it; the zero Version where all do.
	Since cluster.Version
	// Source is where the fact was read.
	Source string
}

// NeedsName says whether the user must give the name.
func (p Published) NeedsName() bool { return p.Value == "" }

// ToName is how the provider publishes a name; instead says what to do where it cannot.
func (lb LoadBalancer) ToName() (p Published, instead string) { return lb.controller().toName(lb) }

// Obeyed checks that the nodes are new enough to support what is published.
func (p Published) Obeyed(s *cluster.Snapshot) (Check, bool) {
	if !p.Since.Known() {
		return Check{}, false
	}
	c := Check{Name: "ip-mode-obeyed", Holds: cluster.Yes, Message: fmt.Sprintf("the nodes support ipMode (on by default since %s)", p.Since)}
	for i := range s.Nodes {
		d := s.DataplaneOf(&s.Nodes[i])
		switch {
		case !d.Version.Known():
			c.Holds, c.Risk = cluster.Undetermined, "ip-mode-ignored"
			c.Message = fmt.Sprintf("it is not known whether node %s supports ipMode: the version of its data plane was not read", s.Nodes[i].Name)
			c.Fact, c.Source = "release not known", d.Source
		case d.Version.Before(p.Since.Major, p.Since.Minor, p.Since.Patch):
			c.Holds, c.Risk = cluster.No, "ip-mode-ignored"
			c.Message = fmt.Sprintf("node %s runs %s %s, which ignores ipMode (on by default since %s)", s.Nodes[i].Name, d.Name, d.Version, p.Since)
			c.Fact, c.Source = fmt.Sprintf("node %s runs %s", s.Nodes[i].Name, d.Version), d.VersionSource
			return c, true
		}
	}
	return c, true
}
