package explain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParse(t *testing.T) {
	got, err := parse("== one\ntitle: the first\nalso: a, b c\nalso: 三\nrules: IPVS\nsee: two\nsource: here, and there\n\nTwo\nlines.\n\n  a --> b\n   drawn\n\nEnd.\n\n== two\ntitle: the second\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Page{
		{
			Name: "one", Title: "the first", Aliases: []string{"a", "b c", "三"}, See: []string{"two"}, Sources: []string{"here, and there"}, families: []string{"IPVS"},
			Body: []string{"Two lines.", "  a --> b\n   drawn", "End."},
		},
		{Name: "two", Title: "the second"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Page{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"== one\nno field\n", "== one\ntitel: x\n", "== one\n\ntext\n"} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%q is read", wrong)
		}
	}
}

func TestTokens(t *testing.T) {
	if diff := cmp.Diff([]string{"集群", "群内", "slb", "不通", "time", "out"}, tokens("集群内 SLB不通: it times out")); diff != "" {
		t.Error(diff)
	}
}
