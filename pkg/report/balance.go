package report

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// balance settles which nodes the load balancer sends to and, where it is known of all of them and how it divides connections, what part each gets.
func balance(s *cluster.Snapshot, r *Report) {
	var taking []*Row
	entries, ready, known := 0, 0, true
	choice := newChoice(s, r)
	for i := range r.Nodes {
		row := &r.Nodes[i]
		row.LoadBalancer = choice.receives(row)
		switch {
		case row.LoadBalancer.Receives == cluster.Undetermined:
			known = false
		case row.LoadBalancer.Receives == cluster.Yes:
			taking = append(taking, row)
			entries++
			ready += row.Endpoints.Ready
		case row.Node.VirtualKubelet && row.LoadBalancer.Reason == "SendsToPods" && r.Provider.Backends == provider.MixedBackends:
			// Its pods are backends beside the nodes.
			taking = append(taking, row)
			entries += row.Endpoints.Ready
			ready += row.Endpoints.Ready
		}
	}
	local := r.Service.ExternalTrafficPolicy == cluster.PolicyLocal
	byEndpoints := r.Provider.Weights == provider.ByEndpoints && local
	if !known || !byEndpoints && r.Provider.Weights != provider.EqualWeights {
		return
	}
	for _, row := range taking {
		to := &row.LoadBalancer
		n := float64(row.Endpoints.Ready)
		pods := to.Receives != cluster.Yes
		switch {
		case pods && n > 0 && byEndpoints:
			to.PodShare = 1 / float64(ready)
		case pods && n > 0:
			to.PodShare = 1 / float64(entries)
		case pods:
		case byEndpoints && n > 0:
			to.Share, to.PodShare = n/float64(ready), 1/float64(ready)
		case byEndpoints:
		default:
			to.Share = 1 / float64(entries)
			if local && n > 0 {
				to.PodShare = to.Share / n
			}
		}
	}
	if local {
		return
	}
	// Under policy Cluster each node hands its part to all endpoints alike. Those on virtual nodes get a part of their own besides.
	if slices.ContainsFunc(taking, func(row *Row) bool { return row.Node.VirtualKubelet && row.Endpoints.Ready > 0 }) {
		for _, row := range taking {
			row.LoadBalancer.PodShare = 0
		}
		return
	}
	total := 0
	for i := range r.Nodes {
		total += r.Nodes[i].Endpoints.Ready
	}
	for _, row := range taking {
		if row.Endpoints.Ready > 0 {
			row.LoadBalancer.PodShare = 1 / float64(total)
		}
	}
}

// choice is what is asked of each node.
type choice struct {
	snapshot *cluster.Snapshot
	*Report
	member func(*cluster.Node) provider.Member
	local  bool
	// subset: the load balancer takes some of its members only, and which is not known.
	subset bool
}

func newChoice(s *cluster.Snapshot, r *Report) *choice {
	c := &choice{snapshot: s, Report: r, local: r.Service.ExternalTrafficPolicy == cluster.PolicyLocal}
	if !r.Provider.SendsToNodes() {
		return c
	}
	c.member = r.Provider.Members(s, r.Service)
	if most := r.Provider.Subset(r.Service); most > 0 {
		members := 0
		for i := range r.Nodes {
			if row := &r.Nodes[i]; (!c.local || row.Endpoints.Ready > 0) && c.member(row.Node).Is != cluster.No {
				members++
			}
		}
		c.subset = members > most
	}
	return c
}

