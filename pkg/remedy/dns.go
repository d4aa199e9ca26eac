package remedy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/english"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// dns plans that CoreDNS answers public names with the Service, for whoever asks it from inside.
//
// The rewrite is of type exact, whose answers CoreDNS always rewrites back by itself (plugin/rewrite/README.md: "answers for rewrites of type exact are always
// rewritten"). The option "answer auto" would say the same and is left out: releases before v1.8.4 refuse a Corefile with it, and Kubernetes v1.20 comes with v1.7.0.
func (p *planner) dns(o Options) error {
	s := p.Facts.Service
	if s.Headless || len(s.ClusterIPs) == 0 {
		p.need(Precondition{
			Name: "has-cluster-ip", Holds: cluster.No, Message: "it has no cluster IP that its name could lead to",
			Evidence: []finding.Evidence{{Fact: "no clusterIP", Source: p.serviceSource()}},
		})
		return nil
	}
	config, ok := p.coredns()
	if !ok {
		return nil
	}
	source := "configmap " + config.Namespace + "/" + config.Name
	broken := func(err error) error {
		p.need(Precondition{
			Name: "corefile-understood", Holds: cluster.No, Message: fmt.Sprintf("the Corefile is not understood, so it is left alone: %v", err),
			Evidence: []finding.Evidence{{Fact: err.Error(), Source: source}},
		})
		return nil
	}
	text := config.Data["Corefile"]
	file, err := parseCorefile(text)
	if err != nil {
		return broken(err)
	}
	own, err := file.marked(s.Namespace + "/" + s.Name)
	if err != nil {
		return broken(err)
	}
	hosts := p.hosts(o)
	if len(hosts) == 0 && own.from == 0 {
		why := "no Ingress behind the Service has a host"
		if p.Surroundings.Gap(ingresses, "") != nil {
			why = "the Ingresses behind the Service could not be read"
		}
		return &HostNeeded{Mode: DNS, Why: why + ", and the public name must be known"}
	}
	block := p.block(file, hosts, own, source)
	if block == nil {
		return nil
	}
	domain := block.domain()
	to := fmt.Sprintf("%s.%s.svc.%s.", s.Name, s.Namespace, domain)
	hosts, ok = p.unwritten(block, own, hosts, to, source)
	if !ok || len(hosts) == 0 {
		return nil
	}
	written, err := file.rewrite(block, own, hosts, to)
	if err != nil {
		return broken(err)
	}
	if written == text {
		return nil
	}
	p.reaches()
	p.withoutHeader()
	p.gain("pods that use a public name connect to the cluster IP: no load balancer, no extra cost, and the client IP as for any Service")
	p.cost("it helps only clients that ask the cluster's DNS for a public name; connections to the address itself stay as they are")
	p.cost("what the load balancer does itself (TLS, filters, logs) is left out for connections from inside")
	if len(o.Hosts) > 0 {
		p.cost("whether the names lead to this Service from outside was not looked at")
	}
	part := &Part{Begin: own.begin, End: own.end}
	if part.Was, err = part.In(text); err != nil {
		return broken(err)
	}
	if part.Now, err = part.In(written); err != nil {
		return broken(err)
	}
	c := Change{
		Object: config.Object, Fields: []Field{{Path: corefilePath(), Was: text, Now: written, Part: part}},
		Starts: "CoreDNS reads its Corefile anew, in a minute or two",
	}
	if !slices.ContainsFunc(file.servers, func(s server) bool { return s.has("reload") }) {
		c.Starts = ""
		p.cost("the Corefile has no reload directive: the CoreDNS pods must be restarted before they know the names")
	}
	p.Changes = append(p.Changes, c)
	p.owned(&config.Metadata, config.Object, c.Fields)
	p.Assumes = append(p.Assumes, "the map stays as it is: it is about the address, and the change is about the name")
	p.effects = append(p.effects, func(s *cluster.Snapshot, _ *cluster.Service) { s.Corefile = written })
	p.byName(hosts)
	return nil
}

func corefilePath() []string { return []string{"data", "Corefile"} }

