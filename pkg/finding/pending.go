package finding

import (
	"fmt"
	"strings"
	"time"
)

var pending = Kind{
	Code: "ETP047", Severity: Warning, Title: "The load balancer has no address",
	Explain: "The Service is of type LoadBalancer, and its status has no address: nothing has published one, so clients outside have nothing to connect to but node ports. " +
		"A cloud's controller that fails says so in events of the Service; without any such controller no event comes at all, and on bare metal one such as MetalLB has to be installed. " +
		"Look at them with: kubectl describe service NAME",
	passed:  "the load balancer has an address",
	applies: needsLoadBalancer,
	check: func(f *Facts) []Finding {
		s := f.Service
		if !s.Pending() {
			return nil
		}
		r := f.finding(Warning)
		r.Message = "its load balancer has no address yet: no client outside can use one"
		if len(s.ExternalIPs) > 0 {
			r = f.finding(Info)
			r.Message = "its load balancer has no address yet: only its external IPs can be used"
		}
		name := s.Namespace + "/" + s.Name
		r.Evidence = []Evidence{{Fact: "status.loadBalancer.ingress has no address", Source: "service " + name}}
		if !s.Created.IsZero() {
			r.Evidence = append(r.Evidence, Evidence{Fact: "created " + moment(s.Created), Source: "service " + name})
		}
		var detail []string
		if s.LoadBalancerClass != "" {
			r.Evidence = append(r.Evidence, Evidence{Fact: "loadBalancerClass is " + s.LoadBalancerClass, Source: "service " + name})
			detail = append(detail, fmt.Sprintf("Only a controller for the load balancer class %s gives it an address.", s.LoadBalancerClass))
		}
		switch e := s.NewestEvent; {
		case e != nil:
			message := strings.Join(strings.Fields(e.Message), " ")
			fact := strings.TrimSpace(e.Type + " " + e.Reason)
			detail = append(detail, fmt.Sprintf("Newest event, %s: %s: %s", moment(e.Last), fact, message))
			r.Evidence = append(r.Evidence, Evidence{Fact: fact + ": " + message, Source: "event of service " + name + ", " + moment(e.Last)})
		case s.EventsKnown:
			detail = append(detail, "No event is recorded for it: events are kept for an hour by default, and where no load balancer controller runs there is none.")
			r.Evidence = append(r.Evidence, Evidence{Fact: "no event was found", Source: "events of service " + name})
		}
		if !s.Created.IsZero() {
			detail = append([]string{"It was created " + moment(s.Created) + "."}, detail...)
		}
		r.Detail = strings.Join(detail, "\n")
		r.Remedies = []Remedy{{Text: fmt.Sprintf("kubectl describe service %s -n %s", s.Name, s.Namespace), Gain: "shows its events"}}
		return []Finding{r}
	},
}

// moment is a time as the API server writes it, which is the same wherever and whenever it is read.
func moment(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}
