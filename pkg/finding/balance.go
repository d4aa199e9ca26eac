package finding

import (
	"fmt"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

var uneven = Kind{
	Code: UnevenLoad, Severity: Warning, Title: "Uneven load under externalTrafficPolicy Local",
	Explain: "The load balancer gives each node the same share, and the node divides it among its own endpoints: where one node has two endpoints and another has one, " +
		"the one gets twice the traffic. Spread the pods evenly over nodes.",
	hiddenBy: []string{NoReadyEndpoint},
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
		r.Message = fmt.Sprintf("uneven load: a pod on %s gets %.1fx the traffic of a pod on %s", most.Node.Name, times, least.Node.Name)
		if !known {
			r.Result = Unknown
			r.Message = fmt.Sprintf("the load may be uneven: a pod on %s would get %.1fx the traffic of a pod on %s; how this load balancer divides connections is not known",
				most.Node.Name, times, least.Node.Name)
			if lb.Weights == provider.ByZone {
				r.Message = fmt.Sprintf("the load may be uneven: without cross-zone load balancing a pod on %s gets %.1fx the traffic of a pod on %s, where clients use the addresses of all zones alike",
					most.Node.Name, times, least.Node.Name)
			}
		}
		for _, row := range []*Row{most, least} {
			r.Evidence = append(r.Evidence, Evidence{
				Fact:   fmt.Sprintf("node %s has %s", row.Node.Name, english.Count(row.Endpoints.Ready, "ready endpoint", "")),
				Source: f.slices(row.Node),
			})
		}
		if known {
			r.Remedies = []Remedy{{Mode: "spread"}, {Mode: "anti-affinity"}}
		}
		return []Finding{r}
	},
}

// unevenness finds the rows of which a pod gets the most and the least, by what a pod of a row gets, and how many times the least the most is.
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

// byZone is what a pod of a row gets where each zone with a row gets the same, and each row of a zone.
func byZone(rows []*Row) func(*Row) float64 {
	in := map[string]int{}
	for _, row := range rows {
		in[row.Node.Zone]++
	}
	return func(row *Row) float64 { return 1 / float64(in[row.Node.Zone]*row.Endpoints.Ready) }
}

var singleNode = Kind{
	Code: SingleNode, Severity: Warning, Title: "All external traffic depends on one node",
	Explain:  "Under externalTrafficPolicy Local only nodes with a ready endpoint receive traffic. With one such node, its end is the end of the Service from outside.",
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "more than one node has a ready endpoint",
	applies:  every(needsLocalPolicy, needsNodesAsBackends, needsNoPending),
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
		if f.Provider.Announced && only.LoadBalancer.Receives != cluster.Yes && f.Provider.Name != "metallb" {
			r.Result = Unknown
			r.Message = fmt.Sprintf("only node %s has a ready endpoint; whether it is the node that announces the address is not known", only.Node.Name)
			return []Finding{r}
		}
		r.Remedies = []Remedy{{Mode: "spread"}, {Mode: "anti-affinity"}}
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

// sentNothing: the load balancer is known not to send to the node.
func (f *Facts) sentNothing(row *Row) bool {
	return f.Service.Type == cluster.TypeLoadBalancer && row.LoadBalancer.Receives == cluster.No
}
