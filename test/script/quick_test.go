//go:build unix

package script_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube/apiserver"
	"github.com/kubectl-etp/kubectl-etp/test/kube/faults"
)

// completing is the user that completes.
const completing = "completing"

// quickly is how long a shell waits at most. Tries are made until one is as quick, or asking takes little longer than not asking: other programs run on the machine
// too, and then starting two programs takes longer than that.
const (
	quickly      = 300 * time.Millisecond
	littleLonger = 200 * time.Millisecond
	tries        = 30
)

// Completion through kubectl is quick, and says the same whether the cluster answers, answers late, or not at all: what it knows, or nothing.
func TestCompletionIsQuick(t *testing.T) {
	server := shared.Get(t)
	manifests, err := os.ReadFile("testdata/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), manifests); err != nil {
		t.Fatal(err)
	}
	if err := server.Grant(t.Context(), completing, apiserver.Rule("list", "services")); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	install := exec.Command(filepath.Join(os.Getenv(binEnv), "kubectl-etp"), "completion", "--install", "--dir", bin)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	path := bin + string(os.PathListSeparator) + os.Getenv(binEnv) + string(os.PathListSeparator) + os.Getenv("PATH")
	proxy := faults.Start(t, server)
	first := []string{filepath.Join(bin, "kubectl_complete-etp")}
	if kubectl := filepath.Join(os.Getenv(binEnv), "kubectl"); exists(kubectl) {
		first = []string{kubectl, "__complete", "etp"}
	} else {
		t.Log("kubectl is not built: what it calls is called without it")
	}
	silent := func(http.ResponseWriter, *http.Request, http.Handler) {}
	for _, c := range []struct {
		name  string
		fault faults.Fault
		// server is where the kubeconfig points, "" for the proxy.
		server string
		want   string
	}{
		{name: "a server that answers", want: "web\tNodePort\n"},
		{name: "one that hangs", fault: faults.Hang()},
		{name: "one that says nothing of use", fault: silent},
		{name: "one that forbids it", fault: faults.Status(http.StatusForbidden, "no")},
		{name: "one that is overloaded", fault: faults.TooManyRequests(5)},
		{name: "nobody", server: "https://127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy.Reset()
			if c.fault != nil {
				proxy.On(".", c.fault)
			}
			url := c.server
			if url == "" {
				url = proxy.URL
			}
			kubeconfig := server.Kubeconfig(t, apiserver.Context{Name: "proxied", User: completing, Server: url, Namespace: "shop"})
			var took, without time.Duration
			var got string
			for range tries {
				_, without = complete(t, path, kubeconfig, append(first, "rbac", "--for", ""))
				got, took = complete(t, path, kubeconfig, append(first, "status", "w"))
				if took < max(quickly, without+littleLonger) && got == c.want {
					return
				}
			}
			t.Errorf("at last it took %v (%v without a cluster) and said %q, want %q within %v", took, without, got, c.want, quickly)
		})
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// complete gives what is offered, without the directive behind it, and how long that took.
func complete(t *testing.T, path, kubeconfig string, words []string) (string, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+path, "HOME="+t.TempDir())
	begin := time.Now()
	out, err := cmd.Output()
	took := time.Since(begin)
	if err != nil {
		t.Fatal(err)
	}
	// The directive is the last line.
	end := strings.LastIndex("\n"+string(out), "\n:")
	if end < 0 {
		t.Fatalf("it ends without its directive: %q", out)
	}
	return string(out[:end]), took
}
