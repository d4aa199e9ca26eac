package fix

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/finding"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
)

func TestRefusal(t *testing.T) {
	holds := remedy.Precondition{Name: "fine", Holds: cluster.Yes}
	risky := remedy.Precondition{Name: "client-ip-unused", Holds: cluster.No, Risk: "loses-client-ip"}
	again := remedy.Precondition{Name: "logs-unused", Holds: cluster.No, Risk: "loses-client-ip"}
	unread := remedy.Precondition{Name: "quota", Risk: "quota-unknown"}
	impossible := remedy.Precondition{Name: "terway-ready", Holds: cluster.No}
	owner := &remedy.Owner{Name: "Helm release web"}
	for _, c := range []struct {
		name     string
		plan     remedy.Plan
		accepted []string
		want     *RefusedError
	}{
		{"all holds", remedy.Plan{Preconditions: []remedy.Precondition{holds}}, nil, nil},
		{"a risk", remedy.Plan{Preconditions: []remedy.Precondition{holds, risky}}, nil, &RefusedError{Unmet: []string{"client-ip-unused"}, Risks: []string{"loses-client-ip"}}},
		{
			"two checks with the same risk",
			remedy.Plan{Preconditions: []remedy.Precondition{risky, again}},
			nil,
			&RefusedError{Unmet: []string{"client-ip-unused", "logs-unused"}, Risks: []string{"loses-client-ip"}},
		},
		{"an accepted risk", remedy.Plan{Preconditions: []remedy.Precondition{risky}}, []string{"loses-client-ip"}, nil},
		{
			"another risk was accepted",
			remedy.Plan{Preconditions: []remedy.Precondition{risky, unread}},
			[]string{"loses-client-ip"},
			&RefusedError{Unmet: []string{"quota"}, Risks: []string{"quota-unknown"}},
		},
		{
			"no risk to accept",
			remedy.Plan{Preconditions: []remedy.Precondition{impossible, risky}, Owner: owner},
			[]string{"", "loses-client-ip", "terway-ready"},
			&RefusedError{Unmet: []string{"terway-ready", "Helm release web would revert it"}},
		},
		{"an owner", remedy.Plan{Owner: owner}, nil, &RefusedError{Unmet: []string{"Helm release web would revert it"}, Risks: []string{"will-be-reverted"}}},
		{"an accepted owner", remedy.Plan{Owner: owner}, []string{"will-be-reverted"}, nil},
		{"by hand", remedy.Plan{ByHand: []string{"rollout shop/web"}}, nil, &RefusedError{ByHand: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Refusal(&c.plan, c.accepted)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Only a conflict before the first write is a reason to plan again.
func TestContested(t *testing.T) {
	conflict := &apply.ConflictError{Object: cluster.Object{Kind: "Service", Namespace: "shop", Name: "web"}}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no error", nil, ""},
		{"a conflict", fmt.Errorf("wrapped: %w", conflict), "service shop/web"},
		{"changed while it was read", &collect.ChangedError{Namespace: "shop", Name: "web"}, "service shop/web"},
		{"another failure", errors.New("boom"), ""},
		{"after the first of two writes", &IncompleteError{Err: &apply.RestoredError{Err: conflict}}, ""},
	} {
		if got := contested(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWritten(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("interrupted"), true}, {&apply.UncertainError{Err: errors.New("timeout")}, false}, {fmt.Errorf("wrapped: %w", &apply.RestoredError{Err: errors.New("denied")}), false},
	} {
		if got := (&IncompleteError{Err: c.err}).Written(); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// A dual-stack pod is one endpoint to wait for, though it has an address in an EndpointSlice of each family.
func TestEndpointsMatch(t *testing.T) {
	pod := func(address, name string) cluster.Endpoint {
		return cluster.Endpoint{Address: netip.MustParseAddr(address), Node: "a", Target: "shop/" + name, Ready: true, Serving: true}
	}
	leaving := pod("10.1.0.9", "old")
	leaving.Ready, leaving.Terminating = false, true
	for name, c := range map[string]struct {
		endpoints []cluster.Endpoint
		available int
		want      bool
	}{
		"single-stack":              {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("10.1.0.2", "y")}, 2, true},
		"dual-stack":                {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("10.1.0.2", "y"), pod("fd00::1", "x"), pod("fd00::2", "y")}, 2, true},
		"one is missing":            {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("fd00::1", "x")}, 2, false},
		"an old pod is terminating": {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("10.1.0.2", "y"), leaving}, 2, false},
	} {
		if got := endpointsMatch(&cluster.Service{Endpoints: c.endpoints}, c.available); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSignsIn(t *testing.T) {
	signs := []provider.Sign{
		{Reason: "Skipped", Contains: "not in vpc", Means: "skipped", Bad: true},
		{Contains: "quota", Means: "quota", Bad: true},
		{Reason: "Ensured", Means: "done"},
	}
	for _, c := range []struct {
		name      string
		events    []collect.Said
		good, bad string
	}{
		{"no events", nil, "", ""},
		{"success", []collect.Said{{Reason: "Ensured", Message: "lb-1"}}, "done", ""},
		{"the reason without the text", []collect.Said{{Reason: "Skipped", Message: "no pods"}}, "", ""},
		{"the reason with the text", []collect.Said{{Reason: "Skipped", Message: "10.0.0.1 not in vpc cidrs"}}, "", "skipped"},
		{"any reason with the text", []collect.Said{{Reason: "Failed", Message: "reached the quota"}}, "", "quota"},
		{"both", []collect.Said{{Reason: "Failed", Message: "reached the quota"}, {Reason: "Ensured"}}, "done", "quota"},
	} {
		good, bad := signsIn(c.events, signs)
		if got := [2]string{meaning(good), meaning(bad)}; got != [2]string{c.good, c.bad} {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func meaning(s *provider.Sign) string {
	if s == nil {
		return ""
	}
	return s.Means
}

// A fix is not confirmed while a finding that it was to fix is still there, or the address that mode hostname removes.
func TestUnmetExpectation(t *testing.T) {
	failing := finding.Finding{Code: "ETP002", Result: finding.Fail, Severity: finding.Error}
	address := []cluster.Ingress{{IP: netip.MustParseAddr("203.0.113.7")}}
	name := []cluster.Ingress{{Hostname: "web.example"}}
	made := func(ingress []cluster.Ingress, findings ...finding.Finding) *report.Report {
		return &report.Report{Service: &cluster.Service{Namespace: "shop", Name: "web", Ingress: ingress}, Findings: findings}
	}
	for _, c := range []struct {
		name                    string
		mode                    remedy.Mode
		fixes                   []string
		before, expected, after *report.Report
		want                    string
	}{
		{"fixed", remedy.Cluster, []string{"ETP002"}, made(address, failing), made(address), made(address), ""},
		{"still found", remedy.Cluster, []string{"ETP002"}, made(address, failing), made(address), made(address, failing), "ETP002 is still found"},
		{"it was not what the mode is for", remedy.Cluster, nil, made(address, failing), made(address), made(address, failing), ""},
		{"it was not expected to be fixed", remedy.Cluster, []string{"ETP002"}, made(address, failing), made(address, failing), made(address, failing), ""},
		{"the name is published", remedy.Hostname, nil, made(address), made(name), made(name), ""},
		{"the address is still published", remedy.Hostname, nil, made(address), made(name), made(address), "the status of the Service still has the address"},
	} {
		change := &Change{Plan: &remedy.Plan{Mode: c.mode, Fixes: c.fixes}, Fix: &apply.Fix{}}
		if got := unmetExpectation(change, c.before, c.expected, c.after); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestErrorsNameTheObject(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&ContestedError{Object: "service shop/web", Attempts: 3}, "service shop/web"},
		{&RefusedError{Unmet: []string{"terway-ready", "quota"}}, "terway-ready, quota"},
		{&SeveralError{Services: []string{"shop/a", "shop/b"}}, "shop/a, shop/b"},
	} {
		if !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%q does not name %q", c.err, c.want)
		}
	}
}
