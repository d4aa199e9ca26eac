//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

func TestParse(t *testing.T) {
	got, err := parse("kube-proxy@v1.20.15")
	if want := (kube.Target{Name: "kube-proxy", Version: "v1.20.15"}); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"kube-proxy", "kubelet@v1.36.3", "kube-proxy@1.36.3", "kube-proxy@v1.36", "kube-proxy@../../x", "@v1.36.3"} {
		if got, err := parse(bad); err == nil {
			t.Errorf("%q was taken for %v", bad, got)
		}
	}
}

func TestEveryNameHasARecipe(t *testing.T) {
	for _, name := range names() {
		if recipes[name].module == "" {
			t.Errorf("no module for %s", name)
		}
	}
	for _, target := range kube.Default() {
		if _, err := parse(target.String()); err != nil {
			t.Errorf("default target: %v", err)
		}
	}
}

func TestKubernetesReplacements(t *testing.T) {
	var upstream goMod
	err := json.Unmarshal([]byte(`{
		"Require": [
			{"Path": "golang.org/x/sys", "Version": "v0.0.0-20201112073958-5cba982894dd"},
			{"Path": "github.com/modern-go/reflect2", "Version": "v1.0.1"},
			{"Path": "k8s.io/api", "Version": "v0.0.0"},
			{"Path": "k8s.io/klog/v2", "Version": "v2.4.0"}],
		"Replace": [
			{"Old": {"Path": "golang.org/x/sys"}, "New": {"Path": "golang.org/x/sys", "Version": "v0.0.0-20201112073958-5cba982894dd"}},
			{"Old": {"Path": "github.com/gogo/protobuf"}, "New": {"Path": "github.com/gogo/protobuf", "Version": "v1.3.2"}},
			{"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
			{"Old": {"Path": "k8s.io/sample-apiserver"}, "New": {"Path": "./staging/src/k8s.io/sample-apiserver"}}]}`), &upstream)
	if err != nil {
		t.Fatal(err)
	}
	got := kubernetesReplacements(upstream, "v1.20.15")
	slices.Sort(got)
	want := []string{
		"-replace=github.com/gogo/protobuf=github.com/gogo/protobuf@v1.3.2",
		"-replace=github.com/modern-go/reflect2=github.com/modern-go/reflect2@v1.0.2",
		"-replace=golang.org/x/sys=golang.org/x/sys@v0.49.0",
		"-replace=k8s.io/api=k8s.io/api@v0.20.15",
		"-replace=k8s.io/sample-apiserver=k8s.io/sample-apiserver@v0.20.15",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEnsureKeepsWhatIsThere(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(kube.CacheEnv, cache)
	path := filepath.Join(cache, "bin", kube.EtcdVersion, "etcd")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("kept"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(context.Background(), &out, []string{"etcd@" + kube.EtcdVersion}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), path) {
		t.Errorf("%q does not name %s", out.String(), path)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "kept" {
		t.Errorf("the cached binary was replaced: %q, %v", got, err)
	}
}

func TestLockExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v0", "etcd")
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		unlock, err := lock(path)
		if err == nil {
			unlock()
		}
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("two builders hold the lock of one version at once (%v)", err)
	case <-time.After(50 * time.Millisecond):
	}
	unlock()
	if err := <-second; err != nil {
		t.Fatal(err)
	}
}

func TestUnservedVersionIsNamed(t *testing.T) {
	t.Setenv(kube.CacheEnv, t.TempDir())
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	err := run(context.Background(), &bytes.Buffer{}, []string{"kube-proxy@v1.99.0"})
	if err == nil {
		t.Fatal("a version that nobody serves was built")
	}
	for _, want := range []string{"v1.99.0", "try a neighbouring patch version"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
