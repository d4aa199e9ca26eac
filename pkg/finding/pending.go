package finding

import (
	"fmt"
	"strings"
	"time"
)

var noAddress = Kind{
	Code: NoAddress, Severity: Warning, Title: "The load balancer has no address yet",
	Explain: "The Service is of type LoadBalancer, and its status has no address. The load balancer controller has not assigned one yet, has failed to, or does not run: " +
		"on bare metal a controller such as MetalLB has to be installed. A controller that fails writes events about the Service. Confirm with: kubectl describe service NAME -n NAMESPACE",
	passed:  "the load balancer has an address",
	applies: needsLoadBalancer,
	check: func(f *Facts) []Finding {
		s := f.Service
		if !s.Pending() {
			return nil
		}
		r := f.finding(Warning)
		r.Message = "the load balancer has no address yet (pending), so no client outside can connect through it"
		if len(s.ExternalIPs) > 0 {
			r = f.finding(Info)
			r.Message = "the load balancer has no address yet (pending), so clients outside can only use the external IPs"
		}
		name := s.Namespace + "/" + s.Name
		r.Evidence = []Evidence{{Fact: "status.loadBalancer.ingress has no address", Source: "service " + name}}
		if !s.Created.IsZero() {
			r.Evidence = append(r.Evidence, Evidence{Fact: "created " + moment(s.Created), Source: "service " + name})
		}
		var detail []string
		if s.LoadBalancerClass != "" {
			r.Evidence = append(r.Evidence, Evidence{Fact: "loadBalancerClass is " + s.LoadBalancerClass, Source: "service " + name})
			detail = append(detail, fmt.Sprintf("Only a controller for load balancer class %s assigns an address.", s.LoadBalancerClass))
		}
		switch e := s.NewestEvent; {
		case e != nil:
			message := strings.Join(strings.Fields(e.Message), " ")
			fact := strings.TrimSpace(e.Type + " " + e.Reason)
			detail = append(detail, fmt.Sprintf("Newest event, %s: %s: %s", moment(e.Last), fact, message))
			r.Evidence = append(r.Evidence, Evidence{Fact: fact + ": " + message, Source: "event of service " + name + ", " + moment(e.Last)})
		case s.EventsKnown:
			detail = append(detail, "It has no events. The API server keeps events for an hour by default; if no load balancer controller runs, nothing writes any.")
			r.Evidence = append(r.Evidence, Evidence{Fact: "no event was found", Source: "events of service " + name})
		}
		if !s.Created.IsZero() {
			detail = append([]string{"It was created " + moment(s.Created) + "."}, detail...)
		}
		r.Detail = strings.Join(detail, "\n")
		r.Remedies = []Remedy{{Text: fmt.Sprintf("kubectl describe service %s -n %s", s.Name, s.Namespace), Gain: "shows its events: what the controller says, if one runs"}}
		return []Finding{r}
	},
}

// moment is a time as the API server writes it.
func moment(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}
