package finding

import (
	"fmt"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

var noReadyEndpoint = Kind{
	Code: NoReadyEndpoint, Severity: Error, Title: "No ready endpoint",
	Explain: "Nothing behind the Service is ready, so no traffic policy can help. Look at the pods that its selector names, and at their readiness probes.",
	passed:  "at least one endpoint is ready",
	reads:   []fact{endpointsFact},
	check: func(f *Facts) []Finding {
		total := f.total()
		if total.Ready > 0 || !f.Service.EndpointsKnown {
			return nil
		}
		r := f.finding(Error)
		switch {
		case total.ServingTerminating > 0:
			r.Message = fmt.Sprintf("none of its endpoints is ready; %s still serving while terminating", english.Count(total.ServingTerminating, "is", "are"))
		case total.NotReady == 1:
			r.Message = "its only endpoint is not ready"
		case total.NotReady > 0:
			r.Message = fmt.Sprintf("none of its %d endpoints is ready", total.NotReady)
		case !f.Service.HasSelector:
			r.Message = "it has no endpoints, and no selector: its EndpointSlices are kept by hand"
		default:
			r.Message = "it has no endpoints: its selector names no pod that has an address"
		}
		r.Evidence = []Evidence{{Fact: fmt.Sprintf("%d ready, %d serving while terminating, %d not ready", total.Ready, total.ServingTerminating, total.NotReady), Source: f.slices(nil)}}
		r.Remedies = []Remedy{{Text: fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s -o wide", f.Service.Namespace, f.Service.Name), Gain: "shows them"}}
		return []Finding{r}
	},
}

var withoutNode = Kind{
	Code: EndpointWithoutNode, Severity: Error, Title: "Endpoint without a node",
	Explain: "No node takes an endpoint that names no node, or one that is not in the cluster, for its own: under a policy Local it gets no traffic. " +
		"Such endpoints come from EndpointSlices kept by hand or by an operator; their owner should set nodeName.",
	passed: "every ready endpoint is on a node of the cluster",
	reads:  []fact{endpointsFact, nodesFact},
	check: func(f *Facts) []Finding {
		if !f.Service.EndpointsKnown || f.Nowhere.Ready == 0 || f.Service.ServedByCiliumEnvoy() {
			return nil
		}
		severity := Error
		if f.Service.ExternalTrafficPolicy != cluster.PolicyLocal && f.Service.InternalTrafficPolicy != cluster.PolicyLocal {
			severity = Info
		}
		r := f.finding(severity)
		r.Message = fmt.Sprintf("%s on no node of the cluster", english.Count(f.Nowhere.Ready, "ready endpoint is", "ready endpoints are"))
		for _, b := range f.Service.Backends(func(e *cluster.Endpoint) bool { return e.Ready && f.Snapshot.NodeIndex(e.Node) < 0 }) {
			if len(r.Evidence) == evidenced {
				break
			}
			e := b.Endpoint
			fact := fmt.Sprintf("endpoint %s names no node", e.Address)
			if e.Node != "" {
				fact = fmt.Sprintf("endpoint %s names node %s, which is not in the cluster", e.Address, e.Node)
			}
			r.Evidence = append(r.Evidence, Evidence{Fact: fact, Source: "endpointslice " + f.Service.Namespace + "/" + e.Slice})
		}
		return []Finding{r}
	},
}

var unservedPort = Kind{
	Code: UnservedPort, Severity: Error, Title: "A port that no ready endpoint serves",
	Explain: "Other ports of the Service have endpoints, this one has none: the pods lack a container port of that name, or another EndpointSlice should carry it.",
	// Without any ready endpoint that is true of every port.
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "a ready endpoint serves every port",
	reads:    []fact{endpointsFact},
	check: func(f *Facts) []Finding {
		if f.Service.ServedByCiliumEnvoy() {
			return nil
		}
		var names []string
		for i, port := range f.Service.Ports {
			if !dataplane.Served(f.Service, i) {
				names = append(names, fmt.Sprintf("%d/%s", port.Port, port.Protocol))
			}
		}
		if len(names) == 0 {
			return nil
		}
		r := f.finding(Error)
		r.Message = "no ready endpoint serves " + strings.Join(names, ", ")
		r.Evidence = []Evidence{{Fact: "no ready endpoint has a port of that name and protocol", Source: f.slices(nil)}}
		return []Finding{r}
	},
}
