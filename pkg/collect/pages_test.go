//go:build unix

package collect

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

// inPagesOf lets the server end each page after so many items.
func inPagesOf(items int) faults.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		query := r.URL.Query()
		query.Set("limit", fmt.Sprint(items))
		r.URL.RawQuery = query.Encode()
		next.ServeHTTP(w, r)
	}
}

// A list whose rest has grown too old is read anew, and nothing of the first try is left: what was deleted meanwhile is not there, and nothing is there twice.
func TestListExpires(t *testing.T) {
	server := apiserver.Start(t)
	proxy := faults.Start(t, server)
	service := func(name string) string {
		return fmt.Sprintf("---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: long}\nspec: {type: NodePort, ports: [{port: 80}]}\n", name)
	}
	var manifests strings.Builder
	for i := range 9 {
		manifests.WriteString(service(fmt.Sprintf("web-%d", i)))
	}
	if err := server.Apply(t.Context(), []byte(manifests.String())); err != nil {
		t.Fatal(err)
	}
	c := client(t, server.Kubeconfig(t, apiserver.Context{Name: "x", User: apiserver.Admin, Server: proxy.URL}))
	names := func() []string {
		_, s := readCluster(t, c, Query{Namespace: "long"})
		var out []string
		for i := range s.Services {
			out = append(out, s.Services[i].Name)
		}
		return out
	}
	expired := faults.Status(http.StatusGone, "the provided continue parameter is too old")
	for _, test := range []struct {
		name     string
		times    int
		requests int
	}{
		{"never", 0, 3},
		{"once", 1, 5},
		{"always", 100, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			proxy.Reset()
			gone := fmt.Sprintf("gone-%d", test.times)
			// It is on the first page of the first try.
			if err := server.Apply(t.Context(), []byte(service("a-"+gone))); err != nil {
				t.Fatal(err)
			}
			proxy.On(`/long/services\?continue=`, faults.Times(test.times, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if err := server.Delete(context.Background(), []byte(service("a-"+gone))); err != nil {
					t.Error(err)
				}
				expired(w, r, next)
			}))
			proxy.On(`/long/services\?limit=`, inPagesOf(4))
			got := names()
			if test.times == 0 {
				if len(got) != 10 {
					t.Errorf("services: %v", got)
				}
				if err := server.Delete(t.Context(), []byte(service("a-"+gone))); err != nil {
					t.Fatal(err)
				}
			} else if want := []string{"web-0", "web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8"}; !slices.Equal(got, want) {
				t.Errorf("services: %v, want %v", got, want)
			}
			asked := 0
			for _, r := range proxy.Requests() {
				if strings.HasSuffix(r.Path, "/long/services") {
					asked++
				}
			}
			if asked > test.requests {
				t.Errorf("%d requests for the list, want at most %d", asked, test.requests)
			}
		})
	}
}
