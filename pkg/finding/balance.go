package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

var unevenLoad = Kind{
	Code: UnevenLoad, Severity: Warning, degrades: true, Title: "Uneven load with externalTrafficPolicy Local",
	Explain: "The load balancer gives every node the same share, and with policy Local the node divides it among its own endpoints only. The pod on a node with one endpoint gets " +
		"twice the traffic of a pod on a node with two. Spread the pods evenly over nodes.",
	hiddenBy: []string{NoReadyEndpoint, CrossZoneOff},
	passed:   "no pod gets twice the traffic of another",
	applies:  every(needsLoadBalancerOfNodes, needsLocalPolicy, needsSpreading),
	reads:    []fact{endpointsFact, nodesFact, receivesFact, weightsFact},
	check: func(f *Facts) []Finding {
		lb := &f.Provider
		if lb.Weights == provider.ByEndpoints {
			return nil
		}
		var rows []*Row
		known := lb.Weights == provider.EqualWeights
		for i := range f.Rows {
			row := &f.Rows[i]
			known = known && row.LoadBalancer.Receives != cluster.Undetermined
			if row.LoadBalancer.Receives != cluster.No && row.Endpoints.Ready > 0 {
				rows = append(rows, row)
			}
		}
		most, least, times := unevenness(rows, func(row *Row) float64 { return 1 / float64(row.Endpoints.Ready) })
		if !known && lb.Weights != provider.EqualWeights && times < 2 {
			most, least, times = unevenness(rows, byZone(rows))
		}
		if times < 2 {
			return nil
		}
		r := f.finding(Warning)
		compared := fmt.Sprintf("%.1fx the traffic of a pod on %s", times, least.Node.Name)
		switch {
		case known:
			r.Message = fmt.Sprintf("uneven load: %s gets %s", podOn(most), compared)
		case lb.Weights == provider.ByZone:
			r.Result = Unknown
			r.Message = fmt.Sprintf("the load may be uneven: without cross-zone load balancing %s gets %s, if clients use the addresses of all zones equally", podOn(most), compared)
		default:
			r.Result = Unknown
			r.Message = fmt.Sprintf("the load may be uneven: %s gets %s, if the load balancer gives every node the same share, which is not known", podOn(most), compared)
		}
		for _, row := range []*Row{most, least} {
			r.Evidence = append(r.Evidence, Evidence{
				Fact:   fmt.Sprintf("node %s has %s", row.Node.Name, english.Count(row.Endpoints.Ready, "ready endpoint", "")),
				Source: f.slices(row.Node),
			})
		}
		return []Finding{r}
	},
}

// podOn is one of the pods on a node, or the only one.
func podOn(row *Row) string {
	return english.Word(row.Endpoints.Ready, "the pod", "a pod") + " on " + row.Node.Name
}

// unevenness finds the rows whose pods get the most and the least, given what each pod of a row gets, and how many times the least the most is.
func unevenness(rows []*Row, each func(*Row) float64) (most, least *Row, times float64) {
	for _, row := range rows {
		if most == nil || each(row) > each(most) {
			most = row
		}
		if least == nil || each(row) < each(least) {
			least = row
		}
	}
	if most == nil {
		return nil, nil, 0
	}
	return most, least, each(most) / each(least)
}

// byZone is what each pod of a row gets where every zone that has a row gets the same share, and every row in a zone.
func byZone(rows []*Row) func(*Row) float64 {
	in := map[string]int{}
	for _, row := range rows {
		in[row.Node.Zone]++
	}
	return func(row *Row) float64 { return 1 / float64(in[row.Node.Zone]*row.Endpoints.Ready) }
}

