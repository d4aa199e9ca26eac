package english_test

import (
	"testing"

	"github.com/kubectl-etp/kubectl-etp/pkg/english"
)

func TestSentences(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{english.Count(0, "node", ""), "0 nodes"},
		{english.Count(1, "node", ""), "1 node"},
		{english.Count(38, "node", ""), "38 nodes"},
		{english.Count(2, "policy", "policies"), "2 policies"},
		{english.Word(1, "is", "are"), "is"},
		{english.Word(0, "is", "are"), "are"},
		{english.And(nil), ""},
		{english.And([]string{"a"}), "a"},
		{english.And([]string{"a", "b"}), "a and b"},
		{english.And([]string{"a", "b", "c"}), "a, b and c"},
		{english.Some(nil), ""},
		{english.Some([]string{"a", "b", "c"}), "a, b, c"},
		{english.Some([]string{"a", "b", "c", "d", "e"}), "a, b, c and 2 more"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
