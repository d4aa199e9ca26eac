package cli

import "github.com/kubectl-etp/kubectl-etp/pkg/dataplane"

// topic is something to explain that is neither a finding nor a rule.
type topic struct {
	name, title string
	paragraphs  []string
	// sources say where the facts were read.
	sources []string
	// family are the letters with which the ids of the rules about it begin, "" for none.
	family string
	// provider: the rules about it are those of load balancers.
	provider bool
}

const (
	virtualIPs   = "https://kubernetes.io/docs/reference/networking/virtual-ips/"
	loadBalancer = "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/"
	serviceField = "https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/"
)

func topics() []topic {
	return []topic{
		{
			name: "externalTrafficPolicy", title: "which endpoints a node may hand connections from outside to",
			paragraphs: []string{
				"Cluster, the default: any ready endpoint of the Service, on whatever node. kube-proxy puts the node's address in place of the client's, so that answers come " +
					"back the same way. Every node can take every connection; the endpoint does not see who the client is.",
				"Local: only endpoints on the node itself, with the client's address. A node without one has nothing to hand the connection to, and says so at the " +
					"healthCheckNodePort of a LoadBalancer Service, so that the load balancer leaves it out.",
				"Neither says what connections from inside the cluster to the load balancer's address meet: see kubectl etp explain in-cluster.",
			},
			sources: []string{virtualIPs, serviceField},
		},
		{
			name: "internalTrafficPolicy", title: "which endpoints a connection to the ClusterIP may reach",
			paragraphs: []string{
				"Cluster, the default: any ready endpoint. Local: only those on the client's own node, and where there is none the connection fails; but kube-proxy in ipvs " +
					"mode falls back to any endpoint since v1.24, if the Service can be reached from outside too (IPVS-15).",
				"It is about the ClusterIP alone. The addresses of the load balancer, external IPs and node ports follow externalTrafficPolicy, but for one mistake of " +
					"kube-proxy v1.22 and v1.23 (SVC-10).",
			},
			sources: []string{virtualIPs, serviceField},
		},
		{
			name: "healthCheckNodePort", title: "the port at which a node says whether it has endpoints of its own",
			paragraphs: []string{
				"A Service of type LoadBalancer with externalTrafficPolicy Local gets one. kube-proxy answers there on every node: 200 where the node has a ready endpoint, 503 " +
					"where it has none (in newer releases also where kube-proxy itself is not healthy), and how many it counts. Load balancers that send to nodes are made to ask it.",
				"It counts endpoints and does not try the node port, so a node can pass and still drop what it is sent (ETP051). kubectl etp status --live shows what each node " +
					"answers; ask one yourself with: curl NODE:HEALTHCHECKNODEPORT/healthz",
			},
			sources: []string{loadBalancer, "kubernetes/kubernetes pkg/proxy/healthcheck/service_health.go"},
		},
		{
			name: "in-cluster", title: "what happens to a connection from inside to the load balancer's address",
			paragraphs: []string{
				"It need not reach the load balancer. Most data planes know the address from the Service's status and answer for it on the node where the connection " +
					"starts. What then happens under externalTrafficPolicy Local on a node without an endpoint differs:",
				"kube-proxy in iptables and nftables mode lets its own pods and processes past the policy to any endpoint (IPT-14, IPT-15, NFT-10, NFT-12), where it can tell " +
					"that they are its own. In ipvs mode it refused them before v1.24 (IPVS-11), and since then hands them to other nodes, where some get no answer (IPVS-12 to IPVS-14).",
				"Nothing is caught on the node where the status has only a host name (SVC-06) or its ipMode is Proxy (SVC-07).",
				"From inside the cluster the name SERVICE.NAMESPACE, which stands for the ClusterIP, is not subject to any of this.",
			},
			sources: []string{"the rules that are named, each with its own source"},
		},
		{
			name: "ipMode", title: "whether nodes answer for the load balancer's address themselves",
			paragraphs: []string{
				"status.loadBalancer.ingress[].ipMode is written by the cloud's controller. VIP, or nothing: packets arrive at nodes with the load balancer's address as their " +
					"destination, and kube-proxy answers for that address on every node. Proxy: the load balancer speaks to nodes or pods itself, and kube-proxy " +
					"leaves the address alone, so connections from inside go to the load balancer too.",
				"kube-proxy heeds it since v1.30, where it is on by default.",
			},
			sources: []string{"KEP-1860", serviceField},
		},
		{
			name: "client-ip", title: "when the endpoint sees the client's own address",
			paragraphs: []string{
				"Under externalTrafficPolicy Local the node keeps the address that it received. Whether the load balancer has kept it before is the load balancer's affair: one " +
					"that ends connections and makes new ones has not.",
				"Under Cluster kube-proxy puts a node's address in its place. A load balancer that sends to pods directly passes no node, and no policy applies to it.",
			},
			sources: []string{virtualIPs, loadBalancer},
		},
		{
			name: "basis", title: "how a prediction is known",
			paragraphs: []string{
				"Measured: packets through a real kube-proxy of such a release did this; the recording is in test/truth, and every test run replays it. Source: read in the data " +
					"plane's code, for the releases that the rule names. Documented: said by the data plane's documentation.",
				"Unknown: not established, or dependent on something that the API does not show. What could happen is listed, and nothing is picked.",
			},
			sources: []string{"pkg/dataplane"},
		},
		family("iptables", "kube-proxy in iptables mode", "IPT"),
		family("ipvs", "kube-proxy in ipvs mode", "IPVS"),
		family("nftables", "kube-proxy in nftables mode", "NFT"),
		family("cilium", "Cilium, in place of kube-proxy or beside it", "CIL"),
		family("calico-ebpf", "Calico with its eBPF data plane", "CAL"),
		family("antrea", "Antrea with AntreaProxy", "ANT"),
		family("ovn-kubernetes", "OVN-Kubernetes", "OVN"),
		family("kube-router", "kube-router as a service proxy", "KR"),
		family("windows", "kube-proxy on Windows", "WIN"),
		{name: "load-balancer", title: "which nodes a load balancer sends to", provider: true, sources: []string{"the rules that are named, each with its own source"}},
		family("services", "what holds for every data plane", "SVC"),
		family("unknown", "what cannot be said, and on what it depends", "UNK"),
	}
}

// family is a data plane: what there is to say of it are its rules.
func family(name, title, letters string) topic {
	return topic{name: name, title: title, family: letters}
}

// familyOf is the topic to which a rule belongs.
func familyOf(r *dataplane.Rule) topic {
	letters, _, _ := cutID(r.ID)
	for _, t := range topics() {
		if t.family == letters {
			return t
		}
	}
	return topic{}
}
