package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/dataplane"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

// toCluster is a preview with every part that one can have.
func toCluster() *Preview {
	before, after := few(ipvsLocal(), 6), few(ipvsLocal(), 6)
	service := *after.Service
	service.ExternalTrafficPolicy, service.HealthCheckNodePort = cluster.PolicyCluster, 0
	after.Service = &service
	for i := range after.Nodes {
		after.Nodes[i].Paths = paths(&service, after.Nodes[i].Node, outcomes{dataplane.Reachable, dataplane.Reachable, dataplane.Reachable, dataplane.AllEndpoints})
		after.Nodes[i].LoadBalancer = report.Receives{Receives: cluster.Yes, Share: 1. / 6}
		if after.Nodes[i].Endpoints.Ready > 0 {
			after.Nodes[i].LoadBalancer.PodShare = 1. / 3
		}
	}
	after.Findings = []finding.Finding{{Code: "ETP099", Severity: finding.Warning, Result: finding.Fail, Message: "something new"}}
	judged(before)
	judged(after)
	return &Preview{
		Title: "fix kube-system/nginx-ingress-lb", About: "mode cluster: send to every node (externalTrafficPolicy Cluster): works everywhere, loses the client IP",
		Plan: &remedy.Plan{
			Preconditions: []remedy.Precondition{
				{Name: "not-shared", Holds: cluster.Yes, Message: "the address is this Service's alone", Evidence: []finding.Evidence{{Fact: "one Service", Source: "list"}}},
				{
					Name: "client-ip-unused", Holds: cluster.No, Message: "network policy kube-system/office admits clients by their address", Risk: "loses-client-ip",
					Evidence: []finding.Evidence{{Fact: "ipBlock 192.0.2.0/24", Source: "networkpolicy kube-system/office"}},
				},
				{Name: "within-quota", Message: "how many backends the load balancer takes is not known"},
			},
			Owner: &remedy.Owner{Name: "Helm release nginx", Source: "annotation meta.helm.sh/release-name", Instead: "set controller.service.externalTrafficPolicy and run helm upgrade"},
			Gains: []string{"every node takes connections"}, Costs: []string{"the pods no longer see the client's address, but a node's"}, Assumes: []string{"the load balancer follows"},
			Fixes: []string{"ETP002", "ETP007"},
		},
		Accepted: []string{"loses-client-ip"}, Before: before, After: after,
		Changes: []Change{{
			Object: "service kube-system/nginx-ingress-lb", Starts: "a change of the load balancer's backends",
			Diff: "--- service kube-system/nginx-ingress-lb\n+++ service kube-system/nginx-ingress-lb, as the server would keep it\n@@ -1,3 +1,3 @@\n spec:\n" +
				"-  externalTrafficPolicy: Local\n+  externalTrafficPolicy: Cluster\n   type: LoadBalancer\n",
			Command:  `kubectl patch svc nginx-ingress-lb -n kube-system --type=merge -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'`,
			Warnings: []string{"spec.externalIPs is deprecated"}, Notes: []string{"the former health check node port 32000 is taken by now"},
		}},
	}
}

func TestPreview(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"preview", Options{Style: plainStyle(wide100)}},
		{"preview-color", Options{Style: NewStyle(ColorAlways, false, wide100)}},
		{"preview-ascii-60", Options{Style: NewStyle(ColorNever, true, Terminal{Interactive: true, Columns: 60})}},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, PreviewScreen(toCluster(), c.o)) })
	}
	v := toCluster()
	golden(t, "outcome", Outcome(v.Before, v.After, Options{Style: plainStyle(wide100)}))
	golden(t, "outcome-back", Outcome(v.After, v.Before, Options{Style: plainStyle(wide100)}))
}

// Findings that a mode fixes, findings that it may fix, and none at all read differently.
func TestPreviewSaysWhatIsFixed(t *testing.T) {
	for _, c := range []struct {
		fixes, may []string
		want       string
	}{
		{[]string{"ETP002"}, nil, "  fixes  ETP002\n"},
		{nil, []string{"ETP007", "ETP008"}, "  fixes  perhaps ETP007 ETP008: the effect cannot be predicted\n"},
		{nil, nil, "  fixes  none of the findings\n"},
	} {
		v := toCluster()
		v.Plan.Fixes, v.Plan.May = c.fixes, c.may
		if got := string(PreviewScreen(v, Options{Style: plainStyle(wide100)})); !strings.Contains(got, c.want) {
			t.Errorf("it does not say %q, but\n%s", c.want, got)
		}
	}
}

