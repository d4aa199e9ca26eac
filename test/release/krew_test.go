//go:build unix

package release_test

import (
	"debug/buildinfo"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	downloads    = repository + "/releases/download/"
	manifestName = "plugins/etp.yaml"
)

// standIn is the content of an archive that is not built here: the manifest names the sums of all six.
const standIn = "this platform is not built here\n"

func stoodIn(t *testing.T, name string) bool {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content) == standIn
}

// manifest is plugins/etp.yaml as make manifest writes it for the archives of a release.
func manifest(t *testing.T, r release, tag string) string {
	t.Helper()
	for platform := range platforms {
		if !slices.Contains(r.built, platform) {
			if err := os.WriteFile(r.archive(platform), []byte(standIn), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	must(t, r.dir, nil, "go", "run", "./krew", tag)
	content, err := os.ReadFile(filepath.Join(r.dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// krew is a krew of its own, called by way of kubectl, on a machine without a network.
type krew struct {
	kubectl, root string
	env           []string
}

func newKrew(t *testing.T, env ...string) krew {
	t.Helper()
	root, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(tool(t, "krew"), filepath.Join(bin, "kubectl-krew")); err != nil {
		t.Fatal(err)
	}
	list := string(filepath.ListSeparator)
	return krew{kubectl(t), root, append(env, "KREW_ROOT="+root, "KREW_NO_UPGRADE_CHECK=1", "KUBECONFIG="+os.DevNull,
		"PATH="+filepath.Join(root, "bin")+list+bin+list+os.Getenv("PATH"),
		// Nobody listens there: what is not on this machine cannot be had.
		"HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1")}
}

func (k krew) try(args ...string) (string, error) { return run("", k.env, k.kubectl, args...) }

func (k krew) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := k.try(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKrew goes the way of a user: this repository as an index, install, use, upgrade, remove.
func TestKrew(t *testing.T) {
	served := http.NewServeMux()
	for tag, r := range map[string]release{tag: first(t), next: second(t)} {
		served.Handle("/"+tag+"/", http.StripPrefix("/"+tag+"/", http.FileServer(http.Dir(filepath.Join(r.dir, "dist")))))
	}
	server := httptest.NewServer(served)
	defer server.Close()

	index, err := tree("index", tag)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(manifest string) {
		t.Helper()
		manifest = strings.ReplaceAll(manifest, downloads, server.URL+"/")
		if err := os.WriteFile(filepath.Join(index, manifestName), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		must(t, index, nil, "git", "commit", "-q", "--all", "-m", "A release")
	}
	installed := func(k krew, want string) {
		t.Helper()
		if out := k.must(t, "etp", "version"); !strings.HasPrefix(out, "Client Version: "+want+"\n") {
			t.Errorf("kubectl etp version, want %s:\n%s", want, out)
		}
	}

	k := newKrew(t)
	publish(manifest(t, first(t), tag))
	k.must(t, "krew", "index", "add", "etp", index)
	if out := k.must(t, "krew", "search", "etp"); !strings.Contains(out, "etp/etp") {
		t.Errorf("krew search does not find etp/etp:\n%s", out)
	}
	if out := k.must(t, "krew", "install", "etp/etp"); !strings.Contains(out, "Permissions") {
		t.Errorf("krew install does not show the caveats:\n%s", out)
	}
	installed(k, tag)

	publish(manifest(t, second(t), next))
	k.must(t, "krew", "upgrade", "etp")
	installed(k, next)

	// A later version, whose archives are not those of the manifest.
	publish(strings.Replace(strings.ReplaceAll(manifest(t, second(t), next), "/"+next+"/", "/"+tag+"/"), "version: "+next, "version: v0.3.0", 1))
	if out, err := k.try("krew", "upgrade", "etp"); err == nil || !strings.Contains(out, "checksum") {
		t.Errorf("krew upgrades to an archive with another sum: %v\n%s", err, out)
	}
	installed(k, next)

	k.must(t, "krew", "uninstall", "etp")
	if out, err := k.try("etp", "version"); err == nil {
		t.Errorf("kubectl etp still answers:\n%s", out)
	}
}

// TestKrewInstallsEverywhere installs each archive as on a machine of its platform.
func TestKrewInstallsEverywhere(t *testing.T) {
	r := first(t)
	manifest(t, r, tag)
	for _, platform := range r.built {
		system, architecture, _ := strings.Cut(platform, "/")
		k := newKrew(t, "KREW_OS="+system, "KREW_ARCH="+architecture)
		k.must(t, "krew", "install", "--manifest="+filepath.Join(r.dir, manifestName), "--archive="+r.archive(platform))
		binary := "kubectl-etp"
		if system == "windows" {
			binary += ".exe"
		}
		info, err := buildinfo.ReadFile(filepath.Join(k.root, "bin", binary))
		if err != nil {
			t.Errorf("%s: %v", platform, err)
			continue
		}
		for _, s := range info.Settings {
			if s.Key == "GOOS" && s.Value != system || s.Key == "GOARCH" && s.Value != architecture {
				t.Errorf("%s got a binary with %s=%s", platform, s.Key, s.Value)
			}
		}
		if _, err := os.Stat(filepath.Join(k.root, "store", "etp", tag, "LICENSE")); err != nil {
			t.Errorf("%s: %v", platform, err)
		}
	}
}

// TestManifest: krew's own rules hold for the manifest in the repository and for what make manifest writes, and a release with other archives is noticed.
func TestManifest(t *testing.T) {
	validate := tool(t, "validate-krew-manifest")
	r := first(t)
	must(t, filepath.Join("..", ".."), nil, validate, "-skip-install", "-manifest", manifestName)
	manifest(t, r, tag)
	must(t, r.dir, nil, validate, "-skip-install", "-manifest", manifestName)
	must(t, r.dir, nil, "go", "run", "./krew", "-check", tag)
	if out, err := run(r.dir, nil, "go", "run", "./krew", "-check", "-archives", filepath.Join(second(t).dir, "dist"), tag); err == nil {
		t.Errorf("archives of %s pass for those of %s:\n%s", next, tag, out)
	}
}
