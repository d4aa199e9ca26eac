package render

import (
	"strconv"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// head writes the name of the Service, the verdict, and the facts that it rests on.
func (p *screen) head() {
	s := p.r.Service
	parts := []span{{p.clean(s.Namespace + "/" + s.Name), strong}, {string(s.Type), plain}}
	if text := addresses(s); text != "" {
		parts = append(parts, span{p.clean(text), plain})
	}
	var ports []string
	for i := range s.Ports {
		ports = append(ports, portText(&s.Ports[i], s.Type == cluster.TypeNodePort || p.o.Wide))
	}
	if len(ports) > 0 {
		parts = append(parts, span{strings.Join(ports, " "), plain})
	}
	p.apart(parts...)
	p.summary()
	p.facts()
}

// apart writes parts with space between them, on another line where the terminal ends.
func (p *screen) apart(parts ...span) {
	used := 0
	for i, part := range parts {
		if i > 0 && p.columns > 0 && used+3+p.cells(part.text) > p.columns {
			p.WriteString("\n  ")
			used = 2
		} else if i > 0 {
			p.WriteString("   ")
			used += 3
		}
		p.WriteString(p.paint(part))
		used += p.cells(part.text)
	}
	p.WriteByte('\n')
}

// summary writes the verdict.
func (p *screen) summary() {
	if p.r.Unsupported != "" {
		p.marked(cell{nothing, "nothing to check: " + p.r.Unsupported, plain})
		return
	}
	c := summary(p.r)
	if p.o.Assumed {
		c.text = "expected: " + c.text
		if c.mark == ok {
			c.mark, c.tone = unsure, doubtful
		}
	}
	p.marked(c)
}

// marked writes a sentence behind its mark, both in its tone, wrapped.
func (p *screen) marked(c cell) {
	lead := p.glyphs[c.mark] + " "
	for _, l := range p.wrap(c.text, p.proseColumns()-p.cells(lead)) {
		p.put(span{lead + l, c.tone})
		lead = strings.Repeat(" ", p.cells(lead))
	}
}

// facts writes the labelled lines of the head.
func (p *screen) facts() {
	rows := p.about()
	if len(rows) > 0 {
		p.WriteByte('\n')
	}
	longest := 0
	for _, r := range rows {
		longest = max(longest, len(r.label))
	}
	for _, r := range rows {
		indent := "\n" + strings.Repeat(" ", longest+4)
		value := []string{r.value}
		if p.columns > 0 {
			value = p.wrap(r.value, p.columns-longest-4)
		}
		for i := range value {
			value[i] = p.paint(span{value[i], plain})
		}
		p.WriteString("  " + r.label + strings.Repeat(" ", longest-len(r.label)+2) + strings.Join(value, indent))
		if r.note != "" {
			note := p.clean(r.note)
			switch w := p.cells(note); {
			case p.columns == 0 || len(value) == 1 && longest+4+p.cells(r.value)+3+w <= p.columns:
				p.WriteString("   ")
			case longest+4+w <= p.columns:
				p.WriteString(indent)
			default:
				p.WriteString("\n    ")
			}
			p.WriteString(p.paint(span{note, faint}))
		}
		p.WriteByte('\n')
	}
}

func addresses(s *cluster.Service) string {
	var list []string
	for t := range dataplane.Addresses(s) {
		switch {
		case t.To != dataplane.LoadBalancerIP && t.To != dataplane.LoadBalancerHostname:
		case t.IPMode == cluster.Proxy:
			list = append(list, t.Host()+" (ipMode Proxy)")
		default:
			list = append(list, t.Host())
		}
	}
	if len(list) == 0 && s.Type == cluster.TypeLoadBalancer {
		return "<pending>"
	}
	return strings.Join(list, " ")
}

// fact is one labelled line of the head.
type fact struct{ label, value, note string }

func (p *screen) about() []fact {
	s := p.r.Service
	var facts []fact
	if s.ExternalTrafficPolicy != cluster.PolicyUnset {
		f := fact{label: "externalTrafficPolicy", value: string(s.ExternalTrafficPolicy)}
		if text := clientIP(&p.r.Verdict); text != "" && p.r.Unsupported == "" {
			f.value += ", " + text
		}
		if s.HealthCheckNodePort != 0 {
			f.note = "(health check node port " + strconv.Itoa(int(s.HealthCheckNodePort)) + ")"
		}
		facts = append(facts, f)
	}
	if s.InternalTrafficPolicy == cluster.PolicyLocal || p.o.Wide && s.InternalTrafficPolicy != cluster.PolicyUnset {
		facts = append(facts, fact{label: "internalTrafficPolicy", value: string(s.InternalTrafficPolicy)})
	}
	if len(s.ExternalIPs) > 0 {
		facts = append(facts, fact{label: "external IPs", value: joined(s.ExternalIPs)})
	}
	if p.o.Wide && len(s.ClusterIPs) > 0 {
		facts = append(facts, fact{label: "cluster IP", value: joined(s.ClusterIPs)})
	}
	if len(s.SourceRanges) > 0 {
		facts = append(facts, fact{label: "source ranges", value: joined(s.SourceRanges)})
	}
	if f := s.LastFix; f != nil {
		facts = append(facts, fact{
			label: "last fix", value: "mode " + p.clean(f.Mode) + ", " + f.Time.UTC().Format("2006-01-02 15:04 UTC"), note: "undo: kubectl etp undo svc/" + s.Name + " -n " + s.Namespace,
		})
	}
	if p.r.Unsupported != "" {
		return facts
	}
	if p.r.Dataplane != nil {
		f := fact{"data plane", dataplaneText(p.r.Dataplane), sourced(p.r.Dataplane.Confidence, p.r.Dataplane.Source)}
		if build := buildText(p.r.Dataplane); p.o.Wide && build != "" {
			f.value += ", " + build
		}
		if p.r.Dataplane.Name == cluster.UnknownDataplane && f.note == "" {
			f.note = "(--dataplane NAME[/MODE][@VERSION] sets it)"
		}
		facts = append(facts, f)
	}
	if lb := p.r.Provider; lb.Name != "" {
		f := fact{label: "load balancer", value: lb.Title}
		if f.value == "" {
			f.value = strings.TrimSpace(lb.Name + " " + lb.Product)
		}
		switch lb.Backends {
		case provider.Nodes:
			f.value += ", sends to nodes"
		case provider.Pods:
			f.value += ", sends to pods"
		case provider.MixedBackends:
			f.value += ", sends to nodes and pods"
		case provider.UnknownBackends:
		}
		f.value += healthCheck(lb)
		for i, a := range lb.Announcers {
			lead := " and "
			if i == 0 {
				lead = map[bool]string{true: ", perhaps announced by ", false: ", announced by "}[lb.AnnouncersMayBeOld]
			}
			f.value += lead + a.Node
		}
		if lb.Source != "" {
			f.note = "from " + lb.Source
		}
		facts = append(facts, f)
	}
	return facts
}

// healthCheck is what the load balancer's health check asks, "" where that is not known.
func healthCheck(lb provider.LoadBalancer) string {
	switch lb.HealthCheck() {
	case provider.HealthCheckNodePort:
		return ", checks the health check node port"
	case provider.ChecksNodePort:
		return ", checks the node port"
	case provider.ChecksKubeProxy:
		return ", checks kube-proxy (port 10256)"
	case provider.ChecksPods:
		return ", checks the pods"
	case provider.NoHealthCheck:
		return ", checks nothing"
	case provider.UnknownCheck:
	}
	return ""
}

func joined[T interface{ String() string }](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return strings.Join(texts, " ")
}

// unknown is written for a fact that could not be read.
const unknown = "<unknown>"

// dataplaneText is the name, mode and version of a data plane.
func dataplaneText(d *cluster.Dataplane) string {
	if d.Name == cluster.UnknownDataplane || d.Name == "" {
		return unknown
	}
	text := string(d.Name)
	switch {
	case d.Mode != "":
		text += " " + string(d.Mode)
	case d.Name == cluster.KubeProxy:
		text += ", mode " + unknown
	}
	if !d.Version.Known() {
		return text + ", version " + unknown
	}
	text += " " + d.Version.String()
	if d.VersionConfidence == cluster.Inferred || d.VersionConfidence == cluster.Assumed {
		from := d.VersionSource
		if from == "" {
			from = "the kubelets"
		}
		text += " (" + strings.ToLower(string(d.VersionConfidence)) + " from " + from + ")"
	}
	return text
}

// buildText names the vendor of a kube-proxy that Kubernetes itself did not build, and says whether upstream's rules
// are used for it; "" for all others.
func buildText(d *cluster.Dataplane) string {
	if d.Name != cluster.KubeProxy || !d.Version.Known() {
		return ""
	}
	switch vendor := d.Version.Vendor(); {
	case vendor == cluster.Upstream:
		return ""
	case vendor == cluster.UnknownVendor:
		return "build " + d.Version.Suffix() + " of an unknown vendor treated as upstream"
	case vendor == cluster.Tencent && d.Mode != cluster.IPTables:
		return string(vendor) + " build known to differ in ipvs mode"
	default:
		return string(vendor) + " build treated as upstream"
	}
}

func sourced(c cluster.Confidence, source string) string {
	switch c {
	case cluster.Inferred:
		return strings.TrimSpace("inferred from " + source)
	case cluster.Assumed:
		return strings.TrimSuffix("assumed: "+source, ": ")
	case cluster.UnknownConfidence:
		return strings.TrimSuffix("because "+source, "because ")
	case cluster.Observed:
	}
	if source == "" {
		return ""
	}
	return "from " + source
}
