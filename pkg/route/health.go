package route

import (
	"slices"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Balance fills in what the load balancer sends to each node: its choice is the provider's half, and what a node
// answers to a health check is the node's. The rows need their paths.
func Balance(s *cluster.Snapshot, svc *cluster.Service, lb provider.LoadBalancer, rows []Row) {
	backends := make([]provider.Backend, len(rows))
	for i := range rows {
		row := &rows[i]
		backends[i] = provider.Backend{
			Node: row.Node, Ready: row.Endpoints.Ready, ServingTerminating: row.Endpoints.ServingTerminating, Asked: row.Live != nil,
		}
	}
	all := lb.Balance(s, svc, backends, func(node int, check provider.HealthCheck) provider.Receives {
		return answer(s, svc, &rows[node], check)
	})
	for i := range rows {
		rows[i].LoadBalancer = all[i]
	}
}

// answer is what a node answers to a health check.
func answer(s *cluster.Snapshot, svc *cluster.Service, row *Row, check provider.HealthCheck) provider.Receives {
	d := s.DataplaneOf(row.Node)
	switch check {
	case provider.HealthCheckNodePort:
		return atHealthCheckNodePort(svc, d, row)
	case provider.ChecksNodePort:
		return atNodePort(svc, row)
	case provider.ChecksKubeProxy:
		return atKubeProxy(d, row)
	case provider.ChecksPods, provider.NoHealthCheck, provider.UnknownCheck:
	}
	return provider.NotSettled(provider.HealthNotKnown)
}

// atKubeProxy is the answer of kube-proxy's own health, at port 10256.
func atKubeProxy(d *cluster.Dataplane, row *Row) provider.Receives {
	if v := d.Version.Vendor(); d.Name != cluster.KubeProxy || v == "k3s" || v == "RKE2" {
		// Another data plane need not listen on port 10256, and the kube-proxy of k3s and RKE2 does on the loopback
		// address only (k3s-io/k3s pkg/daemons/agent/agent_linux.go kubeProxyArgs).
		return provider.NotSettled(provider.HealthNotKnown)
	}
	if d.ProxyNodeName(row.Node) != row.Node.Name && !older(d, 33) {
		// Its own health is bad as long as kube-proxy finds no Node of its name; earlier it only checked whether rules
		// were written in time (kubernetes/kubernetes pkg/proxy/healthcheck/proxy_health.go NodeEligible).
		return provider.NotSettled(provider.HealthNotKnown)
	}
	return provider.Passes()
}

// atHealthCheckNodePort is the answer of the health check node port, which counts ready endpoints only.
func atHealthCheckNodePort(svc *cluster.Service, d *cluster.Dataplane, row *Row) provider.Receives {
	switch {
	case row.Live != nil && row.Live.HealthCheck == cluster.Fail:
		return provider.Fails("HealthCheckFails", provider.FailsOwnCheck)
	case row.Live != nil && row.Live.HealthCheck == cluster.Pass:
		return provider.Passes()
	case svc.ServedByCiliumEnvoy() && d.Name == cluster.Cilium && d.Version.Known() && !d.Version.Before(1, 16, 5):
		// Every node answers well, whatever stands in the EndpointSlices (cilium/cilium v1.16.5
		// pkg/service/healthserver.go).
		return provider.Passes()
	case svc.ServedByCiliumEnvoy(), slices.ContainsFunc(row.Paths, func(p dataplane.Path) bool { return p.From == dataplane.External && p.MayLeaveOut() }):
		// A Service that Cilium leaves out on a node has no health check there (packets, v1.19.7 and v1.20.2).
		return provider.NotSettled(provider.HealthNotKnown)
	case ownReadyEndpoints(svc, d, row) > 0 && !servesHealthChecks(d):
		return provider.NotSettled(provider.HealthNotKnown)
	case ownReadyEndpoints(svc, d, row) == 0:
		return provider.Fails("NoLocalEndpoint", provider.NoLocalEndpoint)
	case older(d, 23):
		// Before v1.23 the health check node port was served on every address.
		return provider.Passes()
	}
	switch checkServed(svc, d, row.Node) {
	case cluster.Yes:
		return provider.Passes()
	case cluster.No:
		if d.Version.Known() {
			return provider.Fails("HealthCheckNotServed", provider.CheckNotServed)
		}
	case cluster.Undetermined:
	}
	return provider.NotSettled(provider.HealthNotKnown)
}

// atNodePort is the answer of the TCP node ports, as a client outside gets it: each listener has a health check of its
// own. Where the ports differ, or there is no TCP port, it is not known.
func atNodePort(svc *cluster.Service, row *Row) provider.Receives {
	answers, silent := false, false
	for i := range row.Paths {
		p := &row.Paths[i]
		if p.From != dataplane.External || p.To != dataplane.NodePort || p.Protocol != cluster.TCP {
			continue
		}
		switch {
		case p.Outcome == dataplane.Reachable:
			answers = true
		case p.Fails():
			silent = true
		default:
			return provider.NotSettled(provider.HealthNotKnown)
		}
	}
	switch {
	case answers == silent:
		return provider.NotSettled(provider.HealthNotKnown)
	case answers:
		return provider.Passes()
	case svc.ExternalTrafficPolicy == cluster.PolicyLocal && row.Endpoints.Ready == 0:
		return provider.Fails("NoLocalEndpoint", provider.NodePortSilent)
	default:
		return provider.Fails("HealthCheckFails", provider.NodePortSilent)
	}
}

// older says whether a data plane is known to be of a release before v1.minor.
func older(d *cluster.Dataplane, minor int) bool {
	return d.Version.Known() && d.Version.Before(1, minor, 0)
}

// servesHealthChecks: the data plane is known to answer at health check node ports. kube-router does since v2.1
// (cloudnativelabs/kube-router pkg/controllers/proxy/service_endpoints_sync.go, CHANGELOG).
func servesHealthChecks(d *cluster.Dataplane) bool {
	switch d.Name {
	case cluster.KubeProxy, cluster.Windows, cluster.Cilium, cluster.CalicoEBPF, cluster.Antrea, cluster.OVNKubernetes:
		return true
	case cluster.KubeRouter:
		return d.Version.Known() && !d.Version.Before(2, 1, 0)
	case cluster.UnknownDataplane:
	}
	return false
}

// checkServed says whether a node answers health checks of a Service: nodePortAddresses are for health check node ports
// too. It is Undetermined where it answers in one family only: each family listens for itself, on one port, and who
// comes first takes it from the other.
func checkServed(svc *cluster.Service, d *cluster.Dataplane, node *cluster.Node) cluster.Tristate {
	both := dataplane.Families(svc.ClusterIPs)
	first, last := dataplane.ServesNodePorts(d, node, both[0]), dataplane.ServesNodePorts(d, node, both[len(both)-1])
	switch {
	case first == cluster.No:
		return cluster.No
	case last == cluster.No:
		return cluster.Undetermined
	}
	return cluster.Yes
}

// ownReadyEndpoints counts the ready endpoints that the data plane of a node considers local: those whose nodeName is
// the name that kube-proxy uses for its node. Cilium adds those without a node (cilium/cilium
// pkg/loadbalancer/writer/writer.go DefaultSelectBackends, v1.18.0 to v1.20.2; pkg/service/service.go, v1.13.0 to
// v1.17.0).
func ownReadyEndpoints(svc *cluster.Service, d *cluster.Dataplane, row *Row) int {
	name := d.ProxyNodeName(row.Node)
	if name == row.Node.Name && d.Name == cluster.Cilium {
		own := row.Endpoints.Ready
		for i := range svc.Endpoints {
			if e := &svc.Endpoints[i]; e.Ready && e.Node == "" && !e.IsPlaceholder() {
				own++
			}
		}
		return own
	}
	if name == row.Node.Name {
		return row.Endpoints.Ready
	}
	own := 0
	for i := range svc.Endpoints {
		if e := &svc.Endpoints[i]; e.Ready && e.Node == name {
			own++
		}
	}
	return own
}