// receives says whether the load balancer sends to a node: whether its controller makes the node a backend, and whether the node passes the health check.
func (c *choice) receives(row *Row) Receives {
	svc, lb := c.Service, c.Provider
	switch {
	case svc.Type != cluster.TypeLoadBalancer:
		return withheld("NoLoadBalancer", provider.NotLoadBalancer)
	case len(svc.Ingress) == 0:
		return withheld("NoAddress", provider.NoAddress)
	case lb.Name == "":
		return undecided(provider.Unrecognised)
	case !row.Node.Known && lb.SendsToNodes():
		return undecided(provider.NodeNotRead)
	case lb.Backends == provider.Pods:
		return withheld("SendsToPods", provider.SendsToPods)
	}
	if c.local && svc.EndpointsKnown && !row.Node.VirtualKubelet && !svc.ServedByCiliumEnvoy() {
		if rule := lb.LeavesOut(row.Endpoints.Ready, row.Endpoints.ServingTerminating); rule != nil {
			return withheld("NoLocalEndpoint", rule)
		}
	}
	switch {
	case lb.SharedWithOthers:
		return undecided(provider.SharedWithOthers)
	case lb.Announced:
		return undecided(provider.AnnouncerNotKnown)
	case !lb.SendsToNodes():
		return undecided(provider.BackendsNotKnown)
	}
	switch m := c.member(row.Node); {
	case m.Is != cluster.Yes:
		return Receives{Receives: m.Is, Reason: m.Reason, Rule: m.Rule}
	case c.local && !svc.EndpointsKnown:
		return undecided(provider.EndpointsNotRead)
	}
	to := c.checked(row)
	if to.Receives == cluster.Yes && c.subset {
		return undecided(provider.SubsetNotKnown)
	}
	return to
}

func withheld(reason string, rule *provider.Rule) Receives {
	return Receives{Receives: cluster.No, Reason: reason, Rule: rule}
}

func undecided(rule *provider.Rule) Receives { return Receives{Reason: "NotKnown", Rule: rule} }

// checked says whether a backend passes the health check, by everything that the check may ask.
func (c *choice) checked(row *Row) Receives {
	if len(c.Provider.Checks) == 0 {
		return undecided(provider.HealthNotKnown)
	}
	result := c.check(row, c.Provider.Checks[0])
	for _, kind := range c.Provider.Checks[1:] {
		if c.check(row, kind).Receives != result.Receives {
			return undecided(c.Provider.Undecided())
		}
	}
	if result.Receives == cluster.Yes && row.Node.Known && row.Node.Ready != cluster.Yes && row.Live == nil {
		return undecided(provider.NotReady)
	}
	return result
}

func (c *choice) check(row *Row, kind provider.HealthCheck) Receives {
	d := c.snapshot.DataplaneOf(row.Node)
	switch kind {
	case provider.HealthCheckNodePort:
		return passesOwnCheck(c.Service, d, row)
	case provider.ChecksNodePort:
		return answersAtNodePort(c.Service, row)
	case provider.ChecksKubeProxy:
		if v := d.Version.Vendor(); d.Name != cluster.KubeProxy || v == "k3s" || v == "RKE2" {
			// Another data plane need not listen on port 10256, and the kube-proxy of k3s and RKE2 does on the loopback address only
			// (k3s-io/k3s pkg/daemons/agent/agent_linux.go kubeProxyArgs).
			return undecided(provider.HealthNotKnown)
		}
		if d.ProxyNodeName(row.Node) != row.Node.Name && !older(d, 33) {
			// Its own health is bad as long as kube-proxy finds no Node of its name; earlier it only looked whether rules were written in time
			// (kubernetes/kubernetes pkg/proxy/healthcheck/proxy_health.go NodeEligible).
			return undecided(provider.HealthNotKnown)
		}
		return Receives{Receives: cluster.Yes}
	case provider.NoHealthCheck:
		return Receives{Receives: cluster.Yes}
	case provider.ChecksPods, provider.UnknownCheck:
	}
	return undecided(provider.HealthNotKnown)
}

// passesOwnCheck asks the health check node port, which counts ready endpoints only.
func passesOwnCheck(svc *cluster.Service, d *cluster.Dataplane, row *Row) Receives {
	switch {
	case row.Live != nil && row.Live.HealthCheck == cluster.Fail:
		return withheld("HealthCheckFails", provider.FailsOwnCheck)
	case row.Live != nil && row.Live.HealthCheck == cluster.Pass:
		return Receives{Receives: cluster.Yes}
	case svc.ServedByCiliumEnvoy() && d.Name == cluster.Cilium && d.Version.Known() && !d.Version.Before(1, 16, 5):
		// Every node answers well, whatever stands in the EndpointSlices (cilium/cilium v1.16.5 pkg/service/healthserver.go).
		return Receives{Receives: cluster.Yes}
	case svc.ServedByCiliumEnvoy():
		return undecided(provider.HealthNotKnown)
	case takenForOwn(svc, d, row) > 0 && !servesHealthChecks(d):
		return undecided(provider.HealthNotKnown)
	case takenForOwn(svc, d, row) == 0:
		return withheld("NoLocalEndpoint", provider.NoLocalEndpoint)
	case older(d, 23):
		// Before v1.23 the health check node port was served on every address.
		return Receives{Receives: cluster.Yes}
	}
	switch checkServed(svc, d, row.Node) {
	case cluster.Yes:
		return Receives{Receives: cluster.Yes}
	case cluster.No:
		if d.Version.Known() {
			return withheld("HealthCheckNotServed", provider.CheckNotServed)
		}
	case cluster.Undetermined:
	}
	return undecided(provider.HealthNotKnown)
}

