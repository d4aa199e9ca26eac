package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

func TestCatalogue(t *testing.T) {
	previous := ""
	for _, kind := range finding.Catalogue() {
		if !regexp.MustCompile(`^ETP\d{3}$`).MatchString(kind.Code) {
			t.Errorf("code %q is not ETP and three digits", kind.Code)
		}
		if kind.Code <= previous {
			t.Errorf("%s follows %s: codes are unique and in order", kind.Code, previous)
		}
		previous = kind.Code
		if kind.Title == "" || strings.HasSuffix(kind.Title, ".") {
			t.Errorf("%s has the title %q, want words without a full stop", kind.Code, kind.Title)
		}
		if kind.Explain == "" {
			t.Errorf("%s does not explain itself", kind.Code)
		}
	}
	if previous == "" {
		t.Error("the catalogue is empty")
	}
}

// sentenceEnd is where a second sentence would begin; "e.g. X" and versions do not match.
var sentenceEnd = regexp.MustCompile(`[.!?]\s+[A-Z]`)

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range dataplane.Rules() {
		if !regexp.MustCompile(`^[A-Z]+-\d{2}$`).MatchString(rule.ID) {
			t.Errorf("rule id %q is not letters, a hyphen and two digits", rule.ID)
		}
		if seen[rule.ID] {
			t.Errorf("two rules have the id %s", rule.ID)
		}
		seen[rule.ID] = true
		switch {
		case rule.Reason == "":
			t.Errorf("%s gives no reason", rule.ID)
		case strings.HasSuffix(rule.Reason, "."):
			t.Errorf("%s: the reason ends with a full stop", rule.ID)
		case sentenceEnd.MatchString(rule.Reason):
			t.Errorf("%s: the reason is more than one sentence: %s", rule.ID, rule.Reason)
		}
		if rule.Basis == dataplane.Measured {
			t.Errorf("%s calls itself Measured, which only the recordings can say", rule.ID)
		}
		since, until := release(t, rule.ID, rule.Since), release(t, rule.ID, rule.Until)
		if since.Known() && until.Known() && !since.Before(until.Major, until.Minor, until.Patch) {
			t.Errorf("%s holds since %s until %s, which is never", rule.ID, rule.Since, rule.Until)
		}
	}
	if len(seen) == 0 {
		t.Error("there are no rules")
	}
}

func release(t *testing.T, id, text string) cluster.Version {
	t.Helper()
	if text == "" {
		return cluster.Version{}
	}
	v, ok := cluster.ParseVersion(text)
	if !ok {
		t.Errorf("%s names a release that cannot be read: %q", id, text)
	}
	return v
}

// TestEveryRuleIsListed parses pkg/dataplane: explanations and documents are made from Rules(), so a rule that is not there has no explanation.
func TestEveryRuleIsListed(t *testing.T) {
	declared, listed := map[string]string{}, map[string]bool{}
	for name, source := range sources(t) {
		if path.Dir(name) != "pkg/dataplane" || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parsing %s: %v", name, err)
		}
		for _, declaration := range parsed.Decls {
			switch d := declaration.(type) {
			case *ast.GenDecl:
				for _, variable := range ruleVariables(d) {
					declared[variable] = name
				}
			case *ast.FuncDecl:
				if d.Name.Name == "Rules" && d.Recv == nil {
					ast.Inspect(d.Body, func(n ast.Node) bool {
						if literal, ok := n.(*ast.CompositeLit); ok {
							for _, element := range literal.Elts {
								if variable, ok := element.(*ast.Ident); ok {
									listed[variable.Name] = true
								}
							}
						}
						return true
					})
				}
			}
		}
	}
	if len(declared) != len(dataplane.Rules()) {
		t.Errorf("%d rules are declared, and Rules() has %d", len(declared), len(dataplane.Rules()))
	}
	for variable, file := range declared {
		if !listed[variable] {
			t.Errorf("%s declares the rule %s, which Rules() does not list", file, variable)
		}
	}
}

// ruleVariables are the variables of a declaration that are set to &Rule{…}.
func ruleVariables(d *ast.GenDecl) []string {
	var names []string
	for _, spec := range d.Specs {
		values, ok := spec.(*ast.ValueSpec)
		if !ok || d.Tok != token.VAR {
			continue
		}
		for i, value := range values.Values {
			pointer, ok := value.(*ast.UnaryExpr)
			if !ok || pointer.Op != token.AND {
				continue
			}
			if literal, ok := pointer.X.(*ast.CompositeLit); ok {
				if of, ok := literal.Type.(*ast.Ident); ok && of.Name == "Rule" {
					names = append(names, values.Names[i].Name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}
