//go:build unix

package collect

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/api"
	"github.com/kubectl-etp/kubectl-etp/pkg/provider"
	"github.com/kubectl-etp/kubectl-etp/pkg/remedy"
	"github.com/kubectl-etp/kubectl-etp/pkg/report"
	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
)

// stored is an object as the server has it, without what changes with every write.
func stored(t *testing.T, c *Client, o cluster.Object) map[string]any {
	t.Helper()
	path := map[string][2]string{
		"Service": {"/api/v1", "services"}, "ConfigMap": {"/api/v1", "configmaps"}, "Deployment": {"/apis/apps/v1", "deployments"}, "StatefulSet": {"/apis/apps/v1", "statefulsets"},
	}[o.Kind]
	var object map[string]any
	if err := c.api.JSON(t.Context(), api.Request{Path: api.Path(path[0], o.Namespace, path[1], o.Name), Accept: api.JSON}, &object); err != nil {
		t.Fatal(err)
	}
	metadata := object["metadata"].(map[string]any)
	for _, field := range []string{"resourceVersion", "generation", "managedFields"} {
		delete(metadata, field)
	}
	return object
}

// mergePatch is the patch of a change, or of its inverse.
func mergePatch(t *testing.T, c remedy.Change, inverse bool) string {
	t.Helper()
	patch := map[string]any{}
	for _, f := range c.Fields {
		value := f.Now
		if inverse {
			value = f.Was
		} else if f.Follows {
			continue
		}
		at := patch
		for _, name := range f.Path[:len(f.Path)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[f.Path[len(f.Path)-1]] = value
	}
	text, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPlansAreTakenBack: the server takes each change, keeps what it says, and holds what it held before once the inverse is made. Made again, a plan changes nothing.
func TestPlansAreTakenBack(t *testing.T) {
	server := surrounded(t)
	// Of its pods, this one's owner is of a kind that is changed by hand.
	if err := server.Delete(t.Context(), []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web-3, namespace: around}")); err != nil {
		t.Fatal(err)
	}
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin}))
	planned := func(t *testing.T, mode remedy.Mode, o remedy.Options) *remedy.Plan {
		t.Helper()
		_, s := readCluster(t, c, web)
		svc := &s.Services[0]
		surroundings, err := c.Surroundings(t.Context(), s, svc)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := remedy.Make(mode, &remedy.Facts{
			Snapshot: s, Service: svc, Provider: provider.Of(s, svc), Findings: report.Diagnose(s)[0].Findings, Surroundings: surroundings,
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	for _, one := range []struct {
		mode    remedy.Mode
		o       remedy.Options
		changes int
	}{
		{remedy.Cluster, remedy.Options{}, 1},
		{remedy.ENI, remedy.Options{}, 1},
		{remedy.AntiAffinity, remedy.Options{}, 2},
		{remedy.Spread, remedy.Options{}, 2},
		{remedy.DNS, remedy.Options{Hosts: []string{"www.example.com"}}, 1},
	} {
		t.Run(string(one.mode), func(t *testing.T) {
			plan := planned(t, one.mode, one.o)
			if len(plan.Changes) != one.changes {
				t.Fatalf("changes: %+v; by hand %v; %+v", plan.Changes, plan.ByHand, plan.Preconditions)
			}
			var start []map[string]any
			for _, change := range plan.Changes {
				start = append(start, stored(t, c, change.Object))
				if err := server.Patch(t.Context(), change.Object.Kind, change.Object.Namespace, change.Object.Name, mergePatch(t, change, false)); err != nil {
					t.Fatal(err)
				}
			}
			if again := planned(t, one.mode, one.o); len(again.Changes) != 0 {
				t.Errorf("again: %+v", again.Changes)
			}
			for i, change := range plan.Changes {
				if cmp.Equal(start[i], stored(t, c, change.Object)) {
					t.Errorf("the server holds what it held: %+v", change)
				}
				if err := server.Patch(t.Context(), change.Object.Kind, change.Object.Namespace, change.Object.Name, mergePatch(t, change, true)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(start[i], stored(t, c, change.Object)); diff != "" {
					t.Errorf("taken back (-start +now):\n%s", diff)
				}
			}
		})
	}
	t.Run("local", func(t *testing.T) {
		if err := server.Patch(t.Context(), "Service", "around", "web", `{"spec":{"externalTrafficPolicy":"Cluster"}}`); err != nil {
			t.Fatal(err)
		}
		change := planned(t, remedy.Local, remedy.Options{}).Changes[0]
		start := stored(t, c, change.Object)
		for _, inverse := range []bool{false, true} {
			if err := server.Patch(t.Context(), "Service", "around", "web", mergePatch(t, change, inverse)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(start, stored(t, c, change.Object)); diff != "" {
			t.Errorf("taken back (-start +now):\n%s", diff)
		}
	})
}
