package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// question is what the prompt shows: the context and the cluster, the changes, what they fix, and what they risk.
func (o *changeOptions) question(p *fix.Preview) *render.Ask {
	ask := &render.Ask{}
	ask.Context, ask.Cluster = o.target()
	for i := range p.Change.Fix.Changes {
		c := &p.Change.Fix.Changes[i]
		for _, f := range c.Fields {
			if !f.Follows {
				ask.Changes = append(ask.Changes, apply.Name(c.Object)+": "+fieldText(&f))
			}
		}
	}
	compared := report.Compare(p.Before.Report, p.After)
	if p.Change.Undoes() != nil {
		for i := range compared.Fixed {
			ask.Fixes = append(ask.Fixes, compared.Fixed[i].Code)
		}
	} else {
		ask.Fixes = fixes(p.Change.Plan)
	}
	ask.Risks = o.risksOf(p.Change.Plan, compared)
	return ask
}

// fixes are the findings that a plan fixes, one line each for all clients and for those that connect by name.
func fixes(p *remedy.Plan) (lines []string) {
	if len(p.Fixes) > 0 {
		lines = append(lines, strings.Join(p.Fixes, " "))
	}
	if len(p.ByName) > 0 {
		lines = append(lines, strings.Join(p.ByName, " ")+" for clients that connect by name")
	}
	if len(p.Fixes)+len(p.ByName) == 0 && len(p.May) > 0 {
		lines = append(lines, "perhaps "+strings.Join(p.May, " "))
	}
	if len(lines) == 0 {
		lines = append(lines, "none of the findings")
	}
	return lines
}

// risksOf are the accepted risks of a plan, its effects on the client IP and on clients inside, its owner, the findings
// that it introduces, and its rollouts.
func (o *changeOptions) risksOf(p *remedy.Plan, compared report.Comparison) (lines []string) {
	add := func(text string) {
		if !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	switch p.ClientIP.Effect {
	case finding.ClientIPLost, finding.ClientIPMayBeLost:
		if p.Mode == remedy.Cluster {
			add(p.ClientIP.Words() + ": " + p.ClientIP.Reason)
		}
	case finding.ClientIPKept, finding.ClientIPHidden:
	}
	for _, c := range p.Preconditions {
		if c.Holds != cluster.Yes {
			add(c.Message + " (accepted: " + c.Risk + ")")
		}
	}
	for _, e := range p.Effects {
		known := func(c remedy.Precondition) bool { return c.Message == e.Message }
		if e.Kind != remedy.FixesByName && !slices.ContainsFunc(p.Preconditions, known) {
			add(e.Message)
		}
	}
	if p.Owner != nil {
		add(p.Owner.Name + " may revert the change (accepted: " + remedy.WillBeReverted + ")")
	}
	for i := range compared.Introduced {
		f := &compared.Introduced[i]
		add("introduces " + f.Code + ": " + cmp.Or(f.Message, f.Title))
	}
	for _, c := range p.Changes {
		if c.Starts != "" {
			add("starts " + c.Starts)
		}
	}
	return lines
}

// target is the context and the cluster that the change is made in.
func (o *changeOptions) target() (context, where string) {
	server := ""
	if config, err := o.config.ToRESTConfig(); err == nil {
		server = config.Host
	}
	raw, err := o.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return "<unknown>", cmp.Or(server, "<unknown>")
	}
	context = raw.CurrentContext
	if o.config.Context != nil && *o.config.Context != "" {
		context = *o.config.Context
	}
	name := ""
	if c := raw.Contexts[context]; c != nil {
		name = c.Cluster
	}
	if o.config.ClusterName != nil && *o.config.ClusterName != "" {
		name = *o.config.ClusterName
	}
	switch {
	case name != "" && server != "":
		where = fmt.Sprintf("%s (%s)", name, server)
	default:
		where = cmp.Or(name, server, "<unknown>")
	}
	return cmp.Or(context, "<none>"), where
}

// fieldText is the change of a field in one line: spec.externalTrafficPolicy from Local to Cluster.
func fieldText(f *remedy.Field) string {
	name := strings.Join(f.Path, ".")
	if len(f.Path) == 3 && f.Path[1] == "annotations" {
		name = "annotation " + f.Path[2]
	}
	if f.Part != nil {
		return name + ", only the lines below " + f.Part.Begin
	}
	was, now := valueText(f.Was), valueText(f.Now)
	switch {
	case f.Was == nil:
		return strings.TrimSpace("set " + name + " " + now)
	case f.Now == nil:
		return "remove " + name
	case was == "" || now == "":
		return "change " + name
	}
	return name + " from " + was + " to " + now
}

// valueText is a value in one short line, "" where it does not fit.
func valueText(v any) string {
	const most = 60
	if v == nil {
		return ""
	}
	text, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		text = string(raw)
	}
	if len(text) > most || strings.Contains(text, "\n") {
		return ""
	}
	if text == "" {
		return `""`
	}
	return text
}
