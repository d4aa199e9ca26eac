package report

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/route"
)

// Diagnose makes one Report for each Service of the snapshot, in the snapshot's order. It keeps references into the
// snapshot and changes nothing in it.
func Diagnose(s *cluster.Snapshot) []Report {
	order := route.Order(s.Nodes)
	reports := make([]Report, len(s.Services))
	for i := range s.Services {
		reports[i] = diagnose(s, &s.Services[i], order)
	}
	return reports
}

func diagnose(s *cluster.Snapshot, svc *cluster.Service, order []int) Report {
	r := Report{Service: svc, Dataplane: &s.Dataplane, Provider: provider.Of(s, svc), Gaps: s.Gaps, Unsupported: unsupported(svc)}
	if r.Unsupported != "" {
		return r
	}
	r.Nodes, r.Nowhere = route.Rows(s, svc, r.Provider, order)
	r.Outside = route.FromOutside(svc, r.Provider, r.Nodes)
	r.Findings, r.Silent = finding.Check(&finding.Facts{Snapshot: s, Service: svc, Provider: r.Provider, Rows: r.Nodes, Nowhere: r.Nowhere})
	advise(s, &r)
	r.Limits = limits(s)
	r.Doubt, r.Verdict = doubt(&r), Judge(&r)
	return r
}

// advise adds to each finding what can be done about it.
func advise(s *cluster.Snapshot, r *Report) {
	facts := &remedy.Facts{Snapshot: s, Service: r.Service, Provider: r.Provider, Findings: r.Findings}
	offers := remedy.Offers(facts)
	for i := range r.Findings {
		r.Findings[i].Remedies = remedy.Advice(facts, offers, &r.Findings[i])
	}
}

func unsupported(svc *cluster.Service) string {
	switch {
	case svc.Type == cluster.TypeExternalName:
		return "it is of type ExternalName, a DNS name for something else: nodes do not handle it, and no traffic policy applies"
	case len(svc.Ports) == 0:
		return "it has no ports, so nothing can connect to it"
	case svc.Type == cluster.TypeClusterIP && len(svc.ExternalIPs) == 0 && svc.Headless:
		return "it is headless: clients connect to the pods' own addresses, and nodes do not handle it"
	case svc.Type == cluster.TypeClusterIP && len(svc.ExternalIPs) == 0:
		return "it is of type ClusterIP without external IPs: only clients inside the cluster can connect, and externalTrafficPolicy does not apply"
	default:
		return unknownWord(svc)
	}
}

// unknownWord says which field of a Service has a value that this program does not know. A newer API server may have
// such values; what nodes do with them is not known.
func unknownWord(svc *cluster.Service) string {
	type field struct {
		name, value string
		words       []string
	}
	fields := []field{
		{"type", string(svc.Type), []string{string(cluster.TypeClusterIP), string(cluster.TypeNodePort), string(cluster.TypeLoadBalancer), string(cluster.TypeExternalName)}},
		{"externalTrafficPolicy", string(svc.ExternalTrafficPolicy), []string{"", string(cluster.PolicyCluster), string(cluster.PolicyLocal)}},
		{"internalTrafficPolicy", string(svc.InternalTrafficPolicy), []string{"", string(cluster.PolicyCluster), string(cluster.PolicyLocal)}},
		{"trafficDistribution", svc.TrafficDistribution, []string{"", "PreferClose", "PreferSameZone", "PreferSameNode"}},
	}
	protocols := []string{string(cluster.TCP), string(cluster.UDP), string(cluster.SCTP)}
	for i := range svc.Ports {
		fields = append(fields, field{fmt.Sprintf("protocol of port %d", svc.Ports[i].Port), string(svc.Ports[i].Protocol), protocols})
	}
	for i := range svc.Ingress {
		fields = append(fields, field{"ipMode of a load balancer address", string(svc.Ingress[i].IPMode), []string{"", string(cluster.VIP), string(cluster.Proxy)}})
	}
	for _, f := range fields {
		if !slices.Contains(f.words, f.value) {
			return fmt.Sprintf("its %s is %q, which this version of kubectl etp does not support", f.name, f.value)
		}
	}
	return ""
}

// Title is the Service as namespace/name.
func (r *Report) Title() string { return fmt.Sprintf("%s/%s", r.Service.Namespace, r.Service.Name) }