// servesHealthChecks: the data plane is known to answer at health check node ports. kube-router does since v2.1 (cloudnativelabs/kube-router
// pkg/controllers/proxy/service_endpoints_sync.go, CHANGELOG).
func servesHealthChecks(d *cluster.Dataplane) bool {
	switch d.Name {
	case cluster.KubeProxy, cluster.Windows, cluster.Cilium, cluster.CalicoEBPF, cluster.Antrea, cluster.OVNKubernetes:
		return true
	case cluster.KubeRouter:
		return d.Version.Known() && !d.Version.Before(2, 1, 0)
	case cluster.UnknownDataplane:
	}
	return false
}

// answersAtNodePort asks each TCP port of the Service, as a client outside finds it: each listener has a health check of its own. A Service whose ports differ, or that has
// no TCP port, is not judged.
func answersAtNodePort(svc *cluster.Service, row *Row) Receives {
	answers, silent := false, false
	for i := range row.Paths {
		p := &row.Paths[i]
		if p.From != dataplane.External || p.To != dataplane.NodePort || p.Protocol != cluster.TCP {
			continue
		}
		switch {
		case p.Outcome == dataplane.Reachable:
			answers = true
		case p.Fails():
			silent = true
		default:
			return undecided(provider.HealthNotKnown)
		}
	}
	switch {
	case answers == silent:
		return undecided(provider.HealthNotKnown)
	case answers:
		return Receives{Receives: cluster.Yes}
	case svc.ExternalTrafficPolicy == cluster.PolicyLocal && row.Endpoints.Ready == 0:
		return withheld("NoLocalEndpoint", provider.NodePortSilent)
	default:
		return withheld("HealthCheckFails", provider.NodePortSilent)
	}
}

// older says whether a data plane is known to be of a release before v1.minor.
func older(d *cluster.Dataplane, minor int) bool {
	return d.Version.Known() && d.Version.Before(1, minor, 0)
}

// checkServed says whether a node answers health checks of a Service: nodePortAddresses are for health check node ports too. It is Undetermined where it answers in one
// family only: each family listens for itself, on one port, and who comes first takes it from the other.
func checkServed(svc *cluster.Service, d *cluster.Dataplane, node *cluster.Node) cluster.Tristate {
	both := dataplane.Families(svc.ClusterIPs)
	first, last := dataplane.ServesNodePorts(d, node, both[0]), dataplane.ServesNodePorts(d, node, both[len(both)-1])
	switch {
	case first == cluster.No:
		return cluster.No
	case last == cluster.No:
		return cluster.Undetermined
	}
	return cluster.Yes
}

// takenForOwn counts the ready endpoints that kube-proxy on a node takes for the node's own: those that name the node it runs as.
func takenForOwn(svc *cluster.Service, d *cluster.Dataplane, row *Row) int {
	name := d.ProxyNodeName(row.Node)
	if name == row.Node.Name {
		return row.Endpoints.Ready
	}
	own := 0
	for i := range svc.Endpoints {
		if e := &svc.Endpoints[i]; e.Ready && e.Node == name {
			own++
		}
	}
	return own
}

// Outside is what connections from outside the cluster to the load balancer's addresses come to, over all backends that the load balancer may pick; the worst port.
type Outside struct {
	// Outcome is Unknown where it is not known which nodes the load balancer sends to, and that matters.
	Outcome dataplane.Outcome
	// Failing is the share of connections that fail, 0 to 1; FailingKnown is false where it is not known.
	Failing      float64
	FailingKnown bool
	// ClientIP is what the endpoint sees in the end, both halves together.
	ClientIP provider.ClientIP
	// Mixed: the client's address survives on some nodes only; ClientIP is Unknown then.
	Mixed bool
	Basis dataplane.Basis
}

