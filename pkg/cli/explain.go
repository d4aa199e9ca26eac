package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
	"github.com/kubectl-etp/kubectl-etp/pkg/suggest"
)

func newExplain(a *app) *cobra.Command {
	color := render.ColorAuto
	c := &cobra.Command{
		Use:   "explain [CODE|RULE|TOPIC]",
		Short: "Say what a finding, a rule or a word means",
		Long: `Say what a finding, a rule of a data plane or a word means, and where that was read. No cluster is
asked. Without a name, list what there is to explain.`,
		Example: `  # A finding
  kubectl etp explain ETP002

  # The rule that decided about a connection
  kubectl etp explain IPVS-11

  # A field, or all rules of a data plane
  kubectl etp explain externalTrafficPolicy
  kubectl etp explain ipvs`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeExplainable,
		RunE: func(_ *cobra.Command, args []string) error {
			page := contents()
			if len(args) > 0 {
				found, err := explain(args[0])
				if err != nil {
					return err
				}
				page = found
			}
			return a.write(render.PageText(page, render.NewStyle(color, false, a.env.terminal(a.streams.Out))))
		},
	}
	c.Flags().Var(colorFlag(&color), "color", colorUsage)
	return c
}

// completeExplainable offers what is listed, and the rules once their letters are begun: they are many.
func completeExplainable(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, f := range explainable() {
		letters, _, rule := cutID(f.Name)
		if len(args) > 0 || !strings.HasPrefix(f.Name, begun) || rule && strings.ToUpper(letters) == letters && begun == "" {
			continue
		}
		out = append(out, cobra.CompletionWithDesc(f.Name, f.Value))
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// explainable is everything that has a page, in the order of contents.
func explainable() []render.Fact {
	var out []render.Fact
	for _, t := range topics() {
		out = append(out, render.Fact{Name: t.name, Value: t.title})
	}
	for _, k := range finding.Catalogue() {
		out = append(out, render.Fact{Name: k.Code, Value: k.Title})
	}
	for _, r := range dataplane.Rules() {
		out = append(out, render.Fact{Name: r.ID, Value: r.Reason})
	}
	for _, r := range provider.Rules() {
		out = append(out, render.Fact{Name: r.ID, Value: r.Reason})
	}
	return out
}

// contents lists the topics, the findings and the families of rules.
func contents() render.Page {
	var about, families, findings render.Entries
	about.Heading, families.Heading, findings.Heading = "Topics", "Data planes, load balancers and their rules", "Findings"
	for _, t := range topics() {
		if t.family == "" && !t.provider {
			about.Facts = append(about.Facts, render.Fact{Name: t.name, Value: t.title})
		} else {
			families.Facts = append(families.Facts, render.Fact{Name: t.name, Value: t.title})
		}
	}
	for _, k := range finding.Catalogue() {
		findings.Facts = append(findings.Facts, render.Fact{Name: k.Code, Value: k.Title})
	}
	return render.Page{Name: "kubectl etp explain NAME", Title: "explains one of these", Entries: []render.Entries{about, findings, families}}
}

// explain finds the page of a name, in whatever case it was typed.
func explain(name string) (render.Page, error) {
	for _, k := range finding.Catalogue() {
		if strings.EqualFold(k.Code, name) {
			return render.Page{
				Name: k.Code, Title: k.Title,
				Facts:      []render.Fact{{Name: "severity", Value: k.Severity.String()}},
				Paragraphs: []string{k.Explain},
			}, nil
		}
	}
	for _, r := range dataplane.Rules() {
		if strings.EqualFold(r.ID, name) {
			return rulePage(r), nil
		}
	}
	for _, r := range provider.Rules() {
		if strings.EqualFold(r.ID, name) {
			return providerRulePage(r), nil
		}
	}
	for _, t := range topics() {
		if strings.EqualFold(t.name, name) {
			return topicPage(t), nil
		}
	}
	var names []string
	for _, f := range explainable() {
		names = append(names, f.Name)
	}
	const list = "'kubectl etp explain' lists all pages"
	if close := suggest.Close(name, names); len(close) > 0 {
		return render.Page{}, misuse(list, "there is no page about %q; did you mean %s?", name, strings.Join(close, ", "))
	}
	return render.Page{}, misuse(list, "there is no page about %q", name)
}

func topicPage(t topic) render.Page {
	page := render.Page{Name: t.name, Title: t.title, Paragraphs: t.paragraphs}
	if len(t.sources) > 0 {
		sources := render.Entries{Heading: "Sources"}
		for _, s := range t.sources {
			sources.Facts = append(sources.Facts, render.Fact{Name: "-", Value: s})
		}
		page.Entries = append(page.Entries, sources)
	}
	if t.family != "" {
		rules := render.Entries{Heading: "Rules"}
		for _, r := range dataplane.Rules() {
			if letters, _, _ := cutID(r.ID); letters == t.family {
				rules.Facts = append(rules.Facts, render.Fact{Name: r.ID, Value: r.Reason})
			}
		}
		page.Entries = append(page.Entries, rules)
	}
	if t.provider {
		rules := render.Entries{Heading: "Rules"}
		for _, r := range provider.Rules() {
			rules.Facts = append(rules.Facts, render.Fact{Name: r.ID, Value: r.Reason})
		}
		page.Entries = append(page.Entries, rules)
	}
	return page
}

func providerRulePage(r *provider.Rule) render.Page {
	known := map[provider.Basis]string{
		provider.Source:     "read in the code of the load balancer's controller",
		provider.Documented: "documented by the vendor",
		provider.NotKnown:   "not established",
	}[r.Basis]
	facts := []render.Fact{{Name: "about", Value: "which nodes a load balancer sends to"}, {Name: "known", Value: known}}
	if r.Origin != "" {
		facts = append(facts, render.Fact{Name: "source", Value: r.Origin})
	}
	return render.Page{Name: r.ID, Title: r.Reason, Facts: facts}
}

func cutID(id string) (letters, number string, ok bool) { return strings.Cut(id, "-") }

func rulePage(r *dataplane.Rule) render.Page {
	facts := []render.Fact{{Name: "about", Value: familyOf(r).title}, {Name: "releases", Value: releases(r)}}
	known := map[dataplane.Basis]string{
		dataplane.Documented: "said by the data plane's documentation",
		dataplane.Source:     "read in the data plane's code",
		dataplane.NoBasis:    "not established",
	}[r.Basis]
	if measured := r.Measured(); measured != nil {
		known = "measured with real packets in " + strings.Join(measured, " ") + "; elsewhere " + known
	}
	facts = append(facts, render.Fact{Name: "known", Value: known})
	if r.Source != "" {
		facts = append(facts, render.Fact{Name: "source", Value: r.Source})
	}
	return render.Page{Name: r.ID, Title: r.Reason, Facts: facts}
}

// releases are those of the data plane for which a rule was read, and in which it holds.
func releases(r *dataplane.Rule) string {
	switch since, until := r.Range(); {
	case since != "" && until != "":
		return fmt.Sprintf("since v%s, before v%s", since, until)
	case since != "":
		return "since v" + since
	case until != "":
		return "before v" + until
	}
	return "not bound to releases"
}