// byName predicts what pods meet that connect by a name, which then stands for the cluster IP, and compares it with what they meet at the address.
func (p *planner) byName(hosts []string) {
	predictor := dataplane.New(p.Snapshot, p.Facts.Service)
	published := p.reachedNow()[dataplane.Pod]
	inside := p.clusterIP(predictor)
	need := Precondition{Name: "in-cluster-clients", Holds: cluster.Yes, Message: "no pod that works now is expected to fail by name"}
	switch fails, unknown := newly(inside.fails, published.fails), newly(inside.unknown, slices.Concat(published.unknown, published.fails)); {
	case len(fails) > 0:
		need.Holds, need.Risk, need.Evidence = cluster.No, BreaksInside, p.ruleEvidence(inside.rules[fails[0]])
		need.Message = fmt.Sprintf("pods on %d of %d nodes would no longer reach the Service by name: %s", len(fails), inside.of, english.Some(fails))
	case len(unknown) > 0:
		need.Holds, need.Risk, need.Evidence = cluster.Undetermined, BreaksInside, p.ruleEvidence(inside.rules[unknown[0]])
		need.Message = fmt.Sprintf("it is not known whether pods on %d of %d nodes would reach the Service by name: %s", len(unknown), inside.of, english.Some(unknown))
	}
	p.need(need)
	if provider.ProxyProtocol(p.Facts.Service) != "" {
		// Backends that wait for the header refuse such connections.
		return
	}
	fixed := slices.DeleteFunc(slices.Clone(published.fails), func(name string) bool { return !slices.Contains(inside.works, name) })
	if len(fixed) == 0 {
		return
	}
	p.Effects = append(p.Effects, Effect{Kind: FixesByName, Nodes: fixed, Message: fmt.Sprintf(
		"pods on %d of %d nodes reach the Service by the name %s, and fail at the address as before", len(fixed), inside.of, english.Some(hosts))})
	if p.failed(finding.FailsFromPods) {
		p.ByName = []string{finding.FailsFromPods}
	}
}

// clusterIP is what pods meet at the cluster IPs, at every port that is served.
func (p *planner) clusterIP(predictor *dataplane.Predictor) *reached {
	out := &reached{rules: map[string]*dataplane.Rule{}}
	for i := range p.Snapshot.Nodes {
		n := &p.Snapshot.Nodes[i]
		if n.VirtualKubelet {
			continue
		}
		works, why := cluster.Yes, (*dataplane.Rule)(nil)
		for _, t := range dataplane.Targets(p.Facts.Service) {
			if t.To != dataplane.ClusterIP || !dataplane.Served(p.Facts.Service, t.Port) {
				continue
			}
			path := predictor.Path(dataplane.Client{From: dataplane.Pod, Node: i}, t)
			if w := path.Works(); w == cluster.No || w == cluster.Undetermined && works == cluster.Yes {
				works, why = w, path.Rule
			}
		}
		out.of++
		out.add(n.Name, works, why)
	}
	return out
}

// coredns is the ConfigMap of CoreDNS as kubeadm and most distributions have it.
func (p *planner) coredns() (*cluster.ConfigMap, bool) {
	const name = "coredns"
	for i := range p.Surroundings.ConfigMaps {
		if m := &p.Surroundings.ConfigMaps[i]; m.Name == name && m.Data["Corefile"] != "" {
			return m, true
		}
	}
	need := Precondition{Name: "coredns-there"}
	if gap := p.Surroundings.Gap(configMaps, name); gap != nil {
		need.Message, need.Evidence = "configmap kube-system/coredns could not be read", gapEvidence(gap)
	} else {
		need.Holds, need.Message = cluster.No, "the cluster's DNS is not CoreDNS with a Corefile in configmap kube-system/coredns; its own settings must answer the names"
		need.Evidence = []finding.Evidence{{Fact: "no Corefile", Source: "configmap kube-system/coredns"}}
	}
	p.need(need)
	return nil, false
}

