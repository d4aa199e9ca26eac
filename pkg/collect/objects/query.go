package objects

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Query says which Services are meant, and which data plane to assume.
//
// The zero Query means every Service that is reachable from outside: type LoadBalancer or NodePort, or with externalIPs.
type Query struct {
	// Args name Services as kubectl does: svc/web, "service" "a" "b", web. ing/NAME and gateway/NAME mean the Services behind them.
	Args []string
	// Namespace is that of the Services; "" is the context's namespace online, and any namespace offline.
	Namespace     string
	AllNamespaces bool
	// Selector is a label selector; it cannot be combined with names.
	Selector string
	// Nodes are those that are asked about; nil for all. Where there are too many to read each in full, these are, up to 6.
	Nodes []string
	// Dataplane overrides what is detected; nil where the user says nothing.
	Dataplane *cluster.Override
}

// UsageError is a mistake in what the user typed.
type UsageError struct{ Message string }

func (e *UsageError) Error() string { return e.Message }

// Target is one name that the user typed.
type Target struct {
	Kind TargetKind
	Name string
}

// TargetKind is what a name is a name of; the zero value is a Service.
type TargetKind uint8

const (
	ServiceTarget TargetKind = iota
	IngressTarget
	GatewayTarget
)

func (k TargetKind) String() string { return [...]string{"service", "ingress", "gateway"}[k] }

func parseKind(s string) (TargetKind, bool) {
	switch strings.ToLower(s) {
	case "svc", "service", "services", "services.v1", "service.v1":
		return ServiceTarget, true
	case "ing", "ingress", "ingresses", "ingress.networking.k8s.io", "ingresses.networking.k8s.io":
		return IngressTarget, true
	case "gtw", "gateway", "gateways", "gateway.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io":
		return GatewayTarget, true
	}
	return 0, false
}

// Targets reads names as kubectl does: TYPE/NAME, each with its own type, or TYPE NAME…; without a type a Service is meant.
func (q Query) Targets() ([]Target, error) {
	if q.Selector != "" && len(q.Args) > 0 {
		if _, ok := parseKind(q.Args[0]); !ok || len(q.Args) > 1 {
			return nil, &UsageError{"a name and a selector (-l) cannot be combined; remove one of them"}
		}
	}
	if len(q.Args) == 0 {
		return nil, nil
	}
	if kind, ok := parseKind(q.Args[0]); ok {
		if kind != ServiceTarget && len(q.Args) == 1 {
			return nil, &UsageError{fmt.Sprintf("name the %s: %s/NAME", kind, q.Args[0])}
		}
		var out []Target
		for _, name := range q.Args[1:] {
			if strings.Contains(name, "/") {
				return nil, &UsageError{fmt.Sprintf("%q: write either %s NAME… or TYPE/NAME…, not both", name, q.Args[0])}
			}
			out = append(out, Target{kind, name})
		}
		return unique(out), q.namesWithoutAll(out)
	}
	var out []Target
	for _, arg := range q.Args {
		kind, name, typed := strings.Cut(arg, "/")
		if !typed {
			out = append(out, Target{ServiceTarget, arg})
			continue
		}
		known, ok := parseKind(kind)
		switch {
		case !ok:
			return nil, &UsageError{fmt.Sprintf("%q: expected a Service (svc/NAME), an Ingress (ing/NAME) or a Gateway (gateway/NAME); choose another namespace with -n", arg)}
		case name == "" || strings.Contains(name, "/"):
			return nil, &UsageError{fmt.Sprintf("%q: write %s/NAME", arg, kind)}
		}
		out = append(out, Target{known, name})
	}
	return unique(out), q.namesWithoutAll(out)
}

func (q Query) namesWithoutAll(targets []Target) error {
	if q.AllNamespaces && len(targets) > 0 {
		return &UsageError{"a name is looked up in one namespace: use -n instead of -A"}
	}
	for _, t := range targets {
		if t.Name == "" {
			return &UsageError{"a name is empty; write svc/NAME"}
		}
		if t.Name == "." || t.Name == ".." || strings.ContainsAny(t.Name, "/%") {
			return &UsageError{fmt.Sprintf("%q is not a valid name in Kubernetes", t.Name)}
		}
	}
	return nil
}

func unique(targets []Target) []Target {
	var out []Target
	for _, t := range targets {
		seen := false
		for _, before := range out {
			seen = seen || before == t
		}
		if !seen {
			out = append(out, t)
		}
	}
	return out
}
