// Command licenses knows the licence of everything that is linked into a release, on any of its platforms.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// program is the package that a release is built from.
const program = "./cmd/kubectl-etp"

var (
	systems       = []string{"linux", "darwin", "windows"}
	architectures = []string{"amd64", "arm64"}
)

func main() {
	out := flag.String("o", "THIRD_PARTY_LICENSES", "the file to write")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "usage: go run ./release/licenses [-o FILE]\n\nWrites the licences of all modules that are linked into kubectl-etp on any platform of a release.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	linked := map[string]*module{}
	for _, system := range systems {
		for _, architecture := range architectures {
			if err := link(linked, system, architecture); err != nil {
				return fmt.Errorf("what is linked on %s/%s: %w", system, architecture, err)
			}
		}
	}
	texts := map[string][]string{}
	for _, m := range linked {
		files, err := m.licences()
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(m.dir, file))
			if err != nil {
				return err
			}
			same := strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
			texts[same] = append(texts[same], m.name+": "+filepath.ToSlash(file))
		}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, page(linked, texts), 0o644)
}

// module is what has licences of its own: a module that is linked in, or Go with its standard library and runtime.
type module struct {
	name, dir string
	// packages are the folders of those of its packages that are linked in.
	packages map[string]bool
}

// link adds what is linked into the program on one platform.
func link(linked map[string]*module, system, architecture string) error {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Standard,Module", program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture)
	cmd.Stderr = os.Stderr
	listed, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(listed)); ; {
		var p struct {
			Dir      string `json:"Dir"`
			Standard bool   `json:"Standard"`
			Module   *struct {
				Path    string `json:"Path"`
				Version string `json:"Version"`
				Dir     string `json:"Dir"`
				Main    bool   `json:"Main"`
			} `json:"Module"`
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading go list: %w", err)
		}
		name, dir := "Go "+runtime.Version(), runtimeDir(p.Dir)
		switch {
		case p.Standard:
		case p.Module == nil:
			return fmt.Errorf("%s belongs to no module", p.Dir)
		case p.Module.Main:
			continue
		default:
			name, dir = p.Module.Path+" "+p.Module.Version, p.Module.Dir
		}
		if linked[name] == nil {
			linked[name] = &module{name, dir, map[string]bool{}}
		}
		linked[name].packages[p.Dir] = true
	}
}

// runtimeDir is the root of the Go installation that a package of the standard library lies in.
func runtimeDir(dir string) string {
	root, _, _ := strings.Cut(filepath.ToSlash(dir), "/src/")
	return filepath.FromSlash(root)
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|copyright)([.-].*)?$`)

// licences are the files of a module, relative to it and in order, that hold for the packages that are linked in: beside a package or above it.
func (m *module) licences() ([]string, error) {
	found := map[string]bool{}
	for dir := range m.packages {
		for ; strings.HasPrefix(dir, m.dir); dir = filepath.Dir(dir) {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return nil, err
			}
			for _, entry := range entries {
				if !entry.Type().IsRegular() || !licenceName.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
					continue
				}
				file, err := filepath.Rel(m.dir, filepath.Join(dir, entry.Name()))
				if err != nil {
					return nil, err
				}
				found[file] = true
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no licence file in %s: %w", m.name, m.dir, fs.ErrNotExist)
	}
	files := make([]string, 0, len(found))
	for file := range found {
		files = append(files, file)
	}
	slices.Sort(files)
	return files, nil
}

// page lists what is linked in, then every licence once, with the files that say just this.
func page(linked map[string]*module, texts map[string][]string) []byte {
	var b bytes.Buffer
	b.WriteString("kubectl-etp contains, on one platform or another:\n\n")
	names := make([]string, 0, len(linked))
	for name := range linked {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "  %s\n", name)
	}
	type licence struct {
		text  string
		files []string
	}
	licences := make([]licence, 0, len(texts))
	for text, files := range texts {
		slices.Sort(files)
		licences = append(licences, licence{text, files})
	}
	slices.SortFunc(licences, func(a, b licence) int { return cmp.Compare(a.files[0], b.files[0]) })
	for _, l := range licences {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(l.files, "\n"), l.text)
	}
	return b.Bytes()
}
