// Package explain holds the pages that kubectl etp explain prints: one for each finding, rule, mode, word on the screen and topic. It finds a page by name, by alias and
// by full text. Nothing here asks a cluster.
//
// The prose is in pages/*.txt, in the form that parse documents; findings and rules explain themselves where they are defined.
package explain

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
)

// Page explains one thing.
type Page struct {
	Name, Title string
	// Aliases are other names under which the page is found, in English and Chinese.
	Aliases []string
	Group   Group
	// Facts stand above the text.
	Facts []Fact
	// Body are the paragraphs. One that begins with a space is a drawing or a table, whose line breaks and spaces stay.
	Body []string
	// Rules are listed below the text; nil for a page that is not about a family of rules.
	Rules []Fact
	// See are names of other pages.
	See []string
	// Sources say where the facts were read.
	Sources []string

	// families are the letters of the rules that the page lists: IPVS. all is true for those of all load balancers.
	families []string
}

// Fact is a name with its value.
type Fact struct{ Name, Value string }

// Group is a heading in the list of pages.
type Group uint8

// The groups, in the order of the list.
const (
	Topics Group = iota
	Screen
	Modes
	Findings
	DataPlanes
	LoadBalancers
	Rules
)

// String is the heading.
func (g Group) String() string {
	return [...]string{"Topics", "Words on the screen", "Modes of kubectl etp fix", "Findings", "Data planes and their rules", "Load balancers", "Rules"}[g]
}

// All gives every page, by group and then in the order of the files, the catalogue and the tables. Callers do not change what is in a page.
func All() []Page { return slices.Clone(all()) }

// all makes the pages once: nothing they are made of changes while the program runs.
var all = sync.OnceValue(func() []Page {
	pages := written()
	for _, k := range finding.Catalogue() {
		p := Page{Name: k.Code, Title: k.Title, Group: Findings, Facts: []Fact{{"severity", k.Severity.String()}}, Body: []string{k.Explain}, Sources: k.Sources}
		if strings.Contains(k.Explain, "kubectl debug node/") {
			p.Body = append(p.Body, "kubectl debug node/NODE leaves a pod node-debugger-NODE-... behind, in the current namespace. Delete it afterwards: kubectl delete pod node-debugger-NODE-...")
		}
		pages = append(pages, p)
	}
	for _, r := range dataplane.Rules() {
		pages = append(pages, dataplaneRule(r, pages))
	}
	for _, r := range slices.Concat(provider.Rules(), provider.RouteRules()) {
		pages = append(pages, providerRule(r))
	}
	slices.SortStableFunc(pages, func(a, b Page) int { return int(a.Group) - int(b.Group) })
	return pages
})

// Family is the letters with which the id of a rule begins: IPVS for IPVS-11. It is "" for what is no id of a rule.
func Family(id string) string {
	letters, number, ok := strings.Cut(id, "-")
	if !ok || len(number) != 2 || strings.ToUpper(letters) != letters {
		return ""
	}
	return letters
}

func dataplaneRule(r *dataplane.Rule, pages []Page) Page {
	p := Page{Name: r.ID, Title: r.Reason, Group: Rules}
	family := Family(r.ID)
	for i := range pages {
		if slices.Contains(pages[i].families, family) {
			p.Facts = append(p.Facts, Fact{"about", pages[i].Title})
			p.See = []string{pages[i].Name}
		}
	}
	known := map[dataplane.Basis]string{
		dataplane.Documented: "documented by the data plane's project",
		dataplane.Source:     "read in the data plane's source code",
		dataplane.NoBasis:    "not established",
	}[r.Basis]
	if measured := r.Measured(); measured != nil {
		known = "measured with real packets in " + strings.Join(measured, " ") + "; other releases: " + known
	}
	p.Facts = append(p.Facts, Fact{"releases", releases(r)}, Fact{"basis", known})
	if r.Source != "" {
		p.Facts = append(p.Facts, Fact{"source", r.Source})
	}
	return p
}

func providerRule(r *provider.Rule) Page {
	known := map[provider.Basis]string{
		provider.Source:     "read in the source code of the load balancer's controller",
		provider.Documented: "documented by the vendor",
		provider.NotKnown:   "not established",
	}[r.Basis]
	p := Page{
		Name: r.ID, Title: r.Reason, Group: Rules, See: []string{"load-balancer"},
		Facts: []Fact{{"about", "which nodes a load balancer sends to"}, {"basis", known}},
	}
	if r.Origin != "" {
		p.Facts = append(p.Facts, Fact{"source", r.Origin})
	}
	return p
}

// releases are the releases of the data plane in which a rule holds.
func releases(r *dataplane.Rule) string {
	switch since, until := r.Range(); {
	case since != "" && until != "":
		return fmt.Sprintf("since v%s, before v%s", since, until)
	case since != "":
		return "since v" + since
	case until != "":
		return "before v" + until
	}
	return "every release"
}

//go:embed pages/*.txt
var files embed.FS

// written are the pages of the files, with the rules of the families that they are about.
func written() []Page {
	var pages []Page
	for _, file := range []struct {
		name  string
		group Group
	}{{"topics", Topics}, {"screen", Screen}, {"modes", Modes}, {"dataplanes", DataPlanes}, {"loadbalancers", LoadBalancers}} {
		text, err := files.ReadFile("pages/" + file.name + ".txt")
		if err == nil {
			var parsed []Page
			parsed, err = parse(string(text))
			for i := range parsed {
				parsed[i].Group = file.group
			}
			pages = append(pages, parsed...)
		}
		if err != nil {
			// The files are compiled in, and a test reads all of them.
			panic(fmt.Sprintf("pages/%s.txt: %v", file.name, err))
		}
	}
	for i := range pages {
		pages[i].Rules = rulesOf(pages[i].families)
	}
	return pages
}

func rulesOf(families []string) []Fact {
	var rules []Fact
	for _, r := range dataplane.Rules() {
		if slices.Contains(families, Family(r.ID)) {
			rules = append(rules, Fact{r.ID, r.Reason})
		}
	}
	for _, r := range slices.Concat(provider.Rules(), provider.RouteRules()) {
		if slices.Contains(families, Family(r.ID)) || slices.Contains(families, "load balancers") {
			rules = append(rules, Fact{r.ID, r.Reason})
		}
	}
	return rules
}
