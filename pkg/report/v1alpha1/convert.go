package v1alpha1

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// List converts reports, in their order.
func List(reports iter.Seq[*report.Report]) *ServiceReportList {
	l := &ServiceReportList{APIVersion: APIVersion, Kind: "ServiceReportList", Items: []ServiceReport{}}
	for r := range reports {
		l.Items = append(l.Items, *Of(r))
	}
	return l
}

// Of converts one report.
func Of(r *report.Report) *ServiceReport {
	known := r.Service.EndpointsKnown
	return &ServiceReport{
		APIVersion:  APIVersion,
		Kind:        "ServiceReport",
		Service:     service(r.Service),
		Dataplane:   plane(r.Dataplane),
		Provider:    balancer(r.Provider),
		Unsupported: r.Unsupported,
		Outside:     outside(&r.Outside),
		Nodes:       each(r.Nodes, func(row *report.Row) Node { return node(row, known) }),
		Limits: each(r.Limits, func(l *report.Limit) Limit {
			return Limit{Clients: Clients(l.Clients), Source: l.Source, Reason: l.Reason}
		}),
		Rules:    rules(r.Nodes),
		Findings: each(r.Findings, one),
		Gaps:     each(r.Gaps, gap),
	}
}

// each is never nil: there are no nulls in a report.
func each[A, B any](list []A, convert func(*A) B) []B {
	out := make([]B, len(list))
	for i := range list {
		out[i] = convert(&list[i])
	}
	return out
}

func service(s *cluster.Service) Service {
	addresses := []Address{}
	for t := range dataplane.Addresses(s) {
		addresses = append(addresses, Address{Kind: AddressKind(t.To.String()), Address: t.Host(), IPMode: string(t.IPMode)})
	}
	out := Service{
		Namespace: s.Namespace, Name: s.Name, Type: string(s.Type),
		ExternalTrafficPolicy: string(s.ExternalTrafficPolicy), InternalTrafficPolicy: string(s.InternalTrafficPolicy),
		HealthCheckNodePort: int(s.HealthCheckNodePort),
		Addresses:           addresses,
		Ports: each(s.Ports, func(p *cluster.Port) Port {
			return Port{Name: p.Name, Protocol: string(p.Protocol), Port: int(p.Port), NodePort: int(p.NodePort), TargetPort: p.TargetPort}
		}),
	}
	if f := s.LastFix; f != nil {
		out.LastFix = &Fix{Mode: f.Mode, Time: f.Time.UTC().Format(time.RFC3339), Undo: "kubectl etp undo svc/" + s.Name + " -n " + s.Namespace}
	}
	return out
}

func plane(d *cluster.Dataplane) Dataplane {
	if d == nil || d.Name == "" {
		d = &cluster.Dataplane{Name: cluster.UnknownDataplane}
	}
	out := Dataplane{
		Name: string(d.Name), Mode: string(d.Mode), Version: d.Version.String(), PodDetection: PodDetection(d.PodDetection()), Source: d.Source,
		Confidence: confidence(d.Confidence), VersionConfidence: confidence(d.VersionConfidence),
	}
	if d.VersionSource != d.Source {
		out.VersionSource = d.VersionSource
	}
	return out
}

// confidence of what nobody claimed to know is Unknown.
func confidence(c cluster.Confidence) Confidence {
	if c == "" {
		return Confidence(cluster.UnknownConfidence)
	}
	return Confidence(c)
}

func balancer(p provider.LoadBalancer) Provider {
	announcer := ""
	if p.OneAnnouncer {
		announcer = p.Announcers[0].Node
	}
	return Provider{
		Announcer: announcer,
		Name:      p.Name, Product: p.Product, Source: p.Source,
		Backends:    Backends(cmp.Or(p.Backends, provider.UnknownBackends)),
		HealthCheck: BackendCheck(p.HealthCheck()),
		Delivery:    Delivery(cmp.Or(p.Delivery, provider.UnknownDelivery)),
		Weights:     Weights(cmp.Or(p.Weights, provider.UnknownWeights)),
		ClientIP:    ProviderClientIP(cmp.Or(p.ClientIP, provider.UnknownClientIP)),
	}
}

func outside(o *report.Outside) Outside {
	out := Outside{
		Outcome: OutsideOutcome(o.Outcome.String()), ClientIP: OutsideClientIP(cmp.Or(o.ClientIP, provider.UnknownClientIP)), Basis: Basis(dataplane.NoBasis.String()),
	}
	if o.Outcome != dataplane.Unknown {
		out.Basis = Basis(o.Basis.String())
	}
	if o.FailingKnown {
		out.Failing = &o.Failing
	}
	if o.Mixed {
		out.ClientIP = OutsideClientIP(dataplane.Mixed.String())
	}
	return out
}

