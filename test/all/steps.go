package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// sizeLimit is the maximum size of the binary for linux/amd64, in bytes.
const sizeLimit = 34_000_000

// fuzzing is the time for all fuzz tests together, without compilation.
const fuzzing = time.Minute

// programs lists the programs that tests call, most of them in the lab, and the Debian or Ubuntu package that contains each.
var programs = []struct{ name, from string }{
	{"ip", "iproute2"},
	{"iptables", "iptables"},
	{"ip6tables", "iptables"},
	{"ipset", "ipset"},
	{"conntrack", "conntrack"},
	{"nft", "nftables"},
	{"ipvsadm", "ipvsadm"},
	{"modprobe", "kmod"},
	// If the kernel has no ip_vs, the lab runs Debian's kernel in a virtual machine.
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"busybox", "busybox-static"},
	// Cilium's agent compiles its programs with these.
	{"clang-19", "clang-19"},
	{"llc-19", "llvm-19"},
	{"ethtool", "ethtool"},
	{"ccache", "ccache"},
	// Shells whose completion scripts are checked.
	{"zsh", "zsh"},
	{"fish", "fish"},
}

// live lists the clusters that the lab builds in every run. The others are recorded, and the tests of pkg/dataplane replay them.
var live = []string{"iptables@v1.36.3", "iptables@v1.36.3/hostname", "nftables@v1.36.3", "ipvs@v1.36.3", "ipvs@v1.20.15", "cilium@v1.20.2", "cilium@v1.20.2/beside-iptables"}

// announcing lists the clusters of the lab in which nodes announce load balancer addresses.
var announcing = []string{"metallb-l2@v0.16.2", "metallb-bgp@v0.16.2", "cilium-l2@v1.20.2", "cilium-bgp@v1.20.2"}

// modules returns the folders of the modules that have Go code; the lab only builds on Linux.
func modules(m *machine) []string {
	dirs := []string{"", "test/oracle", "test/release"}
	if m.linux {
		dirs = append(dirs, "test/lab")
	}
	return dirs
}

func steps() []step {
	return []step{
		{name: "packages", about: "installs the programs that tests call (Debian and Ubuntu)", lacks: noPackages, run: packages},
		{name: "kubernetes", about: "builds etcd, kube-apiserver, kube-proxy, Cilium and others into a cache outside the repository", run: kubernetes},
		{name: "vet", about: "go vet", run: vet},
		{name: "lint", about: "golangci-lint, configured by .golangci.yml", run: lint},
		{name: "size", about: "builds the static binary for linux/amd64 and checks its size", run: size},
		{name: "unit", about: "tests that need neither root nor an API server", run: unit, within: "apiserver"},
		{name: "apiserver", about: "all tests of the main module, with a real kube-apiserver", run: apiserver},
		{name: "release", about: "builds a release for this platform, and those whose build cache is warm, and installs it with krew", lacks: noClone, run: release},
		{name: "oracle", about: "compares predictions with kube-proxy's own code", run: oracle},
		{name: "fuzz", about: "runs all fuzz tests for a minute together", run: fuzz},
		{name: "lab", about: "compares the recordings with real data planes and real packets in network namespaces", lacks: noLab, run: lab},
		{name: "announcers", about: "compares the recordings of which nodes announce addresses with real MetalLB and Cilium", lacks: noLab, run: announcers, apart: true},
		{name: "platforms", about: "the step release for all platforms", lacks: noClone, run: allPlatforms, apart: true},
		{name: "fresh", about: "runs both commands of the README in a new clone, with an empty HOME and empty caches", lacks: noClone, run: fresh, apart: true},
	}
}

func missingPackages() []string {
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil && !slices.Contains(missing, p.from) {
			missing = append(missing, p.from)
		}
	}
	return missing
}

func noPackages(m *machine) string {
	missing := missingPackages()
	if len(missing) == 0 {
		return ""
	}
	list := strings.Join(missing, " ")
	_, err := exec.LookPath("apt-get")
	switch {
	case !m.linux:
		return "the lab only runs on Linux"
	case err != nil:
		return "there is no apt-get; install by hand what these Debian packages contain: " + list
	case !m.user0:
		return "only root can install packages: sudo apt-get install " + list
	default:
		return ""
	}
}

