package provider

import (
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// controller is what is known about one load balancer: about the program that sets it up for a Service, or about all
// such programs where a cloud has several. Each embeds unknown, which answers what is not known about it.
type controller interface {
	// about is the name, a short lower-case word that never changes, and the title for people.
	about() (name, title string)
	// rules are those of this load balancer alone.
	rules() []*Rule
	// recognise says whether the Service's load balancer is this one, and what is known of it.
	recognise(candidate) (LoadBalancer, bool)
	// members decides which nodes become backends.
	members(s *cluster.Snapshot, svc *cluster.Service) func(*cluster.Node) Member
	// leavesOut is the rule by which, under policy Local, a node with so many ready and so many serving, terminating
	// endpoints gets nothing; nil where none does.
	leavesOut(ready, servingTerminating int) *Rule
	// subset is how many nodes the load balancer takes at most, and the rule of nodes among more than that; 0 where
	// there is no limit.
	subset(*cluster.Service) (limit int, rule *Rule)
	// unsureCheck is the rule that says what the health check depends on, where it may ask several things.
	unsureCheck() *Rule
	// noHairpin is the rule by which a load balancer that keeps the client IP cannot send a connection back to the node
	// where it started; nil where that is not known.
	noHairpin(LoadBalancer, *cluster.Service) *Rule
	// proxyProtocol is the annotation that makes it put a PROXY protocol header before each connection; "" where the
	// Service has none.
	proxyProtocol(*cluster.Service) string
	// endsTLS is the annotation that makes the load balancer end TLS and speak to the backends without it; "" where the
	// Service has none.
	endsTLS(*cluster.Service) string
	// publishesProxy says since which release the controller publishes ipMode Proxy where the PROXY protocol is on; ""
	// where it is not known to.
	publishesProxy() string
	// showsClientIP turns the PROXY protocol on, or something else that lets backends learn the client IP, in which case
	// takes says what that costs; an empty Setting where no annotation is known that does.
	showsClientIP(LoadBalancer, *cluster.Service) (s Setting, takes string)
	// clientIPDepends says what decides whether pods see the client IP, where the API does not show it; "" elsewhere.
	clientIPDepends() string
	// announcers are the nodes that announce the Service's address, as far as an object names them; old says that it is not
	// always kept up to date. announcesAlone says whether no other node does where one is named.
	announcers(*cluster.Service) (nodes []cluster.Announcer, old bool)
	announcesAlone(*cluster.Snapshot, *cluster.Service) bool
	// announcerShown is how to see which node announces the address, and electsEndpoints how to make the election prefer
	// nodes with an endpoint: a sentence each, "" where there is none.
	announcerShown(*cluster.Service) (command, sentence string)
	electsEndpoints() string
	// electsAnyNode says of policy Local whether a node without an endpoint may be the one that announces the address.
	electsAnyNode(*cluster.Snapshot, *cluster.Service) (holds cluster.Tristate, reason string)
	// crossZone turns cross-zone load balancing on; an empty Setting where no annotation is known that does.
	crossZone(*cluster.Service) Setting
	// conflict is a health check that does not do what the traffic policy needs.
	conflict(LoadBalancer, *cluster.Service) (Conflict, bool)
	// weighs is the setting that divides connections by the number of pods; an empty Setting where there is none, or it
	// is set. hint is what else to say of it.
	weighs(LoadBalancer, *cluster.Service) (s Setting, hint string)
	// toCluster, toLocal and toPods are its side of a change of the policy, and of making pods its backends.
	toCluster(LoadBalancer, Facts) Change
	toLocal(LoadBalancer, Facts) Change
	toPods(LoadBalancer, Facts) (c Change, policy bool)
	// toName is how it publishes a name instead of an address; instead says what to do where it has no way.
	toName(LoadBalancer) (p Published, instead string)
	// signs are the events by which it reports the result of a change.
	signs() []Sign
}

// registry lists every load balancer that is known, in the order in which they are asked whether a Service's is theirs:
// what a controller wrote on the Service is better evidence than where the nodes run.
var registry = []controller{
	metalLB{},
	kubeVIP{},
	cilium{},
	pureLB{},
	alibaba{},
	aws{},
	gke{},
	azure{},
	openstack{},
	hetzner{},
	digitalOcean{},
	oci{},
	ibm{},
	serviceLB{},
	cloudProviderKind{},
	scaleway{},
	linode{},
	tencent{},
	huawei{},
	volcengine{},
	baidu{},
	vultr{},
	exoscale{},
}

// Known is one load balancer that is recognised.
type Known struct {
	// Name is that of LoadBalancer; Title is for people.
	Name, Title string
	// Rules are those of this load balancer alone.
	Rules []*Rule
}

// All lists every load balancer that is recognised.
func All() []Known {
	all := make([]Known, len(registry))
	for i, c := range registry {
		name, title := c.about()
		all[i] = Known{name, title, c.rules()}
	}
	return all
}

// Rules lists every rule that decides whether a load balancer sends to a node: first those that hold for any. RouteRules
// lists the others.
func Rules() []*Rule {
	rules := commonRules()
	for _, c := range registry {
		rules = append(rules, c.rules()...)
	}
	return rules
}

// controller finds what is known of a load balancer; unknown{} where it is not recognised.
func (lb LoadBalancer) controller() controller {
	for _, c := range registry {
		if name, _ := c.about(); name == lb.Name {
			return c
		}
	}
	return unknown{}
}

// unknown is a load balancer that is not recognised, and the default for what is not known about a recognised one.
type unknown struct{}

func (unknown) about() (name, title string)              { return "", "" }
func (unknown) rules() []*Rule                           { return nil }
func (unknown) recognise(candidate) (LoadBalancer, bool) { return LoadBalancer{}, false }
func (unknown) members(s *cluster.Snapshot, _ *cluster.Service) func(*cluster.Node) Member {
	return upstream(s)
}
func (unknown) leavesOut(int, int) *Rule                                       { return nil }
func (unknown) subset(*cluster.Service) (int, *Rule)                           { return 0, nil }
func (unknown) unsureCheck() *Rule                                             { return HealthNotKnown }
func (unknown) noHairpin(LoadBalancer, *cluster.Service) *Rule                 { return nil }
func (unknown) proxyProtocol(*cluster.Service) string                          { return "" }
func (unknown) endsTLS(*cluster.Service) string                                { return "" }
func (unknown) publishesProxy() string                                         { return "" }
func (unknown) showsClientIP(LoadBalancer, *cluster.Service) (Setting, string) { return Setting{}, "" }
func (unknown) crossZone(*cluster.Service) Setting                             { return Setting{} }
func (unknown) clientIPDepends() string                                        { return "" }
func (unknown) weighs(LoadBalancer, *cluster.Service) (Setting, string)        { return Setting{}, "" }
func (unknown) toCluster(LoadBalancer, Facts) Change                           { return Change{} }
func (unknown) toLocal(LoadBalancer, Facts) Change                             { return Change{} }
func (unknown) signs() []Sign                                                  { return nil }

func (unknown) electsEndpoints() string { return "" }

func (unknown) electsAnyNode(*cluster.Snapshot, *cluster.Service) (cluster.Tristate, string) {
	return cluster.Undetermined, ""
}

func (unknown) announcerShown(*cluster.Service) (command, sentence string) { return "", "" }

func (unknown) announcers(*cluster.Service) ([]cluster.Announcer, bool) { return nil, false }

func (unknown) announcesAlone(*cluster.Snapshot, *cluster.Service) bool { return false }

func (unknown) conflict(LoadBalancer, *cluster.Service) (Conflict, bool) {
	return Conflict{}, false
}

func (unknown) toPods(lb LoadBalancer, _ Facts) (c Change, policy bool) {
	if lb.Name == "" {
		return Change{Instead: "the load balancer is not recognised, so it is not known how it could send to pods; use --mode=cluster or --mode=dns"}, false
	}
	return Change{Instead: lb.Title + " cannot send to pods directly; use --mode=cluster, --mode=hostname or --mode=dns"}, false
}

func (unknown) toName(lb LoadBalancer) (p Published, instead string) {
	if lb.Name == "" {
		return Published{}, "the load balancer is not recognised, so no annotation is known that publishes a name; use --mode=cluster or --mode=dns"
	}
	return Published{}, lb.Title + " has no annotation that publishes a name instead of an address; use --mode=cluster or --mode=dns"
}
