package suggest_test

import (
	"slices"
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/suggest"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"status", "status", 0},
		{"status", "statsu", 1},
		{"status", "stauts", 1},
		{"status", "tatus", 1},
		{"status", "sttus", 1},
		{"status", "sxatus", 1},
		{"kitten", "sitting", 3},
	} {
		if got := suggest.Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := suggest.Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestClose(t *testing.T) {
	names := []string{"basis", "cilium", "ipvs", "externalTrafficPolicy", "internalTrafficPolicy", "ETP002", "ETP003", "ETP008"}
	for _, c := range []struct {
		typed string
		want  []string
	}{
		{"internaltrafficpolcy", []string{"internalTrafficPolicy"}},
		{"cillium", []string{"cilium"}},
		{"ipsv", []string{"ipvs"}},
		{"external", []string{"externalTrafficPolicy"}},
		{"ETP02", []string{"ETP002"}},
		// What is not close is not offered, and what is a letter or two long is close to nothing.
		{"kubernetes", nil},
		{"asia", nil},
		{"x", nil},
		{"", nil},
	} {
		got := suggest.Close(c.typed, names)
		if !slices.Equal(got, c.want) {
			t.Errorf("Close(%q) = %v, want %v", c.typed, got, c.want)
		}
	}
	// At most three, in the order of the names where they are as close.
	if got := suggest.Close("etp00", names); !slices.Equal(got, []string{"ETP002", "ETP003", "ETP008"}) {
		t.Errorf("Close(etp00) = %v", got)
	}
}
