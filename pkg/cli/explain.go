package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-etp/kubectl-etp/pkg/explain"
	"github.com/kubectl-etp/kubectl-etp/pkg/render"
)

func newExplain(a *app) *cobra.Command {
	color, ascii := render.ColorAuto, false
	c := &cobra.Command{
		Use:   "explain [NAME]",
		Short: "Explain a finding, a rule, a mode, a word on the screen or a topic",
		Long: `Explain a finding, a rule of a data plane, a mode of kubectl etp fix, a word on the screen or a topic,
with the sources. Without a name, list all pages. This command does not contact a cluster.

If no page has that name, the text of all pages is searched. Names and questions may be Chinese.`,
		Example: `  # How to choose between Local and Cluster
  kubectl etp explain choosing

  # The field, with a drawing of both policies
  kubectl etp explain externalTrafficPolicy

  # A finding, a rule, or all rules of a data plane
  kubectl etp explain ETP002
  kubectl etp explain IPVS-11
  kubectl etp explain ipvs

  # The columns and words on the screen
  kubectl etp explain columns
  kubectl etp explain times-out

  # Search
  kubectl etp explain connection refused`,
		ValidArgsFunction: completePages,
		RunE: func(_ *cobra.Command, args []string) error {
			page, err := lookUp(strings.Join(args, " "))
			if err != nil {
				return err
			}
			return a.write(render.PageText(page, render.NewStyle(color, ascii, a.env.terminal(a.streams.Out))))
		},
	}
	c.Flags().Var(colorFlag(&color), "color", colorUsage)
	c.Flags().BoolVar(&ascii, "ascii", false, asciiUsage)
	return c
}

// completePages offers the names of all pages. Rules are many: they are offered once their letters are typed.
func completePages(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, p := range explain.All() {
		if len(args) > 0 || !strings.HasPrefix(p.Name, typed) || p.Group == explain.Rules && typed == "" {
			continue
		}
		out = append(out, cobra.CompletionWithDesc(p.Name, p.Title))
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// lookUp gives the page of that name, the list of all pages for no name, and for anything else what a search finds.
func lookUp(name string) (render.Page, error) {
	if name == "" {
		return contents(), nil
	}
	if p, ok := explain.Find(name); ok {
		return shown(&p), nil
	}
	const list = "'kubectl etp explain' lists all pages"
	// The pages that mention a word say more than the names that resemble it or begin with it.
	var near []string
	var found []explain.Page
	if !explain.Mentioned(name) {
		near = explain.Mistyped(name)
	}
	if len(near) == 0 {
		if found = explain.Search(name); len(found) == 0 {
			near = explain.Close(name)
		}
	}
	switch {
	case len(near) > 0:
		return render.Page{}, misuse(list, "there is no page about %q; did you mean %s?", name, strings.Join(near, ", "))
	case len(found) == 0:
		return render.Page{}, misuse(list, "there is no page about %q, and no page mentions it", name)
	}
	if len(found) == 1 {
		return shown(&found[0]), nil
	}
	hits := render.Entries{Heading: "Pages that mention it"}
	for _, p := range found {
		hits.Facts = append(hits.Facts, render.Fact{Name: p.Name, Value: p.Title})
	}
	return render.Page{Name: name, Title: "no page has this name", Entries: []render.Entries{hits}}, nil
}

// contents lists every page but the rules, by group.
func contents() render.Page {
	page := render.Page{Name: "kubectl etp explain NAME", Title: "explains one of these; any other words are searched for"}
	for _, p := range explain.All() {
		if p.Group == explain.Rules {
			break
		}
		if n := len(page.Entries); n == 0 || page.Entries[n-1].Heading != p.Group.String() {
			page.Entries = append(page.Entries, render.Entries{Heading: p.Group.String()})
		}
		last := &page.Entries[len(page.Entries)-1]
		last.Facts = append(last.Facts, render.Fact{Name: p.Name, Value: p.Title})
	}
	return page
}

// shown is a page as it is printed.
func shown(p *explain.Page) render.Page {
	page := render.Page{Name: p.Name, Title: p.Title, Facts: facts(p.Facts), Paragraphs: p.Body}
	if len(p.See) > 0 {
		see := render.Fact{Name: "kubectl etp explain", Value: strings.Join(p.See, ", ")}
		page.Entries = append(page.Entries, render.Entries{Heading: "See also", Facts: []render.Fact{see}})
	}
	if len(p.Sources) > 0 {
		sources := render.Entries{Heading: "Sources"}
		for _, source := range p.Sources {
			sources.Facts = append(sources.Facts, render.Fact{Name: "-", Value: source})
		}
		page.Entries = append(page.Entries, sources)
	}
	if len(p.Rules) > 0 {
		page.Entries = append(page.Entries, render.Entries{Heading: "Rules", Facts: facts(p.Rules)})
	}
	return page
}

func facts(list []explain.Fact) []render.Fact {
	var out []render.Fact
	for _, f := range list {
		out = append(out, render.Fact(f))
	}
	return out
}