func packages(ctx context.Context, m *machine) error {
	missing := missingPackages()
	if len(missing) == 0 {
		fmt.Println("all packages are installed")
		return nil
	}
	// The lab also installs Debian's kernel with apt, which needs the package lists.
	if err := m.do(ctx, "", "apt-get", "-qq", "update"); err != nil {
		return err
	}
	args := append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "-y", "--no-install-recommends"}, missing...)
	return m.do(ctx, "", "env", args...)
}

func kubernetes(ctx context.Context, m *machine) error {
	var args []string
	for _, t := range kube.Default() {
		args = append(args, t.String())
	}
	if noLab(m) == "" {
		return build(ctx, m, args, live)
	}
	return build(ctx, m, args, nil)
}

// build builds programs, and those that clusters of the lab run.
func build(ctx context.Context, m *machine, programs, clusters []string) error {
	if len(clusters) > 0 {
		cmd := m.command(ctx, "test/lab", nil, "go", "run", ".", "needs", "-only", strings.Join(clusters, ","))
		cmd.Stdout = nil
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("asking the lab which programs it runs: %w", err)
		}
		for t := range strings.FieldsSeq(string(out)) {
			if !slices.Contains(programs, t) {
				programs = append(programs, t)
			}
		}
	}
	return m.do(ctx, "", "go", append([]string{"run", "./test/kube/build"}, programs...)...)
}

func vet(ctx context.Context, m *machine) error {
	var failed []error
	for _, dir := range modules(m) {
		failed = append(failed, m.do(ctx, dir, "go", "vet", "./..."))
	}
	return errors.Join(failed...)
}

func lint(ctx context.Context, m *machine) error {
	tools, config := filepath.Join(m.root, "test", "tools", "go.mod"), filepath.Join(m.root, ".golangci.yml")
	var failed []error
	for _, dir := range modules(m) {
		failed = append(failed, m.do(ctx, dir, "go", "tool", "-modfile="+tools, "golangci-lint", "run", "--allow-parallel-runners", "--config", config, "--path-mode", "abs", "./..."))
	}
	return errors.Join(failed...)
}

