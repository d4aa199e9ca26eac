package dataplane

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// ParseOverride reads NAME[/MODE][@VERSION] with the names and modes of the registry.
func ParseOverride(text string) (*cluster.Override, error) {
	rest, version, hasVersion := strings.Cut(strings.TrimSpace(text), "@")
	name, mode, hasMode := strings.Cut(rest, "/")
	out := cluster.Override{Name: cluster.DataplaneName(name), Mode: cluster.ProxyMode(mode)}
	modes := modesOf(out.Name)
	switch {
	case !slices.Contains(Names(), out.Name):
		return nil, malformed("unknown data plane %q, use one of: %s", name, joined(Names()))
	case hasMode && modes == nil:
		return nil, malformed("%s has no modes", name)
	case hasMode && !slices.Contains(modes, out.Mode):
		return nil, malformed("unknown mode %q of %s, use one of: %s", mode, name, joined(modes))
	}
	if hasVersion {
		var ok bool
		if out.Version, ok = cluster.ParseVersion(version); !ok {
			return nil, malformed("%q is not a version", version)
		}
	}
	return &out, nil
}

// Overrides are what ParseOverride reads without a version: every name of the registry, and each with its modes.
func Overrides() []string {
	var out []string
	for _, name := range Names() {
		out = append(out, string(name))
		for _, mode := range modesOf(name) {
			out = append(out, string(name)+"/"+string(mode))
		}
	}
	return out
}

func malformed(format string, args ...any) error {
	return fmt.Errorf(format+"; the form is NAME[/MODE][@VERSION], for example kube-proxy/ipvs@v1.20.15, kube-proxy/iptables or cilium@1.19", args...)
}

func joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = string(list[i])
	}
	return strings.Join(texts, ", ")
}
