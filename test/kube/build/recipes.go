//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// recipe says how one program is built.
type recipe struct {
	module string
	pkg    string // the main package, below the module's path
	// before are the main packages of older releases: each of those before a version, the oldest first.
	before []packageBefore
	// edits returns the `go mod edit` flags that make the module build outside its own repository; nil where it needs none.
	edits func(upstream goMod, version string) []string
	// stamp returns the linker flags that make the program report its version; nil where it has no such variable.
	stamp func(version string) string
	// files are folders of the module that the program reads when it runs, by the name under which the cache keeps them.
	files map[string]string
	// cut is what files of the module, by their path in it, are built without; nil where the module builds as it is.
	cut map[string]*regexp.Regexp
}

type packageBefore struct{ version, pkg string }

// of is the main package at a version.
func (r recipe) of(version string) string {
	for _, b := range r.before {
		if semver.Compare(version, b.version) < 0 {
			return r.module + b.pkg
		}
	}
	return r.module + r.pkg
}

const (
	kubernetesModule = "k8s.io/kubernetes"
	ciliumModule     = "github.com/cilium/cilium"
	gobgpModule      = "github.com/osrg/gobgp/v4"
	metalLBModule    = "go.universe.tf/metallb"
	kubeRouterModule = "github.com/cloudnativelabs/kube-router/v2"
)

var recipes = map[string]recipe{
	"etcd":                    {module: "go.etcd.io/etcd/server/v3"},
	"kube-apiserver":          kubernetes("kube-apiserver"),
	"kube-controller-manager": kubernetes("kube-controller-manager"),
	"kube-proxy":              kubernetes("kube-proxy"),
	"kube-scheduler":          kubernetes("kube-scheduler"),
	"kubectl":                 kubernetes("kubectl"),
	"cilium-agent":            cilium("daemon", map[string]string{"bpf": "bpf", "crds": "pkg/k8s/apis/cilium.io/client/crds"}),
	"cilium-dbg":              cilium("cilium-dbg", nil, packageBefore{"v1.15.0", "/cilium"}),
	"cilium-cni":              cilium("plugins/cilium-cni", nil),
	"gobgpd":                  {module: gobgpModule, pkg: "/cmd/gobgpd"},
	"gobgp":                   {module: gobgpModule, pkg: "/cmd/gobgp"},
	"metallb-controller":      metalLB("controller", map[string]string{"crds": "config/crd/bases"}),
	"metallb-speaker":         metalLB("speaker", nil),
	// For the lab only: v2.1.0, the one release that can be had as a module, has known vulnerabilities.
	"kube-router": {module: kubeRouterModule, pkg: "/cmd/kube-router", stamp: func(version string) string {
		return "-X " + kubeRouterModule + "/pkg/version.Version=" + version
	}},
}

func names() []string { return slices.Sorted(maps.Keys(recipes)) }

func kubernetes(name string) recipe {
	return recipe{module: kubernetesModule, pkg: "/cmd/" + name, edits: kubernetesReplacements, stamp: versionStamp}
}

func cilium(pkg string, files map[string]string, before ...packageBefore) recipe {
	return recipe{module: ciliumModule, pkg: "/" + pkg, before: before, edits: ciliumReplacements, files: files, stamp: func(version string) string {
		return "-X " + ciliumModule + "/pkg/version.ciliumVersion=" + strings.TrimPrefix(version, "v")
	}}
}

// metalLB: v0.16.2 requires v0.0.27 of the objects of FRR-K8s, which cannot be had as a module. MetalLB's own BGP uses none of them, so it is built with v0.0.26,
// and without what that has no field for.
func metalLB(pkg string, files map[string]string) recipe {
	const objects = "github.com/metallb/frr-k8s"
	return recipe{
		module: metalLBModule, pkg: "/" + pkg, files: files,
		edits: func(goMod, string) []string {
			return []string{"-replace=" + objects + "@v0.0.27=" + objects + "@v0.0.26"}
		},
		cut: map[string]*regexp.Regexp{"internal/bgp/frrk8s/frrk8s.go": regexp.MustCompile(
			`(?ms)^\s+PrefixesWithAsPathPrepend:[^\n]*\n|^\s+neighbor\.ToAdvertise\.PrefixesWithAsPathPrepend = [^\n]*\n|^func toAdvertiseWithAsPathPrepend\(.*?^}\n`)},
	}
}