// What a change does to clients that the map does not show stands with what it fixes and introduces; nothing is called
// fixed, or free of consequences, that is not.
func TestPreviewShowsEffects(t *testing.T) {
	b := toCluster().Before.Nodes
	failing, fine := b[5].Node.Name, b[0].Node.Name
	for _, c := range []struct {
		effect        remedy.Effect
		want, without []string
	}{
		{
			remedy.Effect{Kind: remedy.FixesByName, Message: "pods reach it by name", Nodes: []string{failing}},
			[]string{"            ✓ pods reach it by name\n", "✓ fixed on 4 of 6 nodes"},
			nil,
		},
		{
			remedy.Effect{Kind: remedy.Breaks, Message: "clients fail where they are sent back", Nodes: []string{failing, fine}},
			[]string{"introduced  ! ETP099  something new\n            ✗ clients fail where they are sent back\n", "✓ fixed on 3 of 6 nodes", "✗ broken on 1 of 6 nodes"},
			nil,
		},
		{
			remedy.Effect{Kind: remedy.MayBreak, Message: "clients may fail where they are sent back", Nodes: []string{failing}},
			[]string{"unclear     ? clients may fail where they are sent back\n", "✓ fixed on 3 of 6 nodes", "? unknown on 1 of 6 nodes"},
			[]string{"introduced  nothing"},
		},
	} {
		v := toCluster()
		v.Plan.Effects = []remedy.Effect{c.effect}
		if c.effect.Kind == remedy.MayBreak {
			v.After.Findings = nil
		}
		got := string(PreviewScreen(v, Options{Style: plainStyle(wide100)}))
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("it does not say %q, but\n%s", want, got)
			}
		}
		for _, unwanted := range c.without {
			if strings.Contains(got, unwanted) {
				t.Errorf("it says %q:\n%s", unwanted, got)
			}
		}
	}
}

// What is not known of a node is neither fine nor failing.
func TestComparisonOfUnknownNodes(t *testing.T) {
	unknown, fine, failing := few(ipvsLocal(), 6), toCluster().After, few(ipvsLocal(), 6)
	for i := range unknown.Nodes {
		unknown.Nodes[i].Paths = paths(unknown.Service, unknown.Nodes[i].Node, outcomes{})
	}
	for _, c := range []struct {
		before, after *report.Report
		want          string
	}{
		{fine, fine, "nodes       connections fail on no node, before or after\n"},
		{failing, failing, "nodes       connections fail on 4 of 6 nodes, before and after\n"},
		{unknown, unknown, "nodes       ? unknown on 6 of 6 nodes\n"},
		{failing, unknown, "nodes       ? unknown on 6 of 6 nodes\n"},
		{unknown, failing, "nodes       connections fail on 4 of 6 nodes after it\n            ? unknown on 6 of 6 nodes\n"},
	} {
		if got := string(Outcome(c.before, c.after, Options{Style: plainStyle(wide100)})); !strings.Contains(got, c.want) {
			t.Errorf("it does not say %q, but\n%s", c.want, got)
		}
	}
}

// A menu fits into the terminal, with the numbers that stand before its lines.
func TestOffersFit(t *testing.T) {
	offers := []remedy.Offer{
		{Mode: remedy.Cluster, Gain: "loses the client's address", Fixes: []string{"ETP002"}},
		{Mode: remedy.DNS, Gain: "keeps the client's address; helps only clients that use the name and ask the cluster's DNS", Fixes: []string{"ETP002", "ETP003"}, ByName: true},
	}
	style := func(columns int) Options {
		return Options{Style: NewStyle(ColorNever, false, Terminal{Interactive: true, UTF8: true, Columns: columns})}
	}
	want := []string{"cluster  loses the client's address   fixes ETP002", "dns      " + offers[1].Gain + "   fixes ETP002 ETP003 by name"}
	if diff := cmp.Diff(want, Offers(offers, style(140))); diff != "" {
		t.Error(diff)
	}
	const below = "\n              "
	want[1] = "dns      keeps the client's address; helps only clients" + below + "that use the name and ask the cluster's DNS" + below + "fixes ETP002 ETP003 by name"
	if diff := cmp.Diff(want, Offers(offers, style(60))); diff != "" {
		t.Error(diff)
	}
}

// Colour only repeats what a word or a glyph says.
func TestPreviewWithoutColourSaysTheSame(t *testing.T) {
	coloured := string(PreviewScreen(toCluster(), Options{Style: NewStyle(ColorAlways, false, wide100)}))
	for strings.Contains(coloured, "\x1b[") {
		before, rest, _ := strings.Cut(coloured, "\x1b[")
		_, after, _ := strings.Cut(rest, "m")
		coloured = before + after
	}
	if plain := string(PreviewScreen(toCluster(), Options{Style: plainStyle(wide100)})); plain != coloured {
		t.Errorf("without colour it says\n%s\nand with it\n%s", plain, coloured)
	}
}

