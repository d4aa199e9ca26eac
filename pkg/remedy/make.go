package remedy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Options are what the user gives besides the mode.
type Options struct {
	// Hosts are the public names for modes dns and hostname; hostname takes one.
	Hosts []string
	// With are AntiAffinity or Spread, planned together with Local.
	With []Mode
}

// HostNeeded is the error for a mode that needs a host name and has none.
type HostNeeded struct {
	Mode Mode
	// Why is what the name is for, a sentence without a full stop.
	Why string
	// Suggested are names that were found and may be the right one.
	Suggested []string
}

func (e *HostNeeded) Error() string {
	return fmt.Sprintf("--mode=%s needs a host name: %s; set it by --host", e.Mode, e.Why)
}

// Make plans a mode. It changes none of the facts. If the surroundings were not read (nil), what depends on them is not known.
//
// An unknown mode or a wrong option is an error; a missing host name is *HostNeeded. What rules the mode out for this Service is a Precondition of the plan.
func Make(mode Mode, f *Facts, o Options) (*Plan, error) {
	for _, host := range o.Hosts {
		if problem := badHost(host); problem != "" {
			return nil, fmt.Errorf("host name %q: %s", host, problem)
		}
	}
	if len(o.Hosts) > 0 && mode != Hostname && mode != DNS {
		return nil, fmt.Errorf("--host is only for --mode=hostname and --mode=dns, not for --mode=%s", mode)
	}
	for _, with := range o.With {
		if mode != Local || with != AntiAffinity && with != Spread {
			return nil, fmt.Errorf("--mode=%s cannot be combined with %s: only --mode=local can, with anti-affinity or spread", mode, with)
		}
	}
	if len(o.With) > 1 {
		return nil, fmt.Errorf("--mode=%s can be combined with anti-affinity or spread, not with both", mode)
	}
	p := newPlanner(mode, f)
	if err := p.plan(mode, o); err != nil {
		return nil, err
	}
	return p.Plan, nil
}

// unread are surroundings of which nothing was read.
func unread() *cluster.Surroundings {
	s := &cluster.Surroundings{}
	for _, resource := range []string{pods, daemonSets, configMaps, networkPolicies, ingresses, services, budgets, replicaSets} {
		s.Gaps = append(s.Gaps, cluster.Gap{Resource: resource, Verb: "list", Reason: cluster.Failed, Message: "not requested"})
	}
	return s
}

// Resources as gaps name them.
const (
	pods            = "pods"
	daemonSets      = "daemonsets.apps"
	configMaps      = "configmaps"
	networkPolicies = "networkpolicies.networking.k8s.io"
	ciliumPolicies  = "ciliumnetworkpolicies.cilium.io"
	ingresses       = "ingresses.networking.k8s.io"
	services        = "services"
	budgets         = "poddisruptionbudgets.policy"
	replicaSets     = "replicasets.apps"
)

// planner builds one plan.
type planner struct {
	*Facts
	*Plan
	// now and later are the outcomes of connections before and after the change.
	now, later *states
}

// states are predicted outcomes of connections, and how many effects the plan had when they were predicted.
type states struct {
	effects int
	reached map[dataplane.From]*reached
}

func newPlanner(mode Mode, f *Facts) *planner {
	facts := *f
	if facts.Surroundings == nil {
		facts.Surroundings = unread()
	}
	return &planner{Facts: &facts, now: &states{}, later: &states{}, Plan: &Plan{
		Mode:    mode,
		Service: cluster.Object{APIVersion: "v1", Kind: "Service", Namespace: f.Service.Namespace, Name: f.Service.Name, ResourceVersion: facts.Surroundings.Service.ResourceVersion},
	}}
}

func (p *planner) plan(mode Mode, o Options) error {
	switch mode {
	case Cluster:
		p.cluster()
	case Local:
		p.local(o.With)
	case ENI:
		p.eni()
	case AntiAffinity:
		p.place(antiAffinity)
	case Spread:
		p.place(spread)
	case Hostname:
		return p.hostname(o)
	case DNS:
		return p.dns(o)
	default:
		return fmt.Errorf("unknown mode %q: the modes are %s", mode, modeNames())
	}
	return nil
}

func modeNames() string {
	var names []string
	for _, m := range Modes() {
		names = append(names, string(m.Mode))
	}
	return strings.Join(names, ", ")
}

// badHost says what is wrong with a public host name; "" if nothing is. Names follow RFC 1123 and have two labels or more.
func badHost(host string) string {
	name := strings.TrimSuffix(host, ".")
	labels := strings.Split(name, ".")
	switch {
	case name == "":
		return "it is empty"
	case strings.HasPrefix(name, "*."):
		return "a wildcard is not a name; give each name"
	case len(name) > 253:
		return "it is longer than 253 characters"
	case len(labels) < 2:
		return "a public name contains a dot, as in www.example.com"
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "each part between dots must have 1 to 63 characters and must not begin or end with a hyphen"
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return fmt.Sprintf("%q is not allowed in a host name; write names in other scripts in their DNS form, xn--…", c)
			}
		}
	}
	return ""
}

