package cli

import (
	"io"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/explain"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
)

// Every page is printed, in any case, on a narrow terminal too.
func TestExplain(t *testing.T) {
	pages := explain.All()
	if least := len(finding.Catalogue()) + len(dataplane.Rules()) + 30; len(pages) < least {
		t.Fatalf("only %d pages, want %d", len(pages), least)
	}
	for _, p := range pages {
		w := &world{env: map[string]string{"LANG": "C.UTF-8"}}
		e := w.environment()
		e.Columns = func(io.Writer) (int, bool) { return 50, true }
		if code := Main(t.Context(), []string{"explain", strings.ToLower(p.Name), "--color=never"}, w.streams(), e); code != 0 {
			t.Errorf("%s: exit code %d: %s", p.Name, code, w.err.String())
		}
		if !strings.HasPrefix(w.out.String(), p.Name+"  ") {
			t.Errorf("%s: %s", p.Name, w.out.String())
		}
		for line := range strings.Lines(w.out.String()) {
			// A word that is longer keeps its line, and a drawing its form.
			drawn := slices.ContainsFunc(p.Body, func(part string) bool {
				return strings.HasPrefix(part, " ") && strings.Contains(part, strings.TrimRight(line, "\n"))
			})
			if len(line) > 51 && len(strings.Fields(line)) > 2 && !drawn {
				t.Errorf("%s: this line is too long: %s", p.Name, line)
			}
		}
	}
}

func TestExplainPage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"Topics", "externalTrafficPolicy ", "Modes of kubectl etp fix", "anti-affinity ", "ETP051 ", "kube-router "}},
		{[]string{"IPVS-11"}, []string{"before v1.24", "measured with real packets in v1.20 v1.22", "kubernetes/kubernetes#92857", "kubectl etp explain  ipvs"}},
		{[]string{"ETP002"}, []string{"severity  Error"}},
		{[]string{"nftables"}, []string{"NFT-01 ", "NFT-16 "}},
		{[]string{"ipMode"}, []string{"1860-kube-proxy-IP-node-binding"}},
		// The drawing keeps its lines, whatever the locale is.
		{[]string{"externalTrafficPolicy", "--ascii"}, []string{"    client --> load balancer --> node A\n", "pod sees 198.51.100.7"}},
		{[]string{"times", "out"}, []string{"times-out  "}},
		{[]string{"会话保持"}, []string{"session-affinity  "}},
		// No page has this name: the search finds pages.
		{[]string{"why", "is", "my", "load", "uneven"}, []string{"no page has this name", "balance ", "ETP007 "}},
		// One page is shown at once.
		{[]string{"集群内访问 SLB 报错"}, []string{"in-cluster  "}},
	} {
		w := &world{}
		if code := w.main(t, append([]string{"explain"}, c.args...)...); code != 0 {
			t.Fatalf("%s: exit code %d: %s", c.args, code, w.err.String())
		}
		for _, text := range c.want {
			if !strings.Contains(w.out.String(), text) {
				t.Errorf("%s: %q is missing in\n%s", c.args, text, w.out.String())
			}
		}
	}
}

func TestExplainUnknown(t *testing.T) {
	for name, says := range map[string]string{
		"ETP02": "did you mean ETP002", "ipvs-3": "did you mean IPVS-03", "internaltrafficpolcy": "did you mean internalTrafficPolicy?",
		"x": "no page mentions it", "helm": "no page mentions it",
	} {
		w := &world{}
		if code := w.main(t, "explain", name); code != exitUsage || !strings.Contains(w.err.String(), says) || w.out.Len() > 0 {
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
	for _, args := range [][]string{{"--user", "jane"}, {"--as", "jane"}, {"-n", "shop"}} {
		w := &world{}
		if code := w.main(t, append([]string{"rbac"}, args...)...); code != exitUsage || !strings.Contains(w.err.String(), "has no effect") {
			t.Errorf("%v: exit code %d: %s", args, code, w.err.String())
		}
	}
	w := &world{}
	if code := w.main(t, "rbac", "--context", "other", "--kubeconfig", "nowhere"); code != 0 {
		t.Errorf("with flags that choose a cluster: exit code %d: %s", code, w.err.String())
	}
	if code := w.main(t, "rbac", "--for", "everything"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}
