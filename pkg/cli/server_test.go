package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A web server or a proxy in place of the API server is no Service that does not exist.
func TestServerThatIsNotKubernetes(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(kubeconfig, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const page = "<html><body>It works!</body></html>"
	for name, answer := range map[string]http.HandlerFunc{
		"404 page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(page))
		},
		"404 text": http.NotFound,
		"a page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(page))
		},
		"an own 404": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"message":"no Route matched"}`, http.StatusNotFound)
		},
	} {
		server := httptest.NewServer(answer)
		defer server.Close()
		for _, args := range [][]string{{"status", "svc/web"}, {"status"}} {
			w := &world{}
			code := w.main(t, append(args, "--kubeconfig", kubeconfig, "--server", server.URL)...)
			if code != exitFailed || !strings.Contains(w.err.String(), "the server at "+server.URL+" does not answer like a Kubernetes API server") {
				t.Errorf("%s, %v: exit code %d: %s", name, args, code, w.err.String())
			}
		}
	}
}

// The value of -v is a number. What it logs is in test/script/log-level.txtar.
func TestLogLevel(t *testing.T) {
	if (&logLevel{}).Set("six") == nil {
		t.Error("-v=six is taken")
	}
	w := &world{}
	if code := w.main(t, "version", "-v", "six"); code != exitUsage || !strings.Contains(w.err.String(), "-v") {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
}