// Whatever a plan, a server or an object says, it does not reach the terminal as a control sequence.
func TestPreviewEscapes(t *testing.T) {
	const hostile = "\x1b]52;c;cm0gLXJm\x07\u202e"
	v := toCluster()
	v.Title, v.About = hostile, hostile
	p := v.Plan
	p.Preconditions[1] = remedy.Precondition{Name: hostile, Message: hostile, Risk: hostile, Evidence: []finding.Evidence{{Fact: hostile, Source: hostile}}}
	p.Owner = &remedy.Owner{Name: hostile, Source: hostile, Instead: hostile}
	p.Gains, p.Costs, p.Assumes, p.Fixes, p.ByHand = []string{hostile}, []string{hostile}, []string{hostile}, []string{hostile}, []string{hostile}
	p.Effects = []remedy.Effect{{Kind: remedy.FixesByName, Message: hostile}, {Kind: remedy.Breaks, Message: hostile}, {Kind: remedy.MayBreak, Message: hostile}}
	v.Changes[0] = Change{Object: hostile, Starts: hostile, Diff: "+" + hostile + "\n", Command: hostile, Warnings: []string{hostile}, Notes: []string{hostile}}
	v.After.Findings[0].Code, v.After.Findings[0].Message = hostile, hostile
	v.After.Nodes[0].Node.Name, v.Before.Service.Name = hostile, hostile
	o := Options{Style: plainStyle(wide100)}
	screens := string(PreviewScreen(v, o)) + string(Outcome(v.Before, v.After, o)) + strings.Join(Attention([]report.Report{*v.Before, *v.After}, o), "\n") +
		strings.Join(Offers([]remedy.Offer{{Mode: "eni", Gain: hostile, Fixes: []string{hostile}}}, o), "\n") + Hosts(&remedy.HostNeeded{Why: hostile, Suggested: []string{hostile}}, o)
	if i := strings.IndexAny(screens, "\x1b\x07\u202e"); i >= 0 {
		t.Errorf("it writes %q", screens[max(0, i-40):i+10])
	}
}

// What is only expected is never shown as if it had been seen.
func TestUnconfirmed(t *testing.T) {
	v := toCluster()
	v.After.Findings = nil
	o := Options{Style: plainStyle(wide100), Assumed: true}
	head := string(Unconfirmed([]string{"the controller has reported nothing"}, o))
	if want := "? written, not confirmed\n  the controller has reported nothing\n\n"; head != want {
		t.Errorf("it says %q, want %q", head, want)
	}
	screen := string(Screen(v.After, o))
	if !strings.Contains(screen, "\nexpected, not confirmed:\n\nwhat connections ") || !strings.Contains(screen, "? no findings expected\n") || strings.Contains(screen, "✓ no findings") {
		t.Errorf("the screen is\n%s", screen)
	}
	outcome := string(Outcome(v.Before, v.After, o))
	if !strings.HasPrefix(outcome, "expected, not confirmed:\nfixed ") || !strings.Contains(outcome, "fixed on 4 of 6 nodes") {
		t.Errorf("the outcome is\n%s", outcome)
	}
}

// The question names where, what, what for and at what risk; whatever stands in it does not reach the terminal as a
// control sequence.
func TestQuestion(t *testing.T) {
	o := Options{Style: plainStyle(wide100)}
	got := string(Question(&Ask{
		Context: "prod", Cluster: "prod-1 (https://10.0.0.1:6443)", Changes: []string{"service shop/web: spec.externalTrafficPolicy from Local to Cluster"},
		Fixes: []string{"ETP002 ETP008"}, Risks: []string{"loses the client IP: a node puts its own address in its place", "starts a rollout"},
	}, o))
	want := "context  prod\ncluster  prod-1 (https://10.0.0.1:6443)\nchange   service shop/web: spec.externalTrafficPolicy from Local to Cluster\nfixes    ETP002 ETP008\n" +
		"risks    loses the client IP: a node puts its own address in its place\n         starts a rollout\n"
	if got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
	const hostile = "\x1b]52;c;cm0gLXJm\x07\u202e"
	list := []string{hostile}
	text := string(Question(&Ask{Context: hostile, Cluster: hostile, Changes: list, Fixes: list, Risks: list}, o)) + string(Unconfirmed(list, o))
	if i := strings.IndexAny(text, "\x1b\x07\u202e"); i >= 0 {
		t.Errorf("it writes %q", text[max(0, i-40):i+10])
	}
	if !strings.Contains(string(Question(&Ask{Context: "x", Cluster: "y"}, o)), "risks    none known\n") {
		t.Error("without a risk it does not say so")
	}
}
