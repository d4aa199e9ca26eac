package remedy

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// byAddress are annotations of Ingresses that make their controllers depend on the client IP, as each documents them: ingress-nginx
// (docs/user-guide/nginx-configuration/annotations.md), HAProxy's controller (haproxytech/kubernetes-ingress documentation/annotations.md, all keys with any of three
// prefixes) and HAProxy Ingress (jcmoraisjr/haproxy-ingress docs/content/en/docs/configuration/keys.md).
var byAddress = []struct{ key, does string }{
	{"nginx.ingress.kubernetes.io/whitelist-source-range", "allows clients by IP"},
	{"nginx.ingress.kubernetes.io/allowlist-source-range", "allows clients by IP"},
	{"nginx.ingress.kubernetes.io/denylist-source-range", "denies clients by IP"},
	{"nginx.ingress.kubernetes.io/limit-connections", "limits connections by client IP"},
	{"nginx.ingress.kubernetes.io/limit-rps", "limits requests by client IP"},
	{"nginx.ingress.kubernetes.io/limit-rpm", "limits requests by client IP"},
	{"nginx.ingress.kubernetes.io/limit-whitelist", "limits requests by client IP"},
	{"nginx.ingress.kubernetes.io/limit-allowlist", "limits requests by client IP"},
	{"haproxy.org/allow-list", "allows clients by IP"},
	{"haproxy.org/whitelist", "allows clients by IP"},
	{"haproxy.org/deny-list", "denies clients by IP"},
	{"haproxy.org/blacklist", "denies clients by IP"},
	{"haproxy.com/allow-list", "allows clients by IP"},
	{"haproxy.com/whitelist", "allows clients by IP"},
	{"haproxy.com/deny-list", "denies clients by IP"},
	{"haproxy.com/blacklist", "denies clients by IP"},
	{"ingress.kubernetes.io/allow-list", "allows clients by IP"},
	{"ingress.kubernetes.io/whitelist", "allows clients by IP"},
	{"ingress.kubernetes.io/deny-list", "denies clients by IP"},
	{"ingress.kubernetes.io/blacklist", "denies clients by IP"},
	{"haproxy-ingress.github.io/allowlist-source-range", "allows clients by IP"},
	{"haproxy-ingress.github.io/whitelist-source-range", "allows clients by IP"},
	{"haproxy-ingress.github.io/denylist-source-range", "denies clients by IP"},
	{"ingress.kubernetes.io/whitelist-source-range", "allows clients by IP"},
}

// dependents are the objects that depend on the client IP, one piece of evidence each.
func dependents(s *cluster.Surroundings) (found []finding.Evidence) {
	for i := range s.Policies {
		p := &s.Policies[i]
		names := make([]string, len(p.Blocks))
		for j, block := range p.Blocks {
			names[j] = block.String()
		}
		found = append(found, finding.Evidence{Fact: "it allows clients by IP: " + english.Some(names), Source: fmt.Sprintf("%s %s/%s", lower(p.Kind), p.Namespace, p.Name)})
	}
	for i := range s.Ingresses {
		ingress := &s.Ingresses[i]
		if at := slices.IndexFunc(byAddress, func(a struct{ key, does string }) bool { return ingress.Annotations[a.key] != "" }); at >= 0 {
			a := byAddress[at]
			found = append(found, finding.Evidence{
				Fact:   fmt.Sprintf("it %s: annotation %s is %s", a.does, a.key, ingress.Annotations[a.key]),
				Source: fmt.Sprintf("ingress %s/%s", ingress.Namespace, ingress.Name),
			})
		}
	}
	return found
}
