package finding

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

var needsAnnouncement = unless(func(f *Facts) bool { return f.Provider.Announced }, "no node announces its address")

var announcerFact = fact{"announcer", func(f *Facts) *lack {
	if len(f.Provider.Announcers) > 0 && !f.Provider.AnnouncersMayBeOld || f.Provider.FollowsEndpoints() {
		return nil
	}
	if !slices.ContainsFunc(f.Rows, func(r Row) bool { return r.Endpoints.Ready == 0 && !r.Node.IsVirtual() }) {
		return nil // whichever node it is, it has an endpoint
	}
	message := "it is not known which node announces the address; with policy Local it needs a ready endpoint"
	_, sentence := f.Provider.AnnouncerShown(f.Service)
	l := &lack{asked: true, message: message, evidence: []Evidence{{Fact: "load balancer: " + f.Provider.Title, Source: f.Provider.Source}}}
	if sentence != "" {
		l.detail = sentence + "."
	}
	return l
}}

// electionFact is the program that elects the node that announces. A check says itself what its version decides.
var electionFact = fact{receivesFact.name, func(*Facts) *lack { return nil }}

var announcerWithoutEndpoint = Kind{
	Code: AnnouncerWithoutEndpoint, Severity: Error, Title: "The node that announces the address has no ready endpoint",
	Explain: "By layer 2 (ARP, NDP) one node announces a load balancer address and gets every connection from outside. With externalTrafficPolicy Local it hands them to its own " +
		"endpoints only: if it has none, nothing works from outside, and if it has one of many, that one gets everything. MetalLB only announces from nodes with an endpoint; kube-vip " +
		"without svc_election, and Cilium before v1.20.2, choose any node. A Lease, a ServiceL2Status or an annotation names the node; more pods on other nodes do not help. Confirm " +
		"from outside, in the same network, with: arping ADDRESS (compare the answer with the MAC addresses of the nodes)",
	Sources: []string{
		"kube-vip/kube-vip v1.2.3 pkg/services/services.go", "https://github.com/kube-vip/kube-vip/issues/790", "cilium/cilium v1.20.2 pkg/l2announcer/l2announcer.go",
		"https://github.com/cilium/cilium/issues/27800", "metallb/metallb v0.16.2 api/v1beta1/servicel2status_types.go, speaker/layer2_controller.go",
	},
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "a node that announces the address has a ready endpoint",
	applies:  every(needsLoadBalancer, needsAssignedAddress, needsAnnouncement, needsLocalPolicy),
	reads:    []fact{endpointsFact, nodesFact, electionFact, announcerFact},
	check: func(f *Facts) []Finding {
		if !f.Service.EndpointsKnown || f.Service.ServedByCiliumEnvoy() {
			return nil
		}
		var without *Row
		source := ""
		for _, a := range f.Provider.Announcers {
			i := slices.IndexFunc(f.Rows, func(r Row) bool { return r.Node.Name == a.Node })
			if i < 0 {
				continue
			}
			if row := &f.Rows[i]; row.Endpoints.Ready+row.Endpoints.ServingTerminating == 0 && row.LoadBalancer.Receives != cluster.No {
				without, source = row, a.Source
				break
			}
		}
		if without == nil {
			return nil
		}
		fails := "fail"
		var path *dataplane.Path
		for i := range without.Paths {
			if p := &without.Paths[i]; p.From == dataplane.External && p.To == dataplane.LoadBalancerIP {
				path = p
				break
			}
		}
		if path != nil && path.Fails() {
			fails = verb(path.Outcome)
		}
		r := f.finding(Error)
		connections := "connections from outside that it gets"
		if f.Provider.OneAnnouncer {
			connections = "all connections from outside"
		}
		r.Message = fmt.Sprintf("node %s announces the address and has no ready endpoint: %s %s", without.Node.Name, connections, fails)
		if f.Provider.AnnouncersMayBeOld {
			r.Result = Unknown
			r.Message = fmt.Sprintf("node %s may announce the address, and has no ready endpoint: connections from outside that it gets %s", without.Node.Name, fails)
		}
		if path != nil && path.Rule != nil {
			r.Detail = fmt.Sprintf("Reason, on %s: %s.", without.Node.Name, path.Rule.Reason)
		}
		r.Evidence = []Evidence{{Fact: without.Node.Name + " announces the address", Source: source}, {Fact: "node " + without.Node.Name + " has no ready endpoint", Source: f.slices(without.Node)}}
		if path != nil {
			r.Confirm = f.confirm(dataplane.External, hit{without, path})
		}
		if how := f.Provider.ElectsEndpoints(); how != "" {
			r.Remedies = append(r.Remedies, Remedy{Text: how})
		}
		r.Remedies = append(r.Remedies, Remedy{Text: fmt.Sprintf("Run a pod on %s, for now, or on every node (DaemonSet)", without.Node.Name)})
		return []Finding{r}
	},
}

var announcedByAnyNode = Kind{
	Code: AnnouncedByAnyNode, Severity: Warning, Title: "Any node may announce the address, although only some have an endpoint",
	Explain: "With externalTrafficPolicy Local the node that announces the address needs a ready endpoint. Here the program that announces addresses may elect another node: it works " +
		"today, or for some Services, and fails after the next election. Cilium's documentation calls Local incompatible with L2 announcements; since v1.20.2 only nodes with an endpoint " +
		"take part in the election. Confirm the elected node with: kubectl get lease cilium-l2announce-NAMESPACE-NAME -n kube-system -o yaml",
	Sources:  []string{"cilium/cilium v1.20.2 Documentation/network/l2-announcements.rst, pkg/l2announcer/l2announcer.go", "https://github.com/cilium/cilium/issues/27800"},
	hiddenBy: []string{NoReadyEndpoint, AnnouncerWithoutEndpoint},
	passed:   "only nodes with an endpoint announce the address",
	applies:  every(needsLoadBalancer, needsAssignedAddress, needsAnnouncement, needsLocalPolicy),
	reads:    []fact{endpointsFact, nodesFact, electionFact},
	check: func(f *Facts) []Finding {
		if !f.Service.EndpointsKnown || f.Service.ServedByCiliumEnvoy() {
			return nil
		}
		holds, reason := f.Provider.ElectsAnyNode(f.Snapshot, f.Service)
		without := 0
		for i := range f.Rows {
			if row := &f.Rows[i]; row.Endpoints.Ready == 0 && row.Node.Known && !row.Node.IsVirtual() {
				without++
			}
		}
		if holds == cluster.No || reason == "" || without == 0 {
			return nil
		}
		r := f.finding(Warning)
		r.Message = fmt.Sprintf("a node without an endpoint may announce the address: %s no ready endpoint", onNodes(without, len(f.Rows))+english.Word(without, " has", " have"))
		r.Detail = "Reason: " + reason + "."
		if holds == cluster.Undetermined {
			r.Result = Unknown
		}
		r.Evidence = []Evidence{{Fact: "load balancer: " + f.Provider.Title, Source: f.Provider.Source}}
		if command, _ := f.Provider.AnnouncerShown(f.Service); plain(f.Service.Namespace) && plain(f.Service.Name) {
			r.Confirm = command
		}
		if how := f.Provider.ElectsEndpoints(); how != "" {
			r.Remedies = append(r.Remedies, Remedy{Text: how})
		}
		return []Finding{r}
	},
}
