package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

func TestFlagsOfFix(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"fix", "svc/web", "--mode=cluster"}, "there is nobody to ask"},
		{[]string{"fix", "svc/web", "--mode=best"}, "it is one of cluster, local, eni, anti-affinity, spread, hostname, dns"},
		{[]string{"fix", "svc/web", "-A"}, "by name in all namespaces"},
		{[]string{"fix", "svc/web", "-l", "a=b"}, "by name and by label"},
		{[]string{"fix", "svc/web", "--with=spread"}, "there is no --mode"},
		{[]string{"fix", "svc/web", "--host=a.example"}, "there is no --mode"},
		{[]string{"fix", "--dry-run=perhaps"}, "it is one of none, client, server"},
		{[]string{"fix", "--timeout=-1s"}, "it cannot be negative"},
		{[]string{"fix", "-o", "wide"}, "it is one of yaml, json"},
		{[]string{"fix", "--dataplane", "nonsense"}, "--dataplane nonsense"},
		{[]string{"undo"}, "requires at least 1 arg"},
		{[]string{"undo", "svc"}, "whose fix is to be taken back?"},
		{[]string{"undo", "svc/web"}, "there is nobody to ask"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			w := &world{}
			if code := w.main(t, c.args...); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(w.err.String(), c.says) || strings.Count(w.err.String(), "\n") != 2 {
				t.Errorf("stderr says %q, want %q and one next step", w.err.String(), c.says)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	holds := remedy.Precondition{Name: "fine", Holds: cluster.Yes}
	risky := remedy.Precondition{Name: "client-ip-unused", Holds: cluster.No, Risk: "loses-client-ip"}
	unread := remedy.Precondition{Name: "quota", Risk: "quota-unknown"}
	impossible := remedy.Precondition{Name: "terway-ready", Holds: cluster.No}
	owner := &remedy.Owner{Name: "Helm release web"}
	for _, c := range []struct {
		name     string
		plan     remedy.Plan
		accepted []string
		says     string
	}{
		{"nothing against it", remedy.Plan{Preconditions: []remedy.Precondition{holds}}, nil, ""},
		{"a risk", remedy.Plan{Preconditions: []remedy.Precondition{holds, risky}}, nil, "client-ip-unused|to go on all the same: --accept-risk=loses-client-ip"},
		{"a risk that is accepted", remedy.Plan{Preconditions: []remedy.Precondition{risky}}, []string{"loses-client-ip"}, ""},
		{"another one is accepted", remedy.Plan{Preconditions: []remedy.Precondition{risky, unread}}, []string{"loses-client-ip"}, "quota|to go on all the same: --accept-risk=quota-unknown"},
		{"an impossibility is no risk", remedy.Plan{Preconditions: []remedy.Precondition{impossible, risky}}, []string{"", "loses-client-ip", "terway-ready"}, "terway-ready|see above what must hold first"},
		{"an owner", remedy.Plan{Owner: owner}, nil, "Helm release web would take it back|to go on all the same: --accept-risk=will-be-reverted"},
		{"an owner who is known", remedy.Plan{Owner: owner}, []string{"will-be-reverted"}, ""},
		{"by hand", remedy.Plan{ByHand: []string{"rollout shop/web"}}, nil, "not this tool's to change|see above what to change by hand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &changeOptions{risks: c.accepted}
			err := o.refusal(&work{plan: &c.plan})
			if c.says == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			message, next, _ := strings.Cut(c.says, "|")
			var e *ExitError
			if !errors.As(err, &e) || e.Code != exitFailed || !strings.Contains(e.Error(), message) || !strings.HasPrefix(e.Next, next) {
				t.Errorf("it says %v, next %+v", err, e)
			}
		})
	}
}

