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

// dns plans that CoreDNS answers public host names with the Service, for clients inside the cluster.
//
// The rewrite is of type exact, whose answers CoreDNS always rewrites back (plugin/rewrite/README.md: "answers for rewrites of type exact are always rewritten"). The option
// "answer auto" would have the same effect and is left out: releases before v1.8.4 reject a Corefile with it, and Kubernetes v1.20 ships v1.7.0.
func (p *planner) dns(o Options) error {
	s := p.Facts.Service
	if s.Headless || len(s.ClusterIPs) == 0 {
		p.need(Precondition{
			Name: "has-cluster-ip", Holds: cluster.No, Message: "it has no cluster IP that a name could resolve to",
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
			Name: "corefile-understood", Holds: cluster.No, Message: fmt.Sprintf("the Corefile cannot be parsed, so it is not changed: %v", err),
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
		return &HostNeeded{Mode: DNS, Why: why + ", so the public host name is not known"}
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
	p.gain("pods that use a public host name connect to the cluster IP: no load balancer, no extra cost, client IP as for any Service")
	p.cost("it helps only clients that ask the cluster's DNS for a public host name; connections to the IP address do not change")
	p.cost("connections from inside the cluster bypass what the load balancer does itself (TLS, filters, logs)")
	if len(o.Hosts) > 0 {
		p.cost("it was not checked whether the names resolve to this Service outside the cluster")
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
		Starts: "a reload of the Corefile by CoreDNS, in a minute or two",
	}
	if !slices.ContainsFunc(file.servers, func(s server) bool { return s.has("reload") }) {
		c.Starts = ""
		p.cost("the Corefile has no reload directive: restart the CoreDNS pods for the change to take effect")
	}
	p.Changes = append(p.Changes, c)
	p.owned(&config.Metadata, config.Object, c.Fields)
	p.Assumes = append(p.Assumes, "the map does not change: it shows connections to the address, and this change is about the name")
	p.effects = append(p.effects, func(s *cluster.Snapshot, _ *cluster.Service) { s.Corefile = written })
	p.byName(hosts)
	return nil
}

func corefilePath() []string { return []string{"data", "Corefile"} }

// byName predicts connections of pods by name, which then go to the cluster IP, and compares them with those to the address.
func (p *planner) byName(hosts []string) {
	predictor := dataplane.New(p.Snapshot, p.Facts.Service)
	published := p.reachedNow()[dataplane.Pod]
	inside := p.clusterIP(predictor)
	need := Precondition{Name: "in-cluster-clients", Holds: cluster.Yes, Message: "no client that works now is expected to fail by name"}
	switch fails, unknown := newly(inside.fails, published.fails), newly(inside.unknown, slices.Concat(published.unknown, published.fails)); {
	case len(fails) > 0:
		need.Holds, need.Risk, need.Evidence = cluster.No, BreaksInside, p.ruleEvidence(inside.rules[fails[0]])
		need.Message = fmt.Sprintf("pods on %d of %d nodes could no longer reach the Service by name: %s", len(fails), inside.of, english.Some(fails))
	case len(unknown) > 0:
		need.Holds, need.Risk, need.Evidence = cluster.Undetermined, BreaksInside, p.ruleEvidence(inside.rules[unknown[0]])
		need.Message = fmt.Sprintf("cannot tell whether pods on %d of %d nodes could reach the Service by name: %s", len(unknown), inside.of, english.Some(unknown))
	}
	p.need(need)
	if provider.ProxyProtocol(p.Facts.Service) != "" {
		// Backends that require the header refuse such connections.
		return
	}
	fixed := slices.DeleteFunc(slices.Clone(published.fails), func(name string) bool { return !slices.Contains(inside.works, name) })
	if len(fixed) == 0 {
		return
	}
	p.Effects = append(p.Effects, Effect{Kind: FixesByName, Nodes: fixed, Message: fmt.Sprintf(
		"pods on %d of %d nodes can reach the Service by the name %s; connections to the address fail as before", len(fixed), inside.of, english.Some(hosts))})
	if p.failed(finding.FailsFromPods) {
		p.ByName = []string{finding.FailsFromPods}
	}
}

// clusterIP predicts connections from pods to the cluster IPs, at every port that a ready endpoint serves.
func (p *planner) clusterIP(predictor *dataplane.Predictor) *reached {
	out := &reached{rules: map[string]*dataplane.Rule{}}
	for i := range p.Snapshot.Nodes {
		n := &p.Snapshot.Nodes[i]
		if n.IsVirtual() {
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

// coredns is the ConfigMap of CoreDNS, under the name that kubeadm and most distributions give it.
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
		need.Holds, need.Message = cluster.No, "there is no Corefile in configmap kube-system/coredns: configure the names in the cluster's own DNS instead"
		need.Evidence = []finding.Evidence{{Fact: "no Corefile", Source: "configmap kube-system/coredns"}}
	}
	p.need(need)
	return nil, false
}

// hosts are the given host names, else those of the Ingresses behind the Service, in the form used to compare.
func (p *planner) hosts(o Options) (hosts []string) {
	found := o.Hosts
	if len(found) == 0 {
		found = p.ingressHosts()
		for i := range p.Surroundings.Ingresses {
			for _, host := range p.Surroundings.Ingresses[i].Hosts {
				if strings.HasPrefix(host, "*.") {
					p.cost(fmt.Sprintf("%s of ingress %s/%s is a wildcard and is left out, because a rewrite matches one name: set the names in use by --host", host,
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

// block is the server block that answers all of the names. It must have the kubernetes directive, because a rewritten query stays in its block. If there is no such block,
// it is nil, and a precondition fails.
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
			need.Message = fmt.Sprintf("no server block of the Corefile answers %s", host)
		case block != nil && s != block, s.domain() == "":
			need.Message = fmt.Sprintf("%s is answered by the server block of %s, which has no kubernetes directive with the cluster's domain, or is not the block of the "+
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

// unwritten are the names that the marked lines must have: the given ones and those in it already. A name that the block rewrites to something else outside the marked
// lines rules the change out; one that it rewrites to the Service already is left out.
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
			Name: "names-not-taken", Holds: cluster.No, Message: fmt.Sprintf("the Corefile already rewrites %s to %s: remove that first", from, leads),
			Evidence: []finding.Evidence{{Fact: fmt.Sprintf("line %d: rewrite %s", d.line, strings.Join(d.args, " ")), Source: source}},
		})
		return nil, false
	}
	slices.Sort(want)
	return want, true
}

// reaches checks that pods ask CoreDNS for public names. With NodeLocal DNSCache they do not: it forwards only names of the cluster's domain to CoreDNS, and asks the node's
// own resolvers for all others (Kubernetes, cluster/addons/dns/nodelocaldns).
func (p *planner) reaches() {
	need := Precondition{Name: "pods-ask-coredns", Holds: cluster.Yes, Message: "no DNS cache on the nodes was found that bypasses CoreDNS for public names"}
	for _, d := range p.Surroundings.DaemonSets {
		if d.Name == "node-local-dns" {
			need.Holds, need.Risk = cluster.No, "bypassed-by-node-cache"
			need.Message = "NodeLocal DNSCache asks the nodes' resolvers, not CoreDNS, for names outside the cluster's domain: add the names to its own Corefile too"
			need.Evidence = []finding.Evidence{{Fact: "it runs on the nodes", Source: "daemonset " + d.Namespace + "/" + d.Name}}
		}
	}
	if gap := p.Surroundings.Gap(daemonSets, ""); gap != nil && need.Holds == cluster.Yes {
		need.Holds, need.Risk, need.Evidence = cluster.Undetermined, "bypassed-by-node-cache", gapEvidence(gap)
		need.Message = "it is not known whether a DNS cache on the nodes bypasses CoreDNS for public names: the DaemonSets of kube-system could not be listed"
	}
	p.need(need)
}

// withoutHeader adds a precondition that fails if pods require a PROXY protocol header, which only the load balancer sends.
func (p *planner) withoutHeader() {
	if key := provider.ProxyProtocol(p.Facts.Service); key != "" {
		p.need(Precondition{
			Name: "no-proxy-protocol", Holds: cluster.No, Risk: "no-proxy-header",
			Message:  "the load balancer sends a PROXY protocol header, and connections that bypass it have none: pods that require the header refuse them",
			Evidence: []finding.Evidence{{Fact: key + " is " + p.Facts.Service.Annotations[key], Source: p.serviceSource()}},
		})
	}
}
