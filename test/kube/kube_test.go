//go:build unix

package kube_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

func TestMissingBinary(t *testing.T) {
	t.Setenv(kube.CacheEnv, t.TempDir())
	_, err := kube.Binaries(kube.Target{Name: "etcd", Version: kube.EtcdVersion}, kube.Target{Name: "kube-apiserver", Version: kube.Version})
	if missing, ok := errors.AsType[*kube.MissingError](err); !ok || len(missing.Targets) != 2 {
		t.Fatalf("got %v, want a MissingError of etcd and kube-apiserver", err)
	}

	for require, wantSkipped := range map[string]bool{"": true, "1": false} {
		t.Setenv(kube.RequireEnv, require)
		recorder := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			kube.SkipOrFail(recorder, err)
		}()
		<-done
		if recorder.skipped != wantSkipped || recorder.failed == wantSkipped {
			t.Errorf("%s=%q: skipped %v, failed %v", kube.RequireEnv, require, recorder.skipped, recorder.failed)
		}
		if want := "go run ./test/kube/build etcd@" + kube.EtcdVersion; !strings.Contains(recorder.message, want) {
			t.Errorf("%q does not say %q", recorder.message, want)
		}
	}
}

// recorder is a test that ends without being one.
type recorder struct {
	testing.TB
	skipped, failed bool
	message         string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped, r.message = true, fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.failed, r.message = true, fmt.Sprint(args...)
	runtime.Goexit()
}
