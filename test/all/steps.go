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

// sizeLimit is what the binary for linux/amd64 may take, in bytes.
const sizeLimit = 34_000_000

// fuzzing is how long all fuzz tests take together, compiling left out.
const fuzzing = time.Minute

// programs are what tests call, most of them the lab's, each with the package of Debian and Ubuntu that has it.
var programs = []struct{ name, from string }{
	{"ip", "iproute2"},
	{"iptables", "iptables"},
	{"ip6tables", "iptables"},
	{"ipset", "ipset"},
	{"conntrack", "conntrack"},
	{"nft", "nftables"},
	{"ipvsadm", "ipvsadm"},
	{"modprobe", "kmod"},
	// Where the kernel has no ip_vs, Debian's runs in a virtual machine.
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"busybox", "busybox-static"},
	// Their completion scripts are checked.
	{"zsh", "zsh"},
	{"fish", "fish"},
}

// live are the clusters that the lab makes each time; the others are recorded, and replayed by the tests of pkg/dataplane.
var live = []string{"iptables@v1.36.3", "iptables@v1.36.3/hostname", "nftables@v1.36.3", "ipvs@v1.36.3", "ipvs@v1.20.15"}

// modules have a go.mod of their own; the lab's is for Linux alone.
func modules(m *machine) []string {
	dirs := []string{"", "test/oracle", "test/release"}
	if m.linux {
		dirs = append(dirs, "test/lab")
	}
	return dirs
}

func steps() []step {
	return []step{
		{name: "packages", about: "installs the programs that tests call, on Debian and Ubuntu", lacks: noPackages, run: packages},
		{name: "kubernetes", about: "builds etcd, kube-apiserver, kube-proxy and others into a cache outside the repository", run: kubernetes},
		{name: "vet", about: "go vet", run: vet},
		{name: "lint", about: "golangci-lint, as .golangci.yml says", run: lint},
		{name: "size", about: "builds the static binary for linux/amd64 and weighs it", run: size},
		{name: "unit", about: "tests that need neither root nor an API server", run: unit, within: "apiserver"},
		{name: "apiserver", about: "all tests of the main module, with the real kube-apiserver", run: apiserver},
		{name: "release", about: "builds a release with the real goreleaser and installs it with the real krew", lacks: noClone, run: release},
		{name: "oracle", about: "holds predictions against kube-proxy's own code", run: oracle},
		{name: "fuzz", about: "feeds nonsense to the readers and the engine for a minute", run: fuzz},
		{name: "lab", about: "real kube-proxies and real packets in network namespaces", lacks: noLab, run: lab},
		{name: "fresh", about: "both commands of the README in a new clone, with an empty HOME and empty caches", lacks: noClone, run: fresh, apart: true},
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
		return "the lab runs on Linux only"
	case err != nil:
		return "no apt-get here; install by hand what Debian has in: " + list
	case !m.user0:
		return "only root may install packages: sudo apt-get install " + list
	default:
		return ""
	}
}

func packages(ctx context.Context, m *machine) error {
	missing := missingPackages()
	if len(missing) == 0 {
		fmt.Println("all there")
		return nil
	}
	// The lab also asks apt for Debian's kernel, so the lists must be there.
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
		for _, cluster := range live {
			_, version, _ := strings.Cut(cluster, "@")
			version, _, _ = strings.Cut(version, "/")
			if t := "kube-proxy@" + version; !slices.Contains(args, t) {
				args = append(args, t)
			}
		}
	}
	return m.do(ctx, "", "go", append([]string{"run", "./test/kube/build"}, args...)...)
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
		return fmt.Errorf("the binary takes %d bytes, more than %d; text/template or a large new dependency does that", info.Size(), sizeLimit)
	}
	return nil
}

// unit hides the cache of real binaries, so that tests that would start an API server skip themselves; they run in the next step.
func unit(ctx context.Context, m *machine) error {
	err := m.test(ctx, "", []string{kube.CacheEnv + "=" + filepath.Join(os.TempDir(), "kubectl-etp-no-cache"), kube.RequireEnv + "="}, "./...")
	fmt.Printf("%d tests need the API server and are left to the step apiserver\n", len(m.skips))
	m.skips = nil
	return err
}

func apiserver(ctx context.Context, m *machine) error {
	return m.test(ctx, "", nil, "-timeout", "20m", "./...")
}

func oracle(ctx context.Context, m *machine) error {
	return m.test(ctx, "test/oracle", nil, "-timeout", "20m", "./...")
}

func noClone(*machine) string {
	if runtime.GOOS == "windows" {
		return "it needs Linux or macOS"
	}
	if _, err := exec.LookPath("git"); err != nil {
		return "git is not installed"
	}
	return ""
}

// release reads what other modules of the repository hold, which go test does not watch: no earlier result is taken for today's. Where no cache is warm, it compiles
// Go's own library, goreleaser and all dependencies for six platforms.
func release(ctx context.Context, m *machine) error {
	return m.test(ctx, "test/release", nil, "-count=1", "-timeout", "60m", "./...")
}

func fuzz(ctx context.Context, m *machine) error {
	found, err := fuzzTests(os.DirFS(m.root))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("there is no fuzz test")
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

// fuzzTests are those of the main module, in order.
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
		return "the lab makes network namespaces, which only Linux has"
	case !m.user0:
		return "the lab makes network namespaces, which only root may"
	default:
		return ""
	}
}

// lab says itself what it skips and why.
func lab(ctx context.Context, m *machine) error {
	if err := m.test(ctx, "test/lab", nil, "./..."); err != nil {
		return err
	}
	return m.do(ctx, "test/lab", "go", "run", ".", "compare", "-quick", "-only", strings.Join(live, ","))
}
