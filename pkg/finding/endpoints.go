package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

var noReadyEndpoint = Kind{
	Code: NoReadyEndpoint, Severity: Error, Title: "No ready endpoint",
	Explain: "No pod behind the Service is ready, so every connection fails, whatever the traffic policy is. Check the pods that its selector matches, and their readiness " +
		"probes. Confirm with: kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=NAME -o yaml",
	passed: "at least one endpoint is ready",
	reads:  []fact{endpointsFact},
	check: func(f *Facts) []Finding {
		total := f.total()
		if total.Ready > 0 || !f.Service.EndpointsKnown {
			return nil
		}
		r := f.finding(Error)
		namespace, name := f.Service.Namespace, f.Service.Name
		switch {
		case total.ServingTerminating > 0:
			r.Message = fmt.Sprintf("no endpoint is ready; %s while terminating", english.Count(total.ServingTerminating, "still serves", "still serve"))
			r.Remedies = []Remedy{{Text: "Start new pods: those that still serve are shutting down"}}
		case total.NotReady == 1:
			r.Message = "its only endpoint is not ready"
		case total.NotReady > 0:
			r.Message = fmt.Sprintf("none of its %d endpoints is ready", total.NotReady)
		case !f.Service.HasSelector:
			r.Message = "it has no endpoints and no selector, so Kubernetes does not maintain its EndpointSlices"
			r.Remedies = []Remedy{{Text: "Add endpoints to an EndpointSlice of the Service, or give the Service a selector"}}
		default:
			r.Message = "it has no endpoints: no pod that its selector matches has an IP address"
			r.Remedies = []Remedy{{Text: object("describe", "service", namespace, name), Gain: "shows its selector: compare it with the labels of the pods"}}
		}
		if total.NotReady > 0 && len(r.Remedies) == 0 {
			r.Remedies = []Remedy{f.whyNotReady()}
		}
		r.Evidence = []Evidence{{Fact: fmt.Sprintf("%d ready, %d serving while terminating, %d not ready", total.Ready, total.ServingTerminating, total.NotReady), Source: f.slices(nil)}}
		r.Confirm = f.confirmSlices()
		return []Finding{r}
	},
}

// whyNotReady is how to see why the first endpoint is not ready.
func (f *Facts) whyNotReady() Remedy {
	at := slices.IndexFunc(f.Service.Endpoints, func(e cluster.Endpoint) bool { return !e.Ready && e.Target != "" })
	if at >= 0 {
		if namespace, name, ok := strings.Cut(f.Service.Endpoints[at].Target, "/"); ok {
			if command := object("describe", "pod", namespace, name); command != "" {
				return Remedy{Text: command, Gain: "shows why it is not ready: its readiness probe and its events"}
			}
		}
	}
	return Remedy{Text: "Check the readiness probes and the events of its pods"}
}

var endpointWithoutNode = Kind{
	Code: EndpointWithoutNode, Severity: Error, Title: "An endpoint is on no node of the cluster",
	Explain: "The endpoint has no nodeName, or one that no Node has. Under policy Local each node uses only the endpoints that carry its own name, so this one gets no traffic. " +
		"Such endpoints come from EndpointSlices that somebody or an operator maintains; they have to set nodeName.",
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
		if severity == Error {
			r.Message += ", so policy Local sends " + english.Word(f.Nowhere.Ready, "it", "them") + " no traffic"
		}
		for _, b := range f.Service.Backends(func(e *cluster.Endpoint) bool { return e.Ready && f.Snapshot.NodeIndex(e.Node) < 0 }) {
			if len(r.Evidence) == evidenced {
				break
			}
			e := b.Endpoint
			fact := fmt.Sprintf("endpoint %s has no nodeName", e.Address)
			if e.Node != "" {
				fact = fmt.Sprintf("endpoint %s has nodeName %s, which is not in the cluster", e.Address, e.Node)
			}
			if len(r.Evidence) == 0 {
				r.Remedies = []Remedy{{Text: fmt.Sprintf("Set nodeName of endpoint %s in endpointslice %s/%s to the node that it runs on", e.Address, f.Service.Namespace, e.Slice)}}
			}
			r.Evidence = append(r.Evidence, Evidence{Fact: fact, Source: "endpointslice " + f.Service.Namespace + "/" + e.Slice})
		}
		r.Confirm = f.confirmSlices()
		return []Finding{r}
	},
}

var unservedPort = Kind{
	Code: UnservedPort, Severity: Error, Title: "No ready endpoint serves a port",
	Explain: "Other ports of the Service have endpoints, this one has none. Its targetPort is a name that no container port of the pods has, or the EndpointSlices do not list it. " +
		"Confirm with: kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=NAME -o yaml",
	// Without any ready endpoint that is true of every port.
	hiddenBy: []string{NoReadyEndpoint},
	passed:   "a ready endpoint serves every port",
	reads:    []fact{endpointsFact},
	check: func(f *Facts) []Finding {
		if f.Service.ServedByCiliumEnvoy() {
			return nil
		}
		var names []string
		var first *cluster.Port
		for i := range f.Service.Ports {
			if port := &f.Service.Ports[i]; !dataplane.Served(f.Service, i) {
				names = append(names, fmt.Sprintf("%d/%s", port.Port, port.Protocol))
				if first == nil {
					first = port
				}
			}
		}
		if len(names) == 0 {
			return nil
		}
		r := f.finding(Error)
		r.Message = "no ready endpoint serves " + english.And(names) + ", so connections to " + english.Word(len(names), "this port", "these ports") + " fail"
		r.Evidence = []Evidence{{Fact: "no ready endpoint has a port of that name and protocol", Source: f.slices(nil)}}
		r.Confirm = f.confirmSlices()
		switch {
		case !f.Service.HasSelector:
			r.Remedies = []Remedy{{Text: fmt.Sprintf("Add port %s to the EndpointSlices of the Service", names[0])}}
		case first.TargetPort != "" && strings.Trim(first.TargetPort, "0123456789") != "":
			r.Remedies = []Remedy{{Text: fmt.Sprintf("Give a container port of the pods the name %q (targetPort of port %s), or change the targetPort", first.TargetPort, names[0])}}
		default:
			r.Remedies = []Remedy{{Text: fmt.Sprintf("Check the targetPort of port %s: where it is a name, a container port of the pods must have that name", names[0])}}
		}
		return []Finding{r}
	},
}
