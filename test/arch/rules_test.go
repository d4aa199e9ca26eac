package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strconv"
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
	listed := map[string]bool{}
	for _, rule := range dataplane.Rules() {
		listed[rule.ID] = true
	}
	declared := 0
	for name, source := range sources(t) {
		if path.Dir(name) != "pkg/dataplane" || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parsing %s: %v", name, err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if id := ruleID(n); id != "" {
				declared++
				if !listed[id] {
					t.Errorf("%s declares the rule %s, which Rules() does not list", name, id)
				}
			}
			return true
		})
	}
	if declared != len(listed) {
		t.Errorf("%d rules are declared, and Rules() has %d", declared, len(listed))
	}
}

// ruleID is the id in a literal Rule{ID: …}, "" for every other node.
func ruleID(n ast.Node) string {
	literal, ok := n.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	if of, ok := literal.Type.(*ast.Ident); !ok || of.Name != "Rule" {
		return ""
	}
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "ID" {
			if value, ok := pair.Value.(*ast.BasicLit); ok {
				id, _ := strconv.Unquote(value.Value)
				return id
			}
		}
	}
	return ""
}
