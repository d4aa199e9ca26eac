//go:build unix

// Package release_test knows what a release holds, and that the tools that make, check and install one are content with it: the real ones, which go.mod pins.
package release_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// Two releases, the second for what happens on an upgrade.
const (
	tag  = "v0.1.0"
	next = "v0.2.0"
)

const repository = "https://github.com/kubectl-etp/kubectl-etp"

// platforms are what a release is built for, each with its archive.
var platforms = map[string]string{
	"linux/amd64":   "kubectl-etp_linux_amd64.tar.gz",
	"linux/arm64":   "kubectl-etp_linux_arm64.tar.gz",
	"darwin/amd64":  "kubectl-etp_darwin_amd64.tar.gz",
	"darwin/arm64":  "kubectl-etp_darwin_arm64.tar.gz",
	"windows/amd64": "kubectl-etp_windows_amd64.zip",
	"windows/arm64": "kubectl-etp_windows_arm64.zip",
}

// platformsEnv names the environment variable that chooses the platforms: "all", "here" for this machine's alone, or empty for this machine's and those that Go's
// build cache already holds. To compile Kubernetes' libraries for one platform takes minutes.
const platformsEnv = "KUBECTL_ETP_PLATFORMS"

// chosen are the platforms that are built here, sorted.
var chosen = sync.OnceValues(func() ([]string, error) {
	var list []string
	for _, platform := range slices.Sorted(maps.Keys(platforms)) {
		built := os.Getenv(platformsEnv) == "all" || platform == runtime.GOOS+"/"+runtime.GOARCH
		if !built && os.Getenv(platformsEnv) != "here" {
			var err error
			if built, err = compiled(platform); err != nil {
				return nil, err
			}
		}
		if built {
			list = append(list, platform)
		}
	}
	if len(list) == 0 {
		list = []string{"linux/amd64"} // nothing is released for this machine
	}
	return list, nil
})

// compiled reports whether the build cache holds at least four of five packages that a platform's binary is linked from; the rest is what has changed since.
func compiled(platform string) (bool, error) {
	system, architecture, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "list", "-deps", "-trimpath", "-buildvcs=false", "-f", "{{.ImportPath}} {{.StaleReason}}", "./cmd/kubectl-etp")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+architecture, "CGO_ENABLED=0")
	kube.EndWithParent(cmd)
	out, err := cmd.Output()
	if err != nil {
		return false, fmt.Errorf("listing what %s is built from: %w", platform, err)
	}
	all, stale := 0, 0
	for line := range strings.Lines(string(out)) {
		all++
		if _, reason, _ := strings.Cut(strings.TrimSpace(line), " "); reason != "" {
			stale++
		}
	}
	return stale*5 <= all, nil
}

// TestPlatforms names the platforms that are not built here.
func TestPlatforms(t *testing.T) {
	built, err := chosen()
	if err != nil {
		t.Fatal(err)
	}
	for _, platform := range slices.Sorted(maps.Keys(platforms)) {
		t.Run(platform, func(t *testing.T) {
			if !slices.Contains(built, platform) {
				t.Skip("not built: its build cache is cold; go run ./test/all platforms builds it, and the workflow nightly does")
			}
			if _, err := os.Stat(first(t).archive(platform)); err != nil {
				t.Error(err)
			}
		})
	}
}

// work is the folder in which everything is built; it is removed after the tests.
var work string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if work, err = os.MkdirTemp("", "kubectl-etp-release-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(work)
		return m.Run()
	}())
}

// tool is the path of a tool that go.mod names. It is built where it is not in Go's build cache; where its module cannot be had, the test is skipped.
func tool(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command("go", "tool", "-n", name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		lacking(t, fmt.Errorf("go tool %s: %w\n%s", name, err, &failure))
	}
	return strings.TrimSpace(string(out))
}

func kubectl(t *testing.T) string {
	t.Helper()
	name, err := kube.Binary("kubectl", kube.Version)
	if err != nil {
		lacking(t, err)
	}
	return name
}