func loadBalancer(r *report.Receives) LoadBalancer {
	out := LoadBalancer{Receives: tristate(r.Receives), Reason: r.Reason, Share: r.Share, PodShare: r.PodShare}
	if r.Rule != nil {
		out.Rule = r.Rule.ID
	}
	return out
}

func tristate(t cluster.Tristate) Tristate {
	switch t {
	case cluster.Yes:
		return "Yes"
	case cluster.No:
		return "No"
	case cluster.Undetermined:
	}
	return "Unknown"
}

func node(row *report.Row, known bool) Node {
	n := Node{
		Name: row.Node.Name, Zone: row.Node.Zone, Known: row.Node.Known, Ready: row.Node.Ready == cluster.Yes,
		Schedulable: row.Node.Known && !row.Node.Unschedulable,
		Endpoints: EndpointCounts{
			Known: known, Ready: row.Endpoints.Ready, ServingTerminating: row.Endpoints.ServingTerminating, NotReady: row.Endpoints.NotReady,
		},
		LoadBalancer: loadBalancer(&row.LoadBalancer),
		Paths:        each(row.Paths, path),
	}
	if row.Node.Dataplane != nil {
		own := plane(row.Node.Dataplane)
		n.Dataplane = &own
	}
	if row.Live != nil {
		n.Live = &Live{HealthCheck: HealthCheck(row.Live.HealthCheck), LocalEndpoints: row.Live.LocalEndpoints, Reason: row.Live.Reason}
	}
	return n
}

func path(p *dataplane.Path) Path {
	out := Path{
		From: From(p.From.String()), To: To(p.To.String()), Port: int(p.Port), Protocol: string(p.Protocol),
		Outcome: Outcome(p.Outcome.String()), Endpoints: Endpoints(p.Endpoints.String()), ClientIP: ClientIP(p.ClientIP.String()),
		ExtraHop: ExtraHop(p.ExtraHop.String()), Basis: Basis(p.Basis.String()),
		Topology: p.Topology,
	}
	switch {
	case p.To == dataplane.LoadBalancerHostname:
		out.Address = p.Hostname
	case p.Address.IsValid():
		out.Address = p.Address.String()
	}
	if p.Rule != nil {
		out.Rule = p.Rule.ID
	}
	if p.Outcome == dataplane.Unknown {
		for _, o := range p.Could.All() {
			out.Could = append(out.Could, Outcome(o.String()))
		}
	}
	return out
}

// rules that the paths and the nodes' parts name, each once.
func rules(rows []report.Row) []Rule {
	seen := map[*dataplane.Rule]bool{}
	named := map[*provider.Rule]bool{}
	list := []Rule{}
	for i := range rows {
		if r := rows[i].LoadBalancer.Rule; r != nil && !named[r] {
			named[r] = true
			list = append(list, Rule{ID: r.ID, Reason: r.Reason, Source: r.Origin})
		}
		for j := range rows[i].Paths {
			r := rows[i].Paths[j].Rule
			if r == nil || seen[r] {
				continue
			}
			seen[r] = true
			list = append(list, Rule{ID: r.ID, Reason: r.Reason, Source: r.Source})
		}
	}
	slices.SortStableFunc(list, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func one(f *finding.Finding) Finding {
	out := Finding{
		Code: f.Code, Severity: Severity(f.Severity.String()), Result: Result(f.Result.String()), Title: f.Title, Message: f.Message, Detail: f.Detail, Confirm: f.Confirm,
		Subject:  Subject(f.Subject),
		Evidence: each(f.Evidence, func(e *finding.Evidence) Evidence { return Evidence(*e) }),
		Remedies: []string{},
		Advice:   []Advice{},
	}
	for _, r := range f.Remedies {
		if r.Mode != "" {
			out.Remedies = append(out.Remedies, r.Mode)
		}
		if r.Text != "" {
			out.Advice = append(out.Advice, Advice{Mode: r.Mode, Text: r.Text, Gain: r.Gain})
		}
	}
	return out
}

func gap(g *cluster.Gap) Gap {
	return Gap{Resource: g.Resource, Verb: g.Verb, Reason: GapReason(g.Reason), Namespace: g.Namespace, Name: g.Name, Message: g.Message}
}