// reduce copies the module into the folder work without what the recipe cuts, and returns the `go mod edit` flags that put the copy in its place.
func (r recipe) reduce(work, source string) ([]string, error) {
	var flags []string
	for file, cut := range r.cut {
		data, err := os.ReadFile(filepath.Join(source, file))
		if err != nil {
			return nil, fmt.Errorf("reading what %s is built without: %w", r.module, err)
		}
		if !cut.Match(data) {
			continue
		}
		// What is in the module cache, go build lets nobody replace.
		if len(flags) == 0 {
			if err := copyFiles(filepath.Join(work, "reduced"), source); err != nil {
				return nil, err
			}
			flags = []string{"-replace=" + r.module + "=./reduced"}
		}
		if err := os.WriteFile(filepath.Join(work, "reduced", file), cut.ReplaceAll(data, nil), 0o644); err != nil {
			return nil, err
		}
	}
	return flags, nil
}

// keepFiles copies a folder of a module's source into the cache.
func keepFiles(t kube.Target, name, from string) error {
	to, err := t.Files(name)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := copyFiles(to, from); err != nil {
		return fmt.Errorf("keeping %s of %s: %w", name, t, err)
	}
	return nil
}

// copyFiles copies a folder of the module cache so that the copy can be changed and removed.
func copyFiles(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	// The module cache has its files read-only, and what tests copy keeps that.
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if info, ierr := d.Info(); ierr == nil && (d.IsDir() || info.Mode()&0o111 != 0) {
			mode = 0o755
		}
		return errors.Join(err, os.Chmod(path, mode))
	})
}

// versionStamp makes a binary report its true version, as the release scripts of Kubernetes do.
func versionStamp(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X "+pkg+".gitVersion="+version,
			"-X "+pkg+".gitMajor="+parts[0],
			"-X "+pkg+".gitMinor="+parts[1])
	}
	return strings.Join(flags, " ")
}

// kubernetesReplacements returns the `go mod edit` flags that make a Kubernetes version build outside its own repository: its staging modules at the
// versions they were published as, its dependencies where it pins them, and the ones that a current Go no longer builds or runs raised.
func kubernetesReplacements(upstream goMod, version string) []string {
	var flags []string
	staging := "v0." + strings.SplitN(version, ".", 2)[1]
	seen := map[string]bool{}
	replace := func(path, with string) {
		if !seen[path] {
			seen[path] = true
			flags = append(flags, "-replace="+path+"="+with)
		}
	}
	for _, r := range upstream.Require {
		if r.Version == "v0.0.0" && strings.HasPrefix(r.Path, "k8s.io/") {
			replace(r.Path, r.Path+"@"+staging)
		}
		if raised := raise(r.Path, r.Version); raised != "" {
			replace(r.Path, r.Path+"@"+raised)
		}
	}
	for _, r := range upstream.Replace {
		if strings.HasPrefix(r.New.Path, "./staging/") {
			replace(r.Old.Path, r.Old.Path+"@"+staging)
			continue
		}
		if r.New.Version == "" {
			continue // Another folder of its repository that was never published; no binary built here uses one.
		}
		with := r.New.Version
		if raised := raise(r.New.Path, with); raised != "" {
			with = raised
		}
		replace(r.Old.Path, r.New.Path+"@"+with)
	}
	return flags
}

// raise returns the version to use in place of one that a current Go does not build or run, or "" where the version is fine.
func raise(path, version string) string {
	switch {
	case path == "golang.org/x/sys" && strings.HasPrefix(version, "v0.0.0-"):
		return "v0.49.0" // Older ones reach into the runtime by names that it no longer has.
	case path == "github.com/modern-go/reflect2" && version != "v1.0.2" && !strings.HasPrefix(version, "v1.0.3"):
		return "v1.0.2" // Older ones crash on maps since Go 1.18.
	}
	return ""
}

// ciliumReplacements returns the `go mod edit` flags that make a Cilium release build outside its own repository: its own replacements, and a released gobgp
// where it pins a fork or a commit that is not served as a module. No binary built here uses controller-tools.
func ciliumReplacements(upstream goMod, _ string) []string {
	released := map[string]string{"github.com/osrg/gobgp/v3": "v3.37.0", "github.com/osrg/gobgp/v4": "v4.7.0"}
	var flags []string
	for _, r := range upstream.Replace {
		if released[r.Old.Path] == "" && r.New.Version != "" && r.Old.Path != "sigs.k8s.io/controller-tools" {
			flags = append(flags, "-replace="+r.Old.Path+"="+r.New.Path+"@"+r.New.Version)
		}
		if version := released[r.Old.Path]; version != "" {
			flags = append(flags, "-replace="+r.Old.Path+"="+r.Old.Path+"@"+version)
		}
	}
	for _, r := range upstream.Require {
		if version := released[r.Path]; version != "" && strings.Contains(r.Version, "-0.") {
			flags = append(flags, "-replace="+r.Path+"="+r.Path+"@"+version)
		}
	}
	return flags
}