func lacking(t *testing.T, err error) {
	t.Helper()
	if os.Getenv(kube.RequireEnv) == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// run runs a program in a folder, with more environment, and returns what it printed.
func run(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com", "CGO_ENABLED=0")
	cmd.Env = append(cmd.Env, env...)
	kube.EndWithParent(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func must(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := run(dir, env, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// everyPlatform are the lines of .goreleaser.yaml that name all platforms.
const everyPlatform = `    goos: [linux, darwin, windows]
    goarch: [amd64, arm64]
    goamd64: [v1]
    goarm64: [v8.0]
`

// narrow makes a copy of .goreleaser.yaml build the chosen platforms alone.
func narrow(config []byte) ([]byte, error) {
	built, err := chosen()
	if err != nil || len(built) == len(platforms) {
		return config, err
	}
	targets := make([]string, len(built))
	for i, platform := range built {
		targets[i] = strings.ReplaceAll(platform, "/", "_") + map[bool]string{true: "_v1", false: "_v8.0"}[strings.HasSuffix(platform, "/amd64")]
	}
	before, after, found := bytes.Cut(config, []byte(everyPlatform))
	if !found {
		return nil, errors.New(".goreleaser.yaml does not name the platforms in the lines that this test knows")
	}
	return slices.Concat(before, []byte("    targets: ["+strings.Join(targets, ", ")+"]\n"), after), nil
}

// tree copies the repository, with what is not committed yet, into a folder of that name, and commits it there under a tag.
func tree(name, tag string) (string, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(work, name)
	files, err := run(root, nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return "", err
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(files, "\x00"), "\x00") {
		info, err := os.Stat(filepath.Join(root, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // Deleted, and not committed yet.
		} else if err != nil {
			return "", err
		}
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		if file == ".goreleaser.yaml" {
			if content, err = narrow(content); err != nil {
				return "", err
			}
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, info.Mode().Perm()); err != nil {
			return "", err
		}
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"remote", "add", "origin", repository + ".git"},
		{"add", "--all"},
		{"commit", "-q", "-m", "A release"},
		{"tag", tag},
	} {
		if _, err := run(dir, nil, "git", args...); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// release is a release that goreleaser made, in a copy of the repository.
type release struct {
	dir string
	err error
	// built are its platforms.
	built []string
}

func (r release) archive(platform string) string {
	return filepath.Join(r.dir, "dist", platforms[platform])
}

// build makes a release as the workflow does, without signing and publishing it.
func build(goreleaser, name, tag, skip string, path string) release {
	built, err := chosen()
	if err != nil {
		return release{err: err}
	}
	dir, err := tree(name, tag)
	if err != nil {
		return release{err: err}
	}
	_, err = run(dir, []string{"PATH=" + path + string(filepath.ListSeparator) + os.Getenv("PATH")}, goreleaser, "release", "--skip="+skip)
	return release{dir, err, built}
}

// built keeps the releases that tests share.
var built sync.Map

func released(t *testing.T, name, tag string, sbom bool) release {
	t.Helper()
	goreleaser, path, skip := tool(t, "goreleaser"), "", "announce,publish,sign,sbom"
	if sbom {
		path, skip = filepath.Dir(tool(t, "cyclonedx-gomod")), "announce,publish,sign"
	}
	once, _ := built.LoadOrStore(name, sync.OnceValue(func() release { return build(goreleaser, name, tag, skip, path) }))
	r := once.(func() release)()
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

func first(t *testing.T) release  { t.Helper(); return released(t, "first", tag, true) }
func second(t *testing.T) release { t.Helper(); return released(t, "second", next, false) }

// file is an entry of an archive.
type file struct {
	mode    fs.FileMode
	content []byte
}

func unpack(t *testing.T, name string) map[string]file {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]file{}
	add := func(name string, mode fs.FileMode, r io.Reader) {
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("reading %s: %v", name, err)
		}
		files[name] = file{mode, content}
	}
	if path.Ext(name) == ".zip" {
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode(), r)
		}
		return files
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		add(header.Name, header.FileInfo().Mode(), archive)
	}
}

func TestConfiguration(t *testing.T) {
	must(t, first(t).dir, nil, tool(t, "goreleaser"), "check")
}

func TestArchives(t *testing.T) {
	r := first(t)
	found, err := filepath.Glob(filepath.Join(r.dir, "dist", "kubectl-etp_*"))
	if err != nil {
		t.Fatal(err)
	}
	archives := 0
	for _, name := range found {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && path.Ext(name) != ".json" && !stoodIn(t, name) {
			archives++
		}
	}
	if archives != len(r.built) {
		t.Errorf("goreleaser made %d archives, want those of %d platforms: %s", archives, len(r.built), strings.Join(found, " "))
	}
	linked, listed := map[string]bool{}, map[string]bool{}
	for _, platform := range r.built {
		system, architecture, _ := strings.Cut(platform, "/")
		binary, completion := "kubectl-etp", "kubectl_complete-etp"
		if system == "windows" {
			binary, completion = "kubectl-etp.exe", "kubectl_complete-etp.cmd"
		}
		files := unpack(t, r.archive(platform))
		modes := map[string]fs.FileMode{}
		for name, f := range files {
			modes[name] = f.mode
		}
		if want := map[string]fs.FileMode{"LICENSE": 0o644, "THIRD_PARTY_LICENSES": 0o644, binary: 0o755, completion: 0o755}; !maps.Equal(modes, want) {
			t.Errorf("%s holds %v, want %v", platform, modes, want)
			continue
		}
		info, err := buildinfo.Read(bytes.NewReader(files[binary].content))
		if err != nil {
			t.Fatalf("%s: %v", platform, err)
		}
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		for key, want := range map[string]string{"GOOS": system, "GOARCH": architecture, "CGO_ENABLED": "0", "-trimpath": "true"} {
			if settings[key] != want {
				t.Errorf("%s was built with %s=%s, want %s", platform, key, settings[key], want)
			}
		}
		if bytes.Contains(files[binary].content, []byte(work)) {
			t.Errorf("%s names the folder that it was built in", platform)
		}
		linked["Go "+info.GoVersion] = true
		for _, m := range info.Deps {
			linked[m.Path+" "+m.Version] = true
		}
		list, _, _ := strings.Cut(string(files["THIRD_PARTY_LICENSES"].content), "====")
		for line := range strings.Lines(list) {
			if name, ok := strings.CutPrefix(line, "  "); ok {
				listed[strings.TrimSuffix(name, "\n")] = true
			}
		}
	}
	// The list is of all platforms.
	if len(r.built) < len(platforms) {
		maps.DeleteFunc(listed, func(name string, _ bool) bool { return !linked[name] })
	}
	if !maps.Equal(linked, listed) {
		t.Errorf("linked in are\n%s\nand licences are there of\n%s", sorted(linked), sorted(listed))
	}
}

func sorted(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), "\n") }

// TestReproducible builds the same commit again, elsewhere.
func TestReproducible(t *testing.T) {
	one, other := first(t), released(t, filepath.Join("elsewhere", "again"), tag, false)
	for _, platform := range one.built {
		if a, b := sum(t, one.archive(platform)), sum(t, other.archive(platform)); a != b {
			t.Errorf("%s: two builds of one commit have the sums %s and %s", platform, a, b)
		}
	}
}

func sum(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

func TestChecksums(t *testing.T) {
	r := first(t)
	checksums, err := os.ReadFile(filepath.Join(r.dir, "dist", "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, platform := range r.built {
		archive := platforms[platform]
		if line := sum(t, r.archive(platform)) + "  " + archive + "\n"; !strings.Contains(string(checksums), line) {
			t.Errorf("checksums.txt lacks the line %s", line)
		}
	}
}

// TestSBOM: beside each archive lies a list of what its binary is linked from.
func TestSBOM(t *testing.T) {
	r := first(t)
	for _, platform := range r.built {
		system, architecture, _ := strings.Cut(platform, "/")
		content, err := os.ReadFile(filepath.Join(r.dir, "dist", "kubectl-etp_"+system+"_"+architecture+".cdx.json"))
		if err != nil {
			t.Error(err)
			continue
		}
		var sbom struct {
			Metadata   struct{ Component struct{ Version string } }
			Components []struct{ Name, Version string }
		}
		if err := json.Unmarshal(content, &sbom); err != nil {
			t.Errorf("%s: %v", platform, err)
			continue
		}
		if sbom.Metadata.Component.Version != tag {
			t.Errorf("the SBOM of %s is about %q", platform, sbom.Metadata.Component.Version)
		}
		listed := map[string]bool{}
		for _, c := range sbom.Components {
			listed[c.Name+" "+c.Version] = true
		}
		files := unpack(t, r.archive(platform))
		for name, f := range files {
			if !strings.HasPrefix(name, "kubectl-etp") {
				continue
			}
			info, err := buildinfo.Read(bytes.NewReader(f.content))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range info.Deps {
				if !listed[m.Path+" "+m.Version] {
					t.Errorf("the SBOM of %s lacks %s %s", platform, m.Path, m.Version)
				}
			}
		}
	}
}

// install unpacks this machine's archive into a folder.
func install(t *testing.T, r release) string {
	t.Helper()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if platforms[platform] == "" {
		t.Skipf("nothing is released for %s", platform)
	}
	dir := t.TempDir()
	for name, f := range unpack(t, r.archive(platform)) {
		if err := os.WriteFile(filepath.Join(dir, name), f.content, f.mode.Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestVersionIsStamped(t *testing.T) {
	for _, r := range []struct {
		release release
		tag     string
	}{{first(t), tag}, {second(t), next}} {
		out := must(t, "", nil, filepath.Join(install(t, r.release), "kubectl-etp"), "version")
		if !strings.HasPrefix(out, "Client Version: "+r.tag+"\n") {
			t.Errorf("the binary of %s says:\n%s", r.tag, out)
		}
	}
}

// TestKubectlCompletes: with the archive's files on the PATH, kubectl completes what only the plugin knows.
func TestKubectlCompletes(t *testing.T) {
	dir := install(t, first(t))
	env := []string{"PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH"), "KUBECONFIG=" + os.DevNull}
	out := must(t, "", env, kubectl(t), "__complete", "etp", "stat")
	if !strings.Contains(out, "\nstatus\t") {
		t.Errorf("kubectl completes \"etp stat\" by:\n%s", out)
	}
}
