package remedy

import (
	"fmt"
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// byAddress are annotations of Ingresses by which their controllers tell clients apart by address, as each documents them: ingress-nginx
// (docs/user-guide/nginx-configuration/annotations.md), HAProxy's controller (haproxytech/kubernetes-ingress documentation/annotations.md, all keys with any of three
// prefixes) and HAProxy Ingress (jcmoraisjr/haproxy-ingress docs/content/en/docs/configuration/keys.md).
var byAddress = []struct{ key, does string }{
	{"nginx.ingress.kubernetes.io/whitelist-source-range", "admits clients by address"},
	{"nginx.ingress.kubernetes.io/allowlist-source-range", "admits clients by address"},
	{"nginx.ingress.kubernetes.io/denylist-source-range", "refuses clients by address"},
	{"nginx.ingress.kubernetes.io/limit-connections", "counts connections by the client's address"},
	{"nginx.ingress.kubernetes.io/limit-rps", "counts requests by the client's address"},
	{"nginx.ingress.kubernetes.io/limit-rpm", "counts requests by the client's address"},
	{"nginx.ingress.kubernetes.io/limit-whitelist", "counts requests by the client's address"},
	{"nginx.ingress.kubernetes.io/limit-allowlist", "counts requests by the client's address"},
	{"haproxy.org/allow-list", "admits clients by address"},
	{"haproxy.org/whitelist", "admits clients by address"},
	{"haproxy.org/deny-list", "refuses clients by address"},
	{"haproxy.org/blacklist", "refuses clients by address"},
	{"haproxy.com/allow-list", "admits clients by address"},
	{"haproxy.com/whitelist", "admits clients by address"},
	{"haproxy.com/deny-list", "refuses clients by address"},
	{"haproxy.com/blacklist", "refuses clients by address"},
	{"ingress.kubernetes.io/allow-list", "admits clients by address"},
	{"ingress.kubernetes.io/whitelist", "admits clients by address"},
	{"ingress.kubernetes.io/deny-list", "refuses clients by address"},
	{"ingress.kubernetes.io/blacklist", "refuses clients by address"},
	{"haproxy-ingress.github.io/allowlist-source-range", "admits clients by address"},
	{"haproxy-ingress.github.io/whitelist-source-range", "admits clients by address"},
	{"haproxy-ingress.github.io/denylist-source-range", "refuses clients by address"},
	{"ingress.kubernetes.io/whitelist-source-range", "admits clients by address"},
}

// dependents are the objects that were found to tell clients apart by their address, one piece of evidence each.
func dependents(s *cluster.Surroundings) (found []finding.Evidence) {
	for i := range s.Policies {
		p := &s.Policies[i]
		names := make([]string, len(p.Blocks))
		for j, block := range p.Blocks {
			names[j] = block.String()
		}
		found = append(found, finding.Evidence{Fact: "it admits clients by address: " + english.Some(names), Source: fmt.Sprintf("%s %s/%s", lower(p.Kind), p.Namespace, p.Name)})
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
