//go:build unix

package kube_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

func TestBinary(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(kube.CacheEnv, cache)

	_, err := kube.Binary("kube-proxy", "v1.20.15")
	if _, ok := errors.AsType[*kube.MissingError](err); !ok {
		t.Fatalf("of an empty cache: %v, want a MissingError", err)
	}
	if want := "go run ./test/kube/build kube-proxy@v1.20.15"; !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not say %q", err, want)
	}

	want := filepath.Join(cache, "bin", "v1.20.15", "kube-proxy")
	if err := os.MkdirAll(filepath.Dir(want), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(want, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := kube.Binary("kube-proxy", "v1.20.15"); err == nil {
		t.Errorf("a file that cannot be run was taken for the binary: %s", got)
	}
	if err := os.Chmod(want, 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := kube.Binary("kube-proxy", "v1.20.15")
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestCacheDirIsAbsolute(t *testing.T) {
	t.Setenv(kube.CacheEnv, "cache")
	if dir, err := kube.CacheDir(); err == nil {
		t.Errorf("a relative cache was accepted: %s", dir)
	}
}
