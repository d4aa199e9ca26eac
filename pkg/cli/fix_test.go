package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/apply"
	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect"
	"github.com/kubectl-etp/kubectl-etp/pkg/fix"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
)

func TestFlagsOfFix(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"fix", "svc/web", "--mode=cluster"}, "there is nobody to ask"},
		{[]string{"fix", "svc/web", "--mode=best"}, "must be one of cluster, local, eni, anti-affinity, spread, hostname, dns"},
		{[]string{"fix", "svc/web", "-A"}, "by name in all namespaces"},
		{[]string{"fix", "svc/web", "-l", "a=b"}, "by name and by label"},
		{[]string{"fix", "svc/web", "--with=spread"}, "there is no --mode"},
		{[]string{"fix", "svc/web", "--host=a.example"}, "there is no --mode"},
		{[]string{"fix", "--dry-run=perhaps"}, "must be one of none, client, server"},
		{[]string{"fix", "--timeout=-1s"}, "it cannot be negative"},
		{[]string{"fix", "-o", "wide"}, "must be one of yaml, json"},
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

// What a change ends with before anything was written, and what to do next.
func TestNotChanged(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		next string
	}{
		{&fix.RefusedError{Unmet: []string{"a"}, Risks: []string{"x", "y"}}, exitFailed, "to go on all the same: --accept-risk=x --accept-risk=y"},
		{&fix.RefusedError{Unmet: []string{"a"}}, exitFailed, "see above what must hold first, or choose another mode"},
		{&fix.RefusedError{ByHand: true}, exitFailed, "see above what to change by hand"},
		{&fix.ContestedError{Object: "service shop/web", Attempts: 3}, exitFailed, "find out who; then run the command again"},
		{&apply.ServerError{What: "patch service shop/web", Err: errors.New("denied")}, exitFailed, "nothing was changed"},
		{&fix.SeveralError{Services: []string{"shop/a", "shop/b"}}, exitUsage, "name one of them"},
		{&collect.UsageError{Message: "no"}, exitUsage, ""},
		{errors.New("boom"), exitFailed, ""},
		{misuse("next", "wrong"), exitUsage, "next"},
	} {
		e, ok := errors.AsType[*ExitError](notChanged(c.err))
		if !ok || e.Code != c.code || e.Next != c.next || e.Error() != c.err.Error() {
			t.Errorf("%v: exit code and next step %+v, want %d and %q", c.err, e, c.code, c.next)
		}
	}
}

// A change that was begun says what is left of it, and so does one that was interrupted.
func TestBegun(t *testing.T) {
	svc := &cluster.Service{Namespace: "shop", Name: "web"}
	object := []cluster.Object{{Kind: "Service", Namespace: "shop", Name: "web"}}
	for _, c := range []struct {
		err               fix.IncompleteError
		next, interrupted string
	}{
		{
			fix.IncompleteError{Err: &apply.UncertainError{Object: object[0], Err: errors.New("timeout")}},
			"when the server answers again, kubectl etp undo svc/web -n shop takes the change back if it was made, and says so if it was not",
			"interrupted; patch service shop/web: it is not known whether it was made",
		},
		{
			fix.IncompleteError{Err: &apply.TakenBackError{Err: errors.New("denied"), TakenBack: object}}, "nothing is changed any more",
			"interrupted; the change of service shop/web has been taken back; nothing is changed any more",
		},
		{
			fix.IncompleteError{Err: &apply.TakenBackError{Err: errors.New("denied"), Left: object}}, "kubectl etp undo svc/web -n shop takes back what is left",
			"interrupted; service shop/web is still changed; kubectl etp undo svc/web -n shop takes back what is left",
		},
		{
			fix.IncompleteError{Err: context.Canceled}, "",
			"interrupted while looking again; the change is made; kubectl etp undo svc/web -n shop takes it back",
		},
		{fix.IncompleteError{Err: context.Canceled, Undo: true}, "", "interrupted while looking again; the fix is taken back"},
	} {
		w := &world{}
		o := &changeOptions{app: w.app()}
		c.err.Service = svc
		if e, ok := errors.AsType[*ExitError](o.ended(t.Context(), &c.err)); !ok || e.Code != exitFailed || e.Next != c.next || w.err.Len() > 0 {
			t.Errorf("%v: %+v, want %q; it says %q", c.err.Err, e, c.next, w.err.String())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := o.ended(ctx, &c.err); err == nil || !strings.HasPrefix(w.err.String(), c.interrupted) {
			t.Errorf("interrupted it says %q, want %q", w.err.String(), c.interrupted)
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
