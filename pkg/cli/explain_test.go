package cli

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// Every finding, rule and topic has a page, in any case, on a narrow terminal too.
func TestExplain(t *testing.T) {
	names := explainable()
	if least := len(finding.Catalogue()) + len(dataplane.Rules()) + 5; len(names) < least {
		t.Fatalf("only %d things to explain, want %d", len(names), least)
	}
	seen := map[string]bool{}
	for _, f := range names {
		if lower := strings.ToLower(f.Name); seen[lower] {
			t.Errorf("%s is explained twice", f.Name)
		} else {
			seen[lower] = true
		}
		w := &world{env: map[string]string{"LANG": "C.UTF-8"}}
		e := w.environment()
		e.Columns = func(io.Writer) (int, bool) { return 50, true }
		if code := Main(t.Context(), []string{"explain", strings.ToLower(f.Name), "--color=never"}, w.streams(), e); code != 0 {
			t.Errorf("%s: exit code %d: %s", f.Name, code, w.err.String())
		}
		if !strings.HasPrefix(w.out.String(), f.Name+"  ") {
			t.Errorf("%s: %s", f.Name, w.out.String())
		}
		for line := range strings.Lines(w.out.String()) {
			// A word that is longer keeps its line.
			if len(line) > 51 && len(strings.Fields(line)) > 2 {
				t.Errorf("%s: this line is too long: %s", f.Name, line)
			}
		}
	}
	for _, r := range dataplane.Rules() {
		if familyOf(r).name == "" {
			t.Errorf("%s belongs to no topic", r.ID)
		}
	}
	for _, tp := range topics() {
		for _, id := range ruleID.FindAllString(strings.Join(tp.paragraphs, " "), -1) {
			if !seen[strings.ToLower(id)] {
				t.Errorf("%s names %s, which is no rule and no finding", tp.name, id)
			}
		}
		if tp.family == "" && len(tp.sources) == 0 {
			t.Errorf("%s has no source", tp.name)
		}
	}
}

// ruleID is what ids of rules and codes of findings look like.
var ruleID = regexp.MustCompile(`\b(?:[A-Z]+-\d\d|ETP\d{3})\b`)

func TestExplainPage(t *testing.T) {
	for name, want := range map[string][]string{
		"IPVS-11": {"before v1.24", "measured with real packets in v1.20 v1.22", "kubernetes/kubernetes#92857"},
		"ETP002":  {"severity  Error", "Confirm with: kubectl debug"},
		"nftables": {
			"NFT-01 ", "NFT-16 ",
		},
		"ipMode": {"KEP-1860"},
		"":       {"externalTrafficPolicy ", "ETP051 ", "kube-router "},
	} {
		w := &world{}
		args := []string{"explain"}
		if name != "" {
			args = append(args, name)
		}
		if code := w.main(t, args...); code != 0 {
			t.Fatalf("%s: exit code %d: %s", name, code, w.err.String())
		}
		for _, text := range want {
			if !strings.Contains(w.out.String(), text) {
				t.Errorf("%s: %q is missing in\n%s", name, text, w.out.String())
			}
		}
	}
}

func TestExplainUnknown(t *testing.T) {
	for name, near := range map[string]string{"ETP02": "ETP002", "ipvs-3": "IPVS-03", "internaltrafficpolcy": "internalTrafficPolicy", "x": "explain"} {
		w := &world{}
		if code := w.main(t, "explain", name); code != exitUsage || !strings.Contains(w.err.String(), near) || w.out.Len() > 0 {
			t.Errorf("%s: exit code %d: %s%s", name, code, w.err.String(), w.out.String())
		}
	}
}

// What rbac prints is a ClusterRole, and each level has what the first one has.
func TestRBAC(t *testing.T) {
	type role struct {
		Kind  string
		Rules []struct{ APIGroups, Resources, ResourceNames, Verbs []string }
	}
	read := func(args ...string) role {
		w := &world{}
		if code := w.main(t, append([]string{"rbac"}, args...)...); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, w.err.String())
		}
		var r role
		if err := yaml.UnmarshalStrict(w.out.Bytes(), &struct {
			APIVersion string
			Metadata   struct{ Name string }
			*role
		}{role: &r}); err != nil {
			t.Fatal(err)
		}
		if r.Kind != "ClusterRole" || len(r.Rules) == 0 {
			t.Fatalf("%v prints %s", args, w.out.String())
		}
		return r
	}
	least := read()
	for _, l := range levels() {
		r := read("--for", string(l))
		if len(r.Rules) < len(least.Rules) || l != forStatus && len(r.Rules) == len(least.Rules) {
			t.Errorf("%s has %d rules, status %d", l, len(r.Rules), len(least.Rules))
		}
		for _, rule := range r.Rules {
			for _, verb := range rule.Verbs {
				if verb != "get" && verb != "list" && verb != "watch" && !(l == forFix && verb == "patch") {
					t.Errorf("%s may %s %v", l, verb, rule.Resources)
				}
				if wide := slices.Contains(rule.Resources, "configmaps") && len(rule.ResourceNames) == 0; verb == "patch" && wide {
					t.Errorf("%s may %s every %v", l, verb, rule.Resources)
				}
			}
		}
	}
	w := &world{}
	if code := w.main(t, "rbac", "--for", "everything"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}
