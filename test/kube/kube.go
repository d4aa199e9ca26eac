// Package kube knows where the real Kubernetes and etcd binaries that tests run are cached, and which versions the tests are pinned to.
package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The versions that tests use unless they are about another one.
const (
	Version     = "v1.36.3"
	EtcdVersion = "v3.6.5"
)

// CacheEnv names the environment variable that moves the cache.
const CacheEnv = "KUBECTL_ETP_CACHE"

// RequireEnv names the environment variable that, set to 1, turns a test's skip for want of a binary into a failure.
const RequireEnv = "KUBECTL_ETP_REQUIRE"

// Target is one binary of one version, as in kube-proxy@v1.36.3.
type Target struct {
	Name    string
	Version string // with its leading v
}

func (t Target) String() string { return t.Name + "@" + t.Version }

// Default returns what the tests of this repository need, in the order in which it is best built.
func Default() []Target {
	return []Target{
		{"etcd", EtcdVersion},
		{"kube-apiserver", Version},
		{"kube-controller-manager", Version},
		{"kube-scheduler", Version},
		{"kubectl", Version},
	}
}

// CacheDir returns the folder that holds the binaries: $KUBECTL_ETP_CACHE, else kubectl-etp in the user's cache folder. It need not exist.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("%s=%s: the cache must be an absolute path, because tests run in many folders", CacheEnv, dir)
		}
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache of test binaries: %w; set %s to a folder", err, CacheEnv)
	}
	return filepath.Join(dir, "kubectl-etp"), nil
}

// Path returns where the cache keeps a target, built or not.
func (t Target) Path() (string, error) {
	dir, err := CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "bin", t.Version, t.Name), nil
}

// Files returns where the cache keeps a folder of files that a target reads when it runs. They are there once the target is built.
func (t Target) Files(name string) (string, error) {
	path, err := t.Path()
	if err != nil {
		return "", err
	}
	return path + "." + name, nil
}

// MissingError says that targets are not in the cache and how to get them there.
type MissingError struct{ Targets []Target }

func (e *MissingError) Error() string {
	names := make([]string, len(e.Targets))
	for i, t := range e.Targets {
		names[i] = t.String()
	}
	list := strings.Join(names, " ")
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	return fmt.Sprintf("%s %s not built; in the repository's root, run: go run ./test/kube/build %s", list, verb, list)
}

// Binary returns the path of a cached binary. It builds nothing: a *MissingError says how to build what is missing.
func Binary(name, version string) (string, error) {
	t := Target{name, version}
	path, err := t.Path()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", &MissingError{[]Target{t}}
	case err != nil:
		return "", fmt.Errorf("looking for %s in the cache: %w", t, err)
	case info.IsDir() || info.Mode()&0o111 == 0:
		return "", fmt.Errorf("%s is not an executable file; remove it and run: go run ./test/kube/build %s", path, t)
	}
	return path, nil
}

// Binaries returns the path of each target by its name, or a *MissingError that names those that are missing.
func Binaries(targets ...Target) (map[string]string, error) {
	paths := map[string]string{}
	var missing MissingError
	for _, target := range targets {
		path, err := Binary(target.Name, target.Version)
		if one, ok := errors.AsType[*MissingError](err); ok {
			missing.Targets = append(missing.Targets, one.Targets...)
		} else if err != nil {
			return nil, err
		}
		paths[target.Name] = path
	}
	if len(missing.Targets) > 0 {
		return nil, &missing
	}
	return paths, nil
}

// SkipOrFail ends the test: it skips it if err is that a binary is not built and KUBECTL_ETP_REQUIRE is not 1, and otherwise fails it.
func SkipOrFail(t testing.TB, err error) {
	t.Helper()
	var missing *MissingError
	if errors.As(err, &missing) && os.Getenv(RequireEnv) != "1" {
		t.Skipf("needs real binaries: %v", err)
	}
	t.Fatal(err)
}
