package collect

import (
	"fmt"
	"strings"
)

// target is one name the user typed.
type target struct {
	kind targetKind
	name string
}

type targetKind uint8

const (
	serviceTarget targetKind = iota
	ingressTarget
	gatewayTarget
)

func (k targetKind) String() string { return [...]string{"service", "ingress", "gateway"}[k] }

func parseKind(s string) (targetKind, bool) {
	switch strings.ToLower(s) {
	case "svc", "service", "services", "services.v1", "service.v1":
		return serviceTarget, true
	case "ing", "ingress", "ingresses", "ingress.networking.k8s.io", "ingresses.networking.k8s.io":
		return ingressTarget, true
	case "gtw", "gateway", "gateways", "gateway.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io":
		return gatewayTarget, true
	}
	return 0, false
}

// targets reads names as kubectl does: TYPE/NAME, each with its own type, or TYPE NAME…; without a type a Service is meant.
func (q Query) targets() ([]target, error) {
	if q.Selector != "" && len(q.Args) > 0 {
		if _, ok := parseKind(q.Args[0]); !ok || len(q.Args) > 1 {
			return nil, &UsageError{"a name and a selector (-l) cannot be used together; leave one of them out"}
		}
	}
	if len(q.Args) == 0 {
		return nil, nil
	}
	if kind, ok := parseKind(q.Args[0]); ok {
		if kind != serviceTarget && len(q.Args) == 1 {
			return nil, &UsageError{fmt.Sprintf("name the %s: %s/NAME", kind, q.Args[0])}
		}
		var out []target
		for _, name := range q.Args[1:] {
			if strings.Contains(name, "/") {
				return nil, &UsageError{fmt.Sprintf("%q: write either %s NAME… or TYPE/NAME…, not both", name, q.Args[0])}
			}
			out = append(out, target{kind, name})
		}
		return unique(out), q.namesWithoutAll(out)
	}
	var out []target
	for _, arg := range q.Args {
		kind, name, typed := strings.Cut(arg, "/")
		if !typed {
			out = append(out, target{serviceTarget, arg})
			continue
		}
		known, ok := parseKind(kind)
		switch {
		case !ok:
			return nil, &UsageError{fmt.Sprintf("%q: a Service is expected, as svc/NAME, or an Ingress or a Gateway, as ing/NAME or gateway/NAME (another namespace is given by -n)", arg)}
		case name == "" || strings.Contains(name, "/"):
			return nil, &UsageError{fmt.Sprintf("%q: write %s/NAME", arg, kind)}
		}
		out = append(out, target{known, name})
	}
	return unique(out), q.namesWithoutAll(out)
}

func (q Query) namesWithoutAll(targets []target) error {
	if q.AllNamespaces && len(targets) > 0 {
		return &UsageError{"a name cannot be looked up across all namespaces; give its namespace by -n instead of -A"}
	}
	for _, t := range targets {
		if t.name == "" {
			return &UsageError{"a name is empty; write svc/NAME"}
		}
		if t.name == "." || t.name == ".." || strings.ContainsAny(t.name, "/%") {
			return &UsageError{fmt.Sprintf("%q cannot be a name in Kubernetes", t.name)}
		}
	}
	return nil
}

func unique(targets []target) []target {
	var out []target
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
