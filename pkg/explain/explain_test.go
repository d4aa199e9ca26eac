package explain_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/explain"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

// Everything that the program names has a page. The words of the map are held in pkg/render, which knows them.
func TestEverythingHasAPage(t *testing.T) {
	names := []string{
		"choosing", "source-ip", "hairpin", "snat", "proxy-protocol", "balance", "health-check", "externalIPs", "loadBalancerSourceRanges", "terway", "eni", "metallb",
		"externalTrafficPolicy", "internalTrafficPolicy", "healthCheckNodePort", "in-cluster", "ipMode", "basis", "columns",
		"源IP", "直通", "会话保持", "集群内访问 SLB 不通",
	}
	for _, m := range remedy.Modes() {
		names = append(names, string(m.Mode))
	}
	for _, k := range finding.Catalogue() {
		names = append(names, k.Code, strings.ToLower(k.Code))
	}
	for _, r := range dataplane.Rules() {
		names = append(names, r.ID)
	}
	for _, r := range provider.Rules() {
		names = append(names, r.ID)
	}
	for _, name := range names {
		if p, ok := explain.Find(name); !ok || p.Title == "" {
			t.Errorf("%s has no page, or one without a title", name)
		}
	}
}

var id = regexp.MustCompile(`\b(?:[A-Z]+-\d\d|ETP\d{3})\b`)

func TestPages(t *testing.T) {
	owner := map[string]string{}
	for _, p := range explain.All() {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			key := strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(name))
			if owner[key] != "" {
				t.Errorf("%q is a name of the page %s and of the page %s", name, owner[key], p.Name)
			}
			owner[key] = p.Name
		}
		for _, other := range p.See {
			if found, ok := explain.Find(other); !ok || found.Name != other {
				t.Errorf("%s refers to %s, which is no page", p.Name, other)
			}
			if other == p.Name {
				t.Errorf("%s refers to itself", p.Name)
			}
		}
		for _, named := range id.FindAllString(strings.Join(append(slices.Clone(p.Body), p.Sources...), " "), -1) {
			if _, ok := explain.Find(named); !ok {
				t.Errorf("%s names %s, which is no rule and no finding", p.Name, named)
			}
		}
		switch p.Group {
		case explain.Topics, explain.Modes, explain.DataPlanes, explain.LoadBalancers:
			if len(p.Sources) == 0 {
				t.Errorf("%s has no source", p.Name)
			}
		case explain.Screen, explain.Findings, explain.Rules:
		}
		if len(p.Body)+len(p.Rules)+len(p.Facts) == 0 {
			t.Errorf("%s says nothing", p.Name)
		}
		if strings.Contains(p.Name, " ") {
			t.Errorf("the name %q has a space: a shell would complete only a part", p.Name)
		}
	}
}

// Every data plane has a page, and every rule of it is listed on that page.
func TestRulesAreListed(t *testing.T) {
	listed := map[string]int{}
	for _, p := range explain.All() {
		for _, r := range p.Rules {
			listed[r.Name]++
		}
	}
	for _, r := range dataplane.Rules() {
		if listed[r.ID] != 1 {
			t.Errorf("%s is listed on %d pages, want 1", r.ID, listed[r.ID])
		}
	}
	for _, r := range provider.Rules() {
		if listed[r.ID] != 1 {
			t.Errorf("%s is listed on %d pages, want 1", r.ID, listed[r.ID])
		}
	}
}

// The lines of the files, drawings above all, fit a terminal of 80 columns; drawings are ASCII, so that they stay straight everywhere.
func TestLinesFit(t *testing.T) {
	names, err := filepath.Glob("pages/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		field := regexp.MustCompile(`^[a-z]+: `)
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			line = strings.TrimRight(line, "\n")
			if utf8.RuneCountInString(line) > 80 && !field.MatchString(line) {
				t.Errorf("%s:%d is longer than 80 columns: %s", name, n, line)
			}
			if strings.HasPrefix(line, " ") && !isASCII(line) {
				t.Errorf("%s:%d: a drawing that is not ASCII: %s", name, n, line)
			}
			if strings.TrimRight(line, " ") != line || strings.Contains(line, "\t") {
				t.Errorf("%s:%d has a tab or ends with a space", name, n)
			}
		}
	}
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > 126 })
}

func TestFind(t *testing.T) {
	for typed, want := range map[string]string{
		"ETP002": "ETP002", "etp-002": "ETP002", "ipvs-11": "IPVS-11", "ExternalTrafficPolicy": "externalTrafficPolicy", "etp": "externalTrafficPolicy",
		"via LB": "via-lb", "VIA_LB": "via-lb", "times out": "times-out", "any node": "any-node", "源 ip": "source-ip", "客户端IP": "source-ip", "直连": "eni",
		"集群内访问SLB不通": "in-cluster", "超时": "times-out", "连接被拒绝": "refused", "session affinity": "session-affinity",
	} {
		if p, ok := explain.Find(typed); !ok || p.Name != want {
			t.Errorf("Find(%q) = %q, want %q", typed, p.Name, want)
		}
	}
	for _, typed := range []string{"", "x", "ETP999", "kubernetes"} {
		if p, ok := explain.Find(typed); ok {
			t.Errorf("Find(%q) = %q", typed, p.Name)
		}
	}
}

func TestSearch(t *testing.T) {
	for query, want := range map[string]string{
		"why is the load uneven":          "balance",
		"broken header ingress-nginx":     "proxy-protocol",
		"masquerade source address":       "snat",
		"kubelet image pull fails":        "ETP003",
		"集群内访问 SLB 报错":                    "in-cluster",
		"怎么保留客户端真实IP":                     "source-ip",
		"pod connects to its own service": "hairpin",
		"health check 503":                "healthCheckNodePort",
		"announces address layer 2":       "metallb",
		"firewall or security group":      "times-out",
		"clusterip":                       "internalTrafficPolicy",
	} {
		var names []string
		for _, p := range explain.Search(query) {
			names = append(names, p.Name)
		}
		if at := slices.Index(names, want); at < 0 || at > 2 || len(names) > 6 {
			t.Errorf("Search(%q) = %v, want %s among the first three", query, names, want)
		}
	}
	for _, query := range []string{"", "the of and", "helm chart values", "数据库"} {
		if found := explain.Search(query); len(found) > 0 {
			t.Errorf("Search(%q) finds %s", query, found[0].Name)
		}
	}
}

func TestClose(t *testing.T) {
	for typed, want := range map[string]string{"hairpinn": "hairpin", "internaltrafficpolcy": "internalTrafficPolicy", "ipvs-3": "IPVS-03", "teraway": "terway"} {
		if got := explain.Close(typed); len(got) == 0 || got[0] != want {
			t.Errorf("Close(%q) = %v, want %s first", typed, got, want)
		}
	}
	if got := explain.Close("zzz"); got != nil {
		t.Errorf("Close(zzz) = %v", got)
	}
}
