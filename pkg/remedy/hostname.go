package remedy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// hostname plans that the provider publishes a host name, or an address with ipMode Proxy. In both cases nodes no longer handle the address themselves, and connections
// from inside the cluster go to the load balancer.
func (p *planner) hostname(o Options) error {
	s := p.Facts.Service
	if len(o.Hosts) > 1 {
		return fmt.Errorf("--mode=hostname takes one host name, got %d: %s", len(o.Hosts), strings.Join(o.Hosts, ", "))
	}
	published, instead := p.Provider.ToName()
	if instead != "" {
		p.need(p.without("provider-publishes-a-name", instead))
		return nil
	}
	if len(s.Ingress) == 0 {
		p.need(Precondition{
			Name: "has-address", Holds: cluster.No, Message: "it has no load balancer address yet",
			Evidence: []finding.Evidence{{Fact: "status.loadBalancer is empty", Source: p.serviceSource()}},
		})
		return nil
	}
	answered := func(in cluster.Ingress) bool { return in.IP.IsValid() && in.IPMode != cluster.Proxy }
	if !slices.ContainsFunc(s.Ingress, answered) {
		return nil
	}
	value := published.Value
	if published.NeedsName() {
		if len(o.Hosts) == 0 {
			var addresses []string
			for _, in := range s.Ingress {
				if in.IP.IsValid() {
					addresses = append(addresses, in.IP.String())
				}
			}
			return &HostNeeded{Mode: Hostname, Why: "it replaces the address, so its DNS record must point to " + strings.Join(addresses, " and "), Suggested: p.ingressHosts()}
		}
		value = strings.TrimSuffix(o.Hosts[0], ".")
	} else if len(o.Hosts) > 0 {
		return fmt.Errorf("--mode=hostname takes no --host with %s, which publishes its own host name", p.Provider.Title)
	}
	field := p.annotation(published.Key, value, false)
	if field.Was == field.Now {
		return nil
	}
	if check, ok := published.Obeyed(p.Snapshot); ok {
		p.providers(provider.Change{Checks: []provider.Check{check}})
	}
	p.gain("nodes no longer handle the address themselves: connections from inside the cluster go to the load balancer, as those from outside do", "the traffic policy does not change")
	if key := provider.ProxyProtocol(s); key != "" {
		p.gain("connections from inside the cluster get the PROXY protocol header too (annotation " + key + ")")
	}
	if published.NeedsName() {
		p.cost(fmt.Sprintf("the DNS record of %s must already point to the load balancer: clients inside the cluster use it after the change", value))
	}
	if published.Mode == "" {
		p.cost("the IP address disappears from the status of the Service: what reads it there (external-dns, scripts, dashboards) gets a host name")
	}
	p.cost("connections from inside the cluster go out to the load balancer and back, which takes longer and may be charged")
	p.effects = append(p.effects, func(_ *cluster.Snapshot, svc *cluster.Service) {
		for i, in := range svc.Ingress {
			if published.Mode != "" {
				svc.Ingress[i].IPMode = published.Mode
				continue
			}
			name := value
			if !published.NeedsName() {
				name = cmp.Or(in.Hostname, "<its name at "+p.Provider.Title+">")
			}
			svc.Ingress[i] = cluster.Ingress{IP: netip.Addr{}, Hostname: name, IPMode: in.IPMode}
		}
		svc.Ingress = slices.CompactFunc(svc.Ingress, func(a, b cluster.Ingress) bool { return a == b })
	})
	p.change([]Field{field})
	p.Assumes = append(p.Assumes, "the provider's controller reads the annotation and updates the status")
	p.insideAfter()
	p.Fixes = p.fixes(finding.FailsFromPods, finding.FailsFromHost, finding.BypassesLoadBalancer)
	return nil
}

// ingressHosts are the host names of the Ingresses behind the Service, sorted, without wildcards.
func (p *planner) ingressHosts() (hosts []string) {
	for i := range p.Surroundings.Ingresses {
		for _, host := range p.Surroundings.Ingresses[i].Hosts {
			if badHost(host) == "" && !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	slices.Sort(hosts)
	return hosts
}
