package finding

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// passesClientIPFact is whether the load balancer passes the client IP on.
var passesClientIPFact = fact{"client IP at the load balancer", func(f *Facts) *lack {
	if f.Provider.ClientIP != provider.UnknownClientIP && f.Provider.ClientIP != "" {
		return nil
	}
	return &lack{message: "it is not known what the load balancer does with the client IP"}
}}

var localHidesClientIP = Kind{
	Code: LocalHidesClientIP, Severity: Warning, degrades: true, Title: "Policy Local does not show pods the client IP here",
	Explain: "People set externalTrafficPolicy Local because pods then see the client IP. That needs a load balancer that passes it on. A load balancer that opens its own connections " +
		"puts its own address in its place, whatever the policy is; only a PROXY protocol header (or X-Forwarded-For, for HTTP) can carry the client IP then. Policy Local still costs " +
		"what it costs: nodes without an endpoint get nothing, and load may be uneven. Confirm with the address that the pods log, or in a pod: ss -tn",
	Sources:  []string{"https://kubernetes.io/docs/tutorials/services/source-ip/", "the controllers named on the page load-balancer"},
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "the load balancer does not hide the client IP, or a header carries it",
	applies:  every(needsLoadBalancer, needsAssignedAddress, needsLocalPolicy),
	reads:    []fact{nodesFact, passesClientIPFact},
	check: func(f *Facts) []Finding {
		r := f.finding(Warning)
		depends := f.Provider.ClientIPDepends()
		switch holds, reason := f.Provider.PassesClientIP(); {
		case f.Provider.ClientIP == provider.ByProxyProtocol:
			return nil
		case holds == cluster.No && f.Provider.Backends == provider.Pods:
			r.Message = "policy Local does not show pods the client IP here: the load balancer sends to pods, with an address of its own"
		case holds == cluster.No:
			r.Message = "policy Local does not show pods the client IP here: " + reason
		case depends != "":
			r.Result, r.Message = Unknown, "policy Local may not show pods the client IP here, and the Kubernetes API does not show whether it does"
			r.Detail = depends + "."
		default:
			return nil
		}
		r.Evidence = []Evidence{{Fact: "load balancer: " + f.Provider.Title, Source: f.Provider.Source}}
		if s, takes := f.Provider.ShowsClientIP(f.Service); s.Key != "" {
			r.Remedies = []Remedy{{Text: f.annotate(s), Gain: takes}}
		} else {
			r.Remedies = []Remedy{{Text: "Use policy Cluster, unless it is Local for another reason: pods see the same address"}}
		}
		return []Finding{r}
	},
}