// A change that met somebody else's is tried three times; anything else is not tried again.
func TestAgain(t *testing.T) {
	conflict := &apply.ConflictError{Object: cluster.Object{Kind: "Service", Namespace: "shop", Name: "web"}}
	for _, c := range []struct {
		name  string
		fails []error
		runs  int
		says  string
	}{
		{"at once", nil, 1, ""},
		{"the second time", []error{conflict}, 2, ""},
		{"changed while being read", []error{failed(&collect.ChangedError{Namespace: "shop", Name: "web"}), fmt.Errorf("wrapped: %w", conflict)}, 3, ""},
		{"never", []error{conflict, conflict, conflict, conflict}, 3, "gave up after 3 attempts, and changed nothing: somebody else keeps changing service shop/web"},
		{"another failure", []error{errors.New("boom")}, 1, "boom"},
		{"some of it was made and taken back", []error{&apply.TakenBackError{Err: conflict}}, 1, "somebody else has changed service shop/web"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{}
			o, runs := &changeOptions{app: w.app()}, 0
			err := o.again(t.Context(), func(context.Context) error {
				if runs++; runs <= len(c.fails) {
					return c.fails[runs-1]
				}
				return nil
			})
			if runs != c.runs || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%d runs, %v", runs, err)
			}
			if got := strings.Count(w.err.String(), "looking again"); got != c.runs-1 {
				t.Errorf("it says %d times that it looks again:\n%s", got, w.err.String())
			}
		})
	}
}

// What a sleep waits for is the clock it was given, or the end.
func TestSleepEnds(t *testing.T) {
	w := &world{}
	a := w.app()
	a.env.After = func(time.Duration) <-chan time.Time { return nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&changeOptions{app: a}).sleep(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

// A dual-stack pod is one endpoint to wait for, though it has an address in an EndpointSlice of each family.
func TestCaughtUp(t *testing.T) {
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
		"single-stack":          {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("10.1.0.2", "y")}, 2, true},
		"dual-stack":            {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("10.1.0.2", "y"), pod("fd00::1", "x"), pod("fd00::2", "y")}, 2, true},
		"one is missing":        {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("fd00::1", "x")}, 2, false},
		"an old pod is leaving": {[]cluster.Endpoint{pod("10.1.0.1", "x"), pod("10.1.0.2", "y"), leaving}, 2, false},
	} {
		if got := caughtUp(&cluster.Service{Endpoints: c.endpoints}, c.available); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Where nothing is wrong it is said where was looked, how many Services there are, and how to look elsewhere.
func TestNothingToFix(t *testing.T) {
	shop := collect.Query{Namespace: "shop"}
	for _, c := range []struct {
		query               collect.Query
		services, undecided int
		want                string
	}{
		{shop, 0, 0, "nothing to fix: there is no Service in namespace shop that can be reached from outside; -A looks in all namespaces"},
		{shop, 1, 0, "nothing to fix: the only Service in namespace shop that can be reached from outside needs no attention; -A looks in all namespaces"},
		{shop, 3, 0, "nothing to fix: none of the 3 Services in namespace shop that can be reached from outside needs attention; -A looks in all namespaces"},
		{
			shop, 3, 2, "nothing to fix: none of the 3 Services in namespace shop that can be reached from outside needs attention, but not everything could be checked for 2 of them " +
				"(kubectl etp status shows what); -A looks in all namespaces",
		},
		{collect.Query{AllNamespaces: true, Selector: "app=web"}, 2, 0, "nothing to fix: none of the 2 Services in all namespaces with labels app=web that can be reached from outside needs attention"},
	} {
		if got := nothingToFix(c.query, c.services, c.undecided); got != c.want {
			t.Errorf("it says  %s\nwant     %s", got, c.want)
		}
	}
}

func TestFieldText(t *testing.T) {
	for _, c := range []struct {
		field remedy.Field
		want  string
	}{
		{remedy.Field{Path: []string{"spec", "externalTrafficPolicy"}, Was: "Local", Now: "Cluster"}, "spec.externalTrafficPolicy from Local to Cluster"},
		{remedy.Field{Path: []string{"metadata", "annotations", "example.com/a"}, Now: "eni"}, "set annotation example.com/a eni"},
		{remedy.Field{Path: []string{"metadata", "annotations", "example.com/a"}, Was: "eni"}, "remove annotation example.com/a"},
		{remedy.Field{Path: []string{"spec", "affinity"}, Now: map[string]any{"podAntiAffinity": strings.Repeat("x", 80)}}, "set spec.affinity"},
		{remedy.Field{Path: []string{"data", "Corefile"}, Was: "a\n", Now: "b\n", Part: &remedy.Part{Begin: "# BEGIN kubectl-etp shop/web"}}, "data.Corefile, only the lines below # BEGIN kubectl-etp shop/web"},
		{remedy.Field{Path: []string{"data", "Corefile"}, Was: "a\n", Now: "b\n"}, "change data.Corefile"},
	} {
		if got := fieldText(&c.field); got != c.want {
			t.Errorf("it says %q, want %q", got, c.want)
		}
	}
}