func (p *planner) need(c Precondition) { p.Preconditions = append(p.Preconditions, c) }
func (p *planner) gain(s ...string)    { p.Gains = append(p.Gains, s...) }
func (p *planner) cost(s ...string)    { p.Costs = append(p.Costs, s...) }

// providers adds what the provider requires and says of a change, and returns the fields that it sets.
func (p *planner) providers(c provider.Change) (fields []Field) {
	for _, check := range c.Checks {
		need := Precondition{Name: check.Name, Holds: check.Holds, Message: check.Message, Risk: check.Risk}
		if check.Fact != "" {
			need.Evidence = []finding.Evidence{{Fact: check.Fact, Source: check.Source}}
		}
		p.need(need)
	}
	p.gain(c.Gains...)
	p.cost(c.Costs...)
	for _, s := range c.Settings {
		fields = append(fields, p.annotation(s.Key, s.Value, s.Remove))
	}
	return fields
}

// annotation is the Field of an annotation of the Service.
func (p *planner) annotation(key, value string, remove bool) Field {
	f := Field{Path: []string{"metadata", "annotations", key}}
	if was, ok := p.Facts.Service.Annotations[key]; ok {
		f.Was = was
	}
	if !remove {
		f.Now = value
	}
	return f
}

// policy are the fields that set externalTrafficPolicy; none if it has that value already.
//
// The API server releases the health check node port when a Service is no longer of type LoadBalancer with policy Local, and allocates the same one again only if it is
// requested (pkg/registry/core/service/storage/alloc.go, strategy.go).
func (p *planner) policy(to cluster.Policy) (fields []Field) {
	s := p.Facts.Service
	if s.ExternalTrafficPolicy == to {
		return nil
	}
	fields = append(fields, Field{Path: []string{"spec", "externalTrafficPolicy"}, Was: string(s.ExternalTrafficPolicy), Now: string(to)})
	if to == cluster.PolicyCluster && s.HealthCheckNodePort != 0 {
		fields = append(fields, Field{Path: []string{"spec", "healthCheckNodePort"}, Was: int64(s.HealthCheckNodePort), Follows: true})
	}
	return fields
}

// change adds a change of the Service, unless there are no fields.
func (p *planner) change(fields []Field) {
	if len(fields) == 0 {
		return
	}
	p.Changes = append(p.Changes, Change{Object: p.Plan.Service, Fields: fields})
	p.effects = append(p.effects, onService(fields))
	p.owned(&p.Surroundings.Metadata, p.Plan.Service, fields)
	p.Signs = p.Provider.Signs()
}

// applies says whether the Service has an externalTrafficPolicy (ExternallyAccessible in Kubernetes, pkg/api/v1/service/util.go).
func (p *planner) applies() bool {
	s := p.Facts.Service
	if s.ExternalTrafficPolicy != cluster.PolicyUnset {
		return true
	}
	p.need(Precondition{
		Name: "has-policy", Holds: cluster.No, Message: fmt.Sprintf("a Service of type %s without external IPs has no externalTrafficPolicy", s.Type),
		Evidence: []finding.Evidence{{Fact: "type " + string(s.Type), Source: p.serviceSource()}},
	})
	return false
}

func (p *planner) serviceSource() string {
	return "service " + p.Facts.Service.Namespace + "/" + p.Facts.Service.Name
}

// effect applies a change to a snapshot, in which the Service, its maps and its lists are copies.
type effect func(*cluster.Snapshot, *cluster.Service)

// onService applies fields of a Service.
func onService(fields []Field) effect {
	return func(_ *cluster.Snapshot, s *cluster.Service) {
		for _, f := range fields {
			switch {
			case slices.Equal(f.Path, []string{"spec", "externalTrafficPolicy"}):
				policy, _ := f.Now.(string)
				s.ExternalTrafficPolicy = cluster.Policy(policy)
				if policy == string(cluster.PolicyCluster) {
					s.HealthCheckNodePort = 0
				}
			case len(f.Path) == 3 && f.Path[1] == "annotations":
				if s.Annotations == nil {
					s.Annotations = map[string]string{}
				}
				if value, ok := f.Now.(string); ok {
					s.Annotations[f.Path[2]] = value
				} else {
					delete(s.Annotations, f.Path[2])
				}
			}
		}
	}
}

// Simulate is the snapshot as expected after the changes, given what Assumes says. s is not changed; the copy shares with it everything that the changes do not touch. A nil
// plan, or a snapshot without the plan's Service, changes nothing.
func (p *Plan) Simulate(s *cluster.Snapshot) *cluster.Snapshot {
	if s == nil {
		return nil
	}
	out := *s
	out.Services = slices.Clone(s.Services)
	if p == nil {
		return &out
	}
	for i := range out.Services {
		svc := &out.Services[i]
		if svc.Namespace != p.Service.Namespace || svc.Name != p.Service.Name {
			continue
		}
		svc.Annotations = maps.Clone(svc.Annotations)
		svc.Endpoints = slices.Clone(svc.Endpoints)
		svc.Ingress = slices.Clone(svc.Ingress)
		for _, apply := range p.effects {
			apply(&out, svc)
		}
		if len(p.effects) > 0 {
			// What the nodes reported was before the change.
			svc.Live = nil
		}
	}
	return &out
}
