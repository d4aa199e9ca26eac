package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
		{[]string{"fix", "svc/web", "--mode=cluster"}, "cannot ask for confirmation"},
		{[]string{"fix", "svc/web", "--mode=best"}, "must be one of cluster, local, eni, anti-affinity, spread, hostname, dns"},
		{[]string{"fix", "svc/web", "-A"}, "by name in all namespaces"},
		{[]string{"fix", "svc/web", "-l", "a=b"}, "by name and by label"},
		{[]string{"fix", "svc/web", "--with=spread"}, "--with and --host need --mode"},
		{[]string{"fix", "svc/web", "--host=a.example"}, "--with and --host need --mode"},
		{[]string{"fix", "--dry-run=perhaps"}, "must be one of none, client, server"},
		{[]string{"fix", "--timeout=-1s"}, "it cannot be negative"},
		{[]string{"fix", "-o", "wide"}, "must be one of yaml, json"},
		{[]string{"fix", "--dataplane", "nonsense"}, "--dataplane nonsense"},
		{[]string{"undo", "--yes"}, "--yes and --dry-run need the name"},
		{[]string{"undo", "svc", "--dry-run=server"}, "--yes and --dry-run need the name"},
		{[]string{"undo", "svc/web", "-A", "--yes"}, "by name in all namespaces"},
		{[]string{"undo", "svc/web"}, "cannot ask for confirmation"},
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
		{&fix.RefusedError{Unmet: []string{"a"}, Risks: []string{"x", "y"}}, exitFailed, "to make the change anyway: --accept-risk=x --accept-risk=y"},
		{&fix.RefusedError{Unmet: []string{"a"}}, exitFailed, "the failed checks above say what is needed first; or choose another mode"},
		{&fix.RefusedError{ByHand: true}, exitFailed, "change it by hand, as shown above"},
		{&fix.ContestedError{Object: "service shop/web", Attempts: 3}, exitFailed, "find out what changes it, then run the command again"},
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
			"when the server answers again: kubectl etp undo svc/web -n shop undoes the change if it was made, and says so if it was not",
			"interrupted; patch service shop/web: cannot tell whether the change was made",
		},
		{
			fix.IncompleteError{Err: &apply.RestoredError{Err: errors.New("denied"), Restored: object}},
			"nothing is left of the change",
			"interrupted; service shop/web has its former values again; nothing is left of the change",
		},
		{
			fix.IncompleteError{Err: &apply.RestoredError{Err: errors.New("denied"), Left: object}},
			"to undo what is left: kubectl etp undo svc/web -n shop",
			"interrupted; service shop/web is still changed; to undo what is left: kubectl etp undo svc/web -n shop",
		},
		{
			fix.IncompleteError{Err: context.Canceled},
			"",
			"interrupted while reading the Service again; the change is made; to undo it: kubectl etp undo svc/web -n shop",
		},
		{fix.IncompleteError{Err: context.Canceled, Undo: true}, "", "interrupted while reading the Service again; the fix is undone"},
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
		{shop, 0, 0, "nothing to fix: no Service in namespace shop can be reached from outside; -A looks in all namespaces"},
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

// Names and values come from annotations, which anybody may have written: none of them begins a line of its own.
func TestFixesText(t *testing.T) {
	monday := time.Date(2026, 11, 23, 4, 0, 0, 0, time.FixedZone("CET", 3600))
	svc := cluster.Object{Kind: "Service", Namespace: "shop", Name: "web"}
	change := func(f ...remedy.Field) []remedy.Change { return []remedy.Change{{Object: svc, Fields: f}} }
	got := fixesText([]apply.Made{
		{Mode: "eni", Service: "shop/web", Time: monday.AddDate(0, 0, 1), Changes: change(
			remedy.Field{Path: []string{"metadata", "annotations", "example.com/backend"}, Now: "eni"}, remedy.Field{Path: []string{"spec", "healthCheckNodePort"}, Was: 30000.0, Follows: true},
		)},
		{Mode: "cluster", Service: "shop/web", Time: monday, Changes: change(remedy.Field{Path: []string{"spec", "externalTrafficPolicy"}, Was: "Local", Now: "Cluster"})},
		{Mode: "x\nkubectl delete", Service: "shop/a\x1bb", Time: monday, Changes: change(remedy.Field{Path: []string{"spec", "a\nb"}, Now: "c"})},
	})
	const want = `shop/web   mode eni   2026-11-24 03:00 UTC
  service shop/web: set annotation example.com/backend eni
  kubectl etp undo svc/web -n shop

shop/web   mode cluster   2026-11-23 03:00 UTC
  service shop/web: spec.externalTrafficPolicy from Local to Cluster
  kubectl etp undo svc/web -n shop   (first undo the newer fix above)

shop/a\x1bb   mode x\nkubectl delete   2026-11-23 03:00 UTC
  service shop/web: set spec.a\nb c
  kubectl etp undo svc/a\x1bb -n shop
`
	if got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
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