func size(ctx context.Context, m *machine) error {
	dir, err := os.MkdirTemp("", "kubectl-etp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "kubectl-etp")
	args := []string{"GOOS=linux", "GOARCH=amd64", "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/kubectl-etp"}
	if err := m.do(ctx, "", "env", args...); err != nil {
		return err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	fmt.Printf("%.1f MB of %.0f\n", float64(info.Size())/1e6, sizeLimit/1e6)
	if info.Size() > sizeLimit {
		return fmt.Errorf("the binary has %d bytes, more than the limit of %d; the usual cause is text/template or a large new dependency", info.Size(), sizeLimit)
	}
	return nil
}

// needServer lists the packages in which every test needs an API server or the real binaries. The step unit leaves them out, because linking their tests takes
// longer than all it runs; the step apiserver fails if one of them has a test that unit could run.
var needServer = []string{"pkg/collect", "test/fix", "test/kube/apiserver", "test/kube/faults", "test/script"}

// withoutServer hides the cache of real binaries, so that tests that need an API server skip themselves. Garbage collection is made rarer: tests end before their
// memory is worth collecting.
var withoutServer = []string{kube.CacheEnv + "=" + filepath.Join(os.TempDir(), "kubectl-etp-no-cache"), kube.RequireEnv + "=", "GOGC=400"}

// unit leaves what needs an API server to the step apiserver; -short leaves all but a sample of long comparisons to it too, and go vet is a step of its own.
func unit(ctx context.Context, m *machine) error {
	err := m.testKept(ctx, withoutServer, needServer)
	left, wrong := sortSkips(m.skips)
	fmt.Printf("left to the step apiserver, because they need an API server: %d tests, and all of %s\n", left, strings.Join(needServer, ", "))
	m.skips = slices.DeleteFunc(m.skips, func(skip string) bool { return containsAny(skip, leftToOtherSteps) })
	if len(wrong) > 0 {
		err = errors.Join(err, fmt.Errorf("skipped for another reason than a missing API server:\n  %s", strings.Join(wrong, "\n  ")))
	}
	return err
}

// The only reasons for which the step unit may skip a test; any other reason fails it.
var (
	// leftToOtherSteps: the real binaries, which unit hides.
	leftToOtherSteps = []string{"not built; in the repository's root, run: go run ./test/kube/build"}
	// ofTheMachine: a shell whose completion is checked, another operating system, a clone without its history.
	ofTheMachine = []string{"executable file not found in ", "of other systems", "the bash that Windows has", "no clone with its history"}
)

// sortSkips counts the tests that are left to other steps, and returns those that were skipped for a reason that is not allowed.
func sortSkips(skips []string) (left int, wrong []string) {
	for _, skip := range skips {
		switch {
		case containsAny(skip, leftToOtherSteps):
			left++
		case !containsAny(skip, ofTheMachine):
			wrong = append(wrong, skip)
		}
	}
	return left, wrong
}

func containsAny(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

func apiserver(ctx context.Context, m *machine) error {
	err := m.test(ctx, "", nil, "-timeout", "20m", "./...")
	skips := m.skips
	packages := make([]string, len(needServer))
	for i, folder := range needServer {
		packages[i] = "./" + folder
	}
	m.skips, m.passes = nil, nil
	err = errors.Join(err, m.test(ctx, "", withoutServer, append([]string{"-count=1", "-short", "-vet=off"}, packages...)...))
	for _, name := range inner(m.passes, m.skips) {
		err = errors.Join(err, fmt.Errorf("%s runs without an API server, but unit leaves its package out: move it, or take the package from needServer in test/all", name))
	}
	m.skips = skips
	return err
}

// inner returns the tests that passed and of which no part was skipped. Names are PACKAGE TEST[/PART…], and skips have a reason after them.
func inner(passes, skips []string) []string {
	return slices.DeleteFunc(slices.Clone(passes), func(name string) bool {
		return slices.ContainsFunc(skips, func(skip string) bool { return strings.HasPrefix(skip, name+"/") })
	})
}

func oracle(ctx context.Context, m *machine) error {
	return m.test(ctx, "test/oracle", nil, "-timeout", "20m", "./...")
}

func noClone(*machine) string {
	if runtime.GOOS == "windows" {
		return "needs Linux or macOS"
	}
	if _, err := exec.LookPath("git"); err != nil {
		return "git is not installed"
	}
	return ""
}

// release reads files of other modules, which go test does not watch, so no cached result is used.
func release(ctx context.Context, m *machine) error {
	return m.test(ctx, "test/release", nil, "-count=1", "-timeout", "60m", "./...")
}

// allPlatforms compiles Go's library and all dependencies for six platforms: about 15 minutes on 2 cores where nothing is in the build cache.
func allPlatforms(ctx context.Context, m *machine) error {
	return m.test(ctx, "test/release", []string{"KUBECTL_ETP_PLATFORMS=all"}, "-count=1", "-timeout", "100m", "./...")
}

func fuzz(ctx context.Context, m *machine) error {
	found, err := fuzzTests(os.DirFS(m.root))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("found no fuzz test")
	}
	each := fuzzing / time.Duration(len(found))
	var failed []error
	for _, f := range found {
		failed = append(failed, m.do(ctx, "", "go", "test", "-run", "^$", "-fuzz", "^"+f.name+"$", "-fuzztime", each.String(), "-fuzzminimizetime", "1x", "./"+f.dir))
	}
	return errors.Join(failed...)
}

type fuzzTest struct{ dir, name string }

var fuzzDeclaration = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// fuzzTests returns the fuzz tests of the main module, in order of their paths.
func fuzzTests(files fs.FS) ([]fuzzTest, error) {
	var found []fuzzTest
	err := fs.WalkDir(files, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, err := fs.Stat(files, path.Join(name, "go.mod")); err == nil && name != "." || name == ".git" {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		for _, match := range fuzzDeclaration.FindAllSubmatch(source, -1) {
			found = append(found, fuzzTest{path.Dir(name), string(match[1])})
		}
		return nil
	})
	return found, err
}

func noLab(m *machine) string {
	switch {
	case !m.linux:
		return "the lab creates network namespaces, which need Linux"
	case !m.user0:
		return "the lab creates network namespaces, which needs root"
	default:
		return ""
	}
}

// lab prints itself what it skips, and why. It has two clusters at a time, because each waits for much of its time.
func lab(ctx context.Context, m *machine) error {
	if err := m.test(ctx, "test/lab", nil, "./..."); err != nil {
		return err
	}
	return m.do(ctx, "test/lab", "go", "run", ".", "compare", "-quick", "-parallel", "2", "-only", strings.Join(live, ","))
}

// announcers takes each program through seven states of the cluster, which takes minutes: it waits until nothing changes.
func announcers(ctx context.Context, m *machine) error {
	if err := build(ctx, m, nil, announcing); err != nil {
		return err
	}
	return m.do(ctx, "test/lab", "go", "run", ".", "compare", "-only", strings.Join(announcing, ","))
}
