// Package collecttest reads samples for the tests of pkg/collect and the packages below it.
package collecttest

import (
	"bytes"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/file"
	"github.com/kubectl-etp/kubectl-etp/pkg/collect/objects"
)

// Path is that of a file below pkg, whichever package's tests run: they all begin in their own folder.
func Path(name string) string {
	top := "."
	for range 5 {
		if _, err := os.Stat(filepath.Join(top, "go.mod")); err == nil {
			break
		}
		top = filepath.Join(top, "..")
	}
	return filepath.Join(top, "pkg", filepath.FromSlash(name))
}

// Open is for file.Input.
func Open(name string) (fs.File, error) { return os.Open(name) }

// Offline reads files, by their path below pkg.
func Offline(t testing.TB, names ...string) *objects.Objects {
	t.Helper()
	in := file.Input{Open: Open}
	for _, name := range names {
		in.Paths = append(in.Paths, Path(name))
	}
	read, err := file.Read(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// FromText reads manifests from a text.
func FromText(t testing.TB, text string) *objects.Objects {
	t.Helper()
	read, err := file.Read(t.Context(), file.Input{Paths: []string{"-"}, Stdin: strings.NewReader(text)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return read
}

// Snapshot is that of a query.
func Snapshot(t testing.TB, o *objects.Objects, q objects.Query) *cluster.Snapshot {
	t.Helper()
	s, err := o.Snapshot(q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Dumped is what file.Write writes.
func Dumped(t testing.TB, o *objects.Objects) string {
	t.Helper()
	var b bytes.Buffer
	if err := file.Write(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Samples are files of whole clusters, by their path below pkg.
func Samples(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(Path("detect/testdata/*.yaml"))
	if err != nil || len(names) < 20 {
		t.Fatalf("samples: %v, %v", names, err)
	}
	for i := range names {
		names[i] = "detect/testdata/" + filepath.Base(names[i])
	}
	return append(names, "collect/testdata/kubeadm-ipvs.yaml", "collect/testdata/surroundings.yaml")
}

// SameFacts compares snapshots; nil and empty are the same fact.
func SameFacts(t testing.TB, got, want *cluster.Snapshot) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("the facts differ (-want +got):\n%s", diff)
	}
}

// EventText is an event of namespace shop about an object.
func EventText(name, kind, about, reason, times string) string {
	return "---\napiVersion: v1\nkind: Event\nmetadata: {name: " + name + ", namespace: shop}\ninvolvedObject: {kind: " + kind + ", namespace: shop, name: " + about +
		"}\ntype: Warning\nreason: " + reason + "\nmessage: " + reason + " of " + about + "\n" + times + "\n"
}