var singleNode = Kind{
	Code: SingleNode, Severity: Warning, degrades: true, Title: "All traffic from outside depends on one node",
	Explain:  "With externalTrafficPolicy Local only nodes that have a ready endpoint get traffic from outside. Here that is one node: if it goes down, the Service is down.",
	hiddenBy: []string{NoReadyEndpoint, AnnouncerWithoutEndpoint},
	passed:   "more than one node has a ready endpoint",
	applies:  every(needsLocalPolicy, needsNodesAsBackends, needsAssignedAddress),
	reads:    []fact{endpointsFact, otherNodesFact, reachedNodeFact},
	check: func(f *Facts) []Finding {
		only := f.onlyNode()
		if only == nil || f.sentNothing(only) || len(f.Rows) < 2 {
			return nil
		}
		r := f.finding(Warning)
		r.Message = fmt.Sprintf("if node %s goes down, nothing works from outside: it has the only ready endpoint", only.Node.Name)
		if only.Endpoints.Ready > 1 {
			r.Message = fmt.Sprintf("if node %s goes down, nothing works from outside: it has all %d ready endpoints", only.Node.Name, only.Endpoints.Ready)
		}
		r.Evidence = []Evidence{{Fact: fmt.Sprintf("only node %s has a ready endpoint", only.Node.Name), Source: f.slices(only.Node)}}
		if f.Provider.Announced && only.LoadBalancer.Receives != cluster.Yes && !f.Provider.FollowsEndpoints() {
			r.Result = Unknown
			r.Message = fmt.Sprintf("only node %s has a ready endpoint; it is not known whether this node announces the address", only.Node.Name)
			return []Finding{r}
		}
		if len(f.Service.Backends(nil)) == 1 {
			r.Remedies = []Remedy{{Text: "Run at least 2 replicas, on different nodes"}}
		}
		return []Finding{r}
	},
}

// onlyNode is the row of the one node that has ready endpoints, nil where none or several have.
func (f *Facts) onlyNode() (only *Row) {
	for i := range f.Rows {
		switch row := &f.Rows[i]; {
		case row.Endpoints.Ready == 0:
		case only != nil:
			return nil
		default:
			only = row
		}
	}
	return only
}

// sentNothing says whether the load balancer is known not to send to the node.
func (f *Facts) sentNothing(row *Row) bool {
	return f.Service.Type == cluster.TypeLoadBalancer && row.LoadBalancer.Receives == cluster.No
}

var crossZoneOff = Kind{
	Code: CrossZoneOff, Severity: Warning, degrades: true, Title: "Without cross-zone load balancing, pods get uneven load",
	Explain: "An AWS Network Load Balancer has one address in each zone, and each sends to the targets of its own zone only unless cross-zone load balancing is on; it is off by default. " +
		"If clients use all addresses alike, a zone with one pod gets as much as a zone with ten. Turn cross-zone load balancing on (traffic between zones is charged), or run as many " +
		"pods in each zone. Confirm with: aws elbv2 describe-load-balancer-attributes --load-balancer-arn ARN",
	Sources:  []string{"https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html (cross-zone load balancing), 2026"},
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "zones do not make the load uneven",
	applies: every(needsLoadBalancer, needsAssignedAddress, unless(func(f *Facts) bool { return f.Provider.Weights == provider.ByZone },
		"its load balancer is not known to divide connections by zone")),
	reads: []fact{endpointsFact, nodesFact},
	check: func(f *Facts) []Finding {
		if !f.Service.EndpointsKnown || f.Provider.Backends != provider.Pods && f.Service.ExternalTrafficPolicy != cluster.PolicyLocal {
			return nil // under policy Cluster, nodes divide what they get among all pods
		}
		var rows []*Row
		zones := map[string]int{}
		for i := range f.Rows {
			row := &f.Rows[i]
			out := f.Provider.Backends != provider.Pods && row.LoadBalancer.Receives == cluster.No
			if row.Endpoints.Ready == 0 || out {
				continue
			}
			if row.Node.Zone == "" {
				return nil
			}
			rows = append(rows, row)
			zones[row.Node.Zone] += row.Endpoints.Ready
		}
		if len(zones) < 2 {
			return nil
		}
		each := byZone(rows)
		if f.Provider.Backends == provider.Pods {
			each = func(row *Row) float64 { return 1 / float64(zones[row.Node.Zone]) }
		}
		most, least, times := unevenness(rows, each)
		if times < 2 || most.Node.Zone == least.Node.Zone {
			return nil
		}
		r := f.finding(Warning)
		r.Message = fmt.Sprintf("cross-zone load balancing is off: %s gets %.1fx the traffic of a pod on %s, if clients use the addresses of all zones equally", podOn(most), times, least.Node.Name)
		for _, row := range []*Row{most, least} {
			r.Evidence = append(r.Evidence, Evidence{
				Fact:   fmt.Sprintf("zone %s has %s", row.Node.Zone, english.Count(zones[row.Node.Zone], "ready endpoint", "")),
				Source: f.slices(row.Node),
			})
		}
		if s := f.Provider.CrossZone(f.Service); s.Key != "" {
			r.Remedies = []Remedy{{Text: f.annotate(s), Gain: "every address then sends to all zones; traffic between zones may be charged"}}
		}
		r.Remedies = append(r.Remedies, Remedy{Text: "Or run as many pods in each zone: topologySpreadConstraints with topologyKey topology.kubernetes.io/zone"})
		return []Finding{r}
	},
}