// outside is the worst of the Service's ports.
func outside(r *Report) Outside {
	worst := Outside{ClientIP: provider.UnknownClientIP}
	for i := range r.Service.Ports {
		o := outsideOf(r, i)
		if i == 0 || o.Outcome.Badness() > worst.Outcome.Badness() || o.Outcome == worst.Outcome && o.Failing > worst.Failing {
			worst = o
		}
	}
	return worst
}

// outsideOf folds the load balancer's choice and what each node then does, for one port of the Service by its index.
func outsideOf(r *Report, port int) Outside {
	svc, lb := r.Service, r.Provider
	switch {
	case svc.Type != cluster.TypeLoadBalancer, len(svc.Ingress) == 0, lb.Name == "", lb.SharedWithOthers:
	case lb.Backends != provider.Pods:
		return outsideAt(r, &svc.Ports[port])
	case svc.EndpointsKnown && dataplane.Served(svc, port):
		return Outside{Outcome: dataplane.Reachable, FailingKnown: true, ClientIP: lb.ClientIP, Basis: dataplane.Documented}
	}
	return Outside{ClientIP: provider.UnknownClientIP}
}

// outsideAt is outsideOf where the load balancer sends to nodes.
func outsideAt(r *Report, port *cluster.Port) Outside {
	o := Outside{ClientIP: provider.UnknownClientIP, Basis: dataplane.Measured, FailingKnown: true}
	works, fails, open, perhaps := 0, 0, false, false
	var failure dataplane.Outcome
	kept, rewritten, mayKeep, mayRewrite := false, false, false, false
	for i := range r.Nodes {
		row := &r.Nodes[i]
		to := &row.LoadBalancer
		if to.Receives == cluster.No {
			if to.PodShare > 0 && row.Node.VirtualKubelet {
				works++ // its pods are backends themselves
				kept, o.Basis = true, min(o.Basis, dataplane.Source)
			}
			continue
		}
		for j := range row.Paths {
			p := &row.Paths[j]
			if p.From != dataplane.External || p.Port != port.Port || p.Protocol != port.Protocol || p.To != dataplane.LoadBalancerIP && p.To != dataplane.LoadBalancerHostname {
				continue
			}
			if to.Receives == cluster.Undetermined {
				// It may be sent something, or nothing.
				open = open || p.Outcome != dataplane.Reachable
				perhaps = perhaps || !p.Fails()
				mayKeep = mayKeep || p.Outcome == dataplane.Reachable && p.ClientIP != dataplane.Rewritten
				mayRewrite = mayRewrite || p.Outcome == dataplane.Reachable && p.ClientIP != dataplane.Preserved
				o.FailingKnown = o.FailingKnown && p.Outcome == dataplane.Reachable
				continue
			}
			o.Basis = min(o.Basis, p.Basis)
			switch {
			case p.Outcome == dataplane.Reachable:
				works++
				kept = kept || p.ClientIP != dataplane.Rewritten
				rewritten = rewritten || p.ClientIP != dataplane.Preserved
			case p.Fails():
				fails++
				if failure != dataplane.Unknown && failure != p.Outcome {
					failure = dataplane.TimedOut
				} else {
					failure = p.Outcome
				}
				o.Failing += to.Share
				o.FailingKnown = o.FailingKnown && to.Share > 0
			default:
				open, o.FailingKnown = true, false
			}
		}
	}
	switch {
	case works == 0 && (fails == 0 || perhaps || open):
		return Outside{ClientIP: provider.UnknownClientIP}
	case works == 0:
		o.Outcome, o.Failing, o.FailingKnown = failure, 1, true
		return o
	case fails > 0:
		o.Outcome = dataplane.Partial
	case open:
		return Outside{ClientIP: provider.UnknownClientIP}
	default:
		o.Outcome = dataplane.Reachable
	}
	o.ClientIP = r.Provider.ClientIP
	if o.ClientIP == provider.Preserved {
		switch {
		case kept && rewritten:
			o.ClientIP, o.Mixed = provider.UnknownClientIP, true
		case kept && mayRewrite, rewritten && mayKeep:
			o.ClientIP = provider.UnknownClientIP
		case rewritten:
			o.ClientIP = provider.Rewritten
		}
	}
	return o
}
