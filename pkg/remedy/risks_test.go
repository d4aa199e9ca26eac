package remedy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// Every word that the code gives to a field named Risk is in Risks, and nothing else is.
func TestRisksAreListed(t *testing.T) {
	written := map[string]bool{remedy.BreaksInside: true, remedy.LosesClientIP: true, remedy.WillBeReverted: true}
	literal := func(e ast.Expr) {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if word, err := strconv.Unquote(l.Value); err == nil && word != "" {
				written[word] = true
			}
		}
	}
	for _, pattern := range []string{"*.go", "../provider/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Risk" {
						literal(n.Value)
					}
				case *ast.AssignStmt:
					for i, left := range n.Lhs {
						if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "Risk" && len(n.Lhs) == len(n.Rhs) {
							literal(n.Rhs[i])
						}
					}
				}
				return true
			})
		}
	}
	for word := range written {
		if !slices.Contains(remedy.Risks(), word) {
			t.Errorf("Risks lacks %s", word)
		}
	}
	// Some words reach the field through a variable or an argument.
	for _, word := range remedy.Risks() {
		if strings.ToLower(word) != word || strings.Contains(word, " ") {
			t.Errorf("%q is no word", word)
		}
	}
}
