package finding_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

var (
	balancer = netip.MustParseAddr("203.0.113.7")
	served   = []cluster.EndpointPort{{Name: "http", Protocol: cluster.TCP, Port: 8080}}
	because  = &dataplane.Rule{ID: "T-01", Reason: "the test says so"}
	left     = &provider.Rule{ID: "T-02", Reason: "the test leaves it out"}
)

// well are facts of a Service of which nothing is wrong: a and b have a pod each, c has none, the load balancer sends to a and b, and every connection works.
func well() *finding.Facts {
	svc := &cluster.Service{
		Namespace: "shop", Name: "web", Type: cluster.TypeLoadBalancer, ExternalTrafficPolicy: cluster.PolicyLocal, InternalTrafficPolicy: cluster.PolicyCluster,
		HealthCheckNodePort: 32000, HasSelector: true, EndpointsKnown: true, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")},
		Ingress: []cluster.Ingress{{IP: balancer, IPMode: cluster.VIP}},
		Ports:   []cluster.Port{{Name: "http", Protocol: cluster.TCP, Port: 80, NodePort: 30080, TargetPort: "web"}},
	}
	s := &cluster.Snapshot{Dataplane: cluster.Dataplane{Name: cluster.KubeProxy, Mode: cluster.IPTables, Source: "configmap kube-system/kube-proxy", KubeProxy: &cluster.KubeProxySettings{}}}
	for i, name := range []string{"a", "b", "c"} {
		s.Nodes = append(s.Nodes, cluster.Node{Name: name, Zone: "z", Known: true, Ready: cluster.Yes, InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, 0, byte(i + 1)})}})
	}
	for i, name := range []string{"a", "b"} {
		svc.Endpoints = append(svc.Endpoints, cluster.Endpoint{
			Address: netip.AddrFrom4([4]byte{10, 244, byte(i + 1), 10}), Node: name, Ready: true, Serving: true, Ports: served, Target: "shop/web-" + name, Slice: "web-1",
		})
	}
	f := &finding.Facts{Snapshot: s, Service: svc, Provider: provider.LoadBalancer{
		Name: "test", Title: "a test", Backends: provider.Nodes, Weights: provider.EqualWeights, Delivery: provider.ToNodePort,
	}}
	for i := range s.Nodes {
		row := finding.Row{Node: &s.Nodes[i], Index: i}
		row.LoadBalancer.Receives, row.LoadBalancer.Reason, row.LoadBalancer.Rule = cluster.No, "NoLocalEndpoint", left
		if i < 2 {
			row.Endpoints.Ready = 1
			row.LoadBalancer.Receives, row.LoadBalancer.Reason, row.LoadBalancer.Rule = cluster.Yes, "", nil
		}
		for _, from := range []dataplane.From{dataplane.Node, dataplane.Pod, dataplane.External} {
			works := dataplane.Path{From: from, Protocol: cluster.TCP, Outcome: dataplane.Reachable, Endpoints: dataplane.AllEndpoints, Rule: because}
			for _, to := range []dataplane.Path{
				{To: dataplane.LoadBalancerIP, Address: balancer, Port: 80},
				{To: dataplane.NodePort, Address: s.Nodes[i].InternalIPs[0], Port: 30080},
				{To: dataplane.ClusterIP, Address: svc.ClusterIPs[0], Port: 80},
			} {
				path := works
				path.To, path.Address, path.Port = to.To, to.Address, to.Port
				row.Paths = append(row.Paths, path)
			}
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// set gives connections of some kind an outcome on a node.
func set(f *finding.Facts, node int, from dataplane.From, to dataplane.To, o dataplane.Outcome) {
	for i := range f.Rows[node].Paths {
		if p := &f.Rows[node].Paths[i]; p.From == from && p.To == to {
			p.Outcome = o
		}
	}
}

// proxied makes the load balancer add a PROXY protocol header.
func proxied(f *finding.Facts) {
	f.Provider.Name, f.Service.Annotations = "hetzner", map[string]string{"load-balancer.hetzner.cloud/uses-proxyprotocol": "true"}
}

// announced makes nodes announce the address; node is the only one that does, "" where nothing names it.
func announced(f *finding.Facts, by, node string) {
	f.Provider.Name, f.Provider.Announced = by, true
	if node != "" {
		f.Provider.Announcers, f.Provider.OneAnnouncer = []cluster.Announcer{{Node: node, By: by, Source: "the test"}}, true
		f.Service.Announcers = f.Provider.Announcers
	}
}

func ciliumRuns(f *finding.Facts, version string) {
	v, _ := cluster.ParseVersion(version)
	f.Snapshot.Dataplane = cluster.Dataplane{Name: cluster.Cilium, Version: v, Cilium: &cluster.CiliumSettings{Version: v}}
}

// endpoints gives the nodes so many ready endpoints each.
func endpoints(f *finding.Facts, ready ...int) {
	f.Service.Endpoints = nil
	for i, n := range ready {
		f.Rows[i].Endpoints.Ready = n
		for j := range n {
			f.Service.Endpoints = append(f.Service.Endpoints, cluster.Endpoint{
				Address: netip.AddrFrom4([4]byte{10, 244, byte(i + 1), byte(10 + j)}), Node: f.Rows[i].Node.Name, Ready: true, Serving: true, Ports: served,
				Target: "shop/web-" + f.Rows[i].Node.Name, Slice: "web-1",
			})
		}
	}
}

// TestChecks changes one thing of a Service that is well, for each check and each way in which it fails or stays silent.
func TestChecks(t *testing.T) {
	const (
		pass, fail, open, skip = finding.Pass, finding.Fail, finding.Unknown, finding.NotChecked
	)
	local := func(f *finding.Facts) { f.Service.Type, f.Service.Ingress = cluster.TypeNodePort, nil }
	cases := []struct {
		code, name string
		change     func(*finding.Facts)
		want       finding.Result
		// says is in the message, advises in the first remedy, confirm is the whole command; each only where it is not "".
		says, advises, confirm string
	}{
		{code: finding.NoReadyEndpoint, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.NoReadyEndpoint, name: "the only endpoint is not ready", want: fail, says: "its only endpoint is not ready", advises: "kubectl describe pod web-a -n shop",
			confirm: "kubectl get endpointslices -n shop -l kubernetes.io/service-name=web -o yaml",
			change: func(f *finding.Facts) {
				endpoints(f, 1, 0)
				f.Service.Endpoints[0].Ready = false
				f.Rows[0].Endpoints = dataplane.Count{NotReady: 1}
			},
		},
		{
			code: finding.NoReadyEndpoint, name: "nothing matches the selector", want: fail, says: "no pod that its selector matches", advises: "kubectl describe service web -n shop",
			change: func(f *finding.Facts) { endpoints(f, 0, 0) },
		},
		{
			code: finding.NoReadyEndpoint, name: "no selector", want: fail, says: "no selector", advises: "Add endpoints",
			change: func(f *finding.Facts) { endpoints(f, 0, 0); f.Service.HasSelector = false },
		},
		{
			code: finding.NoReadyEndpoint, name: "one still serves", want: fail, says: "1 still serves while terminating", advises: "Start new pods",
			change: func(f *finding.Facts) { endpoints(f, 0, 0); f.Rows[0].Endpoints.ServingTerminating = 1 },
		},

		{code: finding.FailsFromPods, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.FailsFromPods, name: "pods on c are refused", want: fail, says: "1 of 3 nodes: connections to 203.0.113.7 from pods are refused",
			advises: "No change needed: clients inside the cluster can use web.shop",
			confirm: `kubectl run etp-test -n shop --rm -it --restart=Never --image=busybox --overrides='{"apiVersion":"v1","spec":{"nodeName":"c"}}' -- wget -T 3 -O- http://203.0.113.7:80`,
			change:  func(f *finding.Facts) { set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Refused) },
		},
		{
			code: finding.FailsFromPods, name: "so are processes on the node", want: fail, says: "from inside the cluster time out",
			confirm: "kubectl debug node/c -it --image=busybox -- wget -T 3 -O- http://203.0.113.7:80",
			change: func(f *finding.Facts) {
				set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.TimedOut)
				set(f, 2, dataplane.Node, dataplane.LoadBalancerIP, dataplane.TimedOut)
			},
		},
		{
			code: finding.FailsFromPods, name: "some fail", want: fail, says: "1 of 3 nodes: some connections to 203.0.113.7 from pods fail",
			change: func(f *finding.Facts) { set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Partial) },
		},
		{
			code: finding.FailsFromPods, name: "not known", want: open, says: "cannot tell whether pods can reach 203.0.113.7",
			change: func(f *finding.Facts) { set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Unknown) },
		},
		{
			code: finding.FailsFromPods, name: "the cluster IP fails too", want: fail, advises: "Set internalTrafficPolicy to Cluster",
			change: func(f *finding.Facts) {
				f.Service.InternalTrafficPolicy = cluster.PolicyLocal
				set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Refused)
				set(f, 2, dataplane.Pod, dataplane.ClusterIP, dataplane.Refused)
			},
		},
		{
			code: finding.FailsFromPods, name: "a node whose name a shell would not take as it is", want: fail,
			change: func(f *finding.Facts) {
				set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Refused)
				f.Rows[2].Node.Name = "c; reboot"
			},
		},
		{code: finding.FailsFromPods, name: "no address", want: skip, change: func(f *finding.Facts) { f.Service.Ingress = nil }},
		{
			code: finding.FailsFromPods, name: "the load balancer gets them", want: skip,
			change: func(f *finding.Facts) { set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.ViaLoadBalancer) },
		},

		{code: finding.FailsFromHost, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.FailsFromHost, name: "the host network of c times out", want: fail, says: "1 of 3 nodes: connections to 203.0.113.7 from the host network time out",
			advises: "No change needed: processes on the host network can use the cluster IP 10.96.0.1",
			confirm: "kubectl debug node/c -it --image=busybox -- wget -T 3 -O- http://203.0.113.7:80",
			change:  func(f *finding.Facts) { set(f, 2, dataplane.Node, dataplane.LoadBalancerIP, dataplane.TimedOut) },
		},
		{
			code: finding.FailsFromHost, name: "pods fail there too, and have the finding", want: skip,
			change: func(f *finding.Facts) {
				set(f, 2, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Refused)
				set(f, 2, dataplane.Node, dataplane.LoadBalancerIP, dataplane.Refused)
			},
		},

		{code: finding.UnevenLoad, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.UnevenLoad, name: "two pods on a, one on b", want: fail, says: "uneven load: the pod on b gets 2.0x the traffic of a pod on a",
			change: func(f *finding.Facts) { endpoints(f, 2, 1) },
		},
		{
			code: finding.UnevenLoad, name: "weights by endpoints", want: pass,
			change: func(f *finding.Facts) { endpoints(f, 2, 1); f.Provider.Weights = provider.ByEndpoints },
		},
		{
			code: finding.UnevenLoad, name: "weights not known", want: open, says: "may be uneven",
			change: func(f *finding.Facts) { endpoints(f, 2, 1); f.Provider.Weights = provider.UnknownWeights },
		},
		{code: finding.UnevenLoad, name: "policy Cluster", want: skip, change: func(f *finding.Facts) { endpoints(f, 2, 1); f.Service.ExternalTrafficPolicy = cluster.PolicyCluster }},

		{code: finding.SingleNode, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.SingleNode, name: "one pod", want: fail, says: "if node a goes down, nothing works from outside: it has the only ready endpoint", advises: "Run at least 2 replicas",
			change: func(f *finding.Facts) { endpoints(f, 1, 0) },
		},
		{code: finding.SingleNode, name: "two pods on one node", want: fail, says: "it has all 2 ready endpoints", change: func(f *finding.Facts) { endpoints(f, 2, 0) }},
		{
			code: finding.SingleNode, name: "another node may announce the address", want: open, says: "not known whether this node announces",
			change: func(f *finding.Facts) {
				endpoints(f, 1, 0)
				f.Provider.Announced = true
				f.Rows[0].LoadBalancer.Receives = cluster.Undetermined
			},
		},
		{code: finding.SingleNode, name: "one node in all", want: skip, change: func(f *finding.Facts) { endpoints(f, 1, 0); f.Rows = f.Rows[:1] }},

		{code: finding.SendsToNoEndpoint, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.SendsToNoEndpoint, name: "the nodes with pods are left out by label", want: fail, says: "no connection from outside arrives",
			advises: "kubectl label node a node.kubernetes.io/exclude-from-external-load-balancers-",
			change: func(f *finding.Facts) {
				for i := range f.Rows {
					f.Rows[i].LoadBalancer.Receives, f.Rows[i].LoadBalancer.Reason, f.Rows[i].LoadBalancer.Rule = cluster.No, "ExcludedByLabel", left
				}
			},
		},
		{
			code: finding.SendsToNoEndpoint, name: "the load balancer sends to the pods", want: pass,
			change: func(f *finding.Facts) {
				for i := range f.Rows {
					f.Rows[i].LoadBalancer.Receives, f.Rows[i].LoadBalancer.Reason, f.Rows[i].LoadBalancer.Rule = cluster.No, "SendsToPods", left
				}
			},
		},

		{code: finding.NodePortOnSomeNodes, name: "a load balancer", want: skip, change: func(*finding.Facts) {}},
		{code: finding.NodePortOnSomeNodes, name: "well", want: pass, change: local},
		{
			code: finding.NodePortOnSomeNodes, name: "c drops", want: fail, says: "1 of 3 nodes: connections from outside to node port 30080 time out",
			advises: "Send clients to a node where it works: a, b", confirm: "curl -v -m 3 http://192.168.0.3:30080",
			change: func(f *finding.Facts) {
				local(f)
				set(f, 2, dataplane.External, dataplane.NodePort, dataplane.TimedOut)
			},
		},

		{code: finding.EndpointWithoutNode, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.EndpointWithoutNode, name: "no nodeName", want: fail, says: "1 ready endpoint is on no node of the cluster", advises: "Set nodeName of endpoint 10.244.1.10 in endpointslice shop/web-1",
			change: func(f *finding.Facts) {
				f.Service.Endpoints[0].Node = ""
				f.Rows[0].Endpoints, f.Nowhere = dataplane.Count{}, dataplane.Count{Ready: 1}
			},
		},

		{code: finding.NoAddress, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.NoAddress, name: "pending", want: fail, says: "the load balancer has no address yet", advises: "kubectl describe service web -n shop",
			change: func(f *finding.Facts) { f.Service.Ingress = nil; f.Service.Created = time.Unix(0, 0) },
		},
		{code: finding.NoAddress, name: "a node port", want: skip, change: local},

		{code: finding.CountsDiffer, name: "nobody asked", want: skip, change: func(*finding.Facts) {}},
		{
			code: finding.CountsDiffer, name: "all agree", want: pass,
			change: func(f *finding.Facts) {
				f.Snapshot.NodesAsked = true
				for i := range f.Rows {
					f.Rows[i].Live = &cluster.Live{HealthCheck: cluster.Pass, LocalEndpoints: f.Rows[i].Endpoints.Ready}
				}
			},
		},
		{
			code: finding.CountsDiffer, name: "a counts none", want: fail, says: "node a counts 0 ready endpoints of its own, but its EndpointSlices list 1", advises: "Check --hostname-override of kube-proxy on a",
			confirm: "curl -v -m 3 http://192.168.0.1:32000/healthz",
			change: func(f *finding.Facts) {
				f.Snapshot.NodesAsked, f.Rows[0].Disagrees = true, true
				f.Rows[0].Live = &cluster.Live{HealthCheck: cluster.Fail, LocalEndpoints: 0}
			},
		},
		{
			code: finding.CountsDiffer, name: "kube-proxy runs under another name", want: fail, says: "kube-proxy on a runs under the name x",
			change: func(f *finding.Facts) { f.Snapshot.Dataplane.KubeProxy.HostnameOverride = "x" },
		},

		{code: finding.UnservedPort, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.UnservedPort, name: "no container port of that name", want: fail, says: "no ready endpoint serves 443/TCP, so connections to this port fail", advises: `Give a container port of the pods the name "tls"`,
			change: func(f *finding.Facts) {
				f.Service.Ports = append(f.Service.Ports, cluster.Port{Name: "https", Protocol: cluster.TCP, Port: 443, TargetPort: "tls"})
			},
		},

		{code: finding.OtherProxyMode, name: "nobody asked", want: skip, change: func(*finding.Facts) {}},
		{
			code: finding.OtherProxyMode, name: "b runs in ipvs", want: fail, says: "kube-proxy on b runs in mode ipvs, but its configuration says iptables", advises: "Restart kube-proxy on b",
			confirm: "kubectl get --raw /api/v1/nodes/b:10249/proxy/proxyMode",
			change:  func(f *finding.Facts) { f.Snapshot.NodesAsked, f.Rows[1].Node.ProxyMode = true, "ipvs" },
		},
		{
			code: finding.OtherProxyMode, name: "all run in iptables", want: pass,
			change: func(f *finding.Facts) {
				f.Snapshot.NodesAsked = true
				for i := range f.Rows {
					f.Rows[i].Node.ProxyMode = "iptables"
				}
			},
		},

		{code: finding.BypassesLoadBalancer, name: "no header, no TLS", want: skip, change: func(*finding.Facts) {}},
		{
			code: finding.BypassesLoadBalancer, name: "nodes handle the address", want: fail, says: "3 of 3 nodes: connections to 203.0.113.7 from inside the cluster have no PROXY protocol header",
			advises: "hcloud-cloud-controller-manager v1.21.0", confirm: "kubectl debug node/a -it --image=busybox -- wget -T 3 -O- http://203.0.113.7:80",
			change: func(f *finding.Facts) { proxied(f) },
		},
		{
			code: finding.BypassesLoadBalancer, name: "nodes leave the address to the load balancer", want: pass,
			change: func(f *finding.Facts) {
				proxied(f)
				for node := range f.Rows {
					set(f, node, dataplane.Pod, dataplane.LoadBalancerIP, dataplane.Unreachable)
					set(f, node, dataplane.Node, dataplane.LoadBalancerIP, dataplane.Unreachable)
				}
			},
		},
		{
			code: finding.BypassesLoadBalancer, name: "the annotation is another cloud's", want: skip,
			change: func(f *finding.Facts) { proxied(f); f.Provider.Name = "metallb" },
		},
		{
			code: finding.BypassesLoadBalancer, name: "the load balancer ends TLS", want: fail, says: "bypass the load balancer, which ends TLS",
			change: func(f *finding.Facts) {
				f.Provider.Name, f.Service.Annotations = "hetzner", map[string]string{"load-balancer.hetzner.cloud/protocol": "https"}
			},
		},

		{
			code: finding.AnnouncerWithoutEndpoint, name: "c announces and has none", want: fail,
			says: "node c announces the address and has no ready endpoint: all connections from outside time out", advises: "Set svc_election of kube-vip",
			confirm: "curl -v -m 3 http://203.0.113.7:80",
			change: func(f *finding.Facts) {
				announced(f, "kube-vip", "c")
				f.Rows[2].LoadBalancer.Receives = cluster.Yes
				set(f, 2, dataplane.External, dataplane.LoadBalancerIP, dataplane.TimedOut)
			},
		},
		{
			code: finding.AnnouncerWithoutEndpoint, name: "a announces and has one", want: pass, change: func(f *finding.Facts) { announced(f, "kube-vip", "a") },
		},
		{
			code: finding.AnnouncerWithoutEndpoint, name: "nothing names the node", want: open, says: "it is not known which node announces", change: func(f *finding.Facts) { announced(f, "kube-vip", "") },
		},
		{
			code: finding.AnnouncerWithoutEndpoint, name: "nothing names the node, and every node has one", want: pass,
			change: func(f *finding.Facts) { announced(f, "kube-vip", ""); endpoints(f, 1, 1, 1) },
		},
		{
			code: finding.AnnouncerWithoutEndpoint, name: "nothing names the node, and MetalLB chooses one with an endpoint", want: pass,
			change: func(f *finding.Facts) { announced(f, "metallb", "") },
		},
		{
			code: finding.AnnouncedByAnyNode, name: "Cilium v1.19", want: fail, says: "1 of 3 nodes has no ready endpoint", advises: "Upgrade Cilium to v1.20.2",
			confirm: "kubectl get lease cilium-l2announce-shop-web -n kube-system -o yaml",
			change:  func(f *finding.Facts) { announced(f, "cilium", "a"); ciliumRuns(f, "v1.19.7") },
		},
		{
			code: finding.AnnouncedByAnyNode, name: "Cilium v1.20.2", want: pass, change: func(f *finding.Facts) { announced(f, "cilium", "a"); ciliumRuns(f, "v1.20.2") },
		},
		{
			code: finding.AnnouncedByAnyNode, name: "Cilium of an unknown version", want: open, change: func(f *finding.Facts) { announced(f, "cilium", "a") },
		},

		{code: finding.HealthAgainstPolicy, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.HealthAgainstPolicy, name: "no health monitor, perhaps", want: fail, says: "1 node without a ready endpoint may get connections from outside that it drops",
			advises: "kubectl annotate service web -n shop loadbalancer.openstack.org/enable-health-monitor=true --overwrite",
			change: func(f *finding.Facts) {
				f.Provider.Name, f.Rows[2].LoadBalancer.Receives = "openstack", cluster.Undetermined
			},
		},
		{
			code: finding.HealthAgainstPolicy, name: "no health monitor, and every node has an endpoint", want: pass,
			change: func(f *finding.Facts) { f.Provider.Name = "openstack"; endpoints(f, 1, 1, 1) },
		},
		{
			code: finding.HealthAgainstPolicy, name: "no health monitor, for certain", want: fail, says: "1 node without a ready endpoint gets connections from outside that it drops",
			change: func(f *finding.Facts) {
				f.Provider.Name, f.Rows[2].LoadBalancer.Receives = "openstack", cluster.Yes
				f.Service.Annotations = map[string]string{"loadbalancer.openstack.org/enable-health-monitor": "false"}
			},
		},
		{
			code: finding.HealthAgainstPolicy, name: "the probe requests a path", want: fail, says: "the health probe of port 80 requests / over HTTP",
			change: func(f *finding.Facts) {
				f.Provider.Name, f.Service.ExternalTrafficPolicy, f.Service.Ports[0].AppProtocol = "azure", cluster.PolicyCluster, "http"
			},
		},

		{
			code: finding.LocalHidesClientIP, name: "the client IP is kept", want: pass,
			change: func(f *finding.Facts) { f.Provider.ClientIP = provider.Preserved },
		},
		{
			code: finding.LocalHidesClientIP, name: "own connections", want: fail, says: "a test opens its own connections", advises: "Use policy Cluster",
			change: func(f *finding.Facts) { f.Provider.ClientIP = provider.Rewritten },
		},
		{
			code: finding.LocalHidesClientIP, name: "own connections, with a header", want: pass,
			change: func(f *finding.Facts) { f.Provider.ClientIP = provider.ByProxyProtocol },
		},
		{
			code: finding.LocalHidesClientIP, name: "the driver decides", want: open, says: "may not show pods the client IP", advises: "loadbalancer.openstack.org/proxy-protocol=true",
			change: func(f *finding.Facts) { f.Provider.Name, f.Provider.ClientIP = "openstack", provider.UnknownClientIP },
		},

		{
			code: finding.UnhealthyIsExpected, name: "c has no endpoint", want: fail, says: "1 of 3 nodes is unhealthy for the load balancer, as expected", advises: "No change needed",
			confirm: "curl -v -m 3 http://192.168.0.3:32000/healthz",
			change:  func(f *finding.Facts) { f.Rows[2].LoadBalancer.Rule = provider.NoLocalEndpoint },
		},
		{code: finding.UnhealthyIsExpected, name: "c is left out for another reason", want: pass, change: func(*finding.Facts) {}},

		{
			code: finding.CrossZoneOff, name: "a zone with one pod and one with two", want: fail, says: "the pod on a gets 2.0x the traffic of a pod on b",
			change: func(f *finding.Facts) {
				f.Provider.Weights = provider.ByZone
				endpoints(f, 1, 1, 1)
				f.Rows[2].LoadBalancer.Receives, f.Snapshot.Nodes[0].Zone = cluster.Yes, "y"
			},
		},
		{
			code: finding.CrossZoneOff, name: "as many in each zone", want: pass,
			change: func(f *finding.Facts) { f.Provider.Weights, f.Snapshot.Nodes[0].Zone = provider.ByZone, "y" },
		},

		{code: finding.SendsToFailingNodes, name: "well", want: pass, change: func(*finding.Facts) {}},
		{
			code: finding.SendsToFailingNodes, name: "b refuses", want: fail, says: "1 of the 2 nodes that the load balancer sends to: connections from outside to 203.0.113.7 are refused",
			advises: "Make the pods on b serve every port", confirm: "curl -v -m 3 http://192.168.0.2:30080",
			change: func(f *finding.Facts) { set(f, 1, dataplane.External, dataplane.LoadBalancerIP, dataplane.Refused) },
		},
		{
			code: finding.SendsToFailingNodes, name: "c refuses, and is sent nothing", want: pass,
			change: func(f *finding.Facts) { set(f, 2, dataplane.External, dataplane.LoadBalancerIP, dataplane.Refused) },
		},
		{
			code: finding.SendsToFailingNodes, name: "c refuses, and may be sent something", want: open, says: "if the load balancer sends to it, which is not known",
			change: func(f *finding.Facts) {
				f.Rows[2].LoadBalancer.Receives = cluster.Undetermined
				set(f, 2, dataplane.External, dataplane.LoadBalancerIP, dataplane.Refused)
			},
		},
	}
	fails, silent := map[string]bool{}, map[string]bool{}
	for _, c := range cases {
		fails[c.code] = fails[c.code] || c.want == fail
		silent[c.code] = silent[c.code] || c.want == pass
		t.Run(c.code+" "+c.name, func(t *testing.T) {
			f := well()
			c.change(f)
			found, rest := finding.Check(f)
			all := slices.Concat(found, rest)
			at := slices.IndexFunc(all, func(r finding.Finding) bool { return r.Code == c.code })
			if at < 0 || all[at].Result != c.want || !strings.Contains(all[at].Message, c.says) {
				t.Fatalf("got %+v, want %s with %q", all, c.want, c.says)
			}
			r := all[at]
			if c.advises != "" && (len(r.Remedies) == 0 || !strings.Contains(r.Remedies[0].Text, c.advises)) {
				t.Errorf("it advises %+v, want %q", r.Remedies, c.advises)
			}
			if c.confirm != "" && r.Confirm != c.confirm || strings.Contains(r.Confirm, "reboot") {
				t.Errorf("it is confirmed by %q, want %q", r.Confirm, c.confirm)
			}
			if c.want == fail && len(r.Evidence) == 0 {
				t.Error("it has no evidence")
			}
		})
	}
	for _, kind := range finding.Catalogue() {
		if !fails[kind.Code] || !silent[kind.Code] {
			t.Errorf("%s: a case in which it fails: %t, in which it passes: %t", kind.Code, fails[kind.Code], silent[kind.Code])
		}
	}
}

// TestOrder: within a severity, what makes connections fail comes before what only degrades them.
func TestOrder(t *testing.T) {
	f := well()
	endpoints(f, 3, 1)
	set(f, 2, dataplane.Node, dataplane.LoadBalancerIP, dataplane.TimedOut)
	f.Service.Ports = append(f.Service.Ports, cluster.Port{Name: "https", Protocol: cluster.TCP, Port: 443, TargetPort: "tls"})
	f.Nowhere.Ready = 1
	f.Service.Endpoints = append(f.Service.Endpoints, cluster.Endpoint{Address: netip.MustParseAddr("10.0.0.9"), Ready: true, Ports: served, Slice: "web-2"})
	f.Snapshot.NodesAsked, f.Rows[1].Node.ProxyMode = true, "ipvs"
	found, _ := finding.Check(f)
	var got []string
	for _, r := range found {
		if r.Result == finding.Fail {
			got = append(got, r.Code)
		}
	}
	want := []string{finding.EndpointWithoutNode, finding.UnservedPort, finding.FailsFromHost, finding.UnevenLoad, finding.OtherProxyMode}
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}