// hosts are those that were given, else those of the Ingresses behind the Service, as they compare.
func (p *planner) hosts(o Options) (hosts []string) {
	found := o.Hosts
	if len(found) == 0 {
		found = p.ingressHosts()
		for i := range p.Surroundings.Ingresses {
			for _, host := range p.Surroundings.Ingresses[i].Hosts {
				if strings.HasPrefix(host, "*.") {
					p.cost(fmt.Sprintf("%s of ingress %s/%s is a wildcard and stays as it is: a rewrite is of one name; give those that are used by --host", host,
						p.Surroundings.Ingresses[i].Namespace, p.Surroundings.Ingresses[i].Name))
				}
			}
		}
	}
	for _, host := range found {
		if name := dnsName(host); !slices.Contains(hosts, name) {
			hosts = append(hosts, name)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// block is the server block that all of the names come to, which must be the one that knows Services: a rewrite leads on within its block only. nil, and a failed
// precondition, where that is not so.
func (p *planner) block(file *corefile, hosts []string, own marked, source string) *server {
	need := Precondition{Name: "names-meet-services", Holds: cluster.No}
	var block *server
	if own.from != 0 {
		for i := range file.servers {
			if s := &file.servers[i]; s.opened < own.from {
				block = s
			}
		}
	}
	for _, host := range hosts {
		s := file.serverOf(host)
		switch {
		case s == nil:
			need.Message = fmt.Sprintf("no server block of the Corefile answers for %s", host)
		case block != nil && s != block, s.domain() == "":
			need.Message = fmt.Sprintf("%s comes to the server block of %s, which does not know the cluster's Services (no kubernetes directive with the cluster's domain), or is not the one of the "+
				"other names", host, strings.Join(s.zones, " "))
		}
		if need.Message != "" {
			need.Evidence = []finding.Evidence{{Fact: need.Message, Source: source}}
			p.need(need)
			return nil
		}
		block = s
	}
	return block
}

// unwritten are the names that the marked block is to have: those wanted and those in it already. A name that is rewritten elsewhere in the block to something else
// stands against the change; one that leads to the Service already is left out.
func (p *planner) unwritten(block *server, own marked, hosts []string, to, source string) ([]string, bool) {
	want := slices.Clone(hosts)
	for i := range block.directives {
		d := &block.directives[i]
		from, leads, ok := d.exact()
		if !ok {
			continue
		}
		if own.from < d.line && d.line < own.to {
			if !slices.Contains(want, from) {
				want = append(want, from)
			}
			continue
		}
		if !slices.Contains(hosts, from) {
			continue
		}
		if leads == dnsName(to) {
			want = slices.DeleteFunc(want, func(h string) bool { return h == from })
			continue
		}
		p.need(Precondition{
			Name: "names-not-taken", Holds: cluster.No, Message: fmt.Sprintf("the Corefile rewrites %s to %s already: take that away first", from, leads),
			Evidence: []finding.Evidence{{Fact: fmt.Sprintf("line %d: rewrite %s", d.line, strings.Join(d.args, " ")), Source: source}},
		})
		return nil, false
	}
	slices.Sort(want)
	return want, true
}

// reaches checks that pods ask CoreDNS for public names. With NodeLocal DNSCache they do not: it hands on to CoreDNS what is of the cluster's domain, and asks the
// node's own resolvers for everything else (Kubernetes, cluster/addons/dns/nodelocaldns).
func (p *planner) reaches() {
	need := Precondition{Name: "pods-ask-coredns", Holds: cluster.Yes, Message: "no cache on the nodes was found that would ask others than CoreDNS for public names"}
	for _, d := range p.Surroundings.DaemonSets {
		if d.Name == "node-local-dns" {
			need.Holds, need.Risk = cluster.No, "bypassed-by-node-cache"
			need.Message = "NodeLocal DNSCache asks the nodes' resolvers, and not CoreDNS, for names outside the cluster's domain: its own Corefile must have the names too"
			need.Evidence = []finding.Evidence{{Fact: "it runs on the nodes", Source: "daemonset " + d.Namespace + "/" + d.Name}}
		}
	}
	if gap := p.Surroundings.Gap(daemonSets, ""); gap != nil && need.Holds == cluster.Yes {
		need.Holds, need.Risk, need.Evidence = cluster.Undetermined, "bypassed-by-node-cache", gapEvidence(gap)
		need.Message = "whether a cache on the nodes asks others than CoreDNS for public names is not known: the DaemonSets of kube-system could not be listed"
	}
	p.need(need)
}

// withoutHeader: pods that wait for a PROXY protocol header refuse connections that come without the load balancer.
func (p *planner) withoutHeader() {
	if key := provider.ProxyProtocol(p.Facts.Service); key != "" {
		p.need(Precondition{
			Name: "no-proxy-protocol", Holds: cluster.No, Risk: "no-proxy-header",
			Message:  "the load balancer puts a PROXY protocol header before each connection, and connections from inside would come without: pods that want it refuse them",
			Evidence: []finding.Evidence{{Fact: key + " is " + p.Facts.Service.Annotations[key], Source: p.serviceSource()}},
		})
	}
}
